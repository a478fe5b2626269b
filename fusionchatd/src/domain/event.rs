//! What a decision makes happen: the content-free half that the journal keeps, and the content that goes to rows.

use super::article::Article;
use super::conversation::Conversation;
use super::entry::Entry;
use super::escalation::Escalation;
use super::hidden::Hidden;
use super::id::{ArticleId, KeyId, SessionId};
use super::inbox::Inbox;
use super::key::Key;
use super::message::{Message, Note};
use super::organization::Organization;
use super::session::Session;
use super::user::{Credential, User};

/// One event: an entry of the journal with the rows it writes.
#[derive(Clone, Debug)]
pub struct Event {
    /// What the journal keeps. Its digest is added by the service, which holds the key.
    pub entry: Entry,
    /// What is written beside it.
    pub content: Content,
    /// The conversation's header after this event.
    pub conversation: Option<Conversation>,
    /// The escalation's row after this event, if it changed.
    pub escalation: Option<Escalation>,
}

impl Content {
    /// The text somebody wrote, if this is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Message(message) => message.system.is_none().then_some(&message.content),
            Self::Note(note) => Some(&note.content),
            Self::Article(article) => Some(&article.body),
            Self::None
            | Self::Flagged(_)
            | Self::Retracted { .. }
            | Self::Deleted(_)
            | Self::Organization(_)
            | Self::User(..)
            | Self::Inbox(_)
            | Self::Key(..)
            | Self::KeyRevoked(_)
            | Self::Session(..)
            | Self::SessionEnded(_)
            | Self::ArticleDeleted(_) => None,
        }
    }
}

/// The rows an event writes beside the conversation's header.
#[derive(Clone, Debug)]
pub enum Content {
    /// None.
    None,
    /// A message or system line.
    Message(Message),
    /// A message that is marked for review.
    Flagged(Message),
    /// The line that a message was taken back, and what is left of that.
    Retracted {
        /// The line.
        line: Box<Message>,
        /// The message without its text.
        message: Box<Message>,
    },
    /// A conversation that is gone, with everything that was its own.
    Deleted(Box<Conversation>),
    /// A note.
    Note(Note),
    /// A new organization.
    Organization(Organization),
    /// A user as they are now, and what that does to their sign-in.
    User(User, Credential),
    /// A new inbox.
    Inbox(Inbox),
    /// A new key and the hash of its secret.
    Key(Key, Hidden<[u8; 32]>),
    /// A key that was revoked.
    KeyRevoked(KeyId),
    /// A new session and the hash of its token.
    Session(Session, Hidden<[u8; 32]>),
    /// A session that was ended.
    SessionEnded(SessionId),
    /// An article as it is now.
    Article(Article),
    /// An article that is gone.
    ArticleDeleted(ArticleId),
}
