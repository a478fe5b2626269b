//! What only the redb engine has to prove: its file, its damage and its failures.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::redb::{Builder, Database, ReadableDatabase};
use bytes::Bytes;
use tempfile::TempDir;

use crate::store::conformance::{key, put, read, value};
use crate::store::disk::files::{DATA_OF_REDB, panic_text};
use crate::store::open::OpenOptions;
use crate::store::redb::pages::{self, Layout, PAGE, Pages};
use crate::store::redb::{ROWS as TABLE, RedbEngine, row};
use crate::store::{Batch, Direction, Engine, Range, StoreError};

const ROWS: usize = 300;
/// Flips all over the file.
const FLIPS: usize = 300;

async fn open_at(directory: &Path) -> Result<RedbEngine, StoreError> {
    let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
    RedbEngine::open(directory, &options).await
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

/// Reads everything, in one piece and row by row. A row that is missing or wrong fails the test.
async fn read_all(engine: &dyn Engine) -> Result<(), StoreError> {
    let rows = engine.scan(&Range::prefix(b""), Direction::Forward, u32::MAX).await?;
    assert_eq!(rows.len(), ROWS);
    for (index, (name, content)) in rows.into_iter().enumerate() {
        assert_eq!(name, key(format!("row {index:04}")));
        assert!(content == row_value(index), "{name:?} has another value");
        let found = engine.get(std::slice::from_ref(&name)).await?;
        assert!(found == [Some(content)], "{name:?} is not found");
    }
    Ok(())
}

/// What comes of the bytes of a file.
async fn read_from(data: &[u8]) -> Result<(), StoreError> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(DATA_OF_REDB), data).unwrap();
    read_all(&open_at(directory.path()).await?).await
}

#[tokio::test]
async fn faults_45_46_a_flipped_bit_is_never_a_wrong_row_or_a_missing_one() {
    let sound = filled().await;
    let data = fs::read(sound.path().join(DATA_OF_REDB)).unwrap();
    // All of the two places that are written over, and some of all others.
    let first = 0..64;
    let header = 2 * PAGE..2 * PAGE + 512;
    let others = (0..FLIPS).map(|step| data.len() / FLIPS * step + 333 % (step + 7));
    let mut caught = 0;
    for place in first.chain(header).chain(others) {
        let mut flipped = data.clone();
        flipped[place] ^= 1 << (place % 8);
        match read_from(&flipped).await {
            Ok(()) => {}
            Err(error) => {
                assert!(matches!(error, StoreError::Corrupt { .. }), "{place}: {error:?}");
                caught += 1;
            }
        }
    }
    assert!(caught > 512, "only {caught} flips hit anything");
}

/// Where the value of a row lies.
fn place_of(index: usize, data: &[u8]) -> usize {
    let value = row_value(index);
    data.windows(value.len()).position(|bytes| bytes == value).unwrap()
}

/// On redb itself: with no cache, and damage after the opening, at which a debug build reads every page.
#[tokio::test]
async fn one_damaged_page_keeps_nobody_from_the_others() {
    let sound = filled().await;
    let path = sound.path().join(DATA_OF_REDB);
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let pages = Pages::open(file.try_clone().unwrap()).unwrap();
    let database = Builder::new().set_cache_size(0).create_with_backend(pages).unwrap();
    let value = |index: usize| {
        catch_unwind(AssertUnwindSafe(|| {
            let table = database.begin_read().unwrap().open_table(TABLE).unwrap();
            let name = key(format!("row {index:04}"));
            let stored = table.get(name.as_ref()).unwrap().unwrap();
            row::open(&name, stored.value()).unwrap()
        }))
    };
    assert_eq!(value(150).unwrap(), row_value(150));
    let place = place_of(150, &fs::read(&path).unwrap());
    file.write_all_at(b"?", place as u64).unwrap();
    for _ in 0..2 {
        let panic = value(150).unwrap_err();
        assert!(panic_text(panic.as_ref()).ends_with("fails its checksum"));
        assert_eq!(value(1).unwrap(), row_value(1));
    }
    let writing = database.begin_write().unwrap();
    writing.open_table(TABLE).unwrap().insert(b"zero".as_slice(), b"".as_slice()).unwrap();
    writing.commit().unwrap();
    assert_eq!(value(1).unwrap(), row_value(1));
}

/// A store as it was made before pages had checksums.
fn plain_store(directory: &Path) {
    let database = Database::create(directory.join(DATA_OF_REDB)).unwrap();
    let writing = database.begin_write().unwrap();
    {
        let mut table = writing.open_table(TABLE).unwrap();
        for index in 0..ROWS {
            let name = key(format!("row {index:04}"));
            table.insert(name.as_ref(), row::seal(&name, &row_value(index)).as_slice()).unwrap();
        }
    }
    writing.commit().unwrap();
}

#[tokio::test]
async fn a_store_without_checksums_of_its_pages_gets_them() {
    let directory = tempfile::tempdir().unwrap();
    plain_store(directory.path());
    let path = directory.path().join(DATA_OF_REDB);
    let plain = fs::read(&path).unwrap();
    // One that is damaged stays as it is.
    let mut damaged = plain.clone();
    let at = place_of(150, &plain);
    damaged[at] ^= 1;
    let refused = read_from(&damaged).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    // One whose first change was interrupted is taken up again.
    fs::write(directory.path().join("rows.redb.new"), &plain[..9000]).unwrap();
    for _ in 0..2 {
        let engine = open_at(directory.path()).await.unwrap();
        read_all(&engine).await.unwrap();
        engine.close().await.unwrap();
    }
    let file = File::open(&path).unwrap();
    assert_eq!(pages::layout_of(&file).unwrap(), Layout::Checked);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_that_somebody_else_has_open_is_in_use() {
    let directory = filled().await;
    let file = File::open(directory.path().join(DATA_OF_REDB)).unwrap();
    file.lock_shared().unwrap();
    let refused = open_at(directory.path()).await;
    assert!(matches!(refused, Err(StoreError::InUse { pid: None, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_cut_file_is_refused() {
    let sound = filled().await;
    let data = fs::read(sound.path().join(DATA_OF_REDB)).unwrap();
    for length in [0, 1, PAGE, 2 * PAGE, 3 * PAGE, data.len() / 2, data.len() - PAGE] {
        let refused = read_from(&data[..length]).await;
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
