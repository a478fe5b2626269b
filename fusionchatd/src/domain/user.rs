//! Staff and visitors.

use super::Time;
use super::hidden::Hidden;
use super::id::{OrganizationId, UserId};

/// How long the one-time code of an invitation works: 24 hours.
pub const INVITE_MS: i64 = 24 * 60 * 60 * 1000;

/// What a user is to their organization. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Runs the organization's desk.
    Admin = 0,
    /// Answers visitors.
    Agent = 1,
    /// A visitor.
    User = 2,
}

/// Whether a member of staff takes conversations. Stored, by these numbers; not the same as being connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Availability {
    /// Takes new conversations.
    Accepting = 0,
    /// Works, but takes no new ones.
    Busy = 1,
    /// Not there.
    Away = 2,
}

/// A member of staff, or a visitor who has sent a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their organization.
    pub organization: OrganizationId,
    /// The id another system knows them by.
    pub external_id: Option<String>,
    /// Unique inside the organization, stored in lower case.
    pub email: Option<String>,
    /// Shown to others; staff names are unique inside the organization.
    pub name: Option<String>,
    /// What they are.
    pub role: Role,
    /// Whether they take conversations.
    pub availability: Availability,
    /// When they were created.
    pub created_at: Time,
    /// Until when the one-time code they were given works; none once it was used.
    pub invited_until: Option<Time>,
}

/// What a change of a user does to how they sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Same,
    /// This argon2id hash is of their password now; a one-time code that is out ends.
    Password(Hidden<String>),
    /// They have no password; this is the hash of the one code that lets them set one.
    Code(Hidden<[u8; 32]>),
}

impl User {
    /// Whether a one-time code of theirs works at `now`.
    pub fn is_invited(&self, now: Time) -> bool {
        self.invited_until.is_some_and(|end| now < end)
    }

    /// Whether this is a member of staff.
    pub fn is_staff(&self) -> bool {
        match self.role {
            Role::Admin | Role::Agent => true,
            Role::User => false,
        }
    }
}
