//! The storage floor: bytes in order, behind one trait that every engine implements.
//!
//! - [`Reads`]: point reads and range scans; [`snapshot`]: many of them in one call.
//! - [`Engine`]: those, and an all-or-nothing compare-and-set commit.
//! - [`open`]: picks the engine by URL and checks the format number of the data.
//! - [`memory`]: a map, for tests and throw-away runs.
//! - [`sled`]: the default engine on disk, and the only place that knows how to use it safely.
//! - [`redb`]: the other engine on disk.
//! - [`moment`]: all rows as they were at one moment, read while commits go on.
//! - [`migrate`]: rows of an older format, brought to this program's.
//! - [`walk`], [`check`], [`rewrite`], [`restore`]: all rows, one after another: read, judged, copied into a new
//!   directory, or taken from a backup.
//! - [`disk`]: what both have in common: the lock, the queue, the groups, the one writer.
//!
//! Nothing here knows what the bytes mean: no rule, no actor, no clock. An engine acknowledges a
//! commit only when it would survive a power cut, and a read never shows what is not yet that safe.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::watch;

use disk::space;

pub mod check;
#[cfg(test)]
mod check_test;
#[cfg(test)]
pub(crate) mod conformance;
pub mod disk;
#[cfg(test)]
mod kill_test;
pub mod memory;
pub mod migrate;
#[cfg(test)]
mod migrate_test;
#[cfg(test)]
mod model_test;
pub mod moment;
#[cfg(test)]
mod moment_test;
pub mod open;
mod pack;
#[cfg(test)]
mod pack_test;
pub mod record;
pub mod redb;
pub mod restore;
#[cfg(test)]
mod restore_test;
pub mod rewrite;
#[cfg(test)]
mod rewrite_test;
pub mod sled;
pub mod snapshot;
#[cfg(test)]
mod snapshot_test;
#[cfg(test)]
pub(crate) mod suite;
pub mod table;
pub mod walk;

use moment::Moment;
use open::DiskEngine;

/// The name of a row. Engines order rows by the bytes of their keys.
pub type Key = Bytes;

/// The content of a row.
pub type Value = Bytes;

/// The longest key, in bytes. Keeps an index page of the sled engine within a quarter of a segment.
pub const KEY_BYTES_MAX: usize = 1024;

/// The longest value, in bytes. Engines split longer rows as they need, up to here.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;

/// The most a single batch may carry, in bytes of all its keys and values.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Keys that begin with this byte belong to the engine itself: no caller can write or see them.
pub const RESERVED_PREFIX: u8 = 0xFF;

/// One atomic change: written whole, if every expectation holds, or not at all.
///
/// Puts happen in order and before deletes; the last word on a key wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Rows that must hold exactly this value, or be absent (`None`), for the batch to be written.
    pub expect: Vec<(Key, Option<Value>)>,
    /// Rows to write, replacing what is there.
    pub put: Vec<(Key, Value)>,
    /// Rows to remove; an absent row is no error.
    pub delete: Vec<Key>,
}

impl Batch {
    /// Checks the limits and returns the size in bytes of everything the batch carries.
    ///
    /// # Errors
    /// `KeyReserved`, `KeyTooLarge`, `ValueTooLarge` or `BatchTooLarge`, for the first offender.
    pub fn check(&self) -> Result<usize, StoreError> {
        let expected =
            self.expect.iter().map(|(key, value)| (key, value.as_ref().map_or(0, Bytes::len)));
        let put = self.put.iter().map(|(key, value)| (key, value.len()));
        let deleted = self.delete.iter().map(|key| (key, 0));

        let mut batch_bytes = 0;
        for (key, value_bytes) in expected.chain(put).chain(deleted) {
            check_row(key, value_bytes)?;
            batch_bytes += key.len() + value_bytes;
        }
        if batch_bytes > BATCH_BYTES_MAX {
            return Err(StoreError::BatchTooLarge { bytes: batch_bytes, max: BATCH_BYTES_MAX });
        }
        Ok(batch_bytes)
    }
}

