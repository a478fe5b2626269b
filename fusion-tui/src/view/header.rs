//! The first and the last line of the screen: tabs or breadcrumb with the status, the banner of a
//! lost connection, and at the bottom a question, a toast or the keys that matter here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::put;
use super::theme::Theme;
use crate::keymap::Action;
use crate::state::desk::Tab;
use crate::state::editor::Editor;
use crate::state::{Connection, Focus, Overlay, State};
use crate::wrap::{fit, truncate};

/// What is said while the connection is lost.
pub(crate) const BANNER: &str = "Reconnecting. Your message is kept.";

/// Tabs (or where we are, on a narrow screen) and who is connected to what.
pub(super) fn draw_header(state: &State, area: Rect, buffer: &mut Buffer) {
    let theme = Theme::new(state.colour);
    let width = usize::from(area.width);
    let left = if area.width < super::layout::MEDIUM && state.open.is_some() {
        vec![Span::styled(breadcrumb(state), theme.bold())]
    } else {
        tabs(state, width, theme)
    };
    let left_width: usize = left.iter().map(|span| span.content.width()).sum();
    put(buffer, area, 0, &Line::from(left));
    let style = match state.connection {
        Connection::Live => theme.good(),
        Connection::Connecting => theme.dim(),
        Connection::Lost | Connection::Refused(_) => theme.bad(),
    };
    for status in statuses(state) {
        if left_width + 1 + status.width() <= width {
            let start = width - status.width();
            let right = Rect {
                x: area.x.saturating_add(u16::try_from(start).unwrap_or(u16::MAX)),
                width: u16::try_from(status.width()).unwrap_or(0),
                ..area
            };
            put(buffer, right, 0, &Line::styled(status, style));
            return;
        }
    }
}

/// Whether the connection is lost, in words that fit any width.
pub(super) fn draw_banner(state: &State, area: Rect, buffer: &mut Buffer) {
    let theme = Theme::new(state.colour);
    let text = match &state.connection {
        Connection::Refused(reason) => format!("Not connected: {reason}"),
        Connection::Lost => BANNER.to_owned(),
        Connection::Connecting | Connection::Live => return,
    };
    put(buffer, area, 0, &Line::styled(fit(&text, usize::from(area.width)), theme.bad()));
}

/// A question, a toast, or the keys; returns the cursor's place while something is typed here.
pub(super) fn draw_footer(state: &State, area: Rect, buffer: &mut Buffer) -> Option<(u16, u16)> {
    let theme = Theme::new(state.colour);
    let width = usize::from(area.width);
    match &state.overlay {
        Some(Overlay::Filter(text)) => return draw_prompt("filter: ", text, area, buffer),
        Some(Overlay::Reason { text, .. }) => {
            return draw_prompt("why escalate (may stay empty): ", text, area, buffer);
        }
        Some(Overlay::Quit) => {
            let text = "Something is unsent; it is kept on disk. Quit? y / n";
            put(buffer, area, 0, &Line::styled(fit(text, width), theme.bad()));
            return None;
        }
        Some(Overlay::Help { .. } | Overlay::Dialog(_) | Overlay::Palette(_)) | None => {}
    }
    if let Some(toast) = state.toasts.back() {
        let style = if toast.bad { theme.bad() } else { theme.bold() };
        let mark = if toast.bad { "! " } else { "" };
        put(buffer, area, 0, &Line::styled(fit(&format!("{mark}{}", toast.text), width), style));
        return None;
    }
    put(buffer, area, 0, &Line::styled(truncate(&hints(state), width), theme.dim()));
    None
}

fn draw_prompt(label: &str, text: &Editor, area: Rect, buffer: &mut Buffer) -> Option<(u16, u16)> {
    let width = usize::from(area.width);
    let before = text.text().get(..text.cursor()).unwrap_or_default();
    let column = label.width() + before.width();
    // A long text is scrolled so that the cursor stays on the screen.
    let hidden = (column + 1).saturating_sub(width);
    let whole = format!("{label}{}", text.text());
    put(buffer, area, 0, &Line::raw(skip_columns(&whole, hidden)));
    let x = u16::try_from(column.saturating_sub(hidden)).ok()?;
    (!area.is_empty()).then_some((area.x.saturating_add(x), area.y))
}

