//! What one visitor's tabs are told of their conversation.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::actor::{Actor, Who};
use crate::domain::conversation::Conversation;
use crate::domain::id::{ConversationId, InboxId, OrganizationId, UserId};
use crate::domain::turn::awaits_assistant;
use crate::service::Service;
use crate::service::channel::{Heard, Post};
use crate::service::ephemeral::{Ephemeral, Part};
use crate::service::error::Error;
use crate::service::hub::{Seat, Topic};
use crate::service::rows::Rows;
use crate::service::stream::Following;
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
#[derive(Debug)]
struct Shown {
    conversation: ConversationId,
    status: crate::domain::conversation::Status,
    handler: crate::domain::conversation::Handler,
    assignee: String,
    staff_mark: u64,
    visitor_mark: u64,
}

impl Shown {
    /// Whether the view shows the same.
    fn is(&self, view: &ConversationView) -> bool {
        let header = &view.header;
        let Self { conversation, status, handler, assignee, staff_mark, visitor_mark } = self;
        *conversation == header.id
            && *status == header.status
            && *handler == header.handler
            && *assignee == view.assignee_name
            && *staff_mark == header.staff_mark
            && *visitor_mark == header.visitor_mark
    }
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
        let Some((change, post)) = self.seat.latest(self.read_to, position) else { return false };
        let Some(view) = &change.conversation else { return false };
        let header = &view.header;
        if self.conversation != Some(header.id) || self.inbox != header.inbox {
            return false;
        }
        let next = post.filter(|it| it.view.message.seq == self.seq + 1);
        if header.last_seq != self.seq + u64::from(next.is_some()) {
            return false;
        }
        self.saw(header);
        if let Some(post) = next {
            self.seq = post.view.message.seq;
            self.pending.push_back(VisitorSignal::Message(post));
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
        if !self.shown.as_ref().is_some_and(|it| it.is(view)) {
            self.shown = Some(shown(view));
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
                messages.push(view::message(&rows, None, message).await?);
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