/// Checks the limits of one row.
fn check_row(key: &[u8], value_bytes: usize) -> Result<(), StoreError> {
    if is_reserved(key) {
        return Err(StoreError::KeyReserved);
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(StoreError::KeyTooLarge { bytes: key.len(), max: KEY_BYTES_MAX });
    }
    if value_bytes > VALUE_BYTES_MAX {
        return Err(StoreError::ValueTooLarge { bytes: value_bytes, max: VALUE_BYTES_MAX });
    }
    Ok(())
}

/// Whether no caller may use this key: the empty one, and those of [`RESERVED_PREFIX`].
pub(crate) fn is_reserved(key: &[u8]) -> bool {
    key.first().is_none_or(|first| *first == RESERVED_PREFIX)
}

/// Which end of a range a scan starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys, from the start.
    Forward,
    /// Descending keys, from the end.
    Backward,
}

/// A stretch of keys; empty if `start` is not below `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first key, inclusive.
    pub start: Key,
    /// The key after the last, exclusive.
    pub end: Key,
}

impl Range {
    /// Every key that begins with `prefix`; for the empty prefix, every key there can be.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while end.last() == Some(&u8::MAX) {
            end.pop();
        }
        match end.last_mut() {
            Some(last) => *last += 1,
            // Only reserved keys come after 0xFF, so that is the end of what can be seen.
            None => end.push(RESERVED_PREFIX),
        }
        Self { start: Bytes::copy_from_slice(prefix), end: end.into() }
    }

    /// The part of the range that callers may see, or `None` if nothing of it is left.
    pub(crate) fn visible(&self) -> Option<(&[u8], &[u8])> {
        let end = self.end.as_ref().min([RESERVED_PREFIX].as_slice());
        (self.start.as_ref() < end).then_some((self.start.as_ref(), end))
    }
}

/// What an engine says of itself, for status pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineStats {
    /// The engine's name, as in its URL.
    pub engine: &'static str,
    /// What its files take on disk, in bytes; 0 for the memory engine.
    pub bytes_on_disk: u64,
    /// Whether writes are refused because the disk is nearly full.
    pub disk_full: bool,
}

/// Reads of an ordered map of bytes.
pub trait Reads: Send + Sync {
    /// Reads rows, one answer per key in the order asked, all of one moment. `None` is absent.
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>>;

    /// Reads the rows of a range in key order, at most `limit` of them. One call sees one moment,
    /// two calls may not: the caller pages by starting the next range after the last key it got.
    /// Pages of some hundred rows are best: a commit waits until the scans it meets have ended.
    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>>;

    /// The rows of a snapshot, which can be seen where they lie. `None` where reading may have to wait.
    fn at_once(&self) -> Option<&dyn snapshot::Snapshot> {
        None
    }
}

