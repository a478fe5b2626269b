//! Wakes those who read the journal, and carries the signals that are never stored. Nothing here is needed for
//! correctness: whoever misses a wake-up reads on from its cursor at the next one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use crate::domain::id::{OrganizationId, UserId};

use super::Service;
use super::channel::{Channel, Heard, Next, Post};
use super::ephemeral::Ephemeral;
use super::view::Change;

/// What is written where: the audience of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Staff, keys and workers of an organization.
    Organization(OrganizationId),
    /// One visitor, in all their tabs.
    Visitor(OrganizationId, UserId),
}

/// A channel and how many readers hold a seat in it.
#[derive(Debug)]
struct Seated {
    channel: Arc<Channel>,
    seats: usize,
}

/// A reader's place in an audience. The hub forgets a channel with its last seat, so it keeps no more channels than
/// there are readers.
#[derive(Debug)]
pub(super) struct Seat {
    service: Arc<Service>,
    topic: Topic,
    channel: Arc<Channel>,
    next: Next,
}

impl Seat {
    /// Takes a seat. Do so first, then read the rows.
    pub(super) fn take(service: &Arc<Service>, topic: Topic) -> Self {
        let mut channels = service.hub.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let seated =
            channels.entry(topic).or_insert_with(|| Seated { channel: Arc::default(), seats: 0 });
        seated.seats += 1;
        let channel = Arc::clone(&seated.channel);
        let next = channel.join();
        Self { service: Arc::clone(service), topic, channel, next }
    }

    /// The recent changes of the audience.
    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// What is new for a reader who has read everything up to `read_to`, a position heard here.
    pub(super) fn hear(&mut self, read_to: Option<u64>) -> Heard {
        self.channel.hear(read_to, &mut self.next)
    }

    /// The one change that was published last, if it is all that came between `read_to` and `position`.
    pub(super) fn latest(
        &self,
        read_to: Option<u64>,
        position: u64,
    ) -> Option<(Arc<Change>, Option<Arc<Post>>)> {
        self.channel.latest(read_to, position)
    }

    /// Waits until there may be something to hear. Safe to drop and call again.
    pub(super) async fn wait(&self, read_to: Option<u64>) {
        self.channel.wait(read_to, &self.next).await;
    }

    /// Whose seat it is.
    pub(super) fn service(&self) -> &Arc<Service> {
        &self.service
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.channel.leave(&self.next);
        let mut channels = self.service.hub.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seated) = channels.get_mut(&self.topic) {
            seated.seats -= 1;
            if seated.seats == 0 {
                channels.remove(&self.topic);
            }
        }
    }
}

/// All audiences.
#[derive(Debug, Default)]
pub struct Hub {
    channels: Mutex<HashMap<Topic, Seated>>,
    grants: Mutex<HashMap<OrganizationId, watch::Sender<u64>>>,
    changed: Mutex<BTreeSet<OrganizationId>>,
    any: Notify,
}

impl Hub {
    /// Tells an organization's staff and the visitors concerned. `visitors` are the audiences of `changes`.
    pub(super) fn publish(
        &self,
        organization: OrganizationId,
        changes: &[Arc<Change>],
        visitors: &BTreeSet<UserId>,
    ) {
        self.existing(Topic::Organization(organization), |channel| channel.publish(changes));
        for visitor in visitors {
            let topic = Topic::Visitor(organization, *visitor);
            self.existing(topic, |channel| channel.publish_to_visitor(changes, *visitor));
        }
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.insert(organization);
        drop(changed);
        self.any.notify_one();
    }

    /// Sends a signal to an audience, if anybody listens.
    pub(super) fn signal(&self, topic: Topic, signal: &Arc<Ephemeral>) {
        self.existing(topic, |channel| channel.say(signal));
    }

    /// Runs `act` on a channel in which somebody has a seat.
    fn existing(&self, topic: Topic, act: impl FnOnce(&Channel)) {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(channel) = channels.get(&topic).map(|it| Arc::clone(&it.channel)) else { return };
        drop(channels);
        act(&channel);
    }

    /// How many channels there are.
    #[cfg(test)]
    pub(super) fn channel_count(&self) -> usize {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Turns whenever somebody's rights in the organization may have changed.
    pub fn grants(&self, organization: OrganizationId) -> watch::Receiver<u64> {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.entry(organization).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Makes every open stream of the organization check its rights again.
    pub(super) fn rights_changed(&self, organization: OrganizationId) {
        let grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = grants.get(&organization) {
            version.send_modify(|version| *version += 1);
        }
    }

    /// Waits until any organization has changed and returns all that have. For one worker: a second one would
    /// take half of what the first is waiting for.
    pub async fn changed(&self) -> BTreeSet<OrganizationId> {
        loop {
            let changed = {
                let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *changed)
            };
            if !changed.is_empty() {
                return changed;
            }
            self.any.notified().await;
        }
    }
}
