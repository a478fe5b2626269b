//! The redb engine: redb 4, with what it lacks for our use.
//!
//! - `file`: opening, and a creation that a power cut leaves whole or not begun.
//! - `pages`: a checksum of our own for each page, looked at as it is read; redb does not look at its own then.
//! - `row`: a checksum of our own in each row.
//!
//! Readers see the last commit that is on disk and never wait for the writer. No code outside this folder may call
//! redb, and no commit here may be less than immediately durable.

use std::fmt;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use ::redb::{
    Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition, WriteTransaction,
};
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::store::disk::group::Group;
use crate::store::disk::lock::DirectoryLock;
use crate::store::disk::writer::Back;
use crate::store::disk::{self, Body, Front, KEYS_INLINE_MAX, ROWS_INLINE_MAX, files};
use crate::store::moment::Moment;
use crate::store::open::OpenOptions;
use crate::store::snapshot::{Snapshot, Thread, Work};
use crate::store::{
    Batch, Direction, Engine, EngineStats, Key, Range, Reads, StoreError, Value, is_reserved,
};

mod file;
mod pages;
mod row;

#[cfg(test)]
mod redb_test;

/// The one table: every row of the store.
const ROWS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("rows");

/// The table as a transaction reads it.
type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// An engine that keeps its rows in one file of redb's.
pub struct RedbEngine {
    shared: Arc<Shared>,
    threads: disk::Threads,
}

/// What the callers and the writer share.
struct Shared {
    /// Open until the writer has released it. Only that asks for the lock's write half.
    database: RwLock<Option<Database>>,
    /// Below the database, so that the lock goes after the file.
    front: Front,
}

impl fmt::Debug for RedbEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedbEngine")
            .field("directory", &self.shared.front.directory)
            .finish_non_exhaustive()
    }
}

impl RedbEngine {
    /// Opens the data in `directory`, creating it if it is not there. That takes milliseconds, after a kill too: each
    /// commit leaves what redb must know of its file.
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
        let (place, options) = (Arc::<Path>::from(directory), options.clone());
        let open = move || Self::start(file::open(&place, options.verify)?, place, lock, &options);
        spawn_blocking(open).await.unwrap_or_else(|panic| {
            let (path, detail) = (directory.to_path_buf(), panic.to_string());
            Err(StoreError::Corrupt { path, detail })
        })
    }

    /// Gives the room that the file has kept for more back to the system. Nobody else may have the data open; the
    /// caller holds its lock.
    ///
    /// # Errors
    /// `InUse`, `Unreadable`, `Failed` or `Corrupt`.
    pub(super) async fn compact(directory: &Path) -> Result<(), StoreError> {
        let place = directory.to_path_buf();
        let compact = spawn_blocking(move || file::compact(&place)).await;
        compact.unwrap_or_else(|panic| {
            let (path, detail) = (directory.to_path_buf(), panic.to_string());
            Err(StoreError::Corrupt { path, detail })
        })
    }

    /// Reads on a thread that may wait for the disk.
    async fn look_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Look<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        aside(&self.shared, move || shared.look(read)).await
    }

    /// Starts the engine over an open file.
    fn start(
        database: Database,
        directory: Arc<Path>,
        lock: Arc<DirectoryLock>,
        options: &OpenOptions,
    ) -> Result<Self, StoreError> {
        let path = directory.to_path_buf();
        let front = Front::new(directory, lock);
        let space = front.space(options);
        let shared = Arc::new(Shared { database: RwLock::new(Some(database)), front });
        let back = Writer(Arc::clone(&shared));
        let threads = disk::start(&shared, back, space)
            .map_err(|source| StoreError::Unreadable { path, source })?;
        Ok(Self { shared, threads })
    }
}

impl Body for Shared {
    fn front(&self) -> &Front {
        &self.front
    }

    fn keep(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        std::mem::forget(database);
    }

    fn end(&self) {
        self.front.end();
    }

    /// redb writes on the thread that asks for it, and nobody sleeps.
    fn nudge(&self) {}
}

impl Shared {
    /// Reads in one transaction. redb panics rather than answer from some kinds of damage.
    fn read<T>(&self, read: impl FnOnce(&Rows) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let database = database.as_ref().ok_or(StoreError::Closed)?;
            let reading = database.begin_read().map_err(|error| self.error(error))?;
            read(&reading.open_table(ROWS).map_err(|error| self.error(error))?)
        }));
        attempt.unwrap_or_else(|panic| Err(file::panic_error(&self.front.directory, panic)))
    }

    /// The same over a snapshot.
    fn look<T>(
        &self,
        read: impl FnOnce(&Look<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.front.standing()?;
        self.read(|rows| read(&Look { shared: self, rows }))
    }

    fn value(&self, rows: &Rows, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let stored = rows.get(key).map_err(|error| self.error(error))?;
        stored.map(|stored| self.checked(key, stored.value())).transpose()
    }

    fn append(&self, stretch: &[(Key, Value)]) -> Result<(), StoreError> {
        self.front.standing()?;
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(StoreError::Closed)?;
        let _under_way = self.front.filling();
        file::written(|| append(database, stretch)).inspect_err(|error| {
            if let StoreError::Failed { detail } = error {
                // As after a commit that failed: nothing is written any more.
                self.front.fail(detail);
            }
        })
    }

    fn checked(&self, key: &[u8], stored: &[u8]) -> Result<Value, StoreError> {
        row::open(key, stored).ok_or_else(|| self.corrupt("a row fails its checksum".to_owned()))
    }

    fn corrupt(&self, detail: String) -> StoreError {
        StoreError::Corrupt { path: self.front.directory.to_path_buf(), detail }
    }

    fn error(&self, error: impl Into<::redb::Error>) -> StoreError {
        file::store_error(&self.front.directory, error)
    }
}

