//! The sled engine: sled 0.34, used only in the ways that survived every rebuilt disk image.
//!
//! - `directory`: opening, and mending what a crash may have left; `tip`: how far the log must
//!   reach.
//! - `writer`: a group of commits as one batch of sled's, synced.
//! - `rows`, `value`: values in the tree, large ones split over several rows.
//! - `append`: many rows of a new store.
//! - `view`: what readers see, which is only what is on disk.
//!
//! No code outside this folder may call sled, and nothing here may acknowledge before the sync.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;

use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;

use crate::store::disk::files::panic_text;
use crate::store::disk::lock::DirectoryLock;
use crate::store::disk::{self, Body, Front, KEYS_INLINE_MAX, ROWS_INLINE_MAX, files};
use crate::store::moment::Moment;
use crate::store::open::OpenOptions;
use crate::store::snapshot::{Snapshot as _, Thread, Work};
use crate::store::{Batch, Direction, Engine, EngineStats, Key, Range, Reads, StoreError, Value};

mod append;
mod directory;
mod rows;
mod tip;
mod value;
mod view;
mod writer;

#[cfg(test)]
mod sled_test;
#[cfg(test)]
mod view_test;

use directory::Opened;
use rows::Rows;
use value::INLINE_BYTES_MAX;
use view::{Before, View};
use writer::Writer;

// Short reads run where they are asked for. While a group is being applied sled makes readers wait
// for milliseconds: until then the task waits, and no thread.
/// How many groups a short read waits for before it moves to a thread that may wait.
const GROUPS_WAITED_MAX: u32 = 8;

/// An engine that keeps its rows in a directory.
pub struct SledEngine {
    shared: Arc<Shared>,
    threads: disk::Threads,
}

/// What the callers and the writer share.
struct Shared {
    view: RwLock<View>,
    /// The tree once more, until the engine is closed: for what must not wait for the view.
    held: Mutex<Option<Rows>>,
    /// Below the view, so that the lock goes after the tree.
    front: Front,
    /// While sled applies a batch, its readers wait.
    applying: AtomicBool,
    /// Rung whenever a short read that could not be done may be possible.
    readable: Notify,
}

impl fmt::Debug for SledEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SledEngine")
            .field("directory", &self.shared.front.directory)
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
        let lock = files::claim(directory)?;
        Self::open_locked(directory, lock, options).await
    }

    /// The same, under a lock that is held already.
    pub(super) async fn open_locked(
        directory: &Path,
        lock: Arc<DirectoryLock>,
        options: &OpenOptions,
    ) -> Result<Self, StoreError> {
        let (directory, options) = (directory.to_path_buf(), options.clone());
        let place = directory.clone();
        spawn_blocking(move || Self::start(directory::open(&directory)?, lock, &options))
            .await
            .unwrap_or_else(|panic| Err(damaged(&place, panic.to_string())))
    }

    /// Starts the engine over an open directory.
    fn start(
        opened: Opened,
        lock: Arc<DirectoryLock>,
        options: &OpenOptions,
    ) -> Result<Self, StoreError> {
        let Opened { rows, data_file, tip, generation } = opened;
        let front = Front::new(Arc::clone(&rows.directory), lock);
        let space = front.space(options);
        let shared = Arc::new(Shared {
            view: RwLock::new(View { rows: Some(rows.clone()), before: Before::new() }),
            held: Mutex::new(Some(rows.clone())),
            front,
            applying: AtomicBool::new(false),
            readable: Notify::new(),
        });
        let writer = Writer::new(Arc::clone(&shared), rows, data_file, tip, generation);
        let path = shared.front.directory.to_path_buf();
        let threads = disk::start(&shared, writer, space)
            .map_err(|source| StoreError::Unreadable { path, source })?;
        Ok(Self { shared, threads })
    }
}

impl Shared {
    /// Reads on this thread, which should be short; `None` if it may wait for the writer.
    fn read_inline<T>(
        &self,
        read: impl FnOnce(&View) -> Result<T, StoreError>,
    ) -> Option<Result<T, StoreError>> {
        // Asked first: whoever holds the view may stand still.
        if let Err(failed) = self.front.standing() {
            return Some(Err(failed));
        }
        let view = self.view.try_read().ok()?;
        // The writer raises this before it waits for readers to leave, so it cannot begin to apply
        // while `view` is held.
        if self.applying.load(Ordering::SeqCst) {
            return None;
        }
        if let Err(failed) = self.front.standing() {
            return Some(Err(failed));
        }
        let attempt = catch_unwind(AssertUnwindSafe(|| read(&view)));
        let died = |detail| Err(damaged(&self.front.directory, detail));
        Some(attempt.unwrap_or_else(|panic| died(panic_text(panic.as_ref()))))
    }

