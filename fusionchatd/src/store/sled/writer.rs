//! How a group becomes one batch of sled, is synced and shown. It must not answer anybody.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ::sled::Batch as SledBatch;

use crate::store::disk::group::Group;
use crate::store::disk::writer::Back;
use crate::store::sled::rows::Rows;
use crate::store::sled::tip::Tip;
use crate::store::sled::value::{self, Split};
use crate::store::sled::{Shared, directory};
use crate::store::{StoreError, Value};

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
    generation: u64,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        rows: Rows,
        data_file: File,
        tip: Tip,
        generation: u64,
    ) -> Self {
        Self { shared, rows, data_file, tip, generation }
    }

    /// The group as one sled batch, which counts the generation up for every split value.
    fn batch_of(&mut self, group: Group<Option<Split>>) -> SledBatch {
        let mut batch = SledBatch::default();
        for change in group.into_changes() {
            if let Some(split) = change.before.flatten() {
                value::remove_chunks(&mut batch, split);
            }
            match change.now {
                Some(value) => value::insert(&mut batch, &change.key, &value, || {
                    self.generation += 1;
                    self.generation - 1
                }),
                None => batch.remove(change.key.as_ref()),
            }
        }
        self.tip.count(&mut batch);
        batch
    }

    /// Hands sled's buffers to the system, then makes the system put them on disk.
    fn sync(&self) -> Result<(), String> {
        self.rows.db.flush().map_err(|error| error.to_string())?;
        self.data_file.sync_data().map_err(|error| error.to_string())
    }
}

impl Back for Writer {
    /// Where the chunks of the value lie, if it is split.
    type Mark = Option<Split>;

    fn read(&self, key: &[u8]) -> Result<Option<(Value, Self::Mark)>, StoreError> {
        Ok(self.rows.read(key)?.map(|stored| (stored.value, stored.split)))
    }

    fn write(&mut self, group: Group<Self::Mark>) -> Result<(), String> {
        self.shared.hide(group.before());
        let batch = self.batch_of(group);
        self.rows.db.apply_batch(batch).map_err(|error| error.to_string())?;
        self.shared.applied();
        self.sync()?;
        self.shared.show();
        self.tip.note_if_due().map_err(|error| error.to_string())
    }

    fn idle(&mut self) -> Result<(), String> {
        self.tip.note().map_err(|error| error.to_string())
    }

    fn release(mut self) -> Result<(), String> {
        self.sync()?;
        self.tip.note().map_err(|error| error.to_string())?;
        self.shared.forget_rows();
        let Self { rows, data_file, .. } = self;
        let directory = Arc::clone(&rows.directory);
        drop(rows);
        drop(data_file);
        // Dropping the tree flushes it; what that wrote is a copy of what is synced already. Its
        // threads may hold the file, and sled's own lock on it, a little longer.
        wait_for_release(&directory).map_err(|error| error.to_string())
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
