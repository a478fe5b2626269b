//! Inboxes: one widget of an organization each.

use std::collections::BTreeSet;

use super::Time;
use super::id::{InboxId, OrganizationId, UserId};

/// The most members an inbox names.
pub const MEMBERS_MAX: usize = 256;
/// The shortest silence an inbox may name, in milliseconds.
pub const SILENCE_MS_MIN: i64 = 1_000;
/// The longest: a year.
pub const SILENCE_MS_MAX: i64 = 365 * 24 * 60 * 60 * 1_000;

/// How the assistant takes part in an inbox. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssistantMode {
    /// It answers first.
    On = 0,
    /// Visitors wait for a person from the start.
    Off = 1,
    /// They do; what it would have answered is a note for whoever answers them.
    DraftOnly = 2,
}

/// How long visitors of an inbox may be silent, in milliseconds. Where it says nothing, the configuration holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silences {
    /// After the assistant's word: then the conversation is `abandoned`.
    pub abandon_ms: Option<i64>,
    /// After an agent's: then the visitor gets a notice.
    pub notice_ms: Option<i64>,
    /// After the notice: then it is `no_reply`.
    pub no_reply_ms: Option<i64>,
}

impl Silences {
    /// Each with what an edit says of it; there, zero says that the configuration holds again.
    pub fn edited(self, edit: Self) -> Self {
        let after = |before: Option<i64>, said: Option<i64>| match said {
            Some(0) => None,
            Some(ms) => Some(ms),
            None => before,
        };
        Self {
            abandon_ms: after(self.abandon_ms, edit.abandon_ms),
            notice_ms: after(self.notice_ms, edit.notice_ms),
            no_reply_ms: after(self.no_reply_ms, edit.no_reply_ms),
        }
    }

    /// Whether each that is said is neither too short nor too long.
    pub fn are_possible(self) -> bool {
        let all = [self.abandon_ms, self.notice_ms, self.no_reply_ms];
        all.into_iter().flatten().all(|it| (SILENCE_MS_MIN..=SILENCE_MS_MAX).contains(&it))
    }
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
    /// How long its visitors may be silent.
    pub silences: Silences,
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
    /// How long its visitors may be silent; see [`Silences::edited`].
    pub silences: Silences,
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
