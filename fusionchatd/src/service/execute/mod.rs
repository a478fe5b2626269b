//! The one write path: commands of an organization are taken in groups, decided one after another over a layer of
//! their own writes, and committed as one batch. Every answer leaves after that commit, or not at all.
//!
//! - `lanes`: the commands that wait, of each organization in its lane.
//! - `pipeline`: the task of a busy lane, which decides one group while the last is being committed.

mod lanes;
mod pipeline;

#[cfg(test)]
mod ahead_test;
#[cfg(test)]
mod execute_test;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::domain::actor::{Actor, Who};
use crate::domain::command::Command;
use crate::domain::decide::{Decision, Refs, decide};
use crate::domain::entry::EntryKind;
use crate::domain::event::{Content, Event};
use crate::domain::facts::{IDS_PER_COMMAND, Moment};
use crate::domain::id::{ClientId, ConversationId, OrganizationId, UserId};
use crate::domain::rejection::Rejection;
use crate::store::record::{Did, Done};
use crate::store::table;

use super::Service;
use super::error::{Error, Kind};
use super::limit::Share;
use super::rows::Rows;
use super::view::{self, Change};
use super::write;

pub(super) use lanes::Lanes;
use lanes::{Job, Known};

/// The most commands of a group.
pub const GROUP_COMMANDS_MAX: usize = 64;
/// The most commands that are decided before the commit under way is looked after.
pub const CHUNK_COMMANDS_MAX: usize = 16;
/// The most text of a group, in bytes.
pub const GROUP_BYTES_MAX: usize = 256 * 1024;
/// After how many commits that met a conflict a command is refused.
pub const GROUP_ATTEMPTS_MAX: usize = 5;
/// How many groups are decided warily after one that could not be committed.
pub const WARY_GROUPS: usize = 64;
/// The most commands of one organization that may wait; more are refused as `overloaded`.
pub const WAITING_MAX: usize = 1024;
/// Of how many organizations the head is remembered while they are idle.
pub const IDLE_LANES_MAX: usize = 1024;

/// What a command did.
#[derive(Clone, Debug)]
pub struct Answer {
    /// By id.
    pub refs: Refs,
    /// Whether an earlier command with the same client id did it.
    pub repeated: bool,
    /// What it changed, as it was committed; nothing of a repeat, whose rows are read as they are now.
    pub(super) changes: Vec<Arc<Change>>,
}

/// What was decided of a group and is not yet committed.
#[derive(Default)]
struct Decided {
    results: Vec<Result<Answer, Error>>,
    changes: Vec<Arc<Change>>,
    visitors: BTreeSet<UserId>,
    rights_changed: bool,
    articles_changed: bool,
    staff_changed: bool,
    timers_set: bool,
}

/// Whether the store is asked, before a command is decided, if it was done already. Most commands are new, and a busy
/// lane need not wait for the store: a commit fails that would do one again, and then it is decided warily.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wary {
    Yes,
    No,
}

