//! What only the sled engine has to prove: its files, its lock, its disk and its failures.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::store::conformance::{key, put, read, value};
use crate::store::disk::files;
use crate::store::disk::queue::COMMITS_WAITING_MAX;
use crate::store::open::{OpenOptions, SCHEMA, SCHEMA_KEY, open};
use crate::store::sled::tip::TIP_KEY;
use crate::store::sled::{SledEngine, directory};
use crate::store::{Batch, Direction, Engine, RESERVED_PREFIX, Range, Reads, StoreError};

const ROWS: usize = 500;

fn options() -> OpenOptions {
    OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() }
}

pub(super) async fn open_at(directory: &Path) -> Result<SledEngine, StoreError> {
    SledEngine::open(directory, &options()).await
}

fn url(directory: &Path) -> String {
    format!("sled:{}", directory.display())
}

/// Files of a directory whose names begin with `prefix`.
fn files(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(prefix);
    entries.filter(named).collect()
}

/// A closed store of `ROWS` rows, some of them split, opened twice so that it has a snapshot.
async fn filled() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let engine = open_at(directory.path()).await.unwrap();
    for start in (0..ROWS).step_by(50) {
        let row = |index: usize| (key(format!("row {index:04}")), row_value(index));
        let put = (start..start + 50).map(row).collect();
        engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
    }
    engine.close().await.unwrap();
    open_at(directory.path()).await.unwrap().close().await.unwrap();
    assert!(!files(directory.path(), "snap.").is_empty());
    directory
}

fn row_value(index: usize) -> Bytes {
    value(if index.is_multiple_of(100) { 40_000 } else { 300 }, index)
}

async fn check_filled(engine: &dyn Engine) -> Result<(), StoreError> {
    let rows = engine.scan(&Range::prefix(b"row "), Direction::Forward, u32::MAX).await?;
    assert_eq!(rows.len(), ROWS);
    for (index, row) in rows.into_iter().enumerate() {
        assert_eq!(row.0, format!("row {index:04}"));
        assert!(row.1 == row_value(index), "row {index} has another value");
    }
    Ok(())
}

#[tokio::test]
async fn fault_58_second_daemon_is_refused_naming_the_pid() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(&url(directory.path()), &options()).await.unwrap();
    first.commit(put(&[("a", "1")])).await.unwrap();

    let refused = open(&url(directory.path()), &options()).await.err().unwrap();
    let pid = std::process::id();
    assert!(matches!(refused, StoreError::InUse { pid: Some(named), .. } if named == pid));
    assert!(refused.to_string().contains(&format!("in use by process {pid}")), "{refused}");

    first.commit(put(&[("b", "2")])).await.unwrap();
    first.close().await.unwrap();
    let next = open(&url(directory.path()), &options()).await.unwrap();
    assert_eq!(read(&*next, "b").await, Some(key("2")));
}

#[tokio::test]
async fn fault_59_older_binary_refuses_newer_data() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(&url(directory.path()), &options()).await.unwrap();
    let newer = key((SCHEMA + 41).to_be_bytes());
    let put = vec![(key(SCHEMA_KEY), newer)];
    engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
    engine.close().await.unwrap();

    for _ in 0..2 {
        let refused = open(&url(directory.path()), &options()).await.err().unwrap();
        assert!(matches!(refused, StoreError::NewerSchema { found: 43, known: 2 }), "{refused:?}");
        let text = refused.to_string();
        assert!(text.contains("format 43") && text.contains("up to 2"), "{text}");
    }
}

#[tokio::test]
async fn everything_is_there_after_a_reopen() {
    let directory = filled().await;
    for round in 0..3 {
        let engine = open_at(directory.path()).await.unwrap();
        check_filled(&engine).await.unwrap();
        let name = format!("round {round}");
        engine.commit(put(&[(&name, "x")])).await.unwrap();
        // Without close: dropping must leave the directory free as well.
        drop(engine);
    }
    let engine = open_at(directory.path()).await.unwrap();
    assert_eq!(read(&engine, "round 2").await, Some(key("x")));
}

