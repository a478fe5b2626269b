//! The live stream: connection, rows, changes, typing. A row is replaced only by a newer one, a
//! message is taken once, and a hole in a transcript is fetched, whatever the order in which pages
//! and changes arrive.

use super::open;
use crate::effect::Effect;
use crate::event::{Change, OfferEnd, Problem};
use crate::keymap::Action;
use crate::state::answer::AnswerPart;
use crate::state::row::{Conversation, ConversationId, Entry, Handler, Sender, Status};
use crate::state::{Connection, Me, State, TYPING_MS, Typist};
use crate::text::SafeText;

/// How long to wait before reading again after a failed read, in milliseconds.
pub(super) const READ_RETRY_MS: i64 = 2_000;
/// How often the bell rings at most, in milliseconds.
const BELL_EVERY_MS: i64 = 20_000;
/// The most typists remembered.
const TYPISTS_MAX: usize = 64;

pub(super) fn signed_in(state: &mut State, me: Me, out: &mut Vec<Effect>) {
    state.desk.set_me(me.id.clone());
    if state.me.is_none() {
        out.push(Effect::LoadDrafts(me.id.clone()));
    }
    state.me = Some(me);
}

pub(super) fn connected(state: &mut State, resumed: bool, out: &mut Vec<Effect>) {
    state.connection = Connection::Live;
    state.outbox.hasten();
    if !resumed {
        // Nothing says what was missed before this moment: everything is read again.
        state.generation += 1;
        state.listed = false;
        state.desk.expire();
        state.transcripts.clear();
        if let Some(open) = &state.open {
            let id = open.conversation.clone();
            state.transcripts.open(&id);
        }
    }
    if !state.listed {
        open::list(state, out);
    }
    open::fetch_missing(state, out);
}

pub(super) fn lost(state: &mut State) {
    if !matches!(state.connection, Connection::Refused(_)) {
        state.connection = Connection::Lost;
    }
    state.typing.clear();
    state.answers.clear();
    state.transcripts.give_up_fetches();
}

pub(super) fn refused(state: &mut State, reason: SafeText) {
    state.connection = Connection::Refused(reason);
    state.typing.clear();
    state.answers.clear();
}

/// The stream could not be resumed. The connection that follows comes without `resumed`.
pub(super) fn reset(state: &mut State) {
    state.listed = false;
}

pub(super) fn rows(state: &mut State, generation: u64, rows: Vec<Conversation>) {
    if generation == state.generation {
        for row in rows {
            state.desk.apply(row);
        }
    }
}

pub(super) fn listed(state: &mut State, generation: u64, result: Result<(), Problem>) {
    if generation != state.generation {
        return;
    }
    match result {
        Ok(()) => {
            state.listed = true;
            state.desk.sweep();
        }
        Err(problem) => {
            state.read_retry_at = Some(state.now + READ_RETRY_MS);
            if !problem.transient {
                state.toast_bad(&format!("The list could not be read: {}", problem.text()));
            }
        }
    }
}

pub(super) fn change(state: &mut State, change: Change, out: &mut Vec<Effect>) {
    if let Some(user) = change.user {
        take_user(state, &user);
    }
    if let Some(end) = change.offer_end {
        offer_ended(state, &end, out);
    }
    if let Some(row) = change.conversation {
        notice(state, &row, out);
        if row.handler != Handler::Assistant {
            state.answers.end(&row.id);
        }
        state.desk.apply(row);
    }
    if let Some((id, entry)) = change.entry {
        take_entry(state, &id, entry, out);
    }
}

/// Takes a live entry into its transcript, and whatever it settles: our own message, somebody's
/// typing.
pub(super) fn take_entry(
    state: &mut State,
    id: &ConversationId,
    entry: Entry,
    out: &mut Vec<Effect>,
) {
    if !entry.client_id().is_empty() && state.outbox.remove(entry.client_id()).is_some() {
        state.composers.touch(id);
    }
    if let Entry::Message(message) = &entry {
        // It is the answer's own, or the conversation has moved on.
        state.answers.end(id);
        state.typing.retain(|typist| {
            typist.conversation != *id
                || typist.sender != message.sender
                || (message.sender == Sender::Agent && typist.user != message.sender_id)
        });
    }
    if let Some(transcript) = state.transcripts.get_mut(id) {
        transcript.add(entry);
    }
    if state.open.as_ref().is_some_and(|open| open.conversation == *id) {
        open::fetch_missing(state, out);
    }
}

