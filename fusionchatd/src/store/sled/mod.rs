//! The sled engine: sled 0.34, used only in the ways that survived every rebuilt disk image.
//!
//! - `directory`: opening, and mending what a crash may have left; `tip`: how far the log must
//!   reach; `checksum`.
//! - `lock`: one daemon a directory, and the pid of the one that is there.
//! - `queue`, `group`, `writer`: one thread gathers commits, judges them, writes them as one
//!   batch, syncs and answers.
//! - `rows`, `value`: values in the tree, large ones split over several rows.
//! - `view`: what readers see, which is only what is on disk.
//! - `disk`: refuses writes while the disk is nearly full.
//!
//! No code outside this folder may call sled, and nothing here may acknowledge before the sync.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, spawn_blocking};

use crate::store::open::OpenOptions;
use crate::store::{Batch, Direction, Engine, EngineStats, Key, Range, StoreError, Value};

mod checksum;
mod directory;
pub mod disk;
mod group;
mod lock;
mod queue;
mod rows;
mod tip;
mod value;
mod view;
mod writer;

#[cfg(test)]
mod sled_test;

use directory::Opened;
use disk::Disk;
use lock::DirectoryLock;
use queue::Queue;
use view::{Before, View};
use writer::Writer;

// A read of a cached row takes about a microsecond and a handover to another thread ten or more,
// so short reads run where they are asked for. While a group is being applied sled makes readers
// wait for milliseconds: until then the task waits, and no thread. Long reads always move, to keep
// the async workers free.
const KEYS_INLINE_MAX: usize = 16;
const ROWS_INLINE_MAX: u32 = 16;
/// How many groups a short read waits for before it moves to a thread that may wait.
const GROUPS_WAITED_MAX: u32 = 8;

/// An engine that keeps its rows in a directory.
pub struct SledEngine {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the callers and the writer share.
struct Shared {
    directory: PathBuf,
    queue: Queue,
    view: RwLock<View>,
    /// While sled applies a batch, its readers wait.
    applying: AtomicBool,
    /// Rung whenever a short read that could not be done may be possible.
    readable: Notify,
    /// Kept by the writer, which watches the disk.
    disk_full: Arc<AtomicBool>,
    /// Below the view, so that a failed engine holds it until its tree is gone.
    lock: Mutex<Option<DirectoryLock>>,
    failed: watch::Sender<Option<String>>,
    ended: watch::Sender<bool>,
}

impl fmt::Debug for SledEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SledEngine")
            .field("directory", &self.shared.directory)
            .finish_non_exhaustive()
    }
}

impl SledEngine {
    /// Opens the data in `directory`, creating it if it is not there. Takes as long as sled needs
    /// to read what was written since the last open: seconds a gigabyte.
    ///
    /// # Errors
    /// `InUse`, `Unreadable` or `Corrupt`.
    pub async fn open(directory: &Path, options: &OpenOptions) -> Result<Self, StoreError> {
        let (directory, options) = (directory.to_path_buf(), options.clone());
        let place = directory.clone();
        spawn_blocking(move || Self::start(directory::open(&directory)?, &options))
            .await
            .unwrap_or_else(|panic| Err(reader_died(&place, &panic)))
    }

    /// Starts the engine over an open directory.
    fn start(opened: Opened, options: &OpenOptions) -> Result<Self, StoreError> {
        let Opened { rows, data_file, tip, lock } = opened;
        let shared = Arc::new(Shared {
            directory: rows.directory.to_path_buf(),
            queue: Queue::new(),
            view: RwLock::new(View { rows: Some(rows.clone()), before: Before::new() }),
            applying: AtomicBool::new(false),
            readable: Notify::new(),
            disk_full: Arc::default(),
            lock: Mutex::new(Some(lock)),
            failed: watch::Sender::new(None),
            ended: watch::Sender::new(false),
        });
        let disk = Disk::new(Arc::clone(&rows.directory), options, Arc::clone(&shared.disk_full));
        let writer = Writer::new(Arc::clone(&shared), rows, data_file, tip, disk)?;
        let path = shared.directory.clone();
        let writer = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| StoreError::Unreadable { path, source })?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
    }
}

impl Shared {
    /// Reads on this thread if that is sure to be short; `None` if it may wait for the writer.
    fn read_inline<T>(
        &self,
        read: impl FnOnce(&View) -> Result<T, StoreError>,
    ) -> Option<Result<T, StoreError>> {
        let view = self.view.try_read().ok()?;
        // The writer raises this before it waits for readers to leave, so it cannot begin to apply
        // while `view` is held.
        if self.applying.load(Ordering::SeqCst) {
            return None;
        }
        Some(self.standing().and_then(|()| read(&view)))
    }

