//! Every table, its key and what it holds: one tree of ordered bytes, told apart by the first byte of a key.
//! Ids are sixteen bytes, numbers big-endian, so that a scan comes in order. A rule about a row never stands here.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use crate::domain::id::{
    ArticleId, ClientId, ConversationId, EscalationId, InboxId, KeyId, OrganizationId, SessionId,
    UserId,
};
use crate::domain::lane::Lane;
use crate::domain::timer::TimerKind;

use super::{Key, Range};

/// The first byte of every key. The numbers are stored: never reuse one. 0x00 is the store's own format row and
/// 0xFF the engine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Table {
    /// organization -> head of its journal.
    Head = 0x01,
    /// organization | position -> entry.
    Entry = 0x02,
    /// organization -> organization.
    Organization = 0x03,
    /// name -> organization. Global.
    OrganizationName = 0x04,
    /// organization | user -> user.
    User = 0x05,
    /// organization | 0 e-mail or 1 name -> user.
    UserName = 0x06,
    /// e-mail | organization -> user: who may sign in by it. Global.
    SignIn = 0x07,
    /// organization | user -> password hash.
    Password = 0x08,
    /// organization | inbox -> inbox.
    Inbox = 0x09,
    /// organization | name -> inbox.
    InboxName = 0x0A,
    /// inbox -> organization. Global.
    InboxOrganization = 0x0B,
    /// organization | key -> key.
    ApiKey = 0x0C,
    /// key -> organization and the hash of its secret. Global.
    ApiKeySecret = 0x0D,
    /// organization | session -> session.
    Session = 0x0E,
    /// hash of a token -> organization and session. Global.
    SessionToken = 0x0F,
    /// organization | conversation -> header.
    Conversation = 0x10,
    /// organization | number -> conversation.
    ConversationNumber = 0x11,
    /// organization | conversation | seq -> message.
    Message = 0x12,
    /// organization | conversation | position -> note.
    Note = 0x13,
    /// organization | lane | rank -> conversation: the live queue and the lists.
    ConversationStatus = 0x14,
    /// organization | assignee | rank -> conversation.
    ConversationAssignee = 0x15,
    /// organization | escalation -> escalation.
    Escalation = 0x16,
    /// organization | visitor | inbox -> their latest conversation.
    VisitorConversation = 0x17,
    /// organization | sender | client id -> what the command did.
    Done = 0x18,
    /// organization | article -> article.
    Article = 0x19,
    /// organization | source path -> article.
    ArticlePath = 0x1A,
    /// due | organization | kind | subject -> the turn it was set in.
    Timer = 0x1B,
    /// organization | worker -> how far it has read.
    WorkerCursor = 0x1C,
    /// organization | day -> tokens its model has used.
    ModelTokens = 0x40,
    /// one row: the daemon's epoch and secret.
    Daemon = 0x1D,
    /// organization | member of staff | session -> session.
    StaffSession = 0x1E,
    /// article -> organization. Global.
    ArticleOrganization = 0x1F,
    /// hash of a one-time code -> organization and user. Global.
    Invite = 0x30,
    /// organization | user -> the hash of their one-time code.
    UserInvite = 0x31,
    /// organization | conversation | escalation -> escalation: all that a conversation had.
    ConversationEscalation = 0x38,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 35] = [
        Self::Head,
        Self::Entry,
        Self::Organization,
        Self::OrganizationName,
        Self::User,
        Self::UserName,
        Self::SignIn,
        Self::Password,
        Self::Inbox,
        Self::InboxName,
        Self::InboxOrganization,
        Self::ApiKey,
        Self::ApiKeySecret,
        Self::Session,
        Self::SessionToken,
        Self::Conversation,
        Self::ConversationNumber,
        Self::Message,
        Self::Note,
        Self::ConversationStatus,
        Self::ConversationAssignee,
        Self::Escalation,
        Self::VisitorConversation,
        Self::Done,
        Self::Article,
        Self::ArticlePath,
        Self::Timer,
        Self::WorkerCursor,
        Self::ModelTokens,
        Self::Daemon,
        Self::StaffSession,
        Self::ArticleOrganization,
        Self::Invite,
        Self::UserInvite,
        Self::ConversationEscalation,
    ];

    /// The table a key belongs to.
    pub fn of(key: &[u8]) -> Option<Self> {
        let first = key.first()?;
        Self::ALL.into_iter().find(|table| *table as u8 == *first)
    }
}

