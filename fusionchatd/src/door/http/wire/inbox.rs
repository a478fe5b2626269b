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
        }
    }
}
