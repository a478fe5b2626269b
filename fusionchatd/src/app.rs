//! Floor 4: builds the parts, runs them, and stops them again. The only place that reads the clock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Doors;
use crate::door;
use crate::service::{Clock, Service, Settings};
use crate::store::Engine;
use crate::store::open::{OpenOptions, open};
use crate::worker;
use crate::worker::provider::Providers;

/// How many ports after the wished one are tried where that is taken.
const PORTS_TRIED: u16 = 50;

/// The clock of the machine, in Unix milliseconds.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn system_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// An open store with the use cases over it, and no door yet.
pub struct App {
    /// The use cases.
    pub service: Arc<Service>,
    /// The models of the organizations; none until they are set.
    pub providers: Arc<Providers>,
    engine: Arc<dyn Engine>,
    tasks: TaskTracker,
    /// Cancelled when the daemon shall stop.
    pub stop: CancellationToken,
}

/// Where the doors are.
pub struct Listeners {
    /// For REST, WebSocket and the widget.
    pub http: TcpListener,
    /// For gRPC.
    pub grpc: TcpListener,
    /// For metrics, if they are served.
    pub metrics: Option<TcpListener>,
    /// How they are encrypted.
    pub tls: Doors,
    /// How long they wait for clients.
    pub waits: door::Waits,
}

/// SIGTERM and SIGINT, kept from the moment this is made. Before it they end the process where it stands; the first
/// process of a container does not even hear them.
#[must_use = "a daemon that does not run on them cannot be stopped by them"]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopSignal {
    Terminate,
    Interrupt,
}

/// What is told of a command that one of them ended before it was done.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: {stands}")]
pub struct Interrupted {
    signal: StopSignal,
    stands: String,
}

impl Interrupted {
    /// The exit code, as a shell gives it to a process that the signal ends.
    #[must_use]
    pub fn exit(&self) -> u8 {
        match self.signal {
            StopSignal::Interrupt => 130,
            StopSignal::Terminate => 143,
        }
    }
}

impl StopSignals {
    /// From here on they are heard.
    ///
    /// # Errors
    /// The system does not let them be heard.
    pub fn hear() -> anyhow::Result<Self> {
        let hear = |kind| signal(kind).context("signals cannot be heard");
        let terminate = hear(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: hear(SignalKind::interrupt())? })
    }

    /// Does `work`, unless one of them comes first: `None`. The work is then given up where it stands, as if the
    /// process had been killed, and nothing of it is waited for.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn unless_heard<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<Option<T>> {
        Ok(self.race(work).await?.ok())
    }

    /// The same for a command that has nothing to do but this: `stands` says what it leaves where it is given up, and
    /// what to do about that.
    ///
    /// # Errors
    /// Those of the work, or [`Interrupted`].
    pub async fn or_interrupted<T: Send + 'static>(
        &mut self,
        stands: String,
        work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<T> {
        let done = self.race(work).await?;
        done.map_err(|signal| Interrupted { signal, stands }.into())
    }

    async fn race<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<Result<T, StopSignal>> {
        // A task of its own: where it waits for the disk in the middle of a step, the signals are heard all the same.
        let mut task = JoinSet::new();
        task.spawn(work);
        tokio::select! {
            biased;
            signal = self.heard() => Ok(Err(signal)),
            Some(done) = task.join_next() => done.context("the work broke off")?.map(Ok),
        }
    }

    /// Waits for one of them.
    async fn heard(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.terminate.recv() => StopSignal::Terminate,
            _ = self.interrupt.recv() => StopSignal::Interrupt,
        }
    }
}

impl App {
    /// Opens the store and the use cases.
    pub async fn open(url: &str, settings: Settings, clock: Clock) -> anyhow::Result<Self> {
        let engine = open(url, &OpenOptions::default()).await?;
        let tasks = TaskTracker::new();
        let service = Service::open(Arc::clone(&engine), settings, clock, tasks.clone()).await;
        // The store's own reason is the news, and what failed by it is not.
        let service = standing(engine.as_ref()).and(service.map_err(Into::into))?;
        let providers = Arc::default();
        Ok(Self { service, providers, engine, tasks, stop: CancellationToken::new() })
    }

