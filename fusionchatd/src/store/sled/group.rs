//! Several batches made into one: each is judged over those accepted before it, and the accepted
//! ones become a single sled batch. It must not write.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ::sled::Batch as SledBatch;

use crate::store::sled::rows::Rows;
use crate::store::sled::value::{self, Split};
use crate::store::sled::view::Before;
use crate::store::{Batch, Key, StoreError, Value};

/// A row the group has looked at.
struct Row {
    before: Option<Value>,
    split_before: Option<Split>,
    now: Option<Value>,
    written: bool,
}

/// The batches accepted so far, as the rows they leave.
#[derive(Default)]
pub(super) struct Group {
    rows: BTreeMap<Key, Row>,
}

impl Group {
    /// Judges a batch over the tree and what the group has accepted, and accepts it whole or not at
    /// all.
    ///
    /// # Errors
    /// `Conflict`, or a read error of a row it names.
    pub(super) fn admit(&mut self, tree: &Rows, batch: Batch) -> Result<(), StoreError> {
        let puts = batch.put.iter().map(|(key, _)| key);
        for key in puts.chain(&batch.delete) {
            self.look(tree, key)?;
        }
        for (key, value) in &batch.expect {
            if self.look(tree, key)?.now != *value {
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
    pub(super) fn before(&self) -> Before {
        let written = self.rows.iter().filter(|(_, row)| row.written);
        written.map(|(key, row)| (key.clone(), row.before.clone())).collect()
    }

    /// The group as one sled batch, which counts `generation` up for every split value.
    pub(super) fn into_batch(self, generation: &mut u64) -> SledBatch {
        let mut batch = SledBatch::default();
        for (key, row) in self.rows.into_iter().filter(|(_, row)| row.written) {
            if let Some(split) = row.split_before {
                value::remove_chunks(&mut batch, split);
            }
            match row.now {
                Some(value) => value::insert(&mut batch, &key, &value, || {
                    *generation += 1;
                    *generation - 1
                }),
                None => batch.remove(key.as_ref()),
            }
        }
        batch
    }

    fn look(&mut self, tree: &Rows, key: &Key) -> Result<&Row, StoreError> {
        match self.rows.entry(key.clone()) {
            Entry::Occupied(row) => Ok(row.into_mut()),
            Entry::Vacant(place) => {
                let stored = tree.read(key)?;
                let split_before = stored.as_ref().and_then(|stored| stored.split);
                let before = stored.map(|stored| stored.value);
                let now = before.clone();
                Ok(place.insert(Row { before, split_before, now, written: false }))
            }
        }
    }
}
