//! Sign-in, and who is signed in.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::OrganizationId;
use crate::door::http::call::{Call, answer, no_content};
use crate::door::http::shape::Shape;
use crate::door::http::wire::text::Text;
use crate::door::http::wire::user::UserJson;
use crate::service::auth as service;
use crate::service::error::Error;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignIn {
    /// The e-mail address.
    email: String,
    /// The password.
    password: String,
    /// The organization's id or name, where the address is known in several.
    #[serde(default)]
    organization: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SignedIn<'a> {
    /// The bearer token.
    token: &'a str,
    /// Until when it works, in Unix milliseconds.
    expires_at: i64,
    /// Who is signed in.
    user: UserJson<'a>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    /// What kind of credential it is: a session, a key, a visitor's.
    kind: &'static str,
    /// The person behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserJson<'a>>,
    /// Their organization; an operator has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<Organization<'a>>,
    /// Until when it works, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Organization<'a> {
    /// Its id.
    id: Text<OrganizationId>,
    /// What it is called.
    name: &'a str,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Accept {
    /// The one-time code.
    code: String,
    /// The password from now on.
    password: String,
}

fn signed_in(signed_in: &service::SignedIn) -> Result<Response<Body>, Error> {
    answer(
        StatusCode::CREATED,
        &SignedIn {
            token: &signed_in.token,
            expires_at: signed_in.session.expires_at,
            user: UserJson::from(&signed_in.user),
        },
    )
}

pub(crate) const ACCEPT: Shape =
    Shape::new("Sets a password with the one-time code of an invitation.")
        .body::<Accept>()
        .creates::<SignedIn<'static>>();

pub(crate) async fn accept_invite(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Accept>()?;
    let address = call.address()?;
    signed_in(&call.service().accept_invite(address, &body.code, body.password).await?)
}

pub(crate) const CREATE: Shape =
    Shape::new("Signs a member of staff in.").body::<SignIn>().creates::<SignedIn<'static>>();

pub(crate) async fn create_session(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<SignIn>()?;
    let address = call.address()?;
    let organization = body.organization.as_deref();
    let done = call.service().sign_in(address, &body.email, body.password, organization).await?;
    signed_in(&done)
}

pub(crate) const GET: Shape =
    Shape::new("Says whose credential this is.").gives::<Identity<'static>>();

pub(crate) async fn get_session(call: Call) -> Result<Response<Body>, Error> {
    let identity = call.service().identity(call.actor()?).await?;
    let expires_at = match (&identity.session, &identity.key) {
        (Some(session), _) => Some(session.expires_at),
        (None, Some(key)) => key.expires_at,
        // A visitor's session is in its token alone until the first message.
        (None, None) => call.service().visitor_claims(call.token()).map(|it| it.expires_at),
    };
    answer(
        StatusCode::OK,
        &Identity {
            kind: identity.kind,
            user: identity.user.as_ref().map(UserJson::from),
            organization: identity
                .organization
                .as_ref()
                .map(|it| Organization { id: Text(it.id), name: &it.name }),
            expires_at,
        },
    )
}

pub(crate) const END: Shape = Shape::new("Ends the session of this token.");

pub(crate) async fn end_session(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(None)?;
    call.service().end_session(call.actor()?, Some(client_id), "").await?;
    Ok(no_content())
}
