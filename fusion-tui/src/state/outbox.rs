//! Messages and notes on their way: kept in order per conversation, sent one at a time, with a
//! client id that stays the same until the daemon has answered for good. It never drops a message
//! by itself.

use super::row::ConversationId;
use crate::text::SafeText;

/// The most unsent messages; past it the composer refuses to send and keeps the text.
pub(crate) const OUTBOX_MAX: usize = 100;
/// The first wait before a message is tried again on a live connection, in milliseconds; it
/// doubles.
const RETRY_MS_MIN: i64 = 500;
/// The longest such wait, in milliseconds.
const RETRY_MS_MAX: i64 = 30_000;

/// What a text is: for the visitor, or for staff only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Reply,
    Note,
}

/// How far a message has come. A sent one leaves the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Queued,
    Sending,
    /// Refused for good, with the reason. Enter tries again.
    Failed(SafeText),
}

/// One unsent message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) client_id: String,
    pub(crate) conversation: ConversationId,
    pub(crate) kind: Kind,
    pub(crate) content: String,
    pub(crate) progress: Progress,
    attempts: u32,
    retry_at: i64,
}

impl Item {
    /// A message that waits for its turn.
    pub(crate) fn new(
        client_id: String,
        conversation: ConversationId,
        kind: Kind,
        content: String,
    ) -> Self {
        let progress = Progress::Queued;
        Self { client_id, conversation, kind, content, progress, attempts: 0, retry_at: 0 }
    }
}

/// Every unsent message, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Vec<Item>);

impl Outbox {
    /// True if no more may be added.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= OUTBOX_MAX
    }

    /// True if nothing is unsent.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a message at the end; one that is already here changes nothing.
    pub(crate) fn push(&mut self, item: Item) {
        if !self.0.iter().any(|known| known.client_id == item.client_id) {
            self.0.push(item);
        }
    }

    /// The unsent messages of a conversation, oldest first.
    pub(crate) fn of(&self, id: &ConversationId) -> impl Iterator<Item = &Item> {
        self.0.iter().filter(move |item| item.conversation == *id)
    }

    /// The next message of each conversation that may leave now, marked as being sent.
    pub(crate) fn start(&mut self, now: i64) -> Vec<Item> {
        let mut busy: Vec<ConversationId> = Vec::new();
        let mut started = Vec::new();
        for item in &mut self.0 {
            if busy.contains(&item.conversation) {
                continue;
            }
            match item.progress {
                Progress::Failed(_) => continue,
                Progress::Queued if item.retry_at <= now => {
                    item.progress = Progress::Sending;
                    started.push(item.clone());
                }
                Progress::Queued | Progress::Sending => {}
            }
            busy.push(item.conversation.clone());
        }
        started
    }

    /// When a message whose turn it is waits to be tried again: the soonest such time.
    pub(crate) fn retry_at(&self) -> Option<i64> {
        let mut seen: Vec<&ConversationId> = Vec::new();
        let mut soonest = None;
        for item in &self.0 {
            if matches!(item.progress, Progress::Failed(_)) || seen.contains(&&item.conversation) {
                continue;
            }
            seen.push(&item.conversation);
            if item.progress == Progress::Queued {
                soonest = Some(soonest.map_or(item.retry_at, |at: i64| at.min(item.retry_at)));
            }
        }
        soonest
    }

    /// The message has arrived.
    pub(crate) fn remove(&mut self, client_id: &str) -> Option<Item> {
        let at = self.0.iter().position(|item| item.client_id == client_id)?;
        Some(self.0.remove(at))
    }

    /// The message did not arrive, but may yet: it keeps its place and id.
    pub(crate) fn requeue(&mut self, client_id: &str, now: i64, after_ms: Option<u64>) {
        if let Some(item) = self.find(client_id) {
            let wait = RETRY_MS_MIN.saturating_mul(1 << item.attempts.min(8)).min(RETRY_MS_MAX);
            let asked = after_ms.and_then(|wait| i64::try_from(wait).ok()).unwrap_or(0);
            item.progress = Progress::Queued;
            item.attempts += 1;
            item.retry_at = now.saturating_add(wait.max(asked.min(RETRY_MS_MAX)));
        }
    }

    /// The message was refused for good; the next one proceeds.
    pub(crate) fn fail(&mut self, client_id: &str, reason: SafeText) {
        if let Some(item) = self.find(client_id) {
            item.progress = Progress::Failed(reason);
        }
    }

    /// A new connection: whatever waits may be tried at once.
    pub(crate) fn hasten(&mut self) {
        for item in &mut self.0 {
            item.retry_at = 0;
            item.attempts = 0;
        }
    }

    /// Tries the oldest failed message of a conversation again, after those that proceeded without
    /// it; says whether there was one.
    pub(crate) fn retry(&mut self, id: &ConversationId) -> bool {
        let Some(item) = self.take_failed(id) else { return false };
        self.0.push(Item { progress: Progress::Queued, retry_at: 0, attempts: 0, ..item });
        true
    }

    /// Takes the oldest failed message of a conversation out, to be edited.
    pub(crate) fn take_failed(&mut self, id: &ConversationId) -> Option<Item> {
        let client_id = self.failed(id)?.client_id.clone();
        self.remove(&client_id)
    }

    fn failed(&self, id: &ConversationId) -> Option<&Item> {
        self.of(id).find(|item| matches!(item.progress, Progress::Failed(_)))
    }

    fn find(&mut self, client_id: &str) -> Option<&mut Item> {
        self.0.iter_mut().find(|item| item.client_id == client_id)
    }
}
