//! The one thread that writes: it gathers what waits, writes it as one batch, syncs once and only
//! then answers. After a failed write or sync it never writes again.

use std::fs::{File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::store::StoreError;
use crate::store::sled::Shared;
use crate::store::sled::directory;
use crate::store::sled::disk::Disk;
use crate::store::sled::group::Group;
use crate::store::sled::queue::{Job, Next};
use crate::store::sled::rows::Rows;
use crate::store::sled::tip::Tip;

/// How often an idle writer looks at the free disk and notes how far the log reaches.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a closing writer waits for sled's threads to let go of the data file: this often, this
/// long.
const RELEASE_CHECKS_MAX: u32 = 1000;
const RELEASE_CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// The state of the writing thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    rows: Rows,
    data_file: File,
    tip: Tip,
    disk: Disk,
    generation: u64,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        rows: Rows,
        data_file: File,
        tip: Tip,
        disk: Disk,
    ) -> Result<Self, StoreError> {
        let generation = rows.free_generation()?;
        Ok(Self { shared, rows, data_file, tip, disk, generation })
    }

    /// Writes until the queue is closed or a write fails.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        // sled can panic on damage; that must fail the engine, not leave callers waiting.
        let served = catch_unwind(AssertUnwindSafe(|| self.serve()));
        let served = served.unwrap_or_else(|panic| Err(directory::panic_text(panic.as_ref())));
        let released = served.and_then(|()| self.release());
        if let Err(detail) = released {
            tracing::error!(detail, "the store failed; the daemon must stop");
            shared.fail(detail);
        }
        shared.end();
    }

    fn serve(&mut self) -> Result<(), String> {
        loop {
            match self.shared.queue.next(IDLE_INTERVAL) {
                Next::Group(jobs) => self.write_group(jobs)?,
                // For the log: each group looks for itself.
                Next::Idle => {
                    let _ = self.disk.check();
                    self.tip.note().map_err(|error| error.to_string())?;
                }
                Next::Closed => return Ok(()),
            }
        }
    }

    /// Writes one group and answers it; the error is of the engine, no longer of a batch.
    fn write_group(&mut self, jobs: Vec<Job>) -> Result<(), String> {
        let room = self.disk.check();
        let mut group = Group::default();
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            let room = room.map_err(StoreError::from);
            let verdict = room.and_then(|()| group.admit(&self.rows, job.batch));
            answers.push((job.answer, verdict));
        }
        if !group.is_read_only() {
            // Without a word the answers are dropped, and their callers find the engine failed.
            self.write(group)?;
        }
        for (answer, verdict) in answers {
            // A caller that has gone away does not need it.
            let _ = answer.send(verdict);
        }
        Ok(())
    }

    fn write(&mut self, group: Group) -> Result<(), String> {
        self.shared.hide(group.before());
        let mut batch = group.into_batch(&mut self.generation);
        self.tip.count(&mut batch);
        self.rows.db.apply_batch(batch).map_err(|error| error.to_string())?;
        self.shared.applied();
        self.sync()?;
        self.shared.show();
        self.tip.note_if_due().map_err(|error| error.to_string())
    }

    /// Hands sled's buffers to the system, then makes the system put them on disk.
    fn sync(&self) -> Result<(), String> {
        self.rows.db.flush().map_err(|error| error.to_string())?;
        self.data_file.sync_data().map_err(|error| error.to_string())
    }

    /// Lets go of the data, so that it can be opened again.
    fn release(mut self) -> Result<(), String> {
        self.sync()?;
        self.tip.note().map_err(|error| error.to_string())?;
        self.shared.forget_rows();
        let Self { shared, rows, data_file, .. } = self;
        let directory = Arc::clone(&rows.directory);
        drop(rows);
        drop(data_file);
        // Dropping the tree flushes it; what that wrote is a copy of what is synced already. Its
        // threads may hold the file, and sled's own lock on it, a little longer.
        wait_for_release(&directory).map_err(|error| error.to_string())?;
        shared.unlock();
        Ok(())
    }
}

fn wait_for_release(directory: &Path) -> io::Result<()> {
    let data_file = directory::open_data_file(directory)?;
    for _ in 0..RELEASE_CHECKS_MAX {
        match data_file.try_lock() {
            Ok(()) => return data_file.sync_all(),
            Err(TryLockError::WouldBlock) => thread::sleep(RELEASE_CHECK_INTERVAL),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::other("sled did not let go of its data file"))
}
