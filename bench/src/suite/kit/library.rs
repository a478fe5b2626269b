//! A large store, made quickly, and a daemon on it. The service itself makes every row, in this process and without a
//! door; it is spared the wait for the disk (`loose`), so that the engine gets the very rows in their own order, in
//! batches of some megabytes instead of one for each group. The tree so made has grown as a real one has.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use fusionchatd::app::system_time;
use fusionchatd::domain::id::OrganizationId;
use fusionchatd::service::Service;
use fusionchatd::service::assistant::WORKER;
use fusionchatd::store::open::{DiskEngine, OpenOptions, open};
use fusionchatd::store::record::{Head, Record};
use fusionchatd::store::{Engine, Reads as _, table};
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio_util::task::TaskTracker;

use super::ground::{client_id, found, settings};
use super::loose::Loose;
use super::process::SERVER;
use crate::daemon::Daemon;
use crate::setup::ORIGIN;
use crate::staff::Staff;

/// How many conversations, and organizations, are made at a time.
const AT_A_TIME: usize = 256;
/// How long each message is, in bytes.
pub(in crate::suite) const MESSAGE_BYTES: usize = 300;

/// What a store holds.
#[derive(Clone, Copy, Debug)]
pub(in crate::suite) struct Shape {
    /// How many organizations.
    pub(in crate::suite) organizations: usize,
    /// How many conversations each has, all waiting for a person.
    pub(in crate::suite) conversations: usize,
    /// How many messages each conversation has.
    pub(in crate::suite) messages: usize,
}

impl Shape {
    /// All messages.
    pub(in crate::suite) fn all(self) -> usize {
        self.organizations * self.conversations * self.messages
    }
}

/// One organization in it.
pub(in crate::suite) struct Shop {
    /// Its admin's key.
    pub(in crate::suite) key: String,
    /// Its inbox.
    pub(in crate::suite) inbox: String,
    /// Its conversations, and the session of the visitor of each.
    pub(in crate::suite) conversations: Vec<(String, String)>,
}

/// A store in a directory of its own, which goes with it.
pub(in crate::suite) struct Library {
    directory: tempfile::TempDir,
    /// What it holds.
    pub(in crate::suite) shape: Shape,
    /// Whose it is.
    pub(in crate::suite) shops: Vec<Shop>,
}

impl Library {
    /// Makes one.
    pub(in crate::suite) async fn make(engine: DiskEngine, shape: Shape) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("fusion-bench-").tempdir()?;
        let store = store_in(directory.path());
        fs::create_dir_all(&store)?;
        let disk = open(&engine.url(&store), &OpenOptions::default()).await?;
        let loose = Arc::new(Loose::over(disk));
        let over: Arc<dyn Engine> = Arc::clone(&loose) as _;
        let clock = Arc::new(system_time);
        let service = Service::open(over, settings(), clock, TaskTracker::new()).await?;
        let shops = (0..shape.organizations).map(|number| shop(&service, &loose, number, shape));
        let shops: Vec<Shop> = stream::iter(shops).buffered(AT_A_TIME).try_collect().await?;
        Engine::close(loose.as_ref()).await?;
        Ok(Self { directory, shape, shops })
    }

    /// The same store once more, in another directory.
    pub(in crate::suite) fn copy_of_store(&self) -> Result<tempfile::TempDir> {
        let copy = tempfile::Builder::new().prefix("fusion-bench-").tempdir()?;
        copy_files(&self.store(), &store_in(copy.path()))?;
        Ok(copy)
    }

    /// Where the store lies.
    pub(in crate::suite) fn store(&self) -> PathBuf {
        store_in(self.directory.path())
    }

    /// Where the data of a daemon on it lie.
    pub(in crate::suite) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A daemon on it, on the server's core; it is not started.
    pub(in crate::suite) fn daemon(&self, program: &Path) -> Result<Daemon> {
        Ok(Daemon::new(program, self.directory.path())?.on_core(SERVER))
    }

    /// The same with the rates a daemon has that nobody has told otherwise.
    pub(in crate::suite) fn usual_daemon(&self, program: &Path) -> Result<Daemon> {
        Ok(Daemon::with(program, self.directory.path(), "")?.on_core(SERVER))
    }

    /// The first organization.
    pub(in crate::suite) fn shop(&self) -> Result<&Shop> {
        self.shops.first().context("there is an organization")
    }

    /// A line with the key of the first organization.
    pub(in crate::suite) fn admin(&self, daemon: &Daemon) -> Result<Staff> {
        Staff::new(&daemon.grpc(), Some(&self.shop()?.key))
    }
}

fn store_in(directory: &Path) -> PathBuf {
    directory.join("data").join("store")
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_files(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Founds an organization, lets its visitors write, and notes that the assistant has looked at it all: a daemon that
/// had been there would have.
async fn shop(service: &Arc<Service>, engine: &Loose, number: usize, shape: Shape) -> Result<Shop> {
    let (founded, inbox) = found(service, &format!("shop-{number}")).await?;
    let talks = (0..shape.conversations).map(|_| async move {
        let welcome = service.welcome(inbox, ORIGIN, None).await?;
        let mut conversation = String::new();
        for message in 0..shape.messages {
            let content = text(message);
            let posted = service.guest_message(&welcome.guest, client_id(), content, None).await?;
            conversation = posted.message.message.conversation.to_string();
        }
        anyhow::Ok((conversation, welcome.token))
    });
    let conversations = stream::iter(talks).buffered(AT_A_TIME).try_collect().await?;
    let organization = founded.organization.id;
    let position = head(engine, organization).await?;
    service.save_worker_cursor(organization, WORKER, position).await?;
    let key = founded.admin_key.context("a new organization has a key")?;
    Ok(Shop { key, inbox: inbox.to_string(), conversations })
}

async fn head(engine: &Loose, organization: OrganizationId) -> Result<u64> {
    let key = table::head(organization);
    let row = engine.get(std::slice::from_ref(&key)).await?.pop().flatten();
    Ok(Head::decode(&key, &row.context("a journal has a head")?)?.position)
}

/// A message of [`MESSAGE_BYTES`].
pub(in crate::suite) fn text(number: usize) -> String {
    format!("{number:<width$}", width = MESSAGE_BYTES)
}
