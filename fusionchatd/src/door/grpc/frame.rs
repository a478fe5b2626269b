//! The frames of a watch stream as bytes. A change is written straight from its rows: making the messages of the protocol
//! first would copy every text twice. What is sent more than once is written once: a conversation that many changes of a
//! page are of, and a change that many streams are told of. No byte of these depends on who reads; what a reader may not
//! see never gets here. The bytes are those that the library makes of the same message: a test holds them to it.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use uuid::Uuid;

use crate::domain::entry::EntryKind;
use crate::service::subscribe::Cursor;
use crate::service::view::{Change, ConversationView, MessageView};

use super::fields::Fields;
use super::wire;

/// Writes the frame of a change at `at`, after the one at `prev` in the same stream; `public_url` is where visitors reach
/// the articles it names.
pub(super) fn write(
    bytes: &mut Vec<u8>,
    change: &Arc<Change>,
    at: Cursor,
    prev: u64,
    public_url: &str,
) {
    Fields::behind(bytes).within(2, 2, |fields| {
        fields.within(1, 1, |fields| {
            fields.id(1, at.epoch);
            fields.number(2, at.position);
        });
        fields.number(2, prev);
        // The address may be set anew, and who else holds it may be told of it too.
        if Arc::strong_count(change) > 1 && !names_articles(change) {
            fields.written(change.written.get_or_make(|| {
                let mut bytes = Vec::new();
                rows(&mut Fields::behind(&mut bytes), change, public_url);
                bytes.into()
            }));
        } else {
            rows(fields, change, public_url);
        }
    });
}

fn names_articles(change: &Change) -> bool {
    change.message.as_ref().is_some_and(|it| !it.message.sources.is_empty())
        || change.note.as_ref().is_some_and(|it| !it.note.sources.is_empty())
}

/// What of a change is the same in every stream.
fn rows(fields: &mut Fields<'_>, change: &Change, public_url: &str) {
    let entry = &change.entry;
    fields.signed(3, entry.time);
    fields.within(4, 1, |fields| {
        fields.choice(1, wire::actor_kind(entry.actor.kind));
        if let Some(user) = entry.actor.user {
            fields.id(2, user.0);
        }
        if let Some(key) = entry.actor.key {
            fields.id(3, key.0);
        }
        fields.text(4, &change.actor_name);
    });
    fields.text(5, entry.kind.name());
    // The detail of a start is the visitor's language, which the conversation carries.
    if entry.kind != EntryKind::ConversationStarted {
        fields.text(6, entry.detail.as_deref().unwrap_or_default());
    }
    if let Some(view) = &change.conversation {
        conversation(fields, view);
    }
    if let Some(view) = &change.message {
        fields.within(8, 2, |fields| message(fields, view, public_url));
    }
    if let Some(view) = &change.note {
        fields.message(9, &wire::note(view, public_url));
    }
    if let Some(view) = &change.escalation {
        fields.message(10, &wire::escalation(view));
    }
    if let Some(user) = &change.user {
        fields.message(11, &wire::user(user));
    }
}

fn conversation(fields: &mut Fields<'_>, view: &Arc<ConversationView>) {
    let encode = || Bytes::from(wire::conversation(view).encode_to_vec());
    // One that nobody else holds is not sent again.
    if Arc::strong_count(view) > 1 {
        fields.bytes(7, view.written.get_or_make(encode));
    } else {
        fields.bytes(7, &encode());
    }
}

fn message(fields: &mut Fields<'_>, view: &MessageView, public_url: &str) {
    let row = &view.message;
    fields.id(1, row.id.0);
    fields.id(2, row.conversation.0);
    fields.number(3, row.seq);
    fields.choice(4, wire::sender_type(row.sender_type));
    if let Some(sender) = row.sender {
        fields.id(5, sender.0);
    }
    fields.text(6, &view.sender_name);
    fields.text(7, &row.content);
    for source in wire::sources(&row.sources, public_url) {
        fields.message(8, &source);
    }
    if let Some(line) = &row.system {
        fields.message(9, &wire::system_line(line));
    }
    fields.signed(10, row.created_at);
    fields.number(11, row.position);
    if let Some(id) = row.client_id {
        fields.simple_id(12, Uuid::from_bytes(id.0));
    }
    fields.number(13, row.retracted.into());
    fields.text(14, row.flag.as_deref().unwrap_or_default());
}
