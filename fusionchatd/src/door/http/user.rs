//! Staff by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::domain::user::User;
use crate::service::error::Error;
use crate::service::user::{EditUser, Invite, InviteUser};

use super::call::{Call, answer};
use super::wire::UserJson;
use super::word::role_of;

#[derive(Serialize)]
struct Users<'a> {
    users: Vec<UserJson<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewUser {
    #[serde(default)]
    client_id: Option<String>,
    email: String,
    #[serde(default)]
    name: Option<String>,
    role: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Edit {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    role: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plain {
    #[serde(default)]
    client_id: Option<String>,
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
    let body = call.body::<NewUser>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let new = InviteUser { email: body.email, name: body.name, role: role_of(&body.role)? };
    let (user, invite) = call.service().invite_user(call.actor()?, Some(client_id), new).await?;
    invited(StatusCode::CREATED, &user, invite.as_ref())
}

/// A user with the one-time code they were given.
fn invited(
    status: StatusCode,
    user: &User,
    invite: Option<&Invite>,
) -> Result<Response<Body>, Error> {
    let code = invite.map(|it| it.code.as_str());
    let expires_at = user.invited_until;
    answer(status, &Invited { user: UserJson::from(user), code, expires_at })
}

pub(super) async fn get(call: Call) -> Result<Response<Body>, Error> {
    let user = call.service().get_user(call.actor()?, call.param("ref")).await?;
    answer(StatusCode::OK, &UserJson::from(&user))
}

pub(super) async fn edit(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Edit>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let role = body.role.as_deref().map(role_of).transpose()?;
    let edit = EditUser { name: body.name, role };
    let (actor, user) = (call.actor()?, call.param("ref"));
    let user = call.service().edit_user(actor, Some(client_id), user, edit).await?;
    answer(StatusCode::OK, &UserJson::from(&user))
}

pub(super) async fn reset(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Plain>()?.client_id.as_deref())?;
    let (actor, user) = (call.actor()?, call.param("ref"));
    let (user, invite) = call.service().reset_user(actor, Some(client_id), user).await?;
    invited(StatusCode::OK, &user, invite.as_ref())
}

pub(super) async fn disable(call: Call) -> Result<Response<Body>, Error> {
    switch(call, true).await
}

pub(super) async fn enable(call: Call) -> Result<Response<Body>, Error> {
    switch(call, false).await
}

async fn switch(call: Call, disabled: bool) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Plain>()?.client_id.as_deref())?;
    let (actor, user) = (call.actor()?, call.param("ref"));
    let user = call.service().disable_user(actor, Some(client_id), user, disabled).await?;
    answer(StatusCode::OK, &UserJson::from(&user))
}
