//! What staff do to a conversation, and both sides' marks.

use crate::domain::Time;
use crate::domain::command::StaffAct;
use crate::domain::conversation::{Conversation, Handler, Resolution, Side, Status};
use crate::domain::entry::EntryKind;
use crate::domain::escalation::{Outcome, REASON_CHARS_MAX};
use crate::domain::event::Content;
use crate::domain::facts::Facts;
use crate::domain::id::{MessageId, UserId};
use crate::domain::inbox::AssistantMode;
use crate::domain::message::{Note, SenderType, Source, check_content};
use crate::domain::rejection::Rejection;
use crate::domain::user::Role;

use super::assistant::NO_ASSISTANT;
use super::life::{check_notes, check_room};
use super::script::{Said, Script, about};
use super::{Decision, Refs, label, transfer, user, waits_for};

/// Decides what a member of staff does.
pub(super) fn act(
    script: Script<'_>,
    facts: &Facts,
    agent: UserId,
    admin: bool,
    act: &StaffAct,
) -> Result<Decision, Rejection> {
    let conversation = facts.conversation.as_ref().ok_or(Rejection::NotFound)?.clone();
    // Whoever is no member of the inbox is told what they are told of an absent conversation.
    if !facts.inbox.as_ref().is_some_and(|inbox| admin || inbox.has_member(agent)) {
        return Err(Rejection::NotFound);
    }
    match act {
        StaffAct::Reply { content } => reply(script, facts, conversation, agent, content),
        StaffAct::Note { content } => note(script, conversation, agent, content),
        StaffAct::Claim { to, take } => claim(script, facts, conversation, *to, *take),
        StaffAct::Release if conversation.offer.is_some() => {
            transfer::decline(script, facts, conversation, agent, admin)
        }
        StaffAct::Release => {
            assigned_to(&conversation, agent, admin)?;
            release(script, facts, conversation, "released")
        }
        StaffAct::Transfer { to, note } => {
            assigned_to(&conversation, agent, admin)?;
            transfer::transfer(script, facts, conversation, agent, *to, note.as_deref())
        }
        StaffAct::Return | StaffAct::ResolveWaiting if conversation.status != Status::Escalated => {
            Err(Rejection::NotEscalated)
        }
        StaffAct::Return => hand_back(script, facts, conversation, agent, admin),
        StaffAct::HandBack => hand_back(script, facts, conversation, agent, admin),
        StaffAct::Escalate { reason } => {
            escalate(script, facts, conversation, agent, admin, reason)
        }
        StaffAct::ResolveWaiting => {
            resolve(script, facts, conversation, agent, admin, Resolution::Agent)
        }
        StaffAct::Resolve { resolution } => {
            resolve(script, facts, conversation, agent, admin, *resolution)
        }
        StaffAct::Reopen => reopen(script, facts, conversation, agent),
        StaffAct::Tag { add, remove } => label::tag(script, conversation, add, remove),
        StaffAct::Prioritize { priority } => label::prioritize(script, conversation, *priority),
        StaffAct::Flag { seq: _, reason } => {
            label::flag(script, facts, conversation, agent, reason)
        }
        StaffAct::Retract { seq: _ } => label::retract(script, facts, conversation, agent, admin),
    }
}

/// Lets nobody wait for an assistant that is off, or for an agent who may no longer see the inbox.
pub(super) fn settle(mut script: Script<'_>, facts: &Facts) -> Result<Decision, Rejection> {
    let mut conversation = facts.conversation.as_ref().ok_or(Rejection::NotFound)?.clone();
    let inbox = facts.inbox.as_ref().ok_or(Rejection::NotFound)?;
    let staffed = facts.staffed;
    if conversation.assistant_due.is_some() && inbox.assistant != AssistantMode::On {
        let kind = EntryKind::Escalated;
        script.escalate(&mut conversation, kind, NO_ASSISTANT, None, staffed);
    } else if facts.held_outside {
        let kind = EntryKind::Released;
        script.escalate(&mut conversation, kind, "not_a_member", None, staffed);
    }
    Ok(script.finish(about(&conversation)))
}

