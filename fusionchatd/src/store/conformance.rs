//! The suite every engine must pass; [`suite`](super::suite) lists them. No case may know which engine it runs on.

use std::sync::Arc;

use futures::FutureExt as _;
use tokio::task::JoinSet;

use crate::store::suite::{Ground, every_engine};
use crate::store::{
    Batch, Direction, Engine, Key, Range, Reads, StoreError, VALUE_BYTES_MAX, Value,
    snapshot::{self, Thread},
};

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

async fn an_absent_row_reads_as_none(ground: Ground) {
    let engine = ground.open().await;
    assert_eq!(engine.get(&[]).await.unwrap(), []);
    assert_eq!(engine.get(&[key("a"), key("")]).await.unwrap(), [None, None]);
    assert_eq!(engine.scan(&Range::prefix(b""), Direction::Forward, 9).await.unwrap(), []);
}

async fn a_batch_is_read_back_in_the_order_asked(ground: Ground) {
    let engine = ground.open().await;
    engine.commit(put(&[("a", "1"), ("b", ""), ("c", "3")])).await.unwrap();
    let rows = engine.get(&[key("c"), key("x"), key("a"), key("b"), key("c")]).await.unwrap();
    assert_eq!(rows, [Some(key("3")), None, Some(key("1")), Some(key("")), Some(key("3"))]);
    engine.commit(put(&[("a", "2")])).await.unwrap();
    assert_eq!(read(&*engine, "a").await, Some(key("2")));
}

