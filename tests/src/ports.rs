//! Free ports stay free for whom they were: a daemon that is killed and started again wants the ports it had, and no
//! other daemon of any test run on this machine may take them meanwhile. One lock file says so to all of them.

use std::fs::{File, OpenOptions};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};

/// A daemon looks for free ports: shared, so that many may look at once.
pub(crate) struct Ports(#[expect(dead_code, reason = "closing the file ends the lock")] File);

/// A daemon is down and will want its ports again: nobody looks meanwhile.
pub(crate) struct PortsDown(#[expect(dead_code, reason = "closing the file ends the lock")] File);

impl Ports {
    pub(crate) async fn looking() -> Result<Self> {
        Ok(Self(locked(FlockOperation::LockShared).await?))
    }

    pub(crate) async fn down() -> Result<PortsDown> {
        Ok(PortsDown(locked(FlockOperation::LockExclusive).await?))
    }
}

async fn locked(how: FlockOperation) -> Result<File> {
    let path = std::env::temp_dir().join("fusionchat-tests.lock");
    let task = tokio::task::spawn_blocking(move || {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("opening {}", path.display()))?;
        flock(&file, how)?;
        Ok(file)
    });
    task.await?
}
