//! Rows of format 1 become today's: in every engine, wherever it is interrupted, and whichever way they come.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fusionchat_backup::{Head as BackupHead, Writer};
use futures::future::BoxFuture;
use tokio::sync::watch;
use uuid::Uuid;

use crate::domain::entry::{ActorKind, ActorRef, Entry, EntryKind};
use crate::domain::id::{ClientId, ConversationId, MessageId, OrganizationId, UserId};
use crate::domain::message::{Message, SenderType};
use crate::store::migrate::{BATCH_ROWS, PROGRESS_KEY};
use crate::store::moment::Moment;
use crate::store::open::{
    DiskEngine, Format, OpenOptions, SCHEMA, SCHEMA_KEY, bring_up, format_of, open, open_to_look,
};
use crate::store::record::first::{Rows, first_version};
use crate::store::record::{Daemon, Head, Migration, Record};
use crate::store::restore::{Plan, restore};
use crate::store::rewrite::rewrite;
use crate::store::snapshot::Work;
use crate::store::suite::{Ground, disk_engines, every_engine, open_url};
use crate::store::walk::Walk;
use crate::store::{
    Batch, Direction, Engine, EngineStats, Key, Range, Reads, StoreError, Value, table,
};

/// Where the child finds its store, and how many commits it lives through; without them its test does nothing.
const PLACE: &str = "FUSIONCHAT_MIGRATE_TEST_PLACE";
const CUT_AFTER: &str = "FUSIONCHAT_MIGRATE_TEST_CUT_AFTER";

const ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(7));
const CONVERSATION: ConversationId = ConversationId(Uuid::from_u128(8 << 64));
/// Each of them is an entry and a row of its own: enough for batches that are full of rows, and of bytes.
const MESSAGES: u64 = 2_500;

fn options() -> OpenOptions {
    OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() }
}

/// A message and its entry, as they are written today. Every other one has an id of its own, as all had once.
fn posted(number: u64) -> [(Key, Value); 2] {
    let (own, visitor) = (Uuid::from_u128(number.into()), UserId(Uuid::from_u128(9)));
    let id = if number.is_multiple_of(2) {
        MessageId(own)
    } else {
        MessageId::of_message(CONVERSATION, number)
    };
    let entry = Entry {
        position: number,
        time: 1,
        actor: ActorRef { kind: ActorKind::Visitor, user: Some(visitor), key: None },
        kind: EntryKind::MessagePosted,
        conversation: Some(CONVERSATION),
        subject: Some(id.0),
        other: Some(visitor.0),
        seq: Some(number),
        number: None,
        code: 1,
        due: None,
        detail: None,
        digest: Some([3; 16]),
    };
    let message = Message {
        id,
        conversation: CONVERSATION,
        seq: number,
        sender_type: SenderType::User,
        sender: Some(visitor),
        content: format!("{number:400}"),
        sources: Vec::new(),
        system: None,
        client_id: Some(ClientId([4; 16])),
        created_at: 1,
        position: number,
        retracted: false,
        flag: None,
    };
    [
        (table::entry(ORGANIZATION, number), entry.encode()),
        (table::message(ORGANIZATION, CONVERSATION, number), message.encode()),
    ]
}

fn number(format: u32) -> Value {
    Value::copy_from_slice(&format.to_be_bytes())
}

/// What is there in the end: rows of kinds that changed and that did not, one that cannot be read, and one of no table.
fn today() -> Rows {
    let head = Head { position: MESSAGES, floor: 0, time: 1, next_number: 1 };
    let daemon = Daemon { epoch: Uuid::from_u128(1), secret: [5; 32] };
    let others = [
        (Key::from_static(&SCHEMA_KEY), number(SCHEMA)),
        (table::daemon(), daemon.encode()),
        (table::head(ORGANIZATION), head.encode()),
        (table::entry(ORGANIZATION, MESSAGES + 1), Value::from_static(b"\x02\x01\xff")),
        (Key::from_static(b"\x7e"), Value::from_static(b"?")),
    ];
    (1..=MESSAGES).flat_map(posted).chain(others).collect()
}