/// Lets a conversation go whose assignee is not there: disabled, or away for long with the visitor's message last.
pub(super) fn leave_absent(mut script: Script<'_>, facts: &Facts) -> Result<Decision, Rejection> {
    let mut conversation = facts.conversation.as_ref().ok_or(Rejection::NotFound)?.clone();
    leave_to_others(&mut script, facts, &mut conversation);
    Ok(script.finish(about(&conversation)))
}

/// The same as part of another command.
pub(super) fn leave_to_others(
    script: &mut Script<'_>,
    facts: &Facts,
    conversation: &mut Conversation,
) {
    let Some(assignee) = &facts.assignee else { return };
    if waits_for(conversation, assignee) && assignee.is_absent(script.moment.now) {
        let kind = EntryKind::Escalated;
        script.escalate(conversation, kind, "agent_absent", None, facts.staffed);
    }
}

/// A mark that only grows and never passes the last message.
pub(super) fn mark(
    mut script: Script<'_>,
    facts: &Facts,
    side: Side,
    seq: u64,
) -> Result<Decision, Rejection> {
    let mut conversation = facts.conversation.as_ref().ok_or(Rejection::NotFound)?.clone();
    let seq = seq.min(conversation.last_seq);
    let mark = match side {
        Side::Visitor => conversation.visitor_mark,
        Side::Staff => conversation.staff_mark,
    };
    if seq > mark {
        let mut entry = script.entry(EntryKind::MarkMoved);
        entry.seq = Some(seq);
        entry.code = side as u32;
        entry.number = unread_after(facts, &conversation, side, seq);
        script.push_in(&mut conversation, entry, Content::None, None);
    }
    Ok(script.finish(about(&conversation)))
}

/// What stays unread behind a staff mark.
fn unread_after(facts: &Facts, header: &Conversation, side: Side, seq: u64) -> Option<u64> {
    match side {
        Side::Visitor => None,
        Side::Staff if seq >= header.last_visitor_seq => Some(0),
        Side::Staff => Some(facts.unread_after.unwrap_or(header.unread)),
    }
}

fn held(conversation: &Conversation) -> Option<(UserId, i64)> {
    conversation.assignee.map(|by| (by, conversation.assigned_at.unwrap_or_default()))
}

fn assigned_to(conversation: &Conversation, agent: UserId, admin: bool) -> Result<(), Rejection> {
    match held(conversation) {
        Some((by, since)) if by != agent && !admin => Err(Rejection::NotAssignee { by, since }),
        Some(_) => Ok(()),
        None if conversation.status == Status::Resolved => Err(Rejection::Resolved),
        None => Err(Rejection::NotAssigned),
    }
}

fn reply(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    agent: UserId,
    content: &str,
) -> Result<Decision, Rejection> {
    check_content(content)?;
    check_room(&conversation)?;
    match conversation.status {
        Status::Escalated => return Err(Rejection::ClaimFirst),
        Status::Resolved => return Err(Rejection::Resolved),
        Status::Open => {}
    }
    match held(&conversation) {
        Some((by, since)) if by != agent => return Err(Rejection::NotAssignee { by, since }),
        Some(_) => {}
        // The assistant has it: a public reply silences it in the same commit.
        None if facts.user.as_ref().is_some_and(|it| it.disabled_at.is_some()) => {
            return Err(Rejection::UserDisabled);
        }
        None => take(&mut script, facts, &mut conversation, agent),
    }
    let said = Said {
        sender_type: SenderType::Agent,
        sender: Some(agent),
        content,
        sources: &[],
        clarification: false,
    };
    let seq = script.say(&mut conversation, &said);
    Ok(script.finish(Refs { seq: Some(seq), ..about(&conversation) }))
}

fn note(
    mut script: Script<'_>,
    mut conversation: Conversation,
    agent: UserId,
    content: &str,
) -> Result<Decision, Rejection> {
    let position = write_note(&mut script, &mut conversation, Some(agent), content, &[])?;
    Ok(script.finish(Refs { position: Some(position), ..about(&conversation) }))
}

