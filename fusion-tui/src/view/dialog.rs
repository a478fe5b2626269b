//! The dialogs and the palette: a sheet over the screen with what is asked, what was typed, what
//! can be chosen and why the last Enter did nothing.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Widget};
use unicode_width::UnicodeWidthStr;

use super::header::skip_columns;
use super::put;
use super::theme::Theme;
use super::words;
use crate::palette::matching;
use crate::state::dialog::{Act, Dialog, Form, Step};
use crate::state::editor::Editor;
use crate::state::row::{ConversationId, Message, Priority};
use crate::state::{Overlay, State};
use crate::wrap::{fit, wrap};

/// The widest a sheet gets.
const WIDTH_MAX: u16 = 76;
/// The most rows to choose from that are shown at once.
const ROWS_MAX: usize = 12;
/// Below this height of the screen a sheet goes without its border.
const BORDER_HEIGHT_MIN: u16 = 5;

/// What a sheet shows.
pub(super) struct Sheet<'a> {
    title: String,
    /// Lines above what is typed.
    question: Vec<String>,
    label: &'static str,
    text: Option<&'a Editor>,
    rows: Vec<String>,
    index: usize,
    problem: String,
    keys: &'static str,
}

/// The sheet of the overlay that is up, if it is a dialog or the palette.
pub(super) fn sheet(state: &State) -> Option<Sheet<'_>> {
    match &state.overlay {
        Some(Overlay::Dialog(dialog)) => Some(asked(state, dialog)),
        Some(Overlay::Palette(form)) => Some(palette(form)),
        Some(
            Overlay::Help { .. } | Overlay::Filter(_) | Overlay::Reason { .. } | Overlay::Quit,
        )
        | None => None,
    }
}

fn palette(form: &Form) -> Sheet<'_> {
    let found = matching(form.text.text());
    let row = |named: &&crate::palette::Named| {
        let usage = format!("{} {}", named.name, named.takes);
        format!("{} {}", fit(&usage, 34), named.help())
    };
    let rows = found.iter().map(row).collect();
    Sheet {
        title: "Command".to_owned(),
        label: ": ",
        rows,
        ..of(form, "Enter runs  Tab completes  Esc closes")
    }
}

/// A sheet in which a text is typed.
fn of<'a>(form: &'a Form, keys: &'static str) -> Sheet<'a> {
    Sheet {
        title: String::new(),
        question: Vec::new(),
        label: "",
        text: Some(&form.text),
        rows: Vec::new(),
        index: form.index,
        problem: form.problem.as_ref().map(ToString::to_string).unwrap_or_default(),
        keys,
    }
}

fn asked<'a>(state: &State, dialog: &'a Dialog) -> Sheet<'a> {
    let named = state.desk.get(&dialog.conversation);
    let named = named.map(|row| format!("#{} {}", row.number, row.visitor)).unwrap_or_default();
    let title = |what: &str| format!("{named}: {what}");
    let sheet = of(&dialog.form, "Enter goes on  Esc cancels");
    match &dialog.step {
        Step::Colleague => Sheet {
            title: title("give it to"),
            label: "who: ",
            rows: colleagues(state, dialog.form.text.text()),
            ..sheet
        },
        Step::TransferNote { to } => Sheet {
            title: title(&format!("give it to {}", to.name)),
            question: vec!["A note for staff; it may stay empty.".to_owned()],
            label: "note: ",
            keys: "Enter gives it  Esc cancels",
            ..sheet
        },
        Step::Tags { .. } => Sheet {
            title: title("tags"),
            question: vec!["Words of a-z, 0-9, - and _ with a space between.".to_owned()],
            label: "tags: ",
            keys: "Enter sets them  Esc cancels",
            ..sheet
        },
        Step::Priority => Sheet {
            title: title("priority"),
            text: None,
            rows: Priority::ALL.map(|it| it.word().to_owned()).to_vec(),
            keys: "Enter, or u h n l, sets it  Esc cancels",
            ..sheet
        },
        Step::Message { act, seqs } => Sheet {
            title: title(match act {
                Act::Flag => "which answer to flag for review",
                Act::Retract => "which message to remove",
            }),
            text: None,
            rows: seqs.iter().map(|seq| said(state, &dialog.conversation, *seq)).collect(),
            ..sheet
        },
        Step::FlagReason { seq } => Sheet {
            title: title("flag an answer for review"),
            question: vec![said(state, &dialog.conversation, *seq)],
            label: "why: ",
            keys: "Enter flags it  Esc cancels",
            ..sheet
        },
        Step::Retract { seq } => Sheet {
            title: title("remove this message?"),
            question: vec![
                said(state, &dialog.conversation, *seq),
                "It goes for the visitor too, and does not come back.".to_owned(),
            ],
            text: None,
            keys: "y removes it  Enter or Esc keeps it",
            ..sheet
        },
    }
}

