//! Clients that mean no good, and a world that is no better, against the real daemon over loopback: slow ones, floods,
//! readers that do not read, broken frames, memory and time that run out or away. Each test is named by its number in
//! the table of docs/proofs.md; what is settled nearer to the code is tested there.

mod clock;
mod desk;
mod flood;
mod frames;
mod http2;
mod memory;
mod readers;
mod slow;
mod url;
