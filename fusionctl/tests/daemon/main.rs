//! Commands against a small daemon in this process: what a repeat, a lost race, a killed daemon and a bad file
//! make of them. The daemon's own rules are tested elsewhere.

#![allow(clippy::unwrap_used, reason = "tests, whose helpers clippy does not take for tests")]

mod binary;
mod commands;
mod import;
mod mock;
mod process;
mod run;
mod services;
mod start;
mod tail;
