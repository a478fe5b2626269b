//! What can be asked for. A command is imperative and complete: with the facts of the moment it decides alone.

use super::Time;
use super::article::ArticleStatus;
use super::conversation::{Resolution, Side};
use super::hidden::Hidden;
use super::id::{ArticleId, ConversationId, InboxId, KeyId, OrganizationId, SessionId, UserId};
use super::inbox::{AssistantMode, InboxEdit};
use super::message::Source;
use super::priority::Priority;
use super::session::Session;
use super::timer::Timer;
use super::user::{Availability, Role};

/// A command, already typed and validated as far as that goes without the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Create an organization, in the operator's journal.
    CreateOrganization {
        /// Its id, chosen by the service.
        id: OrganizationId,
        /// Its name.
        name: String,
    },
    /// Create a member of staff.
    CreateUser {
        /// In lower case.
        email: String,
        /// Shown to others.
        name: String,
        /// Admin or agent.
        role: Role,
        /// The argon2id hash of their password, if they may sign in by one.
        password: Option<Hidden<String>>,
    },
    /// Create a member of staff who sets their own password, by a one-time code.
    InviteUser {
        /// In lower case.
        email: String,
        /// Shown to others.
        name: String,
        /// Admin or agent.
        role: Role,
        /// The hash of the code.
        code: Hidden<[u8; 32]>,
    },
    /// Use a one-time code: sets the password and starts a session.
    AcceptInvite {
        /// Whose code it is.
        user: UserId,
        /// Its hash.
        code: Hidden<[u8; 32]>,
        /// The argon2id hash of the new password.
        password: Hidden<String>,
        /// The session.
        session: Session,
        /// The hash of its token.
        token: Hidden<[u8; 32]>,
    },
    /// Give a member of staff another name or role.
    EditUser {
        /// Whom.
        user: UserId,
        /// Their name from now on, if it changes.
        name: Option<String>,
        /// Their role from now on, if it changes.
        role: Option<Role>,
    },
    /// Give them a new one-time code; their password and sessions end.
    ResetUser {
        /// Whom.
        user: UserId,
        /// The hash of the code.
        code: Hidden<[u8; 32]>,
    },
    /// Let them do nothing here any more, or let them in again.
    DisableUser {
        /// Whom.
        user: UserId,
        /// Which of the two.
        disabled: bool,
    },
    /// Let a conversation go whose assignee is away or disabled.
    LeaveAbsent {
        /// Which.
        conversation: ConversationId,
    },
    /// Change the actor's own availability.
    SetAvailability {
        /// Whose.
        user: UserId,
        /// To what.
        availability: Availability,
    },
    /// Create an inbox.
    CreateInbox {
        /// Its name.
        name: String,
        /// The origins that may embed it.
        origins: Vec<String>,
        /// Whether the assistant answers first.
        assistant: AssistantMode,
        /// Its language.
        locale: String,
        /// Its members; none means all agents.
        members: Vec<UserId>,
    },
    /// Change an inbox.
    EditInbox {
        /// Which.
        inbox: InboxId,
        /// How.
        edit: InboxEdit,
    },
    /// Bring a conversation into line with its inbox after that has changed: nobody waits for an assistant that
    /// is off, or for an agent who is no member any more.
    Settle {
        /// Which.
        conversation: ConversationId,
    },
    /// Create a key.
    CreateKey {
        /// Its id, part of the secret.
        id: KeyId,
        /// Its name.
        name: String,
        /// Its scopes.
        scopes: Vec<String>,
        /// Whose rights bound it.
        owner: Option<UserId>,
        /// When it expires.
        expires_at: Option<Time>,
        /// The key it is created with, if with one.
        parent: Option<KeyId>,
        /// The hash of its secret.
        secret: Hidden<[u8; 32]>,
    },
    /// Revoke a key.
    RevokeKey {
        /// Which.
        key: KeyId,
    },
    /// Start a staff session; the credential has been checked.
    StartSession {
        /// The session.
        session: Session,
        /// The hash of its token.
        token: Hidden<[u8; 32]>,
    },
    /// End a session.
    EndSession {
        /// Which.
        session: SessionId,
    },
    /// Create or change the article of a source path.
    PutArticle {
        /// The path.
        source_path: String,
        /// Its title.
        title: String,
        /// Its Markdown.
        body: String,
        /// Its language; if it says none, what it had, else English.
        locale: Option<String>,
        /// Whether visitors may see it; if it does not say, as it was, else published.
        status: Option<ArticleStatus>,
        /// The inboxes it is for, none meaning all; if it does not say, as it was, else all.
        inboxes: Option<Vec<InboxId>>,
    },
    /// Change what an article is for; what is left out stays as it is.
    EditArticle {
        /// Which.
        article: ArticleId,
        /// Whether visitors may see it.
        status: Option<ArticleStatus>,
        /// The inboxes it is for; none means all.
        inboxes: Option<Vec<InboxId>>,
        /// Its language.
        locale: Option<String>,
    },
    /// Delete an article.
    DeleteArticle {
        /// Which.
        article: ArticleId,
    },
    /// A visitor says something: starts, continues or reopens their conversation of the inbox.
    VisitorMessage {
        /// Who.
        visitor: Visitor,
        /// Only if this is their conversation; else not found.
        conversation: Option<ConversationId>,
        /// What.
        content: String,
    },
    /// A visitor wants a person.
    VisitorWish {
        /// Who.
        visitor: Visitor,
        /// Only if this is their conversation; else not found.
        conversation: Option<ConversationId>,
    },
    /// A visitor ends their conversation.
    VisitorEnd {
        /// Who.
        visitor: Visitor,
        /// Whether because it helped.
        confirmed: bool,
        /// Only if this is their conversation; else not found.
        conversation: Option<ConversationId>,
    },
    /// Staff act on a conversation.
    Staff {
        /// Who acts.
        agent: UserId,
        /// Whether with an admin's rights.
        admin: bool,
        /// On what.
        conversation: ConversationId,
        /// How.
        act: StaffAct,
    },
    /// The assistant acts on a conversation it handles.
    Assistant {
        /// On what.
        conversation: ConversationId,
        /// The turn it was computed for; a stale one is rejected.
        turn: u64,
        /// How.
        act: AssistantAct,
    },
    /// A durable timer is due.
    Timer(Timer),
    /// One side has read further.
    Mark {
        /// Where.
        conversation: ConversationId,
        /// Which side.
        side: Side,
        /// How far.
        seq: u64,
    },
}

