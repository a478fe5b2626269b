//! What one visitor's tabs are told of their conversation.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::actor::{Actor, Who};
use crate::service::Service;
use crate::service::channel::{Heard, Post};
use crate::service::crowd::Outlet;
use crate::service::ephemeral::{Ephemeral, Part};
use crate::service::error::Error;
use crate::service::hub::{Seat, Topic};
use crate::service::rows::Rows;
use crate::service::standing::Standing;
use crate::service::view::{self, ConversationView, MessageView};

use super::page::{Page, READ_AT_ONCE};

/// What a visitor's socket hears.
#[derive(Clone, Debug)]
pub enum VisitorSignal {
    /// The next message or system line, told to all the visitor's tabs.
    Message(Arc<Post>),
    /// Messages and system lines that were read, by seq.
    Messages(Vec<MessageView>),
    /// The conversation's header after something visible changed.
    Status(Box<ConversationView>),
    /// What is never stored.
    Ephemeral(Arc<Ephemeral>),
    /// The rest of a message that was written to the reader's outlet is to be sent.
    Owed,
}

/// What a reader finds.
#[derive(Debug)]
pub enum News {
    /// The next signal.
    Signal(VisitorSignal),
    /// There is more up to this position, which is to be read.
    Unread(u64),
}

/// A reader of one visitor's conversation.
#[derive(Debug)]
pub struct VisitorWatcher {
    seat: Seat,
    standing: Standing,
    pending: VecDeque<VisitorSignal>,
    page: Page,
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
            standing: Standing::new(*inbox, conversation, seq),
            seat,
            pending: VecDeque::new(),
            page: Page::default(),
        })
    }
}

impl VisitorWatcher {
    /// Whether the visitor has so many tabs that this one should let others write to it.
    pub fn is_crowded(&self) -> bool {
        self.seat.is_crowded()
    }

    /// Lets others write to `outlet` what comes next for this reader while it waits in [`Self::wait`] and has read
    /// everything before.
    pub fn enter_crowd(&mut self, outlet: Arc<dyn Outlet>) {
        self.seat.enter_crowd(outlet, Standing::new(self.standing.inbox, None, 0));
    }

    /// Whether the rest of a message that was written to the outlet is to be sent; says so once.
    pub fn take_owed(&self) -> bool {
        self.seat.take_owed()
    }

    /// The next signal, for who has nothing else to wait for. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<VisitorSignal, Error> {
        loop {
            match self.take() {
                Some(News::Signal(signal)) => return Ok(signal),
                // Boxed, so that who only waits does not hold the memory of a read.
                Some(News::Unread(position)) => Box::pin(self.read(position)).await?,
                None => self.wait().await,
            }
        }
    }

    /// Waits until there may be something to take. Safe to drop and call again.
    pub fn wait(&mut self) -> impl Future<Output = ()> + Send {
        let has_more = !self.pending.is_empty();
        self.seat.wait_as_tab(&mut self.standing, has_more)
    }

    /// What is new, if anything is.
    pub fn take(&mut self) -> Option<News> {
        loop {
            if self.seat.take_owed() {
                return Some(News::Signal(VisitorSignal::Owed));
            }
            if let Some(signal) = self.pending.pop_front() {
                return Some(News::Signal(signal));
            }
            match self.seat.hear(self.standing.read_to) {
                Heard::News(position) if self.follow(position) => {
                    self.standing.read_to = Some(position);
                }
                Heard::News(position) => return Some(News::Unread(position)),
                Heard::Signal(signal) => {
                    if self.is_for_them(&signal) {
                        return Some(News::Signal(VisitorSignal::Ephemeral(signal)));
                    }
                }
                Heard::Lost => {
                    let dropped = self.standing.following.lost().map(VisitorSignal::Ephemeral);
                    self.pending.extend(dropped);
                }
                Heard::Nothing => return None,
            }
        }
    }

    /// Reads what [`Self::take`] had not read, up to a position: the next calls of it find that. Safe to drop and call
    /// again.
    pub async fn read(&mut self, position: u64) -> Result<(), Error> {
        self.fill().await?;
        if self.pending.is_empty() {
            self.standing.read_to = Some(position);
        }
        Ok(())
    }

    /// Whether this visitor hears a signal of theirs.
    fn is_for_them(&mut self, signal: &Ephemeral) -> bool {
        if self.standing.conversation != Some(signal.place().conversation) {
            return false;
        }
        match signal {
            Ephemeral::Typing(typing) => {
                typing.actor.user != self.seat.topic().visitor() && !typing.note
            }
            Ephemeral::Streamed(streamed) => {
                let begins = matches!(streamed.part, Part::Text { n: 0, .. });
                let now = !begins || self.standing.awaited == Some(streamed.turn);
                now && self.standing.following.takes(streamed)
            }
        }
    }

    /// A signal did not get through: the reader is too slow for it.
    pub fn shed(&mut self, signal: &Ephemeral) {
        match signal {
            Ephemeral::Typing(_) => {}
            Ephemeral::Streamed(streamed) => self.standing.following.shed(streamed),
        }
    }

    /// Takes the change that was published last, if it is all that came since this reader read on; false if the rows
    /// must be read.
    fn follow(&mut self, position: u64) -> bool {
        let Some(news) = self.seat.latest(self.standing.read_to, position) else { return false };
        let Some(step) = self.standing.next(&news) else { return false };
        self.standing.take(&step);
        if let Some(post) = step.post {
            self.pending.push_back(VisitorSignal::Message(Arc::clone(post)));
        }
        self.show(step.view);
        true
    }

    /// Tells what a visitor sees of the header, if it has changed.
    fn show(&mut self, view: &ConversationView) {
        if !self.standing.shows(view) {
            self.standing.show(view);
            self.pending.push_back(VisitorSignal::Status(Box::new(view.clone())));
        }
    }

    async fn fill(&mut self) -> Result<(), Error> {
        let service = Arc::clone(self.seat.service());
        let topic = self.seat.topic();
        let rows = Rows::new(service.engine.as_ref(), topic.organization());
        let Some(user) = topic.visitor() else { return Ok(()) };
        let Some(header) = rows.latest_of(user, self.standing.inbox).await? else {
            return Ok(());
        };
        if self.standing.conversation != Some(header.id) {
            self.standing.conversation = Some(header.id);
            self.standing.seq = 0;
        }
        self.standing.saw(&header);
        if header.last_seq > self.standing.seq {
            // No more than there are: the store reads a few rows at once and many on another thread.
            let news = u32::try_from(header.last_seq - self.standing.seq).unwrap_or(READ_AT_ONCE);
            let mut found =
                rows.messages(header.id, self.standing.seq + 1, news.min(self.page.0)).await?;
            found.truncate(self.page.keep(found.iter().map(|it| it.content.len())));
            let mut messages = Vec::with_capacity(found.len());
            for message in found {
                messages.push(view::message(&rows, None, message).await?);
            }
            // Moved on only once all are at hand: this future may be dropped at any await above.
            if let Some(last) = messages.last() {
                self.standing.seq = last.message.seq;
                self.pending.push_back(VisitorSignal::Messages(messages));
            }
        }
        self.show(&view::conversation(&rows, header).await?);
        Ok(())
    }
}
