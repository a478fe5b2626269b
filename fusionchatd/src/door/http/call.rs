//! One REST request: who asks, what for, and the answer. It checks the credential before it reads
//! the body.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams};
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::domain::actor::{Actor, Who};
use crate::domain::id::ClientId;
use crate::door::bytes_within;
use crate::service::error::{Error, Kind};
use crate::service::limit::Address;
use crate::service::{Service, Settings};

use super::route::Route;
use super::wire::Audience;
use super::{Door, Peer, json, problem};

/// The largest body, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How much of a body that is too large is read away.
const DRAIN_BYTES_MAX: usize = 4 * BODY_BYTES_MAX;
/// The longest `Idempotency-Key`, in bytes.
pub(super) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// The header that stands for a missing `clientId`.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A request whose credential has been checked.
#[derive(Debug)]
pub struct Call {
    door: Arc<Door>,
    settings: Arc<Settings>,
    parts: Parts,
    params: Vec<(String, String)>,
    token: String,
    actor: Option<Actor>,
    body: Bytes,
}

/// Serves a request of a route.
pub(super) async fn serve(
    door: Arc<Door>,
    route: &'static Route,
    request: Request<Body>,
) -> Response<Body> {
    let answered = match Call::read(door, route, request).await {
        Ok(call) => (route.run)(call).await,
        Err(error) => Err(error),
    };
    let response = answered.unwrap_or_else(|error| problem::of_error(&error));
    tracing::debug!(route = route.name, status = response.status().as_u16(), "answered");
    response
}

impl Call {
    async fn read(
        door: Arc<Door>,
        route: &'static Route,
        request: Request<Body>,
    ) -> Result<Self, Error> {
        let (mut parts, body) = request.into_parts();
        let params = match RawPathParams::from_request_parts(&mut parts, &()).await {
            Ok(params) => params.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            Err(_) => return Err(Error::not_found()),
        };
        let token = bearer(&parts.headers).unwrap_or_default().to_owned();
        let actor = if route.open { None } else { Some(door.service.authenticate(&token).await?) };
        let body = if route.verb.has_body() {
            read_body(&parts.headers, body, door.options.body_timeout).await?
        } else {
            Bytes::new()
        };
        let settings = door.service.settings();
        Ok(Self { door, settings, parts, params, token, actor, body })
    }

    /// The use cases.
    pub(super) fn service(&self) -> &Arc<Service> {
        &self.door.service
    }

    /// Where visitors reach the daemon.
    pub(super) fn public_url(&self) -> &str {
        &self.settings.public_url
    }

    /// Who asks.
    pub(super) fn actor(&self) -> Result<&Actor, Error> {
        self.actor.as_ref().ok_or_else(Error::sign_in_needed)
    }

    /// Whose view of the rows they get.
    pub(super) fn audience(&self) -> Audience {
        match self.actor.as_ref().map(|it| &it.who) {
            Some(
                Who::Agent { .. }
                | Who::Key { .. }
                | Who::Operator { .. }
                | Who::Assistant
                | Who::System,
            ) => Audience::Staff,
            Some(Who::Visitor { .. }) | None => Audience::Visitor,
        }
    }

    /// The token they sent.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The address they are counted by.
    pub(super) fn address(&self) -> Result<Address, Error> {
        let peer = self.parts.extensions.get::<Peer>();
        let peer = peer.ok_or_else(|| Error::internal(anyhow::anyhow!("a request has no peer")))?;
        Ok(peer.address)
    }

    /// A part of the path, decoded.
    pub(super) fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The query.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Error> {
        json::read_query(&self.parts.uri)
    }

    /// The body; none at all is an object without fields.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if self.body.is_empty() {
            return json::read(b"{}");
        }
        if !is_json(&self.parts.headers) {
            let error = Error::invalid("not_json", "the body is not declared as JSON");
            return Err(error.with_hint("send Content-Type: application/json"));
        }
        json::read(&self.body)
    }

    /// What makes a repeat of this request harmless: the body's id, else the header's, else a fresh
    /// one.
    pub(super) fn client_id(&self, own: Option<&str>) -> Result<ClientId, Error> {
        if let Some(text) = own {
            return parse_client_id(text);
        }
        let mut keys = self.parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(key) = keys.next() else {
            return Ok(ClientId(*self.door.service.new_id().as_bytes()));
        };
        let bytes = key.as_bytes();
        if bytes.is_empty() || bytes.len() > IDEMPOTENCY_KEY_BYTES_MAX || keys.next().is_some() {
            return Err(Error::invalid(
                "invalid_argument",
                "the Idempotency-Key is empty, longer than 255 bytes or there twice",
            ));
        }
        let written = key.to_str().ok().and_then(|text| text.parse::<ClientId>().ok());
        Ok(written.unwrap_or_else(|| {
            let digest: [u8; 32] = Sha256::digest(bytes).into();
            let mut id = [0; 16];
            id.copy_from_slice(&digest[..16]);
            ClientId(id)
        }))
    }
}

/// A client id as it stands in a body or frame.
pub(crate) fn parse_client_id(text: &str) -> Result<ClientId, Error> {
    text.parse::<ClientId>().map_err(|error| Error::invalid("invalid_argument", error.to_string()))
}

/// An answer with a JSON body.
pub(super) fn answer(status: StatusCode, body: &impl Serialize) -> Result<Response<Body>, Error> {
    let bytes = serde_json::to_vec(body).map_err(Error::internal)?;
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// An answer without a body.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The bearer token; none if there is none or more than one, so that no two readers pick different
/// ones.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let text = all.next()?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && all.next().is_none()).then(|| token.trim())
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let media_type = declared.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

/// Reads a bounded body that keeps coming.
async fn read_body(headers: &HeaderMap, mut body: Body, window: Duration) -> Result<Bytes, Error> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    let declared = declared.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
    let mut read = BytesMut::new();
    let mut whole = declared <= BODY_BYTES_MAX as u64;
    while whole {
        let before = read.len();
        match tokio::time::timeout(window, read_on(&mut body, &mut read)).await {
            Ok(Ok(true)) => return Ok(read.freeze()),
            Ok(Ok(false)) => whole = false,
            Ok(Err(error)) => return Err(error),
            Err(_) if read.len() - before >= bytes_within(window) => {}
            Err(_) => return Err(Error::invalid("too_slow", "the body came too slowly")),
        }
    }
    drop(read);
    // A client that is still sending would not hear why: read some of it away.
    let mut drained = 0;
    let drain = async {
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > DRAIN_BYTES_MAX {
                break;
            }
        }
    };
    // However far it came, the answer is the same.
    let _ = tokio::time::timeout(window, drain).await;
    Err(Error::new(Kind::TooLarge, "body_too_large", "the body is larger than 1 MiB"))
}

/// Adds what comes of a body; whether that was all of it, or false once it is too large.
async fn read_on(body: &mut Body, read: &mut BytesMut) -> Result<bool, Error> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::invalid("invalid_body", "the body ended early"))?;
        let Ok(data) = frame.into_data() else { continue };
        if read.len() + data.len() > BODY_BYTES_MAX {
            return Ok(false);
        }
        read.extend_from_slice(&data);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_counts_and_two_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.append(AUTHORIZATION, HeaderValue::from_static("bearer fus_sess_x"));
        assert_eq!(bearer(&headers), Some("fus_sess_x"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer fus_sess_y"));
        assert_eq!(bearer(&headers), None);
    }
}
