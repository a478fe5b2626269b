//! What staff do to a conversation beside answering, by REST: transfer, tags, priority, and marks on messages.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::priority::Priority;
use crate::door::http::call::{Call, answer};
use crate::door::http::shape::Shape;
use crate::door::http::wire::Act;
use crate::door::http::wire::conversation::Shown;
use crate::door::http::wire::message::MessageJson;
use crate::door::http::wire::word::PriorityWord;
use crate::service::error::Error;

use super::conversation::one;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Transfer {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// The agent, by name, e-mail or id.
    to: String,
    /// A note for them; no visitor sees it.
    #[serde(default)]
    note: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tag {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// Tags to add.
    #[serde(default)]
    add: Vec<String>,
    /// Tags to take away.
    #[serde(default)]
    remove: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Prioritize {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// How urgent it is.
    priority: PriorityWord,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Flag {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// What is wrong with it.
    reason: String,
}

pub(crate) const TRANSFER: Shape =
    Shape::new("Offers a conversation to another agent for a while.")
        .body::<Transfer>()
        .gives::<Shown<'static>>();

pub(crate) async fn transfer(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Transfer>()?;
    let client_id = Some(call.client_id(body.client_id.as_deref())?);
    let note = body.note.filter(|it| !it.is_empty());
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let view = call.service().transfer(actor, client_id, reference, &body.to, note).await?;
    one(&call, &view)
}

pub(crate) const TAG: Shape =
    Shape::new("Adds and removes tags.").body::<Tag>().gives::<Shown<'static>>();

pub(crate) async fn tag(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Tag>()?;
    let client_id = Some(call.client_id(body.client_id.as_deref())?);
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let view = call.service().tag(actor, client_id, reference, body.add, body.remove).await?;
    one(&call, &view)
}

pub(crate) const PRIORITIZE: Shape =
    Shape::new("Says how urgent a conversation is.").body::<Prioritize>().gives::<Shown<'static>>();

pub(crate) async fn prioritize(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Prioritize>()?;
    let client_id = Some(call.client_id(body.client_id.as_deref())?);
    let priority = Priority::from(body.priority);
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let view = call.service().prioritize(actor, client_id, reference, priority).await?;
    one(&call, &view)
}

pub(crate) const FLAG: Shape = Shape::new("Marks an answer of the assistant as wrong.")
    .body::<Flag>()
    .gives::<MessageJson<'static>>();

pub(crate) async fn flag(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Flag>()?;
    let client_id = Some(call.client_id(body.client_id.as_deref())?);
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let service = call.service();
    let flagged =
        service.flag_message(actor, client_id, reference, seq(&call)?, body.reason).await?;
    let message = MessageJson::new(&flagged.message, call.public_url(), call.audience());
    answer(StatusCode::OK, &message)
}

pub(crate) const RETRACT: Shape = Shape::new("Takes a message back: its text is gone.")
    .body::<Act>()
    .gives::<MessageJson<'static>>();

pub(crate) async fn retract(call: Call) -> Result<Response<Body>, Error> {
    let client_id = Some(call.client_id(call.body::<Act>()?.client_id.as_deref())?);
    let (actor, reference) = (call.actor()?, call.param("ref"));
    let left = call.service().retract_message(actor, client_id, reference, seq(&call)?).await?;
    let message = MessageJson::new(&left.message, call.public_url(), call.audience());
    answer(StatusCode::OK, &message)
}

/// The number in the path; what is no number names no message.
fn seq(call: &Call) -> Result<u64, Error> {
    call.param("seq").parse().map_err(|_| Error::not_found())
}
