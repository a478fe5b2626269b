//! `SafeText`: the one type through which text of visitors, models, files and servers reaches the
//! screen. It removes what a terminal could obey; it must never be built in any other way than by
//! cleaning.

use std::fmt;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation;

/// The longest one-line text kept, in characters; the rest is cut with an ellipsis.
pub(crate) const LINE_CHARS_MAX: usize = 300;
/// The longest block of text kept, in characters: four times the longest message.
pub(crate) const BLOCK_CHARS_MAX: usize = 40_000;
/// The most scalar values one grapheme keeps: enough for a family of emoji with skin tones.
const GRAPHEME_CHARS_MAX: usize = 12;
/// The most combining marks one grapheme keeps.
const MARKS_MAX: usize = 4;
/// A control sequence or string longer than this is not taken for one: only its introducer is
/// removed, so that nobody can hide a page of text between an introducer and a far terminator.
const SEQUENCE_CHARS_MAX: usize = 2_048;
/// What a tab becomes in a block.
const TAB: &str = "    ";

/// Text that is inert in a terminal: no C0 or C1 control but the line feed of a block, no escape
/// sequence, no bidirectional control, no invisible format character, a bounded number of combining
/// marks.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SafeText(Arc<str>);

impl SafeText {
    /// One line: line feeds and tabs become spaces; at most [`LINE_CHARS_MAX`] characters.
    pub(crate) fn line(raw: &str) -> Self {
        Self(clean(raw, Shape::Line, LINE_CHARS_MAX).into())
    }

    /// Several lines: line feeds stay, tabs become spaces; at most [`BLOCK_CHARS_MAX`] characters.
    pub(crate) fn block(raw: &str) -> Self {
        Self(clean(raw, Shape::Block, BLOCK_CHARS_MAX).into())
    }

    /// The text itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// True if nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

/// What an agent typed or pasted, made fit for the editor: the same cleaning, without a cut.
pub(crate) fn clean_typed(raw: &str) -> String {
    clean(raw, Shape::Block, usize::MAX)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Line,
    Block,
}

fn clean(raw: &str, shape: Shape, chars_max: usize) -> String {
    let plain = raw.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if plain && raw.len() <= chars_max {
        return raw.to_owned();
    }
    let visible = keep_visible(&remove_sequences(raw), shape);
    let mut out = String::with_capacity(visible.len());
    let mut chars = 0;
    for grapheme in visible.graphemes(true) {
        let before = out.len();
        chars += push_bounded(&mut out, grapheme);
        if chars > chars_max {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

/// Appends a grapheme without its excess marks; returns how many characters that were.
fn push_bounded(out: &mut String, grapheme: &str) -> usize {
    let mut kept = 0;
    let mut marks = 0;
    for character in grapheme.chars() {
        if kept > 0 && is_mark(character) {
            marks += 1;
            if marks > MARKS_MAX {
                continue;
            }
        }
        if kept == GRAPHEME_CHARS_MAX {
            break;
        }
        out.push(character);
        kept += 1;
    }
    kept
}

/// A zero-width mark that stacks on its base. Joiners and variation selectors shape emoji and do
/// not stack.
fn is_mark(character: char) -> bool {
    unicode_width::UnicodeWidthChar::width(character) == Some(0)
        && !matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Removes whole escape sequences where they end within reach, else only their introducers.
fn remove_sequences(raw: &str) -> String {
    let chars: Vec<char> = raw.chars().collect();
    let mut out = String::with_capacity(raw.len());
    let mut terminators = Terminators { chars: &chars, next: None };
    let mut at = 0;
    while let Some(&character) = chars.get(at) {
        let (introducer, length) = match (character, chars.get(at + 1)) {
            ('\u{1b}', Some(&next)) => (Introducer::escaped(next), 2),
            (other, _) => (Introducer::single(other), 1),
        };
        let body = at + length;
        at = match introducer {
            Some(Introducer::Csi) => csi_end(&chars, body).unwrap_or(body),
            Some(Introducer::String) => match terminators.after(body) {
                Some(end) if end - body <= SEQUENCE_CHARS_MAX => end,
                Some(_) | None => body,
            },
            None => {
                out.push(character);
                at + 1
            }
        };
    }
    out
}

#[derive(Clone, Copy)]
enum Introducer {
    Csi,
    String,
}

impl Introducer {
    fn escaped(next: char) -> Option<Self> {
        match next {
            '[' => Some(Self::Csi),
            ']' | 'P' | 'X' | '^' | '_' => Some(Self::String),
            _ => None,
        }
    }

    fn single(character: char) -> Option<Self> {
        match character {
            '\u{9b}' => Some(Self::Csi),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => Some(Self::String),
            _ => None,
        }
    }
}

/// The place after the final byte of a control sequence whose parameters begin at `start`.
fn csi_end(chars: &[char], start: usize) -> Option<usize> {
    for (offset, character) in chars.iter().skip(start).take(SEQUENCE_CHARS_MAX).enumerate() {
        match character {
            '\u{20}'..='\u{3f}' => {}
            '\u{40}'..='\u{7e}' => return Some(start + offset + 1),
            _ => return None,
        }
    }
    None
}

/// Finds string terminators in one pass over the text, however many strings begin.
struct Terminators<'a> {
    chars: &'a [char],
    /// The last answer: valid for every start not past it.
    next: Option<Option<usize>>,
}

impl Terminators<'_> {
    /// The place after the first terminator that begins at or after `start`.
    fn after(&mut self, start: usize) -> Option<usize> {
        match self.next {
            Some(None) => return None,
            Some(Some(end)) if end > start + 1 => return Some(end),
            Some(Some(_)) | None => {}
        }
        let found = (start..self.chars.len()).find_map(|at| match self.chars.get(at) {
            Some('\u{7}' | '\u{9c}') => Some(at + 1),
            Some('\u{1b}') if self.chars.get(at + 1) == Some(&'\\') => Some(at + 2),
            _ => None,
        });
        self.next = Some(found);
        found
    }
}

fn keep_visible(text: &str, shape: Shape) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(character) = chars.next() {
        match character {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                out.push(if shape == Shape::Block { '\n' } else { ' ' });
            }
            '\t' if shape == Shape::Block => out.push_str(TAB),
            '\t' => out.push(' '),
            other if other.is_control() || is_invisible(other) => {}
            other => out.push(other),
        }
    }
    out
}

/// Bidirectional controls, and format characters that hide or carry text nobody sees.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::{BLOCK_CHARS_MAX, SafeText, is_invisible};

