//! What a lane decides without asking the store.

use std::sync::atomic::Ordering;

use tokio::time::timeout;

use super::execute_test::{SOON, hook};
use crate::domain::organization::Organization;
use crate::service::rig::{Rig, code, fresh};
use crate::store::memory::Fault;
use crate::store::record::Record;
use crate::store::table;

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

#[tokio::test]
async fn a_repeat_among_new_commands_is_found_by_the_commit() {
    let rig = Rig::new().await;
    let (guest, other) = (rig.guest().await, rig.guest().await);
    let client_id = fresh();
    let again = || rig.service.guest_message(&guest, client_id, "hello".to_owned(), None);
    let first = again().await.expect("posted").message.message;
    let (faults, batches) = hook(|_| Fault::None);
    rig.gate.engine.set_faults(Some(faults));
    let say = |text: &str| rig.service.guest_message(&other, fresh(), text.to_owned(), None);
    let (one, repeat, two) = tokio::join!(say("one"), again(), say("two"));
    assert_eq!(repeat.expect("repeated").message.message, first);
    let seqs = [one, two].map(|it| it.expect("posted").message.message.seq);
    assert_eq!(seqs, [1, 2]);
    assert_eq!(batches.lock().expect("not poisoned").len(), 2, "one refused, and one without it");
    assert_eq!(again().await.expect("repeated").message.message, first);
    assert_eq!(rig.say(&guest, "more").await.1, 2, "it was said once");
    let journal = rig.journal().await;
    assert!(journal.iter().map(|it| it.position).eq(1..=journal.len() as u64));
}

#[tokio::test]
async fn a_repeat_that_would_be_refused_now_is_still_a_repeat() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let id = rig.say(&guest, "hello").await.0.to_string();
    let client_id = fresh();
    let claim = || rig.service.claim(&rig.desk.a, Some(client_id), &id, None, false);
    claim().await.expect("claimed");
    rig.service.release(&rig.desk.a, None, &id).await.expect("released");
    rig.service.claim(&rig.desk.b, None, &id, None, false).await.expect("claimed by B");
    let fresh_claim = rig.service.claim(&rig.desk.a, Some(fresh()), &id, None, false).await;
    assert_eq!(code(&fresh_claim), "already_claimed");
    assert_eq!(claim().await.expect("repeated").assignee_name, "B", "as it is now");
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
