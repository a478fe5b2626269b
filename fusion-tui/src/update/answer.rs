//! Answers to calls: pages, commands, sent messages. What the daemon refuses is said in its own
//! words; what did not arrive is tried again elsewhere (outbox, list), never here.

use super::{compose, dialog, open, stream, undo};
use crate::effect::{Command, Effect};
use crate::event::{Posted, Problem};
use crate::keymap::Action;
use crate::state::outbox::Kind;
use crate::state::row::{Conversation, ConversationId};
use crate::state::transcript::{Page, PageRows};
use crate::state::{Availability, Focus, State};
use crate::text::SafeText;
use crate::view::words;

pub(super) fn messages(
    state: &mut State,
    id: &ConversationId,
    page: Page,
    result: Result<PageRows, Problem>,
    out: &mut Vec<Effect>,
) {
    let Some(transcript) = state.transcripts.get_mut(id) else { return };
    if transcript.fetching != Some(page) {
        // Asked for before the rows were forgotten, or given up: what it holds may be of another
        // epoch.
        return;
    }
    match result {
        Ok(rows) => {
            transcript.merge(page, rows);
            open::fetch_missing(state, out);
        }
        Err(problem) => {
            transcript.fetching = None;
            state.read_retry_at = Some(state.now + stream::READ_RETRY_MS);
            if !problem.transient {
                state.toast_bad(&format!("Messages could not be read: {}", problem.text()));
            }
        }
    }
}

pub(super) fn commanded(
    state: &mut State,
    id: &ConversationId,
    command: &Command,
    result: Result<Conversation, Problem>,
    out: &mut Vec<Effect>,
) {
    let pending = state.pending.iter().position(|pending| pending.conversation == *id);
    let pending = pending.map(|at| state.pending.remove(at));
    let then_compose = pending.as_ref().is_some_and(|pending| pending.then_compose);
    match result {
        Ok(row) => {
            let number = row.number;
            let text = if pending.as_ref().is_some_and(|pending| pending.declines) {
                "declined, it waits for everybody".to_owned()
            } else {
                done(command, &row)
            };
            state.desk.apply(row);
            let undo = pending.and_then(|pending| pending.undo);
            let back = match &undo {
                Some(_) => format!(" ({} takes it back)", state.keymap.key_of(Action::Undo)),
                None => String::new(),
            };
            state.toast(&format!("#{number}: {text}{back}"));
            if let Some(undo) = undo {
                undo::remember(state, id, undo);
            }
            if matches!(command, Command::Claim { .. }) {
                claimed(state, id, then_compose, out);
            }
        }
        Err(problem) if problem.code == "already_claimed" => lost_race(state, id, &problem),
        Err(problem) if dialog::refused(state, id, command, &problem) => {}
        Err(problem) => {
            let number = state.desk.get(id).map_or(0, |row| row.number);
            state.toast_bad(&format!("#{number} unchanged: {}", problem.text()));
        }
    }
}

fn done(command: &Command, row: &Conversation) -> String {
    let text = match command {
        Command::Claim { .. } => "yours",
        Command::Release => "back in the queue",
        Command::HandBack => "with the assistant",
        Command::Escalate { .. } => "in the queue",
        Command::Resolve => "done (O reopens it)",
        Command::Reopen => "open again",
        Command::Transfer { name, .. } => {
            let offer = row.offer.as_ref().map(|offer| &offer.name).filter(|it| !it.is_empty());
            return format!("offered to {}", offer.unwrap_or(name));
        }
        Command::Tag { .. } if row.tags.is_empty() => "no tags",
        Command::Tag { .. } => {
            let tags: Vec<&str> = row.tags.iter().map(SafeText::as_str).collect();
            return format!("tags {}", tags.join(" "));
        }
        Command::Prioritize(_) => return format!("priority {}", row.priority.word()),
    };
    text.to_owned()
}

/// Shows what was won, unless something is being written elsewhere.
fn claimed(state: &mut State, id: &ConversationId, then_compose: bool, out: &mut Vec<Effect>) {
    let writing = state.focus == Focus::Composer;
    if writing {
        return;
    }
    if then_compose {
        compose::start(state, id, Kind::Reply, out);
    } else {
        open::open(state, id, out);
    }
}

/// Names the winner and moves the cursor on.
fn lost_race(state: &mut State, id: &ConversationId, problem: &Problem) {
    let by = problem.params.get("by").map_or("somebody", SafeText::as_str);
    let since = problem.params.get("since").and_then(|since| since.as_str().parse::<i64>().ok());
    let before = match since {
        Some(since) => format!("{} before you", words::span(state.daemon_now() - since)),
        None => "before you".to_owned(),
    };
    state.toast_bad(&format!("{by} claimed it {before}"));
    if state.desk.selected() == Some(id) {
        let next = state.desk.index() + 1;
        state.desk.select_index(next);
    }
}

pub(super) fn sent(state: &mut State, client_id: &str, result: Result<Posted, Problem>) {
    match result {
        Ok(posted) => {
            let id = posted.conversation.id.clone();
            state.desk.apply(posted.conversation);
            if state.outbox.remove(client_id).is_some() {
                state.composers.touch(&id);
            }
            if let Some(transcript) = state.transcripts.get_mut(&id) {
                transcript.add(posted.entry);
            }
        }
        Err(problem) if problem.transient => {
            state.outbox.requeue(client_id, state.now, problem.retry_after_ms);
        }
        Err(problem) => {
            state.toast_bad(&format!("Not sent: {}", problem.text()));
            state.outbox.fail(client_id, SafeText::line(&problem.text()));
        }
    }
}

pub(super) fn availability(state: &mut State, result: Result<Availability, Problem>) {
    match result {
        Ok(availability) => {
            if let Some(me) = &mut state.me {
                me.availability = availability;
            }
            state.toast(&format!("You are {}", availability.word()));
        }
        Err(problem) => state.toast_bad(&format!("Unchanged: {}", problem.text())),
    }
}
