//! A visitor as the widget is one: a WebSocket, an outbox in order, resume by number, repeats dropped. It fails
//! the test itself when a message is missing or out of order.

use std::collections::VecDeque;

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::grpc::client_id;
use crate::stage::Stage;

/// A visitor's socket.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens the WebSocket of the daemon at `base` as its own frame does.
pub async fn open_socket(base: &str) -> Result<Socket> {
    let base = base.trim_end_matches('/');
    let url = format!("{}/ws", base.replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("origin", base.parse()?);
    let (socket, _) = connect_async(request).await.context("opening the WebSocket")?;
    Ok(socket)
}

/// What a socket gave.
#[derive(Debug)]
pub enum Received {
    /// A frame of the protocol.
    Frame(Value),
    /// The daemon closed the socket with this code; 1006 if without one, or if the connection broke.
    Closed(u16),
}

/// The next frame or the end of a socket.
pub async fn receive(socket: &mut Socket) -> Result<Received> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return Ok(Received::Frame(serde_json::from_str(&text)?));
            }
            Some(Ok(Message::Close(Some(frame)))) => {
                return Ok(Received::Closed(frame.code.into()));
            }
            Some(Ok(Message::Close(None)) | Err(_)) | None => return Ok(Received::Closed(1006)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => bail!("the daemon sent no text"),
        }
    }
}

/// A visitor with one browser tab.
pub struct Visitor {
    stage: Stage,
    base: String,
    inbox: String,
    origin: String,
    socket: Option<Socket>,
    /// The bearer token of the last welcome.
    pub session: Option<String>,
    /// The conversation's id, once there is one.
    pub conversation: Option<String>,
    epoch: String,
    /// How often it was told to begin again.
    pub resets: usize,
    /// Every message shown, by seq from 1.
    pub messages: Vec<Value>,
    /// How many repeats were dropped.
    pub repeats: usize,
    /// Sent or to be sent, not yet acknowledged.
    pub outbox: VecDeque<Value>,
    /// Every acknowledgement.
    pub acks: Vec<Value>,
    /// The last status or welcome's conversation.
    pub status: Value,
}

impl Visitor {
    /// A visitor of `inbox` (an id) on a page of `origin`, not yet connected.
    pub fn new(stage: &Stage, base: &str, inbox: &str, origin: &str) -> Self {
        Self {
            stage: stage.clone(),
            base: base.to_owned(),
            inbox: inbox.to_owned(),
            origin: origin.to_owned(),
            socket: None,
            session: None,
            conversation: None,
            epoch: String::new(),
            resets: 0,
            messages: Vec::new(),
            repeats: 0,
            outbox: VecDeque::new(),
            acks: Vec::new(),
            status: Value::Null,
        }
    }

    /// From now on the daemon is at `base`: it was started again and has other ports.
    pub fn moved_to(&mut self, base: &str) {
        base.clone_into(&mut self.base);
        self.disconnect();
    }

    /// The first frame: who and from where on.
    pub fn hello(&self) -> Value {
        let mut hello = json!({ "type": "hello", "inbox": self.inbox, "origin": self.origin });
        if let Some(session) = &self.session {
            hello["session"] = json!(session);
        }
        if let Some(conversation) = &self.conversation {
            let seq = self.last_seq();
            hello["resume"] =
                json!({ "conversation": conversation, "epoch": self.epoch, "seq": seq });
        }
        hello
    }

    /// Goes on as another tab of the same visitor that has shown nothing after `seq`.
    pub fn take_up(&mut self, other: &Self, seq: u64) {
        self.session.clone_from(&other.session);
        self.conversation.clone_from(&other.conversation);
        self.epoch.clone_from(&other.epoch);
        let shown = other.messages.iter().filter(|it| it["seq"].as_u64() <= Some(seq));
        self.messages = shown.cloned().collect();
    }

    /// Connects, says hello, takes the replay and sends the outbox again.
    pub async fn connect(&mut self) -> Result<()> {
        self.socket = Some(open_socket(&self.base).await?);
        self.send(&self.hello()).await?;
        let welcome = self.until("welcome", |frame| frame["type"] == "welcome").await?;
        self.session = welcome["session"].as_str().map(str::to_owned);
        welcome["epoch"].as_str().context("welcome has an epoch")?.clone_into(&mut self.epoch);
        if welcome["conversation"].is_object() {
            self.status = welcome["conversation"].clone();
            self.conversation = self.status["id"].as_str().map(str::to_owned);
            self.until("live", |frame| frame["type"] == "live").await?;
        }
        for frame in self.outbox.clone() {
            self.send(&frame).await?;
        }
        Ok(())
    }

    /// Closes this end without a word, as a lost network does.
    pub fn disconnect(&mut self) {
        self.socket = None;
    }

    /// Whether there is a connection, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Puts a message into the outbox, sends it if there is a connection, and returns its `clientId`.
    pub async fn say(&mut self, content: &str) -> Result<String> {
        self.command(json!({ "type": "message", "content": content })).await
    }

    /// "Talk to a person".
    pub async fn ask_for_person(&mut self) -> Result<String> {
        self.command(json!({ "type": "person" })).await
    }

