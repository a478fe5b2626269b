//! Writing: the composer's keys, sending into the outbox, and bringing drafts back from disk. A
//! text leaves the composer only into the outbox, and the outbox only when the daemon has accepted
//! it.

use super::{open, scroll, settle};
use crate::draft::{Draft, kind_of};
use crate::effect::{Call, Effect};
use crate::keymap::Action;
use crate::state::editor::Editor;
use crate::state::outbox::{Item, Kind};
use crate::state::row::ConversationId;
use crate::state::{Focus, Scroll, State};
use crate::text::SafeText;
use crate::view::layout;

/// The longest message, in characters.
pub(crate) const MESSAGE_CHARS_MAX: usize = 10_000;
/// The longest message, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 40_000;
/// How often our own typing is told at most, in milliseconds.
const TYPING_EVERY_MS: i64 = 3_000;

type Edit = fn(&mut Editor);

/// What the composer's keys do to the text.
const EDITS: [(Action, Edit); 10] = [
    (Action::CursorLeft, Editor::left),
    (Action::CursorRight, Editor::right),
    (Action::WordLeft, Editor::word_left),
    (Action::WordRight, Editor::word_right),
    (Action::LineStart, Editor::line_start),
    (Action::LineEnd, Editor::line_end),
    (Action::DeleteLeft, Editor::delete_left),
    (Action::DeleteRight, Editor::delete_right),
    (Action::DeleteWord, Editor::delete_word),
    (Action::DeleteToStart, Editor::delete_to_line_start),
];

/// Opens the composer of a conversation. A draft keeps its kind: a note never turns into a reply by
/// itself.
pub(super) fn start(state: &mut State, id: &ConversationId, kind: Kind, out: &mut Vec<Effect>) {
    open::open(state, id, out);
    state.focus = Focus::Composer;
    let composer = state.composers.edit(id);
    if composer.editor.is_blank() {
        composer.kind = kind;
    } else if composer.kind != kind {
        let word = match composer.kind {
            Kind::Note => "a note",
            Kind::Reply => "a reply",
        };
        state.toast(&format!("The draft is {word}: Ctrl-t switches"));
    }
}

/// Text typed or pasted into the composer.
pub(super) fn insert(state: &mut State, text: &str, out: &mut Vec<Effect>) {
    let Some(id) = composing(state) else { return };
    if state.composers.edit(&id).editor.insert(text) {
        changed(state, &id, out);
    } else {
        let chars = text.chars().count();
        state.toast_bad(&format!("{chars} more characters do not fit: nothing was inserted"));
    }
}

/// The composer's own keys.
pub(super) fn edit(state: &mut State, action: Action, out: &mut Vec<Effect>) {
    let Some(id) = composing(state) else { return };
    if action == Action::Leave {
        state.focus = Focus::Conversation;
        return;
    }
    if action == Action::Newline {
        insert(state, "\n", out);
        return;
    }
    let width = layout::composer_text_width(state);
    let composer = state.composers.edit(&id);
    let before = composer.editor.text().len();
    if action == Action::ToggleNote {
        composer.kind = match composer.kind {
            Kind::Reply => Kind::Note,
            Kind::Note => Kind::Reply,
        };
        state.composers.touch(&id);
        return;
    }
    let editor = &mut composer.editor;
    if let Some((_, run)) = EDITS.iter().find(|(known, _)| *known == action) {
        run(editor);
    } else {
        editor.vertical(width, action == Action::CursorDown);
    }
    if editor.text().len() != before {
        changed(state, &id, out);
    }
}

/// Enter: the text goes into the outbox, or stays with the reason why not.
pub(super) fn send(state: &mut State, out: &mut Vec<Effect>) {
    let Some(id) = composing(state) else { return };
    let composer = state.composers.edit(&id);
    let content = composer.editor.text().trim_end().to_owned();
    let kind = composer.kind;
    let chars = content.chars().count();
    if composer.editor.is_blank() {
        retry(state);
        return;
    }
    if chars > MESSAGE_CHARS_MAX || content.len() > MESSAGE_BYTES_MAX {
        state.toast_bad(&format!(
            "Not sent: {chars} characters, {} bytes; a message has at most {MESSAGE_CHARS_MAX} \
             and {MESSAGE_BYTES_MAX}",
            content.len()
        ));
        return;
    }
    if state.outbox.is_full() {
        state.toast_bad("Not sent: too many messages wait already. The text is kept.");
        return;
    }
    composer.editor.take();
    let client_id = state.client_ids.next();
    state.outbox.push(Item::new(client_id, id.clone(), kind, content));
    state.composers.touch(&id);
    // At once, so that a crash finds the message in the outbox and not also in the draft.
    settle::save_drafts(state, out);
    if let Some(open) = &mut state.open {
        open.scroll = Scroll::End;
    }
    scroll::follow(state, out);
}

/// Sends the oldest failed message of the open conversation again.
pub(super) fn retry(state: &mut State) {
    if let Some(open) = &state.open {
        let id = open.conversation.clone();
        state.outbox.retry(&id);
    }
}

/// Puts the oldest failed message back into the composer, behind what is there.
pub(super) fn take_back(state: &mut State) {
    let Some(id) = state.open.as_ref().map(|open| open.conversation.clone()) else { return };
    let Some(item) = state.outbox.take_failed(&id) else { return };
    let composer = state.composers.edit(&id);
    if composer.editor.is_blank() {
        composer.editor.take();
        composer.kind = item.kind;
        composer.editor.insert(&item.content);
    } else if composer.kind == item.kind {
        composer.editor.insert(&format!("\n{}", item.content));
    } else {
        let client_id = item.client_id.clone();
        state.outbox.push(item);
        let reason = SafeText::line("a draft of the other kind is in the way");
        state.outbox.fail(&client_id, reason);
        return;
    }
    state.composers.touch(&id);
    state.focus = Focus::Composer;
}

/// Drafts from disk: texts come back as they were, unanswered messages as failed, under their old
/// ids.
pub(super) fn restore(state: &mut State, drafts: Vec<Draft>) {
    for draft in drafts {
        let id = ConversationId::from(draft.conversation.as_str());
        let composer = state.composers.edit(&id);
        if composer.editor.is_blank() && !draft.text.is_empty() {
            composer.editor = Editor::with_text(&draft.text);
            composer.kind = kind_of(draft.note);
        }
        for unsent in draft.unsent {
            if state.outbox.is_full() {
                break;
            }
            let (client_id, kind) = (unsent.client_id, kind_of(unsent.note));
            let item = Item::new(client_id.clone(), id.clone(), kind, unsent.content);
            state.outbox.push(item);
            let reason = SafeText::line("the console ended before it was sent");
            state.outbox.fail(&client_id, reason);
        }
    }
}

fn composing(state: &State) -> Option<ConversationId> {
    let open = state.open.as_ref()?;
    (state.focus == Focus::Composer).then(|| open.conversation.clone())
}

/// After a change of the text: disk is behind, and the visitor (or, for a note, staff) may be told.
fn changed(state: &mut State, id: &ConversationId, out: &mut Vec<Effect>) {
    state.composers.touch(id);
    let Some(composer) = state.composers.get(id) else { return };
    let due = state.now - state.typing_told_at >= TYPING_EVERY_MS;
    if due && state.is_live() && !composer.editor.is_blank() {
        let note = composer.kind == Kind::Note;
        out.push(Effect::Call(Call::Typing { conversation: id.clone(), note }));
        state.typing_told_at = state.now;
    }
}
