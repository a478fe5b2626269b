//! The commands that wait, of each organization in a lane of its own, and what is remembered of an organization
//! between its commands.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use crate::domain::Time;
use crate::domain::actor::Actor;
use crate::domain::command::Command;
use crate::domain::facts::IDS_PER_COMMAND;
use crate::domain::id::{ClientId, OrganizationId, UserId};
use crate::service::error::Error;
use crate::store::record::Head;
use crate::store::{Key, table};

use super::{Answer, IDLE_LANES_MAX, WAITING_MAX, sender};

/// A command on its way.
pub(super) struct Job {
    pub(super) actor: Actor,
    pub(super) command: Command,
    pub(super) client_id: Option<ClientId>,
    pub(super) digest: [u8; 32],
    pub(super) weight: usize,
    pub(super) now: Time,
    pub(super) ids: [Uuid; IDS_PER_COMMAND],
    /// How many commits of it met a conflict.
    pub(super) conflicts: usize,
    pub(super) answer: oneshot::Sender<Result<Answer, Error>>,
}

impl Job {
    /// Where it stands that it was done.
    pub(super) fn done_key(&self, organization: OrganizationId) -> Option<Key> {
        self.client_id.map(|id| table::done(organization, sender(&self.actor), id))
    }
}

/// What is known of an organization between groups.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) head_bytes: Option<bytes::Bytes>,
    pub(super) head: Head,
    /// The staff who take conversations.
    pub(super) accepting: Arc<BTreeSet<UserId>>,
}

/// Room for more commands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) commands: usize,
    /// Of text. A command that is larger goes by itself.
    pub(super) bytes: usize,
    /// Whether nobody is in the group yet.
    pub(super) is_empty: bool,
}

impl Room {
    /// Takes what fits from the front of a queue.
    pub(super) fn fill(&mut self, taken: &mut Vec<Job>, queue: &mut VecDeque<Job>) {
        while let Some(job) = queue.front() {
            let fits = self.commands > 0 && job.weight <= self.bytes;
            if !fits && !self.is_empty {
                return;
            }
            self.is_empty = false;
            self.commands = self.commands.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(job.weight);
            taken.extend(queue.pop_front());
        }
    }
}

/// The commands of one organization that wait, and what its task knows.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Job>,
    running: bool,
    /// Rung when there is more to decide.
    bell: Arc<Notify>,
    known: Option<Known>,
}

/// All lanes.
#[derive(Default)]
pub(in crate::service) struct Lanes {
    lanes: Mutex<HashMap<OrganizationId, Lane>>,
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, HashMap<OrganizationId, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a command: whether the lane needs a task.
    ///
    /// # Errors
    /// `overloaded`, with too many before it.
    pub(super) fn push(&self, organization: OrganizationId, job: Job) -> Result<bool, Error> {
        let mut lanes = self.lock();
        let lane = lanes.entry(organization).or_default();
        if lane.waiting.len() >= WAITING_MAX {
            return Err(Error::limited("overloaded", "too many commands are waiting", 1_000));
        }
        lane.waiting.push_back(job);
        lane.bell.notify_one();
        Ok(!std::mem::replace(&mut lane.running, true))
    }

    /// What the task of a lane begins with.
    pub(super) fn begin(&self, organization: OrganizationId) -> (Arc<Notify>, Option<Known>) {
        let mut lanes = self.lock();
        let lane = lanes.entry(organization).or_default();
        (Arc::clone(&lane.bell), lane.known.take())
    }

    /// Takes commands that there is room for: whether more of them wait.
    pub(super) fn take(
        &self,
        organization: OrganizationId,
        mut room: Room,
        taken: &mut Vec<Job>,
    ) -> bool {
        let mut lanes = self.lock();
        let Some(lane) = lanes.get_mut(&organization) else { return false };
        room.fill(taken, &mut lane.waiting);
        !lane.waiting.is_empty()
    }

    /// Ends the task of a lane, unless a command waits: whether it has ended.
    pub(super) fn rest(&self, organization: OrganizationId, known: &mut Option<Known>) -> bool {
        let mut lanes = self.lock();
        let many = lanes.len() > IDLE_LANES_MAX;
        let Some(lane) = lanes.get_mut(&organization) else { return true };
        if !lane.waiting.is_empty() {
            return false;
        }
        lane.running = false;
        lane.known = known.take();
        if many {
            lanes.remove(&organization);
        }
        true
    }
}
