//! The bare servers the daemon is measured against, each a process of its own on the server's core: the same libraries
//! and buffers, and nothing behind them.
//!
//! They say their address in their first line and end with their standard input.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use fusionchat_proto::v1;
use futures::stream::{self, Stream};
use futures::{SinkExt, StreamExt};
use prost::Message as _;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};
use v1::watch_service_server::{WatchService, WatchServiceServer};

use super::deadline::within;
use super::desk::buffers;
use super::process::on_server_core;

/// Begins the one line that starts a fan-out: to how many sockets, and the text.
const FAN: &str = "fan ";
/// Makes a socket one of those that are written to, and is sent back to it.
pub(in crate::suite) const LISTEN: &str = "listen";

/// Which bare server to be.
#[derive(Subcommand)]
pub(crate) enum Reference {
    /// A WebSocket server that sends every text back; a first `listen` makes a socket silent, and `fan COUNT TEXT`
    /// writes TEXT to the first COUNT of those
    Echo,
    /// A gRPC server whose Watch streams the length-delimited messages of a file
    Stream {
        /// The file
        #[arg(value_name = "FILE")]
        frames: PathBuf,
    },
}

/// Serves until the standard input ends.
pub(crate) async fn serve(which: Reference) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let served = async {
        match which {
            Reference::Echo => echo(listener).await,
            Reference::Stream { frames } => stream_frames(listener, &frames).await,
        }
    };
    let mut input = [0; 16];
    let mut stdin = tokio::io::stdin();
    let ended = async { while matches!(stdin.read(&mut input).await, Ok(1..)) {} };
    tokio::select! {
        served = served => served,
        () = ended => Ok(()),
    }
}

/// The sockets a fan-out writes to, each already past its handshake.
type Sockets = Arc<Mutex<Vec<Arc<OwnedWriteHalf>>>>;

/// Sends every text back, and fans out what it is told to.
pub(in crate::suite) async fn echo(listener: TcpListener) -> Result<()> {
    let tasks = TaskTracker::new();
    let silent: Sockets = Arc::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tasks.spawn(echo_one(stream, Arc::clone(&silent)));
    }
}

/// Only what an idle socket needs may live in this future, since every idle socket has one: the handshake and the
/// fan-out, which need more, have memory of their own while they last.
async fn echo_one(stream: TcpStream, silent: Sockets) -> Result<()> {
    let opened = tokio_tungstenite::accept_async_with_config(stream, Some(buffers()));
    let mut socket = Box::pin(opened).await?;
    let mut first = true;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        if let Some(rest) = text.as_str().strip_prefix(FAN) {
            let sent = Box::pin(fan(rest, &silent)).await?;
            socket.send(Message::text(sent.to_string())).await?;
        } else if first && text.as_str() == LISTEN {
            return Box::pin(listen(socket, &silent)).await;
        } else {
            socket.send(Message::Text(text)).await?;
        }
        first = false;
    }
    Ok(())
}

/// A socket that only hears what is fanned out: it hears first that it is one of them.
async fn listen(socket: WebSocketStream<TcpStream>, silent: &Sockets) -> Result<()> {
    let (mut reader, writer) = socket.into_inner().into_split();
    let writer = Arc::new(writer);
    silent.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&writer));
    write_all(&writer, &frame_of(LISTEN)?).await?;
    let mut gone = [0; 64];
    while reader.read(&mut gone).await? > 0 {}
    Ok(())
}

/// Writes one prebuilt frame to so many of the silent sockets, the first ones; how many were written.
async fn fan(order: &str, silent: &Sockets) -> Result<usize> {
    let (count, text) = order.split_once(' ').context("a count and a text")?;
    let frame = frame_of(text)?;
    let count = count.parse::<usize>()?;
    let sockets: Vec<_> = {
        let all = silent.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().take(count).cloned().collect()
    };
    for socket in &sockets {
        write_all(socket, &frame).await?;
    }
    Ok(sockets.len())
}

async fn write_all(socket: &OwnedWriteHalf, mut left: &[u8]) -> Result<()> {
    while !left.is_empty() {
        socket.writable().await?;
        match socket.try_write(left) {
            Ok(bytes) => left = &left[bytes..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A text frame as a server sends it: unmasked (RFC 6455, section 5.2).
fn frame_of(text: &str) -> Result<Vec<u8>> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..=125 => frame.push(u8::try_from(length)?),
        length => {
            frame.push(126);
            frame.extend(
                u16::try_from(length).context("a frame of the bench is short")?.to_be_bytes(),
            );
        }
    }
    frame.extend(text.as_bytes());
    Ok(frame)
}

/// Streams what stands in a file. Each message is cloned when its turn comes: what is done for all of them before the
/// first byte would be time that the daemon, which has nothing to clone, does not spend.
struct Frames(Arc<[v1::WatchResponse]>);

#[tonic::async_trait]
impl WatchService for Frames {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

    async fn watch(
        &self,
        _: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let frames = Arc::clone(&self.0);
        let each = (0..frames.len()).map(move |at| Ok(frames[at].clone()));
        Ok(Response::new(Box::pin(stream::iter(each))))
    }
}

async fn stream_frames(listener: TcpListener, file: &Path) -> Result<()> {
    let bytes = std::fs::read(file)?;
    let mut rest = bytes.as_slice();
    let mut frames = Vec::new();
    while !rest.is_empty() {
        frames.push(v1::WatchResponse::decode_length_delimited(&mut rest)?);
    }
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = tonic::transport::Server::builder().tcp_nodelay(true);
    let mut server = server;
    server
        .add_service(WatchServiceServer::new(Frames(frames.into())))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

/// A bare server that runs.
pub(in crate::suite) struct Running {
    child: Child,
    /// Where it is.
    pub(in crate::suite) address: String,
}

impl Running {
    /// Starts a reference on the server's core.
    pub(in crate::suite) async fn start(arguments: &[&str]) -> Result<Self> {
        Self::start_as("reference", arguments).await
    }

    /// Starts a plain server there.
    pub(in crate::suite) async fn start_plain(arguments: &[&str]) -> Result<Self> {
        Self::start_as("plain", arguments).await
    }

    async fn start_as(action: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = on_server_core(&std::env::current_exe()?);
        command.arg(action).args(arguments);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting a {action} server"))?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = within("a server's address", async { Ok(lines.next_line().await?) }).await?;
        let address = line.context("the server says where it is")?;
        ensure!(address.starts_with("http://"), "the {action} server said {address}");
        Ok(Self { child, address })
    }

    /// Its process.
    pub(in crate::suite) fn pid(&self) -> Result<u32> {
        self.child.id().context("the server runs")
    }

    /// Ends it.
    pub(in crate::suite) async fn close(mut self) -> Result<()> {
        if let Some(mut stdin) = self.child.stdin.take() {
            stdin.shutdown().await?;
        }
        within("a server's end", async { Ok(self.child.wait().await?) }).await?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "reference_test.rs"]
mod tests;
