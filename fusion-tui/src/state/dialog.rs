//! The dialogs: what is asked before a conversation is given away, labelled, or a message of it
//! marked or removed; and the palette. They hold what was typed and chosen, never what it does.

use super::State;
use super::editor::Editor;
use super::row::{ConversationId, Entry, Message, REMOVED, Sender, UserId};
use super::transcript::Transcript;
use super::{Availability, Overlay};
use crate::text::SafeText;

/// The most messages to choose from, the newest first.
const MESSAGES_MAX: usize = 50;

/// What is typed and chosen in a dialog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) text: Editor,
    /// The row under the cursor.
    pub(crate) index: usize,
    /// Why the last Enter did nothing.
    pub(crate) problem: Option<SafeText>,
}

impl Form {
    /// A form that begins with a text.
    pub(crate) fn with_text(text: &str) -> Self {
        Self { text: Editor::with_text(text), ..Self::default() }
    }

    /// The same form with a problem to show.
    pub(crate) fn with_problem(self, problem: &str) -> Self {
        Self { problem: Some(SafeText::line(problem)), ..self }
    }
}

/// A question about one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialog {
    pub(crate) conversation: ConversationId,
    pub(crate) step: Step,
    pub(crate) form: Form,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Whom to give it to.
    Colleague,
    /// A note for them.
    TransferNote {
        to: Colleague,
    },
    /// Its tags, all of them; `before` is what it had when this was asked.
    Tags {
        before: Vec<String>,
    },
    Priority,
    /// Which message: those of `seqs`, so that none moves under the cursor.
    Message {
        act: Act,
        seqs: Vec<u64>,
    },
    /// Why an answer is marked for review.
    FlagReason {
        seq: u64,
    },
    /// "Remove it?"
    Retract {
        seq: u64,
    },
}

/// What is done to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Flag,
    Retract,
}

/// Somebody a conversation can be given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Colleague {
    pub(crate) id: UserId,
    pub(crate) name: SafeText,
    pub(crate) availability: Availability,
}

impl State {
    /// Puts a dialog up.
    pub(crate) fn ask(&mut self, conversation: ConversationId, step: Step, form: Form) {
        self.overlay = Some(Overlay::Dialog(Dialog { conversation, step, form }));
    }

    /// The colleagues whose name contains `search`: who is accepting first. Empty while they are
    /// being read.
    pub(crate) fn colleagues_matching(&self, search: &str) -> Vec<&Colleague> {
        let wanted = search.trim().to_lowercase();
        let me = self.me.as_ref().map(|me| &me.id);
        let all = self.colleagues.iter().flatten();
        let others = all.filter(|colleague| Some(&colleague.id) != me);
        let mut found: Vec<&Colleague> = others
            .filter(|colleague| colleague.name.as_str().to_lowercase().contains(&wanted))
            .collect();
        found.sort_by_key(|colleague| {
            let presence = match colleague.availability {
                Availability::Accepting => 0,
                Availability::Busy => 1,
                Availability::Away => 2,
            };
            (presence, colleague.name.as_str().to_lowercase())
        });
        found
    }

    /// A message of a conversation, if it is in memory.
    pub(crate) fn message(&self, id: &ConversationId, seq: u64) -> Option<&Message> {
        let entries = self.transcripts.get(id)?.entries();
        entries.iter().find_map(|entry| match entry {
            Entry::Message(message) if message.seq == seq => Some(message),
            Entry::Message(_) | Entry::Note(_) => None,
        })
    }

    /// The messages in memory that this can be done to, the newest first.
    pub(crate) fn messages_for(&self, id: &ConversationId, act: Act) -> Vec<u64> {
        let me = self.me.as_ref().map(|me| &me.id);
        let entries = self.transcripts.get(id).map(Transcript::entries).unwrap_or_default();
        let fitting = entries.iter().rev().filter_map(|entry| match entry {
            Entry::Message(message) => {
                let own = message.sender == Sender::Agent && Some(&message.sender_id) == me;
                let said = message.sender == Sender::Assistant || (own && act == Act::Retract);
                (said && message.content.as_str() != REMOVED).then_some(message.seq)
            }
            Entry::Note(_) => None,
        });
        fitting.take(MESSAGES_MAX).collect()
    }
}
