//! Reading on: register with the hub first, then read from the cursor, then go live. No signal is needed to be
//! complete; a reader that was away reads the journal from where it was.

mod page;
#[cfg(test)]
mod page_test;
#[cfg(test)]
mod subscribe_test;
mod visitor;

use std::collections::VecDeque;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::actor::{Actor, Permission};
use crate::domain::id::ConversationId;
use crate::domain::turn::awaits_assistant;
use crate::domain::visible::visible;

use super::channel::Heard;
use super::ephemeral::{Ephemeral, Part, Place};
use super::error::Error;
use super::hub::{Seat, Topic};
use super::rights::Reach;
use super::rows::Rows;
use super::stream::Following;
use super::view::Change;
use super::{Service, require};
use page::{CatchUp, READ_AT_ONCE};

pub use super::channel::Post;
pub use super::crowd::{Outlet, Written};
pub use visitor::{News, VisitorSignal, VisitorWatcher};

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
    /// While it is far behind.
    catch_up: Option<Box<CatchUp>>,
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
            catch_up: None,
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
        let changes = match recent {
            Some(recent) => {
                self.catch_up = None;
                recent
            }
            None => {
                let catch_up = self.catch_up.get_or_insert_default();
                catch_up.next_page(self.position, &self.seat, self.actor.organization).await?
            }
        };
        self.pending.extend(changes);
        Ok(())
    }
}
