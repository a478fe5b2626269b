//! Typed rows over the engine, with a layer of writes that are decided but not yet committed. Reads see the layer
//! first, so a group of commands is decided one after another as if each had been committed already.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::article::Article;
use crate::domain::conversation::Conversation;
use crate::domain::entry::Entry;
use crate::domain::escalation::Escalation;
use crate::domain::id::{
    ArticleId, ConversationId, EscalationId, InboxId, KeyId, OrganizationId, SessionId, UserId,
};
use crate::domain::inbox::Inbox;
use crate::domain::key::Key as ApiKey;
use crate::domain::message::{Message, Note};
use crate::domain::organization::Organization;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::store::record::{Head, Pointer, Record};
use crate::store::table;
use crate::store::{Batch, Direction, Key, Range, Reads, Value};

use super::error::Error;
use super::seen::Seen;

/// The most rows one page of anything holds.
pub const PAGE_MAX: u32 = 200;
/// The most staff of one organization that are looked at.
pub const STAFF_MAX: usize = 10_000;
/// The most inboxes of one organization that are looked at.
pub const INBOXES_MAX: usize = 10_000;

/// Writes by key: a row, or that it is taken away.
pub type Layer = BTreeMap<Key, Option<Value>>;
/// Rows of one organization and the global indexes.
pub struct Rows<'e> {
    reads: &'e dyn Reads,
    organization: OrganizationId,
    written: Layer,
    /// What is being committed, whether or not the engine has it already.
    below: Arc<Layer>,
    seen: Seen,
    expected: BTreeMap<Key, Option<Value>>,
    /// What each write since the last [`Rows::keep`] replaced in the layer.
    undo: Vec<(Key, Option<Option<Value>>)>,
}

impl<'e> Rows<'e> {
    /// The committed rows of an organization.
    pub fn new(reads: &'e dyn Reads, organization: OrganizationId) -> Self {
        Self::over(reads, organization, None)
    }

    /// The rows as they will be once the layer below, if there is one, is committed.
    pub fn over(
        reads: &'e dyn Reads,
        organization: OrganizationId,
        below: Option<Arc<Layer>>,
    ) -> Self {
        let (written, expected) = (Layer::new(), BTreeMap::new());
        let (seen, undo) = (Seen::default(), Vec::new());
        let below = below.unwrap_or_default();
        Self { reads, organization, written, below, seen, expected, undo }
    }

    /// With rows that were seen before. They must be as they are with the layer below.
    pub fn with_seen(mut self, seen: Seen) -> Self {
        self.seen = seen;
        self
    }

    /// Takes away what was seen, for rows over this layer; but not what commands did, which is asked for once.
    pub fn take_seen(&mut self) -> Seen {
        let mut seen = std::mem::take(&mut self.seen);
        seen.let_go();
        seen
    }

    /// The organization whose rows these are.
    pub fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// The bytes of a row.
    pub async fn value(&self, key: &Key) -> Result<Option<Value>, Error> {
        if let Some(value) = self.at_hand(key) {
            return Ok(value.clone());
        }
        self.stored(key).await
    }

    async fn stored(&self, key: &Key) -> Result<Option<Value>, Error> {
        let mut values = self.reads.get(std::slice::from_ref(key)).await?;
        Ok(values.pop().flatten())
    }

    /// What was read or written before.
    fn at_hand(&self, key: &Key) -> Option<&Option<Value>> {
        self.seen.rows.get(key).or_else(|| self.layered(key))
    }

    fn layered(&self, key: &Key) -> Option<&Option<Value>> {
        self.written.get(key).or_else(|| self.below.get(key))
    }

