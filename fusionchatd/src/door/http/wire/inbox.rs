//! Inboxes as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::id::{InboxId, OrganizationId, UserId};
use crate::service::inbox::InboxView;

use super::text::{Text, Texts};
use super::word::AssistantWord;

/// An inbox: one widget of an organization.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Inbox")]
pub(crate) struct InboxJson<'a> {
    /// Its id.
    id: Text<InboxId>,
    /// The organization's id.
    organization_id: Text<OrganizationId>,
    /// What it is called.
    name: &'a str,
    /// The origins of the pages that may show it.
    origins: &'a [String],
    /// Whether the assistant answers in it.
    assistant: AssistantWord,
    /// Its language.
    locale: &'a str,
    /// When it was created, in Unix milliseconds.
    created_at: i64,
    /// Whether one of its members takes conversations now.
    staffed: bool,
    /// The agents it is for; none means all.
    members: Texts<'a, UserId>,
    /// What they are called, in the same order.
    member_names: &'a [String],
    /// The script tag for the website.
    snippet: &'a str,
    /// How long a visitor may be silent after the assistant's word, in milliseconds, if not as the daemon is
    /// configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    abandon_after_ms: Option<i64>,
    /// The same after an agent's word, before the visitor gets a notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice_after_ms: Option<i64>,
    /// The same after that notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_reply_after_ms: Option<i64>,
}

impl<'a> From<&'a InboxView> for InboxJson<'a> {
    fn from(view: &'a InboxView) -> Self {
        let inbox = &view.inbox;
        Self {
            id: Text(inbox.id),
            organization_id: Text(inbox.organization),
            name: &inbox.name,
            origins: &inbox.origins,
            assistant: inbox.assistant.into(),
            locale: &inbox.locale,
            created_at: inbox.created_at,
            staffed: view.staffed,
            members: Texts(&inbox.members),
            member_names: &view.member_names,
            snippet: &view.snippet,
            abandon_after_ms: inbox.silences.abandon_ms,
            notice_after_ms: inbox.silences.notice_ms,
            no_reply_after_ms: inbox.silences.no_reply_ms,
        }
    }
}
