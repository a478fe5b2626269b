//! All rows as they were at one moment, read page by page while commits go on. The reading has a frontier: every key
//! below it has been read. Whoever writes hands over, before it writes, what the keys beyond the frontier hold, and the
//! reading takes that in place of what it finds there later. A writer never waits for a reading: it only files what it
//! would overwrite. A reading must not begin within a group of batches, so that each batch is in it whole or not at
//! all.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::store::{Direction, Engine, Key, RESERVED_PREFIX, Range, StoreError, Value};

/// What the rows handed over may take in memory before the reading takes them, unless it is told otherwise. Past it the
/// reading ends with an error; commits go on.
pub const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a kept row takes besides its key and value, rounded up.
const KEPT_ROW_BYTES: usize = 128;

/// How many rows are read at once: a commit may wait for one page.
pub(super) const PAGE_ROWS: u32 = 128;

/// Rows as they were; `None` where there was none.
pub(super) type Before = BTreeMap<Key, Option<Value>>;

/// Where an engine's writer and a reading of one moment meet.
#[derive(Debug, Default)]
pub(super) struct Frontier {
    state: Mutex<State>,
    /// Rung when a group has been written, and at the end.
    quiet: Notify,
}

#[derive(Default)]
struct State {
    /// Between [`Frontier::writing`] and [`Frontier::written`].
    writing: bool,
    ended: bool,
    reading: Option<Kept>,
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("State").field("writing", &self.writing).finish_non_exhaustive()
    }
}

/// What is kept for the reading under way.
struct Kept {
    /// The group during which it was asked for has ended: its moment has come.
    begun: bool,
    /// Every key below has been read.
    reached: Key,
    rows: Before,
    bytes: usize,
    bytes_max: usize,
    overrun: bool,
}

impl Kept {
    fn take_over(&mut self, before: Before) {
        if self.overrun {
            return;
        }
        for (key, value) in before {
            if key < self.reached || self.rows.contains_key(&key) {
                continue;
            }
            self.bytes += cost(&key, value.as_ref());
            self.rows.insert(key, value);
        }
        if self.bytes > self.bytes_max {
            (self.overrun, self.rows) = (true, Before::new());
        }
    }

    /// Moves the frontier and takes what was kept below it.
    fn reach(&mut self, reached: Key) -> Before {
        let beyond = self.rows.split_off(&reached);
        let within = std::mem::replace(&mut self.rows, beyond);
        self.bytes -= within.iter().map(|(key, value)| cost(key, value.as_ref())).sum::<usize>();
        self.reached = reached;
        within
    }
}

fn cost(key: &Key, value: Option<&Value>) -> usize {
    KEPT_ROW_BYTES + key.len() + value.map_or(0, Value::len)
}

impl Frontier {
    /// A group is about to be written: `before` tells what its rows hold. It is asked only while something reads.
    pub(super) fn writing(&self, before: impl FnOnce() -> Before) {
        let mut state = self.lock();
        state.writing = true;
        if let Some(kept) = state.reading.as_mut().filter(|kept| kept.begun) {
            kept.take_over(before());
        }
    }

    /// The group is written, and whoever reads sees it.
    pub(super) fn written(&self) {
        let mut state = self.lock();
        state.writing = false;
        if let Some(kept) = &mut state.reading {
            kept.begun = true;
        }
        drop(state);
        self.quiet.notify_waiters();
    }

    /// Nothing will be written any more.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.quiet.notify_waiters();
    }

    /// Begins a reading; its moment is now, or the end of the group that is being written.
    ///
    /// # Errors
    /// `MomentTaken` while another reads, `Closed` if the writer has ended.
    pub(super) async fn begin(self: &Arc<Self>) -> Result<Moment, StoreError> {
        let moment = {
            let mut state = self.lock();
            if state.ended {
                return Err(StoreError::Closed);
            }
            if state.reading.is_some() {
                return Err(StoreError::MomentTaken);
            }
            let begun = !state.writing;
            let (reached, rows, bytes_max) = (Key::new(), Before::new(), KEPT_BYTES_MAX);
            state.reading =
                Some(Kept { begun, reached, rows, bytes: 0, bytes_max, overrun: false });
            Moment { frontier: Arc::clone(self), over: false }
        };
        loop {
            let mut quiet = std::pin::pin!(self.quiet.notified());
            // Before the look, so that a bell between the look and the wait is heard.
            quiet.as_mut().enable();
            {
                let state = self.lock();
                if state.reading.as_ref().is_some_and(|kept| kept.begun) {
                    return Ok(moment);
                }
                if state.ended {
                    return Err(StoreError::Closed);
                }
            }
            quiet.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in between leaves at worst a row that is kept and not counted.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading under way; dropping it ends it.
#[derive(Debug)]
pub struct Moment {
    frontier: Arc<Frontier>,
    over: bool,
}

impl Moment {
    /// Sets what the rows handed over may take from now on, in bytes.
    #[must_use]
    pub fn keeping(self, bytes_max: usize) -> Self {
        if let Some(kept) = &mut self.frontier.lock().reading {
            kept.bytes_max = bytes_max;
        }
        self
    }

    /// The next rows in the order of their keys, as they were when the reading began; empty at the end. `engine` is the
    /// one that began it.
    ///
    /// # Errors
    /// Those of a scan; `MomentOverrun` once more was overwritten meanwhile than is kept.
    pub async fn next(&mut self, engine: &dyn Engine) -> Result<Vec<(Key, Value)>, StoreError> {
        while !self.over {
            let start = self.kept(|kept| kept.reached.clone())?;
            let range = Range { start, end: Key::from_static(&[RESERVED_PREFIX]) };
            let rows = engine.scan(&range, Direction::Forward, PAGE_ROWS).await?;
            // A commit that changed one of these rows before they were read has handed them over by now, and one that
            // comes from here on finds them below the frontier.
            let reached = match rows.last() {
                Some((last, _)) => [last.as_ref(), &[0]].concat().into(),
                None => {
                    self.over = true;
                    range.end
                }
            };
            let rows = merge(rows, self.kept(|kept| kept.reach(reached))?);
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        Ok(Vec::new())
    }

    fn kept<T>(&self, with: impl FnOnce(&mut Kept) -> T) -> Result<T, StoreError> {
        match &mut self.frontier.lock().reading {
            Some(kept) if !kept.overrun => Ok(with(kept)),
            Some(kept) => Err(StoreError::MomentOverrun { max: kept.bytes_max }),
            // It is there for as long as this is.
            None => Err(StoreError::Closed),
        }
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        self.frontier.lock().reading = None;
    }
}

/// A page with what was kept of it in place of what was found.
fn merge(rows: Vec<(Key, Value)>, kept: Before) -> Vec<(Key, Value)> {
    if kept.is_empty() {
        return rows;
    }
    let mut merged: Before = rows.into_iter().map(|(key, value)| (key, Some(value))).collect();
    merged.extend(kept);
    merged.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}