    /// Reads rows ahead, all in one call: a call costs more than a row. From here on they are as they are now and as
    /// this layer changes them. For whoever knows what is needed, and reads no more of it than fits in memory.
    pub async fn load(&mut self, mut keys: Vec<Key>) -> Result<(), Error> {
        keys.retain(|key| !self.seen.rows.contains_key(key));
        keys.sort_unstable();
        keys.dedup();
        let (known, keys): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|key| self.layered(key).is_some());
        for key in known {
            let value = self.layered(&key).cloned().flatten();
            self.seen.add(key, value);
        }
        if keys.is_empty() {
            return Ok(());
        }
        let values = self.reads.get(&keys).await?;
        for (key, value) in keys.into_iter().zip(values) {
            self.seen.add(key, value);
        }
        Ok(())
    }

    /// A row that waits to be committed, in this layer or the one below.
    pub fn pending<R: Record>(&self, key: &Key) -> Result<Option<R>, Error> {
        let value = self.layered(key).and_then(Option::as_ref);
        Ok(value.map(|bytes| R::decode(key, bytes)).transpose()?)
    }

    /// A row of any kind.
    pub async fn row<R: Record>(&self, key: &Key) -> Result<Option<R>, Error> {
        if let Some(value) = self.at_hand(key) {
            return Ok(value.as_ref().map(|bytes| R::decode(key, bytes)).transpose()?);
        }
        if let Some(snapshot) = self.reads.at_once() {
            let mut row = None;
            snapshot.see(key, &mut |bytes| row = Some(R::decode(key, bytes)))?;
            return Ok(row.transpose()?);
        }
        let value = self.stored(key).await?;
        Ok(value.map(|bytes| R::decode(key, &bytes)).transpose()?)
    }

    /// Keys and bytes of a range, the layer included.
    pub async fn scan(
        &self,
        range: &Range,
        direction: Direction,
        limit: u32,
    ) -> Result<Vec<(Key, Value)>, Error> {
        let layers = || self.layers(range);
        let hidden = layers().count();
        let wanted = limit.saturating_add(u32::try_from(hidden).unwrap_or(u32::MAX));
        let found = self.reads.scan(range, direction, wanted).await?;
        if hidden == 0 {
            return Ok(found);
        }
        let mut merged: BTreeMap<Key, Value> = found.into_iter().collect();
        for (key, value) in layers() {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(match direction {
            Direction::Forward => merged.into_iter().take(limit).collect(),
            Direction::Backward => merged.into_iter().rev().take(limit).collect(),
        })
    }

    /// What the layers write in a range, the one below first.
    fn layers(&self, range: &Range) -> impl Iterator<Item = (&Key, &Option<Value>)> {
        let bounds = || range.start.clone()..range.end.clone();
        self.below.range(bounds()).chain(self.written.range(bounds()))
    }

    /// Decoded rows of a range.
    pub async fn list<R: Record>(
        &self,
        range: &Range,
        direction: Direction,
        limit: u32,
    ) -> Result<Vec<(Key, R)>, Error> {
        let found = self.scan(range, direction, limit).await?;
        let read = |(key, value): (Key, Value)| R::decode(&key, &value).map(|row| (key, row));
        Ok(found.into_iter().map(read).collect::<Result<_, _>>()?)
    }

    /// Writes a row into the layer.
    pub fn put(&mut self, key: Key, record: &impl Record) {
        self.write(key, Some(record.encode()));
    }

    /// Removes a row in the layer.
    pub fn delete(&mut self, key: Key) {
        self.write(key, None);
    }

    /// Writes a row that is not there yet into the layer; if it is there after all, the commit fails.
    pub fn put_new(&mut self, key: Key, record: &impl Record) {
        self.expected.insert(key.clone(), None);
        self.put(key, record);
    }

    fn write(&mut self, key: Key, value: Option<Value>) {
        if let Some(seen) = self.seen.rows.get_mut(&key) {
            seen.clone_from(&value);
        }
        let before = self.written.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    /// Lets the writes so far stand: the command they belong to is decided.
    pub fn keep(&mut self) {
        self.undo.clear();
    }

    /// Takes the writes since the last [`Rows::keep`] back: half a command must never be committed.
    pub fn take_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            self.seen.rows.remove(&key);
            match before {
                Some(value) => self.written.insert(key, value),
                None => self.written.remove(&key),
            };
        }
    }

    /// The keys of the rows that the layer takes away.
    pub fn into_deleted(self) -> Vec<Key> {
        self.written.into_iter().filter_map(|(key, value)| value.is_none().then_some(key)).collect()
    }

    /// Makes the commit depend on a row of a global index being as it is now, without the writes of this layer.
    pub async fn expect_unchanged(&mut self, key: &Key) -> Result<(), Error> {
        if self.expected.contains_key(key) {
            return Ok(());
        }
        let value = match self.below.get(key) {
            Some(value) => value.clone(),
            None => self.stored(key).await?,
        };
        self.expected.insert(key.clone(), value);
        Ok(())
    }

    /// Whether the layer holds any write.
    pub fn is_clean(&self) -> bool {
        self.written.is_empty()
    }

    /// The layer as one batch, and itself. The journal's head is expected first: it names the lane of this
    /// organization.
    pub fn into_batch(self, head: (Key, Option<Value>)) -> (Batch, Arc<Layer>) {
        let mut batch = Batch { expect: vec![head], ..Batch::default() };
        batch.expect.extend(self.expected);
        for (key, value) in &self.written {
            match value {
                Some(value) => batch.put.push((key.clone(), value.clone())),
                None => batch.delete.push(key.clone()),
            }
        }
        (batch, Arc::new(self.written))
    }

    /// The head of the journal, with the bytes it was read from.
    pub async fn head(&self) -> Result<(Option<Value>, Head), Error> {
        let key = table::head(self.organization);
        let value = self.value(&key).await?;
        let head = value.as_ref().map(|bytes| Head::decode(&key, bytes)).transpose()?;
        let first = crate::domain::conversation::FIRST_NUMBER;
        Ok((value, head.unwrap_or(Head { position: 0, floor: 0, time: 0, next_number: first })))
    }

    /// Entries from `first` on.
    pub async fn entries(&self, first: u64, limit: u32) -> Result<Vec<Entry>, Error> {
        let range = table::entries_from(self.organization, first);
        let (mut entries, mut damaged) = (Vec::with_capacity(limit.min(PAGE_MAX) as usize), None);
        let mut read = |key: &[u8], value: &[u8]| match Entry::decode(key, value) {
            Ok(entry) => entries.push(entry),
            Err(error) => damaged = Some(error),
        };
        match self.reads.at_once().filter(|_| self.layers(&range).next().is_none()) {
            Some(snapshot) => snapshot.see_range(&range, limit, &mut read)?,
            None => {
                let found = self.scan(&range, Direction::Forward, limit).await?;
                found.iter().for_each(|(key, value)| read(key, value));
            }
        }
        damaged.map_or(Ok(entries), |error| Err(error.into()))
    }

    /// The organization.
    pub async fn this_organization(&self) -> Result<Option<Organization>, Error> {
        self.row(&table::organization(self.organization)).await
    }

    /// A user.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, Error> {
        self.row(&table::user(self.organization, id)).await
    }

    /// The name to show for a user; empty if they have none.
    pub async fn user_label(&self, id: Option<UserId>) -> Result<String, Error> {
        let Some(id) = id else { return Ok(String::new()) };
        Ok(self.user(id).await?.and_then(|user| user.name).unwrap_or_default())
    }

    /// All staff, by name; no more than [`STAFF_MAX`].
    pub async fn staff(&self) -> Result<Vec<User>, Error> {
        let mut range = table::staff(self.organization);
        let mut staff = Vec::new();
        while staff.len() < STAFF_MAX {
            let names = self.list::<Pointer>(&range, Direction::Forward, PAGE_MAX).await?;
            let Some((last, _)) = names.last() else { break };
            range = table::after(&range, last);
            for (_, pointer) in names {
                staff.extend(self.user(UserId(pointer.subject)).await?);
            }
        }
        Ok(staff)
    }

    /// The staff who take conversations.
    pub async fn accepting(&self) -> Result<BTreeSet<UserId>, Error> {
        let staff = self.staff().await?.into_iter();
        let accepting = staff.filter(User::is_accepting);
        Ok(accepting.map(|user| user.id).collect())
    }

    /// Every inbox, at most [`INBOXES_MAX`].
    pub async fn inboxes(&self) -> Result<Vec<Inbox>, Error> {
        let mut range = table::inboxes(self.organization);
        let mut all = Vec::new();
        while all.len() < INBOXES_MAX {
            let page = self.list::<Inbox>(&range, Direction::Forward, PAGE_MAX).await?;
            let Some((last, _)) = page.last() else { break };
            range = table::after(&range, last);
            all.extend(page.into_iter().map(|(_, inbox)| inbox));
        }
        Ok(all)
    }

    /// An inbox.
    pub async fn inbox(&self, id: InboxId) -> Result<Option<Inbox>, Error> {
        self.row(&table::inbox(self.organization, id)).await
    }

    /// A key.
    pub async fn api_key(&self, id: KeyId) -> Result<Option<ApiKey>, Error> {
        self.row(&table::api_key(self.organization, id)).await
    }

    /// A session.
    pub async fn session(&self, id: SessionId) -> Result<Option<Session>, Error> {
        self.row(&table::session(self.organization, id)).await
    }

    /// An article.
    pub async fn article(&self, id: ArticleId) -> Result<Option<Article>, Error> {
        self.row(&table::article(self.organization, id)).await
    }

    /// A conversation's header.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.row(&table::conversation(self.organization, id)).await
    }

    /// An escalation.
    pub async fn escalation(&self, id: EscalationId) -> Result<Option<Escalation>, Error> {
        self.row(&table::escalation(self.organization, id)).await
    }

    /// A message.
    pub async fn message(
        &self,
        conversation: ConversationId,
        seq: u64,
    ) -> Result<Option<Message>, Error> {
        self.row(&table::message(self.organization, conversation, seq)).await
    }

    /// Messages from `first` on.
    pub async fn messages(
        &self,
        conversation: ConversationId,
        first: u64,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        let range = table::messages_from(self.organization, conversation, first);
        let found = self.list::<Message>(&range, Direction::Forward, limit).await?;
        Ok(found.into_iter().map(|(_, message)| message).collect())
    }

    /// The last messages, oldest first.
    pub async fn last_messages(
        &self,
        conversation: ConversationId,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        let range = table::messages_from(self.organization, conversation, 0);
        let mut found = self.list::<Message>(&range, Direction::Backward, limit).await?;
        found.reverse();
        Ok(found.into_iter().map(|(_, message)| message).collect())
    }

    /// A note.
    pub async fn note(
        &self,
        conversation: ConversationId,
        position: u64,
    ) -> Result<Option<Note>, Error> {
        self.row(&table::note(self.organization, conversation, position)).await
    }

    /// Notes from a position on.
    pub async fn notes(
        &self,
        conversation: ConversationId,
        first: u64,
        limit: u32,
    ) -> Result<Vec<Note>, Error> {
        let range = table::notes_from(self.organization, conversation, first);
        let found = self.list::<Note>(&range, Direction::Forward, limit).await?;
        Ok(found.into_iter().map(|(_, note)| note).collect())
    }

    /// The last notes from a position on, oldest first.
    pub async fn last_notes(
        &self,
        conversation: ConversationId,
        first: u64,
        limit: u32,
    ) -> Result<Vec<Note>, Error> {
        let range = table::notes_from(self.organization, conversation, first);
        let mut found = self.list::<Note>(&range, Direction::Backward, limit).await?;
        found.reverse();
        Ok(found.into_iter().map(|(_, note)| note).collect())
    }

    /// What a pointer row says.
    pub async fn pointer(&self, key: &Key) -> Result<Option<Pointer>, Error> {
        self.row(key).await
    }

    /// The latest conversation of a visitor in an inbox.
    pub async fn latest_of(
        &self,
        visitor: UserId,
        inbox: InboxId,
    ) -> Result<Option<Conversation>, Error> {
        let key = table::visitor_conversation(self.organization, visitor, inbox);
        match self.pointer(&key).await? {
            Some(pointer) => self.conversation(ConversationId(pointer.subject)).await,
            None => Ok(None),
        }
    }
}
