//! Readers of the journal: complete from their first moment on, whatever happens meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use uuid::Uuid;

use crate::domain::conversation::REOPEN_MS;
use crate::domain::entry::EntryKind;
use crate::domain::id::ConversationId;
use crate::service::Service;
use crate::service::ephemeral::Ephemeral;
use crate::service::rig::{Desk, Rig, code, fresh, serve};
use crate::service::subscribe::{
    Cursor, Signal, Subscribed, VisitorSignal, VisitorWatcher, Watcher,
};
use crate::service::user::EditUser;
use crate::service::view::{Change, MessageView};
use crate::store::Engine as _;

use super::page::READ_AT_ONCE;

const SOON: Duration = Duration::from_secs(60);

async fn watch(service: &Arc<Service>, desk: &Desk, after: Option<Cursor>) -> Subscribed {
    service.watch(&desk.a, None, after).await.expect("watching")
}

fn live(subscribed: Subscribed) -> Watcher {
    match subscribed {
        Subscribed::Live(watcher) => *watcher,
        Subscribed::Reset(_) => panic!("no reset"),
    }
}

/// Gives way so many times.
async fn steps(count: u64) {
    for _ in 0..count {
        yield_now().await;
    }
}

/// The next change of a reader that is dropped and asked again whenever it takes long.
async fn change(watcher: &mut Watcher) -> Arc<Change> {
    loop {
        let signal = tokio::select! {
            biased;
            signal = watcher.next() => signal.expect("a signal"),
            () = steps(64) => continue,
        };
        if let Signal::Change(change) = signal {
            return change;
        }
    }
}

async fn note(service: &Arc<Service>, desk: &Desk, id: ConversationId, text: String) {
    service.add_note(&desk.b, Some(fresh()), &id.to_string(), text).await.expect("noted");
}

/// Pseudo-random, so that a run can be repeated.
fn dice(seed: &mut u64, sides: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % sides
}

