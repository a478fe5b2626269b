//! The frames of a watch stream as bytes. A change and its message are written straight from their rows: as messages of
//! the protocol their texts would be copied twice. What few changes have (a note, an escalation, a user) and what is
//! shared (a conversation) is made a message first, as are sources and system lines. What is sent more than twice is
//! kept once it was made twice: a conversation that many changes of a page are of, and a change that many streams are
//! told of. In those no byte depends on who reads; what a reader may not see never gets here. The bytes are those that
//! the library makes of the same message: a test holds them to it.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::entry::EntryKind;
use crate::service::subscribe::Cursor;
use crate::service::view::{Change, ConversationView, MessageView};

use super::fields::Fields;
use super::wire;

/// Writes the frame of a change at `at`, after the one at `prev` in the same stream; `public_url` is where visitors
/// reach the articles it names, if it [names any](names_articles).
pub(super) fn write(bytes: &mut Vec<u8>, change: &Change, at: Cursor, prev: u64, public_url: &str) {
    Fields::behind(bytes).within(2, 2, |fields| {
        fields.within(1, 1, |fields| {
            fields.id(1, at.epoch);
            fields.number(2, at.position);
        });
        fields.number(2, prev);
        // Where articles are reached may be set anew between two readers.
        if names_articles(change) {
            rows(fields, change, public_url);
        } else {
            fields.shared(&change.watch_bytes, |fields| rows(fields, change, public_url));
        }
    });
}

/// Whether a frame says where articles are.
pub(super) fn names_articles(change: &Change) -> bool {
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
    let write = |fields: &mut Fields<'_>| fields.message(7, &wire::conversation(view));
    // One that this change alone holds is sent with this change alone, and kept with it.
    if Arc::strong_count(view) > 1 {
        fields.shared(&view.watch_bytes, write);
    } else {
        write(fields);
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
