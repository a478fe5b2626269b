//! The outbox: order, one id for ever, nothing lost and nothing doubled by a lost connection.

use crate::effect::{Call, Effect};
use crate::event::{Event, Posted};
use crate::fixture::{
    NOW, assigned, at, calls, change_entry, give_page, id, live, message, passing, press, refusal,
    sends, toast, type_text, with_client_id,
};
use crate::state::outbox::Progress;
use crate::state::row::{Entry, Sender};
use crate::state::{Focus, State};
use crate::update::update;

/// agent1 in the composer of #1001.
fn writing() -> State {
    let mut state = live(vec![assigned(1001, "u-1", "agent1")]);
    press(&mut state, &["2", "Enter"]);
    give_page(&mut state, 1001, vec![message(1, Sender::Visitor, "hello")]);
    press(&mut state, &["r"]);
    assert_eq!(state.focus, Focus::Composer);
    state
}

fn send(state: &mut State, text: &str) -> Vec<(String, String)> {
    type_text(state, text);
    sends(press(state, &["Enter"]))
}

fn accept(state: &mut State, client_id: &str, seq: u64) -> Vec<(String, String)> {
    let entry = with_client_id(message(seq, Sender::Agent, "sent"), client_id);
    let conversation = at(seq * 10, assigned(1001, "u-1", "agent1"));
    let result = Ok(Posted { entry, conversation });
    sends(update(state, Event::Sent { client_id: client_id.to_owned(), result }))
}

fn fail(state: &mut State, client_id: &str, problem: crate::event::Problem) -> Vec<Effect> {
    let client_id = client_id.to_owned();
    update(state, Event::Sent { client_id, result: Err(problem) })
}

#[test]
fn messages_leave_one_at_a_time_in_order() {
    let mut state = writing();
    let first = send(&mut state, "one");
    assert_eq!(first.len(), 1);
    assert_eq!(send(&mut state, "two"), []);
    assert_eq!(state.composers.get(&id(1001)).unwrap().editor.text(), "");
    let second = accept(&mut state, &first[0].1, 2);
    assert_eq!(second[0].0, "two");
    assert_ne!(second[0].1, first[0].1);
    accept(&mut state, &second[0].1, 3);
    assert!(state.outbox.is_empty());
    let transcript = state.transcripts.get(&id(1001)).unwrap();
    assert_eq!(transcript.entries().last().and_then(Entry::seq), Some(3));
}

#[test]
fn a_lost_connection_replays_in_order_under_the_same_ids() {
    let mut state = writing();
    let first = send(&mut state, "one");
    update(&mut state, Event::Lost);
    assert_eq!(send(&mut state, "two"), []);
    assert_eq!(send(&mut state, "three"), []);
    assert_eq!(fail(&mut state, &first[0].1, passing()), []);
    let replayed = sends(update(&mut state, Event::Connected { resumed: true }));
    assert_eq!(replayed, first, "same text, same id");
    let second = accept(&mut state, &first[0].1, 2);
    assert_eq!(second[0].0, "two");
    let third = accept(&mut state, &second[0].1, 3);
    assert_eq!(third[0].0, "three");
    accept(&mut state, &third[0].1, 4);
    assert!(state.outbox.is_empty());
}

#[test]
fn the_stream_may_settle_a_message_whose_answer_was_lost() {
    let mut state = writing();
    let first = send(&mut state, "one");
    send(&mut state, "two");
    update(&mut state, Event::Lost);
    update(&mut state, Event::Connected { resumed: true });
    let entry = with_client_id(message(2, Sender::Agent, "one"), &first[0].1);
    let next = sends(update(&mut state, change_entry(1001, entry)));
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].0, "two");
    // The late failure of the first attempt finds nothing to fail.
    assert_eq!(fail(&mut state, &first[0].1, passing()), []);
    assert_eq!(state.outbox.of(&id(1001)).count(), 1);
    // The same message again, by the answer to a repeat: still once.
    accept(&mut state, &first[0].1, 2);
    assert_eq!(state.transcripts.get(&id(1001)).unwrap().entries().len(), 2);
}

