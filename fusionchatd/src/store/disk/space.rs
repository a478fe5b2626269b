//! Watches the free space of the disk, so that writes stop while the engine can still write. It must not
//! decide anything else.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::StoreError;
use crate::store::open::OpenOptions;

/// Tells the free bytes of the disk that holds a directory.
pub type DiskProbe = Arc<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// The bytes an unprivileged process can still write to the disk that holds `directory`.
///
/// # Errors
/// What the operating system says of the directory.
pub fn free_disk_bytes(directory: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(directory)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether an error says that the disk, or what its user may have of it, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What to do where a file cannot be used for this reason, as the end of a sentence; nothing where the reason says it.
pub(in crate::store) fn remedy(reason: &io::Error) -> &'static str {
    if is_full(reason) {
        return "; make room on its disk, more than the 256 MB that must stay free, and try again";
    }
    let fails = reason.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
    if fails || reason.kind() == io::ErrorKind::ReadOnlyFilesystem {
        return "; look after its disk";
    }
    if reason.kind() == io::ErrorKind::Unsupported {
        return "";
    }
    "; check that it exists, its owner and its permissions"
}

/// How many bytes are free and must stay free.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Shortage {
    free: u64,
    need: u64,
}

impl From<Shortage> for StoreError {
    fn from(shortage: Shortage) -> Self {
        Self::DiskFull { free: shortage.free, need: shortage.need }
    }
}

/// The guard of one data directory.
pub(in crate::store) struct Space {
    directory: Arc<Path>,
    reserve_bytes: u64,
    probe: DiskProbe,
    refusing: Arc<AtomicBool>,
}

impl Space {
    /// `refusing` tells others whether writes are refused.
    pub(super) fn new(
        directory: Arc<Path>,
        options: &OpenOptions,
        refusing: Arc<AtomicBool>,
    ) -> Self {
        Self {
            directory,
            reserve_bytes: options.disk_reserve_bytes,
            probe: Arc::clone(&options.disk_probe),
            refusing,
        }
    }

    /// Whether writes may go on; says so in the log each time the answer turns. A disk that does
    /// not answer counts as full.
    pub(in crate::store) fn check(&mut self) -> Result<(), Shortage> {
        let (free, error) = match (self.probe)(&self.directory) {
            Ok(free) => (free, None),
            Err(error) => (0, Some(error)),
        };
        let need = self.reserve_bytes;
        let full = error.is_some() || free < need;
        let refused = self.refusing.swap(full, Ordering::Relaxed);
        if full && !refused {
            let error = error.map(tracing::field::display);
            tracing::error!(free, need, error, "free disk below the reserve: no writes");
        } else if !full && refused {
            tracing::info!(free, need, "free disk above the reserve again: writes resume");
        }
        if full { Err(Shortage { free, need }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::free_disk_bytes;

    #[test]
    fn the_probe_reads_a_disk() {
        let directory = tempfile::tempdir().unwrap();
        assert!(free_disk_bytes(directory.path()).unwrap() > 0);
        assert!(free_disk_bytes(&directory.path().join("absent")).is_err());
    }
}
