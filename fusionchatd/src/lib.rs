//! The Fusionchat daemon as a library: its floors, in one-way order. It must not start anything by
//! itself; the program does that.

pub mod store;
