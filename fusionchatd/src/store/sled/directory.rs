//! Opens sled in a data directory the safe way. Every step answers a disk image that would not open
//! otherwise; see the list at [`open`]. It must run under the directory's lock and must not delete
//! anything sled could still need.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ::sled::{Config, Db, Error};

use crate::store::StoreError;
use crate::store::disk::files::{
    panic_text, sync_directory, sync_directory_and_parent, unreadable,
};
use crate::store::sled::rows::{Rows, is_damage};
use crate::store::sled::tip::Tip;

/// sled's segment size, in bytes, fixed when the data is created: pages up to a quarter of it stay
/// in the one file that is synced.
const SEGMENT_BYTES: usize = 2 * 1024 * 1024;

/// What sled may keep of the data in memory, in bytes.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How often, and how far apart, it is looked whether sled's lock is free.
const LOCKED_MAX: u32 = 100;
const LOCKED_PAUSE: Duration = Duration::from_millis(20);

/// How often files may be set aside before someone has to look at them.
const ASIDE_MAX: u32 = 1000;

const DATA_FILE: &str = "db";
const CONF_FILE: &str = "conf";
const SNAPSHOT_PREFIX: &str = "snap.";
const HALF_SNAPSHOT_SUFFIX: &str = ".generating";

/// sled rewrites a shorter `conf` by itself; the checksum is its last four bytes.
const CONF_BYTES_MIN: usize = 8;

/// An open data directory.
pub(super) struct Opened {
    pub(super) rows: Rows,
    /// Our own handle of sled's data file, to sync it with: sled's flush is no sync on Linux.
    pub(super) data_file: File,
    pub(super) tip: Tip,
    /// The first number that no split value has.
    pub(super) generation: u64,
}

/// Opens or creates the data in `directory`.
///
/// 1. The caller holds the lock before any file of sled's is touched.
/// 2. Delete half-written snapshots: sled would read them as whole ones.
/// 3. Set a `conf` with a wrong checksum aside: it was torn, and sled writes the same one again.
/// 4. Open, catching panics of the recovery. If that finds damage, set the snapshots aside (they
///    are a cache of the log) and try once more.
/// 5. Check that the log reaches as far as it once did, and read what the writer must know.
/// 6. Sync `conf`, the data file, the directory and its parent: sled does not.
///
/// # Errors
/// `Unreadable` or `Corrupt`.
pub(super) fn open(directory: &Path) -> Result<Opened, StoreError> {
    delete_half_snapshots(directory)?;
    set_torn_conf_aside(directory)?;
    let pause = || thread::sleep(LOCKED_PAUSE);
    let db = match open_free(directory, pause) {
        Err(Damage::Data(detail)) => {
            tracing::warn!(detail, "the store did not open; trying again without its snapshots");
            let snapshots = files_with_prefix(directory, SNAPSHOT_PREFIX)?;
            set_aside(directory, &snapshots)?;
            open_free(directory, pause)
        }
        opened => opened,
    };
    let db = db.map_err(|damage| match damage {
        Damage::Data(detail) => StoreError::Corrupt { path: directory.to_path_buf(), detail },
        Damage::Io(source) => unreadable(directory, source),
    })?;
    let rows = Rows { db, directory: Arc::from(directory) };
    let whole = Tip::open(directory, &rows)
        .and_then(|tip| Ok((tip, rows.free_generation()?, sync_files(directory)?)));
    match whole {
        Ok((tip, generation, data_file)) => Ok(Opened { rows, data_file, tip, generation }),
        Err(error) => {
            // Letting go of the tree writes and syncs, and panics where that fails too. The first error is the news.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(rows)));
            Err(error)
        }
    }
}

/// Our own handle of the data file, apart from sled's.
pub(super) fn open_data_file(directory: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(directory.join(DATA_FILE))
}

enum Damage {
    Data(String),
    Io(io::Error),
}

fn open_sled(directory: &Path) -> Result<Db, Damage> {
    let config =
        Config::new().path(directory).segment_size(SEGMENT_BYTES).cache_capacity(CACHE_BYTES);
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(Error::Io(source))) if !is_damage(&source) => Err(Damage::Io(source)),
        Ok(Err(error)) => Err(Damage::Data(error.to_string())),
        Err(panic) => Err(Damage::Data(panic_text(panic.as_ref()))),
    }
}

