//! The live queue by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::UserId;
use crate::door::http::call::{Call, answer};
use crate::door::http::shape::Shape;
use crate::door::http::wire::Act;
use crate::door::http::wire::escalation::EscalationJson;
use crate::door::http::wire::text::Text;
use crate::door::http::wire::word::PriorityWord;
use crate::service::error::Error;
use crate::service::view::{ConversationView, EscalationView};

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
struct Query {
    /// The most to answer with; 0 for the usual page.
    #[serde(default)]
    limit: u32,
}

#[derive(Serialize, JsonSchema)]
struct Escalations<'a> {
    /// Who waits, in the queue's order.
    waiting: Vec<Waiting<'a>>,
    /// What time the daemon has, in Unix milliseconds.
    now: i64,
    /// Whether more wait than are listed.
    more: bool,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Waiting<'a> {
    /// The stay in the queue.
    escalation: EscalationJson<'a>,
    /// Since when the visitor waits for a person, in Unix milliseconds.
    waiting_since: i64,
    /// The visitor's id.
    visitor_id: Text<UserId>,
    /// What the visitor is called; empty if nobody knows.
    visitor_name: &'a str,
    /// What the inbox is called.
    inbox_name: &'a str,
    /// The beginning of what a person said last.
    last_line: &'a str,
    /// How urgent it is.
    priority: PriorityWord,
    /// Its tags.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    /// What the agent is called who had it last.
    #[serde(skip_serializing_if = "str::is_empty")]
    preferred_name: &'a str,
    /// Until when it is offered to one agent first, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    offered_until: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Assign {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// The agent, by name, e-mail or id.
    to: String,
    /// Also if another agent has it by now.
    #[serde(default)]
    take: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EndedEscalation")]
struct Ended<'a> {
    /// The escalation this ended; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    escalation: Option<EscalationJson<'a>>,
}

pub(crate) const LIST: Shape =
    Shape::new("The live queue.").query::<Query>().gives::<Escalations<'static>>();

pub(crate) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<Query>()?;
    let (found, more, _) = call.service().list_escalations(call.actor()?, query.limit).await?;
    let waiting = found.iter().filter_map(waiting).collect();
    answer(StatusCode::OK, &Escalations { waiting, now: call.service().now(), more })
}

/// A line of the queue; none for a conversation that has left it since the queue was read.
fn waiting(view: &ConversationView) -> Option<Waiting<'_>> {
    let escalation = view.escalation.as_ref()?;
    Some(Waiting {
        escalation: EscalationJson::from(escalation),
        waiting_since: view.header.waiting_since.unwrap_or(escalation.escalation.created_at),
        visitor_id: Text(view.header.visitor),
        visitor_name: &view.visitor_name,
        inbox_name: &view.inbox_name,
        last_line: &view.header.last_line,
        priority: view.header.priority.into(),
        tags: &view.header.tags,
        preferred_name: &view.preferred_name,
        offered_until: view.header.offer.map(|it| it.due),
    })
}

fn ended(view: Option<&EscalationView>) -> Result<Response<Body>, Error> {
    answer(StatusCode::OK, &Ended { escalation: view.map(EscalationJson::from) })
}

pub(crate) const ASSIGN: Shape = Shape::new("Gives a waiting conversation to an agent.")
    .body::<Assign>()
    .gives::<Ended<'static>>();

pub(crate) async fn assign(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Assign>()?;
    let client_id = Some(call.client_id(body.client_id.as_deref())?);
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let service = call.service();
    let view = service.assign_escalation(actor, client_id, reference, &body.to, body.take).await?;
    ended(view.as_ref())
}

pub(crate) const RETURN: Shape = Shape::new("Gives a waiting conversation back to the assistant.")
    .body::<Act>()
    .gives::<Ended<'static>>();

pub(crate) async fn give_back(call: Call) -> Result<Response<Body>, Error> {
    let client_id = Some(call.client_id(call.body::<Act>()?.client_id.as_deref())?);
    let service = call.service();
    ended(service.return_escalation(call.actor()?, client_id, call.param("ref")).await?.as_ref())
}

pub(crate) const RESOLVE: Shape =
    Shape::new("Resolves a waiting conversation.").body::<Act>().gives::<Ended<'static>>();

pub(crate) async fn resolve(call: Call) -> Result<Response<Body>, Error> {
    let client_id = Some(call.client_id(call.body::<Act>()?.client_id.as_deref())?);
    let service = call.service();
    ended(service.resolve_escalation(call.actor()?, client_id, call.param("ref")).await?.as_ref())
}
