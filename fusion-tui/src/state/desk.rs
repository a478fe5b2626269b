//! The board: every conversation row in memory, the four tabs over them, the filter and the cursor.
//! A row is replaced only by a newer one; the cursor follows its row, never a place on the screen.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::row::{Conversation, ConversationId, Priority, Status, UserId};

/// The most rows kept; past it the rows longest done go first.
pub(crate) const ROWS_MAX: usize = 2_000;
/// A key that acts on a row is ignored this long after the cursor was moved by somebody else's
/// doing, in milliseconds: the hand aimed at the row before.
pub(crate) const SETTLE_MS: i64 = 400;

/// The tabs of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    Waiting,
    Mine,
    All,
    Done,
}

impl Tab {
    /// In the order of the screen and of the keys 1 to 4.
    pub(crate) const ALL: [Self; 4] = [Self::Waiting, Self::Mine, Self::All, Self::Done];

    /// The tab's title.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Mine => "Mine",
            Self::All => "All open",
            Self::Done => "Done",
        }
    }

    /// Its place on the screen, from 0.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Waiting => 0,
            Self::Mine => 1,
            Self::All => 2,
            Self::Done => 3,
        }
    }

    fn holds(self, row: &Conversation, me: Option<&UserId>) -> bool {
        match self {
            Self::Waiting => row.status == Status::Escalated,
            Self::Mine => me.is_some_and(|me| row.is_assigned_to(me)),
            Self::All => row.status != Status::Resolved,
            Self::Done => row.status == Status::Resolved,
        }
    }
}

/// A tab's cursor: the row, and the place it had, for when the row is gone.
#[derive(Clone, Debug, Default)]
struct Cursor {
    selected: Option<ConversationId>,
    index: usize,
}

/// The rows and what is shown of them.
#[derive(Debug)]
pub(crate) struct Desk {
    rows: HashMap<ConversationId, Conversation>,
    me: Option<UserId>,
    tab: Tab,
    filter: String,
    cursors: [Cursor; 4],
    order: Vec<ConversationId>,
    counts: [usize; 4],
    unread_mine: usize,
    /// When the cursor last moved without a key.
    slipped_at: Option<i64>,
    /// The filter was changed since the last order: whatever moves now was asked for.
    refiltered: bool,
    dirty: bool,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            me: None,
            tab: Tab::Waiting,
            filter: String::new(),
            cursors: Default::default(),
            order: Vec::new(),
            counts: [0; 4],
            unread_mine: 0,
            slipped_at: None,
            refiltered: false,
            dirty: false,
        }
    }
}

impl Desk {
    /// Takes a row if it is newer than the one here; says whether it was.
    pub(crate) fn apply(&mut self, row: Conversation) -> bool {
        if self.rows.get(&row.id).is_some_and(|known| known.position >= row.position) {
            return false;
        }
        self.rows.insert(row.id.clone(), row);
        self.dirty = true;
        true
    }

    /// Makes every row older than anything that comes: a list follows, and [`Desk::sweep`] after
    /// it.
    pub(crate) fn expire(&mut self) {
        for row in self.rows.values_mut() {
            row.position = 0;
        }
    }

    /// Forgets the rows that the list did not name again.
    pub(crate) fn sweep(&mut self) {
        self.rows.retain(|_, row| row.position > 0);
        self.dirty = true;
    }

    /// Says who "mine" is.
    pub(crate) fn set_me(&mut self, me: UserId) {
        self.me = Some(me);
        self.dirty = true;
    }

    /// The row of a conversation.
    pub(crate) fn get(&self, id: &ConversationId) -> Option<&Conversation> {
        self.rows.get(id)
    }

    /// Notes that everything up to `seq` has been read here.
    pub(crate) fn mark_read(&mut self, id: &ConversationId, seq: u64) {
        if let Some(row) = self.rows.get_mut(id)
            && seq > row.staff_mark
        {
            row.staff_mark = seq;
            row.unread = 0;
            self.dirty = true;
        }
    }

    /// The tab shown.
    pub(crate) fn tab(&self) -> Tab {
        self.tab
    }

    /// Shows another tab.
    pub(crate) fn set_tab(&mut self, tab: Tab) {
        self.tab = tab;
        self.slipped_at = None;
        self.dirty = true;
    }

    /// The filter in force; empty: none.
    pub(crate) fn filter(&self) -> &str {
        &self.filter
    }

    /// Shows only rows that contain `filter`, in any case of letters.
    pub(crate) fn set_filter(&mut self, filter: &str) {
        self.filter = filter.to_lowercase();
        self.refiltered = true;
        self.dirty = true;
    }

    /// The rows of the tab shown, in order.
    pub(crate) fn order(&self) -> &[ConversationId] {
        &self.order
    }

    /// How many rows a tab has, the filter aside.
    pub(crate) fn count(&self, tab: Tab) -> usize {
        self.counts[tab.index()]
    }

    /// How many of my conversations have unread messages.
    pub(crate) fn unread_mine(&self) -> usize {
        self.unread_mine
    }

    /// The cursor's place in [`Desk::order`].
    pub(crate) fn index(&self) -> usize {
        self.cursors[self.tab.index()].index
    }

    /// The row under the cursor.
    pub(crate) fn selected(&self) -> Option<&ConversationId> {
        self.order.get(self.index())
    }

    /// Moves the cursor to a place, as near as there is one.
    pub(crate) fn select_index(&mut self, index: usize) {
        let index = index.min(self.order.len().saturating_sub(1));
        let selected = self.order.get(index).cloned();
        self.slipped_at = None;
        self.cursors[self.tab.index()] = Cursor { selected, index };
    }

