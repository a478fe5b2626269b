//! Rows of the journal itself: heads, entries, what commands did, and the daemon's own row.

use bytes::Bytes;
use prost::Message;

use crate::domain::Time;
use crate::domain::decide::Refs;
use crate::domain::id::{OrganizationId, SessionId};
use crate::store::Key;

use super::{Damage, Record, hash, id, maybe, start, stored, uuid};

/// The end of a journal: what the next commit is decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The position of the last entry; 0 when there is none.
    pub position: u64,
    /// The oldest position that can still be resumed from, minus one.
    pub floor: u64,
    /// The time of the last entry.
    pub time: Time,
    /// The number of the next conversation.
    pub next_number: u64,
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredHead {
    #[prost(uint64, tag = "1")]
    position: u64,
    #[prost(uint64, tag = "2")]
    floor: u64,
    #[prost(int64, tag = "3")]
    time: i64,
    #[prost(uint64, tag = "4")]
    next_number: u64,
}

impl Record for Head {
    const KIND: u8 = 1;
    type Stored = StoredHead;

    fn store(&self) -> StoredHead {
        StoredHead {
            position: self.position,
            floor: self.floor,
            time: self.time,
            next_number: self.next_number,
        }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredHead = stored(content)?;
        Ok(Self {
            position: it.position,
            floor: it.floor,
            time: it.time,
            next_number: it.next_number,
        })
    }
}

/// What a sender's command did, kept so that a repeat gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    digest: [u8; 8],
    /// What it did.
    pub did: Did,
}

/// What a command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// What [`Refs::of`] the entry at this position says. A journal that is ever cut must not lose such an entry.
    Entry(u64),
    /// This.
    These(Refs),
}

impl Done {
    /// Of a command's whole digest.
    pub fn new(digest: [u8; 32], did: Did) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self { digest: [a, b, c, d, e, f, g, h], did }
    }

    /// Whether a command of this digest is the one that was done. Eight bytes are kept: they are held only against what
    /// the same sender sends under the same id, so that one who looks for two commands that agree deceives nobody else.
    pub fn is_of(&self, digest: &[u8; 32]) -> bool {
        digest.starts_with(&self.digest)
    }
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredDone {
    #[prost(bytes = "bytes", tag = "1")]
    digest: Bytes,
    #[prost(bytes = "bytes", optional, tag = "2")]
    conversation: Option<Bytes>,
    #[prost(uint64, optional, tag = "3")]
    seq: Option<u64>,
    #[prost(uint64, optional, tag = "4")]
    position: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "5")]
    subject: Option<Bytes>,
    #[prost(uint32, tag = "6")]
    outcome: u32,
    #[prost(uint64, optional, tag = "7")]
    entry: Option<u64>,
}

impl Record for Done {
    const KIND: u8 = 3;
    const VERSION: u8 = 2;
    type Stored = StoredDone;

    fn store(&self) -> StoredDone {
        let (entry, refs) = match self.did {
            Did::Entry(position) => (Some(position), Refs::default()),
            Did::These(refs) => (None, refs),
        };
        StoredDone {
            digest: Bytes::copy_from_slice(&self.digest),
            conversation: refs.conversation.as_ref().map(id),
            seq: refs.seq,
            position: refs.position,
            subject: refs.subject.as_ref().map(id),
            outcome: refs.outcome,
            entry,
        }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredDone = stored(content)?;
        let did = match it.entry {
            Some(position) => Did::Entry(position),
            None => Did::These(Refs {
                conversation: maybe(it.conversation.as_ref())?,
                seq: it.seq,
                position: it.position,
                subject: maybe(it.subject.as_ref())?,
                outcome: it.outcome,
            }),
        };
        Ok(Self { digest: start(&it.digest)?, did })
    }
}

/// How far the rows have been brought to this program's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The format they had.
    pub from: u32,
    /// The key that comes next.
    pub next: Key,
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredMigration {
    #[prost(uint32, tag = "1")]
    from: u32,
    #[prost(bytes = "bytes", tag = "2")]
    next: Key,
}

impl Record for Migration {
    const KIND: u8 = 8;
    type Stored = StoredMigration;

    fn store(&self) -> StoredMigration {
        StoredMigration { from: self.from, next: self.next.clone() }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredMigration = stored(content)?;
        Ok(Self { from: it.from, next: it.next })
    }
}

/// What the daemon made for itself at its first start.
#[derive(Clone, PartialEq, Eq)]
pub struct Daemon {
    /// Names the life of this store; restoring a backup changes it.
    pub epoch: uuid::Uuid,
    /// Signs visitor sessions and keys the digests of the journal.
    pub secret: [u8; 32],
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
/// The stored form.
pub struct StoredDaemon {
    #[prost(bytes = "bytes", tag = "1")]
    epoch: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    secret: Bytes,
}

impl std::fmt::Debug for StoredDaemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredDaemon")
    }
}

impl Record for Daemon {
    const KIND: u8 = 4;
    type Stored = StoredDaemon;

    fn store(&self) -> StoredDaemon {
        StoredDaemon { epoch: id(&self.epoch), secret: Bytes::copy_from_slice(&self.secret) }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredDaemon = stored(content)?;
        Ok(Self { epoch: uuid(&it.epoch)?, secret: hash(&it.secret)? })
    }
}

/// A row that points to another: an organization and, in it, an id, a hash or both.
#[derive(Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The organization.
    pub organization: OrganizationId,
    /// The row in it.
    pub subject: uuid::Uuid,
    /// The hash of a secret.
    pub secret: Option<[u8; 32]>,
}

impl Pointer {
    /// The session it points to.
    pub fn session(&self) -> SessionId {
        SessionId(self.subject)
    }
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
/// The stored form.
pub struct StoredPointer {
    #[prost(bytes = "bytes", tag = "1")]
    organization: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    subject: Bytes,
    #[prost(bytes = "bytes", optional, tag = "3")]
    secret: Option<Bytes>,
}

impl std::fmt::Debug for StoredPointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredPointer")
    }
}

impl Record for Pointer {
    const KIND: u8 = 5;
    type Stored = StoredPointer;

    fn store(&self) -> StoredPointer {
        StoredPointer {
            organization: id(&self.organization.0),
            subject: id(&self.subject),
            secret: self.secret.map(|it| Bytes::copy_from_slice(&it)),
        }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredPointer = stored(content)?;
        Ok(Self {
            organization: OrganizationId(uuid(&it.organization)?),
            subject: uuid(&it.subject)?,
            secret: it.secret.map(|it| hash(&it)).transpose()?,
        })
    }
}

/// A number by itself: a worker's cursor, a timer's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub u64);

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredNumber {
    #[prost(uint64, tag = "1")]
    number: u64,
}

impl Record for Number {
    const KIND: u8 = 6;
    type Stored = StoredNumber;

    fn store(&self) -> StoredNumber {
        StoredNumber { number: self.0 }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredNumber = stored(content)?;
        Ok(Self(it.number))
    }
}

/// A password hash in PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
/// The stored form.
pub struct StoredPasswordHash {
    #[prost(string, tag = "1")]
    phc: String,
}

impl std::fmt::Debug for StoredPasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredPasswordHash")
    }
}

impl Record for PasswordHash {
    const KIND: u8 = 7;
    type Stored = StoredPasswordHash;

    fn store(&self) -> StoredPasswordHash {
        StoredPasswordHash { phc: self.0.clone() }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredPasswordHash = stored(content)?;
        Ok(Self(it.phc))
    }
}
