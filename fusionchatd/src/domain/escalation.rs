//! Escalations: why a conversation waits for a person, and how the waiting ended.

use super::Time;
use super::entry::ActorRef;
use super::id::{ConversationId, EscalationId, UserId};

/// The longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 200;

/// How an escalation ended. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// An agent claimed it.
    Claimed = 0,
    /// It went back to the assistant.
    Returned = 1,
    /// The conversation was resolved while waiting.
    Resolved = 2,
    /// The visitor went away.
    Abandoned = 3,
}

/// One stay of a conversation in the live queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Its id.
    pub id: EscalationId,
    /// The conversation that waits.
    pub conversation: ConversationId,
    /// A stable code (`visitor_wish`, `no_answer`, `assistant_timeout` …) or a person's words.
    pub reason: String,
    /// Who asked for a person.
    pub by: ActorRef,
    /// The agent it is meant for, if for one.
    pub to: Option<UserId>,
    /// When it began.
    pub created_at: Time,
    /// Who claimed it.
    pub claimed_by: Option<UserId>,
    /// When it was claimed.
    pub claimed_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}
