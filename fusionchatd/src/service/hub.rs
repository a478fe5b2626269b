//! Wakes those who read the journal, and carries the signals that are never stored. No message depends on it: whoever
//! misses a wake-up reads on from its cursor at the next one. A visitor's socket hears of changed rights, of its next
//! ping and of the stop by its bell alone.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::future::ready;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::Either;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

use crate::domain::id::{OrganizationId, UserId};

use super::Service;
use super::channel::{Channel, Heard, News, Next, Waiting};
use super::crowd::{Lent, Outlet, Tab};
use super::ephemeral::Ephemeral;
use super::standing::Standing;
use super::view::Change;

/// What is written where: the audience of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Staff, keys and workers of an organization.
    Organization(OrganizationId),
    /// One visitor, in all their tabs.
    Visitor(OrganizationId, UserId),
}

impl Topic {
    /// Whose audience it is.
    pub(super) fn organization(&self) -> OrganizationId {
        match self {
            Self::Organization(organization) | Self::Visitor(organization, _) => *organization,
        }
    }

    /// The one visitor it is for.
    pub(super) fn visitor(&self) -> Option<UserId> {
        match self {
            Self::Organization(_) => None,
            Self::Visitor(_, visitor) => Some(*visitor),
        }
    }
}

/// A channel, found by its topic. It holds that itself: a table of many topics would keep room for twice as many.
#[derive(Debug)]
struct Listed(Arc<Channel>);

impl Borrow<Topic> for Listed {
    fn borrow(&self) -> &Topic {
        self.0.topic()
    }
}

impl Hash for Listed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.topic().hash(state);
    }
}

impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        self.0.topic() == other.0.topic()
    }
}

impl Eq for Listed {}

/// A reader's place in an audience. The hub forgets a channel with its last seat, so it keeps no more channels than
/// there are readers.
#[derive(Debug)]
pub(super) struct Seat {
    service: Arc<Service>,
    channel: Arc<Channel>,
    next: Next,
    /// Its place in the crowd, if it is one of many of a visitor's.
    tab: Option<Arc<Tab>>,
}

impl Seat {
    /// Takes a seat. Do so first, then read the rows.
    pub(super) fn take(service: &Arc<Service>, topic: Topic) -> Self {
        let mut channels = service.hub.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = match channels.get(&topic) {
            Some(listed) => Arc::clone(&listed.0),
            None => {
                let channel = Arc::new(Channel::new(topic));
                channels.insert(Listed(Arc::clone(&channel)));
                channel
            }
        };
        // The table is locked: who has the last seat would take the channel out of it.
        let next = channel.join();
        Self { service: Arc::clone(service), channel, next, tab: None }
    }

    /// Whose audience it is in.
    pub(super) fn topic(&self) -> Topic {
        *self.channel.topic()
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
    pub(super) fn latest(&self, read_to: Option<u64>, position: u64) -> Option<Arc<News>> {
        self.channel.latest(read_to, position)
    }

    /// Waits until there may be something to hear. Safe to drop and call again.
    pub(super) fn wait(&self, read_to: Option<u64>) -> Waiting<'_> {
        self.channel.wait(read_to, &self.next)
    }

    /// Waits as one of a visitor's tabs, not at all if it has more to do. What is written for it meanwhile has moved
    /// its standing on.
    pub(super) fn wait_as_tab<'a>(
        &'a self,
        standing: &'a mut Standing,
        has_more: bool,
    ) -> Either<Lent<'a>, Waiting<'a>> {
        match &self.tab {
            // A standing is not lent before what was read is shown: what others write would come before it.
            _ if has_more => Either::Right(Either::Left(ready(()))),
            Some(tab) => {
                let has_news = |read_to| self.channel.has_news(read_to, &self.next);
                Either::Left(tab.wait(standing, has_news))
            }
            None => Either::Right(self.wait(standing.read_to)),
        }
    }

    /// Whether this is one of many that others do not write to yet.
    pub(super) fn is_crowded(&self) -> bool {
        self.tab.is_none() && self.channel.is_crowded()
    }

    /// Lets others write to this one while it waits. `spare` is of no meaning.
    pub(super) fn enter_crowd(&mut self, outlet: Arc<dyn Outlet>, spare: Standing) {
        if self.tab.is_none() {
            self.tab = Some(self.channel.enter_crowd(outlet, spare));
        }
    }

    /// Whether the rest of what was written for it is to be sent; says so once.
    pub(super) fn take_owed(&self) -> bool {
        self.tab.as_ref().is_some_and(|tab| tab.take_owed())
    }

    /// Whose seat it is.
    pub(super) fn service(&self) -> &Arc<Service> {
        &self.service
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut channels = self.service.hub.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if self.channel.leave(&self.next, self.tab.as_deref()) == 0 {
            channels.remove(self.channel.topic());
        }
    }
}

/// How many bells an organization's alarm has. More wake fewer at a time.
const BELLS: usize = 8;

/// Wakes who waits for what is rare. There is one thing to wait on for all of it, since those who do are many.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Notify,
    beats: AtomicU32,
}

impl Bell {
    /// The next time it is rung from now on: when [`Hub::grants`] has turned, with each beat, and when the daemon
    /// stops.
    pub fn rung(&self) -> Notified<'_> {
        self.rung.notified()
    }

    /// How often it has been beaten.
    pub fn beats(&self) -> u32 {
        self.beats.load(Ordering::Acquire)
    }

    fn beat(&self) {
        self.beats.fetch_add(1, Ordering::AcqRel);
        self.rung.notify_waiters();
    }
}

