//! What the measures are made of.
//!
//! - [`ratio`]: what a measure comes to: medians of rounds, and when a reference is void.
//! - [`pace`]: an open-loop load: what is due is due, whatever the server does.
//! - [`process`]: cores, memory and processor time.
//! - [`desk`]: a real daemon on a core of its own, visitors and agents on the other.
//! - [`ground`]: a service in this process, for the measures without a door.
//! - [`library`]: a large store, made quickly, and a daemon on it.
//! - [`mod@reference`]: the bare servers the daemon is measured against, processes of their own.
//! - [`plain`]: the plain loops those are held to, without a line of theirs.
//! - [`deadline`]: how long anything is waited for.

pub(in crate::suite) mod deadline;
pub(in crate::suite) mod desk;
pub(in crate::suite) mod ground;
pub(in crate::suite) mod library;
pub(in crate::suite) mod loose;
pub(in crate::suite) mod pace;
pub(crate) mod plain;
pub(in crate::suite) mod process;
pub(in crate::suite) mod ratio;
pub(crate) mod reference;
