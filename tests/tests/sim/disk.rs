//! The store under the simulated service: the memory engine behind faults that follow from the seed, and the bugs that
//! are planted to see them caught. It notes every batch that reached the rows, whether or not anybody was told.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, pending};
use tokio::sync::watch;

use fusionchatd::domain::id::OrganizationId;
use fusionchatd::store::memory::MemoryEngine;
use fusionchatd::store::moment::Moment;
use fusionchatd::store::record::{Did, Done, Head, Number, Record as _};
use fusionchatd::store::snapshot::Work;
use fusionchatd::store::table::{self, Table};
use fusionchatd::store::{
    Batch, Direction, Engine, EngineStats, Key, Range, Reads, StoreError, Value,
};

use super::chance::Chance;

/// A bug as somebody might write it. Planted here or in the simulated assistant, never in the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// What a client id did is kept, and not looked at again.
    IdempotencySkipped,
    /// A conversation that leaves a list stays in it.
    QueueRowLeft,
    /// A commit is acknowledged before it would survive a crash.
    AckBeforeCommit,
    /// The assistant acts in whatever turn it is by then.
    TurnUnchecked,
    /// A worker's cursor is saved before its work is done.
    CursorTooEarly,
    /// What a client id did is not kept where it posted nothing, so that a repeat finds it done in any case.
    DoneUnkept,
    /// A note has its entry and no row.
    NoteDropped,
}

/// How many of the last commits a crash takes back where they were acknowledged too early.
const UNSYNCED_MAX: usize = 3;
/// How many times in ten thousand commits or reads each fault strikes.
const CONFLICT: u64 = 250;
const DISK_FULL: u64 = 80;
const FAILS_BEFORE: u64 = 12;
const FAILS_AFTER: u64 = 12;
const CRASHES_BEFORE: u64 = 15;
const CRASHES_AFTER: u64 = 25;
const READ_FAILS: u64 = 4;

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Struck {
    pub(crate) conflicts: u64,
    pub(crate) crashes: u64,
    pub(crate) lost_acks: u64,
    pub(crate) errors: u64,
}

tokio::task_local! {
    /// The chance of a reader's task. A watch channel wakes its readers in no fixed order: if all drew from one stream,
    /// the same seed would not make the same run.
    pub(crate) static OWN: Mutex<Chance>;
}

/// What outlives a process.
#[derive(Debug)]
pub(crate) struct Fate {
    pub(crate) chance: Chance,
    /// Whether faults strike.
    pub(crate) faults: bool,
    /// The next commit of a group meets a conflict.
    pub(crate) force_conflict: bool,
    pub(crate) bug: Option<Bug>,
    /// Batches that are in the rows and have not been looked at yet.
    pub(crate) applied: Vec<Batch>,
    pub(crate) struck: Struck,
    /// Whether an error was answered since this was last looked at.
    pub(crate) erred: bool,
    /// The process is dead.
    pub(crate) dead: bool,
    undo: VecDeque<Vec<(Key, Option<Value>)>>,
}

/// What becomes of a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lot {
    Kept,
    Conflict,
    DiskFull,
    FailsBefore,
    FailsAfter,
    CrashesBefore,
    CrashesAfter,
}

impl Fate {
    pub(crate) fn new(chance: Chance, bug: Option<Bug>) -> Self {
        Self {
            chance,
            faults: false,
            force_conflict: false,
            bug,
            applied: Vec::new(),
            struck: Struck::default(),
            erred: false,
            dead: false,
            undo: VecDeque::new(),
        }
    }

    fn draw(&mut self, batch: &Batch) -> Lot {
        let group = batch.expect.first().is_some_and(|(key, _)| is_of(key, Table::Head));
        if group && std::mem::take(&mut self.force_conflict) {
            return Lot::Conflict;
        }
        if !self.faults {
            return Lot::Kept;
        }
        let mut left = self.chance.below(10_000);
        let lots = [
            (if group { CONFLICT } else { 0 }, Lot::Conflict),
            (DISK_FULL, Lot::DiskFull),
            (FAILS_BEFORE, Lot::FailsBefore),
            (FAILS_AFTER, Lot::FailsAfter),
            (CRASHES_BEFORE, Lot::CrashesBefore),
            (CRASHES_AFTER, Lot::CrashesAfter),
        ];
        for (weight, lot) in lots {
            if left < weight {
                return lot;
            }
            left -= weight;
        }
        Lot::Kept
    }
}

