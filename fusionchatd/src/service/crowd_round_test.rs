//! Rounds that are overtaken, or that nobody brings to their end, and what is not for a tab.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use tokio::time::timeout;
use uuid::Uuid;

use crate::domain::actor::Who;
use crate::domain::conversation::{REOPEN_MS, Resolution};
use crate::domain::entry::EntryKind;
use crate::domain::id::InboxId;

use super::crowd::{CROWD_MIN, TABS_AT_ONCE};
use super::crowd_rig::{
    SOON, Tab, answer, change_after, channel_of, crowd, poll, settle, silence_after, waiting, woken,
};
use super::rig::Rig;
use super::subscribe::{News, VisitorSignal};
use super::view::Change;

/// More tabs than are told at once.
const MANY: usize = TABS_AT_ONCE + 6;

#[tokio::test]
async fn two_messages_in_a_row_reach_every_tab_without_a_read() {
    let rig = Rig::new().await;
    let (guest, id, mut tabs) = crowd(&rig, MANY).await;
    let mut nexts: Vec<_> = tabs.iter_mut().map(waiting).collect();
    for (next, _, alarm) in &mut nexts {
        assert!(poll(next, alarm).is_pending());
    }
    let two = answer(&rig, id, "two").await;
    let channel = channel_of(&rig, &guest);
    let (three, four) = (change_after(&rig, 1).await, change_after(&rig, 2).await);
    let reads = rig.gate.reads.load(Ordering::SeqCst);
    let telling = channel.publish_to_visitor(&[three], guest.claims.user);
    let telling = telling.expect("somebody has to tell them");
    let mut round = channel.next_round().expect("a round");
    let first = channel.next_tabs(&mut round);
    assert_eq!(first.iter().filter(|tab| tab.tell(&round, &channel)).count(), TABS_AT_ONCE);
    assert!(channel.publish_to_visitor(&[four], guest.claims.user).is_none(), "somebody is at it");
    let rest = channel.next_tabs(&mut round);
    assert_eq!(rest.iter().filter(|tab| tab.tell(&round, &channel)).count(), 6);
    assert!(channel.next_tabs(&mut round).is_empty());
    // What came meanwhile is told of in another round.
    telling.tell().await;
    assert!(channel.next_round().is_none(), "nothing more");
    for (next, sheet, alarm) in &mut nexts {
        assert_eq!((sheet.numbers(), woken(alarm)), (vec![two, two + 1, two + 2], 0));
        assert!(poll(next, alarm).is_pending(), "it has read what was written for it");
    }
    assert_eq!(rig.gate.reads.load(Ordering::SeqCst), reads, "nobody asks the store");
}

#[tokio::test]
async fn what_was_taken_back_is_written_to_no_further_tab() {
    const TOLD: usize = 10;
    let rig = Rig::new().await;
    let (guest, id, mut tabs) = crowd(&rig, MANY).await;
    let mut nexts: Vec<_> = tabs.iter_mut().map(waiting).collect();
    for (next, _, alarm) in &mut nexts {
        assert!(poll(next, alarm).is_pending());
    }
    let two = answer(&rig, id, "two").await;
    let channel = channel_of(&rig, &guest);
    let three = change_after(&rig, 1).await;
    let mut retracted = Change::clone(&*silence_after(&rig, 2).await);
    retracted.entry.kind = EntryKind::MessageRetracted;
    let telling = channel.publish_to_visitor(&[three], guest.claims.user);
    let mut round = channel.next_round().expect("a round");
    // Of those who are told at once some have been told.
    let tabs = channel.next_tabs(&mut round);
    assert_eq!(tabs[..TOLD].iter().filter(|tab| tab.tell(&round, &channel)).count(), TOLD);
    let begun = channel.publish_to_visitor(&[Arc::new(retracted)], guest.claims.user);
    assert!(begun.is_none(), "somebody is at it");
    assert_eq!(tabs[TOLD..].iter().filter(|tab| tab.tell(&round, &channel)).count(), 0);
    let tabs = channel.next_tabs(&mut round);
    assert_eq!((tabs.len(), tabs.iter().filter(|tab| tab.tell(&round, &channel)).count()), (6, 0));
    for (number, (_, sheet, alarm)) in nexts.iter().enumerate() {
        let told = number < TOLD;
        let numbers = if told { vec![two, two + 1] } else { vec![two] };
        assert_eq!((sheet.numbers(), woken(alarm)), (numbers, usize::from(!told)), "{number}");
    }
    drop(telling);
}

