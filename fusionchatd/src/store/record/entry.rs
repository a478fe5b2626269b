//! Rows of entries, and who did it, as several kinds of rows say it.

use bytes::Bytes;
use prost::Message;

use crate::domain::entry::{ActorKind, ActorRef, Entry, EntryKind};
use crate::domain::id::{ConversationId, KeyId, MessageId, UserId};

use super::fields::Fields;
use super::{Damage, Record, id, key_number, maybe, start};

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

pub(super) fn load_actor(actor: Option<StoredActor>) -> Result<ActorRef, Damage> {
    let actor = actor.ok_or("no actor")?;
    Ok(ActorRef {
        kind: actor_kind(actor.kind)?,
        user: maybe(actor.user.as_ref())?.map(UserId),
        key: maybe(actor.key.as_ref())?.map(KeyId),
    })
}

/// What the fields of an actor say.
#[derive(Default)]
struct ActorFields {
    kind: u32,
    user: Option<UserId>,
    key: Option<KeyId>,
}

impl ActorFields {
    /// Reads what stands there, over what stood there before.
    fn read(&mut self, content: &[u8]) -> Result<(), Damage> {
        for field in Fields::of(content) {
            let field = field?;
            match field.number {
                1 => self.kind = field.small()?,
                2 => self.user = Some(UserId(field.id()?)),
                3 => self.key = Some(KeyId(field.id()?)),
                _ => {}
            }
        }
        Ok(())
    }

    fn actor(self) -> Result<ActorRef, Damage> {
        Ok(ActorRef { kind: actor_kind(self.kind)?, user: self.user, key: self.key })
    }
}

fn actor_kind(code: u32) -> Result<ActorKind, Damage> {
    let kinds = [
        ActorKind::Visitor,
        ActorKind::Agent,
        ActorKind::Assistant,
        ActorKind::Key,
        ActorKind::Operator,
        ActorKind::System,
    ];
    let kind = kinds.into_iter().find(|it| *it as u32 == code);
    Ok(kind.ok_or("unknown actor kind")?)
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

    fn load(key: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let position = key_number(key)?;
        let (mut actor, mut kind, mut implied) = (None::<ActorFields>, 0, 0);
        let (mut time, mut conversation, mut subject, mut other) = (0, None, None, None);
        let (mut seq, mut number, mut code, mut due) = (None, None, 0, None);
        let (mut detail, mut digest) = (None, None);
        for field in Fields::of(content) {
            let field = field?;
            // The numbers are those of [`StoredEntry`]; the golden bytes hold the two together.
            match field.number {
                2 => time = field.signed()?,
                3 => actor.get_or_insert_default().read(field.bytes()?)?,
                4 => kind = field.small()?,
                5 => conversation = Some(ConversationId(field.id()?)),
                6 => subject = Some(field.id()?),
                7 => other = Some(field.id()?),
                8 => seq = Some(field.number()?),
                9 => number = Some(field.number()?),
                10 => code = field.small()?,
                11 => due = Some(field.signed()?),
                12 => detail = Some(field.text()?),
                13 => digest = Some(start(field.bytes()?)?),
                14 => implied = field.small()?,
                _ => {}
            }
        }
        let actor = actor.ok_or("no actor")?.actor()?;
        let kind = EntryKind::ALL.into_iter().find(|it| *it as u32 == kind);
        let kind = kind.ok_or("unknown entry kind")?;
        if implied & OTHER_ACTS != 0 {
            other = other.or(actor.user.map(|it| it.0));
        }
        let mut entry = Self {
            position,
            time,
            actor,
            kind,
            conversation,
            subject,
            other,
            seq,
            number,
            code,
            due,
            detail,
            digest,
        };
        if implied & SUBJECT_FOLLOWS != 0 {
            entry.subject = entry.subject.or(own_id(&entry));
        }
        Ok(entry)
    }
}