    /// Reads on this thread as soon as the writer lets it; `None` if it keeps being in the way.
    async fn read_soon<T>(
        &self,
        mut read: impl FnMut(&View) -> Result<T, StoreError>,
    ) -> Option<Result<T, StoreError>> {
        for _ in 0..GROUPS_WAITED_MAX {
            let mut readable = std::pin::pin!(self.readable.notified());
            // Before trying, so that a bell between the trial and the wait is heard.
            readable.as_mut().enable();
            if let Some(answer) = self.read_inline(&mut read) {
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
            shared.front.standing()?;
            let view = shared.view.read().unwrap_or_else(PoisonError::into_inner);
            shared.front.standing().and_then(|()| read(&view))
        };
        spawn_blocking(work)
            .await
            .unwrap_or_else(|panic| Err(damaged(&self.front.directory, panic.to_string())))
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
        self.take_held();
        self.view.write().unwrap_or_else(PoisonError::into_inner).rows = None;
        self.readable.notify_waiters();
    }

    fn take_held(&self) -> Option<Rows> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Body for Shared {
    fn front(&self) -> &Front {
        &self.front
    }

    /// Letting go of the tree would make sled write and sync once more, and panic where that fails too.
    fn keep(&self) {
        std::mem::forget(self.take_held());
    }

    fn end(&self) {
        // A group that failed half applied is in nobody's way any more: reads hear that it failed.
        self.applied();
        self.front.end();
    }

    /// Whoever asks for a flush and finds that a write has failed wakes all who sleep. One that finds nothing sleeps
    /// too, so it has a thread of its own.
    fn nudge(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(rows) = held else { return };
        let flush = thread::Builder::new().name("store-nudge".to_owned()).spawn(move || {
            // The writer hears what comes of it.
            let _ = rows.flush();
        });
        if let Err(error) = flush {
            tracing::warn!(%error, "no thread to wake the store's writer");
        }
    }
}

/// sled panics rather than answer from some kinds of damage.
fn damaged(directory: &Path, detail: String) -> StoreError {
    StoreError::Corrupt { path: directory.to_path_buf(), detail }
}

impl Reads for SledEngine {
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
}

impl Engine for SledEngine {
    fn with_snapshot(&self, work: Work) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let (thread, mut work) = (work.thread, Some(work));
            let mut run = move |view: &View| {
                view.check_open()?;
                if let Some(work) = work.take() {
                    work.run(view);
                }
                Ok(())
            };
            if thread == Thread::Same
                && let Some(answer) = self.shared.read_soon(&mut run).await
            {
                return answer;
            }
            self.shared.read_aside(run).await
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.shared.front.commit(batch))
    }

    fn append(&self, rows: Vec<(Key, Value)>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let is_large = |(_, value): &(Key, Value)| value.len() > INLINE_BYTES_MAX;
            let (large, small): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_large);
            let shared = Arc::clone(&self.shared);
            let append = self.shared.read_aside(move |view| {
                let _under_way = shared.front.filling();
                view.append(&small)
            });
            self.shared.front.unless_ended(append).await??;
            // The writer alone numbers the chunks of a value that is split.
            for row in large {
                self.commit(Batch { put: vec![row], ..Batch::default() }).await?;
            }
            Ok(())
        })
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, StoreError>> {
        Box::pin(self.shared.front.moment())
    }

    fn stats(&self) -> EngineStats {
        self.shared.front.stats("sled")
    }

    fn disk_full(&self) -> bool {
        self.shared.front.disk_full()
    }

    fn failed(&self) -> watch::Receiver<Option<String>> {
        self.shared.front.failed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.shared.front.close())
    }
}

impl Drop for SledEngine {
    /// Ends the writer and waits for it: for one group, and a flush of what sled still holds.
    /// Call [`Engine::close`] first where a thread must not wait.
    fn drop(&mut self) {
        self.threads.end(&self.shared.front);
    }
}