fn key(table: Table, parts: &[&[u8]]) -> Key {
    let mut bytes = BytesMut::with_capacity(1 + parts.iter().map(|it| it.len()).sum::<usize>());
    bytes.put_u8(table as u8);
    for part in parts {
        bytes.put_slice(part);
    }
    bytes.freeze()
}

/// The id that begins at this byte of a key.
pub fn id_at(key: &[u8], at: usize) -> Option<Uuid> {
    Uuid::from_slice(key.get(at..at + 16)?).ok()
}

/// The number at the end of a key: an entry's or note's position, a message's seq.
pub fn last_number(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// All rows of `table` whose keys continue with `parts`.
fn range(table: Table, parts: &[&[u8]]) -> Range {
    Range::prefix(&key(table, parts))
}

/// All rows of a table.
pub fn all(table: Table) -> Range {
    range(table, &[])
}

/// All rows of a table that begin with the organization and are this one's.
pub fn all_of(table: Table, organization: OrganizationId) -> Range {
    range(table, &[organization.bytes()])
}

/// The head of a journal.
pub fn head(organization: OrganizationId) -> Key {
    key(Table::Head, &[organization.bytes()])
}

/// One entry.
pub fn entry(organization: OrganizationId, position: u64) -> Key {
    key(Table::Entry, &[organization.bytes(), &position.to_be_bytes()])
}

/// The entries from `first` on.
pub fn entries_from(organization: OrganizationId, first: u64) -> Range {
    Range {
        start: entry(organization, first),
        end: range(Table::Entry, &[organization.bytes()]).end,
    }
}

/// An organization's row.
pub fn organization(id: OrganizationId) -> Key {
    key(Table::Organization, &[id.bytes()])
}

/// All organizations.
pub fn organizations() -> Range {
    range(Table::Organization, &[])
}

/// The organization of a name.
pub fn organization_name(name: &str) -> Key {
    key(Table::OrganizationName, &[name.as_bytes()])
}

/// A user's row.
pub fn user(organization: OrganizationId, id: UserId) -> Key {
    key(Table::User, &[organization.bytes(), id.bytes()])
}

/// All staff of an organization by name.
pub fn staff(organization: OrganizationId) -> Range {
    range(Table::UserName, &[organization.bytes(), &[1]])
}

/// The member of staff with this name.
pub fn user_name(organization: OrganizationId, name: &str) -> Key {
    key(Table::UserName, &[organization.bytes(), &[1], name.as_bytes()])
}

/// The member of staff with this e-mail address.
pub fn user_email(organization: OrganizationId, email: &str) -> Key {
    key(Table::UserName, &[organization.bytes(), &[0], email.as_bytes()])
}

/// Who may sign in by this e-mail address, in an organization.
pub fn sign_in(email: &str, organization: OrganizationId) -> Key {
    key(Table::SignIn, &[email.as_bytes(), &[0], organization.bytes()])
}

/// Who may sign in by this e-mail address, anywhere.
pub fn sign_ins(email: &str) -> Range {
    range(Table::SignIn, &[email.as_bytes(), &[0]])
}

/// A password hash.
pub fn password(organization: OrganizationId, user: UserId) -> Key {
    key(Table::Password, &[organization.bytes(), user.bytes()])
}

/// Whose one-time code this is, by the code's hash.
pub fn invite(hash: &[u8; 32]) -> Key {
    key(Table::Invite, &[hash])
}

/// The one-time code of a member of staff.
pub fn user_invite(organization: OrganizationId, user: UserId) -> Key {
    key(Table::UserInvite, &[organization.bytes(), user.bytes()])
}

/// An inbox's row.
pub fn inbox(organization: OrganizationId, id: InboxId) -> Key {
    key(Table::Inbox, &[organization.bytes(), id.bytes()])
}

/// All inboxes of an organization.
pub fn inboxes(organization: OrganizationId) -> Range {
    range(Table::Inbox, &[organization.bytes()])
}

/// The inbox of a name.
pub fn inbox_name(organization: OrganizationId, name: &str) -> Key {
    key(Table::InboxName, &[organization.bytes(), name.as_bytes()])
}

/// The organization of an inbox.
pub fn inbox_organization(id: InboxId) -> Key {
    key(Table::InboxOrganization, &[id.bytes()])
}

/// A key's row.
pub fn api_key(organization: OrganizationId, id: KeyId) -> Key {
    key(Table::ApiKey, &[organization.bytes(), id.bytes()])
}

/// All keys of an organization.
pub fn api_keys(organization: OrganizationId) -> Range {
    range(Table::ApiKey, &[organization.bytes()])
}

/// The organization of a key and the hash of its secret.
pub fn api_key_secret(id: KeyId) -> Key {
    key(Table::ApiKeySecret, &[id.bytes()])
}

/// A session's row.
pub fn session(organization: OrganizationId, id: SessionId) -> Key {
    key(Table::Session, &[organization.bytes(), id.bytes()])
}

/// A member of staff's session, in their list.
pub fn staff_session(organization: OrganizationId, user: UserId, id: SessionId) -> Key {
    key(Table::StaffSession, &[organization.bytes(), user.bytes(), id.bytes()])
}

/// The sessions of a member of staff.
pub fn sessions_of(organization: OrganizationId, user: UserId) -> Range {
    range(Table::StaffSession, &[organization.bytes(), user.bytes()])
}

/// The sessions of all staff of an organization.
pub fn staff_sessions(organization: OrganizationId) -> Range {
    range(Table::StaffSession, &[organization.bytes()])
}

/// The session of a token, by the token's hash.
pub fn session_token(hash: &[u8; 32]) -> Key {
    key(Table::SessionToken, &[hash])
}

/// A conversation's header.
pub fn conversation(organization: OrganizationId, id: ConversationId) -> Key {
    key(Table::Conversation, &[organization.bytes(), id.bytes()])
}

/// The conversation of a number.
pub fn conversation_number(organization: OrganizationId, number: u64) -> Key {
    key(Table::ConversationNumber, &[organization.bytes(), &number.to_be_bytes()])
}

/// A message.
pub fn message(organization: OrganizationId, conversation: ConversationId, seq: u64) -> Key {
    key(Table::Message, &[organization.bytes(), conversation.bytes(), &seq.to_be_bytes()])
}

/// A conversation's messages from `first` on.
pub fn messages_from(
    organization: OrganizationId,
    conversation: ConversationId,
    first: u64,
) -> Range {
    let all = range(Table::Message, &[organization.bytes(), conversation.bytes()]);
    Range { start: message(organization, conversation, first), end: all.end }
}

/// A note.
pub fn note(organization: OrganizationId, conversation: ConversationId, position: u64) -> Key {
    key(Table::Note, &[organization.bytes(), conversation.bytes(), &position.to_be_bytes()])
}

/// A conversation's notes from position `first` on.
pub fn notes_from(organization: OrganizationId, conversation: ConversationId, first: u64) -> Range {
    let all = range(Table::Note, &[organization.bytes(), conversation.bytes()]);
    Range { start: note(organization, conversation, first), end: all.end }
}

/// A conversation's place in the list of its lane.
pub fn by_lane(organization: OrganizationId, lane: Lane, rank: u64) -> Key {
    key(Table::ConversationStatus, &[organization.bytes(), &[lane as u8], &rank.to_be_bytes()])
}

/// The list of a lane, in order of rank.
pub fn all_by_lane(organization: OrganizationId, lane: Lane) -> Range {
    range(Table::ConversationStatus, &[organization.bytes(), &[lane as u8]])
}

/// A conversation's place in the list of its assignee.
pub fn by_assignee(organization: OrganizationId, assignee: UserId, rank: u64) -> Key {
    key(Table::ConversationAssignee, &[organization.bytes(), assignee.bytes(), &rank.to_be_bytes()])
}

/// The list of an assignee.
pub fn all_by_assignee(organization: OrganizationId, assignee: UserId) -> Range {
    range(Table::ConversationAssignee, &[organization.bytes(), assignee.bytes()])
}

/// An escalation's row.
pub fn escalation(organization: OrganizationId, id: EscalationId) -> Key {
    key(Table::Escalation, &[organization.bytes(), id.bytes()])
}

/// One escalation of a conversation.
pub fn conversation_escalation(
    organization: OrganizationId,
    conversation: ConversationId,
    id: EscalationId,
) -> Key {
    key(Table::ConversationEscalation, &[organization.bytes(), conversation.bytes(), id.bytes()])
}

/// All escalations of a conversation.
pub fn escalations_of(organization: OrganizationId, conversation: ConversationId) -> Range {
    range(Table::ConversationEscalation, &[organization.bytes(), conversation.bytes()])
}

/// A visitor's latest conversation of each inbox.
pub fn conversations_of(organization: OrganizationId, visitor: UserId) -> Range {
    range(Table::VisitorConversation, &[organization.bytes(), visitor.bytes()])
}

/// All users of an organization.
pub fn users(organization: OrganizationId) -> Range {
    range(Table::User, &[organization.bytes()])
}

/// A visitor's latest conversation of an inbox.
pub fn visitor_conversation(organization: OrganizationId, visitor: UserId, inbox: InboxId) -> Key {
    key(Table::VisitorConversation, &[organization.bytes(), visitor.bytes(), inbox.bytes()])
}

/// What a sender's command did.
pub fn done(organization: OrganizationId, sender: Uuid, client_id: ClientId) -> Key {
    key(Table::Done, &[organization.bytes(), sender.as_bytes(), &client_id.0])
}

/// An article's row.
pub fn article(organization: OrganizationId, id: ArticleId) -> Key {
    key(Table::Article, &[organization.bytes(), id.bytes()])
}

/// The organization of an article.
pub fn article_organization(id: ArticleId) -> Key {
    key(Table::ArticleOrganization, &[id.bytes()])
}

/// All articles of an organization.
pub fn articles(organization: OrganizationId) -> Range {
    range(Table::Article, &[organization.bytes()])
}

/// The article of a source path.
pub fn article_path(organization: OrganizationId, path: &str) -> Key {
    key(Table::ArticlePath, &[organization.bytes(), path.as_bytes()])
}

/// A durable timer. `due` is not negative.
pub fn timer(due: i64, organization: OrganizationId, kind: TimerKind, subject: Uuid) -> Key {
    let due = u64::try_from(due).unwrap_or(0).to_be_bytes();
    key(Table::Timer, &[&due, organization.bytes(), &[kind as u8], subject.as_bytes()])
}

/// The timers due before `now`.
pub fn timers_before(now: i64) -> Range {
    let now = u64::try_from(now).unwrap_or(0).to_be_bytes();
    Range { start: key(Table::Timer, &[]), end: key(Table::Timer, &[&now]) }
}

/// What a timer's key says. Keys without a kind were the assistant's; their conversation no longer knows them.
pub fn timer_of(key: &[u8]) -> Option<(OrganizationId, TimerKind, Uuid)> {
    let organization = OrganizationId(Uuid::from_slice(key.get(9..25)?).ok()?);
    let rest = key.get(25..)?;
    if rest.len() == 16 {
        return Some((organization, TimerKind::Assistant, Uuid::from_slice(rest).ok()?));
    }
    let (kind, subject) = rest.split_first()?;
    Some((organization, TimerKind::from_code(*kind)?, Uuid::from_slice(subject).ok()?))
}

/// How far a worker has read.
pub fn worker_cursor(organization: OrganizationId, worker: &str) -> Key {
    key(Table::WorkerCursor, &[organization.bytes(), worker.as_bytes()])
}

/// How many tokens an organization's model has used on a day since 1970.
pub fn model_tokens(organization: OrganizationId, day: i64) -> Key {
    key(Table::ModelTokens, &[organization.bytes(), &day.to_be_bytes()])
}

/// The daemon's own row.
pub fn daemon() -> Key {
    key(Table::Daemon, &[])
}

/// The rest of `key` after `range`'s common start: the page token of a list.
pub fn after(start: &Range, key: &Bytes) -> Range {
    let mut next = BytesMut::from(key.as_ref());
    next.put_u8(0);
    Range { start: next.freeze(), end: start.end.clone() }
}

#[cfg(test)]
#[path = "table_test.rs"]
mod tests;

#[cfg(test)]
#[path = "table_prop_test.rs"]
mod prop;
