//! The texts being written, one per conversation, and which of them disk does not have yet. Saving
//! itself is an effect.

use std::collections::{BTreeSet, HashMap};

use super::editor::Editor;
use super::outbox::Kind;
use super::row::ConversationId;

/// How often drafts are saved at most, in milliseconds.
pub(crate) const SAVE_EVERY_MS: i64 = 500;

/// One text being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Composer {
    pub(crate) editor: Editor,
    pub(crate) kind: Kind,
}

/// Every text being written.
#[derive(Debug, Default)]
pub(crate) struct Composers {
    open: HashMap<ConversationId, Composer>,
    unsaved: BTreeSet<ConversationId>,
    saved_at: i64,
}

impl Composers {
    /// The text of a conversation, if there is one.
    pub(crate) fn get(&self, id: &ConversationId) -> Option<&Composer> {
        self.open.get(id)
    }

    /// The same, to change; made if missing.
    pub(crate) fn edit(&mut self, id: &ConversationId) -> &mut Composer {
        self.open.entry(id.clone()).or_default()
    }

    /// True if a text of the conversation is not blank.
    pub(crate) fn has_draft(&self, id: &ConversationId) -> bool {
        self.open.get(id).is_some_and(|composer| !composer.editor.is_blank())
    }

    /// True if any text is not blank.
    pub(crate) fn any_draft(&self) -> bool {
        self.open.values().any(|composer| !composer.editor.is_blank())
    }

    /// Notes that disk lags behind for this conversation.
    pub(crate) fn touch(&mut self, id: &ConversationId) {
        self.unsaved.insert(id.clone());
    }

    /// When the next save is due, if one is.
    pub(crate) fn save_due(&self) -> Option<i64> {
        (!self.unsaved.is_empty()).then_some(self.saved_at + SAVE_EVERY_MS)
    }

    /// Forgets a text that is blank.
    pub(crate) fn forget_blank(&mut self, id: &ConversationId) {
        if self.open.get(id).is_some_and(|composer| composer.editor.is_blank()) {
            self.open.remove(id);
        }
    }

    /// The conversations to save now.
    pub(crate) fn take_unsaved(&mut self, now: i64) -> BTreeSet<ConversationId> {
        self.saved_at = now;
        std::mem::take(&mut self.unsaved)
    }
}
