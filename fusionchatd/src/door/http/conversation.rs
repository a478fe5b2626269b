//! Conversations by REST. A visitor's token sees its own conversation in the visitor's shape; staff
//! and keys see the whole header.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::domain::actor::Who;
use crate::domain::conversation::{Resolution, Status};
use crate::domain::message::SenderType;
use crate::service::conversation::ListConversations;
use crate::service::error::Error;
use crate::service::view::ConversationView;

use super::call::{Call, answer};
use super::wire::{Audience, ConversationJson, MessageJson, NoteJson, VisitorConversation};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Start {
    #[serde(default)]
    client_id: Option<String>,
    inbox: String,
    content: String,
    #[serde(default)]
    test: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Post {
    #[serde(default)]
    client_id: Option<String>,
    content: String,
    #[serde(default)]
    sender_type: Option<SenderWord>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SenderWord {
    User,
    Agent,
    Assistant,
    System,
}

impl From<SenderWord> for SenderType {
    fn from(word: SenderWord) -> Self {
        match word {
            SenderWord::User => Self::User,
            SenderWord::Agent => Self::Agent,
            SenderWord::Assistant => Self::Assistant,
            SenderWord::System => Self::System,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddNote {
    #[serde(default)]
    client_id: Option<String>,
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Act {
    #[serde(default)]
    client_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Claim {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    take: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Escalate {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Resolve {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    resolution: Option<ResolutionWord>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ResolutionWord {
    Confirmed,
    Agent,
    Duplicate,
    Spam,
    Visitor,
}

impl From<ResolutionWord> for Resolution {
    fn from(word: ResolutionWord) -> Self {
        match word {
            ResolutionWord::Confirmed => Self::Confirmed,
            ResolutionWord::Agent => Self::Agent,
            ResolutionWord::Duplicate => Self::Duplicate,
            ResolutionWord::Spam => Self::Spam,
            ResolutionWord::Visitor => Self::Visitor,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListQuery {
    /// Statuses, separated by commas.
    #[serde(default)]
    status: String,
    #[serde(default)]
    assignee: Option<String>,
    /// Test conversations, which no other list shows.
    #[serde(default)]
    tests: bool,
    #[serde(default)]
    limit: u32,
    #[serde(default)]
    page_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MessagesQuery {
    #[serde(default)]
    after_seq: u64,
    #[serde(default)]
    limit: u32,
}

/// A conversation in the shape of who reads it.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Visitor(VisitorConversation<'a>),
    Staff(Box<ConversationJson<'a>>),
}

#[derive(Serialize)]
struct Started<'a> {
    conversation: Shown<'a>,
    message: MessageJson<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    conversations: Vec<Shown<'a>>,
    next_page_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<Cursor>,
}

#[derive(Serialize)]
struct Cursor {
    epoch: String,
    position: u64,
}

#[derive(Serialize)]
struct Messages<'a> {
    messages: Vec<MessageJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<NoteJson<'a>>>,
    more: bool,
}

fn shown(view: &ConversationView, audience: Audience) -> Shown<'_> {
    match audience {
        Audience::Visitor => Shown::Visitor(view.into()),
        Audience::Staff => Shown::Staff(Box::new(view.into())),
    }
}

pub(super) fn one(call: &Call, view: &ConversationView) -> Result<Response<Body>, Error> {
    answer(StatusCode::OK, &shown(view, call.audience()))
}

pub(super) async fn start(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Start>()?;
    let actor = call.actor()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let service = call.service();
    let is_visitor = matches!(&actor.who, Who::Visitor { .. });
    if is_visitor && service.current_conversation(actor).await?.is_none() {
        service.limiter().conversation(call.address()?)?;
    }
    let posted = service
        .start_conversation(
            actor,
            call.token(),
            Some(client_id),
            &body.inbox,
            body.content,
            body.test,
        )
        .await?;
    let started = Started {
        conversation: shown(&posted.conversation, call.audience()),
        message: MessageJson::new(&posted.message, call.public_url(), call.audience()),
    };
    answer(StatusCode::CREATED, &started)
}

pub(super) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<ListQuery>()?;
    let mut statuses = Vec::new();
    for word in query.status.split(',').filter(|it| !it.is_empty()) {
        statuses.push(status_of(word)?);
    }
    let asked = ListConversations {
        statuses,
        assignee: query.assignee.filter(|it| !it.is_empty()),
        tests: query.tests,
        limit: query.limit,
        page_token: query.page_token,
    };
    let page = call.service().list_conversations(call.actor()?, &asked).await?;
    let audience = call.audience();
    // A visitor must not learn the organization's traffic.
    let cursor = (audience == Audience::Staff)
        .then(|| Cursor { epoch: call.service().epoch().to_string(), position: page.position });
    let conversations = page.conversations.iter().map(|view| shown(view, audience)).collect();
    let next_page_token = &page.next_page_token;
    answer(StatusCode::OK, &Page { conversations, next_page_token, cursor })
}

fn status_of(word: &str) -> Result<Status, Error> {
    match word {
        "open" => Ok(Status::Open),
        "resolved" => Ok(Status::Resolved),
        "escalated" => Ok(Status::Escalated),
        _ => Err(Error::invalid("invalid_argument", "a status is open, escalated or resolved")),
    }
}

pub(super) async fn get(call: Call) -> Result<Response<Body>, Error> {
    let (view, _) = call.service().get_conversation(call.actor()?, call.param("ref")).await?;
    one(&call, &view)
}

pub(super) async fn list_messages(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<MessagesQuery>()?;
    let page = call
        .service()
        .list_messages(call.actor()?, call.param("ref"), query.after_seq, query.limit, false)
        .await?;
    let audience = call.audience();
    let message = |view| MessageJson::new(view, call.public_url(), audience);
    let notes = match audience {
        Audience::Visitor => None,
        Audience::Staff => Some(page.notes.iter().map(NoteJson::from).collect()),
    };
    let messages = page.messages.iter().map(message).collect();
    answer(StatusCode::OK, &Messages { messages, notes, more: page.more })
}

pub(super) async fn post_message(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Post>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let sender_type = body.sender_type.map(SenderType::from);
    let reference = call.param("ref");
    let posted = call
        .service()
        .post_message(call.actor()?, Some(client_id), reference, body.content, sender_type)
        .await?;
    let message = MessageJson::new(&posted.message, call.public_url(), call.audience());
    answer(StatusCode::CREATED, &message)
}

pub(super) async fn add_note(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<AddNote>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let reference = call.param("ref");
    let (note, _) =
        call.service().add_note(call.actor()?, Some(client_id), reference, body.content).await?;
    answer(StatusCode::CREATED, &NoteJson::from(&note))
}

pub(super) async fn claim(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Claim>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let reference = call.param("ref");
    let view =
        call.service().claim(call.actor()?, Some(client_id), reference, None, body.take).await?;
    one(&call, &view)
}

pub(super) async fn release(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Act>()?.client_id.as_deref())?;
    let service = call.service();
    let view = service.release(call.actor()?, Some(client_id), call.param("ref")).await?;
    one(&call, &view)
}

pub(super) async fn hand_back(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Act>()?.client_id.as_deref())?;
    let service = call.service();
    let view = service.hand_back(call.actor()?, Some(client_id), call.param("ref")).await?;
    one(&call, &view)
}

pub(super) async fn reopen(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Act>()?.client_id.as_deref())?;
    let service = call.service();
    let view = service.reopen(call.actor()?, Some(client_id), call.param("ref")).await?;
    one(&call, &view)
}

pub(super) async fn escalate(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Escalate>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let service = call.service();
    let view =
        service.escalate(call.actor()?, Some(client_id), call.param("ref"), body.reason).await?;
    one(&call, &view)
}

pub(super) async fn resolve(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Resolve>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let resolution = body.resolution.map_or(Resolution::Agent, Resolution::from);
    let service = call.service();
    let view =
        service.resolve(call.actor()?, Some(client_id), call.param("ref"), resolution).await?;
    one(&call, &view)
}
