//! One WebSocket's bytes: frames in, frames out, each with its limits. It knows no use case. At
//! most one frame of its own waits to be written, for whoever sends waits for it; before it may be
//! the rest of one that others wrote. Text goes out past the library, which would keep the room that
//! the longest frame has taken for as long as the socket lives; it reads, and writes what controls.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{
    CloseFrame, Role, WebSocketConfig, WebSocketContext,
};
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message, Utf8Bytes, error};

use super::frame::{self, ToVisitor};
use super::guard::{Guard, TOO_MANY_FRAGMENTS};
use super::outlet::{Line, NonBlocking, Outgoing, polled};
use crate::door::http::Door;
use crate::door::status::{self, CLOSE_REFUSED};
use crate::service::error::{Error, Kind};

/// The largest message and frame, in bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Small, because most visitors say nothing most of the time.
const READ_BUFFER_BYTES: usize = 1024;
/// Room for the answers to all pings that may come at once, for a reader who takes none of them.
const WRITE_BUFFER_BYTES_MAX: usize = 16 * 1024;
/// How much of a refused message is read away, so that its sender can hear why.
const DRAIN_BYTES_MAX: usize = 256 * 1024;

/// How many control frames or cheap signals may come at once, and how many more each second.
const SIGNALS_BURST: f32 = 60.0;
const SIGNALS_PER_SECOND: f32 = 4.0;

/// Unanswered pings after which the other end counts as gone.
const MISSED_PINGS_MAX: u8 = 2;

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The other end has gone.
    Gone,
    /// We close it with this code.
    Close(u16, &'static str),
}

/// Not UTF-8.
const NOT_UTF8: End = End::Close(1007, "not UTF-8");
/// Something that breaks the protocol of WebSockets.
const PROTOCOL: End = End::Close(1002, "protocol error");
/// A binary frame.
const NOT_TEXT: End = End::Close(1003, "text frames only");
/// Over a rate, or an order of frames that is not ours.
pub(super) const POLICY: End = End::Close(1008, "too many frames");
/// A message over the limit.
const TOO_LARGE: End = End::Close(1009, "a message has at most 64 KiB");
/// A reader that does not read.
const TOO_SLOW: End =
    End::Close(crate::door::status::CLOSE_SLOW, "read faster, come back with resume");

/// A frame that cannot be written down.
const INTERNAL: End = End::Close(1011, "internal");

/// The origin or inbox may not be used.
const REFUSED: End = End::Close(CLOSE_REFUSED, "origin or inbox refused");

/// How a socket ends whose hello failed, or whose rights are gone.
pub(super) fn end_of_hello(error: &Error) -> End {
    match error.kind {
        Kind::NotFound | Kind::Forbidden => REFUSED,
        Kind::Invalid
        | Kind::Unauthenticated
        | Kind::Conflict
        | Kind::TooLarge
        | Kind::Limited
        | Kind::Unavailable
        | Kind::Internal => {
            status::of(error.kind).close.map_or(POLICY, |code| End::Close(code, error.code))
        }
    }
}

/// A WebSocket with its limits. There is one for every visitor who only looks, so it holds what it must.
pub(super) struct Wire {
    stream: Guard<Line>,
    protocol: WebSocketContext,
    write_timeout: Duration,
    signals: Bucket,
    missed_pings: u8,
    /// An offered frame is not on its way yet.
    offered: bool,
}

