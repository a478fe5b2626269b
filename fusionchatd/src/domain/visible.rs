//! Who may see which entry. Every door and worker asks here; no visitor ever gets a note or another's chat.

use super::actor::{Actor, Permission, Who};
use super::conversation::Conversation;
use super::entry::{Entry, EntryKind};
use super::inbox::Inbox;

/// Whether `actor` may see `entry`, which happened in `conversation` if in any. The actor's organization has
/// been matched already: rows of another cannot be reached at all.
pub fn visible(actor: &Actor, entry: &Entry, conversation: Option<&Conversation>) -> bool {
    match &actor.who {
        Who::Visitor { user, .. } => {
            conversation.is_some_and(|c| c.visitor == *user) && is_public(entry.kind)
        }
        Who::Agent { .. } | Who::Key { .. } => actor.may(Permission::ReadConversations),
        Who::Assistant | Who::System => true,
        Who::Operator { .. } => false,
    }
}

/// Whether `actor` may see an inbox and what happens in it: an agent as one of its members, an admin in any case.
/// To everybody else it is as if it were not there.
pub fn reaches(actor: &Actor, inbox: &Inbox) -> bool {
    match &actor.who {
        Who::Visitor { inbox: own, .. } => *own == inbox.id,
        Who::Agent { user, .. } | Who::Key { owner: user, .. } => {
            actor.is_admin() || inbox.has_member(*user)
        }
        Who::Assistant | Who::System => true,
        Who::Operator { .. } => false,
    }
}

/// Whether entries of this kind are part of what a visitor sees.
fn is_public(kind: EntryKind) -> bool {
    match kind {
        EntryKind::MessagePosted
        | EntryKind::Escalated
        | EntryKind::Claimed
        | EntryKind::Released
        | EntryKind::HandedBack
        | EntryKind::Resolved
        | EntryKind::Reopened
        | EntryKind::ConversationStarted
        | EntryKind::MarkMoved => true,
        EntryKind::NoteAdded
        | EntryKind::OrganizationCreated
        | EntryKind::UserCreated
        | EntryKind::AvailabilityChanged
        | EntryKind::InboxCreated
        | EntryKind::InboxEdited
        | EntryKind::KeyCreated
        | EntryKind::KeyRevoked
        | EntryKind::SessionStarted
        | EntryKind::SessionEnded
        | EntryKind::ArticlePut
        | EntryKind::ArticleDeleted
        | EntryKind::UserInvited
        | EntryKind::InviteAccepted
        | EntryKind::UserEdited
        | EntryKind::UserReset
        | EntryKind::UserDisabled
        | EntryKind::UserEnabled
        | EntryKind::AbsenceTimed => false,
    }
}
