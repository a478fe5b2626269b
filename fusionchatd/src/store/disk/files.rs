//! Directories of engines: private, durable, and each of one engine. It must not know more of
//! an engine than the names of its files.

use std::any::Any;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use crate::store::StoreError;
use crate::store::disk::lock::DirectoryLock;
use crate::store::open::DiskEngine;

/// The data directory holds customers' messages: for its owner alone.
const DIRECTORY_MODE: u32 = 0o700;

/// The files by which a directory of sled's is known, from its first moment on.
const DATA_OF_SLED: [&str; 2] = ["conf", "db"];

/// The file of redb's data.
pub(in crate::store) const DATA_OF_REDB: &str = "rows.redb";

/// Whose data lies in a directory; `None` if nobody's.
///
/// # Errors
/// `Corrupt` if two engines have data there; `Unreadable` if that cannot be told.
pub(in crate::store) fn engine_of(directory: &Path) -> Result<Option<DiskEngine>, StoreError> {
    let mut sled = false;
    for name in DATA_OF_SLED {
        sled |= is_named(&directory.join(name))?;
    }
    match (sled, is_named(&directory.join(DATA_OF_REDB))?) {
        (false, false) => Ok(None),
        (true, false) => Ok(Some(DiskEngine::Sled)),
        (false, true) => Ok(Some(DiskEngine::Redb)),
        (true, true) => {
            let detail = "it holds the files of two engines".to_owned();
            Err(StoreError::Corrupt { path: directory.to_path_buf(), detail })
        }
    }
}

/// Whether something has this name, also a link to what is not there: only where nothing has, something new may be
/// made.
///
/// # Errors
/// `Unreadable` if the system cannot tell.
pub(in crate::store) fn is_named(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(unreadable(path, source)),
    }
}

/// Makes the directory if it is not there, and takes its lock.
///
/// # Errors
/// `InUse` or `Unreadable`.
pub(in crate::store) fn claim(directory: &Path) -> Result<Arc<DirectoryLock>, StoreError> {
    create(directory)?;
    DirectoryLock::take(directory, std::process::id()).map(Arc::new)
}

/// What the files of a data directory take on disk, in bytes.
pub(in crate::store) fn bytes_on_disk(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}

/// The text of a caught panic, or of the error it was made of.
pub(in crate::store) fn panic_text(panic: &(dyn Any + Send)) -> String {
    if let Some(error) = panic.downcast_ref::<io::Error>() {
        return error.to_string();
    }
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without text").to_owned()
}

/// Creates the directory and makes each new level of it durable.
///
/// # Errors
/// `Unreadable`.
pub(crate) fn create(directory: &Path) -> Result<(), StoreError> {
    let missing: Vec<&Path> = directory
        .ancestors()
        .take_while(|level| !level.as_os_str().is_empty() && !level.exists())
        .collect();
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory)
        .map_err(|source| unreadable(directory, source))?;
    missing.into_iter().try_for_each(sync_parent)
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// Makes the names in a directory durable, and its own name.
pub(in crate::store) fn sync_directory_and_parent(directory: &Path) -> Result<(), StoreError> {
    sync_directory(directory)?;
    sync_parent(directory)
}

/// Makes the name of a directory durable.
fn sync_parent(directory: &Path) -> Result<(), StoreError> {
    match sync_directory(parent_of(directory)) {
        // Whoever made the directory in a parent that we may not read has to vouch for it.
        Err(StoreError::Unreadable { source, .. })
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Makes the names in a directory durable.
pub(in crate::store) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .map_err(|source| unreadable(directory, source))
}

pub(in crate::store) fn unreadable(path: &Path, source: io::Error) -> StoreError {
    StoreError::Unreadable { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::parent_of;

    #[test]
    fn every_directory_has_a_parent_to_sync() {
        assert_eq!(parent_of(Path::new("data")), Path::new("."));
        assert_eq!(parent_of(Path::new("/var/data")), Path::new("/var"));
        assert_eq!(parent_of(Path::new("/")), Path::new("/"));
    }
}
