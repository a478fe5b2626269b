//! The side panel of a wide screen: facts about the conversation that is open, or under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::put;
use super::theme::Theme;
use super::words;
use crate::state::State;
use crate::state::row::{Conversation, Priority, Status};
use crate::text::SafeText;
use crate::wrap::wrap;

/// Draws the panel.
pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    if area.width < 4 {
        return;
    }
    let theme = Theme::new(state.colour);
    for row in 0..area.height {
        put(buffer, area, row, &Line::styled("│", theme.dim()));
    }
    let inner = Rect { x: area.x + 2, width: area.width - 2, ..area };
    let open = state.open.as_ref().map(|open| &open.conversation);
    let Some(row) = open.or(state.desk.selected()).and_then(|id| state.desk.get(id)) else {
        return;
    };
    let mut at = 0;
    for (name, value) in facts(state, row) {
        put(buffer, inner, at, &Line::styled(name, theme.dim()));
        at += 1;
        let width = usize::from(inner.width).saturating_sub(1).max(1);
        for range in wrap(&value, width) {
            put(buffer, inner, at, &Line::raw(format!(" {}", &value[range])));
            at = at.saturating_add(1);
        }
        if at >= inner.height {
            return;
        }
    }
}

fn facts(state: &State, row: &Conversation) -> Vec<(&'static str, String)> {
    let now = state.daemon_now();
    let mut facts = vec![
        ("visitor", row.visitor.to_string()),
        ("inbox", row.inbox.to_string()),
        ("state", words::state(row).to_owned()),
    ];
    if row.priority != Priority::Normal {
        facts.push(("priority", row.priority.word().to_owned()));
    }
    if !row.tags.is_empty() {
        let tags: Vec<&str> = row.tags.iter().map(SafeText::as_str).collect();
        facts.push(("tags", tags.join(" ")));
    }
    if let Some(offer) = &row.offer {
        facts.push(("offered to", offer.name.to_string()));
        facts.push(("given by", offer.by_name.to_string()));
    }
    if let Some(since) = row.waiting_since {
        facts.push(("waiting for", words::clock(now - since)));
    }
    if row.status == Status::Escalated && !row.reason.is_empty() {
        facts.push(("why", words::reason(row).into_owned()));
    }
    facts.push(("started", words::stamp(row.created_at, now, state.zone_ms)));
    facts.push(("last change", words::stamp(row.updated_at, now, state.zone_ms)));
    if !row.locale.is_empty() {
        facts.push(("language", row.locale.to_string()));
    }
    facts.push(("messages", row.last_seq.to_string()));
    if row.unread > 0 {
        facts.push(("unread", row.unread.to_string()));
    }
    facts
}
