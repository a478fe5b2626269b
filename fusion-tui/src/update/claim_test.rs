//! Claims: never optimistic, the winner is named, the cursor moves on, `r` claims first.

use crate::effect::{Call, Command};
use crate::event::Event;
use crate::fixture::{
    NOW, assigned, at, calls, change_row, id, live, passing, press, refusal, toast, waiting,
};
use crate::state::desk::Tab;
use crate::state::row::{Conversation, Handler, Status};
use crate::state::{Focus, State};
use crate::update::update;

fn claim_of(number: u64, take: bool, call: &Call) -> bool {
    matches!(call, Call::Command { conversation, command: Command::Claim { take: taken }, .. }
        if *conversation == id(number) && *taken == take)
}

fn answer(state: &mut State, number: u64, result: Result<Conversation, crate::event::Problem>) {
    let (conversation, command) = (id(number), Command::Claim { take: false });
    update(state, Event::Commanded { conversation, command, result });
}

fn queue() -> State {
    live(vec![waiting(1001, 250), waiting(1002, 160), waiting(1003, 30)])
}

#[test]
fn the_queue_is_longest_first_and_a_claim_waits_for_the_answer() {
    let mut state = queue();
    assert_eq!(state.desk.order(), [id(1001), id(1002), id(1003)]);
    let calls = calls(press(&mut state, &["j", "c"]));
    assert!(matches!(calls.as_slice(), [call] if claim_of(1002, false, call)), "{calls:?}");
    assert_eq!(state.desk.get(&id(1002)).unwrap().status, Status::Escalated);
    assert_eq!(press(&mut state, &["c"]), [], "one claim at a time");
    answer(&mut state, 1002, Ok(at(11, assigned(1002, "u-1", "agent1"))));
    assert_eq!(state.open.as_ref().map(|open| open.conversation.clone()), Some(id(1002)));
    assert_eq!(state.focus, Focus::Conversation);
    assert_eq!(state.desk.count(Tab::Mine), 1);
}

#[test]
fn r_right_behind_c_opens_the_composer_when_the_claim_is_won() {
    let mut state = queue();
    press(&mut state, &["c"]);
    assert_eq!(press(&mut state, &["r"]), [], "one claim at a time");
    answer(&mut state, 1001, Ok(at(11, assigned(1001, "u-1", "agent1"))));
    assert_eq!(state.focus, Focus::Composer);
}

#[test]
fn a_lost_race_names_the_winner_and_moves_on() {
    let mut state = queue();
    press(&mut state, &["c"]);
    let since = (NOW - 2_100).to_string();
    let lost = refusal("already_claimed", &[("by", "agent2"), ("since", &since)]);
    answer(&mut state, 1001, Err(lost));
    assert_eq!(toast(&state), "agent2 claimed it 2 s before you");
    assert_eq!(state.desk.selected(), Some(&id(1002)));
    assert_eq!(state.open, None);
    // The row itself changes only when the stream says so, and the cursor stays where it went.
    update(&mut state, change_row(at(12, assigned(1001, "u-2", "agent2"))));
    assert_eq!(state.desk.order(), [id(1002), id(1003)]);
    assert_eq!(state.desk.selected(), Some(&id(1002)));
}

#[test]
fn a_lost_race_uses_the_clock_of_the_daemon() {
    let mut state = queue();
    update(&mut state, Event::DaemonClock(NOW + 60_000));
    press(&mut state, &["c"]);
    let since = (NOW + 59_880).to_string();
    answer(
        &mut state,
        1001,
        Err(refusal("already_claimed", &[("by", "agent2"), ("since", &since)])),
    );
    assert_eq!(toast(&state), "agent2 claimed it 120 ms before you");
}

#[test]
fn a_claim_without_connection_is_refused_here() {
    let mut state = queue();
    update(&mut state, Event::Lost);
    assert_eq!(press(&mut state, &["c"]), []);
    assert_eq!(toast(&state), "Not connected: nothing was changed");
    update(&mut state, Event::Connected { resumed: true });
    press(&mut state, &["c"]);
    answer(&mut state, 1001, Err(passing()));
    assert!(toast(&state).starts_with("#1001 unchanged"), "{}", toast(&state));
    assert!(state.pending.is_empty());
}

