//! Reads every row there is and says what does not hold: rows that cannot be read, journals with gaps, conversations
//! that are not what their journal makes them, and lists that miss or double one. Only for a store that no daemon has
//! open.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::conversation::Conversation;
use crate::domain::entry::{Entry, EntryKind};
use crate::domain::id::{ConversationId, OrganizationId};
use crate::domain::lane::Lane;
use crate::domain::timer::TimerKind;
use crate::store::migrate::PROGRESS_KEY;
use crate::store::open::SCHEMA_KEY;
use crate::store::record::{Head, Pointer, Record, row};
use crate::store::table::{self, Table};
use crate::store::walk::{Amount, Walk};
use crate::store::{Engine, Key, Range, StoreError, Value};

/// How many faults are told; the rest are counted.
const FAULTS_TOLD_MAX: usize = 20;

/// What a check found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What was read.
    pub read: Amount,
    /// Journals.
    pub journals: u64,
    /// Their entries.
    pub entries: u64,
    /// Conversations that are what their journal makes them.
    pub conversations: u64,
    /// How many faults there are.
    pub faults: u64,
    /// The first of them, in words. They name ids, never contents.
    pub told: Vec<String>,
}

impl Found {
    fn fault(&mut self, fault: String) {
        self.faults += 1;
        if self.told.len() < FAULTS_TOLD_MAX {
            self.told.push(fault);
        }
    }
}

/// Reads everything once to decode it, and each organization's journal, conversations and messages once more to compare
/// them. Holds the headers of one organization at a time.
///
/// # Errors
/// Where the engine itself cannot read on.
pub async fn check(engine: &dyn Engine, mut told: impl FnMut(Amount)) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let mut walk = Walk::new(engine, Range::prefix(b""));
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            break;
        }
        found.read.add(&rows);
        for (key, value) in &rows {
            if let Err(fault) = decode(key, value) {
                found.fault(format!("row {}: {fault}", hex(key)));
            }
        }
        told(found.read);
    }
    let mut heads = Walk::new(engine, table::all(Table::Head));
    loop {
        let rows = heads.next().await?;
        if rows.is_empty() {
            return Ok(found);
        }
        for (key, value) in rows {
            // One that cannot be read has been told above.
            if let (Some(id), Ok(head)) = (table::id_at(&key, 1), Head::decode(&key, &value)) {
                check_organization(engine, OrganizationId(id), &head, &mut found).await?;
            }
        }
    }
}

/// Whether a row is of the kind that its table holds.
fn decode(key: &Key, value: &Value) -> Result<(), String> {
    if [&SCHEMA_KEY[..], &PROGRESS_KEY].contains(&key.as_ref()) {
        return Ok(());
    }
    let table = Table::of(key).ok_or("it belongs to no table")?;
    row::renew(table, key, value).map(drop).map_err(|error| format!("{table:?}: {error}"))
}

/// What replaying a journal gives.
#[derive(Default)]
struct Replayed {
    headers: BTreeMap<ConversationId, Conversation>,
    /// The last seq of each conversation.
    seqs: BTreeMap<ConversationId, u64>,
    /// Those that were deleted. What did not fit into that batch goes in later ones.
    deleted: BTreeSet<ConversationId>,
}

async fn check_organization(
    engine: &dyn Engine,
    organization: OrganizationId,
    head: &Head,
    found: &mut Found,
) -> Result<(), StoreError> {
    found.journals += 1;
    let replayed = replay(engine, organization, head, found).await?;
    // Where the journal does not begin at its first entry, there is nothing to hold the rows to.
    let Some(replayed) = replayed else { return Ok(()) };
    check_messages(engine, organization, &replayed, found).await?;
    check_headers(engine, organization, replayed.headers, found).await
}

async fn replay(
    engine: &dyn Engine,
    organization: OrganizationId,
    head: &Head,
    found: &mut Found,
) -> Result<Option<Replayed>, StoreError> {
    let (mut replayed, mut position, mut whole) = (Replayed::default(), head.floor, true);
    let mut walk = Walk::new(engine, table::all_of(Table::Entry, organization));
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            break;
        }
        for (key, value) in rows {
            // A head may say anything.
            position = position.saturating_add(1);
            found.entries += 1;
            if key != table::entry(organization, position) {
                let journal = organization.0;
                found.fault(format!("journal {journal}: no entry at position {position}"));
                return Ok(None);
            }
            match Entry::decode(&key, &value) {
                Ok(entry) => replayed.apply(organization, &entry, found),
                Err(_) => whole = false,
            }
        }
    }
    if position != head.position {
        let (journal, says) = (organization.0, head.position);
        found.fault(format!("journal {journal}: ends at {position}, its head says {says}"));
    }
    Ok((whole && head.floor == 0).then_some(replayed))
}

