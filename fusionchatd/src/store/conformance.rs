//! The suite every engine must pass. An engine joins by one line in the list at the end; no case
//! may know which engine it runs on.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::store::memory::MemoryEngine;
use crate::store::open::OpenOptions;
use crate::store::sled::SledEngine;
use crate::store::{Batch, Direction, Engine, Key, Range, StoreError, VALUE_BYTES_MAX, Value};

/// An engine without rows, and the directory that must outlive it.
pub(crate) struct Ground {
    pub(crate) engine: Arc<dyn Engine>,
    _directory: Option<TempDir>,
}

pub(crate) fn key(text: impl AsRef<[u8]>) -> Key {
    Key::copy_from_slice(text.as_ref())
}

/// A value that differs from byte to byte, so that a swapped or cut chunk shows.
pub(crate) fn value(bytes: usize, seed: usize) -> Value {
    (0..bytes).map(|index| u8::try_from((index / 7 + index + seed) % 251).unwrap()).collect()
}

pub(crate) fn put(rows: &[(&str, &str)]) -> Batch {
    let put = rows.iter().map(|(name, text)| (key(name), key(text))).collect();
    Batch { put, ..Batch::default() }
}

pub(crate) async fn read(engine: &dyn Engine, name: &str) -> Option<Value> {
    engine.get(&[key(name)]).await.unwrap().remove(0)
}

/// The keys of a scan from one end, as text.
async fn names(engine: &dyn Engine, range: &Range, direction: Direction, limit: u32) -> String {
    let rows = engine.scan(range, direction, limit).await.unwrap();
    let names: Vec<_> =
        rows.iter().map(|row| String::from_utf8_lossy(&row.0).into_owned()).collect();
    names.join(" ")
}

async fn an_absent_row_reads_as_none(engine: Arc<dyn Engine>) {
    assert_eq!(engine.get(&[]).await.unwrap(), []);
    assert_eq!(engine.get(&[key("a"), key("")]).await.unwrap(), [None, None]);
    assert_eq!(engine.scan(&Range::prefix(b""), Direction::Forward, 9).await.unwrap(), []);
}

async fn a_batch_is_read_back_in_the_order_asked(engine: Arc<dyn Engine>) {
    engine.commit(put(&[("a", "1"), ("b", ""), ("c", "3")])).await.unwrap();
    let rows = engine.get(&[key("c"), key("x"), key("a"), key("b"), key("c")]).await.unwrap();
    assert_eq!(rows, [Some(key("3")), None, Some(key("1")), Some(key("")), Some(key("3"))]);
    engine.commit(put(&[("a", "2")])).await.unwrap();
    assert_eq!(read(&*engine, "a").await, Some(key("2")));
}

async fn an_unmet_expectation_writes_nothing(engine: Arc<dyn Engine>) {
    engine.commit(put(&[("there", "1"), ("kept", "1")])).await.unwrap();
    let unmet = [
        vec![(key("there"), None)],
        vec![(key("there"), Some(key("2")))],
        vec![(key("there"), Some(key("")))],
        vec![(key("absent"), Some(key("1")))],
        vec![(key("there"), Some(key("1"))), (key("absent"), Some(key("")))],
    ];
    for expect in unmet {
        let batch = Batch {
            expect: expect.clone(),
            put: vec![(key("there"), key("new")), (key("new"), key("new"))],
            delete: vec![key("kept")],
        };
        let refused = engine.commit(batch).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{expect:?}: {refused:?}");
        assert_eq!(names(&*engine, &Range::prefix(b""), Direction::Forward, 9).await, "kept there");
        assert_eq!(read(&*engine, "there").await, Some(key("1")));
    }
}

async fn a_met_expectation_writes_everything(engine: Arc<dyn Engine>) {
    engine.commit(put(&[("there", "1"), ("old", "1")])).await.unwrap();
    let batch = Batch {
        expect: vec![(key("there"), Some(key("1"))), (key("absent"), None)],
        put: vec![(key("there"), key("2")), (key("absent"), key("3"))],
        delete: vec![key("old"), key("never")],
    };
    engine.commit(batch).await.unwrap();
    assert_eq!(names(&*engine, &Range::prefix(b""), Direction::Forward, 9).await, "absent there");
    assert_eq!(read(&*engine, "there").await, Some(key("2")));
}

async fn the_last_word_on_a_key_wins(engine: Arc<dyn Engine>) {
    engine.commit(put(&[("a", "1"), ("a", "2")])).await.unwrap();
    assert_eq!(read(&*engine, "a").await, Some(key("2")));
    engine.commit(Batch { delete: vec![key("a")], ..put(&[("a", "3")]) }).await.unwrap();
    assert_eq!(read(&*engine, "a").await, None);
}

async fn an_empty_batch_is_no_error(engine: Arc<dyn Engine>) {
    engine.commit(Batch::default()).await.unwrap();
    let expect = |value| Batch { expect: vec![(key("a"), value)], ..Batch::default() };
    engine.commit(expect(None)).await.unwrap();
    let refused = engine.commit(expect(Some(key("1")))).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
}

