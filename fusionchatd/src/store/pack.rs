//! Fills a new store and makes its files small. What an engine has to do for that is the engine's own; it must not be
//! done to a store that anybody serves.

use std::path::Path;

use crate::store::open::DiskEngine;
use crate::store::redb::RedbEngine;
use crate::store::{Batch, Engine, Key, StoreError, Value, check_row};

/// About how many bytes of rows are written at a time, and are in memory meanwhile.
pub(super) const STRETCH_BYTES: usize = 2 * 1024 * 1024;

/// Writes rows that come in the order of their keys, a stretch of them at a time. They are on disk when this returns.
///
/// # Errors
/// Those of a commit. The store is of no use then.
pub(super) async fn fill(
    new: &dyn Engine,
    mut stretch: Vec<(Key, Value)>,
) -> Result<(), StoreError> {
    stretch.iter().try_for_each(|(key, value)| check_row(key, value.len()))?;
    let Some(last) = stretch.pop() else { return Ok(()) };
    new.append(stretch).await?;
    new.commit(Batch { put: vec![last], ..Batch::default() }).await
}

/// Makes the files of a store that was filled, and is closed, as small as its engine can. The caller holds its lock.
///
/// # Errors
/// Those of opening it.
pub(super) async fn compact(engine: DiskEngine, directory: &Path) -> Result<(), StoreError> {
    match engine {
        // Its segments keep their places.
        DiskEngine::Sled => Ok(()),
        DiskEngine::Redb => RedbEngine::compact(directory).await,
    }
}

pub(super) fn row_bytes((key, value): &(Key, Value)) -> usize {
    key.len() + value.len()
}
