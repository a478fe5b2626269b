//! What visitors do: say something, ask for a person, end.

use crate::domain::command::Visitor;
use crate::domain::conversation::{
    CODE_TEST, Conversation, Handler, REOPEN_MS, Resolution, Status,
};
use crate::domain::entry::EntryKind;
use crate::domain::escalation::Outcome;
use crate::domain::event::Content;
use crate::domain::facts::Facts;
use crate::domain::id::ConversationId;
use crate::domain::inbox::{AssistantMode, Inbox};
use crate::domain::message::{SenderType, check_content};
use crate::domain::name;
use crate::domain::rejection::Rejection;
use crate::domain::user::{Availability, Credential, Role, User};

use super::assistant::NO_ASSISTANT;
use super::life::check_room;
use super::script::{Said, Script, about};
use super::staff::leave_to_others;
use super::{Decision, Refs};

/// A visitor's message starts, continues or reopens their conversation of the inbox.
pub(super) fn message(
    mut script: Script<'_>,
    facts: &Facts,
    visitor: &Visitor,
    only: Option<ConversationId>,
    content: &str,
) -> Result<Decision, Rejection> {
    check_content(content)?;
    if let Some(current) = &facts.conversation {
        check_room(current)?;
    }
    let inbox = facts.inbox.as_ref().ok_or(Rejection::NotFound)?;
    let current = theirs(facts, visitor, only)?;
    let mut conversation = match current {
        Some(conversation) if conversation.status != Status::Resolved => conversation.clone(),
        Some(conversation) if is_recent(&script, conversation) => {
            let mut conversation = conversation.clone();
            reopen(&mut script, facts, inbox, &mut conversation);
            conversation
        }
        earlier => start(&mut script, facts, inbox, visitor, earlier)?,
    };
    let said = Said {
        sender_type: SenderType::User,
        sender: Some(visitor.user),
        content,
        sources: &[],
        clarification: false,
    };
    let seq = script.say(&mut conversation, &said);
    // Also where the assistant was turned off, or to drafts, while it had the conversation: nobody else would answer.
    if conversation.handler == Handler::Assistant && inbox.assistant != AssistantMode::On {
        script.escalate(&mut conversation, EntryKind::Escalated, NO_ASSISTANT, None, facts.staffed);
    } else if facts.held_outside && conversation.handler == Handler::Agent {
        let kind = EntryKind::Released;
        script.escalate(&mut conversation, kind, "not_a_member", None, facts.staffed);
    }
    leave_to_others(&mut script, facts, &mut conversation);
    Ok(script.finish(Refs { seq: Some(seq), ..about(&conversation) }))
}

/// "Talk to a person": escalates; asking again changes nothing.
pub(super) fn wish(
    mut script: Script<'_>,
    facts: &Facts,
    visitor: &Visitor,
    only: Option<ConversationId>,
) -> Result<Decision, Rejection> {
    let current = theirs(facts, visitor, only)?.ok_or(Rejection::MessageFirst)?;
    let mut conversation = current.clone();
    match (conversation.status, conversation.handler) {
        (Status::Open, Handler::Assistant) => {
            script.escalate(
                &mut conversation,
                EntryKind::Escalated,
                "visitor_wish",
                None,
                facts.staffed,
            );
        }
        (Status::Resolved, _) if !is_recent(&script, &conversation) => {
            return Err(Rejection::MessageFirst);
        }
        (Status::Resolved, _) => {
            let preferred = conversation.last_agent;
            script.escalate(
                &mut conversation,
                EntryKind::Reopened,
                "visitor_wish",
                preferred,
                facts.staffed,
            );
        }
        (Status::Open | Status::Escalated, _) => {}
    }
    Ok(script.finish(about(&conversation)))
}

