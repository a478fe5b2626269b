//! Makes a store of a backup, in a data directory that has none. It is made under another name, read back, its journals
//! are held against its rows, and only then it gets the store's name: until that moment there is nothing a daemon would
//! serve, and after it everything. What an interrupted run leaves under [`UNFINISHED`] is removed by the next.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fusionchat_backup::{Fault, Head, Reader};
use uuid::Uuid;

use crate::store::check::{Found, check};
use crate::store::disk::files::{self, sync_directory, unreadable};
use crate::store::migrate::renewed;
use crate::store::open::{DiskEngine, OpenOptions, SCHEMA, format_of, open_locked};
use crate::store::pack::{self, STRETCH_BYTES, row_bytes};
use crate::store::record::{Daemon, Record as _};
use crate::store::rewrite::{Sum, confirm, reads_back, remove};
use crate::store::walk::Amount;
use crate::store::{Engine, Key, StoreError, Value, table};

/// The directory in the data directory where the store is made.
pub const UNFINISHED: &str = "restore.unfinished";

/// How much of the file is read at once.
const READ_BYTES: usize = 1024 * 1024;

/// What is to be restored, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The backup.
    pub file: &'a Path,
    /// The data directory; it is made, or must be empty.
    pub data: &'a Path,
    /// The store's name in it.
    pub store: &'a str,
    /// The engine it is to be of; without it, the one of the store that was backed up.
    pub to: Option<DiskEngine>,
    /// The life that begins: cursors of the old one are answered with a reset.
    pub epoch: Uuid,
    /// Whether rows that do not hold are taken as they are.
    pub despite_faults: bool,
}

/// How far a restore has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So much is written, and so many bytes of the file have been read.
    Restored(Amount, u64),
    /// All is written; the store is about to be made as small as its engine can.
    Compacting,
    /// So much has been read back.
    ReadBack(Amount),
    /// So much has been held against its journals.
    Checked(Amount),
    /// The store is whole and about to get its name.
    Whole,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the backup said of itself.
    pub head: Head,
    /// The engine of the store.
    pub engine: DiskEngine,
    /// The rows.
    pub live: Amount,
    /// What holding them against their journals found.
    pub found: Found,
    /// What the files take, in bytes.
    pub disk_bytes: u64,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file is no whole backup.
    #[error("{}: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A newer daemon made it.
    #[error(
        "{} was made by fusionchatd {made} and has rows of format {found}; this is fusionchatd {own}, \
         which knows formats up to {SCHEMA}: restore it with the newer one", path.display(), made = version.escape_debug()
    )]
    NewerRows {
        /// The file.
        path: PathBuf,
        /// Its format of rows.
        found: u32,
        /// The version that made it.
        version: String,
        /// Ours.
        own: &'static str,
    },
    /// Something is in the directory already.
    #[error("{} is not empty; a backup is restored into an empty or a new directory", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// Another restore works in the directory.
    #[error("another restore is under way in {}", path.display())]
    UnderWay {
        /// The directory.
        path: PathBuf,
    },
    /// The engine is no longer known.
    #[error("the backup is of the engine {engine:?}, which is none of ours; name one with --store")]
    UnknownEngine {
        /// Its name.
        engine: String,
    },
    /// The rows do not hold.
    #[error(
        "{faults} faults in the rows of {}, of which the first: {}; nothing was put in place \
         (--despite-faults takes them as they are)", path.display(), told.join("; ")
    )]
    Faults {
        /// The file.
        path: PathBuf,
        /// How many.
        faults: u64,
        /// The first of them.
        told: Vec<String>,
    },
    /// The store is there, but the disk has not confirmed its name.
    #[error("the store is in place at {}, but the disk did not confirm it: a power cut may undo it; look after the disk", path.display())]
    Unconfirmed {
        /// The store.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The new store cannot be written or read.
    #[error("nothing was restored")]
    Store(#[source] StoreError),
}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        let StoreError::Unconfirmed { path, source } = error else { return Self::Store(error) };
        Self::Unconfirmed { path, source }
    }
}

/// Restores a backup.
///
/// # Errors
/// Any [`RestoreError`]. The directory is then as it was, but for what a failing disk does not let us remove, and but
/// after `Unconfirmed`, when the store is there.
pub async fn restore(
    plan: Plan<'_>,
    options: &OpenOptions,
    mut told: impl FnMut(Step),
) -> Result<Restored, RestoreError> {
    let bad = |fault| RestoreError::File { path: plan.file.to_path_buf(), fault };
    let file = File::open(plan.file).map_err(|error| bad(Fault::Unreadable(error)))?;
    let mut reader = Reader::begin(BufReader::with_capacity(READ_BYTES, file)).map_err(bad)?;
    let head = reader.head().clone();
    if head.schema > SCHEMA {
        let (path, found, version) = (plan.file.to_path_buf(), head.schema, head.version);
        let own = env!("CARGO_PKG_VERSION");
        return Err(RestoreError::NewerRows { path, found, version, own });
    }
    let engine = plan.to.or_else(|| DiskEngine::named(&head.engine));
    let unknown = || RestoreError::UnknownEngine { engine: head.engine.clone() };
    let engine = engine.ok_or_else(unknown)?;
    let claimed = claim(plan.data)?;
    let half = plan.data.join(UNFINISHED);
    remove(&half)?;
    let made = make(&plan, engine, &half, &mut reader, options, &mut told).await;
    let placed = match made {
        Ok(made) => place(&half, &plan, &mut told).map(|()| made),
        Err(error) => Err(error),
    };
    let (live, found) = match placed {
        Ok(made) => made,
        Err(error) => {
            // The refusal is the news; what is left is removed by the next run too.
            let _ = remove(&half);
            return Err(error);
        }
    };
    let disk_bytes = files::bytes_on_disk(&plan.data.join(plan.store));
    // Held to here, so that nobody else restores into the directory.
    drop(claimed);
    Ok(Restored { head, engine, live, found, disk_bytes })
}