#[tokio::test]
async fn a_half_written_snapshot_is_deleted() {
    let directory = filled().await;
    let half = directory.path().join("snap.00000000000F0000.generating");
    fs::write(&half, b"cut off in the mid").unwrap();
    let engine = open_at(directory.path()).await.unwrap();
    check_filled(&engine).await.unwrap();
    assert!(!half.exists());
}

#[tokio::test]
async fn a_missing_or_torn_conf_is_no_obstacle() {
    let directory = filled().await;
    let conf = directory.path().join("conf");
    let sound = fs::read(&conf).unwrap();
    for length in [sound.len() - 4, 40, 9, 8, 1, 0] {
        fs::write(&conf, &sound[..length]).unwrap();
        let engine = open_at(directory.path()).await.unwrap();
        check_filled(&engine).await.unwrap();
        engine.close().await.unwrap();
        assert_eq!(fs::read(&conf).unwrap(), sound, "conf cut to {length} bytes is whole again");
    }
    fs::remove_file(&conf).unwrap();
    check_filled(&open_at(directory.path()).await.unwrap()).await.unwrap();
    assert_eq!(fs::read(directory.path().join("aside-1/conf")).unwrap(), sound[..sound.len() - 4]);
    assert_eq!(files(directory.path(), "aside-").len(), 3, "the shorter ones sled mends itself");
}

#[tokio::test]
async fn another_sleds_data_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(::sled::Config::new().path(directory.path()).segment_size(1 << 19).open().unwrap());
    let conf = fs::read(directory.path().join("conf")).unwrap();
    let refused = open_at(directory.path()).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert_eq!(fs::read(directory.path().join("conf")).unwrap(), conf);
}

#[tokio::test]
async fn a_damaged_snapshot_is_set_aside() {
    let directory = filled().await;
    for path in files(directory.path(), "snap.") {
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        fs::write(&path, bytes).unwrap();
    }
    let engine = open_at(directory.path()).await.unwrap();
    check_filled(&engine).await.unwrap();
    assert_eq!(files(&directory.path().join("aside-1"), "snap.").len(), 1);
}

/// Copies the files of a store, flips a bit of its data at `place` and says what comes of it.
async fn open_flipped(sound: &Path, names: &[&str], place: usize) -> Result<(), StoreError> {
    let directory = tempfile::tempdir().unwrap();
    let snapshots = files(sound, "snap.");
    let snapshots = snapshots.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
    let with_snapshots = names.contains(&"snap");
    for name in names.iter().copied().chain(snapshots.filter(|_| with_snapshots)) {
        if name != "snap" {
            fs::copy(sound.join(name), directory.path().join(name)).unwrap();
        }
    }
    let data_path = directory.path().join("db");
    let mut data = fs::read(&data_path).unwrap();
    data[place] ^= 0x10;
    fs::write(&data_path, data).unwrap();
    check_filled(&open_at(directory.path()).await?).await
}

#[tokio::test]
async fn fault_45_a_flipped_bit_is_never_wrong_data() {
    let sound = filled().await;
    for names in [&["conf", "db", "tip", "snap"][..], &["conf", "db", "tip"]] {
        let mut caught = 0;
        for step in 1..=10 {
            // The rows fill less than the first segment; past them lies nothing to damage.
            let place = 40_000 * step;
            if let Err(error) = open_flipped(sound.path(), names, place).await {
                let text = error.to_string();
                assert!(matches!(error, StoreError::Corrupt { .. }), "{place}: {error:?}");
                assert!(text.contains("restore the latest backup"), "{text}");
                caught += 1;
            }
        }
        assert!(caught > 0, "no flip hit anything");
    }
}

