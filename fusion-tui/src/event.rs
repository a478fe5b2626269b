//! Everything that can happen to the console, already converted and cleaned. Deciding what it means
//! is `update/`'s.

use std::collections::BTreeMap;

use crate::draft::Draft;
use crate::effect::{Command, Judgement};
use crate::key::Key;
use crate::state::answer::AnswerPart;
use crate::state::dialog::Colleague;
use crate::state::row::{Conversation, ConversationId, Entry, UserId};
use crate::state::transcript::{Page, PageRows};
use crate::state::{Availability, Me, Typist};
use crate::text::SafeText;

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The clock, in Unix milliseconds. Sent before every other event, and when something is due.
    Tick(i64),
    Key(Key),
    Paste(String),
    Focus(bool),
    Resize(u16, u16),
    SignedIn(Me),
    /// The live stream is open. Without `resumed` it begins now, and the rows have to be listed.
    Connected {
        resumed: bool,
    },
    Lost,
    Refused(SafeText),
    /// The cursor was of no use any more: forget the rows and list them again.
    Reset,
    DaemonClock(i64),
    Change(Box<Change>),
    Typing(Typist),
    /// A part of an answer of the assistant, or its end.
    Answer(AnswerPart),
    Rows {
        generation: u64,
        rows: Vec<Conversation>,
    },
    Listed {
        generation: u64,
        result: Result<(), Problem>,
    },
    Messages {
        conversation: ConversationId,
        page: Page,
        result: Result<PageRows, Problem>,
    },
    Commanded {
        conversation: ConversationId,
        command: Command,
        result: Result<Conversation, Problem>,
    },
    Judged {
        conversation: ConversationId,
        seq: u64,
        judgement: Judgement,
        result: Result<Entry, Problem>,
    },
    Colleagues(Result<Vec<Colleague>, Problem>),
    Sent {
        client_id: String,
        result: Result<Posted, Problem>,
    },
    AvailabilitySet(Result<Availability, Problem>),
    /// What the disk has for this user.
    Drafts(Vec<Draft>),
    DraftFailed(SafeText),
}

/// One journal entry with the rows it changed.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) conversation: Option<Conversation>,
    pub(crate) entry: Option<(ConversationId, Entry)>,
    /// A user's availability, if it is about one.
    pub(crate) user: Option<Me>,
    pub(crate) offer_end: Option<OfferEnd>,
}

/// A conversation given to a colleague waits for everybody now: they declined it, or their time
/// passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfferEnd {
    pub(crate) conversation: ConversationId,
    pub(crate) number: u64,
    pub(crate) given_by: UserId,
    /// Nobody if the time passed.
    pub(crate) declined_by: Option<UserId>,
    pub(crate) decliner: SafeText,
}

/// An accepted message or note.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) entry: Entry,
    pub(crate) conversation: Conversation,
}

/// Why a call failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The stable code; empty if no daemon answered.
    pub(crate) code: String,
    pub(crate) message: SafeText,
    pub(crate) hint: SafeText,
    pub(crate) params: BTreeMap<String, SafeText>,
    /// True if the same call may succeed later.
    pub(crate) transient: bool,
    pub(crate) retry_after_ms: Option<u64>,
}

impl Problem {
    /// The message with its hint, for the screen.
    pub(crate) fn text(&self) -> String {
        if self.hint.is_empty() {
            return self.message.to_string();
        }
        format!("{}: {}", self.message, self.hint)
    }
}
