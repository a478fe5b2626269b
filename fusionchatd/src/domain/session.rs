//! Sessions: a member of staff's sign-in, or a visitor's return ticket.

use super::Time;
use super::id::{InboxId, SessionId, UserId};

/// How long a sign-in lasts: 12 hours.
pub const STAFF_SESSION_MS: i64 = 12 * 60 * 60 * 1000;
/// How long a visitor's session lasts: 30 days.
pub const VISITOR_SESSION_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// A sign-in. Only a hash of its token is stored, in a row of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who signed in.
    pub user: UserId,
    /// For a visitor: the inbox it is bound to.
    pub inbox: Option<InboxId>,
    /// For a visitor: the origin of the page it is bound to.
    pub origin: Option<String>,
    /// When it started.
    pub created_at: Time,
    /// When it ends by itself.
    pub expires_at: Time,
    /// When it was ended.
    pub ended_at: Option<Time>,
    /// For a member of staff: the position at which it started.
    pub position: u64,
}

impl Session {
    /// Whether it works at `now`.
    pub fn is_live(&self, now: Time) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }
}
