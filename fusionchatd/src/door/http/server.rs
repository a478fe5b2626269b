//! The daemon's status by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::service::error::Error;

use super::call::{Call, answer};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerStatus<'a> {
    version: &'static str,
    state: &'static str,
    started_at: i64,
    now: i64,
    engine: &'static str,
    schema: u32,
    epoch: &'a str,
    store_bytes: u64,
    resident_bytes: u64,
    pid: u32,
    organizations: u32,
    sockets: u32,
    streams: u32,
    waiting: u32,
    http_url: &'a str,
    http_tls: bool,
    grpc_tls: bool,
}

pub(super) async fn status(call: Call) -> Result<Response<Body>, Error> {
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
            store_bytes: status.store_bytes,
            resident_bytes: status.resident_bytes,
            pid: status.pid,
            organizations: status.organizations,
            sockets: status.sockets,
            streams: status.streams,
            waiting: status.waiting,
            http_url: &status.http_url,
            http_tls: status.http_tls,
            grpc_tls: status.grpc_tls,
        },
    )
}
