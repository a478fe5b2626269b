//! The rest of the state table: transfer, silence, confirmation, labels, messages that are taken back, tests.

use crate::domain::conversation::{Resolution, Status};
use crate::domain::entry::EntryKind;
use crate::domain::event::Content;
use crate::domain::lane::Lane;
use crate::domain::priority::Priority;
use crate::domain::timer::TimerKind;

use super::life::TEST_NOTES_MAX;
use super::world::{World, staff};

const HALF_AN_HOUR: &str = "wait 1800000";
const OF_A: &str = "visitor says; A replies";

/// After `before`, taking `step` leads to `outcome`: a state, or the code of a rejection.
fn check(before: &str, step: &str, outcome: &str) {
    let mut world = World::after(before);
    let found = match world.step(step) {
        Ok(_) => world.state(),
        Err(rejection) => rejection.code().to_owned(),
    };
    assert_eq!(found, outcome, "{before}; then {step}");
}

fn resolution(steps: &str) -> Option<Resolution> {
    World::after(steps).current().resolution
}

#[test]
fn a_transfer_is_offered_to_one_and_then_to_all() {
    check(OF_A, "A transfers to B", "escalated");
    check(OF_A, "M transfers to B", "escalated");
    check(OF_A, "B transfers to B", "not_assignee");
    check(OF_A, "A transfers to A", "bad_transfer");
    check(OF_A, "A transfers to Z", "not_found");
    check("visitor says", "A transfers to B", "not_assigned");
    check("visitor says; A resolves", "A transfers to B", "resolved");
    const GIVEN: &str = "visitor says; A replies; visitor says; A transfers to B";
    assert_eq!(World::after(GIVEN).reason(), "transferred for B");
    check(GIVEN, "B claims", "B owes");
    check(GIVEN, "M claims", "offered");
    // Who gave it away may have it back, but not from who took it.
    check(GIVEN, "A claims", "A owes");
    check(&format!("{GIVEN}; B claims"), "A claims", "already_claimed");
    check(GIVEN, "M takes", "M owes");
    check(GIVEN, "A releases", "offered");
    check(GIVEN, "B releases", "escalated");
    check(&format!("{GIVEN}; B releases"), "A claims", "A owes");
    check(&format!("{GIVEN}; B releases"), "B releases", "not_assigned");
    check(&format!("{GIVEN}; wait 119999; offer ends"), "M claims", "offered");
    check(&format!("{GIVEN}; wait 120000; offer ends"), "A claims", "A owes");
    assert_eq!(World::after(&format!("{GIVEN}; B releases")).reason(), "transferred");
}

#[test]
fn who_gave_it_is_told_and_the_wait_goes_on() {
    let mut world = World::after("visitor says; A replies; wait 5; visitor says; wait 5");
    let since = world.current().waiting_since;
    world.step("A notes and transfers to B").expect("given");
    assert_eq!(world.entries[world.entries.len() - 2].kind, EntryKind::NoteAdded);
    let declined = world.step("B releases").expect("declined");
    let [event] = declined.events.as_slice() else { panic!("one event") };
    assert_eq!(event.entry.kind, EntryKind::OfferEnded);
    assert_eq!(event.entry.other, Some(staff("A").0));
    assert_eq!(event.entry.detail.as_deref(), Some("declined"));
    assert_eq!(event.entry.seq, None, "the visitor is not told");
    assert_eq!(world.current().waiting_since, since);
    assert_eq!(world.current().last_agent, Some(staff("A")), "preferred");
}

#[test]
fn silence_after_the_assistant_abandons() {
    let answered = "visitor says; assistant answers";
    check(&format!("{answered}; wait 1799999"), "silence lasts", "assistant");
    check(&format!("{answered}; {HALF_AN_HOUR}"), "silence lasts", "resolved");
    check(&format!("{answered}; visitor says; {HALF_AN_HOUR}"), "silence lasts", "assistant");
    assert_eq!(
        resolution(&format!("{answered}; {HALF_AN_HOUR}; silence lasts")),
        Some(Resolution::Abandoned)
    );
    check(&format!("{answered}; {HALF_AN_HOUR}; silence lasts"), "visitor says", "assistant");
}

