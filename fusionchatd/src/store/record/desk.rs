//! Rows of organizations, users, inboxes, keys, sessions and articles.

use bytes::Bytes;
use prost::Message;

use crate::domain::article::{Article, ArticleStatus};
use crate::domain::id::{ArticleId, InboxId, KeyId, OrganizationId, SessionId, UserId};
use crate::domain::inbox::{AssistantMode, Inbox, Silences};
use crate::domain::key::Key;
use crate::domain::organization::Organization;
use crate::domain::session::Session;
use crate::domain::user::{Absence, Availability, Cut, Role, User};

use super::{Damage, Record, id, key_id, maybe, stored, uuid};

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredOrganization {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(int64, tag = "3")]
    created_at: i64,
    #[prost(int64, tag = "4")]
    updated_at: i64,
}

impl Record for Organization {
    const KIND: u8 = 16;
    type Stored = StoredOrganization;

    fn store(&self) -> StoredOrganization {
        StoredOrganization {
            id: id(&self.id.0),
            name: self.name.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredOrganization = stored(content)?;
        Ok(Self {
            id: OrganizationId(uuid(&it.id)?),
            name: it.name,
            created_at: it.created_at,
            updated_at: it.updated_at,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredUser {
    // 1 and 2 were the ids of the user and the organization.
    #[prost(string, optional, tag = "3")]
    external_id: Option<String>,
    #[prost(string, optional, tag = "4")]
    email: Option<String>,
    #[prost(string, optional, tag = "5")]
    name: Option<String>,
    #[prost(uint32, tag = "6")]
    role: u32,
    #[prost(uint32, tag = "7")]
    availability: u32,
    #[prost(int64, tag = "8")]
    created_at: i64,
    #[prost(int64, optional, tag = "9")]
    invited_until: Option<i64>,
    #[prost(int64, optional, tag = "10")]
    disabled_at: Option<i64>,
    #[prost(message, optional, tag = "11")]
    absence: Option<StoredAbsence>,
    #[prost(message, optional, tag = "12")]
    sessions_cut: Option<StoredCut>,
    #[prost(message, optional, tag = "13")]
    keys_cut: Option<StoredCut>,
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub(super) struct StoredAbsence {
    #[prost(int64, tag = "1")]
    from: i64,
    #[prost(int64, optional, tag = "2")]
    due: Option<i64>,
    #[prost(uint64, tag = "3")]
    turn: u64,
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub(super) struct StoredCut {
    #[prost(uint64, tag = "1")]
    position: u64,
    #[prost(int64, tag = "2")]
    at: i64,
}

fn store_cut(cut: Cut) -> StoredCut {
    StoredCut { position: cut.position, at: cut.at }
}

fn load_cut(it: &StoredCut) -> Cut {
    Cut { position: it.position, at: it.at }
}

impl Record for User {
    const KIND: u8 = 17;
    const VERSION: u8 = 2;
    type Stored = StoredUser;

    fn store(&self) -> StoredUser {
        StoredUser {
            external_id: self.external_id.clone(),
            email: self.email.clone(),
            name: self.name.clone(),
            role: self.role as u32,
            availability: self.availability as u32,
            created_at: self.created_at,
            invited_until: self.invited_until,
            disabled_at: self.disabled_at,
            absence: self.absence.map(|it| StoredAbsence {
                from: it.from,
                due: it.due,
                turn: it.turn,
            }),
            sessions_cut: self.sessions_cut.map(store_cut),
            keys_cut: self.keys_cut.map(store_cut),
        }
    }

    fn load(key: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredUser = stored(content)?;
        Ok(Self {
            id: UserId(key_id(key, 17)?),
            organization: OrganizationId(key_id(key, 1)?),
            external_id: it.external_id,
            email: it.email,
            name: it.name,
            role: Role::from_code(it.role).ok_or("unknown role")?,
            availability: Availability::from_code(it.availability).ok_or("unknown availability")?,
            created_at: it.created_at,
            invited_until: it.invited_until,
            disabled_at: it.disabled_at,
            absence: it.absence.map(|it| Absence { from: it.from, due: it.due, turn: it.turn }),
            sessions_cut: it.sessions_cut.as_ref().map(load_cut),
            keys_cut: it.keys_cut.as_ref().map(load_cut),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredInbox {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    organization: Bytes,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, repeated, tag = "4")]
    origins: Vec<String>,
    #[prost(uint32, tag = "5")]
    assistant: u32,
    #[prost(string, tag = "6")]
    locale: String,
    #[prost(int64, tag = "7")]
    created_at: i64,
    #[prost(bytes = "bytes", repeated, tag = "8")]
    members: Vec<Bytes>,
    #[prost(int64, optional, tag = "9")]
    abandon_ms: Option<i64>,
    #[prost(int64, optional, tag = "10")]
    notice_ms: Option<i64>,
    #[prost(int64, optional, tag = "11")]
    no_reply_ms: Option<i64>,
}

impl Record for Inbox {
    const KIND: u8 = 18;
    type Stored = StoredInbox;

    fn store(&self) -> StoredInbox {
        StoredInbox {
            id: id(&self.id.0),
            organization: id(&self.organization.0),
            name: self.name.clone(),
            origins: self.origins.clone(),
            assistant: self.assistant as u32,
            locale: self.locale.clone(),
            created_at: self.created_at,
            members: self.members.iter().map(|it| id(&it.0)).collect(),
            abandon_ms: self.silences.abandon_ms,
            notice_ms: self.silences.notice_ms,
            no_reply_ms: self.silences.no_reply_ms,
        }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredInbox = stored(content)?;
        Ok(Self {
            id: InboxId(uuid(&it.id)?),
            organization: OrganizationId(uuid(&it.organization)?),
            name: it.name,
            origins: it.origins,
            assistant: match it.assistant {
                0 => AssistantMode::On,
                1 => AssistantMode::Off,
                2 => AssistantMode::DraftOnly,
                _ => return Err("unknown assistant mode".into()),
            },
            locale: it.locale,
            created_at: it.created_at,
            members: it.members.iter().map(|it| uuid(it).map(UserId)).collect::<Result<_, _>>()?,
            silences: Silences {
                abandon_ms: it.abandon_ms,
                notice_ms: it.notice_ms,
                no_reply_ms: it.no_reply_ms,
            },
        })
    }
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredKey {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    organization: Bytes,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, repeated, tag = "4")]
    scopes: Vec<String>,
    #[prost(bytes = "bytes", optional, tag = "5")]
    owner: Option<Bytes>,
    #[prost(int64, tag = "6")]
    created_at: i64,
    #[prost(int64, optional, tag = "7")]
    expires_at: Option<i64>,
    #[prost(int64, optional, tag = "8")]
    revoked_at: Option<i64>,
    #[prost(uint64, tag = "9")]
    position: u64,
    #[prost(bytes = "bytes", optional, tag = "10")]
    parent: Option<Bytes>,
}

impl Record for Key {
    const KIND: u8 = 19;
    type Stored = StoredKey;

    fn store(&self) -> StoredKey {
        StoredKey {
            id: id(&self.id.0),
            organization: id(&self.organization.0),
            name: self.name.clone(),
            scopes: self.scopes.clone(),
            owner: self.owner.map(|it| id(&it.0)),
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            position: self.position,
            parent: self.parent.map(|it| id(&it.0)),
        }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredKey = stored(content)?;
        Ok(Self {
            id: KeyId(uuid(&it.id)?),
            organization: OrganizationId(uuid(&it.organization)?),
            name: it.name,
            scopes: it.scopes,
            owner: maybe(it.owner.as_ref())?.map(UserId),
            created_at: it.created_at,
            expires_at: it.expires_at,
            revoked_at: it.revoked_at,
            position: it.position,
            parent: maybe(it.parent.as_ref())?.map(KeyId),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredSession {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    user: Bytes,
    #[prost(bytes = "bytes", optional, tag = "3")]
    inbox: Option<Bytes>,
    #[prost(string, optional, tag = "4")]
    origin: Option<String>,
    #[prost(int64, tag = "5")]
    created_at: i64,
    #[prost(int64, tag = "6")]
    expires_at: i64,
    #[prost(int64, optional, tag = "7")]
    ended_at: Option<i64>,
    #[prost(uint64, tag = "8")]
    position: u64,
}

impl Record for Session {
    const KIND: u8 = 20;
    type Stored = StoredSession;

    fn store(&self) -> StoredSession {
        StoredSession {
            id: id(&self.id.0),
            user: id(&self.user.0),
            inbox: self.inbox.map(|it| id(&it.0)),
            origin: self.origin.clone(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
            position: self.position,
        }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredSession = stored(content)?;
        Ok(Self {
            id: SessionId(uuid(&it.id)?),
            user: UserId(uuid(&it.user)?),
            inbox: maybe(it.inbox.as_ref())?.map(InboxId),
            origin: it.origin,
            created_at: it.created_at,
            expires_at: it.expires_at,
            ended_at: it.ended_at,
            position: it.position,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
/// The stored form.
pub struct StoredArticle {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    organization: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    inboxes: Vec<Bytes>,
    #[prost(uint32, tag = "4")]
    status: u32,
    #[prost(string, tag = "5")]
    locale: String,
    #[prost(string, tag = "6")]
    title: String,
    #[prost(string, tag = "7")]
    body: String,
    #[prost(string, optional, tag = "8")]
    source_path: Option<String>,
    #[prost(int64, tag = "9")]
    updated_at: i64,
}

impl Record for Article {
    const KIND: u8 = 21;
    type Stored = StoredArticle;

    fn store(&self) -> StoredArticle {
        StoredArticle {
            id: id(&self.id.0),
            organization: id(&self.organization.0),
            inboxes: self.inboxes.iter().map(|it| id(&it.0)).collect(),
            status: self.status as u32,
            locale: self.locale.clone(),
            title: self.title.clone(),
            body: self.body.clone(),
            source_path: self.source_path.clone(),
            updated_at: self.updated_at,
        }
    }

    fn load(_: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredArticle = stored(content)?;
        Ok(Self {
            id: ArticleId(uuid(&it.id)?),
            organization: OrganizationId(uuid(&it.organization)?),
            inboxes: it.inboxes.iter().map(|it| uuid(it).map(InboxId)).collect::<Result<_, _>>()?,
            status: match it.status {
                0 => ArticleStatus::Draft,
                1 => ArticleStatus::Published,
                _ => return Err("unknown article status".into()),
            },
            locale: it.locale,
            title: it.title,
            body: it.body,
            source_path: it.source_path,
            updated_at: it.updated_at,
        })
    }
}
