//! One audience: its last changes, so that live readers need not go to the store, its signals, which are never stored,
//! and the bell that wakes who waits. There is one for every visitor who only looks, so one in which nothing was said
//! holds next to no memory: tokio's broadcast channel would keep 2 KiB for signals that may never come.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use futures::future::Either;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::domain::entry::EntryKind;
use crate::domain::id::UserId;

use super::crowd::{CROWD_MIN, Crowd, Outlet, Round, Tab, Telling};
use super::ephemeral::Ephemeral;
use super::hub::Topic;
use super::standing::Standing;
use super::view::{Change, MessageView};

/// How many recent changes an audience keeps.
const RECENT_MAX: usize = 512;
/// How much those may hold together, in bytes, as `held_bytes` has it.
const RECENT_BYTES_MAX: usize = 1024 * 1024;
/// What a change is taken to hold besides its text, in bytes: about what a door sends of the conversation and the
/// names.
const HELD_BYTES: usize = 1024;
/// How many signals a reader may have before it before the oldest are dropped.
const SIGNALS_MAX: usize = 64;

/// A message on its way to a visitor's tabs.
#[derive(Debug)]
pub struct Post {
    /// The message.
    pub view: MessageView,
    /// What the door writes of it: made for the first tab, written to all. Opaque here.
    pub frame: OnceLock<Bytes>,
}

impl Post {
    fn new(view: MessageView) -> Self {
        Self { view, frame: OnceLock::new() }
    }
}

/// What a reader finds.
#[derive(Debug)]
pub(super) enum Heard {
    /// There are entries it has not read; everything up to this position is on disk.
    News(u64),
    /// A signal. All entries published before it have been read.
    Signal(Arc<Ephemeral>),
    /// Signals were dropped before it came for them.
    Lost,
    /// Nothing that is new.
    Nothing,
}

/// The number of the signal that a reader takes next.
#[derive(Debug)]
pub(super) struct Next(u64);

/// Over at once or with the next bell.
pub(super) type Waiting<'a> = Either<Ready<()>, Notified<'a>>;

/// One audience.
#[derive(Debug)]
pub(super) struct Channel {
    topic: Topic,
    state: Mutex<State>,
    bell: Notify,
    /// The last position published to a visitor with which something was taken back.
    taken_back: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// The last position published.
    position: u64,
    /// Boxed: only an organization's readers take more than one change.
    recent: Option<Box<Recent>>,
    latest: Option<Latest>,
    signals: Signals,
    /// The tabs that are written to by one for all, where there are many.
    crowd: Option<Box<Crowd>>,
}

/// The change a visitor's live tabs are told of, so that a hundred tabs do not read the same rows a hundred times.
#[derive(Debug)]
pub(super) struct News {
    /// The change.
    pub(super) change: Arc<Change>,
    /// Its message.
    pub(super) post: Option<Arc<Post>>,
    /// The position published before it: who has read up to there misses nothing.
    pub(super) before: u64,
    /// The position published with it.
    pub(super) position: u64,
}

#[derive(Debug)]
struct Latest {
    news: Arc<News>,
    /// How many readers have not taken it.
    left: usize,
}

impl State {
    fn is_behind(&self, read_to: Option<u64>) -> bool {
        read_to != Some(self.position)
    }

    /// So many readers have taken what was published last.
    fn took(&mut self, count: usize) {
        let Some(latest) = &mut self.latest else { return };
        latest.left = latest.left.saturating_sub(count);
        if latest.left == 0 {
            self.latest = None;
        }
    }

    /// Makes the caller the one who tells the crowd, if there is one and nobody does.
    fn begin(&mut self) -> bool {
        self.crowd.as_mut().is_some_and(|crowd| crowd.begin())
    }
}

impl Channel {
    /// Nobody listens yet.
    pub(super) fn new(topic: Topic) -> Self {
        let (state, bell, taken_back) = Default::default();
        Self { topic, state, bell, taken_back }
    }

    /// Whose audience it is.
    pub(super) fn topic(&self) -> &Topic {
        &self.topic
    }

    /// One more reader; it hears the signals from now on.
    pub(super) fn join(&self) -> Next {
        let signals = &mut self.lock().signals;
        signals.readers += 1;
        Next(signals.end())
    }

    /// One reader less, and its tab if it was one of the crowd; how many are left.
    pub(super) fn leave(&self, next: &Next, tab: Option<&Tab>) -> usize {
        let mut state = self.lock();
        state.signals.leave(next);
        if let Some((tab, crowd)) = tab.zip(state.crowd.as_mut()) {
            crowd.leave(tab);
        }
        state.signals.readers
    }

