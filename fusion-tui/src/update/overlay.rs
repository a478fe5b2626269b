//! The overlays: help, the filter, the reason of an escalation, the question before quitting; the
//! dialogs and the palette have files of their own. While one is up it has every key.

use super::{action, dialog};
use crate::effect::Effect;
use crate::key::{Code, Key};
use crate::state::editor::Editor;
use crate::state::{Overlay, State};

/// The longest reason of an escalation, in characters, as the daemon takes it.
pub(super) const REASON_CHARS_MAX: usize = 200;
/// The longest filter or search, in characters.
const SEARCH_CHARS_MAX: usize = 100;

/// The help, with nothing searched for.
pub(super) fn help() -> Overlay {
    Overlay::Help { search: Editor::default(), scroll: 0 }
}

/// The filter, beginning with the one in force.
pub(super) fn filter(state: &State) -> Overlay {
    Overlay::Filter(Editor::with_text(state.desk.filter()))
}

/// A key for the overlay.
pub(super) fn press(state: &mut State, key: Key, out: &mut Vec<Effect>) {
    match state.overlay.take() {
        Some(Overlay::Help { search, scroll }) => help_key(state, key, search, scroll),
        Some(Overlay::Filter(text)) => filter_key(state, key, text),
        Some(Overlay::Dialog(asked)) => dialog::press(state, key, asked, out),
        Some(Overlay::Palette(form)) => dialog::palette::press(state, key, form, out),
        Some(Overlay::Reason { conversation, mut text }) => match key.code {
            Code::Esc => {}
            Code::Enter => action::escalate(state, &conversation, text.text().trim(), out),
            Code::Char(_)
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
            | Code::PageDown => {
                edit_line(&mut text, key, REASON_CHARS_MAX);
                state.overlay = Some(Overlay::Reason { conversation, text });
            }
        },
        Some(Overlay::Quit) => {
            if key.code == Code::Enter || key.typed() == Some('y') {
                action::quit(state, out);
            } else if key.code != Code::Esc && !matches!(key.typed(), Some('n' | 'q')) {
                state.overlay = Some(Overlay::Quit);
            }
        }
        None => {}
    }
}

/// Pasted text for the overlay: its first line.
pub(super) fn paste(state: &mut State, raw: &str) {
    let line = raw.lines().next().unwrap_or_default();
    let (text, chars_max) = match &mut state.overlay {
        Some(Overlay::Filter(text) | Overlay::Help { search: text, .. }) => {
            (text, SEARCH_CHARS_MAX)
        }
        Some(Overlay::Reason { text, .. }) => (text, REASON_CHARS_MAX),
        Some(Overlay::Dialog(asked)) => {
            let chars_max = dialog::chars_max(&asked.step);
            (&mut asked.form.text, chars_max)
        }
        Some(Overlay::Palette(form)) => (&mut form.text, dialog::palette::LINE_CHARS_MAX),
        Some(Overlay::Quit) | None => return,
    };
    let room = chars_max.saturating_sub(text.text().chars().count());
    let fitting: String = line.chars().take(room).collect();
    text.insert(&fitting);
    if let Some(Overlay::Filter(text)) = &state.overlay {
        state.desk.set_filter(text.text());
    }
}

fn help_key(state: &mut State, key: Key, mut search: Editor, mut scroll: usize) {
    match key.code {
        Code::Esc | Code::Enter => return,
        Code::Down => scroll = (scroll + 1).min(state.keymap.bindings().len()),
        Code::Up => scroll = scroll.saturating_sub(1),
        Code::PageDown => scroll = (scroll + 10).min(state.keymap.bindings().len()),
        Code::PageUp => scroll = scroll.saturating_sub(10),
        Code::Char('c') if key.ctrl => return,
        Code::Char('?') if search.text().is_empty() => return,
        Code::Char(_)
        | Code::Tab
        | Code::Backspace
        | Code::Delete
        | Code::Left
        | Code::Right
        | Code::Home
        | Code::End => {
            edit_line(&mut search, key, SEARCH_CHARS_MAX);
            scroll = 0;
        }
    }
    state.overlay = Some(Overlay::Help { search, scroll });
}

fn filter_key(state: &mut State, key: Key, mut text: Editor) {
    if key.code == Code::Enter {
        return;
    }
    if key.code == Code::Esc || (key.ctrl && key.code == Code::Char('c')) {
        state.desk.set_filter("");
        return;
    }
    edit_line(&mut text, key, SEARCH_CHARS_MAX);
    state.desk.set_filter(text.text());
    state.overlay = Some(Overlay::Filter(text));
}

pub(super) fn edit_line(text: &mut Editor, key: Key, chars_max: usize) {
    match key.code {
        Code::Backspace => text.delete_left(),
        Code::Delete => text.delete_right(),
        Code::Left => text.left(),
        Code::Right => text.right(),
        Code::Home => text.line_start(),
        Code::End => text.line_end(),
        Code::Char('u') if key.ctrl => text.delete_to_line_start(),
        Code::Char('w') if key.ctrl => text.delete_word(),
        Code::Char(_) => {
            let room = text.text().chars().count() < chars_max;
            if let Some(character) = key.typed().filter(|_| room) {
                text.insert(character.encode_utf8(&mut [0; 4]));
            }
        }
        Code::Enter
        | Code::Esc
        | Code::Tab
        | Code::Up
        | Code::Down
        | Code::PageUp
        | Code::PageDown => {}
    }
}
