//! Connections: accepted one by one, bounded in number, and given up if they never begin to speak
//! HTTP/2.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::door::patient::{self, Patient};
use crate::door::seat::{Seat, Seats};
use crate::door::tls::Tls;
use crate::door::transport::Transport;

/// The most connections at once; further ones wait in the kernel's queue.
pub(super) const CONNECTIONS_MAX: u32 = 4_096;
/// The most of one address: an office may be behind it, but nobody has all.
pub(super) const CONNECTIONS_PER_ADDRESS_MAX: u32 = CONNECTIONS_MAX / 4;
/// How long to wait after a connection could not be accepted: most often no file can be opened any
/// more.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// What every client begins with: the preface of HTTP/2 and the header of its SETTINGS frame.
const GREETING_BYTES: usize = 24 + 9;

/// The way in.
pub(super) struct Gate {
    /// Where clients come.
    pub(super) listener: TcpListener,
    /// Speaks TLS, if the door shall.
    pub(super) tls: Option<Arc<Tls>>,
    /// Every open connection counts as one of these.
    pub(super) tasks: TaskTracker,
    /// How long a client may take to begin, and how long it may read nothing of what is sent. Pings
    /// do the rest.
    pub(super) patience: Duration,
    /// How many connections an address may have at this moment.
    pub(super) allowed: Allowed,
}

/// Tells how many connections an address may have at this moment.
pub(super) type Allowed = Box<dyn Fn(IpAddr) -> u32 + Send + Sync>;

/// The connections of a gate, for as long as it is read.
pub(super) fn connections(gate: Gate) -> impl Stream<Item = Result<Connection, Infallible>> {
    patient::hear_of_progress(&gate.listener);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    let seats = Arc::new(Seats::default());
    stream::unfold((gate, slots, seats), async |(gate, slots, seats)| {
        let slot = Arc::clone(&slots).acquire_owned().await.ok()?;
        let (stream, seat) = accept(&gate, &seats).await;
        let peer = stream.connect_info();
        let stream = Patient::new(stream, gate.patience);
        let stream = match &gate.tls {
            None => Wire::Ready(Transport::Plain(stream)),
            Some(tls) => Wire::Handshake(Box::pin(Arc::clone(tls).handshake(stream))),
        };
        let connection = Connection {
            stream,
            peer,
            greeting: Some(Greeting {
                deadline: Box::pin(tokio::time::sleep(gate.patience)),
                missing: GREETING_BYTES,
            }),
            _slot: slot,
            _seat: seat,
            _task: gate.tasks.token(),
        };
        Some((Ok(connection), (gate, slots, seats)))
    })
}

/// The next connection that may stay.
async fn accept(gate: &Gate, seats: &Arc<Seats>) -> (TcpStream, Arc<Seat>) {
    loop {
        match gate.listener.accept().await {
            Ok((stream, from)) => {
                let allowed = (gate.allowed)(from.ip());
                // One too many is closed without a word: HTTP/2 has none for it before it begins.
                let Some(seat) = seats.take(from.ip().into(), allowed) else { continue };
                // Small answers must not wait for more to send with them; without it they are only
                // slower.
                let _ = stream.set_nodelay(true);
                return (stream, seat);
            }
            Err(error) => {
                tracing::warn!(%error, "a gRPC connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
}

/// An accepted connection and its place among all.
pub(super) struct Connection {
    stream: Wire,
    peer: TcpConnectInfo,
    /// Set until the client has begun.
    greeting: Option<Greeting>,
    _slot: OwnedSemaphorePermit,
    _seat: Arc<Seat>,
    _task: TaskTrackerToken,
}

/// What carries the bytes. The time of a handshake is that of the greeting.
enum Wire {
    Handshake(BoxFuture<'static, io::Result<Transport>>),
    Ready(Transport),
}

impl Wire {
    /// The stream, once there is one.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Ready<'_>>> {
        if let Self::Handshake(handshake) = self {
            let stream = ready!(handshake.as_mut().poll(context))?;
            *self = Self::Ready(stream);
        }
        match self {
            Self::Ready(stream) => Poll::Ready(Ok(Pin::new(stream))),
            Self::Handshake(_) => Poll::Pending,
        }
    }
}

/// A stream whose handshake, if it needs one, is done.
type Ready<'a> = Pin<&'a mut Transport>;

struct Greeting {
    deadline: Pin<Box<Sleep>>,
    missing: usize,
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(greeting) = &mut this.greeting
            && greeting.deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(ready!(this.stream.poll_ready(context))?.poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        if let Some(greeting) = &mut this.greeting {
            greeting.missing = greeting.missing.saturating_sub(read);
            if greeting.missing == 0 {
                this.greeting = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().stream.poll_ready(context))?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().stream.poll_ready(context))?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Wire::Ready(stream) => stream.is_write_vectored(),
            Wire::Handshake(_) => true,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().stream.poll_ready(context))?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().stream.poll_ready(context))?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::pin::pin;

    use futures::stream::StreamExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn gate(allowed: u32) -> (Gate, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let (tls, tasks, patience) = (None, TaskTracker::new(), PATIENCE);
        (Gate { listener, tls, tasks, patience, allowed: Box::new(move |_| allowed) }, address)
    }

    /// What reading ends with for a client that sends `greeting` bytes and then nothing.
    async fn check(greeting: usize) -> io::Result<usize> {
        let (gate, address) = gate(1).await;
        let mut client = TcpStream::connect(address).await.expect("connection");
        client.write_all(&vec![b'x'; greeting]).await.expect("greeting");
        let tasks = gate.tasks.clone();
        let mut incoming = pin!(connections(gate));
        let mut connection = incoming.next().await.expect("one").expect("connection");
        assert_eq!(tasks.len(), 1);
        let mut buffer = vec![0; greeting];
        connection.read_exact(&mut buffer).await.expect("the greeting");
        let more = tokio::time::timeout(PATIENCE * 2, connection.read_u8()).await;
        drop(connection);
        assert_eq!(tasks.len(), 0);
        more.unwrap_or(Ok(0)).map(usize::from)
    }

    #[tokio::test(start_paused = true)]
    async fn fault_03_a_client_that_never_begins_is_given_up() {
        for greeting in [0, 1, GREETING_BYTES - 1] {
            let error = check(greeting).await.expect_err("given up");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{greeting}");
        }
        check(GREETING_BYTES).await.expect("left alone");
    }

    #[tokio::test]
    async fn fault_03_an_address_has_so_many_connections() {
        let (gate, address) = gate(2).await;
        let mut clients = vec![];
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.expect("connection"));
        }
        let mut incoming = pin!(connections(gate));
        let first = incoming.next().await.expect("one").expect("connection");
        let second = incoming.next().await.expect("one").expect("connection");
        {
            let mut third = pin!(incoming.next());
            // Closed while it is waited for: nobody else comes.
            let closed = clients[2].read_u8();
            tokio::select! {
                _ = &mut third => panic!("a third one"),
                closed = closed => closed.expect_err("closed"),
            };
        }
        drop((first, second));
        let _again = TcpStream::connect(address).await.expect("connection");
        incoming.next().await.expect("one").expect("connection");
    }
}
