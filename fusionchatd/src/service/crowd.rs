//! Telling a visitor's many tabs at once. A task of its own writes a message to each tab that only waits, one after
//! another, instead of waking a task for each: most of what a delivery costs beyond the system's `send`.
//!
//! What holds, so that a tab misses nothing and is shown nothing twice:
//! - A tab lends its standing while it waits and takes it back before it does anything else. Nobody writes for a tab
//!   that has not lent it.
//! - Whoever writes for a tab moves its standing on, both under the tab's lock: what was written is what has been read.
//! - A message is written only to a tab that has read everything before it, and only if the ordinary way would write it
//!   and nothing else. Any other tab is woken and reads on by itself, from where it stands.
//! - A tab lends first and then looks whether there is news. So a round that came to it before it had lent was begun
//!   before that look, which finds what the round was about.
//! - A round always goes to its end, and another follows if something was published or said meanwhile. Once something
//!   published since may have taken back what the round is about, that is written to no further tab; the one that is
//!   being written to at that moment may still get it.
//! - Whoever goes through the tabs either comes to the end or wakes every tab: no bell does it for them meanwhile.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::channel::{Channel, News, Post};
use super::standing::Standing;

/// From how many readers on a visitor's tabs are a crowd. Not measured, only small: few tabs are woken soon enough.
pub(super) const CROWD_MIN: usize = 5;
/// How many tabs are told before other tasks have their turn.
pub(super) const TABS_AT_ONCE: usize = 64;

/// The outgoing side of a tab, to which somebody else than its task may write.
pub trait Outlet: Debug + Send + Sync {
    /// Writes a message without waiting, after everything that was written before.
    fn write(&self, post: &Post) -> Written;
}

/// What became of a write that does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of it is on its way.
    Whole,
    /// A part is. The rest follows before anything else, and the tab's task is to see to that.
    Part,
    /// Nothing is: the tab's task is to write it.
    Nothing,
}

/// A visitor's tabs that others may write to.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    tabs: BTreeMap<u64, Arc<Tab>>,
    /// The number of the next tab.
    next: u64,
    /// Somebody goes through the tabs, and looks for news before stopping.
    telling: bool,
    /// The position of which the last round told.
    told_to: u64,
    /// Something was said since the last round began.
    said: bool,
}

impl Crowd {
    /// Takes a tab in.
    pub(super) fn enter(&mut self, outlet: Arc<dyn Outlet>, spare: Standing) -> Arc<Tab> {
        let number = self.next;
        self.next += 1;
        let state = Lending { lent: false, standing: spare, rung: false, owed: false, waker: None };
        let tab = Arc::new(Tab { number, outlet, state: Mutex::new(state) });
        self.tabs.insert(number, Arc::clone(&tab));
        tab
    }

    /// Lets a tab go.
    pub(super) fn leave(&mut self, tab: &Tab) {
        self.tabs.remove(&tab.number);
    }

    /// Makes the caller the one who goes through the tabs, if there are any and nobody does.
    pub(super) fn begin(&mut self) -> bool {
        !self.tabs.is_empty() && !std::mem::replace(&mut self.telling, true)
    }

    /// Nobody goes through the tabs any more; all of them, whom nobody has told to the end.
    pub(super) fn give_up(&mut self) -> Vec<Arc<Tab>> {
        self.telling = false;
        self.tabs.values().map(Arc::clone).collect()
    }

    /// Something was said, of which the next round tells.
    pub(super) fn say(&mut self) {
        self.said = true;
    }

    /// The next round; none, and nobody goes through the tabs any more, if there is nothing to tell.
    pub(super) fn round(&mut self, position: u64, news: Option<Arc<News>>) -> Option<Round> {
        let said = std::mem::take(&mut self.said);
        if self.told_to == position && !said {
            self.telling = false;
            return None;
        }
        self.told_to = position;
        Some(Round { position, news, said, after: 0, written: 0 })
    }

    /// The next tabs of a round; none at its end.
    pub(super) fn next_tabs(&self, round: &mut Round) -> Vec<Arc<Tab>> {
        let tabs: Vec<_> =
            self.tabs.range(round.after..).take(TABS_AT_ONCE).map(|it| Arc::clone(it.1)).collect();
        round.after = tabs.last().map_or(round.after, |last| last.number + 1);
        tabs
    }
}

/// One way through all tabs.
#[derive(Debug)]
pub(super) struct Round {
    /// What everybody has read to once they have been told.
    pub(super) position: u64,
    /// The one change that came last when it began, until that may have been taken back.
    pub(super) news: Option<Arc<News>>,
    /// Whether there are signals for everybody.
    said: bool,
    /// The number of the next tab.
    after: u64,
    /// To how many the news has been written that have not been counted.
    pub(super) written: usize,
}

