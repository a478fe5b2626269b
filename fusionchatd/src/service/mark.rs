//! Read marks, coalesced to one write in a while for each side of a conversation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::actor::Actor;
use crate::domain::command::Command;
use crate::domain::conversation::Side;
use crate::domain::id::{ConversationId, OrganizationId};

use super::Service;
use super::digest::Digest;
use super::error::Error;

/// How many marks may be on their way; past it a mark is written at once.
const PENDING_MAX: usize = 10_000;

type Which = (OrganizationId, ConversationId, Side);

/// Marks on their way: what is pending behind one that was just written.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pending: Mutex<HashMap<Which, Option<u64>>>,
}

impl Service {
    /// Writes a mark now, or lets it wait behind one of the same side that was just written.
    pub(super) async fn mark(
        self: &Arc<Self>,
        actor: &Actor,
        conversation: ConversationId,
        side: Side,
        seq: u64,
    ) -> Result<(), Error> {
        let which = (actor.organization, conversation, side);
        {
            let mut pending = self.marks.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waiting) = pending.get_mut(&which) {
                *waiting = Some(waiting.unwrap_or(0).max(seq));
                return Ok(());
            }
            if pending.len() < PENDING_MAX {
                pending.insert(which, None);
            }
        }
        let written = self.write_mark(actor, conversation, side, seq).await;
        let service = Arc::clone(self);
        let actor = actor.clone();
        self.tasks.spawn(async move { service.drain_marks(&actor, which).await });
        written
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
    async fn drain_marks(self: Arc<Self>, actor: &Actor, which: Which) {
        loop {
            tokio::time::sleep(Duration::from_millis(self.settings.mark_interval_ms)).await;
            let waiting = {
                let mut pending = self.marks.pending.lock().unwrap_or_else(PoisonError::into_inner);
                match pending.get_mut(&which).and_then(Option::take) {
                    Some(seq) => seq,
                    None => {
                        pending.remove(&which);
                        return;
                    }
                }
            };
            // A mark is a convenience: one that cannot be written now is written with the next.
            let _ = self.write_mark(actor, which.1, which.2, waiting).await;
        }
    }
}