    fn check(raw: &str, line: &str) {
        assert_eq!(SafeText::line(raw).as_str(), line, "{raw:?}");
    }

    #[test]
    fn fault_109_escape_sequences_are_neutralised() {
        check("\u{1b}[31mred\u{1b}[0m", "red");
        check("\u{1b}]0;title\u{7}after", "after");
        check("\u{1b}]52;c;aGk=\u{1b}\\after", "after");
        check("\u{1b}]8;;https://x.example\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link");
        check("\u{1b}Pq#0\u{9c}sixel", "sixel");
        check("\u{9b}2Jcleared", "cleared");
        check("\u{9d}0;title\u{7}after", "after");
        check("\u{1b}]52;c;never ends", "52;c;never ends");
        check("\u{1b}", "");
        check("\u{1b}c reset", "c reset");
        check("a\u{7}b\u{8}c\u{7f}d\u{0}e", "abcde");
        check("user\u{202e}nimda\u{2066}x\u{2069}\u{200f}", "usernimdax");
        check("tags\u{e0041}\u{e007f}", "tags");
        check("one\r\ntwo\tthree\rfour", "one two three four");
    }

    #[test]
    fn marks_and_joiners_are_bounded() {
        let zalgo = format!("e{}", "\u{301}".repeat(10_000));
        assert_eq!(SafeText::line(&zalgo).as_str().chars().count(), 5);
        let chain = "👩\u{200d}".repeat(5_000);
        assert!(SafeText::line(&chain).as_str().chars().count() <= 12);
        check("👨‍👩‍👧‍👦 ok ❤️", "👨‍👩‍👧‍👦 ok ❤️");
        check("결제가 두 번 됐어요", "결제가 두 번 됐어요");
    }

    #[test]
    fn a_far_terminator_hides_nothing() {
        let long = format!("\u{1b}]{}\u{7}", "x".repeat(5_000));
        assert_eq!(SafeText::block(&long).as_str().chars().count(), 5_000);
        let storm = "\u{1b}]".repeat(100_000);
        assert!(SafeText::block(&storm).is_empty());
    }

    #[test]
    fn a_block_keeps_its_lines_and_is_cut() {
        assert_eq!(SafeText::block("a\r\nb\tc").as_str(), "a\nb    c");
        let long = "x".repeat(BLOCK_CHARS_MAX + 5);
        assert_eq!(SafeText::block(&long).as_str().chars().count(), BLOCK_CHARS_MAX + 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_text_keeps_a_control(
            raw in any::<String>(),
            hostile in "[\\x00-\\x9f\\u{200e}-\\u{202e}\\[\\];a-z]{0,80}",
        ) {
            for text in [raw, hostile] {
                let line = SafeText::line(&text);
                assert!(!line.as_str().chars().any(|c| c.is_control() || is_invisible(c)));
                let block = SafeText::block(&text);
                let unbroken = block.as_str().replace('\n', "");
                assert!(!unbroken.chars().any(|c| c.is_control() || is_invisible(c)));
                assert_eq!(SafeText::block(block.as_str()), block);
            }
        }
    }
}
