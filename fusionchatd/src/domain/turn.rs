//! When it is the assistant's turn: to answer the visitor, or to leave staff a draft of an answer.

use super::conversation::{Conversation, Handler, Status};
use super::inbox::AssistantMode;
use super::message::SenderType;

/// Whether a person owes the visitor an answer that the assistant might draft.
pub fn wants_draft(conversation: &Conversation) -> bool {
    conversation.handler != Handler::Assistant
        && conversation.status != Status::Resolved
        && conversation.last_sender == SenderType::User
}

/// Whether the visitor's last message waits for the assistant.
pub fn awaits_assistant(conversation: &Conversation) -> bool {
    conversation.handler == Handler::Assistant
        && conversation.status == Status::Open
        && conversation.last_sender == SenderType::User
}

/// Whether the assistant of an inbox in this mode should think about a conversation.
pub fn is_asked(conversation: &Conversation, mode: AssistantMode) -> bool {
    let answers = awaits_assistant(conversation);
    match mode {
        AssistantMode::On | AssistantMode::Off => answers,
        // What it still handles from before goes to a person first.
        AssistantMode::DraftOnly => answers || wants_draft(conversation),
    }
}
