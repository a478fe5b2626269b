//! Reads a store as the daemon left it and checks that it is whole: the journal has no gap, replaying it gives the
//! rows, every message has its entry, and what was acknowledged is there as it was, with the row that a repeat is
//! answered from; `store check` finds nothing either. It must not mend anything.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use fusionchatd::domain::conversation::Conversation;
use fusionchatd::domain::entry::{Entry, EntryKind};
use fusionchatd::domain::id::{ConversationId, OrganizationId};
use fusionchatd::domain::message::Message;
use fusionchatd::store::open::{OpenOptions, open};
use fusionchatd::store::record::{Did, Done, Head, Record};
use fusionchatd::store::table::{self, Table};
use fusionchatd::store::{self, Batch, Direction, Engine, Key, Range, Value};

use crate::load::Acknowledged;

/// Rows read at a time.
const PAGE: u32 = 500;
/// How the reason of a bad image begins that misses an acknowledgement.
pub(crate) const LOST: &str = "lost: ";
/// A key of no table, for a write that shows that there can be more.
const PROBE: &[u8] = &[0xEE];

/// The rows of a store, of the tables that are checked.
#[derive(Default)]
struct Rows {
    heads: BTreeMap<Vec<u8>, Head>,
    entries: BTreeMap<Vec<u8>, Vec<Entry>>,
    conversations: BTreeMap<(Vec<u8>, ConversationId), Conversation>,
    messages: BTreeMap<(Vec<u8>, ConversationId), Vec<Message>>,
    done: BTreeMap<Key, Done>,
}

/// Opens the store, checks it against what was acknowledged, writes to it, and closes it.
pub(crate) async fn check(
    engine: &str,
    store: &Path,
    acknowledged: &[Acknowledged],
) -> Result<usize> {
    let url = format!("{engine}:{}", store.display());
    let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
    let engine = open(&url, &options).await.context("the store does not open")?;
    let rows = read(engine.as_ref()).await.context("a row cannot be read")?;
    for (organization, head) in &rows.heads {
        let entries = rows.entries.get(organization).map(Vec::as_slice).unwrap_or_default();
        check_journal(head, entries)?;
        check_replay(organization, entries, &rows)?;
    }
    ensure!(rows.entries.len() <= rows.heads.len(), "a journal without a head");
    check_messages(&rows)?;
    check_acknowledged(&rows, acknowledged)?;
    let found = store::check::check(engine.as_ref(), |_| ()).await?;
    ensure!(found.faults == 0, "`store check` finds {:?}", found.told);

    let (key, value) = (Key::from_static(PROBE), Value::from_static(b"more"));
    let put = vec![(key.clone(), value.clone())];
    engine.commit(Batch { put, ..Batch::default() }).await.context("no further write")?;
    let read = engine.get(std::slice::from_ref(&key)).await?;
    ensure!(read == [Some(value)], "a further write reads as {read:?}");
    engine.commit(Batch { delete: vec![key], ..Batch::default() }).await?;
    engine.close().await?;
    Ok(acknowledged.len())
}

async fn read(engine: &dyn Engine) -> Result<Rows> {
    let mut rows = Rows::default();
    let mut range = Range::prefix(&[]);
    loop {
        let page = engine.scan(&range, Direction::Forward, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(rows) };
        range.start = [last.as_ref(), &[0]].concat().into();
        for (key, value) in &page {
            rows.take(key, value).with_context(|| format!("the row {key:02x?}"))?;
        }
    }
}

impl Rows {
    fn take(&mut self, key: &Key, value: &Value) -> Result<()> {
        let Some((organization, _)) = key.get(1..).and_then(|rest| rest.split_at_checked(16))
        else {
            return Ok(());
        };
        let organization = organization.to_vec();
        let is = |table: Table| key[0] == table as u8;
        if is(Table::Head) {
            self.heads.insert(organization, Head::decode(key, value)?);
        } else if is(Table::Entry) {
            self.entries.entry(organization).or_default().push(Entry::decode(key, value)?);
        } else if is(Table::Conversation) {
            let row = Conversation::decode(key, value)?;
            self.conversations.insert((organization, row.id), row);
        } else if is(Table::Message) {
            let row = Message::decode(key, value)?;
            self.messages.entry((organization, row.conversation)).or_default().push(row);
        } else if is(Table::Done) {
            self.done.insert(key.clone(), Done::decode(key, value)?);
        }
        Ok(())
    }
}

