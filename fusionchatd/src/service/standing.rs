//! Where one of a visitor's readers stands, and whether a change goes on from there.

use crate::domain::conversation::{Conversation, Handler, Status};
use crate::domain::id::{ConversationId, InboxId};
use crate::domain::turn::awaits_assistant;

use super::channel::{News, Post};
use super::stream::Following;
use super::view::ConversationView;

use std::sync::Arc;

/// What one reader of a visitor's conversation has read and shown.
#[derive(Debug)]
pub(super) struct Standing {
    /// Whose conversation it is, with the visitor.
    pub(super) inbox: InboxId,
    /// The position heard of up to which everything has been read.
    pub(super) read_to: Option<u64>,
    /// The answers in the making that it hears.
    pub(super) following: Following,
    /// The conversation it reads.
    pub(super) conversation: Option<ConversationId>,
    /// The turn in which the assistant is to answer.
    pub(super) awaited: Option<u64>,
    /// The last number handed out.
    pub(super) seq: u64,
    /// Boxed: most visitors have no conversation.
    shown: Option<Box<Shown>>,
}

/// What of a change comes next for a reader.
#[derive(Debug)]
pub(super) struct Step<'a> {
    /// A message.
    pub(super) post: Option<&'a Arc<Post>>,
    /// The conversation after it.
    pub(super) view: &'a ConversationView,
}

impl Standing {
    /// Begins after `seq` of `conversation`.
    pub(super) fn new(inbox: InboxId, conversation: Option<&ConversationView>, seq: u64) -> Self {
        Self {
            inbox,
            read_to: None,
            following: Following::default(),
            conversation: conversation.map(|view| view.header.id),
            awaited: None,
            seq,
            shown: conversation.map(shown),
        }
    }

    /// What of a change comes next, for who has read everything before it; none if the rows must be read.
    pub(super) fn next<'a>(&self, news: &'a News) -> Option<Step<'a>> {
        let view = news.change.conversation.as_ref()?;
        let header = &view.header;
        let post = news.post.as_ref().filter(|it| it.view.message.seq == self.seq + 1);
        let follows = self.conversation == Some(header.id)
            && self.inbox == header.inbox
            && header.last_seq == self.seq + u64::from(post.is_some());
        follows.then_some(Step { post, view })
    }

    /// Takes a step; what it shows of the header is left to the caller.
    pub(super) fn take(&mut self, step: &Step<'_>) {
        self.saw(&step.view.header);
        if let Some(post) = step.post {
            self.seq = post.view.message.seq;
        }
    }

    /// Learns how the conversation stands.
    pub(super) fn saw(&mut self, header: &Conversation) {
        self.awaited = awaits_assistant(header).then_some(header.turn);
        self.following.saw(header);
    }

    /// Whether the reader shows what the view does.
    pub(super) fn shows(&self, view: &ConversationView) -> bool {
        self.shown.as_ref().is_some_and(|it| it.is(view))
    }

    /// Shows the view.
    pub(super) fn show(&mut self, view: &ConversationView) {
        self.shown = Some(shown(view));
    }
}

/// What of a header a visitor sees.
#[derive(Debug)]
struct Shown {
    conversation: ConversationId,
    status: Status,
    handler: Handler,
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

fn shown(view: &ConversationView) -> Box<Shown> {
    Box::new(Shown {
        conversation: view.header.id,
        status: view.header.status,
        handler: view.header.handler,
        assignee: view.assignee_name.clone(),
        staff_mark: view.header.staff_mark,
        visitor_mark: view.header.visitor_mark,
    })
}
