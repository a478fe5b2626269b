//! What people did under format 1 is there under today's: the rows of an organization, taken back to format 1, opened again
//! in each engine, and asked.

use std::collections::BTreeMap;

use crate::domain::conversation::Resolution;
use crate::domain::decide::Refs;
use crate::domain::entry::Entry;
use crate::domain::id::{ClientId, ConversationId, OrganizationId};
use crate::store::check::check;
use crate::store::memory::MemoryEngine;
use crate::store::migrate::PROGRESS_KEY;
use crate::store::open::{Format, OpenOptions, SCHEMA, SCHEMA_KEY, open, open_to_look};
use crate::store::record::first_test::first_version;
use crate::store::record::{Did, Done, Migration, Record};
use crate::store::suite::open_url;
use crate::store::table::{self, Table};
use crate::store::walk::Walk;
use crate::store::{Batch, Engine, Key, Range, Value};

use super::rig::{Gate, Rig, code, fresh, serve};
use super::visitor::Guest;

type Rows = BTreeMap<Key, Value>;

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

/// A row of what a command did that says it by itself, as those of format 1 do.
fn spelled_out(key: &Key, mut done: Done, rows: &Rows) -> Done {
    if let Did::Entry(position) = done.did {
        let organization = OrganizationId(table::id_at(key, 1).expect("an organization"));
        let place = table::entry(organization, position);
        let entry = Entry::decode(&place, &rows[&place]).expect("an entry");
        done.did = Did::These(Refs::of(&entry).expect("an entry that says all"));
    }
    done
}

/// The rows as format 1 had them, and as they are once that has been brought up.
fn both_formats(rows: &Rows) -> (Rows, Rows) {
    let spell = |(key, value): (&Key, &Value)| {
        let done = (Table::of(key) == Some(Table::Done)).then(|| Done::decode(key, value));
        let value = match done {
            Some(done) => spelled_out(key, done.expect("a done command"), rows).encode(),
            None => value.clone(),
        };
        (key.clone(), value)
    };
    let today: Rows = rows.iter().map(spell).collect();
    let older = |(key, value): (&Key, &Value)| {
        (key.clone(), first_version(key, value).unwrap_or_else(|| value.clone()))
    };
    let mut first: Rows = today.iter().map(older).collect();
    first.insert(Key::from_static(&SCHEMA_KEY), Value::from_static(&[0, 0, 0, 1]));
    (first, today)
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

#[tokio::test]
async fn what_was_done_under_format_1_is_there_and_repeated_under_todays() {
    let rig = Rig::new().await;
    let (guest, client_id) = played(&rig).await;
    let mut rows = rows_of(&rig.gate.engine).await;
    rows.insert(Key::from_static(&SCHEMA_KEY), Value::copy_from_slice(&SCHEMA.to_be_bytes()));
    let (first, today) = both_formats(&rows);
    let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
    for scheme in ["sled", "redb"] {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("{scheme}:{}", directory.path().display());
        let bare = open_url(&url).await.expect("opened");
        put(bare.as_ref(), &first).await;
        assert_eq!(check(bare.as_ref(), |_| ()).await.expect("checked").faults, 0, "as it was");
        let next = table::message(rig.desk.organization, ConversationId::default(), 0);
        let mut half: Rows =
            today.range(..next.clone()).map(|(k, v)| (k.clone(), v.clone())).collect();
        half.insert(Key::from_static(&PROGRESS_KEY), Migration { from: 1, next }.encode());
        put(bare.as_ref(), &half).await;
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