#[tokio::test]
async fn a_log_that_ends_early_is_refused() {
    let directory = filled().await;
    let tip = fs::read(directory.path().join("tip")).unwrap();
    let data = fs::read(directory.path().join("db")).unwrap();
    let engine = open_at(directory.path()).await.unwrap();
    engine.commit(put(&[("more", "1")])).await.unwrap();
    engine.close().await.unwrap();

    // The log as it was before the last commit, as a torn tail would leave it.
    for path in files(directory.path(), "snap.") {
        fs::remove_file(path).unwrap();
    }
    fs::write(directory.path().join("db"), data).unwrap();
    let refused = open_at(directory.path()).await.err().unwrap();
    assert!(refused.to_string().contains("1 of 11 groups of writes early"), "{refused}");

    // Without a note, or with one that is torn or older, nothing is demanded.
    for note in [&b""[..], &[0xAA; 12], &tip] {
        fs::write(directory.path().join("tip"), note).unwrap();
        open_at(directory.path()).await.unwrap().close().await.unwrap();
    }
}

#[tokio::test]
async fn an_unreadable_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for place in [file.clone(), file.join("data")] {
        let refused = open_at(&place).await.err().unwrap();
        assert!(matches!(refused, StoreError::Unreadable { .. }), "{refused:?}");
        assert!(refused.to_string().contains(&file.display().to_string()), "{refused}");
    }
}

#[tokio::test]
async fn missing_directories_are_created_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("one/two");
    open_at(&place).await.unwrap().close().await.unwrap();
    let mode = fs::metadata(&place).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn fault_48_writes_stop_below_the_reserve_and_resume() {
    let directory = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(1000));
    let probe = Arc::clone(&free);
    let options = OpenOptions {
        disk_reserve_bytes: 500,
        disk_probe: Arc::new(move |_| match probe.load(Ordering::SeqCst) {
            u64::MAX => Err(std::io::Error::other("the disk is gone")),
            free => Ok(free),
        }),
        ..OpenOptions::default()
    };
    let engine = SledEngine::open(directory.path(), &options).await.unwrap();
    engine.commit(put(&[("before", "1")])).await.unwrap();

    free.store(499, Ordering::SeqCst);
    let refused = engine.commit(put(&[("during", "1")])).await;
    assert!(matches!(refused, Err(StoreError::DiskFull { free: 499, need: 500 })), "{refused:?}");
    free.store(u64::MAX, Ordering::SeqCst);
    let refused = engine.commit(put(&[("during", "1")])).await;
    assert!(matches!(refused, Err(StoreError::DiskFull { free: 0, need: 500 })), "{refused:?}");
    assert_eq!(read(&engine, "before").await, Some(key("1")), "reads go on");

    free.store(500, Ordering::SeqCst);
    engine.commit(put(&[("after", "1")])).await.unwrap();
    assert_eq!(read(&engine, "during").await, None);
    assert_eq!(*engine.failed().borrow(), None);
}

#[tokio::test]
async fn fault_50_a_failed_sync_is_never_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut opened = directory::open(directory.path()).unwrap();
    // A pipe cannot be synced: the one way to a real error without a broken disk.
    let (_reader, pipe) = std::io::pipe().unwrap();
    opened.data_file = OwnedFd::from(pipe).into();
    let lock = files::claim(directory.path()).unwrap();
    let engine = Arc::new(SledEngine::start(opened, lock, &options()).unwrap());
    let mut failed = engine.failed();

    let mut commits = JoinSet::new();
    for number in 0..100 {
        let engine = Arc::clone(&engine);
        commits.spawn(async move { engine.commit(put(&[(&number.to_string(), "x")])).await });
    }
    while let Some(answer) = commits.join_next().await {
        let answer = answer.unwrap();
        assert!(matches!(answer, Err(StoreError::Failed { .. })), "{answer:?}");
    }
    assert!(failed.wait_for(Option::is_some).await.is_ok());
    let refused = engine.get(&[key("1")]).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    let refused = engine.scan(&Range::prefix(b""), Direction::Forward, 1000).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    let closed = engine.close().await;
    assert!(matches!(closed, Err(StoreError::Failed { .. })), "{closed:?}");
    let refused = open_at(directory.path()).await;
    assert!(matches!(refused, Err(StoreError::InUse { .. })), "its tree is still there");
    // Let go of, sled would write what it holds, and sync it: a failed engine never does again.
    drop(engine);
    let refused = open_at(directory.path()).await;
    assert!(matches!(refused, Err(StoreError::InUse { .. })), "and stays until the process ends");
}

