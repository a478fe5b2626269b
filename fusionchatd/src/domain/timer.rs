//! Durable timers: what must happen later is a row, written in the batch that needs it and fired as a command. A
//! row's subject keeps what names the row, so that the batch which makes it needless also takes it away.

use uuid::Uuid;

use super::Time;

/// What is due. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimerKind {
    /// The assistant has not answered. Its subject is a conversation, as that of all kinds below 64.
    Assistant = 1,
    /// The visitor has been silent.
    Silence = 2,
    /// The agent it was offered to has not claimed it.
    Offer = 3,
    /// A test conversation has had its day.
    TestExpiry = 4,
}

impl TimerKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Assistant, Self::Silence, Self::Offer, Self::TestExpiry];

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
    /// The visitor's word after the assistant's: then the conversation is `abandoned`.
    pub assistant_silence_ms: i64,
    /// The visitor's word after an agent's: then a notice, and as long again until `no_reply`.
    pub agent_silence_ms: i64,
    /// The claim of an agent to whom a conversation was transferred: then it is for everybody.
    pub offer_ms: i64,
    /// The life of a test conversation.
    pub test_ms: i64,
}

impl Default for Delays {
    fn default() -> Self {
        const HOUR_MS: i64 = 60 * 60 * 1000;
        Self {
            assistant_ms: 75_000,
            assistant_silence_ms: HOUR_MS / 2,
            agent_silence_ms: 24 * HOUR_MS,
            offer_ms: 120_000,
            test_ms: 24 * HOUR_MS,
        }
    }
}
