//! A socket's bytes. Its task reads and writes them alone, until its visitor has many tabs: then somebody else may
//! write a whole frame too, between two frames of the task.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Buf as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError};

use super::frame::made;
use crate::door::http::Door;
use crate::door::transport::Transport;
use crate::service::subscribe::{Outlet, Post, Written};

/// What carries a socket's bytes.
#[derive(Debug)]
pub(super) struct Line {
    carrier: Carrier,
    /// What is left of a frame that the task has put here. Like the next two, it moves on when others may write.
    rest: Bytes,
    /// The last write was taken whole: the library keeps no part of a frame.
    clear: bool,
    /// No text may follow any more.
    closed: bool,
}

#[derive(Debug)]
enum Carrier {
    /// Its task's alone.
    Own(Transport),
    /// Shared with those who write for it.
    Shared { reader: OwnedReadHalf, outgoing: Arc<Outgoing> },
    /// On its way from one to the other, which nobody sees.
    Moving,
}

impl Line {
    /// Carries bytes over a connection.
    pub(super) fn new(transport: Transport) -> Self {
        let rest = Bytes::new();
        Self { carrier: Carrier::Own(transport), rest, clear: true, closed: false }
    }

    /// Lets others write, if the connection can be shared: what is within TLS cannot. They do so while `grants` has not
    /// turned.
    pub(super) fn share(
        &mut self,
        door: &Arc<Door>,
        grants: &watch::Receiver<u64>,
    ) -> Option<Arc<Outgoing>> {
        match std::mem::replace(&mut self.carrier, Carrier::Moving) {
            Carrier::Own(transport) => match transport.into_plain() {
                Ok(stream) => {
                    let (reader, writer) = stream.into_split();
                    let (rest, grants) = (std::mem::take(&mut self.rest), grants.clone());
                    let (clear, closed) = (self.clear, self.closed);
                    let side = Side { writer, rest, clear, closed, grants };
                    let door = Arc::clone(door);
                    let outgoing = Arc::new(Outgoing { door, side: Mutex::new(side) });
                    let theirs = Arc::clone(&outgoing);
                    self.carrier = Carrier::Shared { reader, outgoing };
                    Some(theirs)
                }
                Err(transport) => {
                    self.carrier = Carrier::Own(transport);
                    None
                }
            },
            other @ (Carrier::Shared { .. } | Carrier::Moving) => {
                self.carrier = other;
                None
            }
        }
    }

    /// The rights were found good, as of when `grants` was last seen to turn: others may write until it turns again.
    pub(super) fn allow(&self, grants: &watch::Receiver<u64>) {
        if let Carrier::Shared { outgoing, .. } = &self.carrier {
            outgoing.lock().grants = grants.clone();
        }
    }

    /// Only the task writes from now on: nothing may follow a close frame.
    pub(super) fn close(&mut self) {
        self.closed = true;
        if let Carrier::Shared { outgoing, .. } = &self.carrier {
            outgoing.lock().closed = true;
        }
    }

    /// Puts a whole frame of the task's here, once nothing of another waits; a flush sends it. The library must have
    /// been flushed: it has begun no frame then.
    ///
    /// # Errors
    /// The connection has ended, or nothing may follow any more.
    pub(super) fn poll_put(
        &mut self,
        context: &mut Context<'_>,
        frame: &Bytes,
    ) -> Poll<io::Result<()>> {
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        match &mut self.carrier {
            Carrier::Own(transport) => {
                ready!(poll_out(&mut self.rest, Pin::new(transport), context))?;
                self.rest = frame.clone();
            }
            Carrier::Shared { outgoing, .. } => {
                let mut side = outgoing.lock();
                ready!(side.poll_rest(context))?;
                side.rest = frame.clone();
            }
            Carrier::Moving => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
        Poll::Ready(Ok(()))
    }
}

/// Writes what is left of a frame.
fn poll_out(
    rest: &mut Bytes,
    mut writer: Pin<&mut impl AsyncWrite>,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !rest.is_empty() {
        let taken = ready!(writer.as_mut().poll_write(context, rest))?;
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        rest.advance(taken);
    }
    // An empty part of a frame would keep the whole.
    *rest = Bytes::new();
    Poll::Ready(Ok(()))
}

/// The side of a shared connection that is written to.
///
/// What holds: bytes come out as whole frames, each written by one. The library below the task writes only once the
/// rest of what others wrote is gone; others write only while neither it nor they have begun a frame.
#[derive(Debug)]
pub(super) struct Outgoing {
    door: Arc<Door>,
    side: Mutex<Side>,
}

#[derive(Debug)]
struct Side {
    writer: OwnedWriteHalf,
    /// What is left of a frame that others have begun, or the task.
    rest: Bytes,
    /// The library has no frame half written: it offers all it has, and its last write was taken whole.
    clear: bool,
    /// Nobody else writes any more.
    closed: bool,
    /// Turns when rights may have changed: then the task looks whether the visitor may still be told.
    grants: watch::Receiver<u64>,
}

impl Side {
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_out(&mut self.rest, Pin::new(&mut self.writer), context)
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.clear = false;
        ready!(self.poll_rest(context))?;
        let written = ready!(Pin::new(&mut self.writer).poll_write(context, bytes))?;
        self.clear = written == bytes.len();
        Poll::Ready(Ok(written))
    }
}

