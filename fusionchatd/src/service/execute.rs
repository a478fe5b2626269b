//! The one write path: commands of an organization are taken in groups, decided one after another over a layer of
//! their own writes, and committed as one batch. Every answer leaves after that commit, or not at all.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::FutureExt;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::domain::Time;
use crate::domain::actor::{Actor, Who};
use crate::domain::command::Command;
use crate::domain::decide::{Decision, Refs, decide};
use crate::domain::entry::EntryKind;
use crate::domain::event::{Content, Event};
use crate::domain::facts::{IDS_PER_COMMAND, Moment};
use crate::domain::id::{ClientId, ConversationId, OrganizationId, UserId};
use crate::domain::rejection::Rejection;
use crate::store::record::{Done, Head};
use crate::store::{Key, StoreError, table};

use super::Service;
use super::error::{Error, Kind};
use super::limit::Share;
use super::rows::Rows;
use super::view::{self, Change};
use super::write;

/// The most commands of a group.
pub const GROUP_COMMANDS_MAX: usize = 64;
/// The most text of a group, in bytes.
pub const GROUP_BYTES_MAX: usize = 256 * 1024;
/// How often a group is decided again after its commit failed.
pub const GROUP_ATTEMPTS_MAX: usize = 5;
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

/// A command on its way.
struct Job {
    actor: Actor,
    command: Command,
    client_id: Option<ClientId>,
    digest: [u8; 32],
    weight: usize,
    now: Time,
    ids: [Uuid; IDS_PER_COMMAND],
    answer: oneshot::Sender<Result<Answer, Error>>,
}

impl Job {
    /// Where it stands that it was done.
    fn done_key(&self, organization: OrganizationId) -> Option<Key> {
        self.client_id.map(|id| table::done(organization, sender(&self.actor), id))
    }
}

/// What is known of a busy organization between groups.
#[derive(Clone, Debug)]
struct Known {
    head_bytes: Option<bytes::Bytes>,
    head: Head,
    /// The staff who take conversations.
    accepting: Arc<BTreeSet<UserId>>,
}

/// The commands of one organization that wait, and what its task knows.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Job>,
    running: bool,
    known: Option<Known>,
}

/// All lanes.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: Mutex<HashMap<OrganizationId, Lane>>,
}

