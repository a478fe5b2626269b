//! Keeps a page of a transcript within what one message of the wire may hold: 200 messages of
//! 40,000 bytes each would be eight times that. Messages that are cut are still there, behind the
//! page's own `more`; of notes without room the oldest are left out.

use fusionchat_proto::{MESSAGE_BYTES_MAX, v1};
use prost::Message;

/// The room of a page's messages, in encoded bytes. A single message always has room.
const MESSAGES_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;
/// The room of a page's notes, in encoded bytes.
const NOTES_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 4;
/// What stands around an element of a list: its tag and length.
const ELEMENT_BYTES: usize = 8;

/// Cuts the end of a page, or for one from the end of a transcript (`last`) its beginning.
pub(super) fn fit(page: &mut v1::ListMessagesResponse, last: bool) {
    let sizes = page.messages.iter().map(Message::encoded_len);
    let kept =
        if last { kept(sizes.rev(), MESSAGES_BYTES_MAX) } else { kept(sizes, MESSAGES_BYTES_MAX) };
    let kept = kept.max(1);
    if kept < page.messages.len() {
        page.more = true;
        if last {
            page.messages.drain(..page.messages.len() - kept);
            let from = page.messages.first().map_or(0, |message| message.position);
            page.notes.retain(|note| note.position >= from);
        } else {
            page.messages.truncate(kept);
            let to = page.messages.last().map_or(u64::MAX, |message| message.position);
            page.notes.retain(|note| note.position <= to);
        }
    }
    // The newest notes are the ones that are read.
    let notes = kept_notes(&page.notes);
    page.notes.drain(..page.notes.len() - notes);
}

fn kept_notes(notes: &[v1::Note]) -> usize {
    kept(notes.iter().rev().map(Message::encoded_len), NOTES_BYTES_MAX)
}

/// How many of these sizes have room in `room` bytes together.
fn kept(sizes: impl Iterator<Item = usize>, room: usize) -> usize {
    let mut used = 0;
    sizes
        .take_while(|size| {
            used += size + ELEMENT_BYTES;
            used <= room
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(messages: u64, bytes: usize) -> v1::ListMessagesResponse {
        let message = |seq| v1::Message {
            seq,
            position: seq * 2,
            content: "x".repeat(bytes),
            ..v1::Message::default()
        };
        let note = |seq| v1::Note {
            position: seq * 2 + 1,
            content: "y".repeat(bytes),
            ..v1::Note::default()
        };
        v1::ListMessagesResponse {
            messages: (1..=messages).map(message).collect(),
            notes: (1..=messages).map(note).collect(),
            more: false,
        }
    }

    fn check(mut page: v1::ListMessagesResponse, last: bool, cut: bool) {
        let all = page.messages.clone();
        fit(&mut page, last);
        assert!(page.encoded_len() <= MESSAGE_BYTES_MAX);
        assert!(!page.messages.is_empty());
        assert_eq!(page.more, cut);
        let seqs: Vec<u64> = page.messages.iter().map(|message| message.seq).collect();
        let kept = seqs.len();
        let expected = if last { &all[all.len() - kept..] } else { &all[..kept] };
        assert!(expected.iter().map(|message| message.seq).eq(seqs), "one end stays whole");
    }

    #[test]
    fn a_page_fits_into_one_message() {
        for last in [false, true] {
            check(page(200, 100), last, false);
            check(page(200, 40_000), last, true);
            check(page(1, 40_000), last, false);
        }
    }
}
