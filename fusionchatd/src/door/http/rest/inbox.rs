//! Inboxes by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::embed::Refusal;
use crate::domain::inbox::{AssistantMode, ListEdit, Silences};
use crate::door::http::call::{Call, answer};
use crate::door::http::shape::Shape;
use crate::door::http::wire::inbox::InboxJson;
use crate::door::http::wire::word::AssistantWord;
use crate::service::error::Error;
use crate::service::inbox::{CreateInbox, EditInbox};

/// The language of an inbox that names none.
const LOCALE_DEFAULT: &str = "en";

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewInbox {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// What it is called, unique in the organization.
    name: String,
    /// The origins of the pages that may show it.
    #[serde(default)]
    origins: Vec<String>,
    /// Whether the assistant answers in it; it does unless told not to.
    #[serde(default)]
    assistant: Option<AssistantWord>,
    /// Its language; `en` without it.
    #[serde(default)]
    locale: Option<String>,
    /// The agents it is for, by name, e-mail or id; none means all.
    #[serde(default)]
    members: Vec<String>,
}

/// What is left out stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InboxChange {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// What it is called, unique in the organization.
    #[serde(default)]
    name: Option<String>,
    /// Whether the assistant answers in it.
    #[serde(default)]
    assistant: Option<AssistantWord>,
    /// Its language.
    #[serde(default)]
    locale: Option<String>,
    /// All origins of the pages that may show it.
    #[serde(default)]
    origins: Option<Vec<String>>,
    /// Origins to add.
    #[serde(default)]
    add_origins: Vec<String>,
    /// Origins to take away.
    #[serde(default)]
    remove_origins: Vec<String>,
    /// All agents it is for, by name, e-mail or id; an empty list means all agents.
    #[serde(default)]
    members: Option<Vec<String>>,
    /// Agents to add.
    #[serde(default)]
    add_members: Vec<String>,
    /// Agents to take away.
    #[serde(default)]
    remove_members: Vec<String>,
    /// How long a visitor may be silent after the assistant's word, in milliseconds, before it is abandoned; 0 means as
    /// the daemon is configured.
    #[serde(default)]
    abandon_after_ms: Option<i64>,
    /// How long after an agent's, before the visitor gets a notice.
    #[serde(default)]
    notice_after_ms: Option<i64>,
    /// How long after that notice, before it ends without a reply.
    #[serde(default)]
    no_reply_after_ms: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
struct TestQuery {
    /// The address of a page.
    url: String,
}

#[derive(Serialize, JsonSchema)]
struct Inboxes<'a> {
    /// All of them.
    inboxes: Vec<InboxJson<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TestedPage")]
struct Tested<'a> {
    /// Whether the page may show the widget.
    allowed: bool,
    /// Why not, as a stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The verdict in words.
    message: &'a str,
    /// The page's origin.
    #[serde(skip_serializing_if = "str::is_empty")]
    origin: &'a str,
    /// The allowed origin that is most like it.
    #[serde(skip_serializing_if = "str::is_empty")]
    nearest: &'a str,
    /// The command that would allow it.
    #[serde(skip_serializing_if = "str::is_empty")]
    fix: &'a str,
}

pub(crate) const LIST: Shape =
    Shape::new("The inboxes the caller is a member of.").gives::<Inboxes<'static>>();

pub(crate) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let found = call.service().list_inboxes(call.actor()?).await?;
    let inboxes = found.iter().map(InboxJson::from).collect();
    answer(StatusCode::OK, &Inboxes { inboxes })
}

pub(crate) const GET: Shape = Shape::new("One inbox.").gives::<InboxJson<'static>>();

pub(crate) async fn get(call: Call) -> Result<Response<Body>, Error> {
    let found = call.service().get_inbox(call.actor()?, call.param("ref")).await?;
    answer(StatusCode::OK, &InboxJson::from(&found))
}

pub(crate) const CREATE: Shape =
    Shape::new("Creates an inbox.").body::<NewInbox>().creates::<InboxJson<'static>>();

pub(crate) async fn create(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<NewInbox>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let new = CreateInbox {
        name: body.name,
        origins: body.origins,
        assistant: body.assistant.map_or(AssistantMode::On, AssistantMode::from),
        locale: body.locale.unwrap_or_else(|| LOCALE_DEFAULT.to_owned()),
        members: body.members,
    };
    let made = call.service().create_inbox(call.actor()?, Some(client_id), new).await?;
    answer(StatusCode::CREATED, &InboxJson::from(&made))
}

pub(crate) const EDIT: Shape = Shape::new("Changes an inbox; what is left out stays.")
    .body::<InboxChange>()
    .gives::<InboxJson<'static>>();

pub(crate) async fn edit(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<InboxChange>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let list = |replace, add, remove| ListEdit { replace, add, remove };
    let edit = EditInbox {
        name: body.name,
        assistant: body.assistant.map(AssistantMode::from),
        locale: body.locale,
        origins: list(body.origins, body.add_origins, body.remove_origins),
        members: list(body.members, body.add_members, body.remove_members),
        silences: Silences {
            abandon_ms: body.abandon_after_ms,
            notice_ms: body.notice_after_ms,
            no_reply_ms: body.no_reply_after_ms,
        },
    };
    let inbox = call.param("ref");
    let edited = call.service().edit_inbox(call.actor()?, Some(client_id), inbox, edit).await?;
    answer(StatusCode::OK, &InboxJson::from(&edited))
}

pub(crate) const TEST: Shape = Shape::new("Says whether a page may show the widget, and why not.")
    .query::<TestQuery>()
    .gives::<Tested<'static>>();

pub(crate) async fn test(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<TestQuery>()?;
    let tested = call.service().test_page(call.actor()?, call.param("ref"), &query.url).await?;
    let verdict = &tested.verdict;
    let body = Tested {
        allowed: verdict.refusal.is_none(),
        code: verdict.refusal.map(Refusal::code),
        message: &verdict.message,
        origin: &verdict.origin,
        nearest: &verdict.nearest,
        fix: &verdict.fix,
    };
    answer(StatusCode::OK, &body)
}
