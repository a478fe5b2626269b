//! What must hold, checked against every batch that reaches the rows: the journal is replayed beside them, and each
//! row, list and timer must be what the replay says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, Result, bail, ensure};
use uuid::Uuid;

use fusionchatd::domain::Time;
use fusionchatd::domain::conversation::{Conversation, FIRST_NUMBER, Handler, Status};
use fusionchatd::domain::decide::Refs;
use fusionchatd::domain::entry::{Entry, EntryKind};
use fusionchatd::domain::id::{ClientId, ConversationId, InboxId, OrganizationId, UserId};
use fusionchatd::domain::message::{Message, Note, SenderType};
use fusionchatd::domain::user::User;
use fusionchatd::store::record::{Did, Done, Head, Number, Pointer, Record};
use fusionchatd::store::table::{self, Table};
use fusionchatd::store::{Batch, Key, Value};

use super::disk::{Disk, is_of};
use super::header;

/// A conversation as the batches have told it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// What the entries make of it.
    pub(crate) replayed: Conversation,
    /// Its row.
    pub(crate) stored: Option<Conversation>,
    /// By seq, from 1.
    pub(crate) messages: Vec<Message>,
    /// Its places in lists.
    pub(crate) lanes: BTreeSet<Key>,
    /// Who had it from which position on.
    pub(crate) held: Vec<(u64, Option<UserId>)>,
    /// The position that last gave the assistant something to think about.
    pub(crate) asked_at: u64,
}

/// Everything that is known of one organization.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) organization: OrganizationId,
    /// By position, from 1.
    pub(crate) entries: Vec<Entry>,
    pub(crate) conversations: BTreeMap<ConversationId, Told>,
    /// The inbox of each conversation that ever was, and whether it is a test.
    pub(crate) kinds: BTreeMap<ConversationId, (InboxId, bool)>,
    pub(crate) staff: BTreeMap<UserId, User>,
    pub(crate) lanes: BTreeMap<Key, ConversationId>,
    pub(crate) held_lists: BTreeMap<Key, ConversationId>,
    pub(crate) timers: BTreeMap<Key, u64>,
    pub(crate) notes: HashMap<ClientId, u64>,
    pub(crate) said: HashMap<ClientId, (ConversationId, u64)>,
    /// How far the assistant says it has read.
    pub(crate) cursor: u64,
    /// Up to here the assistant may have given up: an error was answered, or it was switched off.
    pub(crate) excused: u64,
    numbers: u64,
    /// All rows, as they were written.
    rows: BTreeMap<Key, Value>,
    /// What was ever asked for that takes a conversation from a colleague.
    pub(crate) takes: HashMap<ClientId, ConversationId>,
    /// Which of them the batch that is looked at does.
    taken: BTreeSet<ConversationId>,
}

/// An answer of the assistant's, to be compared with what it was asked.
struct Answered {
    conversation: ConversationId,
    seq: u64,
    asked: u64,
}

impl Ledger {
    pub(crate) fn new(organization: OrganizationId) -> Self {
        Self { organization, ..Self::default() }
    }