/// A note in the script; its position.
pub(super) fn write_note(
    script: &mut Script<'_>,
    conversation: &mut Conversation,
    author: Option<UserId>,
    content: &str,
    sources: &[Source],
) -> Result<u64, Rejection> {
    check_content(content)?;
    check_notes(conversation)?;
    let mut entry = script.entry(EntryKind::NoteAdded);
    let id = MessageId::of_note(conversation.id, entry.position);
    entry.subject = Some(id.0);
    entry.other = author.map(|it| it.0);
    let position = entry.position;
    let note = Note {
        id,
        conversation: conversation.id,
        author,
        content: content.to_owned(),
        sources: sources.to_vec(),
        client_id: script.client_id(),
        created_at: entry.time,
        position,
    };
    script.push_in(conversation, entry, Content::Note(note), None);
    Ok(position)
}

fn claim(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    to: UserId,
    take_it: bool,
) -> Result<Decision, Rejection> {
    let holder = facts.user.as_ref().filter(|it| it.id == to && it.is_staff());
    let user = holder.ok_or(Rejection::NotFound)?;
    if user.disabled_at.is_some() {
        return Err(Rejection::UserDisabled);
    }
    let inbox = facts.inbox.as_ref().ok_or(Rejection::NotFound)?;
    if user.role != Role::Admin && !inbox.has_member(to) {
        return Err(Rejection::NotMember);
    }
    match (conversation.status, held(&conversation)) {
        (Status::Resolved, _) => return Err(Rejection::Resolved),
        (Status::Open | Status::Escalated, Some((by, _))) if by == to => {}
        (Status::Open | Status::Escalated, Some((by, since))) if !take_it => {
            return Err(Rejection::AlreadyClaimed { by, since });
        }
        (Status::Escalated, None)
            if let Some(offer) =
                conversation.offer.filter(|it| it.to != to && !gave(facts, to) && !take_it) =>
        {
            return Err(Rejection::Offered { to: offer.to, until: offer.due });
        }
        (Status::Open | Status::Escalated, _) => {
            take(&mut script, facts, &mut conversation, to);
            user::watch_absent(&mut script, holder);
        }
    }
    let subject = facts.escalation.as_ref().map(|it| it.id.0);
    Ok(script.finish(Refs { subject, ..about(&conversation) }))
}

/// Whether the offer under way is `agent`'s own: who gave it away may have it back while nobody has claimed it.
fn gave(facts: &Facts, agent: UserId) -> bool {
    facts.escalation.as_ref().is_some_and(|it| it.by.user == Some(agent))
}

/// Assigns the conversation to `agent`; a live escalation ends as claimed.
fn take(script: &mut Script<'_>, facts: &Facts, conversation: &mut Conversation, agent: UserId) {
    let ended = script.ended(facts.escalation.as_ref(), Outcome::Claimed, Some(agent));
    let mut entry = script.entry(EntryKind::Claimed);
    entry.subject = conversation.assignee.map(|from| from.0);
    entry.other = Some(agent.0);
    entry.due = silence_after(script, conversation);
    script.tell(conversation, entry, &[("user", agent.to_string())], ended);
}

/// Whether it is the visitor's turn with an agent who takes over now: nobody owes them an answer.
fn silence_after(script: &Script<'_>, conversation: &Conversation) -> Option<Time> {
    let owed = conversation.waiting_since.is_some() || conversation.last_sender == SenderType::User;
    (!owed).then(|| script.agent_silence_due())
}

fn release(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    reason: &str,
) -> Result<Decision, Rejection> {
    script.escalate(&mut conversation, EntryKind::Released, reason, None, facts.staffed);
    Ok(script.finish(about(&conversation)))
}

