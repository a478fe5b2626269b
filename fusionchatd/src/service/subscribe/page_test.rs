//! A reader far behind: how it is read to where others wait too, and where a page cannot be read.

use std::sync::Arc;

use futures::FutureExt as _;
use tokio::task::unconstrained;

use crate::service::Service;
use crate::service::error::Kind;
use crate::service::rig::{Rig, fresh, serve};
use crate::service::subscribe::{Cursor, Signal, Subscribed};

use super::page::READ_AT_ONCE;

/// Pages the reader is behind.
const PAGES: u32 = 4;

/// The positions a reader is shown from the beginning to `last`, and how often it hears of a failure. The scan fails
/// that comes after it was shown `failing` of them.
async fn read(
    rig: &Rig,
    service: &Arc<Service>,
    last: u64,
    failing: Option<usize>,
) -> (Vec<u64>, usize) {
    let cursor = Cursor { epoch: service.epoch(), position: 0 };
    let watched = service.watch(&rig.desk.a, None, Some(cursor)).await.expect("watching");
    let Subscribed::Live(mut watcher) = watched else { panic!("no reset") };
    let (mut shown, mut failures) = (Vec::new(), 0);
    while shown.last() != Some(&last) {
        if failing == Some(shown.len()) && failures == 0 {
            rig.gate.fail_next_scan();
        }
        match watcher.next().await {
            Ok(Signal::Change(change)) => shown.push(change.entry.position),
            Ok(Signal::Ephemeral(signal)) => panic!("{signal:?}"),
            Err(error) => {
                assert_eq!(error.kind, Kind::Internal, "{error:?}");
                let position = watcher.cursor().position;
                assert!(shown.last().is_none_or(|it| *it == position), "{position} {shown:?}");
                failures += 1;
            }
        }
    }
    (shown, failures)
}

/// A journal of some pages, and a service over the same rows with none of their changes at hand; the last position.
async fn journal() -> (Rig, Arc<Service>, u64) {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let id = rig.say(&guest, "hello").await.0.to_string();
    for number in 0..PAGES * READ_AT_ONCE {
        let note = rig.service.add_note(&rig.desk.b, Some(fresh()), &id, number.to_string());
        note.await.expect("noted");
    }
    let service = serve(&rig.gate, &rig.now, rig.service.settings().limits.clone()).await;
    let last = rig.journal().await.last().expect("an entry").position;
    (rig, service, last)
}

#[tokio::test(start_paused = true)]
async fn a_page_that_cannot_be_read_is_told_and_not_skipped() {
    let (rig, service, last) = journal().await;
    let (whole, failures) = read(&rig, &service, last, None).await;
    assert_eq!(
        (failures, whole.len() > (PAGES * READ_AT_ONCE) as usize),
        (0, true),
        "{}",
        whole.len()
    );
    let page = READ_AT_ONCE as usize;
    for failing in [0, page, 2 * page] {
        let (shown, failures) = read(&rig, &service, last, Some(failing)).await;
        assert_eq!(failures, 1, "after {failing}");
        assert!(shown == whole, "after {failing}: {shown:?}");
    }
}

/// The positions a reader is shown from the beginning, looked at only once each time before it is asked anew, and how
/// often there was nothing yet.
async fn glance(rig: &Rig, service: &Arc<Service>, last: u64) -> (Vec<u64>, u32) {
    let cursor = Cursor { epoch: service.epoch(), position: 0 };
    let watched = service.watch(&rig.desk.a, None, Some(cursor)).await.expect("watching");
    let Subscribed::Live(mut watcher) = watched else { panic!("no reset") };
    let (mut shown, mut waits) = (Vec::new(), 0);
    while shown.last() != Some(&last) {
        match unconstrained(watcher.next()).now_or_never() {
            Some(Ok(Signal::Change(change))) => shown.push(change.entry.position),
            Some(other) => panic!("{other:?}"),
            None => waits += 1,
        }
        assert!(waits < 10 * PAGES, "{shown:?}");
    }
    (shown, waits)
}

#[tokio::test]
async fn others_have_their_turn_between_two_pages_from_memory() {
    let (rig, service, last) = journal().await;
    let (shown, waits) = glance(&rig, &service, last).await;
    assert!(shown.is_sorted() && waits >= PAGES, "{waits}");
}

#[tokio::test]
async fn a_page_goes_on_being_read_while_its_reader_does_something_else() {
    let (rig, service, last) = journal().await;
    let whole = glance(&rig, &service, last).await.0;
    // Each reading has to be looked at more than once.
    rig.gate.make_busy();
    assert_eq!(glance(&rig, &service, last).await.0, whole);
}