    /// The position of the last entry.
    pub(crate) fn position(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn entry(&self, position: u64) -> Option<&Entry> {
        let at = usize::try_from(position.checked_sub(1)?).ok()?;
        self.entries.get(at)
    }

    /// What a sender's command did, as the rows say.
    pub(crate) fn done(&self, sender: Uuid, id: ClientId) -> Result<Option<Refs>> {
        let key = table::done(self.organization, sender, id);
        let Some(value) = self.rows.get(&key) else { return Ok(None) };
        match Done::decode(&key, value)?.did {
            Did::These(refs) => Ok(Some(refs)),
            Did::Entry(position) => {
                let entry = self.entry(position).context("it was done by no entry")?;
                Ok(Some(Refs::of(entry).with_context(|| format!("{entry:?} says too little"))?))
            }
        }
    }

    /// Takes in a batch that has reached the rows.
    pub(crate) fn observe(&mut self, batch: &Batch) -> Result<()> {
        self.rows.extend(batch.put.iter().cloned());
        for key in &batch.delete {
            self.rows.remove(key);
        }
        let done = self.own(batch, Table::Done).filter_map(|(key, _)| client_id_of(key));
        self.taken = done.filter_map(|id| self.takes.get(&id).copied()).collect();
        let known = self.entries.len();
        let mut touched = BTreeSet::new();
        let mut answers = Vec::new();
        for (key, value) in self.own(batch, Table::Entry) {
            let entry = Entry::decode(key, value)?;
            self.take_entry(&entry, &mut touched, &mut answers)
                .with_context(|| format!("{entry:?}"))?;
            self.entries.push(entry);
        }
        for (key, value) in self.own(batch, Table::Message) {
            self.take_message(Message::decode(key, value)?, &mut touched)?;
        }
        for (key, value) in self.own(batch, Table::Note) {
            let note = Note::decode(key, value)?;
            let Some(id) = note.client_id else { continue };
            let before = self.notes.insert(id, note.position);
            ensure!(before.is_none(), "a note is doubled: {note:?}, first at {before:?}");
        }
        for entry in self.entries.iter().skip(known).filter(|it| it.kind == EntryKind::NoteAdded) {
            self.check_noted(entry).with_context(|| format!("{entry:?}"))?;
        }
        for (key, value) in self.own(batch, Table::Conversation) {
            let stored = Conversation::decode(key, value)?;
            let told = self.conversations.get_mut(&stored.id).context("a row without entries")?;
            touched.insert(stored.id);
            told.stored = Some(stored);
        }
        self.take_lists(batch, &mut touched)?;
        self.take_staff(batch)?;
        if let Some((key, value)) = self.own(batch, Table::Head).next() {
            let head = Head::decode(key, value)?.position;
            ensure!(
                head == self.position(),
                "the head says {head}, the journal {}",
                self.position()
            );
        }
        for answer in answers {
            self.check_answer(&answer)?;
        }
        for id in touched {
            self.check_conversation(id)?;
        }
        self.check_staff()?;
        self.check_cursor(batch)
    }

    /// The rows of one table and this organization in a batch.
    fn own<'a>(
        &self,
        batch: &'a Batch,
        of: Table,
    ) -> impl Iterator<Item = &'a (Key, Value)> + use<'a> {
        let organization = self.organization;
        let own = move |key: &Key| {
            is_of(key, of) && key.get(1..17) == Some(organization.bytes().as_slice())
        };
        batch.put.iter().filter(move |(key, _)| own(key))
    }

    fn take_entry(
        &mut self,
        entry: &Entry,
        touched: &mut BTreeSet<ConversationId>,
        answers: &mut Vec<Answered>,
    ) -> Result<()> {
        let last = self.entries.last();
        ensure!(entry.position == self.position() + 1, "positions have a gap");
        ensure!(last.is_none_or(|it| it.time <= entry.time), "time went back in the journal");
        if entry.kind == EntryKind::InboxEdited {
            self.excused = entry.position;
        }
        if let Some(user) = entry.subject.and_then(|id| self.staff.get_mut(&UserId(id))) {
            user.apply(entry);
        }
        let Some(id) = entry.conversation else { return Ok(()) };
        touched.insert(id);
        if let Some(started) = Conversation::started(self.organization, entry) {
            ensure!(started.number == FIRST_NUMBER + self.numbers, "numbers have a gap");
            self.numbers += 1;
            self.kinds.insert(id, (started.inbox, started.is_test()));
            let told = Told {
                replayed: started,
                stored: None,
                messages: Vec::new(),
                lanes: BTreeSet::new(),
                held: Vec::new(),
                asked_at: 0,
            };
            ensure!(self.conversations.insert(id, told).is_none(), "it started twice");
        }
        if entry.kind == EntryKind::ConversationDeleted {
            let told = self.conversations.remove(&id).context("it was not there")?;
            self.said.retain(|_, (of, _)| *of != id);
            ensure!(told.replayed.is_test(), "only tests are deleted");
            return Ok(());
        }
        let told = self.conversations.get_mut(&id).context("it has not started")?;
        check_claim(&told.replayed, entry, self.taken.contains(&id))?;
        let seq = entry.seq.filter(|_| entry.kind != EntryKind::MarkMoved);
        let next = told.replayed.last_seq + 1;
        ensure!(seq.is_none_or(|seq| seq == next), "seqs have a gap before {seq:?}");
        let from = SenderType::from_code(entry.code & 0xff);
        let posted = from.filter(|_| entry.kind == EntryKind::MessagePosted);
        if let (Some(SenderType::Assistant), Some(seq)) = (posted, seq) {
            let asked = told.replayed.last_visitor_seq;
            answers.push(Answered { conversation: id, seq, asked });
        }
        let given = matches!(entry.kind, EntryKind::HandedBack | EntryKind::Reopened);
        if given || posted == Some(SenderType::User) {
            told.asked_at = entry.position;
        }
        told.replayed.apply(entry);
        let holder = told.replayed.assignee;
        if told.held.last().is_none_or(|(_, last)| *last != holder) {
            told.held.push((entry.position, holder));
        }
        Ok(())
    }