async fn readers_join_while_others_write(seed: u64) {
    const WRITES: u64 = 40;
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    let start = rig.journal().await.len() as u64;
    rig.gate.make_busy();
    let mut tasks = JoinSet::new();
    for writer in 0..2 {
        let (service, desk, mut seed) = (Arc::clone(&rig.service), rig.desk.clone(), seed + writer);
        tasks.spawn(async move {
            for n in 0..WRITES / 2 {
                steps(dice(&mut seed, 30)).await;
                note(&service, &desk, id, format!("note {n}")).await;
            }
        });
    }
    for reader in 0..8 {
        let (service, desk) = (Arc::clone(&rig.service), rig.desk.clone());
        let mut seed = seed + 100 + reader;
        tasks.spawn(async move {
            steps(dice(&mut seed, 400)).await;
            let mut watcher = live(watch(&service, &desk, None).await);
            let mut position = watcher.cursor().position;
            while position < start + WRITES {
                let next = change(&mut watcher).await;
                assert_eq!(next.entry.position, position + 1, "seed {seed}, reader {reader}");
                assert!(next.note.is_some());
                position = next.entry.position;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no task fails");
    }
}

#[tokio::test]
async fn a_reader_misses_nothing_from_its_first_moment_on() {
    for seed in 0..20 {
        let run = readers_join_while_others_write(seed * 1_000);
        timeout(SOON, run).await.unwrap_or_else(|_| panic!("seed {seed}: a reader sleeps on"));
    }
}

/// What a visitor's reader says up to `last`, though it is dropped again and again in the middle of its reading.
async fn visitors_seqs(watcher: &mut VisitorWatcher, last: u64) -> Vec<u64> {
    let (mut seqs, mut seed) = (Vec::new(), 1);
    while seqs.last() != Some(&last) {
        let patience = if dice(&mut seed, 4) == 0 { 400 } else { dice(&mut seed, 24) };
        let signal = tokio::select! {
            biased;
            signal = watcher.next() => signal.expect("a signal"),
            () = steps(patience) => continue,
        };
        match signal {
            VisitorSignal::Message(post) => seqs.push(post.view.message.seq),
            VisitorSignal::Messages(views) => seqs.extend(views.iter().map(|it| it.message.seq)),
            VisitorSignal::Status(_) | VisitorSignal::Ephemeral(_) | VisitorSignal::Owed => {}
        }
    }
    seqs
}

#[tokio::test]
async fn a_visitors_reader_may_be_dropped_at_any_moment() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    rig.say(&guest, "one").await;
    rig.gate.make_busy();
    let mut watcher = rig.service.watch_visitor(&guest.actor(), None, 0).expect("watching");
    let writing = async {
        for n in 2..=150 {
            rig.say(&guest, &format!("message {n}")).await;
        }
    };
    let reading = visitors_seqs(&mut watcher, 150);
    let ((), seqs) = timeout(SOON, async { tokio::join!(writing, reading) }).await.expect("all");
    assert!(seqs.into_iter().eq(1..=150));
}

/// However far a reader has got when something is written, it hears of it.
#[tokio::test(start_paused = true)]
async fn a_write_at_any_step_of_a_reading_is_heard() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    rig.gate.make_busy();
    for steps in 0..8 {
        let mut watcher = live(watch(&rig.service, &rig.desk, None).await);
        let mut next = Box::pin(watcher.next());
        for _ in 0..steps {
            assert!(futures::poll!(next.as_mut()).is_pending());
        }
        note(&rig.service, &rig.desk, id, format!("note {steps}")).await;
        let heard = timeout(SOON, next).await.unwrap_or_else(|_| panic!("asleep after {steps}"));
        assert!(matches!(heard.expect("a signal"), Signal::Change(_)));
    }
    for steps in 0..24 {
        let seq = rig.header(id).await.last_seq;
        let shown = rig.service.current_conversation(&guest.actor()).await.expect("read");
        let mut watcher =
            rig.service.watch_visitor(&guest.actor(), shown.as_ref(), seq).expect("watching");
        let mut next = Box::pin(watcher.next());
        for _ in 0..steps {
            assert!(futures::poll!(next.as_mut()).is_pending());
        }
        rig.say(&guest, "more").await;
        let heard = timeout(SOON, next).await.unwrap_or_else(|_| panic!("asleep after {steps}"));
        let heard = heard.expect("a signal");
        assert!(matches!(heard, VisitorSignal::Messages(_) | VisitorSignal::Message(_)));
    }
}

/// However far a reader has got when it is dropped, the next one of it says the same.
#[tokio::test(start_paused = true)]
async fn a_reading_dropped_at_any_step_loses_nothing() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "one").await;
    rig.say(&guest, "two").await;
    rig.gate.make_busy();
    for steps in 0..40 {
        let mut visitor = rig.service.watch_visitor(&guest.actor(), None, 0).expect("watching");
        let mut dropped = Box::pin(visitor.next());
        let mut early = None;
        for _ in 0..steps {
            if let std::task::Poll::Ready(signal) = futures::poll!(dropped.as_mut()) {
                early = Some(signal.expect("a signal"));
                break;
            }
        }
        drop(dropped);
        let signal = match early {
            Some(signal) => signal,
            None => timeout(SOON, visitor.next()).await.expect("heard").expect("a signal"),
        };
        let VisitorSignal::Messages(messages) = signal else { panic!("after {steps}: {signal:?}") };
        let seqs = messages.iter().map(|it| it.message.seq);
        assert!(seqs.eq(1..=2), "dropped after {steps} steps");
    }
    for steps in 0..40 {
        let epoch = rig.service.epoch();
        let after = Some(Cursor { epoch, position: 0 });
        let mut staff = live(watch(&rig.service, &rig.desk, after).await);
        let mut dropped = Box::pin(staff.next());
        let mut position = 0;
        for _ in 0..steps {
            if futures::poll!(dropped.as_mut()).is_ready() {
                position = 1;
                break;
            }
        }
        drop(dropped);
        while position < rig.header(id).await.position {
            let next = timeout(SOON, change(&mut staff)).await.expect("heard");
            assert_eq!(next.entry.position, position + 1, "dropped after {steps} steps");
            position += 1;
        }
    }
}

