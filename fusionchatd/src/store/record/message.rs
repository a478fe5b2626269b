//! Rows of messages and notes.

use bytes::Bytes;
use prost::Message as ProstMessage;

use crate::domain::id::{ArticleId, ClientId, ConversationId, MessageId, UserId};
use crate::domain::message::{Message, Note, SenderType, Source, SystemLine};

use super::fields::Fields;
use super::{Damage, Record, id, key_id, key_number, maybe, stored, uuid};

#[derive(Clone, PartialEq, ProstMessage)]
/// The stored form.
pub(super) struct StoredSource {
    #[prost(bytes = "bytes", tag = "1")]
    article: Bytes,
    #[prost(string, tag = "2")]
    title: String,
    #[prost(string, optional, tag = "3")]
    locale: Option<String>,
}

fn store_source(it: &Source) -> StoredSource {
    StoredSource { article: id(&it.article.0), title: it.title.clone(), locale: it.locale.clone() }
}

fn load_source(it: StoredSource) -> Result<Source, Damage> {
    Ok(Source { article: ArticleId(uuid(&it.article)?), title: it.title, locale: it.locale })
}

#[derive(Clone, PartialEq, ProstMessage)]
/// The stored form.
pub(super) struct StoredParam {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, ProstMessage)]
/// The stored form.
pub struct StoredMessage {
    /// Where it is not [`MessageId::of_message`]: such ids were made up before version 2.
    #[prost(bytes = "bytes", optional, tag = "1")]
    id: Option<Bytes>,
    // 2 and 3 were the conversation and the seq.
    #[prost(uint32, tag = "4")]
    sender_type: u32,
    #[prost(bytes = "bytes", optional, tag = "5")]
    sender: Option<Bytes>,
    #[prost(string, tag = "6")]
    content: String,
    #[prost(message, repeated, tag = "7")]
    sources: Vec<StoredSource>,
    #[prost(string, optional, tag = "8")]
    system: Option<String>,
    #[prost(message, repeated, tag = "9")]
    params: Vec<StoredParam>,
    #[prost(bytes = "bytes", optional, tag = "10")]
    client_id: Option<Bytes>,
    #[prost(int64, tag = "11")]
    created_at: i64,
    #[prost(uint64, tag = "12")]
    position: u64,
    #[prost(bool, tag = "13")]
    retracted: bool,
    #[prost(string, optional, tag = "14")]
    flag: Option<String>,
}

fn client_id(bytes: &[u8]) -> Result<ClientId, Damage> {
    Ok(bytes.try_into().map(ClientId).map_err(|_| "a client id is not 16 bytes")?)
}

/// The id to store, if it is not the one that `follows` from the rest of the row.
fn own_id(it: MessageId, follows: MessageId) -> Option<Bytes> {
    (it != follows).then(|| id(&it.0))
}

impl Record for Message {
    const KIND: u8 = 33;
    const VERSION: u8 = 2;
    type Stored = StoredMessage;

    fn store(&self) -> StoredMessage {
        let param = |(name, value): &(String, String)| StoredParam {
            name: name.clone(),
            value: value.clone(),
        };
        StoredMessage {
            id: own_id(self.id, MessageId::of_message(self.conversation, self.seq)),
            sender_type: self.sender_type.code(),
            sender: self.sender.map(|it| id(&it.0)),
            content: self.content.clone(),
            sources: self.sources.iter().map(store_source).collect(),
            system: self.system.as_ref().map(|it| it.code.clone()),
            params: self.system.iter().flat_map(|it| it.params.iter().map(param)).collect(),
            client_id: self.client_id.map(|it| Bytes::copy_from_slice(&it.0)),
            created_at: self.created_at,
            position: self.position,
            retracted: self.retracted,
            flag: self.flag.clone(),
        }
    }

    fn load(key: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let (conversation, seq) = (ConversationId(key_id(key, 17)?), key_number(key)?);
        let (mut id, mut sender_type, mut sender) = (None, 0, None);
        let (mut text, mut sources, mut code, mut params) = (String::new(), vec![], None, vec![]);
        let (mut client, mut created_at, mut position) = (None, 0, 0);
        let (mut retracted, mut flag) = (false, None);
        for field in Fields::of(content) {
            let field = field?;
            // The numbers are those of [`StoredMessage`]; the golden bytes hold the two together.
            match field.number {
                1 => id = Some(MessageId(field.id()?)),
                4 => sender_type = field.small()?,
                5 => sender = Some(UserId(field.id()?)),
                6 => text = field.text()?,
                7 => sources.push(load_source(stored(field.bytes()?)?)?),
                8 => code = Some(field.text()?),
                9 => {
                    let param: StoredParam = stored(field.bytes()?)?;
                    params.push((param.name, param.value));
                }
                10 => client = Some(client_id(field.bytes()?)?),
                11 => created_at = field.signed()?,
                12 => position = field.number()?,
                13 => retracted = field.number()? != 0,
                14 => flag = Some(field.text()?),
                _ => {}
            }
        }
        Ok(Self {
            id: id.unwrap_or_else(|| MessageId::of_message(conversation, seq)),
            conversation,
            seq,
            sender_type: SenderType::from_code(sender_type).ok_or("unknown sender type")?,
            sender,
            content: text,
            sources,
            system: code.map(|code| SystemLine { code, params }),
            client_id: client,
            created_at,
            position,
            retracted,
            flag,
        })
    }
}

#[derive(Clone, PartialEq, ProstMessage)]
/// The stored form.
pub struct StoredNote {
    /// Where it is not [`MessageId::of_note`]: such ids were made up before version 2.
    #[prost(bytes = "bytes", optional, tag = "1")]
    id: Option<Bytes>,
    // 2 was the conversation, and 7 the position.
    #[prost(bytes = "bytes", tag = "3")]
    author: Bytes,
    #[prost(string, tag = "4")]
    content: String,
    #[prost(bytes = "bytes", optional, tag = "5")]
    client_id: Option<Bytes>,
    #[prost(int64, tag = "6")]
    created_at: i64,
    #[prost(message, repeated, tag = "8")]
    sources: Vec<StoredSource>,
}

impl Record for Note {
    const KIND: u8 = 34;
    const VERSION: u8 = 2;
    type Stored = StoredNote;

    fn store(&self) -> StoredNote {
        StoredNote {
            id: own_id(self.id, MessageId::of_note(self.conversation, self.position)),
            author: self.author.map(|it| id(&it.0)).unwrap_or_default(),
            content: self.content.clone(),
            client_id: self.client_id.map(|it| Bytes::copy_from_slice(&it.0)),
            created_at: self.created_at,
            sources: self.sources.iter().map(store_source).collect(),
        }
    }

    fn load(key: &[u8], content: &[u8]) -> Result<Self, Damage> {
        let it: StoredNote = stored(content)?;
        let (conversation, position) = (ConversationId(key_id(key, 17)?), key_number(key)?);
        Ok(Self {
            id: maybe(it.id.as_ref())?
                .map_or_else(|| MessageId::of_note(conversation, position), MessageId),
            conversation,
            author: maybe(Some(&it.author).filter(|it| !it.is_empty()))?.map(UserId),
            content: it.content,
            client_id: it.client_id.as_deref().map(client_id).transpose()?,
            created_at: it.created_at,
            position,
            sources: it.sources.into_iter().map(load_source).collect::<Result<_, _>>()?,
        })
    }
}
