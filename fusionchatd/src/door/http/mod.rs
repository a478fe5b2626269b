//! HTTP/1.1 for integrations and for the widget's files, and the way into its WebSocket. The accept
//! loop is our own: every wait of a connection has a limit, and an error of one connection never
//! ends it.

pub mod route;

pub(crate) mod call;
pub(crate) mod json;
pub(crate) mod problem;
pub(crate) mod wire;

pub mod openapi;
mod page;
pub(in crate::door) mod probe;
mod rest;
pub(crate) mod shape;
pub use probe::serve_metrics;
pub(crate) use widget::host;

mod widget;

#[cfg(test)]
mod http_test;
#[cfg(test)]
mod proxy_test;
#[cfg(test)]
mod rest_prop_test;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use http::header::{CONNECTION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::door::Waits;
use crate::door::patient::{self, Patient};
use crate::door::seat::{Seat, Seats};
use crate::door::tls::Tls;
use crate::door::transport::Transport;
use crate::service::error::Error;
use crate::service::hub::Hub;
use crate::service::limit::Address;
use crate::service::memory::Room;
use crate::service::token::{KEY_PREFIX, SESSION_PREFIX, VISITOR_PREFIX};
use crate::service::{Service, Settings};

/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The most header lines of a request.
const HEADERS_MAX: usize = 100;
/// The most connections of one trusted proxy: its clients are counted one by one.
const PROXY_CONNECTIONS_MAX: u32 = 16_384;
/// In which a trusted proxy names its client.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Names of query parameters that would carry a secret.
const SECRET_PARAMETERS: [&str; 6] =
    ["token", "access_token", "api_key", "apikey", "authorization", "session"];

/// The waits of the HTTP door. Tests make them short.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// How long a request's head may take, and how long a connection may be idle between two
    /// requests.
    pub header_timeout: Duration,
    /// How long a body may come slower than 1 KiB/s.
    pub body_timeout: Duration,
    /// How long a WebSocket may stay without a hello.
    pub hello_timeout: Duration,
    /// How long a frame may take to be written, or an answer without a byte of it being taken,
    /// before its reader counts as too slow.
    pub write_timeout: Duration,
    /// How often a WebSocket is pinged; two unanswered pings end it.
    pub ping_interval: Duration,
    /// The least time between two typing signals of a visitor that count.
    pub typing_interval: Duration,
    /// How long a WebSocket that is being closed may take to hear of it.
    pub close_timeout: Duration,
    /// How long requests under way may take when the daemon stops.
    pub drain_timeout: Duration,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// Speaks TLS, if it shall.
    pub tls: Option<Arc<Tls>>,
    /// How long to wait when the system gives no further connections.
    pub accept_backoff: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self::from(Waits::default())
    }
}

impl From<Waits> for HttpOptions {
    fn from(waits: Waits) -> Self {
        let Waits { patience, ping } = waits;
        Self {
            header_timeout: patience,
            body_timeout: patience,
            hello_timeout: patience,
            write_timeout: patience,
            ping_interval: ping,
            typing_interval: Duration::from_secs(2),
            close_timeout: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(5),
            handshake_timeout: patience,
            tls: None,
            accept_backoff: Duration::from_millis(50),
        }
    }
}

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Door {
    /// The use cases.
    pub(crate) service: Arc<Service>,
    /// The waits.
    pub(crate) options: HttpOptions,
    /// Cancelled when the daemon stops.
    pub(crate) stop: CancellationToken,
    /// Waited for when it does.
    pub(crate) tasks: TaskTracker,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// What it is counted by: the client's address where a trusted proxy names it.
    pub(crate) address: Address,
    /// Its place among the connections of its address, kept as long as the connection lives. A client behind a
    /// proxy has one as long as its request or its socket lasts.
    pub(crate) seat: Arc<Seat>,
}

/// Serves connections until `stop`. Those under way are tasks of `tasks` and end soon after.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    options: HttpOptions,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    patient::hear_of_progress(&listener);
    let seats = Arc::new(Seats::default());
    let door = Arc::new(Door { service, options, stop, tasks });
    let router = route::router(&door);
    let mut beat = tokio::time::interval(Hub::beat_every(door.options.ping_interval));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            () = door.stop.cancelled() => break,
            _ = beat.tick() => {
                door.service.hub().beat();
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let settings = door.service.settings();
                let address = Address::from(from.ip());
                let max = if settings.proxies.trusts(from.ip()) {
                    PROXY_CONNECTIONS_MAX
                } else {
                    settings.limits.sockets_per_address
                };
                if door.service.memory().room() == Room::Gone {
                    turn_away(&door, &stream, "503 Service Unavailable");
                    continue;
                }
                let Some(seat) = seats.take(address, max) else {
                    turn_away(&door, &stream, "429 Too Many Requests");
                    continue;
                };
                let guest = Guest { from, seats: Arc::clone(&seats), peer: Peer { address, seat } };
                door.tasks.spawn(greet(Arc::clone(&door), router.clone(), stream, guest));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!("no further connection for a moment: {error}");
                tokio::select! {
                    () = door.stop.cancelled() => break,
                    () = tokio::time::sleep(door.options.accept_backoff) => {}
                }
            }
        }
    }
    // Sockets wait on a bell for it.
    door.service.hub().ring();
}