pub(super) fn typing(state: &mut State, mut typist: Typist) {
    if state.me.as_ref().is_some_and(|me| typist.sender == Sender::Agent && me.id == typist.user) {
        return;
    }
    typist.until = state.now + TYPING_MS;
    state.typing.retain(|known| {
        known.conversation != typist.conversation
            || known.sender != typist.sender
            || known.user != typist.user
    });
    if state.typing.len() < TYPISTS_MAX {
        state.typing.push(typist);
    }
}

pub(super) fn answer(state: &mut State, part: AnswerPart) {
    state.typing.retain(|typist| {
        typist.conversation != part.conversation || typist.sender != Sender::Assistant
    });
    state.answers.take(part, state.now);
}

fn take_user(state: &mut State, user: &Me) {
    if let Some(me) = state.me.as_mut().filter(|me| me.id == user.id) {
        me.availability = user.availability;
    }
}

/// Says what a changed row means for the person here: somebody took a conversation, somebody waits.
fn notice(state: &mut State, row: &Conversation, out: &mut Vec<Effect>) {
    let Some(me) = state.me.as_ref().map(|me| me.id.clone()) else { return };
    let before = state.desk.get(&row.id).cloned();
    if before.as_ref().is_some_and(|known| known.position >= row.position) {
        return;
    }
    let was_mine = before.as_ref().is_some_and(|known| known.is_assigned_to(&me));
    let taken = row.status == Status::Open && row.assignee.as_ref().is_some_and(|to| *to != me);
    if was_mine && taken {
        let text = format!("{} took #{}", row.assignee_name, row.number);
        state.toast_bad(&text);
    }
    let offered =
        row.is_offered_to(&me) && !before.as_ref().is_some_and(|it| it.is_offered_to(&me));
    if let Some(offer) = row.offer.as_ref().filter(|offer| offered && offer.by != me) {
        let (claim, decline) = (Action::Claim, Action::Release);
        let (claim, decline) = (state.keymap.key_of(claim), state.keymap.key_of(decline));
        let by = if offer.by_name.is_empty() { "A colleague" } else { offer.by_name.as_str() };
        let text = format!("{by} gives you #{}: {claim} claims, {decline} declines", row.number);
        state.toast(&text);
    }
    let given =
        before.as_ref().is_some_and(|known| known.offer.as_ref().is_some_and(|it| it.by == me));
    if given && taken {
        state.toast(&format!("{} has #{} now", row.assignee_name, row.number));
    }
    let waited = before.as_ref().is_some_and(|known| known.status == Status::Escalated);
    let new_in_queue = row.status == Status::Escalated && !waited;
    let unread_before = before.map_or(0, |known| known.unread);
    let new_in_mine = row.is_assigned_to(&me) && row.unread > unread_before;
    if new_in_queue || new_in_mine || offered {
        ring(state, out);
    }
}

/// Rings, unless the terminal is looked at or it rang a moment ago.
fn ring(state: &mut State, out: &mut Vec<Effect>) {
    if !state.focused && state.now - state.rang_at >= BELL_EVERY_MS {
        state.rang_at = state.now;
        out.push(Effect::Bell);
    }
}

/// Tells the giver that nobody took what they gave away, and why.
fn offer_ended(state: &mut State, end: &OfferEnd, out: &mut Vec<Effect>) {
    let Some(me) = state.me.as_ref().map(|me| me.id.clone()) else { return };
    if end.given_by != me || end.declined_by.as_ref() == Some(&me) {
        return;
    }
    let known = state.desk.get(&end.conversation).and_then(|row| row.offer.as_ref());
    let asked = known.map(|offer| offer.name.clone()).filter(|name| !name.is_empty());
    let (name, what) = match end.declined_by {
        Some(_) => (Some(end.decliner.clone()).filter(|name| !name.is_empty()), "declined"),
        None => (asked, "did not take"),
    };
    let who = name.map_or_else(|| "Your colleague".to_owned(), |name| name.to_string());
    state.toast_bad(&format!("{who} {what} #{}: it waits for everybody", end.number));
    ring(state, out);
}