/// Opens it once sled's own lock is free. Who had it open before may hold that for a moment longer than the
/// directory's: a thread of sled's that still reads, or a process just begun that has our files until it runs its own
/// program. It is nobody else's, as we hold the directory's.
fn open_free(directory: &Path, mut pause: impl FnMut()) -> Result<Db, Damage> {
    for _ in 0..LOCKED_MAX {
        match open_sled(directory) {
            Err(Damage::Io(error)) if is_locked(&error) => pause(),
            opened => return opened,
        }
    }
    open_sled(directory)
}

/// sled says it in words only.
fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other && error.to_string().starts_with("could not acquire lock")
}

fn delete_half_snapshots(directory: &Path) -> Result<(), StoreError> {
    for path in files_with_prefix(directory, SNAPSHOT_PREFIX)? {
        if path.to_string_lossy().ends_with(HALF_SNAPSHOT_SUFFIX) {
            fs::remove_file(&path).map_err(|source| unreadable(&path, source))?;
        }
    }
    Ok(())
}

fn set_torn_conf_aside(directory: &Path) -> Result<(), StoreError> {
    let path = directory.join(CONF_FILE);
    let conf = match fs::read(&path) {
        Ok(conf) => conf,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(unreadable(&path, source)),
    };
    // A sound conf that sled refuses is another sled's, and must stay where it is.
    if conf.len() <= CONF_BYTES_MIN || is_sound_conf(&conf) {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), "sled's conf is torn; setting it aside");
    set_aside(directory, &[path])
}

fn is_sound_conf(conf: &[u8]) -> bool {
    conf.split_last_chunk::<4>()
        .is_some_and(|(body, checksum)| crc32fast::hash(body) == u32::from_le_bytes(*checksum))
}

fn files_with_prefix(directory: &Path, prefix: &str) -> Result<Vec<PathBuf>, StoreError> {
    let entries = fs::read_dir(directory).map_err(|source| unreadable(directory, source))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| unreadable(directory, source))?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

/// Moves files into the first unused `aside-N` of the directory, where sled does not look.
fn set_aside(directory: &Path, paths: &[PathBuf]) -> Result<(), StoreError> {
    if paths.is_empty() {
        return Ok(());
    }
    let unused = (1..=ASIDE_MAX).map(|number| directory.join(format!("aside-{number}")));
    for aside in unused {
        match fs::create_dir(&aside) {
            Ok(()) => {
                for path in paths {
                    let target = path.file_name().map(|name| aside.join(name)).unwrap_or_default();
                    fs::rename(path, target).map_err(|source| unreadable(path, source))?;
                }
                return sync_directory(directory);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(unreadable(&aside, source)),
        }
    }
    let detail = format!("{ASIDE_MAX} sets of damaged files lie beside it already");
    Err(StoreError::Corrupt { path: directory.to_path_buf(), detail })
}

fn sync_files(directory: &Path) -> Result<File, StoreError> {
    let conf = directory.join(CONF_FILE);
    File::open(&conf)
        .and_then(|file| file.sync_all())
        .map_err(|source| unreadable(&conf, source))?;
    let data = directory.join(DATA_FILE);
    let data_file = open_data_file(directory).map_err(|source| unreadable(&data, source))?;
    data_file.sync_all().map_err(|source| unreadable(&data, source))?;
    sync_directory_and_parent(directory)?;
    Ok(data_file)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Damage, LOCKED_MAX, open_data_file, open_free, open_sled};

    #[test]
    fn an_attempt_waits_for_the_lock_of_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        drop(open_sled(directory.path()).ok().unwrap());
        let held = open_data_file(directory.path()).unwrap();
        held.try_lock().unwrap();
        assert!(matches!(open_sled(directory.path()), Err(Damage::Io(_))), "it is free");
        let (held, pauses) = (Cell::new(Some(held)), Cell::new(0));
        let opened = open_free(directory.path(), || {
            pauses.set(pauses.get() + 1);
            held.take();
        });
        assert!(opened.is_ok() && pauses.get() == 1, "{} pauses", pauses.get());
        // Not for ever.
        let refused = open_free(directory.path(), || pauses.set(pauses.get() + 1));
        assert!(matches!(refused, Err(Damage::Io(_))) && pauses.get() == 1 + LOCKED_MAX);
    }
}
