//! Marking an answer of the assistant's for review, and removing what was said. A mark can be
//! written anew; what is removed is gone, so that it is asked first, with "no" on Enter.

use super::keep;
use crate::effect::{Call, Effect, Judgement};
use crate::event::Problem;
use crate::state::dialog::{Act, Dialog, Form, Step};
use crate::state::row::{ConversationId, Entry};
use crate::state::{Focus, State};
use crate::update::command;

/// `F` and `D`: which message, the newest first.
pub(super) fn open(state: &mut State, act: Act) {
    let Some(row) = command::target(state) else { return };
    if state.transcripts.get(&row.id).is_none_or(|it| !it.loaded) {
        state.toast_bad("Its messages are not read yet: Enter opens it");
        return;
    }
    let seqs = state.messages_for(&row.id, act);
    match (seqs.is_empty(), act) {
        (true, Act::Flag) => state.toast_bad("The assistant has said nothing here"),
        (true, Act::Retract) => state.toast_bad("Nothing here is the assistant's or yours"),
        (false, _) => state.ask(row.id, Step::Message { act, seqs }, Form::default()),
    }
}

/// The message under the cursor: now why, or whether.
pub(super) fn choose(state: &mut State, dialog: Dialog, act: Act, seqs: &[u64]) {
    let Some(seq) = seqs.get(dialog.form.index).copied() else { return };
    let id = dialog.conversation;
    match act {
        Act::Flag => {
            let flag = state.message(&id, seq).map(|message| message.flag.to_string());
            let form = Form::with_text(&flag.unwrap_or_default());
            state.ask(id, Step::FlagReason { seq }, form);
        }
        Act::Retract => state.ask(id, Step::Retract { seq }, Form::default()),
    }
}

/// Enter behind the reason.
pub(super) fn flag(state: &mut State, dialog: Dialog, seq: u64, out: &mut Vec<Effect>) {
    let reason = dialog.form.text.text().trim().to_owned();
    if reason.is_empty() {
        keep(state, dialog, "Say why in a few words: whoever reviews it reads them");
        return;
    }
    judge(state, dialog, seq, Judgement::Flag { reason }, out);
}

/// Sends it; the answer comes as an event.
pub(super) fn judge(
    state: &mut State,
    dialog: Dialog,
    seq: u64,
    judgement: Judgement,
    out: &mut Vec<Effect>,
) {
    if !state.is_live() {
        keep(state, dialog, command::NOT_LIVE);
        return;
    }
    let (conversation, client_id) = (dialog.conversation, state.client_ids.next());
    out.push(Effect::Call(Call::Judge { conversation, seq, judgement, client_id }));
}

/// The daemon's answer.
pub(in crate::update) fn judged(
    state: &mut State,
    id: &ConversationId,
    seq: u64,
    judgement: &Judgement,
    result: Result<Entry, Problem>,
) {
    let number = state.desk.get(id).map_or(0, |row| row.number);
    match result {
        Ok(entry) => {
            if let Some(transcript) = state.transcripts.get_mut(id) {
                transcript.amend(&entry);
            }
            let what = match judgement {
                Judgement::Flag { .. } => "answer flagged for review",
                Judgement::Retract => "message removed, for the visitor too",
            };
            state.toast(&format!("#{number}: {what}"));
        }
        Err(problem) => {
            let free = state.overlay.is_none() && state.focus != Focus::Composer;
            match judgement {
                Judgement::Flag { reason } if free => {
                    let form = Form::with_text(reason).with_problem(&problem.text());
                    state.ask(id.clone(), Step::FlagReason { seq }, form);
                }
                Judgement::Flag { .. } | Judgement::Retract => {
                    state.toast_bad(&format!("#{number} unchanged: {}", problem.text()));
                }
            }
        }
    }
}