/// The same in format 1.
fn first() -> Rows {
    let older = |(key, value): (Key, Value)| {
        let older = first_version(&key, &value).unwrap_or(value);
        (key, older)
    };
    let mut rows: Rows = today().into_iter().map(older).collect();
    rows.insert(Key::from_static(&SCHEMA_KEY), number(1));
    rows
}

async fn fill(engine: &dyn Engine, rows: Rows) {
    let rows: Vec<_> = rows.into_iter().collect();
    for some in rows.chunks(1_000) {
        engine.commit(Batch { put: some.to_vec(), ..Batch::default() }).await.unwrap();
    }
}

async fn rows_of(engine: &dyn Engine) -> Rows {
    let (mut walk, mut rows) = (Walk::new(engine, Range::prefix(b"")), Rows::new());
    loop {
        let page = walk.next().await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

fn same(found: &Rows, expected: &Rows) {
    let differs = expected.iter().find(|(key, value)| found.get(*key) != Some(value));
    assert_eq!((found.len(), differs), (expected.len(), None));
}

/// Of an interrupted migration: each row is what it was or what it will be, and the mark divides them.
fn half(found: &Rows) -> Migration {
    assert_eq!(found[SCHEMA_KEY.as_slice()], number(SCHEMA), "an older program refuses");
    let mark = Migration::decode(&PROGRESS_KEY, &found[PROGRESS_KEY.as_slice()]).unwrap();
    let (old, new) = (first(), today());
    for (key, value) in found.iter().filter(|(key, _)| key[0] != 0) {
        let expected = if *key < mark.next { &new[key] } else { &old[key] };
        assert_eq!(value, expected, "{key:02x?}");
    }
    mark
}

/// What becomes of the commit after the last one that is let through.
#[derive(Clone, Copy)]
enum End {
    /// The disk is below its reserve: nothing is written.
    Full,
    /// It fails, and nothing is written.
    Before,
    /// It is written, and its answer is lost.
    After,
    /// The process ends before it, as hard as it can.
    Abort,
}

/// An engine that lets some commits through.
struct Cut {
    engine: Arc<dyn Engine>,
    left: AtomicUsize,
    end: End,
}

impl Reads for Cut {
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        self.engine.get(keys)
    }

    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>> {
        self.engine.scan(range, direction, limit)
    }
}

impl Engine for Cut {
    fn with_snapshot(&self, work: Work) -> BoxFuture<'_, Result<(), StoreError>> {
        self.engine.with_snapshot(work)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let last =
                self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |it| it.checked_sub(1));
            if last.is_ok() {
                assert!(batch.put.len() <= BATCH_ROWS + 1, "{} rows at once", batch.put.len());
                return self.engine.commit(batch).await;
            }
            match self.end {
                End::Full => return Err(StoreError::DiskFull { free: 3, need: 4 }),
                End::Before => {}
                End::After => self.engine.commit(batch).await?,
                End::Abort => std::process::abort(),
            }
            Err(StoreError::Failed { detail: "no room".to_owned() })
        })
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, StoreError>> {
        self.engine.moment()
    }

    fn stats(&self) -> EngineStats {
        self.engine.stats()
    }

    fn failed(&self) -> watch::Receiver<Option<String>> {
        self.engine.failed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.engine.close()
    }
}

/// What opening does with an engine that lets so many commits through.
async fn brought_up(engine: Arc<dyn Engine>, commits: usize, end: End) -> Result<(), StoreError> {
    let cut = Cut { engine, left: AtomicUsize::new(commits), end };
    let format = format_of(&cut, "place".as_ref()).await?;
    bring_up(&cut, format).await
}

