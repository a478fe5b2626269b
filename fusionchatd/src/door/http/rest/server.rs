//! The daemon's status by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::door::http::call::{Call, answer};
use crate::door::http::shape::Shape;
use crate::service::error::Error;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "WholeServer")]
struct WholeJson {
    /// What the store takes on disk.
    store_bytes: u64,
    /// The memory the daemon takes.
    resident_bytes: u64,
    /// How many organizations it serves.
    organizations: u32,
    /// Open WebSockets.
    sockets: u32,
    /// Open gRPC streams.
    streams: u32,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ServerStatus<'a> {
    /// The daemon's version.
    version: &'static str,
    /// `ready`, or what keeps it from being so.
    state: &'static str,
    /// When it started, in Unix milliseconds.
    started_at: i64,
    /// What time it has, in Unix milliseconds.
    now: i64,
    /// The storage engine.
    engine: &'static str,
    /// The version of what is stored.
    schema: u32,
    /// The part of every cursor that a restored backup changes.
    epoch: &'a str,
    /// Its process id.
    pid: u32,
    /// What all organizations together come to; for the operator alone.
    #[serde(flatten)]
    whole: Option<WholeJson>,
    /// Conversations of the caller's organization that wait for a person.
    waiting: u32,
    /// Where visitors reach it.
    http_url: &'a str,
    /// Whether the HTTP door speaks TLS.
    http_tls: bool,
    /// Whether the gRPC door does.
    grpc_tls: bool,
}

pub(crate) const STATUS: Shape = Shape::new("How the daemon is.").gives::<ServerStatus<'static>>();

pub(crate) async fn status(call: Call) -> Result<Response<Body>, Error> {
    let status = call.service().server_status(call.actor()?).await?;
    answer(
        StatusCode::OK,
        &ServerStatus {
            version: env!("CARGO_PKG_VERSION"),
            state: status.state,
            started_at: status.started_at,
            now: status.now,
            engine: status.engine,
            schema: status.schema,
            epoch: &status.epoch,
            pid: status.pid,
            whole: status.whole.map(|it| WholeJson {
                store_bytes: it.store_bytes,
                resident_bytes: it.resident_bytes,
                organizations: it.organizations,
                sockets: it.sockets,
                streams: it.streams,
            }),
            waiting: status.waiting,
            http_url: &status.http_url,
            http_tls: status.http_tls,
            grpc_tls: status.grpc_tls,
        },
    )
}