    /// Whether there are so many readers that one for all is to write to them.
    pub(super) fn is_crowded(&self) -> bool {
        self.lock().signals.readers >= CROWD_MIN
    }

    /// Takes a reader's tab into the crowd.
    pub(super) fn enter_crowd(&self, outlet: Arc<dyn Outlet>, spare: Standing) -> Arc<Tab> {
        self.lock().crowd.get_or_insert_default().enter(outlet, spare)
    }

    /// What the crowd is to be told next.
    pub(super) fn next_round(&self) -> Option<Round> {
        let state = &mut *self.lock();
        let news = state.latest.as_ref().map(|it| Arc::clone(&it.news));
        state.crowd.as_mut()?.round(state.position, news)
    }

    /// Nobody tells the crowd any more; all its tabs.
    pub(super) fn give_up(&self) -> Vec<Arc<Tab>> {
        self.lock().crowd.as_mut().map(|crowd| crowd.give_up()).unwrap_or_default()
    }

    /// Whether nothing was taken back since what was published with a position.
    pub(super) fn still_shows(&self, position: u64) -> bool {
        self.taken_back.load(Ordering::SeqCst) <= position
    }

    /// The next tabs of a round. Those told before have taken its news.
    pub(super) fn next_tabs(&self, round: &mut Round) -> Vec<Arc<Tab>> {
        let state = &mut *self.lock();
        let written = std::mem::take(&mut round.written);
        if state.position == round.position {
            state.took(written);
        } else if !self.still_shows(round.position) {
            round.news = None;
        }
        state.crowd.as_ref().map(|crowd| crowd.next_tabs(round)).unwrap_or_default()
    }

    /// What is new for a reader who has read everything up to `read_to`, a position heard here: entries first, so that
    /// a signal is never ahead of the change it follows.
    pub(super) fn hear(&self, read_to: Option<u64>, next: &mut Next) -> Heard {
        let mut state = self.lock();
        if state.is_behind(read_to) {
            Heard::News(state.position)
        } else {
            state.signals.take(next)
        }
    }

    /// Waits until there may be something to hear. Safe to drop and call again.
    pub(super) fn wait(&self, read_to: Option<u64>, next: &Next) -> Waiting<'_> {
        // Made before looking, so that a bell between the look and the wait is heard.
        let rung = self.bell.notified();
        if self.has_news(read_to, next) { Either::Left(ready(())) } else { Either::Right(rung) }
    }

    /// Whether there is something to hear.
    pub(super) fn has_news(&self, read_to: Option<u64>, next: &Next) -> bool {
        let state = self.lock();
        state.is_behind(read_to) || next.0 < state.signals.end()
    }

    /// Tells an organization's readers of changes, which they find here.
    pub(super) fn publish(&self, changes: &[Arc<Change>]) {
        let Some(last) = changes.last() else { return };
        let mut state = self.lock();
        state.recent.get_or_insert_default().add(changes);
        state.position = last.entry.position.max(state.position);
        drop(state);
        self.bell.notify_waiters();
    }

    /// Tells one visitor's readers of an organization's changes. A single one of theirs they find here. The caller is
    /// to tell the crowd, which no bell wakes, if it gets the right to.
    #[must_use]
    pub(super) fn publish_to_visitor(
        self: &Arc<Self>,
        changes: &[Arc<Change>],
        visitor: UserId,
    ) -> Option<Telling> {
        let last = changes.last()?;
        let is_theirs = |it: &&Arc<Change>| {
            it.conversation.as_ref().is_some_and(|view| view.header.visitor == visitor)
        };
        let mut theirs = changes.iter().filter(is_theirs);
        let single = theirs.next().filter(|_| theirs.next().is_none()).cloned();
        let post = |change: &Change| change.message.clone().map(Post::new).map(Arc::new);
        let mut state = self.lock();
        let (before, left) = (state.position, state.signals.readers);
        let position = last.entry.position.max(before);
        let news = single.map(|change| News { post: post(&change), change, before, position });
        state.latest = news.map(|news| Latest { news: Arc::new(news), left });
        state.position = position;
        if take_back(changes) {
            self.taken_back.store(position, Ordering::SeqCst);
        }
        self.ring(state)
    }

    /// The one change that came with `position`, if nothing has come since and the reader has read everything before.
    /// Each reader takes it once.
    pub(super) fn latest(&self, read_to: Option<u64>, position: u64) -> Option<Arc<News>> {
        let mut state = self.lock();
        if state.position != position {
            return None;
        }
        let news = state.latest.as_ref().map(|it| Arc::clone(&it.news))?;
        if Some(news.before) != read_to {
            return None;
        }
        state.took(1);
        Some(news)
    }

    /// Says what is never stored to those who are there. The caller is to tell the crowd if it gets the right to.
    #[must_use]
    pub(super) fn say(self: &Arc<Self>, signal: &Arc<Ephemeral>) -> Option<Telling> {
        let mut state = self.lock();
        state.signals.add(signal);
        if let Some(crowd) = &mut state.crowd {
            crowd.say();
        }
        self.ring(state)
    }

    /// Wakes all who wait, but for the crowd.
    fn ring(self: &Arc<Self>, mut state: MutexGuard<'_, State>) -> Option<Telling> {
        let begins = state.begin();
        drop(state);
        let telling = begins.then(|| Telling::new(Arc::clone(self)));
        self.bell.notify_waiters();
        telling
    }

    /// The last position published here; 0 if nothing was yet.
    pub(super) fn position(&self) -> u64 {
        self.lock().position
    }

    /// The changes after `position` without a gap, or none if they are no longer all here.
    pub(super) fn recent_after(&self, position: u64, limit: usize) -> Option<Vec<Arc<Change>>> {
        let state = self.lock();
        let recent = state.recent.as_ref()?;
        let first = recent.changes.front()?.entry.position;
        if position + 1 < first {
            return None;
        }
        let skip = usize::try_from(position + 1 - first).unwrap_or(usize::MAX);
        Some(recent.changes.iter().skip(skip).take(limit).cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        if take_back(changes) {
            // What was taken back is in here; the rows have it no more.
            *self = Self::default();
            return;
        }
        self.bytes += changes.iter().map(|it| held_bytes(it)).sum::<usize>();
        self.changes.extend(changes.iter().cloned());
        while self.changes.len() > RECENT_MAX || self.bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.changes.pop_front() else { break };
            self.bytes -= held_bytes(&oldest);
        }
    }
}

