//! What the tests of crowds stand on: tabs whose page writes numbers down, and changes made for the purpose.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::domain::id::ConversationId;

use super::channel::{Channel, Post};
use super::crowd::{CROWD_MIN, Outlet, Written};
use super::error::Error;
use super::hub::Topic;
use super::rig::{Rig, fresh};
use super::subscribe::{Cursor, Signal, Subscribed, VisitorSignal, VisitorWatcher};
use super::view::Change;
use super::visitor::Guest;

pub(super) const SOON: Duration = Duration::from_secs(30);

/// A page on which numbers are written down.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    numbers: Mutex<Vec<u64>>,
    /// What becomes of the next writes; the whole is written after them.
    outcomes: Mutex<VecDeque<Written>>,
    /// The next write does not come to its end.
    pub(super) fails: AtomicBool,
}

impl Sheet {
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn add(&self, number: u64) {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).push(number);
    }

    pub(super) fn clear(&self) {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn then(&self, outcome: Written) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).push_back(outcome);
    }
}

impl Outlet for Sheet {
    fn write(&self, post: &Post) -> Written {
        assert!(!self.fails.swap(false, Ordering::SeqCst), "a failure on purpose");
        let outcome = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let outcome = outcome.unwrap_or(Written::Whole);
        if outcome != Written::Nothing {
            self.add(post.view.message.seq);
        }
        outcome
    }
}

/// Counts how often a task would have been woken.
#[derive(Debug, Default)]
pub(super) struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub(super) type Next<'a> = Pin<Box<dyn Future<Output = Result<VisitorSignal, Error>> + Send + 'a>>;

/// One tab, what is written to it, and how often it was woken.
pub(super) struct Tab {
    pub(super) watcher: VisitorWatcher,
    pub(super) sheet: Arc<Sheet>,
    pub(super) alarm: Arc<Alarm>,
}

/// How often a tab was woken since this was asked last.
pub(super) fn woken(alarm: &Alarm) -> usize {
    alarm.0.swap(0, Ordering::SeqCst)
}

pub(super) fn poll(next: &mut Next<'_>, alarm: &Arc<Alarm>) -> Poll<VisitorSignal> {
    let waker = Waker::from(Arc::clone(alarm));
    let polled = next.as_mut().poll(&mut Context::from_waker(&waker));
    polled.map(|signal| signal.expect("a signal"))
}

/// A visitor whose conversation an agent has, and their tabs, each of which has read everything.
pub(super) async fn crowd(rig: &Rig, count: usize) -> (Guest, ConversationId, Vec<Tab>) {
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "one").await;
    let claimed = rig.service.claim(&rig.desk.a, Some(fresh()), &id.to_string(), None, false).await;
    claimed.expect("claimed");
    let mut tabs = Vec::new();
    for _ in 0..count {
        let watcher = rig.service.watch_visitor(&guest.actor(), None, 0).expect("watching");
        tabs.push(Tab { watcher, sheet: Arc::default(), alarm: Arc::default() });
    }
    for tab in &mut tabs {
        while futures::poll!(Box::pin(tab.watcher.next())).is_ready() {}
        assert_eq!(tab.watcher.is_crowded(), count >= CROWD_MIN);
        tab.watcher.enter_crowd(Arc::clone(&tab.sheet) as _);
        assert!(!tab.watcher.is_crowded(), "it is one of them");
    }
    (guest, id, tabs)
}

/// A tab that waits once it is polled.
pub(super) fn waiting(tab: &mut Tab) -> (Next<'_>, &Sheet, &Arc<Alarm>) {
    (Box::pin(tab.watcher.next()), &tab.sheet, &tab.alarm)
}

/// An agent's answer; its number.
pub(super) async fn answer_now(rig: &Rig, id: ConversationId, text: &str) -> u64 {
    let (id, text) = (id.to_string(), text.to_owned());
    let posted = rig.service.post_message(&rig.desk.a, Some(fresh()), &id, text, None).await;
    posted.expect("posted").message.message.seq
}

/// The same, and every tab has been told or woken.
pub(super) async fn answer(rig: &Rig, id: ConversationId, text: &str) -> u64 {
    let seq = answer_now(rig, id, text).await;
    settle().await;
    seq
}

/// Gives way so often.
pub(super) async fn steps(count: u64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// Lets whoever tells the crowd come to an end.
pub(super) async fn settle() {
    steps(50).await;
}

/// Where a visitor's tabs are told.
pub(super) fn channel_of(rig: &Rig, guest: &Guest) -> Arc<Channel> {
    let topic = Topic::Visitor(rig.desk.organization, guest.claims.user);
    rig.service.hub.existing(topic).expect("a channel")
}

/// The last change of the journal as if it had come once more, `later` positions and messages later.
pub(super) async fn change_after(rig: &Rig, later: u64) -> Arc<Change> {
    let head = rig.journal().await.len() as u64;
    let after = Some(Cursor { epoch: rig.service.epoch(), position: head - 1 });
    let watched = rig.service.watch(&rig.desk.admin, None, after).await.expect("watching");
    let Subscribed::Live(mut watcher) = watched else { panic!("a known cursor is live") };
    let Signal::Change(change) = watcher.next().await.expect("a signal") else { panic!("signal") };
    let mut change = Change::clone(&change);
    change.entry.position += later;
    let view = change.conversation.as_mut().map(Arc::make_mut).expect("a conversation");
    view.header.last_seq += later;
    change.message.as_mut().expect("a message").message.seq += later;
    Arc::new(change)
}

/// A change after the last one that shows nothing, as a note on the conversation would.
pub(super) async fn silence_after(rig: &Rig, later: u64) -> Arc<Change> {
    let mut change = Change::clone(&*change_after(rig, 0).await);
    change.entry.position += later;
    change.message = None;
    Arc::new(change)
}
