//! HTTP/2 as a hostile client speaks it: frame by frame, over a plain connection, without a library that would keep to
//! the rules. It writes what a test wants and reads what comes back; it checks nothing.

use std::future::pending;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;

/// What every client begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The length of a frame's header.
const HEADER_BYTES: usize = 9;

/// What a frame is.
pub mod kind {
    /// A part of a body.
    pub const DATA: u8 = 0;
    /// A head, or its beginning; trailers too.
    pub const HEADERS: u8 = 1;
    /// The end of a stream before its time.
    pub const RST_STREAM: u8 = 3;
    /// Settings.
    pub const SETTINGS: u8 = 4;
    /// A sign of life.
    pub const PING: u8 = 6;
    /// The end of a connection.
    pub const GOAWAY: u8 = 7;
    /// Room for more of a body.
    pub const WINDOW_UPDATE: u8 = 8;
    /// More of a head.
    pub const CONTINUATION: u8 = 9;
}

/// What is said of a frame beside its kind.
pub mod flag {
    /// The answer to SETTINGS or PING.
    pub const ACK: u8 = 0x1;
    /// The last frame of this side of a stream.
    pub const END_STREAM: u8 = 0x1;
    /// The last part of a head.
    pub const END_HEADERS: u8 = 0x4;
}

/// "You ask too much."
pub const ENHANCE_YOUR_CALM: u32 = 11;
/// A stream that was not even looked at.
pub const REFUSED_STREAM: u32 = 7;
/// The setting that says how many streams there may be.
const MAX_CONCURRENT_STREAMS: u16 = 3;

/// A frame that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: u8,
    /// What is said of it.
    pub flags: u8,
    /// Its stream; 0 is the connection.
    pub stream: u32,
    /// The rest.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of a RST_STREAM.
    pub fn code(&self) -> u32 {
        self.payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The daemon said why.
    GoAway {
        /// The error code.
        code: u32,
        /// In words.
        debug: String,
    },
    /// It closed, or broke.
    Closed,
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The head of a gRPC call, as HPACK without its tables.
pub fn call(path: &str) -> Vec<u8> {
    // :method POST and :scheme http have numbers.
    let mut block = vec![0x83, 0x86];
    block.extend(literal(":path", path));
    block.extend(literal(":authority", "localhost"));
    block.extend(literal("content-type", "application/grpc"));
    block.extend(literal("te", "trailers"));
    block
}

/// A header that no table shall remember.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        length(text.len(), &mut bytes);
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// An integer with a prefix of seven bits.
fn length(value: usize, bytes: &mut Vec<u8>) {
    const PREFIX_MAX: usize = 127;
    let Some(mut rest) = value.checked_sub(PREFIX_MAX) else {
        bytes.push(u8::try_from(value).unwrap_or(0));
        return;
    };
    bytes.push(0x7f);
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap_or(0) | 0x80);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap_or(0));
}

/// A connection.
pub struct Http2 {
    stream: TcpStream,
    read: Vec<u8>,
    /// How many streams the daemon allows.
    pub streams_max: u32,
}

impl Http2 {
    /// Connects to `address` and exchanges settings.
    pub async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut http2 = Self { stream, read: vec![], streams_max: u32::MAX };
        http2.send(&[PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat()).await?;
        let settings = http2.next().await?.context("settings come first")?;
        ensure!(settings.kind == kind::SETTINGS, "settings come first: {settings:?}");
        for setting in settings.payload.chunks_exact(6) {
            let id = u16::from_be_bytes([setting[0], setting[1]]);
            if id == MAX_CONCURRENT_STREAMS {
                http2.streams_max =
                    u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
            }
        }
        http2.send(&frame(kind::SETTINGS, flag::ACK, 0, &[])).await?;
        Ok(http2)
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// The next frame; none at the end.
    pub async fn next(&mut self) -> Result<Option<Frame>> {
        let (mut half, _) = self.stream.split();
        next(&mut half, &mut self.read).await
    }

    /// The next frame of a stream; others are passed over.
    pub async fn of_stream(&mut self, stream: u32) -> Result<Frame> {
        loop {
            match self.next().await? {
                Some(frame) if frame.stream == stream && frame.kind != kind::WINDOW_UPDATE => {
                    return Ok(frame);
                }
                Some(frame) if frame.kind == kind::GOAWAY => bail!("it went away: {frame:?}"),
                Some(_) => {}
                None => bail!("it closed"),
            }
        }
    }

    /// Sends `more(0)`, `more(1)`, … up to `most` while reading what comes, until the daemon ends the connection;
    /// how, and how many were sent by then.
    pub async fn flood(&mut self, most: u32, more: impl Fn(u32) -> Vec<u8>) -> Result<(End, u32)> {
        let (mut from, mut to) = self.stream.split();
        let mut sent = 0;
        let end = {
            let write = async {
                while sent < most && to.write_all(&more(sent)).await.is_ok() {
                    sent += 1;
                }
                pending::<()>().await;
            };
            tokio::select! {
                end = end(&mut from, &mut self.read) => end?,
                () = write => End::Closed,
            }
        };
        Ok((end, sent))
    }

    /// Sends `more(0)`, `more(1)`, … up to `most` and reads nothing, until no more can be sent; how many were.
    pub async fn pour(&mut self, most: u32, more: impl Fn(u32) -> Vec<u8>) -> u32 {
        let mut sent = 0;
        while sent < most && self.stream.write_all(&more(sent)).await.is_ok() {
            sent += 1;
        }
        sent
    }

    /// How the daemon ends the connection, whatever it says before.
    pub async fn ended(&mut self) -> Result<End> {
        let (mut half, _) = self.stream.split();
        end(&mut half, &mut self.read).await
    }
}

async fn end(from: &mut ReadHalf<'_>, read: &mut Vec<u8>) -> Result<End> {
    loop {
        // Reset or closed: both are an end.
        let Ok(Some(frame)) = next(from, read).await else { return Ok(End::Closed) };
        if frame.kind == kind::GOAWAY {
            let code = frame.payload.get(4..8).context("a GOAWAY has a code")?;
            let code = u32::from_be_bytes(code.try_into()?);
            let debug = String::from_utf8_lossy(&frame.payload[8..]).into_owned();
            return Ok(End::GoAway { code, debug });
        }
    }
}

async fn next(from: &mut ReadHalf<'_>, read: &mut Vec<u8>) -> Result<Option<Frame>> {
    loop {
        if let [a, b, c, kind, flags, s0, s1, s2, s3, rest @ ..] = read.as_slice() {
            let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c]))?;
            if rest.len() >= length {
                let stream = u32::from_be_bytes([s0 & 0x7f, *s1, *s2, *s3]);
                let payload = rest[..length].to_vec();
                let frame = Frame { kind: *kind, flags: *flags, stream, payload };
                read.drain(..HEADER_BYTES + length);
                return Ok(Some(frame));
            }
        }
        if from.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
}
