//! The messages and notes of the conversations that were opened: a window of each, in the journal's
//! order, without repeats. Pages and live changes meet here; holes between them are named, never
//! papered over.

use super::row::{ConversationId, Entry, REMOVED, Sender};
use crate::text::SafeText;

/// The most entries of one conversation in memory.
pub(crate) const ENTRIES_MAX: usize = 500;
/// The most conversations whose entries are in memory.
pub(crate) const TRANSCRIPTS_MAX: usize = 8;

/// Which messages to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The newest.
    Last,
    /// Those just before this seq.
    Before(u64),
    /// Those just after this seq.
    After(u64),
}

/// A page as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PageRows {
    pub(crate) entries: Vec<Entry>,
}

/// The window of one conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Transcript {
    pub(crate) conversation: ConversationId,
    entries: Vec<Entry>,
    /// The page being fetched, so that none is asked for twice.
    pub(crate) fetching: Option<Page>,
    /// True once a page has come.
    pub(crate) loaded: bool,
    /// False after the newest entries were dropped to make room for older ones.
    holds_end: bool,
}

impl Transcript {
    fn new(conversation: ConversationId) -> Self {
        Self { conversation, entries: Vec::new(), fetching: None, loaded: false, holds_end: true }
    }

    /// The entries in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// True if the newest entry is here.
    pub(crate) fn holds_end(&self) -> bool {
        self.holds_end
    }

    /// The oldest seq here, if any.
    pub(crate) fn first_seq(&self) -> Option<u64> {
        self.entries.iter().find_map(Entry::seq)
    }

    /// The seq of the newest message of the visitor here; 0 without any.
    pub(crate) fn last_visitor_seq(&self) -> u64 {
        let newest = self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Message(message) if message.sender == Sender::Visitor => Some(message.seq),
            Entry::Message(_) | Entry::Note(_) => None,
        });
        newest.unwrap_or(0)
    }

    /// True if there are older messages to fetch.
    pub(crate) fn has_older(&self) -> bool {
        self.first_seq().is_some_and(|seq| seq > 1)
    }

    /// The seq before the first hole between two messages, if there is a hole.
    pub(crate) fn hole(&self) -> Option<u64> {
        let mut before: Option<u64> = None;
        for seq in self.entries.iter().filter_map(Entry::seq) {
            match before {
                Some(last) if seq > last + 1 => return Some(last),
                Some(_) | None => before = Some(seq),
            }
        }
        None
    }

    /// Takes a live entry; one already here changes nothing.
    pub(crate) fn add(&mut self, entry: Entry) {
        if !self.amend(&entry) && self.holds_end {
            self.insert(entry);
            let excess = self.entries.len().saturating_sub(ENTRIES_MAX);
            self.entries.drain(..excess);
        }
    }

    /// Takes a page; what is past the bound is dropped at the far end.
    pub(crate) fn merge(&mut self, page: Page, rows: PageRows) {
        self.fetching = None;
        self.loaded = true;
        if page == Page::Last && !self.holds_end {
            self.entries.clear();
            self.holds_end = true;
        }
        for entry in rows.entries {
            self.insert(entry);
        }
        let excess = self.entries.len().saturating_sub(ENTRIES_MAX);
        match page {
            Page::Before(_) if excess > 0 => {
                self.entries.truncate(ENTRIES_MAX);
                self.holds_end = false;
            }
            Page::Before(_) | Page::Last | Page::After(_) => {
                self.entries.drain(..excess);
            }
        }
    }

    /// Takes the text away of a message that `entry` says was taken back.
    fn blank(&mut self, entry: &Entry) {
        let Some(seq) = taken_back(entry) else { return };
        for known in &mut self.entries {
            if let Entry::Message(message) = known
                && message.seq == seq
            {
                message.content = SafeText::line(REMOVED);
                message.sources.clear();
            }
        }
    }

    /// Takes what has changed of an entry that is here: a mark for review, a text that was taken
    /// back. Says whether it is here.
    pub(crate) fn amend(&mut self, newer: &Entry) -> bool {
        let Some(known) = self.entries.iter_mut().rev().find(|it| is_same(it, newer)) else {
            return false;
        };
        if let (Entry::Message(known), Entry::Message(newer)) = (known, newer) {
            if !newer.flag.is_empty() {
                known.flag = newer.flag.clone();
            }
            if newer.content.as_str() == REMOVED {
                known.content = newer.content.clone();
                known.sources.clear();
            }
        }
        true
    }

    fn insert(&mut self, entry: Entry) {
        if self.amend(&entry) {
            return;
        }
        self.blank(&entry);
        let position = entry.position();
        let at = self.entries.partition_point(|known| known.position() <= position);
        self.entries.insert(at, entry);
    }
}

/// The seq of the message that an entry says was taken back.
fn taken_back(entry: &Entry) -> Option<u64> {
    let Entry::Message(message) = entry else { return None };
    let line = message.system.as_ref().filter(|line| line.code.as_str() == "retracted")?;
    line.params.get("seq")?.as_str().parse().ok()
}

fn is_same(one: &Entry, other: &Entry) -> bool {
    match (one, other) {
        (Entry::Message(one), Entry::Message(other)) => one.seq == other.seq,
        (Entry::Note(one), Entry::Note(other)) => one.id == other.id,
        (Entry::Message(_), Entry::Note(_)) | (Entry::Note(_), Entry::Message(_)) => false,
    }
}

/// The windows in memory, the latest used last.
#[derive(Debug, Default)]
pub(crate) struct Transcripts(Vec<Transcript>);

impl Transcripts {
    /// The window of a conversation, if it is in memory.
    pub(crate) fn get(&self, id: &ConversationId) -> Option<&Transcript> {
        self.0.iter().find(|transcript| transcript.conversation == *id)
    }

    /// The same, to change.
    pub(crate) fn get_mut(&mut self, id: &ConversationId) -> Option<&mut Transcript> {
        self.0.iter_mut().find(|transcript| transcript.conversation == *id)
    }

    /// The window of a conversation about to be shown; the one longest unused makes room.
    pub(crate) fn open(&mut self, id: &ConversationId) -> &mut Transcript {
        let known = self.0.iter().position(|transcript| transcript.conversation == *id);
        let transcript = match known {
            Some(index) => self.0.remove(index),
            None => Transcript::new(id.clone()),
        };
        if self.0.len() >= TRANSCRIPTS_MAX {
            self.0.remove(0);
        }
        self.0.push(transcript);
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// A page that was asked for will not come.
    pub(crate) fn give_up_fetches(&mut self) {
        for transcript in &mut self.0 {
            transcript.fetching = None;
        }
    }
}
