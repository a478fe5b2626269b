//! Every kind of row from any bytes: a row that reads itself again, or an error that says what it is.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use crate::domain::article::Article;
use crate::domain::conversation::Conversation;
use crate::domain::damage::damaged;
use crate::domain::entry::Entry;
use crate::domain::escalation::Escalation;
use crate::domain::inbox::Inbox;
use crate::domain::key::Key;
use crate::domain::message::{Message, Note};
use crate::domain::organization::Organization;
use crate::domain::session::Session;
use crate::domain::user::User;

use super::golden_chat_test::{conversation, messages};
use super::golden_test::entry;
use super::{Daemon, Done, Head, Migration, Number, PasswordHash, Pointer, Record, RecordError};

/// What is read writes itself, and is read again as the same.
fn settles<R: Record>(bytes: &[u8]) -> Result<(), TestCaseError> {
    let key = [7; 41];
    match R::decode(&key, &Bytes::copy_from_slice(bytes)) {
        Ok(row) => {
            let written = row.encode();
            prop_assert_eq!(R::decode(&key, &written).map(|it| it.encode()), Ok(written));
            prop_assert_eq!(bytes[0], R::KIND);
        }
        Err(RecordError::Kind { expected, found }) => {
            prop_assert!(expected == R::KIND && found == bytes[0] && found != expected);
        }
        Err(RecordError::Version { kind, found, known }) => {
            prop_assert!(kind == R::KIND && found == bytes[1] && found > known);
        }
        Err(RecordError::Damaged { kind, what }) => {
            prop_assert!(kind == R::KIND && !what.is_empty());
        }
    }
    Ok(())
}

/// The same of every kind there is, and of the bytes as each of its versions.
macro_rules! every_kind {
    ($bytes:expr; $($kind:ty),+ $(,)?) => {{
        let bytes: &[u8] = $bytes;
        $(
            settles::<$kind>(bytes)?;
            for version in 1..=<$kind>::VERSION {
                settles::<$kind>(&[&[<$kind>::KIND, version], bytes].concat())?;
            }
            if let Some((_, rest)) = bytes.split_first() {
                settles::<$kind>(&[&[<$kind>::KIND], rest].concat())?;
            }
        )+
    }};
}

fn all(bytes: &[u8]) -> Result<(), TestCaseError> {
    every_kind!(
        bytes; Head, Entry, Done, Daemon, Pointer, Number, PasswordHash, Migration,
        Organization, User, Inbox, Key, Session, Article, Conversation, Message, Note, Escalation,
    );
    Ok(())
}

/// Bytes that are protobuf more often than chance would have it: fields of low numbers, short lengths.
fn fields() -> impl Strategy<Value = Vec<u8>> {
    let varint = (1..32_u8, any::<u16>()).prop_map(|(field, value)| {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        let tag = u8::try_from((u16::from(field) << 3) & 0x7f).unwrap_or(0);
        vec![tag, low]
    });
    let sizes = prop_oneof![Just(16_usize), Just(32), 0..20_usize];
    let bytes = (1..16_u8, sizes).prop_flat_map(|(field, size)| {
        vec(any::<u8>(), size..=size).prop_map(move |content| {
            let length = u8::try_from(content.len()).unwrap_or(0);
            [&[(field << 3) | 2, length], content.as_slice()].concat()
        })
    });
    vec(prop_oneof![varint, bytes], 0..14).prop_map(|fields| fields.concat())
}

/// What is read in place is what the library reads, which then writes it anew: in order, each field once. It takes more
/// than we do: it passes over groups, and cuts numbers that are too large.
fn reads_as_the_library<R: Record + PartialEq + std::fmt::Debug>(
    content: &[u8],
) -> Result<(), TestCaseError>
where
    R::Stored: Default,
{
    let key = [7; 41];
    let row = |content: &[u8]| R::decode(&key, &[&[R::KIND, R::VERSION], content].concat());
    if let Ok(read) = row(content) {
        let library = R::Stored::decode(content).map(|it| it.encode_to_vec());
        prop_assert_eq!(library.map(|it| row(&it)), Ok(Ok(read)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn rows_read_in_place_read_as_the_library_reads_them(
        some in fields(),
        message in damaged(Just(messages()[0].encode()[2..].to_vec())),
        entry in damaged(Just(entry().encode()[2..].to_vec())),
    ) {
        for content in [some, message, entry] {
            reads_as_the_library::<Message>(&content)?;
            reads_as_the_library::<Entry>(&content)?;
        }
    }

    #[test]
    fn any_bytes_are_a_row_of_a_kind_or_an_error(bytes in vec(any::<u8>(), 0..120)) {
        all(&bytes)?;
    }

    #[test]
    fn any_fields_are_a_row_of_a_kind_or_an_error(bytes in fields()) {
        all(&bytes)?;
    }

    #[test]
    fn a_damaged_row_is_another_row_or_an_error(
        bytes in damaged(Just(conversation().encode().to_vec())),
    ) {
        all(&bytes)?;
    }
}