/// When somebody's rights in an organization may have changed, and who is to look then.
#[derive(Debug)]
struct Grants {
    version: watch::Sender<u64>,
    alarm: [Arc<Bell>; BELLS],
    /// How many have been given a bell.
    given: usize,
}

impl Default for Grants {
    fn default() -> Self {
        Self { version: watch::Sender::new(0), alarm: Default::default(), given: 0 }
    }
}

impl Grants {
    fn ring(&self) {
        self.alarm.iter().for_each(|bell| bell.rung.notify_waiters());
    }
}

/// All audiences.
#[derive(Debug)]
pub struct Hub {
    channels: Mutex<HashSet<Listed>>,
    grants: Mutex<HashMap<OrganizationId, Grants>>,
    beats: AtomicUsize,
    changed: Mutex<BTreeSet<OrganizationId>>,
    any: Notify,
    tasks: TaskTracker,
}

impl Hub {
    /// Nobody listens yet. Crowds are told by tasks of `tasks`.
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self {
            channels: Mutex::default(),
            grants: Mutex::default(),
            beats: AtomicUsize::new(0),
            changed: Mutex::default(),
            any: Notify::new(),
            tasks,
        }
    }

    /// Tells an organization's staff and the visitors concerned. `visitors` are the audiences of `changes`.
    pub(super) fn publish(
        &self,
        organization: OrganizationId,
        changes: &[Arc<Change>],
        visitors: &BTreeSet<UserId>,
    ) {
        if let Some(channel) = self.existing(Topic::Organization(organization)) {
            channel.publish(changes);
        }
        for visitor in visitors {
            let topic = Topic::Visitor(organization, *visitor);
            let Some(channel) = self.existing(topic) else { continue };
            if let Some(telling) = channel.publish_to_visitor(changes, *visitor) {
                // Not here: whoever publishes answers those who wrote.
                self.tasks.spawn(telling.tell());
            }
        }
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.insert(organization);
        drop(changed);
        self.any.notify_one();
    }

    /// Sends a signal to an audience, if anybody listens.
    pub(super) fn signal(&self, topic: Topic, signal: &Arc<Ephemeral>) {
        let Some(channel) = self.existing(topic) else { return };
        if let Some(telling) = channel.say(signal) {
            self.tasks.spawn(telling.tell());
        }
    }

    /// The channel of an audience, if somebody has a seat in it.
    pub(super) fn existing(&self, topic: Topic) -> Option<Arc<Channel>> {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.get(&topic).map(|it| Arc::clone(&it.0))
    }

    /// How many channels there are.
    #[cfg(test)]
    pub(crate) fn channel_count(&self) -> usize {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Turns whenever somebody's rights in the organization may have changed.
    pub fn grants(&self, organization: OrganizationId) -> watch::Receiver<u64> {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.entry(organization).or_default().version.subscribe()
    }

    /// A bell of the organization's alarm, each in turn: who comes together, as all do after a restart, is not to be
    /// woken together for as long as they stay.
    pub fn bell(&self, organization: OrganizationId) -> Arc<Bell> {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let Grants { alarm, given, .. } = grants.entry(organization).or_default();
        *given = given.wrapping_add(1);
        Arc::clone(&alarm[*given % BELLS])
    }

    /// Beats the next bell of every organization. Called once each [`Self::beat_every`], it beats each of them once an
    /// interval.
    pub fn beat(&self) {
        let next = self.beats.fetch_add(1, Ordering::Relaxed) % BELLS;
        let grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let bells: Vec<_> = grants.values().map(|grants| Arc::clone(&grants.alarm[next])).collect();
        drop(grants);
        // Not under the lock, which every new stream takes: this wakes an eighth of all visitors.
        bells.iter().for_each(|bell| bell.beat());
    }

    /// The time from one beat to the next if each bell is to be beaten once an interval.
    pub fn beat_every(interval: Duration) -> Duration {
        interval / BELLS as u32
    }

    /// Makes every open stream of the organization check its rights again.
    pub(super) fn rights_changed(&self, organization: OrganizationId) {
        let grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(grants) = grants.get(&organization) {
            grants.version.send_modify(|version| *version += 1);
            grants.ring();
        }
    }

    /// Rings every bell. The caller has said before that the daemon stops.
    pub fn ring(&self) {
        let grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.values().for_each(Grants::ring);
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn each_bell_is_beaten_once_an_interval() {
        let hub = Hub::new(TaskTracker::new());
        let bells: Vec<_> = (0..BELLS).map(|_| hub.bell(OrganizationId::default())).collect();
        for round in 1..=3 {
            for beaten in 1..=BELLS {
                hub.beat();
                let count = bells.iter().filter(|bell| bell.beats() == round).count();
                assert_eq!(count, beaten, "one at a time, each in its turn");
            }
        }
        assert_eq!(Hub::beat_every(Duration::from_secs(BELLS as u64)), Duration::from_secs(1));
    }

    #[test]
    fn every_bell_rings_for_changed_rights_and_for_the_stop() {
        let hub = Hub::new(TaskTracker::new());
        let organization = OrganizationId::default();
        let bells: Vec<_> = (0..BELLS).map(|_| hub.bell(organization)).collect();
        let all_ring = |ring: &dyn Fn()| {
            let rung: Vec<_> = bells.iter().map(|bell| bell.rung()).collect();
            ring();
            rung.into_iter().all(|it| it.now_or_never().is_some())
        };
        assert!(!all_ring(&|| {}));
        assert!(all_ring(&|| hub.rights_changed(organization)));
        assert!(all_ring(&|| hub.ring()));
        assert_eq!(bells[0].beats(), 0, "it is not a beat");
    }
}
