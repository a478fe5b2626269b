//! The rows a decision may look at, gathered by the service before it asks.

use super::Time;
use super::article::Article;
use super::conversation::Conversation;
use super::escalation::Escalation;
use super::hidden::Hidden;
use super::inbox::Inbox;
use super::key::Key;
use super::message::Message;
use super::session::Session;
use super::timer::Delays;
use super::user::User;
use uuid::Uuid;

/// How many fresh ids a decision may use.
pub const IDS_PER_COMMAND: usize = 4;

/// The moment of a decision: everything that is not a row.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The organization's clock: never decreases.
    pub now: Time,
    /// The position of the first entry this decision makes.
    pub position: u64,
    /// The number the next conversation gets.
    pub next_number: u64,
    /// Fresh ids; the same ones when a group is decided again.
    pub ids: [Uuid; IDS_PER_COMMAND],
    /// How long timers wait.
    pub delays: Delays,
}

/// The rows. What a command does not need is left out.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The conversation it is about; for a visitor, their latest in the inbox.
    pub conversation: Option<Conversation>,
    /// The visitor's latest conversation of the same inbox, where that may be another one.
    pub latest: Option<Conversation>,
    /// How many visitor messages come after a mark, if they could be counted.
    pub unread_after: Option<u64>,
    /// That conversation's live escalation.
    pub escalation: Option<Escalation>,
    /// The inbox of the conversation or command.
    pub inbox: Option<Inbox>,
    /// The message it names.
    pub message: Option<Message>,
    /// Whether any member of the inbox is accepting.
    pub staffed: bool,
    /// Whether the conversation is held by somebody who may no longer see its inbox.
    pub held_outside: bool,
    /// The user a command names: the one who gets a claim, whose availability changes, who visits.
    pub user: Option<User>,
    /// Whether the name or path of the command is taken, by the code of what is taken.
    pub taken: Option<&'static str>,
    /// Whether the user of a timer holds a conversation that must go to others.
    pub keeps_waiting: bool,
    /// Who holds the conversation.
    pub assignee: Option<User>,
    /// Whether another admin than that user can act.
    pub other_admin: bool,
    /// The hash of that user's one-time code, if one is out.
    pub code: Option<Hidden<[u8; 32]>>,
    /// The key it names.
    pub key: Option<Key>,
    /// The session it names.
    pub session: Option<Session>,
    /// The article it names, by id or source path.
    pub article: Option<Article>,
}
