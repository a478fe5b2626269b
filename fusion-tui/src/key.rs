//! Our own key type. Terminals are converted to it at the edge (`input.rs`), so that nothing inside
//! depends on where a key came from. No meaning of a key stands here.

use std::fmt;

/// One key with its modifiers. The shift of a printable character is in the character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which key.
    pub code: Code,
    /// Control was held.
    pub ctrl: bool,
    /// Alt (Option, Meta) was held.
    pub alt: bool,
    /// Shift was held; never set for [`Code::Char`].
    pub shift: bool,
}

/// The keys the console knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those printed on the keys")]
pub enum Code {
    Char(char),
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
}

/// The keys that have a name, as written in the keymap and shown in the help.
const NAMED: [(Code, &str); 14] = [
    (Code::Enter, "Enter"),
    (Code::Esc, "Esc"),
    (Code::Tab, "Tab"),
    (Code::Backspace, "Backspace"),
    (Code::Delete, "Delete"),
    (Code::Left, "Left"),
    (Code::Right, "Right"),
    (Code::Up, "Up"),
    (Code::Down, "Down"),
    (Code::Home, "Home"),
    (Code::End, "End"),
    (Code::PageUp, "PageUp"),
    (Code::PageDown, "PageDown"),
    (Code::Char(' '), "Space"),
];

impl Key {
    /// A key without modifiers.
    pub const fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    /// A key as the keymap writes it: `c`, `G`, `Ctrl-t`, `Alt-Enter`, `Shift-Tab`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut key = Self::plain(Code::Esc);
        let mut rest = text;
        loop {
            if let Some(after) = rest.strip_prefix("Ctrl-") {
                key.ctrl = true;
                rest = after;
            } else if let Some(after) = rest.strip_prefix("Alt-") {
                key.alt = true;
                rest = after;
            } else if let Some(after) = rest.strip_prefix("Shift-") {
                key.shift = true;
                rest = after;
            } else {
                break;
            }
        }
        if let Some((code, _)) = NAMED.iter().find(|(_, name)| *name == rest) {
            key.code = *code;
            return Some(key);
        }
        let mut chars = rest.chars();
        match (chars.next(), chars.next()) {
            (Some(character), None) => key.code = Code::Char(character),
            _ => return None,
        }
        Some(key)
    }

    /// The character this key types into a text, if it types one.
    pub fn typed(&self) -> Option<char> {
        match self.code {
            Code::Char(character) if !self.ctrl && !self.alt => Some(character),
            Code::Char(_)
            | Code::Enter
            | Code::Esc
            | Code::Tab
            | Code::Backspace
            | Code::Delete
            | Code::Left
            | Code::Right
            | Code::Up
            | Code::Down
            | Code::Home
            | Code::End
            | Code::PageUp
            | Code::PageDown => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            formatter.write_str("Ctrl-")?;
        }
        if self.alt {
            formatter.write_str("Alt-")?;
        }
        if self.shift {
            formatter.write_str("Shift-")?;
        }
        if let Some((_, name)) = NAMED.iter().find(|(code, _)| *code == self.code) {
            return formatter.write_str(name);
        }
        match self.typed_code() {
            Some(character) => write!(formatter, "{character}"),
            None => Ok(()),
        }
    }
}

impl Key {
    fn typed_code(&self) -> Option<char> {
        Key { ctrl: false, alt: false, ..*self }.typed()
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Key};

    #[test]
    fn names_survive_a_round_trip() {
        for name in ["c", "G", "Ctrl-t", "Alt-Enter", "Shift-Tab", "Space", "?", "PageDown", "-"] {
            let key = Key::parse(name);
            assert_eq!(key.map(|key| key.to_string()).as_deref(), Some(name));
        }
        assert_eq!(Key::parse("Hyper"), None);
        assert_eq!(Key::parse(""), None);
        assert_eq!(Key::plain(Code::Char('x')).typed(), Some('x'));
        assert_eq!(Key::parse("Ctrl-x").and_then(|key| key.typed()), None);
    }
}
