//! Inboxes: what may be changed, who its members are to a conversation, and what a change leaves behind.

use uuid::Uuid;

use crate::domain::command::Command;
use crate::domain::entry::EntryKind;
use crate::domain::event::Content;
use crate::domain::facts::{Facts, IDS_PER_COMMAND, Moment};
use crate::domain::id::{ConversationId, UserId};
use crate::domain::inbox::{
    AssistantMode, Inbox, InboxEdit, ListEdit, MEMBERS_MAX, SILENCE_MS_MAX, Silences,
};
use crate::domain::rejection::Rejection;
use crate::domain::timer::Delays;
use crate::domain::visible::visible;

use super::decide;
use super::world::{INBOX, ORGANIZATION, START, World, as_staff, as_visitor, staff};

/// After `before`, taking `step` leads to `outcome`: a state, or the code of a rejection.
fn check(before: &str, step: &str, outcome: &str) {
    let mut world = World::after(before);
    let found = match world.step(step) {
        Ok(_) => world.state(),
        Err(rejection) => rejection.code().to_owned(),
    };
    assert_eq!(found, outcome, "{before}; then {step}");
}

#[test]
fn who_is_no_member_finds_nothing() {
    const WAITS: &str = "visitor says; visitor wishes; members A";
    check(WAITS, "A claims", "A owes");
    check(WAITS, "M claims", "M owes");
    for step in ["B claims", "B notes", "B escalates", "B resolves", "B hands back", "B replies"] {
        check(WAITS, step, "not_found");
    }
    const OF_A: &str = "visitor says; A replies; members A";
    for step in ["B takes", "B releases", "B resolves", "B replies", "B reopens"] {
        check(OF_A, step, "not_found");
    }
    check(OF_A, "A gives to B", "not_a_member");
    check(OF_A, "M takes", "M");
    check(OF_A, "A gives to M", "M");
    check("visitor says; A replies; A resolves; members A", "B reopens", "not_found");
    check("visitor says; visitor wishes; members A B", "B claims", "B owes");
}

#[test]
fn nobody_waits_for_an_assistant_that_is_off() {
    check("visitor says; assistant off", "inbox settles", "escalated");
    check("visitor says; assistant answers; assistant off", "inbox settles", "assistant");
    check("visitor says; A replies; visitor says; assistant off", "inbox settles", "A owes");
    check("visitor says; visitor ends; assistant off", "inbox settles", "resolved");
    check("visitor says", "inbox settles", "assistant");
    check("visitor says; assistant off", "assistant answers", "assistant_off");
    check("visitor says; assistant off", "assistant hands over", "escalated");
    let reason = |steps| World::after(steps).reason();
    assert_eq!(reason("visitor says; assistant off; inbox settles"), "no_assistant");
    assert_eq!(reason("visitor says; assistant off; assistant hands over"), "no_assistant");
    check("visitor says; assistant off; inbox settles", "assistant answers", "stale_turn");
}

#[test]
fn what_is_only_drafted_is_a_note_for_whoever_answers() {
    const ASKED: &str = "assistant only drafts; visitor says";
    check("assistant only drafts", "visitor says", "escalated");
    assert_eq!(World::after(ASKED).reason(), "no_assistant");
    let mut world = World::after(ASKED);
    let seq = world.current().last_seq;
    let drafted = world.step("assistant drafts").expect("drafted");
    let event = &drafted.events[0];
    assert_eq!((event.entry.kind, event.entry.seq), (EntryKind::NoteAdded, None));
    assert_eq!(event.entry.other, None, "no person has written it");
    assert!(!visible(&as_visitor(), &event.entry, Some(world.current())));
    assert!(matches!(&event.content, Content::Note(note) if note.author.is_none()));
    assert_eq!((world.state(), world.current().last_seq), ("escalated".to_owned(), seq));
    check(&format!("{ASKED}; A claims"), "assistant drafts", "A owes");
    check(&format!("{ASKED}; A claims; A replies"), "assistant drafts", "stale_turn");
    check(&format!("{ASKED}; A claims; A replies; visitor says"), "assistant drafts", "A owes");
    check(&format!("{ASKED}; visitor ends"), "assistant drafts", "stale_turn");
    check(ASKED, "assistant answers", "stale_turn");
    check("visitor says; visitor wishes", "assistant drafts", "assistant_off");
    check("visitor says; assistant off; visitor wishes", "assistant drafts", "assistant_off");
    check("visitor says", "assistant drafts", "stale_turn");
    check("visitor says; assistant only drafts", "inbox settles", "escalated");
    check("visitor says; assistant only drafts", "assistant answers", "assistant_off");
    check(&format!("{ASKED}; A claims"), "A hands back", "assistant_off");
}

#[test]
fn nobody_waits_for_an_agent_who_is_no_member_any_more() {
    const OF_A: &str = "visitor says; A replies; members B";
    check(OF_A, "inbox settles", "escalated");
    check(OF_A, "visitor says", "escalated");
    check("visitor says; A replies; members A B", "inbox settles", "A");
    check("visitor says; M replies; members B", "inbox settles", "M");
    check("visitor says; M replies; members B", "visitor says", "M owes");
    let reason = |steps: &str| World::after(&format!("{OF_A}; {steps}")).reason();
    assert_eq!(reason("inbox settles"), "not_a_member");
    assert_eq!(reason("visitor says"), "not_a_member");
    let mut world = World::after(OF_A);
    world.step("wait 1000").expect("time passes");
    world.step("visitor says").expect("said");
    let waits = world.current().waiting_since;
    assert_eq!(waits, Some(START + 1000), "it waits since the message");
}

