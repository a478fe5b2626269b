//! A small multi-line text editor: a text, a cursor, and moves by grapheme, word and row. It holds
//! only cleaned text and knows nothing of the screen but the width it is wrapped at.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::text::clean_typed;
use crate::wrap::wrap;

/// The longest text the editor takes, in characters. More than may be sent, so that a text that is
/// too long can be pasted and shortened.
pub(crate) const EDITOR_CHARS_MAX: usize = 40_000;

/// The text and the cursor, a byte offset between two graphemes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Editor {
    text: String,
    cursor: usize,
}

impl Editor {
    /// An editor holding `text`, cleaned, with the cursor at its end.
    pub(crate) fn with_text(text: &str) -> Self {
        let text = clean_typed(text);
        Self { cursor: text.len(), text }
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The cursor, as a byte offset.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// True if there is nothing but white space.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Inserts cleaned text at the cursor; refuses (false) what would make the text longer than
    /// [`EDITOR_CHARS_MAX`].
    pub(crate) fn insert(&mut self, raw: &str) -> bool {
        let text = clean_typed(raw);
        if self.text.chars().count() + text.chars().count() > EDITOR_CHARS_MAX {
            return false;
        }
        self.text.insert_str(self.cursor, &text);
        self.cursor += text.len();
        true
    }

    /// Empties the editor and returns what was in it.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    pub(crate) fn left(&mut self) {
        self.cursor = self.before(self.cursor);
    }

    pub(crate) fn right(&mut self) {
        self.cursor = self.after(self.cursor);
    }

    pub(crate) fn word_left(&mut self) {
        self.cursor = self.word_before(self.cursor);
    }

    pub(crate) fn word_right(&mut self) {
        let rest = &self.text[self.cursor..];
        let word = rest.len() - rest.trim_start().len();
        let end = rest[word..].find(char::is_whitespace).map_or(rest.len(), |end| word + end);
        self.cursor += end;
    }

    pub(crate) fn line_start(&mut self) {
        self.cursor = self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1);
    }

    pub(crate) fn line_end(&mut self) {
        let rest = &self.text[self.cursor..];
        self.cursor += rest.find('\n').unwrap_or(rest.len());
    }

    /// Moves one row up or down in the text as wrapped at `width`; says false at the first and last
    /// row.
    pub(crate) fn vertical(&mut self, width: usize, down: bool) -> bool {
        let rows = wrap(&self.text, width);
        let (row, column) = self.place(width);
        let target = if down { row + 1 } else { row.wrapping_sub(1) };
        let Some(range) = rows.get(target) else { return false };
        // The end of a row that was wrapped is the start of the next one: stop before its last
        // grapheme.
        let wrapped = rows.get(target + 1).is_some_and(|next| next.start == range.end);
        let mut at = range.start;
        let mut reached = 0;
        for grapheme in self.text[range.clone()].graphemes(true) {
            let past_row = wrapped && at + grapheme.len() == range.end;
            if reached + grapheme.width() > column || past_row {
                break;
            }
            reached += grapheme.width();
            at += grapheme.len();
        }
        self.cursor = at;
        true
    }

    /// The cursor's row and column in the text as wrapped at `width`.
    pub(crate) fn place(&self, width: usize) -> (usize, usize) {
        let rows = wrap(&self.text, width);
        let row = rows.iter().rposition(|range| range.start <= self.cursor).unwrap_or(0);
        let start = rows.get(row).map_or(0, |range| range.start);
        let before = self.text.get(start..self.cursor).unwrap_or_default();
        (row, before.width())
    }

    pub(crate) fn delete_left(&mut self) {
        let start = self.before(self.cursor);
        self.delete(start);
    }

    pub(crate) fn delete_right(&mut self) {
        let end = self.after(self.cursor);
        self.text.replace_range(self.cursor..end, "");
    }

    pub(crate) fn delete_word(&mut self) {
        let start = self.word_before(self.cursor);
        self.delete(start);
    }

    pub(crate) fn delete_to_line_start(&mut self) {
        let start = self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1);
        self.delete(start);
    }

    fn delete(&mut self, start: usize) {
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
    }

    fn before(&self, at: usize) -> usize {
        self.text[..at].grapheme_indices(true).next_back().map_or(0, |(start, _)| start)
    }

    fn after(&self, at: usize) -> usize {
        self.text[at..].graphemes(true).next().map_or(at, |grapheme| at + grapheme.len())
    }

    fn word_before(&self, at: usize) -> usize {
        let trimmed = self.text[..at].trim_end();
        trimmed.rfind(char::is_whitespace).map_or(0, |space| {
            let width = trimmed[space..].chars().next().map_or(1, char::len_utf8);
            space + width
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{EDITOR_CHARS_MAX, Editor};

    #[test]
    fn edits_by_grapheme_and_word() {
        let mut editor = Editor::with_text("hé👨‍👩‍👧 wörld");
        editor.delete_word();
        assert_eq!(editor.text(), "hé👨‍👩‍👧 ");
        editor.left();
        editor.delete_left();
        assert_eq!(editor.text(), "hé ");
        editor.line_start();
        editor.delete_right();
        assert_eq!(editor.text(), "é ");
        editor.line_end();
        assert!(editor.insert("x\u{1b}[31m\ty"));
        assert_eq!(editor.text(), "é x    y");
        editor.delete_to_line_start();
        assert_eq!((editor.text(), editor.cursor()), ("", 0));
        editor.delete_left();
        editor.left();
        editor.right();
        editor.word_left();
        editor.word_right();
        assert_eq!(editor.cursor(), 0);
    }

    #[test]
    fn moves_over_wrapped_rows() {
        let mut editor = Editor::with_text("hello world\nbye");
        assert_eq!(editor.place(6), (2, 3));
        assert!(editor.vertical(6, false));
        assert_eq!(editor.place(6), (1, 3));
        assert!(editor.vertical(6, false));
        assert_eq!(editor.place(6), (0, 3));
        assert!(!editor.vertical(6, false));
        assert!(editor.vertical(6, true));
        assert!(editor.vertical(6, true));
        assert!(!editor.vertical(6, true));
        assert_eq!(editor.cursor(), editor.text().len());
    }

    #[test]
    fn a_text_past_the_bound_is_refused() {
        let mut editor = Editor::default();
        assert!(editor.insert(&"x".repeat(EDITOR_CHARS_MAX)));
        assert!(!editor.insert("y"));
        assert_eq!(editor.text().len(), EDITOR_CHARS_MAX);
        assert_eq!(editor.take().len(), EDITOR_CHARS_MAX);
        assert!(editor.is_blank());
    }
}