#[tokio::test]
async fn a_visitor_hears_messages_before_what_they_changed() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let mut watcher = rig.service.watch_visitor(&guest.actor(), None, 0).expect("watching");
    let (id, _) = rig.say(&guest, "hello").await;
    let id = id.to_string();
    note(&rig.service, &rig.desk, id.parse().expect("an id"), "psst".to_owned()).await;
    let reply = "hi".to_owned();
    rig.service.post_message(&rig.desk.a, None, &id, reply, None).await.expect("replied");
    rig.service.mark_read(&rig.desk.a, &id, 3).await.expect("marked");
    let mut heard = Vec::new();
    while heard.len() < 2 {
        match watcher.next().await.expect("a signal") {
            VisitorSignal::Messages(messages) => {
                let shown = |it: &MessageView| {
                    let code = it.message.system.as_ref().map(|it| it.code.clone());
                    code.unwrap_or_else(|| it.message.content.clone())
                };
                heard.push(messages.iter().map(shown).collect::<Vec<_>>().join(", "));
            }
            VisitorSignal::Status(view) => {
                heard.push(format!("{} {}", view.assignee_name, view.header.staff_mark));
            }
            VisitorSignal::Message(_) | VisitorSignal::Ephemeral(_) | VisitorSignal::Owed => {}
        }
    }
    assert_eq!(heard, ["hello, claimed, hi", "A 3"]);
}

#[tokio::test]
async fn what_was_read_live_and_what_is_read_again_is_the_same() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let mut watcher = live(watch(&rig.service, &rig.desk, None).await);
    let first = watcher.cursor();
    let (id, _) = rig.say(&guest, "hello").await;
    let id = id.to_string();
    rig.service.wish_for_person(&guest.actor(), None, None).await.expect("wished");
    rig.service.claim(&rig.desk.a, None, &id, None, false).await.expect("claimed");
    rig.service.release(&rig.desk.a, None, &id).await.expect("released");
    rig.service.hand_back(&rig.desk.a, None, &id).await.expect("handed back");
    let shown = |change: &Change| {
        let id = change.escalation.as_ref().map(|it| it.escalation.id);
        let content = change.message.as_ref().map(|it| it.message.clone());
        (change.entry.clone(), change.actor_name.clone(), content, id)
    };
    let mut heard = Vec::new();
    for _ in 0..8 {
        heard.push(shown(change(&mut watcher).await.as_ref()));
    }
    drop(watcher);
    let mut again = live(watch(&rig.service, &rig.desk, Some(first)).await);
    for (at, was) in heard.into_iter().enumerate() {
        assert_eq!(shown(change(&mut again).await.as_ref()), was, "{at}");
    }
}

#[tokio::test]
async fn a_cursor_resumes_exactly_or_is_reset() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    let head = rig.journal().await.len() as u64;
    let epoch = rig.service.epoch();
    let check = async |epoch, position, resumes: bool| {
        let after = Some(Cursor { epoch, position });
        match watch(&rig.service, &rig.desk, after).await {
            Subscribed::Live(watcher) => {
                assert_eq!((watcher.cursor().position, true), (position, resumes));
            }
            Subscribed::Reset(now) => assert_eq!((now.position, false), (head, resumes)),
        }
    };
    check(epoch, 0, true).await;
    check(epoch, head, true).await;
    check(epoch, head + 1, false).await;
    check(epoch, u64::MAX, false).await;
    check(Uuid::from_u128(1), head, false).await;
    let mut watcher =
        live(watch(&rig.service, &rig.desk, Some(Cursor { epoch, position: 0 })).await);
    for position in 1..=head {
        assert_eq!(change(&mut watcher).await.entry.position, position);
    }
    // More than the hub remembers, while nobody asks: the store has the rest.
    for n in 0..600 {
        note(&rig.service, &rig.desk, id, format!("note {n}")).await;
    }
    for position in head + 1..=head + 600 {
        assert_eq!(change(&mut watcher).await.entry.position, position);
    }
    let rig = rig.restarted().await;
    let after = Some(Cursor { epoch, position: head });
    let mut watcher = live(watch(&rig.service, &rig.desk, after).await);
    assert_eq!(change(&mut watcher).await.entry.position, head + 1, "a restart changes nothing");
}