async fn a_migration_goes_on_wherever_it_failed(ground: &Ground) {
    let engine = ground.open().await;
    fill(engine.as_ref(), first()).await;
    engine.close().await.unwrap();
    let (mut runs, mut marks) = (0, Vec::new());
    loop {
        let engine = ground.open().await;
        let end = [End::Full, End::Before, End::After][runs % 3];
        let moved = brought_up(Arc::clone(&engine), 1, end).await;
        let found = rows_of(engine.as_ref()).await;
        engine.close().await.unwrap();
        match (moved, end) {
            (Ok(()), _) if !found.contains_key(PROGRESS_KEY.as_slice()) => {
                same(&found, &today());
                break;
            }
            (Ok(()), End::Full) => {}
            (Ok(()), _) => panic!("it takes a failure for its end"),
            (Err(error), _) => {
                let text = format!("{:#}", anyhow::Error::from(error));
                assert!(text.contains("format 1 to 2") && text.contains("(no room)"), "{text}");
            }
        }
        runs += 1;
        if found.contains_key(PROGRESS_KEY.as_slice()) {
            marks.push(half(&found));
        } else {
            same(&found, &today());
        }
    }
    assert!(runs > 3, "{runs} runs");
    assert!(marks.iter().all(|mark| mark.from == 1));
    assert!(marks.windows(2).all(|pair| pair[0].next < pair[1].next), "each came further");
}

macro_rules! goes_on {
    ($engine:ident) => {
        mod $engine {
            #[tokio::test]
            async fn a_migration_goes_on_wherever_it_failed() {
                let ground = super::Ground::new(stringify!($engine));
                super::a_migration_goes_on_wherever_it_failed(&ground).await;
            }
        }
    };
}

every_engine!(goes_on);

/// The child: opens the store and ends after so many commits.
#[tokio::test]
async fn cut_child() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    let commits = std::env::var(CUT_AFTER).unwrap().parse().unwrap();
    let engine = open_url(&place).await.unwrap();
    brought_up(Arc::clone(&engine), commits, End::Abort).await.unwrap();
    engine.close().await.unwrap();
}

async fn a_migration_killed_at_any_batch_goes_on(ground: &Ground) {
    let engine = ground.open().await;
    fill(engine.as_ref(), first()).await;
    engine.close().await.unwrap();
    drop(engine);
    let mut kills = 0;
    loop {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::migrate_test::cut_child"])
            .env(PLACE, ground.url())
            .env(CUT_AFTER, if kills == 0 { "0" } else { "1" })
            .output()
            .unwrap();
        let engine = ground.open().await;
        let found = rows_of(engine.as_ref()).await;
        engine.close().await.unwrap();
        if child.status.success() {
            same(&found, &today());
            break;
        }
        kills += 1;
        if kills == 1 {
            same(&found, &first());
        } else {
            half(&found);
        }
    }
    assert!(kills > 3, "{kills} kills");
}

macro_rules! survives {
    ($engine:ident) => {
        mod $engine {
            #[tokio::test]
            async fn fault_60_a_migration_killed_at_any_batch_goes_on_where_it_was() {
                let ground = super::Ground::new(stringify!($engine));
                super::a_migration_killed_at_any_batch_goes_on(&ground).await;
            }
        }
    };
}

/// Beside the modules above.
mod killed {
    use super::{Ground, a_migration_killed_at_any_batch_goes_on};

    super::disk_engines!(survives);
}

/// A store of format 1 in `store` of the directory.
async fn filled(engine: DiskEngine) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let store = open_url(&engine.url(&directory.path().join("store"))).await.unwrap();
    fill(store.as_ref(), first()).await;
    store.close().await.unwrap();
    directory
}