/// The visitor ends the conversation, because it helped or not; ending what is done changes nothing.
pub(super) fn end(
    mut script: Script<'_>,
    facts: &Facts,
    visitor: &Visitor,
    only: Option<ConversationId>,
    confirmed: bool,
) -> Result<Decision, Rejection> {
    let current = theirs(facts, visitor, only)?.ok_or(Rejection::NotFound)?;
    let mut conversation = current.clone();
    if conversation.status != Status::Resolved {
        let ended = script.ended(facts.escalation.as_ref(), Outcome::Resolved, None);
        let mut entry = script.entry(EntryKind::Resolved);
        let resolution = if confirmed { Resolution::Confirmed } else { Resolution::Visitor };
        entry.code = resolution as u32;
        script.tell(&mut conversation, entry, &[("by", "visitor".to_owned())], ended);
    }
    Ok(script.finish(about(&conversation)))
}

/// The visitor's latest conversation of the inbox; naming any other is the same as naming none that exists.
fn theirs<'a>(
    facts: &'a Facts,
    visitor: &Visitor,
    only: Option<ConversationId>,
) -> Result<Option<&'a Conversation>, Rejection> {
    let current = facts.conversation.as_ref().filter(|it| it.visitor == visitor.user);
    match only {
        Some(id) if current.is_none_or(|it| it.id != id) => Err(Rejection::NotFound),
        Some(_) | None => Ok(current),
    }
}

fn is_recent(script: &Script<'_>, conversation: &Conversation) -> bool {
    conversation.resolved_at.is_some_and(|at| script.moment.now - at <= REOPEN_MS)
}

fn reopen(script: &mut Script<'_>, facts: &Facts, inbox: &Inbox, conversation: &mut Conversation) {
    let to_assistant = conversation.resolved_with == Some(Handler::Assistant)
        && conversation.reopened_to_assistant == 0
        && inbox.assistant == AssistantMode::On;
    if to_assistant {
        let mut entry = script.entry(EntryKind::Reopened);
        entry.code = Handler::Assistant as u32;
        script.tell(conversation, entry, &[], None);
    } else {
        let preferred = conversation.last_agent;
        let staffed = facts.staffed;
        script.escalate(conversation, EntryKind::Reopened, "reopened", preferred, staffed);
    }
}

/// The first message's commit creates contact, session and conversation together.
fn start(
    script: &mut Script<'_>,
    facts: &Facts,
    inbox: &Inbox,
    visitor: &Visitor,
    earlier: Option<&Conversation>,
) -> Result<Conversation, Rejection> {
    if facts.user.is_none() {
        let user = User {
            id: visitor.user,
            organization: script.organization,
            external_id: None,
            email: None,
            name: None,
            role: Role::User,
            availability: Availability::Away,
            created_at: script.moment.now,
            invited_until: None,
            disabled_at: None,
            absence: None,
            sessions_cut: None,
            keys_cut: None,
        };
        let mut entry = script.entry(EntryKind::UserCreated);
        entry.subject = Some(visitor.user.0);
        script.push(entry, Content::User(user, Credential::Same));
    }
    if let Some((session, token)) = &visitor.session
        && facts.session.is_none()
    {
        let mut entry = script.entry(EntryKind::SessionStarted);
        entry.subject = Some(session.id.0);
        entry.other = Some(visitor.user.0);
        script.push(entry, Content::Session(session.clone(), *token));
    }
    let id = script.id();
    let mut entry = script.entry(EntryKind::ConversationStarted);
    entry.conversation = Some(ConversationId(id));
    entry.subject = Some(inbox.id.0);
    entry.other = Some(visitor.user.0);
    entry.number = Some(script.moment.next_number);
    if visitor.test {
        entry.code = CODE_TEST;
        entry.due = Some(script.moment.now.saturating_add(script.moment.delays.test_ms));
    }
    // The page's word for its language goes to the journal only if it is a language tag.
    let spoken = visitor.locale.as_deref().and_then(|it| name::locale(it).ok());
    entry.detail = Some(spoken.unwrap_or_else(|| inbox.locale.clone()));
    // The entry has just been given everything that `started` asks for.
    let mut conversation =
        Conversation::started(script.organization, &entry).ok_or(Rejection::NotFound)?;
    script.push_in(&mut conversation, entry, Content::None, None);
    if let Some(earlier) = earlier {
        let mut entry = script.entry(EntryKind::Linked);
        entry.subject = Some(earlier.id.0);
        script.push_in(&mut conversation, entry, Content::None, None);
    }
    Ok(conversation)
}