#[tokio::test]
async fn no_chunk_outlives_its_value_and_no_page_leaves_the_data_file() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open_at(directory.path()).await.unwrap();
    for round in 0..3 {
        for index in 0..40 {
            let bytes = [16_383, 16_384, 60_000, 300_000][(index + round) % 4];
            let put = vec![(key(format!("row {index}")), value(bytes, index))];
            engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
        }
    }
    // sled writes a page that has outgrown a quarter of a segment to a file it never syncs.
    assert_eq!(files(&directory.path().join("blobs"), ""), [] as [PathBuf; 0]);
    let delete = (0..40).map(|index| key(format!("row {index}"))).collect();
    engine.commit(Batch { delete, ..Batch::default() }).await.unwrap();
    engine.close().await.unwrap();

    let opened = directory::open(directory.path()).unwrap();
    let left: Vec<_> = opened.rows.db.iter().keys().map(Result::unwrap).collect();
    assert_eq!(left, [TIP_KEY], "only the engine's own count is left");
}

#[tokio::test]
async fn a_generation_in_use_is_not_used_again_after_a_reopen() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let engine = open_at(directory.path()).await.unwrap();
        let put = vec![(key(format!("row {round}")), value(50_000, round))];
        engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
        engine.close().await.unwrap();
    }
    let opened = directory::open(directory.path()).unwrap();
    assert_eq!(opened.rows.free_generation().unwrap(), 3);
    let reserved = opened.rows.db.range([RESERVED_PREFIX].as_slice()..).count();
    assert_eq!(reserved, 1 + 3 * 4, "the count of groups, and four chunks a value");
    for round in 0..3 {
        let stored = opened.rows.read(format!("row {round}").as_bytes()).unwrap().unwrap();
        assert!(stored.value == value(50_000, round));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_commits_than_the_queue_holds_are_all_answered() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Arc::new(open_at(directory.path()).await.unwrap());
    let mut commits = JoinSet::new();
    for number in 0..COMMITS_WAITING_MAX + 500 {
        let engine = Arc::clone(&engine);
        commits.spawn(async move {
            let name = key(format!("{:02} row {number:05}", number % 7));
            let batch = Batch {
                expect: vec![(name.clone(), None)],
                put: vec![(name, key("x"))],
                delete: Vec::new(),
            };
            engine.commit(batch).await
        });
    }
    while let Some(answer) = commits.join_next().await {
        answer.unwrap().unwrap();
    }
    let rows = engine.scan(&Range::prefix(b""), Direction::Forward, u32::MAX).await.unwrap();
    assert_eq!(rows.len(), COMMITS_WAITING_MAX + 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_answers_every_commit_truly() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Arc::new(open_at(directory.path()).await.unwrap());
    let mut commits = JoinSet::new();
    for number in 0..300 {
        let engine = Arc::clone(&engine);
        let name = number.to_string();
        commits.spawn(async move { (engine.commit(put(&[(&name, "x")])).await, name) });
    }
    let first = commits.join_next().await.unwrap().unwrap();
    engine.close().await.unwrap();
    let mut answers = vec![first];
    while let Some(answer) = commits.join_next().await {
        answers.push(answer.unwrap());
    }
    let again = open_at(directory.path()).await.unwrap();
    for (answer, name) in answers {
        let row = read(&again, &name).await;
        match answer {
            Ok(()) => assert_eq!(row, Some(key("x"))),
            Err(StoreError::Closed) => assert_eq!(row, None),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn stats_name_the_engine_and_its_size() {
    let directory = filled().await;
    let stats = open_at(directory.path()).await.unwrap().stats();
    assert_eq!(stats.engine, "sled");
    assert!(stats.bytes_on_disk > 300 * 500, "{stats:?}");
}
