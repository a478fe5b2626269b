//! Visitor sessions by REST, as the widget's hello makes them.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::domain::id::InboxId;
use crate::service::error::Error;

use super::call::{Call, answer};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSession {
    inbox: String,
    origin: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VisitorSession<'a> {
    token: &'a str,
    expires_at: i64,
}

pub(super) async fn create_session(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<NewSession>()?;
    let inbox = body.inbox.parse::<InboxId>().map_err(|_| Error::not_found())?;
    let guest = call.service().welcome(inbox, &body.origin, None).await?;
    let session = VisitorSession { token: &guest.token, expires_at: guest.claims.expires_at };
    answer(StatusCode::CREATED, &session)
}
