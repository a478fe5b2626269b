//! What readers see: the last state that is on disk, never one that a power cut could take back.
//!
//! sled shows a batch to readers as soon as it is applied, before it is synced. A client that has
//! seen an entry which is then lost would later skip the entry that takes its number. So the writer
//! first publishes what the rows of its group held before, and readers prefer that until the group
//! is on disk. A reader holds the view's lock for the length of one call, so the writer neither
//! starts nor finishes a group in the middle of it: a call sees one moment.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::store::disk::files::panic_text;
use crate::store::sled::append::{PAGE_ROWS_MAX, append};
use crate::store::sled::rows::Rows;
use crate::store::sled::value::INLINE_BYTES_MAX;
use crate::store::snapshot::{Snapshot, show};
use crate::store::{Direction, Key, Range, StoreError, Value, is_reserved};

/// How many rows a scan has room for from the beginning: a page of the journal.
const ROWS_ROOM: usize = 100;

/// The values of rows before the group that is being written; `None` where there was no row.
pub(super) type Before = BTreeMap<Key, Option<Value>>;

/// The state that readers may see.
pub(super) struct View {
    /// The tree, until the engine is closed.
    pub(super) rows: Option<Rows>,
    /// Empty when no group is being written.
    pub(super) before: Before,
}

impl View {
    /// # Errors
    /// `Closed`.
    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        self.rows.as_ref().map(drop).ok_or(StoreError::Closed)
    }

    /// Writes rows of a new store that nobody reads yet.
    pub(super) fn append(&self, stretch: &[(Key, Value)]) -> Result<(), StoreError> {
        let rows = self.rows.as_ref().ok_or(StoreError::Closed)?;
        let mut before = self.scan(&Range::prefix(b""), Direction::Backward, PAGE_ROWS_MAX)?;
        before.retain(|(_, value)| value.len() <= INLINE_BYTES_MAX);
        // sled can panic where the disk fails, too.
        let appended = catch_unwind(AssertUnwindSafe(|| append(rows, &before, stretch)));
        appended
            .unwrap_or_else(|panic| Err(StoreError::Failed { detail: panic_text(panic.as_ref()) }))
    }
}

impl Snapshot for View {
    fn get(&self, keys: &[Key]) -> Result<Vec<Option<Value>>, StoreError> {
        let rows = self.rows.as_ref().ok_or(StoreError::Closed)?;
        keys.iter()
            .map(|key| {
                if is_reserved(key) {
                    return Ok(None);
                }
                match self.before.get(key) {
                    Some(value) => Ok(value.clone()),
                    None => Ok(rows.read(key)?.map(|stored| stored.value)),
                }
            })
            .collect()
    }

    fn scan(
        &self,
        range: &Range,
        direction: Direction,
        limit: u32,
    ) -> Result<Vec<(Key, Value)>, StoreError> {
        let rows = self.rows.as_ref().ok_or(StoreError::Closed)?;
        let Some((start, end)) = range.visible() else {
            return Ok(Vec::new());
        };
        let bounds = (Bound::Included(start), Bound::Excluded(end));
        let before =
            self.before.range::<[u8], _>(bounds).map(|(key, value)| (key.clone(), value.clone()));
        let now = rows.iter(start, end, |key| self.before.contains_key(key));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        match direction {
            Direction::Forward => first(limit, merge(now, before, direction)),
            Direction::Backward => first(limit, merge(now.rev(), before.rev(), direction)),
        }
    }

    fn see(&self, key: &Key, see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        let rows = self.rows.as_ref().ok_or(StoreError::Closed)?;
        match self.before.get(key) {
            _ if is_reserved(key) => {}
            Some(value) => value.iter().for_each(|it| see(it)),
            None => rows.see(key, see)?,
        }
        Ok(())
    }

