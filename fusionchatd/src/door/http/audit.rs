//! The audit log by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::service::audit::{EntryView, ListEntries, kinds_of};
use crate::service::error::Error;

use super::call::{Call, answer};
use super::wire::ActorJson;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    #[serde(default)]
    actor: Option<String>,
    /// Kinds, separated by commas.
    #[serde(default)]
    kind: String,
    #[serde(default)]
    since: Option<i64>,
    #[serde(default)]
    until: Option<i64>,
    #[serde(default)]
    conversation: Option<String>,
    #[serde(default)]
    limit: u32,
    #[serde(default)]
    page_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    entries: Vec<EntryJson<'a>>,
    next_page_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryJson<'a> {
    position: u64,
    time: i64,
    actor: ActorJson<'a>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_id: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    other_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl<'a> From<&'a EntryView> for EntryJson<'a> {
    fn from(view: &'a EntryView) -> Self {
        let row = &view.entry;
        Self {
            position: row.position,
            time: row.time,
            actor: ActorJson::new(&row.actor, &view.actor_name),
            kind: row.kind.name(),
            conversation: row.conversation.map(|it| it.to_string()),
            number: view.number,
            subject_id: row.subject.map(|it| it.to_string()),
            other_id: row.other.map(|it| it.to_string()),
            other_name: &view.other_name,
            seq: row.seq,
            detail: row.detail.as_deref(),
        }
    }
}

pub(super) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<Query>()?;
    let names = query.kind.split(',').filter(|it| !it.is_empty()).map(str::to_owned);
    let asked = ListEntries {
        actor: query.actor.filter(|it| !it.is_empty()),
        kinds: kinds_of(&names.collect::<Vec<_>>())?,
        since: query.since,
        until: query.until,
        conversation: query.conversation.filter(|it| !it.is_empty()),
        limit: query.limit,
        page_token: query.page_token,
    };
    let page = call.service().list_entries(call.actor()?, &asked).await?;
    let entries = page.entries.iter().map(EntryJson::from).collect();
    answer(StatusCode::OK, &Page { entries, next_page_token: &page.next_page_token })
}
