//! `u`: takes the last change back for ten seconds, by the command that reverses it. Nothing is
//! undone here alone: the daemon decides, as with any command.

use super::command;
use crate::effect::{Command, Effect};
use crate::state::row::{ConversationId, Status};
use crate::state::{State, UNDO_MS, UNDOS_MAX, Undo};

/// Remembers how to take back what has just been done.
pub(super) fn remember(state: &mut State, id: &ConversationId, command: Command) {
    let until = state.now + UNDO_MS;
    state.undos.push_back(Undo { conversation: id.clone(), command, until });
    if state.undos.len() > UNDOS_MAX {
        state.undos.pop_front();
    }
}

/// Takes the last change back.
pub(super) fn run(state: &mut State, out: &mut Vec<Effect>) {
    let now = state.now;
    state.undos.retain(|undo| undo.until > now);
    let Some(undo) = state.undos.pop_back() else {
        state.toast("Nothing to take back: a change can be for ten seconds");
        return;
    };
    if let Some(hindrance) = command::hindrance(state, &undo.conversation) {
        state.toast_bad(hindrance);
        state.undos.push_back(undo);
        return;
    }
    let row = state.desk.get(&undo.conversation);
    let gone = row.is_none_or(|row| row.status != Status::Escalated);
    if matches!(undo.command, Command::Claim { .. }) && gone {
        // What was given away has been claimed: taking it now would be taking it from somebody.
        let number = row.map_or(0, |row| row.number);
        state.toast_bad(&format!("#{number} is claimed already: T takes it from them"));
        return;
    }
    command::start(state, &undo.conversation, undo.command, None, out);
}
