//! The commits that wait for the writer: bounded, and shared out fairly between organizations. It
//! must not look into a batch further than its lane and its size.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::store::{Batch, StoreError};

/// The most batches in a group.
pub(super) const GROUP_BATCHES_MAX: usize = 64;

/// The most bytes in a group, unless a single batch is larger.
pub(super) const GROUP_BYTES_MAX: usize = 256 * 1024;

/// The most batches of one lane in a group while another lane waits.
pub(super) const LANE_BATCHES_MAX: usize = 16;

/// The most commits that wait; more callers wait for room, in the order they came.
pub(in crate::store) const COMMITS_WAITING_MAX: usize = 1024;

/// How much of the first expected key names the lane: the table and the organization.
const LANE_BYTES: usize = 17;

/// A commit and the caller to answer.
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Result<(), StoreError>>,
    batch_bytes: usize,
    _room: OwnedSemaphorePermit,
}

/// What the writer is to do next.
pub(super) enum Next {
    /// Write these.
    Group(Vec<Job>),
    /// Nothing came in time.
    Idle,
    /// Nothing will come any more.
    Closed,
}

/// The queue between the callers and the writer.
pub(super) struct Queue {
    room: Arc<Semaphore>,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    lanes: Lanes<Job>,
    closed: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            room: Arc::new(Semaphore::new(COMMITS_WAITING_MAX)),
            state: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// Queues a batch, waiting for room, and returns where its answer will come. `None` if the
    /// queue is closed.
    pub(super) async fn push(
        &self,
        batch: Batch,
        batch_bytes: usize,
    ) -> Option<oneshot::Receiver<Result<(), StoreError>>> {
        let room = Arc::clone(&self.room).acquire_owned().await.ok()?;
        let (answer, answered) = oneshot::channel();
        let lane = lane_of(&batch);
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.lanes.push(lane, Job { batch, answer, batch_bytes, _room: room });
        drop(state);
        self.wake.notify_one();
        Some(answered)
    }

