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
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};
use v1::watch_service_server::{WatchService, WatchServiceServer};

use super::desk::buffers;
use super::process::on_server_core;

/// Begins the one line that starts a fan-out: how often, and the text.
const FAN: &str = "fan ";

/// Which bare server to be.
#[derive(Subcommand)]
pub(crate) enum Reference {
    /// A WebSocket server that sends every text back; `fan COUNT TEXT` writes TEXT to all other sockets, COUNT times
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
type Sockets = Arc<Mutex<Vec<Arc<tokio::net::tcp::OwnedWriteHalf>>>>;

async fn echo(listener: TcpListener) -> Result<()> {
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
        } else if first && text.as_str() == "listen" {
            return Box::pin(listen(socket, &silent)).await;
        } else {
            socket.send(Message::Text(text)).await?;
        }
        first = false;
    }
    Ok(())
}

/// A socket that only hears what is fanned out.
async fn listen(socket: WebSocketStream<TcpStream>, silent: &Sockets) -> Result<()> {
    let (mut reader, writer) = socket.into_inner().into_split();
    silent.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(writer));
    let mut gone = [0; 64];
    while reader.read(&mut gone).await? > 0 {}
    Ok(())
}

/// Writes one prebuilt frame to every silent socket, so many times; how many were written.
async fn fan(order: &str, silent: &Sockets) -> Result<usize> {
    let (count, text) = order.split_once(' ').context("a count and a text")?;
    let frame = frame_of(text)?;
    let sockets = silent.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut written = 0;
    for _ in 0..count.parse::<usize>()? {
        for socket in &sockets {
            let mut left = frame.as_slice();
            while !left.is_empty() {
                socket.writable().await?;
                match socket.try_write(left) {
                    Ok(bytes) => left = &left[bytes..],
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
            written += 1;
        }
        tokio::task::yield_now().await;
    }
    Ok(written)
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
    /// Starts one on the server's core.
    pub(in crate::suite) async fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = on_server_core(&std::env::current_exe()?);
        command.arg("reference").args(arguments);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().context("starting a reference")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let address = line.context("the reference says where it is")?;
        ensure!(address.starts_with("http://"), "the reference said {address}");
        Ok(Self { child, address })
    }

    /// Its process.
    pub(in crate::suite) fn pid(&self) -> Result<u32> {
        self.child.id().context("the reference runs")
    }

    /// Ends it.
    pub(in crate::suite) async fn close(mut self) -> Result<()> {
        if let Some(mut stdin) = self.child.stdin.take() {
            stdin.shutdown().await?;
        }
        self.child.wait().await?;
        Ok(())
    }
}