/// An ordered map of bytes with an atomic, durable compare-and-set.
pub trait Engine: Reads + 'static {
    /// Does work over the rows of one moment: [`snapshot::of`] for what comes of it. The work must not ask the engine
    /// itself, and commits wait until it has ended.
    ///
    /// # Errors
    /// Those of a read; the work was not done then.
    fn with_snapshot(&self, work: snapshot::Work) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Writes a batch, all or nothing; it is on disk when this returns.
    ///
    /// Dropping the future does not withdraw the batch: its outcome is then unknown, as after any
    /// error but `Conflict`, `DiskFull`, the limits and `Closed`, which promise it was not written.
    ///
    /// # Errors
    /// `Conflict` if an expectation does not hold; `DiskFull` below the reserve; a limit of
    /// [`Batch::check`]; `Failed` for good once a write went wrong; `Closed` after [`Self::close`].
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Writes rows that sort behind every row there is, as tightly as the engine can, for a new store that nobody reads
    /// or writes yet. They are whole and on disk only once a commit after them is, which also says whether the disk is
    /// full.
    ///
    /// # Errors
    /// Those of a commit. What is in the store then is of no use.
    fn append(&self, rows: Vec<(Key, Value)>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.commit(Batch { put: rows, ..Batch::default() })
    }

    /// Begins to read every row as it is at this moment, one such reading at a time. Commits do not wait for it, but
    /// for the page it is reading.
    ///
    /// # Errors
    /// `MomentTaken` while another reads; `Closed` or `Failed`.
    fn moment(&self) -> BoxFuture<'_, Result<Moment, StoreError>>;

    /// What the engine says of itself; reads a few file sizes, no rows.
    fn stats(&self) -> EngineStats;

    /// Whether writes are refused because the disk is nearly full. Probes ask often: an engine on disk answers without
    /// looking at its files.
    fn disk_full(&self) -> bool {
        self.stats().disk_full
    }

    /// Turns to the reason once, when the engine has failed for good. The process must then exit
    /// non-zero: nothing it holds in memory can be trusted to match the disk.
    fn failed(&self) -> watch::Receiver<Option<String>>;

    /// Finishes the commits that wait, flushes and releases the lock. Later calls get `Closed`;
    /// closing twice is no error.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row no longer holds what the batch expected; nothing was written.
    #[error("the rows changed since they were read; read them again and retry")]
    Conflict,
    /// The disk is fuller than the reserve allows; nothing was written, reads still work.
    #[error(
        "only {free} bytes of disk are free and {need} must stay free; \
         make room, writes resume by themselves"
    )]
    DiskFull {
        /// Bytes free now.
        free: u64,
        /// Bytes that must stay free.
        need: u64,
    },
    /// A value is over [`VALUE_BYTES_MAX`].
    #[error("a value of {bytes} bytes is over the limit of {max}; store it in parts")]
    ValueTooLarge {
        /// Bytes of the value.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A key is over [`KEY_BYTES_MAX`].
    #[error("a key of {bytes} bytes is over the limit of {max}; use a shorter one")]
    KeyTooLarge {
        /// Bytes of the key.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A key is empty or begins with [`RESERVED_PREFIX`].
    #[error("a key is empty or begins with 0xff, which the engine keeps for itself")]
    KeyReserved,
    /// A batch is over [`BATCH_BYTES_MAX`].
    #[error("a batch of {bytes} bytes is over the limit of {max}; commit it in parts")]
    BatchTooLarge {
        /// Bytes of the batch.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Another process, or this one, has the data directory open.
    #[error(
        "the data directory {} is in use by {}; stop that one or choose another directory",
        path.display(),
        pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The process that holds the lock, if it has written its number.
        pid: Option<u32>,
        /// The data directory.
        path: PathBuf,
    },
    /// A file or directory cannot be read or created.
    #[error("cannot use {}{}", path.display(), space::remedy(source))]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A new store has its name, but the disk has not confirmed it.
    #[error(
        "the new store is in place at {}, but the disk did not confirm it: after a power cut the old \
         one may be there again; look after the disk", path.display()
    )]
    Unconfirmed {
        /// The store.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The data was written by a newer program.
    #[error(
        "the data has format {found} and this program knows formats up to {known}; \
         start the newer fusionchatd, or restore a backup made by this one"
    )]
    NewerSchema {
        /// The format number found.
        found: u32,
        /// The newest this program knows: [`open::SCHEMA`], or of the layout of redb's file.
        known: u32,
    },
    /// Rows of an older format cannot be brought to this program's before there is room; nothing was changed.
    #[error(
        "the data has format {from} and there is no room to bring it to {to}; nothing was changed, \
         and an older fusionchatd can go on with it"
    )]
    Unbegun {
        /// The format it has.
        from: u32,
        /// The one it is to have.
        to: u32,
        /// How little room there is.
        source: Box<StoreError>,
    },
    /// Rows of an older format could not all be brought to this program's.
    #[error(
        "the data is on its way from format {from} to {to} and came no further; \
         start fusionchatd again once that is mended, and it goes on from there"
    )]
    Unmigrated {
        /// The format it had.
        from: u32,
        /// The one it is to have.
        to: u32,
        /// What came between.
        source: Box<StoreError>,
    },
    /// The data does not pass its checks.
    #[error(
        "the store at {} is damaged ({detail}); \
         keep a copy of the directory and restore the latest backup",
        path.display()
    )]
    Corrupt {
        /// The data directory.
        path: PathBuf,
        /// What did not pass.
        detail: String,
    },
    /// A write or its sync went wrong; the engine stays failed and the process must exit.
    #[error(
        "the store failed while writing ({detail}) and takes no more; \
         check the disk and restart fusionchatd"
    )]
    Failed {
        /// What went wrong.
        detail: String,
    },
    /// The engine has been closed.
    #[error("the store is closed; the daemon is stopping")]
    Closed,
    /// Another reading of one moment is under way.
    #[error("a backup is being made already; wait for its end, or end it")]
    MomentTaken,
    /// Commits overwrote more than is kept for a reading of one moment.
    #[error(
        "while the backup was read, more was changed or added than the {max} bytes that are kept for it; \
         make it while less is written, over a faster connection, or with a larger limits.backup_kept_mib"
    )]
    MomentOverrun {
        /// How much is kept.
        max: usize,
    },
    /// The directory holds the data of another engine.
    #[error(
        "the data in {} is of the engine {found}, not {asked}; ask for \"{found}:\", or move it \
         with `fusionchatd store migrate --to {asked}:`",
        path.display()
    )]
    OtherEngine {
        /// The directory.
        path: PathBuf,
        /// Whose data is there.
        found: DiskEngine,
        /// The engine that was asked for.
        asked: DiskEngine,
    },
    /// The URL names no engine.
    #[error("the store url {url:?} names no engine; there are \"sled:\" and \"redb:\"")]
    BadUrl {
        /// The URL as given.
        url: String,
    },
}