async fn a_scan_keeps_to_its_range_direction_and_limit(engine: Arc<dyn Engine>) {
    use Direction::{Backward, Forward};
    engine
        .commit(put(&[("a", "1"), ("b1", "2"), ("b2", "3"), ("b3", "4"), ("c", "5")]))
        .await
        .unwrap();
    let all = Range::prefix(b"");
    let engine = &*engine;
    assert_eq!(names(engine, &all, Forward, 99).await, "a b1 b2 b3 c");
    assert_eq!(names(engine, &all, Backward, 99).await, "c b3 b2 b1 a");
    assert_eq!(names(engine, &all, Forward, 2).await, "a b1");
    assert_eq!(names(engine, &all, Backward, 2).await, "c b3");
    assert_eq!(names(engine, &all, Forward, 0).await, "");
    assert_eq!(names(engine, &all, Forward, u32::MAX).await, "a b1 b2 b3 c");
    assert_eq!(names(engine, &Range::prefix(b"b"), Forward, 99).await, "b1 b2 b3");
    assert_eq!(names(engine, &Range::prefix(b"b"), Backward, 1).await, "b3");
    let range = |start: &str, end: &str| Range { start: key(start), end: key(end) };
    assert_eq!(names(engine, &range("b1", "b3"), Forward, 99).await, "b1 b2");
    assert_eq!(names(engine, &range("b1", "b3"), Backward, 99).await, "b2 b1");
    assert_eq!(names(engine, &range("b10", "b30"), Forward, 99).await, "b2 b3");
    assert_eq!(names(engine, &range("b2", "b2"), Forward, 99).await, "");
    assert_eq!(names(engine, &range("c", "a"), Backward, 99).await, "");
    assert_eq!(names(engine, &range("d", "e"), Forward, 99).await, "");
}

async fn keys_of_odd_bytes_keep_their_order(engine: Arc<dyn Engine>) {
    let mut keys: Vec<Key> = [
        &[0][..],
        &[0, 0],
        &[0, 0, 0, 1],
        &[0, 255],
        &[0, 255, 0],
        &[0, 255, 255],
        &[1],
        b"a",
        b"a\n",
        "ü".as_bytes(),
        &[0xC3, 0x28],
        &[0xFE],
        &[0xFE, 0xFF, 0xFF],
        &[7; 1024],
    ]
    .into_iter()
    .map(Key::copy_from_slice)
    .collect();
    let put = keys.iter().rev().map(|name| (name.clone(), name.clone())).collect();
    engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
    keys.sort_unstable();
    let rows = engine.scan(&Range::prefix(b""), Direction::Forward, 99).await.unwrap();
    assert_eq!(rows, keys.iter().map(|name| (name.clone(), name.clone())).collect::<Vec<_>>());
    let rows = engine.scan(&Range::prefix(&[0, 255]), Direction::Backward, 99).await.unwrap();
    let found: Vec<&[u8]> = rows.iter().map(|row| row.0.as_ref()).collect();
    assert_eq!(found, [&[0, 255, 255][..], &[0, 255, 0], &[0, 255]]);
}

async fn limits_are_refused_before_anything_is_written(engine: Arc<dyn Engine>) {
    let with = |name: Key, content: Value| Batch {
        put: vec![(key("fine"), key("1")), (name, content)],
        ..Batch::default()
    };
    let refused = engine.commit(with(key(""), key("x"))).await;
    assert!(matches!(refused, Err(StoreError::KeyReserved)), "{refused:?}");
    let refused = engine.commit(with(key([255, 1]), key("x"))).await;
    assert!(matches!(refused, Err(StoreError::KeyReserved)), "{refused:?}");
    let refused = engine.commit(with(key([1; 1025]), key("x"))).await;
    assert!(matches!(refused, Err(StoreError::KeyTooLarge { .. })), "{refused:?}");
    let refused = engine.commit(with(key("big"), value(VALUE_BYTES_MAX + 1, 0))).await;
    assert!(matches!(refused, Err(StoreError::ValueTooLarge { .. })), "{refused:?}");
    assert_eq!(read(&*engine, "fine").await, None);
}

async fn large_values_come_back_whole(engine: Arc<dyn Engine>) {
    let sizes = [0, 1, 16_383, 16_384, 16_385, 32_768, 100_000, VALUE_BYTES_MAX];
    for (seed, bytes) in sizes.into_iter().enumerate() {
        let name = key(format!("row {seed}"));
        let put = vec![(name, value(bytes, seed))];
        engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
    }
    let rows = engine.scan(&Range::prefix(b""), Direction::Forward, 99).await.unwrap();
    assert_eq!(rows.len(), sizes.len(), "a scan shows the rows and nothing of their parts");
    let keys: Vec<Key> = rows.iter().map(|row| row.0.clone()).collect();
    let values = engine.get(&keys).await.unwrap();
    for (seed, bytes) in sizes.into_iter().enumerate() {
        assert!(rows[seed].1 == value(bytes, seed), "scan of {bytes} bytes");
        assert!(values[seed].as_ref() == Some(&rows[seed].1), "get of {bytes} bytes");
    }
    let reserved = engine.scan(&Range::prefix(&[255]), Direction::Backward, 99).await.unwrap();
    assert_eq!(reserved, []);
}

