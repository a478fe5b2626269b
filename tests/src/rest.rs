//! REST as an integrator speaks it: bytes in, status and bytes out.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;

use crate::stage::Stage;

/// A client with one credential, or none. Clones share its connections.
#[derive(Clone)]
pub struct Rest {
    stage: Stage,
    base: String,
    token: Option<String>,
    name: String,
    http: reqwest::Client,
}

/// What the door answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// The body as it came.
    pub body: String,
}

impl Answer {
    /// The body as JSON, if the status is the expected one.
    pub fn expect(self, status: u16) -> Result<Value> {
        ensure!(self.status == status, "expected {status}, got {self:?}");
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&self.body).with_context(|| format!("no JSON: {self:?}"))
    }

    /// The stable code, if the answer is a problem with the expected status.
    pub fn problem(self, status: u16) -> Result<String> {
        ensure!(self.content_type.starts_with("application/problem+json"), "no problem: {self:?}");
        let problem = self.expect(status)?;
        ensure!(problem["status"] == status, "the body says another status: {problem}");
        Ok(problem["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// An HTTP client that trusts nobody: everything the tests reach by it is on this machine, in clear.
///
/// # Panics
/// If the TLS library has no protocol version, which it has.
pub fn client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks the versions of TLS")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build();
    client.expect("a client can be built")
}

impl Rest {
    pub(crate) fn new(stage: &Stage, base: &str, token: Option<&str>) -> Self {
        Self {
            stage: stage.clone(),
            base: base.trim_end_matches('/').to_owned(),
            token: token.map(str::to_owned),
            name: "rest".to_owned(),
            http: client(),
        }
    }

    /// A door at `base`, without a credential.
    pub fn at(stage: &Stage, base: &str) -> Self {
        Self::new(stage, base, None)
    }

    pub(crate) fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// The same door with another credential.
    pub fn with(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A request with any body, sent as JSON.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(Method::from_bytes(method.as_bytes())?, url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let content_type = response
            .headers()
            .get("content-type")
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default();
        let body = response.text().await?;
        self.stage.note(format!("{} {method} {path} -> {status} {body}", self.name));
        Ok(Answer { status, content_type, body })
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, None, &[]).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("POST", path, Some(&body.to_string()), &[]).await
    }

    /// `PUT path` with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("PUT", path, Some(&body.to_string()), &[]).await
    }
}
