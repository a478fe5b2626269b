//! Floor 0: what a conversation is and what may happen to it. Pure: no I/O, no clock, no randomness; `now` and
//! new ids are arguments. Nothing here knows how rows are stored or how bytes reach the wire.
//!
//! A door hands a [`command::Command`] to the service, the service gathers [`facts::Facts`], and
//! [`decide::decide`] answers with the [`event::Event`]s that happen or one [`rejection::Rejection`].

pub mod actor;
pub mod article;
pub mod command;
pub mod conversation;
#[cfg(test)]
pub(crate) mod damage;
pub mod decide;
pub mod embed;
pub mod entry;
pub mod escalation;
pub mod event;
pub mod facts;
pub mod hidden;
pub mod id;
pub mod inbox;
pub mod key;
pub mod lane;
pub mod message;
pub mod name;
pub mod organization;
pub mod priority;
pub mod rejection;
pub mod session;
pub mod timer;
pub mod turn;
pub mod user;
pub mod visible;

/// Unix time in milliseconds. Decides timers only, never order, uniqueness or ownership.
pub type Time = i64;
