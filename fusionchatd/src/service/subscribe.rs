//! Reading on: register with the hub first, then read from the cursor, then go live. No signal is needed to be
//! complete; a reader that was away reads the journal from where it was.

use std::collections::VecDeque;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::actor::{Actor, Permission, Who};
use crate::domain::conversation::Conversation;
use crate::domain::id::{ConversationId, InboxId, OrganizationId, UserId};
use crate::domain::turn::awaits_assistant;
use crate::domain::visible::visible;

use super::channel::{Heard, text_bytes};
use super::ephemeral::{Ephemeral, Part, Place};
use super::error::Error;
use super::hub::{Seat, Topic};
use super::rights::Reach;
use super::rows::Rows;
use super::stream::Following;
use super::view::{self, Change, ConversationView, MessageView};
use super::{Service, require};

/// How many entries are read at once.
const READ_AT_ONCE: u32 = 100;
/// How much text a reader keeps that it has not handed out, in bytes; a single message is always kept.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// A place in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The store's life.
    pub epoch: Uuid,
    /// The position of the last entry seen.
    pub position: u64,
}

/// What a staff reader hears.
#[derive(Clone, Debug)]
pub enum Signal {
    /// An entry of the journal.
    Change(Arc<Change>),
    /// What is never stored.
    Ephemeral(Arc<Ephemeral>),
}

/// A reader of an organization's journal.
#[derive(Debug)]
pub struct Watcher {
    actor: Actor,
    reach: Reach,
    only: Option<ConversationId>,
    seat: Seat,
    /// The position heard of up to which everything has been read.
    read_to: Option<u64>,
    following: Following,
    /// The beginning of an answer, until it is known to be of the present.
    begun: Option<Arc<Ephemeral>>,
    position: u64,
    pending: VecDeque<Arc<Change>>,
    page: Page,
    told: VecDeque<Arc<Ephemeral>>,
}

/// How a subscription begins.
#[derive(Debug)]
pub enum Subscribed {
    /// Entries after the cursor follow.
    Live(Box<Watcher>),
    /// The cursor cannot be resumed: read the rows again and watch from this head.
    Reset(Cursor),
}

impl Service {
    /// Watches the actor's organization, or one conversation of it, from a cursor or from now on.
    pub async fn watch(
        self: &Arc<Self>,
        actor: &Actor,
        conversation: Option<&str>,
        after: Option<Cursor>,
    ) -> Result<Subscribed, Error> {
        require(actor, Permission::ReadConversations)?;
        let only = match conversation.filter(|text| !text.is_empty()) {
            Some(text) => Some(self.find_conversation(actor, text).await?.id),
            None => None,
        };
        let seat = Seat::take(self, Topic::Organization(actor.organization));
        let (_, head) = self.rows(actor).head().await?;
        let now = Cursor { epoch: self.epoch(), position: head.position };
        let position = match after {
            None => head.position,
            Some(cursor) => {
                let known = cursor.epoch == now.epoch
                    && cursor.position >= head.floor
                    && cursor.position <= head.position;
                if !known {
                    return Ok(Subscribed::Reset(now));
                }
                cursor.position
            }
        };
        let reach = self.reach(actor).await?;
        let actor = actor.clone();
        Ok(Subscribed::Live(Box::new(Watcher {
            actor,
            reach,
            only,
            seat,
            read_to: None,
            following: Following::default(),
            begun: None,
            position,
            pending: VecDeque::new(),
            page: Page::default(),
            told: VecDeque::new(),
        })))
    }
}

impl Watcher {
    /// The position of the last entry handed out or passed over.
    pub fn cursor(&self) -> Cursor {
        Cursor { epoch: self.seat.service().epoch(), position: self.position }
    }

    /// The next signal that need not be waited for, of what was read before.
    pub fn at_hand(&mut self) -> Option<Signal> {
        while let Some(change) = self.pending.pop_front() {
            self.position = change.entry.position;
            if let Some(view) = &change.conversation {
                self.following.saw(&view.header);
            }
            if self.wants(&change) {
                return Some(Signal::Change(change));
            }
        }
        self.told.pop_front().map(Signal::Ephemeral)
    }

