//! A language model as the assistant sees one: a prompt in, pieces of text out, and every way it can fail.
//! Who implements it keeps its own time limits; nothing here knows a wire.

use futures::stream::BoxStream;

/// Who a part of a prompt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The organization's policy: the only part that is trusted.
    System,
    /// Data: what the visitor wrote, the passages, the history.
    User,
}

/// One part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose it is.
    pub role: Role,
    /// Its text.
    pub text: String,
}

/// What a model is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The parts, in order.
    pub parts: Vec<Part>,
}

impl Prompt {
    /// The text of all parts together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.text.len()).sum()
    }
}

/// What comes of a model while it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// More of the answer.
    Text(String),
    /// How many tokens prompt and answer took, if it says so.
    Usage(u64),
}

/// Why a model gave no whole answer. No variant holds what the other side said: that may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// There was no connection in time, or none at all.
    #[error("the provider cannot be reached")]
    Unreachable,
    /// No text came in time.
    #[error("the provider sent no first word in time")]
    FirstToken,
    /// It stopped in the middle.
    #[error("the provider fell silent in mid-answer")]
    Silence,
    /// The answer took too long in all.
    #[error("the answer took longer than the limit")]
    Total,
    /// An HTTP status that is no success, redirections included.
    #[error("the provider answered with status {0}")]
    Status(u16),
    /// It sent no event stream.
    #[error("the provider sent something else than an event stream")]
    ContentType,
    /// The stream held something that cannot be read.
    #[error("the provider sent something that is no chat completion")]
    Garbage,
    /// The stream held an error object.
    #[error("the provider reported an error in its stream")]
    Reported,
    /// The stream ended without saying why, or in mid-sentence.
    #[error("the answer was cut off")]
    Truncated,
    /// More than may come was sent.
    #[error("the answer passed the size limit")]
    TooLong,
    /// The provider withheld its answer.
    #[error("the provider withheld the answer")]
    Filtered,
    /// The key could not be read, or the client not be built.
    #[error("the provider's key or certificates could not be read")]
    Setup,
}

/// A model.
pub trait Model: Send + Sync {
    /// Asks it. The stream ends after the last piece or the first error; dropping it frees the other side.
    fn ask(&self, prompt: Prompt) -> BoxStream<'static, Result<Piece, ModelError>>;
}