    /// Any frame that wants an acknowledgement.
    pub async fn command(&mut self, mut frame: Value) -> Result<String> {
        let id = client_id();
        frame["clientId"] = json!(id);
        self.outbox.push_back(frame.clone());
        if self.socket.is_some() {
            // A lost connection is no failure here: the outbox keeps it.
            let _ = self.send(&frame).await;
        }
        Ok(id)
    }

    /// Sends one frame as it is.
    pub async fn send(&mut self, frame: &Value) -> Result<()> {
        self.stage.note(format!("visitor > {frame}"));
        let socket = self.socket.as_mut().context("the visitor is connected")?;
        socket.send(Message::text(frame.to_string())).await?;
        Ok(())
    }

    /// The next frame, taken into account; or how the socket ended.
    pub async fn next(&mut self) -> Result<Received> {
        let socket = self.socket.as_mut().context("the visitor is connected")?;
        let received = receive(socket).await?;
        match &received {
            Received::Frame(frame) => {
                self.stage.note(format!("visitor < {frame}"));
                self.take(frame)?;
            }
            Received::Closed(code) => {
                self.stage.note(format!("visitor < closed {code}"));
                self.socket = None;
            }
        }
        Ok(received)
    }

    /// Reads until `wanted` accepts a frame.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        loop {
            match self.next().await.with_context(|| format!("waiting for {what}"))? {
                Received::Frame(frame) if wanted(&frame) => return Ok(frame),
                Received::Frame(_) => {}
                Received::Closed(code) => bail!("closed with {code} while waiting for {what}"),
            }
        }
    }

    /// Reads until a message `wanted` accepts has been shown; one already shown after `after_seq` counts.
    pub async fn message(
        &mut self,
        after_seq: u64,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let is_new = |frame: &Value| frame["seq"].as_u64() > Some(after_seq) && wanted(frame);
        if let Some(shown) = self.messages.iter().find(|message| is_new(message)) {
            return Ok(shown.clone());
        }
        self.until(what, |frame| frame["type"] == "message" && is_new(frame)).await
    }

    /// Reads until the command is acknowledged.
    pub async fn acked(&mut self, id: &str) -> Result<Value> {
        if let Some(ack) = self.acks.iter().find(|ack| ack["clientId"] == id) {
            return Ok(ack.clone());
        }
        let frame = self
            .until("an ack", |frame| {
                (frame["type"] == "ack" || frame["type"] == "error") && frame["clientId"] == id
            })
            .await?;
        ensure!(frame["type"] == "ack", "refused: {frame}");
        Ok(frame)
    }

    /// Reads until the status is `status`.
    pub async fn status(&mut self, status: &str) -> Result<()> {
        while self.status["status"] != status {
            self.until("a status", |frame| frame["type"] == "status").await?;
        }
        Ok(())
    }

    /// The last seq shown.
    pub fn last_seq(&self) -> u64 {
        self.messages.last().and_then(|message| message["seq"].as_u64()).unwrap_or(0)
    }

    /// What is shown, one line a message: `user: How long…`.
    pub fn transcript(&self) -> Vec<String> {
        let line = |message: &Value| {
            let sender = message["senderType"].as_str().unwrap_or("?");
            let content = message["content"].as_str().unwrap_or_default();
            let code = message["system"]["code"].as_str().unwrap_or_default();
            format!("{sender}: {content}{code}")
        };
        self.messages.iter().map(line).collect()
    }

    fn take(&mut self, frame: &Value) -> Result<()> {
        match frame["type"].as_str() {
            Some("message") => self.take_message(frame)?,
            Some("ack") => {
                self.outbox.retain(|item| item["clientId"] != frame["clientId"]);
                if self.conversation.is_none() {
                    self.conversation = frame["conversation"].as_str().map(str::to_owned);
                }
                self.acks.push(frame.clone());
            }
            Some("error") if frame["retryAfterMs"].is_null() => {
                self.outbox.retain(|item| item["clientId"] != frame["clientId"]);
            }
            Some("status") => self.status = frame["conversation"].clone(),
            Some("reset") => {
                self.messages.clear();
                self.resets += 1;
                frame["epoch"].as_str().unwrap_or_default().clone_into(&mut self.epoch);
            }
            Some(_) => {}
            None => bail!("a frame without a type: {frame}"),
        }
        Ok(())
    }

    fn take_message(&mut self, frame: &Value) -> Result<()> {
        let seq = frame["seq"].as_u64().context("a message has a seq")?;
        let conversation =
            frame["conversation"].as_str().context("a message has a conversation")?;
        if self.conversation.as_deref() != Some(conversation) {
            ensure!(seq == 1, "another conversation begins in the middle: {frame}");
            self.conversation = Some(conversation.to_owned());
            self.messages.clear();
        }
        let last = self.last_seq();
        if seq <= last {
            let shown = self.messages.iter().find(|message| message["seq"] == seq);
            ensure!(
                shown.is_none_or(|shown| shown["id"] == frame["id"]),
                "seq {seq} is two messages: {shown:?} and {frame}"
            );
            self.repeats += 1;
            return Ok(());
        }
        ensure!(seq == last + 1, "after seq {last} came {frame}");
        self.messages.push(frame.clone());
        Ok(())
    }
}
