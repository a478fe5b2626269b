//! What the daemon says of itself.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::domain::actor::{Actor, Permission};
use crate::domain::id::ConversationId;
use crate::domain::lane::Lane;
use crate::store::open::SCHEMA;
use crate::store::record::{Pointer, Record};
use crate::store::walk::Amount;
use crate::store::{Direction, table};

use super::error::Error;
use super::memory::{Room, resident_bytes};
use super::metrics::Reading;
use super::rights::Reach;
use super::rows::{PAGE_MAX, Rows};
use super::{Service, require};

/// The most waiting conversations a status counts.
const COUNT_MAX: u32 = 10_000;

/// What is connected, and whether the daemon is stopping.
#[derive(Debug, Default)]
pub struct Connections {
    sockets: AtomicU32,
    streams: AtomicU32,
    draining: AtomicBool,
    http_tls: AtomicBool,
    grpc_tls: AtomicBool,
    tls_failures: AtomicU64,
    /// Held while the store is measured: one call at a time reads every row.
    measuring: tokio::sync::Mutex<()>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connected {
    /// A WebSocket.
    Socket,
    /// A gRPC watch stream.
    Stream,
}

/// Counted for as long as it lives.
#[derive(Debug)]
pub struct Counted {
    service: std::sync::Arc<Service>,
    what: Connected,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.service.connections.of(self.what).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    fn of(&self, what: Connected) -> &AtomicU32 {
        match what {
            Connected::Socket => &self.sockets,
            Connected::Stream => &self.streams,
        }
    }

    /// Says that the daemon is stopping.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Says which doors speak TLS.
    pub fn say_tls(&self, http: bool, grpc: bool) {
        self.http_tls.store(http, Ordering::Relaxed);
        self.grpc_tls.store(grpc, Ordering::Relaxed);
    }

    /// Says how often a certificate could not be taken into use.
    pub fn say_tls_failures(&self, count: u64) {
        self.tls_failures.store(count, Ordering::Relaxed);
    }

    /// Whether the daemon is stopping.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// What the whole daemon takes and serves.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// The store's size.
    pub store_bytes: u64,
    /// The process's resident memory.
    pub resident_bytes: u64,
    /// How many organizations there are.
    pub organizations: u32,
    /// Open WebSockets.
    pub sockets: u32,
    /// Open watch streams.
    pub streams: u32,
}

/// The daemon's status.
#[derive(Clone, Debug)]
pub struct ServerStatus {
    /// `ready`, `draining`, `disk_full` or `memory_low`.
    pub state: &'static str,
    /// When it started.
    pub started_at: i64,
    /// Now.
    pub now: i64,
    /// The engine of its store.
    pub engine: &'static str,
    /// The store's format.
    pub schema: u32,
    /// The store's epoch.
    pub epoch: String,
    /// The process.
    pub pid: u32,
    /// What all organizations together come to; for the operator alone, or one would learn of another's traffic.
    pub whole: Option<Whole>,
    /// Conversations of the actor's organization that wait for a person.
    pub waiting: u32,
    /// The HTTP door.
    pub http_url: String,
    /// Whether the HTTP door speaks TLS.
    pub http_tls: bool,
    /// Whether the gRPC door does.
    pub grpc_tls: bool,
}

/// What the daemon says of its store.
#[derive(Clone, Copy, Debug)]
pub struct StoreSize {
    /// The engine.
    pub engine: &'static str,
    /// The format of its rows.
    pub schema: u32,
    /// What its files take.
    pub disk_bytes: u64,
    /// The rows it holds.
    pub live: Amount,
    /// Whether writes are refused.
    pub disk_full: bool,
}

impl Service {
    /// Counts a connection until the answer is dropped.
    pub fn count(self: &std::sync::Arc<Self>, what: Connected) -> Counted {
        self.connections.of(what).fetch_add(1, Ordering::Relaxed);
        Counted { service: std::sync::Arc::clone(self), what }
    }

    /// Why the daemon takes no new work, if so: `draining`, `disk_full` or `memory_low`.
    pub fn unready(&self) -> Option<&'static str> {
        if self.connections.is_draining() {
            Some("draining")
        } else if self.engine.disk_full() {
            Some("disk_full")
        } else {
            (self.memory.room() == Room::Gone).then_some("memory_low")
        }
    }

