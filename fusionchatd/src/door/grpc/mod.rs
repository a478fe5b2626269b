//! The gRPC door: `fusionchat.v1` over HTTP/2, with health and reflection beside it. It turns bytes
//! into service calls and back and decides nothing; visitors have doors of their own and are
//! refused here.
//!
//! `call` has one file per service of the protocol, `wire` the rows as messages, `page` their
//! limit, `stream`, `frame` and `fields` the watch stream's bytes, `problem` the errors, `auth` the
//! bearer token, `incoming` the connections, `pace` the slow requests and `health` the probe.

mod auth;
mod call;
mod fields;
mod frame;
pub(in crate::door) mod health;
mod incoming;
mod pace;
mod page;
mod problem;
mod stream;
mod wire;

#[cfg(test)]
mod body_prop_test;
#[cfg(test)]
mod frame_prop_test;
#[cfg(test)]
mod grpc_test;
#[cfg(test)]
mod harness_test;
#[cfg(test)]
mod hostile_test;
#[cfg(test)]
mod watch_test;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use fusionchat_proto::v1::article_service_server::ArticleServiceServer;
use fusionchat_proto::v1::audit_service_server::AuditServiceServer;
use fusionchat_proto::v1::conversation_service_server::ConversationServiceServer;
use fusionchat_proto::v1::escalation_service_server::EscalationServiceServer;
use fusionchat_proto::v1::inbox_service_server::InboxServiceServer;
use fusionchat_proto::v1::key_service_server::KeyServiceServer;
use fusionchat_proto::v1::organization_service_server::OrganizationServiceServer;
use fusionchat_proto::v1::server_service_server::ServerServiceServer;
use fusionchat_proto::v1::session_service_server::SessionServiceServer;
use fusionchat_proto::v1::user_service_server::UserServiceServer;
use fusionchat_proto::v1::visitor_service_server::VisitorServiceServer;
use fusionchat_proto::{DESCRIPTOR_SET, MESSAGE_BYTES_MAX, v1};
use http::{HeaderName, HeaderValue, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic::{Code, Request};
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::server::Builder as Reflection;
use tower::util::{MapRequestLayer, MapResponseLayer};

use crate::domain::actor::Actor;
use crate::door::Waits;
use crate::door::tls::Tls;
use crate::service::Service;
use crate::service::error::Error;
use crate::service::limit::Address;
use crate::service::memory::Room;
use crate::service::subscribe::Cursor;
use crate::service::view::MessageView;

use incoming::{CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX};
use stream::WatchServer;

/// The most calls and streams of one connection.
const STREAMS_MAX: u32 = 128;
/// The most calls of one connection that are worked on at once; the others wait for their turn.
const CALLS_AT_ONCE: usize = 64;
/// How much of a call's body may lie unread, as the protocol has it by itself. A connection has room for that of all
/// its calls: else the bodies of those that wait for their turn fill it, and those whose turn it is wait for theirs.
const UNREAD_BYTES_MAX: u32 = 64 * 1024;
/// The most streams a client may reset before the daemon has taken them up.
const PENDING_RESETS_MAX: usize = 20;
/// The largest headers of a call, in bytes.
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// The most streams of a connection that the daemon has to reset for a client's mistakes. The library would not
/// count them.
const OWN_RESETS_MAX: usize = 1_024;

/// Stands for a peer that left before it could be asked: all of them share one limit.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// What the library says of a body that is no message.
const UNREAD_MESSAGE: &str = "failed%20to%20decode%20Protobuf";

/// What tests make short.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a stream is silent before it says that it lives, and how often it checks its
    /// token's end.
    pub heartbeat: Duration,
    /// How long clients are waited for.
    pub waits: Waits,
}

impl Default for Timing {
    fn default() -> Self {
        Self::from(Waits::default())
    }
}

impl From<Waits> for Timing {
    fn from(waits: Waits) -> Self {
        Self { heartbeat: Duration::from_secs(5), waits }
    }
}

/// Why the door could not be opened or has closed by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The protocol's descriptors are broken.
    #[error("the descriptors of the protocol cannot be served")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The server ended.
    #[error("the gRPC server has failed")]
    Transport(#[source] tonic::transport::Error),
}