#[test]
fn reply_on_a_waiting_one_claims_first() {
    let mut state = queue();
    let calls = calls(press(&mut state, &["r"]));
    assert!(matches!(calls.as_slice(), [call] if claim_of(1001, false, call)), "{calls:?}");
    assert_eq!(state.focus, Focus::List);
    answer(&mut state, 1001, Ok(at(11, assigned(1001, "u-1", "agent1"))));
    assert_eq!(state.focus, Focus::Composer);
}

#[test]
fn reply_respects_who_has_it() {
    let other = assigned(1001, "u-2", "agent2");
    let with_assistant =
        Conversation { handler: Handler::Assistant, assignee: None, ..assigned(1002, "", "") };
    let done = Conversation { status: Status::Resolved, ..waiting(1003, 5) };
    let mut state = live(vec![other, with_assistant, done]);
    press(&mut state, &["3"]);
    state.desk.select(&id(1001));
    assert_eq!(press(&mut state, &["r"]), []);
    assert!(toast(&state).starts_with("agent2 has it"), "{}", toast(&state));
    let taken = calls(press(&mut state, &["T"]));
    assert!(matches!(taken.as_slice(), [call] if claim_of(1001, true, call)), "{taken:?}");
    state.desk.select(&id(1002));
    press(&mut state, &["r"]);
    assert_eq!(state.focus, Focus::Composer, "a reply takes over from the assistant");
    press(&mut state, &["Esc", "q", "4", "r"]);
    assert!(toast(&state).starts_with("It is done"), "{}", toast(&state));
}

#[test]
fn claim_next_takes_the_longest_waiting_whatever_is_shown() {
    let mut state = queue();
    let first = calls(press(&mut state, &["4", "C"]));
    assert!(matches!(first.as_slice(), [call] if claim_of(1001, false, call)), "{first:?}");
    let second = calls(press(&mut state, &["C"]));
    assert!(matches!(second.as_slice(), [call] if claim_of(1002, false, call)), "{second:?}");
    let mut nobody = live(vec![]);
    assert_eq!(press(&mut nobody, &["C"]), []);
    assert_eq!(toast(&nobody), "Nobody waits");
}

#[test]
fn a_key_does_not_hit_a_row_that_slid_under_the_cursor() {
    let mut state = queue();
    update(&mut state, change_row(at(12, assigned(1001, "u-2", "agent2"))));
    assert_eq!(state.desk.selected(), Some(&id(1002)));
    assert_eq!(press(&mut state, &["R"]), []);
    assert_eq!(toast(&state), "The list moved: press again");
    assert_eq!(calls(press(&mut state, &["R"])).len(), 1);
}

#[test]
fn a_key_hits_the_row_that_was_filtered_for() {
    let mut state = queue();
    press(&mut state, &["/", "1", "0", "0", "3", "Enter"]);
    assert_eq!(state.desk.selected(), Some(&id(1003)));
    assert_eq!(calls(press(&mut state, &["R"])).len(), 1);
}

#[test]
fn a_win_does_not_tear_the_agent_from_a_text() {
    let mut state = live(vec![waiting(1001, 9), assigned(1002, "u-1", "agent1")]);
    press(&mut state, &["C", "2", "r"]);
    assert_eq!(state.focus, Focus::Composer);
    answer(&mut state, 1001, Ok(at(11, assigned(1001, "u-1", "agent1"))));
    assert_eq!(state.focus, Focus::Composer);
    assert_eq!(state.open.as_ref().map(|open| open.conversation.clone()), Some(id(1002)));
    assert_eq!(toast(&state), "#1001: yours");
}

#[test]
fn somebody_taking_mine_is_said() {
    let mut state = live(vec![assigned(1001, "u-1", "agent1")]);
    update(&mut state, change_row(at(11, assigned(1001, "u-2", "agent2"))));
    assert_eq!(toast(&state), "agent2 took #1001");
}

#[test]
fn escalating_asks_why() {
    let mut state = live(vec![assigned(1001, "u-1", "agent1")]);
    press(&mut state, &["2", "e", "t", "o", "o", "Space", "h", "a", "r", "d"]);
    let calls = calls(press(&mut state, &["Enter"]));
    let [Call::Command { command: Command::Escalate { reason }, .. }] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    assert_eq!(reason.as_str(), "too hard");
    press(&mut state, &["e", "Esc"]);
    assert_eq!(state.overlay, None);
}
