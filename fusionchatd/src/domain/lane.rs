//! The lists a conversation can stand in: one a status, the live queue once for each priority, and tests apart
//! from all others, so that no list, queue or figure has to leave them out.

use super::conversation::{Conversation, Status};
use super::priority::Priority;

/// One list. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Open.
    Open = 1,
    /// Resolved.
    Resolved = 2,
    /// Waiting, with normal priority.
    Waiting = 3,
    /// Waiting, urgent.
    WaitingUrgent = 4,
    /// Waiting, with high priority.
    WaitingHigh = 5,
    /// Waiting, with low priority.
    WaitingLow = 6,
    /// Open tests.
    TestOpen = 17,
    /// Resolved tests.
    TestResolved = 18,
    /// Waiting tests.
    TestWaiting = 19,
}

impl Lane {
    /// The live queue: in this order, and in each by rank.
    pub const QUEUE: [Self; 4] =
        [Self::WaitingUrgent, Self::WaitingHigh, Self::Waiting, Self::WaitingLow];

    /// Where a conversation stands.
    pub fn of(conversation: &Conversation) -> Self {
        let test = conversation.is_test();
        match (conversation.status, conversation.priority) {
            (Status::Open, _) if test => Self::TestOpen,
            (Status::Resolved, _) if test => Self::TestResolved,
            (Status::Escalated, _) if test => Self::TestWaiting,
            (Status::Open, _) => Self::Open,
            (Status::Resolved, _) => Self::Resolved,
            (Status::Escalated, Priority::Urgent) => Self::WaitingUrgent,
            (Status::Escalated, Priority::High) => Self::WaitingHigh,
            (Status::Escalated, Priority::Normal) => Self::Waiting,
            (Status::Escalated, Priority::Low) => Self::WaitingLow,
        }
    }

    /// The lists of a status, of tests or of all others.
    pub fn of_status(status: Status, tests: bool) -> &'static [Self] {
        match status {
            Status::Open if tests => &[Self::TestOpen],
            Status::Resolved if tests => &[Self::TestResolved],
            Status::Escalated if tests => &[Self::TestWaiting],
            Status::Open => &[Self::Open],
            Status::Resolved => &[Self::Resolved],
            Status::Escalated => &Self::QUEUE,
        }
    }
}