#[tokio::test]
async fn when_somebody_fails_who_tells_the_crowd_all_are_woken_and_told_again() {
    let rig = Rig::new().await;
    let (guest, id, mut tabs) = crowd(&rig, CROWD_MIN).await;
    let mut nexts: Vec<_> = tabs.iter_mut().map(waiting).collect();
    for (next, _, alarm) in &mut nexts {
        assert!(poll(next, alarm).is_pending());
    }
    nexts[1].1.fails.store(true, Ordering::SeqCst);
    let two = answer(&rig, id, "two").await;
    for (number, (next, sheet, alarm)) in nexts.iter_mut().enumerate() {
        assert_eq!(woken(alarm), 1, "{number}");
        let heard = poll(next, alarm);
        if number == 0 {
            assert!(heard.is_pending() && sheet.numbers() == [two], "{heard:?}");
        } else {
            let Poll::Ready(VisitorSignal::Message(post)) = heard else { panic!("{heard:?}") };
            sheet.add(post.view.message.seq);
        }
    }
    drop(nexts);
    let mut nexts: Vec<_> = tabs.iter_mut().map(waiting).collect();
    for (next, _, alarm) in &mut nexts {
        assert!(poll(next, alarm).is_pending());
    }
    let three = answer(&rig, id, "three").await;
    for (_, sheet, alarm) in &nexts {
        assert_eq!((sheet.numbers(), woken(alarm)), (vec![two, three], 0), "at once");
    }
    // Nor does it matter if nobody goes at all.
    let four = change_after(&rig, 1).await;
    drop(channel_of(&rig, &guest).publish_to_visitor(&[four], guest.claims.user));
    for (_, _, alarm) in &nexts {
        assert_eq!(woken(alarm), 1);
    }
}

#[tokio::test]
async fn a_new_conversation_is_told_to_every_tab_whole() {
    let rig = Rig::new().await;
    let (guest, old, mut tabs) = crowd(&rig, CROWD_MIN).await;
    rig.service.end_by_visitor(&guest.actor(), None, None, false).await.expect("ended");
    settle().await;
    for tab in &mut tabs {
        while futures::poll!(Box::pin(tab.watcher.next())).is_ready() {}
        tab.sheet.clear();
    }
    rig.pass(REOPEN_MS + 1);
    let mut nexts: Vec<_> = tabs.iter_mut().map(waiting).collect();
    for (next, _, alarm) in &mut nexts {
        assert!(poll(next, alarm).is_pending());
    }
    let (new, seq) = rig.say(&guest, "anew").await;
    settle().await;
    assert_ne!(old, new);
    for (next, sheet, alarm) in &mut nexts {
        assert_eq!((sheet.numbers(), woken(alarm)), (vec![], 1), "which one it is is its to tell");
        let heard = timeout(SOON, next).await.expect("heard").expect("a signal");
        let VisitorSignal::Messages(views) = heard else { panic!("{heard:?}") };
        assert_eq!((views[0].message.conversation, views[0].message.seq), (new, seq));
    }
}

#[tokio::test]
async fn a_tab_in_another_inbox_is_shown_nothing_of_this_one() {
    let rig = Rig::new().await;
    let (guest, id, tabs) = crowd(&rig, CROWD_MIN).await;
    let mut actor = guest.actor();
    if let Who::Visitor { inbox, .. } = &mut actor.who {
        *inbox = InboxId(Uuid::from_u128(77));
    }
    let watcher = rig.service.watch_visitor(&actor, None, 0).expect("watching");
    let mut tab = Tab { watcher, sheet: Arc::default(), alarm: Arc::default() };
    tab.watcher.enter_crowd(Arc::clone(&tab.sheet) as _);
    let (mut next, sheet, alarm) = waiting(&mut tab);
    assert!(poll(&mut next, alarm).is_pending());
    for text in ["two", "three"] {
        answer(&rig, id, text).await;
        assert_eq!(woken(alarm), 1, "it looks for itself");
        assert!(futures::poll!(next.as_mut()).is_pending(), "and finds nothing");
        assert!(poll(&mut next, alarm).is_pending());
    }
    assert!(sheet.numbers().is_empty());
    drop(tabs);
}

#[tokio::test]
async fn nothing_is_written_to_a_tab_that_has_yet_to_show_what_it_found() {
    let rig = Rig::new().await;
    let (guest, id, mut tabs) = crowd(&rig, CROWD_MIN).await;
    let (agent, id) = (&rig.desk.a, id.to_string());
    rig.service.resolve(agent, None, &id, Resolution::Agent).await.expect("resolved");
    settle().await;
    let later = change_after(&rig, 1).await;
    let Tab { watcher, sheet, .. } = &mut tabs[0];
    let taken = watcher.take();
    assert!(matches!(taken, Some(News::Signal(VisitorSignal::Message(_)))), "{taken:?}");
    let mut waits = Box::pin(watcher.wait());
    let telling = channel_of(&rig, &guest).publish_to_visitor(&[later], guest.claims.user);
    telling.expect("somebody has to tell them").tell().await;
    assert!(sheet.numbers().is_empty(), "the new header comes first");
    assert!(futures::poll!(waits.as_mut()).is_ready(), "it has more to show");
}
