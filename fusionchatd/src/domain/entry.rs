//! The journal's entries: what happened, to what, by whom, when. An entry carries ids, numbers and codes and a
//! digest of content, never names, addresses or bodies: those live once, in rows that can be erased.

use uuid::Uuid;

use super::Time;
use super::actor::{Actor, Who};
use super::id::{ConversationId, KeyId, UserId};

/// What kind of thing happened. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// An organization was created; in the operator's journal.
    OrganizationCreated = 1,
    /// A user was created.
    UserCreated = 2,
    /// A member of staff changed their availability.
    AvailabilityChanged = 3,
    /// An inbox was created.
    InboxCreated = 4,
    /// A key was created.
    KeyCreated = 5,
    /// A key was revoked.
    KeyRevoked = 6,
    /// A session started.
    SessionStarted = 7,
    /// A session was ended.
    SessionEnded = 8,
    /// An article was created or changed.
    ArticlePut = 9,
    /// An article was deleted.
    ArticleDeleted = 10,
    /// A member of staff was given a one-time code.
    UserInvited = 11,
    /// They used it and set their password.
    InviteAccepted = 12,
    /// An inbox was changed. Its code is the [`AssistantMode`](super::inbox::AssistantMode) it has now, its detail
    /// names what was changed.
    InboxEdited = 17,
    /// A member of staff got another name or role.
    UserEdited = 13,
    /// They got a new one-time code; their password and sessions ended.
    UserReset = 14,
    /// They can do nothing here any more; their sessions and keys ended.
    UserDisabled = 15,
    /// They can sign in again.
    UserEnabled = 16,
    /// The timer of somebody who is away or disabled has done its work, or was set again.
    AbsenceTimed = 18,
    /// A conversation started.
    ConversationStarted = 20,
    /// A visitor, agent or the assistant said something.
    MessagePosted = 21,
    /// Staff left a note.
    NoteAdded = 22,
    /// A person is needed.
    Escalated = 23,
    /// An agent took the conversation.
    Claimed = 24,
    /// The assignee let go; it waits again.
    Released = 25,
    /// The assistant has it again.
    HandedBack = 26,
    /// It is done.
    Resolved = 27,
    /// It goes on.
    Reopened = 28,
    /// One side has read further.
    MarkMoved = 29,
    /// The assignee gave it to a colleague, who is offered it for a while before everybody is.
    Transferred = 30,
    /// The colleague declined the offer or let it pass.
    OfferEnded = 31,
    /// Its tags are others.
    TagsChanged = 32,
    /// Its priority is another.
    PriorityChanged = 33,
    /// The visitor was told that it will end without a word from them.
    SilenceNoticed = 34,
    /// Staff marked an answer of the assistant's for review.
    MessageFlagged = 35,
    /// A message was taken back.
    MessageRetracted = 36,
    /// A test conversation is gone.
    ConversationDeleted = 37,
    /// It continues an earlier conversation.
    Linked = 38,
}

impl EntryKind {
    /// Every kind, for codecs and tables.
    pub const ALL: [Self; 37] = [
        Self::OrganizationCreated,
        Self::UserCreated,
        Self::AvailabilityChanged,
        Self::InboxCreated,
        Self::KeyCreated,
        Self::KeyRevoked,
        Self::SessionStarted,
        Self::SessionEnded,
        Self::ArticlePut,
        Self::ArticleDeleted,
        Self::UserInvited,
        Self::InviteAccepted,
        Self::InboxEdited,
        Self::UserEdited,
        Self::UserReset,
        Self::UserDisabled,
        Self::UserEnabled,
        Self::AbsenceTimed,
        Self::ConversationStarted,
        Self::MessagePosted,
        Self::NoteAdded,
        Self::Escalated,
        Self::Claimed,
        Self::Released,
        Self::HandedBack,
        Self::Resolved,
        Self::Reopened,
        Self::MarkMoved,
        Self::Transferred,
        Self::OfferEnded,
        Self::TagsChanged,
        Self::PriorityChanged,
        Self::SilenceNoticed,
        Self::MessageFlagged,
        Self::MessageRetracted,
        Self::ConversationDeleted,
        Self::Linked,
    ];