#[tokio::test]
async fn one_conversation_can_be_watched_alone() {
    let rig = Rig::new().await;
    let (guest, other) = (rig.guest().await, rig.guest().await);
    let (id, _) = rig.say(&guest, "one").await;
    let text = id.to_string();
    let subscribed = rig.service.watch(&rig.desk.a, Some(&text), None).await.expect("watching");
    let mut watcher = live(subscribed);
    rig.say(&other, "elsewhere").await;
    rig.say(&guest, "two").await;
    let next = change(&mut watcher).await;
    assert_eq!((next.entry.conversation, next.entry.kind), (Some(id), EntryKind::MessagePosted));
}

#[tokio::test]
async fn the_hub_forgets_those_who_have_gone() {
    let rig = Rig::new().await;
    let mut readers = Vec::new();
    for _ in 0..50 {
        let guest = rig.guest().await;
        readers.push(rig.service.watch_visitor(&guest.actor(), None, 0).expect("watching"));
        readers.push(rig.service.watch_visitor(&guest.actor(), None, 0).expect("a second tab"));
    }
    let watcher = watch(&rig.service, &rig.desk, None).await;
    assert_eq!(rig.service.hub().channel_count(), 51);
    readers.pop();
    assert_eq!(rig.service.hub().channel_count(), 51, "the other tab is still there");
    drop(readers);
    drop(watcher);
    assert_eq!(rig.service.hub().channel_count(), 0);
}

#[tokio::test]
async fn typing_reaches_only_whom_it_may() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    let text = id.to_string();
    rig.service.claim(&rig.desk.a, None, &text, None, false).await.expect("claimed");
    let shown = rig.service.current_conversation(&guest.actor()).await.expect("read");
    let seq = rig.header(id).await.last_seq;
    let mut visitor =
        rig.service.watch_visitor(&guest.actor(), shown.as_ref(), seq).expect("watching");
    let mut staff = live(watch(&rig.service, &rig.desk, None).await);
    let refused = rig.service.set_typing(&guest.actor(), &text, false).await;
    assert_eq!(code(&refused), "forbidden", "visitors have a way of their own");
    let typists =
        [Some((&rig.desk.a, true)), Some((&rig.desk.b, false)), None, Some((&rig.desk.a, false))];
    for typist in typists {
        match typist {
            Some((actor, note)) => {
                rig.service.set_typing(actor, &text, note).await.expect("signalled");
            }
            None => rig.service.type_as_guest(&guest, id, ""),
        }
        let signal = timeout(SOON, staff.next()).await.expect("heard").expect("a signal");
        let Signal::Ephemeral(heard) = &signal else { panic!("staff hear everybody: {signal:?}") };
        assert!(matches!(&**heard, Ephemeral::Typing(_)), "{heard:?}");
    }
    let heard = timeout(SOON, visitor.next()).await.expect("heard").expect("a signal");
    let VisitorSignal::Ephemeral(heard) = heard else { panic!("{heard:?}") };
    let Ephemeral::Typing(typing) = &*heard else { panic!("{heard:?}") };
    assert_eq!((typing.name.as_str(), typing.note), ("A", false), "only the assignee's reply");
}

#[tokio::test]
async fn live_tabs_are_told_without_reading_the_store() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    rig.say(&guest, "one").await;
    let mut tabs = Vec::new();
    for _ in 0..3 {
        let mut tab = rig.service.watch_visitor(&guest.actor(), None, 0).expect("watching");
        while futures::poll!(Box::pin(tab.next())).is_ready() {}
        tabs.push(tab);
    }
    rig.say(&guest, "two").await;
    rig.gate.close().await.expect("closed");
    for tab in &mut tabs {
        let heard = timeout(SOON, tab.next()).await.expect("heard").expect("without the store");
        let VisitorSignal::Message(post) = heard else { panic!("{heard:?}") };
        let told = &post.view.message;
        assert_eq!((told.seq, told.content.as_str()), (2, "two"));
    }
    // Whoever was not there at that moment has to read.
    let mut late = rig.service.watch_visitor(&guest.actor(), None, 0).expect("watching");
    assert!(timeout(SOON, late.next()).await.expect("an answer").is_err());
}