#[cfg(test)]
mod tests {
    use super::{BATCH_BYTES_MAX, Batch, KEY_BYTES_MAX, Range, StoreError, VALUE_BYTES_MAX};

    fn check_prefix(prefix: &[u8], end: &[u8]) {
        let range = Range::prefix(prefix);
        assert_eq!((range.start.as_ref(), range.end.as_ref()), (prefix, end));
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        check_prefix(b"", b"\xff");
        check_prefix(b"\x01", b"\x02");
        check_prefix(b"\x01\xff\xff", b"\x02");
        check_prefix(b"ab\xfe", b"ab\xff");
    }

    #[test]
    fn reserved_keys_are_out_of_sight() {
        assert_eq!(Range::prefix(b"\xff").visible(), None);
        assert_eq!(Range::prefix(b"\xff\x01").visible(), None);
        let everything = Range { start: "".into(), end: "\u{10ffff}".into() };
        assert!(everything.visible().is_some());
        let inverted = Range { start: "b".into(), end: "a".into() };
        assert_eq!(inverted.visible(), None);
    }

    #[test]
    fn limits_of_a_batch_are_checked() {
        let put = |key: Vec<u8>, bytes: usize| Batch {
            put: vec![(key.into(), vec![0; bytes].into())],
            ..Batch::default()
        };
        assert_eq!(put(vec![1; KEY_BYTES_MAX], 2).check().ok(), Some(KEY_BYTES_MAX + 2));
        assert!(put(vec![1], VALUE_BYTES_MAX).check().is_ok());
        assert!(matches!(put(vec![], 0).check(), Err(StoreError::KeyReserved)));
        assert!(matches!(put(vec![255], 0).check(), Err(StoreError::KeyReserved)));
        let long_key = put(vec![1; KEY_BYTES_MAX + 1], 0);
        assert!(matches!(long_key.check(), Err(StoreError::KeyTooLarge { .. })));
        let long_value = put(vec![1], VALUE_BYTES_MAX + 1);
        assert!(matches!(long_value.check(), Err(StoreError::ValueTooLarge { .. })));

        let mut heavy = put(vec![1], VALUE_BYTES_MAX);
        heavy.put = vec![heavy.put[0].clone(); BATCH_BYTES_MAX / VALUE_BYTES_MAX + 1];
        assert!(matches!(heavy.check(), Err(StoreError::BatchTooLarge { .. })));
    }
}
