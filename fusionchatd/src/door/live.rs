//! The widget's WebSocket: the way in. The upgrade is done by hand, because it must be refused
//! before it happens and because the usual buffers would cost a hundred times the memory of an idle
//! visitor.

mod frame;
mod guard;
mod hear;
mod hello;
mod outlet;
mod socket;
mod wire;

#[cfg(test)]
mod crowd_test;
#[cfg(test)]
mod live_test;
#[cfg(test)]
mod origin_test;
#[cfg(test)]
mod stream_test;

use std::sync::Arc;

use axum::body::Body;
use futures::FutureExt;
use futures::future::OptionFuture;
use http::header::{
    CONNECTION, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::service::error::{Error, Kind};

use super::http::{Door, Peer, host, own_stream, problem};
use guard::Guard;
use outlet::Line;
use socket::Socket;

/// The length of the key a client sends: 16 bytes in base64.
const KEY_CHARS: usize = 24;

/// Turns a request into a WebSocket, or refuses it.
pub(crate) fn upgrade(door: &Arc<Door>, mut request: Request<Body>) -> Response<Body> {
    if !is_own_origin(request.headers(), &door.service.settings().public_url) {
        let error = Error::new(
            Kind::Forbidden,
            "origin_not_allowed",
            "only the widget's own frame may open this socket",
        );
        return problem::of_error(&error);
    }
    let accept = match accept_key(request.headers()) {
        Ok(accept) => accept,
        Err(error) => return problem::of_error(&error),
    };
    if door.stop.is_cancelled() {
        let error = Error::unavailable("draining", "the daemon is stopping");
        return problem::of_error(&error);
    }
    let Some(peer) = request.extensions().get::<Peer>().cloned() else {
        return problem::of_error(&Error::internal(anyhow::anyhow!("a request has no peer")));
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let task_door = Arc::clone(door);
    let socket = async move {
        // The connection ended instead: there is nobody to tell.
        let upgraded = upgrade.await.ok()?;
        let (stream, early) = own_stream(upgraded)?;
        let socket = Socket::new(task_door, peer, Guard::new(Line::new(stream), early));
        Some(Box::pin(socket.run()))
    };
    // Boxed, one after the other: a task takes memory by 128 bytes and keeps it to its end.
    door.tasks.spawn(Box::pin(socket).map(OptionFuture::from).flatten());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// Whether a page of the daemon's own origin asks. A request without an origin comes from no
/// browser's page.
fn is_own_origin(headers: &HeaderMap, public_url: &str) -> bool {
    let mut all = headers.get_all(ORIGIN).iter();
    let origin = all.next().and_then(|it| it.to_str().ok());
    let (Some(origin), None) = (origin, all.next()) else { return false };
    if origin.eq_ignore_ascii_case(origin_of(public_url)) {
        return true;
    }
    let asked = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    asked.zip(host(headers)).is_some_and(|(asked, host)| asked.eq_ignore_ascii_case(host))
}

/// The origin of a URL: what stands before its path.
fn origin_of(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    let end = rest.find('/').unwrap_or(rest.len());
    &url[..scheme.len() + "://".len() + end]
}

fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Error> {
    let refused = || {
        Error::invalid("upgrade_needed", "this address speaks WebSocket only")
            .with_hint("send a WebSocket handshake of version 13")
    };
    let version = headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|it| it.as_bytes() == b"13");
    let asked =
        has_token(headers, &CONNECTION, "upgrade") && has_token(headers, &UPGRADE, "websocket");
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|it| it.len() == KEY_CHARS);
    match key {
        Some(key) if version && asked => {
            HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(Error::internal)
        }
        Some(_) | None => Err(refused()),
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|it| it.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_origin_is_the_host_asked_for_or_the_public_one() {
        let own = |origin: &'static str, host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
            headers.insert(http::header::HOST, HeaderValue::from_static(host));
            is_own_origin(&headers, "https://chat.example/base")
        };
        assert!(own("http://localhost:4880", "localhost:4880"));
        assert!(own("https://chat.shop.example", "chat.shop.example"));
        assert!(own("https://chat.example", "10.0.0.1:4880"));
        for origin in ["null", "", "https://shop.example", "ws://localhost:4880"] {
            assert!(!own(origin, "localhost:4880"), "{origin}");
        }
        assert!(!is_own_origin(&HeaderMap::new(), "https://chat.example"));
    }
}
