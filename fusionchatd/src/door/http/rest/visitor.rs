//! Visitor sessions by REST, as the widget's hello makes them.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::{InboxId, UserId};
use crate::door::http::call::{Call, answer};
use crate::door::http::shape::Shape;
use crate::door::http::wire::conversation::ConversationJson;
use crate::door::http::wire::text::Text;
use crate::service::error::Error;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewVisitorSession")]
struct NewSession {
    /// The inbox's id.
    inbox: String,
    /// The origin of the page the visitor is on.
    origin: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct VisitorSession<'a> {
    /// The visitor's bearer token.
    token: &'a str,
    /// Until when it works, in Unix milliseconds.
    expires_at: i64,
}

pub(crate) const CREATE: Shape = Shape::new("Begins a visitor's session, as the widget does.")
    .body::<NewSession>()
    .creates::<VisitorSession<'static>>();

pub(crate) async fn create_session(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<NewSession>()?;
    let inbox = body.inbox.parse::<InboxId>().map_err(|_| Error::not_found())?;
    let welcome = call.service().welcome(inbox, &body.origin, None).await?;
    let expires_at = welcome.guest.claims.expires_at;
    let session = VisitorSession { token: &welcome.token, expires_at };
    answer(StatusCode::CREATED, &session)
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
struct Query {
    /// The most to answer with; 0 for the usual page.
    #[serde(default)]
    limit: u32,
    /// The page before's `nextPageToken`; empty for the first.
    #[serde(default)]
    page_token: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Visitors")]
struct Page<'a> {
    /// The oldest first.
    visitors: Vec<VisitorJson<'a>>,
    /// Asks for the next page; empty after the last.
    next_page_token: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Visitor")]
struct VisitorJson<'a> {
    /// Their id.
    id: Text<UserId>,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// When they first wrote, in Unix milliseconds.
    created_at: i64,
    /// Their last conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<ConversationJson<'a>>,
}

pub(crate) const LIST: Shape =
    Shape::new("Visitors who have written.").query::<Query>().gives::<Page<'static>>();

pub(crate) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<Query>()?;
    let page = call.service().list_visitors(call.actor()?, query.limit, &query.page_token).await?;
    let visitors = page.visitors.iter().map(|it| VisitorJson {
        id: Text(it.user.id),
        name: it.user.name.as_deref(),
        created_at: it.user.created_at,
        conversation: it.latest.as_ref().map(ConversationJson::from),
    });
    let (visitors, next_page_token) = (visitors.collect(), page.next_page_token.as_str());
    answer(StatusCode::OK, &Page { visitors, next_page_token })
}