async fn an_unmet_expectation_writes_nothing(ground: Ground) {
    let engine = ground.open().await;
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

async fn a_met_expectation_writes_everything(ground: Ground) {
    let engine = ground.open().await;
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

async fn the_last_word_on_a_key_wins(ground: Ground) {
    let engine = ground.open().await;
    engine.commit(put(&[("a", "1"), ("a", "2")])).await.unwrap();
    assert_eq!(read(&*engine, "a").await, Some(key("2")));
    engine.commit(Batch { delete: vec![key("a")], ..put(&[("a", "3")]) }).await.unwrap();
    assert_eq!(read(&*engine, "a").await, None);
}

async fn an_empty_batch_is_no_error(ground: Ground) {
    let engine = ground.open().await;
    engine.commit(Batch::default()).await.unwrap();
    let expect = |value| Batch { expect: vec![(key("a"), value)], ..Batch::default() };
    engine.commit(expect(None)).await.unwrap();
    let refused = engine.commit(expect(Some(key("1")))).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
}

async fn a_scan_keeps_to_its_range_direction_and_limit(ground: Ground) {
    use Direction::{Backward, Forward};
    let engine = ground.open().await;
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

/// Reads a range page by page, as callers do: the next page begins after the last key.
async fn pages(engine: &dyn Engine, whole: &Range, direction: Direction, limit: u32) -> Vec<Key> {
    let (mut range, mut keys) = (whole.clone(), Vec::new());
    loop {
        let rows = engine.scan(&range, direction, limit).await.unwrap();
        assert!(rows.len() <= limit as usize);
        let Some((last, _)) = rows.last() else { return keys };
        match direction {
            Direction::Forward => range.start = [last.as_ref(), &[0]].concat().into(),
            Direction::Backward => range.end = last.clone(),
        }
        keys.extend(rows.into_iter().map(|row| row.0));
    }
}

async fn pages_from_either_end_meet_every_row_once(ground: Ground) {
    const ROWS: usize = 700;
    let engine = ground.open().await;
    let mut names: Vec<Key> = (0..ROWS).map(|row| key(format!("row {row:04}"))).collect();
    // Neighbours that only a careless bound would meet or miss.
    names.extend([key("row 0100\0"), key("row 0100\0\0"), key("row 0099\u{7f}")]);
    names.sort_unstable();
    let around = [key("rov\u{7f}"), key("rox")];
    let put = names.iter().chain(&around).map(|name| (name.clone(), value(200, name.len())));
    engine.commit(Batch { put: put.collect(), ..Batch::default() }).await.unwrap();
    let range = Range::prefix(b"row ");
    for limit in [1, 37, 200, u32::MAX] {
        assert!(pages(&*engine, &range, Direction::Forward, limit).await == names, "{limit}");
        let mut backward = pages(&*engine, &range, Direction::Backward, limit).await;
        backward.reverse();
        assert!(backward == names, "{limit} backward");
    }
}

async fn keys_of_odd_bytes_keep_their_order(ground: Ground) {
    let engine = ground.open().await;
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

async fn limits_are_refused_before_anything_is_written(ground: Ground) {
    let engine = ground.open().await;
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

async fn large_values_come_back_whole(ground: Ground) {
    let engine = ground.open().await;
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

async fn a_large_value_changes_size_and_goes(ground: Ground) {
    let engine = ground.open().await;
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

async fn an_expectation_of_a_large_value_is_held_to_its_last_byte(ground: Ground) {
    let engine = ground.open().await;
    let whole = value(VALUE_BYTES_MAX, 3);
    engine
        .commit(Batch { put: vec![(key("row"), whole.clone())], ..Batch::default() })
        .await
        .unwrap();
    let mut other = whole.to_vec();
    *other.last_mut().unwrap() ^= 1;
    for wrong in [Value::from(other), whole.slice(..VALUE_BYTES_MAX - 1), key("")] {
        let batch = Batch { expect: vec![(key("row"), Some(wrong))], ..put(&[("new", "1")]) };
        let refused = engine.commit(batch).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
    let batch = Batch { expect: vec![(key("row"), Some(whole))], ..put(&[("new", "1")]) };
    engine.commit(batch).await.unwrap();
    assert_eq!(read(&*engine, "new").await, Some(key("1")));
}

async fn racing_writers_lose_no_update(ground: Ground) {
    const WRITERS: u64 = 32;
    const ROUNDS: u64 = 5;
    let engine = ground.open().await;
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

async fn a_conflict_spoils_no_neighbour(ground: Ground) {
    let engine = ground.open().await;
    engine.commit(put(&[("there", "1")])).await.unwrap();
    // Sent together, so that an engine which groups commits has good and bad ones in one group.
    let batches = (0..60).map(|number| Batch {
        expect: vec![(key("there"), (number % 3 != 0).then(|| key("1")))],
        ..put(&[(&format!("row {number:02}"), "1")])
    });
    let answers = futures::future::join_all(batches.map(|batch| engine.commit(batch))).await;
    for (number, answer) in answers.into_iter().enumerate() {
        let row = read(&*engine, &format!("row {number:02}")).await;
        match answer {
            Ok(()) => assert!(number % 3 != 0 && row.is_some(), "{number}: {row:?}"),
            Err(StoreError::Conflict) => assert!(number % 3 == 0 && row.is_none(), "{number}"),
            Err(other) => panic!("{other}"),
        }
    }
}

async fn readers_see_a_batch_whole_or_not_at_all(ground: Ground) {
    const ROWS: usize = 24;
    const ROUNDS: usize = 40;
    let engine = ground.open().await;
    let batch = |round: usize| Batch {
        put: (0..ROWS)
            .map(|row| {
                let bytes = if row == 7 { 40_000 } else { 100 };
                (key(format!("row {row:02}")), value(bytes, round))
            })
            .collect(),
        ..Batch::default()
    };
    engine.commit(batch(0)).await.unwrap();
    let mut readers = JoinSet::new();
    for reader in 0..5 {
        let engine = Arc::clone(&engine);
        readers.spawn(async move {
            let keys: Vec<Key> = (0..ROWS).map(|row| key(format!("row {row:02}"))).collect();
            let last = value(100, ROUNDS);
            loop {
                let values: Vec<Value> = match reader {
                    0 => engine.get(&keys).await.unwrap().into_iter().map(Option::unwrap).collect(),
                    1 | 2 => {
                        let direction = [Direction::Forward, Direction::Backward][reader - 1];
                        let rows = engine.scan(&Range::prefix(b"row "), direction, 99).await;
                        rows.unwrap().into_iter().map(|row| row.1).collect()
                    }
                    _ => {
                        let keys = keys.clone();
                        let look = move |reads: &dyn Reads| {
                            let half = Range { start: key("row "), end: keys[ROWS / 2].clone() };
                            let rows = reads.scan(&half, Direction::Forward, 99);
                            let rows = rows.now_or_never().unwrap().unwrap();
                            let rest = reads.get(&keys[ROWS / 2..]).now_or_never().unwrap();
                            let rest = rest.unwrap().into_iter().map(Option::unwrap);
                            rows.into_iter().map(|row| row.1).chain(rest).collect()
                        };
                        let on = [Thread::Same, Thread::Other][reader - 3];
                        snapshot::of(engine.as_ref(), on, look).await.unwrap()
                    }
                };
                assert_eq!(values.len(), ROWS);
                let head = &values[0];
                assert!(values.iter().all(|it| it[..100] == head[..]), "two batches in one read");
                if *head == last {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for round in 1..=ROUNDS {
        engine.commit(batch(round)).await.unwrap();
    }
    while let Some(reader) = readers.join_next().await {
        reader.unwrap();
    }
}

async fn a_reopened_engine_holds_what_it_held(ground: Ground) {
    let mut expected = Vec::new();
    for round in 0..3 {
        let engine = ground.open().await;
        let large = (key(format!("large {round}")), value(VALUE_BYTES_MAX, round));
        let small = (key(format!("small {round}")), value(10, round));
        let gone = key(format!("gone {round}"));
        let put = vec![large.clone(), small.clone(), (gone.clone(), key("x"))];
        engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
        engine.commit(Batch { delete: vec![gone], ..Batch::default() }).await.unwrap();
        expected.extend([large, small]);
        engine.close().await.unwrap();
    }
    expected.sort_unstable();
    let engine = ground.open().await;
    let rows = engine.scan(&Range::prefix(b""), Direction::Forward, u32::MAX).await.unwrap();
    assert!(rows == expected);
}

async fn a_closed_engine_says_so(ground: Ground) {
    let engine = ground.open().await;
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

/// Makes one test of each case for an engine.
macro_rules! cases {
    ($engine:ident, [$($case:ident),+ $(,)?]) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let ground = super::Ground::new(stringify!($engine));
                    super::$case(ground).await;
                }
            )+
        }
    };
}

/// Every case, for one engine.
macro_rules! conforms {
    ($engine:ident) => {
        cases!(
            $engine,
            [
                an_absent_row_reads_as_none,
                a_batch_is_read_back_in_the_order_asked,
                an_unmet_expectation_writes_nothing,
                a_met_expectation_writes_everything,
                the_last_word_on_a_key_wins,
                an_empty_batch_is_no_error,
                a_scan_keeps_to_its_range_direction_and_limit,
                pages_from_either_end_meet_every_row_once,
                keys_of_odd_bytes_keep_their_order,
                limits_are_refused_before_anything_is_written,
                large_values_come_back_whole,
                a_large_value_changes_size_and_goes,
                an_expectation_of_a_large_value_is_held_to_its_last_byte,
                racing_writers_lose_no_update,
                a_conflict_spoils_no_neighbour,
                readers_see_a_batch_whole_or_not_at_all,
                a_reopened_engine_holds_what_it_held,
                a_closed_engine_says_so,
            ]
        );
    };
}

every_engine!(conforms);
