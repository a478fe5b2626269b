//! Stays in the live queue as JSON, and who did something.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::entry::ActorRef;
use crate::domain::id::{ConversationId, EscalationId, KeyId, UserId};
use crate::service::view::EscalationView;

use super::text::Text;
use super::word::{ActorWord, OutcomeWord};

/// One stay in the live queue.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Escalation")]
pub(crate) struct EscalationJson<'a> {
    /// Its id.
    id: Text<EscalationId>,
    /// The conversation's id.
    conversation: Text<ConversationId>,
    /// The conversation's number.
    number: u64,
    /// Why a person is needed.
    reason: &'a str,
    /// Who asked for one.
    by: ActorJson<'a>,
    /// Whom it is meant for.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Text<UserId>>,
    /// What they are called.
    #[serde(skip_serializing_if = "str::is_empty")]
    to_name: &'a str,
    /// When it began, in Unix milliseconds.
    created_at: i64,
    /// Who took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_by: Option<Text<UserId>>,
    /// When they did, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_at: Option<i64>,
    /// When it ended, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeWord>,
}

/// Who did something.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Actor")]
pub(crate) struct ActorJson<'a> {
    /// What they are.
    kind: ActorWord,
    /// The person, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Text<UserId>>,
    /// The key, if it was done with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<Text<KeyId>>,
    /// What they are called.
    name: &'a str,
}

impl<'a> ActorJson<'a> {
    /// Who did something.
    pub(crate) fn new(actor: &ActorRef, name: &'a str) -> Self {
        let (user_id, key_id) = (actor.user.map(Text), actor.key.map(Text));
        Self { kind: actor.kind.into(), user_id, key_id, name }
    }
}

impl<'a> From<&'a EscalationView> for EscalationJson<'a> {
    fn from(view: &'a EscalationView) -> Self {
        let row = &view.escalation;
        Self {
            id: Text(row.id),
            conversation: Text(row.conversation),
            number: view.number,
            reason: &row.reason,
            by: ActorJson::new(&row.by, &view.by_name),
            to: row.to.map(Text),
            to_name: &view.to_name,
            created_at: row.created_at,
            claimed_by: row.claimed_by.map(Text),
            claimed_at: row.claimed_at,
            ended_at: row.ended_at,
            outcome: row.outcome.map(OutcomeWord::from),
        }
    }
}
