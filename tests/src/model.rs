//! A scripted server that speaks OpenAI's Chat Completions, well or badly: each request takes the next line of its
//! script. It remembers what it was asked and which connections the other side closed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How much an endless stream sends before it gives up, in bytes: far more than any reader may take.
const ENDLESS_BYTES: usize = 64 * 1024 * 1024;

/// What one request is answered with.
#[derive(Clone, Debug)]
pub enum Line {
    /// A good stream of this text, in small pieces.
    Say(String),
    /// These bytes as the body of an event stream; then the connection ends.
    Stream(String),
    /// A whole response: status, content type, body.
    Whole(u16, &'static str, String),
    /// A redirection to this address.
    Redirect(String),
    /// The connection is closed without a byte.
    Drop,
    /// Nothing is sent, for ever.
    HangBeforeHeaders,
    /// Headers are sent and no more.
    HangBeforeToken,
    /// This text is sent, and no more.
    HangAfter(String),
    /// This text is sent, and once [`ScriptedModel::release`] is called these bytes, which end the stream or cut it
    /// off.
    Held(String, String),
    /// Text without an end.
    Endless,
}

/// A piece of a stream.
pub fn chunk(text: &str) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }))
}

/// A whole stream with this text, the way most servers end one.
pub fn good(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut stream: String =
        chars.chunks(5).map(|it| chunk(&it.iter().collect::<String>())).collect();
    let end = json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] });
    let usage = json!({ "choices": [], "usage": { "total_tokens": 700 } });
    stream.push_str(&format!("data: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n"));
    stream
}

#[derive(Default)]
struct State {
    script: VecDeque<Line>,
    requests: Vec<Value>,
    headers: Vec<String>,
}

/// The server. It runs as long as the test's runtime.
#[derive(Clone)]
pub struct ScriptedModel {
    address: std::net::SocketAddr,
    state: Arc<Mutex<State>>,
    closed: watch::Sender<usize>,
    asked: watch::Sender<usize>,
    held: watch::Sender<usize>,
}

impl ScriptedModel {
    /// Starts it on a free port of this machine.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = Self {
            address: listener.local_addr()?,
            state: Arc::default(),
            closed: watch::Sender::new(0),
            asked: watch::Sender::new(0),
            held: watch::Sender::new(0),
        };
        let serving = server.clone();
        let tasks = tokio_util::task::TaskTracker::new();
        let inner = tasks.clone();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                inner.spawn(async move {
                    // A reader that hangs up in the middle is what the test wants to see.
                    let _ = server.serve(stream).await;
                });
            }
        });
        Ok(server)
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What the next requests are answered with.
    pub fn script(&self, lines: impl IntoIterator<Item = Line>) {
        self.with(|state| state.script = lines.into_iter().collect());
    }

    /// Every request's body so far.
    pub fn requests(&self) -> Vec<Value> {
        self.with(|state| state.requests.clone())
    }

    /// Every request's head so far.
    pub fn heads(&self) -> Vec<String> {
        self.with(|state| state.headers.clone())
    }

    /// Waits until the other side has closed this many connections that were left hanging.
    pub async fn closed(&self, count: usize) -> Result<()> {
        self.closed.subscribe().wait_for(|closed| *closed >= count).await?;
        Ok(())
    }

    /// Waits until it has been asked this often.
    pub async fn asked(&self, count: usize) -> Result<()> {
        self.asked.subscribe().wait_for(|asked| *asked >= count).await?;
        Ok(())
    }

    /// Lets one answer that is held go on.
    pub async fn release(&self) -> Result<()> {
        let waits = |held: &mut usize| std::mem::replace(held, held.saturating_sub(1)) > 0;
        self.held.subscribe().wait_for(|held| *held > 0).await?;
        anyhow::ensure!(self.held.send_if_modified(waits), "another released it");
        Ok(())
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn serve(&self, mut stream: TcpStream) -> Result<()> {
        let (head, body) = request(&mut stream).await?;
        let line = self.with(|state| {
            state.headers.push(head);
            state.requests.push(body);
            state.script.pop_front().unwrap_or(Line::Drop)
        });
        self.asked.send_modify(|asked| *asked += 1);
        match line {
            Line::Say(text) => answer(&mut stream, &good(&text)).await,
            Line::Stream(body) => answer(&mut stream, &body).await,
            Line::Whole(status, kind, body) => {
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}"
                );
                Ok(stream.write_all(head.as_bytes()).await?)
            }
            Line::Redirect(to) => {
                let head = format!(
                    "HTTP/1.1 307 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                Ok(stream.write_all(head.as_bytes()).await?)
            }
            Line::Drop => Ok(()),
            Line::HangBeforeHeaders => self.hang(stream).await,
            Line::HangBeforeToken => {
                answer(&mut stream, "").await?;
                self.hang(stream).await
            }
            Line::HangAfter(text) => {
                answer(&mut stream, &chunk(&text)).await?;
                self.hang(stream).await
            }
            Line::Held(before, after) => {
                answer(&mut stream, &chunk(&before)).await?;
                self.held.send_modify(|held| *held += 1);
                let mut held = self.held.subscribe();
                held.wait_for(|held| *held == 0).await?;
                Ok(stream.write_all(after.as_bytes()).await?)
            }
            Line::Endless => {
                answer(&mut stream, &chunk("ANSWER [1]\n")).await?;
                let more = chunk(&"and so on ".repeat(100));
                for _ in 0..ENDLESS_BYTES / more.len() {
                    if stream.write_all(more.as_bytes()).await.is_err() {
                        break;
                    }
                }
                self.hang(stream).await
            }
        }
    }

    /// Waits until the other side closes.
    async fn hang(&self, mut stream: TcpStream) -> Result<()> {
        let mut bytes = [0; 64];
        while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
        self.closed.send_modify(|closed| *closed += 1);
        Ok(())
    }
}

async fn answer(stream: &mut TcpStream, body: &str) -> Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    Ok(stream.write_all(body.as_bytes()).await?)
}

async fn request(stream: &mut TcpStream) -> Result<(String, Value)> {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 4096];
        let count = stream.read(&mut more).await?;
        anyhow::ensure!(count > 0, "the request ended early");
        bytes.extend_from_slice(&more[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let length: usize = length.context("a request has a content-length")?;
        if body.len() >= length {
            return Ok((head.to_owned(), serde_json::from_str(body)?));
        }
    }
}
