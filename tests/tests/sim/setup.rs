//! Where every run begins: one organization, its people and inboxes, made once and then copied.

use std::sync::{Arc, Mutex, OnceLock};

use anyhow::{Context as _, Result};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use fusionchatd::domain::actor::{Actor, Grants, Who as ActorKind};
use fusionchatd::domain::id::{
    ClientId, InboxId, KeyId, OPERATOR_ORGANIZATION, OrganizationId, SessionId, UserId,
};
use fusionchatd::domain::inbox::AssistantMode;
use fusionchatd::domain::timer::Delays;
use fusionchatd::domain::user::Role;
use fusionchatd::service::inbox::CreateInbox;
use fusionchatd::service::limit::Limits;
use fusionchatd::service::organization::CreateOrganization;
use fusionchatd::service::proxy::Proxies;
use fusionchatd::service::user::CreateUser;
use fusionchatd::service::visitor::Guest;
use fusionchatd::service::{Ids, Service, Settings};
use fusionchatd::store::memory::MemoryEngine;
use fusionchatd::store::record::{Daemon, Record as _};
use fusionchatd::store::{Batch, Engine, table};

use super::chance::Chance;
use super::disk::{Disk, Fate};
use super::ledger::Ledger;
use super::reader::locked;

pub(crate) const START: i64 = 1_790_000_000_000;
const SHOP: &str = "https://shop.example.com";
/// Visitors of the inbox everybody answers, and of the one that only one agent does.
const GUESTS: usize = 4;
const VIPS: usize = 2;

/// The beginning.
pub(crate) struct Setup {
    pub(crate) rows: MemoryEngine,
    pub(crate) ledger: Ledger,
    pub(crate) web: InboxId,
    pub(crate) guests: Vec<Guest>,
    pub(crate) admin: Actor,
    pub(crate) agents: Vec<Actor>,
    pub(crate) key: Actor,
}

/// The beginning of every run.
pub(crate) fn setup() -> Result<&'static Setup> {
    static SETUP: OnceLock<Result<Setup, String>> = OnceLock::new();
    let made = SETUP.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
}

/// What a simulated daemon is set to: no rate stands in the way of a crowd in a minute.
pub(crate) fn settings() -> Settings {
    const RATE: u32 = 1_000_000;
    let limits = Limits {
        messages_per_minute: RATE,
        message_burst: RATE,
        commands_per_second: RATE,
        command_burst: RATE,
        ..Limits::default()
    };
    Settings {
        delays: Delays::default(),
        mark_interval_ms: 1_000,
        public_url: "http://127.0.0.1".to_owned(),
        limits,
        proxies: Proxies::default(),
    }
}

pub(crate) fn ids(chance: Chance) -> Ids {
    let chance = Mutex::new(chance);
    Arc::new(move || locked(&chance).id())
}

fn make() -> Result<Setup> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(make_all())
}

async fn make_all() -> Result<Setup> {
    let mut chance = Chance::new(0);
    let rows = MemoryEngine::new();
    let daemon = Daemon { epoch: chance.id(), secret: [7; 32] };
    let put = vec![(table::daemon(), daemon.encode())];
    rows.commit(Batch { put, ..Batch::default() }).await?;
    let fate = Arc::new(Mutex::new(Fate::new(chance.fork(), None)));
    let disk = Arc::new(Disk::new(rows, &fate));
    let (clock, tasks) = (Arc::new(|| START), TaskTracker::new());
    let engine: Arc<dyn Engine> = Arc::clone(&disk) as _;
    let service = Service::open_with(engine, settings(), clock, ids(chance.fork()), tasks).await?;
    let operator = Actor {
        organization: OPERATOR_ORGANIZATION,
        who: ActorKind::Operator { key: KeyId(Uuid::from_u128(2)) },
        grants: Grants::Operator,
    };
    let new = CreateOrganization {
        name: "acme".to_owned(),
        admin_email: "admin@example.com".to_owned(),
        admin_name: "admin".to_owned(),
        admin_password: None,
        invite_admin: false,
        inbox_name: "web".to_owned(),
        origins: vec![SHOP.to_owned()],
    };
    let founded = service.create_organization(&operator, ClientId([1; 16]), new).await?;
    let organization = founded.organization.id;
    let admin = staff(organization, founded.admin.id, Role::Admin);
    let mut agents = Vec::new();
    for name in ["A", "B", "C"] {
        let new = CreateUser {
            email: format!("{name}@example.com"),
            name: name.to_owned(),
            role: Role::Agent,
            password: None,
        };
        let user = service.create_user(&admin, None, new).await?;
        agents.push(staff(organization, user.id, Role::Agent));
    }
    let new = CreateInbox {
        name: "vip".to_owned(),
        origins: vec![SHOP.to_owned()],
        assistant: AssistantMode::On,
        locale: "en".to_owned(),
        members: vec!["A".to_owned()],
    };
    let vip = service.create_inbox(&admin, None, new).await?.inbox.id;
    let web = founded.inbox.id;
    let mut guests = Vec::new();
    for at in 0..GUESTS + VIPS {
        let inbox = if at < GUESTS { web } else { vip };
        guests.push(service.welcome(inbox, SHOP, None).await?.guest);
    }
    let mut ledger = Ledger::new(organization);
    for batch in std::mem::take(&mut locked(&fate).applied) {
        ledger.observe(&batch).context("the setup")?;
    }
    let key = Actor {
        organization,
        who: ActorKind::Key { key: KeyId(chance.id()), owner: founded.admin.id },
        grants: Grants::Scopes { role: Role::Admin, scopes: vec!["*".to_owned()] },
    };
    Ok(Setup { rows: disk.after_crash(), ledger, web, guests, admin, agents, key })
}

fn staff(organization: OrganizationId, user: UserId, role: Role) -> Actor {
    let who = ActorKind::Agent { user, session: SessionId(Uuid::from_u128(1)) };
    Actor { organization, who, grants: Grants::Role(role) }
}
