//! Giving a conversation to a colleague: who, then a note for them. It is offered to them for a
//! while; the giver can take it back at once.

use super::{keep, send};
use crate::effect::{Call, Command, Effect};
use crate::palette::split;
use crate::state::State;
use crate::state::dialog::{Colleague, Dialog, Form, Step};
use crate::state::row::{Conversation, Status};
use crate::text::SafeText;
use crate::update::command;

/// `t`: asks whom.
pub(super) fn open(state: &mut State, out: &mut Vec<Effect>) {
    let Some(row) = command::target(state) else { return };
    match may_give(&row).err().or_else(|| command::hindrance(state, &row.id)) {
        Some(problem) => state.toast_bad(problem),
        None => {
            state.colleagues = None;
            out.push(Effect::Call(Call::Colleagues));
            state.ask(row.id, Step::Colleague, Form::default());
        }
    }
}

fn may_give(row: &Conversation) -> Result<(), &'static str> {
    match row.status {
        Status::Resolved => Err("It is done: O reopens it"),
        Status::Escalated => Err("It is nobody's: c claims it first"),
        Status::Open if row.assignee.is_none() => Err("The assistant has it: T takes it first"),
        Status::Open => Ok(()),
    }
}

/// The colleague under the cursor: now the note.
pub(super) fn choose(state: &mut State, dialog: Dialog) {
    let found = state.colleagues_matching(dialog.form.text.text());
    match found.get(dialog.form.index).map(|colleague| (*colleague).clone()) {
        Some(to) => {
            state.ask(dialog.conversation, Step::TransferNote { to }, Form::default());
        }
        None if state.colleagues.is_none() => keep(state, dialog, "They are still being read"),
        None => keep(state, dialog, "Nobody is called so: Ctrl-u shows everybody"),
    }
}

/// Enter behind the note.
pub(super) fn give(state: &mut State, dialog: Dialog, to: &Colleague, out: &mut Vec<Effect>) {
    let note = dialog.form.text.text().trim().to_owned();
    let command = Command::Transfer { to: to.id.0.to_string(), name: to.name.clone(), note };
    let sent = send(state, &dialog.conversation, command, Some(back()), out);
    if let Err(problem) = sent {
        keep(state, dialog, problem);
    }
}

/// What takes it back while nobody has claimed it: the daemon lets the giver, and names the winner otherwise.
fn back() -> Command {
    Command::Claim { take: false }
}

/// `:transfer WHO NOTE`; without WHO it asks.
pub(super) fn typed(state: &mut State, rest: &str, out: &mut Vec<Effect>) -> Result<(), String> {
    if rest.is_empty() {
        open(state, out);
        return Ok(());
    }
    let Some(row) = command::target(state) else { return Ok(()) };
    may_give(&row)?;
    let (who, note) = split(rest);
    let (to, note) = (who.to_owned(), note.to_owned());
    let command = Command::Transfer { to, name: SafeText::line(who), note };
    Ok(send(state, &row.id, command, Some(back()), out)?)
}
