//! Users as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::id::{OrganizationId, UserId};
use crate::domain::user::User;

use super::text::Text;
use super::word::{AvailabilityWord, RoleWord};

/// A member of staff or a visitor.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "User")]
pub(crate) struct UserJson<'a> {
    /// Their id.
    id: Text<UserId>,
    /// Their organization's id.
    organization_id: Text<OrganizationId>,
    /// The id another system knows them by.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    /// Their e-mail address, unique in the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// What they are to their organization.
    role: RoleWord,
    /// Whether they take conversations.
    availability: AvailabilityWord,
    /// When they were created, in Unix milliseconds.
    created_at: i64,
    /// Until when their one-time code works, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_until: Option<i64>,
    /// Since when they cannot do anything here, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<i64>,
}

impl<'a> From<&'a User> for UserJson<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: Text(user.id),
            organization_id: Text(user.organization),
            external_id: user.external_id.as_deref(),
            email: user.email.as_deref(),
            name: user.name.as_deref(),
            role: user.role.into(),
            availability: user.availability.into(),
            created_at: user.created_at,
            invited_until: user.invited_until,
            disabled_at: user.disabled_at,
        }
    }
}
