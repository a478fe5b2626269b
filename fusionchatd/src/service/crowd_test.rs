//! Telling many tabs at once: what is written for a tab, what it is woken for, and that each message comes once
//! whichever way it takes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::domain::id::ConversationId;

use super::channel::Post;
use super::crowd::{CROWD_MIN, Outlet, TABS_AT_ONCE, Written};
use super::error::Error;
use super::hub::Topic;
use super::rig::{Rig, fresh};
use super::standing::Standing;
use super::subscribe::{Cursor, Signal, Subscribed, VisitorSignal, VisitorWatcher};
use super::view::Change;
use super::visitor::Guest;

const SOON: Duration = Duration::from_secs(30);

/// A page on which numbers are written down.
#[derive(Debug, Default)]
struct Sheet {
    numbers: Mutex<Vec<u64>>,
    /// What becomes of the next writes; the whole is written after them.
    outcomes: Mutex<VecDeque<Written>>,
}

impl Sheet {
    fn numbers(&self) -> Vec<u64> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, number: u64) {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).push(number);
    }

    fn then(&self, outcome: Written) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).push_back(outcome);
    }
}

impl Outlet for Sheet {
    fn write(&self, post: &Post) -> Written {
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
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

type Next<'a> = Pin<Box<dyn Future<Output = Result<VisitorSignal, Error>> + Send + 'a>>;

/// One tab, what is written to it, and how often it was woken.
struct Tab {
    watcher: VisitorWatcher,
    sheet: Arc<Sheet>,
    alarm: Arc<Alarm>,
}

/// How often a tab was woken since this was asked last.
fn woken(alarm: &Alarm) -> usize {
    alarm.0.swap(0, Ordering::SeqCst)
}

fn poll(next: &mut Next<'_>, alarm: &Arc<Alarm>) -> Poll<VisitorSignal> {
    let waker = Waker::from(Arc::clone(alarm));
    let polled = next.as_mut().poll(&mut Context::from_waker(&waker));
    polled.map(|signal| signal.expect("a signal"))
}

/// A visitor whose conversation an agent has, and their tabs, each of which has read everything.
async fn crowd(rig: &Rig, count: usize) -> (Guest, ConversationId, Vec<Tab>) {
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
fn waiting(tab: &mut Tab) -> (Next<'_>, &Sheet, &Arc<Alarm>) {
    (Box::pin(tab.watcher.next()), &tab.sheet, &tab.alarm)
}

/// An agent's answer; its number.
async fn answer_now(rig: &Rig, id: ConversationId, text: &str) -> u64 {
    let (id, text) = (id.to_string(), text.to_owned());
    let posted = rig.service.post_message(&rig.desk.a, Some(fresh()), &id, text, None).await;
    posted.expect("posted").message.message.seq
}

/// The same, and every tab has been told or woken.
async fn answer(rig: &Rig, id: ConversationId, text: &str) -> u64 {
    let seq = answer_now(rig, id, text).await;
    settle().await;
    seq
}

/// Gives way so often.
async fn steps(count: u64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// Pseudo-random, so that a run can be repeated.
fn dice(seed: &mut u64, sides: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % sides
}

/// Lets whoever tells the crowd come to an end.
async fn settle() {
    steps(50).await;
}

#[tokio::test]
async fn a_tab_that_waits_is_written_for_and_sleeps_on() {
    let rig = Rig::new().await;
    let (_, id, mut tabs) = crowd(&rig, CROWD_MIN).await;
    let mut written = Vec::new();
    let mut nexts: Vec<_> = tabs.iter_mut().map(waiting).collect();
    for (next, _, alarm) in &mut nexts {
        assert!(poll(next, alarm).is_pending());
    }
    for text in ["two", "three", "four"] {
        written.push(answer(&rig, id, text).await);
        for (next, sheet, alarm) in &mut nexts {
            assert_eq!(sheet.numbers(), written, "{text}");
            assert_eq!(woken(alarm), 0, "{text}");
            assert!(poll(next, alarm).is_pending(), "it has read what was written for it");
        }
    }
    // What the visitor does not see moves them on as well.
    let number = id.to_string();
    let noted = rig.service.add_note(&rig.desk.b, Some(fresh()), &number, "x".to_owned());
    noted.await.expect("noted");
    written.push(answer(&rig, id, "five").await);
    for (_, sheet, alarm) in &nexts {
        assert_eq!((sheet.numbers(), woken(alarm)), (written.clone(), 0));
    }
}

#[tokio::test]
async fn a_signal_and_a_change_of_what_is_shown_wake_a_tab() {
    let rig = Rig::new().await;
    let (_, id, mut tabs) = crowd(&rig, CROWD_MIN).await;
    let number = id.to_string();
    let Tab { watcher, sheet, alarm } = &mut tabs[0];
    let mut next: Next<'_> = Box::pin(watcher.next());
    assert!(poll(&mut next, alarm).is_pending());
    rig.service.set_typing(&rig.desk.a, &number, false).await.expect("typing");
    settle().await;
    assert_eq!(woken(alarm), 1);
    let heard = poll(&mut next, alarm);
    assert!(matches!(heard, Poll::Ready(VisitorSignal::Ephemeral(_))), "{heard:?}");
    drop(next);
    let mut next: Next<'_> = Box::pin(watcher.next());
    assert!(poll(&mut next, alarm).is_pending());
    rig.service.hand_back(&rig.desk.a, Some(fresh()), &number).await.expect("back");
    settle().await;
    assert_eq!((woken(alarm), sheet.numbers()), (1, Vec::new()));
    drop(next);
    let mut heard = Vec::new();
    while let Poll::Ready(signal) = poll(&mut (Box::pin(watcher.next()) as Next<'_>), alarm) {
        heard.push(matches!(signal, VisitorSignal::Status(_)));
    }
    assert!(heard.contains(&true), "the status, which only its task can tell: {heard:?}");
}

#[tokio::test]
async fn what_cannot_be_written_is_left_to_the_tab() {
    let rig = Rig::new().await;
    let (_, id, mut tabs) = crowd(&rig, CROWD_MIN).await;
    let Tab { watcher, sheet, alarm } = &mut tabs[0];
    let mut next: Next<'_> = Box::pin(watcher.next());
    assert!(poll(&mut next, alarm).is_pending());
    sheet.then(Written::Nothing);
    let two = answer(&rig, id, "two").await;
    assert_eq!(woken(alarm), 1);
    let heard = poll(&mut next, alarm);
    let Poll::Ready(VisitorSignal::Message(post)) = heard else { panic!("{heard:?}") };
    assert_eq!((post.view.message.seq, sheet.numbers()), (two, vec![]));
    drop(next);
    let mut next: Next<'_> = Box::pin(watcher.next());
    assert!(poll(&mut next, alarm).is_pending());
    sheet.then(Written::Part);
    let three = answer(&rig, id, "three").await;
    assert_eq!((woken(alarm), sheet.numbers()), (1, vec![three]));
    // Its task was busy with something else first, and hears of the rest all the same.
    drop(next);
    let mut next: Next<'_> = Box::pin(watcher.next());
    let heard = poll(&mut next, alarm);
    assert!(matches!(heard, Poll::Ready(VisitorSignal::Owed)), "{heard:?}");
    drop(next);
    let mut next: Next<'_> = Box::pin(watcher.next());
    assert!(poll(&mut next, alarm).is_pending(), "it says so once, and the message is read");
}

#[tokio::test]
async fn nobody_writes_for_a_tab_that_is_busy_or_gone() {
    let rig = Rig::new().await;
    let (guest, id, mut tabs) = crowd(&rig, CROWD_MIN).await;
    let gone = tabs.pop().expect("a tab");
    let (mut next, _, alarm) = waiting(&mut tabs[0]);
    assert!(poll(&mut next, alarm).is_pending());
    drop(next);
    let sheet = Arc::clone(&gone.sheet);
    drop(gone);
    let two = answer(&rig, id, "two").await;
    assert!(sheet.numbers().is_empty());
    for tab in &mut tabs {
        assert!(tab.sheet.numbers().is_empty());
        let heard = timeout(SOON, tab.watcher.next()).await.expect("heard").expect("a signal");
        let VisitorSignal::Message(post) = heard else { panic!("{heard:?}") };
        assert_eq!(post.view.message.seq, two);
    }
    drop(tabs);
    let topic = Topic::Visitor(rig.desk.organization, guest.claims.user);
    assert!(rig.service.hub.existing(topic).is_none(), "the crowd is gone with its tabs");
}

/// The last change of the journal as if it had come once more, `later` positions and messages later.
async fn change_after(rig: &Rig, later: u64) -> Arc<Change> {
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

#[tokio::test]
async fn what_is_no_longer_the_last_is_not_written_any_more() {
    const COUNT: usize = TABS_AT_ONCE + 6;
    let rig = Rig::new().await;
    let (guest, id, mut tabs) = crowd(&rig, COUNT).await;
    let mut nexts: Vec<_> = tabs.iter_mut().map(waiting).collect();
    for (next, _, alarm) in &mut nexts {
        assert!(poll(next, alarm).is_pending());
    }
    let two = answer(&rig, id, "two").await;
    let topic = Topic::Visitor(rig.desk.organization, guest.claims.user);
    let channel = rig.service.hub.existing(topic).expect("a channel");
    let three = change_after(&rig, 1).await;
    assert!(channel.publish_to_visitor(&[three], guest.claims.user), "somebody has to tell them");
    let mut round = channel.next_round().expect("a round");
    let first = channel.next_tabs(&mut round);
    assert_eq!(first.iter().filter(|tab| tab.tell(&round)).count(), TABS_AT_ONCE);
    // It may take back what the round is about.
    let four = change_after(&rig, 2).await;
    assert!(!channel.publish_to_visitor(&[four], guest.claims.user), "somebody is at it");
    let rest = channel.next_tabs(&mut round);
    assert_eq!((rest.len(), rest.iter().filter(|tab| tab.tell(&round)).count()), (6, 0));
    for (number, (_, sheet, alarm)) in nexts.iter().enumerate() {
        let told = number < TABS_AT_ONCE;
        let numbers = if told { vec![two, two + 1] } else { vec![two] };
        assert_eq!((sheet.numbers(), woken(alarm)), (numbers, usize::from(!told)), "{number}");
    }
    assert!(channel.next_tabs(&mut round).is_empty());
    let mut round = channel.next_round().expect("another round, for what came meanwhile");
    for tab in channel.next_tabs(&mut round).iter().chain(&channel.next_tabs(&mut round)) {
        tab.tell(&round);
    }
    for (number, (_, sheet, _)) in nexts.iter().enumerate() {
        let numbers = [two, two + 1, two + 2];
        let told = if number < TABS_AT_ONCE { &numbers[..] } else { &numbers[..1] };
        assert_eq!(sheet.numbers(), told, "{number}");
    }
    assert!(channel.next_round().is_none(), "nothing more");
}

/// A change after the last one that shows nothing, as a note on the conversation would.
async fn silence_after(rig: &Rig, later: u64) -> Arc<Change> {
    let mut change = Change::clone(&*change_after(rig, 0).await);
    change.entry.position += later;
    change.message = None;
    Arc::new(change)
}

#[tokio::test]
async fn who_has_missed_something_is_woken_whatever_came_last() {
    let rig = Rig::new().await;
    let (guest, id, mut tabs) = crowd(&rig, CROWD_MIN).await;
    let mut nexts: Vec<_> = tabs.iter_mut().map(waiting).collect();
    for (next, _, alarm) in &mut nexts {
        assert!(poll(next, alarm).is_pending());
    }
    let two = answer(&rig, id, "two").await;
    let topic = Topic::Visitor(rig.desk.organization, guest.claims.user);
    let channel = rig.service.hub.existing(topic).expect("a channel");
    for change in [change_after(&rig, 1).await, silence_after(&rig, 2).await] {
        channel.publish_to_visitor(&[change], guest.claims.user);
    }
    let mut round = channel.next_round().expect("a round");
    for tab in channel.next_tabs(&mut round) {
        tab.tell(&round);
    }
    for (_, sheet, alarm) in &nexts {
        assert_eq!((sheet.numbers(), woken(alarm)), (vec![two], 1));
    }
}

#[tokio::test]
async fn a_tab_lends_first_and_then_looks_for_news() {
    let rig = Rig::new().await;
    let (guest, id, _tabs) = crowd(&rig, CROWD_MIN).await;
    answer(&rig, id, "two").await;
    let topic = Topic::Visitor(rig.desk.organization, guest.claims.user);
    let channel = rig.service.hub.existing(topic).expect("a channel");
    let standing = || Standing::new(rig.desk.inbox.id, None, 0);
    let tab = channel.enter_crowd(Arc::new(Sheet::default()), standing());
    let change = change_after(&rig, 1).await;
    let mut lent = standing();
    let mut waits = Box::pin(tab.wait(&mut lent, |_| {
        channel.publish_to_visitor(&[change], guest.claims.user);
        let mut round = channel.next_round().expect("a round");
        channel.next_tabs(&mut round).iter().for_each(|tab| _ = tab.tell(&round));
        false
    }));
    assert!(futures::poll!(waits.as_mut()).is_ready(), "a round has come to it meanwhile");
    drop(waits);
    let mut waits = Box::pin(tab.wait(&mut lent, |_| true));
    assert!(futures::poll!(waits.as_mut()).is_ready(), "a round may have passed it by");
}

/// A tab whose page takes what comes as it likes, dropped in the middle of its reading again and again.
async fn restless(mut tab: Tab, last: u64, mut seed: u64) -> Vec<u64> {
    while tab.sheet.numbers().last() != Some(&last) {
        let outcomes = [Written::Whole, Written::Whole, Written::Part, Written::Nothing];
        tab.sheet.then(outcomes[usize::try_from(dice(&mut seed, 4)).expect("small")]);
        let patience = if dice(&mut seed, 4) == 0 { 400 } else { dice(&mut seed, 24) };
        let signal = tokio::select! {
            biased;
            signal = tab.watcher.next() => signal.expect("a signal"),
            () = steps(patience) => continue,
        };
        match signal {
            VisitorSignal::Message(post) => tab.sheet.add(post.view.message.seq),
            VisitorSignal::Messages(views) => {
                views.iter().for_each(|view| tab.sheet.add(view.message.seq));
            }
            VisitorSignal::Status(_) | VisitorSignal::Ephemeral(_) | VisitorSignal::Owed => {}
        }
    }
    tab.sheet.numbers()
}

async fn each_message_comes_once(seed: u64) {
    const ANSWERS: u64 = 30;
    let rig = Rig::new().await;
    let (_, id, tabs) = crowd(&rig, 20).await;
    let begin = rig.header(id).await.last_seq;
    rig.gate.make_busy();
    let mut tasks = JoinSet::new();
    for (number, tab) in tabs.into_iter().enumerate() {
        tasks.spawn(restless(tab, begin + ANSWERS, seed + number as u64));
    }
    let mut seed = seed;
    for _ in 0..ANSWERS {
        steps(dice(&mut seed, 40)).await;
        if dice(&mut seed, 3) == 0 {
            let number = id.to_string();
            rig.service.set_typing(&rig.desk.a, &number, false).await.expect("typing");
        }
        answer_now(&rig, id, "more").await;
    }
    while let Some(numbers) = tasks.join_next().await {
        let expected: Vec<u64> = (begin + 1..=begin + ANSWERS).collect();
        assert_eq!(numbers.expect("no task fails"), expected, "seed {seed}");
    }
}

#[tokio::test]
async fn whichever_way_it_comes_a_tab_is_told_each_message_once() {
    for seed in 0..20 {
        let run = each_message_comes_once(seed * 1_000);
        timeout(SOON, run).await.unwrap_or_else(|_| panic!("seed {seed}: a tab sleeps on"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn so_it_is_with_several_threads() {
    for seed in 100..120 {
        let run = each_message_comes_once(seed * 1_000);
        timeout(SOON, run).await.unwrap_or_else(|_| panic!("seed {seed}: a tab sleeps on"));
    }
}
