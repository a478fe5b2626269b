//! How urgent a conversation is.

/// How urgent a conversation is. It orders the queue before the waiting does. The numbers are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// As most are.
    #[default]
    Normal = 0,
    /// After all others.
    Low = 1,
    /// Before the normal ones.
    High = 2,
    /// First of all.
    Urgent = 3,
}

impl Priority {
    /// The most urgent first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// The priority of a stored code.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u32 == code)
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}
