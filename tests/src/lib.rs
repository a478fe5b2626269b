//! The harness of the end-to-end tests: it starts the real daemon and the real programs, each test in its own
//! directory, and speaks to them as a visitor, an integrator, an agent and an administrator do. It knows the
//! documented behaviour only: nothing here reaches into the daemon's code.
//!
//! The programs are those cargo put beside the tests: `cargo test --workspace` builds them first. Nothing waits
//! by sleeping: every wait reads a pipe, a socket, a stream or a terminal, and one watchdog ends a test that waits
//! for ever.

pub mod browser;
pub mod clock;
pub mod daemon;
pub mod disk;
pub mod grpc;
pub mod http2;
pub mod model;
pub mod picture;
mod ports;
pub mod program;
pub mod proxy;
pub mod rest;
pub mod serve;
pub mod site;
pub mod source;
pub mod stage;
pub mod terminal;
pub mod visitor;