/// Makes the data directory if it is not there and takes it for this restore alone; refuses one that holds anything.
fn claim(data: &Path) -> Result<File, RestoreError> {
    files::create(data)?;
    let reading = |source| unreadable(data, source);
    let directory = File::open(data).map_err(reading)?;
    match directory.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(RestoreError::UnderWay { path: data.to_path_buf() });
        }
        Err(TryLockError::Error(source)) => return Err(reading(source).into()),
    }
    for entry in fs::read_dir(data).map_err(reading)? {
        if entry.map_err(reading)?.file_name() != UNFINISHED {
            return Err(RestoreError::NotEmpty { path: data.to_path_buf() });
        }
    }
    Ok(directory)
}

/// Makes the store in `half` and looks at it as a daemon would.
async fn make(
    plan: &Plan<'_>,
    engine: DiskEngine,
    half: &Path,
    reader: &mut Reader<BufReader<File>>,
    options: &OpenOptions,
    told: &mut impl FnMut(Step),
) -> Result<(Amount, Found), RestoreError> {
    let lock = files::claim(half)?;
    let new = open_locked(engine, half, Arc::clone(&lock), options).await?;
    let written = write(plan, new.as_ref(), reader, told).await;
    let closed = new.close().await;
    drop(new);
    let written = written?;
    closed?;
    told(Step::Compacting);
    pack::compact(engine, half).await?;
    let again = open_locked(engine, half, lock, options).await?;
    let found = judge(plan, again.as_ref(), half, written, told).await;
    let closed = again.close().await;
    let found = found?;
    closed?;
    Ok((written.amount, found))
}

async fn write(
    plan: &Plan<'_>,
    new: &dyn Engine,
    reader: &mut Reader<BufReader<File>>,
    told: &mut impl FnMut(Step),
) -> Result<Sum, RestoreError> {
    let bad = |fault| RestoreError::File { path: plan.file.to_path_buf(), fault };
    let (mut sum, mut stretch, mut bytes) = (Sum::default(), Vec::new(), 0);
    while let Some(rows) = reader.next_rows().map_err(bad)? {
        let at = reader.at();
        let rows = rows.into_iter().map(|(key, value)| (Key::from(key), Value::from(value)));
        let rows = rows.filter_map(renewed).map(|row| revived(row, plan.epoch));
        let rows: Option<Vec<_>> = rows.collect();
        let what = "the daemon's own row cannot be read";
        let put = rows.ok_or_else(|| bad(Fault::Damaged { at, what }))?;
        sum.add(&put);
        bytes += put.iter().map(row_bytes).sum::<usize>();
        stretch.extend(put);
        if bytes >= STRETCH_BYTES {
            bytes = 0;
            pack::fill(new, std::mem::take(&mut stretch)).await?;
            told(Step::Restored(sum.amount, at));
        }
    }
    pack::fill(new, stretch).await?;
    told(Step::Restored(sum.amount, reader.at()));
    Ok(sum)
}

/// A row as it is stored: the daemon's own begins another life. `None` if that one cannot be read.
fn revived((key, value): (Key, Value), epoch: Uuid) -> Option<(Key, Value)> {
    if key != table::daemon() {
        return Some((key, value));
    }
    let daemon = Daemon::decode(&key, &value).ok()?;
    Some((key, Daemon { epoch, ..daemon }.encode()))
}

/// Reads the store back and holds its journals against its rows.
async fn judge(
    plan: &Plan<'_>,
    engine: &dyn Engine,
    half: &Path,
    written: Sum,
    told: &mut impl FnMut(Step),
) -> Result<Found, RestoreError> {
    format_of(engine, half).await?;
    if !reads_back(engine, written, |amount| told(Step::ReadBack(amount))).await? {
        let detail = "what was written does not read back".to_owned();
        return Err(StoreError::Corrupt { path: half.to_path_buf(), detail }.into());
    }
    let found = check(engine, |amount| told(Step::Checked(amount))).await?;
    if found.faults == 0 || plan.despite_faults {
        return Ok(found);
    }
    let path = plan.file.to_path_buf();
    Err(RestoreError::Faults { path, faults: found.faults, told: found.told })
}

/// Gives the whole store its name. A directory that is there by now is in the way of that.
fn place(half: &Path, plan: &Plan<'_>, told: &mut impl FnMut(Step)) -> Result<(), RestoreError> {
    sync_directory(half)?;
    told(Step::Whole);
    let store = plan.data.join(plan.store);
    fs::rename(half, &store).map_err(|source| {
        let taken = [io::ErrorKind::DirectoryNotEmpty, io::ErrorKind::AlreadyExists];
        if taken.contains(&source.kind()) {
            return RestoreError::NotEmpty { path: plan.data.to_path_buf() };
        }
        unreadable(&store, source).into()
    })?;
    Ok(confirm(&store)?)
}