    /// The next signal. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Signal, Error> {
        loop {
            if let Some(signal) = self.at_hand() {
                return Ok(signal);
            }
            if let Some(signal) = self.take_begun().await? {
                return Ok(Signal::Ephemeral(signal));
            }
            match self.seat.hear(self.read_to) {
                Heard::News(position) => {
                    self.fill().await?;
                    if self.pending.is_empty() {
                        self.read_to = Some(position);
                    }
                }
                Heard::Signal(signal) => {
                    if let Some(signal) = self.hear(signal) {
                        return Ok(Signal::Ephemeral(signal));
                    }
                }
                // Typing that was missed is stale anyway; of an answer no part may be missing.
                Heard::Lost => self.told.extend(self.following.lost()),
                Heard::Nothing => self.seat.wait(self.read_to).await,
            }
        }
    }

    /// What of a signal is for this reader.
    fn hear(&mut self, signal: Arc<Ephemeral>) -> Option<Arc<Ephemeral>> {
        if !self.is_near(signal.place()) {
            return None;
        }
        match &*signal {
            Ephemeral::Typing(_) => Some(signal),
            Ephemeral::Streamed(streamed) if matches!(streamed.part, Part::Text { n: 0, .. }) => {
                self.begun = Some(signal);
                None
            }
            Ephemeral::Streamed(streamed) => self.following.takes(streamed).then_some(signal),
        }
    }

    /// The beginning of an answer, if its turn has not passed. Every change up to here has been handed out.
    async fn take_begun(&mut self) -> Result<Option<Arc<Ephemeral>>, Error> {
        let Some(signal) = &self.begun else { return Ok(None) };
        let rows = Rows::new(self.seat.service().engine.as_ref(), self.actor.organization);
        let header = rows.conversation(signal.place().conversation).await?;
        let Some(signal) = self.begun.take() else { return Ok(None) };
        let Ephemeral::Streamed(streamed) = &*signal else { return Ok(None) };
        let now = header.is_some_and(|it| it.turn == streamed.turn && awaits_assistant(&it));
        Ok((now && self.following.takes(streamed)).then_some(signal))
    }

    /// Whether signals from there are for this reader.
    fn is_near(&self, place: Place) -> bool {
        // A test is watched by its number alone.
        let within = self.only.map_or(!place.test, |only| only == place.conversation);
        within && self.reach.has(place.inbox)
    }

    fn wants(&self, change: &Change) -> bool {
        let header = change.conversation.as_ref().map(|it| &it.header);
        let within = match (self.only, change.entry.conversation) {
            (Some(only), of) => of == Some(only),
            // A test is watched by its number alone; of one that is gone nothing can be shown.
            (None, Some(_)) => header.is_some_and(|it| !it.is_test()),
            (None, None) => true,
        };
        let reached = header.is_none_or(|it| self.reach.has(it.inbox));
        within && reached && visible(&self.actor, &change.entry, header)
    }

    /// Goes on with the rights of `actor`, who is the same one asked again; false if they reach other inboxes now, so
    /// that what they have read no longer is what they may see.
    pub async fn renew(&mut self, actor: Actor) -> Result<bool, Error> {
        let reach = self.seat.service().reach(&actor).await?;
        self.actor = actor;
        Ok(std::mem::replace(&mut self.reach, reach.clone()) == reach)
    }

    async fn fill(&mut self) -> Result<(), Error> {
        let recent = self.seat.channel().recent_after(self.position, READ_AT_ONCE as usize);
        if let Some(changes) = recent {
            self.pending.extend(changes);
            return Ok(());
        }
        let service = Arc::clone(self.seat.service());
        let mut rows = Rows::new(service.engine.as_ref(), self.actor.organization);
        let entries = rows.entries(self.position + 1, self.page.0).await?;
        let changes = view::of_entries(&mut rows, entries).await?;
        let kept = self.page.keep(changes.iter().map(text_bytes));
        // Only once all are at hand: this future may be dropped at any await above.
        self.pending.extend(changes.into_iter().take(kept).map(Arc::new));
        Ok(())
    }
}