/// What a change is charged for while it is kept. Its text counts twice: what a door sends of it may be kept beside it
/// (`view::Written`), which happens later and without a word to anybody here.
fn held_bytes(change: &Change) -> usize {
    HELD_BYTES + 2 * text_bytes(change)
}

/// Whether something that was shown is to be shown no more.
fn take_back(changes: &[Arc<Change>]) -> bool {
    let kinds = [EntryKind::MessageRetracted, EntryKind::ConversationDeleted];
    changes.iter().any(|it| kinds.contains(&it.entry.kind))
}

/// How much text a change holds.
pub(super) fn text_bytes(change: &Change) -> usize {
    let message = change.message.as_ref().map_or(0, |it| it.message.content.len());
    message + change.note.as_ref().map_or(0, |it| it.note.content.len())
}

/// The signals that not every reader has taken yet, by number.
#[derive(Debug, Default)]
struct Signals {
    /// The number of the oldest that is kept.
    first: u64,
    kept: Vec<Said>,
    readers: usize,
}

#[derive(Debug)]
struct Said {
    signal: Arc<Ephemeral>,
    /// How many readers have not taken it.
    left: usize,
}

impl Signals {
    /// The number of the next one.
    fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    fn add(&mut self, signal: &Arc<Ephemeral>) {
        if self.readers == 0 {
            return;
        }
        if self.kept.len() == SIGNALS_MAX {
            self.kept.remove(0);
            self.first += 1;
        }
        self.kept.push(Said { signal: Arc::clone(signal), left: self.readers });
    }

    fn take(&mut self, next: &mut Next) -> Heard {
        if next.0 < self.first {
            next.0 = self.first;
            return Heard::Lost;
        }
        let Some(said) = self.at(next.0) else { return Heard::Nothing };
        said.left -= 1;
        let signal = Arc::clone(&said.signal);
        next.0 += 1;
        self.forget();
        Heard::Signal(signal)
    }

    fn leave(&mut self, next: &Next) {
        self.readers -= 1;
        for number in next.0.max(self.first)..self.end() {
            if let Some(said) = self.at(number) {
                said.left -= 1;
            }
        }
        self.forget();
    }

    fn at(&mut self, number: u64) -> Option<&mut Said> {
        let index = number.checked_sub(self.first)?;
        self.kept.get_mut(usize::try_from(index).ok()?)
    }

    /// Lets go of what everybody has taken.
    fn forget(&mut self) {
        let taken = self.kept.iter().take_while(|said| said.left == 0).count();
        self.kept.drain(..taken);
        self.first += taken as u64;
        if self.kept.is_empty() {
            self.kept = Vec::new();
        }
    }
}

#[cfg(test)]
#[path = "channel_test.rs"]
mod tests;
