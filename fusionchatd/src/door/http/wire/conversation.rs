//! Conversations as JSON, in the shape of who reads them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::id::{ConversationId, InboxId, OrganizationId, UserId};
use crate::service::view::ConversationView;

use super::Audience;
use super::escalation::EscalationJson;
use super::text::{Text, Texts};
use super::word::{HandlerWord, PriorityWord, ResolutionWord, SenderWord, StatusWord};

/// A conversation in the shape of who reads it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum Shown<'a> {
    /// For staff and keys.
    Staff(Box<ConversationJson<'a>>),
    /// For its visitor.
    Visitor(VisitorConversation<'a>),
}

impl<'a> Shown<'a> {
    /// A conversation for somebody.
    pub(crate) fn new(view: &'a ConversationView, audience: Audience) -> Self {
        match audience {
            Audience::Visitor => Self::Visitor(view.into()),
            Audience::Staff => Self::Staff(Box::new(view.into())),
        }
    }
}

/// A conversation as its visitor sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VisitorConversation<'a> {
    /// Its id.
    id: Text<ConversationId>,
    /// Where it stands.
    status: StatusWord,
    /// Who answers next.
    handler: HandlerWord,
    /// The agent who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentJson<'a>>,
    /// The number of its last message.
    last_seq: u64,
    /// The last message the visitor has read.
    visitor_mark: u64,
    /// The last message staff have read.
    staff_mark: u64,
}

/// An agent as a visitor knows them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VisitorAgent")]
struct AgentJson<'a> {
    /// What they are called.
    name: &'a str,
}

impl<'a> From<&'a ConversationView> for VisitorConversation<'a> {
    fn from(view: &'a ConversationView) -> Self {
        let header = &view.header;
        Self {
            id: Text(header.id),
            status: header.status.into(),
            handler: header.handler.into(),
            agent: header.assignee.map(|_| AgentJson { name: &view.assignee_name }),
            last_seq: header.last_seq,
            visitor_mark: header.visitor_mark,
            staff_mark: header.staff_mark,
        }
    }
}

/// A conversation as staff see it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Conversation")]
pub(crate) struct ConversationJson<'a> {
    /// Its id.
    id: Text<ConversationId>,
    /// Its number in the organization, from 1001 without gaps.
    number: u64,
    /// The organization's id.
    organization_id: Text<OrganizationId>,
    /// The inbox's id.
    inbox_id: Text<InboxId>,
    /// What the inbox is called.
    inbox_name: &'a str,
    /// Where it stands.
    status: StatusWord,
    /// Who answers next.
    handler: HandlerWord,
    /// The visitor and every person who has publicly replied.
    participants: Texts<'a, UserId>,
    /// The visitor's id.
    visitor_id: Text<UserId>,
    /// What the visitor is called; empty if nobody knows.
    visitor_name: &'a str,
    /// The agent who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<Text<UserId>>,
    /// What that agent is called; empty if there is none.
    assignee_name: &'a str,
    /// Since when they have it, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_at: Option<i64>,
    /// Raised by every change of handler and every message of the visitor.
    turn: u64,
    /// The oldest message of the visitor no person has answered since a person was needed, in Unix
    /// milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_since: Option<i64>,
    /// How it was resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<ResolutionWord>,
    /// The visitor's language.
    locale: &'a str,
    /// The number of its last message.
    last_seq: u64,
    /// The beginning of what a person said last.
    last_line: &'a str,
    /// Who said that.
    last_sender: SenderWord,
    /// The last message the visitor has read.
    visitor_mark: u64,
    /// The last message staff have read.
    staff_mark: u64,
    /// How many messages of the visitor staff have not read.
    unread: u64,
    /// When it began, in Unix milliseconds.
    created_at: i64,
    /// When it changed last, in Unix milliseconds.
    updated_at: i64,
    /// The place in the organization's journal of what changed it last.
    position: u64,
    /// Its present stay in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    escalation: Option<EscalationJson<'a>>,
    /// How urgent it is.
    priority: PriorityWord,
    /// Its tags.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    /// The agent who had it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred: Option<Text<UserId>>,
    /// What that agent is called.
    #[serde(skip_serializing_if = "str::is_empty")]
    preferred_name: &'a str,
    /// Until when a transfer waits for the agent it is offered to, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    offered_until: Option<i64>,
    /// The number of the conversation this one continues.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<u64>,
    /// When this test conversation goes, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    test_until: Option<i64>,
}

impl<'a> From<&'a ConversationView> for ConversationJson<'a> {
    fn from(view: &'a ConversationView) -> Self {
        let header = &view.header;
        Self {
            id: Text(header.id),
            number: header.number,
            organization_id: Text(header.organization),
            inbox_id: Text(header.inbox),
            inbox_name: &view.inbox_name,
            status: header.status.into(),
            handler: header.handler.into(),
            participants: Texts(&header.participants),
            visitor_id: Text(header.visitor),
            visitor_name: &view.visitor_name,
            assignee: header.assignee.map(Text),
            assignee_name: &view.assignee_name,
            assigned_at: header.assigned_at,
            turn: header.turn,
            waiting_since: header.waiting_since,
            resolution: header.resolution.map(ResolutionWord::from),
            locale: &header.locale,
            last_seq: header.last_seq,
            last_line: &header.last_line,
            last_sender: header.line_sender.into(),
            visitor_mark: header.visitor_mark,
            staff_mark: header.staff_mark,
            unread: header.unread,
            created_at: header.created_at,
            updated_at: header.updated_at,
            position: header.position,
            escalation: view.escalation.as_ref().map(EscalationJson::from),
            priority: header.priority.into(),
            tags: &header.tags,
            preferred: header.last_agent.map(Text),
            preferred_name: &view.preferred_name,
            offered_until: header.offer.map(|it| it.due),
            previous: view.previous,
            test_until: header.expires_at,
        }
    }
}