/// Whether a key is of a table.
pub(crate) fn is_of(key: &[u8], table: Table) -> bool {
    key.first() == Some(&(table as u8))
}

/// Whether this row keeps what a command did that left no entry which says all of it.
fn is_spelled_out(key: &Key, value: &Value) -> bool {
    is_of(key, Table::Done)
        && Done::decode(key, value).is_ok_and(|it| matches!(it.did, Did::These(_)))
}

/// The store of one process.
pub(crate) struct Disk {
    rows: MemoryEngine,
    fate: Arc<Mutex<Fate>>,
    failed: watch::Sender<Option<String>>,
}

impl Disk {
    pub(crate) fn new(rows: MemoryEngine, fate: &Arc<Mutex<Fate>>) -> Self {
        Self { rows, fate: Arc::clone(fate), failed: watch::Sender::new(None) }
    }

    pub(crate) fn fate(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a process that is started now finds.
    pub(crate) fn after_crash(&self) -> MemoryEngine {
        let rows = self.rows.restarted();
        let mut fate = self.fate();
        while let Some(before) = fate.undo.pop_back() {
            let mut batch = Batch::default();
            for (key, value) in before {
                match value {
                    Some(value) => batch.put.push((key, value)),
                    None => batch.delete.push(key),
                }
            }
            let _ = rows.commit(batch).now_or_never();
        }
        rows
    }

    /// A row as it is, without faults.
    pub(crate) fn row(&self, key: &Key) -> Option<Value> {
        let found = self.rows.get(std::slice::from_ref(key)).now_or_never()?;
        found.ok()?.pop().flatten()
    }

    /// Every row, without faults.
    pub(crate) fn all(&self) -> Vec<(Key, Value)> {
        let everything = Range::prefix(&[]);
        let found = self.rows.scan(&everything, Direction::Forward, u32::MAX).now_or_never();
        found.and_then(Result::ok).unwrap_or_default()
    }

    fn open(&self) -> Result<(), StoreError> {
        match self.failed.borrow().clone() {
            Some(detail) => Err(StoreError::Failed { detail }),
            None => Ok(()),
        }
    }

    /// Draws from the reader's own chance, or else from that of all.
    fn draw<T>(&self, draw: impl Fn(&mut Chance) -> T) -> T {
        let own = OWN.try_with(|own| draw(&mut own.lock().unwrap_or_else(PoisonError::into_inner)));
        own.unwrap_or_else(|_| draw(&mut self.fate().chance))
    }

    async fn linger(&self, slow: bool) {
        let (yields, ms) = self.draw(|chance| {
            let yields = if chance.one_in(5) { 1 + chance.below(3) } else { 0 };
            let slow = slow && chance.one_in(10);
            (yields, if slow { 1 + chance.below(40) } else { 0 })
        });
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }

    fn read_fails(&self) -> Result<(), StoreError> {
        self.open()?;
        if !self.fate().faults || !self.draw(|chance| chance.in_10_000(READ_FAILS)) {
            return Ok(());
        }
        let mut fate = self.fate();
        fate.erred = true;
        fate.struck.errors += 1;
        let source = io::Error::other("a read went wrong");
        Err(StoreError::Unreadable { path: PathBuf::from("rows"), source })
    }

    fn fail(&self) -> StoreError {
        let detail = "a write went wrong".to_owned();
        self.failed.send_replace(Some(detail.clone()));
        let mut fate = self.fate();
        fate.struck.errors += 1;
        fate.erred = true;
        fate.dead = true;
        StoreError::Failed { detail }
    }

    /// The process dies in the middle: whoever waits here waits for ever.
    async fn die(&self) -> StoreError {
        self.fate().dead = true;
        pending().await
    }

    async fn write(&self, batch: Batch) -> Result<(), StoreError> {
        self.linger(true).await;
        self.open()?;
        let lot = self.fate().draw(&batch);
        match lot {
            Lot::Conflict => {
                self.fate().struck.conflicts += 1;
                return Err(StoreError::Conflict);
            }
            Lot::DiskFull => {
                self.fate().struck.errors += 1;
                self.fate().erred = true;
                return Err(StoreError::DiskFull { free: 0, need: 1 });
            }
            Lot::FailsBefore => return Err(self.fail()),
            Lot::CrashesBefore => return Err(self.die().await),
            Lot::Kept | Lot::FailsAfter | Lot::CrashesAfter => {}
        }
        self.apply(batch).await?;
        match lot {
            Lot::FailsAfter => {
                self.fate().struck.lost_acks += 1;
                Err(self.fail())
            }
            Lot::CrashesAfter => {
                self.fate().struck.lost_acks += 1;
                Err(self.die().await)
            }
            Lot::Kept | Lot::Conflict | Lot::DiskFull | Lot::FailsBefore | Lot::CrashesBefore => {
                self.linger(true).await;
                Ok(())
            }
        }
    }

    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let bug = self.fate().bug;
        let batch = match bug {
            Some(bug) => self.spoilt(bug, batch),
            None => batch,
        };
        let before = (bug == Some(Bug::AckBeforeCommit)).then(|| self.before(&batch));
        let written = self.rows.commit(batch.clone()).await;
        let mut fate = self.fate();
        match &written {
            Ok(()) => {
                fate.applied.push(batch);
                fate.undo.extend(before);
                while fate.undo.len() > UNSYNCED_MAX {
                    fate.undo.pop_front();
                }
            }
            Err(_) => fate.struck.conflicts += 1,
        }
        written
    }

