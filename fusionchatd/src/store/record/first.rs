//! How rows were written in format 1, for tests of what becomes of them: those of this crate, and those of the real
//! daemon, which take this file in. No daemon has it.

use std::collections::BTreeMap;

use prost::encoding::encode_varint;

use crate::domain::conversation::Conversation;
use crate::domain::decide::Refs;
use crate::domain::entry::Entry;
use crate::domain::id::{MessageId, OrganizationId};
use crate::domain::message::{Message, Note};
use crate::domain::user::User;
use crate::store::open::SCHEMA_KEY;
use crate::store::record::{Did, Done, Record};
use crate::store::table::{self, Table};
use crate::store::{Key, Value};

/// The number of the format.
const FIRST: u32 = 1;

/// Rows by their keys.
pub(crate) type Rows = BTreeMap<Key, Value>;

/// The rows of a store of today as format 1 had them, and as they are once those have been brought up.
pub(crate) fn both_formats(rows: &Rows) -> (Rows, Rows) {
    let spell = |(key, value): (&Key, &Value)| {
        let done = (Table::of(key) == Some(Table::Done)).then(|| Done::decode(key, value));
        let value = match done {
            Some(done) => spelled_out(key, done.unwrap(), rows).encode(),
            None => value.clone(),
        };
        (key.clone(), value)
    };
    let today: Rows = rows.iter().map(spell).collect();
    let older = |(key, value): (&Key, &Value)| {
        (key.clone(), first_version(key, value).unwrap_or_else(|| value.clone()))
    };
    let mut first: Rows = today.iter().map(older).collect();
    let number = Value::copy_from_slice(&FIRST.to_be_bytes());
    first.insert(Key::from_static(&SCHEMA_KEY), number);
    (first, today)
}

/// A row of what a command did that says it by itself, as those of format 1 do.
fn spelled_out(key: &Key, mut done: Done, rows: &Rows) -> Done {
    if let Did::Entry(position) = done.did {
        let place = table::entry(OrganizationId(table::id_at(key, 1).unwrap()), position);
        let entry = Entry::decode(&place, &rows[&place]).unwrap();
        done.did = Did::These(Refs::of(&entry).unwrap());
    }
    done
}

/// A row of today as version 1 of its kind had it, if there is a newer one: the same fields, in another order. What was
/// cut off a digest is zeroes, and a `Done` must not say that an entry says it.
pub(crate) fn first_version(key: &[u8], value: &Value) -> Option<Value> {
    let table = Table::of(key)?;
    let (row, fields) = if table == Table::Entry {
        let entry = Entry::decode(key, value).ok()?;
        let plain = Entry { subject: None, other: None, digest: None, ..entry.clone() };
        let ids = [(6, entry.subject), (7, entry.other)];
        let ids = ids.map(|(tag, id)| id.map(|id| bytes(tag, id.as_bytes())).unwrap_or_default());
        let digest = entry.digest.map(|digest| bytes(13, &padded(&digest))).unwrap_or_default();
        (plain.encode(), [number(1, entry.position), ids.concat(), digest].concat())
    } else if table == Table::Done {
        let done = Done::decode(key, value).ok()?;
        assert!(matches!(done.did, Did::These(_)), "{done:?}");
        // The body begins with its digest, of eight bytes.
        let digest = &value.get(4..12)?;
        (done.encode(), bytes(1, &padded(digest)))
    } else if table == Table::User {
        let user = User::decode(key, value).ok()?;
        (user.encode(), [bytes(1, user.id.bytes()), bytes(2, user.organization.bytes())].concat())
    } else if table == Table::Conversation {
        let row = Conversation::decode(key, value).ok()?;
        (row.encode(), [bytes(1, row.id.bytes()), bytes(3, row.organization.bytes())].concat())
    } else if table == Table::Message {
        let row = Message::decode(key, value).ok()?;
        let ids = [bytes(1, row.id.bytes()), bytes(2, row.conversation.bytes())].concat();
        let id = MessageId::of_message(row.conversation, row.seq);
        let seq = number(3, row.seq);
        (Message { id, ..row }.encode(), [ids, seq].concat())
    } else if table == Table::Note {
        let row = Note::decode(key, value).ok()?;
        let ids = [bytes(1, row.id.bytes()), bytes(2, row.conversation.bytes())].concat();
        let id = MessageId::of_note(row.conversation, row.position);
        let position = number(7, row.position);
        (Note { id, ..row }.encode(), [ids, position].concat())
    } else {
        return None;
    };
    Some([&[row[0], 1], &row[2..], fields.as_slice()].concat().into())
}

fn padded(digest: &[u8]) -> [u8; 32] {
    let mut whole = [0; 32];
    whole[..digest.len()].copy_from_slice(digest);
    whole
}

/// A field of bytes.
fn bytes(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

/// A field that is a number.
fn number(tag: u8, number: u64) -> Vec<u8> {
    let mut field = vec![tag << 3];
    encode_varint(number, &mut field);
    field
}
