//! An assistant that takes its time, as one that asks a model does: it thinks through the service, waits, and acts in
//! the turn it has thought about. Other runs have the daemon's own worker instead.

use std::sync::Arc;
use std::time::Duration;

use fusionchatd::domain::entry::{Entry, EntryKind};
use fusionchatd::domain::id::{ConversationId, OrganizationId};
use fusionchatd::domain::message::SenderType;
use fusionchatd::service::Service;
use fusionchatd::service::assistant::{Thought, WORKER};
use fusionchatd::service::error::Error;
use fusionchatd::service::rows::Rows;

use super::chance::Chance;
use super::disk::{Bug, Disk};

const READ_AT_ONCE: u32 = 50;
const ATTEMPTS_MAX: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// The longest thought, in milliseconds.
const THOUGHT_MS_MAX: u64 = 400;

pub(crate) struct Thinker {
    pub(crate) service: Arc<Service>,
    pub(crate) disk: Arc<Disk>,
    pub(crate) organization: OrganizationId,
    pub(crate) chance: Chance,
    pub(crate) bug: Option<Bug>,
}

impl Thinker {
    /// Runs until the process ends.
    pub(crate) async fn run(mut self) {
        loop {
            if let Err(error) = self.read_on().await {
                assert_ne!(error.code, "panicked", "the store answers every read");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn read_on(&mut self) -> Result<(), Error> {
        let organization = self.organization;
        let cursor = self.service.worker_cursor(organization, WORKER).await?;
        let entries = self.service.entries_after(organization, cursor, READ_AT_ONCE).await?;
        let Some(last) = entries.last().map(|it| it.position) else { return Ok(()) };
        for entry in &entries {
            let Some(conversation) = concerns(entry) else { continue };
            for _ in 0..ATTEMPTS_MAX {
                match self.attempt(conversation, entry.position).await {
                    Ok(()) => break,
                    Err(error) if error.code == "stale_turn" => {}
                    // Left to the conversation's timer.
                    Err(_) => break,
                }
            }
        }
        self.service.save_worker_cursor(organization, WORKER, last).await
    }

    async fn attempt(&mut self, conversation: ConversationId, position: u64) -> Result<(), Error> {
        let thought = self.service.think(self.organization, conversation).await?;
        let Thought::Act(turn, act) = thought else { return Ok(()) };
        let ms = self.chance.below(THOUGHT_MS_MAX);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let turn = if self.bug == Some(Bug::TurnUnchecked) {
            let rows = Rows::new(self.disk.as_ref(), self.organization);
            rows.conversation(conversation).await?.map_or(turn, |it| it.turn)
        } else {
            turn
        };
        let of = self.organization;
        self.service.assistant_act(of, conversation, position, turn, act).await.map(|_| ())
    }
}

fn concerns(entry: &Entry) -> Option<ConversationId> {
    let by_visitor =
        entry.kind == EntryKind::MessagePosted && entry.code & 0xff == SenderType::User.code();
    let given = matches!(entry.kind, EntryKind::HandedBack | EntryKind::Reopened);
    entry.conversation.filter(|_| by_visitor || given)
}
