//! The help: every binding of the live keymap, searchable by typing.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Widget};
use unicode_width::UnicodeWidthStr;

use super::put;
use super::theme::Theme;
use crate::keymap::Binding;
use crate::state::State;
use crate::state::editor::Editor;

/// The widest the help gets.
const WIDTH_MAX: u16 = 76;

/// Draws the help over the screen; returns the cursor's place in the search.
pub(super) fn draw(
    state: &State,
    search: &Editor,
    scroll: usize,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<(u16, u16)> {
    let theme = Theme::new(state.colour);
    let width = area.width.min(WIDTH_MAX);
    let outer = Rect { x: area.x + (area.width - width) / 2, width, ..area };
    Clear.render(outer, buffer);
    let inner = if area.height >= 5 {
        let block = Block::bordered().title(" Keys ").title_bottom(" Esc closes ");
        let inner = block.inner(outer);
        block.render(outer, buffer);
        inner
    } else {
        outer
    };
    if inner.is_empty() {
        return None;
    }
    let label = "search: ";
    put(buffer, inner, 0, &Line::styled(format!("{label}{}", search.text()), theme.bold()));
    let found = matching(state, search.text());
    let rows = usize::from(inner.height.saturating_sub(1));
    let first = scroll.min(found.len().saturating_sub(rows));
    for (row, binding) in found.iter().skip(first).take(rows).enumerate() {
        let text = format!(
            "{:<12} {:<46} {}",
            binding.keys_text(),
            binding.action.help(),
            binding.context.word()
        );
        put(buffer, inner, u16::try_from(row + 1).unwrap_or(u16::MAX), &Line::raw(text));
    }
    if found.is_empty() {
        put(buffer, inner, 1, &Line::styled("no key does that", theme.dim()));
    }
    let before = search.text().get(..search.cursor()).unwrap_or_default();
    let column = u16::try_from(label.width() + before.width()).ok()?;
    Some((inner.x.saturating_add(column).min(inner.right() - 1), inner.y))
}

fn matching<'a>(state: &'a State, search: &str) -> Vec<&'a Binding> {
    let wanted = search.to_lowercase();
    let all = state.keymap.bindings().iter();
    all.filter(|binding| {
        let help = binding.action.help().to_lowercase();
        help.contains(&wanted)
            || binding.keys_text().to_lowercase().contains(&wanted)
            || binding.context.word().contains(&wanted)
    })
    .collect()
}