#[test]
fn silence_after_an_agent_is_noticed_and_then_ends() {
    check(&format!("{OF_A}; 1 days"), "silence lasts", "A");
    let noticed = format!("{OF_A}; 1 days; silence lasts");
    let world = World::after(&noticed);
    let line = world.messages.last().and_then(|it| it.system.as_ref()).map(|it| it.code.clone());
    assert_eq!(line.as_deref(), Some("silence_notice"));
    check(&noticed, "silence lasts", "A");
    check(&format!("{noticed}; 1 days"), "silence lasts", "resolved");
    assert_eq!(resolution(&format!("{noticed}; 1 days; silence lasts")), Some(Resolution::NoReply));
    check(&format!("{noticed}; visitor says; 1 days"), "silence lasts", "A owes");
    let again = World::after(&format!("{noticed}; A replies; 1 days; silence lasts"));
    assert_eq!(again.current().status, Status::Open, "a new word has a new notice");
}

#[test]
fn an_inbox_may_say_how_long_its_visitors_are_silent() {
    let own = "silences 1000 2000 3000; visitor says";
    let answered = format!("{own}; assistant answers");
    check(&format!("{answered}; wait 999"), "silence lasts", "assistant");
    check(&format!("{answered}; wait 1000"), "silence lasts", "resolved");
    let replied = format!("{own}; A replies");
    check(&format!("{replied}; wait 5000"), "silence lasts", "A");
    let noticed = format!("{replied}; wait 2000; silence lasts");
    assert!(World::after(&noticed).current().silence_noticed);
    assert!(
        !World::after(&format!("{replied}; wait 1999; silence lasts")).current().silence_noticed
    );
    check(&format!("{noticed}; wait 2999"), "silence lasts", "A");
    check(&format!("{noticed}; wait 3000"), "silence lasts", "resolved");
    // What it does not say stays as configured; what has begun stays as it was.
    check(
        "silences - 2000 -; visitor says; assistant answers; wait 2000",
        "silence lasts",
        "assistant",
    );
    let before = "visitor says; assistant answers; silences 1000 2000 3000";
    check(&format!("{before}; wait 1000"), "silence lasts", "assistant");
    check(&format!("{before}; {HALF_AN_HOUR}"), "silence lasts", "resolved");
}

#[test]
fn a_test_takes_no_notes_without_end() {
    let mut world = World::after("it is a test; visitor says; A replies");
    for _ in 0..TEST_NOTES_MAX {
        world.step("A notes").expect("noted");
    }
    assert_eq!(world.step("A notes").map_err(|it| it.code()).err(), Some("test_full"));
    let noted = world.step("A notes and transfers to B");
    assert_eq!(noted.map_err(|it| it.code()).err(), Some("test_full"));
    world.step("A replies").expect("a reply is no note");
    let mut world = World::after("visitor says; A replies");
    for _ in 0..=TEST_NOTES_MAX {
        world.step("A notes").expect("what is no test is not bounded");
    }
}

#[test]
fn who_waits_for_a_person_is_never_given_up() {
    check("visitor says; visitor wishes; 8 days", "silence lasts", "escalated");
    let world = World::after("visitor says; visitor wishes");
    assert_eq!(world.current().timers().count(), 0);
    check("visitor says; A claims; 8 days", "silence lasts", "A owes");
}

#[test]
fn every_open_conversation_has_a_timer_or_somebody_who_owes() {
    for steps in [
        "visitor says",
        "visitor says; assistant answers",
        OF_A,
        "visitor says; assistant answers; A claims",
        "visitor says; A replies; A hands back",
        "visitor says; A replies; A resolves; A reopens",
        "visitor says; visitor wishes; A returns",
    ] {
        let world = World::after(steps);
        let header = world.current();
        let kinds: Vec<_> = header.timers().map(|it| it.kind).collect();
        assert_eq!(kinds.len(), 1, "{steps}: {kinds:?}");
        let asked = kinds[0] == TimerKind::Assistant;
        assert_eq!(asked, header.assistant_due.is_some(), "{steps}");
    }
}

#[test]
fn the_visitor_says_that_it_helped() {
    let answered = "visitor says; assistant answers";
    check(answered, "visitor confirms", "resolved");
    let steps = format!("{answered}; visitor confirms");
    assert_eq!(resolution(&steps), Some(Resolution::Confirmed));
    check(&steps, "visitor says", "assistant");
    check("", "visitor confirms", "not_found");
}

#[test]
fn what_ends_a_wait_needs_one() {
    const WAITS: &str = "visitor says; visitor wishes";
    check(WAITS, "A returns", "assistant");
    check(WAITS, "A ends the wait", "resolved");
    check("visitor says", "A returns", "not_escalated");
    check("visitor says", "A ends the wait", "not_escalated");
    check("visitor says; A replies", "A returns", "not_escalated");
    check("visitor says; visitor wishes; assistant off", "A returns", "assistant_off");
}

