//! What staff do to a conversation beside answering, by REST: transfer, tags, priority, and marks on messages.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::Deserialize;

use crate::domain::priority::Priority;
use crate::service::error::Error;

use super::call::{Call, answer};
use super::conversation::one;
use super::wire::MessageJson;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Transfer {
    #[serde(default)]
    client_id: Option<String>,
    to: String,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tag {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Prioritize {
    #[serde(default)]
    client_id: Option<String>,
    priority: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Flag {
    #[serde(default)]
    client_id: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Retract {
    #[serde(default)]
    client_id: Option<String>,
}

pub(super) async fn transfer(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Transfer>()?;
    let client_id = Some(call.client_id(body.client_id.as_deref())?);
    let note = body.note.filter(|it| !it.is_empty());
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let view = call.service().transfer(actor, client_id, reference, &body.to, note).await?;
    one(&call, &view)
}

pub(super) async fn tag(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Tag>()?;
    let client_id = Some(call.client_id(body.client_id.as_deref())?);
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let view = call.service().tag(actor, client_id, reference, body.add, body.remove).await?;
    one(&call, &view)
}

pub(super) async fn prioritize(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Prioritize>()?;
    let client_id = Some(call.client_id(body.client_id.as_deref())?);
    let priority = Priority::ALL.into_iter().find(|it| it.name() == body.priority);
    let priority = priority.ok_or_else(|| {
        Error::invalid("invalid_argument", "a priority is urgent, high, normal or low")
    })?;
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let view = call.service().prioritize(actor, client_id, reference, priority).await?;
    one(&call, &view)
}

pub(super) async fn flag(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Flag>()?;
    let client_id = Some(call.client_id(body.client_id.as_deref())?);
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let service = call.service();
    let flagged =
        service.flag_message(actor, client_id, reference, seq(&call)?, body.reason).await?;
    let message = MessageJson::new(&flagged.message, call.public_url(), call.audience());
    answer(StatusCode::OK, &message)
}

pub(super) async fn retract(call: Call) -> Result<Response<Body>, Error> {
    let client_id = Some(call.client_id(call.body::<Retract>()?.client_id.as_deref())?);
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let left = call.service().retract_message(actor, client_id, reference, seq(&call)?).await?;
    let message = MessageJson::new(&left.message, call.public_url(), call.audience());
    answer(StatusCode::OK, &message)
}

/// The number in the path; what is no number names no message.
fn seq(call: &Call) -> Result<u64, Error> {
    call.param("seq").parse().map_err(|_| Error::not_found())
}