    fn see_range(
        &self,
        range: &Range,
        limit: u32,
        see: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let rows = self.rows.as_ref().ok_or(StoreError::Closed)?;
        let Some((start, end)) = range.visible() else { return Ok(()) };
        let bounds = (Bound::Included(start), Bound::Excluded(end));
        if self.before.range::<[u8], _>(bounds).next().is_none() {
            return rows.see_range(start, end, limit, see);
        }
        show(&self.scan(range, Direction::Forward, limit)?, see);
        Ok(())
    }
}

/// The first rows, at most `limit` of them.
fn first(
    limit: usize,
    rows: impl Iterator<Item = Result<(Key, Value), StoreError>>,
) -> Result<Vec<(Key, Value)>, StoreError> {
    // To collect them would move them each time they outgrow their room.
    let mut first = Vec::with_capacity(limit.min(ROWS_ROOM));
    for row in rows.take(limit) {
        first.push(row?);
    }
    Ok(first)
}

/// Steps through both, which come in the order of `direction`. Where both have a key, `before` is
/// right.
fn merge(
    now: impl Iterator<Item = Result<(Key, Value), StoreError>>,
    before: impl Iterator<Item = (Key, Option<Value>)>,
    direction: Direction,
) -> impl Iterator<Item = Result<(Key, Value), StoreError>> {
    let mut now = now.peekable();
    let mut before = before.peekable();
    std::iter::from_fn(move || next_row(&mut now, &mut before, direction))
}

fn next_row(
    now: &mut Peekable<impl Iterator<Item = Result<(Key, Value), StoreError>>>,
    before: &mut Peekable<impl Iterator<Item = (Key, Option<Value>)>>,
    direction: Direction,
) -> Option<Result<(Key, Value), StoreError>> {
    loop {
        let order = match (now.peek(), before.peek()) {
            (_, None) | (Some(Err(_)), _) => return now.next(),
            (None, Some(_)) => Ordering::Greater,
            (Some(Ok((now_key, _))), Some((before_key, _))) => match direction {
                Direction::Forward => now_key.cmp(before_key),
                Direction::Backward => before_key.cmp(now_key),
            },
        };
        match order {
            Ordering::Less => return now.next(),
            Ordering::Equal => {
                now.next();
            }
            Ordering::Greater => {}
        }
        if let Some((key, Some(value))) = before.next() {
            return Some(Ok((key, value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::merge;
    use crate::store::{Direction, Key, Value};

    fn bytes(text: &'static str) -> Key {
        Key::from_static(text.as_bytes())
    }

    fn check(
        now: &[(&'static str, &'static str)],
        before: &[(&'static str, Option<&'static str>)],
        seen: &[&str],
    ) {
        let now: Vec<(Key, Value)> = now.iter().map(|row| (bytes(row.0), bytes(row.1))).collect();
        let before: Vec<(Key, Option<Value>)> =
            before.iter().map(|row| (bytes(row.0), row.1.map(bytes))).collect();
        let mut forward = Vec::new();
        for row in merge(now.iter().cloned().map(Ok), before.iter().cloned(), Direction::Forward) {
            forward.push(String::from_utf8(row.unwrap().1.to_vec()).unwrap());
        }
        assert_eq!(forward, seen);

        let mut backward = Vec::new();
        let (now, before) = (now.into_iter().rev().map(Ok), before.into_iter().rev());
        for row in merge(now, before, Direction::Backward) {
            backward.push(String::from_utf8(row.unwrap().1.to_vec()).unwrap());
        }
        backward.reverse();
        assert_eq!(backward, seen);
    }

    #[test]
    fn rows_of_an_unsynced_group_show_as_they_were() {
        check(&[("a", "1"), ("b", "2")], &[], &["1", "2"]);
        check(&[("a", "1"), ("b", "2")], &[("b", Some("old"))], &["1", "old"]);
        check(&[("a", "1"), ("b", "2")], &[("a", None), ("b", None)], &[]);
        check(
            &[("b", "2")],
            &[("a", Some("gone")), ("c", Some("gone too"))],
            &["gone", "2", "gone too"],
        );
        check(&[("a", "1"), ("c", "3")], &[("b", None), ("d", None)], &["1", "3"]);
        check(&[], &[("a", Some("all"))], &["all"]);
    }
}
