//! Commands on a conversation: claim, let go, hand back, escalate, resolve. None is optimistic: the
//! row changes when the daemon says so. A command is not queued while the connection is lost,
//! because a claim made minutes later is not the claim that was meant.

use super::{compose, open};
use crate::effect::{Call, Command, Effect};
use crate::state::editor::Editor;
use crate::state::outbox::Kind;
use crate::state::row::{Conversation, ConversationId, Status};
use crate::state::{Focus, Overlay, Pending, State};

/// Why nothing is sent while the connection is lost.
pub(super) const NOT_LIVE: &str = "Not connected: nothing was changed";

/// The row the keys act on, unless it slid under the cursor a moment ago.
pub(super) fn target(state: &mut State) -> Option<Conversation> {
    if state.focus == Focus::List && state.desk.has_slipped(state.now) {
        let index = state.desk.index();
        state.desk.select_index(index);
        state.toast_bad("The list moved: press again");
        return None;
    }
    let id = state.target()?;
    state.desk.get(&id).cloned()
}

/// Who else has it, if somebody has.
fn other_owner(state: &State, row: &Conversation) -> Option<String> {
    let owner = row.assignee.as_ref().filter(|_| row.status == Status::Open)?;
    let mine = state.me.as_ref().is_some_and(|me| me.id == *owner);
    (!mine).then(|| row.assignee_name.to_string())
}

/// Why no command can be sent about a conversation just now.
pub(super) fn hindrance(state: &State, id: &ConversationId) -> Option<&'static str> {
    if !state.is_live() {
        return Some(NOT_LIVE);
    }
    let under_way = state.pending.iter().any(|pending| pending.conversation == *id);
    under_way.then_some("Its last change is still under way: try again")
}

/// Sends a command that nothing hinders; `undo` takes it back once it is done.
pub(super) fn start(
    state: &mut State,
    id: &ConversationId,
    command: Command,
    undo: Option<Command>,
    out: &mut Vec<Effect>,
) {
    let conversation = id.clone();
    let client_id = state.client_ids.next();
    let offered = || {
        state.desk.get(id).zip(state.me.as_ref()).is_some_and(|(row, me)| row.is_offered_to(&me.id))
    };
    let declines = command == Command::Release && offered();
    let pending = Pending {
        conversation: id.clone(),
        command: command.clone(),
        then_compose: false,
        undo,
        declines,
    };
    state.pending.push(pending);
    out.push(Effect::Call(Call::Command { conversation, command, client_id }));
}

/// Sends a command unless one is under way for this conversation, or the connection is lost.
pub(super) fn send(
    state: &mut State,
    id: &ConversationId,
    command: &Command,
    then_compose: bool,
    out: &mut Vec<Effect>,
) {
    if !state.is_live() {
        state.toast_bad(NOT_LIVE);
        return;
    }
    if let Some(pending) = state.pending.iter_mut().find(|pending| pending.conversation == *id) {
        // `r` right behind `c`: the claim is under way, the composer opens when it is won.
        pending.then_compose |= then_compose && matches!(pending.command, Command::Claim { .. });
        return;
    }
    start(state, id, command.clone(), None, out);
    if let Some(pending) = state.pending.last_mut() {
        pending.then_compose = then_compose;
    }
}

/// `c`.
pub(super) fn claim(state: &mut State, out: &mut Vec<Effect>) {
    let Some(row) = target(state) else { return };
    if row.status == Status::Resolved {
        state.toast_bad("It is done: O reopens it");
    } else if let Some(owner) = other_owner(state, &row) {
        state.toast_bad(&format!("{owner} has it: T takes it"));
    } else if row.assignee.is_some() && row.status == Status::Open {
        open::open(state, &row.id, out);
    } else {
        send(state, &row.id, &Command::Claim { take: false }, false, out);
    }
}

/// `C`: the longest waiting, whatever is shown.
pub(super) fn claim_next(state: &mut State, out: &mut Vec<Effect>) {
    let under_way: Vec<ConversationId> =
        state.pending.iter().map(|pending| pending.conversation.clone()).collect();
    match state.desk.longest_waiting(&under_way).cloned() {
        Some(id) => send(state, &id, &Command::Claim { take: false }, false, out),
        None => state.toast("Nobody waits"),
    }
}

/// `T`.
pub(super) fn take(state: &mut State, out: &mut Vec<Effect>) {
    let Some(row) = target(state) else { return };
    send(state, &row.id, &Command::Claim { take: true }, false, out);
}

/// `r`: opens the composer, after claiming what waits.
pub(super) fn reply(state: &mut State, out: &mut Vec<Effect>) {
    let Some(row) = target(state) else { return };
    match row.status {
        Status::Resolved => state.toast_bad("It is done: O reopens it, n writes a note"),
        Status::Escalated => send(state, &row.id, &Command::Claim { take: false }, true, out),
        Status::Open => match other_owner(state, &row) {
            Some(owner) => {
                state.toast_bad(&format!("{owner} has it: T takes it, n writes a note"));
            }
            None => compose::start(state, &row.id, Kind::Reply, out),
        },
    }
}

/// `n`.
pub(super) fn note(state: &mut State, out: &mut Vec<Effect>) {
    if let Some(row) = target(state) {
        compose::start(state, &row.id, Kind::Note, out);
    }
}

/// The commands that need nothing but the conversation.
pub(super) fn simple(state: &mut State, command: &Command, out: &mut Vec<Effect>) {
    if let Some(row) = target(state) {
        send(state, &row.id, command, false, out);
    }
}

/// `e`: asks why first.
pub(super) fn ask_reason(state: &mut State) {
    if let Some(row) = target(state) {
        let text = Editor::default();
        state.overlay = Some(Overlay::Reason { conversation: row.id, text });
    }
}
