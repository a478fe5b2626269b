//! Every engine against a plain map: any run of batches, reads and reopens must look the same.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, proptest};
use proptest::{prop_oneof, sample};

use crate::store::conformance::value;
use crate::store::suite::{Ground, every_engine};
use crate::store::{Batch, Direction, Engine, Key, Range, StoreError, VALUE_BYTES_MAX, Value};

type Model = BTreeMap<Key, Value>;

#[derive(Clone, Debug)]
enum Step {
    Commit { expect: Vec<(Key, Expect)>, put: Vec<(Key, Value)>, delete: Vec<Key> },
    Together(Vec<Key>),
    Scan { range: Range, direction: Direction, limit: u32 },
    Reopen,
}

#[derive(Clone, Copy, Debug)]
enum Expect {
    Current,
    Absent,
    Other,
}

fn keys() -> impl Strategy<Value = Key> {
    let bytes = sample::select(vec![0u8, 1, b'a', 0xFE, 0xFF]);
    vec(bytes, 1..4).prop_map(|mut bytes| {
        bytes[0] = bytes[0].min(0xFE);
        Key::from(bytes)
    })
}

fn values() -> impl Strategy<Value = Value> {
    let bytes = prop_oneof![
        6 => 0..200_usize,
        1 => Just(16_383),
        1 => Just(16_384),
        1 => Just(50_000),
        1 => Just(VALUE_BYTES_MAX),
    ];
    (bytes, 0..99_usize).prop_map(|(bytes, seed)| value(bytes, seed))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let expect = prop_oneof![8 => Just(Expect::Current), 1 => Just(Expect::Absent), 1 => Just(Expect::Other)];
    let commit = (vec((keys(), expect), 0..3), vec((keys(), values()), 0..5), vec(keys(), 0..3))
        .prop_map(|(expect, put, delete)| Step::Commit { expect, put, delete });
    let direction = sample::select(vec![Direction::Forward, Direction::Backward]);
    let scan = (keys(), keys(), direction, 0..40_u32).prop_map(|(start, end, direction, limit)| {
        Step::Scan { range: Range { start, end }, direction, limit }
    });
    let step = prop_oneof![
        6 => commit,
        1 => vec(keys(), 2..9).prop_map(Step::Together),
        4 => scan,
        1 => Just(Step::Reopen),
    ];
    vec(step, 1..25)
}

/// Judges and applies a batch as the trait promises.
fn apply(model: &mut Model, batch: &Batch) -> bool {
    let met = batch.expect.iter().all(|(key, value)| model.get(key) == value.as_ref());
    if met {
        model.extend(batch.put.iter().cloned());
        model.retain(|key, _| !batch.delete.contains(key));
    }
    met
}

fn batch_of(
    model: &Model,
    expect: Vec<(Key, Expect)>,
    put: Vec<(Key, Value)>,
    delete: Vec<Key>,
) -> Batch {
    let expect = expect.into_iter().map(|(key, expect)| {
        let value = match expect {
            Expect::Current => model.get(&key).cloned(),
            Expect::Absent => None,
            Expect::Other => Some(Value::from_static(b"never written")),
        };
        (key, value)
    });
    Batch { expect: expect.collect(), put, delete }
}

fn scan_model(model: &Model, range: &Range, direction: Direction, limit: u32) -> Vec<(Key, Value)> {
    let inside = |(key, _): &(&Key, &Value)| **key >= range.start && **key < range.end;
    let rows = model.iter().filter(inside).map(|(key, value)| (key.clone(), value.clone()));
    let limit = limit as usize;
    match direction {
        Direction::Forward => rows.take(limit).collect(),
        Direction::Backward => rows.rev().take(limit).collect(),
    }
}

/// Writes several rows at once, each expecting what is there: of those on one key exactly one wins.
async fn together(engine: &dyn Engine, model: &mut Model, round: usize, keys: &[Key]) {
    let batches = keys.iter().enumerate().map(|(number, key)| Batch {
        expect: vec![(key.clone(), model.get(key).cloned())],
        put: vec![(key.clone(), format!("{round} {number}").into())],
        delete: Vec::new(),
    });
    let batches: Vec<Batch> = batches.collect();
    let commits = batches.iter().map(|batch| engine.commit(batch.clone()));
    let answers = futures::future::join_all(commits).await;
    let mut won = BTreeSet::new();
    for (batch, answer) in batches.iter().zip(answers) {
        let (key, value) = batch.put[0].clone();
        match answer {
            Ok(()) => {
                assert!(won.insert(key.clone()), "two won on one key");
                model.insert(key, value);
            }
            Err(StoreError::Conflict) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert!(won.iter().eq(BTreeSet::from_iter(keys)), "nobody won on a key");
}

async fn run(steps: Vec<Step>, ground: &Ground) {
    let mut model = Model::new();
    let mut engine = ground.open().await;
    for (round, step) in steps.into_iter().enumerate() {
        match step {
            Step::Commit { expect, put, delete } => {
                let batch = batch_of(&model, expect, put, delete);
                let answer = engine.commit(batch.clone()).await;
                if apply(&mut model, &batch) {
                    answer.unwrap();
                } else {
                    assert!(matches!(answer, Err(StoreError::Conflict)), "{answer:?}");
                }
            }
            Step::Together(keys) => together(&*engine, &mut model, round, &keys).await,
            Step::Scan { range, direction, limit } => {
                let rows = engine.scan(&range, direction, limit).await.unwrap();
                assert_eq!(rows, scan_model(&model, &range, direction, limit));
            }
            Step::Reopen => {
                engine.close().await.unwrap();
                engine = ground.open().await;
            }
        }
        let keys: Vec<Key> = model.keys().cloned().collect();
        let values = engine.get(&keys).await.unwrap();
        assert!(values.into_iter().map(Option::unwrap).eq(model.values().cloned()));
    }
    let everything = engine.scan(&Range::prefix(b""), Direction::Forward, u32::MAX).await.unwrap();
    assert_eq!(everything, model.into_iter().collect::<Vec<_>>());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

macro_rules! matches_a_map {
    ($engine:ident) => {
        mod $engine {
            use super::*;

            proptest! {
                // A case on disk opens a store, most of them several times.
                #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

                #[test]
                fn matches_a_map(steps in steps()) {
                    runtime().block_on(run(steps, &Ground::new(stringify!($engine))));
                }
            }
        }
    };
}

every_engine!(matches_a_map);
