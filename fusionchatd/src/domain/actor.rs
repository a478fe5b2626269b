//! Who asks, and what they may do. Every service method takes an [`Actor`] first; there is no way to make one
//! from a request body.

use super::id::{InboxId, KeyId, OrganizationId, SessionId, UserId};
use super::user::Role;

/// Somebody whose credential has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The one organization whose rows this actor can reach.
    pub organization: OrganizationId,
    /// Who it is.
    pub who: Who,
    /// What it may do there.
    pub grants: Grants,
}

/// The kinds of actors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A member of staff, signed in.
    Agent {
        /// The user.
        user: UserId,
        /// The sign-in.
        session: SessionId,
    },
    /// A visitor of one inbox, embedded in a page of one origin.
    Visitor {
        /// The user this visitor is, or becomes with the first message.
        user: UserId,
        /// The visitor session.
        session: SessionId,
        /// The inbox the session is bound to.
        inbox: InboxId,
    },
    /// An API key, acting within the rights of its owner.
    Key {
        /// The key.
        key: KeyId,
        /// The user it belongs to.
        owner: UserId,
    },
    /// The built-in assistant or a model behind it.
    Assistant,
    /// Runs the daemon; reads no conversation.
    Operator {
        /// The operator's key.
        key: KeyId,
    },
    /// Durable timers and first-boot seeding.
    System,
}

/// One thing an actor may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Read conversations, the queue and the live stream.
    ReadConversations,
    /// Reply, note, claim, release, escalate, resolve.
    WriteConversations,
    /// Start conversations and send messages as a visitor.
    PostAsVisitor,
    /// Read and search articles.
    ReadArticles,
    /// Import, change and delete articles.
    WriteArticles,
    /// Read inboxes.
    ReadInboxes,
    /// Create and change inboxes.
    WriteInboxes,
    /// Read the organization's staff.
    ReadUsers,
    /// Create and change staff.
    WriteUsers,
    /// Read keys (never their secrets).
    ReadKeys,
    /// Create and revoke keys.
    WriteKeys,
    /// Read everybody's sessions.
    ReadSessions,
    /// End everybody's sessions.
    WriteSessions,
    /// Create and list organizations.
    ManageOrganizations,
    /// Read the daemon's status.
    ReadServer,
    /// Read the journal as an audit log.
    ReadAudit,
}

impl Permission {
    /// Every permission, for tables and tests.
    pub const ALL: [Self; 16] = [
        Self::ReadConversations,
        Self::WriteConversations,
        Self::PostAsVisitor,
        Self::ReadArticles,
        Self::WriteArticles,
        Self::ReadInboxes,
        Self::WriteInboxes,
        Self::ReadUsers,
        Self::WriteUsers,
        Self::ReadKeys,
        Self::WriteKeys,
        Self::ReadSessions,
        Self::WriteSessions,
        Self::ManageOrganizations,
        Self::ReadServer,
        Self::ReadAudit,
    ];

    /// The scope of an API key that grants it.
    pub fn scope(self) -> &'static str {
        match self {
            Self::ReadConversations => "conversation:read",
            Self::WriteConversations => "conversation:write",
            Self::PostAsVisitor => "conversation:post_as_visitor",
            Self::ReadArticles => "article:read",
            Self::WriteArticles => "article:write",
            Self::ReadInboxes => "inbox:read",
            Self::WriteInboxes => "inbox:write",
            Self::ReadUsers => "user:read",
            Self::WriteUsers => "user:write",
            Self::ReadKeys => "key:read",
            Self::WriteKeys => "key:write",
            Self::ReadSessions => "session:read",
            Self::WriteSessions => "session:write",
            Self::ManageOrganizations => "organization:manage",
            Self::ReadServer => "server:read",
            Self::ReadAudit => "audit:read",
        }
    }

    /// Whether a signed-in user of this role has it. Posting as a visitor is for keys alone.
    fn of_role(self, role: Role) -> bool {
        match role {
            Role::Admin => !matches!(self, Self::PostAsVisitor | Self::ManageOrganizations),
            Role::Agent => matches!(
                self,
                Self::ReadConversations
                    | Self::WriteConversations
                    | Self::ReadArticles
                    | Self::ReadInboxes
                    | Self::ReadUsers
                    | Self::ReadServer
            ),
            Role::User => false,
        }
    }
}

/// The rights behind an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// A signed-in user's.
    Role(Role),
    /// A key's: its scopes, within the rights of its owner.
    Scopes {
        /// The owner's role.
        role: Role,
        /// `*` or names of permissions.
        scopes: Vec<String>,
    },
    /// A visitor's: their own conversation, nothing else.
    Visitor,
    /// The operator's.
    Operator,
    /// The assistant's and the daemon's own.
    Internal,
}

impl Actor {
    /// Whether this actor may do `permission` in its organization.
    pub fn may(&self, permission: Permission) -> bool {
        match &self.grants {
            Grants::Role(role) => permission.of_role(*role),
            Grants::Scopes { role, scopes } => {
                let granted =
                    scopes.iter().any(|scope| scope == "*" || scope == permission.scope());
                let within = permission.of_role(*role)
                    || (permission == Permission::PostAsVisitor && *role == Role::Admin);
                granted && within
            }
            Grants::Visitor => false,
            Grants::Operator => {
                matches!(permission, Permission::ManageOrganizations | Permission::ReadServer)
            }
            Grants::Internal => true,
        }
    }

    /// The member of staff this actor is, or whose key it is.
    pub fn staff(&self) -> Option<UserId> {
        match &self.who {
            Who::Agent { user, .. } => Some(*user),
            Who::Key { owner, .. } => Some(*owner),
            Who::Visitor { .. } | Who::Assistant | Who::Operator { .. } | Who::System => None,
        }
    }

    /// Whether the actor has an admin's rights.
    pub fn is_admin(&self) -> bool {
        match &self.grants {
            Grants::Role(role) | Grants::Scopes { role, .. } => *role == Role::Admin,
            Grants::Visitor | Grants::Operator => false,
            Grants::Internal => true,
        }
    }

    /// The assistant of an organization.
    pub fn assistant(organization: OrganizationId) -> Self {
        Self { organization, who: Who::Assistant, grants: Grants::Internal }
    }

    /// The daemon itself, acting in an organization.
    pub fn system(organization: OrganizationId) -> Self {
        Self { organization, who: Who::System, grants: Grants::Internal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(grants: Grants) -> Actor {
        Actor { organization: OrganizationId::default(), who: Who::System, grants }
    }

    #[test]
    fn a_key_never_exceeds_its_owner() {
        for permission in Permission::ALL {
            let scopes = vec!["*".to_owned()];
            let key = actor(Grants::Scopes { role: Role::Agent, scopes });
            assert_eq!(key.may(permission), permission.of_role(Role::Agent), "{permission:?}");
        }
    }

    #[test]
    fn a_key_has_only_its_scopes() {
        let scopes = vec!["conversation:read".to_owned()];
        let key = actor(Grants::Scopes { role: Role::Admin, scopes });
        let granted: Vec<_> = Permission::ALL.into_iter().filter(|p| key.may(*p)).collect();
        assert_eq!(granted, [Permission::ReadConversations]);
    }

    #[test]
    fn the_operator_reads_no_conversation() {
        assert!(!actor(Grants::Operator).may(Permission::ReadConversations));
        assert!(actor(Grants::Operator).may(Permission::ManageOrganizations));
    }
}
