//! Floor 2: the use cases, and the only caller of the store and the search. Every method takes an [`Actor`] first;
//! there is no other way to a row. No bytes of any wire are known here: a door may leave some with a message that many
//! tabs are told of (`channel::Post`), and nobody here looks at them.
//!
//! Writes go `execute` -> `gather` -> the domain's `decide` -> `write` -> one commit -> `hub`; reads go through
//! `rows` and `view`. The rest is one file per noun.

pub mod article;
pub mod assistant;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod conversation;
pub mod ephemeral;
pub mod error;
pub mod execute;
pub mod hub;
pub mod inbox;
pub mod key;
pub mod knowledge;
pub mod label;
pub mod limit;
pub mod memory;
pub mod metrics;
pub mod organization;
pub mod password;
pub mod proxy;
pub mod rights;
pub mod rows;
pub mod seen;
pub mod session;
pub mod status;
pub mod stream;
pub mod subscribe;
pub mod timer;
pub mod token;
pub mod user;
pub mod view;
pub mod visitor;
pub mod visitors;

mod channel;
mod crowd;
mod digest;
mod erase;
mod gather;
mod mark;
mod staffing;
mod standing;
mod write;

#[cfg(test)]
mod absence_test;
#[cfg(test)]
mod article_test;
#[cfg(test)]
mod auth_test;
#[cfg(test)]
mod backup_test;
#[cfg(test)]
mod conversation_test;
#[cfg(test)]
mod crowd_rig;
#[cfg(test)]
mod crowd_round_test;
#[cfg(test)]
mod crowd_test;
#[cfg(test)]
mod draft_test;
#[cfg(test)]
mod erase_test;
#[cfg(test)]
mod inbox_test;
#[cfg(test)]
mod label_test;
#[cfg(test)]
mod migration_test;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod settle_test;
#[cfg(test)]
mod stream_test;
#[cfg(test)]
mod timer_test;
#[cfg(test)]
mod user_test;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::domain::Time;
use crate::domain::actor::{Actor, Grants, Permission};
use crate::domain::timer::Delays;
use crate::store::record::{Daemon, Record};
use crate::store::{Batch, Engine, table};

use error::Error;
use rows::Rows;

/// Reads the clock, in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// Makes ids nobody has used. Nothing relies on their order.
pub type Ids = Arc<dyn Fn() -> Uuid + Send + Sync>;

/// What an operator may change, and tests make short.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long timers wait.
    pub delays: Delays,
    /// How long a mark waits for a further one before it is written, in milliseconds.
    pub mark_interval_ms: u64,
    /// Where visitors reach the daemon over HTTP, without a slash at the end.
    pub public_url: String,
    /// The limits of the contract.
    pub limits: limit::Limits,
    /// Whose word for a client's address is taken.
    pub proxies: proxy::Proxies,
}

/// The use cases over one store.
pub struct Service {
    engine: Arc<dyn Engine>,
    daemon: Daemon,
    settings: ArcSwap<Settings>,
    clock: Clock,
    ids: Ids,
    started_at: Time,
    lanes: execute::Lanes,
    hub: hub::Hub,
    knowledge: knowledge::Knowledge,
    staffing: staffing::Staffing,
    limits: ArcSwap<limit::Limiter>,
    marks: mark::Marks,
    passwords: password::Passwords,
    connections: status::Connections,
    memory: memory::Memory,
    metrics: metrics::Metrics,
    timers: Notify,
    tasks: TaskTracker,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("settings", &self.settings.load()).finish_non_exhaustive()
    }
}

impl Service {
    /// Opens the use cases over a store; makes the daemon's own row at the first start.
    pub async fn open(
        engine: Arc<dyn Engine>,
        settings: Settings,
        clock: Clock,
        tasks: TaskTracker,
    ) -> Result<Arc<Self>, Error> {
        Self::open_with(engine, settings, clock, Arc::new(Uuid::now_v7), tasks).await
    }

    /// The same with ids of the caller's making: whoever gives the ids and the time can play a run again.
    pub async fn open_with(
        engine: Arc<dyn Engine>,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        tasks: TaskTracker,
    ) -> Result<Arc<Self>, Error> {
        let daemon = daemon_row(engine.as_ref()).await?;
        Ok(Arc::new(Self {
            engine,
            daemon,
            started_at: clock(),
            limits: ArcSwap::from_pointee(limit::Limiter::new(&settings.limits)),
            settings: ArcSwap::from_pointee(settings),
            clock,
            ids,
            lanes: execute::Lanes::default(),
            hub: hub::Hub::new(tasks.clone()),
            knowledge: knowledge::Knowledge::default(),
            staffing: staffing::Staffing::default(),
            marks: mark::Marks::default(),
            passwords: password::Passwords::default(),
            connections: status::Connections::default(),
            memory: memory::Memory::default(),
            metrics: metrics::Metrics::default(),
            timers: Notify::new(),
            tasks,
        }))
    }

