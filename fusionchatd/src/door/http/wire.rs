//! Rows as JSON, for REST and the WebSocket. What a visitor must not see is left out here:
//! positions, notes, reasons and the ids of staff.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::{Serialize, Serializer};

use crate::domain::article::Article;
use crate::domain::conversation::Resolution;
use crate::domain::id::{
    ArticleId, ClientId, ConversationId, EscalationId, InboxId, MessageId, OrganizationId, UserId,
};
use crate::domain::message::SenderType;
use crate::domain::user::User;
use crate::service::inbox::InboxView;
use crate::service::view::{ConversationView, EscalationView, MessageView, NoteView};
use crate::service::visitor::assistant_word;

use super::word::{
    actor_word, article_word, availability_word, handler_word, outcome_word, role_word,
    sender_word, status_word,
};

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The visitor of the conversation.
    Visitor,
    /// Staff and keys.
    Staff,
}

fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn maybe<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

fn texts<T: Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

/// A message or system line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageJson<'a> {
    #[serde(serialize_with = "text")]
    conversation: ConversationId,
    seq: u64,
    #[serde(serialize_with = "text")]
    id: MessageId,
    sender_type: &'static str,
    #[serde(serialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    sender_id: Option<UserId>,
    #[serde(skip_serializing_if = "str::is_empty")]
    sender_name: &'a str,
    content: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<SystemJson<'a>>,
    #[serde(serialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    client_id: Option<ClientId>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceJson<'a> {
    #[serde(serialize_with = "text")]
    article_id: ArticleId,
    title: &'a str,
    url: String,
}

#[derive(Debug, Serialize)]
struct SystemJson<'a> {
    code: &'a str,
    params: BTreeMap<&'a str, &'a str>,
}

impl<'a> MessageJson<'a> {
    /// A message for somebody; `public_url` is where they reach the articles.
    pub(crate) fn new(view: &'a MessageView, public_url: &str, audience: Audience) -> Self {
        let message = &view.message;
        let staff = audience == Audience::Staff;
        let own = message.sender_type == SenderType::User;
        Self {
            conversation: message.conversation,
            seq: message.seq,
            id: message.id,
            sender_type: sender_word(message.sender_type),
            sender_id: message.sender.filter(|_| staff),
            sender_name: &view.sender_name,
            content: &message.content,
            sources: message
                .sources
                .iter()
                .map(|source| SourceJson {
                    article_id: source.article,
                    title: &source.title,
                    url: format!("{public_url}/a/{}", source.article),
                })
                .collect(),
            system: message.system.as_ref().map(|line| SystemJson {
                code: &line.code,
                params: line.params.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
            }),
            client_id: message.client_id.filter(|_| staff || own),
            created_at: message.created_at,
            position: staff.then_some(message.position),
        }
    }
}

/// A note; for staff only.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NoteJson<'a> {
    #[serde(serialize_with = "text")]
    conversation: ConversationId,
    #[serde(serialize_with = "text")]
    id: MessageId,
    #[serde(serialize_with = "text")]
    author_id: UserId,
    author_name: &'a str,
    content: &'a str,
    #[serde(serialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    client_id: Option<ClientId>,
    created_at: i64,
    position: u64,
}

impl<'a> From<&'a NoteView> for NoteJson<'a> {
    fn from(view: &'a NoteView) -> Self {
        let note = &view.note;
        Self {
            conversation: note.conversation,
            id: note.id,
            author_id: note.author,
            author_name: &view.author_name,
            content: &note.content,
            client_id: note.client_id,
            created_at: note.created_at,
            position: note.position,
        }
    }
}

/// A conversation as its visitor sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VisitorConversation<'a> {
    #[serde(serialize_with = "text")]
    id: ConversationId,
    status: &'static str,
    handler: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentJson<'a>>,
    last_seq: u64,
    visitor_mark: u64,
    staff_mark: u64,
}

#[derive(Debug, Serialize)]
struct AgentJson<'a> {
    name: &'a str,
}

impl<'a> From<&'a ConversationView> for VisitorConversation<'a> {
    fn from(view: &'a ConversationView) -> Self {
        let header = &view.header;
        Self {
            id: header.id,
            status: status_word(header.status),
            handler: handler_word(header.handler),
            agent: header.assignee.map(|_| AgentJson { name: &view.assignee_name }),
            last_seq: header.last_seq,
            visitor_mark: header.visitor_mark,
            staff_mark: header.staff_mark,
        }
    }
}

/// A conversation as staff see it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversationJson<'a> {
    #[serde(serialize_with = "text")]
    id: ConversationId,
    number: u64,
    #[serde(serialize_with = "text")]
    organization_id: OrganizationId,
    #[serde(serialize_with = "text")]
    inbox_id: InboxId,
    inbox_name: &'a str,
    status: &'static str,
    handler: &'static str,
    #[serde(serialize_with = "texts")]
    participants: &'a [UserId],
    #[serde(serialize_with = "text")]
    visitor_id: UserId,
    visitor_name: &'a str,
    #[serde(serialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    assignee: Option<UserId>,
    assignee_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_at: Option<i64>,
    turn: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_since: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<&'static str>,
    locale: &'a str,
    last_seq: u64,
    last_line: &'a str,
    last_sender: &'static str,
    visitor_mark: u64,
    staff_mark: u64,
    unread: u64,
    created_at: i64,
    updated_at: i64,
    position: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    escalation: Option<EscalationJson<'a>>,
}

