//! Wakes those who read the journal, and carries the signals that are never stored. Nothing here is needed for
//! correctness: whoever misses a wake-up reads on from its cursor at the next one.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, broadcast, watch};

use crate::domain::entry::EntryKind;
use crate::domain::id::{OrganizationId, UserId};

use super::Service;
use super::ephemeral::Ephemeral;
use super::view::Change;

/// How many recent changes a topic keeps, so that live readers need not go to the store.
const RECENT_MAX: usize = 512;
/// How much text those may hold together, in bytes.
const RECENT_BYTES_MAX: usize = 1024 * 1024;
/// How many unread signals a reader may have before the oldest are dropped.
const SIGNALS_MAX: usize = 64;

/// What is written where: the audience of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Staff, keys and workers of an organization.
    Organization(OrganizationId),
    /// One visitor, in all their tabs.
    Visitor(OrganizationId, UserId),
}

/// One audience.
#[derive(Debug)]
pub(super) struct Channel {
    /// The last position published.
    wake: watch::Sender<u64>,
    signals: broadcast::Sender<Arc<Ephemeral>>,
    recent: Mutex<Recent>,
}

/// The last changes without a gap, oldest first.
#[derive(Debug, Default)]
struct Recent {
    changes: VecDeque<Arc<Change>>,
    bytes: usize,
}

impl Recent {
    fn add(&mut self, changes: &[Arc<Change>]) {
        let follows = self
            .changes
            .back()
            .zip(changes.first())
            .is_none_or(|(back, first)| back.entry.position + 1 == first.entry.position);
        if !follows {
            *self = Self::default();
        }
        if changes.iter().any(|it| it.entry.kind == EntryKind::MessageRetracted) {
            // What was taken back is in here; the rows have it no more.
            *self = Self::default();
            return;
        }
        self.bytes += changes.iter().map(|it| text_bytes(it)).sum::<usize>();
        self.changes.extend(changes.iter().cloned());
        while self.changes.len() > RECENT_MAX || self.bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.changes.pop_front() else { break };
            self.bytes -= text_bytes(&oldest);
        }
    }
}

/// How much text a change holds.
fn text_bytes(change: &Change) -> usize {
    let message = change.message.as_ref().map_or(0, |it| it.message.content.len());
    message + change.note.as_ref().map_or(0, |it| it.note.content.len())
}

impl Channel {
    fn new() -> Self {
        Self {
            wake: watch::Sender::new(0),
            signals: broadcast::Sender::new(SIGNALS_MAX),
            recent: Mutex::default(),
        }
    }

    /// Wakes at every change.
    pub(super) fn wake(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    /// The signals from now on.
    pub(super) fn signals(&self) -> broadcast::Receiver<Arc<Ephemeral>> {
        self.signals.subscribe()
    }

    /// The changes after `position` without a gap, or none if they are no longer all here.
    pub(super) fn recent_after(&self, position: u64, limit: usize) -> Option<Vec<Arc<Change>>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let first = recent.changes.front()?.entry.position;
        if position + 1 < first {
            return None;
        }
        let skip = usize::try_from(position + 1 - first).unwrap_or(usize::MAX);
        Some(recent.changes.iter().skip(skip).take(limit).cloned().collect())
    }

    fn publish(&self, changes: &[Arc<Change>], keep: bool) {
        let Some(last) = changes.last() else { return };
        if keep {
            self.recent.lock().unwrap_or_else(PoisonError::into_inner).add(changes);
        }
        let position = last.entry.position;
        self.wake.send_modify(|head| *head = position.max(*head));
    }
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
}

impl Seat {
    /// Takes a seat. Do so first, then read the rows.
    pub(super) fn take(service: &Arc<Service>, topic: Topic) -> Self {
        let mut channels = service.hub.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let seated = channels
            .entry(topic)
            .or_insert_with(|| Seated { channel: Arc::new(Channel::new()), seats: 0 });
        seated.seats += 1;
        Self { service: Arc::clone(service), topic, channel: Arc::clone(&seated.channel) }
    }

    /// What is said there.
    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Whose seat it is.
    pub(super) fn service(&self) -> &Arc<Service> {
        &self.service
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
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
        self.existing(Topic::Organization(organization), |channel| channel.publish(changes, true));
        for visitor in visitors {
            let topic = Topic::Visitor(organization, *visitor);
            self.existing(topic, |channel| channel.publish(changes, false));
        }
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.insert(organization);
        drop(changed);
        self.any.notify_one();
    }

    /// Sends a signal to an audience, if anybody listens.
    pub(super) fn signal(&self, topic: Topic, signal: &Arc<Ephemeral>) {
        self.existing(topic, |channel| {
            // Nobody listening is fine: a signal is for those who are there.
            let _ = channel.signals.send(Arc::clone(signal));
        });
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
