//! The one table of what each kind of failure is called on each wire. Every door asks here; none
//! has numbers of its own.

use tonic::Code;

use crate::service::error::Kind;

/// Closes a WebSocket whose session is none or has ended. Not the code of a late hello: a client that was only slow
/// must keep its session.
pub const CLOSE_SESSION_ENDED: u16 = 4002;
/// Closes a WebSocket whose first frame named an origin or an inbox it may not use.
pub const CLOSE_REFUSED: u16 = 4003;
/// Closes a WebSocket that reads too slowly; it comes back with its cursor.
pub const CLOSE_SLOW: u16 = 4008;
/// Closes a WebSocket because the daemon is stopping and comes back.
pub const CLOSE_RESTART: u16 = 1012;

/// The names of one kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The status of an HTTP answer.
    pub http: u16,
    /// The code of a gRPC status.
    pub grpc: Code,
    /// The code a WebSocket is closed with; none: it stays open and gets an `error` frame.
    pub close: Option<u16>,
}

/// The names of a kind of failure.
pub fn of(kind: Kind) -> Status {
    let (http, grpc, close) = match kind {
        Kind::Invalid => (400, Code::InvalidArgument, None),
        Kind::Unauthenticated => (401, Code::Unauthenticated, Some(CLOSE_SESSION_ENDED)),
        Kind::Forbidden => (403, Code::PermissionDenied, None),
        Kind::NotFound => (404, Code::NotFound, None),
        Kind::Conflict => (409, Code::Aborted, None),
        Kind::TooLarge => (413, Code::InvalidArgument, Some(1009)),
        Kind::Limited => (429, Code::ResourceExhausted, None),
        Kind::Unavailable => (503, Code::Unavailable, Some(1013)),
        Kind::Internal => (500, Code::Internal, Some(1011)),
    };
    Status { http, grpc, close }
}
