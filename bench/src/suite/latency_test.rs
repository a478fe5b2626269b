//! What is due waits for nothing that was due before.

use fusionchatd::store::memory::MemoryEngine;
use fusionchatd::store::moment::Moment;
use fusionchatd::store::snapshot::Work;
use fusionchatd::store::{Direction, EngineStats, Key, Range, Reads, StoreError, Value};
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::{Barrier, watch};

use super::super::kit::reference::echo;
use super::*;

/// An engine that commits nothing until a second commit is under way.
struct Pairs {
    engine: MemoryEngine,
    both: Barrier,
}

impl Reads for Pairs {
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        self.engine.get(keys)
    }

    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>> {
        self.engine.scan(range, direction, limit)
    }
}

impl Engine for Pairs {
    fn with_snapshot(&self, work: Work) -> BoxFuture<'_, Result<(), StoreError>> {
        self.engine.with_snapshot(work)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.both.wait().await;
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

#[tokio::test]
async fn a_bare_commit_waits_for_no_other() {
    let engine = Arc::new(Pairs { engine: MemoryEngine::new(), both: Barrier::new(2) });
    let row = |number: u8| Batch {
        put: vec![(Key::from(vec![number]), Value::from(vec![number]))],
        ..Batch::default()
    };
    let mut bare = Bare {
        engine,
        batches: (0..4).map(row).collect(),
        directory: tempfile::tempdir().unwrap(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (times, all) = (Times::default(), Times::default());
    tokio::select! {
        ended = echo(listener) => panic!("the echo ended: {ended:?}"),
        ran = bare.run(&address, [&times, &all]) => ran.unwrap(),
    }
    assert_eq!((times.spread().count, all.spread().count), (4, 4));
    let keys: Vec<Key> = (0..4_u8).map(|number| Key::from(vec![number])).collect();
    assert!(bare.engine.get(&keys).await.unwrap().iter().all(Option::is_some));
}

#[tokio::test]
async fn turns_are_dealt_in_order_though_none_has_been_taken() {
    let mut pace = Pace::start(Duration::from_micros(10), 5);
    let mut number = 0;
    let mut due_next = |_| {
        number += 1;
        Ok(number)
    };
    let (turns, mut receivers) = in_turn(&mut pace, 2, &mut due_next);
    turns.await.unwrap();
    let mut dealt = Vec::new();
    for receiver in &mut receivers {
        while let Some(number) = receiver.recv().await {
            dealt.push(number);
        }
    }
    assert_eq!(dealt, [1, 3, 5, 2, 4]);
}
