//! The Fusionchat daemon. The floors, from the ground up: `domain` (pure rules), `store`, `search` and `ai`,
//! `service` (the use cases), `worker` and `door`, and on top `app`, `demo`, `config` and `command`, which build and
//! run them. A floor uses only floors below it; the workspace's tidy test holds them apart.

pub mod ai;
pub mod app;
pub mod command;
pub mod config;
pub mod demo;
pub mod domain;
pub mod door;
mod init;
mod log;
mod maintain;
mod reload;
pub mod search;
pub mod service;
pub mod store;
pub mod worker;