fn hand_back(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    agent: UserId,
    admin: bool,
) -> Result<Decision, Rejection> {
    if conversation.handler == Handler::Assistant {
        return Ok(script.finish(about(&conversation)));
    }
    match conversation.status {
        Status::Resolved => return Err(Rejection::Resolved),
        Status::Open => assigned_to(&conversation, agent, admin)?,
        Status::Escalated => {}
    }
    if !facts.inbox.as_ref().is_some_and(|inbox| inbox.assistant == AssistantMode::On) {
        return Err(Rejection::AssistantOff);
    }
    let ended = script.ended(facts.escalation.as_ref(), Outcome::Returned, None);
    let mut entry = script.entry(EntryKind::HandedBack);
    // The visitor's message is last: the assistant owes the answer now, and must not sleep on it.
    let asked = conversation.last_sender == SenderType::User;
    entry.due = Some(if asked { script.answer_due() } else { script.assistant_silence_due() });
    let subject = ended.as_ref().map(|it| it.id.0);
    script.tell(&mut conversation, entry, &[], ended);
    Ok(script.finish(Refs { subject, ..about(&conversation) }))
}

fn escalate(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    agent: UserId,
    admin: bool,
    reason: &str,
) -> Result<Decision, Rejection> {
    if reason.chars().count() > REASON_CHARS_MAX || reason.chars().any(char::is_control) {
        return Err(Rejection::Invalid {
            code: "bad_reason",
            detail: "a reason is one line of at most 200 characters".to_owned(),
        });
    }
    let reason = if reason.trim().is_empty() { "staff" } else { reason };
    match (conversation.status, conversation.handler) {
        (Status::Escalated, _) => Ok(script.finish(about(&conversation))),
        (Status::Resolved, _) => Err(Rejection::Resolved),
        (Status::Open, Handler::Agent) => {
            assigned_to(&conversation, agent, admin)?;
            release(script, facts, conversation, reason)
        }
        (Status::Open, Handler::Assistant | Handler::None) => {
            let kind = EntryKind::Escalated;
            script.escalate(&mut conversation, kind, reason, None, facts.staffed);
            Ok(script.finish(about(&conversation)))
        }
    }
}

fn resolve(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    agent: UserId,
    admin: bool,
    resolution: Resolution,
) -> Result<Decision, Rejection> {
    match resolution {
        Resolution::Confirmed | Resolution::Agent | Resolution::Duplicate | Resolution::Spam => {}
        Resolution::Visitor | Resolution::Abandoned | Resolution::NoReply => {
            return Err(Rejection::Invalid {
                code: "bad_resolution",
                detail: "staff resolve as agent, confirmed, duplicate or spam".to_owned(),
            });
        }
    }
    if conversation.status == Status::Resolved {
        return Ok(script.finish(about(&conversation)));
    }
    if let Some((by, since)) = held(&conversation)
        && by != agent
        && !admin
    {
        return Err(Rejection::NotAssignee { by, since });
    }
    let ended = script.ended(facts.escalation.as_ref(), Outcome::Resolved, None);
    let mut entry = script.entry(EntryKind::Resolved);
    entry.code = resolution as u32;
    entry.other = Some(agent.0);
    let subject = ended.as_ref().map(|it| it.id.0);
    script.tell(&mut conversation, entry, &[("by", "agent".to_owned())], ended);
    Ok(script.finish(Refs { subject, ..about(&conversation) }))
}

fn reopen(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    agent: UserId,
) -> Result<Decision, Rejection> {
    if conversation.assignee == Some(agent) {
        return Ok(script.finish(about(&conversation)));
    }
    if conversation.status != Status::Resolved {
        return Err(Rejection::NotResolved);
    }
    if let Some(latest) = &facts.latest
        && latest.id != conversation.id
    {
        return Err(Rejection::NewerConversation { number: latest.number });
    }
    let mut entry = script.entry(EntryKind::Reopened);
    entry.code = Handler::Agent as u32;
    entry.other = Some(agent.0);
    entry.due = silence_after(&script, &conversation);
    script.tell(&mut conversation, entry, &[("user", agent.to_string())], None);
    user::watch_absent(&mut script, facts.user.as_ref().filter(|it| it.id == agent));
    Ok(script.finish(about(&conversation)))
}
