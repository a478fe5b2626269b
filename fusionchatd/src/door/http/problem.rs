//! What an HTTP client is told of a failure: `application/problem+json`. The cause goes to the log
//! only.

use std::collections::BTreeMap;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::door::status;
use crate::service::error::{Error, Kind};

/// Why something was refused, by RFC 9457 and with members of our own.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem<'a> {
    /// Always `about:blank`: the code says it.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What went wrong, as a stable word for programs.
    code: &'a str,
    /// What went wrong, in words for people.
    detail: &'a str,
    /// What to do about it.
    #[serde(skip_serializing_if = "str::is_empty")]
    hint: &'a str,
    /// What the code is about, where more than the code is known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    params: &'a BTreeMap<&'static str, String>,
    /// When to come again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// The answer to a use case that failed.
pub(crate) fn of_error(error: &Error) -> Response<Body> {
    log_cause(error);
    let code = status::of(error.kind).http;
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = of(status, error);
    if error.kind == Kind::Unauthenticated {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The answer to a request no use case was asked for.
pub(crate) fn of_status(status: StatusCode, code: &'static str, detail: &str) -> Response<Body> {
    of(status, &Error::invalid(code, detail))
}

/// Writes what only the operator may know.
pub(crate) fn log_cause(error: &Error) {
    if let Some(cause) = error.cause() {
        tracing::error!(code = error.code, "{cause:#}");
    }
}

fn of(status: StatusCode, error: &Error) -> Response<Body> {
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        code: error.code,
        detail: &error.message,
        hint: &error.hint,
        params: &error.params,
        retry_after_ms: error.retry_after_ms,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = error.retry_after_ms {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.div_ceil(1_000)));
    }
    response
}
