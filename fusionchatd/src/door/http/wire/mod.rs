//! Rows as JSON, for REST and the WebSocket: their shapes, from which the OpenAPI document is made.
//! What a visitor must not see is left out here: positions, notes, reasons and the ids of staff.
//! Nothing is decided here.

pub(crate) mod article;
pub(crate) mod conversation;
pub(crate) mod escalation;
pub(crate) mod inbox;
pub(crate) mod key;
pub(crate) mod message;
pub(crate) mod text;
pub(crate) mod user;
pub(crate) mod word;

use schemars::JsonSchema;
use serde::Deserialize;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The visitor of the conversation.
    Visitor,
    /// Staff and keys.
    Staff,
}

/// The body of a request that needs nothing but to be repeatable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Act")]
pub(crate) struct Act {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    pub(crate) client_id: Option<String>,
}