impl Replayed {
    fn apply(&mut self, organization: OrganizationId, entry: &Entry, found: &mut Found) {
        let Some(id) = entry.conversation else { return };
        if let (Some(seq), true) = (entry.seq, entry.kind != EntryKind::MarkMoved) {
            let last = self.seqs.entry(id).or_default();
            *last += 1;
            if seq != *last {
                found.fault(format!("conversation {}: seq {seq} where {last} is due", id.0));
            }
        }
        if let Some(started) = Conversation::started(organization, entry) {
            self.headers.insert(id, started);
        }
        if entry.kind == EntryKind::ConversationDeleted {
            self.headers.remove(&id);
            self.seqs.remove(&id);
            self.deleted.insert(id);
            return;
        }
        match self.headers.get_mut(&id) {
            Some(header) => header.apply(entry),
            None => found.fault(format!("conversation {}: an entry before its first", id.0)),
        }
    }
}

/// Every seq has its message, and no other message is there, but for what is still to be erased of a deleted
/// conversation.
async fn check_messages(
    engine: &dyn Engine,
    organization: OrganizationId,
    replayed: &Replayed,
    found: &mut Found,
) -> Result<(), StoreError> {
    let ending = ending(engine, organization, &replayed.deleted).await?;
    let mut counts: BTreeMap<ConversationId, u64> = BTreeMap::new();
    let mut walk = Walk::new(engine, table::all_of(Table::Message, organization));
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            break;
        }
        for (key, _) in rows {
            let Some(id) = table::id_at(&key, 17).map(ConversationId) else { continue };
            if ending.contains(&id) {
                continue;
            }
            let count = counts.entry(id).or_default();
            *count += 1;
            if key != table::message(organization, id, *count) {
                found.fault(format!("conversation {}: no message with seq {count}", id.0));
                *count = table::last_number(&key).unwrap_or(*count);
            }
        }
    }
    for (id, last) in &replayed.seqs {
        let there = counts.remove(id).unwrap_or(0);
        if there != *last {
            found.fault(format!("conversation {}: messages to {there} of {last}", id.0));
        }
    }
    for id in counts.keys() {
        found.fault(format!("conversation {}: messages, but no journal", id.0));
    }
    Ok(())
}

/// Of deleted conversations those whose timer still stands: it goes with the last of their rows.
async fn ending(
    engine: &dyn Engine,
    organization: OrganizationId,
    deleted: &BTreeSet<ConversationId>,
) -> Result<BTreeSet<ConversationId>, StoreError> {
    let mut ending = BTreeSet::new();
    if deleted.is_empty() {
        return Ok(ending);
    }
    let mut walk = Walk::new(engine, Range::prefix(&[Table::Timer as u8]));
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            return Ok(ending);
        }
        let timers = rows.iter().filter_map(|(key, _)| table::timer_of(key));
        let here = timers.filter(|it| it.0 == organization && it.1 == TimerKind::TestExpiry);
        ending.extend(here.map(|it| ConversationId(it.2)).filter(|id| deleted.contains(id)));
    }
}

/// Every header is what its journal makes it, and stands in exactly one list.
async fn check_headers(
    engine: &dyn Engine,
    organization: OrganizationId,
    mut expected: BTreeMap<ConversationId, Conversation>,
    found: &mut Found,
) -> Result<(), StoreError> {
    let (mut headers, mut listed) = (0, 0);
    let mut walk = Walk::new(engine, table::all_of(Table::Conversation, organization));
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            break;
        }
        for (key, value) in rows {
            headers += 1;
            let Ok(mut header) = Conversation::decode(&key, &value) else { continue };
            let id = header.id;
            let place = table::by_lane(organization, Lane::of(&header), header.rank);
            let pointer = engine.get(std::slice::from_ref(&place)).await?.pop().flatten();
            let pointer = pointer.and_then(|it| Pointer::decode(&place, &it).ok());
            if pointer.is_none_or(|it| it.subject != id.0) {
                found.fault(format!("conversation {}: not in the list of its status", id.0));
            }
            // Erasable, so the journal does not have it.
            header.last_line = String::new();
            match expected.remove(&id) {
                Some(replayed) if replayed == header => found.conversations += 1,
                Some(_) => {
                    found.fault(format!("conversation {}: not what its journal makes it", id.0));
                }
                None => found.fault(format!("conversation {}: not in the journal", id.0)),
            }
        }
    }
    for id in expected.keys() {
        found.fault(format!("conversation {}: in the journal, but not there", id.0));
    }
    let mut walk = Walk::new(engine, table::all_of(Table::ConversationStatus, organization));
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            break;
        }
        listed += rows.len();
    }
    if listed != headers {
        let journal = organization.0;
        found.fault(format!(
            "journal {journal}: {listed} places in lists for {headers} conversations"
        ));
    }
    Ok(())
}

fn hex(key: &[u8]) -> String {
    use std::fmt::Write as _;
    key.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
