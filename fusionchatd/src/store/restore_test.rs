//! A restore into each engine; what cannot be restored; and a restore that is cut off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fusionchat_backup::{Fault, Head, Writer};
use tempfile::TempDir;
use uuid::Uuid;

use crate::store::conformance::{key, value};
use crate::store::open::{DiskEngine, OpenOptions, SCHEMA, SCHEMA_KEY, open, url_of};
use crate::store::record::{Daemon, Record as _};
use crate::store::restore::{Plan, RestoreError, Restored, Step, UNFINISHED, restore};
use crate::store::walk::{Amount, Walk};
use crate::store::{Key, Range, StoreError, Value, table};

/// Where the child finds its directory, and at which step it ends; without them its test does nothing.
const PLACE: &str = "FUSIONCHAT_RESTORE_TEST_PLACE";
const CUT_AT: &str = "FUSIONCHAT_RESTORE_TEST_CUT_AT";

const OLD: Uuid = Uuid::from_u128(1);
const NEW: Uuid = Uuid::from_u128(2);

fn options() -> OpenOptions {
    OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() }
}

fn daemon(epoch: Uuid) -> (Key, Value) {
    (table::daemon(), Daemon { epoch, secret: [5; 32] }.encode())
}

/// The rows of a store that no check can find fault with, of all sizes: tokens used on some days.
fn rows(epoch: Uuid) -> Vec<(Key, Value)> {
    let mut rows = vec![(key(SCHEMA_KEY), key(SCHEMA.to_be_bytes())), daemon(epoch)];
    rows.sort_unstable();
    rows
}

/// Rows that belong to no table: they are faults, and they are large.
fn odd_rows(epoch: Uuid) -> Vec<(Key, Value)> {
    let mut all = rows(epoch);
    for number in 0..300_usize {
        let bytes = if number.is_multiple_of(8) { 300_000 } else { 300 };
        all.push((key(format!("\x7e {number:04}")), value(bytes, number)));
    }
    all
}

fn head() -> Head {
    Head {
        schema: SCHEMA,
        made_at: 9,
        epoch: OLD.into_bytes(),
        engine: "sled".to_owned(),
        version: "0.0.9".to_owned(),
    }
}

fn backup(head: &Head, rows: &[(Key, Value)]) -> Vec<u8> {
    let mut writer = Writer::begin(head);
    let mut file = writer.take();
    rows.iter().for_each(|(key, value)| writer.row(key, value));
    file.extend(writer.take());
    file.extend(writer.finish().0);
    file
}

/// A directory with a backup, and a place beside it.
fn prepared(file: &[u8]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("backup"), file).unwrap();
    directory
}

async fn restored(directory: &Path, to: Option<DiskEngine>) -> Result<Restored, RestoreError> {
    let (file, data) = (directory.join("backup"), directory.join("data"));
    let plan =
        Plan { file: &file, data: &data, store: "store", to, epoch: NEW, despite_faults: true };
    restore(plan, &options(), |_| ()).await
}

