//! Rows of the journal itself: heads, entries, what commands did, and the daemon's own row.

use bytes::Bytes;
use prost::Message;

use crate::domain::Time;
use crate::domain::decide::Refs;
use crate::domain::entry::{ActorKind, ActorRef, Entry, EntryKind};
use crate::domain::id::{ConversationId, KeyId, MessageId, OrganizationId, SessionId, UserId};
use crate::store::Key;

use super::{Record, hash, id, key_number, maybe, start, uuid};

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

    fn load(_: &[u8], it: StoredHead) -> Result<Self, &'static str> {
        Ok(Self {
            position: it.position,
            floor: it.floor,
            time: it.time,
            next_number: it.next_number,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub(super) struct StoredActor {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(bytes = "bytes", optional, tag = "2")]
    user: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    key: Option<Bytes>,
}

pub(super) fn store_actor(actor: &ActorRef) -> StoredActor {
    StoredActor {
        kind: actor.kind as u32,
        user: actor.user.map(|it| id(&it.0)),
        key: actor.key.map(|it| id(&it.0)),
    }
}

pub(super) fn load_actor(actor: Option<StoredActor>) -> Result<ActorRef, &'static str> {
    let actor = actor.ok_or("no actor")?;
    let kinds = [
        ActorKind::Visitor,
        ActorKind::Agent,
        ActorKind::Assistant,
        ActorKind::Key,
        ActorKind::Operator,
        ActorKind::System,
    ];
    Ok(ActorRef {
        kind: kinds.into_iter().find(|it| *it as u32 == actor.kind).ok_or("unknown actor kind")?,
        user: maybe(actor.user.as_ref())?.map(UserId),
        key: maybe(actor.key.as_ref())?.map(KeyId),
    })
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredEntry {
    // 1 was the position.
    #[prost(int64, tag = "2")]
    time: i64,
    #[prost(message, optional, tag = "3")]
    actor: Option<StoredActor>,
    #[prost(uint32, tag = "4")]
    kind: u32,
    #[prost(bytes = "bytes", optional, tag = "5")]
    conversation: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "6")]
    subject: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "7")]
    other: Option<Bytes>,
    #[prost(uint64, optional, tag = "8")]
    seq: Option<u64>,
    #[prost(uint64, optional, tag = "9")]
    number: Option<u64>,
    #[prost(uint32, tag = "10")]
    code: u32,
    #[prost(int64, optional, tag = "11")]
    due: Option<i64>,
    #[prost(string, optional, tag = "12")]
    detail: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "13")]
    digest: Option<Bytes>,
    /// Which ids are not stored since others say them: [`OTHER_ACTS`], [`SUBJECT_FOLLOWS`].
    #[prost(uint32, tag = "14")]
    implied: u32,
}

/// The other id is the acting user's.
const OTHER_ACTS: u32 = 1;
/// The subject is the message or note that this entry left.
const SUBJECT_FOLLOWS: u32 = 2;

/// The id of the message or note that an entry leaves.
fn own_id(entry: &Entry) -> Option<uuid::Uuid> {
    let conversation = entry.conversation?;
    let id = if entry.kind == EntryKind::NoteAdded {
        MessageId::of_note(conversation, entry.position)
    } else {
        MessageId::of_message(conversation, entry.seq?)
    };
    Some(id.0)
}

/// What follows from the rest of an entry.
fn implied(entry: &Entry) -> u32 {
    let own = own_id(entry);
    let acts = entry.other.is_some() && entry.other == entry.actor.user.map(|it| it.0);
    let follows = entry.subject.is_some() && entry.subject == own;
    u32::from(acts) * OTHER_ACTS + u32::from(follows) * SUBJECT_FOLLOWS
}

impl Record for Entry {
    const KIND: u8 = 2;
    const VERSION: u8 = 2;
    type Stored = StoredEntry;

    fn store(&self) -> StoredEntry {
        let implied = implied(self);
        StoredEntry {
            time: self.time,
            actor: Some(store_actor(&self.actor)),
            kind: self.kind as u32,
            conversation: self.conversation.map(|it| id(&it.0)),
            subject: self.subject.as_ref().filter(|_| implied & SUBJECT_FOLLOWS == 0).map(id),
            other: self.other.as_ref().filter(|_| implied & OTHER_ACTS == 0).map(id),
            seq: self.seq,
            number: self.number,
            code: self.code,
            due: self.due,
            detail: self.detail.clone(),
            digest: self.digest.map(|it| Bytes::copy_from_slice(&it)),
            implied,
        }
    }

    fn load(key: &[u8], it: StoredEntry) -> Result<Self, &'static str> {
        let (position, actor) = (key_number(key)?, load_actor(it.actor)?);
        let kind = EntryKind::ALL.into_iter().find(|kind| *kind as u32 == it.kind);
        let mut entry = Self {
            position,
            time: it.time,
            actor,
            kind: kind.ok_or("unknown entry kind")?,
            conversation: maybe(it.conversation.as_ref())?.map(ConversationId),
            subject: maybe(it.subject.as_ref())?,
            other: maybe(it.other.as_ref())?
                .or(actor.user.filter(|_| it.implied & OTHER_ACTS != 0).map(|it| it.0)),
            seq: it.seq,
            number: it.number,
            code: it.code,
            due: it.due,
            detail: it.detail,
            digest: it.digest.map(|it| start(&it)).transpose()?,
        };
        if it.implied & SUBJECT_FOLLOWS != 0 {
            entry.subject = entry.subject.or(own_id(&entry));
        }
        Ok(entry)
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

    fn load(_: &[u8], it: StoredDone) -> Result<Self, &'static str> {
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

    fn load(_: &[u8], it: StoredMigration) -> Result<Self, &'static str> {
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

    fn load(_: &[u8], it: StoredDaemon) -> Result<Self, &'static str> {
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

    fn load(_: &[u8], it: StoredPointer) -> Result<Self, &'static str> {
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

    fn load(_: &[u8], it: StoredNumber) -> Result<Self, &'static str> {
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

    fn load(_: &[u8], it: StoredPasswordHash) -> Result<Self, &'static str> {
        Ok(Self(it.phc))
    }
}
