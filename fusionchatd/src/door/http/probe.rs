//! Probes on the HTTP door, and the metrics on a listener of their own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::service::Service;

use super::HEAD_BYTES_MAX;

/// The most connections at once that read metrics.
const READERS_MAX: usize = 16;
/// How long such a connection may take for a request.
const READER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait when the system gives no further connections.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// `GET /livez`: the process answers.
pub(super) fn live() -> Response<Body> {
    text(StatusCode::OK, "ok\n".to_owned(), "text/plain; charset=utf-8")
}

/// `GET /readyz`: it takes new work.
pub(in crate::door) fn ready(service: &Service) -> Response<Body> {
    let (status, said) = match service.unready() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    };
    text(status, said, "text/plain; charset=utf-8")
}

/// Serves `/metrics`, `/livez` and `/readyz` until `stop`.
pub async fn serve_metrics(
    listener: TcpListener,
    service: Arc<Service>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let readers = Arc::new(Semaphore::new(READERS_MAX));
    loop {
        let Ok(place) = Arc::clone(&readers).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ACCEPT_BACKOFF) => continue,
            }
        };
        let (service, stop) = (Arc::clone(&service), stop.clone());
        tasks.spawn(async move {
            let _place = place;
            let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
                let response = answer(&service, request.uri().path());
                std::future::ready(Ok::<_, Infallible>(response))
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(READER_TIMEOUT)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), answer);
            tokio::select! {
                () = stop.cancelled() => {}
                // Whoever reads metrics comes again; why this time failed is of no use.
                _ = connection => {}
            }
        });
    }
}

fn answer(service: &Service, path: &str) -> Response<Body> {
    match path {
        "/metrics" => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            text(StatusCode::OK, service.metrics_text(), kind)
        }
        "/livez" => live(),
        "/readyz" => ready(service),
        _ => text(StatusCode::NOT_FOUND, "not found\n".to_owned(), "text/plain; charset=utf-8"),
    }
}

fn text(status: StatusCode, body: String, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
