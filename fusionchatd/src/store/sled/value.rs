//! How a value lies in sled: whole in its row, or split over several. It must not touch the tree.
//!
//! sled moves a page over a quarter of a segment to a file of its own that it never syncs, so no
//! row may be large. A row's first byte is 0 when the value follows; 1 when the value lies in
//! chunks, and then come the generation (u64), the chunk count (u16) and the length in bytes (u32),
//! all big-endian. Chunk keys are 0xFF, generation, index (u16). A generation is never used twice
//! while the engine is open, so an overwritten value shares no chunk with the one before.

use ::sled::{Batch, IVec};
use bytes::Bytes;

use crate::store::{RESERVED_PREFIX, VALUE_BYTES_MAX};

/// The largest row content in the tree, in bytes. 17 rows of it and their keys fill a leaf to less
/// than a quarter of the 2 MiB segment.
pub(super) const ROW_BYTES_MAX: usize = 16 * 1024;

/// The largest value kept whole: a row less its first byte.
pub(super) const INLINE_BYTES_MAX: usize = ROW_BYTES_MAX - 1;

const INLINE: u8 = 0;
const SPLIT: u8 = 1;
const SPLIT_ROW_BYTES: usize = 1 + 8 + 2 + 4;
const CHUNK_KEY_BYTES: usize = 1 + 8 + 2;

const _: () = assert!(VALUE_BYTES_MAX.div_ceil(ROW_BYTES_MAX) <= u16::MAX as usize);
const _: () = assert!(VALUE_BYTES_MAX <= u32::MAX as usize);

/// Where the chunks of a split value lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) generation: u64,
    pub(super) chunks: u16,
    pub(super) value_bytes: u32,
}

/// What a row says about its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Row<'a> {
    Inline(&'a [u8]),
    Split(Split),
}

impl Split {
    /// The keys of the chunks, in order.
    pub(super) fn chunk_keys(self) -> impl Iterator<Item = [u8; CHUNK_KEY_BYTES]> {
        (0..self.chunks).map(move |index| chunk_key(self.generation, index))
    }

    fn row(self) -> Vec<u8> {
        let mut row = Vec::with_capacity(SPLIT_ROW_BYTES);
        row.push(SPLIT);
        row.extend_from_slice(&self.generation.to_be_bytes());
        row.extend_from_slice(&self.chunks.to_be_bytes());
        row.extend_from_slice(&self.value_bytes.to_be_bytes());
        row
    }
}

/// Reads a row; `None` if it has no known form.
pub(super) fn decode(row: &[u8]) -> Option<Row<'_>> {
    match row.split_first()? {
        (&INLINE, value) => Some(Row::Inline(value)),
        (&SPLIT, rest) => {
            let (generation, rest) = rest.split_first_chunk::<8>()?;
            let (chunks, rest) = rest.split_first_chunk::<2>()?;
            let value_bytes = <[u8; 4]>::try_from(rest).ok()?;
            Some(Row::Split(Split {
                generation: u64::from_be_bytes(*generation),
                chunks: u16::from_be_bytes(*chunks),
                value_bytes: u32::from_be_bytes(value_bytes),
            }))
        }
        _ => None,
    }
}

/// The row of a value kept whole.
pub(super) fn inline(value: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + value.len());
    row.push(INLINE);
    row.extend_from_slice(value);
    row
}

/// Adds a value to a batch, whole or split; `next_generation` is called only for a split one.
pub(super) fn insert(
    batch: &mut Batch,
    key: &[u8],
    value: &Bytes,
    next_generation: impl FnOnce() -> u64,
) {
    if value.len() <= INLINE_BYTES_MAX {
        batch.insert(key, inline(value));
        return;
    }
    let generation = next_generation();
    let mut chunks = 0;
    for chunk in value.chunks(ROW_BYTES_MAX) {
        batch.insert(&chunk_key(generation, chunks), chunk);
        chunks += 1;
    }
    // `Batch::check` has held the value to VALUE_BYTES_MAX, which fits.
    let value_bytes = u32::try_from(value.len()).unwrap_or(u32::MAX);
    batch.insert(key, Split { generation, chunks, value_bytes }.row());
}

/// Adds the removal of a split value's chunks to a batch.
pub(super) fn remove_chunks(batch: &mut Batch, split: Split) {
    for key in split.chunk_keys() {
        batch.remove(&key);
    }
}

/// The generation of the chunk with this key; `None` for any other key.
pub(super) fn generation_of(chunk_key: &IVec) -> Option<u64> {
    let (prefix, rest) = chunk_key.split_first()?;
    let (generation, _) = rest.split_first_chunk::<8>()?;
    (*prefix == RESERVED_PREFIX).then_some(u64::from_be_bytes(*generation))
}

fn chunk_key(generation: u64, index: u16) -> [u8; CHUNK_KEY_BYTES] {
    let mut key = [RESERVED_PREFIX; CHUNK_KEY_BYTES];
    key[1..9].copy_from_slice(&generation.to_be_bytes());
    key[9..].copy_from_slice(&index.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use ::sled::IVec;

    use super::{Row, Split, chunk_key, decode, generation_of};

    #[test]
    fn a_split_row_reads_back() {
        let split = Split { generation: 0x0102_0304_0506_0708, chunks: 64, value_bytes: 1 << 20 };
        assert_eq!(decode(&split.row()), Some(Row::Split(split)));
        assert_eq!(split.chunk_keys().count(), 64);
    }

    #[test]
    fn a_row_of_unknown_form_is_no_value() {
        assert_eq!(decode(b""), None);
        assert_eq!(decode(b"\x02x"), None);
        assert_eq!(decode(b"\x01short"), None);
        assert_eq!(decode(&[1; 16]), None);
        assert_eq!(decode(b"\x00"), Some(Row::Inline(b"")));
    }

    #[test]
    fn chunk_keys_sort_by_generation_and_index() {
        let mut keys = [chunk_key(2, 0), chunk_key(1, 300), chunk_key(1, 2)];
        keys.sort_unstable();
        assert_eq!(keys, [chunk_key(1, 2), chunk_key(1, 300), chunk_key(2, 0)]);
        assert_eq!(generation_of(&IVec::from(&keys[2])), Some(2));
        assert_eq!(generation_of(&IVec::from(b"\x01key")), None);
    }
}

#[cfg(test)]
#[path = "value_prop_test.rs"]
mod prop;
