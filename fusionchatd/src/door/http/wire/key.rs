//! API keys as JSON; their secrets never are but once.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::id::{KeyId, OrganizationId, UserId};
use crate::domain::key::Key;

use super::text::Text;

/// An API key, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Key")]
pub(crate) struct KeyJson<'a> {
    /// Its id.
    id: Text<KeyId>,
    /// The organization's id.
    organization_id: Text<OrganizationId>,
    /// What its owner calls it.
    name: &'a str,
    /// What it may do: names of permissions, or `*` for whatever its owner may.
    scopes: &'a [String],
    /// The user whose rights bound it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_id: Option<Text<UserId>>,
    /// When it was created, in Unix milliseconds.
    created_at: i64,
    /// When it stops working by itself, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// When it was revoked, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
}

impl<'a> From<&'a Key> for KeyJson<'a> {
    fn from(key: &'a Key) -> Self {
        Self {
            id: Text(key.id),
            organization_id: Text(key.organization),
            name: &key.name,
            scopes: &key.scopes,
            owner_id: key.owner.map(Text),
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}
