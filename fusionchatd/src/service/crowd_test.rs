//! Telling many tabs at once: what is written for a tab, what it is woken for, and that each message comes once
//! whichever way it takes.

use std::sync::Arc;
use std::task::Poll;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::crowd::{CROWD_MIN, Written};
use super::crowd_rig::{
    Next, SOON, Sheet, Tab, answer, answer_now, change_after, channel_of, crowd, poll, settle,
    silence_after, steps, waiting, woken,
};
use super::hub::Topic;
use super::rig::{Rig, fresh};
use super::standing::Standing;
use super::subscribe::VisitorSignal;

/// Pseudo-random, so that a run can be repeated.
fn dice(seed: &mut u64, sides: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % sides
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

#[tokio::test]
async fn who_has_missed_something_is_woken_whatever_came_last() {
    let rig = Rig::new().await;
    let (guest, id, mut tabs) = crowd(&rig, CROWD_MIN).await;
    let mut nexts: Vec<_> = tabs.iter_mut().map(waiting).collect();
    for (next, _, alarm) in &mut nexts {
        assert!(poll(next, alarm).is_pending());
    }
    let two = answer(&rig, id, "two").await;
    let channel = channel_of(&rig, &guest);
    let mut telling = None;
    for change in [change_after(&rig, 1).await, silence_after(&rig, 2).await] {
        telling = telling.or(channel.publish_to_visitor(&[change], guest.claims.user));
    }
    telling.expect("somebody has to tell them").tell().await;
    for (_, sheet, alarm) in &nexts {
        assert_eq!((sheet.numbers(), woken(alarm)), (vec![two], 1));
    }
}

#[tokio::test]
async fn a_tab_lends_first_and_then_looks_for_news() {
    let rig = Rig::new().await;
    let (guest, id, _tabs) = crowd(&rig, CROWD_MIN).await;
    answer(&rig, id, "two").await;
    let channel = channel_of(&rig, &guest);
    let standing = || Standing::new(rig.desk.inbox.id, None, 0);
    let tab = channel.enter_crowd(Arc::new(Sheet::default()), standing());
    let change = change_after(&rig, 1).await;
    let (mut lent, mut telling) = (standing(), None);
    let mut waits = Box::pin(tab.wait(&mut lent, |_| {
        telling = channel.publish_to_visitor(&[change], guest.claims.user);
        let mut round = channel.next_round().expect("a round");
        let tabs = channel.next_tabs(&mut round);
        tabs.iter().for_each(|tab| _ = tab.tell(&round, &channel));
        false
    }));
    assert!(futures::poll!(waits.as_mut()).is_ready(), "a round has come to it meanwhile");
    drop(waits);
    let mut waits = Box::pin(tab.wait(&mut lent, |_| true));
    assert!(futures::poll!(waits.as_mut()).is_ready(), "a round may have passed it by");
    drop(telling);
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
