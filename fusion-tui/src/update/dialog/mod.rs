//! The dialogs' keys: Esc leaves everything as it was, Enter goes on, arrows choose, the rest is
//! text. What is refused stays up with what was typed and the reason. One file per subject.

mod label;
mod message;
pub(super) mod palette;
mod transfer;

use super::command;
use super::overlay::edit_line;
use crate::effect::{Command, Effect, Judgement};
use crate::event::Problem;
use crate::key::{Code, Key};
use crate::keymap::Action;
use crate::state::dialog::{Colleague, Dialog, Form, Step};
use crate::state::row::{ConversationId, Priority, UserId};
use crate::state::{Focus, Overlay, State};
use crate::text::SafeText;

pub(super) use self::message::judged;

/// The longest name searched for, in characters.
const SEARCH_CHARS_MAX: usize = 100;
/// The longest note of a transfer, in characters: one line.
const NOTE_CHARS_MAX: usize = 1_000;
/// All tags of a conversation, in characters.
const TAGS_CHARS_MAX: usize = 400;
/// The longest reason of a mark, in characters, as the daemon takes it.
const REASON_CHARS_MAX: usize = 200;
/// How many rows PageUp and PageDown move.
const PAGE_ROWS: isize = 5;

/// What a key asks of a dialog.
enum Asked {
    Cancel,
    Enter,
    Move(isize),
    Edit,
}

fn asked(key: Key) -> Asked {
    match key.code {
        Code::Esc => Asked::Cancel,
        Code::Char('c') if key.ctrl => Asked::Cancel,
        Code::Enter => Asked::Enter,
        Code::Up => Asked::Move(-1),
        Code::Down => Asked::Move(1),
        Code::PageUp => Asked::Move(-PAGE_ROWS),
        Code::PageDown => Asked::Move(PAGE_ROWS),
        Code::Char(_)
        | Code::Tab
        | Code::Backspace
        | Code::Delete
        | Code::Left
        | Code::Right
        | Code::Home
        | Code::End => Asked::Edit,
    }
}

/// The index `by` rows away, inside `rows`.
fn moved(index: usize, by: isize, rows: usize) -> usize {
    index.saturating_add_signed(by).min(rows.saturating_sub(1))
}

/// Puts up what an action asks.
pub(super) fn open(state: &mut State, action: Action, out: &mut Vec<Effect>) {
    if action == Action::Transfer {
        transfer::open(state, out);
    } else if action == Action::Tags {
        label::open_tags(state);
    } else if action == Action::Priority {
        label::open_priority(state);
    } else if action == Action::Flag {
        message::open(state, crate::state::dialog::Act::Flag);
    } else if action == Action::Retract {
        message::open(state, crate::state::dialog::Act::Retract);
    }
}

/// A key for a dialog.
pub(super) fn press(state: &mut State, key: Key, mut dialog: Dialog, out: &mut Vec<Effect>) {
    dialog.form.problem = None;
    match asked(key) {
        Asked::Cancel => return,
        Asked::Enter => return enter(state, dialog, out),
        Asked::Move(by) => {
            let rows = rows(state, &dialog);
            dialog.form.index = moved(dialog.form.index, by, rows);
        }
        Asked::Edit => match (&dialog.step, key.typed()) {
            (Step::Priority, Some(letter)) => {
                let begins = |it: &Priority| it.word().starts_with(letter);
                if let Some(index) = Priority::ALL.iter().position(begins) {
                    dialog.form.index = index;
                    return enter(state, dialog, out);
                }
            }
            (Step::Retract { seq }, Some('y')) => {
                let seq = *seq;
                return message::judge(state, dialog, seq, Judgement::Retract, out);
            }
            (Step::Retract { .. }, Some('n' | 'q')) => return,
            (Step::Priority | Step::Message { .. } | Step::Retract { .. }, _) => {}
            (Step::Colleague, _) => {
                edit_line(&mut dialog.form.text, key, SEARCH_CHARS_MAX);
                dialog.form.index = 0;
            }
            (Step::TransferNote { .. } | Step::Tags { .. } | Step::FlagReason { .. }, _) => {
                let chars_max = chars_max(&dialog.step);
                edit_line(&mut dialog.form.text, key, chars_max);
            }
        },
    }
    state.overlay = Some(Overlay::Dialog(dialog));
}

