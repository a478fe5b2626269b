//! Inboxes by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::service::error::Error;

use super::call::{Call, answer};
use super::wire::InboxJson;

#[derive(Serialize)]
struct Inboxes<'a> {
    inboxes: Vec<InboxJson<'a>>,
}

pub(super) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let actor = call.actor()?;
    let found = call.service().list_inboxes(actor).await?;
    let staffed = call.service().is_staffed(actor).await?;
    let inboxes = found.iter().map(|inbox| InboxJson::new(inbox, staffed)).collect();
    answer(StatusCode::OK, &Inboxes { inboxes })
}
