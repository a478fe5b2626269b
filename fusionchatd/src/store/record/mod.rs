//! How rows are written: one byte of kind, one of version, then a protobuf message of this module. The messages
//! are the store's own, never the wire's. Golden bytes of every version ever released stay in
//! `golden_test` and the files beside it.

mod conversation;
mod desk;
mod entry;
mod fields;
#[cfg(test)]
pub(crate) mod first;
#[cfg(test)]
mod first_test;
#[cfg(test)]
mod golden_chat_test;
#[cfg(test)]
mod golden_test;
mod journal;
mod message;
#[cfg(test)]
mod record_prop_test;
#[cfg(test)]
mod record_test;
pub mod row;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use prost::Message;
use uuid::Uuid;

use super::table;

pub use journal::{Daemon, Did, Done, Head, Migration, Number, PasswordHash, Pointer};

/// A row that cannot be read: written by a newer daemon, or damaged.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    /// The row is of another kind than its table holds.
    #[error("expected a row of kind {expected}, found {found}")]
    Kind {
        /// The kind its table holds.
        expected: u8,
        /// The kind it says it is.
        found: u8,
    },
    /// The row is of a version this daemon does not know.
    #[error("row of kind {kind} has version {found}; this daemon knows up to {known}")]
    Version {
        /// Its kind.
        kind: u8,
        /// Its version.
        found: u8,
        /// The newest version known.
        known: u8,
    },
    /// The bytes are not a row.
    #[error("row of kind {kind} is damaged: {what}; restore it from a backup")]
    Damaged {
        /// Its kind.
        kind: u8,
        /// What is wrong.
        what: String,
    },
}

/// What is wrong with the bytes of a row.
type Damage = Cow<'static, str>;

/// Something that is stored as a row.
pub trait Record: Sized {
    /// The kind byte. Stored: never reuse one.
    const KIND: u8;
    /// The newest version; every older one can be read.
    const VERSION: u8 = 1;
    /// The protobuf message of the newest version.
    type Stored: Message;

    /// The message to store.
    fn store(&self) -> Self::Stored;
    /// The value that the bytes of a stored message say under this key. What the key says is not stored once more.
    fn load(key: &[u8], content: &[u8]) -> Result<Self, Cow<'static, str>>;

    /// The row's bytes.
    fn encode(&self) -> Bytes {
        let stored = self.store();
        let mut bytes = BytesMut::with_capacity(2 + stored.encoded_len());
        bytes.extend_from_slice(&[Self::KIND, Self::VERSION]);
        stored.encode_raw(&mut bytes);
        bytes.freeze()
    }

    /// Reads a row.
    fn decode(key: &[u8], row: &[u8]) -> Result<Self, RecordError> {
        let damaged = |what: Damage| RecordError::Damaged { kind: Self::KIND, what: what.into() };
        let [kind, version, content @ ..] = row else {
            return Err(damaged("too short".into()));
        };
        if *kind != Self::KIND {
            return Err(RecordError::Kind { expected: Self::KIND, found: *kind });
        }
        if *version == 0 {
            return Err(damaged("there is no version 0".into()));
        }
        if *version > Self::VERSION {
            let (kind, found, known) = (*kind, *version, Self::VERSION);
            return Err(RecordError::Version { kind, found, known });
        }
        Self::load(key, content).map_err(damaged)
    }
}

/// A stored message. Its ids are slices of one copy.
fn stored<M: Message + Default>(content: &[u8]) -> Result<M, Damage> {
    M::decode(Bytes::copy_from_slice(content)).map_err(|error| error.to_string().into())
}

/// The bytes of an id.
fn id(uuid: &Uuid) -> Bytes {
    Bytes::copy_from_slice(uuid.as_bytes())
}

/// The id of stored bytes.
fn uuid(bytes: &[u8]) -> Result<Uuid, &'static str> {
    bytes.try_into().map(Uuid::from_bytes).map_err(|_| "an id is not 16 bytes")
}

/// The id of stored bytes, if there are any.
fn maybe(bytes: Option<&Bytes>) -> Result<Option<Uuid>, &'static str> {
    bytes.map(|it| uuid(it)).transpose()
}

/// The id at this byte of a row's key.
fn key_id(key: &[u8], at: usize) -> Result<Uuid, &'static str> {
    table::id_at(key, at).ok_or("its key is too short")
}

/// The number at the end of a row's key.
fn key_number(key: &[u8]) -> Result<u64, &'static str> {
    table::last_number(key).ok_or("its key is too short")
}

/// The first bytes of a digest: older versions have more of them.
fn start<const BYTES: usize>(digest: &[u8]) -> Result<[u8; BYTES], &'static str> {
    digest.first_chunk().copied().ok_or("a digest is too short")
}

/// The 32 bytes of a hash.
fn hash(bytes: &[u8]) -> Result<[u8; 32], &'static str> {
    bytes.try_into().map_err(|_| "a hash is not 32 bytes")
}
