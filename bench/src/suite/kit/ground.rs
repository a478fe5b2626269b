//! A service in this process over an engine that remembers what it was asked to write: one organization, an inbox
//! without assistant, and visitors who have begun.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use fusionchatd::domain::actor::{Actor, Grants, Who};
use fusionchatd::domain::id::{ClientId, InboxId, KeyId, OPERATOR_ORGANIZATION, SessionId};
use fusionchatd::domain::inbox::AssistantMode;
use fusionchatd::domain::timer::Delays;
use fusionchatd::domain::user::Role;
use fusionchatd::service::inbox::CreateInbox;
use fusionchatd::service::limit::Limits;
use fusionchatd::service::organization::{CreateOrganization, Founded};
use fusionchatd::service::proxy::Proxies;
use fusionchatd::service::visitor::Guest;
use fusionchatd::service::{Clock, Service, Settings};
use fusionchatd::store::moment::Moment;
use fusionchatd::store::snapshot::Work;
use fusionchatd::store::{
    Batch, Direction, Engine, EngineStats, Key, Range, Reads, StoreError, Value,
};
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::setup::ORIGIN;

/// The rates: what is measured must not wait for them.
const RATE: u32 = 1_000_000_000;
/// When the service's clock begins, in Unix milliseconds.
const SOME_DAY_MS: i64 = 1_790_000_000_000;

/// An engine that remembers what it was asked to write.
pub(in crate::suite) struct Recorder {
    engine: Arc<dyn Engine>,
    batches: Mutex<Vec<Batch>>,
}

impl Recorder {
    /// Takes away what was written since the last time.
    pub(in crate::suite) fn take(&self) -> Vec<Batch> {
        std::mem::take(&mut self.batches.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Reads for Recorder {
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        self.engine.get(keys)
    }

    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>> {
        self.engine.scan(range, direction, limit)
    }
}

impl Engine for Recorder {
    fn with_snapshot(&self, work: Work) -> BoxFuture<'_, Result<(), StoreError>> {
        self.engine.with_snapshot(work)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).push(batch.clone());
        self.engine.commit(batch)
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, StoreError>> {
        self.engine.moment()
    }

    fn stats(&self) -> EngineStats {
        self.engine.stats()
    }

    fn failed(&self) -> watch::Receiver<Option<String>> {
        self.engine.failed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.engine.close()
    }
}

/// What was made.
pub(in crate::suite) struct Ground {
    pub(in crate::suite) service: Arc<Service>,
    pub(in crate::suite) recorder: Arc<Recorder>,
    pub(in crate::suite) guests: Vec<Guest>,
}

static CLIENT_IDS: AtomicU64 = AtomicU64::new(1);

/// An id no command has had.
pub(in crate::suite) fn client_id() -> ClientId {
    ClientId(u128::from(CLIENT_IDS.fetch_add(1, Ordering::Relaxed)).to_be_bytes())
}

impl Ground {
    /// Lays it over an engine.
    pub(in crate::suite) async fn lay(engine: Arc<dyn Engine>, visitors: usize) -> Result<Self> {
        let recorder = Arc::new(Recorder { engine, batches: Mutex::default() });
        let over: Arc<dyn Engine> = Arc::clone(&recorder) as _;
        let service = Service::open(over, settings(), clock(), TaskTracker::new()).await?;
        let (_, inbox) = found(&service, "bench").await?;
        let mut guests = Vec::with_capacity(visitors);
        for _ in 0..visitors {
            let guest = service.welcome(inbox, ORIGIN, None).await?.guest;
            service.guest_message(&guest, client_id(), "Hello".to_owned(), None).await?;
            guests.push(guest);
        }
        Ok(Self { service, recorder, guests })
    }
}

/// Makes an organization with an inbox without assistant.
pub(in crate::suite) async fn found(
    service: &Arc<Service>,
    name: &str,
) -> Result<(Founded, InboxId)> {
    let operator = Actor {
        organization: OPERATOR_ORGANIZATION,
        who: Who::Operator { key: KeyId::default() },
        grants: Grants::Operator,
    };
    let new = CreateOrganization {
        name: name.to_owned(),
        admin_email: "admin@bench.example".to_owned(),
        admin_name: "admin".to_owned(),
        admin_password: None,
        invite_admin: false,
        inbox_name: "spare".to_owned(),
        origins: vec![ORIGIN.to_owned()],
    };
    let founded = service.create_organization(&operator, client_id(), new).await?;
    let who = Who::Agent { user: founded.admin.id, session: SessionId::default() };
    let organization = founded.organization.id;
    let admin = Actor { organization, who, grants: Grants::Role(Role::Admin) };
    let new = CreateInbox {
        name: "desk".to_owned(),
        origins: vec![ORIGIN.to_owned()],
        assistant: AssistantMode::Off,
        locale: "en".to_owned(),
        members: Vec::new(),
    };
    let inbox = service.create_inbox(&admin, None, new).await?.inbox.id;
    Ok((founded, inbox))
}

/// Settings whose rates nothing waits for.
pub(in crate::suite) fn settings() -> Settings {
    Settings {
        delays: Delays::default(),
        mark_interval_ms: 1_000,
        public_url: "http://127.0.0.1".to_owned(),
        limits: Limits {
            messages_per_minute: RATE,
            message_burst: RATE,
            hellos_per_minute: RATE,
            conversations_per_minute: RATE,
            sign_ins_per_five_minutes: RATE,
            sockets_per_address: RATE,
            memory_bytes: None,
            commands_per_second: RATE,
            command_burst: RATE,
            ..Limits::default()
        },
        proxies: Proxies::default(),
    }
}

/// Time goes on from some day: what day it is changes nothing here.
fn clock() -> Clock {
    let began = Instant::now();
    Arc::new(move || SOME_DAY_MS + i64::try_from(began.elapsed().as_millis()).unwrap_or(0))
}

/// Sends messages, each of a visitor only after the one before; how many were acknowledged.
pub(in crate::suite) async fn talk(
    service: &Arc<Service>,
    guest: &Guest,
    messages: usize,
) -> Result<()> {
    for number in 0..messages {
        let content = format!("{number:<300}");
        service
            .guest_message(guest, client_id(), content, None)
            .await
            .map(|_| ())
            .context("a message of the bench")?;
    }
    Ok(())
}
