//! The list of a tab: only the rows that fit are drawn, around the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::put;
use super::theme::Theme;
use super::words;
use crate::state::desk::Tab;
use crate::state::row::{Conversation, Priority, Sender, Status};
use crate::state::{Connection, Focus, State};
use crate::wrap::fit;

/// Below this width a row has only its time, number and visitor.
const FULL_WIDTH_MIN: usize = 60;

/// Draws the list.
pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = Theme::new(state.colour);
    let width = usize::from(area.width);
    let mut rows = area;
    if area.height >= 4 {
        put(buffer, area, 0, &Line::styled(titles(state, width), theme.dim()));
        rows.y += 1;
        rows.height -= 1;
    }
    let order = state.desk.order();
    if order.is_empty() {
        put(buffer, rows, 0, &Line::styled(fit(empty(state), width), theme.dim()));
        return;
    }
    let height = usize::from(rows.height);
    let first = first_row(state.desk.index(), order.len(), height);
    for (row, id) in order.iter().skip(first).take(height).enumerate() {
        let Some(conversation) = state.desk.get(id) else { continue };
        let selected = first + row == state.desk.index();
        let line = line(state, conversation, selected, width);
        put(buffer, rows, u16::try_from(row).unwrap_or(u16::MAX), &line);
    }
}

/// The first row shown: the cursor stays in the middle where there are rows on both sides.
fn first_row(index: usize, len: usize, height: usize) -> usize {
    index.saturating_sub(height / 2).min(len.saturating_sub(height))
}

fn empty(state: &State) -> &'static str {
    if !state.desk.filter().is_empty() {
        return " Nothing matches the filter.";
    }
    if !state.listed {
        return match state.connection {
            Connection::Live => " Reading …",
            Connection::Connecting => " Connecting …",
            Connection::Lost | Connection::Refused(_) => " Not read yet.",
        };
    }
    match state.desk.tab() {
        Tab::Waiting => " Nobody waits.",
        Tab::Mine => " Nothing is yours. C claims the longest waiting.",
        Tab::All => " Nothing is open.",
        Tab::Done => " Nothing is done yet.",
    }
}

fn titles(state: &State, width: usize) -> String {
    let filter = state.desk.filter();
    let filtered = if filter.is_empty() { String::new() } else { format!("  filter: {filter}") };
    let time = if state.desk.tab() == Tab::Done { "WHEN" } else { "WAIT" };
    if width < FULL_WIDTH_MIN {
        return fit(&format!("  {time}    ID     VISITOR{filtered}"), width);
    }
    let who = if state.desk.tab() == Tab::Waiting { "WHY" } else { "WITH" };
    let last = format!("LAST LINE{filtered}");
    fit(&format!("  {:<7} {:<6} {:<16} {who:<18} {last}", time, "ID", "VISITOR"), width)
}

fn line(state: &State, row: &Conversation, selected: bool, width: usize) -> Line<'static> {
    let theme = Theme::new(state.colour);
    let caret = if selected { ">" } else { " " };
    let mark = mark(state, row);
    let time = time(state, row);
    let number = format!("#{}", row.number);
    let visitor = row.visitor.as_str();
    let head = format!("{caret}{mark}{} {} ", fit(&time, 7), fit(&number, 6));
    let rest = if width < FULL_WIDTH_MIN {
        format!("{}{visitor}", urgency(row.priority))
    } else {
        let offered = words::offered(row, state.me.as_ref().map(|me| &me.id));
        let who = match (offered, state.desk.tab()) {
            (Some(offered), _) => offered.into(),
            (None, Tab::Waiting) if !row.preferred.is_empty() => {
                format!("{}: {}", row.preferred, words::reason(row)).into()
            }
            (None, Tab::Waiting) => words::reason(row),
            (None, Tab::Mine | Tab::All | Tab::Done) => words::state(row).into(),
        };
        format!("{} {} {}", fit(visitor, 16), fit(&who, 18), last_line(state, row))
    };
    if selected {
        let active = state.focus == Focus::List;
        return Line::styled(fit(&format!("{head}{rest}"), width), theme.selected(active));
    }
    let head_style = if row.waiting_since.is_some() { theme.waiting() } else { theme.plain() };
    let rest_style = if row.unread > 0 { theme.bold() } else { theme.plain() };
    Line::from(vec![Span::styled(head, head_style), Span::styled(rest, rest_style)])
}

/// What stands for a priority where there is no room for its word.
fn urgency(priority: Priority) -> &'static str {
    match priority {
        Priority::Urgent => "!! ",
        Priority::High => "! ",
        Priority::Normal | Priority::Low => "",
    }
}

/// `*` for unread messages, `+` for a draft, `.` while a command is under way.
fn mark(state: &State, row: &Conversation) -> char {
    if state.pending.iter().any(|pending| pending.conversation == row.id) {
        '.'
    } else if row.unread > 0 {
        '*'
    } else if state.composers.has_draft(&row.id) || state.outbox.of(&row.id).next().is_some() {
        '+'
    } else {
        ' '
    }
}

fn time(state: &State, row: &Conversation) -> String {
    match row.waiting_since.filter(|_| row.status != Status::Resolved) {
        Some(since) => words::clock(state.daemon_now() - since),
        // A time of day would be taken for a waiting time, except where nobody waits.
        None if state.desk.tab() == Tab::Done => {
            words::stamp(row.updated_at, state.daemon_now(), state.zone_ms)
        }
        None => String::new(),
    }
}

fn last_line(state: &State, row: &Conversation) -> String {
    let typing = state
        .typing
        .iter()
        .any(|typist| typist.conversation == row.id && typist.sender == Sender::Visitor);
    if typing {
        return "typing …".to_owned();
    }
    let who = match row.last_sender {
        Sender::Visitor | Sender::System => "",
        Sender::Agent => "agent: ",
        Sender::Assistant => "assistant: ",
    };
    let labels = words::labels(row);
    let gap = if labels.is_empty() { "" } else { " " };
    format!("{labels}{gap}{who}{}", row.last_line)
}
