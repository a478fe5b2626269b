//! Rows of conversations, messages, notes and escalations.

use bytes::Bytes;
use prost::Message as ProstMessage;

use crate::domain::conversation::{Conversation, Handler, Offer, Resolution, Status};
use crate::domain::escalation::{Escalation, Outcome};
use crate::domain::id::{ConversationId, EscalationId, InboxId, OrganizationId, UserId};
use crate::domain::message::SenderType;
use crate::domain::priority::Priority;

use super::entry::{StoredActor, load_actor, store_actor};
use super::{Damage, Record, id, key_id, maybe, stored, uuid};

#[derive(Clone, PartialEq, ProstMessage)]
/// The stored form.
pub struct StoredConversation {
    // 1 and 3 were the conversation's id and the organization's.
    #[prost(uint64, tag = "2")]
    number: u64,
    #[prost(bytes = "bytes", tag = "4")]
    inbox: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    visitor: Bytes,
    #[prost(uint32, tag = "6")]
    status: u32,
    #[prost(uint32, tag = "7")]
    handler: u32,
    #[prost(bytes = "bytes", optional, tag = "8")]
    assignee: Option<Bytes>,
    #[prost(int64, optional, tag = "9")]
    assigned_at: Option<i64>,
    #[prost(bytes = "bytes", optional, tag = "10")]
    last_agent: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "11")]
    participants: Vec<Bytes>,
    #[prost(uint64, tag = "12")]
    turn: u64,
    #[prost(int64, optional, tag = "13")]
    waiting_since: Option<i64>,
    #[prost(uint64, optional, tag = "14")]
    waiting_position: Option<u64>,
    #[prost(uint32, optional, tag = "15")]
    resolution: Option<u32>,
    #[prost(int64, optional, tag = "16")]
    resolved_at: Option<i64>,
    #[prost(uint32, optional, tag = "17")]
    resolved_with: Option<u32>,
    #[prost(uint32, tag = "18")]
    reopened_to_assistant: u32,
    #[prost(string, tag = "19")]
    locale: String,
    #[prost(uint64, tag = "20")]
    last_seq: u64,
    #[prost(uint64, tag = "21")]
    last_visitor_seq: u64,
    #[prost(string, tag = "22")]
    last_line: String,
    #[prost(uint32, tag = "23")]
    last_sender: u32,
    #[prost(uint64, tag = "24")]
    visitor_mark: u64,
    #[prost(uint64, tag = "25")]
    staff_mark: u64,
    #[prost(uint64, tag = "26")]
    unread: u64,
    #[prost(uint32, tag = "27")]
    clarifications: u32,
    #[prost(bytes = "bytes", optional, tag = "28")]
    escalation: Option<Bytes>,
    #[prost(int64, optional, tag = "29")]
    assistant_due: Option<i64>,
    #[prost(int64, tag = "30")]
    created_at: i64,
    #[prost(int64, tag = "31")]
    updated_at: i64,
    #[prost(uint64, tag = "32")]
    position: u64,
    #[prost(uint64, tag = "33")]
    rank: u64,
    #[prost(uint32, tag = "34")]
    line_sender: u32,
    #[prost(bytes = "bytes", optional, tag = "35")]
    offered_to: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "36")]
    offered_by: Option<Bytes>,
    #[prost(int64, optional, tag = "37")]
    offer_due: Option<i64>,
    #[prost(int64, optional, tag = "38")]
    silence_due: Option<i64>,
    #[prost(bool, tag = "39")]
    silence_noticed: bool,
    #[prost(bytes = "bytes", optional, tag = "40")]
    previous: Option<Bytes>,
    #[prost(string, repeated, tag = "41")]
    tags: Vec<String>,
    #[prost(uint32, tag = "42")]
    priority: u32,
    #[prost(int64, optional, tag = "43")]
    expires_at: Option<i64>,
    #[prost(uint64, tag = "44")]
    test_notes: u64,
}

impl Record for Conversation {
    const KIND: u8 = 32;
    const VERSION: u8 = 2;
    type Stored = StoredConversation;

    fn store(&self) -> StoredConversation {
        StoredConversation {
            number: self.number,
            inbox: id(&self.inbox.0),
            visitor: id(&self.visitor.0),
            status: self.status as u32,
            handler: self.handler as u32,
            assignee: self.assignee.map(|it| id(&it.0)),
            assigned_at: self.assigned_at,
            last_agent: self.last_agent.map(|it| id(&it.0)),
            participants: self.participants.iter().map(|it| id(&it.0)).collect(),
            turn: self.turn,
            waiting_since: self.waiting_since,
            waiting_position: self.waiting_position,
            resolution: self.resolution.map(|it| it as u32),
            resolved_at: self.resolved_at,
            resolved_with: self.resolved_with.map(|it| it as u32),
            reopened_to_assistant: self.reopened_to_assistant,
            locale: self.locale.clone(),
            last_seq: self.last_seq,
            last_visitor_seq: self.last_visitor_seq,
            last_line: self.last_line.clone(),
            line_sender: self.line_sender.code(),
            last_sender: self.last_sender.code(),
            visitor_mark: self.visitor_mark,
            staff_mark: self.staff_mark,
            unread: self.unread,
            clarifications: self.clarifications,
            escalation: self.escalation.map(|it| id(&it.0)),
            assistant_due: self.assistant_due,
            created_at: self.created_at,
            updated_at: self.updated_at,
            position: self.position,
            rank: self.rank,
            offered_to: self.offer.map(|it| id(&it.to.0)),
            offered_by: self.offer.and_then(|it| it.from).map(|it| id(&it.0)),
            offer_due: self.offer.map(|it| it.due),
            silence_due: self.silence_due,
            silence_noticed: self.silence_noticed,
            previous: self.previous.map(|it| id(&it.0)),
            tags: self.tags.clone(),
            priority: self.priority as u32,
            expires_at: self.expires_at,
            test_notes: self.test_notes,
        }
    }

