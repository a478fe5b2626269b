//! From the local terminal's events to ours. The only file that knows crossterm's keys.

use crossterm::event::{Event as Terminal, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::key::{Code, Key};

/// What a terminal, local or not, can tell the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The terminal got or lost the focus.
    Focus(bool),
    /// The screen has a new size.
    Resize {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
}

/// Our form of a terminal's event, if it matters here.
pub fn convert(event: Terminal) -> Option<Input> {
    match event {
        Terminal::Key(event) if event.kind != KeyEventKind::Release => key(event).map(Input::Key),
        Terminal::Key(_) | Terminal::Mouse(_) => None,
        Terminal::Paste(text) => Some(Input::Paste(text)),
        Terminal::FocusGained => Some(Input::Focus(true)),
        Terminal::FocusLost => Some(Input::Focus(false)),
        Terminal::Resize(columns, rows) => Some(Input::Resize { columns, rows }),
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    let mut shift = event.modifiers.contains(KeyModifiers::SHIFT);
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let code = match event.code {
        KeyCode::Char(character) => {
            // A shifted letter says so itself; a control key is the same with and without.
            let upper = shift && !ctrl;
            shift = false;
            Code::Char(if upper { first_upper(character) } else { character })
        }
        KeyCode::BackTab => {
            shift = true;
            Code::Tab
        }
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::Insert
        | KeyCode::F(_)
        | KeyCode::Null
        | KeyCode::CapsLock
        | KeyCode::ScrollLock
        | KeyCode::NumLock
        | KeyCode::PrintScreen
        | KeyCode::Pause
        | KeyCode::Menu
        | KeyCode::KeypadBegin
        | KeyCode::Media(_)
        | KeyCode::Modifier(_) => return None,
    };
    Some(Key { code, ctrl, alt: event.modifiers.contains(KeyModifiers::ALT), shift })
}

fn first_upper(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) => single,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{Event as Terminal, KeyCode, KeyEvent, KeyModifiers};

    use super::{Input, convert};
    use crate::key::Key;

    fn check(code: KeyCode, modifiers: KeyModifiers, name: &str) {
        let input = convert(Terminal::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(input, Key::parse(name).map(Input::Key), "{name}");
    }

    #[test]
    fn keys_get_the_names_of_the_keymap() {
        check(KeyCode::Char('R'), KeyModifiers::SHIFT, "R");
        check(KeyCode::Char('r'), KeyModifiers::SHIFT, "R");
        check(KeyCode::Char('?'), KeyModifiers::SHIFT, "?");
        check(KeyCode::Char('j'), KeyModifiers::CONTROL, "Ctrl-j");
        check(KeyCode::Enter, KeyModifiers::ALT, "Alt-Enter");
        check(KeyCode::Enter, KeyModifiers::SHIFT, "Shift-Enter");
        check(KeyCode::BackTab, KeyModifiers::SHIFT, "Shift-Tab");
        check(KeyCode::BackTab, KeyModifiers::NONE, "Shift-Tab");
        assert_eq!(convert(Terminal::Key(KeyEvent::new(KeyCode::F(1), KeyModifiers::NONE))), None);
    }
}