impl Service {
    /// Executes a command. `digest` is of its body: the same client id with another digest is a conflict.
    pub(super) async fn execute(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        digest: [u8; 32],
        command: Command,
    ) -> Result<Answer, Error> {
        if let Some(share) = Share::of(actor)
            && let Err(refused) = self.limits.load().command(actor.organization, share)
        {
            self.metrics.over_quota(share);
            return Err(refused);
        }
        let (answer, answered) = oneshot::channel();
        let mut ids = [Uuid::nil(); IDS_PER_COMMAND];
        ids.fill_with(|| self.new_id());
        let job = Job {
            weight: weight(&command),
            actor: actor.clone(),
            command,
            client_id,
            digest,
            now: self.now(),
            ids,
            conflicts: 0,
            answer,
        };
        let organization = actor.organization;
        if self.lanes.push(organization, job)? {
            let service = Arc::clone(self);
            self.tasks.spawn(service.run_lane(organization));
        }
        answered
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("unavailable", "nobody knows; try again")))
    }

    /// Counts what a group came to.
    fn measure(&self, decided: &Decided) {
        for result in &decided.results {
            self.metrics.command(match result {
                Ok(Answer { repeated: false, .. }) => "done",
                Ok(Answer { repeated: true, .. }) => "repeated",
                Err(error) if error.kind == Kind::Internal => "failed",
                Err(_) => "rejected",
            });
        }
        for change in &decided.changes {
            self.metrics.entry(change.entry.kind.name());
        }
    }

    /// One command over the layer: a repeat, a rejection, or events written into the layer.
    async fn decide_one(
        &self,
        job: &Job,
        rows: &mut Rows<'_>,
        known: &mut Known,
        decided: &mut Decided,
        wary: Wary,
    ) -> Result<Answer, Error> {
        let done_key = job.done_key(rows.organization());
        if let Some(key) = &done_key {
            let done = match wary {
                Wary::Yes => rows.row::<Done>(key).await?,
                Wary::No => rows.pending::<Done>(key)?,
            };
            if let Some(done) = done {
                return repeat(rows, &done, job).await;
            }
        }
        let facts = super::gather::gather(rows, &job.command, &known.accepting).await?;
        let moment = Moment {
            now: job.now.max(known.head.time),
            position: known.head.position + 1,
            next_number: known.head.next_number,
            ids: job.ids,
            delays: self.settings.load().delays,
        };
        let decision = match decide(&moment, &job.actor, &facts, job.client_id, &job.command) {
            Ok(decision) => decision,
            Err(rejection) => return Err(self.explain(rows, rejection).await?),
        };
        let Decision { events, refs } = decision;
        let whole = events.iter().find(|event| Refs::of(&event.entry) == Some(refs));
        let did = whole.map_or(Did::These(refs), |event| Did::Entry(event.entry.position));
        let mut changes = Vec::with_capacity(events.len());
        for mut event in events {
            event.entry.digest = self.content_digest(&event);
            write::write(rows, &event).await?;
            let change = view::of_event(rows, &event).await?;
            changes.push(Arc::clone(&change));
            decided.changes.push(change);
            note_effects(&event, known, decided, rows).await?;
        }
        // The last step: what is expected of this row is not taken back.
        if let Some(key) = done_key {
            rows.put_new(key, &Done::new(job.digest, did));
        }
        Ok(Answer { refs, repeated: false, changes })
    }

    /// A rejection with the names its parameters need.
    async fn explain(&self, rows: &Rows<'_>, rejection: Rejection) -> Result<Error, Error> {
        let by = rejection.holder();
        let offered = matches!(rejection, Rejection::Offered { .. });
        let mut error = Error::from(rejection);
        if by.is_some() {
            let name = rows.user_label(by).await?;
            if !name.is_empty() {
                error.message = if offered {
                    format!("this conversation is offered to {name}")
                } else {
                    format!("{name} has claimed this conversation")
                };
            }
            error.params.insert("by", name);
        }
        Ok(error)
    }

    /// What the journal keeps of a content: nobody can read it back, but anybody with the key can prove it.
    fn content_digest(&self, event: &Event) -> Option<[u8; 16]> {
        let digest = self.keyed("content", event.content.text()?.as_bytes()).ok()?;
        digest.first_chunk().copied()
    }

    fn publish(&self, organization: OrganizationId, decided: &Decided) {
        if decided.changes.is_empty() {
            return;
        }
        if decided.articles_changed {
            self.knowledge.changed(organization);
        }
        // Before anybody is told: whoever hears of it asks who is there.
        if decided.staff_changed {
            self.staffing.changed(organization);
        }
        // Before, too: whoever has lost a right shall not be told in its name.
        if decided.rights_changed {
            self.hub.rights_changed(organization);
        }
        self.hub.publish(organization, &decided.changes, &decided.visitors);
        if decided.timers_set {
            self.timers.notify_one();
        }
    }
}