/// What a visitor's socket hears.
#[derive(Clone, Debug)]
pub enum VisitorSignal {
    /// Messages and system lines, by seq.
    Messages(Vec<MessageView>),
    /// The conversation's header after something visible changed.
    Status(Box<ConversationView>),
    /// What is never stored.
    Ephemeral(Arc<Ephemeral>),
}

/// A reader of one visitor's conversation.
#[derive(Debug)]
pub struct VisitorWatcher {
    seat: Seat,
    organization: OrganizationId,
    user: UserId,
    inbox: InboxId,
    /// The position heard of up to which everything has been read.
    read_to: Option<u64>,
    following: Following,
    conversation: Option<ConversationId>,
    /// The turn in which the assistant is to answer.
    awaited: Option<u64>,
    seq: u64,
    shown: Option<Shown>,
    pending: VecDeque<VisitorSignal>,
    page: Page,
}

/// What of a header a visitor sees.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Shown {
    conversation: ConversationId,
    status: crate::domain::conversation::Status,
    handler: crate::domain::conversation::Handler,
    assignee: String,
    staff_mark: u64,
    visitor_mark: u64,
}

fn shown(view: &ConversationView) -> Shown {
    Shown {
        conversation: view.header.id,
        status: view.header.status,
        handler: view.header.handler,
        assignee: view.assignee_name.clone(),
        staff_mark: view.header.staff_mark,
        visitor_mark: view.header.visitor_mark,
    }
}

impl Service {
    /// Watches a visitor's conversation. The reader starts after `seq` of `conversation`.
    pub fn watch_visitor(
        self: &Arc<Self>,
        actor: &Actor,
        conversation: Option<&ConversationView>,
        seq: u64,
    ) -> Result<VisitorWatcher, Error> {
        let Who::Visitor { user, inbox, .. } = &actor.who else { return Err(Error::forbidden()) };
        let seat = Seat::take(self, Topic::Visitor(actor.organization, *user));
        Ok(VisitorWatcher {
            organization: actor.organization,
            user: *user,
            inbox: *inbox,
            read_to: None,
            following: Following::default(),
            seat,
            conversation: conversation.map(|view| view.header.id),
            awaited: None,
            seq,
            shown: conversation.map(shown),
            pending: VecDeque::new(),
            page: Page::default(),
        })
    }
}

