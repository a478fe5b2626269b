//! The calls: one file per service of the protocol, each a few lines from the request to the use
//! case and back.

mod article;
mod audit;
mod conversation;
mod escalation;
mod inbox;
mod key;
mod organization;
mod server;
mod session;
mod user;
mod visitor;
mod watch;
