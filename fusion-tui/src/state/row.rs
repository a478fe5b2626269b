//! The rows the console keeps: conversations, messages and notes, already cleaned. They are made at
//! the edge (`remote/convert.rs`) and hold no raw text that could reach the screen.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::text::SafeText;

/// A conversation's id, as the daemon wrote it. Compared and sent back, never shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConversationId(pub(crate) Arc<str>);

impl From<&str> for ConversationId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

/// A user's id, as the daemon wrote it. Compared, never shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct UserId(pub(crate) Arc<str>);

impl From<&str> for UserId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

/// The conversation's state on the wire; the screen shows words instead (`view/words.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Open,
    Escalated,
    Resolved,
}

/// Who handles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    Assistant,
    Agent,
    Nobody,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Visitor,
    Agent,
    Assistant,
    System,
}

/// One row of the board.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conversation {
    pub(crate) id: ConversationId,
    pub(crate) number: u64,
    pub(crate) inbox: SafeText,
    pub(crate) status: Status,
    pub(crate) handler: Handler,
    pub(crate) visitor: SafeText,
    pub(crate) assignee: Option<UserId>,
    pub(crate) assignee_name: SafeText,
    /// Unix milliseconds by the daemon's clock.
    pub(crate) waiting_since: Option<i64>,
    pub(crate) last_seq: u64,
    pub(crate) last_line: SafeText,
    pub(crate) last_sender: Sender,
    pub(crate) visitor_mark: u64,
    pub(crate) staff_mark: u64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    /// The journal position this row is as new as.
    pub(crate) position: u64,
    /// Why it was escalated: a stable code or a person's words.
    pub(crate) reason: SafeText,
    pub(crate) locale: SafeText,
    pub(crate) unread: u64,
    pub(crate) priority: Priority,
    pub(crate) tags: Vec<SafeText>,
    /// Who a colleague has given it to, while they have not claimed or declined it.
    pub(crate) offer: Option<Offer>,
    /// The agent who had it last.
    pub(crate) preferred: SafeText,
}

/// How urgent it is, in the order of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    Urgent,
    High,
    Normal,
    Low,
}

impl Priority {
    /// The most urgent first.
    pub(crate) const ALL: [Self; 4] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// The word for it, as commands write it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// The priority a word stands for; normal for a word of a later version.
    pub(crate) fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|known| known.word() == word).unwrap_or(Self::Normal)
    }
}

/// A conversation given to one agent, who has it to claim before everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) to: UserId,
    pub(crate) name: SafeText,
    pub(crate) by: UserId,
    pub(crate) by_name: SafeText,
    /// Until when, by the daemon's clock, if it says so.
    pub(crate) until: Option<i64>,
}

/// What stands where a message was taken back.
pub(crate) const REMOVED: &str = "(removed)";

impl Conversation {
    /// True while `user` handles it.
    pub(crate) fn is_assigned_to(&self, user: &UserId) -> bool {
        self.status == Status::Open && self.assignee.as_ref() == Some(user)
    }

    /// True while it is offered to `user`.
    pub(crate) fn is_offered_to(&self, user: &UserId) -> bool {
        self.offer.as_ref().is_some_and(|offer| offer.to == *user)
    }

    /// True while it is offered to somebody else than `user`.
    pub(crate) fn is_offered_past(&self, user: Option<&UserId>) -> bool {
        self.offer.as_ref().is_some_and(|offer| Some(&offer.to) != user)
    }
}

/// One visitor-visible entry of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) seq: u64,
    pub(crate) position: u64,
    pub(crate) sender: Sender,
    pub(crate) sender_id: UserId,
    pub(crate) name: SafeText,
    pub(crate) content: SafeText,
    pub(crate) sources: Vec<SafeText>,
    /// Why staff marked it for review; empty if they did not.
    pub(crate) flag: SafeText,
    pub(crate) system: Option<SystemLine>,
    pub(crate) created_at: i64,
    pub(crate) client_id: String,
}

/// A system line as stored: the screen puts it in words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SystemLine {
    pub(crate) code: SafeText,
    pub(crate) params: BTreeMap<String, SafeText>,
}

/// A note: for staff only.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) position: u64,
    pub(crate) author: SafeText,
    /// Whether it is the assistant's draft of an answer.
    pub(crate) draft: bool,
    pub(crate) content: SafeText,
    /// The articles a draft stands on.
    pub(crate) sources: Vec<SafeText>,
    pub(crate) created_at: i64,
    pub(crate) client_id: String,
}

/// What a transcript is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    Message(Message),
    Note(Note),
}

impl Entry {
    /// Its place in the organization's journal: the order of a transcript.
    pub(crate) fn position(&self) -> u64 {
        match self {
            Self::Message(message) => message.position,
            Self::Note(note) => note.position,
        }
    }

    /// The sender's own id of it.
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::Message(message) => &message.client_id,
            Self::Note(note) => &note.client_id,
        }
    }

    /// Its number among the visitor-visible entries, if it is one.
    pub(crate) fn seq(&self) -> Option<u64> {
        match self {
            Self::Message(message) => Some(message.seq),
            Self::Note(_) => None,
        }
    }
}
