//! Conversations given to a colleague: who is told what, when it is offered, taken, declined or
//! left lying.

use crate::effect::{Call, Command, Effect};
use crate::event::{Change, Event, OfferEnd};
use crate::fixture::{
    assigned, at, calls, change_row, id, live, no_change, offered, press, toast, waiting,
};
use crate::state::State;
use crate::state::row::{Conversation, UserId};
use crate::text::SafeText;
use crate::update::update;

const ME: (&str, &str) = ("u-1", "agent1");
const COLLEAGUE: (&str, &str) = ("u-2", "agent2");

/// The stream says that the offer of #1001 has ended, made by `by`, declined by somebody or late.
fn end(state: &mut State, by: &str, declined_by: Option<(&str, &str)>) -> Vec<Effect> {
    let end = OfferEnd {
        conversation: id(1001),
        number: 1001,
        given_by: UserId::from(by),
        declined_by: declined_by.map(|(user, _)| UserId::from(user)),
        decliner: SafeText::line(declined_by.map_or("", |(_, name)| name)),
    };
    let row = Conversation { offer: None, ..offered(1001, ME, COLLEAGUE) };
    let change = Change { conversation: Some(at(12, row)), offer_end: Some(end), ..no_change() };
    update(state, Event::Change(Box::new(change)))
}

#[test]
fn the_giver_is_told_who_declined_what() {
    let mut state = live(vec![offered(1001, ME, COLLEAGUE)]);
    state.focused = false;
    let effects = end(&mut state, "u-1", Some(COLLEAGUE));
    assert_eq!(toast(&state), "agent2 declined #1001: it waits for everybody");
    assert!(state.toasts.back().is_some_and(|toast| toast.bad));
    assert_eq!(effects, [Effect::Bell]);
    assert_eq!(state.desk.get(&id(1001)).unwrap().offer, None);
}

#[test]
fn the_giver_is_told_who_let_the_time_pass() {
    let mut state = live(vec![offered(1001, ME, COLLEAGUE)]);
    end(&mut state, "u-1", None);
    assert_eq!(toast(&state), "agent2 did not take #1001: it waits for everybody");
    // A console that was started meanwhile does not know who was asked.
    let mut state = live(vec![]);
    end(&mut state, "u-1", None);
    assert_eq!(toast(&state), "Your colleague did not take #1001: it waits for everybody");
}

#[test]
fn nobody_else_is_told_and_nobody_of_their_own_doing() {
    let mut state = live(vec![offered(1001, ("u-3", "agent3"), COLLEAGUE)]);
    end(&mut state, "u-3", Some(COLLEAGUE));
    assert_eq!(toast(&state), "");
    let mut state = live(vec![offered(1001, ME, COLLEAGUE)]);
    end(&mut state, "u-1", Some(ME));
    assert_eq!(toast(&state), "");
}

#[test]
fn whoever_it_is_offered_to_is_told_once_and_may_claim_or_decline() {
    let mut state = live(vec![assigned(1001, COLLEAGUE.0, COLLEAGUE.1)]);
    state.focused = false;
    let row = offered(1001, COLLEAGUE, ME);
    let effects = update(&mut state, change_row(at(11, row.clone())));
    assert_eq!(toast(&state), "agent2 gives you #1001: c claims, L declines");
    assert_eq!(effects, [Effect::Bell]);
    update(&mut state, change_row(at(12, row)));
    assert_eq!(state.toasts.len(), 1);
    let declined = calls(press(&mut state, &["L"]));
    assert!(
        matches!(declined.as_slice(), [Call::Command { command: Command::Release, .. }]),
        "{declined:?}"
    );
    let result = Ok(at(13, waiting(1001, 60)));
    let event = Event::Commanded { conversation: id(1001), command: Command::Release, result };
    update(&mut state, event);
    assert_eq!(toast(&state), "#1001: declined, it waits for everybody");
}

#[test]
fn the_giver_learns_who_has_it() {
    let mut state = live(vec![offered(1001, ME, COLLEAGUE)]);
    update(&mut state, change_row(at(11, assigned(1001, COLLEAGUE.0, COLLEAGUE.1))));
    assert_eq!(toast(&state), "agent2 has #1001 now");
}

#[test]
fn claim_next_leaves_what_is_offered_to_a_colleague() {
    let mut state = live(vec![offered(1001, ME, COLLEAGUE), waiting(1002, 5)]);
    let claimed = calls(press(&mut state, &["C"]));
    assert!(
        matches!(claimed.as_slice(), [Call::Command { conversation, .. }] if *conversation == id(1002)),
        "{claimed:?}"
    );
    let mut state = live(vec![offered(1003, COLLEAGUE, ME), waiting(1002, 5)]);
    let claimed = calls(press(&mut state, &["C"]));
    assert!(
        matches!(claimed.as_slice(), [Call::Command { conversation, .. }] if *conversation == id(1003)),
        "{claimed:?}"
    );
}
