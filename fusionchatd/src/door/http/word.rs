//! The words of enumerations in JSON: lower camel case.

use crate::domain::article::ArticleStatus;
use crate::domain::conversation::{Handler, Status};
use crate::domain::entry::ActorKind;
use crate::domain::escalation::Outcome;
use crate::domain::message::SenderType;
use crate::domain::user::{Availability, Role};
use crate::service::error::Error;

/// The word for a status.
pub(super) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::Resolved => "resolved",
        Status::Escalated => "escalated",
    }
}

/// The word for a handler.
pub(super) fn handler_word(handler: Handler) -> &'static str {
    match handler {
        Handler::Assistant => "assistant",
        Handler::Agent => "agent",
        Handler::None => "none",
    }
}

/// The word for a sender type.
pub(super) fn sender_word(sender: SenderType) -> &'static str {
    match sender {
        SenderType::User => "user",
        SenderType::Agent => "agent",
        SenderType::Assistant => "assistant",
        SenderType::System => "system",
    }
}

/// The word for a kind of actor.
pub(super) fn actor_word(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Visitor => "visitor",
        ActorKind::Agent => "agent",
        ActorKind::Assistant => "assistant",
        ActorKind::Key => "key",
        ActorKind::Operator => "operator",
        ActorKind::System => "system",
    }
}

/// The word for the end of an escalation.
pub(super) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Claimed => "claimed",
        Outcome::Returned => "returned",
        Outcome::Resolved => "resolved",
        Outcome::Abandoned => "abandoned",
    }
}

/// The word for a role.
pub(super) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Agent => "agent",
        Role::User => "user",
    }
}

/// The role of a word.
pub(super) fn role_of(word: &str) -> Result<Role, Error> {
    match word {
        "admin" => Ok(Role::Admin),
        "agent" => Ok(Role::Agent),
        _ => Err(Error::invalid("bad_role", "a role is admin or agent")),
    }
}

/// The word for an availability.
pub(super) fn availability_word(availability: Availability) -> &'static str {
    match availability {
        Availability::Accepting => "accepting",
        Availability::Busy => "busy",
        Availability::Away => "away",
    }
}

/// The word for an article's status.
pub(super) fn article_word(status: ArticleStatus) -> &'static str {
    match status {
        ArticleStatus::Draft => "draft",
        ArticleStatus::Published => "published",
    }
}
