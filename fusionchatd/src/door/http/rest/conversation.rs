//! Conversations by REST. A visitor's token sees its own conversation in the visitor's shape; staff
//! and keys see the whole header.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::actor::Who;
use crate::domain::conversation::{Resolution, Status};
use crate::domain::message::SenderType;
use crate::door::http::call::{Call, answer};
use crate::door::http::shape::Shape;
use crate::door::http::wire::conversation::Shown;
use crate::door::http::wire::message::{MessageJson, NoteJson};
use crate::door::http::wire::word::{GivenResolutionWord, SenderWord};
use crate::door::http::wire::{Act, Audience};
use crate::service::conversation::ListConversations;
use crate::service::error::Error;
use crate::service::view::ConversationView;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "StartConversation")]
struct Start {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// The inbox, by name or id.
    inbox: String,
    /// The first message.
    content: String,
    /// Out of queue, notices and figures, and gone after a day.
    #[serde(default)]
    test: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PostMessage")]
struct Post {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// The text: at most 10,000 characters and 40,000 bytes.
    content: String,
    /// Who the token says you are; a key with `conversation:post_as_visitor` may also say `user`. Another one is
    /// refused.
    #[serde(default)]
    sender_type: Option<SenderWord>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddNote {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// The text.
    content: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Claim {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// Also if another agent has it.
    #[serde(default)]
    take: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Escalate {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// Why a person is needed.
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Resolve {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// How it ended; `agent` without it.
    #[serde(default)]
    resolution: Option<GivenResolutionWord>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
struct ListQuery {
    /// Statuses, separated by commas.
    #[serde(default)]
    status: String,
    /// Those this agent has: an e-mail address or an id.
    #[serde(default)]
    assignee: Option<String>,
    /// Test conversations, which no other list shows.
    #[serde(default)]
    tests: bool,
    /// The most to answer with; 0 for the usual page.
    #[serde(default)]
    limit: u32,
    /// The page before's `nextPageToken`; empty for the first.
    #[serde(default)]
    page_token: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
struct MessagesQuery {
    /// Those after this number.
    #[serde(default)]
    after_seq: u64,
    /// The most to answer with; 0 for the usual page.
    #[serde(default)]
    limit: u32,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StartedConversation")]
struct Started<'a> {
    /// The conversation.
    conversation: Shown<'a>,
    /// Its first message.
    message: MessageJson<'a>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Conversations")]
struct Page<'a> {
    /// By when they came to stand as they do, the latest first; those that wait by since when they do.
    conversations: Vec<Shown<'a>>,
    /// Asks for the next page; empty after the last.
    next_page_token: &'a str,
    /// From where a stream goes on; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<Cursor>,
}

#[derive(Serialize, JsonSchema)]
struct Cursor {
    /// Changes when a backup is restored: older cursors are void then.
    epoch: String,
    /// A place in the organization's journal.
    position: u64,
}

#[derive(Serialize, JsonSchema)]
struct Messages<'a> {
    /// In order.
    messages: Vec<MessageJson<'a>>,
    /// The notes of this part; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<NoteJson<'a>>>,
    /// Whether there are later ones.
    more: bool,
}

pub(crate) fn one(call: &Call, view: &ConversationView) -> Result<Response<Body>, Error> {
    answer(StatusCode::OK, &Shown::new(view, call.audience()))
}

pub(crate) const START: Shape = Shape::new("Begins a conversation with its first message.")
    .body::<Start>()
    .creates::<Started<'static>>();

pub(crate) async fn start(call: Call) -> Result<Response<Body>, Error> {
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
        conversation: Shown::new(&posted.conversation, call.audience()),
        message: MessageJson::new(&posted.message, call.public_url(), call.audience()),
    };
    answer(StatusCode::CREATED, &started)
}

pub(crate) const LIST: Shape =
    Shape::new("Conversations the caller may see.").query::<ListQuery>().gives::<Page<'static>>();

pub(crate) async fn list(call: Call) -> Result<Response<Body>, Error> {
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
    let conversations = page.conversations.iter().map(|view| Shown::new(view, audience)).collect();
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

pub(crate) const GET: Shape = Shape::new("One conversation.").gives::<Shown<'static>>();

pub(crate) async fn get(call: Call) -> Result<Response<Body>, Error> {
    let (view, _) = call.service().get_conversation(call.actor()?, call.param("ref")).await?;
    one(&call, &view)
}

pub(crate) const LIST_MESSAGES: Shape =
    Shape::new("The messages of a conversation, and for staff its notes.")
        .query::<MessagesQuery>()
        .gives::<Messages<'static>>();

pub(crate) async fn list_messages(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<MessagesQuery>()?;
    let page = call
        .service()
        .list_messages(call.actor()?, call.param("ref"), query.after_seq, query.limit, false)
        .await?;
    let audience = call.audience();
    let message = |view| MessageJson::new(view, call.public_url(), audience);
    let note = |view| NoteJson::new(view, call.public_url());
    let notes = match audience {
        Audience::Visitor => None,
        Audience::Staff => Some(page.notes.iter().map(note).collect()),
    };
    let messages = page.messages.iter().map(message).collect();
    answer(StatusCode::OK, &Messages { messages, notes, more: page.more })
}

pub(crate) const POST_MESSAGE: Shape =
    Shape::new("Writes into a conversation.").body::<Post>().creates::<MessageJson<'static>>();

pub(crate) async fn post_message(call: Call) -> Result<Response<Body>, Error> {
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

pub(crate) const ADD_NOTE: Shape = Shape::new("Writes a note that only staff see.")
    .body::<AddNote>()
    .creates::<NoteJson<'static>>();

pub(crate) async fn add_note(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<AddNote>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let reference = call.param("ref");
    let (note, _) =
        call.service().add_note(call.actor()?, Some(client_id), reference, body.content).await?;
    answer(StatusCode::CREATED, &NoteJson::new(&note, call.public_url()))
}

pub(crate) const CLAIM: Shape =
    Shape::new("Takes a conversation; one caller wins.").body::<Claim>().gives::<Shown<'static>>();

pub(crate) async fn claim(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Claim>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let reference = call.param("ref");
    let view =
        call.service().claim(call.actor()?, Some(client_id), reference, None, body.take).await?;
    one(&call, &view)
}

pub(crate) const RELEASE: Shape =
    Shape::new("Puts a conversation back into the queue.").body::<Act>().gives::<Shown<'static>>();

pub(crate) async fn release(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Act>()?.client_id.as_deref())?;
    let service = call.service();
    let view = service.release(call.actor()?, Some(client_id), call.param("ref")).await?;
    one(&call, &view)
}

pub(crate) const HAND_BACK: Shape = Shape::new("Gives a conversation back to the assistant.")
    .body::<Act>()
    .gives::<Shown<'static>>();

pub(crate) async fn hand_back(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Act>()?.client_id.as_deref())?;
    let service = call.service();
    let view = service.hand_back(call.actor()?, Some(client_id), call.param("ref")).await?;
    one(&call, &view)
}

pub(crate) const REOPEN: Shape =
    Shape::new("Opens a resolved conversation again.").body::<Act>().gives::<Shown<'static>>();

pub(crate) async fn reopen(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Act>()?.client_id.as_deref())?;
    let service = call.service();
    let view = service.reopen(call.actor()?, Some(client_id), call.param("ref")).await?;
    one(&call, &view)
}

pub(crate) const ESCALATE: Shape =
    Shape::new("Asks for a person.").body::<Escalate>().gives::<Shown<'static>>();

pub(crate) async fn escalate(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Escalate>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let service = call.service();
    let view =
        service.escalate(call.actor()?, Some(client_id), call.param("ref"), body.reason).await?;
    one(&call, &view)
}

pub(crate) const RESOLVE: Shape =
    Shape::new("Resolves a conversation.").body::<Resolve>().gives::<Shown<'static>>();

pub(crate) async fn resolve(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Resolve>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let resolution = body.resolution.map_or(Resolution::Agent, Resolution::from);
    let service = call.service();
    let view =
        service.resolve(call.actor()?, Some(client_id), call.param("ref"), resolution).await?;
    one(&call, &view)
}
