//! How many rows of a new store come to take little of sled's file. It must run on no data that anybody serves.
//!
//! sled only ever appends to its log, in segments. A change of a page is appended alone; with every tenth the page is appended
//! as a whole; with each split of a page so is the page above, of up to 256 keys. A segment of which half is still of use
//! stays as it is. So rows that are simply inserted leave segments that are half empty.

use crate::store::sled::rows::Rows;
use crate::store::sled::value::inline;
use crate::store::{Key, StoreError, Value};

/// sled splits a page of more than sixteen rows; of rows that come in order, nine stay in it.
const PAGE_ROWS: usize = 9;

/// After so many changes sled's buffers go to the system: until then it cannot write over what they have made useless.
const FLUSH_ROWS: usize = 1_000;

/// Writes rows behind all others, none of them split, in three turns: first the keys, which make the pages; then the
/// values, nine changes of each page; then one more, so that sled writes each page in one piece, one after another. What
/// the first two turns have left in the log is of no use then, in whole segments, which sled writes over.
pub(super) fn append(rows: &Rows, stretch: &[(Key, Value)]) -> Result<(), StoreError> {
    let is_last = |number: usize| number % PAGE_ROWS == PAGE_ROWS / 2;
    let (none, other) = (inline(b""), inline(b"\0"));
    put(rows, stretch.iter().map(|(key, _)| (key, none.clone())))?;
    let most = stretch.iter().enumerate().map(|(number, (key, value))| {
        (key, if is_last(number) { other.clone() } else { inline(value) })
    });
    put(rows, most)?;
    let last = stretch.iter().enumerate().filter(|(number, _)| is_last(*number));
    put(rows, last.map(|(_, (key, value))| (key, inline(value))))
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