async fn check(directory: &Path, expected: Vec<(Key, Value)>) {
    let url = url_of(None, &directory.join("data/store")).unwrap();
    let store = open(&url, &options()).await.unwrap();
    let (mut walk, mut found) = (Walk::new(store.as_ref(), Range::prefix(b"")), Vec::new());
    loop {
        let page = walk.next().await.unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert!(found == expected, "{} rows of {}", found.len(), expected.len());
    store.close().await.unwrap();
}

fn names(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_backup_is_restored_into_each_engine_as_another_life() {
    for to in [None, Some(DiskEngine::Sled), Some(DiskEngine::Redb)] {
        let directory = prepared(&backup(&head(), &odd_rows(OLD)));
        let done = restored(directory.path(), to).await.unwrap();
        assert_eq!(done.engine, to.unwrap_or(DiskEngine::Sled));
        assert_eq!((done.head, done.live.rows, done.found.faults), (head(), 302, 300));
        assert_eq!(names(&directory.path().join("data")), [directory.path().join("data/store")]);
        check(directory.path(), odd_rows(NEW)).await;
    }
}

#[tokio::test]
async fn rows_that_do_not_hold_are_not_put_in_place_unasked() {
    let directory = prepared(&backup(&head(), &odd_rows(OLD)));
    let (file, data) = (directory.path().join("backup"), directory.path().join("data"));
    let plan = Plan {
        file: &file,
        data: &data,
        store: "store",
        to: None,
        epoch: NEW,
        despite_faults: false,
    };
    let refused = restore(plan, &options(), |_| ()).await;
    assert!(matches!(refused, Err(RestoreError::Faults { faults: 300, .. })), "{refused:?}");
    assert_eq!(names(&data), Vec::<PathBuf>::new());
    fs::write(&file, backup(&head(), &rows(OLD))).unwrap();
    restore(plan, &options(), |_| ()).await.unwrap();
    check(directory.path(), rows(NEW)).await;
}

#[tokio::test]
async fn bad_files_leave_nothing() {
    let whole = backup(&head(), &odd_rows(OLD));
    let newer = Head { schema: SCHEMA + 1, version: "9.9.9".to_owned(), ..head() };
    let other = Head { engine: "rocks".to_owned(), ..head() };
    let mut changed = whole.clone();
    changed[700_000] ^= 1;
    let no_daemon = vec![(key(SCHEMA_KEY), key(SCHEMA.to_be_bytes())), (table::daemon(), key("?"))];
    let cases = [
        (Vec::new(), "no backup of Fusionchat"),
        (whole[..whole.len() - 1].to_vec(), "ends early"),
        (whole[..300_000].to_vec(), "ends early"),
        (changed, "fails its checksum"),
        (backup(&newer, &rows(OLD)), "fusionchatd 9.9.9 and has rows of format 3"),
        (backup(&other, &rows(OLD)), "rocks"),
        (backup(&head(), &no_daemon), "own row cannot be read"),
        (backup(&head(), &odd_rows(OLD)[1..]), "no format number"),
    ];
    for (file, expected) in cases {
        let directory = prepared(&file);
        let refused = restored(directory.path(), None).await.err();
        let refused = refused.map(|it| format!("{:#}", anyhow::Error::from(it)));
        assert!(refused.as_ref().is_some_and(|text| text.contains(expected)), "{refused:?}");
        assert_eq!(names(&directory.path().join("data")), Vec::<PathBuf>::new(), "{expected}");
    }
    let directory = prepared(&whole);
    fs::remove_file(directory.path().join("backup")).unwrap();
    let refused = restored(directory.path(), None).await;
    let missing = |fault: &Fault| fault.code() == "no_such_file";
    assert!(matches!(&refused, Err(RestoreError::File { fault, .. }) if missing(fault)));
}

#[tokio::test]
async fn a_directory_that_is_somebodys_is_left_alone() {
    let directory = prepared(&backup(&head(), &rows(OLD)));
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("mine"), "mine").unwrap();
    let refused = restored(directory.path(), None).await;
    assert!(matches!(refused, Err(RestoreError::NotEmpty { .. })), "{refused:?}");
    assert_eq!(names(&data), [data.join("mine")]);
    fs::remove_file(data.join("mine")).unwrap();

    let held = fs::File::open(&data).unwrap();
    held.lock().unwrap();
    let refused = restored(directory.path(), None).await;
    assert!(matches!(refused, Err(RestoreError::UnderWay { .. })), "{refused:?}");
    drop(held);

    let full = OpenOptions { disk_reserve_bytes: u64::MAX, ..OpenOptions::default() };
    let file = directory.path().join("backup");
    let plan = Plan {
        file: &file,
        data: &data,
        store: "store",
        to: None,
        epoch: NEW,
        despite_faults: false,
    };
    let refused = restore(plan, &full, |_| ()).await;
    let disk_full = matches!(refused, Err(RestoreError::Store(StoreError::DiskFull { .. })));
    assert!(disk_full, "{refused:?}");
    assert_eq!(names(&data), Vec::<PathBuf>::new());

    restored(directory.path(), None).await.unwrap();
    let refused = restored(directory.path(), None).await;
    assert!(matches!(refused, Err(RestoreError::NotEmpty { .. })), "{refused:?}");
    check(directory.path(), rows(NEW)).await;
}

fn number_of(step: Step) -> u32 {
    match step {
        Step::Restored(Amount { rows, .. }, _) if rows < 150 => 0,
        Step::Restored(..) => 1,
        Step::Compacting => 2,
        Step::ReadBack(_) => 3,
        Step::Checked(_) => 4,
        Step::Whole => 5,
    }
}

/// The child: restores, and ends as hard as a process can at its step.
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
    let (file, data) = (Path::new(&place).join("backup"), Path::new(&place).join("data"));
    let plan = Plan {
        file: &file,
        data: &data,
        store: "store",
        to: Some(DiskEngine::Redb),
        epoch: NEW,
        despite_faults: true,
    };
    restore(plan, &options(), told).await.unwrap();
    panic!("it was not cut");
}

#[tokio::test]
async fn a_restore_cut_off_anywhere_leaves_no_store_and_goes_through_the_next_time() {
    for at in 0..6 {
        let directory = prepared(&backup(&head(), &odd_rows(OLD)));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::restore_test::cut_child"])
            .env(PLACE, directory.path())
            .env(CUT_AT, at.to_string())
            .output()
            .unwrap();
        assert!(!child.status.success(), "{at}: {child:?}");
        let data = directory.path().join("data");
        assert_eq!(names(&data), [data.join(UNFINISHED)], "cut off at {at}");
        restored(directory.path(), None).await.unwrap();
        check(directory.path(), odd_rows(NEW)).await;
    }
}
