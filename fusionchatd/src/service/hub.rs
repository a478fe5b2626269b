//! Wakes those who read the journal, and carries the signals that are never stored. Nothing here is needed for
//! correctness: whoever misses a wake-up reads on from its cursor at the next one.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, broadcast, watch};

use crate::domain::entry::ActorRef;
use crate::domain::id::{ConversationId, OrganizationId, UserId};

use super::view::Change;

/// How many recent changes a topic keeps, so that live readers need not go to the store.
const RECENT_MAX: usize = 512;
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

/// Somebody is typing. Hub only, never stored; the actor comes from the credential.
#[derive(Clone, Debug)]
pub struct Typing {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub actor: ActorRef,
    /// Their name.
    pub name: String,
    /// A note in the making: staff only.
    pub note: bool,
}

/// One audience.
#[derive(Debug)]
pub(super) struct Channel {
    /// The last position published.
    wake: watch::Sender<u64>,
    signals: broadcast::Sender<Arc<Typing>>,
    recent: Mutex<VecDeque<Arc<Change>>>,
}

impl Channel {
    fn new() -> Self {
        Self {
            wake: watch::Sender::new(0),
            signals: broadcast::Sender::new(SIGNALS_MAX),
            recent: Mutex::new(VecDeque::new()),
        }
    }

    /// Wakes at every change.
    pub(super) fn wake(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    /// The signals from now on.
    pub(super) fn signals(&self) -> broadcast::Receiver<Arc<Typing>> {
        self.signals.subscribe()
    }

    /// The changes after `position` without a gap, or none if they are no longer all here.
    pub(super) fn recent_after(&self, position: u64, limit: usize) -> Option<Vec<Arc<Change>>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let first = recent.front()?.entry.position;
        if position + 1 < first {
            return None;
        }
        let skip = usize::try_from(position + 1 - first).unwrap_or(usize::MAX);
        Some(recent.iter().skip(skip).take(limit).cloned().collect())
    }

    fn publish(&self, changes: &[Arc<Change>], keep: bool) {
        let Some(last) = changes.last() else { return };
        if keep {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let follows = recent
                .back()
                .zip(changes.first())
                .is_none_or(|(back, first)| back.entry.position + 1 == first.entry.position);
            if !follows {
                recent.clear();
            }
            recent.extend(changes.iter().cloned());
            let over = recent.len().saturating_sub(RECENT_MAX);
            recent.drain(..over);
        }
        let position = last.entry.position;
        self.wake.send_modify(|head| *head = position.max(*head));
    }
}

/// All audiences.
#[derive(Debug, Default)]
pub struct Hub {
    channels: Mutex<HashMap<Topic, Arc<Channel>>>,
    grants: Mutex<HashMap<OrganizationId, watch::Sender<u64>>>,
    changed: Mutex<BTreeSet<OrganizationId>>,
    any: Notify,
}

impl Hub {
    /// The channel of an audience. Ask for it first, then read the rows.
    pub(super) fn channel(&self, topic: Topic) -> Arc<Channel> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(channels.entry(topic).or_insert_with(|| Arc::new(Channel::new())))
    }

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
    pub(super) fn signal(&self, topic: Topic, typing: &Arc<Typing>) {
        self.existing(topic, |channel| {
            // Nobody listening is fine: a signal is for those who are there.
            let _ = channel.signals.send(Arc::clone(typing));
        });
    }

    /// Runs `act` on a channel somebody holds; forgets one that nobody does.
    fn existing(&self, topic: Topic, act: impl FnOnce(&Channel)) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(channel) = channels.get(&topic).cloned() else { return };
        // This map and the clone just made are two holders.
        if Arc::strong_count(&channel) <= 2 {
            channels.remove(&topic);
            return;
        }
        drop(channels);
        act(&channel);
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

    /// Waits until any organization has changed and returns all that have, for the workers.
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
