//! Rows and states for tests: one small world with a frozen clock.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::Stream;

use crate::effect::{Call, Effect};
use crate::event::{Change, Event, Problem};
use crate::input::Input;
use crate::key::Key;
use crate::state::dialog::Colleague;
use crate::state::row::{
    Conversation, ConversationId, Entry, Handler, Message, Note, Offer, Priority, Sender, Status,
    SystemLine, UserId,
};
use crate::state::transcript::{Page, PageRows};
use crate::state::{Availability, Me, Start, State};
use crate::text::SafeText;
use crate::update::update;

/// A source of input as a terminal's is: it keeps the first waker it gets until that has fired.
#[derive(Clone, Default)]
pub(crate) struct Keyboard(Arc<Mutex<(VecDeque<Input>, Option<Waker>)>>);

impl Keyboard {
    pub(crate) fn press(&self, key: Key) {
        let mut keyboard = self.0.lock().unwrap();
        keyboard.0.push_back(Input::Key(key));
        if let Some(waker) = keyboard.1.take() {
            waker.wake();
        }
    }
}

impl Stream for Keyboard {
    type Item = Input;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Input>> {
        let mut keyboard = self.0.lock().unwrap();
        if let Some(input) = keyboard.0.pop_front() {
            return Poll::Ready(Some(input));
        }
        keyboard.1.get_or_insert_with(|| context.waker().clone());
        Poll::Pending
    }
}

/// 2026-09-21 10:40:00 UTC.
pub(crate) const NOW: i64 = 1_790_000_000_000 - 12_800_000;

pub(crate) fn id(number: u64) -> ConversationId {
    ConversationId::from(format!("c-{number}").as_str())
}

pub(crate) fn me() -> Me {
    Me {
        id: UserId::from("u-1"),
        name: SafeText::line("agent1"),
        organization: SafeText::line("demo"),
        availability: Availability::Accepting,
    }
}

/// The staff as the daemon lists them, oneself included.
pub(crate) fn colleagues() -> Vec<Colleague> {
    let user = |id: &str, name: &str, availability| Colleague {
        id: UserId::from(id),
        name: SafeText::line(name),
        availability,
    };
    vec![
        user("u-4", "Zoe", Availability::Busy),
        user("u-3", "agent3", Availability::Away),
        user("u-2", "agent2", Availability::Accepting),
        user("u-1", "agent1", Availability::Accepting),
    ]
}

/// A conversation that has waited for `seconds`.
pub(crate) fn waiting(number: u64, seconds: i64) -> Conversation {
    Conversation {
        id: id(number),
        number,
        inbox: SafeText::line("web"),
        status: Status::Escalated,
        handler: Handler::Nobody,
        visitor: SafeText::line(&format!("visitor {number}")),
        assignee: None,
        assignee_name: SafeText::default(),
        waiting_since: Some(NOW - seconds * 1_000),
        last_seq: 3,
        last_line: SafeText::line("I was charged twice for the same order."),
        last_sender: Sender::Visitor,
        visitor_mark: 0,
        staff_mark: 0,
        created_at: NOW - 900_000,
        updated_at: NOW - seconds * 1_000,
        position: 10,
        reason: SafeText::line("visitor_wish"),
        locale: SafeText::line("en"),
        unread: 1,
        priority: Priority::Normal,
        tags: Vec::new(),
        offer: None,
        preferred: SafeText::default(),
    }
}

/// A conversation with an agent.
pub(crate) fn assigned(number: u64, user: &str, name: &str) -> Conversation {
    Conversation {
        status: Status::Open,
        handler: Handler::Agent,
        assignee: Some(UserId::from(user)),
        assignee_name: SafeText::line(name),
        waiting_since: None,
        ..waiting(number, 60)
    }
}

/// A conversation that waits because `by` has given it to `to`.
pub(crate) fn offered(number: u64, by: (&str, &str), to: (&str, &str)) -> Conversation {
    let offer = Offer {
        to: UserId::from(to.0),
        name: SafeText::line(to.1),
        by: UserId::from(by.0),
        by_name: SafeText::line(by.1),
        until: Some(NOW + 92_000),
    };
    Conversation {
        offer: Some(offer),
        reason: SafeText::line("transferred"),
        ..waiting(number, 60)
    }
}

/// The same row as of a later position.
pub(crate) fn at(position: u64, row: Conversation) -> Conversation {
    Conversation { position, ..row }
}

pub(crate) fn message(seq: u64, sender: Sender, content: &str) -> Entry {
    let name = match sender {
        Sender::Visitor => "Jo Park",
        Sender::Agent => "agent1",
        Sender::Assistant | Sender::System => "",
    };
    Entry::Message(Message {
        seq,
        position: seq * 10,
        sender,
        sender_id: UserId::from(if sender == Sender::Agent { "u-1" } else { "v-1" }),
        name: SafeText::line(name),
        content: SafeText::block(content),
        sources: Vec::new(),
        flag: SafeText::default(),
        system: None,
        created_at: NOW - 600_000 + i64::try_from(seq).unwrap() * 10_000,
        client_id: String::new(),
    })
}

pub(crate) fn system(seq: u64, code: &str, params: &[(&str, &str)]) -> Entry {
    let Entry::Message(message) = message(seq, Sender::System, "") else { unreachable!() };
    let params: BTreeMap<String, SafeText> =
        params.iter().map(|(key, value)| ((*key).to_owned(), SafeText::line(value))).collect();
    Entry::Message(Message {
        system: Some(SystemLine { code: SafeText::line(code), params }),
        ..message
    })
}