    /// Everything that is measured, as Prometheus reads it. For the operator's own listener: it names nobody.
    pub fn metrics_text(&self) -> String {
        let stats = self.engine.stats();
        let large = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let reading = |name, help, value| Reading { name, help, value };
        let number = |count: &AtomicU32| i64::from(count.load(Ordering::Relaxed));
        let sockets = number(&self.connections.sockets);
        let streams = number(&self.connections.streams);
        let failures = large(self.connections.tls_failures.load(Ordering::Relaxed));
        let hashes = large(self.passwords.computed());
        let uptime = (self.now() - self.started_at).max(0) / 1_000;
        self.metrics.text(&[
            reading("sockets", "Open WebSockets", sockets),
            reading("streams", "Open gRPC watch streams", streams),
            reading("store_bytes", "The store's size on disk", large(stats.bytes_on_disk)),
            reading("resident_bytes", "The process's memory", large(resident_bytes())),
            reading("uptime_seconds", "How long the daemon runs", uptime),
            reading("ready", "Whether new work is taken", i64::from(self.unready().is_none())),
            reading("password_hashes", "Password hashes computed", hashes),
            reading("tls_reload_failures", "Certificates that could not be used", failures),
        ])
    }

    /// How large the store is, and how much of it is live. It is of everybody's data, so only the operator may ask.
    pub async fn store_size(&self, actor: &Actor) -> Result<StoreSize, Error> {
        require(actor, Permission::ManageOrganizations)?;
        let _turn = self.connections.measuring.lock().await;
        let live = Amount::of(self.engine.as_ref()).await?;
        let stats = self.engine.stats();
        Ok(StoreSize {
            engine: stats.engine,
            schema: SCHEMA,
            disk_bytes: stats.bytes_on_disk,
            live,
            disk_full: stats.disk_full,
        })
    }

    /// The daemon's status.
    pub async fn server_status(&self, actor: &Actor) -> Result<ServerStatus, Error> {
        require(actor, Permission::ReadServer)?;
        let rows = Rows::new(self.engine.as_ref(), actor.organization);
        let waiting = count(&rows, &self.reach(actor).await?).await?;
        let stats = self.engine.stats();
        let whole = if actor.may(Permission::ManageOrganizations) {
            let organizations = self.organizations().await?.len();
            Some(Whole {
                store_bytes: stats.bytes_on_disk,
                resident_bytes: resident_bytes(),
                organizations: u32::try_from(organizations).unwrap_or(u32::MAX),
                sockets: self.connections.sockets.load(Ordering::Relaxed),
                streams: self.connections.streams.load(Ordering::Relaxed),
            })
        } else {
            None
        };
        Ok(ServerStatus {
            state: self.unready().unwrap_or("ready"),
            started_at: self.started_at,
            now: self.now(),
            engine: stats.engine,
            schema: SCHEMA,
            epoch: self.epoch().to_string(),
            pid: std::process::id(),
            whole,
            waiting,
            http_url: self.settings.load().public_url.clone(),
            http_tls: self.connections.http_tls.load(Ordering::Relaxed),
            grpc_tls: self.connections.grpc_tls.load(Ordering::Relaxed),
        })
    }
}

/// How many conversations wait, counted page by page so that no commit waits long for it.
async fn count(rows: &Rows<'_>, reach: &Reach) -> Result<u32, Error> {
    let mut count = 0;
    for lane in Lane::QUEUE {
        count += count_lane(rows, reach, lane, COUNT_MAX.saturating_sub(count)).await?;
    }
    Ok(count.min(COUNT_MAX))
}

/// How many of one list there are, or at least `most`.
async fn count_lane(rows: &Rows<'_>, reach: &Reach, lane: Lane, most: u32) -> Result<u32, Error> {
    let mut range = table::all_by_lane(rows.organization(), lane);
    let mut count = 0;
    while count < most {
        let page = rows.scan(&range, Direction::Forward, PAGE_MAX).await?;
        let Some((last, _)) = page.last() else { break };
        range = table::after(&range, last);
        let Reach::Only(_) = reach else {
            count += u32::try_from(page.len()).unwrap_or(PAGE_MAX);
            continue;
        };
        for (key, value) in page {
            let id = ConversationId(Pointer::decode(&key, &value)?.subject);
            let header = rows.conversation(id).await?;
            count += u32::from(header.is_some_and(|it| reach.has(it.inbox)));
        }
    }
    Ok(count.min(COUNT_MAX))
}
