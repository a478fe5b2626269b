//! An organization: the wall between one company's conversations and another's.

use super::Time;
use super::id::OrganizationId;

/// A company that uses this daemon. On the command line it is called a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name, unique in the daemon.
    pub name: String,
    /// When it was created.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}
