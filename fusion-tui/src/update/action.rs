//! What each named action does. The match is complete on purpose: an action without an effect does
//! not compile.

use super::{command, compose, dialog, open, overlay, scroll, settle, undo};
use crate::effect::{Call, Command, Effect};
use crate::keymap::Action;
use crate::state::desk::Tab;
use crate::state::{Focus, Overlay, State};
use crate::text::SafeText;

/// Carries an action out.
pub(super) fn run(state: &mut State, action: Action, out: &mut Vec<Effect>) {
    match action {
        Action::Help | Action::Filter | Action::Back | Action::Interrupt | Action::Repaint => {
            general(state, action, out);
        }
        Action::NextPane => switch_pane(state, true),
        Action::PreviousPane => switch_pane(state, false),
        Action::TabWaiting => show_tab(state, Tab::Waiting),
        Action::TabMine => show_tab(state, Tab::Mine),
        Action::TabAll => show_tab(state, Tab::All),
        Action::TabDone => show_tab(state, Tab::Done),
        Action::NextUnread => next_unread(state, out),
        Action::LongestWaiting => longest_waiting(state),
        Action::Availability => availability(state, out),
        Action::Claim => command::claim(state, out),
        Action::ClaimNext => command::claim_next(state, out),
        Action::Take => command::take(state, out),
        Action::Reply => command::reply(state, out),
        Action::Note => command::note(state, out),
        Action::Resolve => command::simple(state, &Command::Resolve, out),
        Action::Reopen => command::simple(state, &Command::Reopen, out),
        Action::Release => command::simple(state, &Command::Release, out),
        Action::HandBack => command::simple(state, &Command::HandBack, out),
        Action::Escalate => command::ask_reason(state),
        Action::Transfer | Action::Tags | Action::Priority | Action::Flag | Action::Retract => {
            dialog::open(state, action, out);
        }
        Action::Undo => undo::run(state, out),
        Action::Palette => dialog::palette::open(state),
        Action::Retry => compose::retry(state),
        Action::TakeBack => compose::take_back(state),
        Action::Down
        | Action::Up
        | Action::HalfDown
        | Action::HalfUp
        | Action::First
        | Action::Last => scroll::run(state, action, out),
        Action::Open => {
            if let Some(id) = state.desk.selected().cloned() {
                open::open(state, &id, out);
            }
        }
        Action::Send => compose::send(state, out),
        Action::Newline
        | Action::ToggleNote
        | Action::Leave
        | Action::CursorLeft
        | Action::CursorRight
        | Action::CursorUp
        | Action::CursorDown
        | Action::WordLeft
        | Action::WordRight
        | Action::LineStart
        | Action::LineEnd
        | Action::DeleteLeft
        | Action::DeleteRight
        | Action::DeleteWord
        | Action::DeleteToStart => compose::edit(state, action, out),
    }
}

fn general(state: &mut State, action: Action, out: &mut Vec<Effect>) {
    if action == Action::Help {
        state.overlay = Some(overlay::help());
    } else if action == Action::Filter {
        state.focus = Focus::List;
        state.overlay = Some(overlay::filter(state));
    } else if action == Action::Repaint {
        out.push(Effect::Repaint);
    } else if action == Action::Back {
        back(state, out);
    } else if at_root(state) {
        ask_quit(state, out);
    } else {
        let back = state.keymap.key_of(Action::Back);
        state.toast(&format!("{back} goes back; Ctrl-c quits from the list"));
    }
}

fn at_root(state: &State) -> bool {
    state.focus == Focus::List && state.open.is_none()
}

fn back(state: &mut State, out: &mut Vec<Effect>) {
    if state.open.take().is_some() {
        state.focus = Focus::List;
    } else if !state.desk.filter().is_empty() {
        state.desk.set_filter("");
    } else {
        ask_quit(state, out);
    }
}

fn ask_quit(state: &mut State, out: &mut Vec<Effect>) {
    if state.composers.any_draft() || !state.outbox.is_empty() {
        state.overlay = Some(Overlay::Quit);
    } else {
        quit(state, out);
    }
}

/// Saves what is unsaved, then leaves.
pub(super) fn quit(state: &mut State, out: &mut Vec<Effect>) {
    settle::save_drafts(state, out);
    out.push(Effect::Quit);
}

fn show_tab(state: &mut State, tab: Tab) {
    state.desk.set_tab(tab);
    state.focus = Focus::List;
}

fn switch_pane(state: &mut State, forward: bool) {
    let Some(open) = &state.open else {
        let here = state.desk.tab().index();
        let step = if forward { 1 } else { Tab::ALL.len() - 1 };
        let next = Tab::ALL[(here + step) % Tab::ALL.len()];
        show_tab(state, next);
        return;
    };
    let draft = state.composers.has_draft(&open.conversation);
    state.focus = match (state.focus, forward) {
        (Focus::List, true) | (Focus::Composer, false) => Focus::Conversation,
        (Focus::Conversation, true) | (Focus::List, false) if draft => Focus::Composer,
        (Focus::List, false) => Focus::Conversation,
        (Focus::Conversation | Focus::Composer, true) | (Focus::Conversation, false) => Focus::List,
    };
}

fn next_unread(state: &mut State, out: &mut Vec<Effect>) {
    let here = state.open.as_ref().map(|open| &open.conversation);
    match state.desk.next_unread(here).cloned() {
        Some(id) => {
            state.desk.set_tab(Tab::Mine);
            state.desk.set_filter("");
            state.desk.refresh(state.now);
            state.desk.select(&id);
            open::open(state, &id, out);
        }
        None => state.toast("Nothing unread in yours"),
    }
}

fn longest_waiting(state: &mut State) {
    show_tab(state, Tab::Waiting);
    state.desk.set_filter("");
    state.desk.refresh(state.now);
    state.desk.select_index(0);
}

fn availability(state: &mut State, out: &mut Vec<Effect>) {
    if !state.is_live() {
        state.toast_bad("Not connected: nothing was changed");
        return;
    }
    let Some(me) = &state.me else { return };
    let availability = me.availability.next();
    let client_id = state.client_ids.next();
    out.push(Effect::Call(Call::Availability { availability, client_id }));
}

/// Escalates with the reason that was typed.
pub(super) fn escalate(
    state: &mut State,
    id: &crate::state::row::ConversationId,
    reason: &str,
    out: &mut Vec<Effect>,
) {
    let reason = SafeText::line(reason);
    command::send(state, id, &Command::Escalate { reason }, false, out);
}