pub(crate) fn note(position: u64, content: &str) -> Entry {
    Entry::Note(Note {
        id: format!("n-{position}"),
        position,
        author: SafeText::line("agent2"),
        draft: false,
        sources: Vec::new(),
        content: SafeText::block(content),
        created_at: NOW - 500_000,
        client_id: String::new(),
    })
}

pub(crate) fn sourced(entry: Entry, title: &str) -> Entry {
    match entry {
        Entry::Message(message) => {
            Entry::Message(Message { sources: vec![SafeText::line(title)], ..message })
        }
        Entry::Note(note) => Entry::Note(Note { sources: vec![SafeText::line(title)], ..note }),
    }
}

/// A note as the assistant leaves it where it only drafts.
pub(crate) fn draft(position: u64, content: &str, title: &str) -> Entry {
    let Entry::Note(note) = note(position, content) else { unreachable!() };
    sourced(Entry::Note(Note { author: SafeText::line(""), draft: true, ..note }), title)
}

/// An entry as its sender made it.
pub(crate) fn with_client_id(entry: Entry, client_id: &str) -> Entry {
    let client_id = client_id.to_owned();
    match entry {
        Entry::Message(message) => Entry::Message(Message { client_id, ..message }),
        Entry::Note(note) => Entry::Note(Note { client_id, ..note }),
    }
}

/// A console that has just been started, 80 by 24.
pub(crate) fn started() -> State {
    State::new(Start { now: NOW, zone_ms: 0, colour: true, client_id_prefix: 0xfeed })
}

/// A live console of agent1 with these rows.
pub(crate) fn live(rows: Vec<Conversation>) -> State {
    let mut state = started();
    update(&mut state, Event::SignedIn(me()));
    update(&mut state, Event::Connected { resumed: false });
    let generation = state.generation;
    update(&mut state, Event::Rows { generation, rows });
    update(&mut state, Event::Listed { generation, result: Ok(()) });
    state
}

/// Presses keys by name, one after another.
pub(crate) fn press(state: &mut State, keys: &[&str]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys {
        let key = Key::parse(name).unwrap_or_else(|| panic!("{name} is no key"));
        effects.extend(update(state, Event::Key(key)));
    }
    effects
}

/// Types a text, character by character.
pub(crate) fn type_text(state: &mut State, text: &str) -> Vec<Effect> {
    let keys = text.chars().map(|character| Key::plain(crate::key::Code::Char(character)));
    keys.flat_map(|key| update(state, Event::Key(key))).collect()
}

/// Answers the page a state has asked for.
pub(crate) fn give_page(state: &mut State, number: u64, entries: Vec<Entry>) -> Vec<Effect> {
    let page = state.transcripts.get(&id(number)).and_then(|transcript| transcript.fetching);
    let page = page.unwrap_or(Page::Last);
    let result = Ok(PageRows { entries });
    update(state, Event::Messages { conversation: id(number), page, result })
}

pub(crate) fn change_row(row: Conversation) -> Event {
    Event::Change(Box::new(Change { conversation: Some(row), ..no_change() }))
}

pub(crate) fn change_entry(number: u64, entry: Entry) -> Event {
    let entry = Some((id(number), entry));
    Event::Change(Box::new(Change { entry, ..no_change() }))
}

/// A change of nothing shown here.
pub(crate) fn no_change() -> Change {
    Change { conversation: None, entry: None, user: None, offer_end: None }
}

/// A refusal with a stable code.
pub(crate) fn refusal(code: &str, params: &[(&str, &str)]) -> Problem {
    Problem {
        code: code.to_owned(),
        message: SafeText::line("refused"),
        params: params.iter().map(|(k, v)| ((*k).to_owned(), SafeText::line(v))).collect(),
        ..Problem::default()
    }
}

/// A failure that may pass.
pub(crate) fn passing() -> Problem {
    Problem { transient: true, message: SafeText::line("lost"), ..Problem::default() }
}

/// The calls among effects.
pub(crate) fn calls(effects: Vec<Effect>) -> Vec<Call> {
    let calls = effects.into_iter().filter_map(|effect| match effect {
        Effect::Call(call) => Some(call),
        Effect::LoadDrafts(_)
        | Effect::SaveDraft(..)
        | Effect::RemoveDraft(..)
        | Effect::Repaint
        | Effect::Bell
        | Effect::Quit => None,
    });
    calls.collect()
}

/// The messages among effects: content and client id.
pub(crate) fn sends(effects: Vec<Effect>) -> Vec<(String, String)> {
    let sends = calls(effects).into_iter().filter_map(|call| match call {
        Call::Send { content, client_id, .. } => Some((content, client_id)),
        Call::List { .. }
        | Call::Messages { .. }
        | Call::Command { .. }
        | Call::Colleagues
        | Call::Judge { .. }
        | Call::MarkRead { .. }
        | Call::Typing { .. }
        | Call::Availability { .. } => None,
    });
    sends.collect()
}

/// The latest toast.
pub(crate) fn toast(state: &State) -> String {
    state.toasts.back().map(|toast| toast.text.to_string()).unwrap_or_default()
}