    fn take_message(
        &mut self,
        message: Message,
        touched: &mut BTreeSet<ConversationId>,
    ) -> Result<()> {
        let id = message.conversation;
        // A test may have begun and ended in one batch; then nothing of it is written.
        let told = self.conversations.get_mut(&id).context("a message of no conversation")?;
        touched.insert(id);
        let at = usize::try_from(message.seq).unwrap_or(0);
        ensure!(at >= 1 && at <= told.messages.len() + 1, "seqs of rows have a gap: {message:?}");
        if let Some(known) = told.messages.get_mut(at - 1) {
            let same = known.id == message.id && known.position == message.position;
            ensure!(same, "a message was replaced: {known:?} by {message:?}");
            let kept = known.content == message.content || message.retracted;
            ensure!(kept, "a message was changed: {known:?} to {message:?}");
            *known = message;
            return Ok(());
        }
        if let Some(client_id) = message.client_id {
            let before = self.said.insert(client_id, (id, message.seq));
            ensure!(before.is_none(), "a message is doubled: {message:?}, first as {before:?}");
        }
        let entry = self.entries.get(usize::try_from(message.position).unwrap_or(0) - 1);
        let entry = entry.context("a message without an entry")?;
        let same = entry.conversation == Some(id) && entry.seq == Some(message.seq);
        ensure!(same && entry.time == message.created_at, "{message:?} is not what {entry:?} says");
        told.messages.push(message);
        Ok(())
    }

    fn take_lists(&mut self, batch: &Batch, touched: &mut BTreeSet<ConversationId>) -> Result<()> {
        for key in &batch.delete {
            if let Some(id) = self.lanes.remove(key) {
                touched.insert(id);
                if let Some(told) = self.conversations.get_mut(&id) {
                    told.lanes.remove(key);
                }
            }
            self.held_lists.remove(key);
            self.timers.remove(key);
        }
        for (key, value) in &batch.put {
            if is_of(key, Table::Timer) {
                self.timers.insert(key.clone(), Number::decode(key, value)?.0);
            }
        }
        for (key, value) in self.own(batch, Table::ConversationStatus) {
            let id = ConversationId(Pointer::decode(key, value)?.subject);
            let before = self.lanes.insert(key.clone(), id);
            ensure!(before.is_none_or(|it| it == id), "two conversations in one place of a list");
            let told = self.conversations.get_mut(&id).context("a place of no conversation")?;
            told.lanes.insert(key.clone());
            touched.insert(id);
        }
        for (key, value) in self.own(batch, Table::ConversationAssignee) {
            let id = ConversationId(Pointer::decode(key, value)?.subject);
            self.held_lists.insert(key.clone(), id);
        }
        Ok(())
    }

    fn take_staff(&mut self, batch: &Batch) -> Result<()> {
        for (key, value) in self.own(batch, Table::User) {
            let user = User::decode(key, value)?;
            if !user.is_staff() {
                continue;
            }
            if let Some(replayed) = self.staff.get(&user.id) {
                ensure!(*replayed == user, "replay says {replayed:?}, the row {user:?}");
            }
            self.staff.insert(user.id, user);
        }
        Ok(())
    }

    /// What says that a note was added has come with the note.
    fn check_noted(&self, entry: &Entry) -> Result<()> {
        let of = entry.conversation.context("of no conversation")?;
        let key = table::note(self.organization, of, entry.position);
        let gone = !self.conversations.contains_key(&of);
        ensure!(gone || self.rows.contains_key(&key), "a note is not in the rows");
        Ok(())
    }

    /// The assistant's words are an answer to what the visitor said last.
    fn check_answer(&self, answer: &Answered) -> Result<()> {
        let Answered { conversation, seq, asked } = answer;
        let Some(told) = self.conversations.get(conversation) else { return Ok(()) };
        let at = |seq: u64| told.messages.get(usize::try_from(seq).ok()?.checked_sub(1)?);
        let (said, asked) = (at(*seq).context("no answer")?, at(*asked).context("no question")?);
        let expected = super::act::answer_to(&asked.content);
        let fits = said.retracted || expected.as_deref() == Some(said.content.as_str());
        ensure!(fits, "a late answer: {:?} to {:?}", said.content, asked.content);
        Ok(())
    }

