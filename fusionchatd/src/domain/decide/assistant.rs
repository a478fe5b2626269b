//! What the assistant does, and what happens when it does nothing in time.

use crate::domain::command::AssistantAct;
use crate::domain::conversation::{Handler, Status};
use crate::domain::entry::EntryKind;
use crate::domain::facts::Facts;
use crate::domain::inbox::AssistantMode;
use crate::domain::message::{SOURCES_MAX, SenderType, check_content};
use crate::domain::rejection::Rejection;
use crate::domain::turn::wants_draft;

use super::script::{Said, Script, about};
use super::staff::write_note;
use super::{Decision, Refs};

/// The reason where it is off.
pub(super) const NO_ASSISTANT: &str = "no_assistant";

/// Says something or asks for a person, if the conversation is still the assistant's and in the same turn; or leaves
/// a draft, if it is still a person's, in the same turn and without an answer.
pub(super) fn act(
    mut script: Script<'_>,
    facts: &Facts,
    turn: u64,
    act: &AssistantAct,
) -> Result<Decision, Rejection> {
    let mut conversation = facts.conversation.as_ref().ok_or(Rejection::NotFound)?.clone();
    let mode = facts.inbox.as_ref().map_or(AssistantMode::Off, |inbox| inbox.assistant);
    let its_own = match act {
        AssistantAct::Draft { .. } => wants_draft(&conversation),
        AssistantAct::Say { .. } | AssistantAct::HandOver { .. } => {
            conversation.handler == Handler::Assistant && conversation.status == Status::Open
        }
    };
    if conversation.turn != turn || !its_own {
        return Err(Rejection::StaleTurn { now: conversation.turn, then: turn });
    }
    let off = mode != AssistantMode::On;
    match act {
        AssistantAct::Draft { .. } if mode != AssistantMode::DraftOnly => {
            Err(Rejection::AssistantOff)
        }
        AssistantAct::Draft { content, sources } => {
            let sources = &sources[..sources.len().min(SOURCES_MAX)];
            let position = write_note(&mut script, &mut conversation, None, content, sources)?;
            Ok(script.finish(Refs { position: Some(position), ..about(&conversation) }))
        }
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