fn colleagues(state: &State, search: &str) -> Vec<String> {
    if state.colleagues.is_none() {
        return vec!["Reading …".to_owned()];
    }
    let found = state.colleagues_matching(search);
    let row = |it: &&crate::state::dialog::Colleague| {
        format!("{} {}", fit(it.name.as_str(), 30), it.availability.word())
    };
    found.iter().map(row).collect()
}

/// A message in one line: when, who, its beginning, and why it is flagged.
fn said(state: &State, id: &ConversationId, seq: u64) -> String {
    let Some(message) = state.message(id, seq) else { return "(no longer here)".to_owned() };
    let time = words::stamp(message.created_at, state.daemon_now(), state.zone_ms);
    let flag = if message.flag.is_empty() { "" } else { "(flagged) " };
    let text = message.content.as_str().split_whitespace().collect::<Vec<&str>>().join(" ");
    format!("{time} {}: {flag}{text}", who(message))
}

fn who(message: &Message) -> &str {
    if message.name.is_empty() { "assistant" } else { message.name.as_str() }
}

/// Draws a sheet; returns the cursor's place in its text.
pub(super) fn draw(
    state: &State,
    sheet: &Sheet<'_>,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<(u16, u16)> {
    let theme = Theme::new(state.colour);
    let bordered = area.height >= BORDER_HEIGHT_MIN;
    let width = area.width.min(WIDTH_MAX);
    let columns = usize::from(width.saturating_sub(if bordered { 2 } else { 0 })).max(1);
    let mut lines = head(sheet, columns, theme);
    let typed_at = sheet.text.map(|_| lines.len().saturating_sub(1));
    // What did not work stands before what can be chosen: it must be on the screen.
    lines.extend(problem(sheet, columns, theme));
    let frame = if bordered { 2 } else { 0 };
    let room = usize::from(area.height).saturating_sub(lines.len() + frame);
    lines.extend(choices(sheet, room.min(ROWS_MAX), columns, theme));
    let height = u16::try_from(lines.len() + frame).unwrap_or(u16::MAX).min(area.height);
    let x = area.x + (area.width - width) / 2;
    let outer = Rect { x, y: area.y + (area.height - height) / 3, width, height };
    Clear.render(outer, buffer);
    let inner = if bordered {
        let (title, keys) = (format!(" {} ", sheet.title), format!(" {} ", sheet.keys));
        let block = Block::bordered().title(title).title_bottom(keys);
        let inner = block.inner(outer);
        block.render(outer, buffer);
        inner
    } else {
        outer
    };
    for (row, line) in lines.iter().enumerate() {
        put(buffer, inner, u16::try_from(row).unwrap_or(u16::MAX), line);
    }
    let row = u16::try_from(typed_at?).ok().filter(|row| *row < inner.height)?;
    let column = u16::try_from(typed(sheet, columns).1).ok()?;
    Some((inner.x.saturating_add(column).min(inner.right().saturating_sub(1)), inner.y + row))
}

/// The question, and what is typed as its last line.
fn head(sheet: &Sheet<'_>, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for question in &sheet.question {
        lines.push(Line::styled(fit(question, columns), theme.dim()));
    }
    if sheet.text.is_some() {
        lines.push(Line::styled(typed(sheet, columns).0, theme.bold()));
    }
    lines
}

/// The line that is typed, scrolled so that the cursor is in it, and the cursor's column.
fn typed(sheet: &Sheet<'_>, columns: usize) -> (String, usize) {
    let Some(text) = sheet.text else { return (String::new(), 0) };
    let before = text.text().get(..text.cursor()).unwrap_or_default();
    let column = sheet.label.width() + before.width();
    let hidden = (column + 1).saturating_sub(columns);
    (skip_columns(&format!("{}{}", sheet.label, text.text()), hidden), column - hidden.min(column))
}

fn problem(sheet: &Sheet<'_>, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    if sheet.problem.is_empty() {
        return Vec::new();
    }
    let text = format!("! {}", sheet.problem);
    wrap(&text, columns)
        .into_iter()
        .map(|range| Line::styled(text[range].to_owned(), theme.bad()))
        .collect()
}

/// The rows to choose from around the cursor, at most `room` of them.
fn choices(sheet: &Sheet<'_>, room: usize, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let index = sheet.index.min(sheet.rows.len().saturating_sub(1));
    let first = index.saturating_sub(room / 2).min(sheet.rows.len().saturating_sub(room));
    let shown = sheet.rows.iter().enumerate().skip(first).take(room);
    let row = |(at, row): (usize, &String)| {
        let selected = at == index;
        let style = if selected { theme.selected(true) } else { theme.plain() };
        let caret = if selected { "> " } else { "  " };
        Line::styled(fit(&format!("{caret}{row}"), columns), style)
    };
    shown.map(row).collect()
}