    /// The name in streams and audit lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrganizationCreated => "OrganizationCreated",
            Self::UserCreated => "UserCreated",
            Self::AvailabilityChanged => "AvailabilityChanged",
            Self::InboxCreated => "InboxCreated",
            Self::KeyCreated => "KeyCreated",
            Self::KeyRevoked => "KeyRevoked",
            Self::SessionStarted => "SessionStarted",
            Self::SessionEnded => "SessionEnded",
            Self::ArticlePut => "ArticlePut",
            Self::ArticleDeleted => "ArticleDeleted",
            Self::UserInvited => "UserInvited",
            Self::InviteAccepted => "InviteAccepted",
            Self::InboxEdited => "InboxEdited",
            Self::UserEdited => "UserEdited",
            Self::UserReset => "UserReset",
            Self::UserDisabled => "UserDisabled",
            Self::UserEnabled => "UserEnabled",
            Self::AbsenceTimed => "AbsenceTimed",
            Self::ConversationStarted => "ConversationStarted",
            Self::MessagePosted => "MessagePosted",
            Self::NoteAdded => "NoteAdded",
            Self::Escalated => "Escalated",
            Self::Claimed => "Claimed",
            Self::Released => "Released",
            Self::HandedBack => "HandedBack",
            Self::Resolved => "Resolved",
            Self::Reopened => "Reopened",
            Self::MarkMoved => "MarkMoved",
            Self::Transferred => "Transferred",
            Self::OfferEnded => "OfferEnded",
            Self::TagsChanged => "TagsChanged",
            Self::PriorityChanged => "PriorityChanged",
            Self::SilenceNoticed => "SilenceNoticed",
            Self::MessageFlagged => "MessageFlagged",
            Self::MessageRetracted => "MessageRetracted",
            Self::ConversationDeleted => "ConversationDeleted",
            Self::Linked => "Linked",
        }
    }
}

/// The kind of actor an entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// A visitor.
    Visitor = 1,
    /// A member of staff.
    Agent = 2,
    /// The assistant.
    Assistant = 3,
    /// An API key.
    Key = 4,
    /// The operator.
    Operator = 5,
    /// The daemon itself.
    System = 6,
}

/// Who did it, by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorRef {
    /// What they are.
    pub kind: ActorKind,
    /// The user, or the key's owner.
    pub user: Option<UserId>,
    /// The key, if one acted.
    pub key: Option<KeyId>,
}

impl From<&Actor> for ActorRef {
    fn from(actor: &Actor) -> Self {
        let (kind, user, key) = match &actor.who {
            Who::Agent { user, .. } => (ActorKind::Agent, Some(*user), None),
            Who::Visitor { user, .. } => (ActorKind::Visitor, Some(*user), None),
            Who::Key { key, owner } => (ActorKind::Key, Some(*owner), Some(*key)),
            Who::Assistant => (ActorKind::Assistant, None, None),
            Who::Operator { key } => (ActorKind::Operator, None, Some(*key)),
            Who::System => (ActorKind::System, None, None),
        };
        Self { kind, user, key }
    }
}

/// One entry of an organization's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Gapless per organization, from 1.
    pub position: u64,
    /// When, by the organization's own never-decreasing clock.
    pub time: Time,
    /// Who.
    pub actor: ActorRef,
    /// What.
    pub kind: EntryKind,
    /// The conversation it happened in.
    pub conversation: Option<ConversationId>,
    /// The row it is about: a message, note, escalation, user, inbox, key, session or article.
    pub subject: Option<Uuid>,
    /// A second id: the agent of a claim, the visitor of a start, the one an escalation is meant for.
    pub other: Option<Uuid>,
    /// Its number in the conversation, if the visitor sees it; or the mark.
    pub seq: Option<u64>,
    /// The conversation's number, at its start; with a staff mark, how many messages stay unread; the seq of a
    /// message that is flagged or taken back.
    pub number: Option<u64>,
    /// A small code that depends on the kind: sender type, handler, resolution, side, priority; 1 for the start of a
    /// test.
    pub code: u32,
    /// When a durable timer set by it is due.
    pub due: Option<Time>,
    /// The reason of an escalation or a flag, the locale of a start, the tags with a comma between them, what of an
    /// inbox was changed.
    pub detail: Option<String>,
    /// The first half of a keyed digest of the content, if there is any: with 128 bits no other content can be made to
    /// fit.
    pub digest: Option<[u8; 16]>,
}
