//! A daemon for the doors' tests: the real service over the memory engine, behind a real port.
//! Every wait of a test has the watchdog's limit and no other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use http::{HeaderMap, Request};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::id::ClientId;
use crate::domain::timer::Delays;
use crate::service::limit::Limits;
use crate::service::organization::{CreateOrganization, Founded};
use crate::service::proxy::Proxies;
use crate::service::{Clock, Service, Settings};
use crate::store::memory::MemoryEngine;

use super::http::{HttpOptions, serve};

/// After this long a test hangs.
const WATCHDOG: Duration = Duration::from_secs(60);
/// The page that may embed the first inbox.
pub(super) const SHOP: &str = "https://shop.example";

/// Fails a test that waits for ever.
pub(super) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(WATCHDOG, work).await.expect("the test hangs")
}

/// Options whose waits a test may reach.
pub(super) fn patient() -> HttpOptions {
    HttpOptions { accept_backoff: Duration::from_millis(1), ..HttpOptions::default() }
}

/// A client id of a number.
pub(super) fn client_id(number: u128) -> String {
    ClientId(number.to_be_bytes()).to_string()
}

/// A running daemon.
pub(super) struct Daemon {
    pub(super) service: Arc<Service>,
    pub(super) at: SocketAddr,
    pub(super) founded: Founded,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("a JSON body")
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or("")
    }

    pub(super) fn code(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Daemon {
    pub(super) async fn start() -> Self {
        Self::start_with(patient(), Limits::default()).await
    }

    pub(super) async fn start_with(options: HttpOptions, limits: Limits) -> Self {
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let started = Instant::now();
        let clock: Clock = Arc::new(move || {
            1_790_000_000_000 + i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX)
        });
        let settings = Settings {
            delays: Delays { assistant_ms: 60_000, ..Delays::default() },
            mark_interval_ms: 1,
            public_url: "https://chat.example".to_owned(),
            limits,
            proxies: Proxies::default(),
        };
        let engine = Arc::new(MemoryEngine::new());
        let opened = Service::open(engine, settings, clock, tasks.clone()).await;
        let service = opened.expect("a service over an empty store");
        let founded = found(&service, "acme", SHOP).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("its address");
        tasks.spawn(serve(listener, Arc::clone(&service), options, stop.clone(), tasks.clone()));
        Self { service, at, founded, stop, tasks }
    }

    /// Stops it and waits for every task.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        soon(self.tasks.wait()).await;
    }

    pub(super) fn inbox(&self) -> String {
        self.founded.inbox.id.to_string()
    }

    pub(super) fn key(&self) -> String {
        self.founded.admin_key.clone().expect("the first key")
    }

    /// How many visitors are connected, as the operator is told.
    pub(super) async fn sockets(&self) -> u32 {
        let key = self.service.create_operator_key().await.expect("an operator key");
        let operator = self.service.authenticate(&key).await.expect("the operator");
        let status = self.service.server_status(&operator).await.expect("a status");
        status.whole.expect("the operator is told the whole").sockets
    }

    /// Sends bytes and reads what comes back until the other end closes.
    pub(super) async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.at).await.expect("connected");
        let mut answer = Vec::new();
        soon(async {
            // The other end may have heard enough and closed.
            let _ = stream.write_all(bytes).await;
            let _ = stream.read_to_end(&mut answer).await;
        })
        .await;
        answer
    }

    /// One request on a connection of its own.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Answer {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.at);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
            if !headers.iter().any(|(name, _)| *name == "content-type") {
                head.push_str("content-type: application/json\r\n");
            }
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        parse(&self.raw(&bytes).await)
    }

    /// A request with a bearer token.
    pub(super) async fn api(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        let body = body.map(|it| it.to_string().into_bytes());
        self.send(method, path, &[("authorization", &bearer)], body.as_deref()).await
    }

    /// Opens the widget's socket as a page of `origin`.
    pub(super) async fn socket_from(&self, origin: Option<&str>) -> Result<Client, u16> {
        let stream = TcpStream::connect(self.at).await.expect("connected");
        self.socket_over(stream, origin).await
    }

    /// The same over a connection that is there.
    pub(super) async fn socket_over<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        origin: Option<&str>,
    ) -> Result<Client<S>, u16> {
        let mut request = Request::get(format!("ws://{}/ws", self.at))
            .header("host", self.at.to_string())
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let request = request.body(()).expect("a request");
        match soon(tokio_tungstenite::client_async(request, stream)).await {
            Ok((socket, _)) => Ok(Client { socket }),
            Err(WsError::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    /// Opens the widget's socket as the widget does.
    pub(super) async fn socket(&self) -> Client {
        let origin = format!("http://{}", self.at);
        self.socket_from(Some(&origin)).await.expect("a socket")
    }

    /// A visitor who has said hello, and the welcome.
    pub(super) async fn visitor(&self, extra: Value) -> (Client, Value) {
        let mut client = self.socket().await;
        client.hello(&self.inbox(), extra).await;
        let welcome = client.next().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        (client, welcome)
    }
}

/// Another organization with one inbox that `origin` may embed.
pub(super) async fn found(service: &Arc<Service>, name: &str, origin: &str) -> Founded {
    let key = service.create_operator_key().await.expect("an operator key");
    let operator = service.authenticate(&key).await.expect("the operator");
    let new = CreateOrganization {
        name: name.to_owned(),
        admin_email: format!("admin@{name}.example"),
        admin_name: "Ada".to_owned(),
        admin_password: None,
        inbox_name: "web".to_owned(),
        origins: vec![origin.to_owned()],
        invite_admin: false,
    };
    let id = ClientId(*service.new_id().as_bytes());
    service.create_organization(&operator, id, new).await.expect("an organization")
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").expect("a whole head");
    let head = std::str::from_utf8(&bytes[..end]).expect("ASCII");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|it| it.split(' ').nth(1)).and_then(|it| it.parse().ok());
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        headers.append(
            http::HeaderName::try_from(name).expect("a name"),
            http::HeaderValue::try_from(value).expect("a value"),
        );
    }
    Answer { status: status.expect("a status"), headers, bytes: bytes[end + 4..].to_vec() }
}

/// A visitor's browser.
pub(super) struct Client<S = TcpStream> {
    pub(super) socket: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(super) async fn hello(&mut self, inbox: &str, extra: Value) {
        let mut hello = serde_json::json!({ "type": "hello", "inbox": inbox, "origin": SHOP });
        if let Value::Object(extra) = extra {
            for (name, value) in extra {
                hello[name] = value;
            }
        }
        self.say(hello).await;
    }

    pub(super) async fn say(&mut self, frame: Value) {
        self.push(Message::text(frame.to_string())).await;
    }

    pub(super) async fn message(&mut self, id: u128, content: &str) {
        let (id, content) = (client_id(id), content.to_owned());
        self.say(serde_json::json!({ "type": "message", "clientId": id, "content": content }))
            .await;
    }

    pub(super) async fn push(&mut self, message: Message) {
        soon(self.socket.send(message)).await.expect("sent");
    }

    /// The next frame of JSON.
    pub(super) async fn next(&mut self) -> Value {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).expect("a frame of JSON");
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no frame: {other:?}"),
            }
        }
    }

    /// The next frame of a name, whatever comes before it but an error.
    pub(super) async fn until(&mut self, name: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == name {
                return frame;
            }
            assert_ne!(frame["type"], "error", "no {name} comes: {frame}");
        }
    }

    /// The code the socket is closed with, whatever comes before it.
    pub(super) async fn closed(&mut self) -> u16 {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    }
}