    fn load(key: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredConversation = stored(content)?;
        let user = |bytes: Option<&Bytes>| maybe(bytes).map(|it| it.map(UserId));
        Ok(Self {
            id: ConversationId(key_id(key, 17)?),
            number: it.number,
            organization: OrganizationId(key_id(key, 1)?),
            inbox: InboxId(uuid(&it.inbox)?),
            visitor: UserId(uuid(&it.visitor)?),
            status: Status::from_code(it.status).ok_or("unknown status")?,
            handler: Handler::from_code(it.handler).ok_or("unknown handler")?,
            assignee: user(it.assignee.as_ref())?,
            assigned_at: it.assigned_at,
            last_agent: user(it.last_agent.as_ref())?,
            participants: it
                .participants
                .iter()
                .map(|it| uuid(it).map(UserId))
                .collect::<Result<_, _>>()?,
            turn: it.turn,
            waiting_since: it.waiting_since,
            waiting_position: it.waiting_position,
            resolution: it
                .resolution
                .map(|it| Resolution::from_code(it).ok_or("unknown resolution"))
                .transpose()?,
            resolved_at: it.resolved_at,
            resolved_with: it
                .resolved_with
                .map(|it| Handler::from_code(it).ok_or("unknown handler"))
                .transpose()?,
            reopened_to_assistant: it.reopened_to_assistant,
            locale: it.locale,
            last_seq: it.last_seq,
            last_visitor_seq: it.last_visitor_seq,
            last_line: it.last_line,
            line_sender: SenderType::from_code(it.line_sender).ok_or("unknown sender type")?,
            last_sender: SenderType::from_code(it.last_sender).ok_or("unknown sender type")?,
            visitor_mark: it.visitor_mark,
            staff_mark: it.staff_mark,
            unread: it.unread,
            clarifications: it.clarifications,
            escalation: maybe(it.escalation.as_ref())?.map(EscalationId),
            assistant_due: it.assistant_due,
            created_at: it.created_at,
            updated_at: it.updated_at,
            position: it.position,
            rank: it.rank,
            offer: {
                let from = user(it.offered_by.as_ref())?;
                let to = user(it.offered_to.as_ref())?;
                to.zip(it.offer_due).map(|(to, due)| Offer { to, from, due })
            },
            silence_due: it.silence_due,
            silence_noticed: it.silence_noticed,
            previous: maybe(it.previous.as_ref())?.map(ConversationId),
            tags: it.tags,
            priority: Priority::from_code(it.priority).ok_or("unknown priority")?,
            expires_at: it.expires_at,
            test_notes: it.test_notes,
        })
    }
}

#[derive(Clone, PartialEq, ProstMessage)]
/// The stored form.
pub struct StoredEscalation {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    conversation: Bytes,
    #[prost(string, tag = "3")]
    reason: String,
    #[prost(message, optional, tag = "4")]
    by: Option<StoredActor>,
    #[prost(bytes = "bytes", optional, tag = "5")]
    to: Option<Bytes>,
    #[prost(int64, tag = "6")]
    created_at: i64,
    #[prost(bytes = "bytes", optional, tag = "7")]
    claimed_by: Option<Bytes>,
    #[prost(int64, optional, tag = "8")]
    claimed_at: Option<i64>,
    #[prost(int64, optional, tag = "9")]
    ended_at: Option<i64>,
    #[prost(uint32, optional, tag = "10")]
    outcome: Option<u32>,
}

impl Record for Escalation {
    const KIND: u8 = 35;
    type Stored = StoredEscalation;

    fn store(&self) -> StoredEscalation {
        StoredEscalation {
            id: id(&self.id.0),
            conversation: id(&self.conversation.0),
            reason: self.reason.clone(),
            by: Some(store_actor(&self.by)),
            to: self.to.map(|it| id(&it.0)),
            created_at: self.created_at,
            claimed_by: self.claimed_by.map(|it| id(&it.0)),
            claimed_at: self.claimed_at,
            ended_at: self.ended_at,
            outcome: self.outcome.map(|it| it as u32),
        }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredEscalation = stored(content)?;
        let outcome = |code| match code {
            0 => Ok(Outcome::Claimed),
            1 => Ok(Outcome::Returned),
            2 => Ok(Outcome::Resolved),
            3 => Ok(Outcome::Abandoned),
            _ => Err("unknown outcome"),
        };
        Ok(Self {
            id: EscalationId(uuid(&it.id)?),
            conversation: ConversationId(uuid(&it.conversation)?),
            reason: it.reason,
            by: load_actor(it.by)?,
            to: maybe(it.to.as_ref())?.map(UserId),
            created_at: it.created_at,
            claimed_by: maybe(it.claimed_by.as_ref())?.map(UserId),
            claimed_at: it.claimed_at,
            ended_at: it.ended_at,
            outcome: it.outcome.map(outcome).transpose()?,
        })
    }
}