#[test]
fn a_refused_message_is_shown_and_the_next_proceeds() {
    let mut state = writing();
    let first = send(&mut state, "one");
    send(&mut state, "two");
    let next = sends(fail(&mut state, &first[0].1, refusal("not_assignee", &[])));
    assert_eq!(next[0].0, "two");
    assert_eq!(toast(&state), "Not sent: refused");
    let failed = state.outbox.of(&id(1001)).next().unwrap().clone();
    assert!(matches!(failed.progress, Progress::Failed(_)));
    accept(&mut state, &next[0].1, 2);
    // Enter on an empty composer, and in the conversation, tries again under the same id.
    assert_eq!(sends(press(&mut state, &["Enter"])), first);
    fail(&mut state, &first[0].1, refusal("not_assignee", &[]));
    assert_eq!(sends(press(&mut state, &["Esc", "Enter"])), first);
    fail(&mut state, &first[0].1, refusal("not_assignee", &[]));
    press(&mut state, &["x"]);
    assert_eq!(state.composers.get(&id(1001)).unwrap().editor.text(), "one");
    assert!(state.outbox.is_empty());
}

#[test]
fn a_busy_daemon_is_asked_again_later_and_not_before() {
    let mut state = writing();
    let first = send(&mut state, "one");
    let busy = crate::event::Problem { retry_after_ms: Some(3_000), ..passing() };
    assert_eq!(sends(fail(&mut state, &first[0].1, busy)), []);
    assert_eq!(crate::state::wake::next(&state), Some(NOW + 3_000));
    assert_eq!(sends(update(&mut state, Event::Tick(NOW + 2_999))), []);
    assert_eq!(sends(update(&mut state, Event::Tick(NOW + 3_000))), first);
}

#[test]
fn what_is_too_long_stays_in_the_composer() {
    let mut state = writing();
    update(&mut state, Event::Paste("x".repeat(10_213)));
    assert_eq!(sends(press(&mut state, &["Enter"])), []);
    assert!(toast(&state).starts_with("Not sent: 10213 characters"), "{}", toast(&state));
    assert_eq!(state.composers.get(&id(1001)).unwrap().editor.text().len(), 10_213);
    update(&mut state, Event::Paste("y".repeat(1_000_000)));
    assert!(toast(&state).contains("do not fit"), "{}", toast(&state));
}

#[test]
fn a_paste_never_sends_and_newlines_stay() {
    let mut state = writing();
    let effects = update(&mut state, Event::Paste("q\r\nR\u{1b}[31m\n".to_owned()));
    assert_eq!(sends(effects), []);
    press(&mut state, &["a", "Alt-Enter", "b", "Ctrl-j", "c", "Shift-Enter"]);
    assert_eq!(state.composers.get(&id(1001)).unwrap().editor.text(), "q\nR\na\nb\nc\n");
    let sent = sends(press(&mut state, &["Enter"]));
    assert_eq!(sent[0].0, "q\nR\na\nb\nc");
}

#[test]
fn a_note_goes_out_as_a_note() {
    let mut state = writing();
    press(&mut state, &["Ctrl-t"]);
    type_text(&mut state, "careful");
    let calls = calls(press(&mut state, &["Enter"]));
    let kinds: Vec<_> = calls
        .iter()
        .filter_map(|call| if let Call::Send { kind, .. } = call { Some(*kind) } else { None })
        .collect();
    assert_eq!(kinds, [crate::state::outbox::Kind::Note]);
    // A draft keeps its kind, whichever key opens it.
    type_text(&mut state, "more");
    press(&mut state, &["Esc", "r"]);
    assert_eq!(toast(&state), "The draft is a note: Ctrl-t switches");
    assert_eq!(state.composers.get(&id(1001)).unwrap().kind, crate::state::outbox::Kind::Note);
}

#[test]
fn typing_is_told_rarely_and_notes_say_so() {
    let told = |effects: Vec<Effect>| -> Vec<bool> {
        let calls = calls(effects).into_iter();
        calls
            .filter_map(|call| if let Call::Typing { note, .. } = call { Some(note) } else { None })
            .collect()
    };
    let mut state = writing();
    assert_eq!(told(type_text(&mut state, "hello")), [false]);
    update(&mut state, Event::Tick(NOW + 2_999));
    assert!(told(type_text(&mut state, "x")).is_empty());
    update(&mut state, Event::Tick(NOW + 3_000));
    press(&mut state, &["Ctrl-t"]);
    assert_eq!(told(type_text(&mut state, "x")), [true]);
    update(&mut state, Event::Lost);
    update(&mut state, Event::Tick(NOW + 9_000));
    assert!(told(type_text(&mut state, "x")).is_empty());
}
