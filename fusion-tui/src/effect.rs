//! What the console asks of the world. `update` returns these as data; `remote/`, `draft.rs` and
//! `run.rs` carry them out.

use crate::draft::Draft;
use crate::state::Availability;
use crate::state::outbox::Kind;
use crate::state::row::{ConversationId, Priority, UserId};
use crate::state::transcript::Page;
use crate::text::SafeText;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Call the daemon.
    Call(Call),
    LoadDrafts(UserId),
    SaveDraft(UserId, Draft),
    RemoveDraft(UserId, ConversationId),
    /// Draw every cell again.
    Repaint,
    /// Ring the terminal's bell.
    Bell,
    Quit,
}

/// One call to the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Every row, in pages, marked with the generation; those of `mine` first.
    List {
        generation: u64,
        mine: Option<UserId>,
    },
    Messages {
        conversation: ConversationId,
        page: Page,
    },
    Command {
        conversation: ConversationId,
        command: Command,
        client_id: String,
    },
    Send {
        conversation: ConversationId,
        kind: Kind,
        content: String,
        client_id: String,
    },
    /// Who a conversation can be given to.
    Colleagues,
    /// Something about one message.
    Judge {
        conversation: ConversationId,
        seq: u64,
        judgement: Judgement,
        client_id: String,
    },
    MarkRead {
        conversation: ConversationId,
        seq: u64,
    },
    Typing {
        conversation: ConversationId,
        note: bool,
    },
    Availability {
        availability: Availability,
        client_id: String,
    },
}

/// What can be done to a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// With `take`, from whoever has it.
    Claim {
        take: bool,
    },
    Release,
    HandBack,
    Escalate {
        reason: SafeText,
    },
    Resolve,
    Reopen,
    /// Offers it to a colleague (an id, a name or an e-mail), with a note unless that is empty.
    Transfer {
        to: String,
        name: SafeText,
        note: String,
    },
    Tag {
        add: Vec<String>,
        remove: Vec<String>,
    },
    Prioritize(Priority),
}

/// What can be done to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Marks an answer of the assistant's for review.
    Flag { reason: String },
    /// Removes it, for the visitor too.
    Retract,
}
