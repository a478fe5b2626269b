//! The memory engine: a map under a lock. Nothing of it survives the process, so it must never be
//! chosen for data anyone wants back. Tests give it faults to answer with.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::store::moment::{Before, Frontier, Moment};
use crate::store::snapshot::{Snapshot, Work};
use crate::store::{
    Batch, Direction, Engine, EngineStats, Key, Range, Reads, StoreError, Value, is_reserved,
};

/// What a test wants to happen to one commit.
#[derive(Debug, Default)]
pub enum Fault {
    /// Nothing: the batch is judged and written as usual.
    #[default]
    None,
    /// The commit fails before anything is written.
    Before(StoreError),
    /// The batch is judged and written, and then the answer is lost behind this error.
    After(StoreError),
}

/// Decides the fault of each commit, in the order they arrive. A `StoreError::Failed` it returns
/// is sticky, as on disk.
pub type FaultHook = Arc<dyn Fn(&Batch) -> Fault + Send + Sync>;

/// An engine that keeps its rows in memory.
pub struct MemoryEngine {
    state: Mutex<State>,
    failed: watch::Sender<Option<String>>,
    frontier: Arc<Frontier>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<Key, Value>,
    faults: Option<FaultHook>,
    closed: bool,
}

impl fmt::Debug for MemoryEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemoryEngine")
            .field("rows", &self.lock().rows.len())
            .finish_non_exhaustive()
    }
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryEngine {
    /// An engine without a row.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Mutex::default(), failed: watch::Sender::new(None), frontier: Arc::default() }
    }

    /// An engine with the rows this one holds now, open and without faults: what a restarted
    /// process would find.
    #[must_use]
    pub fn restarted(&self) -> Self {
        let restarted = Self::new();
        restarted.lock().rows = self.lock().rows.clone();
        restarted
    }

    /// Lets `hook` decide over every commit from now on; `None` ends the faults.
    pub fn set_faults(&self, hook: Option<FaultHook>) {
        self.lock().faults = hook;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Rows change only after every check has passed, so a panicked holder left them whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if let Some(detail) = self.failed.borrow().clone() {
            return Err(StoreError::Failed { detail });
        }
        let state = self.lock();
        if state.closed { Err(StoreError::Closed) } else { Ok(state) }
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let hook = self.open_state()?.faults.clone();
        let fault = hook.map_or(Fault::None, |hook| hook(&batch));
        match fault {
            Fault::None => self.open_state()?.apply(batch, &self.frontier),
            Fault::Before(error) => Err(self.note(error)),
            Fault::After(error) => {
                self.open_state()?.apply(batch, &self.frontier)?;
                Err(self.note(error))
            }
        }
    }

    fn note(&self, error: StoreError) -> StoreError {
        if let StoreError::Failed { detail } = &error {
            self.failed.send_replace(Some(detail.clone()));
        }
        error
    }
}

impl State {
    fn apply(&mut self, batch: Batch, frontier: &Frontier) -> Result<(), StoreError> {
        let holds = |(key, value): &(Key, Option<Value>)| self.rows.get(key) == value.as_ref();
        if !batch.expect.iter().all(holds) {
            return Err(StoreError::Conflict);
        }
        frontier.writing(|| self.before(&batch));
        // A key or value may be a slice of some larger buffer, which a map would keep alive whole.
        for (key, value) in batch.put {
            self.rows.insert(Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value));
        }
        for key in &batch.delete {
            self.rows.remove(key);
        }
        frontier.written();
        Ok(())
    }

    fn before(&self, batch: &Batch) -> Before {
        let keys = batch.put.iter().map(|(key, _)| key).chain(&batch.delete);
        keys.map(|key| (key.clone(), self.rows.get(key).cloned())).collect()
    }
}

impl Snapshot for State {
    fn get(&self, keys: &[Key]) -> Result<Vec<Option<Value>>, StoreError> {
        let row = |key: &Key| self.rows.get(key).filter(|_| !is_reserved(key)).cloned();
        Ok(keys.iter().map(row).collect())
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
        let bounds = (Bound::Included(start), Bound::Excluded(end));
        let rows =
            self.rows.range::<[u8], _>(bounds).map(|(key, value)| (key.clone(), value.clone()));
        Ok(match direction {
            Direction::Forward => rows.take(limit).collect(),
            Direction::Backward => rows.rev().take(limit).collect(),
        })
    }
}

impl Reads for MemoryEngine {
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Box::pin(async move { Snapshot::get(&*self.open_state()?, keys) })
    }

    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>> {
        Box::pin(async move { Snapshot::scan(&*self.open_state()?, range, direction, limit) })
    }
}

impl Engine for MemoryEngine {
    fn with_snapshot(&self, work: Work) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            work.run(&*self.open_state()?);
            Ok(())
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.write(batch) })
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, StoreError>> {
        Box::pin(async move {
            drop(self.open_state()?);
            self.frontier.begin().await
        })
    }

    fn stats(&self) -> EngineStats {
        EngineStats { engine: "memory", bytes_on_disk: 0, disk_full: false }
    }

    fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.lock().closed = true;
            self.frontier.end();
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{Fault, MemoryEngine};
    use crate::store::conformance::{key, put, read};
    use crate::store::{Engine, StoreError};

    #[tokio::test]
    async fn faults_strike_before_or_after_the_write() {
        let engine = MemoryEngine::new();
        let count = AtomicU32::new(0);
        engine.set_faults(Some(Arc::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => Fault::Before(StoreError::Conflict),
            1 => Fault::After(StoreError::DiskFull { free: 0, need: 1 }),
            2 => Fault::None,
            _ => Fault::After(StoreError::Failed { detail: "power".to_owned() }),
        })));
        let answer = engine.commit(put(&[("a", "1")])).await;
        assert!(matches!(answer, Err(StoreError::Conflict)), "{answer:?}");
        assert_eq!(read(&engine, "a").await, None);
        let answer = engine.commit(put(&[("b", "1")])).await;
        assert!(matches!(answer, Err(StoreError::DiskFull { .. })), "{answer:?}");
        assert_eq!(read(&engine, "b").await, Some(key("1")));
        engine.commit(put(&[("c", "1")])).await.unwrap();

        for name in ["d", "e"] {
            let answer = engine.commit(put(&[(name, "1")])).await;
            assert!(matches!(answer, Err(StoreError::Failed { .. })), "{answer:?}");
        }
        assert_eq!(engine.failed().borrow().as_deref(), Some("power"));
        let restarted = engine.restarted();
        assert_eq!(read(&restarted, "d").await, Some(key("1")), "written before it failed");
        assert_eq!(read(&restarted, "e").await, None, "refused after it failed");
    }
}
