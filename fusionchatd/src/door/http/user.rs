//! Staff by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::service::error::Error;
use crate::service::user::InviteUser;

use super::call::{Call, answer};
use super::wire::UserJson;
use super::word::role_of;

#[derive(Serialize)]
struct Users<'a> {
    users: Vec<UserJson<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Invite {
    #[serde(default)]
    client_id: Option<String>,
    email: String,
    #[serde(default)]
    name: Option<String>,
    role: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invited<'a> {
    user: UserJson<'a>,
    /// Left out of the answer to a repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

pub(super) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let found = call.service().list_users(call.actor()?).await?;
    answer(StatusCode::OK, &Users { users: found.iter().map(UserJson::from).collect() })
}

pub(super) async fn invite(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Invite>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let new = InviteUser { email: body.email, name: body.name, role: role_of(&body.role)? };
    let (user, invite) = call.service().invite_user(call.actor()?, Some(client_id), new).await?;
    let code = invite.as_ref().map(|it| it.code.as_str());
    let expires_at = user.invited_until;
    answer(StatusCode::CREATED, &Invited { user: UserJson::from(&user), code, expires_at })
}