/// The rows as one transaction reads them.
struct Look<'s> {
    shared: &'s Shared,
    rows: &'s Rows,
}

impl Snapshot for Look<'_> {
    fn get(&self, keys: &[Key]) -> Result<Vec<Option<Value>>, StoreError> {
        let read = |key: &Key| match is_reserved(key) {
            true => Ok(None),
            false => self.shared.value(self.rows, key),
        };
        keys.iter().map(read).collect()
    }

    fn scan(
        &self,
        range: &Range,
        direction: Direction,
        limit: u32,
    ) -> Result<Vec<(Key, Value)>, StoreError> {
        let Some((start, end)) = range.visible() else {
            return Ok(Vec::new());
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let error = |error| self.shared.error(error);
        let found = self.rows.range::<&[u8]>(start..end).map_err(error)?;
        let row = |row: Result<(row::Guard, row::Guard), ::redb::StorageError>| {
            let (key, stored) = row.map_err(error)?;
            let value = self.shared.checked(key.value(), stored.value())?;
            Ok((Key::copy_from_slice(key.value()), value))
        };
        match direction {
            Direction::Forward => found.map(row).take(limit).collect(),
            Direction::Backward => found.rev().map(row).take(limit).collect(),
        }
    }
}

/// The writing thread's side.
struct Writer(Arc<Shared>);

impl Back for Writer {
    type Mark = ();

    fn read(&self, key: &[u8]) -> Result<Option<(Value, ())>, StoreError> {
        let value = self.0.read(|rows| self.0.value(rows, key))?;
        Ok(value.map(|value| (value, ())))
    }

    fn write(&mut self, group: Group<()>) -> Result<(), String> {
        let database = self.0.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or("the file is closed")?;
        write(database, group).map_err(|error| error.to_string())
    }

    fn idle(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn release(self) -> Result<(), String> {
        let database = self.0.database.write().unwrap_or_else(PoisonError::into_inner).take();
        database.map_or(Ok(()), Database::close).map_err(|error| error.to_string())
    }
}

fn begin(database: &Database) -> Result<WriteTransaction, ::redb::Error> {
    let mut writing = database.begin_write()?;
    writing.set_durability(Durability::Immediate)?;
    // Without it whoever opens the file after a kill reads all of it three times before the first answer.
    writing.set_quick_repair(true);
    Ok(writing)
}

/// Writes rows behind all others. A cursor at the end fills page after page; single inserts would leave each half
/// empty, since redb splits a page that is full in its middle.
fn append(database: &Database, stretch: &[(Key, Value)]) -> Result<(), ::redb::Error> {
    let writing = begin(database)?;
    {
        let mut rows = writing.open_table(ROWS)?;
        let mut end = rows.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
        for (key, value) in stretch {
            end.insert_before(key.as_ref(), row::seal(key, value).as_slice())?;
        }
        end.close()?;
    }
    Ok(writing.commit()?)
}

/// Writes a group in one transaction; it is on disk when this returns.
fn write(database: &Database, group: Group<()>) -> Result<(), ::redb::Error> {
    let writing = begin(database)?;
    {
        let mut rows = writing.open_table(ROWS)?;
        for change in group.into_changes() {
            let key = change.key.as_ref();
            match change.now {
                Some(value) => rows.insert(key, row::seal(key, &value).as_slice())?,
                None => rows.remove(key)?,
            };
        }
    }
    Ok(writing.commit()?)
}

impl Reads for RedbEngine {
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Box::pin(async move {
            if keys.len() <= KEYS_INLINE_MAX {
                return self.shared.look(|rows| rows.get(keys));
            }
            let keys = keys.to_vec();
            self.look_aside(move |rows| rows.get(&keys)).await
        })
    }

    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>> {
        Box::pin(async move {
            if limit <= ROWS_INLINE_MAX {
                return self.shared.look(|rows| rows.scan(range, direction, limit));
            }
            let range = range.clone();
            self.look_aside(move |rows| rows.scan(&range, direction, limit)).await
        })
    }
}

impl Engine for RedbEngine {
    fn with_snapshot(&self, work: Work) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let thread = work.thread;
            let run = |rows: &Look<'_>| {
                work.run(rows);
                Ok(())
            };
            match thread {
                Thread::Same => self.shared.look(run),
                Thread::Other => self.look_aside(run).await,
            }
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.shared.front.commit(batch))
    }

    fn append(&self, rows: Vec<(Key, Value)>) -> BoxFuture<'_, Result<(), StoreError>> {
        let shared = Arc::clone(&self.shared);
        let append = aside(&self.shared, move || shared.append(&rows));
        Box::pin(async move { self.shared.front.unless_ended(append).await? })
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, StoreError>> {
        Box::pin(self.shared.front.moment())
    }

    fn stats(&self) -> EngineStats {
        self.shared.front.stats("redb")
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

/// Works on a thread that may wait for the disk.
async fn aside<T: Send + 'static>(
    shared: &Shared,
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let read = spawn_blocking(read).await;
    read.unwrap_or_else(|panic| Err(shared.corrupt(panic.to_string())))
}

impl Drop for RedbEngine {
    /// Ends the writer and waits for it: for one group, and the closing of the file.
    fn drop(&mut self) {
        self.threads.end(&self.shared.front);
    }
}
