//! The assistant's thinking, pure: what to do about a visitor's message, and the built-in answer
//! that quotes an article word for word. It never searches, stores, waits or calls anyone: callers
//! hand in the message and the hits, and carry out the decision.

pub mod breaker;
pub mod builtin;
pub mod facts;
pub mod model;
pub mod openai;
pub mod phrases;
pub mod prompt;
pub mod reply;
pub mod turn;
pub mod wishes;

mod units;

pub use turn::{Decision, Source, Turn, decide, decide_early};

#[cfg(test)]
mod tests;
