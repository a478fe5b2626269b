//! Drafts: saved often enough, removed when sent, back after a crash, never in the way of leaving.

use crate::draft::{Draft, Unsent};
use crate::effect::Effect;
use crate::event::{Event, Posted};
use crate::fixture::{
    NOW, assigned, at, id, live, me, message, press, sends, type_text, with_client_id,
};
use crate::state::row::Sender;
use crate::state::{Overlay, State};
use crate::update::update;

fn writing() -> State {
    let mut state = live(vec![assigned(1001, "u-1", "agent1")]);
    press(&mut state, &["2", "r"]);
    state
}

/// The drafts saved by effects: text and unsent messages; a removal is `None`.
fn saved(effects: &[Effect]) -> Vec<Option<(String, usize)>> {
    let drafts = effects.iter().filter_map(|effect| match effect {
        Effect::SaveDraft(user, draft) => {
            assert_eq!((user, draft.conversation.as_str()), (&me().id, "c-1001"));
            Some(Some((draft.text.clone(), draft.unsent.len())))
        }
        Effect::RemoveDraft(..) => Some(None),
        Effect::Call(_) | Effect::LoadDrafts(_) | Effect::Repaint | Effect::Bell | Effect::Quit => {
            None
        }
    });
    drafts.collect()
}

#[test]
fn a_draft_is_saved_at_most_every_half_second() {
    let mut state = writing();
    let first = type_text(&mut state, "h");
    assert_eq!(saved(&first), [Some(("h".to_owned(), 0))]);
    update(&mut state, Event::Tick(NOW + 100));
    assert_eq!(saved(&type_text(&mut state, "ello")), []);
    assert_eq!(crate::state::wake::next(&state), Some(NOW + 500));
    assert_eq!(saved(&update(&mut state, Event::Tick(NOW + 499))), []);
    let due = update(&mut state, Event::Tick(NOW + 500));
    assert_eq!(saved(&due), [Some(("hello".to_owned(), 0))]);
    assert_eq!(saved(&update(&mut state, Event::Tick(NOW + 5_000))), []);
}

#[test]
fn a_sent_draft_leaves_the_disk_when_the_daemon_has_it() {
    let mut state = writing();
    type_text(&mut state, "hello");
    let sent = press(&mut state, &["Enter"]);
    assert_eq!(saved(&sent), [Some((String::new(), 1))], "kept as unsent, at once");
    let client_id = sends(sent)[0].1.clone();
    let entry = with_client_id(message(2, Sender::Agent, "hello"), &client_id);
    let conversation = at(20, assigned(1001, "u-1", "agent1"));
    let result = Ok(Posted { entry, conversation });
    update(&mut state, Event::Sent { client_id, result });
    let due = update(&mut state, Event::Tick(NOW + 1_000));
    assert_eq!(saved(&due), [None]);
}

#[test]
fn after_a_crash_everything_unsent_is_there() {
    let mut state = live(vec![assigned(1001, "u-1", "agent1")]);
    let client_id = "ab".repeat(16);
    let unsent =
        vec![Unsent { client_id: client_id.clone(), note: false, content: "first".to_owned() }];
    let conversation = "c-1001".to_owned();
    let draft = Draft { conversation, note: true, text: "half a no".to_owned(), unsent };
    let effects = update(&mut state, Event::Drafts(vec![draft]));
    assert_eq!(sends(effects), [], "nothing leaves by itself");
    assert!(state.composers.has_draft(&id(1001)));
    press(&mut state, &["2", "Enter"]);
    let again = sends(press(&mut state, &["Enter"]));
    assert_eq!(again, [("first".to_owned(), client_id)], "the same id: the daemon knows it");
    press(&mut state, &["n"]);
    assert_eq!(state.composers.get(&id(1001)).unwrap().editor.text(), "half a no");
}

#[test]
fn leaving_keeps_the_draft_and_quitting_asks() {
    let mut state = writing();
    type_text(&mut state, "hello");
    assert_eq!(press(&mut state, &["Ctrl-c", "Ctrl-c"]), [], "not from the conversation");
    press(&mut state, &["q", "q"]);
    assert_eq!(state.overlay, Some(Overlay::Quit));
    press(&mut state, &["n"]);
    assert_eq!(state.overlay, None);
    let quit = press(&mut state, &["Ctrl-c", "y"]);
    assert_eq!(quit.last(), Some(&Effect::Quit));
    assert!(saved(&quit).contains(&Some(("hello".to_owned(), 0))));
    let mut idle = live(vec![]);
    assert_eq!(press(&mut idle, &["q"]), [Effect::Quit]);
}

#[test]
fn without_a_user_drafts_wait_for_one() {
    let mut state = crate::fixture::started();
    state.composers.edit(&id(1001)).editor.insert("x");
    state.composers.touch(&id(1001));
    assert_eq!(saved(&update(&mut state, Event::Tick(NOW + 1_000))), []);
    let signed_in = update(&mut state, Event::SignedIn(me()));
    assert!(matches!(signed_in.first(), Some(Effect::LoadDrafts(_))));
    assert_eq!(saved(&signed_in), [Some(("x".to_owned(), 0))]);
}