/// The longest text of a step, in characters; 0 where nothing is typed.
pub(super) fn chars_max(step: &Step) -> usize {
    match step {
        Step::Colleague => SEARCH_CHARS_MAX,
        Step::TransferNote { .. } => NOTE_CHARS_MAX,
        Step::Tags { .. } => TAGS_CHARS_MAX,
        Step::FlagReason { .. } => REASON_CHARS_MAX,
        Step::Priority | Step::Message { .. } | Step::Retract { .. } => 0,
    }
}

fn rows(state: &State, dialog: &Dialog) -> usize {
    match &dialog.step {
        Step::Colleague => state.colleagues_matching(dialog.form.text.text()).len(),
        Step::Priority => Priority::ALL.len(),
        Step::Message { seqs, .. } => seqs.len(),
        Step::TransferNote { .. }
        | Step::Tags { .. }
        | Step::FlagReason { .. }
        | Step::Retract { .. } => 0,
    }
}

fn enter(state: &mut State, dialog: Dialog, out: &mut Vec<Effect>) {
    match dialog.step.clone() {
        Step::Colleague => transfer::choose(state, dialog),
        Step::TransferNote { to } => transfer::give(state, dialog, &to, out),
        Step::Tags { before } => label::set_tags(state, dialog, &before, out),
        Step::Priority => label::set_priority(state, dialog, out),
        Step::Message { act, seqs } => message::choose(state, dialog, act, &seqs),
        Step::FlagReason { seq } => message::flag(state, dialog, seq, out),
        // Enter is for "no": what is removed does not come back.
        Step::Retract { .. } => {}
    }
}

/// Leaves the dialog up, with the reason why it did nothing.
fn keep(state: &mut State, dialog: Dialog, problem: &str) {
    let form = dialog.form.with_problem(problem);
    state.overlay = Some(Overlay::Dialog(Dialog { form, ..dialog }));
}

/// A command was refused: what was typed for it comes back with the reason, unless something else
/// is being typed. Says whether it did.
pub(super) fn refused(
    state: &mut State,
    id: &ConversationId,
    command: &Command,
    problem: &Problem,
) -> bool {
    if state.overlay.is_some() || state.focus == Focus::Composer {
        return false;
    }
    let (step, text) = match command {
        Command::Transfer { to, name, note } => {
            let (id, name) = (UserId::from(to.as_str()), name.clone());
            let to = Colleague { id, name, availability: crate::state::Availability::default() };
            (Step::TransferNote { to }, note.clone())
        }
        Command::Tag { add, remove } => {
            let before = label::tags_of(state, id);
            let kept = before.iter().filter(|tag| !remove.contains(tag)).cloned();
            let text = kept.chain(add.iter().cloned()).collect::<Vec<String>>().join(" ");
            (Step::Tags { before }, text)
        }
        Command::Claim { .. }
        | Command::Release
        | Command::HandBack
        | Command::Escalate { .. }
        | Command::Prioritize(_)
        | Command::Resolve
        | Command::Reopen => return false,
    };
    let form = Form::with_text(&text).with_problem(&problem.text());
    state.ask(id.clone(), step, form);
    true
}

/// The colleagues were read, or could not be. A list that is shown already stays: nobody may move
/// under the cursor.
pub(super) fn colleagues(state: &mut State, result: Result<Vec<Colleague>, Problem>) {
    match result {
        Ok(colleagues) => {
            state.colleagues.get_or_insert(colleagues);
        }
        Err(problem) => {
            let asking = |dialog: &&mut Dialog| dialog.step == Step::Colleague;
            if let Some(Overlay::Dialog(dialog)) = &mut state.overlay
                && let Some(dialog) = Some(dialog).filter(asking)
            {
                let text = format!("Colleagues could not be read: {}", problem.text());
                dialog.form.problem = Some(SafeText::line(&text));
            }
        }
    }
}

/// Sends a command and what takes it back, or says why it cannot be sent.
fn send(
    state: &mut State,
    id: &ConversationId,
    command: Command,
    undo: Option<Command>,
    out: &mut Vec<Effect>,
) -> Result<(), &'static str> {
    match command::hindrance(state, id) {
        Some(hindrance) => Err(hindrance),
        None => {
            command::start(state, id, command, undo, out);
            Ok(())
        }
    }
}
