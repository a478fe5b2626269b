//! From a key to an action: overlays first, then chords, then the composer's text. It decides which
//! action, not what the action does.

use super::{action, compose, overlay};
use crate::effect::Effect;
use crate::key::Key;
use crate::keymap::{Context, Lookup};
use crate::state::{Focus, State};

/// A key was pressed.
pub(super) fn press(state: &mut State, key: Key, out: &mut Vec<Effect>) {
    if state.overlay.is_some() {
        overlay::press(state, key, out);
        return;
    }
    state.chord.push(key);
    let context = context(state.focus);
    match state.keymap.lookup(context, &state.chord) {
        Lookup::Found(action) => {
            state.chord.clear();
            action::run(state, action, out);
        }
        Lookup::Prefix => {}
        Lookup::Nothing => {
            let alone = state.chord.len() == 1;
            state.chord.clear();
            if let Some(character) = key.typed().filter(|_| alone && state.focus == Focus::Composer)
            {
                compose::insert(state, character.encode_utf8(&mut [0; 4]), out);
            }
        }
    }
}

/// Text was pasted. It never runs keys, wherever it lands.
pub(super) fn paste(state: &mut State, text: &str, out: &mut Vec<Effect>) {
    if state.overlay.is_some() {
        overlay::paste(state, text);
        return;
    }
    state.chord.clear();
    match state.focus {
        Focus::Composer => compose::insert(state, text, out),
        Focus::List | Focus::Conversation => {
            let reply = state.keymap.key_of(crate::keymap::Action::Reply);
            state.toast_bad(&format!("Nothing was pasted: press {reply} to write first"));
        }
    }
}

fn context(focus: Focus) -> Context {
    match focus {
        Focus::List => Context::List,
        Focus::Conversation => Context::Conversation,
        Focus::Composer => Context::Composer,
    }
}
