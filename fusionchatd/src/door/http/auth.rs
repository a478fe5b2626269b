//! Sign-in, and who is signed in.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::service::auth as service;
use crate::service::error::Error;

use super::call::{Call, answer, no_content};
use super::wire::UserJson;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignIn {
    email: String,
    password: String,
    #[serde(default)]
    organization: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedIn<'a> {
    token: &'a str,
    expires_at: i64,
    user: UserJson<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<Organization<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Organization<'a> {
    id: String,
    name: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Accept {
    code: String,
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

pub(super) async fn accept_invite(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<Accept>()?;
    let address = call.address()?;
    signed_in(&call.service().accept_invite(address, &body.code, body.password).await?)
}

pub(super) async fn create_session(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<SignIn>()?;
    let address = call.address()?;
    let organization = body.organization.as_deref();
    let done = call.service().sign_in(address, &body.email, body.password, organization).await?;
    signed_in(&done)
}

pub(super) async fn get_session(call: Call) -> Result<Response<Body>, Error> {
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
                .map(|it| Organization { id: it.id.to_string(), name: &it.name }),
            expires_at,
        },
    )
}

pub(super) async fn end_session(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(None)?;
    call.service().end_session(call.actor()?, Some(client_id), "").await?;
    Ok(no_content())
}