    /// Moves the cursor to a row, if the tab shows it.
    pub(crate) fn select(&mut self, id: &ConversationId) {
        if let Some(index) = self.order.iter().position(|row| row == id) {
            self.select_index(index);
        }
    }

    /// True if the row under the cursor is not the one the hand aimed at.
    pub(crate) fn has_slipped(&self, now: i64) -> bool {
        self.slipped_at.is_some_and(|at| now < at + SETTLE_MS)
    }

    /// The conversation that waits longest, whatever is shown; `except` and what is offered to a
    /// colleague aside.
    pub(crate) fn longest_waiting(&self, except: &[ConversationId]) -> Option<&ConversationId> {
        let waiting = self.rows.values().filter(|row| row.status == Status::Escalated);
        let offered = |row: &&Conversation| row.is_offered_past(self.me.as_ref());
        let open = waiting.filter(|row| !except.contains(&row.id) && !offered(row));
        open.min_by_key(|row| waiting_key(row)).map(|row| &row.id)
    }

    /// The next of my conversations with unread messages, `except` aside.
    pub(crate) fn next_unread(&self, except: Option<&ConversationId>) -> Option<&ConversationId> {
        let me = self.me.as_ref()?;
        let mine = self.rows.values().filter(|row| row.is_assigned_to(me) && row.unread > 0);
        mine.filter(|row| Some(&row.id) != except)
            .min_by_key(|row| mine_key(row))
            .map(|row| &row.id)
    }

    /// True if a row shown has a waiting time that ticks.
    pub(crate) fn shows_waiting(&self) -> bool {
        let mut shown = self.order.iter().filter_map(|id| self.rows.get(id));
        shown.any(|row| row.waiting_since.is_some())
    }

    /// Orders the tab again if anything changed; the cursor stays on its row, or takes the place of
    /// a row that left.
    pub(crate) fn refresh(&mut self, now: i64) {
        if !self.dirty {
            return;
        }
        self.dirty = false;
        let refiltered = std::mem::take(&mut self.refiltered);
        self.evict();
        self.count_tabs();
        self.order = self.ordered();
        let cursor = &mut self.cursors[self.tab.index()];
        let followed =
            cursor.selected.as_ref().and_then(|id| self.order.iter().position(|row| row == id));
        match followed {
            Some(index) => cursor.index = index,
            None => {
                let had = cursor.selected.is_some();
                cursor.index = cursor.index.min(self.order.len().saturating_sub(1));
                cursor.selected = self.order.get(cursor.index).cloned();
                if had && !refiltered {
                    self.slipped_at = Some(now);
                }
            }
        }
    }

    fn count_tabs(&mut self) {
        for tab in Tab::ALL {
            let held = self.rows.values().filter(|row| tab.holds(row, self.me.as_ref()));
            self.counts[tab.index()] = held.count();
        }
        let mine = self.rows.values().filter(|row| Tab::Mine.holds(row, self.me.as_ref()));
        self.unread_mine = mine.filter(|row| row.unread > 0).count();
    }

    fn ordered(&self) -> Vec<ConversationId> {
        let held = self.rows.values().filter(|row| self.tab.holds(row, self.me.as_ref()));
        let mut shown: Vec<&Conversation> =
            held.filter(|row| matches_filter(row, &self.filter)).collect();
        match self.tab {
            Tab::Waiting => shown.sort_by_key(|row| waiting_key(row)),
            Tab::Mine => shown.sort_by_key(|row| mine_key(row)),
            Tab::All | Tab::Done => {
                shown.sort_by_key(|row| (Reverse(row.updated_at), Reverse(row.number)));
            }
        }
        shown.into_iter().map(|row| row.id.clone()).collect()
    }

    fn evict(&mut self) {
        let excess = self.rows.len().saturating_sub(ROWS_MAX);
        if excess == 0 {
            return;
        }
        let me = self.me.clone();
        let mut by_worth: Vec<(u8, i64, ConversationId)> = self
            .rows
            .values()
            .map(|row| {
                let mine = me.as_ref().is_some_and(|me| row.is_assigned_to(me));
                let worth = match row.status {
                    Status::Open if mine => 3,
                    Status::Escalated => 2,
                    Status::Open => 1,
                    Status::Resolved => 0,
                };
                (worth, row.updated_at, row.id.clone())
            })
            .collect();
        by_worth.sort();
        for (_, _, id) in by_worth.into_iter().take(excess) {
            self.rows.remove(&id);
        }
    }
}

fn waiting_key(row: &Conversation) -> (Priority, i64, u64) {
    (row.priority, row.waiting_since.unwrap_or(i64::MAX), row.number)
}

/// Who waits for my answer first, longest first; then by the latest change.
fn mine_key(row: &Conversation) -> (i64, Reverse<i64>, u64) {
    (row.waiting_since.unwrap_or(i64::MAX), Reverse(row.updated_at), row.number)
}

fn matches_filter(row: &Conversation, filter: &str) -> bool {
    if filter.is_empty() {
        return true;
    }
    let number = format!("#{}", row.number);
    let texts = [&row.visitor, &row.last_line, &row.inbox, &row.assignee_name, &row.reason];
    number.contains(filter)
        || row.priority.word().contains(filter)
        || row.tags.iter().any(|tag| tag.as_str().contains(filter))
        || texts.iter().any(|text| text.as_str().to_lowercase().contains(filter))
}
