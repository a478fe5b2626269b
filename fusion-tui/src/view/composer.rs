//! The composer: reply and note differ in border, title, prompt and style, so that nobody writes
//! the one taking it for the other. Nothing is ever drawn over it but the help.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Widget};
use unicode_width::UnicodeWidthStr;

use super::layout::{Plan, composer_has_border, planned_text_width};
use super::put;
use super::theme::Theme;
use crate::state::composer::Composer;
use crate::state::outbox::Kind;
use crate::state::{Focus, State};
use crate::update::compose::MESSAGE_CHARS_MAX;
use crate::wrap::wrap;

/// From this many characters on, the count is shown.
const COUNT_FROM: usize = MESSAGE_CHARS_MAX / 10 * 9;

/// Draws the composer; returns the cursor's place while it has the keys.
pub(super) fn draw(state: &State, plan: &Plan, buffer: &mut Buffer) -> Option<(u16, u16)> {
    let open = state.open.as_ref()?;
    let area = plan.composer;
    if area.is_empty() {
        return None;
    }
    let theme = Theme::new(state.colour);
    let blank = Composer::default();
    let composer = state.composers.get(&open.conversation).unwrap_or(&blank);
    let composing = state.focus == Focus::Composer;
    let (prompt, style) = match composer.kind {
        Kind::Reply => ("> ", if composing { theme.bold() } else { theme.dim() }),
        Kind::Note => ("# ", theme.note()),
    };
    let inner = if composer_has_border(plan) {
        let border = match composer.kind {
            Kind::Reply => BorderType::Plain,
            Kind::Note => BorderType::Double,
        };
        let title = title(composer, composing);
        let block = Block::bordered().border_type(border).border_style(style).title(title);
        let inner = block.inner(area);
        block.render(area, buffer);
        inner
    } else {
        area
    };
    draw_text(composer, inner, planned_text_width(plan), (prompt, style), buffer)
        .filter(|_| composing)
}

fn title(composer: &Composer, composing: bool) -> String {
    let chars = composer.editor.text().chars().count();
    let count = if chars >= COUNT_FROM {
        format!(" {chars} of {MESSAGE_CHARS_MAX} characters")
    } else {
        String::new()
    };
    let what = match (composer.kind, composing) {
        (Kind::Reply, true) => "Reply to the visitor",
        (Kind::Reply, false) => "Draft of a reply",
        (Kind::Note, true) => "NOTE for staff only",
        (Kind::Note, false) => "Draft of a NOTE for staff only",
    };
    format!(" {what}{count} ")
}

fn draw_text(
    composer: &Composer,
    area: Rect,
    width: usize,
    (prompt, style): (&str, ratatui::style::Style),
    buffer: &mut Buffer,
) -> Option<(u16, u16)> {
    if area.is_empty() {
        return None;
    }
    let text = composer.editor.text();
    let rows = wrap(text, width);
    let (cursor_row, cursor_column) = composer.editor.place(width);
    let height = usize::from(area.height);
    // The window follows the cursor.
    let first = (cursor_row + 1).saturating_sub(height);
    for (row, range) in rows.into_iter().skip(first).take(height).enumerate() {
        let lead = if first + row == 0 { prompt } else { "  " };
        let line = Line::from(vec![
            Span::styled(lead.to_owned(), style),
            Span::raw(text[range].to_owned()),
        ]);
        put(buffer, area, u16::try_from(row).unwrap_or(u16::MAX), &line);
    }
    let column = u16::try_from(prompt.width() + cursor_column).ok()?;
    let row = u16::try_from(cursor_row - first).ok()?;
    let x = area.x.saturating_add(column).min(area.right().saturating_sub(1));
    Some((x, area.y.saturating_add(row)))
}
