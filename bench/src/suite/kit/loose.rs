//! An engine over another that acknowledges before anything is on disk: a store is made quickly with it. What it hands
//! on are the rows that were asked of it, in that order, in far larger batches. Nothing that is measured runs over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use fusionchatd::store::moment::Moment;
use fusionchatd::store::snapshot::Work;
use fusionchatd::store::{
    Batch, Direction, Engine, EngineStats, Key, Range, Reads, StoreError, Value,
};
use futures::future::BoxFuture;
use tokio::sync::{Mutex, watch};

/// How much waits before it is written.
const PENDING_BYTES: usize = 3 * 1024 * 1024;

/// The engine.
pub(in crate::suite) struct Loose {
    engine: Arc<dyn Engine>,
    pending: Mutex<Pending>,
}

/// What has not been handed on: the last word on each row.
#[derive(Default)]
struct Pending {
    rows: BTreeMap<Key, Option<Value>>,
    bytes: usize,
}

impl Loose {
    /// Over an engine.
    pub(in crate::suite) fn over(engine: Arc<dyn Engine>) -> Self {
        Self { engine, pending: Mutex::default() }
    }

    /// Hands on everything; it is on disk when this returns.
    pub(in crate::suite) async fn flush(&self) -> Result<(), StoreError> {
        let mut pending = self.pending.lock().await;
        self.hand_on(&mut pending).await
    }

    async fn hand_on(&self, pending: &mut Pending) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (key, value) in std::mem::take(pending).rows {
            match value {
                Some(value) => batch.put.push((key, value)),
                None => batch.delete.push(key),
            }
        }
        self.engine.commit(batch).await
    }

    async fn value(&self, pending: &Pending, key: &Key) -> Result<Option<Value>, StoreError> {
        if let Some(value) = pending.rows.get(key) {
            return Ok(value.clone());
        }
        Ok(self.engine.get(std::slice::from_ref(key)).await?.pop().flatten())
    }

    async fn write(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let mut pending = self.pending.lock().await;
        for (key, expected) in &batch.expect {
            if self.value(&pending, key).await? != *expected {
                return Err(StoreError::Conflict);
            }
        }
        let puts = batch.put.into_iter().map(|(key, value)| (key, Some(value)));
        for (key, value) in puts.chain(batch.delete.into_iter().map(|key| (key, None))) {
            pending.bytes += key.len() + value.as_ref().map_or(0, Value::len);
            pending.rows.insert(key, value);
        }
        if pending.bytes >= PENDING_BYTES {
            self.hand_on(&mut pending).await?;
        }
        Ok(())
    }
}

impl Reads for Loose {
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Box::pin(async move {
            let pending = self.pending.lock().await;
            let mut values = Vec::with_capacity(keys.len());
            for key in keys {
                values.push(self.value(&pending, key).await?);
            }
            Ok(values)
        })
    }

    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>> {
        Box::pin(async move {
            let pending = self.pending.lock().await;
            let own = || pending.rows.range(range.start.clone()..range.end.clone());
            let hidden = u32::try_from(own().count()).unwrap_or(u32::MAX);
            let wanted = limit.saturating_add(hidden);
            let found = self.engine.scan(range, direction, wanted).await?;
            let mut merged: BTreeMap<Key, Value> = found.into_iter().collect();
            for (key, value) in own() {
                match value {
                    Some(value) => merged.insert(key.clone(), value.clone()),
                    None => merged.remove(key),
                };
            }
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            Ok(match direction {
                Direction::Forward => merged.into_iter().take(limit).collect(),
                Direction::Backward => merged.into_iter().rev().take(limit).collect(),
            })
        })
    }
}

impl Engine for Loose {
    fn with_snapshot(&self, work: Work) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.flush().await?;
            self.engine.with_snapshot(work).await
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(batch))
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, StoreError>> {
        Box::pin(async move {
            self.flush().await?;
            self.engine.moment().await
        })
    }

    fn stats(&self) -> EngineStats {
        self.engine.stats()
    }

    fn failed(&self) -> watch::Receiver<Option<String>> {
        self.engine.failed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.flush().await?;
            self.engine.close().await
        })
    }
}

#[cfg(test)]
mod tests {
    use fusionchatd::store::memory::MemoryEngine;

    use super::*;

    fn batch(expect: Option<&'static str>, put: &[&'static str], delete: &[&'static str]) -> Batch {
        let row = |key: &&'static str| (Key::from(*key), Value::from(*key));
        Batch {
            expect: expect.map(|key| (key.into(), None)).into_iter().collect(),
            put: put.iter().map(row).collect(),
            delete: delete.iter().map(|key| Key::from(*key)).collect(),
        }
    }

    #[tokio::test]
    async fn what_waits_is_read_and_comes_to_the_engine_as_it_was_asked() {
        let below: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
        below.commit(batch(None, &["a", "c"], &[])).await.unwrap();
        let loose = Loose::over(Arc::clone(&below));
        loose.commit(batch(Some("b"), &["b", "d"], &["c"])).await.unwrap();
        let refused = loose.commit(batch(Some("b"), &["e"], &[])).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        let all = Range::prefix(b"");
        let keys = |rows: Vec<(Key, Value)>| rows.into_iter().map(|(key, _)| key).collect();
        let read: Vec<Key> = keys(loose.scan(&all, Direction::Backward, 2).await.unwrap());
        assert_eq!(read, ["d", "b"]);
        assert_eq!(loose.get(&["c".into()]).await.unwrap(), [None]);
        assert_eq!(below.get(&["c".into()]).await.unwrap(), [Some("c".into())], "not yet");
        loose.flush().await.unwrap();
        let read: Vec<Key> = keys(below.scan(&all, Direction::Forward, 9).await.unwrap());
        assert_eq!(read, ["a", "b", "d"]);
    }
}
