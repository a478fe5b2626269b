//! Moving: the cursor of the list, and the window over a transcript. A transcript is anchored to an
//! entry, not to a row of the screen, so that what is being read does not move when something
//! arrives.

use super::open;
use crate::effect::Effect;
use crate::keymap::Action;
use crate::state::row::Entry;
use crate::state::transcript::{Page, Transcript};
use crate::state::{Focus, Scroll, State};
use crate::view::{entry, layout};

/// Carries out a move in the pane that has the keys.
pub(super) fn run(state: &mut State, action: Action, out: &mut Vec<Effect>) {
    if state.focus == Focus::List {
        move_cursor(state, action);
    } else {
        move_transcript(state, action, out);
    }
}

/// After the window went to the end: fetch the end if it was dropped.
pub(super) fn follow(state: &mut State, out: &mut Vec<Effect>) {
    open::fetch_missing(state, out);
}

fn move_cursor(state: &mut State, action: Action) {
    let page = usize::from(state.size.1 / 2).max(1);
    let index = state.desk.index();
    let target = match direction(action) {
        Move::By { rows, down } => {
            let step = if rows == Rows::One { 1 } else { page };
            if down { index + step } else { index.saturating_sub(step) }
        }
        Move::Start => 0,
        Move::End => usize::MAX,
    };
    state.desk.select_index(target);
}

fn move_transcript(state: &mut State, action: Action, out: &mut Vec<Effect>) {
    let height = usize::from(layout::of(state).transcript.height).max(1);
    match direction(action) {
        Move::By { rows, down } => {
            let step = if rows == Rows::One { 1 } else { (height / 2).max(1) };
            if down { scroll_down(state, step, height) } else { scroll_up(state, step, height) }
        }
        Move::Start => scroll_up(state, usize::MAX, height),
        Move::End => set_scroll(state, Scroll::End),
    }
    if at_start(state, height)
        && let Some(id) = state.open.as_ref().map(|open| open.conversation.clone())
        && let Some(seq) =
            state.transcripts.get(&id).filter(|t| t.has_older()).and_then(Transcript::first_seq)
    {
        open::fetch(state, &id, Page::Before(seq), out);
    }
    follow(state, out);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    One,
    HalfPage,
}

enum Move {
    By { rows: Rows, down: bool },
    Start,
    End,
}

fn direction(action: Action) -> Move {
    if action == Action::First {
        return Move::Start;
    }
    if action == Action::Last {
        return Move::End;
    }
    let down = matches!(action, Action::Down | Action::HalfDown);
    let half = matches!(action, Action::HalfDown | Action::HalfUp);
    Move::By { rows: if half { Rows::HalfPage } else { Rows::One }, down }
}

/// A place in a transcript: the entry the last row of the window belongs to, and how many of its
/// rows are below.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    hidden: usize,
}

/// Measures entries only as far as a move reaches.
struct Walk<'a> {
    state: &'a State,
    entries: &'a [Entry],
    width: usize,
    window: usize,
}

impl<'a> Walk<'a> {
    fn new(state: &'a State, window: usize) -> Option<Self> {
        let open = state.open.as_ref()?;
        let entries = state.transcripts.get(&open.conversation)?.entries();
        let width = usize::from(layout::of(state).transcript.width);
        (!entries.is_empty()).then_some(Self { state, entries, width, window })
    }

    fn height(&self, index: usize) -> usize {
        self.entries.get(index).map_or(0, |row| entry::height(self.state, row, self.width))
    }

    fn place(&self, scroll: Scroll) -> Place {
        let last = self.entries.len() - 1;
        match scroll {
            Scroll::End => Place { index: last, hidden: 0 },
            Scroll::Above { position, hidden } => {
                let index = self.entries.partition_point(|row| row.position() < position);
                Place { index: index.min(last), hidden }
            }
        }
    }

    fn scroll(&self, place: Place) -> Scroll {
        if place.index + 1 >= self.entries.len() && place.hidden == 0 {
            return Scroll::End;
        }
        let position = self.entries.get(place.index).map_or(0, Entry::position);
        Scroll::Above { position, hidden: place.hidden }
    }

    fn up(&self, from: Place, step: usize) -> Place {
        let mut place = Place { hidden: from.hidden.saturating_add(step), ..from };
        loop {
            let height = self.height(place.index);
            if place.hidden < height {
                break;
            }
            if place.index == 0 {
                place.hidden = height.saturating_sub(1);
                break;
            }
            place.hidden -= height;
            place.index -= 1;
        }
        // Never past the start: the window stays full.
        let missing = self.window.saturating_sub(self.rows_above(place));
        self.down(place, missing)
    }

    fn down(&self, from: Place, mut step: usize) -> Place {
        let mut place = from;
        while step > place.hidden {
            if place.index + 1 >= self.entries.len() {
                return Place { hidden: 0, ..place };
            }
            step -= place.hidden;
            place.index += 1;
            place.hidden = self.height(place.index);
        }
        Place { hidden: place.hidden - step, ..place }
    }

    /// Rows from the start down to a place, counted no further than the window.
    fn rows_above(&self, place: Place) -> usize {
        let mut rows = self.height(place.index).saturating_sub(place.hidden);
        for index in (0..place.index).rev() {
            if rows >= self.window {
                break;
            }
            rows += self.height(index);
        }
        rows
    }

    /// True if the oldest entry is in the window, or just above it.
    fn is_at_start(&self, place: Place) -> bool {
        let mut rows = self.height(place.index).saturating_sub(place.hidden);
        let mut index = place.index;
        while index > 0 && rows <= self.window {
            index -= 1;
            rows += self.height(index);
        }
        index == 0 && rows <= self.window
    }
}

fn scroll_up(state: &mut State, step: usize, window: usize) {
    let Some(scroll) = state.open.as_ref().map(|open| open.scroll) else { return };
    let Some(walk) = Walk::new(state, window) else { return };
    let from = match step {
        // All the way: begin at the first entry instead of walking there.
        usize::MAX => Place { index: 0, hidden: 0 },
        _ => walk.place(scroll),
    };
    let target = walk.scroll(walk.up(from, step));
    set_scroll(state, target);
}

fn scroll_down(state: &mut State, step: usize, window: usize) {
    let Some(scroll) = state.open.as_ref().map(|open| open.scroll) else { return };
    let Some(walk) = Walk::new(state, window) else { return };
    let target = walk.scroll(walk.down(walk.place(scroll), step));
    set_scroll(state, target);
}

fn at_start(state: &State, window: usize) -> bool {
    let Some(open) = &state.open else { return false };
    Walk::new(state, window).is_some_and(|walk| walk.is_at_start(walk.place(open.scroll)))
}

fn set_scroll(state: &mut State, scroll: Scroll) {
    if let Some(open) = &mut state.open {
        open.scroll = scroll;
    }
}
