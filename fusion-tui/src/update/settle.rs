//! What follows from the state alone, done at the end of every update: expired notices, the order
//! of the list, messages whose turn has come, marks, drafts that are due.

use super::open;
use crate::draft::{Draft, Unsent};
use crate::effect::{Call, Effect};
use crate::state::outbox::Kind;
use crate::state::row::ConversationId;
use crate::state::{Scroll, State};
use crate::view::layout;

/// The most marks remembered as told.
const MARKS_MAX: usize = 1_000;

/// Brings everything up to date.
pub(super) fn settle(state: &mut State, out: &mut Vec<Effect>) {
    let now = state.now;
    state.toasts.retain(|toast| toast.until > now);
    state.typing.retain(|typist| typist.until > now);
    state.desk.refresh(now);
    if state.is_live() {
        send_queued(state, out);
        read_again(state, out);
        mark_read(state, out);
    }
    if state.composers.save_due().is_some_and(|due| due <= now) {
        save_drafts(state, out);
    }
}

fn send_queued(state: &mut State, out: &mut Vec<Effect>) {
    for item in state.outbox.start(state.now) {
        let (conversation, kind) = (item.conversation, item.kind);
        let (content, client_id) = (item.content, item.client_id);
        out.push(Effect::Call(Call::Send { conversation, kind, content, client_id }));
    }
}

/// Reads again what could not be read, when its time has come.
fn read_again(state: &mut State, out: &mut Vec<Effect>) {
    if state.read_retry_at.is_none_or(|at| at > state.now) {
        return;
    }
    state.read_retry_at = None;
    if !state.listed {
        open::list(state, out);
    }
    open::fetch_missing(state, out);
}

/// Tells the daemon that the open conversation was read: only while the terminal has the focus, its
/// end is on the screen with nothing over it, and it is not a colleague's.
fn mark_read(state: &mut State, out: &mut Vec<Effect>) {
    let Some(open) = &state.open else { return };
    let at_end = open.scroll == Scroll::End && layout::of(state).transcript.area() > 0;
    if !state.focused || state.overlay.is_some() || !at_end {
        return;
    }
    let id = open.conversation.clone();
    let Some(transcript) = state.transcripts.get(&id) else { return };
    let Some(row) = state.desk.get(&id) else { return };
    let colleague = row
        .assignee
        .as_ref()
        .is_some_and(|owner| state.me.as_ref().is_some_and(|me| me.id != *owner));
    let seq = transcript.last_visitor_seq();
    let told = state.marks_told.get(&id).copied().unwrap_or(0).max(row.staff_mark);
    if !transcript.loaded || !transcript.holds_end() || colleague || seq <= told {
        return;
    }
    if state.marks_told.len() >= MARKS_MAX {
        // At worst a mark is told twice.
        state.marks_told.clear();
    }
    state.marks_told.insert(id.clone(), seq);
    state.desk.mark_read(&id, seq);
    state.desk.refresh(state.now);
    out.push(Effect::Call(Call::MarkRead { conversation: id, seq }));
}

/// Writes every draft that disk does not have.
pub(super) fn save_drafts(state: &mut State, out: &mut Vec<Effect>) {
    let Some(me) = state.me.as_ref().map(|me| me.id.clone()) else { return };
    for id in state.composers.take_unsaved(state.now) {
        match draft(state, &id) {
            Some(draft) => out.push(Effect::SaveDraft(me.clone(), draft)),
            None => {
                if state.open.as_ref().is_none_or(|open| open.conversation != id) {
                    state.composers.forget_blank(&id);
                }
                out.push(Effect::RemoveDraft(me.clone(), id));
            }
        }
    }
}

fn draft(state: &State, id: &ConversationId) -> Option<Draft> {
    let unsent: Vec<Unsent> = state
        .outbox
        .of(id)
        .map(|item| Unsent {
            client_id: item.client_id.clone(),
            note: item.kind == Kind::Note,
            content: item.content.clone(),
        })
        .collect();
    let composer = state.composers.get(id).filter(|composer| !composer.editor.is_blank());
    if unsent.is_empty() && composer.is_none() {
        return None;
    }
    Some(Draft {
        conversation: id.0.to_string(),
        note: composer.is_some_and(|composer| composer.kind == Kind::Note),
        text: composer.map(|composer| composer.editor.text().to_owned()).unwrap_or_default(),
        unsent,
    })
}
