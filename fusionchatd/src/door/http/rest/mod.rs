//! The handlers of the REST routes, a file a noun. Each says its shape beside what it does.

pub(super) mod article;
pub(super) mod audit;
pub(super) mod auth;
pub(super) mod conversation;
pub(super) mod conversation_act;
pub(super) mod escalation;
pub(super) mod inbox;
pub(super) mod key;
pub(super) mod server;
pub(super) mod user;
pub(super) mod visitor;
