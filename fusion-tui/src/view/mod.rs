//! `view`: the state as cells. Pure: it reads the state, changes nothing and asks for nothing; and
//! it draws no more rows than the screen has.

mod composer;
mod conversation;
mod dialog;
pub(crate) mod entry;
mod header;
mod help;
pub(crate) mod layout;
mod list;
mod panel;
mod theme;
pub(crate) mod words;

#[cfg(test)]
mod view_test;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::state::{Overlay, State};

/// Draws the whole screen.
pub(crate) fn view(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.is_empty() {
        return;
    }
    let plan = layout::plan(state, area);
    let buffer = frame.buffer_mut();
    header::draw_header(state, plan.header, buffer);
    header::draw_banner(state, plan.banner, buffer);
    list::draw(state, plan.list, buffer);
    draw_divider(state, plan.divider, buffer);
    conversation::draw(state, &plan, buffer);
    panel::draw(state, plan.panel, buffer);
    let mut cursor = composer::draw(state, &plan, buffer);
    if let Some(at) = header::draw_footer(state, plan.footer, buffer) {
        cursor = Some(at);
    }
    if let Some(Overlay::Help { search, scroll }) = &state.overlay {
        cursor = help::draw(state, search, *scroll, area, buffer);
    }
    if let Some(sheet) = dialog::sheet(state) {
        cursor = dialog::draw(state, &sheet, area, buffer);
    }
    if let Some(at) = cursor.filter(|at| area.contains((*at).into())) {
        frame.set_cursor_position(at);
    }
}

fn draw_divider(state: &State, area: Rect, buffer: &mut Buffer) {
    let style = theme::Theme::new(state.colour).dim();
    for row in 0..area.height {
        put(buffer, area, row, &Line::styled("│", style));
    }
}

/// Draws one line in row `row` of `area`, cut at its edges; a row outside is not drawn.
fn put(buffer: &mut Buffer, area: Rect, row: u16, line: &Line<'_>) {
    let area = area.intersection(buffer.area);
    if row < area.height && area.width > 0 {
        buffer.set_line(area.x, area.y + row, line, area.width);
    }
}
