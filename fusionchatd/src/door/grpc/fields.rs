//! Fields of the protocol's messages as bytes, for what is sent so often that a message made first and then encoded
//! costs too much. Everything else is left to the library.

use prost::Message;
use uuid::Uuid;

use crate::service::view::Written;

/// How a field says what follows it.
const VARINT: u8 = 0;
const LENGTH: u8 = 2;

/// Writes fields. As the protocol has it, an empty text or a zero is left out.
#[derive(Debug)]
pub(super) struct Fields<'a>(&'a mut Vec<u8>);

impl<'a> Fields<'a> {
    /// Behind what stands there.
    pub(super) fn behind(bytes: &'a mut Vec<u8>) -> Self {
        Self(bytes)
    }

    /// A number that is not negative.
    pub(super) fn number(&mut self, field: u8, value: u64) {
        if value != 0 {
            self.key(field, VARINT);
            self.varint(value);
        }
    }

    /// A number that may be negative.
    pub(super) fn signed(&mut self, field: u8, value: i64) {
        self.number(field, value.cast_unsigned());
    }

    /// One of a few.
    pub(super) fn choice(&mut self, field: u8, value: impl Into<i32>) {
        self.signed(field, value.into().into());
    }

    /// A text.
    pub(super) fn text(&mut self, field: u8, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    /// An id, with hyphens.
    pub(super) fn id(&mut self, field: u8, id: Uuid) {
        self.bytes(field, id.hyphenated().encode_lower(&mut [0; 36]).as_bytes());
    }

    /// An id, without hyphens.
    pub(super) fn simple_id(&mut self, field: u8, id: Uuid) {
        self.bytes(field, id.simple().encode_lower(&mut [0; 32]).as_bytes());
    }

    /// Bytes; none are not left out.
    fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.key(field, LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A message for the library to encode.
    pub(super) fn message(&mut self, field: u8, message: &impl Message) {
        self.key(field, LENGTH);
        let written = message.encode_length_delimited(self.0);
        debug_assert!(written.is_ok(), "there is always room: it grows");
    }

    /// A message whose fields are written by `write`. Its length most often takes `room` bytes; if not, what was
    /// written is moved.
    pub(super) fn within(&mut self, field: u8, room: usize, write: impl FnOnce(&mut Fields<'_>)) {
        self.key(field, LENGTH);
        let before = self.0.len();
        self.0.resize(before + room, 0);
        let begin = self.0.len();
        write(self);
        let length = self.0.len() - begin;
        let taken = varint_bytes(length as u64);
        if taken > room {
            self.0.resize(self.0.len() + taken - room, 0);
        }
        if taken != room {
            self.0.copy_within(begin..begin + length, before + taken);
            self.0.truncate(before + taken + length);
        }
        let mut rest = length as u64;
        for byte in &mut self.0[before..before + taken] {
            *byte = low(rest) | MORE;
            rest >>= 7;
        }
        self.0[before + taken - 1] &= !MORE;
    }

    /// Fields that are sent more than once: as they were written before, if they are kept, or else by `write`.
    pub(super) fn shared(&mut self, written: &Written, write: impl FnOnce(&mut Fields<'_>)) {
        written.append(self.0, |bytes| write(&mut Fields(bytes)));
    }

    fn key(&mut self, field: u8, kind: u8) {
        self.varint((u64::from(field) << 3) | u64::from(kind));
    }

    fn varint(&mut self, mut value: u64) {
        while value > u64::from(!MORE) {
            self.0.push(low(value) | MORE);
            value >>= 7;
        }
        self.0.push(low(value));
    }
}

/// Set in each byte of a number but its last.
const MORE: u8 = 0x80;

/// The lowest seven bits.
fn low(value: u64) -> u8 {
    value.to_le_bytes()[0] & !MORE
}

/// How many bytes a number takes.
fn varint_bytes(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_length_before_it_whatever_room_was_left() {
        for length in [0, 1, 127, 128, 300, 16_383, 16_384, 70_000] {
            let text = "x".repeat(length);
            let mut whole = Vec::new();
            Fields::behind(&mut whole).bytes(3, text.as_bytes());
            for room in 1..=4 {
                let mut bytes = Vec::new();
                Fields::behind(&mut bytes)
                    .within(3, room, |it| it.0.extend_from_slice(text.as_bytes()));
                assert!(bytes == whole, "{length} bytes, room for {room}");
            }
        }
    }

    #[test]
    fn a_field_of_any_number_has_its_key() {
        for field in 1..=u8::MAX {
            let mut theirs = Vec::new();
            prost::encoding::uint64::encode(field.into(), &7, &mut theirs);
            prost::encoding::string::encode(field.into(), &"x".to_owned(), &mut theirs);
            let mut ours = Vec::new();
            let mut fields = Fields::behind(&mut ours);
            fields.number(field, 7);
            fields.text(field, "x");
            assert_eq!(ours, theirs, "{field}");
        }
    }

    #[test]
    fn a_number_is_written_as_the_library_does() {
        let edges = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, u64::MAX >> bit]);
        for value in edges {
            let mut theirs = Vec::new();
            prost::encoding::encode_varint(value, &mut theirs);
            let mut ours = Vec::new();
            Fields::behind(&mut ours).varint(value);
            assert_eq!(ours, theirs, "{value}");
            assert_eq!(varint_bytes(value), theirs.len(), "{value}");
        }
    }
}