/// Serves until `stop`, then ends the streams and waits for the calls under way and for the
/// connections to close. Every open connection counts as one of `tasks`.
///
/// # Errors
/// Broken descriptors, or a failure of the server itself; never a failure of one connection.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    service: Arc<Service>,
    stop: CancellationToken,
    tasks: TaskTracker,
    timing: Timing,
) -> Result<(), ServeError> {
    let door = Arc::new(Door { service, stop: stop.clone(), timing });
    let counting = Arc::clone(&door.service);
    let count = MapResponseLayer::new(move |response: Response<Body>| {
        let response = blame_the_caller(response);
        // A stream's end is not seen here: it counts as it begins.
        let code = response.headers().get(GRPC_STATUS).and_then(|it| it.to_str().ok());
        counting.metrics().grpc(code.and_then(|it| it.parse().ok()).unwrap_or(0));
        response
    });
    let (patience, service) = (timing.waits.patience, Arc::clone(&door.service));
    let pace = MapRequestLayer::new(move |request| pace::paced(request, patience));
    let router = router(&door, server(timing.waits).layer(count).layer(pace))?;
    let allowed = Box::new(move |address| allowed(&service, address));
    let incoming =
        incoming::connections(incoming::Gate { listener, tls, tasks, patience, allowed });
    let stopped = stop.cancelled_owned();
    router.serve_with_incoming_shutdown(incoming, stopped).await.map_err(ServeError::Transport)
}

fn router<L: Clone>(door: &Arc<Door>, mut server: Server<L>) -> Result<Router<L>, ServeError> {
    // Each service is told the largest message it takes; there is no common place to say it.
    macro_rules! served {
        ($server:ident) => {
            $server::from_arc(Arc::clone(door))
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX)
        };
    }
    let reflection =
        || Reflection::configure().register_encoded_file_descriptor_set(DESCRIPTOR_SET);
    Ok(server
        .add_service(served!(ArticleServiceServer))
        .add_service(served!(AuditServiceServer))
        .add_service(served!(ConversationServiceServer))
        .add_service(served!(EscalationServiceServer))
        .add_service(served!(InboxServiceServer))
        .add_service(served!(KeyServiceServer))
        .add_service(served!(OrganizationServiceServer))
        .add_service(served!(ServerServiceServer))
        .add_service(served!(SessionServiceServer))
        .add_service(served!(UserServiceServer))
        .add_service(served!(VisitorServiceServer))
        .add_service(WatchServer(Arc::clone(door)))
        .add_service(HealthServer::new(health::Probe::new(
            Arc::clone(&door.service),
            door.stop.clone(),
        )))
        .add_service(reflection().build_v1().map_err(ServeError::Reflection)?)
        .add_service(reflection().build_v1alpha().map_err(ServeError::Reflection)?))
}

/// How many connections an address may have.
fn allowed(service: &Service, address: IpAddr) -> u32 {
    if service.memory().room() == Room::Gone {
        return 0;
    }
    let proxied = service.settings().proxies.trusts(address);
    if proxied { CONNECTIONS_MAX } else { CONNECTIONS_PER_ADDRESS_MAX }
}

/// A body that is no message is the caller's mistake; the library says it were the daemon's.
fn blame_the_caller(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let unread = headers
        .get(GRPC_MESSAGE)
        .is_some_and(|it| it.as_bytes().starts_with(UNREAD_MESSAGE.as_bytes()));
    if unread {
        headers.insert(GRPC_STATUS, HeaderValue::from(Code::InvalidArgument as i32));
    }
    response
}

fn server(waits: Waits) -> Server {
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .concurrency_limit_per_connection(CALLS_AT_ONCE)
        .initial_stream_window_size(UNREAD_BYTES_MAX)
        .initial_connection_window_size(UNREAD_BYTES_MAX * STREAMS_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(OWN_RESETS_MAX))
        .http2_keepalive_interval(Some(waits.ping))
        .http2_keepalive_timeout(Some(waits.patience))
}

/// What a stream ends with when the daemon does.
fn draining() -> Error {
    Error::unavailable("draining", "the daemon is stopping")
}

/// What the calls share.
#[derive(Debug)]
struct Door {
    service: Arc<Service>,
    stop: CancellationToken,
    timing: Timing,
}

impl Door {
    /// Who calls, and what they say.
    async fn open<T>(&self, request: Request<T>) -> Result<(Actor, T), Error> {
        let token = auth::bearer(request.metadata())?;
        let actor = auth::staff(&self.service, token).await?;
        Ok((actor, request.into_inner()))
    }

    /// A place in the journal of this store.
    fn cursor(&self, position: u64) -> v1::Cursor {
        wire::cursor(Cursor { epoch: self.service.epoch(), position })
    }

    /// The address a caller is counted by.
    fn address<T>(&self, request: &Request<T>) -> Address {
        let Some(peer) = request.remote_addr() else { return Address::from(NOBODY) };
        let forwarded = request.metadata().get_all("x-forwarded-for").iter();
        let lines: Vec<&[u8]> = forwarded.map(MetadataValue::as_encoded_bytes).collect();
        let proxies = &self.service.settings().proxies;
        Address::from(proxies.client(peer.ip(), lines.into_iter()))
    }

    fn message(&self, view: &MessageView) -> v1::Message {
        wire::message(view, &self.service.settings().public_url)
    }
}