#[tokio::test]
async fn a_tab_that_was_busy_does_not_miss_a_new_conversation() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (old, _) = rig.say(&guest, "one").await;
    rig.service.end_by_visitor(&guest.actor(), None, None, false).await.expect("ended");
    let mut tab = rig.service.watch_visitor(&guest.actor(), None, 0).expect("watching");
    while futures::poll!(Box::pin(tab.next())).is_ready() {}
    // While this tab writes to its socket, another begins anew, and somebody has a word on what was.
    rig.pass(REOPEN_MS + 1);
    let (new, _) = rig.say(&guest, "anew").await;
    assert_ne!(old, new);
    note(&rig.service, &rig.desk, old, "on the old one".to_owned()).await;
    let heard = timeout(SOON, tab.next()).await.expect("heard").expect("a signal");
    let VisitorSignal::Messages(messages) = heard else { panic!("{heard:?}") };
    assert_eq!(messages[0].message.conversation, new);
}

#[tokio::test]
async fn who_reads_on_from_far_behind_is_never_shown_a_conversation_as_it_was_before() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    rig.service.wish_for_person(&guest.actor(), None, None).await.expect("wished");
    let text = id.to_string();
    rig.service.claim(&rig.desk.a, None, &text, None, false).await.expect("claimed");
    for n in 0..450 {
        note(&rig.service, &rig.desk, id, format!("note {n}")).await;
    }
    let start = Cursor { epoch: rig.service.epoch(), position: 0 };
    let mut watcher = live(watch(&rig.service, &rig.desk, Some(start)).await);
    let behind = rig.journal().await.len();
    rig.gate.make_busy();
    let mut names = Vec::new();
    // Names and headers change within pages, and between them.
    for number in 0..behind + 5 {
        if let 50 | 150 = number {
            let edit = EditUser { name: Some(format!("Anna {number}")), ..EditUser::default() };
            let now = if number == 50 { "A" } else { "Anna 50" };
            rig.service.edit_user(&rig.desk.admin, None, now, edit).await.expect("renamed");
            rig.say(&guest, "still there?").await;
        }
        if number == 250 {
            // On disk, but nobody here has heard of it yet.
            let other = serve(&rig.gate, &rig.now, rig.service.settings().limits.clone()).await;
            let said = other.guest_message(&guest, fresh(), "hello?".to_owned(), None).await;
            said.expect("said");
        }
        let change = timeout(SOON, change(&mut watcher)).await.expect("heard");
        assert_eq!(change.entry.position, number as u64 + 1);
        if let Some(view) = &change.conversation {
            assert!(view.header.position >= change.entry.position, "{:?}", change.entry);
            names.push((number, view.assignee_name.clone()));
        }
    }
    let late = names.iter().filter(|(number, _)| *number >= 350);
    assert!(late.clone().all(|it| it.1 == "Anna 150"), "{:?}", late.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_last_page_hides_nothing_that_comes_later() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    let text = id.to_string();
    let posted = rig.service.post_message(&rig.desk.a, None, &text, "oh".to_owned(), None);
    let seq = posted.await.expect("replied").message.message.seq;
    while !rig.journal().await.len().is_multiple_of(READ_AT_ONCE as usize) {
        note(&rig.service, &rig.desk, id, "so that pages are full".to_owned()).await;
    }
    let end = rig.journal().await.len() as u64;
    let start = Cursor { epoch: rig.service.epoch(), position: 0 };
    let mut watcher = live(watch(&rig.service, &rig.desk, Some(start)).await);
    while watcher.cursor().position < end {
        timeout(SOON, change(&mut watcher)).await.expect("heard");
    }
    let taken = rig.service.retract_message(&rig.desk.a, None, &text, seq).await;
    taken.expect("taken back");
    let heard = timeout(SOON, watcher.next()).await.expect("heard").expect("a signal");
    let Signal::Change(change) = heard else { panic!("{heard:?}") };
    assert_eq!((change.entry.position, change.entry.kind), (end + 1, EntryKind::MessageRetracted));
}
