//! Where everything is: a pure function of the size, of what is open and of how much is being
//! written. Both the view and `update` (for scrolling and for what counts as seen) ask it, so they
//! cannot disagree. Every area may be empty; none lies outside the screen.

use ratatui::layout::Rect;

use crate::state::{Connection, Focus, Open, State};
use crate::wrap::wrap;

/// From this width on, list, conversation and panel stand side by side.
pub(crate) const WIDE: u16 = 140;
/// From this width on, a narrow list stands beside the conversation.
pub(crate) const MEDIUM: u16 = 80;
/// The list beside a conversation.
const LIST_WIDTH: u16 = 30;
/// The list beside a conversation and a panel.
const LIST_WIDTH_WIDE: u16 = 44;
/// The panel about the visitor.
const PANEL_WIDTH: u16 = 32;
/// The most rows of text the composer shows.
const COMPOSER_ROWS_MAX: u16 = 6;
/// Below this height of the body the composer goes without its border.
const BORDER_HEIGHT_MIN: u16 = 7;

/// The areas of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) header: Rect,
    pub(crate) banner: Rect,
    pub(crate) list: Rect,
    /// The line that separates list and conversation.
    pub(crate) divider: Rect,
    /// The one line that names the conversation.
    pub(crate) title: Rect,
    pub(crate) transcript: Rect,
    pub(crate) composer: Rect,
    pub(crate) panel: Rect,
    pub(crate) footer: Rect,
}

/// The plan for the size the terminal last told.
pub(crate) fn of(state: &State) -> Plan {
    plan(state, Rect::new(0, 0, state.size.0, state.size.1))
}

/// The plan for an area.
pub(crate) fn plan(state: &State, area: Rect) -> Plan {
    let mut plan = Plan::default();
    let mut rest = area;
    // The smallest screens keep what matters most: the body, then the footer, then the header.
    if area.height >= 3 {
        plan.header = take_top(&mut rest, 1);
    }
    if area.height >= 2 {
        plan.footer = take_bottom(&mut rest, 1);
    }
    if shows_banner(state) && area.height >= 4 {
        plan.banner = take_top(&mut rest, 1);
    }
    let Some(open) = &state.open else {
        if area.width >= WIDE {
            plan.panel = take_right(&mut rest, PANEL_WIDTH);
        }
        plan.list = rest;
        return plan;
    };
    if area.width >= WIDE {
        plan.panel = take_right(&mut rest, PANEL_WIDTH);
        plan.list = take_left(&mut rest, LIST_WIDTH_WIDE);
        plan.divider = take_left(&mut rest, 1);
    } else if area.width >= MEDIUM {
        plan.list = take_left(&mut rest, LIST_WIDTH);
        plan.divider = take_left(&mut rest, 1);
    } else if state.focus == Focus::List {
        plan.list = rest;
        return plan;
    }
    conversation(state, open, rest, &mut plan);
    plan
}

fn conversation(state: &State, open: &Open, area: Rect, plan: &mut Plan) {
    let mut rest = area;
    let height = area.height;
    if height >= 4 {
        plan.title = take_top(&mut rest, 1);
    }
    let composing = state.focus == Focus::Composer;
    if composing || state.composers.has_draft(&open.conversation) {
        let bordered = has_border(height);
        let text_width = text_width(area.width, bordered);
        let text = state.composers.get(&open.conversation).map_or("", |c| c.editor.text());
        let rows = if composing { rows_shown(text, text_width) } else { 1 };
        let frame = if bordered { 2 } else { 0 };
        let most = (height / 2).max(1);
        plan.composer = take_bottom(&mut rest, (rows + frame).min(most));
    }
    plan.transcript = rest;
}

fn rows_shown(text: &str, width: usize) -> u16 {
    let rows = wrap(text, width).len().min(usize::from(COMPOSER_ROWS_MAX));
    u16::try_from(rows).unwrap_or(COMPOSER_ROWS_MAX)
}

fn has_border(height: u16) -> bool {
    height >= BORDER_HEIGHT_MIN
}

/// True if the composer of this plan is drawn with a border.
pub(crate) fn composer_has_border(plan: &Plan) -> bool {
    plan.composer.height >= 3
}

fn text_width(width: u16, bordered: bool) -> usize {
    // Two columns for the prompt, two for the border, one for the cursor behind the last character.
    usize::from(width).saturating_sub(if bordered { 5 } else { 3 }).max(1)
}

/// The width the composer's text is wrapped at.
pub(crate) fn composer_text_width(state: &State) -> usize {
    let plan = of(state);
    let bordered = composer_has_border(&plan);
    text_width(plan.composer.width, bordered)
}

/// The width of the text in a composer of this plan.
pub(crate) fn planned_text_width(plan: &Plan) -> usize {
    text_width(plan.composer.width, composer_has_border(plan))
}

fn shows_banner(state: &State) -> bool {
    match state.connection {
        Connection::Lost | Connection::Refused(_) => true,
        Connection::Connecting | Connection::Live => false,
    }
}

fn take_top(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    let taken = Rect { height, ..*rest };
    rest.y += height;
    rest.height -= height;
    taken
}

fn take_bottom(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    rest.height -= height;
    Rect { y: rest.y + rest.height, height, ..*rest }
}

fn take_left(rest: &mut Rect, width: u16) -> Rect {
    let width = width.min(rest.width);
    let taken = Rect { width, ..*rest };
    rest.x += width;
    rest.width -= width;
    taken
}

fn take_right(rest: &mut Rect, width: u16) -> Rect {
    let width = width.min(rest.width);
    rest.width -= width;
    Rect { x: rest.x + rest.width, width, ..*rest }
}