impl<'a> From<&'a ConversationView> for ConversationJson<'a> {
    fn from(view: &'a ConversationView) -> Self {
        let header = &view.header;
        Self {
            id: header.id,
            number: header.number,
            organization_id: header.organization,
            inbox_id: header.inbox,
            inbox_name: &view.inbox_name,
            status: status_word(header.status),
            handler: handler_word(header.handler),
            participants: &header.participants,
            visitor_id: header.visitor,
            visitor_name: &view.visitor_name,
            assignee: header.assignee,
            assignee_name: &view.assignee_name,
            assigned_at: header.assigned_at,
            turn: header.turn,
            waiting_since: header.waiting_since,
            resolution: header.resolution.map(Resolution::name),
            locale: &header.locale,
            last_seq: header.last_seq,
            last_line: &header.last_line,
            last_sender: sender_word(header.line_sender),
            visitor_mark: header.visitor_mark,
            staff_mark: header.staff_mark,
            unread: header.unread,
            created_at: header.created_at,
            updated_at: header.updated_at,
            position: header.position,
            escalation: view.escalation.as_ref().map(EscalationJson::from),
        }
    }
}

/// One stay in the live queue.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EscalationJson<'a> {
    #[serde(serialize_with = "text")]
    id: EscalationId,
    #[serde(serialize_with = "text")]
    conversation: ConversationId,
    number: u64,
    reason: &'a str,
    by: ActorJson<'a>,
    #[serde(serialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    to: Option<UserId>,
    created_at: i64,
    #[serde(serialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    claimed_by: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ActorJson<'a> {
    kind: &'static str,
    #[serde(serialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    name: &'a str,
}

impl<'a> From<&'a EscalationView> for EscalationJson<'a> {
    fn from(view: &'a EscalationView) -> Self {
        let row = &view.escalation;
        Self {
            id: row.id,
            conversation: row.conversation,
            number: view.number,
            reason: &row.reason,
            by: ActorJson {
                kind: actor_word(row.by.kind),
                user_id: row.by.user,
                name: &view.by_name,
            },
            to: row.to,
            created_at: row.created_at,
            claimed_by: row.claimed_by,
            claimed_at: row.claimed_at,
            ended_at: row.ended_at,
            outcome: row.outcome.map(outcome_word),
        }
    }
}

/// A member of staff or a visitor.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserJson<'a> {
    #[serde(serialize_with = "text")]
    id: UserId,
    #[serde(serialize_with = "text")]
    organization_id: OrganizationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    role: &'static str,
    availability: &'static str,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_until: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<i64>,
}

impl<'a> From<&'a User> for UserJson<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id,
            organization_id: user.organization,
            external_id: user.external_id.as_deref(),
            email: user.email.as_deref(),
            name: user.name.as_deref(),
            role: role_word(user.role),
            availability: availability_word(user.availability),
            created_at: user.created_at,
            invited_until: user.invited_until,
            disabled_at: user.disabled_at,
        }
    }
}

/// An inbox.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InboxJson<'a> {
    #[serde(serialize_with = "text")]
    id: InboxId,
    #[serde(serialize_with = "text")]
    organization_id: OrganizationId,
    name: &'a str,
    origins: &'a [String],
    assistant: &'static str,
    locale: &'a str,
    created_at: i64,
    staffed: bool,
    #[serde(serialize_with = "texts")]
    members: &'a [UserId],
    member_names: &'a [String],
    snippet: &'a str,
}

impl<'a> From<&'a InboxView> for InboxJson<'a> {
    fn from(view: &'a InboxView) -> Self {
        let inbox = &view.inbox;
        Self {
            id: inbox.id,
            organization_id: inbox.organization,
            name: &inbox.name,
            origins: &inbox.origins,
            assistant: assistant_word(inbox.assistant),
            locale: &inbox.locale,
            created_at: inbox.created_at,
            staffed: view.staffed,
            members: &inbox.members,
            member_names: &view.member_names,
            snippet: &view.snippet,
        }
    }
}

/// An article; in lists without its body.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArticleJson<'a> {
    #[serde(serialize_with = "text")]
    id: ArticleId,
    #[serde(serialize_with = "text")]
    organization_id: OrganizationId,
    #[serde(serialize_with = "texts")]
    inboxes: &'a [InboxId],
    status: &'static str,
    locale: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_path: Option<&'a str>,
    updated_at: i64,
    url: String,
}

impl<'a> ArticleJson<'a> {
    /// An article with its body.
    pub(super) fn whole(article: &'a Article, public_url: &str) -> Self {
        Self {
            id: article.id,
            organization_id: article.organization,
            inboxes: &article.inboxes,
            status: article_word(article.status),
            locale: &article.locale,
            title: &article.title,
            body: Some(&article.body),
            source_path: article.source_path.as_deref(),
            updated_at: article.updated_at,
            url: format!("{public_url}/a/{}", article.id),
        }
    }

    /// An article as a line of a list.
    pub(super) fn line(article: &'a Article, public_url: &str) -> Self {
        Self { body: None, ..Self::whole(article, public_url) }
    }
}
