//! Opens redb's file. A new one is made under another name and renamed once it is whole and synced, so that a power
//! cut leaves a whole file or none. It must run under the directory's lock.

use std::any::Any;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::redb::{Builder, Database, Error, StorageBackend};

use crate::store::StoreError;
use crate::store::disk::files::{
    DATA_OF_REDB, is_named, panic_text, sync_directory, sync_directory_and_parent, unreadable,
};
use crate::store::redb::ROWS;
use crate::store::redb::pages::{self, HEADER_MAX, LAYOUT, Layout, PAGE, Pages};

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
/// `Unreadable`, `Corrupt`, `NewerSchema`, or `InUse` by a program that does not know our lock.
pub(super) fn open(directory: &Path, verify: bool) -> Result<Database, StoreError> {
    let path = directory.join(DATA_OF_REDB);
    if !is_named(&path)? {
        create(directory)?;
    }
    let mut file = locked(directory, &path)?;
    match pages::layout_of(&file).map_err(|error| store_error(directory, error))? {
        Layout::Checked => {}
        Layout::Newer(found) => return Err(StoreError::NewerSchema { found, known: LAYOUT }),
        Layout::Plain => {
            drop(file);
            adopt(directory, &path)?;
            file = locked(directory, &path)?;
        }
    }
    let database = opened(directory, || {
        let pages = Pages::open(file)?;
        if pages.len()? == 0 {
            return Err(Error::Corrupted("there is nothing after its first page".to_owned()));
        }
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(verify);
        Ok(builder.create_with_backend(pages)?)
    })?;
    sync_directory_and_parent(directory)?;
    Ok(database)
}

/// Opens the file and takes redb's own lock on it, which goes with the file.
fn locked(directory: &Path, path: &Path) -> Result<File, StoreError> {
    let file = File::options().read(true).write(true).open(path);
    let file = file.map_err(|source| unreadable(path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::InUse { pid: None, path: directory.to_path_buf() })
        }
        Err(TryLockError::Error(source)) => Err(unreadable(path, source)),
    }
}

/// Makes the file as small as it can be.
pub(super) fn compact(directory: &Path) -> Result<(), StoreError> {
    let mut database = open(directory, false)?;
    written(move || {
        for _ in 0..COMPACTIONS_MAX {
            if !database.compact()? {
                break;
            }
        }
        Ok(database.close()?)
    })
}

fn create(directory: &Path) -> Result<(), StoreError> {
    put_in_place(directory, |file| {
        let database = Builder::new().create_with_backend(Pages::create(file)?)?;
        let writing = database.begin_write()?;
        writing.open_table(ROWS)?;
        writing.commit()?;
        Ok(database.close()?)
    })
}

/// Gives a file without checksums of its pages the ones it should have, once redb has found each page of it sound.
fn adopt(directory: &Path, path: &Path) -> Result<(), StoreError> {
    opened(directory, || {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        Ok(builder.open(path)?.close()?)
    })?;
    let plain = locked(directory, path)?;
    put_in_place(directory, |file| {
        let length = plain.metadata()?.len();
        let pages = Pages::create(file)?;
        pages.set_len(length)?;
        let mut page = [0; PAGE];
        for offset in (0..length).step_by(PAGE) {
            plain.read_exact_at(&mut page, offset)?;
            let used = if offset == 0 { page.get(..HEADER_MAX) } else { None };
            pages.write(offset, used.unwrap_or(&page))?;
        }
        Ok(pages.sync_data()?)
    })
}

/// Has a file made under another name, and renames it once it is whole and synced.
fn put_in_place(
    directory: &Path,
    make: impl FnOnce(File) -> Result<(), Error>,
) -> Result<(), StoreError> {
    let half = directory.join(HALF_MADE);
    remove(&half)?;
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(FILE_MODE);
    let file = options.open(&half).map_err(|source| unreadable(&half, source))?;
    if let Err(error) = opened(directory, || make(file)) {
        // It may be what fills the disk; the error that was met first counts.
        let _ = remove(&half);
        return Err(error);
    }
    let sync = File::open(&half).and_then(|file| file.sync_all());
    sync.map_err(|source| unreadable(&half, source))?;
    let path = directory.join(DATA_OF_REDB);
    fs::rename(&half, &path).map_err(|source| unreadable(&path, source))?;
    sync_directory(directory)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(unreadable(path, source)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Runs an opening; redb panics rather than open some kinds of damage.
fn opened<T>(directory: &Path, open: impl FnOnce() -> Result<T, Error>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(|error| store_error(directory, error)),
        Err(panic) => Err(panic_error(directory, panic)),
    }
}

/// Runs a writing of rows that nobody reads yet. Whatever it fails of, they are of no use then.
pub(super) fn written<T>(write: impl FnOnce() -> Result<T, Error>) -> Result<T, StoreError> {
    let detail = match catch_unwind(AssertUnwindSafe(write)) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic_text(panic.as_ref()),
    };
    Err(StoreError::Failed { detail })
}

/// Tells a panic out of redb in the store's words: a page that could not be read (`pages`), or damage of another kind.
pub(super) fn panic_error(directory: &Path, panic: Box<dyn Any + Send>) -> StoreError {
    match panic.downcast::<io::Error>() {
        Ok(error) => store_error(directory, *error),
        Err(panic) => {
            let (path, detail) = (directory.to_path_buf(), panic_text(panic.as_ref()));
            StoreError::Corrupt { path, detail }
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