    /// Reads on this thread as soon as the writer lets it; `None` if it keeps being in the way.
    async fn read_soon<T>(
        &self,
        read: impl Fn(&View) -> Result<T, StoreError>,
    ) -> Option<Result<T, StoreError>> {
        for _ in 0..GROUPS_WAITED_MAX {
            let mut readable = std::pin::pin!(self.readable.notified());
            // Before trying, so that a bell between the trial and the wait is heard.
            readable.as_mut().enable();
            if let Some(answer) = self.read_inline(&read) {
                return Some(answer);
            }
            readable.await;
        }
        None
    }

    /// Reads on a thread that may wait.
    async fn read_aside<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&View) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(self);
        let work = move || {
            let view = shared.view.read().unwrap_or_else(PoisonError::into_inner);
            shared.standing().and_then(|()| read(&view))
        };
        spawn_blocking(work).await.unwrap_or_else(|panic| Err(reader_died(&self.directory, &panic)))
    }

    /// Why the engine takes no more, if so.
    fn standing(&self) -> Result<(), StoreError> {
        match self.failed.borrow().clone() {
            Some(detail) => Err(StoreError::Failed { detail }),
            None => Ok(()),
        }
    }

    /// Why the queue is closed.
    fn gone(&self) -> StoreError {
        self.standing().err().unwrap_or(StoreError::Closed)
    }

    /// Waits for the writer's last act.
    async fn writer_ended(&self) {
        // The sender lives in `self`, so the wait ends only by the value.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Before a group is applied: from here on readers see its rows as they were.
    fn hide(&self, before: Before) {
        self.applying.store(true, Ordering::SeqCst);
        self.view.write().unwrap_or_else(PoisonError::into_inner).before = before;
    }

    /// After a group is applied and before it is synced.
    fn applied(&self) {
        self.applying.store(false, Ordering::SeqCst);
        self.readable.notify_waiters();
    }

    /// After a group is on disk: from here on readers see it.
    fn show(&self) {
        self.view.write().unwrap_or_else(PoisonError::into_inner).before = Before::new();
        self.readable.notify_waiters();
    }

    fn forget_rows(&self) {
        self.view.write().unwrap_or_else(PoisonError::into_inner).rows = None;
        self.readable.notify_waiters();
    }

    fn unlock(&self) {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn fail(&self, detail: String) {
        self.failed.send_replace(Some(detail));
    }

    fn end(&self) {
        self.queue.abandon();
        // A group that failed half applied is in nobody's way any more: reads hear that it failed.
        self.applied();
        self.ended.send_replace(true);
    }
}

/// sled panics rather than answer from some kinds of damage.
fn reader_died(directory: &Path, panic: &JoinError) -> StoreError {
    StoreError::Corrupt { path: directory.to_path_buf(), detail: panic.to_string() }
}

impl Engine for SledEngine {
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Box::pin(async move {
            if keys.len() <= KEYS_INLINE_MAX
                && let Some(answer) = self.shared.read_soon(|view| view.get(keys)).await
            {
                return answer;
            }
            let keys = keys.to_vec();
            self.shared.read_aside(move |view| view.get(&keys)).await
        })
    }

    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>> {
        Box::pin(async move {
            if limit <= ROWS_INLINE_MAX
                && let Some(answer) =
                    self.shared.read_soon(|view| view.scan(range, direction, limit)).await
            {
                return answer;
            }
            let range = range.clone();
            self.shared.read_aside(move |view| view.scan(&range, direction, limit)).await
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let batch_bytes = batch.check()?;
            match self.shared.queue.push(batch, batch_bytes).await {
                Some(answered) => match answered.await {
                    Ok(verdict) => verdict,
                    // The writer drops an answer before it can say why it failed.
                    Err(_) => {
                        self.shared.writer_ended().await;
                        Err(self.shared.gone())
                    }
                },
                None => Err(self.shared.gone()),
            }
        })
    }

    fn stats(&self) -> EngineStats {
        let bytes_on_disk = directory::bytes_on_disk(&self.shared.directory);
        let disk_full = self.shared.disk_full.load(Ordering::Relaxed);
        EngineStats { engine: "sled", bytes_on_disk, disk_full }
    }

    fn failed(&self) -> watch::Receiver<Option<String>> {
        self.shared.failed.subscribe()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.shared.queue.close();
            self.shared.writer_ended().await;
            self.shared.standing()
        })
    }
}

impl Drop for SledEngine {
    /// Ends the writer and waits for it: for one group, and a flush of what sled still holds.
    /// Call [`Engine::close`] first where a thread must not wait.
    fn drop(&mut self) {
        self.shared.queue.close();
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // Its panics are caught inside and reported as a failure.
            let _ = writer.join();
        }
    }
}
