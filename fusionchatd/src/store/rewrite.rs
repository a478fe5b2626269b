//! Copies the live rows of a store into a new directory, of the same engine or another, in this program's format, and
//! puts it in the old one's place. At every moment the store's own name is that of a whole store: the new one takes it
//! in one exchange of two directories, after it has been read back. What an interrupted run leaves under [`UNFINISHED`]
//! is removed by the next. Only for a store that no daemon has open.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::store::disk::files::{self, unreadable};
use crate::store::disk::lock::DirectoryLock;
use crate::store::migrate::renewed;
use crate::store::open::{DiskEngine, OpenOptions, data_of, format_of, open_locked};
use crate::store::pack::{self, STRETCH_BYTES, row_bytes};
use crate::store::walk::{Amount, Walk};
use crate::store::{Engine, Key, Range, StoreError, Value};

/// The directory beside the store where the new one is made, and where the old one ends.
pub const UNFINISHED: &str = "store.unfinished";

/// What is said where the copy is another.
const DIFFERS: &str = "the copy is not what was copied; the store itself is as it was";

/// How far a rewrite has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So much is copied.
    Copied(Amount),
    /// All is copied; the copy is about to be made as small as its engine can.
    Compacting,
    /// So much of the copy has been read back.
    ReadBack(Amount),
    /// The copy is whole; the directories are about to change places.
    Whole,
    /// They have; the old one is about to be removed.
    Exchanged,
}

/// What a rewrite did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The engine before.
    pub from: DiskEngine,
    /// The engine now.
    pub to: DiskEngine,
    /// The rows.
    pub live: Amount,
    /// What the files took before, in bytes.
    pub before: u64,
    /// What they take now.
    pub after: u64,
    /// Whether the old store could not be removed and lies under [`UNFINISHED`].
    pub left: bool,
}

/// Rewrites the store in `store` for the engine `to`, or for its own.
///
/// # Errors
/// `InUse` while a daemon has it, `NewerSchema`, `DiskFull`, or what reading and writing meets. The store is then as it
/// was, but after `Unconfirmed`, when it is the new one.
pub async fn rewrite(
    store: &Path,
    to: Option<DiskEngine>,
    options: &OpenOptions,
    mut told: impl FnMut(Step),
) -> Result<Rewritten, StoreError> {
    let lock = files::claim(store)?;
    let from = data_of(store)?;
    let to = to.unwrap_or(from);
    let half = beside(store);
    remove(&half)?;
    let before = files::bytes_on_disk(store);
    let old = Place { engine: from, directory: store, lock: &lock };
    let made = match files::claim(&half) {
        Ok(half_lock) => {
            let new = Place { engine: to, directory: &half, lock: &half_lock };
            make(old, new, options, &mut told).await.map(|live| (live, half_lock))
        }
        Err(error) => Err(error),
    };
    let (live, half_lock) = made.inspect_err(|_| take_away(&half))?;
    told(Step::Whole);
    exchange(store, &half)?;
    told(Step::Exchanged);
    // The new store is in place: that the old one cannot be removed makes it no failure.
    let left = remove(&half).is_err();
    // Both locks are held to here: nobody opens the new store, or begins a rewrite of it, before the old one is gone.
    let after = files::bytes_on_disk(store);
    drop((lock, half_lock));
    Ok(Rewritten { from, to, live, before, after, left })
}

/// A store and the lock on it that is held.
#[derive(Clone, Copy)]
struct Place<'a> {
    engine: DiskEngine,
    directory: &'a Path,
    lock: &'a Arc<DirectoryLock>,
}

impl Place<'_> {
    async fn open(self, options: &OpenOptions) -> Result<Arc<dyn Engine>, StoreError> {
        open_locked(self.engine, self.directory, Arc::clone(self.lock), options).await
    }
}

/// Makes the copy and reads it back.
async fn make(
    old: Place<'_>,
    new: Place<'_>,
    options: &OpenOptions,
    told: &mut impl FnMut(Step),
) -> Result<Amount, StoreError> {
    let from = old.open(options).await?;
    let copied = copy_into(new, from.as_ref(), old.directory, options, told).await;
    let closed = from.close().await;
    // What failed first is told: closing may fail of it, too.
    let copied = copied?;
    closed?;
    told(Step::Compacting);
    pack::compact(new.engine, new.directory).await?;
    let again = new.open(options).await?;
    let same = reads_back(again.as_ref(), copied, |amount| told(Step::ReadBack(amount))).await;
    let closed = again.close().await;
    if !same? {
        let (path, detail) = (new.directory.to_path_buf(), DIFFERS.to_owned());
        return Err(StoreError::Corrupt { path, detail });
    }
    closed?;
    Ok(copied.amount)
}

