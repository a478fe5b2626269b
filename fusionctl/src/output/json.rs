//! JSON text that is as harmless in a terminal as a table: what could steer one is written as an escape, so
//! parsers still get every character back.

use serde_json::Value;

use super::safe_text::is_hostile;

/// One line, without its end.
pub(crate) fn compact(value: &Value) -> String {
    escape(&value.to_string())
}

/// Two spaces a level, with a line end.
pub(crate) fn pretty(value: &Value) -> String {
    let mut text = escape(&format!("{value:#}"));
    text.push('\n');
    text
}

/// Outside of strings JSON has nothing to escape but line breaks, and those `serde_json` made itself.
fn escape(text: &str) -> String {
    if !text.chars().any(needs_escape) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if needs_escape(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn needs_escape(c: char) -> bool {
    c != '\n' && is_hostile(c)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{compact, pretty};

    #[test]
    fn hostile_characters_are_escaped_and_come_back() {
        let value = json!({ "a\u{9b}": "x\u{1b}[2J\u{202e}\u{7f}\n\u{e0041} 결제" });
        for text in [compact(&value), pretty(&value)] {
            assert!(
                !text.trim_end().chars().any(|c| c != '\n' && super::is_hostile(c)),
                "{text:?}"
            );
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
        assert!(!compact(&value).contains('\n'));
    }
}
