//! What a lane decides without asking the store.

use std::sync::atomic::Ordering;

use tokio::time::timeout;

use super::execute_test::{SOON, hook};
use crate::domain::organization::Organization;
use crate::service::rig::{Rig, code, fresh};
use crate::store::memory::Fault;
use crate::store::record::Record;
use crate::store::{StoreError, table};

#[tokio::test(start_paused = true)]
async fn a_busy_lane_does_not_read_again_what_it_has_seen() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    rig.say(&guest, "hello").await;
    rig.gate.open(false);
    let say = |text: &str| rig.service.guest_message(&guest, fresh(), text.to_owned(), None);
    let reads = || rig.gate.reads.load(Ordering::SeqCst);
    let mut said = std::pin::pin!(say("one"));
    assert!(timeout(SOON, said.as_mut()).await.is_err());
    let before = reads();
    let mut more = std::pin::pin!(say("two"));
    assert!(timeout(SOON, more.as_mut()).await.is_err());
    assert_eq!(reads(), before);
    rig.gate.open(true);
    let (one, two) = tokio::join!(said, more);
    let seqs = [one, two].map(|it| it.expect("posted").message.message.seq);
    assert_eq!(seqs, [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_among_new_commands_is_found_by_the_commit() {
    let rig = Rig::new().await;
    let (guest, other) = (rig.guest().await, rig.guest().await);
    let client_id = fresh();
    let again = |text: &str| rig.service.guest_message(&guest, client_id, text.to_owned(), None);
    let first = again("hello").await.expect("posted").message.message;
    let (faults, batches) = hook(|_| Fault::None);
    rig.gate.engine.set_faults(Some(faults));
    rig.gate.open(false);
    let say = |text: &str| rig.service.guest_message(&other, fresh(), text.to_owned(), None);
    let mut flies = std::pin::pin!(say("in flight"));
    assert!(timeout(SOON, flies.as_mut()).await.is_err());
    let mut waiting = std::pin::pin!(async {
        tokio::join!(say("one"), again("hello"), say("two"), again("something else"))
    });
    assert!(timeout(SOON, waiting.as_mut()).await.is_err());
    rig.gate.open(true);
    let (flown, (one, repeat, two, reused)) = tokio::join!(flies, waiting);
    assert_eq!(repeat.expect("repeated").message.message, first);
    assert_eq!(code(&reused), "client_id_reused");
    let seqs = [flown, one, two].map(|it| it.expect("posted").message.message.seq);
    assert_eq!(seqs, [1, 2, 3]);
    let count = batches.lock().expect("not poisoned").len();
    assert_eq!(count, 3, "the flight, one that is refused, and one without the repeats");
    assert_eq!(again("hello").await.expect("repeated").message.message, first);
    assert_eq!(rig.say(&guest, "more").await.1, 2, "it was said once");
    let journal = rig.journal().await;
    assert!(journal.iter().map(|it| it.position).eq(1..=journal.len() as u64));
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_answered_where_nothing_can_be_written() {
    let rig = Rig::new().await;
    let (guest, other) = (rig.guest().await, rig.guest().await);
    let client_id = fresh();
    let again = || rig.service.guest_message(&guest, client_id, "hello".to_owned(), None);
    let first = again().await.expect("posted").message.message;
    let (faults, batches) = hook(|_| Fault::Before(StoreError::DiskFull { free: 0, need: 1 }));
    rig.gate.engine.set_faults(Some(faults));
    assert_eq!(again().await.expect("repeated").message.message, first, "of a lane at rest");
    assert_eq!(batches.lock().expect("not poisoned").len(), 0);
    rig.gate.open(false);
    let mut flies =
        std::pin::pin!(rig.service.guest_message(&other, fresh(), "lost".to_owned(), None));
    assert!(timeout(SOON, flies.as_mut()).await.is_err());
    let mut repeat = std::pin::pin!(again());
    assert!(timeout(SOON, repeat.as_mut()).await.is_err());
    rig.gate.open(true);
    let (flown, repeat) = tokio::join!(flies, repeat);
    assert_eq!(code(&flown), "disk_full");
    assert_eq!(repeat.expect("repeated").message.message, first, "of a busy one");
}

#[tokio::test(start_paused = true)]
async fn a_repeat_that_would_be_refused_now_is_still_a_repeat() {
    let rig = Rig::new().await;
    let (guest, other) = (rig.guest().await, rig.guest().await);
    let id = rig.say(&guest, "hello").await.0.to_string();
    let client_id = fresh();
    let claim = |client_id| rig.service.claim(&rig.desk.a, Some(client_id), &id, None, false);
    claim(client_id).await.expect("claimed");
    rig.service.release(&rig.desk.a, None, &id).await.expect("released");
    rig.service.claim(&rig.desk.b, None, &id, None, false).await.expect("claimed by B");
    // A lane that is busy does not look first.
    rig.gate.open(false);
    let mut flies =
        std::pin::pin!(rig.service.guest_message(&other, fresh(), "hi".to_owned(), None));
    assert!(timeout(SOON, flies.as_mut()).await.is_err());
    let mut waiting = std::pin::pin!(async { tokio::join!(claim(fresh()), claim(client_id)) });
    assert!(timeout(SOON, waiting.as_mut()).await.is_err());
    rig.gate.open(true);
    let (flown, (refused, repeated)) = tokio::join!(flies, waiting);
    flown.expect("posted");
    assert_eq!(code(&refused), "already_claimed");
    assert_eq!(repeated.expect("repeated").assignee_name, "B", "as it is now");
}

#[tokio::test]
async fn what_is_seen_follows_the_layer_and_goes_back_with_it() {
    let rig = Rig::new().await;
    let key = table::organization(rig.desk.organization);
    let mut rows = rig.rows();
    rows.load(vec![key.clone()]).await.expect("read");
    let before = rows.this_organization().await.expect("read").expect("there");
    let after = Organization { name: "other".to_owned(), ..before.clone() };
    rows.put(key.clone(), &after);
    assert_eq!(rows.value(&key).await.expect("read"), Some(after.encode()));
    rows.take_back();
    assert_eq!(rows.value(&key).await.expect("read"), Some(before.encode()));
    rows.put(key.clone(), &after);
    rows.keep();
    rows.delete(key.clone());
    rows.take_back();
    assert_eq!(rows.value(&key).await.expect("read"), Some(after.encode()));
    let seen = rows.take_seen();
    assert!(seen.is_empty(), "what was taken back is read again");
}
