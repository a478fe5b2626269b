//! The live queue by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::service::error::Error;
use crate::service::view::ConversationView;

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
    })
}
