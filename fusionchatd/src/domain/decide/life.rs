//! What time does to a conversation: a visitor's silence ends it, a test has its day.

use crate::domain::conversation::{Conversation, Handler, Resolution, Status};
use crate::domain::entry::EntryKind;
use crate::domain::event::Content;
use crate::domain::facts::Facts;
use crate::domain::rejection::Rejection;

use super::Decision;
use super::script::{Script, about};

/// The most entries a test conversation shows.
pub(super) const TEST_SEQ_MAX: u64 = 1_000;
/// The most notes it has.
pub(super) const TEST_NOTES_MAX: u64 = 200;

/// Refuses to let a test grow without end: it is deleted after a day, and until then it costs what others do.
pub(super) fn check_room(conversation: &Conversation) -> Result<(), Rejection> {
    let full = conversation.is_test() && conversation.last_seq >= TEST_SEQ_MAX;
    if full { Err(Rejection::TestFull) } else { Ok(()) }
}

/// The same for notes.
pub(super) fn check_notes(conversation: &Conversation) -> Result<(), Rejection> {
    let full = conversation.is_test() && conversation.test_notes >= TEST_NOTES_MAX;
    if full { Err(Rejection::TestFull) } else { Ok(()) }
}

/// The visitor has said nothing since the assistant or an agent did. One who waits for a person is never given up.
pub(super) fn silence(
    mut script: Script<'_>,
    facts: &Facts,
    turn: u64,
) -> Result<Decision, Rejection> {
    let mut conversation = facts.conversation.as_ref().ok_or(Rejection::NotFound)?.clone();
    let due = conversation.turn == turn
        && conversation.status == Status::Open
        && conversation.silence_due.is_some_and(|due| due <= script.moment.now);
    if !due {
        return Ok(script.finish(about(&conversation)));
    }
    let resolution = match conversation.handler {
        Handler::Agent if !conversation.silence_noticed => {
            let mut entry = script.entry(EntryKind::SilenceNoticed);
            entry.due = Some(script.no_reply_due());
            script.tell(&mut conversation, entry, &[], None);
            return Ok(script.finish(about(&conversation)));
        }
        Handler::Agent => Resolution::NoReply,
        Handler::Assistant | Handler::None => Resolution::Abandoned,
    };
    let mut entry = script.entry(EntryKind::Resolved);
    entry.code = resolution as u32;
    script.tell(&mut conversation, entry, &[("by", "silence".to_owned())], None);
    Ok(script.finish(about(&conversation)))
}

/// A test has had its day: nothing of it is left but its entries.
pub(super) fn expire(mut script: Script<'_>, facts: &Facts) -> Result<Decision, Rejection> {
    let conversation = facts.conversation.as_ref().ok_or(Rejection::NotFound)?;
    if conversation.expires_at.is_some_and(|at| at <= script.moment.now) {
        let mut entry = script.entry(EntryKind::ConversationDeleted);
        entry.conversation = Some(conversation.id);
        script.push(entry, Content::Deleted(Box::new(conversation.clone())));
    }
    Ok(script.finish(about(conversation)))
}
