//! Inboxes by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::domain::embed::Refusal;
use crate::domain::inbox::{AssistantMode, ListEdit};
use crate::service::error::Error;
use crate::service::inbox::{CreateInbox, EditInbox};

use super::call::{Call, answer};
use super::wire::InboxJson;

/// The language of an inbox that names none.
const LOCALE_DEFAULT: &str = "en";

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AssistantWord {
    On,
    Off,
}

impl From<AssistantWord> for AssistantMode {
    fn from(word: AssistantWord) -> Self {
        match word {
            AssistantWord::On => Self::On,
            AssistantWord::Off => Self::Off,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewInbox {
    #[serde(default)]
    client_id: Option<String>,
    name: String,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    assistant: Option<AssistantWord>,
    #[serde(default)]
    locale: Option<String>,
    #[serde(default)]
    members: Vec<String>,
}

/// What is left out stays as it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InboxChange {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    assistant: Option<AssistantWord>,
    #[serde(default)]
    locale: Option<String>,
    #[serde(default)]
    origins: Option<Vec<String>>,
    #[serde(default)]
    add_origins: Vec<String>,
    #[serde(default)]
    remove_origins: Vec<String>,
    #[serde(default)]
    members: Option<Vec<String>>,
    #[serde(default)]
    add_members: Vec<String>,
    #[serde(default)]
    remove_members: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TestQuery {
    url: String,
}

#[derive(Serialize)]
struct Inboxes<'a> {
    inboxes: Vec<InboxJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tested<'a> {
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    origin: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    nearest: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    fix: &'a str,
}

pub(super) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let found = call.service().list_inboxes(call.actor()?).await?;
    let inboxes = found.iter().map(InboxJson::from).collect();
    answer(StatusCode::OK, &Inboxes { inboxes })
}

pub(super) async fn get(call: Call) -> Result<Response<Body>, Error> {
    let found = call.service().get_inbox(call.actor()?, call.param("ref")).await?;
    answer(StatusCode::OK, &InboxJson::from(&found))
}

pub(super) async fn create(call: Call) -> Result<Response<Body>, Error> {
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

pub(super) async fn edit(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<InboxChange>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let list = |replace, add, remove| ListEdit { replace, add, remove };
    let edit = EditInbox {
        name: body.name,
        assistant: body.assistant.map(AssistantMode::from),
        locale: body.locale,
        origins: list(body.origins, body.add_origins, body.remove_origins),
        members: list(body.members, body.add_members, body.remove_members),
    };
    let inbox = call.param("ref");
    let edited = call.service().edit_inbox(call.actor()?, Some(client_id), inbox, edit).await?;
    answer(StatusCode::OK, &InboxJson::from(&edited))
}

pub(super) async fn test(call: Call) -> Result<Response<Body>, Error> {
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