async fn a_large_value_changes_size_and_goes(engine: Arc<dyn Engine>) {
    let mut current = None;
    for (seed, bytes) in [40_000, 100_000, 20_000, 5, 70_000].into_iter().enumerate() {
        let next = value(bytes, seed);
        let batch = Batch {
            expect: vec![(key("row"), current)],
            put: vec![(key("row"), next.clone())],
            delete: Vec::new(),
        };
        engine.commit(batch).await.unwrap();
        assert!(read(&*engine, "row").await.as_ref() == Some(&next), "{bytes} bytes");
        current = Some(next);
    }
    engine.commit(Batch { delete: vec![key("row")], ..Batch::default() }).await.unwrap();
    assert_eq!(read(&*engine, "row").await, None);
    assert_eq!(engine.scan(&Range::prefix(b""), Direction::Forward, 9).await.unwrap(), []);
}

async fn racing_writers_lose_no_update(engine: Arc<dyn Engine>) {
    const WRITERS: u64 = 8;
    const ROUNDS: u64 = 20;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let engine = Arc::clone(&engine);
        writers.spawn(async move {
            for round in 0..ROUNDS {
                count_up(&*engine, &format!("row {writer} {round}")).await;
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    let total = read(&*engine, "counter").await.unwrap();
    assert_eq!(total, (WRITERS * ROUNDS).to_be_bytes().as_slice());
    let rows = engine.scan(&Range::prefix(b"row "), Direction::Forward, 999).await.unwrap();
    let mut counts: Vec<_> = rows.into_iter().map(|row| row.1).collect();
    counts.sort_unstable();
    let expected: Vec<_> = (1..=WRITERS * ROUNDS).map(|count| key(count.to_be_bytes())).collect();
    assert_eq!(counts, expected, "every count was written once, with its row");
}

/// Counts the counter up, and writes the new count under `name`, however often that conflicts.
async fn count_up(engine: &dyn Engine, name: &str) {
    loop {
        let current = read(engine, "counter").await;
        let count = current
            .as_ref()
            .map_or(0, |count| u64::from_be_bytes(<[u8; 8]>::try_from(count.as_ref()).unwrap()));
        let next = key((count + 1).to_be_bytes());
        let batch = Batch {
            expect: vec![(key("counter"), current)],
            put: vec![(key("counter"), next.clone()), (key(name), next)],
            delete: Vec::new(),
        };
        match engine.commit(batch).await {
            Ok(()) => return,
            Err(StoreError::Conflict) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

async fn a_closed_engine_says_so(engine: Arc<dyn Engine>) {
    engine.commit(put(&[("a", "1")])).await.unwrap();
    engine.close().await.unwrap();
    engine.close().await.unwrap();
    let refused = engine.get(&[key("a")]).await;
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    for limit in [1, 1000] {
        let refused = engine.scan(&Range::prefix(b""), Direction::Forward, limit).await;
        assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    }
    let refused = engine.commit(put(&[("a", "2")])).await;
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    assert_eq!(*engine.failed().borrow(), None);
}

async fn memory() -> Ground {
    Ground { engine: Arc::new(MemoryEngine::new()), _directory: None }
}

async fn sled() -> Ground {
    let directory = tempfile::tempdir().unwrap();
    let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
    let engine = SledEngine::open(&directory.path().join("data"), &options).await.unwrap();
    Ground { engine: Arc::new(engine), _directory: Some(directory) }
}

/// Makes one test of each case for an engine.
macro_rules! cases {
    ($engine:ident, [$($case:ident),+ $(,)?]) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let ground = super::$engine().await;
                    super::$case(std::sync::Arc::clone(&ground.engine)).await;
                }
            )+
        }
    };
}

/// Runs every case on every engine listed.
macro_rules! suite {
    ($($engine:ident),+) => {
        $(cases!($engine, [
            an_absent_row_reads_as_none,
            a_batch_is_read_back_in_the_order_asked,
            an_unmet_expectation_writes_nothing,
            a_met_expectation_writes_everything,
            the_last_word_on_a_key_wins,
            an_empty_batch_is_no_error,
            a_scan_keeps_to_its_range_direction_and_limit,
            keys_of_odd_bytes_keep_their_order,
            limits_are_refused_before_anything_is_written,
            large_values_come_back_whole,
            a_large_value_changes_size_and_goes,
            racing_writers_lose_no_update,
            a_closed_engine_says_so,
        ]);)+
    };
}

suite!(memory, sled);