#[test]
fn a_later_message_starts_another_that_names_the_earlier() {
    let world = World::after("visitor says; A replies; A resolves; 8 days; visitor says");
    let first = world.headers.values().find(|it| it.number == 1001).map(|it| it.id);
    assert_eq!(world.current().number, 1002);
    assert_eq!(world.current().previous, first);
}

#[test]
fn labels_leave_the_state_as_it_is() {
    for before in ["visitor says", "visitor says; visitor wishes", OF_A, "visitor says; A resolves"]
    {
        for step in ["B tags refund", "B untags refund", "B makes it urgent"] {
            let mut world = World::after(before);
            let (state, turn) = (world.state(), world.current().turn);
            world.step(step).expect("taken");
            assert_eq!((world.state(), world.current().turn), (state, turn), "{before}; {step}");
        }
    }
    let tags = |steps: &str| World::after(steps).current().tags.join(" ");
    assert_eq!(tags("visitor says; A tags b; A tags a; A tags b"), "a b");
    assert_eq!(tags("visitor says; A tags a; A tags b; A untags a"), "b");
    check("visitor says", "A tags No", "bad_tag");
    check("visitor says", "A tags a,b", "bad_tag");
    let many: String = (0..10).map(|n| format!("; A tags t{n}")).collect();
    check(&format!("visitor says{many}"), "A tags more", "too_many_tags");
    let mut world = World::after("visitor says; A makes it high");
    let again = world.step("A makes it high").expect("nothing");
    assert!(again.events.is_empty());
    assert_eq!(world.current().priority, Priority::High);
}

#[test]
fn the_queue_has_a_list_for_each_priority() {
    let lane = |steps: &str| Lane::of(World::after(steps).current());
    assert_eq!(lane("visitor says; A makes it urgent"), Lane::Open);
    assert_eq!(lane("visitor says; A makes it urgent; visitor wishes"), Lane::WaitingUrgent);
    assert_eq!(lane("visitor says; visitor wishes; A makes it low"), Lane::WaitingLow);
    assert_eq!(lane("it is a test; visitor says; visitor wishes"), Lane::TestWaiting);
}

#[test]
fn an_answer_is_marked_for_review() {
    let mut world = World::after("visitor says; assistant answers");
    let seq = world.current().last_seq;
    let flagged = world.step("A flags").expect("flagged");
    assert!(matches!(&flagged.events[0].content, Content::Flagged(it) if it.seq == 2));
    assert_eq!(world.current().last_seq, seq, "the visitor sees nothing of it");
    assert!(world.step("A flags").expect("again").events.is_empty());
    check(OF_A, "A flags", "not_the_assistants");
    check("visitor says", "A flags", "not_the_assistants");
}

#[test]
fn a_message_is_taken_back_by_a_line_of_its_own() {
    let mut world = World::after("visitor says; A replies");
    let (seq, said) = (world.current().last_seq, world.messages.len());
    world.step("A retracts").expect("taken back");
    assert_eq!((world.current().last_seq, world.messages.len()), (seq + 1, said + 1));
    let blank = &world.messages[said - 1];
    assert!(blank.retracted && blank.content.is_empty(), "{blank:?}");
    let line = world.messages[said].system.as_ref().expect("a line");
    assert_eq!((line.code.as_str(), &line.params[0].1), ("retracted", &seq.to_string()));
    assert_eq!(world.current().last_line, "");
    assert!(world.step("A retracts").expect("again").events.is_empty());
    check(OF_A, "B retracts", "not_yours");
    check(OF_A, "M retracts", "A");
    check("visitor says", "A retracts", "not_yours");
    check("visitor says; assistant answers", "B retracts", "assistant");
}

#[test]
fn a_test_has_its_day() {
    const TEST: &str = "it is a test; visitor says; assistant answers; A replies; A transfers to B";
    let mut world = World::after(TEST);
    assert!(world.current().is_test());
    world.step("wait 86399999").expect("time passes");
    world.step("day ends").expect("not yet");
    assert_eq!(world.headers.len(), 1);
    world.step("wait 1").expect("time passes");
    let timer = world.step("day ends").expect("gone");
    assert_eq!(timer.events[0].entry.kind, EntryKind::ConversationDeleted);
    assert!(world.headers.is_empty() && world.messages.is_empty());
    assert!(!World::after("visitor says").current().is_test());
}