/// Copies all rows of an open store.
async fn copy_into(
    new: Place<'_>,
    from: &dyn Engine,
    store: &Path,
    options: &OpenOptions,
    told: &mut impl FnMut(Step),
) -> Result<Sum, StoreError> {
    format_of(from, store).await?;
    let to = new.open(options).await?;
    let copied = copy(from, to.as_ref(), told).await;
    let closed = to.close().await;
    let copied = copied?;
    closed?;
    Ok(copied)
}

/// Removes what an interrupted rewrite of the store has left.
///
/// # Errors
/// `InUse` while a daemon or a rewrite has the store; what the system says.
pub fn remove_leftovers(store: &Path) -> Result<(), StoreError> {
    let _lock = files::claim(store)?;
    remove(&beside(store))
}

fn beside(store: &Path) -> PathBuf {
    store.with_file_name(UNFINISHED)
}

/// Removes a directory, if it is there, with all in it.
pub(super) fn remove(directory: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(directory) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(unreadable(directory, source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes what was made, after a failure: that one is the news, and what cannot be removed now is removed by the next
/// run.
fn take_away(half: &Path) {
    let _ = remove(half);
}

/// Two directories change names in one step, and that is made durable. The new one is taken away if they cannot.
fn exchange(store: &Path, half: &Path) -> Result<(), StoreError> {
    let new = identity(half);
    renameat_with(CWD, half, CWD, store, RenameFlags::EXCHANGE).map_err(|error| {
        // A disk or a network that fails may have done it all the same, and then this name is the old one's.
        if new.is_some() && identity(half) == new {
            take_away(half);
        }
        let source = if matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) {
            io::Error::new(
                io::ErrorKind::Unsupported,
                "its file system cannot exchange directories",
            )
        } else {
            error.into()
        };
        unreadable(store, source)
    })?;
    // The other one is kept then: without a power cut in the next moments this is the store.
    confirm(store)
}

/// What tells a directory from another, whatever its name.
fn identity(directory: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(directory).ok()?;
    Some((found.dev(), found.ino()))
}

/// Makes the name that a store has just got durable.
pub(super) fn confirm(store: &Path) -> Result<(), StoreError> {
    let folder = store.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| StoreError::Unconfirmed { path: store.to_path_buf(), source })
}

/// What has been read: how much, and a checksum of it all in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) amount: Amount,
    checksum: u32,
}

impl Sum {
    pub(super) fn add(&mut self, rows: &[(Key, Value)]) {
        self.amount.add(rows);
        let mut hasher = crc32fast::Hasher::new_with_initial(self.checksum);
        for (key, value) in rows {
            // Lengths too, so that no byte can move between a key and its value.
            hasher.update(&(key.len() as u64).to_be_bytes());
            hasher.update(&(value.len() as u64).to_be_bytes());
            hasher.update(key);
            hasher.update(value);
        }
        self.checksum = hasher.finalize();
    }
}

async fn copy(
    old: &dyn Engine,
    new: &dyn Engine,
    told: &mut impl FnMut(Step),
) -> Result<Sum, StoreError> {
    let (mut sum, mut walk) = (Sum::default(), Walk::new(old, Range::prefix(b"")));
    loop {
        let (mut stretch, mut bytes) = (Vec::new(), 0);
        while bytes < STRETCH_BYTES {
            let rows = walk.next().await?;
            if rows.is_empty() {
                break;
            }
            let rows: Vec<_> = rows.into_iter().filter_map(renewed).collect();
            sum.add(&rows);
            bytes += rows.iter().map(row_bytes).sum::<usize>();
            stretch.extend(rows);
        }
        if stretch.is_empty() {
            return Ok(sum);
        }
        pack::fill(new, stretch).await?;
        told(Step::Copied(sum.amount));
    }
}

/// Reads what was written as the next daemon will, and says whether it is what was to be written.
pub(super) async fn reads_back(
    new: &dyn Engine,
    written: Sum,
    mut told: impl FnMut(Amount),
) -> Result<bool, StoreError> {
    let (mut sum, mut walk) = (Sum::default(), Walk::new(new, Range::prefix(b"")));
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            return Ok(sum == written);
        }
        sum.add(&rows);
        told(sum.amount);
    }
}
