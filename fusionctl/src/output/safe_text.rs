//! Text of visitors, models and files made harmless for a terminal: no control character, no escape
//! sequence and no bidi override leaves this module. It knows nothing of tables or colours.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Shown where a text had a line break.
const RETURN: char = '⏎';
/// Shown where a text was cut.
const ELLIPSIS: char = '…';

/// A text as one line: line breaks become `⏎`, tabs a space, everything that could steer a terminal is gone.
pub(crate) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => shown.push(RETURN),
            '\t' => shown.push(' '),
            '\u{1b}' => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            c if is_hostile(c) => {}
            c => shown.push(c),
        }
    }
    shown
}

/// A text as the lines it has, each harmless.
pub(crate) fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(|part| line(part.strip_suffix('\r').unwrap_or(part))).collect()
}

/// The columns a harmless text takes in a terminal.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Cuts a harmless text to `columns`, with `…` in place of what is missing.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        shown.push(c);
    }
    shown.push(ELLIPSIS);
    shown
}

/// True for characters that act instead of being seen.
pub(crate) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// After ESC.
fn skip_escape(rest: &mut Chars<'_>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        Some(' '..='/') => {
            rest.next();
            rest.next_if(|c| ('0'..='~').contains(c));
        }
        Some('0'..='~') => {
            rest.next();
        }
        Some(_) | None => {}
    }
}

/// After CSI: parameters and intermediates, then one final character.
fn skip_control_sequence(rest: &mut Chars<'_>) {
    while rest.next_if(|c| (' '..='?').contains(c)).is_some() {}
    rest.next_if(|c| ('@'..='~').contains(c));
}

/// After OSC, DCS and their like: up to BEL or ST. Without an end, only the introducer goes, so that nobody
/// can hide the rest of a text.
fn skip_string(rest: &mut Chars<'_>) {
    let mut ahead = rest.clone();
    while let Some(c) = ahead.next() {
        let ended = match c {
            '\u{7}' | '\u{9c}' => true,
            '\u{1b}' => ahead.next_if_eq(&'\\').is_some(),
            _ => false,
        };
        if ended {
            *rest = ahead;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{cut, line, lines, width};

    #[test]
    fn a_line_steers_no_terminal() {
        for (text, shown) in [
            ("plain ünïcode 결제 👩‍💻", "plain ünïcode 결제 👩‍💻"),
            ("two\nlines\r\nthree\rfour", "two⏎lines⏎three⏎four"),
            ("a\tb", "a b"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}rest", "rest"),
            ("\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]52;c;aGk= and no end", "52;c;aGk= and no end"),
            ("\u{9b}2Jgone\u{9d}0;t\u{9c}", "gone"),
            ("\u{1b}Pq#0\u{1b}\\sixel", "sixel"),
            ("\u{1b}(Bset\u{1b}c", "set"),
            ("bell\u{7}back\u{8}del\u{7f}", "bellbackdel"),
            ("abc\u{202e}txt.exe\u{2066}", "abctxt.exe"),
            ("zero\u{200b}\u{feff}\u{e0041}", "zero"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{2028}\u{85}", "⏎⏎"),
        ] {
            assert_eq!(line(text), shown, "{text:?}");
            assert!(!line(text).chars().any(super::is_hostile), "{text:?}");
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(lines("a\r\nb\u{1b}[2J\n"), ["a", "b", ""]);
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello", 4), "hel…");
        assert_eq!(cut("결제가", 4), "결…");
        assert_eq!(width(&cut("결제가 두 번", 7)), 7);
        assert_eq!(cut("hello", 1), "…");
    }
}
