//! The network between a browser and the daemon: it writes down every request, and it can be cut or hold back what
//! the daemon answers.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::stage::Stage;

/// How much is carried at once, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;
/// A head longer than this is not followed further, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How the network is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weather {
    /// Everything passes.
    Fine,
    /// What the daemon says does not arrive.
    Deaf,
    /// Every connection is cut, and none is made.
    Down,
}

/// A port that leads to the daemon.
pub struct Proxy {
    port: u16,
    stage: Stage,
    weather: watch::Sender<Weather>,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A way to the daemon that listens on `daemon`, such as `127.0.0.1:4880`.
    pub async fn start(stage: &Stage, daemon: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (weather, _) = watch::channel(Weather::Fine);
        let requests = Arc::new(Mutex::new(vec![]));
        let mut tasks = JoinSet::new();
        let road = Road {
            daemon: daemon.to_owned(),
            weather: weather.clone(),
            requests: Arc::clone(&requests),
        };
        tasks.spawn(accept(listener, road));
        Ok(Self { port, stage: stage.clone(), weather, requests, _tasks: tasks })
    }

    /// Where it listens, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the network.
    pub fn set(&self, weather: Weather) {
        self.stage.note(format!("the network is {weather:?}"));
        self.weather.send_replace(weather);
    }

    /// Every request so far: `GET /embed.js`.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Clone)]
struct Road {
    daemon: String,
    weather: watch::Sender<Weather>,
    requests: Arc<Mutex<Vec<String>>>,
}

async fn accept(listener: TcpListener, road: Road) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(carry(client, road.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// One connection, until either end closes or the network goes down.
async fn carry(client: TcpStream, road: Road) {
    let mut weather = road.weather.subscribe();
    if *weather.borrow() == Weather::Down {
        return;
    }
    let Ok(daemon) = TcpStream::connect(&road.daemon).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_daemon, to_daemon) = daemon.into_split();
    let heads = Some(Heads { requests: Arc::clone(&road.requests), bytes: vec![] });
    let there = pump(from_client, to_daemon, heads, None);
    let back = pump(from_daemon, to_client, None, Some(road.weather.subscribe()));
    let down = weather.wait_for(|now| *now == Weather::Down);
    // Whichever ends first ends the connection.
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = down => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut heads: Option<Heads>,
    mut weather: Option<watch::Receiver<Weather>>,
) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if let Some(heads) = &mut heads {
            heads.read(&buffer[..count]);
        }
        if let Some(weather) = &mut weather {
            let heard = weather.wait_for(|now| *now != Weather::Deaf).await;
            if heard.is_err() {
                return;
            }
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Finds the requests in what a browser sends. None of them has a body.
struct Heads {
    requests: Arc<Mutex<Vec<String>>>,
    bytes: Vec<u8>,
}

impl Heads {
    fn read(&mut self, bytes: &[u8]) {
        if self.bytes.len() > HEAD_BYTES_MAX {
            return;
        }
        self.bytes.extend(bytes);
        while let Some(end) = self.bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let head: Vec<u8> = self.bytes.drain(..end + 4).collect();
            let head = String::from_utf8_lossy(&head);
            let line = head.lines().next().unwrap_or_default();
            let request = line.trim_end_matches(" HTTP/1.1").to_owned();
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            if head.to_ascii_lowercase().contains("\r\nupgrade: websocket\r\n") {
                // Frames from here on.
                self.bytes = vec![0; HEAD_BYTES_MAX + 1];
                return;
            }
        }
    }
}
