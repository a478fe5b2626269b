//! Fields of a stored message, read where they lie: for the rows that are read by the hundred, of which most of the
//! work would be to copy ids that are copied once more.

use prost::encoding::decode_varint;
use uuid::Uuid;

use super::{Damage, uuid};

/// The fields of one message, in the order they were written.
///
/// As the protocol has it, whoever reads takes the last of a field that stands there twice and passes over one it does
/// not know. Groups, which protobuf gave up, are damage.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// Its number.
    pub(super) number: u64,
    content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes, as no stored field has them.
    Fixed,
}

impl<'a> Fields<'a> {
    /// Those of a message.
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn varint(&mut self) -> Result<u64, Damage> {
        // Most are short.
        if let Some((first @ 0..0x80, rest)) = self.0.split_first() {
            self.0 = rest;
            return Ok(u64::from(*first));
        }
        decode_varint(&mut self.0).map_err(|error| error.to_string().into())
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Damage> {
        let taken = usize::try_from(length).ok().and_then(|it| self.0.split_at_checked(it));
        let (taken, rest) = taken.ok_or("a field is cut short")?;
        self.0 = rest;
        Ok(taken)
    }

    fn read(&mut self) -> Result<Field<'a>, Damage> {
        let key = self.varint()?;
        let content = match key & 7 {
            0 => Content::Varint(self.varint()?),
            1 => self.take(8).map(|_| Content::Fixed)?,
            2 => {
                let length = self.varint()?;
                Content::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Content::Fixed)?,
            _ => return Err("a field has no known form".into()),
        };
        match key >> 3 {
            0 => Err("a field has no number".into()),
            number if key > u64::from(u32::MAX) => {
                Err(format!("there is no field {number}").into())
            }
            number => Ok(Field { number, content }),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.0.is_empty()).then(|| self.read())
    }
}

impl<'a> Field<'a> {
    /// A number that is not negative.
    pub(super) fn number(self) -> Result<u64, Damage> {
        match self.content {
            Content::Varint(value) => Ok(value),
            Content::Bytes(_) | Content::Fixed => {
                Err("a field that should be a number is not".into())
            }
        }
    }

    /// A number that may be negative.
    pub(super) fn signed(self) -> Result<i64, Damage> {
        self.number().map(u64::cast_signed)
    }

    /// A number of 32 bits.
    pub(super) fn small(self) -> Result<u32, Damage> {
        u32::try_from(self.number()?).map_err(|_| "a number is too large".into())
    }

    /// Bytes, or a message.
    pub(super) fn bytes(self) -> Result<&'a [u8], Damage> {
        match self.content {
            Content::Bytes(bytes) => Ok(bytes),
            Content::Varint(_) | Content::Fixed => {
                Err("a field that should be bytes is not".into())
            }
        }
    }

    /// A text.
    pub(super) fn text(self) -> Result<String, Damage> {
        let text = str::from_utf8(self.bytes()?).map_err(|_| "a text is not UTF-8")?;
        Ok(text.to_owned())
    }

    /// An id.
    pub(super) fn id(self) -> Result<Uuid, Damage> {
        Ok(uuid(self.bytes()?)?)
    }
}
