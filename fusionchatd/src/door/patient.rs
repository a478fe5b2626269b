//! A connection whose other end has to read: it fails once nothing of what is to be written has been
//! taken for too long. The libraries of both doors would wait for ever, the one for HTTP/2 even with
//! its goodbye to a client that answers no pings.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::time::Sleep;

/// The most bytes of a connection that wait in the system to be sent. By itself it keeps megabytes, and says that there
/// is room again only once a third of them is gone: for a slow reader, longer than we wait.
const UNSENT_BYTES_MAX: u32 = 128 * 1024;

/// Lets the connections of a listener tell of each part that is taken.
pub(super) fn hear_of_progress(listener: &TcpListener) {
    let set = SockRef::from(listener).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
    if let Err(error) = set {
        tracing::warn!(%error, "slow readers may be taken for such as read nothing");
    }
}

/// A stream that does not wait for its reader for ever.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    /// None if somebody else bounds the waits. Boxed: those are many, and stay long.
    patience: Option<Box<Patience>>,
}

/// The bound of a stream's waits.
#[derive(Debug)]
struct Patience {
    /// How long a write may wait without a byte being taken.
    wait_max: Duration,
    /// Set while one waits.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Bounds the waits of a stream's writes.
    pub(super) fn new(stream: S, wait_max: Duration) -> Self {
        Self { stream, patience: Some(Box::new(Patience { wait_max, deadline: None })) }
    }

    /// Leaves the waits to somebody who bounds them differently.
    pub(super) fn relax(&mut self) {
        self.patience = None;
    }

    /// The stream itself, whose writes wait as long as they have to.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// What a write came to, or that it has waited too long.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        write: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(patience) = &mut self.patience else { return write };
        let Patience { wait_max, deadline } = patience.as_mut();
        if write.is_ready() {
            *deadline = None;
            return write;
        }
        let deadline = deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(*wait_max)));
        deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.bounded(context, write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.bounded(context, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flush = Pin::new(&mut this.stream).poll_flush(context);
        this.bounded(context, flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shutdown = Pin::new(&mut this.stream).poll_shutdown(context);
        this.bounded(context, shutdown)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);
    const ROOM: usize = 8;

    fn pair() -> (Patient<DuplexStream>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(ROOM);
        (Patient::new(ours, PATIENCE), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn fault_22_a_reader_who_takes_nothing_is_given_up() {
        let (mut stream, _theirs) = pair();
        stream.write_all(&[0; ROOM]).await.expect("room");
        let start = Instant::now();
        let error = stream.write_all(&[0]).await.expect_err("given up");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), PATIENCE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_has_the_patience_anew_with_each_byte() {
        let (mut stream, mut theirs) = pair();
        let reader = async {
            for _ in 0..ROOM * 2 {
                tokio::time::advance(PATIENCE / 2).await;
                theirs.read_u8().await.expect("a byte");
            }
        };
        let (written, ()) = futures::join!(stream.write_all(&[0; ROOM * 2]), reader);
        written.expect("taken at last");
    }
}