/// The right to go through a crowd's tabs, which one has at a time. Dropped before the end, it wakes every tab: else
/// they would wait for somebody who never comes.
#[derive(Debug)]
#[must_use]
pub(super) struct Telling {
    channel: Arc<Channel>,
    at_end: bool,
}

impl Telling {
    /// For who has just begun.
    pub(super) fn new(channel: Arc<Channel>) -> Self {
        Self { channel, at_end: false }
    }

    /// Tells the crowd what was published or said, until there is nothing more.
    pub(super) async fn tell(mut self) {
        while let Some(mut round) = self.channel.next_round() {
            loop {
                let tabs = self.channel.next_tabs(&mut round);
                if tabs.is_empty() {
                    break;
                }
                round.written = tabs.iter().filter(|tab| tab.tell(&round, &self.channel)).count();
                drop(tabs);
                tokio::task::yield_now().await;
            }
        }
        self.at_end = true;
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        if !self.at_end {
            for tab in self.channel.give_up() {
                tab.ring();
            }
        }
    }
}

/// One tab of a crowd.
#[derive(Debug)]
pub(super) struct Tab {
    number: u64,
    outlet: Arc<dyn Outlet>,
    state: Mutex<Lending>,
}

/// What a tab lends while it waits.
#[derive(Debug)]
struct Lending {
    lent: bool,
    /// Of no meaning unless it is lent.
    standing: Standing,
    /// There is something the tab's task has to do.
    rung: bool,
    /// The rest of something is to be sent.
    owed: bool,
    waker: Option<Waker>,
}

impl Lending {
    /// Writes the news if nothing else would be told of it.
    fn follow(&mut self, news: &News, outlet: &dyn Outlet) -> bool {
        // From a conversation's first message its reader learns which one it is in.
        if self.standing.read_to != Some(news.before) || self.standing.seq == 0 {
            return false;
        }
        let Some(step) = self.standing.next(news).filter(|it| self.standing.shows(it.view)) else {
            return false;
        };
        if let Some(post) = step.post {
            match outlet.write(post) {
                Written::Whole => {}
                Written::Part => self.owed = true,
                Written::Nothing => return false,
            }
        }
        self.standing.take(&step);
        self.standing.read_to = Some(news.position);
        true
    }
}

impl Tab {
    /// Tells the tab of a round, or wakes its task; whether the news was written for it.
    pub(super) fn tell(&self, round: &Round, channel: &Channel) -> bool {
        let mut state = self.lock();
        if !state.lent {
            // Its task looks by itself before it waits.
            return false;
        }
        let news = round.news.as_ref().filter(|news| channel.still_shows(news.position));
        let written = news.is_some_and(|news| state.follow(news, self.outlet.as_ref()));
        let behind = state.standing.read_to < Some(round.position);
        if behind || round.said || state.owed {
            ring(state);
        }
        written
    }

    /// Wakes the tab's task.
    fn ring(&self) {
        let state = self.lock();
        if state.lent {
            ring(state);
        }
    }

    /// Lends the standing and waits until the tab's task has something to do. `has_news` says whether there is
    /// something for who has read to a position. Safe to drop and call again.
    pub(super) fn wait<'a>(
        &'a self,
        standing: &'a mut Standing,
        has_news: impl FnOnce(Option<u64>) -> bool,
    ) -> Lent<'a> {
        let read_to = standing.read_to;
        let mut lent = Lent::new(self, standing);
        lent.is_over = has_news(read_to);
        lent
    }

    /// Whether the rest of something is to be sent; says so once.
    pub(super) fn take_owed(&self) -> bool {
        std::mem::take(&mut self.lock().owed)
    }

    fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.rung {
            return Poll::Ready(());
        }
        if !state.waker.as_ref().is_some_and(|it| it.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Lending> {
        // Every change under this lock is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the task of a tab that has lent its standing, once nobody holds the lock it needs.
fn ring(mut state: MutexGuard<'_, Lending>) {
    state.rung = true;
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A standing that is lent until this is dropped. As a future it is over once the tab's task has something to do.
#[derive(Debug)]
pub(super) struct Lent<'a> {
    tab: &'a Tab,
    standing: &'a mut Standing,
    /// There was something to do from the beginning.
    is_over: bool,
}

impl<'a> Lent<'a> {
    fn new(tab: &'a Tab, standing: &'a mut Standing) -> Self {
        let mut state = tab.lock();
        std::mem::swap(&mut state.standing, standing);
        state.lent = true;
        state.rung = false;
        drop(state);
        Self { tab, standing, is_over: false }
    }
}

impl Future for Lent<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_over { Poll::Ready(()) } else { self.tab.poll_rung(context) }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.tab.lock();
        std::mem::swap(&mut state.standing, self.standing);
        state.lent = false;
        state.waker = None;
    }
}
