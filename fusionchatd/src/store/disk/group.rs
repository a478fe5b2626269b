//! Several batches made into one: each is judged over those accepted before it, and the accepted
//! ones become one write of the engine. It must not write.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::store::{Batch, Key, StoreError, Value};

/// A row the group has looked at.
struct Row<Mark> {
    before: Option<(Value, Mark)>,
    now: Option<Value>,
    written: bool,
}

/// A row the group writes: what was there, and what shall be there.
pub(in crate::store) struct Change<Mark> {
    pub(in crate::store) key: Key,
    pub(in crate::store) before: Option<Mark>,
    pub(in crate::store) now: Option<Value>,
}

/// The batches accepted so far, as the rows they leave.
pub(in crate::store) struct Group<Mark> {
    rows: BTreeMap<Key, Row<Mark>>,
}

impl<Mark> Default for Group<Mark> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<Mark> Group<Mark> {
    /// Judges a batch over the rows there are, which `read` tells, and what the group has accepted, and accepts it
    /// whole or not at all.
    ///
    /// # Errors
    /// `Conflict`, or a read error of a row it names.
    pub(super) fn admit(
        &mut self,
        read: impl Fn(&[u8]) -> Result<Option<(Value, Mark)>, StoreError>,
        batch: Batch,
    ) -> Result<(), StoreError> {
        let puts = batch.put.iter().map(|(key, _)| key);
        for key in puts.chain(&batch.delete) {
            self.look(&read, key)?;
        }
        for (key, value) in &batch.expect {
            if self.look(&read, key)?.now != *value {
                return Err(StoreError::Conflict);
            }
        }
        // Every row is known now, so nothing below can fail half way.
        let puts = batch.put.into_iter().map(|(key, value)| (key, Some(value)));
        let deletes = batch.delete.into_iter().map(|key| (key, None));
        for (key, value) in puts.chain(deletes) {
            if let Some(row) = self.rows.get_mut(&key) {
                row.now = value;
                row.written = true;
            }
        }
        Ok(())
    }

    /// Whether no accepted batch writes anything.
    pub(super) fn is_read_only(&self) -> bool {
        !self.rows.values().any(|row| row.written)
    }

    /// What the rows the group writes held before it.
    pub(in crate::store) fn before(&self) -> BTreeMap<Key, Option<Value>> {
        let written = self.rows.iter().filter(|(_, row)| row.written);
        let value = |row: &Row<Mark>| row.before.as_ref().map(|(value, _)| value.clone());
        written.map(|(key, row)| (key.clone(), value(row))).collect()
    }

    /// The rows the group writes, in the order of their keys.
    pub(in crate::store) fn into_changes(self) -> impl Iterator<Item = Change<Mark>> {
        let written = self.rows.into_iter().filter(|(_, row)| row.written);
        written.map(|(key, row)| {
            let before = row.before.map(|(_, mark)| mark);
            Change { key, before, now: row.now }
        })
    }

    fn look(
        &mut self,
        read: impl Fn(&[u8]) -> Result<Option<(Value, Mark)>, StoreError>,
        key: &Key,
    ) -> Result<&Row<Mark>, StoreError> {
        match self.rows.entry(key.clone()) {
            Entry::Occupied(row) => Ok(row.into_mut()),
            Entry::Vacant(place) => {
                let before = read(key)?;
                let now = before.as_ref().map(|(value, _)| value.clone());
                Ok(place.insert(Row { before, now, written: false }))
            }
        }
    }
}
