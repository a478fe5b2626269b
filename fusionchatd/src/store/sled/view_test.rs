//! What readers see while the writer works, and on which thread.

use std::thread;

use crate::store::conformance::{key, put, read};
use crate::store::disk::Body;
use crate::store::sled::Before;
use crate::store::sled::sled_test::open_at;
use crate::store::snapshot::Thread;
use crate::store::suite::shown;
use crate::store::{Direction, Engine, Range, Reads, StoreError, snapshot};

#[tokio::test]
async fn readers_do_not_see_a_group_before_it_is_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open_at(directory.path()).await.unwrap();
    engine.commit(put(&[("a", "new"), ("b", "same"), ("d", "new")])).await.unwrap();
    // The moment between apply and sync: a replaced, c deleted, d created.
    let before = [("a", Some("old")), ("c", Some("gone")), ("d", None)];
    let before: Before =
        before.into_iter().map(|(name, text)| (key(name), text.map(key))).collect();
    engine.shared.hide(before);
    engine.shared.applied();

    let old = [("a", "old"), ("b", "same"), ("c", "gone")];
    let old = old.map(|(name, text)| (key(name), key(text)));
    let keys = [key("a"), key("b"), key("c"), key("d")];
    let values = engine.get(&keys).await.unwrap();
    assert_eq!(values, [Some(key("old")), Some(key("same")), Some(key("gone")), None]);
    for limit in [3, 1000] {
        let rows = engine.scan(&Range::prefix(b""), Direction::Forward, limit).await.unwrap();
        assert_eq!(rows, old);
        let rows = engine.scan(&Range::prefix(b""), Direction::Backward, limit).await.unwrap();
        assert_eq!(rows, old.iter().rev().cloned().collect::<Vec<_>>());
    }
    let look = move |reads: &dyn Reads| {
        for limit in [3, 1000] {
            let rows = old.to_vec();
            assert_eq!(shown(reads, &keys, &Range::prefix(b""), limit), (values.clone(), rows));
        }
        // Of these, none is of the group.
        let other = (Vec::new(), vec![(key("b"), key("same"))]);
        assert_eq!(shown(reads, &[], &Range::prefix(b"b"), 9), other);
    };
    for on in [Thread::Same, Thread::Other] {
        snapshot::of(&engine, on, look.clone()).await.unwrap();
    }
    engine.shared.show();
    assert_eq!(read(&engine, "a").await, Some(key("new")));
    assert_eq!(read(&engine, "d").await, Some(key("new")));
}

#[tokio::test]
async fn a_short_read_waits_for_the_writer_and_a_failed_one_keeps_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open_at(directory.path()).await.unwrap();
    engine.commit(put(&[("a", "1")])).await.unwrap();
    let keys = [key("a")];
    engine.shared.hide(Before::new());
    let mut waiting = engine.get(&keys);
    assert!(futures::poll!(&mut waiting).is_pending(), "a group is being applied");
    engine.shared.applied();
    assert_eq!(waiting.await.unwrap(), [Some(key("1"))]);

    let asked = thread::current().id();
    let read_on = |on| snapshot::of(&engine, on, |_| thread::current().id());
    assert_ne!(read_on(Thread::Other).await.unwrap(), asked);
    engine.shared.hide(Before::new());
    let mut waiting = std::pin::pin!(read_on(Thread::Same));
    assert!(futures::poll!(&mut waiting).is_pending(), "a group is being applied");
    engine.shared.applied();
    assert_eq!(waiting.await.unwrap(), asked);

    engine.shared.hide(Before::new());
    let mut waiting = engine.get(&keys);
    assert!(futures::poll!(&mut waiting).is_pending(), "a group is being applied");
    engine.shared.front.fail("the disk is gone");
    engine.shared.end();
    assert!(matches!(waiting.await, Err(StoreError::Failed { .. })));
}

#[tokio::test]
async fn fault_45_a_read_that_panics_is_told_as_damage_wherever_it_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open_at(directory.path()).await.unwrap();
    engine.commit(put(&[("a", "1")])).await.unwrap();
    for on in [Thread::Same, Thread::Other] {
        let told = snapshot::of(&engine, on, |_| panic!("as sled does")).await;
        assert!(matches!(told, Err(StoreError::Corrupt { .. })), "{on:?} {told:?}");
    }
    assert_eq!(read(&engine, "a").await, Some(key("1")));
}
