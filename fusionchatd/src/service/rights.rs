//! Which inboxes an actor reaches: admins all of them, agents and their keys those they are members of. What happens
//! in any other is to them as if it were not there.

use std::collections::BTreeSet;

use crate::domain::actor::{Actor, Who};
use crate::domain::conversation::Conversation;
use crate::domain::id::InboxId;
use crate::domain::visible::reaches;

use super::Service;
use super::error::Error;
use super::rows::Rows;

/// The inboxes somebody reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All there are.
    All,
    /// These.
    Only(BTreeSet<InboxId>),
}

impl Reach {
    /// Whether an inbox is among them.
    pub fn has(&self, inbox: InboxId) -> bool {
        match self {
            Self::All => true,
            Self::Only(inboxes) => inboxes.contains(&inbox),
        }
    }
}

impl Service {
    /// The inboxes the actor reaches, as the rows are now.
    pub(super) async fn reach(&self, actor: &Actor) -> Result<Reach, Error> {
        if !is_bounded(actor) {
            return Ok(Reach::All);
        }
        let all = self.rows(actor).inboxes().await?;
        let count = all.len();
        let reached: BTreeSet<InboxId> =
            all.iter().filter(|inbox| reaches(actor, inbox)).map(|inbox| inbox.id).collect();
        Ok(if reached.len() == count { Reach::All } else { Reach::Only(reached) })
    }
}

/// Whether there may be inboxes the actor does not reach: true of agents and their keys.
pub(super) fn is_bounded(actor: &Actor) -> bool {
    match &actor.who {
        Who::Agent { .. } | Who::Key { .. } => !actor.is_admin(),
        Who::Visitor { .. } | Who::Operator { .. } | Who::Assistant | Who::System => false,
    }
}

/// Refuses an agent a conversation of an inbox they are no member of, as if it were not there.
pub(super) async fn require_reach(
    rows: &Rows<'_>,
    actor: &Actor,
    header: &Conversation,
) -> Result<(), Error> {
    if !is_bounded(actor) {
        return Ok(());
    }
    let inbox = rows.inbox(header.inbox).await?.ok_or_else(Error::not_found)?;
    if reaches(actor, &inbox) { Ok(()) } else { Err(Error::not_found()) }
}