/// Positions go from the floor to the head, one by one.
fn check_journal(head: &Head, entries: &[Entry]) -> Result<()> {
    let positions = entries.iter().map(|entry| entry.position);
    let (first, last) = (head.floor + 1, head.position);
    ensure!(
        positions.clone().eq(first..=last),
        "a journal from {first} to {last} has {} entries up to {:?}",
        entries.len(),
        positions.max()
    );
    Ok(())
}

/// Replaying a journal gives its conversations, but for the text a list shows.
fn check_replay(organization: &[u8], entries: &[Entry], rows: &Rows) -> Result<()> {
    let mut replayed: BTreeMap<ConversationId, Conversation> = BTreeMap::new();
    for entry in entries {
        let Some(id) = entry.conversation else { continue };
        if entry.kind == EntryKind::ConversationDeleted {
            replayed.remove(&id);
            continue;
        }
        let of = OrganizationId(uuid_of(organization)?);
        if let Some(started) = Conversation::started(of, entry) {
            replayed.insert(id, started);
        }
        replayed.get_mut(&id).context("an entry of a conversation not begun")?.apply(entry);
    }
    let stored = rows.conversations.iter().filter(|((of, _), _)| of == organization);
    let stored: BTreeMap<ConversationId, Conversation> = stored
        .map(|((_, id), row)| (*id, Conversation { last_line: String::new(), ..row.clone() }))
        .collect();
    for (id, row) in &stored {
        ensure!(replayed.get(id) == Some(row), "replay: {:?}, rows: {row:?}", replayed.get(id));
    }
    ensure!(replayed.len() == stored.len(), "{} begun, {} there", replayed.len(), stored.len());
    Ok(())
}

fn uuid_of(bytes: &[u8]) -> Result<uuid::Uuid> {
    Ok(uuid::Uuid::from_slice(bytes)?)
}

/// Each conversation has its messages from 1 to its last, each with the entry it came with.
fn check_messages(rows: &Rows) -> Result<()> {
    for ((organization, id), row) in &rows.conversations {
        let messages = rows.messages.get(&(organization.clone(), *id));
        let messages = messages.map(Vec::as_slice).unwrap_or_default();
        let seqs = messages.iter().map(|message| message.seq);
        ensure!(seqs.clone().eq(1..=row.last_seq), "{}: {:?}", row.number, seqs.max());
        let entries = rows.entries.get(organization).map(Vec::as_slice).unwrap_or_default();
        let first = entries.first().map_or(1, |entry| entry.position);
        for message in messages {
            let at = usize::try_from(message.position - first)?;
            let entry = entries.get(at).context("a message without an entry")?;
            ensure!(
                entry.seq == Some(message.seq) && entry.conversation == Some(message.conversation),
                "{entry:?} is not of {message:?}"
            );
        }
    }
    ensure!(
        rows.messages.keys().all(|key| rows.conversations.contains_key(key)),
        "messages without a conversation"
    );
    Ok(())
}

fn check_acknowledged(rows: &Rows, acknowledged: &[Acknowledged]) -> Result<()> {
    let mut by_id: BTreeMap<String, (&[u8], &Message)> = BTreeMap::new();
    for ((organization, _), messages) in &rows.messages {
        by_id.extend(messages.iter().map(|it| (it.id.to_string(), (organization.as_slice(), it))));
    }
    for line in acknowledged {
        let Acknowledged { id, seq, content, .. } = line;
        let (organization, message) =
            by_id.get(id).with_context(|| format!("{LOST}{seq} {id} {content:.40}"))?;
        ensure!(
            message.seq == *seq && message.content == *content,
            "acknowledged {seq} {content:.40}, is {} {:.40}",
            message.seq,
            message.content
        );
        check_repeatable(rows, organization, message)
            .with_context(|| format!("a repeat of {seq} {id} {content:.40}"))?;
    }
    Ok(())
}

/// Whoever sends a message again is answered from a row that leads to it.
fn check_repeatable(rows: &Rows, organization: &[u8], message: &Message) -> Result<()> {
    // The assistant's words and system lines were sent by nobody.
    let (Some(client_id), Some(sender)) = (message.client_id, message.sender) else {
        return Ok(());
    };
    let of = OrganizationId(uuid_of(organization)?);
    let done = rows.done.get(&table::done(of, sender.0, client_id));
    let did = done.context("no row says that it was done")?.did;
    let right = match did {
        Did::Entry(position) => position == message.position,
        Did::These(refs) => {
            refs.conversation == Some(message.conversation.0) && refs.seq == Some(message.seq)
        }
    };
    ensure!(right, "{did:?} is not {message:?}");
    Ok(())
}
