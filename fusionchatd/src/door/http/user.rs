//! Staff by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::service::error::Error;

use super::call::{Call, answer};
use super::wire::UserJson;

#[derive(Serialize)]
struct Users<'a> {
    users: Vec<UserJson<'a>>,
}

pub(super) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let found = call.service().list_users(call.actor()?).await?;
    answer(StatusCode::OK, &Users { users: found.iter().map(UserJson::from).collect() })
}
