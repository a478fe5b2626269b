//! The conversation: its title line, and the part of the transcript that fits, from the bottom up.

use ratatui::buffer::Buffer;
use ratatui::text::Line;

use super::layout::Plan;
use super::theme::Theme;
use super::{entry, put, words};
use crate::state::row::{ConversationId, Sender};
use crate::state::{Focus, Open, Scroll, State, Typist};
use crate::wrap::{fit, truncate};

/// Draws title and transcript.
pub(super) fn draw(state: &State, plan: &Plan, buffer: &mut Buffer) {
    let Some(open) = &state.open else { return };
    draw_title(state, open, plan, buffer);
    let area = plan.transcript;
    if area.is_empty() {
        return;
    }
    let lines = lines(state, open, usize::from(area.width), usize::from(area.height));
    for (row, line) in lines.iter().enumerate() {
        put(buffer, area, u16::try_from(row).unwrap_or(u16::MAX), line);
    }
}

fn draw_title(state: &State, open: &Open, plan: &Plan, buffer: &mut Buffer) {
    let theme = Theme::new(state.colour);
    let width = usize::from(plan.title.width);
    let text = match state.desk.get(&open.conversation) {
        Some(row) => words::title(row, state.me.as_ref().map(|me| &me.id), state.daemon_now()),
        None => "This conversation is not in the list".to_owned(),
    };
    let style = if state.focus == Focus::List { theme.bold() } else { theme.active() };
    let below = match open.scroll {
        Scroll::End => String::new(),
        Scroll::Above { .. } => {
            let end = state.keymap.key_of(crate::keymap::Action::Last);
            format!("  (older; {end} goes to the end)")
        }
    };
    put(buffer, plan.title, 0, &Line::styled(fit(&format!("{text}{below}"), width), style));
}

/// At most `height` lines: the window of the transcript that ends where the scroll says.
fn lines(state: &State, open: &Open, width: usize, height: usize) -> Vec<Line<'static>> {
    let theme = Theme::new(state.colour);
    let Some(transcript) = state.transcripts.get(&open.conversation) else { return Vec::new() };
    // From the bottom up, and turned round at the end.
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut hidden = 0;
    let mut until = u64::MAX;
    match open.scroll {
        Scroll::End => {
            let tail = tail(state, &open.conversation, width);
            lines.extend(tail.into_iter().rev().take(height));
        }
        Scroll::Above { position, hidden: rows } => {
            until = position;
            hidden = rows;
        }
    }
    for row in transcript.entries().iter().rev().filter(|row| row.position() <= until) {
        if lines.len() >= height {
            break;
        }
        let skip = if row.position() == until { hidden } else { 0 };
        lines.extend(entry::lines(state, row, width).into_iter().rev().skip(skip));
    }
    if lines.len() < height && !transcript.loaded {
        let text = if state.is_live() { "Reading …" } else { "Not read yet: no connection." };
        lines.push(Line::styled(truncate(text, width), theme.dim()));
    } else if lines.len() < height && transcript.fetching.is_some() && transcript.has_older() {
        lines.push(Line::styled(truncate("Reading older messages …", width), theme.dim()));
    }
    lines.truncate(height);
    lines.reverse();
    lines
}

/// What stands below the newest entry: the assistant's answer in the making, unsent messages, then who is typing.
fn tail(state: &State, id: &ConversationId, width: usize) -> Vec<Line<'static>> {
    let theme = Theme::new(state.colour);
    let mut lines = Vec::new();
    if let Some(answer) = state.answers.of(id) {
        lines.extend(entry::answer_lines(state, answer, width));
    }
    for item in state.outbox.of(id) {
        lines.extend(entry::unsent_lines(state, item, width));
    }
    for typist in state.typing.iter().filter(|typist| typist.conversation == *id) {
        lines.push(Line::styled(truncate(&typing(typist), width), theme.dim()));
    }
    lines
}

fn typing(typist: &Typist) -> String {
    let name = match typist.sender {
        Sender::Visitor => "the visitor",
        Sender::Assistant => "the assistant",
        Sender::Agent | Sender::System if typist.name.is_empty() => "somebody",
        Sender::Agent | Sender::System => typist.name.as_str(),
    };
    let what = if typist.note { "is writing a note" } else { "is typing" };
    format!("{name} {what} …")
}