    fn check_conversation(&self, id: ConversationId) -> Result<()> {
        let Some(told) = self.conversations.get(&id) else {
            let left = self.lanes.iter().find(|(_, it)| **it == id);
            ensure!(left.is_none(), "a deleted conversation is still in a list");
            return Ok(());
        };
        let stored = told.stored.as_ref().context("a conversation without a row")?;
        let mut replayed = told.replayed.clone();
        // What people wrote is in no entry, and its start in a list can be erased.
        replayed.last_line.clone_from(&stored.last_line);
        ensure!(replayed == *stored, "replay says {replayed:?}, the row {stored:?}");
        header::check(stored)?;
        let visible = told.messages.len() as u64;
        ensure!(visible == stored.last_seq, "{visible} messages, last seq {}", stored.last_seq);
        let after =
            |it: &&Message| it.sender_type == SenderType::User && it.seq > stored.staff_mark;
        let unread = told.messages.iter().filter(after).count() as u64;
        ensure!(unread == stored.unread, "{unread} are unread, the row says {}", stored.unread);
        header::check_places(self.organization, stored, &told.lanes)?;
        if let Some(key) = header::held_place(self.organization, stored) {
            ensure!(self.held_lists.get(&key) == Some(&id), "the assignee's list misses it");
        }
        for due in stored.timers() {
            let key = table::timer(due.at, self.organization, due.kind, id.0);
            ensure!(self.timers.contains_key(&key), "no row for the timer {due:?} of {stored:?}");
        }
        Ok(())
    }

    /// Whoever holds a conversation is there, or a timer sees to it.
    fn check_staff(&self) -> Result<()> {
        let now: Time = self.entries.last().map_or(0, |it| it.time);
        for user in self.staff.values() {
            for (due, turn) in user.timers() {
                let key = table::timer(due.at, self.organization, due.kind, user.id.0);
                ensure!(self.timers.get(&key) == Some(&turn), "no row for the timer of {user:?}");
            }
        }
        for told in self.conversations.values() {
            let header = &told.replayed;
            // A test is in nobody's list, and ends by itself.
            if header.assignee.is_none() || header.is_test() {
                continue;
            }
            let user = header.assignee.and_then(|it| self.staff.get(&it));
            let user = user.context("a conversation is held by nobody who is there")?;
            let waits = header.last_sender == SenderType::User || user.disabled_at.is_some();
            let seen_to = user.timers().next().is_some();
            ensure!(
                !(waits && user.is_absent(now)) || seen_to,
                "a visitor waits for somebody absent: {header:?}, {user:?}"
            );
        }
        Ok(())
    }

    /// A worker's cursor never passes work that is not done.
    fn check_cursor(&mut self, batch: &Batch) -> Result<()> {
        let Some((key, value)) = self.own(batch, Table::WorkerCursor).next() else { return Ok(()) };
        let cursor = Number::decode(key, value)?.0;
        ensure!(cursor <= self.position(), "the cursor is past the journal");
        ensure!(cursor >= self.cursor, "the cursor went back from {} to {cursor}", self.cursor);
        self.cursor = cursor;
        for told in self.conversations.values() {
            let header = &told.replayed;
            let waits = header.handler == Handler::Assistant
                && header.status == Status::Open
                && header.last_sender == SenderType::User;
            if waits && told.asked_at <= cursor && told.asked_at > self.excused {
                bail!("the cursor {cursor} passed the question at {}: {header:?}", told.asked_at);
            }
        }
        Ok(())
    }

    /// Every row on the disk is as it was written last, and none is gone.
    pub(crate) fn check_rows(&self, disk: &Disk) -> Result<()> {
        let all = disk.all();
        let mut found = all.iter().filter(|(key, _)| !is_of(key, Table::Daemon));
        for (key, value) in &self.rows {
            let Some((on_disk, bytes)) = found.next() else { bail!("the row {key:?} is gone") };
            ensure!(on_disk == key, "the row {on_disk:?} stands where {key:?} was written");
            ensure!(bytes == value, "the row {key:?} is not as it was written");
        }
        let more = found.next();
        ensure!(more.is_none(), "a row that nobody wrote: {more:?}");
        Ok(())
    }
}

/// Only who asked to take a conversation from a colleague does: every other claim finds it free.
fn check_claim(header: &Conversation, entry: &Entry, taken: bool) -> Result<()> {
    if entry.kind != EntryKind::Claimed {
        return Ok(());
    }
    ensure!(taken || header.assignee.is_none(), "a claim has two winners: {header:?}");
    ensure!(header.status != Status::Resolved, "what is done was claimed");
    Ok(())
}

/// Whose key of [`Table::Done`] this is: it ends with the sender's own id.
fn client_id_of(key: &Key) -> Option<ClientId> {
    key.last_chunk().copied().map(ClientId)
}

/// The bytes of an id, for keys of tests.
pub(crate) fn short(id: Uuid) -> String {
    id.simple().to_string().chars().take(6).collect()
}
