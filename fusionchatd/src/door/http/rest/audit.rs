//! The audit log by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::ConversationId;
use crate::door::http::call::{Call, answer};
use crate::door::http::shape::Shape;
use crate::door::http::wire::escalation::ActorJson;
use crate::door::http::wire::text::Text;
use crate::service::audit::{EntryView, ListEntries, kinds_of};
use crate::service::error::Error;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
struct Query {
    /// Who did it: an e-mail address or an id.
    #[serde(default)]
    actor: Option<String>,
    /// Kinds, separated by commas.
    #[serde(default)]
    kind: String,
    /// Not before this time, in Unix milliseconds.
    #[serde(default)]
    since: Option<i64>,
    /// Before this time, in Unix milliseconds.
    #[serde(default)]
    until: Option<i64>,
    /// What happened to this conversation: its number or id.
    #[serde(default)]
    conversation: Option<String>,
    /// The most to answer with; 0 for the usual page.
    #[serde(default)]
    limit: u32,
    /// The page before's `nextPageToken`; empty for the first.
    #[serde(default)]
    page_token: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Entries")]
struct Page<'a> {
    /// The newest first.
    entries: Vec<EntryJson<'a>>,
    /// Asks for the next page; empty after the last.
    next_page_token: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Entry")]
struct EntryJson<'a> {
    /// Its place in the organization's journal.
    position: u64,
    /// When it happened, in Unix milliseconds.
    time: i64,
    /// Who did it.
    actor: ActorJson<'a>,
    /// What happened.
    kind: &'static str,
    /// The conversation it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<Text<ConversationId>>,
    /// That conversation's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// The id of what it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_id: Option<String>,
    /// The id of who or what else it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_id: Option<String>,
    /// What they are called.
    #[serde(skip_serializing_if = "str::is_empty")]
    other_name: &'a str,
    /// The message's number in the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// A reason or another word.
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
            conversation: row.conversation.map(Text),
            number: view.number,
            subject_id: row.subject.map(|it| it.to_string()),
            other_id: row.other.map(|it| it.to_string()),
            other_name: &view.other_name,
            seq: row.seq,
            detail: row.detail.as_deref(),
        }
    }
}

pub(crate) const LIST: Shape =
    Shape::new("The journal as an audit log.").query::<Query>().gives::<Page<'static>>();

pub(crate) async fn list(call: Call) -> Result<Response<Body>, Error> {
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
