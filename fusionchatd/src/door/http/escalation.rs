//! The live queue by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::service::error::Error;
use crate::service::view::{ConversationView, EscalationView};

use super::call::{Call, answer};
use super::wire::EscalationJson;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    #[serde(default)]
    limit: u32,
}

#[derive(Serialize)]
struct Escalations<'a> {
    waiting: Vec<Waiting<'a>>,
    now: i64,
    more: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Waiting<'a> {
    escalation: EscalationJson<'a>,
    waiting_since: i64,
    visitor_id: String,
    visitor_name: &'a str,
    inbox_name: &'a str,
    last_line: &'a str,
    priority: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    preferred_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    offered_until: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Assign {
    #[serde(default)]
    client_id: Option<String>,
    to: String,
    #[serde(default)]
    take: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Act {
    #[serde(default)]
    client_id: Option<String>,
}

#[derive(Serialize)]
struct Ended<'a> {
    /// The escalation this ended; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    escalation: Option<EscalationJson<'a>>,
}

pub(super) async fn list(call: Call) -> Result<Response<Body>, Error> {
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
        visitor_id: view.header.visitor.to_string(),
        visitor_name: &view.visitor_name,
        inbox_name: &view.inbox_name,
        last_line: &view.header.last_line,
        priority: view.header.priority.name(),
        tags: &view.header.tags,
        preferred_name: &view.preferred_name,
        offered_until: view.header.offer.map(|it| it.due),
    })
}

fn ended(view: Option<&EscalationView>) -> Result<Response<Body>, Error> {
    answer(StatusCode::OK, &Ended { escalation: view.map(EscalationJson::from) })
}

pub(super) async fn assign(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Assign>()?;
    let client_id = Some(call.client_id(body.client_id.as_deref())?);
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let service = call.service();
    let view = service.assign_escalation(actor, client_id, reference, &body.to, body.take).await?;
    ended(view.as_ref())
}

pub(super) async fn give_back(call: Call) -> Result<Response<Body>, Error> {
    let client_id = Some(call.client_id(call.body::<Act>()?.client_id.as_deref())?);
    let service = call.service();
    ended(service.return_escalation(call.actor()?, client_id, call.param("ref")).await?.as_ref())
}

pub(super) async fn resolve(call: Call) -> Result<Response<Body>, Error> {
    let client_id = Some(call.client_id(call.body::<Act>()?.client_id.as_deref())?);
    let service = call.service();
    ended(service.resolve_escalation(call.actor()?, client_id, call.param("ref")).await?.as_ref())
}
