//! Breaking text into rows of a given width, by graphemes and words. Pure; it knows nothing of
//! styles.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The rows of `text` at `width` columns, as byte ranges without their line feeds. There is always
/// at least one. Spaces at a break hang past the edge and stay in the row before it; a word longer
/// than a row is cut.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<Range<usize>> {
    let width = width.max(1);
    let mut rows = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        wrap_line(line, start, width, &mut rows);
        start += line.len() + 1;
    }
    rows
}

fn wrap_line(line: &str, base: usize, width: usize, rows: &mut Vec<Range<usize>>) {
    let mut row_start = 0;
    let mut column = 0;
    // Where the row may break (after a space), and the column there.
    let mut word: Option<(usize, usize)> = None;
    for (offset, grapheme) in line.grapheme_indices(true) {
        let cells = grapheme.width();
        if grapheme == " " {
            column += cells;
            word = Some((offset + grapheme.len(), column));
            continue;
        }
        if column + cells > width && offset > row_start {
            let (break_at, break_column) = word.unwrap_or((offset, column));
            rows.push(base + row_start..base + break_at);
            row_start = break_at;
            column -= break_column;
            word = None;
            // A long word after the break may still be too wide for a row of its own.
            if column + cells > width && offset > row_start {
                rows.push(base + row_start..base + offset);
                row_start = offset;
                column = 0;
            }
        }
        column += cells;
    }
    rows.push(base + row_start..base + line.len());
}

/// The first columns of `text`, at most `width` of them, cut between graphemes and ended with `…`
/// if cut.
pub(crate) fn truncate(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let mut out = String::new();
    let mut column = 0;
    for grapheme in text.graphemes(true) {
        column += grapheme.width();
        if column > room {
            break;
        }
        out.push_str(grapheme);
    }
    out.push('…');
    out
}

/// `text` cut or filled with spaces to exactly `width` columns.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let mut out = truncate(text, width);
    let missing = width.saturating_sub(out.width());
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{fit, truncate, wrap};

    fn check(text: &str, width: usize, rows: &[&str]) {
        let wrapped: Vec<&str> = wrap(text, width).into_iter().map(|range| &text[range]).collect();
        assert_eq!(wrapped, rows, "{text:?} at {width}");
    }

    #[test]
    fn words_break_at_spaces() {
        check("", 5, &[""]);
        check("hello world", 5, &["hello ", "world"]);
        check("hello world", 11, &["hello world"]);
        check("a bc def ghij", 4, &["a bc ", "def ", "ghij"]);
        check("abcdefgh", 3, &["abc", "def", "gh"]);
        check("ab cdefghij", 4, &["ab ", "cdef", "ghij"]);
        check("one\n\ntwo", 9, &["one", "", "two"]);
        check("결제가", 4, &["결제", "가"]);
        check("결", 1, &["결"]);
    }

    #[test]
    fn cutting_respects_graphemes() {
        assert_eq!(truncate("결제가 두", 5), "결제…");
        assert_eq!(truncate("abc", 3), "abc");
        assert_eq!(truncate("abc", 0), "");
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(fit("결제가", 4), "결… ");
    }

    proptest! {
        #[test]
        fn rows_cover_the_text(text in any::<String>(), width in 0usize..40) {
            let rows = wrap(&text, width);
            let joined: String = rows.iter().map(|range| &text[range.clone()]).collect();
            assert_eq!(joined, text.replace('\n', ""));
        }
    }
}
