//! What the tests of this floor stand on: a service over the memory engine, with a clock that stands still, an engine
//! that can be made to wait, and one organization with its people.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::domain::actor::{Actor, Grants, Who};
use crate::domain::conversation::Conversation;
use crate::domain::entry::Entry;
use crate::domain::id::{
    ClientId, ConversationId, KeyId, OPERATOR_ORGANIZATION, OrganizationId, SessionId, UserId,
};
use crate::domain::inbox::Inbox;
use crate::domain::timer::Delays;
use crate::domain::user::Role;
use crate::store::memory::MemoryEngine;
use crate::store::moment::Moment;
use crate::store::snapshot::Work;
use crate::store::{Batch, Direction, Engine, EngineStats, Key, Range, Reads, StoreError, Value};

use super::error::Error;
use super::limit::Limits;
use super::organization::CreateOrganization;
use super::proxy::Proxies;
use super::rows::Rows;
use super::user::CreateUser;
use super::visitor::{Guest, Welcome};
use super::{Service, Settings};

pub(super) const START: i64 = 1_790_000_000_000;
pub(super) const SHOP: &str = "https://shop.example.com";

/// The memory engine behind a gate. While the gate is shut commits wait; a busy one gives way before
/// and after every read, so that anything may happen between it and what is made of it. An exclusive one lets nobody
/// read while it commits.
pub(super) struct Gate {
    pub(super) engine: MemoryEngine,
    open: watch::Sender<bool>,
    busy: AtomicBool,
    exclusive: AtomicBool,
    /// Whether the next scan fails.
    failing: AtomicBool,
    turn: tokio::sync::Mutex<()>,
    /// How often rows were asked for by their keys.
    pub(super) reads: AtomicUsize,
    /// The most rows one batch has taken away.
    pub(super) deleted_at_once: AtomicUsize,
}

impl Gate {
    pub(super) fn new(engine: MemoryEngine) -> Arc<Self> {
        Arc::new(Self {
            engine,
            open: watch::Sender::new(true),
            busy: AtomicBool::new(false),
            exclusive: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            turn: tokio::sync::Mutex::new(()),
            reads: AtomicUsize::new(0),
            deleted_at_once: AtomicUsize::new(0),
        })
    }

    pub(super) fn open(&self, open: bool) {
        self.open.send_replace(open);
    }

    pub(super) fn make_busy(&self) {
        self.busy.store(true, Ordering::SeqCst);
    }

    pub(super) fn make_exclusive(&self) {
        self.exclusive.store(true, Ordering::SeqCst);
    }

    /// The next scan fails, as on a disk that cannot be read for a moment.
    pub(super) fn fail_next_scan(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }

    async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.exclusive.load(Ordering::SeqCst) { Some(self.turn.lock().await) } else { None }
    }

    fn fail_if_told(&self) -> Result<(), StoreError> {
        if self.failing.swap(false, Ordering::SeqCst) {
            let (path, source) = ("rows".into(), std::io::Error::other("a bad moment"));
            return Err(StoreError::Unreadable { path, source });
        }
        Ok(())
    }

    async fn give_way(&self) {
        if self.busy.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    }
}

impl Reads for Gate {
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Box::pin(async move {
            self.give_way().await;
            self.reads.fetch_add(1, Ordering::SeqCst);
            let _turn = self.turn().await;
            let found = self.engine.get(keys).await;
            self.give_way().await;
            found
        })
    }

    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>> {
        Box::pin(async move {
            self.give_way().await;
            let _turn = self.turn().await;
            self.fail_if_told()?;
            let found = self.engine.scan(range, direction, limit).await;
            self.give_way().await;
            found
        })
    }
}

impl Engine for Gate {
    fn with_snapshot(&self, work: Work) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.give_way().await;
            let _turn = self.turn().await;
            self.fail_if_told()?;
            let done = self.engine.with_snapshot(work).await;
            self.give_way().await;
            done
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let _turn = self.turn().await;
            let mut open = self.open.subscribe();
            open.wait_for(|open| *open).await.map_err(|_| StoreError::Closed)?;
            self.deleted_at_once.fetch_max(batch.delete.len(), Ordering::SeqCst);
            self.engine.commit(batch).await
        })
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

/// A service with one organization, `acme`.
pub(super) struct Rig {
    pub(super) gate: Arc<Gate>,
    pub(super) service: Arc<Service>,
    pub(super) now: Arc<AtomicI64>,
    pub(super) desk: Desk,
}

/// An organization and its people.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) organization: OrganizationId,
    pub(super) inbox: Inbox,
    pub(super) admin: Actor,
    pub(super) a: Actor,
    pub(super) b: Actor,
}

