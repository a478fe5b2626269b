//! How many rows of a new store come to take little of sled's file. It must run on no data that anybody serves.
//!
//! sled only ever appends to its log, in segments. A change of a page is appended alone; with every tenth the page is
//! appended as a whole; with each split of a page so is the page above, of up to 256 keys. A segment of which half is
//! still of use stays as it is. So rows that are simply inserted leave segments that are half empty.

use crate::store::sled::rows::Rows;
use crate::store::sled::value::inline;
use crate::store::{Key, StoreError, Value};

/// sled splits a page of more than sixteen rows; of rows that come in order, nine stay in it.
pub(super) const PAGE_ROWS_MAX: u32 = 16;
const PAGE_ROWS: usize = 9;

/// With so many changes sled writes a page in one piece.
const PAGE_CHANGES: usize = 10;

/// After so many changes sled's buffers go to the system: until then it cannot write over what they have made useless.
const FLUSH_ROWS: usize = 1_000;

/// Writes rows behind all others, none of them split, in three turns: first the keys, which make the pages; then the
/// values, nine changes of each page; then one more, so that sled writes each page in one piece, one after another.
/// What the first two turns have left in the log is of no use then, in whole segments, which sled writes over.
///
/// The pages at both ends get fewer changes, and each would keep a segment for itself: so their rows, and those that
/// stand `before`, are written again until sled writes their pages too.
pub(super) fn append(
    rows: &Rows,
    before: &[(Key, Value)],
    stretch: &[(Key, Value)],
) -> Result<(), StoreError> {
    let is_last = |number: usize| number % PAGE_ROWS == PAGE_ROWS / 2;
    let (none, other) = (inline(b""), inline(b"\0"));
    put(rows, stretch.iter().map(|(key, _)| (key, none.clone())))?;
    let most = stretch.iter().enumerate().map(|(number, (key, value))| {
        (key, if is_last(number) { other.clone() } else { inline(value) })
    });
    put(rows, most)?;
    let last = stretch.iter().enumerate().filter(|(number, _)| is_last(*number));
    put(rows, last.map(|(_, (key, value))| (key, inline(value))))?;
    let ends = before.iter().step_by(PAGE_ROWS / 2).chain(stretch.first()).chain(stretch.last());
    put(rows, ends.flat_map(|(key, value)| std::iter::repeat_n((key, inline(value)), PAGE_CHANGES)))
}

fn put<'a>(rows: &Rows, turn: impl Iterator<Item = (&'a Key, Vec<u8>)>) -> Result<(), StoreError> {
    for (number, (key, row)) in turn.enumerate() {
        rows.put(key, row)?;
        if number % FLUSH_ROWS == FLUSH_ROWS - 1 {
            rows.flush()?;
        }
    }
    rows.flush()
}
