//! Messages and notes as JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::id::{ArticleId, ClientId, ConversationId, MessageId, UserId};
use crate::domain::message::{SenderType, Source};
use crate::service::view::{MessageView, NoteView};

use super::Audience;
use super::text::Text;
use super::word::SenderWord;

/// A message or system line.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Message")]
pub(crate) struct MessageJson<'a> {
    /// The conversation's id.
    conversation: Text<ConversationId>,
    /// Its number in the conversation: 1, 2, 3 … without gaps.
    seq: u64,
    /// Its id.
    id: Text<MessageId>,
    /// Who wrote it.
    sender_type: SenderWord,
    /// The person who wrote it; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_id: Option<Text<UserId>>,
    /// What that person is called.
    #[serde(skip_serializing_if = "str::is_empty")]
    sender_name: &'a str,
    /// The text, as it was sent; empty for a system line and for what was retracted.
    content: &'a str,
    /// The articles an answer of the assistant stands on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceJson<'a>>,
    /// What a system line says.
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<SystemJson<'a>>,
    /// The id its sender gave it; for staff and for that sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Text<ClientId>>,
    /// When it was stored, in Unix milliseconds.
    created_at: i64,
    /// Its place in the organization's journal; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    /// Whether it was taken back: its text is gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retracted: bool,
    /// Why somebody found it wrong; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<&'a str>,
}

/// An article that an answer stands on.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Source")]
struct SourceJson<'a> {
    /// The article's id.
    article_id: Text<ArticleId>,
    /// Its title.
    title: &'a str,
    /// Where it can be read.
    url: String,
    /// Its language, where that is another one than the conversation's.
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'a str>,
}

/// A line of the system, worded by the client in its own language.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SystemLine")]
struct SystemJson<'a> {
    /// What happened.
    code: &'a str,
    /// What to fill in.
    params: BTreeMap<&'a str, &'a str>,
}

impl<'a> MessageJson<'a> {
    /// A message for somebody; `public_url` is where they reach the articles.
    pub(crate) fn new(view: &'a MessageView, public_url: &str, audience: Audience) -> Self {
        let message = &view.message;
        let staff = audience == Audience::Staff;
        let own = message.sender_type == SenderType::User;
        Self {
            conversation: Text(message.conversation),
            seq: message.seq,
            id: Text(message.id),
            sender_type: message.sender_type.into(),
            sender_id: message.sender.filter(|_| staff).map(Text),
            sender_name: &view.sender_name,
            content: &message.content,
            sources: sources(&message.sources, public_url),
            system: message.system.as_ref().map(|line| SystemJson {
                code: &line.code,
                params: line.params.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
            }),
            client_id: message.client_id.filter(|_| staff || own).map(Text),
            created_at: message.created_at,
            position: staff.then_some(message.position),
            retracted: message.retracted,
            flag: message.flag.as_deref().filter(|_| staff),
        }
    }
}

/// A note; for staff only.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Note")]
pub(crate) struct NoteJson<'a> {
    /// The conversation's id.
    conversation: Text<ConversationId>,
    /// Its id.
    id: Text<MessageId>,
    /// Whether a person wrote it, or the assistant as a draft of an answer.
    sender_type: SenderWord,
    /// The person who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    author_id: Option<Text<UserId>>,
    /// What they are called; empty for the assistant.
    author_name: &'a str,
    /// The text.
    content: &'a str,
    /// The articles a draft stands on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceJson<'a>>,
    /// The id its author gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Text<ClientId>>,
    /// When it was stored, in Unix milliseconds.
    created_at: i64,
    /// Its place in the organization's journal.
    position: u64,
}

/// Sources as JSON; `public_url` is where the articles are.
fn sources<'a>(rows: &'a [Source], public_url: &str) -> Vec<SourceJson<'a>> {
    let source = |source: &'a Source| SourceJson {
        article_id: Text(source.article),
        title: &source.title,
        url: format!("{public_url}/a/{}", source.article),
        locale: source.locale.as_deref(),
    };
    rows.iter().map(source).collect()
}

impl<'a> NoteJson<'a> {
    /// A note; `public_url` is where its articles are.
    pub(crate) fn new(view: &'a NoteView, public_url: &str) -> Self {
        let note = &view.note;
        Self {
            conversation: Text(note.conversation),
            id: Text(note.id),
            sender_type: view.sender_type().into(),
            author_id: note.author.map(Text),
            author_name: &view.author_name,
            content: &note.content,
            sources: sources(&note.sources, public_url),
            client_id: note.client_id.map(Text),
            created_at: note.created_at,
            position: note.position,
        }
    }
}
