//! `update`: what every event does to the state, and what follows from it. Pure: no I/O, no clock,
//! no randomness. One file per part: keys and actions, commands, composing, scrolling, the live
//! stream, answers; `settle` does at the end of every update whatever follows from the state alone.

mod action;
mod answer;
mod command;
pub(crate) mod compose;
mod dialog;
mod keys;
mod open;
mod overlay;
mod scroll;
mod settle;
mod stream;
mod undo;

#[cfg(test)]
mod claim_test;
#[cfg(test)]
mod delivery_test;
#[cfg(test)]
mod dialog_test;
#[cfg(test)]
mod draft_test;
#[cfg(test)]
mod offer_test;
#[cfg(test)]
mod outbox_test;
#[cfg(test)]
mod stream_test;

use crate::effect::Effect;
use crate::event::Event;
use crate::state::State;

/// Takes one event and says what has to be done about it.
pub(crate) fn update(state: &mut State, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    let out = &mut effects;
    match event {
        Event::Tick(now) => state.now = state.now.max(now),
        Event::Key(key) => keys::press(state, key, out),
        Event::Paste(text) => keys::paste(state, &text, out),
        Event::Focus(focused) => state.focused = focused,
        Event::Resize(columns, rows) => {
            state.size = (columns, rows);
            // A window dragged small and back within a frame has the size it had, and lost its cells.
            out.push(Effect::Repaint);
        }
        Event::SignedIn(me) => stream::signed_in(state, me, out),
        Event::Connected { resumed } => stream::connected(state, resumed, out),
        Event::Lost => stream::lost(state),
        Event::Refused(reason) => stream::refused(state, reason),
        Event::Reset => stream::reset(state),
        Event::DaemonClock(now) => state.skew_ms = now - state.now,
        Event::Change(change) => stream::change(state, *change, out),
        Event::Typing(typist) => stream::typing(state, typist),
        Event::Answer(part) => stream::answer(state, part),
        Event::Rows { generation, rows } => stream::rows(state, generation, rows),
        Event::Listed { generation, result } => stream::listed(state, generation, result),
        Event::Messages { conversation, page, result } => {
            answer::messages(state, &conversation, page, result, out);
        }
        Event::Commanded { conversation, command, result } => {
            answer::commanded(state, &conversation, &command, result, out);
        }
        Event::Judged { conversation, seq, judgement, result } => {
            dialog::judged(state, &conversation, seq, &judgement, result);
        }
        Event::Colleagues(result) => dialog::colleagues(state, result),
        Event::Sent { client_id, result } => answer::sent(state, &client_id, result),
        Event::AvailabilitySet(result) => answer::availability(state, result),
        Event::Drafts(drafts) => compose::restore(state, drafts),
        Event::DraftFailed(reason) => {
            state.toast_bad(&format!("The draft is not on disk: {reason}"));
        }
    }
    settle::settle(state, out);
    effects
}
