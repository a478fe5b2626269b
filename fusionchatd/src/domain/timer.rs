//! Durable timers: what must happen later is a row, written in the batch that needs it and fired as a command. A
//! row's subject keeps what names the row, so that the batch which makes it needless also takes it away.

use uuid::Uuid;

use super::Time;

/// What is due. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimerKind {
    /// The assistant has not answered. Its subject is a conversation, as that of all kinds below 64.
    Assistant = 1,
    /// Somebody has been away for too long, or was disabled. Its subject is a user, as that of all kinds from 64 on.
    Absent = 64,
}

impl TimerKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Assistant, Self::Absent];

    /// The kind of a stored number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u8 == code)
    }
}

/// A timer that fires: a command. It does nothing if its subject has moved on since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// What is due.
    pub kind: TimerKind,
    /// For whom: a conversation or a user.
    pub subject: Uuid,
    /// The turn (or generation) of the subject it was set in.
    pub turn: u64,
}

/// A timer as its subject keeps it: enough to find its row again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// What.
    pub kind: TimerKind,
    /// When.
    pub at: Time,
}

/// How long things may take before a timer fires, in milliseconds. Named settings; tests make them short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    /// The assistant's answer: then a person is asked.
    pub assistant_ms: i64,
    /// Away: then the conversations in which the visitor waits go to others.
    pub absence_ms: i64,
}

impl Default for Delays {
    fn default() -> Self {
        Self { assistant_ms: 75_000, absence_ms: 5 * 60 * 1000 }
    }
}
