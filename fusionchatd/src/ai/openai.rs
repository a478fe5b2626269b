//! A model behind any server that speaks OpenAI's Chat Completions. The library's retries are replaced by one plain
//! try, redirections are not followed, what a stream may bring is bounded before the library buffers it, and every
//! field it may send is optional.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::stream::StreamResponse;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::model::{Model, ModelError, Piece, Prompt, Role};

/// The most bytes of one answer's stream.
pub const STREAM_BYTES_MAX: usize = 512 * 1024;
/// How the end of a stream is announced.
const DONE: &[u8] = b"[DONE]";

/// How long a provider may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until it is connected.
    pub connect: Duration,
    /// From asking to the first text.
    pub first_token: Duration,
    /// Between two pieces.
    pub silence: Duration,
    /// In all.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            first_token: Duration::from_secs(8),
            silence: Duration::from_secs(10),
            total: Duration::from_secs(60),
        }
    }
}

/// Where a model is and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Up to and including the version, such as `https://api.openai.com/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The most tokens of an answer.
    pub max_tokens: u32,
    /// Whether the limit is sent as `max_completion_tokens`, as OpenAI's reasoning models want it.
    pub completion_tokens_field: bool,
    /// How long it may take.
    pub patience: Patience,
}

/// A model behind an endpoint.
pub struct OpenAi {
    client: reqwest::Client,
    endpoint: Endpoint,
    key: String,
}

impl std::fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenAi").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl OpenAi {
    /// A model with its key; the key may be empty.
    pub fn new(client: reqwest::Client, endpoint: Endpoint, key: String) -> Self {
        Self { client, endpoint, key }
    }

    fn request(&self, prompt: &Prompt) -> Request {
        let tokens = Some(self.endpoint.max_tokens);
        let (max_tokens, max_completion_tokens) =
            if self.endpoint.completion_tokens_field { (None, tokens) } else { (tokens, None) };
        let messages = prompt.parts.iter().map(|part| Message {
            role: match part.role {
                Role::System => "system",
                Role::User => "user",
            },
            content: part.text.clone(),
        });
        Request {
            model: self.endpoint.model.clone(),
            messages: messages.collect(),
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            max_tokens,
            max_completion_tokens,
        }
    }
}

/// The one HTTP client of all providers with the same patience: TLS by rustls with ring and the system's roots.
pub fn http_client(patience: Patience) -> Result<reqwest::Client, ModelError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ModelError::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(patience.connect)
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .map_err(|_| ModelError::Setup)
}

#[derive(Serialize)]
struct Request {
    model: String,
    messages: Vec<Message>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// What a compatible server may send: everything may be missing or null.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Delta {
    content: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    total_tokens: Option<u64>,
}

impl Model for OpenAi {
    fn ask(&self, prompt: Prompt) -> BoxStream<'static, Result<Piece, ModelError>> {
        let patience = self.endpoint.patience;
        let began = Instant::now();
        let config = OpenAIConfig::new()
            .with_api_base(self.endpoint.base_url.clone())
            .with_api_key(self.key.clone())
            // Never what the daemon's environment says.
            .with_org_id("")
            .with_project_id("");
        let saw_done = Arc::new(AtomicBool::new(false));
        let client = Client::build(self.client.clone(), config).with_http_service(Once {
            client: self.client.clone(),
            saw_done: Arc::clone(&saw_done),
        });
        let request = self.request(&prompt);
        let open = async move {
            let chunks: Result<StreamResponse<Chunk>, OpenAIError> =
                client.chat().create_stream_byot(request).await;
            chunks.map_err(|error| model_error(&error))
        };
        let state = State {
            began,
            patience,
            spoke: false,
            finished: false,
            saw_done,
            chunks: None,
            open: Some(Box::pin(open)),
            over: false,
            queued: Vec::new(),
        };
        stream::unfold(state, async |mut state| {
            let next = state.next().await?;
            Some((next, state))
        })
        .boxed()
    }
}

/// Sends a request once. The library's own way would try again three times by itself.
#[derive(Clone)]
struct Once {
    client: reqwest::Client,
    saw_done: Arc<AtomicBool>,
}

impl tower::Service<HttpRequestFactory> for Once {
    type Response = reqwest::Response;
    type Error = OpenAIError;
    type Future = futures::future::BoxFuture<'static, Result<reqwest::Response, OpenAIError>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let request = factory.build().await?;
            let response = this.client.execute(request).await.map_err(OpenAIError::Reqwest)?;
            if !response.status().is_success() {
                // Its body is not read: it may be anything, and of any length.
                let status = ModelError::Status(response.status().as_u16());
                return Err(OpenAIError::Boxed(Box::new(status)));
            }
            let kind = response.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
            if !kind.is_some_and(|it| it.to_ascii_lowercase().starts_with("text/event-stream")) {
                return Err(OpenAIError::Boxed(Box::new(ModelError::ContentType)));
            }
            Ok(bounded(response, this.saw_done))
        })
    }
}

