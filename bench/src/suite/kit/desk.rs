//! A real daemon on the server's core with an organization of its own, and a visitor's tab as bare as can be: it sends,
//! and reads until what it waits for has come.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::deadline::within;
use crate::chance::Chance;
use crate::daemon::Daemon;
use crate::setup::{self, Ground, ORIGIN};
use crate::staff::Staff;

/// The buffers of both ends: those of the daemon's door.
pub(in crate::suite) const READ_BUFFER_BYTES: usize = 1024;

/// The buffers of every socket here, ours and the reference's.
pub(in crate::suite) fn buffers() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0)
}

/// A daemon and what was made in it.
pub(in crate::suite) struct Desk {
    pub(in crate::suite) daemon: Daemon,
    pub(in crate::suite) ground: Ground,
    pub(in crate::suite) chance: Chance,
    _directory: tempfile::TempDir,
}

impl Desk {
    /// Starts it on a new directory.
    pub(in crate::suite) async fn open(program: &std::path::Path) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("fusion-bench-").tempdir()?;
        let mut daemon = Daemon::new(program, directory.path())?.on_core(super::process::SERVER);
        let mut chance = Chance::new(1, 1);
        let ground = setup::lay(&daemon, &mut chance).await?;
        let admin = Staff::new(&daemon.grpc(), Some(&ground.admin))?;
        daemon.start(&admin).await?;
        Ok(Self { daemon, ground, chance, _directory: directory })
    }

    /// The daemon's process.
    pub(in crate::suite) fn pid(&self) -> Result<u32> {
        self.daemon.pid().context("the daemon runs")
    }

    /// A line with the credential of the first agent.
    pub(in crate::suite) fn agent(&self) -> Result<Staff> {
        let token = self.ground.agents.first().context("there is an agent")?;
        Staff::new(&self.daemon.grpc(), Some(token))
    }

    /// A tab of a visitor: a new one, or one more with a session there is.
    pub(in crate::suite) async fn tab(&self, session: Option<&str>) -> Result<Tab> {
        Tab::open(&self.daemon.http(), &self.ground.inbox, session).await
    }

    /// Ends it and starts it again.
    pub(in crate::suite) async fn restart(&mut self) -> Result<()> {
        self.daemon.stop().await?;
        let admin = Staff::new(&self.daemon.grpc(), Some(&self.ground.admin))?;
        self.daemon.start(&admin).await.map(|_| ())
    }

    /// Ends it.
    pub(in crate::suite) async fn close(mut self) -> Result<()> {
        self.daemon.stop().await
    }
}

/// One socket of a visitor.
pub(in crate::suite) struct Tab {
    socket: WebSocketStream<TcpStream>,
    /// What to come back with.
    pub(in crate::suite) session: String,
    /// The conversation, if there is one.
    pub(in crate::suite) conversation: Option<String>,
}

impl Tab {
    /// Opens it and says hello; a conversation that is there has been replayed when this returns.
    pub(in crate::suite) async fn open(
        http: &str,
        inbox: &str,
        session: Option<&str>,
    ) -> Result<Self> {
        Self::over(handshake(http, "/ws").await?, inbox, session).await
    }

    /// The same from another of this machine's own addresses.
    pub(in crate::suite) async fn open_from(
        from: Ipv4Addr,
        http: &str,
        inbox: &str,
        session: Option<&str>,
    ) -> Result<Self> {
        Self::over(handshake_from(Some(from), http, "/ws").await?, inbox, session).await
    }

    async fn over(
        socket: WebSocketStream<TcpStream>,
        inbox: &str,
        session: Option<&str>,
    ) -> Result<Self> {
        let mut tab = Self { socket, session: String::new(), conversation: None };
        let mut hello = json!({ "type": "hello", "inbox": inbox, "origin": ORIGIN });
        if let Some(session) = session {
            hello["session"] = json!(session);
        }
        tab.send(&hello).await?;
        let welcome = tab.until("welcome").await?;
        tab.session = welcome["session"].as_str().context("a session")?.to_owned();
        tab.conversation = welcome["conversation"]["id"].as_str().map(str::to_owned);
        if tab.conversation.is_some() {
            tab.until("live").await?;
        }
        Ok(tab)
    }

