//! A visitor as the widget is one: a WebSocket, one unacknowledged message under way, resume by number, repeats
//! dropped by number. Anything that comes out of order is an error at once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::chance::Chance;
use crate::ledger::Acked;
use crate::setup::ORIGIN;
use crate::world::{PATIENCE, TRIES_MAX, World};

/// How many acknowledgements in a hundred are ignored.
pub(crate) const IGNORED_PERCENT: u64 = 20;
/// How many sockets in a hundred are cut.
pub(crate) const CUT_PERCENT: u64 = 5;
/// A socket that is to be cut is cut after at most so many sends.
const CUT_WITHIN: u64 = 3;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The frames of the protocol that a visitor acts on.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Frame {
    Welcome {
        session: String,
        epoch: String,
        conversation: Option<Begun>,
    },
    Message {
        conversation: String,
        seq: u64,
        id: String,
    },
    Live {},
    Ack {
        client_id: String,
        conversation: String,
        seq: Option<u64>,
        id: Option<String>,
    },
    Error {
        code: String,
        client_id: Option<String>,
        retry_after_ms: Option<u64>,
    },
    Reset {
        epoch: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Begun {
    id: String,
}

/// Why the socket gives nothing more.
#[derive(Debug)]
struct Gone;

/// How a send ended.
enum Answer {
    Acked { conversation: String, seq: u64, id: String },
    Later(Duration),
    Gone,
}

/// A visitor with one browser tab.
pub(crate) struct Visitor<'w> {
    world: &'w World,
    chance: Chance,
    socket: Option<Socket>,
    /// So many sends more, and this socket is cut.
    cut_after: Option<u64>,
    session: Option<String>,
    conversation: Option<String>,
    epoch: String,
    /// The ids of the messages shown, by seq from 1.
    shown: Vec<String>,
}

impl<'w> Visitor<'w> {
    /// A visitor who has not come yet.
    pub(crate) fn new(world: &'w World, chance: Chance) -> Self {
        Self {
            world,
            chance,
            socket: None,
            cut_after: None,
            session: None,
            conversation: None,
            epoch: String::new(),
            shown: Vec::new(),
        }
    }

    /// Sends a message until its acknowledgement is not ignored. The time runs from the first send; it counts only if
    /// nothing broke in between.
    pub(crate) async fn say(&mut self, client_id: &str, text: &str) -> Result<Acked> {
        let frame =
            json!({ "type": "message", "clientId": client_id, "content": text }).to_string();
        let mut ignored: Option<Acked> = None;
        for attempt in 0..TRIES_MAX {
            self.connect().await?;
            if attempt > 0 {
                self.world.figures.again.up();
            }
            let began = Instant::now();
            let (conversation, seq, id) = match self.send_once(&frame, client_id).await? {
                Answer::Acked { conversation, seq, id } => (conversation, seq, id),
                Answer::Later(wait) => {
                    self.world.figures.refused.up();
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Answer::Gone => continue,
            };
            if attempt == 0 {
                self.world.figures.ack.add(began.elapsed());
            }
            let client_id = client_id.to_owned();
            let ack = Acked {
                client_id,
                conversation,
                seq,
                id,
                ignored: self.chance.happens(IGNORED_PERCENT),
            };
            self.world.acked(&ack, ignored.as_ref())?;
            if !ack.ignored {
                self.conversation = Some(ack.conversation.clone());
                return Ok(ack);
            }
            ignored = Some(ack);
        }
        bail!("no acknowledgement of {client_id} after {TRIES_MAX} sends")
    }

    async fn send_once(&mut self, frame: &str, client_id: &str) -> Result<Answer> {
        let Some(socket) = &mut self.socket else { return Ok(Answer::Gone) };
        if socket.send(Message::text(frame)).await.is_err() {
            self.socket = None;
            return Ok(Answer::Gone);
        }
        if self.cuts() {
            self.world.figures.cut.up();
            self.socket = None;
            return Ok(Answer::Gone);
        }
        loop {
            match self.next().await? {
                Err(Gone) => return Ok(Answer::Gone),
                Ok(Frame::Ack { client_id: of, conversation, seq, id }) if of == client_id => {
                    let seq = seq.context("a message's acknowledgement has a seq")?;
                    let id = id.context("a message's acknowledgement has an id")?;
                    return Ok(Answer::Acked { conversation, seq, id });
                }
                Ok(Frame::Error { code, client_id: of, retry_after_ms }) => {
                    ensure!(of.is_none_or(|of| of == client_id), "an error about another message");
                    let wait = retry_after_ms.with_context(|| format!("refused: {code}"))?;
                    return Ok(Answer::Later(Duration::from_millis(wait)));
                }
                Ok(_) => {}
            }
        }
    }

    fn cuts(&mut self) -> bool {
        self.cut_after = self.cut_after.map(|left| left.saturating_sub(1));
        self.cut_after == Some(0)
    }

    /// Reads until everything up to `seq` is shown.
    pub(crate) async fn hears(&mut self, seq: u64) -> Result<()> {
        for _ in 0..TRIES_MAX {
            self.connect().await?;
            while (self.shown.len() as u64) < seq {
                if self.next().await?.is_err() {
                    break;
                }
            }
            if self.shown.len() as u64 >= seq {
                return Ok(());
            }
        }
        bail!("message {seq} has not come on {TRIES_MAX} sockets")
    }

    /// Opens a socket if there is none, says hello and takes the replay.
    pub(crate) async fn connect(&mut self) -> Result<()> {
        for _ in 0..TRIES_MAX {
            if self.socket.is_some() {
                return Ok(());
            }
            self.world.up().await?;
            if let Ok(socket) = open(&self.world.http).await {
                self.world.figures.sockets.up();
                let cut = self.chance.happens(CUT_PERCENT);
                let after = 1 + self.chance.below(CUT_WITHIN);
                self.cut_after = cut.then_some(after);
                self.socket = Some(socket);
                self.greet().await?;
            }
            if self.socket.is_none() {
                self.world.breath().await?;
            }
        }
        bail!("no socket after {TRIES_MAX} tries")
    }

    async fn greet(&mut self) -> Result<()> {
        let mut hello = json!({ "type": "hello", "inbox": self.world.inbox, "origin": ORIGIN });
        if let Some(session) = &self.session {
            hello["session"] = json!(session);
        }
        if let Some(conversation) = &self.conversation {
            let seq = self.shown.len();
            hello["resume"] =
                json!({ "conversation": conversation, "epoch": self.epoch, "seq": seq });
        }
        let Some(socket) = &mut self.socket else { return Ok(()) };
        if socket.send(Message::text(hello.to_string())).await.is_err() {
            self.socket = None;
            return Ok(());
        }
        let mut replays = false;
        loop {
            match self.next().await? {
                Err(Gone) => return Ok(()),
                Ok(Frame::Welcome { session, epoch, conversation }) => {
                    self.session = Some(session);
                    self.epoch = epoch;
                    replays = conversation.is_some();
                    if let (Some(known), Some(begun)) = (&self.conversation, &conversation) {
                        ensure!(*known == begun.id, "another conversation: {known}, {begun:?}");
                    }
                    if !replays {
                        return Ok(());
                    }
                }
                Ok(Frame::Live {}) if replays => return Ok(()),
                Ok(Frame::Error { code, retry_after_ms: None, .. }) => bail!("refused: {code}"),
                Ok(_) => {}
            }
        }
    }

    /// The next frame, taken into account. Past the patience the daemon has failed to answer.
    async fn next(&mut self) -> Result<Result<Frame, Gone>> {
        let Some(socket) = &mut self.socket else { return Ok(Err(Gone)) };
        loop {
            let next = tokio::time::timeout(PATIENCE, socket.next()).await;
            let next = next.with_context(|| format!("nothing came for {PATIENCE:?}"))?;
            let text = match next {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => bail!("it sent no text"),
                Some(Ok(Message::Close(_)) | Err(_)) | None => {
                    self.socket = None;
                    return Ok(Err(Gone));
                }
            };
            let frame: Frame =
                serde_json::from_str(&text).with_context(|| format!("a frame: {text}"))?;
            match &frame {
                Frame::Message { conversation, seq, id } => self.show(conversation, *seq, id)?,
                Frame::Reset { epoch } => bail!("the daemon forgot its epoch, now {epoch}"),
                Frame::Welcome { .. }
                | Frame::Live {}
                | Frame::Ack { .. }
                | Frame::Error { .. }
                | Frame::Other => {}
            }
            return Ok(Ok(frame));
        }
    }

    fn show(&mut self, conversation: &str, seq: u64, id: &str) -> Result<()> {
        let known = self.conversation.as_deref();
        ensure!(known.is_none_or(|it| it == conversation), "a message of {conversation}");
        let shown = self.shown.len() as u64;
        if seq > shown {
            ensure!(seq == shown + 1, "{conversation}: after seq {shown} came {seq}");
            self.shown.push(id.to_owned());
            return Ok(());
        }
        let before = usize::try_from(seq).ok().and_then(|seq| self.shown.get(seq.checked_sub(1)?));
        ensure!(before.is_some_and(|it| it == id), "{conversation}: seq {seq} is two messages");
        self.world.figures.repeats.up();
        Ok(())
    }
}

/// Opens the daemon's WebSocket as its own frame does.
async fn open(base: &str) -> Result<Socket> {
    let mut request = format!("{}/ws", base.replacen("http", "ws", 1)).into_client_request()?;
    request.headers_mut().insert("origin", base.parse()?);
    // A browser sends small frames at once, too.
    let socket = connect_async_with_config(request, None, true).await;
    let (socket, _) = socket.context("opening the WebSocket")?;
    Ok(socket)
}
