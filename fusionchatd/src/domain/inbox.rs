//! Inboxes: one widget of an organization each.

use super::Time;
use super::id::{InboxId, OrganizationId};

/// How the assistant takes part in an inbox. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssistantMode {
    /// It answers first.
    On = 0,
    /// Visitors wait for a person from the start.
    Off = 1,
}

/// One widget of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbox {
    /// Its id, public: it stands in the site's script tag.
    pub id: InboxId,
    /// Its organization.
    pub organization: OrganizationId,
    /// Its name, unique in the organization.
    pub name: String,
    /// The exact origins of the pages that may embed it; empty means none may.
    pub origins: Vec<String>,
    /// Whether the assistant answers first.
    pub assistant: AssistantMode,
    /// The language of its fixed sentences and articles, BCP 47.
    pub locale: String,
    /// When it was created.
    pub created_at: Time,
}

impl Inbox {
    /// Whether a page of this origin may embed the inbox.
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin)
    }
}