    /// The next group, waiting at most `patience` for it. What was queued before the queue closed
    /// is still handed out.
    pub(super) fn next(&self, patience: Duration) -> Next {
        let waiting = |state: &mut State| state.lanes.is_empty() && !state.closed;
        let (mut state, _) = self
            .wake
            .wait_timeout_while(self.lock(), patience, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        let group = state.lanes.take(|job| job.batch_bytes);
        if !group.is_empty() {
            Next::Group(group)
        } else if state.closed {
            Next::Closed
        } else {
            Next::Idle
        }
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.wake.notify_one();
    }

    /// Takes no more and forgets what waits, whose callers learn it by their dropped answers.
    pub(super) fn abandon(&self) {
        self.close();
        self.lock().lanes = Lanes::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lane_of(batch: &Batch) -> Bytes {
    batch.expect.first().map_or_else(Bytes::new, |(key, _)| key.slice(..key.len().min(LANE_BYTES)))
}

/// First-in first-out queues that take turns.
struct Lanes<T> {
    lanes: HashMap<Bytes, VecDeque<T>>,
    /// The lanes that hold something, whose turn is next first.
    turn: VecDeque<Bytes>,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { lanes: HashMap::new(), turn: VecDeque::new() }
    }
}

impl<T> Lanes<T> {
    fn is_empty(&self) -> bool {
        self.turn.is_empty()
    }

    fn push(&mut self, lane: Bytes, item: T) {
        let queue = self.lanes.entry(lane.clone()).or_default();
        if queue.is_empty() {
            self.turn.push_back(lane);
        }
        queue.push_back(item);
    }

    /// Takes a group, one item of each lane in turn, up to the bounds of a group and of a lane.
    fn take(&mut self, bytes_of: impl Fn(&T) -> usize) -> Vec<T> {
        let mut group = Vec::new();
        let mut group_bytes = 0;
        let mut taken: HashMap<Bytes, usize> = HashMap::new();
        // Lanes that have had their share and go on only when no other waits.
        let mut resting: VecDeque<Bytes> = VecDeque::new();

        while group.len() < GROUP_BATCHES_MAX {
            let alone = self.turn.is_empty() && resting.len() == 1;
            let next = if alone { resting.pop_front() } else { self.turn.pop_front() };
            let Some(lane) = next else { break };
            let Some(queue) = self.lanes.get_mut(&lane) else { continue };
            let Some(item) = queue.pop_front() else { continue };
            let item_bytes = bytes_of(&item);
            if !group.is_empty() && group_bytes + item_bytes > GROUP_BYTES_MAX {
                queue.push_front(item);
                self.turn.push_front(lane);
                break;
            }
            group_bytes += item_bytes;
            group.push(item);
            let share = taken.entry(lane.clone()).or_default();
            *share += 1;
            if queue.is_empty() {
                self.lanes.remove(&lane);
            } else if *share >= LANE_BATCHES_MAX {
                resting.push_back(lane);
            } else {
                self.turn.push_back(lane);
            }
        }
        self.turn.append(&mut resting);
        group
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{GROUP_BATCHES_MAX, GROUP_BYTES_MAX, LANE_BATCHES_MAX, Lanes};

    const LOUD: Bytes = Bytes::from_static(b"loud");
    const CALM: Bytes = Bytes::from_static(b"calm");

    fn lanes(loud: usize, calm: usize) -> Lanes<(char, usize)> {
        let mut lanes = Lanes::default();
        (0..loud).for_each(|number| lanes.push(LOUD, ('l', number)));
        (0..calm).for_each(|number| lanes.push(CALM, ('c', number)));
        lanes
    }

    fn count(group: &[(char, usize)], lane: char) -> usize {
        group.iter().filter(|item| item.0 == lane).count()
    }

    #[test]
    fn a_calm_lane_is_in_the_next_group_whatever_waits() {
        let group = lanes(1000, 1).take(|_| 1);
        assert_eq!((group.len(), count(&group, 'c')), (GROUP_BATCHES_MAX, 1));
        assert_eq!(group[..3], [('l', 0), ('c', 0), ('l', 1)]);
    }

    #[test]
    fn no_lane_exceeds_its_share_while_another_waits() {
        let group = lanes(1000, 1000).take(|_| 1);
        assert_eq!(count(&group, 'l'), LANE_BATCHES_MAX);
        assert_eq!(count(&group, 'c'), LANE_BATCHES_MAX);
    }

    #[test]
    fn a_lane_alone_fills_the_group_in_order() {
        let mut lanes = lanes(70, 0);
        let group = lanes.take(|_| 1);
        assert_eq!(group, (0..64).map(|number| ('l', number)).collect::<Vec<_>>());
        assert_eq!(lanes.take(|_| 1).len(), 6);
        assert!(lanes.is_empty());
    }

    #[test]
    fn bytes_bound_a_group_but_one_batch_always_goes() {
        let mut lanes = lanes(3, 0);
        assert_eq!(lanes.take(|_| GROUP_BYTES_MAX / 2).len(), 2);
        assert_eq!(lanes.take(|_| GROUP_BYTES_MAX * 2).len(), 1);
        assert!(lanes.is_empty());
    }

    #[test]
    fn everything_is_handed_out_once_and_in_order() {
        let mut lanes = lanes(100, 37);
        let mut all = Vec::new();
        while !lanes.is_empty() {
            all.extend(lanes.take(|item| item.1 * 1000));
        }
        for (lane, length) in [('l', 100), ('c', 37)] {
            let numbers: Vec<usize> =
                all.iter().filter(|item| item.0 == lane).map(|item| item.1).collect();
            assert_eq!(numbers, (0..length).collect::<Vec<_>>());
        }
        assert!(lanes.lanes.is_empty());
    }
}
