//! What the assistant does, and what happens when it does nothing in time.

use crate::domain::command::AssistantAct;
use crate::domain::conversation::{Handler, Status};
use crate::domain::entry::EntryKind;
use crate::domain::facts::Facts;
use crate::domain::inbox::AssistantMode;
use crate::domain::message::{SOURCES_MAX, SenderType, check_content};
use crate::domain::rejection::Rejection;

use super::script::{Said, Script, about};
use super::{Decision, Refs};

/// The reason where it is off.
pub(super) const NO_ASSISTANT: &str = "no_assistant";

/// Says something or asks for a person, if the conversation is still the assistant's and in the same turn.
pub(super) fn act(
    mut script: Script<'_>,
    facts: &Facts,
    turn: u64,
    act: &AssistantAct,
) -> Result<Decision, Rejection> {
    let mut conversation = facts.conversation.as_ref().ok_or(Rejection::NotFound)?.clone();
    let moved_on = conversation.turn != turn
        || conversation.handler != Handler::Assistant
        || conversation.status != Status::Open;
    if moved_on {
        return Err(Rejection::StaleTurn { now: conversation.turn, then: turn });
    }
    let off = facts.inbox.as_ref().is_none_or(|inbox| inbox.assistant == AssistantMode::Off);
    match act {
        // It was turned off while it thought: what it had to say is not said.
        AssistantAct::Say { .. } if off => Err(Rejection::AssistantOff),
        AssistantAct::Say { content, sources, clarification } => {
            check_content(content)?;
            let said = Said {
                sender_type: SenderType::Assistant,
                sender: None,
                content,
                sources: &sources[..sources.len().min(SOURCES_MAX)],
                clarification: *clarification,
            };
            let seq = script.say(&mut conversation, &said);
            Ok(script.finish(Refs { seq: Some(seq), ..about(&conversation) }))
        }
        AssistantAct::HandOver { reason } => {
            let (kind, reason) = (EntryKind::Escalated, if off { NO_ASSISTANT } else { reason });
            script.escalate(&mut conversation, kind, reason, None, facts.staffed);
            Ok(script.finish(about(&conversation)))
        }
    }
}

/// No answer in time: a person is needed. A timer of an earlier turn does nothing.
pub(super) fn timeout(
    mut script: Script<'_>,
    facts: &Facts,
    turn: u64,
) -> Result<Decision, Rejection> {
    let mut conversation = facts.conversation.as_ref().ok_or(Rejection::NotFound)?.clone();
    let due = conversation.turn == turn
        && conversation.handler == Handler::Assistant
        && conversation.assistant_due.is_some_and(|due| due <= script.moment.now);
    if due {
        script.escalate(
            &mut conversation,
            EntryKind::Escalated,
            "assistant_timeout",
            None,
            facts.staffed,
        );
    }
    Ok(script.finish(about(&conversation)))
}