/// The response with at most [`STREAM_BYTES_MAX`] bytes of body: the library buffers without a bound.
fn bounded(response: reqwest::Response, saw_done: Arc<AtomicBool>) -> reqwest::Response {
    let response: http::Response<reqwest::Body> = response.into();
    let (head, body) = response.into_parts();
    let body = reqwest::Response::from(http::Response::new(body)).bytes_stream();
    let mut left = STREAM_BYTES_MAX;
    let mut tail: Vec<u8> = Vec::new();
    let body = body.map(move |bytes| {
        let bytes = bytes.map_err(std::io::Error::other)?;
        left = left.checked_sub(bytes.len()).ok_or_else(|| std::io::Error::other("too long"))?;
        tail.extend_from_slice(&bytes);
        if tail.windows(DONE.len()).any(|it| it == DONE) {
            saw_done.store(true, Ordering::Release);
        }
        tail.drain(..tail.len().saturating_sub(DONE.len() - 1));
        Ok::<_, std::io::Error>(bytes)
    });
    let body = reqwest::Body::wrap_stream(until_error(body));
    http::Response::from_parts(head, body).into()
}

/// A stream that ends with its first error.
fn until_error<T, E>(stream: impl Stream<Item = Result<T, E>>) -> impl Stream<Item = Result<T, E>> {
    stream.scan(false, |over, item| {
        let was_over = std::mem::replace(over, item.is_err());
        std::future::ready((!was_over).then_some(item))
    })
}

type Opening = futures::future::BoxFuture<'static, Result<StreamResponse<Chunk>, ModelError>>;

struct State {
    began: Instant,
    patience: Patience,
    /// Whether any text has come.
    spoke: bool,
    /// Whether a finish reason has come.
    finished: bool,
    saw_done: Arc<AtomicBool>,
    open: Option<Opening>,
    chunks: Option<StreamResponse<Chunk>>,
    over: bool,
    queued: Vec<Piece>,
}

impl State {
    async fn next(&mut self) -> Option<Result<Piece, ModelError>> {
        loop {
            if let Some(piece) = self.queued.pop() {
                return Some(Ok(piece));
            }
            if self.over {
                return None;
            }
            match self.step().await {
                Ok(true) => {}
                Ok(false) => self.over = true,
                Err(error) => {
                    self.over = true;
                    // Dropping it frees the other side.
                    self.chunks = None;
                    return Some(Err(error));
                }
            }
        }
    }

    /// Waits for one chunk. False at the good end.
    async fn step(&mut self) -> Result<bool, ModelError> {
        let total = self.began + self.patience.total;
        let (own, late) = if self.spoke {
            (Instant::now() + self.patience.silence, ModelError::Silence)
        } else {
            (self.began + self.patience.first_token, ModelError::FirstToken)
        };
        let (until, late) = if total < own { (total, ModelError::Total) } else { (own, late) };
        if let Some(open) = self.open.take() {
            self.chunks = Some(timeout_at(until, open).await.map_err(|_| late)??);
            return Ok(true);
        }
        let Some(chunks) = self.chunks.as_mut() else { return Ok(false) };
        match timeout_at(until, chunks.next()).await.map_err(|_| late)? {
            Some(Ok(chunk)) => self.take(chunk).map(|()| true),
            Some(Err(error)) => Err(model_error(&error)),
            None if self.finished || self.saw_done.load(Ordering::Acquire) => Ok(false),
            None => Err(ModelError::Truncated),
        }
    }

    fn take(&mut self, chunk: Chunk) -> Result<(), ModelError> {
        if chunk.error.is_some_and(|it| !it.is_null()) {
            return Err(ModelError::Reported);
        }
        if let Some(tokens) = chunk.usage.and_then(|it| it.total_tokens).filter(|it| *it > 0) {
            self.queued.push(Piece::Usage(tokens));
        }
        let Some(choice) = chunk.choices.and_then(|it| it.into_iter().next()) else {
            return Ok(());
        };
        let text = choice.delta.and_then(|it| it.content).unwrap_or_default();
        if !text.is_empty() {
            self.spoke = true;
            self.queued.push(Piece::Text(text));
        }
        match choice.finish_reason.as_deref() {
            // An empty one, as some servers send with every chunk, tells nothing.
            None | Some("" | "null") => {}
            Some("length") => return Err(ModelError::Truncated),
            Some("content_filter") => return Err(ModelError::Filtered),
            Some(_) => self.finished = true,
        }
        Ok(())
    }
}

fn model_error(error: &OpenAIError) -> ModelError {
    match error {
        OpenAIError::Boxed(inner) => {
            inner.downcast_ref::<ModelError>().copied().unwrap_or(ModelError::Unreachable)
        }
        OpenAIError::Reqwest(_) => ModelError::Unreachable,
        OpenAIError::ApiError(_) => ModelError::Reported,
        OpenAIError::JSONDeserialize(..) => ModelError::Garbage,
        OpenAIError::StreamError(_) => ModelError::Truncated,
        OpenAIError::FileSaveError(_)
        | OpenAIError::FileReadError(_)
        | OpenAIError::InvalidArgument(_) => ModelError::Setup,
    }
}
