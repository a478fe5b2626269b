//! Why a command cannot be done: each with a stable code and a sentence that says what to do.

use super::Time;
use super::id::UserId;

/// A command that was understood and refused. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Something in the request is malformed.
    #[error("{detail}")]
    Invalid {
        /// The stable code.
        code: &'static str,
        /// What is wrong, for a person.
        detail: String,
    },
    /// A message without a visible character.
    #[error("the message is empty")]
    EmptyMessage,
    /// A message over the limits.
    #[error("the message has {characters} characters; at most 10000 (40000 bytes) are allowed")]
    MessageTooLong {
        /// How many characters it has.
        characters: usize,
    },
    /// A message with a control character other than newline and tab.
    #[error("the message contains the control character U+{character:04X}")]
    ControlCharacter {
        /// Which.
        character: u32,
    },
    /// The `senderType` of the request is not what the credential says.
    #[error("the senderType is not what this credential may send")]
    SenderTypeMismatch,
    /// The actor lacks the right.
    #[error("this credential may not do that")]
    Forbidden,
    /// It does not exist, or belongs to somebody else: the two are not told apart.
    #[error("not found")]
    NotFound,
    /// A colleague holds the conversation.
    #[error("another agent has claimed this conversation")]
    AlreadyClaimed {
        /// Who holds it.
        by: UserId,
        /// Since when.
        since: Time,
    },
    /// Only the assignee may do this.
    #[error("this conversation is another agent's")]
    NotAssignee {
        /// Who holds it.
        by: UserId,
        /// Since when.
        since: Time,
    },
    /// A waiting conversation has to be claimed before it is answered.
    #[error("this conversation is waiting in the queue; claim it before you reply")]
    ClaimFirst,
    /// Who shall get it is no member of its inbox.
    #[error("that agent is no member of this conversation's inbox")]
    NotMember,
    /// The conversation is done.
    #[error("this conversation is resolved; reopen it first")]
    Resolved,
    /// Nobody is assigned.
    #[error("this conversation is assigned to nobody")]
    NotAssigned,
    /// It is not done.
    #[error("this conversation is not resolved")]
    NotResolved,
    /// The visitor goes on in a newer conversation of the same inbox: one at a time is open.
    #[error("the visitor has a newer conversation in this inbox: {number}")]
    NewerConversation {
        /// Its number.
        number: u64,
    },
    /// A visitor asked for a person before writing anything.
    #[error("there is no conversation yet; write a first message")]
    MessageFirst,
    /// The assistant is off in this inbox.
    #[error("the assistant is off in this inbox")]
    AssistantOff,
    /// The assistant's command was computed for a conversation that has moved on.
    #[error("the conversation has moved on: turn {now}, not {then}")]
    StaleTurn {
        /// The conversation's turn.
        now: u64,
        /// The command's turn.
        then: u64,
    },
    /// The same client id came with another body.
    #[error("this clientId was used for another command")]
    ClientIdReused {
        /// What the original made, e.g. `message 3 of conversation 1007`.
        original: String,
    },
    /// The organization would be left without an admin who can act.
    #[error("this is the last admin")]
    LastAdmin,
    /// The member of staff cannot do anything here.
    #[error("this user is disabled")]
    UserDisabled,
    /// A one-time code that is wrong, used or expired: the three are not told apart.
    #[error("this invitation does not work")]
    BadInvite,
    /// A name or address that must be unique is taken.
    #[error("this {what} is taken")]
    Taken {
        /// What is taken.
        what: &'static str,
    },
}

impl Rejection {
    /// The stable code, the same at every door.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { code, .. } => code,
            Self::EmptyMessage => "empty_message",
            Self::MessageTooLong { .. } => "message_too_long",
            Self::ControlCharacter { .. } => "control_character",
            Self::SenderTypeMismatch => "sender_type_mismatch",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::AlreadyClaimed { .. } => "already_claimed",
            Self::NotAssignee { .. } => "not_assignee",
            Self::ClaimFirst => "claim_first",
            Self::NotMember => "not_a_member",
            Self::Resolved => "resolved",
            Self::NotAssigned => "not_assigned",
            Self::NotResolved => "not_resolved",
            Self::NewerConversation { .. } => "newer_conversation",
            Self::MessageFirst => "message_first",
            Self::AssistantOff => "assistant_off",
            Self::StaleTurn { .. } => "stale_turn",
            Self::ClientIdReused { .. } => "client_id_reused",
            Self::LastAdmin => "last_admin",
            Self::UserDisabled => "user_disabled",
            Self::BadInvite => "bad_invite",
            Self::Taken { .. } => "taken",
        }
    }

    /// The colleague who holds the conversation, where that is why.
    pub fn holder(&self) -> Option<UserId> {
        if let Self::AlreadyClaimed { by, .. } | Self::NotAssignee { by, .. } = self {
            return Some(*by);
        }
        None
    }

    /// What to do about it; empty where the sentence itself says so.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::MessageTooLong { .. } => "split it into several messages",
            Self::ControlCharacter { .. } => "only newline and tab are allowed",
            Self::SenderTypeMismatch => "leave senderType out, or send what the credential is",
            Self::AlreadyClaimed { .. } => "take it over with --take, or claim the next one",
            Self::NotAssignee { .. } => "take it over first, or leave a note",
            Self::ClaimFirst => "claim it, then reply",
            Self::NotMember => "add them with: fusionctl inbox edit INBOX --add-member USER",
            Self::NewerConversation { .. } => "go on in that one",
            Self::ClientIdReused { .. } => "make a new clientId for a new command",
            Self::LastAdmin => "make somebody else an admin first, who has a password",
            Self::UserDisabled => "enable them first",
            Self::BadInvite => "ask an admin for a new one",
            Self::Invalid { .. }
            | Self::EmptyMessage
            | Self::Forbidden
            | Self::NotFound
            | Self::Resolved
            | Self::NotAssigned
            | Self::NotResolved
            | Self::MessageFirst
            | Self::AssistantOff
            | Self::StaleTurn { .. }
            | Self::Taken { .. } => "",
        }
    }
}
