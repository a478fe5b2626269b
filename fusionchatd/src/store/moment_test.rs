//! What a reading of one moment gives, for every engine: the rows of that moment, whatever is written meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::{Just, ProptestConfig, Strategy, proptest};
use proptest::prop_oneof;
use proptest::sample::select;
use tokio::task::JoinSet;

use crate::store::conformance::{key, put, value};
use crate::store::memory::MemoryEngine;
use crate::store::moment::{Frontier, KEPT_BYTES_MAX, Moment, PAGE_ROWS};
use crate::store::suite::{Ground, every_engine};
use crate::store::{Batch, Engine, Key, StoreError, VALUE_BYTES_MAX, Value};

type Model = BTreeMap<Key, Value>;

/// The keys there can be: several pages of them.
const KEYS: u16 = 900;

#[derive(Clone, Debug)]
enum Step {
    Commit(Batch),
    /// Writes rows, or deletes those without a value, that lie so near the last one that was read.
    Border(Vec<(Tail, Option<Value>)>),
    /// Writes more new rows there than are read at once.
    Crowd,
    Page,
}

/// What makes another key of a key: the first and the last ones that can follow it.
type Tail = &'static [u8];
const TAILS: [Tail; 4] = [&[], &[0], &[0, 0], &[0xFF]];

fn with(key: &[u8], tail: Tail) -> Key {
    [key, tail].concat().into()
}

fn keys() -> impl Strategy<Value = Key> {
    let tails = prop_oneof![3 => Just(TAILS[0]), 1 => select(&TAILS[1..])];
    (0..KEYS, tails).prop_map(|(number, tail)| with(&number.to_be_bytes(), tail))
}

fn values() -> impl Strategy<Value = Value> {
    let bytes = prop_oneof![30 => 0..40_usize, 1 => Just(16_384), 1 => Just(50_000)];
    (bytes, 0..99_usize).prop_map(|(bytes, seed)| value(bytes, seed))
}

