//! A snapshot of each engine, wherever it is read. No case may know which engine it runs on.

use futures::FutureExt as _;

use crate::store::conformance::{key, put, value};
use crate::store::snapshot::{self, Thread};
use crate::store::suite::{Ground, every_engine, shown};
use crate::store::{Batch, Direction, Range, Reads, StoreError};

async fn answers_as_the_engine_does(ground: &Ground, on: Thread) {
    let engine = ground.open().await;
    let row = |number: usize| (key(format!("row {number:02}")), value(number * 2_000, number));
    engine.commit(Batch { put: (0..40).map(row).collect(), ..Batch::default() }).await.unwrap();
    let looked = snapshot::of(engine.as_ref(), on, |reads| {
        let keys = [key("row 39"), key("none"), key([0xFF]), key("row 01")];
        let scan = |direction| reads.scan(&Range::prefix(b"row"), direction, 30).now_or_never();
        let rows = [Direction::Forward, Direction::Backward].map(|it| scan(it).unwrap().unwrap());
        let values = reads.get(&keys).now_or_never().unwrap().unwrap();
        assert!(
            shown(reads, &keys, &Range::prefix(b"row"), 30) == (values.clone(), rows[0].clone())
        );
        (values, rows)
    });
    let (values, rows) = looked.await.unwrap();
    assert!(values == [Some(row(39).1), None, None, Some(row(1).1)]);
    assert!(rows[0] == (0..30).map(row).collect::<Vec<_>>());
    assert!(rows[1] == (10..40).rev().map(row).collect::<Vec<_>>());
}

async fn says_that_it_is_closed(ground: &Ground, on: Thread) {
    let engine = ground.open().await;
    engine.commit(put(&[("a", "1")])).await.unwrap();
    engine.close().await.unwrap();
    let look = |_: &dyn Reads| panic!("there are no rows any more");
    let refused = snapshot::of(engine.as_ref(), on, look).await;
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
}

macro_rules! reads_snapshots {
    ($engine:ident) => {
        mod $engine {
            use super::*;

            #[tokio::test]
            async fn a_snapshot_answers_at_once_as_the_engine_does() {
                for on in [Thread::Same, Thread::Other] {
                    answers_as_the_engine_does(&Ground::new(stringify!($engine)), on).await;
                }
            }

            #[tokio::test]
            async fn a_closed_engine_has_no_snapshot() {
                for on in [Thread::Same, Thread::Other] {
                    says_that_it_is_closed(&Ground::new(stringify!($engine)), on).await;
                }
            }
        }
    };
}

every_engine!(reads_snapshots);
