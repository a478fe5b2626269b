//! Inboxes: one widget of an organization each.

use std::collections::BTreeSet;

use super::Time;
use super::id::{InboxId, OrganizationId, UserId};

/// The most members an inbox names.
pub const MEMBERS_MAX: usize = 256;

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
    /// The agents who answer it and see its conversations; empty means all. Admins see every inbox.
    pub members: Vec<UserId>,
}

impl Inbox {
    /// Whether a page of this origin may embed the inbox.
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin)
    }

    /// Whether an agent is one of its members.
    pub fn has_member(&self, user: UserId) -> bool {
        self.members.is_empty() || self.members.contains(&user)
    }

    /// Whether one of its members takes conversations, of all the staff who do.
    pub fn is_staffed(&self, accepting: &BTreeSet<UserId>) -> bool {
        if self.members.is_empty() {
            return !accepting.is_empty();
        }
        self.members.iter().any(|member| accepting.contains(member))
    }
}

/// A change of an inbox. What is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxEdit {
    /// Its new name.
    pub name: Option<String>,
    /// Whether the assistant answers first.
    pub assistant: Option<AssistantMode>,
    /// Its new language.
    pub locale: Option<String>,
    /// The pages that may embed it.
    pub origins: ListEdit<String>,
    /// Its members.
    pub members: ListEdit<UserId>,
}

/// A change of a list: another one in its place, then what to add and to take away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEdit<T> {
    /// The list that takes its place.
    pub replace: Option<Vec<T>>,
    /// What comes to it.
    pub add: Vec<T>,
    /// What goes from it.
    pub remove: Vec<T>,
}

impl<T> Default for ListEdit<T> {
    fn default() -> Self {
        Self { replace: None, add: Vec::new(), remove: Vec::new() }
    }
}

impl<T: Clone + PartialEq> ListEdit<T> {
    /// The list after the change, each of its items once; or the item that should go and is not there.
    pub fn apply(&self, before: &[T]) -> Result<Vec<T>, T> {
        let kept = self.replace.as_deref().unwrap_or(before);
        let mut after: Vec<T> = Vec::with_capacity(kept.len() + self.add.len());
        for item in kept.iter().chain(&self.add) {
            if !after.contains(item) {
                after.push(item.clone());
            }
        }
        for item in &self.remove {
            let Some(at) = after.iter().position(|it| it == item) else {
                return Err(item.clone());
            };
            after.remove(at);
        }
        Ok(after)
    }
}
