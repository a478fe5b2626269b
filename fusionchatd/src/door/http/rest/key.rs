//! API keys by REST. A secret leaves once, in the answer that creates its key.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::door::http::call::{Call, answer};
use crate::door::http::shape::Shape;
use crate::door::http::wire::Act;
use crate::door::http::wire::key::KeyJson;
use crate::service::error::Error;
use crate::service::key::CreateKey;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewKey {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// What its owner calls it.
    name: String,
    /// What it may do: names of permissions, or `*` for whatever its owner may.
    scopes: Vec<String>,
    /// How long it works, in milliseconds; without it until it is revoked.
    #[serde(default)]
    ttl_ms: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedKey")]
struct Created<'a> {
    /// The key.
    key: KeyJson<'a>,
    /// What to send as bearer token; shown this once and left out of the answer to a repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct Keys<'a> {
    /// All of them, without their secrets.
    keys: Vec<KeyJson<'a>>,
}

pub(crate) const CREATE: Shape =
    Shape::new("Creates a key with some of the caller's rights; its secret is shown once.")
        .body::<NewKey>()
        .creates::<Created<'static>>();

pub(crate) async fn create(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<NewKey>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let new = CreateKey { name: body.name, scopes: body.scopes, ttl_ms: body.ttl_ms };
    let (key, secret) = call.service().create_key(call.actor()?, Some(client_id), new).await?;
    let created = Created { key: KeyJson::from(&key), secret: secret.as_deref() };
    answer(StatusCode::CREATED, &created)
}

pub(crate) const LIST: Shape = Shape::new("The keys the caller may see.").gives::<Keys<'static>>();

pub(crate) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let keys = call.service().list_keys(call.actor()?).await?;
    answer(StatusCode::OK, &Keys { keys: keys.iter().map(KeyJson::from).collect() })
}

pub(crate) const REVOKE: Shape =
    Shape::new("Ends a key, and every key made with it.").body::<Act>().gives::<KeyJson<'static>>();

pub(crate) async fn revoke(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Act>()?.client_id.as_deref())?;
    let (actor, id) = (call.actor()?, call.param("id"));
    let key = call.service().revoke_key(actor, Some(client_id), id).await?;
    answer(StatusCode::OK, &KeyJson::from(&key))
}