    /// The time of day. Orders nothing.
    pub fn now(&self) -> Time {
        (self.clock)()
    }

    /// A fresh id.
    pub fn new_id(&self) -> Uuid {
        (self.ids)()
    }

    /// Names the life of the store: part of every cursor.
    pub fn epoch(&self) -> Uuid {
        self.daemon.epoch
    }

    /// What an operator set, as it is now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Takes other settings from now on. Changed limits count from zero.
    pub fn reconfigure(&self, settings: Settings) {
        if self.settings.load().limits != settings.limits {
            self.limits.store(Arc::new(limit::Limiter::new(&settings.limits)));
        }
        self.settings.store(Arc::new(settings));
    }

    /// Wakes readers.
    pub fn hub(&self) -> &hub::Hub {
        &self.hub
    }

    /// Counts what is connected.
    pub fn connections(&self) -> &status::Connections {
        &self.connections
    }

    /// How much memory is left.
    pub fn memory(&self) -> &memory::Memory {
        &self.memory
    }

    /// Looks how much memory is left.
    pub fn look_at_memory(&self) {
        self.memory.note(memory::read(self.settings.load().limits.memory_bytes));
    }

    /// Counts what is done.
    pub fn metrics(&self) -> &metrics::Metrics {
        &self.metrics
    }

    /// The limits in force.
    pub fn limiter(&self) -> Arc<limit::Limiter> {
        self.limits.load_full()
    }

    /// A digest of `bytes` that only who has the daemon's secret can make, for one purpose.
    fn keyed(&self, purpose: &str, bytes: &[u8]) -> Result<[u8; 32], Error> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.daemon.secret);
        let mut mac = mac.map_err(Error::internal)?;
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(bytes);
        Ok(mac.finalize().into_bytes().into())
    }

    /// The rows an actor may reach.
    fn rows(&self, actor: &Actor) -> Rows<'_> {
        Rows::new(self.engine.as_ref(), actor.organization)
    }
}

/// Refuses an actor without the permission.
fn require(actor: &Actor, permission: Permission) -> Result<(), Error> {
    if actor.may(permission) {
        return Ok(());
    }
    if permission == Permission::PostAsVisitor && matches!(actor.grants, Grants::Role(_)) {
        return Err(keys_alone(permission.scope()));
    }
    // What a key lacks is said by name; what its owner lacks no scope would give.
    let scoped = matches!(&actor.grants, Grants::Scopes { scopes, .. }
        if !scopes.iter().any(|it| it == "*" || it == permission.scope()));
    Err(if scoped { missing_scope(permission.scope()) } else { Error::forbidden() })
}

/// Refuses a signed-in member of staff what an admin's key alone may do.
fn keys_alone(scope: &str) -> Error {
    let mut error = Error::forbidden();
    error.message = format!("only an admin's key with the scope {scope} may write as a visitor");
    error.with_param("scope", scope).with_hint(format!(
        "an admin makes one: fusionctl key create --name ci --scope {scope},conversation:read \
         --to-file ci.key"
    ))
}

/// Refuses a key something that is not among its scopes.
fn missing_scope(scope: &str) -> Error {
    let mut error = Error::forbidden();
    error.message = format!("this key lacks the scope {scope}");
    error
        .with_param("scope", scope)
        .with_hint("use a key that has it: fusionctl key create --scope …")
}

async fn daemon_row(engine: &dyn Engine) -> Result<Daemon, Error> {
    let key = table::daemon();
    let mut values = engine.get(std::slice::from_ref(&key)).await?;
    if let Some(bytes) = values.pop().flatten() {
        return Ok(Daemon::decode(&key, &bytes)?);
    }
    let daemon = Daemon { epoch: Uuid::now_v7(), secret: token::random_bytes()? };
    let batch = Batch {
        expect: vec![(key.clone(), None)],
        put: vec![(key, daemon.encode())],
        delete: Vec::new(),
    };
    engine.commit(batch).await?;
    Ok(daemon)
}
