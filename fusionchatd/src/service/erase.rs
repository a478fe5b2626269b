//! What goes with a test conversation when its day is over. The header goes in the journal's own batch, and from then
//! on nobody finds the rest; what does not fit into that batch goes afterwards, while the timer's row still stands.

use crate::domain::id::{ConversationId, EscalationId};
use crate::store::record::{Pointer, Record};
use crate::store::{Batch, Direction, table};

use super::Service;
use super::error::Error;
use super::rows::Rows;

/// The most messages, notes and escalations that are erased in one batch.
pub(super) const ERASED_AT_ONCE: u32 = 256;
/// The most such batches of one firing; the timer fires again for what is left.
const BATCHES_MAX: usize = 16;

/// Takes away messages, notes and escalations of a conversation, at most as many as one batch takes. Whether none is
/// left.
pub(super) async fn erase_some(rows: &mut Rows<'_>, id: ConversationId) -> Result<bool, Error> {
    let organization = rows.organization();
    let mut room = ERASED_AT_ONCE;
    for range in [
        table::messages_from(organization, id, 0),
        table::notes_from(organization, id, 0),
        table::escalations_of(organization, id),
    ] {
        // One more than there is room for: whether any is left must not be guessed.
        let found = rows.scan(&range, Direction::Forward, room + 1).await?;
        for (key, value) in found {
            if room == 0 {
                return Ok(false);
            }
            room -= 1;
            if let Ok(escalation) = Pointer::decode(&key, &value) {
                let id = EscalationId(escalation.subject);
                rows.delete(table::escalation(organization, id));
            }
            rows.delete(key);
        }
    }
    Ok(true)
}

impl Service {
    /// Erases what the batch of a conversation's deletion has left of it. Whether nothing is left.
    pub(super) async fn erase_rest(
        &self,
        rows: &Rows<'_>,
        id: ConversationId,
    ) -> Result<bool, Error> {
        if rows.conversation(id).await?.is_some() {
            return Ok(true);
        }
        for _ in 0..BATCHES_MAX {
            let mut layer = Rows::new(self.engine.as_ref(), rows.organization());
            let done = erase_some(&mut layer, id).await?;
            let delete = layer.into_deleted();
            if !delete.is_empty() {
                self.engine.commit(Batch { delete, ..Batch::default() }).await?;
            }
            if done {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
