//! The tree with values in place of raw rows: joins split values, hides their chunks and names the
//! directory in every error. It must not write but rows of a new store.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ::sled::{Db, Error, IVec};
use bytes::Bytes;

use crate::store::sled::tip::TIP_KEY;
use crate::store::sled::value::{self, Row, Split};
use crate::store::{Key, RESERVED_PREFIX, StoreError, Value};

/// A handle on the tree, cheap to clone.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) db: Db,
    pub(super) directory: Arc<Path>,
}

/// A value and where its chunks lie, if it is split.
pub(super) struct Stored {
    pub(super) value: Value,
    pub(super) split: Option<Split>,
}

impl Rows {
    /// Reads one value.
    pub(super) fn read(&self, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        match self.db.get(key).map_err(|error| self.error(error))? {
            Some(row) => self.join(&row).map(Some),
            None => Ok(None),
        }
    }

    /// Shows one value, if it is there; one in a single row is not copied.
    pub(super) fn see(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        match self.db.get(key).map_err(|error| self.error(error))? {
            Some(row) => self.show(&row, see),
            None => Ok(()),
        }
    }

    /// Shows the first rows from `start` to before `end`, at most `limit` of them, as [`Self::see`] does.
    pub(super) fn see_range(
        &self,
        start: &[u8],
        end: &[u8],
        limit: u32,
        see: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        for row in self.db.range(start..end).take(usize::try_from(limit).unwrap_or(usize::MAX)) {
            let (key, row) = row.map_err(|error| self.error(error))?;
            self.show(&row, &mut |value| see(&key, value))?;
        }
        Ok(())
    }

    fn show(&self, row: &IVec, see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        match value::decode(row) {
            Some(Row::Inline(value)) => see(value),
            Some(Row::Split(_)) | None => see(&self.join(row)?.value),
        }
        Ok(())
    }

    /// Writes a row as it lies in the tree; it is on disk with the next group.
    ///
    /// # Errors
    /// `Failed`, as for a group that cannot be written.
    pub(super) fn put(&self, key: &[u8], row: Vec<u8>) -> Result<(), StoreError> {
        self.db.insert(key, row).map(drop).map_err(|error| write_error(&error))
    }

    /// Hands sled's buffers to the system.
    ///
    /// # Errors
    /// The same.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map(drop).map_err(|error| write_error(&error))
    }

    /// Steps through the rows from `start` to before `end`, from either end, but for those that `hidden` names: a
    /// group being applied may take away their chunks between the look at a row and the look at its chunks.
    pub(super) fn iter(
        &self,
        start: &[u8],
        end: &[u8],
        hidden: impl Fn(&[u8]) -> bool,
    ) -> impl DoubleEndedIterator<Item = Result<(Key, Value), StoreError>> {
        self.db.range(start..end).filter_map(move |row| match row {
            Ok((key, _)) if hidden(&key) => None,
            Ok((key, row)) => {
                let joined = self.join(&row);
                Some(joined.map(|stored| (Bytes::copy_from_slice(&key), stored.value)))
            }
            Err(error) => Some(Err(self.error(error))),
        })
    }

    /// How many groups the log holds.
    pub(super) fn groups(&self) -> Result<u64, StoreError> {
        let Some(row) = self.db.get(TIP_KEY).map_err(|error| self.error(error))? else {
            return Ok(0);
        };
        let count = <[u8; 8]>::try_from(row.as_ref());
        count.map(u64::from_be_bytes).map_err(|_| self.corrupt("the count of groups is no number"))
    }

    /// The first generation that no chunk has used.
    pub(super) fn free_generation(&self) -> Result<u64, StoreError> {
        let last = self.db.range([RESERVED_PREFIX].as_slice()..).next_back();
        let Some((key, _)) = last.transpose().map_err(|error| self.error(error))? else {
            return Ok(0);
        };
        if key == TIP_KEY {
            return Ok(0);
        }
        let next = value::generation_of(&key).and_then(|generation| generation.checked_add(1));
        next.ok_or_else(|| self.corrupt("a chunk has a key of unknown form"))
    }

    // Values are copied out: a row of sled may be a slice of a whole page, which a reader that
    // keeps the value would keep in memory.
    fn join(&self, row: &IVec) -> Result<Stored, StoreError> {
        match value::decode(row) {
            Some(Row::Inline(value)) => {
                Ok(Stored { value: Bytes::copy_from_slice(value), split: None })
            }
            Some(Row::Split(split)) => {
                let mut value = Vec::new();
                for key in split.chunk_keys() {
                    let chunk = self.db.get(key).map_err(|error| self.error(error))?;
                    let chunk = chunk.ok_or_else(|| self.corrupt("a chunk is missing"))?;
                    value.extend_from_slice(&chunk);
                }
                if u32::try_from(value.len()).ok() != Some(split.value_bytes) {
                    return Err(self.corrupt("a split value has the wrong length"));
                }
                Ok(Stored { value: value.into(), split: Some(split) })
            }
            None => Err(self.corrupt("a row has an unknown form")),
        }
    }

    fn corrupt(&self, detail: &str) -> StoreError {
        StoreError::Corrupt { path: self.directory.to_path_buf(), detail: detail.to_owned() }
    }

    fn error(&self, error: Error) -> StoreError {
        store_error(&self.directory, error)
    }
}

/// Whether the system's error comes of what sled read before: a place or a file that is not there,
/// or bytes that make no sense. An open store's own files are there.
pub(super) fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotFound
    )
}

/// Tells an error of writing in the store's words: whatever the reason, what is written is of no use then.
fn write_error(error: &Error) -> StoreError {
    StoreError::Failed { detail: error.to_string() }
}

/// Tells a read error of sled in the store's words.
pub(super) fn store_error(directory: &Path, error: Error) -> StoreError {
    let path = directory.to_path_buf();
    match error {
        Error::Io(source) if !is_damage(&source) => StoreError::Unreadable { path, source },
        Error::Io(_)
        | Error::CollectionNotFound(_)
        | Error::Unsupported(_)
        | Error::ReportableBug(_)
        | Error::Corruption { .. } => StoreError::Corrupt { path, detail: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use ::sled::Error;

    use super::store_error;
    use crate::store::StoreError;

    #[test]
    fn fault_45_what_a_changed_byte_points_to_is_damage_and_a_failing_disk_is_not() {
        let told = |error: io::Error| store_error(Path::new("data"), Error::Io(error));
        let enoent = io::Error::from_raw_os_error(2);
        let einval = io::Error::from_raw_os_error(22);
        for error in [enoent, einval, io::ErrorKind::UnexpectedEof.into()] {
            let told = told(error);
            assert!(matches!(told, StoreError::Corrupt { .. }), "{told:?}");
            assert!(told.to_string().contains("restore the latest backup"), "{told}");
        }
        let told = told(io::Error::from_raw_os_error(5));
        assert!(matches!(told, StoreError::Unreadable { .. }), "{told:?}");
    }
}
