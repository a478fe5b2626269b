//! What property tests of parsers share: good input, and the same after a few small damages.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};

/// One small damage.
#[derive(Clone, Debug)]
enum Edit {
    Replace(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |index: &Index, bytes: &Vec<u8>| index.index(bytes.len().max(1));
        let span = |at: usize, length: usize, bytes: &Vec<u8>| at..(at + length).min(bytes.len());
        match self {
            Self::Insert(index, added) => {
                let at = at(index, bytes);
                bytes.splice(at..at, added.iter().copied());
            }
            _ if bytes.is_empty() => {}
            Self::Replace(index, byte) => {
                let at = at(index, bytes);
                bytes[at] = *byte;
            }
            Self::Flip(index, bit) => {
                let at = at(index, bytes);
                bytes[at] ^= 1 << (bit % 8);
            }
            Self::Remove(index, length) => {
                let at = at(index, bytes);
                bytes.drain(span(at, *length, bytes));
            }
            Self::Repeat(index, length) => {
                let at = at(index, bytes);
                let again = bytes[span(at, *length, bytes)].to_vec();
                bytes.splice(at..at, again);
            }
            Self::Cut(index) => bytes.truncate(at(index, bytes)),
        }
    }
}

fn edits() -> impl Strategy<Value = Edit> {
    // What means something in one of the languages that are read here.
    let telling = select(b"\"\\{}[]:,-.=#<>&|_@/ \n\r\t\0\x7f\xff09eE+*`~".to_vec());
    let byte = prop_oneof![telling, any::<u8>()];
    prop_oneof![
        (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (any::<Index>(), vec(byte, 1..6)).prop_map(|(at, added)| Edit::Insert(at, added)),
        (any::<Index>(), 1..20_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
        any::<Index>().prop_map(Edit::Cut),
    ]
}

/// The bytes of `good` after up to four damages; sometimes none.
pub(crate) fn damaged(good: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (good, vec(edits(), 0..5)).prop_map(|(mut bytes, edits)| {
        edits.iter().for_each(|edit| edit.apply(&mut bytes));
        bytes
    })
}

/// The same of one text.
pub(crate) fn damaged_text(good: &str) -> impl Strategy<Value = String> {
    damaged(Just(good.as_bytes().to_vec()))
        .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Texts in which the pieces stand that a parser looks for.
pub(crate) fn texts_of(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => select(pieces).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}