/// What an event means for the lane and its readers.
async fn note_effects(
    event: &Event,
    known: &mut Known,
    decided: &mut Decided,
    rows: &Rows<'_>,
) -> Result<(), Error> {
    known.head.position = event.entry.position;
    known.head.time = event.entry.time;
    if event.entry.kind == EntryKind::ConversationStarted {
        known.head.next_number += 1;
    }
    let kind = event.entry.kind;
    match &event.content {
        // Every visitor's first message creates a user too: only staff can change this.
        Content::User(user, _) if user.is_staff() => {
            known.accepting = Arc::new(rows.accepting().await?);
            decided.staff_changed = true;
        }
        Content::None
        | Content::Message(_)
        | Content::Flagged(_)
        | Content::Retracted { .. }
        | Content::Deleted(_)
        | Content::Note(_)
        | Content::Organization(_)
        | Content::User(..)
        | Content::Inbox(_)
        | Content::Key(..)
        | Content::KeyRevoked(_)
        | Content::Session(..)
        | Content::SessionEnded(_)
        | Content::Article(_)
        | Content::ArticleDeleted(_) => {}
    }
    decided.rights_changed |= matches!(
        kind,
        EntryKind::KeyRevoked
            | EntryKind::SessionEnded
            | EntryKind::InboxCreated
            | EntryKind::InboxEdited
            | EntryKind::UserEdited
            | EntryKind::UserReset
            | EntryKind::UserDisabled
    );
    decided.articles_changed |= matches!(kind, EntryKind::ArticlePut | EntryKind::ArticleDeleted);
    decided.timers_set |= event.entry.due.is_some();
    if let Some((visitor, _)) = write::audience(event) {
        decided.visitors.insert(visitor);
    }
    Ok(())
}

/// The answer to a command whose client id has been used: the first one's, or that it was for something else.
async fn repeat(rows: &Rows<'_>, done: &Done, job: &Job) -> Result<Answer, Error> {
    let refs = match done.did {
        Did::These(refs) => Some(refs),
        Did::Entry(position) => {
            let entry = rows.row(&table::entry(rows.organization(), position)).await?;
            entry.as_ref().and_then(Refs::of)
        }
    };
    if done.is_of(&job.digest) {
        let refs = refs.ok_or_else(result_lost)?;
        return Ok(Answer { refs, repeated: true, changes: Vec::new() });
    }
    let refs = refs.unwrap_or_default();
    let header = match refs.conversation {
        Some(id) => rows.conversation(ConversationId(id)).await?,
        None => None,
    };
    let original = match (header.map(|it| it.number), refs.seq, refs.subject) {
        (Some(number), Some(seq), _) => format!("message {seq} of conversation {number}"),
        (Some(number), None, _) => format!("a change of conversation {number}"),
        (None, _, Some(subject)) => format!("{subject}"),
        (None, _, None) => "an earlier command".to_owned(),
    };
    Err(Rejection::ClientIdReused { original }.into())
}

/// The entry of a command that was done is gone: the journal was damaged, and restored as it was.
fn result_lost() -> Error {
    let message = "this was done before, but the journal has lost what came of it";
    Error::new(Kind::Conflict, "result_lost", message)
        .with_hint("look whether it is there; send it with a new clientId only if it is not")
}

/// Whose client ids these are.
pub(super) fn sender(actor: &Actor) -> Uuid {
    match &actor.who {
        Who::Agent { user, .. } | Who::Visitor { user, .. } => user.0,
        Who::Key { key, .. } | Who::Operator { key } => key.0,
        Who::Assistant => Uuid::from_u128(1),
        Who::System => Uuid::from_u128(2),
    }
}

/// Roughly how many bytes a command writes.
fn weight(command: &Command) -> usize {
    const ROW_BYTES: usize = 512;
    ROW_BYTES + command.text().map_or(0, str::len)
}
