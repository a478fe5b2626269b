//! What a lane keeps of the rows it has read, from one group of commands to the next.

use std::collections::HashMap;

use crate::store::table::Table;
use crate::store::{Key, Value};

/// The most rows a lane keeps in memory from one group to the next: those of some seven hundred visitors who write.
const SEEN_MAX: usize = 4_096;
/// The most bytes of keys and values that it has read for them.
const SEEN_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Rows that were read ahead, as they are with all that is written over them.
#[derive(Debug, Default)]
pub struct Seen {
    pub(super) rows: HashMap<Key, Option<Value>>,
    /// What was read for them.
    bytes: usize,
    /// Whether some of them say what commands did.
    once: bool,
}

impl Seen {
    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn add(&mut self, key: Key, value: Option<Value>) {
        self.once |= says_what_was_done(&key);
        self.bytes += key.len() + value.as_ref().map_or(0, Value::len);
        self.rows.insert(key, value);
    }

    /// Forgets what commands did, which is asked for once, and all if it is too much to keep.
    pub(super) fn let_go(&mut self) {
        if std::mem::take(&mut self.once) {
            self.rows.retain(|key, _| !says_what_was_done(key));
        }
        if self.is_full() {
            self.clear();
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() > SEEN_MAX || self.bytes > SEEN_BYTES_MAX
    }
}

fn says_what_was_done(key: &[u8]) -> bool {
    key.first() == Some(&(Table::Done as u8))
}