    fn before(&self, batch: &Batch) -> Vec<(Key, Option<Value>)> {
        let keys = batch.put.iter().map(|(key, _)| key).chain(&batch.delete);
        keys.map(|key| (key.clone(), self.row(key))).collect()
    }

    /// The batch as the bug would write it.
    fn spoilt(&self, bug: Bug, mut batch: Batch) -> Batch {
        match bug {
            // It is expected not to be there, which a repeat would meet.
            Bug::IdempotencySkipped => batch.expect.retain(|(key, _)| !is_of(key, Table::Done)),
            Bug::QueueRowLeft => batch.delete.retain(|key| !is_of(key, Table::ConversationStatus)),
            Bug::CursorTooEarly => {
                for (key, value) in &mut batch.put {
                    if is_of(key, Table::WorkerCursor) {
                        *value = self.head_of(key).unwrap_or_else(|| value.clone());
                    }
                }
            }
            Bug::DoneUnkept => batch.put.retain(|(key, value)| !is_spelled_out(key, value)),
            Bug::NoteDropped => batch.put.retain(|(key, _)| !is_of(key, Table::Note)),
            Bug::AckBeforeCommit | Bug::TurnUnchecked => {}
        }
        batch
    }

    /// The end of the journal whose worker's cursor this is, as a cursor.
    fn head_of(&self, key: &Key) -> Option<Bytes> {
        let organization = OrganizationId(uuid::Uuid::from_slice(key.get(1..17)?).ok()?);
        let key = table::head(organization);
        let head = Head::decode(&key, &self.row(&key)?).ok()?;
        Some(Number(head.position).encode())
    }
}

impl Reads for Disk {
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Box::pin(async move {
            self.linger(false).await;
            self.read_fails()?;
            let mut found = self.rows.get(keys).await?;
            if self.fate().bug == Some(Bug::IdempotencySkipped) {
                let of_ids = keys.iter().zip(&mut found).filter(|(key, _)| is_of(key, Table::Done));
                of_ids.for_each(|(_, value)| *value = None);
            }
            Ok(found)
        })
    }

    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>> {
        Box::pin(async move {
            self.linger(false).await;
            self.read_fails()?;
            self.rows.scan(range, direction, limit).await
        })
    }
}

impl Engine for Disk {
    fn with_snapshot(&self, work: Work) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.linger(false).await;
            self.read_fails()?;
            self.rows.with_snapshot(work).await
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(batch))
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, StoreError>> {
        self.rows.moment()
    }

    fn stats(&self) -> EngineStats {
        self.rows.stats()
    }

    fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.rows.close()
    }
}
