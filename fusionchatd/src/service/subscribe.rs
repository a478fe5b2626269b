//! Reading on: register with the hub first, then read from the cursor, then go live. No signal is needed to be
//! complete; a reader that was away reads the journal from where it was.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use crate::domain::actor::{Actor, Permission, Who};
use crate::domain::id::{ConversationId, InboxId, UserId};
use crate::domain::visible::visible;

use super::error::Error;
use super::hub::{Seat, Topic, Typing};
use super::rights::Reach;
use super::rows::Rows;
use super::view::{self, Change, ConversationView, MessageView};
use super::{Service, require};

/// How many entries are read at once.
const READ_AT_ONCE: u32 = 100;

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
    /// Somebody is typing.
    Typing(Arc<Typing>),
}

/// A reader of an organization's journal.
#[derive(Debug)]
pub struct Watcher {
    actor: Actor,
    reach: Reach,
    only: Option<ConversationId>,
    seat: Seat,
    wake: watch::Receiver<u64>,
    typing: broadcast::Receiver<Arc<Typing>>,
    position: u64,
    pending: VecDeque<Arc<Change>>,
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
        let wake = seat.channel().wake();
        let typing = seat.channel().signals();
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
        let pending = VecDeque::new();
        Ok(Subscribed::Live(Box::new(Watcher {
            actor,
            reach,
            only,
            seat,
            wake,
            typing,
            position,
            pending,
        })))
    }
}

impl Watcher {
    /// The position of the last entry handed out or passed over.
    pub fn cursor(&self) -> Cursor {
        Cursor { epoch: self.seat.service().epoch(), position: self.position }
    }

    /// The next signal. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Signal, Error> {
        loop {
            while let Some(change) = self.pending.pop_front() {
                self.position = change.entry.position;
                if self.wants(&change) {
                    return Ok(Signal::Change(change));
                }
            }
            // Seen before reading, so that a commit during the read wakes us again.
            self.wake.borrow_and_update();
            self.fill().await?;
            if !self.pending.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.wake.changed() => {
                    changed.map_err(|_| Error::unavailable("draining", "the daemon is stopping"))?;
                }
                signal = self.typing.recv() => {
                    // A reader that lagged behind has missed signals that are stale anyway.
                    let Ok(typing) = signal else { continue };
                    let within = self.only.is_none_or(|only| only == typing.conversation);
                    if within && self.reach.has(typing.inbox) {
                        return Ok(Signal::Typing(typing));
                    }
                }
            }
        }
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
        let rows = Rows::new(service.engine.as_ref(), self.actor.organization);
        for entry in rows.entries(self.position + 1, READ_AT_ONCE).await? {
            self.pending.push_back(Arc::new(view::of_entry(&rows, entry).await?));
        }
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
    /// An agent or the assistant is typing.
    Typing(Arc<Typing>),
}

/// A reader of one visitor's conversation.
#[derive(Debug)]
pub struct VisitorWatcher {
    seat: Seat,
    actor: Actor,
    user: UserId,
    inbox: InboxId,
    wake: watch::Receiver<u64>,
    typing: broadcast::Receiver<Arc<Typing>>,
    conversation: Option<ConversationId>,
    seq: u64,
    shown: Option<Shown>,
    pending: VecDeque<VisitorSignal>,
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
            actor: actor.clone(),
            user: *user,
            inbox: *inbox,
            wake: seat.channel().wake(),
            typing: seat.channel().signals(),
            seat,
            conversation: conversation.map(|view| view.header.id),
            seq,
            shown: conversation.map(shown),
            pending: VecDeque::new(),
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
            self.wake.borrow_and_update();
            // Boxed, so that a socket that only waits does not hold the memory of a read.
            Box::pin(self.fill()).await?;
            if !self.pending.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.wake.changed() => {
                    changed.map_err(|_| Error::unavailable("draining", "the daemon is stopping"))?;
                }
                signal = self.typing.recv() => {
                    let Ok(typing) = signal else { continue };
                    let theirs = self.conversation == Some(typing.conversation);
                    let by_visitor = typing.actor.user == Some(self.user);
                    if theirs && !by_visitor && !typing.note {
                        return Ok(VisitorSignal::Typing(typing));
                    }
                }
            }
        }
    }

    async fn fill(&mut self) -> Result<(), Error> {
        let service = Arc::clone(self.seat.service());
        let rows = Rows::new(service.engine.as_ref(), self.actor.organization);
        let Some(header) = rows.latest_of(self.user, self.inbox).await? else { return Ok(()) };
        if self.conversation != Some(header.id) {
            self.conversation = Some(header.id);
            self.seq = 0;
        }
        if header.last_seq > self.seq {
            // No more than there are: the store reads a few rows at once and many on another thread.
            let news = u32::try_from(header.last_seq - self.seq).unwrap_or(READ_AT_ONCE);
            let found = rows.messages(header.id, self.seq + 1, news.min(READ_AT_ONCE)).await?;
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
        let view = view::conversation(&rows, header).await?;
        let now = Some(shown(&view));
        if self.shown != now {
            self.shown = now;
            self.pending.push_back(VisitorSignal::Status(Box::new(view)));
        }
        Ok(())
    }
}
