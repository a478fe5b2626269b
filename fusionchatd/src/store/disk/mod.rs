//! What the engines on disk have in common. An engine brings a `writer::Back`: how it reads a row, writes a group of batches
//! durably, and lets go of its files. Everything around that is here once:
//!
//! - `lock`, `files`: one daemon a directory, private and durable directories, and whose data lies in one.
//! - `queue`, `group`, `writer`: one thread gathers commits, judges them, has them written as one group and answers.
//! - `space`: refuses writes while the disk is nearly full.
//!
//! It must not call an engine's crate, and nothing here may acknowledge before the engine has synced.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::store::moment::{Frontier, Moment};
use crate::store::open::OpenOptions;
use crate::store::{Batch, EngineStats, StoreError};

pub(super) mod files;
pub(super) mod group;
pub(super) mod lock;
pub(super) mod queue;
pub mod space;
pub(super) mod writer;

use lock::DirectoryLock;
use queue::Queue;
use space::Space;

/// The most keys of a read that is done where it is asked for. A read of a cached row takes about a microsecond and a
/// handover to another thread ten or more; long reads always move, to keep the async workers free.
pub(super) const KEYS_INLINE_MAX: usize = 16;
/// The most rows of such a scan.
pub(super) const ROWS_INLINE_MAX: u32 = 16;

/// Where the callers of an engine and its writer meet.
pub(super) struct Front {
    pub(super) directory: Arc<Path>,
    queue: Queue,
    /// Where a backup has come to.
    frontier: Arc<Frontier>,
    /// Kept by the writer, which watches the disk.
    disk_full: Arc<AtomicBool>,
    lock: Mutex<Option<Arc<DirectoryLock>>>,
    failed: watch::Sender<Option<String>>,
    ended: watch::Sender<bool>,
}

impl Front {
    /// The front of an engine over a directory whose lock is held.
    pub(super) fn new(directory: Arc<Path>, lock: Arc<DirectoryLock>) -> Self {
        Self {
            directory,
            queue: Queue::new(),
            frontier: Arc::default(),
            disk_full: Arc::default(),
            lock: Mutex::new(Some(lock)),
            failed: watch::Sender::new(None),
            ended: watch::Sender::new(false),
        }
    }

    /// The watch over the disk's space, for the writer.
    pub(super) fn space(&self, options: &OpenOptions) -> Space {
        Space::new(Arc::clone(&self.directory), options, Arc::clone(&self.disk_full))
    }

    /// Queues a batch and waits for its answer.
    pub(super) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let batch_bytes = batch.check()?;
        match self.queue.push(batch, batch_bytes).await {
            Some(answered) => match answered.await {
                Ok(verdict) => verdict,
                // The writer drops an answer before it can say why it failed.
                Err(_) => {
                    self.writer_ended().await;
                    Err(self.gone())
                }
            },
            None => Err(self.gone()),
        }
    }

    /// Begins a reading of one moment.
    pub(super) async fn moment(&self) -> Result<Moment, StoreError> {
        self.standing()?;
        match self.frontier.begin().await {
            Err(StoreError::Closed) => Err(self.gone()),
            begun => begun,
        }
    }

    /// Takes no more commits; the writer ends once it has done those that wait.
    pub(super) fn stop(&self) {
        self.queue.close();
    }

    /// Stops and waits for the writer's last act.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.stop();
        self.writer_ended().await;
        self.standing()
    }

    /// What the engine of this name says of itself.
    pub(super) fn stats(&self, engine: &'static str) -> EngineStats {
        let bytes_on_disk = files::bytes_on_disk(&self.directory);
        EngineStats { engine, bytes_on_disk, disk_full: self.disk_full() }
    }

    /// Whether writes are refused because the disk is nearly full.
    pub(super) fn disk_full(&self) -> bool {
        self.disk_full.load(Ordering::Relaxed)
    }

    /// Turns to the reason once the engine has failed for good.
    pub(super) fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }

    /// Why the engine takes no more, if so.
    pub(super) fn standing(&self) -> Result<(), StoreError> {
        match self.failed.borrow().clone() {
            Some(detail) => Err(StoreError::Failed { detail }),
            None => Ok(()),
        }
    }

    /// Why the queue is closed.
    fn gone(&self) -> StoreError {
        self.standing().err().unwrap_or(StoreError::Closed)
    }

    async fn writer_ended(&self) {
        // The sender lives in `self`, so the wait ends only by the value.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Lets go of the directory, for whoever comes next.
    pub(super) fn unlock(&self) {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Fails the engine for good. It keeps the lock until the process ends, as it keeps its files.
    pub(super) fn fail(&self, detail: String) {
        std::mem::forget(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.failed.send_replace(Some(detail));
    }

    /// The writer's last act: nobody waits for it any more.
    pub(super) fn end(&self) {
        self.queue.abandon();
        self.frontier.end();
        self.ended.send_replace(true);
    }
}