/// Errors of a connection that was gone before it was accepted: the next may come at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Says to one connection too many why it is closed, if it listens.
fn turn_away(door: &Door, stream: &TcpStream, status: &str) {
    if door.options.tls.is_some() {
        return;
    }
    let answer = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\nretry-after: 10\r\ncontent-length: 0\r\n\r\n"
    );
    // It is closed in any case.
    let _ = stream.try_write(answer.as_bytes());
}

/// A connection and what its requests are counted with.
#[derive(Clone, Debug)]
struct Guest {
    from: SocketAddr,
    seats: Arc<Seats>,
    peer: Peer,
}

impl Guest {
    /// Who sends a request: the other end itself, or the client that a trusted proxy names; none if that client has
    /// too many connections.
    fn peer(&self, settings: &Settings, headers: &HeaderMap) -> Option<Peer> {
        if !settings.proxies.trusts(self.from.ip()) {
            return Some(self.peer.clone());
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
        let lines: Vec<&[u8]> = lines.collect();
        let client = settings.proxies.client(self.from.ip(), lines.into_iter());
        if settings.proxies.trusts(client) {
            return Some(self.peer.clone());
        }
        let address = Address::from(client);
        let seat = self.seats.take(address, settings.limits.sockets_per_address)?;
        Some(Peer { address, seat })
    }
}

/// The handshake, if there is one, and then the requests.
async fn greet(door: Arc<Door>, router: Router, stream: TcpStream, guest: Guest) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("{}: {error}", guest.from);
    }
    let stream = Patient::new(stream, door.options.write_timeout);
    let Some(tls) = &door.options.tls else {
        return converse(door, router, Transport::Plain(stream), guest).await;
    };
    // Boxed: what a handshake needs is not kept while the connection lives.
    let handshake = Box::pin(Arc::clone(tls).handshake(stream));
    let handshake = tokio::time::timeout(door.options.handshake_timeout, handshake);
    let shaken = tokio::select! {
        () = door.stop.cancelled() => return,
        shaken = handshake => shaken,
    };
    match shaken {
        Ok(Ok(stream)) => converse(door, router, stream, guest).await,
        Ok(Err(error)) => tracing::debug!("{}: no TLS handshake: {error}", guest.from),
        Err(_) => tracing::debug!("{}: the TLS handshake took too long", guest.from),
    }
}

async fn converse(door: Arc<Door>, router: Router, stream: Transport, guest: Guest) {
    let from = guest.from;
    let own = Arc::clone(&door);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let peer = guest.peer(&own.service.settings(), request.headers());
        let (router, counting) = (router.clone(), Arc::clone(&own.service));
        async move {
            let response = if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
                answer(router, request).await
            } else {
                problem::of_error(&too_many_connections())
            };
            counting.metrics().http(response.status().as_u16());
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(door.options.header_timeout)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = door.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(door.options.drain_timeout, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!("{from}: {error}");
    }
}

/// The stream below an upgraded connection, and what came on it already. Whoever takes it bounds its writes.
pub(in crate::door) fn own_stream(upgraded: Upgraded) -> Option<(Transport, Bytes)> {
    let Ok(parts) = upgraded.downcast::<TokioIo<Transport>>() else {
        tracing::error!("an upgraded connection is of another kind than it was served as");
        return None;
    };
    // An empty rest would keep the memory it was read into.
    let early = if parts.read_buf.is_empty() { Bytes::new() } else { parts.read_buf };
    let mut stream = parts.io.into_inner();
    stream.relax();
    Some((stream, early))
}

async fn answer(router: Router, request: Request<Incoming>) -> Response<Body> {
    let mut response = if has_secret(request.uri().query().unwrap_or_default()) {
        problem::of_error(&secret_in_url())
    } else {
        router.oneshot(request).await.unwrap_or_else(|never| match never {})
    };
    if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if response.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
            // What is left of the body is not worth reading.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    response
}

/// Whether a query seems to carry a secret: it would end in logs and histories.
fn has_secret(query: &str) -> bool {
    let by_value = [KEY_PREFIX, SESSION_PREFIX, VISITOR_PREFIX].iter().any(|it| query.contains(it));
    let mut names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    by_value || names.any(|name| SECRET_PARAMETERS.iter().any(|it| name.eq_ignore_ascii_case(it)))
}

fn too_many_connections() -> Error {
    Error::limited("rate_limited", "this address has too many connections", 10_000)
}

fn secret_in_url() -> Error {
    Error::invalid("token_in_url", "a secret does not belong in a URL; it may have leaked")
        .with_hint("send it as Authorization: Bearer …, and replace it if this URL was logged")
}