    /// Sends a message and returns how long its acknowledgement took.
    pub(in crate::suite) async fn say(
        &mut self,
        client_id: &str,
        content: &str,
    ) -> Result<Duration> {
        let frame = json!({ "type": "message", "clientId": client_id, "content": content });
        let began = Instant::now();
        self.send(&frame).await?;
        let ack = self.until("ack").await?;
        let took = began.elapsed();
        ensure!(ack["clientId"] == client_id, "the acknowledgement of another message: {ack}");
        self.conversation = ack["conversation"].as_str().map(str::to_owned);
        Ok(took)
    }

    /// The next frame of a type; others are passed over, a refusal is an error.
    pub(in crate::suite) async fn until(&mut self, kind: &str) -> Result<Value> {
        within(kind, async {
            loop {
                let text = self.text().await?;
                let frame: Value = serde_json::from_str(&text)?;
                if frame["type"] == kind {
                    return Ok(frame);
                }
                ensure!(frame["type"] != "error", "refused while waiting for {kind}: {text}");
            }
        })
        .await
    }

    /// The next text.
    pub(in crate::suite) async fn text(&mut self) -> Result<String> {
        text(&mut self.socket).await
    }

    /// Sends a frame as it is.
    pub(in crate::suite) async fn send_text(&mut self, frame: &str) -> Result<()> {
        Ok(self.socket.send(Message::text(frame)).await?)
    }

    async fn send(&mut self, frame: &Value) -> Result<()> {
        self.send_text(&frame.to_string()).await
    }
}

/// The next text on a socket; pings on the way give it no more time.
pub(in crate::suite) async fn text<S>(socket: &mut WebSocketStream<S>) -> Result<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    within("a text", async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => bail!("the server sent {other:?}"),
                Some(Err(error)) => return Err(error.into()),
                None => bail!("the server closed the socket"),
            }
        }
    })
    .await
}

/// Opens a WebSocket with small buffers, as the daemon's own frame does.
pub(in crate::suite) async fn handshake(
    http: &str,
    path: &str,
) -> Result<WebSocketStream<TcpStream>> {
    handshake_from(None, http, path).await
}

async fn handshake_from(
    from: Option<Ipv4Addr>,
    http: &str,
    path: &str,
) -> Result<WebSocketStream<TcpStream>> {
    let address = http.strip_prefix("http://").context("an address in clear")?;
    let mut request = format!("ws://{address}{path}").into_client_request()?;
    request.headers_mut().insert("origin", http.parse()?);
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = from {
        socket.bind((from, 0).into())?;
    }
    within("a WebSocket", async {
        let stream = socket.connect(address.parse()?).await?;
        stream.set_nodelay(true)?;
        let opened = client_async_with_config(request, stream, Some(buffers())).await;
        Ok(opened.context("opening the WebSocket")?.0)
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::super::deadline::PATIENCE;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pings_give_a_text_no_more_time() {
        let (near, far) = tokio::io::duplex(1024);
        let mut client = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        let mut server = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
        let late = async {
            for _ in 0..9 {
                tokio::time::sleep(PATIENCE / 3).await;
                server.send(Message::Ping("still here".into())).await.unwrap();
            }
            server.send(Message::text("too late")).await.unwrap();
            std::future::pending::<()>().await;
        };
        let heard = tokio::select! {
            heard = text(&mut client) => heard,
            () = late => unreachable!("it waits for ever"),
        };
        let error = heard.unwrap_err();
        assert!(error.to_string().contains("has not come after"), "{error}");
    }
}