impl Command {
    /// The text somebody wrote, if it carries one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::PutArticle { body, .. } => Some(body),
            Self::VisitorMessage { content, .. }
            | Self::Staff {
                act:
                    StaffAct::Reply { content }
                    | StaffAct::Note { content }
                    | StaffAct::Transfer { note: Some(content), .. },
                ..
            }
            | Self::Assistant {
                act: AssistantAct::Say { content, .. } | AssistantAct::Draft { content, .. },
                ..
            } => Some(content),
            Self::CreateOrganization { .. }
            | Self::CreateUser { .. }
            | Self::InviteUser { .. }
            | Self::AcceptInvite { .. }
            | Self::EditUser { .. }
            | Self::ResetUser { .. }
            | Self::DisableUser { .. }
            | Self::LeaveAbsent { .. }
            | Self::SetAvailability { .. }
            | Self::CreateInbox { .. }
            | Self::EditInbox { .. }
            | Self::Settle { .. }
            | Self::CreateKey { .. }
            | Self::RevokeKey { .. }
            | Self::StartSession { .. }
            | Self::EndSession { .. }
            | Self::EditArticle { .. }
            | Self::DeleteArticle { .. }
            | Self::VisitorWish { .. }
            | Self::VisitorEnd { .. }
            | Self::Staff { .. }
            | Self::Assistant { .. }
            | Self::Timer(_)
            | Self::Mark { .. } => None,
        }
    }
}

/// The visitor of a command and what to create with their first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The user they are or become.
    pub user: UserId,
    /// Their inbox.
    pub inbox: InboxId,
    /// Their language, if the page said.
    pub locale: Option<String>,
    /// Their session, stored with the first message; none when a key speaks for them.
    pub session: Option<(Session, Hidden<[u8; 32]>)>,
    /// Whether what they start is a test.
    pub test: bool,
}

/// What staff can do to a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StaffAct {
    /// Answer the visitor.
    Reply {
        /// The text.
        content: String,
    },
    /// Leave a note for colleagues.
    Note {
        /// The text.
        content: String,
    },
    /// Take it, or give it to `to`.
    Claim {
        /// Who gets it.
        to: UserId,
        /// Even from a colleague.
        take: bool,
    },
    /// Let go; it waits again.
    Release,
    /// Give it to the assistant.
    HandBack,
    /// Ask for a person.
    Escalate {
        /// Why.
        reason: String,
    },
    /// It is done.
    Resolve {
        /// How.
        resolution: Resolution,
    },
    /// It goes on, with the agent who says so.
    Reopen,
    /// Give it to a colleague, who is offered it before everybody else.
    Transfer {
        /// To whom.
        to: UserId,
        /// What they should know; staff only.
        note: Option<String>,
    },
    /// End the waiting: the assistant has it again.
    Return,
    /// End the waiting: it is done.
    ResolveWaiting,
    /// Change its tags.
    Tag {
        /// Those it gets.
        add: Vec<String>,
        /// Those it loses.
        remove: Vec<String>,
    },
    /// Change its priority.
    Prioritize {
        /// To what.
        priority: Priority,
    },
    /// Mark an answer of the assistant's for review.
    Flag {
        /// Which.
        seq: u64,
        /// Why.
        reason: String,
    },
    /// Take a message back.
    Retract {
        /// Which.
        seq: u64,
    },
}

/// What the assistant can do to a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssistantAct {
    /// Say something.
    Say {
        /// The text.
        content: String,
        /// Where it comes from.
        sources: Vec<Source>,
        /// Whether it asks back.
        clarification: bool,
    },
    /// Leave for staff what it would say, where it only drafts.
    Draft {
        /// The text.
        content: String,
        /// Where it comes from.
        sources: Vec<Source>,
    },
    /// Ask for a person.
    HandOver {
        /// A stable code.
        reason: &'static str,
    },
}
