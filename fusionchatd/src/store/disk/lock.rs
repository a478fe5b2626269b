//! The lock of a data directory: the file `lock`, held by the operating system for as long as the
//! process lives, with its pid inside for whoever is refused. A file left by a dead process holds
//! nothing. It must be taken before any other file of the directory is touched.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::store::StoreError;

const LOCK_FILE: &str = "lock";

/// The most of a lock file that is read for a pid.
const PID_BYTES_MAX: u64 = 20;

/// The lock, held until dropped.
#[derive(Debug)]
pub(in crate::store) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of `directory` for the process `pid`.
    ///
    /// # Errors
    /// `InUse` if another handle holds it, `Unreadable` if the file cannot be written.
    pub(in crate::store) fn take(directory: &Path, pid: u32) -> Result<Self, StoreError> {
        let path = directory.join(LOCK_FILE);
        let unreadable = |source| StoreError::Unreadable { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(unreadable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse {
                    pid: read_pid(&file),
                    path: directory.to_path_buf(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(unreadable(source)),
        }
        // Only for the text of a refusal: not synced, as no one refuses after a power cut.
        file.set_len(0).and_then(|()| write!(file, "{pid}")).map_err(unreadable)?;
        Ok(Self { _file: file })
    }
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::DirectoryLock;
    use crate::store::StoreError;

    #[test]
    fn the_lock_of_a_dead_process_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("lock"), "4194304999").unwrap();
        let lock = DirectoryLock::take(directory.path(), 7).unwrap();
        assert_eq!(std::fs::read(directory.path().join("lock")).unwrap(), b"7");
        drop(lock);
        DirectoryLock::take(directory.path(), 8).unwrap();
    }

    #[test]
    fn a_held_lock_names_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let _held = DirectoryLock::take(directory.path(), 42).unwrap();
        let refused = DirectoryLock::take(directory.path(), 43);
        assert!(matches!(refused, Err(StoreError::InUse { pid: Some(42), .. })), "{refused:?}");
    }
}