impl Outgoing {
    fn lock(&self) -> MutexGuard<'_, Side> {
        // Every change under this lock is a whole one.
        self.side.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outlet for Outgoing {
    fn write(&self, post: &Post) -> Written {
        let frame = made(post, &self.door.service);
        let mut side = self.lock();
        let is_allowed = matches!(side.grants.has_changed(), Ok(false));
        let has_room = side.clear && side.rest.is_empty();
        if side.closed || !is_allowed || !has_room || frame.is_empty() {
            return Written::Nothing;
        }
        match side.writer.try_write(frame) {
            Ok(taken) if taken == frame.len() => Written::Whole,
            Ok(taken) => {
                side.rest = frame.slice(taken..);
                Written::Part
            }
            // No room, or an end, which the task finds too.
            Err(_) => Written::Nothing,
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().carrier {
            Carrier::Own(transport) => Pin::new(transport).poll_read(context, buffer),
            Carrier::Shared { reader, .. } => Pin::new(reader).poll_read(context, buffer),
            Carrier::Moving => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match &mut this.carrier {
            Carrier::Own(transport) => {
                this.clear = false;
                ready!(poll_out(&mut this.rest, Pin::new(&mut *transport), context))?;
                let written = Pin::new(transport).poll_write(context, bytes);
                this.clear = matches!(&written, Poll::Ready(Ok(taken)) if *taken == bytes.len());
                written
            }
            Carrier::Shared { outgoing, .. } => outgoing.lock().poll_write(context, bytes),
            Carrier::Moving => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.carrier {
            Carrier::Own(transport) => {
                ready!(poll_out(&mut this.rest, Pin::new(&mut *transport), context))?;
                Pin::new(transport).poll_flush(context)
            }
            Carrier::Shared { outgoing, .. } => outgoing.lock().poll_rest(context),
            Carrier::Moving => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.carrier {
            Carrier::Own(transport) => {
                ready!(poll_out(&mut this.rest, Pin::new(&mut *transport), context))?;
                Pin::new(transport).poll_shutdown(context)
            }
            Carrier::Shared { outgoing, .. } => {
                let mut side = outgoing.lock();
                ready!(side.poll_rest(context))?;
                Pin::new(&mut side.writer).poll_shutdown(context)
            }
            Carrier::Moving => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

/// A connection as the library sees it for as long as one poll takes: it reads and writes as far as that goes, and
/// hears where it would have to wait. tokio-tungstenite's own view lives as long as the connection and keeps two wakers
/// for it, so that one task may read while another writes; here one task does both.
#[derive(Debug)]
pub(super) struct NonBlocking<'a, 'b, S> {
    stream: &'a mut S,
    context: &'a mut Context<'b>,
}

impl<'a, 'b, S> NonBlocking<'a, 'b, S> {
    /// Wakes the task of `context` where it would have to wait.
    pub(super) fn new(stream: &'a mut S, context: &'a mut Context<'b>) -> Self {
        Self { stream, context }
    }
}

/// What the library came to, or that it would have to wait.
pub(super) fn polled<T>(outcome: Result<T, WsError>) -> Poll<Result<T, WsError>> {
    match outcome {
        Err(WsError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        outcome => Poll::Ready(outcome),
    }
}

fn at_once<T>(outcome: Poll<io::Result<T>>) -> io::Result<T> {
    match outcome {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl<S: AsyncRead + Unpin> Read for NonBlocking<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        at_once(Pin::new(&mut *self.stream).poll_read(self.context, &mut buffer))?;
        Ok(buffer.filled().len())
    }
}

impl<S: AsyncWrite + Unpin> Write for NonBlocking<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        at_once(Pin::new(&mut *self.stream).poll_write(self.context, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        at_once(Pin::new(&mut *self.stream).poll_flush(self.context))
    }
}
