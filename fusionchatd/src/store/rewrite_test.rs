//! A rewrite is cut off at every step, and the store is whole each time.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::store::conformance::{key, value};
use crate::store::open::{DiskEngine, OpenOptions, SCHEMA, SCHEMA_KEY, data_of, open, url_of};
use crate::store::rewrite::{Step, UNFINISHED, rewrite};
use crate::store::walk::Amount;
use crate::store::{Batch, Direction, Range, StoreError};

/// Where the child finds its store, and at which step it ends; without them its test does nothing.
const PLACE: &str = "FUSIONCHAT_REWRITE_TEST_PLACE";
const CUT_AT: &str = "FUSIONCHAT_REWRITE_TEST_CUT_AT";

const ROWS: usize = 300;

fn options() -> OpenOptions {
    OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() }
}

/// A store with rows of all sizes, in `store` of the directory.
async fn filled(engine: DiskEngine) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&engine.url(&directory.path().join("store")), &options()).await.unwrap();
    for start in (0..ROWS).step_by(50) {
        let put = (start..start + 50).map(|row| (key(format!("row {row:04}")), row_value(row)));
        store.commit(Batch { put: put.collect(), ..Batch::default() }).await.unwrap();
    }
    store.close().await.unwrap();
    directory
}

fn row_value(row: usize) -> crate::store::Value {
    value(if row.is_multiple_of(7) { 300_000 } else { 300 }, row)
}

/// What a daemon would find: everything, whatever engine it is.
async fn check(directory: &Path) {
    let url = url_of(None, &directory.join("store")).unwrap();
    let store = open(&url, &options()).await.unwrap();
    let rows = store.scan(&Range::prefix(b"row "), Direction::Forward, u32::MAX).await.unwrap();
    assert!(
        rows.into_iter().eq((0..ROWS).map(|row| (key(format!("row {row:04}")), row_value(row))))
    );
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_rewrite_goes_from_each_engine_to_each() {
    for from in DiskEngine::ALL {
        for to in DiskEngine::ALL {
            let directory = filled(from).await;
            let store = directory.path().join("store");
            let mut steps = Vec::new();
            let done =
                rewrite(&store, Some(to), &options(), |step| steps.push(step)).await.unwrap();
            assert_eq!((done.from, done.to, done.live.rows), (from, to, ROWS as u64 + 1));
            assert_eq!(data_of(&store).unwrap(), to);
            assert_eq!(steps[steps.len() - 2..], [Step::Whole, Step::Exchanged]);
            assert!(!directory.path().join(UNFINISHED).exists());
            check(directory.path()).await;
        }
    }
}

fn number_of(step: Step) -> u32 {
    match step {
        Step::Copied(Amount { rows, .. }) if rows < ROWS as u64 / 2 => 0,
        Step::Copied(_) => 1,
        Step::Compacting => 2,
        Step::ReadBack(_) => 3,
        Step::Whole => 4,
        Step::Exchanged => 5,
    }
}

/// The child: rewrites, and ends as hard as a process can at its step.
#[tokio::test]
async fn cut_child() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    let at: u32 = std::env::var(CUT_AT).unwrap().parse().unwrap();
    let told = |step| {
        if number_of(step) == at {
            std::process::abort();
        }
    };
    let other = match data_of(Path::new(&place)).unwrap() {
        DiskEngine::Sled => DiskEngine::Redb,
        DiskEngine::Redb => DiskEngine::Sled,
    };
    rewrite(Path::new(&place), Some(other), &options(), told).await.unwrap();
    panic!("it was not cut");
}

#[tokio::test]
async fn fault_60_a_rewrite_cut_off_anywhere_leaves_a_whole_store_and_goes_through_the_next_time() {
    for from in DiskEngine::ALL {
        for at in 0..6 {
            let directory = filled(from).await;
            let store = directory.path().join("store");
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "store::rewrite_test::cut_child"])
                .env(PLACE, &store)
                .env(CUT_AT, at.to_string())
                .output()
                .unwrap();
            assert!(!child.status.success(), "{at}: {child:?}");
            assert!(directory.path().join(UNFINISHED).exists(), "cut off at {at}");
            let exchanged = at == 5;
            assert_eq!(data_of(&store).unwrap() != from, exchanged, "cut off at {at}");
            check(directory.path()).await;
            let done = rewrite(&store, None, &options(), |_| ()).await.unwrap();
            assert_eq!(done.live.rows, ROWS as u64 + 1);
            assert!(!directory.path().join(UNFINISHED).exists());
            check(directory.path()).await;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_rewritten_is_left_as_it_was() {
    let directory = filled(DiskEngine::Sled).await;
    let store = directory.path().join("store");
    let held = open(&DiskEngine::Sled.url(&store), &options()).await.unwrap();
    let refused = rewrite(&store, None, &options(), |_| ()).await;
    assert!(matches!(refused, Err(StoreError::InUse { pid: Some(_), .. })), "{refused:?}");
    held.close().await.unwrap();

    let full = OpenOptions { disk_reserve_bytes: u64::MAX, ..OpenOptions::default() };
    let refused = rewrite(&store, Some(DiskEngine::Redb), &full, |_| ()).await;
    assert!(matches!(refused, Err(StoreError::DiskFull { .. })), "{refused:?}");
    assert!(!directory.path().join(UNFINISHED).exists(), "nothing is left behind");
    assert_eq!(data_of(&store).unwrap(), DiskEngine::Sled);
    check(directory.path()).await;

    let empty = directory.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let refused = rewrite(&empty, None, &options(), |_| ()).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
}

#[tokio::test]
async fn fault_59_newer_data_is_not_rewritten_by_an_older_program() {
    for from in DiskEngine::ALL {
        let directory = filled(from).await;
        let place = directory.path().join("store");
        let store = open(&from.url(&place), &options()).await.unwrap();
        let newer = key((SCHEMA + 1).to_be_bytes());
        let put = vec![(key(SCHEMA_KEY), newer)];
        store.commit(Batch { put, ..Batch::default() }).await.unwrap();
        store.close().await.unwrap();
        drop(store);
        for to in DiskEngine::ALL {
            let refused = rewrite(&place, Some(to), &options(), |_| ()).await.unwrap_err();
            let (found, known) = (SCHEMA + 1, SCHEMA);
            let text = refused.to_string();
            assert!(text.contains(&format!("format {found}")), "{text}");
            assert!(text.contains(&format!("up to {known}")), "{text}");
            assert_eq!(data_of(&place).unwrap(), from);
            assert!(!directory.path().join(UNFINISHED).exists(), "nothing is left beside it");
        }
    }
}