#[tokio::test]
async fn opening_migrates_and_looking_does_not() {
    for engine in DiskEngine::ALL {
        let directory = filled(engine).await;
        let url = engine.url(&directory.path().join("store"));
        let (store, format) = open_to_look(&url, &options()).await.unwrap();
        assert_eq!(format, Format::Older(1));
        same(&rows_of(store.as_ref()).await, &first());
        store.close().await.unwrap();
        drop(store);
        for _ in 0..2 {
            let store = open(&url, &options()).await.unwrap();
            same(&rows_of(store.as_ref()).await, &today());
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_disk_that_fills_in_the_middle_leaves_a_store_that_is_served() {
    let full = OpenOptions { disk_reserve_bytes: u64::MAX, ..OpenOptions::default() };
    for engine in DiskEngine::ALL {
        let directory = filled(engine).await;
        let url = engine.url(&directory.path().join("store"));
        // What has not begun is the older program's still.
        let refused = open(&url, &full).await.err().unwrap();
        let StoreError::Unbegun { from: 1, to: SCHEMA, source } = refused else {
            panic!("{refused:?}");
        };
        assert!(matches!(*source, StoreError::DiskFull { .. }), "{source:?}");
        let store = open_url(&url).await.unwrap();
        same(&rows_of(store.as_ref()).await, &first());
        brought_up(Arc::clone(&store), 2, End::Full).await.unwrap();
        let mark = half(&rows_of(store.as_ref()).await);
        store.close().await.unwrap();
        drop(store);

        // Still no room: it is served as it is, and refuses writes.
        let store = open(&url, &full).await.unwrap();
        assert_eq!(half(&rows_of(store.as_ref()).await), mark);
        let written: Vec<_> = [1, MESSAGES, MESSAGES + 2].into_iter().flat_map(posted).collect();
        let more = || Batch { put: written.clone(), ..Batch::default() };
        let refused = store.commit(more()).await.unwrap_err();
        assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused:?}");
        store.close().await.unwrap();
        drop(store);

        // There is room again: what it takes then lies on both sides of the mark.
        assert!(written.iter().any(|(key, _)| *key < mark.next));
        assert!(written.iter().any(|(key, _)| *key > mark.next));
        let store = open_url(&url).await.unwrap();
        store.commit(more()).await.unwrap();
        store.close().await.unwrap();
        drop(store);

        let store = open(&url, &options()).await.unwrap();
        let mut expected = today();
        expected.extend(written);
        same(&rows_of(store.as_ref()).await, &expected);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_rewrite_writes_todays_rows() {
    for (from, to) in [(DiskEngine::Sled, DiskEngine::Redb), (DiskEngine::Redb, DiskEngine::Sled)] {
        let directory = filled(from).await;
        let store = directory.path().join("store");
        let half_way = open_url(&from.url(&store)).await.unwrap();
        brought_up(Arc::clone(&half_way), 2, End::Before).await.unwrap_err();
        half_way.close().await.unwrap();
        drop(half_way);
        rewrite(&store, Some(to), &options(), |_| ()).await.unwrap();
        let (store, format) = open_to_look(&to.url(&store), &options()).await.unwrap();
        assert_eq!(format, Format::Own);
        same(&rows_of(store.as_ref()).await, &today());
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_of_format_1_is_restored_in_todays() {
    let directory = tempfile::tempdir().unwrap();
    let (file, data) = (directory.path().join("backup"), directory.path().join("data"));
    let epoch = Uuid::from_u128(1);
    let (engine, version) = ("sled".to_owned(), "0.0.9".to_owned());
    let head = BackupHead { schema: 1, made_at: 9, epoch: epoch.into_bytes(), engine, version };
    let mut writer = Writer::begin(&head);
    first().iter().for_each(|(key, value)| writer.row(key, value));
    let mut bytes = writer.take();
    bytes.extend(writer.finish().0);
    std::fs::write(&file, bytes).unwrap();
    // Its rows are of no whole organization.
    let despite_faults = true;
    let plan = Plan { file: &file, data: &data, store: "store", to: None, epoch, despite_faults };
    let done = restore(plan, &options(), |_| ()).await.unwrap();
    assert_eq!((done.head.schema, done.live.rows), (1, today().len() as u64));
    let url = done.engine.url(&data.join("store"));
    let (store, format) = open_to_look(&url, &options()).await.unwrap();
    assert_eq!(format, Format::Own);
    same(&rows_of(store.as_ref()).await, &today());
    store.close().await.unwrap();
}