static CLIENT_IDS: AtomicU64 = AtomicU64::new(1);

/// A client id nobody has used.
pub(super) fn fresh() -> ClientId {
    let n = CLIENT_IDS.fetch_add(1, Ordering::Relaxed);
    ClientId(u128::from(n).to_be_bytes())
}

pub(super) fn staff_actor(organization: OrganizationId, user: UserId, role: Role) -> Actor {
    let who = Who::Agent { user, session: SessionId(Uuid::from_u128(1)) };
    Actor { organization, who, grants: Grants::Role(role) }
}

pub(super) fn operator() -> Actor {
    let who = Who::Operator { key: KeyId(Uuid::from_u128(2)) };
    Actor { organization: OPERATOR_ORGANIZATION, who, grants: Grants::Operator }
}

pub(super) fn acme(name: &str) -> CreateOrganization {
    CreateOrganization {
        name: name.to_owned(),
        admin_email: "admin@example.com".to_owned(),
        admin_name: "admin".to_owned(),
        admin_password: None,
        invite_admin: false,
        inbox_name: "web".to_owned(),
        origins: vec![SHOP.to_owned()],
    }
}

impl Rig {
    pub(super) async fn new() -> Self {
        Self::with(Limits {
            messages_per_minute: 1_000_000,
            message_burst: 1_000_000,
            command_burst: 1_000_000,
            ..Limits::default()
        })
        .await
    }

    pub(super) async fn with(limits: Limits) -> Self {
        let gate = Gate::new(MemoryEngine::new());
        let now = Arc::new(AtomicI64::new(START));
        let service = serve(&gate, &now, limits).await;
        let desk = found(&service, "acme").await;
        Self { gate, service, now, desk }
    }

    /// The same rows after a crash: nothing else is left.
    pub(super) async fn restarted(&self) -> Self {
        let gate = Gate::new(self.gate.engine.restarted());
        let limits = self.service.settings().limits.clone();
        let service = serve(&gate, &self.now, limits).await;
        Self { gate, service, now: Arc::clone(&self.now), desk: self.desk.clone() }
    }

    pub(super) fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    pub(super) async fn guest(&self) -> Guest {
        self.welcome().await.guest
    }

    pub(super) async fn welcome(&self) -> Welcome {
        self.service.welcome(self.desk.inbox.id, SHOP, None).await.expect("welcome")
    }

    pub(super) async fn say(&self, guest: &Guest, text: &str) -> (ConversationId, u64) {
        let posted =
            self.service.guest_message(guest, fresh(), text.to_owned(), None).await.expect(text);
        (posted.message.message.conversation, posted.message.message.seq)
    }

    pub(super) fn rows(&self) -> Rows<'_> {
        Rows::new(self.gate.as_ref(), self.desk.organization)
    }

    pub(super) async fn header(&self, id: ConversationId) -> Conversation {
        self.rows().conversation(id).await.expect("read").expect("a conversation")
    }

    pub(super) async fn journal(&self) -> Vec<Entry> {
        self.rows().entries(1, u32::MAX).await.expect("read")
    }
}

pub(super) async fn serve(gate: &Arc<Gate>, now: &Arc<AtomicI64>, limits: Limits) -> Arc<Service> {
    let settings = Settings {
        delays: Delays::default(),
        mark_interval_ms: 1_000,
        public_url: "http://127.0.0.1".to_owned(),
        limits,
        proxies: Proxies::default(),
    };
    let now = Arc::clone(now);
    let clock = Arc::new(move || now.load(Ordering::SeqCst));
    let engine: Arc<dyn Engine> = Arc::clone(gate) as _;
    Service::open(engine, settings, clock, TaskTracker::new()).await.expect("open")
}

/// An organization with an admin and the agents `A` and `B`.
pub(super) async fn found(service: &Arc<Service>, name: &str) -> Desk {
    let founded = service.create_organization(&operator(), fresh(), acme(name)).await;
    let founded = founded.expect("founded");
    let organization = founded.organization.id;
    let admin = staff_actor(organization, founded.admin.id, Role::Admin);
    let agent = async |name: &str| {
        let new = CreateUser {
            email: format!("{name}@example.com"),
            name: name.to_owned(),
            role: Role::Agent,
            password: None,
        };
        let user = service.create_user(&admin, None, new).await.expect("an agent");
        staff_actor(organization, user.id, Role::Agent)
    };
    let (a, b) = (agent("A").await, agent("B").await);
    Desk { organization, inbox: founded.inbox, admin, a, b }
}

/// The code of a failure.
pub(super) fn code<T>(result: &Result<T, Error>) -> &'static str {
    result.as_ref().err().map_or("ok", |error| error.code)
}