fn batches() -> impl Strategy<Value = Batch> {
    (vec((keys(), values()), 0..40), vec(keys(), 0..20)).prop_map(|(put, delete)| Batch {
        put,
        delete,
        ..Batch::default()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let border = vec((select(&TAILS[..]), of(values())), 1..4);
    let step = prop_oneof![
        2 => batches().prop_map(Step::Commit),
        1 => border.prop_map(Step::Border),
        1 => Just(Step::Crowd),
        1 => Just(Step::Page),
    ];
    vec(step, 0..25)
}

async fn commit(engine: &dyn Engine, model: &mut Model, batch: Batch) {
    engine.commit(batch.clone()).await.unwrap();
    model.extend(batch.put);
    batch.delete.iter().for_each(|key| drop(model.remove(key)));
}

/// The last row that was read.
fn last(rows: &[(Key, Value)]) -> Key {
    rows.last().map_or(Key::from_static(&[0]), |(key, _)| key.clone())
}

/// The batch that writes these rows at the border.
fn batch_at(border: &Key, near: Vec<(Tail, Option<Value>)>) -> Batch {
    let mut batch = Batch::default();
    for (tail, value) in near {
        match (with(border, tail), value) {
            (key, Some(value)) => batch.put.push((key, value)),
            (key, None) => batch.delete.push(key),
        }
    }
    batch
}

/// The batch that writes a page and more of rows there, none of which anybody else writes.
fn crowd_at(border: &Key) -> Batch {
    let row = |number: u32| [border.as_ref(), &[1], &number.to_be_bytes()].concat().into();
    let put = (0..PAGE_ROWS + 9).map(|number| (row(number), value(9, 9))).collect();
    Batch { put, ..Batch::default() }
}

/// The rest of a reading.
async fn read_on(engine: &dyn Engine, moment: &mut Moment, rows: &mut Vec<(Key, Value)>) {
    loop {
        let page = moment.next(engine).await.unwrap();
        if page.is_empty() {
            return;
        }
        rows.extend(page);
    }
}

async fn is_of_its_moment(filled: Vec<Batch>, steps: Vec<Step>, ground: &Ground) {
    let (engine, mut model) = (ground.open().await, Model::new());
    for batch in filled {
        commit(&*engine, &mut model, batch).await;
    }
    let (mut moment, mut rows) = (engine.moment().await.unwrap(), Vec::new());
    let then: Vec<(Key, Value)> = model.clone().into_iter().collect();
    for step in steps {
        match step {
            Step::Commit(batch) => commit(&*engine, &mut model, batch).await,
            Step::Border(near) => commit(&*engine, &mut model, batch_at(&last(&rows), near)).await,
            Step::Crowd => commit(&*engine, &mut model, crowd_at(&last(&rows))).await,
            Step::Page => rows.extend(moment.next(&*engine).await.unwrap()),
        }
    }
    read_on(&*engine, &mut moment, &mut rows).await;
    assert!(rows == then, "{} rows read of {}", rows.len(), then.len());
    drop(moment);

    let (mut moment, mut rows) = (engine.moment().await.unwrap(), Vec::new());
    read_on(&*engine, &mut moment, &mut rows).await;
    assert!(rows.into_iter().eq(model), "the next one is of the next moment");
}

/// Three rows far apart always hold the same number, written by two tasks at full speed; the number in each reading is
/// at least the one that was acknowledged before it began.
async fn has_each_batch_whole(ground: &Ground) {
    let engine = ground.open().await;
    for number in 0..KEYS {
        engine.commit(put(&[(&format!("m {number:04}"), "filler")])).await.unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for name in ['x', 'y'] {
        let (engine, stop) = (Arc::clone(&engine), Arc::clone(&stop));
        writers.spawn(async move {
            let mut number = 0_u64;
            while !stop.load(Ordering::SeqCst) {
                number += 1;
                // Once in a while one that is split over several rows.
                let bytes = if number.is_multiple_of(16) { 40_000 } else { 8 };
                let mut row = number.to_be_bytes().to_vec();
                row.resize(bytes, 7);
                let keys = ["a", "m 0450+", "z"].map(|place| key(format!("{place} {name}")));
                let put = keys.map(|key| (key, Value::from(row.clone()))).to_vec();
                engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
            }
            number
        });
    }
    let mut last = 0;
    for _ in 0..30 {
        let (mut moment, mut rows) = (engine.moment().await.unwrap(), Vec::new());
        read_on(&*engine, &mut moment, &mut rows).await;
        let rows: Model = rows.into_iter().collect();
        assert_eq!(rows.keys().filter(|key| key.starts_with(b"m 0")).count() / 100, 9);
        for name in ['x', 'y'] {
            let at = |place: &str| rows.get(&key(format!("{place} {name}")));
            assert!(at("a") == at("m 0450+") && at("a") == at("z"), "a batch was torn");
        }
        let number = rows
            .get(&key("a x"))
            .map_or(0, |row| u64::from_be_bytes(*row.first_chunk::<8>().unwrap()));
        assert!(number >= last, "{number} after {last}");
        last = number;
    }
    stop.store(true, Ordering::SeqCst);
    assert!(writers.join_all().await.into_iter().all(|written| written > 0));
}

async fn ends_by_itself_past_its_bound(ground: &Ground) {
    let engine = ground.open().await;
    let large = |seed| value(VALUE_BYTES_MAX, seed);
    let count = KEPT_BYTES_MAX / VALUE_BYTES_MAX + 1;
    let write = async |seed: usize| {
        for number in 0..count {
            let put = vec![(key(format!("row {number:04}")), large(number + seed))];
            engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
        }
    };
    write(0).await;
    let mut moment = engine.moment().await.unwrap();
    let taken = engine.moment().await.err();
    assert!(matches!(taken, Some(StoreError::MomentTaken)), "{taken:?}");
    write(1000).await;
    let ended = moment.next(&*engine).await.err();
    assert!(matches!(ended, Some(StoreError::MomentOverrun { max: KEPT_BYTES_MAX })), "{ended:?}");
    drop(moment);
    // It is over for that one only.
    let mut moment = engine.moment().await.unwrap();
    let page = moment.next(&*engine).await.unwrap();
    assert!(page[0].1 == large(1000), "not what was committed");
    engine.close().await.unwrap();
    let late = engine.moment().await.err();
    assert!(matches!(late, Some(StoreError::MomentTaken | StoreError::Closed)), "{late:?}");
    drop(moment);
    let late = engine.moment().await.err();
    assert!(matches!(late, Some(StoreError::Closed)), "{late:?}");
}

/// What has been taken of the rows handed over makes room for others: in all there are more than are kept.
#[tokio::test]
async fn a_reading_that_takes_what_is_kept_goes_on_past_the_bound() {
    let name = |number: usize| key(format!("row {number:04}"));
    let (engine, page) = (MemoryEngine::new(), PAGE_ROWS as usize);
    let put = (0..page * 3).map(|number| (name(number), value(1, 1))).collect();
    engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
    let (frontier, large) = (Arc::new(Frontier::default()), value(VALUE_BYTES_MAX, 1));
    let count = KEPT_BYTES_MAX / VALUE_BYTES_MAX / 2 + 1;
    let mut moment = frontier.begin().await.unwrap();
    for first in [0, page, page * 2] {
        let before = (first..first + count).map(|number| (name(number), Some(large.clone())));
        frontier.writing(|| before.collect());
        frontier.written();
        let rows = moment.next(&engine).await.unwrap();
        assert_eq!(rows.iter().filter(|(_, value)| *value == large).count(), count);
        assert_eq!(rows.len(), page);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

macro_rules! one_moment {
    ($engine:ident) => {
        mod $engine {
            use super::*;

            fn ground() -> Ground {
                Ground::new(stringify!($engine))
            }

            proptest! {
                #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

                #[test]
                fn a_reading_is_of_its_moment(filled in vec(batches(), 0..40), steps in steps()) {
                    runtime().block_on(is_of_its_moment(filled, steps, &ground()));
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_reading_has_each_batch_whole() {
                has_each_batch_whole(&ground()).await;
            }

            #[tokio::test]
            async fn a_reading_ends_by_itself_past_its_bound() {
                ends_by_itself_past_its_bound(&ground()).await;
            }
        }
    };
}

every_engine!(one_moment);