    /// Opens the doors and starts the workers. The signals that stop the daemon are heard before anybody can learn that
    /// it is there, so that whoever does may stop it at once.
    pub fn start(&self, listeners: Listeners, _heard: &StopSignals) {
        let Listeners { http, grpc, metrics, tls, waits } = listeners;
        self.service.connections().say_tls(tls.http.is_some(), tls.grpc.is_some());
        if let Some(listener) = metrics {
            let (service, stop) = (Arc::clone(&self.service), self.stop.clone());
            let tasks = self.tasks.clone();
            self.tasks.spawn(door::http::serve_metrics(listener, service, stop, tasks));
        }
        let workers = self.stop.child_token();
        self.tasks.spawn(worker::assistant::run(
            Arc::clone(&self.service),
            Arc::clone(&self.providers),
            workers.clone(),
        ));
        self.tasks.spawn(worker::sweep::run(Arc::clone(&self.service), workers.clone()));
        self.tasks.spawn(worker::memory::run(Arc::clone(&self.service), workers));
        let (service, stop, tasks) =
            (Arc::clone(&self.service), self.stop.clone(), self.tasks.clone());
        self.tasks.spawn(async move {
            let options = door::http::HttpOptions { tls: tls.http, ..waits.into() };
            door::http::serve(http, service, options, stop, tasks).await;
        });
        let (service, stop, tasks) =
            (Arc::clone(&self.service), self.stop.clone(), self.tasks.clone());
        self.tasks.spawn(async move {
            if let Err(error) =
                door::grpc::serve(grpc, tls.grpc, service, stop.clone(), tasks, waits.into()).await
            {
                tracing::error!(%error, "the gRPC door failed");
                stop.cancel();
            }
        });
    }

    /// Spawns a task that stopping waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Runs until a signal or a failure of the store, then drains: doors close, workers finish their step, the store
    /// flushes.
    ///
    /// # Errors
    /// Why it did not run to a signal, or those of [`Self::close`].
    pub async fn run(self, signals: StopSignals, grace: Duration) -> anyhow::Result<()> {
        self.run_until(signals, std::future::pending(), grace).await
    }

    /// The same; it ends well when `end` does, too.
    pub async fn run_until(
        self,
        mut signals: StopSignals,
        end: impl Future<Output = ()>,
        grace: Duration,
    ) -> anyhow::Result<()> {
        let mut failed = self.engine.failed();
        let outcome = tokio::select! {
            _ = signals.heard() => Ok(()),
            () = end => Ok(()),
            () = self.stop.cancelled() => Err(anyhow::anyhow!("a part of the daemon failed; see the log")),
            _ = failed.wait_for(Option::is_some) => self.standing(),
        };
        let closed = self.drain(grace).await;
        outcome.and(closed)
    }

    /// Lets clients know that it stops, and ends.
    ///
    /// # Errors
    /// Those of [`Self::close`].
    pub async fn drain(self, grace: Duration) -> anyhow::Result<()> {
        tracing::info!("stopping");
        self.service.connections().drain();
        self.close(grace).await
    }

    /// Whether the store goes on.
    ///
    /// # Errors
    /// Why it has failed for good, if it has.
    pub fn standing(&self) -> anyhow::Result<()> {
        standing(self.engine.as_ref())
    }

    /// Ends the tasks and closes the store.
    ///
    /// # Errors
    /// The store has not said that all is on disk: it has failed, or takes longer than the grace time.
    pub async fn close(self, grace: Duration) -> anyhow::Result<()> {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            let left = self.tasks.len();
            tracing::warn!(left, "connections or workers overran the grace time and were cut");
        }
        let closed = tokio::time::timeout(grace, self.engine.close()).await;
        let closed = match closed {
            Ok(closed) => closed.map_err(Into::into),
            Err(_) => {
                tracing::warn!("closing the store overran the grace time");
                Err(anyhow::anyhow!("the store took longer to close than the grace time"))
            }
        };
        // The store's own reason is the news here too.
        self.standing().and(closed)
    }
}

fn standing(engine: &dyn Engine) -> anyhow::Result<()> {
    match engine.failed().borrow().as_ref() {
        None => Ok(()),
        Some(reason) => {
            anyhow::bail!("the store failed and nothing more was acknowledged: {reason}")
        }
    }
}

/// A listener on the wished address, or on the next free port after it.
pub async fn bind_near(wished: SocketAddr) -> anyhow::Result<TcpListener> {
    let mut address = wished;
    for _ in 0..PORTS_TRIED {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                address.set_port(address.port().wrapping_add(1).max(1024));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot listen on {address}")),
        }
    }
    anyhow::bail!("no free port from {} to {}", wished.port(), address.port())
}