/// A group that has been decided but not yet committed.
struct Decided {
    results: Vec<Result<Answer, Error>>,
    changes: Vec<Arc<Change>>,
    visitors: BTreeSet<UserId>,
    rights_changed: bool,
    articles_changed: bool,
    staff_changed: bool,
    timers_set: bool,
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
            answer,
        };
        self.enqueue(actor.organization, job)?;
        answered
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("unavailable", "nobody knows; try again")))
    }

    fn enqueue(self: &Arc<Self>, organization: OrganizationId, job: Job) -> Result<(), Error> {
        let mut lanes = self.lanes.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(organization).or_default();
        if lane.waiting.len() >= WAITING_MAX {
            return Err(Error::limited("overloaded", "too many commands are waiting", 1_000));
        }
        lane.waiting.push_back(job);
        if !lane.running {
            lane.running = true;
            let service = Arc::clone(self);
            self.tasks.spawn(async move { service.run_lane(organization).await });
        }
        Ok(())
    }

    /// Takes groups until none waits.
    async fn run_lane(self: Arc<Self>, organization: OrganizationId) {
        while let Some((group, known)) = self.next_group(organization) {
            let ran = AssertUnwindSafe(self.run_group(organization, group, known));
            // Whoever waits in a lane whose task has died would wait for ever.
            let known = ran.catch_unwind().await.unwrap_or_default();
            let mut lanes = self.lanes.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(lane) = lanes.get_mut(&organization) {
                lane.known = known;
            }
        }
    }

    fn next_group(&self, organization: OrganizationId) -> Option<(Vec<Job>, Option<Known>)> {
        let mut lanes = self.lanes.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.get_mut(&organization)?;
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(job) = lane.waiting.front() {
            let full = group.len() >= GROUP_COMMANDS_MAX || bytes + job.weight > GROUP_BYTES_MAX;
            if full && !group.is_empty() {
                break;
            }
            bytes += job.weight;
            group.extend(lane.waiting.pop_front());
        }
        if group.is_empty() {
            lane.running = false;
            if lanes.len() > IDLE_LANES_MAX {
                lanes.remove(&organization);
            }
            return None;
        }
        Some((group, lane.known.take()))
    }

    /// Decides and commits a group, again if the commit fails; answers every command of it.
    async fn run_group(
        self: &Arc<Self>,
        organization: OrganizationId,
        group: Vec<Job>,
        known: Option<Known>,
    ) -> Option<Known> {
        let mut known = known;
        let mut last = Error::unavailable("unavailable", "the rows kept changing");
        for _ in 0..GROUP_ATTEMPTS_MAX {
            match self.try_group(organization, &group, known.take()).await {
                Ok((decided, next)) => {
                    self.publish(organization, &decided);
                    self.measure(&decided);
                    for (job, result) in group.into_iter().zip(decided.results) {
                        // Whoever asked may have gone: the command stands all the same.
                        let _ = job.answer.send(result);
                    }
                    return Some(next);
                }
                Err(Failure::Again) => {}
                Err(Failure::Final(error)) => {
                    last = error;
                    break;
                }
            }
        }
        if let Some(cause) = last.cause() {
            tracing::error!(%cause, "a group of commands failed");
        }
        for job in group {
            self.metrics.command("failed");
            let mut copy = Error::new(last.kind, last.code, last.message.clone());
            copy.retry_after_ms = last.retry_after_ms;
            let _ = job.answer.send(Err(copy));
        }
        None
    }

    async fn try_group(
        &self,
        organization: OrganizationId,
        group: &[Job],
        known: Option<Known>,
    ) -> Result<(Decided, Known), Failure> {
        let mut rows = Rows::new(self.engine.as_ref(), organization);
        let mut known = match known {
            Some(known) => known,
            None => self.load_known(&rows).await?,
        };
        let mut decided = Decided {
            results: Vec::with_capacity(group.len()),
            changes: Vec::new(),
            visitors: BTreeSet::new(),
            rights_changed: false,
            articles_changed: false,
            staff_changed: false,
            timers_set: false,
        };
        let done = group.iter().filter_map(|job| job.done_key(organization)).collect();
        let commands = group.iter().map(|job| &job.command);
        if let Err(error) = super::gather::load_ahead(&mut rows, done, commands).await {
            tracing::debug!(%error, "a group could not be read ahead");
        }
        for job in group {
            let (known_before, changes_before) = (known.clone(), decided.changes.len());
            let deciding =
                AssertUnwindSafe(self.decide_one(job, &mut rows, &mut known, &mut decided));
            let result = deciding.catch_unwind().await.unwrap_or_else(|_| {
                Err(Error::internal(anyhow::anyhow!("deciding a command panicked")))
            });
            if result.is_ok() {
                rows.keep();
            } else {
                // A row that cannot be read is the trouble of its own command, not of the group.
                rows.take_back();
                known = known_before;
                decided.changes.truncate(changes_before);
            }
            decided.results.push(result);
        }
        if rows.is_clean() {
            return Ok((decided, known));
        }
        let key = table::head(organization);
        let before = known.head_bytes.clone();
        rows.put(key.clone(), &known.head);
        known.head_bytes = rows.value(&key).await?;
        let began = Instant::now();
        match self.engine.commit(rows.into_batch((key, before))).await {
            Ok(()) => {
                self.metrics.group(group.len(), began.elapsed());
                Ok((decided, known))
            }
            Err(StoreError::Conflict) => Err(Failure::Again),
            Err(error) => Err(Failure::Final(error.into())),
        }
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
            self.metrics.entry(format!("{:?}", change.entry.kind));
        }
    }

    async fn load_known(&self, rows: &Rows<'_>) -> Result<Known, Error> {
        let (head_bytes, head) = rows.head().await?;
        Ok(Known { head_bytes, head, accepting: Arc::new(rows.accepting().await?) })
    }

    /// One command over the layer: a repeat, a rejection, or events written into the layer.
    async fn decide_one(
        &self,
        job: &Job,
        rows: &mut Rows<'_>,
        known: &mut Known,
        decided: &mut Decided,
    ) -> Result<Answer, Error> {
        let done_key = job.done_key(rows.organization());
        if let Some(key) = &done_key
            && let Some(done) = rows.row::<Done>(key).await?
        {
            return repeat(rows, &done, job).await;
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
        let mut changes = Vec::with_capacity(events.len());
        for mut event in events {
            event.entry.digest = self.content_digest(&event);
            write::write(rows, &event).await?;
            let change = Arc::new(view::of_event(rows, &event).await?);
            changes.push(Arc::clone(&change));
            decided.changes.push(change);
            note_effects(&event, known, decided, rows).await?;
        }
        if let Some(key) = done_key {
            rows.put(key, &Done { digest: job.digest, refs });
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
    fn content_digest(&self, event: &Event) -> Option<[u8; 32]> {
        self.keyed("content", event.content.text()?.as_bytes()).ok()
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
        self.hub.publish(organization, &decided.changes, &decided.visitors);
        if decided.rights_changed {
            self.hub.rights_changed(organization);
        }
        if decided.timers_set {
            self.timers.notify_one();
        }
    }
}

/// Why a group was not committed.
enum Failure {
    /// The head had moved: decide again.
    Again,
    /// Nothing of it will be written.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
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

async fn repeat(rows: &Rows<'_>, done: &Done, job: &Job) -> Result<Answer, Error> {
    if done.digest == job.digest {
        return Ok(Answer { refs: done.refs, repeated: true, changes: Vec::new() });
    }
    let refs = &done.refs;
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
