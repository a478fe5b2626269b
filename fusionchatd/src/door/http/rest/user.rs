//! Staff by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::user::User;
use crate::domain::user::{Availability, Role};
use crate::door::http::call::{Call, answer};
use crate::door::http::shape::Shape;
use crate::door::http::wire::Act;
use crate::door::http::wire::user::UserJson;
use crate::door::http::wire::word::{AvailabilityWord, StaffRoleWord};
use crate::service::error::Error;
use crate::service::user::{EditUser, Invite, InviteUser};

#[derive(Serialize, JsonSchema)]
struct Users<'a> {
    /// All of them.
    users: Vec<UserJson<'a>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewUser {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// Their e-mail address, unique in the organization.
    email: String,
    /// What they are called.
    #[serde(default)]
    name: Option<String>,
    /// What they are to the organization.
    role: StaffRoleWord,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserChange {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// What they are called.
    #[serde(default)]
    name: Option<String>,
    /// What they are to the organization.
    #[serde(default)]
    role: Option<StaffRoleWord>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AvailabilityChange {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// Whether they take conversations from now on.
    availability: AvailabilityWord,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Invited<'a> {
    /// Whom it is for.
    user: UserJson<'a>,
    /// The one-time code; left out of the answer to a repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    /// Until when the code works, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

pub(crate) const LIST: Shape = Shape::new("The organization's staff.").gives::<Users<'static>>();

pub(crate) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let found = call.service().list_users(call.actor()?).await?;
    answer(StatusCode::OK, &Users { users: found.iter().map(UserJson::from).collect() })
}

pub(crate) const INVITE: Shape = Shape::new("Invites a member of staff with a one-time code.")
    .body::<NewUser>()
    .creates::<Invited<'static>>();

pub(crate) async fn invite(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<NewUser>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let new = InviteUser { email: body.email, name: body.name, role: body.role.into() };
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

pub(crate) const GET: Shape = Shape::new("One member of staff.").gives::<UserJson<'static>>();

pub(crate) async fn get(call: Call) -> Result<Response<Body>, Error> {
    let user = call.service().get_user(call.actor()?, call.param("ref")).await?;
    answer(StatusCode::OK, &UserJson::from(&user))
}

pub(crate) const EDIT: Shape = Shape::new("Changes a name or a role; what is left out stays.")
    .body::<UserChange>()
    .gives::<UserJson<'static>>();

pub(crate) async fn edit(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<UserChange>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let role = body.role.map(Role::from);
    let edit = EditUser { name: body.name, role };
    let (actor, user) = (call.actor()?, call.param("ref"));
    let user = call.service().edit_user(actor, Some(client_id), user, edit).await?;
    answer(StatusCode::OK, &UserJson::from(&user))
}

pub(crate) const RESET: Shape =
    Shape::new("Ends a user's sessions, keys and password, and gives a new one-time code.")
        .body::<Act>()
        .gives::<Invited<'static>>();

pub(crate) async fn reset(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Act>()?.client_id.as_deref())?;
    let (actor, user) = (call.actor()?, call.param("ref"));
    let (user, invite) = call.service().reset_user(actor, Some(client_id), user).await?;
    invited(StatusCode::OK, &user, invite.as_ref())
}

pub(crate) const DISABLE: Shape =
    Shape::new("Shuts a user out: their sessions and keys end, their chats go to the queue.")
        .body::<Act>()
        .gives::<UserJson<'static>>();

pub(crate) async fn disable(call: Call) -> Result<Response<Body>, Error> {
    switch(call, true).await
}

pub(crate) const ENABLE: Shape =
    Shape::new("Lets a disabled user in again.").body::<Act>().gives::<UserJson<'static>>();

pub(crate) async fn enable(call: Call) -> Result<Response<Body>, Error> {
    switch(call, false).await
}

async fn switch(call: Call, disabled: bool) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(call.body::<Act>()?.client_id.as_deref())?;
    let (actor, user) = (call.actor()?, call.param("ref"));
    let user = call.service().disable_user(actor, Some(client_id), user, disabled).await?;
    answer(StatusCode::OK, &UserJson::from(&user))
}

pub(crate) const AVAILABILITY: Shape =
    Shape::new("Says whether the signed-in member of staff takes conversations.")
        .body::<AvailabilityChange>()
        .gives::<UserJson<'static>>();

pub(crate) async fn set_availability(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<AvailabilityChange>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let (actor, availability) = (call.actor()?, Availability::from(body.availability));
    let user = call.service().set_availability(actor, Some(client_id), availability).await?;
    answer(StatusCode::OK, &UserJson::from(&user))
}
