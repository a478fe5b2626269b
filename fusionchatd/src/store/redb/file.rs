//! Opens redb's file. A new one is made under another name and renamed once it is whole and synced, so that a power
//! cut leaves a whole file or none. It must run under the directory's lock.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::redb::{Builder, Database, Error};

use crate::store::StoreError;
use crate::store::disk::files::{
    DATA_OF_REDB, panic_text, sync_directory, sync_directory_and_parent, unreadable,
};
use crate::store::redb::ROWS;

/// What redb may keep of the data in memory, in bytes.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The file holds customers' messages: for its owner alone.
const FILE_MODE: u32 = 0o600;

/// The most rounds of making a file smaller; the first does nearly all there is to do.
const COMPACTIONS_MAX: usize = 4;

/// A file that is being made; it is nobody's data yet.
const HALF_MADE: &str = "rows.redb.new";

/// Opens or creates the data in `directory`; with `verify` every page of it is read and checked.
///
/// # Errors
/// `Unreadable`, `Corrupt`, or `InUse` by a program that does not know our lock.
pub(super) fn open(directory: &Path, verify: bool) -> Result<Database, StoreError> {
    let path = directory.join(DATA_OF_REDB);
    if !path.exists() {
        create(directory)?;
    }
    let database = opened(directory, || {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(verify);
        Ok(builder.open(&path)?)
    })?;
    sync_directory_and_parent(directory)?;
    Ok(database)
}

/// Makes the file as small as it can be.
pub(super) fn compact(directory: &Path) -> Result<(), StoreError> {
    let mut database = open(directory, false)?;
    for _ in 0..COMPACTIONS_MAX {
        if !database.compact().map_err(|error| store_error(directory, error))? {
            break;
        }
    }
    database.close().map_err(|error| store_error(directory, error))
}

fn create(directory: &Path) -> Result<(), StoreError> {
    let half = directory.join(HALF_MADE);
    match fs::remove_file(&half) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(unreadable(&half, source));
        }
        Ok(()) | Err(_) => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true).mode(FILE_MODE);
    options.open(&half).map_err(|source| unreadable(&half, source))?;
    opened(directory, || {
        let database = Builder::new().create(&half)?;
        let writing = database.begin_write()?;
        writing.open_table(ROWS)?;
        writing.commit()?;
        Ok(database.close()?)
    })?;
    let sync = File::open(&half).and_then(|file| file.sync_all());
    sync.map_err(|source| unreadable(&half, source))?;
    let path = directory.join(DATA_OF_REDB);
    fs::rename(&half, &path).map_err(|source| unreadable(&path, source))?;
    sync_directory(directory)
}

/// Runs an opening; redb panics rather than open some kinds of damage.
fn opened<T>(directory: &Path, open: impl FnOnce() -> Result<T, Error>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(|error| store_error(directory, error)),
        Err(panic) => {
            let (path, detail) = (directory.to_path_buf(), panic_text(panic.as_ref()));
            Err(StoreError::Corrupt { path, detail })
        }
    }
}

/// Tells an error of redb in the store's words.
pub(super) fn store_error(directory: &Path, error: impl Into<Error>) -> StoreError {
    let (path, error) = (directory.to_path_buf(), error.into());
    if matches!(error, Error::DatabaseAlreadyOpen) {
        return StoreError::InUse { pid: None, path };
    }
    if matches!(error, Error::PreviousIo) {
        return StoreError::Failed { detail: error.to_string() };
    }
    let detail = error.to_string();
    if let Error::Io(source) = error
        && !is_damage(&source)
    {
        return StoreError::Unreadable { path, source };
    }
    StoreError::Corrupt { path, detail }
}

/// Whether a read error means that the file is too short or makes no sense.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}
