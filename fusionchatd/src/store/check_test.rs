//! The check finds each kind of fault. Where rows come from a running daemon, the tests crate checks them.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::entry::{ActorKind, ActorRef, Entry, EntryKind};
use crate::domain::id::OrganizationId;
use crate::store::check::{Found, check};
use crate::store::memory::MemoryEngine;
use crate::store::record::{Head, Record};
use crate::store::table;
use crate::store::{Batch, Engine, Key, Value};

const ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(7));

fn entry(position: u64) -> (Key, Value) {
    let actor = ActorRef { kind: ActorKind::System, user: None, key: None };
    let entry = Entry {
        position,
        time: 1,
        actor,
        kind: EntryKind::UserCreated,
        conversation: None,
        subject: None,
        other: None,
        seq: None,
        number: None,
        code: 0,
        due: None,
        detail: None,
        digest: None,
    };
    (table::entry(ORGANIZATION, position), entry.encode())
}

fn head(position: u64) -> (Key, Value) {
    let head = Head { position, floor: 0, time: 1, next_number: 1 };
    (table::head(ORGANIZATION), head.encode())
}

async fn found(put: Vec<(Key, Value)>) -> Found {
    let engine = Arc::new(MemoryEngine::new());
    engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
    check(engine.as_ref(), |_| ()).await.unwrap()
}

#[tokio::test]
async fn a_sound_journal_has_no_fault() {
    let found = found(vec![head(3), entry(1), entry(2), entry(3)]).await;
    assert_eq!((found.journals, found.entries, found.faults), (1, 3, 0), "{found:?}");
}

#[tokio::test]
async fn each_kind_of_damage_is_told() {
    let cases = [
        (vec![head(3), entry(1), entry(3)], "no entry at position 2"),
        (vec![head(3), entry(1), entry(2)], "ends at 2, its head says 3"),
        (vec![head(1), (entry(1).0, Value::from_static(b"\x02\x01junk"))], "Entry: "),
        (vec![(Key::from_static(b"\x7Fkey"), Value::new())], "belongs to no table"),
        (vec![(table::daemon(), head(1).1)], "expected a row of kind 4, found 1"),
    ];
    for (rows, told) in cases {
        let found = found(rows).await;
        assert_eq!(found.faults as usize, found.told.len());
        assert!(found.told.iter().any(|it| it.contains(told)), "{told}: {found:?}");
    }
}

#[tokio::test]
async fn a_head_of_nonsense_is_a_fault_and_no_panic() {
    let head = Head { position: 1, floor: u64::MAX, time: 1, next_number: 1 };
    let found = found(vec![(table::head(ORGANIZATION), head.encode()), entry(1)]).await;
    assert!(found.told.iter().any(|it| it.contains("no entry at position")), "{found:?}");
}

#[tokio::test]
async fn many_faults_are_counted_and_some_told() {
    let rows = (0..50).map(|row: u8| (Key::from(vec![0x7F, row]), Value::new()));
    let found = found(rows.collect()).await;
    assert_eq!((found.faults, found.told.len()), (50, 20));
}