/// The text without its first `columns` columns.
pub(super) fn skip_columns(text: &str, columns: usize) -> String {
    let mut skipped = 0;
    let rest = text.char_indices().find(|(_, character)| {
        let here = skipped >= columns;
        skipped += unicode_width::UnicodeWidthChar::width(*character).unwrap_or(0);
        here
    });
    rest.and_then(|(at, _)| text.get(at..)).unwrap_or_default().to_owned()
}

/// Below this width only the tab shown has its name.
const NAMES_WIDTH_MIN: usize = 36;

fn tabs(state: &State, width: usize, theme: Theme) -> Vec<Span<'static>> {
    let short = width < usize::from(super::layout::MEDIUM);
    let unread = state.desk.unread_mine();
    let mut spans = Vec::new();
    for tab in Tab::ALL {
        let count = state.desk.count(tab);
        let title = if short && tab == Tab::All { "Open" } else { tab.title() };
        let badge = match unread {
            1.. if tab == Tab::Mine && short => "*".to_owned(),
            1.. if tab == Tab::Mine => format!(" ({unread} new)"),
            _ => String::new(),
        };
        let shown = state.desk.tab() == tab;
        let text = if shown {
            format!("[{title} {count}{badge}]")
        } else if width < NAMES_WIDTH_MIN {
            format!(" {}", tab.index() + 1)
        } else {
            format!(" {title} {count}{badge} ")
        };
        let style = if shown { theme.active() } else { theme.plain() };
        spans.push(Span::styled(text, style));
    }
    spans
}

fn breadcrumb(state: &State) -> String {
    let tab = state.desk.tab().title();
    let row = state.open.as_ref().and_then(|open| state.desk.get(&open.conversation));
    match row {
        Some(row) if state.focus != Focus::List => {
            format!("{tab} > #{} {}", row.number, row.visitor)
        }
        Some(row) => format!("{tab} (#{} open)", row.number),
        None => tab.to_owned(),
    }
}

/// The status, from the fullest form to the shortest.
fn statuses(state: &State) -> Vec<String> {
    let connection = match state.connection {
        Connection::Live => "live",
        Connection::Connecting => "connecting",
        Connection::Lost => "lost",
        Connection::Refused(_) => "refused",
    };
    let mut forms = Vec::new();
    if let Some(me) = &state.me {
        let availability = me.availability.word();
        forms.push(format!("{} · {} · {availability} · {connection}", me.organization, me.name));
        forms.push(format!("{} · {availability} · {connection}", me.name));
        forms.push(format!("{} · {connection}", me.name));
    }
    forms.push(connection.to_owned());
    forms
}

fn hints(state: &State) -> String {
    if !state.chord.is_empty() {
        let keys: Vec<String> = state.chord.iter().map(ToString::to_string).collect();
        return format!("{} …", keys.join(" "));
    }
    let actions: &[(Action, &str)] = match state.focus {
        Focus::List => &[
            (Action::Claim, "claim"),
            (Action::ClaimNext, "claim next"),
            (Action::Open, "open"),
            (Action::Reply, "reply"),
            (Action::Filter, "filter"),
            (Action::NextUnread, "unread"),
            (Action::Help, "keys"),
            (Action::Back, "quit"),
        ],
        Focus::Conversation => &[
            (Action::Reply, "reply"),
            (Action::Note, "note"),
            (Action::Claim, "claim"),
            (Action::Resolve, "resolve"),
            (Action::Release, "let go"),
            (Action::HandBack, "hand back"),
            (Action::Help, "keys"),
            (Action::Back, "back"),
        ],
        Focus::Composer => &[
            (Action::Send, "send"),
            (Action::Newline, "new line"),
            (Action::ToggleNote, "reply or note"),
            (Action::Leave, "leave, keep the draft"),
        ],
    };
    let hints: Vec<String> = actions
        .iter()
        .map(|(action, word)| format!("{} {word}", state.keymap.key_of(*action)))
        .collect();
    hints.join("  ")
}
