//! Opening a conversation, and fetching what its transcript misses.

use crate::effect::{Call, Effect};
use crate::state::row::ConversationId;
use crate::state::transcript::Page;
use crate::state::{Focus, Open, Scroll, State};

/// Shows a conversation at its end and gives it the keys.
pub(super) fn open(state: &mut State, id: &ConversationId, out: &mut Vec<Effect>) {
    state.focus = Focus::Conversation;
    if state.open.as_ref().is_some_and(|open| open.conversation == *id) {
        return;
    }
    let unread = state.desk.get(id).filter(|row| row.unread > 0 && row.staff_mark > 0);
    let unread_from = unread.map(|row| row.staff_mark + 1);
    state.open = Some(Open { conversation: id.clone(), scroll: Scroll::End, unread_from });
    state.transcripts.open(id);
    fetch_missing(state, out);
}

/// Fetches what the open transcript misses: its end, or a hole. Does nothing while a page is on its
/// way.
pub(super) fn fetch_missing(state: &mut State, out: &mut Vec<Effect>) {
    let Some(id) = state.open.as_ref().map(|open| open.conversation.clone()) else { return };
    let following = state.open.as_ref().is_some_and(|open| open.scroll == Scroll::End);
    let Some(transcript) = state.transcripts.get(&id) else { return };
    if !transcript.loaded || (following && !transcript.holds_end()) {
        fetch(state, &id, Page::Last, out);
    } else if let Some(seq) = transcript.hole() {
        fetch(state, &id, Page::After(seq), out);
    }
}

/// Asks for a page, unless one is on its way or the connection is lost.
pub(super) fn fetch(state: &mut State, id: &ConversationId, page: Page, out: &mut Vec<Effect>) {
    if !state.is_live() {
        return;
    }
    let Some(transcript) = state.transcripts.get_mut(id) else { return };
    if transcript.fetching.is_none() {
        transcript.fetching = Some(page);
        out.push(Effect::Call(Call::Messages { conversation: id.clone(), page }));
    }
}

/// Asks for every row.
pub(super) fn list(state: &State, out: &mut Vec<Effect>) {
    let mine = state.me.as_ref().map(|me| me.id.clone());
    out.push(Effect::Call(Call::List { generation: state.generation, mine }));
}
