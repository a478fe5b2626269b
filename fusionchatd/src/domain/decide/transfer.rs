//! Giving a conversation to one colleague: it is theirs to claim for a while, then everybody's.

use crate::domain::conversation::{Conversation, Offer};
use crate::domain::entry::EntryKind;
use crate::domain::event::Content;
use crate::domain::facts::Facts;
use crate::domain::id::UserId;
use crate::domain::rejection::Rejection;
use crate::domain::user::Role;

use super::script::{Script, about};
use super::staff::write_note;
use super::{Decision, Refs};

/// The assignee or an admin gives it to `to`, with a note if there is something to know.
pub(super) fn transfer(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    agent: UserId,
    to: UserId,
    note: Option<&str>,
) -> Result<Decision, Rejection> {
    let user = facts.user.as_ref().filter(|user| user.id == to && user.is_staff());
    let user = user.ok_or(Rejection::NotFound)?;
    if user.disabled_at.is_some() {
        return Err(Rejection::UserDisabled);
    }
    let inbox = facts.inbox.as_ref().ok_or(Rejection::NotFound)?;
    if user.role != Role::Admin && !inbox.has_member(to) {
        return Err(Rejection::NotMember);
    }
    if conversation.assignee == Some(to) {
        return Err(Rejection::Invalid {
            code: "bad_transfer",
            detail: "the conversation is theirs already".to_owned(),
        });
    }
    if let Some(note) = note {
        write_note(&mut script, &mut conversation, Some(agent), note, &[])?;
    }
    let kind = EntryKind::Transferred;
    script.escalate(&mut conversation, kind, "transferred", Some(to), facts.staffed);
    let subject = conversation.escalation.map(|it| it.0);
    Ok(script.finish(Refs { subject, ..about(&conversation) }))
}

/// The one it is offered to, or an admin, declines: it waits for everybody.
pub(super) fn decline(
    script: Script<'_>,
    facts: &Facts,
    conversation: Conversation,
    agent: UserId,
    admin: bool,
) -> Result<Decision, Rejection> {
    match conversation.offer {
        Some(offer) if offer.to != agent && !admin => {
            Err(Rejection::Offered { to: offer.to, until: offer.due })
        }
        Some(offer) => Ok(end(script, facts, conversation, offer, "declined")),
        None => Err(Rejection::NotAssigned),
    }
}

/// Nobody claimed it in time: it waits for everybody.
pub(super) fn expire(script: Script<'_>, facts: &Facts) -> Result<Decision, Rejection> {
    let conversation = facts.conversation.as_ref().ok_or(Rejection::NotFound)?.clone();
    match conversation.offer {
        Some(offer) if offer.due <= script.moment.now => {
            Ok(end(script, facts, conversation, offer, "expired"))
        }
        Some(_) | None => Ok(script.finish(about(&conversation))),
    }
}

/// The entry names who gave it, so that they can be told.
fn end(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    offer: Offer,
    how: &str,
) -> Decision {
    let mut entry = script.entry(EntryKind::OfferEnded);
    entry.subject = facts.escalation.as_ref().map(|it| it.id.0);
    entry.other = offer.from.map(|from| from.0);
    entry.detail = Some(how.to_owned());
    let mut escalation = facts.escalation.clone();
    if let Some(escalation) = &mut escalation {
        escalation.to = None;
    }
    script.push_in(&mut conversation, entry, Content::None, escalation);
    script.finish(about(&conversation))
}
