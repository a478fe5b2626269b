//! Visitor sessions by REST, as the widget's hello makes them.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::domain::id::InboxId;
use crate::service::error::Error;

use super::call::{Call, answer};
use super::wire::ConversationJson;

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    #[serde(default)]
    limit: u32,
    #[serde(default)]
    page_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    visitors: Vec<VisitorJson<'a>>,
    next_page_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VisitorJson<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<ConversationJson<'a>>,
}

pub(super) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<Query>()?;
    let page = call.service().list_visitors(call.actor()?, query.limit, &query.page_token).await?;
    let visitors = page.visitors.iter().map(|it| VisitorJson {
        id: it.user.id.to_string(),
        name: it.user.name.as_deref(),
        created_at: it.user.created_at,
        conversation: it.latest.as_ref().map(ConversationJson::from),
    });
    let (visitors, next_page_token) = (visitors.collect(), page.next_page_token.as_str());
    answer(StatusCode::OK, &Page { visitors, next_page_token })
}
