//! What people did under format 1 is there under today's: the rows of an organization, taken back to format 1, opened
//! again in each engine, and asked.

use std::sync::Arc;

use fusionchat_backup::Reader;
use uuid::Uuid;

use crate::domain::conversation::Resolution;
use crate::domain::id::{ClientId, ConversationId};
use crate::store::check::check;
use crate::store::memory::MemoryEngine;
use crate::store::migrate::PROGRESS_KEY;
use crate::store::open::{DiskEngine, Format, OpenOptions, SCHEMA, SCHEMA_KEY, open, open_to_look};
use crate::store::record::first::{Rows, both_formats};
use crate::store::record::{Migration, Record, row};
use crate::store::restore::{Plan, restore};
use crate::store::rewrite::rewrite;
use crate::store::suite::open_url;
use crate::store::table::{self, Table};
use crate::store::walk::Walk;
use crate::store::{Batch, Engine, Key, Range, Value};

use super::Service;
use super::rig::{Gate, Rig, code, fresh, operator, serve};
use super::visitor::Guest;

async fn rows_of(engine: &dyn Engine) -> Rows {
    let (mut walk, mut rows) = (Walk::new(engine, Range::prefix(b"")), Rows::new());
    loop {
        let page = walk.next().await.expect("read");
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

async fn put(engine: &dyn Engine, rows: &Rows) {
    let put = rows.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    engine.commit(Batch { put, ..Batch::default() }).await.expect("put");
}

/// Visitors, agents and whatever they do: a conversation that is resolved, and one that waits.
async fn played(rig: &Rig) -> (Guest, ClientId) {
    let (guest, client_id, a) = (rig.guest().await, fresh(), &rig.desk.a);
    let service = &rig.service;
    let said = service.guest_message(&guest, client_id, "hello".to_owned(), None).await;
    let text = said.expect("said").message.message.conversation.to_string();
    service.wish_for_person(&guest.actor(), Some(fresh()), None).await.expect("wished");
    service.claim(a, Some(fresh()), &text, None, false).await.expect("claimed");
    service.add_note(a, Some(fresh()), &text, "psst".to_owned()).await.expect("noted");
    for reply in ["my secret", "good day"] {
        let posted = service.post_message(a, Some(fresh()), &text, reply.to_owned(), None).await;
        posted.expect("posted");
    }
    service.retract_message(a, Some(fresh()), &text, 4).await.expect("taken back");
    service.resolve(a, Some(fresh()), &text, Resolution::Agent).await.expect("resolved");
    let other = rig.guest().await;
    rig.say(&other, "a person please").await;
    service.wish_for_person(&other.actor(), Some(fresh()), None).await.expect("wished");
    (guest, client_id)
}

/// The rows of a rig, and the one that every store on disk has.
async fn rows_in(rig: &Rig) -> Rows {
    let mut rows = rows_of(&rig.gate.engine).await;
    rows.insert(Key::from_static(&SCHEMA_KEY), Value::copy_from_slice(&SCHEMA.to_be_bytes()));
    rows
}

/// The rows of a store that has been brought up to here.
fn half(first: &Rows, today: &Rows, next: Key) -> Rows {
    let brought = today.range(..next.clone()).chain(first.range(next.clone()..));
    let mut half: Rows = brought.map(|(key, value)| (key.clone(), value.clone())).collect();
    half.insert(Key::from_static(&SCHEMA_KEY), today[SCHEMA_KEY.as_slice()].clone());
    half.insert(Key::from_static(&PROGRESS_KEY), Migration { from: 1, next }.encode());
    half
}

#[tokio::test]
async fn what_was_done_under_format_1_is_there_and_repeated_under_todays() {
    let rig = Rig::new().await;
    let (guest, client_id) = played(&rig).await;
    let (first, today) = both_formats(&rows_in(&rig).await);
    let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
    for scheme in ["sled", "redb"] {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("{scheme}:{}", directory.path().display());
        let bare = open_url(&url).await.expect("opened");
        put(bare.as_ref(), &first).await;
        assert_eq!(check(bare.as_ref(), |_| ()).await.expect("checked").faults, 0, "as it was");
        let next = table::message(rig.desk.organization, ConversationId::default(), 0);
        put(bare.as_ref(), &half(&first, &today, next)).await;
        bare.close().await.expect("closed");
        drop(bare);

        let (looked, format) = open_to_look(&url, &options).await.expect("opened");
        assert!(matches!(format, Format::Midway(Migration { from: 1, .. })), "{format:?}");
        let found = check(looked.as_ref(), |_| ()).await.expect("checked");
        assert_eq!((found.faults, found.conversations), (0, 2), "half way: {found:?}");
        looked.close().await.expect("closed");
        drop(looked);

        let engine = open(&url, &options).await.expect("opened");
        let found = check(engine.as_ref(), |_| ()).await.expect("checked");
        assert_eq!((found.faults, found.conversations), (0, 2), "afterwards: {found:?}");
        let found = rows_of(engine.as_ref()).await;
        assert!(found == today, "{} rows of {}", found.len(), today.len());
        engine.close().await.expect("closed");

        let memory = MemoryEngine::new();
        put(&memory, &found).await;
        let limits = rig.service.settings().limits.clone();
        let service = serve(&Gate::new(memory), &rig.now, limits).await;
        let again = service.guest_message(&guest, client_id, "hello".to_owned(), None).await;
        assert_eq!(again.expect("a repeat").message.message.seq, 1);
        let other = service.guest_message(&guest, client_id, "another".to_owned(), None).await;
        assert_eq!(code(&other), "client_id_reused");
    }
}

/// Does what changes rows of every kind that has a second version, and adds some.
async fn go_on(rig: &Rig, service: &Arc<Service>, (guest, said): &(Guest, ClientId)) {
    let (a, b) = (&rig.desk.a, &rig.desk.b);
    let again = service.guest_message(guest, *said, "hello".to_owned(), None).await;
    assert_eq!(again.expect("a repeat").message.message.seq, 1);
    let another = service.guest_message(guest, *said, "another".to_owned(), None).await;
    assert_eq!(code(&another), "client_id_reused");
    let posted = service.guest_message(guest, fresh(), "one more".to_owned(), None).await;
    let text = posted.expect("posted").message.message.conversation.to_string();
    service.wish_for_person(&guest.actor(), Some(fresh()), None).await.expect("wished");
    service.claim(b, Some(fresh()), &text, None, false).await.expect("claimed");
    service.add_note(b, Some(fresh()), &text, "psst".to_owned()).await.expect("noted");
    let reply = service.post_message(b, Some(fresh()), &text, "good day".to_owned(), None).await;
    let seq = reply.expect("posted").message.message.seq;
    service.retract_message(b, Some(fresh()), &text, seq).await.expect("taken back");
    service.resolve(b, Some(fresh()), &text, Resolution::Agent).await.expect("resolved");
    let (waiting, _, _) = service.list_escalations(a, 10).await.expect("a list");
    assert_eq!(waiting.len(), 1, "the one that waited in format 1");
}

/// A row as it is once it has been brought up.
fn newest((key, value): (&Key, &Value)) -> (Key, Value) {
    let newest = Table::of(key).and_then(|table| row::renew(table, key, value).expect("a row"));
    (key.clone(), newest.unwrap_or_else(|| value.clone()))
}

/// All rows of a directory, which are of today and hold.
async fn sound(url: &str) -> Rows {
    let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
    let (engine, format) = open_to_look(url, &options).await.expect("opened");
    assert_eq!(format, Format::Own);
    let found = check(engine.as_ref(), |_| ()).await.expect("checked");
    assert_eq!(found.faults, 0, "{found:?}");
    let rows = rows_of(engine.as_ref()).await;
    engine.close().await.expect("closed");
    rows
}

#[tokio::test]
async fn a_store_that_is_half_way_is_served_and_written_to() {
    let rig = Rig::new().await;
    let said = played(&rig).await;
    let (first, today) = both_formats(&rows_in(&rig).await);
    let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
    for mark in (0..first.len()).step_by(first.len() / 6) {
        let next = first.keys().nth(mark).expect("a key").clone();
        let memory = MemoryEngine::new();
        put(&memory, &half(&first, &today, next.clone())).await;
        let gate = Gate::new(memory);
        let service = serve(&gate, &rig.now, rig.service.settings().limits.clone()).await;
        go_on(&rig, &service, &said).await;
        let rows = rows_of(&gate.engine).await;
        let found = check(&gate.engine, |_| ()).await.expect("checked");
        assert_eq!((found.faults, found.read.rows), (0, rows.len() as u64), "{found:?}");
        let mark = Migration { from: 1, next }.encode();
        assert_eq!(rows.get(PROGRESS_KEY.as_slice()), Some(&mark), "who serves does not move it");
        let mut expected: Rows = rows.iter().map(newest).collect();
        expected.remove(PROGRESS_KEY.as_slice());

        let place = tempfile::tempdir().expect("a directory");
        let (file, data) = (place.path().join("backup"), place.path().join("data"));
        let mut parts = service.create_backup(&operator()).await.expect("begun");
        let mut bytes = Vec::new();
        while let Some(part) = parts.recv().await {
            bytes.extend(part.expect("a part").bytes);
        }
        let head = Reader::begin(bytes.as_slice()).expect("a backup").head().clone();
        assert_eq!(head.schema, SCHEMA, "an older daemon refuses it");
        std::fs::write(&file, bytes).expect("written");
        let (to, epoch) = (Some(DiskEngine::Redb), Uuid::from_u128(1));
        let plan =
            Plan { file: &file, data: &data, store: "store", to, epoch, despite_faults: false };
        restore(plan, &options, |_| ()).await.expect("restored");
        let mut restored = sound(&DiskEngine::Redb.url(&data.join("store"))).await;
        // The restored one is another store.
        restored.insert(table::daemon(), expected[&table::daemon()].clone());
        assert!(restored == expected, "{} rows restored", restored.len());

        for (engine, other) in [("sled", DiskEngine::Redb), ("redb", DiskEngine::Sled)] {
            for moved in [false, true] {
                let store = place.path().join(format!("{engine}-{moved}")).join("store");
                let url = format!("{engine}:{}", store.display());
                let bare = open_url(&url).await.expect("opened");
                put(bare.as_ref(), &rows).await;
                bare.close().await.expect("closed");
                drop(bare);
                let url = if moved {
                    rewrite(&store, Some(other), &options, |_| ()).await.expect("rewritten");
                    other.url(&store)
                } else {
                    open(&url, &options).await.expect("opened").close().await.expect("closed");
                    url
                };
                assert!(sound(&url).await == expected, "{url}");
            }
        }
    }
}
