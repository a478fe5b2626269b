//! Read marks, coalesced to one write in a while for each side of a conversation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::actor::{Actor, Permission, Who};
use crate::domain::command::Command;
use crate::domain::conversation::Side;
use crate::domain::id::{ConversationId, OrganizationId};

use super::digest::Digest;
use super::error::{Error, Kind};
use super::{Service, require};

/// How many marks may be on their way; past it a mark is written at once.
const PENDING_MAX: usize = 10_000;

type Which = (OrganizationId, ConversationId, Side);

/// Marks on their way: what is pending behind one that was just written, and whose it is.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pending: Mutex<HashMap<Which, Option<(Actor, u64)>>>,
}

impl Service {
    /// One side has read up to a seq.
    pub async fn mark_read(
        self: &Arc<Self>,
        actor: &Actor,
        text: &str,
        seq: u64,
    ) -> Result<(), Error> {
        let header = self.find_conversation(actor, text).await?;
        let side = match &actor.who {
            Who::Visitor { .. } => Side::Visitor,
            Who::Agent { .. } | Who::Key { .. } => {
                require(actor, Permission::WriteConversations)?;
                Side::Staff
            }
            Who::Operator { .. } | Who::Assistant | Who::System => return Err(Error::forbidden()),
        };
        self.mark(actor, header.id, side, seq).await
    }

    /// Writes a mark now, or lets it wait behind one of the same side that was just written.
    async fn mark(
        self: &Arc<Self>,
        actor: &Actor,
        conversation: ConversationId,
        side: Side,
        seq: u64,
    ) -> Result<(), Error> {
        let which = (actor.organization, conversation, side);
        let waits;
        {
            let mut pending = self.marks.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waiting) = pending.get_mut(&which) {
                if waiting.as_ref().is_none_or(|(_, further)| seq > *further) {
                    *waiting = Some((actor.clone(), seq));
                }
                return Ok(());
            }
            waits = pending.len() < PENDING_MAX;
            if waits {
                pending.insert(which, None);
                // Before the first write: whoever asked for it may go away while it is being written.
                let service = Arc::clone(self);
                self.tasks.spawn(async move { service.drain_marks(which).await });
            }
        }
        match self.write_mark(actor, conversation, side, seq).await {
            Err(error) if waits && error.kind == Kind::Limited => {
                if self.put_back(which, (actor.clone(), seq)) { Ok(()) } else { Err(error) }
            }
            written => written,
        }
    }

    /// Lets a mark that was over a limit wait again, behind no further one; false if nobody would write it.
    fn put_back(&self, which: Which, mark: (Actor, u64)) -> bool {
        let mut pending = self.marks.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = pending.get_mut(&which) else { return false };
        if waiting.as_ref().is_none_or(|(_, further)| mark.1 > *further) {
            *waiting = Some(mark);
        }
        true
    }

    async fn write_mark(
        self: &Arc<Self>,
        actor: &Actor,
        conversation: ConversationId,
        side: Side,
        seq: u64,
    ) -> Result<(), Error> {
        let digest = Digest::of("mark").finish();
        let command = Command::Mark { conversation, side, seq };
        self.execute(actor, None, digest, command).await.map(|_| ())
    }

    /// Writes what came meanwhile, until nothing did.
    async fn drain_marks(self: Arc<Self>, which: Which) {
        loop {
            tokio::time::sleep(Duration::from_millis(self.settings.load().mark_interval_ms)).await;
            let (actor, seq) = {
                let mut pending = self.marks.pending.lock().unwrap_or_else(PoisonError::into_inner);
                match pending.get_mut(&which).and_then(Option::take) {
                    Some(waiting) => waiting,
                    None => {
                        pending.remove(&which);
                        return;
                    }
                }
            };
            match self.write_mark(&actor, which.1, which.2, seq).await {
                Err(error) if error.kind == Kind::Limited => {
                    self.put_back(which, (actor, seq));
                }
                // A mark is a convenience: one that cannot be written now is written with the next.
                Ok(()) | Err(_) => {}
            }
        }
    }
}
