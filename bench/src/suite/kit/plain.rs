//! The plain loops: the bytes of a reference moved by the standard library alone, blocking, in a process of its own on
//! the server's core. A reference is held to one of them: it must not share a line with what it is held to, or whatever
//! slows the one slows the other as much and nobody sees it. So nothing here may come from `reference`, from an
//! asynchronous runtime or from a WebSocket library.
//!
//! They say their address in their first line and end with their standard input, as the references do.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;

use super::deadline::PATIENCE;

/// The buffer each socket has.
const BUFFER_BYTES: usize = 1024;
/// The longest frame a fan-out is ordered to write.
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// What is asked of a plain server that holds sockets, and what it answers: as long as a WebSocket's handshake.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:12345\r\nConnection: Upgrade\r\n\
Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
Origin: http://127.0.0.1:12345\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// Ends a request.
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// Which plain server to be.
#[derive(Subcommand)]
pub(crate) enum Plain {
    /// Sends every byte back, each socket by a thread of its own
    Echo,
    /// Answers the first request of each socket, and holds the socket and a buffer
    Hold,
    /// Writes the frames that the first socket orders to all others
    Fan,
    /// Writes the bytes of a file to each socket that asks with a byte
    Stream {
        /// The file
        #[arg(value_name = "FILE")]
        bytes: PathBuf,
    },
}

/// Serves until the standard input ends.
pub(crate) fn serve(which: Plain) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        let served = match which {
            Plain::Echo => echo(&listener),
            Plain::Hold => hold(&listener),
            Plain::Fan => fan(&listener),
            Plain::Stream { bytes } => stream(&listener, &bytes),
        };
        // Whoever waits for it has a deadline.
        let _ = served.inspect_err(|error| eprintln!("fusion-bench: a plain server: {error:#}"));
    });
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}

fn next(listener: &TcpListener) -> Result<TcpStream> {
    let (socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn echo(listener: &TcpListener) -> Result<()> {
    loop {
        let mut socket = next(listener)?;
        thread::spawn(move || -> io::Result<()> {
            let mut buffer = [0; BUFFER_BYTES];
            loop {
                match socket.read(&mut buffer)? {
                    0 => return Ok(()),
                    bytes => socket.write_all(&buffer[..bytes])?,
                }
            }
        });
    }
}

fn hold(listener: &TcpListener) -> Result<()> {
    let mut held = Vec::new();
    loop {
        let mut socket = next(listener)?;
        // All of it is touched: memory that was never written to takes none.
        let mut buffer = vec![b'.'; BUFFER_BYTES].into_boxed_slice();
        let mut filled = 0;
        while !buffer[..filled].ends_with(BLANK_LINE) {
            match socket.read(&mut buffer[filled..])? {
                0 => bail!("a request of more than {BUFFER_BYTES} bytes, or less than one"),
                bytes => filled += bytes,
            }
        }
        socket.write_all(ANSWER)?;
        held.push((socket, buffer));
    }
}

/// An order is the number of sockets to write to, the length of the frame, and the frame; its answer that number.
fn fan(listener: &TcpListener) -> Result<()> {
    let mut control = next(listener)?;
    let mut sockets = Vec::new();
    loop {
        let (count, length) = (number(&mut control)?, number(&mut control)?);
        ensure!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes");
        let mut frame = vec![0; length];
        control.read_exact(&mut frame)?;
        while sockets.len() < count {
            sockets.push(next(listener)?);
        }
        for socket in &mut sockets[..count] {
            socket.write_all(&frame)?;
        }
        control.write_all(&u32::try_from(count)?.to_be_bytes())?;
    }
}

fn number(socket: &mut TcpStream) -> Result<usize> {
    let mut bytes = [0; 4];
    socket.read_exact(&mut bytes)?;
    Ok(usize::try_from(u32::from_be_bytes(bytes))?)
}

fn stream(listener: &TcpListener, file: &Path) -> Result<()> {
    let bytes = std::fs::read(file)?;
    loop {
        let mut socket = next(listener)?;
        socket.read_exact(&mut [0])?;
        socket.write_all(&bytes)?;
    }
}

/// A socket to a plain server, with the suite's deadline for each read.
fn connect(address: &str) -> Result<TcpStream> {
    let address = address.strip_prefix("http://").context("an address in clear")?;
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// How many bytes a client's text frame has (RFC 6455, section 5.2): what the plain echo is sent in its place.
pub(in crate::suite) fn frame_bytes(text: &str) -> usize {
    match text.len() {
        length @ 0..=125 => 2 + 4 + length,
        length => 4 + 4 + length,
    }
}

/// A socket whose bytes come back.
pub(in crate::suite) struct Echoed(TcpStream);

impl Echoed {
    /// Opens it.
    pub(in crate::suite) fn open(address: &str) -> Result<Self> {
        connect(address).map(Self)
    }

    /// Sends bytes.
    pub(in crate::suite) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.write_all(bytes)?)
    }

    /// Reads as many as came from here.
    pub(in crate::suite) fn hear(&mut self, bytes: &mut [u8]) -> Result<()> {
        Ok(self.0.read_exact(bytes)?)
    }
}

/// Opens a socket that is held, past its answer.
pub(in crate::suite) async fn held(address: &str) -> Result<tokio::net::TcpStream> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let address = address.strip_prefix("http://").context("an address in clear")?;
    let mut socket = tokio::net::TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    socket.write_all(REQUEST).await?;
    let mut answer = [0; ANSWER.len()];
    socket.read_exact(&mut answer).await?;
    ensure!(answer == ANSWER, "another answer than the plain one");
    Ok(socket)
}

/// The sockets of a plain fan-out, and the one that orders it.
pub(in crate::suite) struct Fanned {
    control: TcpStream,
    sockets: Vec<TcpStream>,
}

impl Fanned {
    /// Opens so many, each known to the server when this returns.
    pub(in crate::suite) fn open(address: &str, width: usize) -> Result<Self> {
        let mut all = Self { control: connect(address)?, sockets: Vec::new() };
        // The server takes them in while they are opened: as many do not wait at its door.
        all.order(width, &[])?;
        for _ in 0..width {
            all.sockets.push(connect(address)?);
        }
        all.answered(width)?;
        Ok(all)
    }

    fn order(&mut self, count: usize, frame: &[u8]) -> Result<()> {
        let mut order = Vec::with_capacity(8 + frame.len());
        for number in [count, frame.len()] {
            order.extend(u32::try_from(number)?.to_be_bytes());
        }
        order.extend(frame);
        Ok(self.control.write_all(&order)?)
    }

    fn answered(&mut self, count: usize) -> Result<()> {
        let written = number(&mut self.control)?;
        ensure!(written == count, "written to {written}, not to {count}");
        Ok(())
    }

    /// Lets a frame be written to the first so many, and reads it from each.
    pub(in crate::suite) fn write(&mut self, count: usize, frame: &[u8]) -> Result<()> {
        self.order(count, frame)?;
        let mut heard = vec![0; frame.len()];
        for socket in self.sockets.get_mut(..count).context("so many sockets")? {
            socket.read_exact(&mut heard)?;
            ensure!(heard == frame, "another frame was heard");
        }
        self.answered(count)
    }
}

/// Everything a plain stream writes, from the moment it is asked.
pub(in crate::suite) fn streamed(address: &str) -> Result<Vec<u8>> {
    let mut socket = connect(address)?;
    socket.write_all(b"!")?;
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "plain_test.rs"]
mod tests;
