//! What staff put on a conversation and its messages without changing where it stands: tags, a priority, a mark for
//! review; and the word that a message is taken back.

use std::collections::BTreeSet;

use crate::domain::conversation::Conversation;
use crate::domain::entry::EntryKind;
use crate::domain::escalation::REASON_CHARS_MAX;
use crate::domain::event::Content;
use crate::domain::facts::Facts;
use crate::domain::id::UserId;
use crate::domain::message::{Message, SenderType, last_line};
use crate::domain::priority::Priority;
use crate::domain::rejection::Rejection;

use super::script::{Script, about};
use super::{Decision, Refs};

/// The most tags of one conversation.
const TAGS_MAX: usize = 10;
/// The longest tag, in characters.
const TAG_CHARS_MAX: usize = 32;

/// Adds and removes tags; what is there already, or is not, stays so.
pub(super) fn tag(
    mut script: Script<'_>,
    mut conversation: Conversation,
    add: &[String],
    remove: &[String],
) -> Result<Decision, Rejection> {
    add.iter().chain(remove).try_for_each(|tag| check_tag(tag))?;
    let mut tags: BTreeSet<&str> = conversation.tags.iter().map(String::as_str).collect();
    tags.extend(add.iter().map(String::as_str));
    tags.retain(|tag| !remove.iter().any(|it| it == tag));
    if tags.len() > TAGS_MAX {
        return Err(Rejection::Invalid {
            code: "too_many_tags",
            detail: format!("a conversation has at most {TAGS_MAX} tags"),
        });
    }
    let tags = tags.into_iter().collect::<Vec<_>>().join(",");
    if tags != conversation.tags.join(",") {
        let mut entry = script.entry(EntryKind::TagsChanged);
        entry.detail = Some(tags);
        script.push_in(&mut conversation, entry, Content::None, None);
    }
    Ok(script.finish(about(&conversation)))
}

fn check_tag(tag: &str) -> Result<(), Rejection> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if tag.is_empty() || tag.chars().count() > TAG_CHARS_MAX || !tag.chars().all(fits) {
        return Err(Rejection::Invalid {
            code: "bad_tag",
            detail: "a tag is a word of at most 32 of a-z, 0-9, - and _".to_owned(),
        });
    }
    Ok(())
}

/// Changes how urgent it is.
pub(super) fn prioritize(
    mut script: Script<'_>,
    mut conversation: Conversation,
    priority: Priority,
) -> Result<Decision, Rejection> {
    if conversation.priority != priority {
        let mut entry = script.entry(EntryKind::PriorityChanged);
        entry.code = priority as u32;
        script.push_in(&mut conversation, entry, Content::None, None);
    }
    Ok(script.finish(about(&conversation)))
}

/// Marks an answer of the assistant's for review; the visitor does not see it.
pub(super) fn flag(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    agent: UserId,
    reason: &str,
) -> Result<Decision, Rejection> {
    let mut message = facts.message.clone().ok_or(Rejection::NotFound)?;
    if message.sender_type != SenderType::Assistant {
        return Err(Rejection::NotTheAssistants);
    }
    let chars = reason.chars().count();
    if reason.trim().is_empty() || chars > REASON_CHARS_MAX || reason.chars().any(char::is_control)
    {
        return Err(Rejection::Invalid {
            code: "bad_reason",
            detail: "a reason is one line of 1 to 200 characters".to_owned(),
        });
    }
    let refs = Refs { seq: Some(message.seq), ..about(&conversation) };
    if message.flag.as_deref() != Some(reason) {
        let mut entry = script.entry(EntryKind::MessageFlagged);
        entry.subject = Some(message.id.0);
        entry.other = Some(agent.0);
        entry.number = Some(message.seq);
        entry.detail = Some(reason.to_owned());
        message.flag = Some(reason.to_owned());
        script.push_in(&mut conversation, entry, Content::Flagged(message), None);
    }
    Ok(script.finish(refs))
}

/// Takes a message back: its text goes, and a line with a number of its own says so, for whoever has read it already.
pub(super) fn retract(
    mut script: Script<'_>,
    facts: &Facts,
    mut conversation: Conversation,
    agent: UserId,
    admin: bool,
) -> Result<Decision, Rejection> {
    let message = facts.message.as_ref().ok_or(Rejection::NotFound)?;
    let may = match message.sender_type {
        SenderType::Assistant => true,
        SenderType::Agent => admin || message.sender == Some(agent),
        SenderType::User | SenderType::System => false,
    };
    if !may {
        return Err(Rejection::NotYours);
    }
    let refs = Refs { seq: Some(message.seq), ..about(&conversation) };
    if message.retracted {
        return Ok(script.finish(refs));
    }
    if conversation.line_sender == SenderType::Agent
        && conversation.last_line == last_line(&message.content)
    {
        conversation.last_line = String::new();
    }
    let mut entry = script.entry(EntryKind::MessageRetracted);
    entry.subject = Some(message.id.0);
    entry.other = Some(agent.0);
    entry.number = Some(message.seq);
    entry.seq = Some(conversation.last_seq + 1);
    let blank =
        Message { content: String::new(), sources: Vec::new(), retracted: true, ..message.clone() };
    let params = [("seq", message.seq.to_string())];
    let content = match script.line(conversation.id, &entry, &params) {
        Some(line) => Content::Retracted { line: Box::new(line), message: Box::new(blank) },
        None => Content::None,
    };
    script.push_in(&mut conversation, entry, content, None);
    Ok(script.finish(refs))
}
