//! Brings the rows of a store to the format this program writes, in place and in bounded batches. Each row says its
//! version and every version can be read, so the store is sound between any two batches. The first one raises the
//! format number, so that a program which knows only older rows refuses from then on, and adds a row that says how far
//! it has come; each one after it moves that row, and the last one takes it away. Whatever ends it, the next opening
//! goes on from there.
//!
//! A store that is half way may be served meanwhile: whoever writes then writes rows of this program's format, on
//! either side of that row. So nobody may rely on a row being of the newest version, or expect bytes that were not
//! read.

use crate::store::open::{SCHEMA, SCHEMA_KEY};
use crate::store::record::{Migration, Record as _, row};
use crate::store::table::Table;
use crate::store::walk::{Amount, Walk};
use crate::store::{Batch, Engine, Key, Range, StoreError, Value};

/// The row that says how far it has come; it is there as long as rows may be older.
pub const PROGRESS_KEY: [u8; 2] = [0x00, 0x01];

/// The most rows of one batch.
pub(super) const BATCH_ROWS: usize = 1024;
/// The most bytes of one batch, but for its last row.
const BATCH_BYTES: usize = 256 * 1024;
/// After how many rows the log says how far it is.
const TOLD_ROWS: u64 = 100_000;

/// A row as this program writes it; `None` for the one that says how far a migration has come. For whoever copies all
/// rows.
pub(super) fn renewed((key, value): (Key, Value)) -> Option<(Key, Value)> {
    if key.as_ref() == PROGRESS_KEY {
        return None;
    }
    if key.as_ref() == SCHEMA_KEY {
        return Some((key, Value::copy_from_slice(&SCHEMA.to_be_bytes())));
    }
    let value = newest(&key, &value).unwrap_or(value);
    Some((key, value))
}

/// The newest version of a row that is of an older one. What cannot be read stays as it is: it fails whoever asks for
/// it.
fn newest(key: &Key, value: &Value) -> Option<Value> {
    let table = Table::of(key)?;
    row::renew(table, key, value).unwrap_or_else(|fault| {
        tracing::warn!(?table, %fault, "a row that cannot be read keeps its version");
        None
    })
}

/// Raises the format number from `from`, and notes that no row is brought up yet.
///
/// # Errors
/// `Unbegun`: nothing was written. `Unmigrated`: nobody knows.
pub(super) async fn begin(engine: &dyn Engine, from: u32) -> Result<Migration, StoreError> {
    let number = |format: u32| Value::copy_from_slice(&format.to_be_bytes());
    let first = Migration { from, next: Key::new() };
    let schema = Key::from_static(&SCHEMA_KEY);
    let batch = Batch {
        expect: vec![(schema.clone(), Some(number(from)))],
        put: vec![(schema, number(SCHEMA)), (Key::from_static(&PROGRESS_KEY), first.encode())],
        delete: Vec::new(),
    };
    let begun = engine.commit(batch).await;
    begun.map_err(|source| {
        if matches!(source, StoreError::DiskFull { .. }) {
            return StoreError::Unbegun { from, to: SCHEMA, source: Box::new(source) };
        }
        unmigrated(from, source)
    })?;
    Ok(first)
}

/// Brings the rest of the rows up, or as many as the disk has room for: a store that is half way is whole, and the next
/// opening goes on.
///
/// # Errors
/// `Unmigrated`: the store is as far as it says.
pub(super) async fn go_on(engine: &dyn Engine, progress: Migration) -> Result<(), StoreError> {
    let (from, mut read) = (progress.from, Amount::default());
    tracing::info!(from, to = SCHEMA, "the rows are brought to this program's format");
    let rest = bring_up(engine, progress, &mut read).await;
    let rows = read.rows;
    match rest {
        Ok(()) => {
            tracing::info!(rows, to = SCHEMA, "all that can be read is of this program's format");
            Ok(())
        }
        // Nothing of that batch was written.
        Err(StoreError::DiskFull { free, need }) => {
            tracing::warn!(
                rows,
                from,
                to = SCHEMA,
                free,
                need,
                "the disk is too full to bring more rows to this program's format; they are served as they are: \
                 make room and start fusionchatd again, and it goes on from there"
            );
            Ok(())
        }
        Err(source) => Err(unmigrated(from, source)),
    }
}

fn unmigrated(from: u32, source: StoreError) -> StoreError {
    StoreError::Unmigrated { from, to: SCHEMA, source: Box::new(source) }
}

/// What it has looked at is in `read`, also where it fails.
async fn bring_up(
    engine: &dyn Engine,
    mut progress: Migration,
    read: &mut Amount,
) -> Result<(), StoreError> {
    let mut told = 0;
    let all = Range::prefix(b"");
    let mut walk = Walk::new(engine, Range { start: progress.next.clone(), ..all });
    let (mut put, mut bytes) = (Vec::new(), 0);
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            return move_on(engine, &mut progress, None, put).await;
        }
        read.add(&rows);
        for (key, value) in rows {
            let Some(newest) = newest(&key, &value) else { continue };
            bytes += key.len() + newest.len();
            put.push((key.clone(), newest));
            if put.len() >= BATCH_ROWS || bytes >= BATCH_BYTES {
                let next = [key.as_ref(), &[0]].concat().into();
                move_on(engine, &mut progress, Some(next), std::mem::take(&mut put)).await?;
                bytes = 0;
            }
        }
        if read.rows - told >= TOLD_ROWS {
            told = read.rows;
            tracing::info!(rows = told, "rows are brought to this program's format");
        }
    }
}

/// Writes rows and, with them, that the key `next` is the one to go on from; that all is done, if there is none.
async fn move_on(
    engine: &dyn Engine,
    progress: &mut Migration,
    next: Option<Key>,
    put: Vec<(Key, Value)>,
) -> Result<(), StoreError> {
    let key = Key::from_static(&PROGRESS_KEY);
    let expect = vec![(key.clone(), Some(progress.encode()))];
    let mut batch = Batch { expect, put, delete: Vec::new() };
    match next {
        Some(next) => {
            progress.next = next;
            batch.put.push((key, progress.encode()));
        }
        None => batch.delete.push(key),
    }
    engine.commit(batch).await
}