fn inbox() -> Inbox {
    Inbox {
        id: INBOX,
        organization: ORGANIZATION,
        name: "web".to_owned(),
        origins: vec!["https://a.example".to_owned()],
        assistant: AssistantMode::On,
        locale: "en".to_owned(),
        created_at: START,
        members: vec![staff("A"), staff("B")],
        silences: Silences { notice_ms: Some(60_000), ..Silences::default() },
    }
}

/// What becomes of [`inbox`], and what the entry says of it: its code and detail.
fn edit(edit: InboxEdit) -> Result<Option<(Inbox, u32, String)>, &'static str> {
    let moment = Moment {
        now: START,
        position: 1,
        next_number: 1001,
        ids: [Uuid::nil(); IDS_PER_COMMAND],
        delays: Delays::default(),
    };
    let facts = Facts { inbox: Some(inbox()), ..Facts::default() };
    let command = Command::EditInbox { inbox: INBOX, edit };
    let decision = decide(&moment, &as_staff("M"), &facts, None, &command);
    let decision = decision.map_err(|rejection: Rejection| rejection.code())?;
    assert_eq!(decision.refs.subject, Some(INBOX.0));
    Ok(decision.events.into_iter().next().map(|event| {
        assert_eq!(event.entry.kind, EntryKind::InboxEdited);
        let Content::Inbox(after) = event.content else { panic!("an inbox") };
        (after, event.entry.code, event.entry.detail.unwrap_or_default())
    }))
}

fn list<T>(replace: Option<Vec<T>>, add: Vec<T>, remove: Vec<T>) -> ListEdit<T> {
    ListEdit { replace, add, remove }
}

#[test]
fn an_edit_changes_what_it_names_and_says_so() {
    assert_eq!(edit(InboxEdit::default()), Ok(None));
    assert_eq!(edit(InboxEdit { name: Some("web".to_owned()), ..InboxEdit::default() }), Ok(None));
    let found = edit(InboxEdit { assistant: Some(AssistantMode::Off), ..InboxEdit::default() });
    let off = Inbox { assistant: AssistantMode::Off, ..inbox() };
    assert_eq!(found, Ok(Some((off, AssistantMode::Off as u32, "assistant".to_owned()))));
    let found = edit(InboxEdit {
        name: Some("shop".to_owned()),
        locale: Some("de".to_owned()),
        origins: list(None, vec!["https://b.example".to_owned()], vec!["https://a.example".into()]),
        members: list(Some(Vec::new()), Vec::new(), Vec::new()),
        ..InboxEdit::default()
    });
    let after = Inbox {
        name: "shop".to_owned(),
        locale: "de".to_owned(),
        origins: vec!["https://b.example".to_owned()],
        members: Vec::new(),
        ..inbox()
    };
    assert_eq!(found, Ok(Some((after, 0, "name,origins,locale,members".to_owned()))));
    let silences =
        Silences { abandon_ms: Some(1_000), notice_ms: Some(0), no_reply_ms: Some(SILENCE_MS_MAX) };
    let found = edit(InboxEdit { silences, ..InboxEdit::default() });
    let after = Inbox { silences: Silences { notice_ms: None, ..silences }, ..inbox() };
    assert_eq!(found, Ok(Some((after, 0, "silences".to_owned()))));
    let again = Silences { notice_ms: Some(60_000), ..Silences::default() };
    assert_eq!(edit(InboxEdit { silences: again, ..InboxEdit::default() }), Ok(None));
}

#[test]
fn a_bad_edit_changes_nothing() {
    let text = |text: &str| Some(text.to_owned());
    let origins = |it| InboxEdit { origins: it, ..InboxEdit::default() };
    let members = |it| InboxEdit { members: it, ..InboxEdit::default() };
    let silent = |ms| {
        let silences = Silences { no_reply_ms: Some(ms), ..Silences::default() };
        InboxEdit { silences, ..InboxEdit::default() }
    };
    let many: Vec<UserId> =
        (0..=MEMBERS_MAX as u128).map(|at| UserId(Uuid::from_u128(at))).collect();
    for (bad, code) in [
        (InboxEdit { name: text("No Name"), ..InboxEdit::default() }, "bad_name"),
        (InboxEdit { locale: text("?"), ..InboxEdit::default() }, "bad_locale"),
        (origins(list(None, vec!["https://a.example/".to_owned()], vec![])), "bad_origin"),
        (origins(list(None, vec![], vec!["https://z.example".to_owned()])), "unknown_origin"),
        (
            origins(list(
                Some((0..65).map(|at| format!("https://a{at}")).collect()),
                vec![],
                vec![],
            )),
            "too_many_origins",
        ),
        (members(list(None, vec![], vec![staff("M")])), "unknown_member"),
        (members(list(None, vec![], vec![staff("A"), staff("B")])), "last_member"),
        (members(list(Some(many), vec![], vec![])), "too_many_members"),
        (silent(999), "bad_silence"),
        (silent(SILENCE_MS_MAX + 1), "bad_silence"),
        (silent(-1), "bad_silence"),
    ] {
        assert_eq!(edit(bad.clone()), Err(code), "{bad:?}");
    }
    let absent = Command::Settle { conversation: ConversationId(Uuid::nil()) };
    let moment = Moment {
        now: START,
        position: 1,
        next_number: 1001,
        ids: [Uuid::nil(); IDS_PER_COMMAND],
        delays: Delays::default(),
    };
    let refused = decide(&moment, &as_staff("M"), &Facts::default(), None, &absent);
    assert_eq!(refused.err(), Some(Rejection::NotFound));
}