impl Wire {
    /// Speaks WebSocket over an upgraded connection. A write may take as long as `write_timeout`.
    pub(super) fn new(stream: Guard<Line>, write_timeout: Duration) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        Self {
            stream,
            protocol: WebSocketContext::new(Role::Server, Some(config)),
            write_timeout,
            signals: Bucket::full(Instant::now()),
            missed_pings: 0,
            offered: false,
        }
    }

    /// The next text frame. Safe to drop and call again.
    pub(super) async fn read(&mut self) -> Result<Utf8Bytes, End> {
        poll_fn(|context| self.poll_read(context)).await
    }

    /// The next text frame; meanwhile sends on what was offered.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Utf8Bytes, End>> {
        if self.offered
            && let Poll::Ready(sent) = self.poll_flush(context)
        {
            self.offered = false;
            if let Err(error) = sent {
                return Poll::Ready(Err(end_of(&error)));
            }
        }
        loop {
            let mut stream = NonBlocking::new(&mut self.stream, context);
            let message = ready!(polled(self.protocol.read(&mut stream)));
            let message = message.map_err(|error| end_of(&error))?;
            self.missed_pings = 0;
            match message {
                Message::Text(text) => return Poll::Ready(Ok(text)),
                Message::Ping(_) | Message::Pong(_) => self.count_signal()?,
                Message::Binary(_) => return Poll::Ready(Err(NOT_TEXT)),
                // The library has queued the answer; reading on sends it and ends.
                Message::Close(_) => self.line().close(),
                Message::Frame(_) => {}
            }
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        let mut stream = NonBlocking::new(&mut self.stream, context);
        match ready!(polled(self.protocol.flush(&mut stream))) {
            // All of it is out, the answer to a close frame last.
            Ok(()) | Err(WsError::ConnectionClosed) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Counts a frame that costs its sender nothing.
    pub(super) fn count_signal(&mut self) -> Result<(), End> {
        if self.signals.take(Instant::now()) { Ok(()) } else { Err(POLICY) }
    }

    /// Writes a frame, or gives up on a reader that does not take it.
    pub(super) async fn send(&mut self, frame: &ToVisitor<'_>) -> Result<(), End> {
        self.send_made(&frame::whole(frame)).await
    }

    /// Writes a whole frame that many sockets write.
    pub(super) async fn send_made(&mut self, whole: &Bytes) -> Result<(), End> {
        if whole.is_empty() {
            return Err(INTERNAL);
        }
        let write_timeout = self.write_timeout;
        let mut is_put = false;
        let sent = poll_fn(|context| {
            if !is_put {
                ready!(self.poll_flush(context))?;
                ready!(self.line().poll_put(context, whole))?;
                is_put = true;
            }
            self.poll_flush(context)
        });
        bounded(write_timeout, sent).await
    }

    fn line(&mut self) -> &mut Line {
        self.stream.stream()
    }

    /// Lets others write whole frames to this socket between two of its own, if its connection can be shared.
    /// They do so while `grants` has not turned.
    pub(super) fn share(
        &mut self,
        door: &Arc<Door>,
        grants: &watch::Receiver<u64>,
    ) -> Option<Arc<Outgoing>> {
        self.line().share(door, grants)
    }

    /// The rights were found good, as of when `grants` was last seen to turn.
    pub(super) fn allow(&mut self, grants: &watch::Receiver<u64>) {
        self.line().allow(grants);
    }

    /// Sends the rest of what others wrote, or gives up on a reader that does not take it.
    pub(super) async fn settle(&mut self) -> Result<(), End> {
        bounded(self.write_timeout, poll_fn(|context| self.poll_flush(context))).await
    }

    /// Writes a frame if the other end takes it at once; false if not. Nobody is slow because of what may be left out.
    pub(super) async fn offer(&mut self, frame: &ToVisitor<'_>) -> Result<bool, End> {
        let whole = frame::whole(frame);
        let offered = poll_fn(|context| Poll::Ready(self.put_now(context, &whole))).await;
        let offered = offered.map_err(|_| End::Gone)?;
        self.offered |= offered;
        Ok(offered)
    }

    /// Puts a frame where nothing waits to be written; false where something does.
    fn put_now(&mut self, context: &mut Context<'_>, whole: &Bytes) -> Result<bool, WsError> {
        if self.poll_flush(context)?.is_pending() {
            return Ok(false);
        }
        Ok(self.line().poll_put(context, whole)?.is_ready())
    }

    /// Asks whether the other end is still there; ends if it has not answered twice.
    pub(super) async fn ping(&mut self) -> Result<(), End> {
        if self.missed_pings >= MISSED_PINGS_MAX {
            return Err(End::Gone);
        }
        self.missed_pings += 1;
        bounded(self.write_timeout, self.write(Message::Ping(Bytes::new()))).await
    }

    async fn write(&mut self, message: Message) -> Result<(), WsError> {
        let mut message = Some(message);
        poll_fn(|context| {
            if let Some(message) = message.take() {
                let mut stream = NonBlocking::new(&mut self.stream, context);
                // One that has to wait is kept, and a flush sends it.
                if let Poll::Ready(written) = polled(self.protocol.write(&mut stream, message)) {
                    written?;
                }
            }
            self.poll_flush(context)
        })
        .await
    }

    /// Says why, then closes. What the other end still sends is read away for a moment: else the
    /// system would drop our last frame with it. All of it takes no longer than `close_timeout`.
    pub(super) async fn close(&mut self, end: End, close_timeout: Duration) {
        let End::Close(code, reason) = end else { return };
        let frame =
            CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static(reason) };
        let goodbye = async {
            self.write(Message::Close(Some(frame))).await.ok()?;
            let stream = self.line();
            stream.shutdown().await.ok()?;
            let mut buffer = [0; 1024];
            let mut drained = 0;
            while drained < DRAIN_BYTES_MAX {
                match stream.read(&mut buffer).await {
                    Ok(read @ 1..) => drained += read,
                    Ok(0) | Err(_) => break,
                }
            }
            Some(())
        };
        // A reader that does not even take this has been told enough.
        let _ = tokio::time::timeout(close_timeout, goodbye).await;
    }
}

/// Waits for a write, but not for ever.
async fn bounded(
    write_timeout: Duration,
    write: impl Future<Output = Result<(), WsError>>,
) -> Result<(), End> {
    match tokio::time::timeout(write_timeout, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(TOO_SLOW),
    }
}

/// How a socket ends after an error of the library.
fn end_of(error: &WsError) -> End {
    match error {
        WsError::Capacity(_) => TOO_LARGE,
        WsError::Utf8(_) => NOT_UTF8,
        WsError::Protocol(error::ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
        WsError::Protocol(_) => PROTOCOL,
        WsError::Io(error) if error.kind() == TOO_MANY_FRAGMENTS => {
            End::Close(1008, "a message has at most 32 fragments")
        }
        WsError::Io(_)
        | WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Tls(_)
        | WsError::WriteBufferFull(_)
        | WsError::AttackAttempt
        | WsError::Url(_)
        | WsError::Http(_)
        | WsError::HttpFormat(_) => End::Gone,
    }
}

/// What is left of [`SIGNALS_BURST`].
#[derive(Debug)]
struct Bucket {
    left: f32,
    at: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self { left: SIGNALS_BURST, at: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f32();
        self.at = now;
        self.left = (self.left + passed * SIGNALS_PER_SECOND).min(SIGNALS_BURST);
        let granted = self.left >= 1.0;
        if granted {
            self.left -= 1.0;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let taken = |bucket: &mut Bucket, now| (0..99).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(&mut bucket, start), 60);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(1)), 4);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(1_000)), 60);
    }
}
