//! What only the redb engine has to prove: its file, its damage and its failures.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tempfile::TempDir;

use crate::store::conformance::{key, put, read, value};
use crate::store::disk::files::DATA_OF_REDB;
use crate::store::open::OpenOptions;
use crate::store::redb::RedbEngine;
use crate::store::{Batch, Direction, Engine, Range, StoreError};

const ROWS: usize = 300;

fn options(verify: bool) -> OpenOptions {
    OpenOptions { disk_reserve_bytes: 0, verify, ..OpenOptions::default() }
}

async fn open_at(directory: &Path) -> Result<RedbEngine, StoreError> {
    RedbEngine::open(directory, &options(false)).await
}

fn row_value(index: usize) -> Bytes {
    value(if index.is_multiple_of(100) { 40_000 } else { 300 }, index)
}

async fn filled() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let engine = open_at(directory.path()).await.unwrap();
    let row = |index: usize| (key(format!("row {index:04}")), row_value(index));
    engine.commit(Batch { put: (0..ROWS).map(row).collect(), ..Batch::default() }).await.unwrap();
    engine.close().await.unwrap();
    directory
}

/// Reads everything: whether it is all there. A row that is there and wrong fails the test.
async fn is_whole(engine: &dyn Engine) -> Result<bool, StoreError> {
    let rows = engine.scan(&Range::prefix(b""), Direction::Forward, u32::MAX).await?;
    for (name, content) in &rows {
        let name = String::from_utf8(name.to_vec()).unwrap();
        let index: usize = name.strip_prefix("row ").unwrap().parse().unwrap();
        assert!(*content == row_value(index), "{name} has another value");
    }
    Ok(rows.len() == ROWS)
}

#[tokio::test]
async fn fault_45_a_flipped_bit_is_never_a_wrong_value_and_a_check_finds_it() {
    let sound = filled().await;
    let data = fs::read(sound.path().join(DATA_OF_REDB)).unwrap();
    let (mut caught, mut lost) = (0, 0);
    for step in 0..40 {
        let place = data.len() / 40 * step + 333 % (step + 7);
        let mut flipped = data.clone();
        flipped[place] ^= 0x10;
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(DATA_OF_REDB), &flipped).unwrap();
        let plain = match open_at(directory.path()).await {
            Ok(engine) => is_whole(&engine).await,
            Err(error) => Err(error),
        };
        match plain {
            Ok(true) => {}
            Ok(false) => {
                // Rows that a plain read does not miss: the check must.
                lost += 1;
                fs::write(directory.path().join(DATA_OF_REDB), &flipped).unwrap();
                let checked = RedbEngine::open(directory.path(), &options(true)).await;
                assert!(matches!(checked, Err(StoreError::Corrupt { .. })), "{place}: {checked:?}");
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Corrupt { .. }), "{place}: {error:?}");
                caught += 1;
            }
        }
    }
    assert!(caught > 0, "no flip hit anything; {lost} lost rows");
}

#[tokio::test]
async fn a_cut_file_is_refused() {
    let sound = filled().await;
    let data = fs::read(sound.path().join(DATA_OF_REDB)).unwrap();
    for length in [0, 1, 4096, data.len() / 2] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(DATA_OF_REDB), &data[..length]).unwrap();
        let refused = match open_at(directory.path()).await {
            Ok(engine) => is_whole(&engine).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{length}: {refused:?}");
    }
}

#[tokio::test]
async fn an_interrupted_creation_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("rows.redb.new"), b"cut off in the mid").unwrap();
    let engine = open_at(directory.path()).await.unwrap();
    engine.commit(put(&[("a", "1")])).await.unwrap();
    engine.close().await.unwrap();
    assert!(!directory.path().join("rows.redb.new").exists());
    assert_eq!(read(&open_at(directory.path()).await.unwrap(), "a").await, Some(key("1")));
}

#[tokio::test]
async fn the_data_is_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("one/two");
    open_at(&place).await.unwrap().close().await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    assert_eq!(mode(&place.join(DATA_OF_REDB)), 0o600);
}

#[tokio::test]
async fn fault_48_writes_stop_below_the_reserve_and_resume() {
    let directory = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(1000));
    let probe = Arc::clone(&free);
    let options = OpenOptions {
        disk_reserve_bytes: 500,
        disk_probe: Arc::new(move |_| Ok(probe.load(Ordering::SeqCst))),
        ..OpenOptions::default()
    };
    let engine = RedbEngine::open(directory.path(), &options).await.unwrap();
    engine.commit(put(&[("before", "1")])).await.unwrap();
    free.store(499, Ordering::SeqCst);
    let refused = engine.commit(put(&[("during", "1")])).await;
    assert!(matches!(refused, Err(StoreError::DiskFull { free: 499, need: 500 })), "{refused:?}");
    assert!(engine.stats().disk_full);
    assert_eq!(read(&engine, "before").await, Some(key("1")), "reads go on");
    free.store(500, Ordering::SeqCst);
    engine.commit(put(&[("after", "1")])).await.unwrap();
    assert_eq!(read(&engine, "during").await, None);
}

#[tokio::test]
async fn fault_58_a_second_engine_is_refused_naming_the_pid() {
    let directory = tempfile::tempdir().unwrap();
    let first = open_at(directory.path()).await.unwrap();
    let refused = open_at(directory.path()).await;
    let pid = std::process::id();
    assert!(matches!(refused, Err(StoreError::InUse { pid: Some(named), .. }) if named == pid));
    first.close().await.unwrap();
    open_at(directory.path()).await.unwrap();
}
