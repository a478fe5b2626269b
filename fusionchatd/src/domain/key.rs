//! API keys. The secret itself is never here: only its hash is stored, in a row of its own.

use super::Time;
use super::id::{KeyId, OrganizationId, UserId};

/// The most scopes a key may carry.
pub const SCOPES_MAX: usize = 32;

/// How many keys may be made one with the other.
pub const KEY_CHAIN_MAX: usize = 8;

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id, part of the secret's text.
    pub id: KeyId,
    /// Its organization; the reserved one for an operator's key.
    pub organization: OrganizationId,
    /// What its owner calls it.
    pub name: String,
    /// `*` or names of permissions.
    pub scopes: Vec<String>,
    /// The user whose rights bound it; none for an operator's key.
    pub owner: Option<UserId>,
    /// When it was created.
    pub created_at: Time,
    /// When it stops working by itself.
    pub expires_at: Option<Time>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
    /// The position at which it was created.
    pub position: u64,
    /// The key it was created with, if with one: revoking that one ends this one.
    pub parent: Option<KeyId>,
}

impl Key {
    /// Whether it works at `now`.
    pub fn is_live(&self, now: Time) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}
