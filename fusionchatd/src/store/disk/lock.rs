//! The lock of a data directory: the file `lock`, held by the operating system for as long as the
//! process lives, with its pid inside for whoever is refused. A file left by a dead process holds
//! nothing. It must be taken before any other file of the directory is touched.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::store::StoreError;

const LOCK_FILE: &str = "lock";

/// The most of a lock file that is read for a pid.
const PID_BYTES_MAX: u64 = 20;

/// The lock, held until dropped.
#[derive(Debug)]
pub(in crate::store) struct DirectoryLock {
    file: File,
}

impl Drop for DirectoryLock {
    /// To close the file would not do where the process has just begun another: until that runs its own program, it has
    /// the file open too, and with it the lock.
    fn drop(&mut self) {
        // If it cannot be unlocked, it ends with the last who has it open.
        let _ = self.file.unlock();
    }
}

impl DirectoryLock {
    /// Takes the lock of `directory` for the process `pid`.
    ///
    /// # Errors
    /// `InUse` if another handle holds it, `Unreadable` if the file cannot be written.
    pub(in crate::store) fn take(directory: &Path, pid: u32) -> Result<Self, StoreError> {
        let path = directory.join(LOCK_FILE);
        let unreadable = |source| StoreError::Unreadable { path: path.clone(), source };
        let in_use = |pid| StoreError::InUse { pid, path: directory.to_path_buf() };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(unreadable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(read_pid(&file))),
            Err(TryLockError::Error(source)) => return Err(unreadable(source)),
        }
        // Whoever copies a store puts another directory in its place, and may have done so since the file was opened.
        if !is_at(&file, &path).map_err(unreadable)? {
            return Err(in_use(None));
        }
        // Only for the text of a refusal: not synced, as no one refuses after a power cut.
        file.set_len(0).and_then(|()| write!(file, "{pid}")).map_err(unreadable)?;
        Ok(Self { file })
    }
}

/// Whether the file still has this name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (held, named) = (file.metadata()?, fs::metadata(path)?);
    Ok((held.dev(), held.ino()) == (named.dev(), named.ino()))
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::{DirectoryLock, is_at};
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
    fn a_lock_ends_when_it_is_let_go_though_a_process_just_begun_has_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::take(directory.path(), 7).unwrap();
        // As a child has it between its beginning and its own program.
        let _theirs = lock.file.try_clone().unwrap();
        drop(lock);
        DirectoryLock::take(directory.path(), 8).unwrap();
    }

    #[test]
    fn the_lock_of_a_directory_that_was_replaced_is_not_at_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = File::create(&path).unwrap();
        assert!(is_at(&held, &path).unwrap());
        std::fs::rename(&path, directory.path().join("old")).unwrap();
        assert!(is_at(&held, &path).is_err(), "nothing is there");
        File::create(&path).unwrap();
        assert!(!is_at(&held, &path).unwrap(), "another is there");
    }

    #[test]
    fn a_held_lock_names_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let _held = DirectoryLock::take(directory.path(), 42).unwrap();
        let refused = DirectoryLock::take(directory.path(), 43);
        assert!(matches!(refused, Err(StoreError::InUse { pid: Some(42), .. })), "{refused:?}");
    }
}