impl VisitorWatcher {
    /// The next signal. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<VisitorSignal, Error> {
        loop {
            if let Some(signal) = self.pending.pop_front() {
                return Ok(signal);
            }
            match self.seat.hear(self.read_to) {
                Heard::News(position) if self.follow(position) => self.read_to = Some(position),
                Heard::News(position) => {
                    // Boxed, so that a socket that only waits does not hold the memory of a read.
                    Box::pin(self.fill()).await?;
                    if self.pending.is_empty() {
                        self.read_to = Some(position);
                    }
                }
                Heard::Signal(signal) => {
                    if self.is_for_them(&signal) {
                        return Ok(VisitorSignal::Ephemeral(signal));
                    }
                }
                Heard::Lost => {
                    let dropped = self.following.lost().map(VisitorSignal::Ephemeral);
                    self.pending.extend(dropped);
                }
                Heard::Nothing => self.seat.wait(self.read_to).await,
            }
        }
    }

    /// Whether this visitor hears a signal of theirs.
    fn is_for_them(&mut self, signal: &Ephemeral) -> bool {
        if self.conversation != Some(signal.place().conversation) {
            return false;
        }
        match signal {
            Ephemeral::Typing(typing) => typing.actor.user != Some(self.user) && !typing.note,
            Ephemeral::Streamed(streamed) => {
                let begins = matches!(streamed.part, Part::Text { n: 0, .. });
                let now = !begins || self.awaited == Some(streamed.turn);
                now && self.following.takes(streamed)
            }
        }
    }

    /// A signal did not get through: the reader is too slow for it.
    pub fn shed(&mut self, signal: &Ephemeral) {
        match signal {
            Ephemeral::Typing(_) => {}
            Ephemeral::Streamed(streamed) => self.following.shed(streamed),
        }
    }

    /// Takes the change that was published last, if it is all that came since this reader read on; false if the rows must
    /// be read.
    fn follow(&mut self, position: u64) -> bool {
        let Some(change) = self.seat.latest(self.read_to, position) else { return false };
        let Some(view) = &change.conversation else { return false };
        let header = &view.header;
        if self.conversation != Some(header.id) || self.inbox != header.inbox {
            return false;
        }
        let next = change.message.as_ref().filter(|it| it.message.seq == self.seq + 1);
        if header.last_seq != self.seq + u64::from(next.is_some()) {
            return false;
        }
        self.saw(header);
        if let Some(message) = next {
            self.seq = message.message.seq;
            self.pending.push_back(VisitorSignal::Messages(vec![message.clone()]));
        }
        self.show(view);
        true
    }

    fn saw(&mut self, header: &Conversation) {
        self.awaited = awaits_assistant(header).then_some(header.turn);
        self.following.saw(header);
    }

    /// Tells what a visitor sees of the header, if it has changed.
    fn show(&mut self, view: &ConversationView) {
        let now = Some(shown(view));
        if self.shown != now {
            self.shown = now;
            self.pending.push_back(VisitorSignal::Status(Box::new(view.clone())));
        }
    }

    async fn fill(&mut self) -> Result<(), Error> {
        let service = Arc::clone(self.seat.service());
        let rows = Rows::new(service.engine.as_ref(), self.organization);
        let Some(header) = rows.latest_of(self.user, self.inbox).await? else { return Ok(()) };
        if self.conversation != Some(header.id) {
            self.conversation = Some(header.id);
            self.seq = 0;
        }
        self.saw(&header);
        if header.last_seq > self.seq {
            // No more than there are: the store reads a few rows at once and many on another thread.
            let news = u32::try_from(header.last_seq - self.seq).unwrap_or(READ_AT_ONCE);
            let mut found = rows.messages(header.id, self.seq + 1, news.min(self.page.0)).await?;
            found.truncate(self.page.keep(found.iter().map(|it| it.content.len())));
            let mut messages = Vec::with_capacity(found.len());
            for message in found {
                messages.push(view::message(&rows, message).await?);
            }
            // Moved on only once all are at hand: this future may be dropped at any await above.
            if let Some(last) = messages.last() {
                self.seq = last.message.seq;
                self.pending.push_back(VisitorSignal::Messages(messages));
            }
        }
        self.show(&view::conversation(&rows, header).await?);
        Ok(())
    }
}

/// How many rows are read at once: fewer where their texts are long.
#[derive(Debug)]
struct Page(u32);

impl Default for Page {
    fn default() -> Self {
        Self(READ_AT_ONCE)
    }
}

impl Page {
    /// How many of texts that were read are kept, at least one; what is left is read again when there is room for it.
    fn keep(&mut self, lengths: impl ExactSizeIterator<Item = usize>) -> usize {
        let read = lengths.len();
        let sums = lengths.scan(0, |sum: &mut usize, length| {
            *sum += length;
            Some(*sum)
        });
        let kept = sums.take_while(|sum| *sum <= KEPT_BYTES_MAX).count().max(1);
        let fitting = u32::try_from(kept).unwrap_or(READ_AT_ONCE);
        self.0 = if kept < read { fitting } else { self.0.saturating_mul(2).min(READ_AT_ONCE) };
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_28_a_reader_keeps_little_that_it_has_not_handed_out() {
        for (lengths, kept, next) in [
            (vec![], 1, 100),
            (vec![300; 100], 100, 100),
            (vec![40_000; 100], 1, 1),
            (vec![20_000; 100], 3, 3),
            (vec![1_000_000, 1], 1, 1),
            (vec![1_000_000], 1, 100),
        ] {
            let mut page = Page::default();
            assert_eq!(page.keep(lengths.iter().copied()), kept, "{lengths:?}");
            assert_eq!(page.0, next, "{lengths:?}");
        }
        let mut page = Page(3);
        page.keep([300; 3].into_iter());
        assert_eq!(page.0, 6, "more again once they are short");
    }
}
