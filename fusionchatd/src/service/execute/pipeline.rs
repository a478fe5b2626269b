//! The task of a busy lane. While one group of its commands is being committed, the next is decided over the layer of
//! that one, and leaves once it is known to be on disk. If it is not, what was decided over it is decided again.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use futures::future::{BoxFuture, MaybeDone, maybe_done};

use crate::domain::id::OrganizationId;
use crate::service::Service;
use crate::service::error::Error;
use crate::service::gather::load_ahead;
use crate::service::rows::{Layer, Rows};
use crate::service::seen::Seen;
use crate::store::record::{Done, Record};
use crate::store::{StoreError, table};

use super::lanes::{Job, Known, Room};
use super::{
    Answer, CHUNK_COMMANDS_MAX, Decided, GROUP_ATTEMPTS_MAX, GROUP_BYTES_MAX, GROUP_COMMANDS_MAX,
    WARY_GROUPS, Wary, repeat,
};

/// Commands that are decided and wait to be committed as one batch.
struct Group<'e> {
    jobs: Vec<Job>,
    bytes: usize,
    rows: Rows<'e>,
    /// The journal's head as the first of them found it.
    before: Option<bytes::Bytes>,
    known: Known,
    decided: Decided,
    wary: Wary,
}

/// A group that is being committed.
struct Flight<'e> {
    jobs: Vec<Job>,
    known: Known,
    layer: Arc<Layer>,
    decided: Decided,
    began: Instant,
    commit: Commit<'e>,
}

/// A commit and, once it has ended, what came of it.
type Commit<'e> = Pin<Box<MaybeDone<BoxFuture<'e, Result<(), StoreError>>>>>;

/// What is known after a commit; or the commands it was of, and why it is not there.
type Landed = Result<Known, (Vec<Job>, StoreError)>;

/// What the task of a lane holds.
#[derive(Default)]
struct Pipeline<'e> {
    flight: Option<Flight<'e>>,
    open: Option<Group<'e>>,
    /// Commands that must be decided again, before any other.
    again: VecDeque<Job>,
    /// What the next group begins with when nothing is in flight.
    known: Option<Known>,
    /// What the next group begins with when none is open. While the store applies a group it lets nobody read, and a
    /// lane that had to would stand still meanwhile. It stays true: one process holds the store, and nobody but this
    /// lane writes the rows that `load_ahead` names.
    seen: Seen,
    /// How many groups are still decided warily after a commit that failed.
    wary_groups: usize,
}

impl<'e> Pipeline<'e> {
    /// Room for commands in the group that is open or will be.
    fn room(&self) -> Room {
        let (commands, bytes) = self.open.as_ref().map_or((0, 0), |it| (it.jobs.len(), it.bytes));
        let most = if self.flight.is_some() { CHUNK_COMMANDS_MAX } else { GROUP_COMMANDS_MAX };
        Room {
            commands: (GROUP_COMMANDS_MAX - commands.min(GROUP_COMMANDS_MAX)).min(most),
            bytes: GROUP_BYTES_MAX.saturating_sub(bytes),
            is_empty: commands == 0,
        }
    }

    /// Has commands decided again that were decided over what did not come to be.
    fn take_back(&mut self, first: Vec<Job>) {
        let then = self.open.take().map(|group| group.jobs).unwrap_or_default();
        for job in first.into_iter().chain(then).rev() {
            self.again.push_front(job);
        }
        self.known = None;
        self.seen.clear();
    }
}

impl Service {
    /// Works until no command of the lane waits.
    pub(super) async fn run_lane(self: Arc<Self>, organization: OrganizationId) {
        // Whoever waits in a lane whose task has died would wait for ever.
        while AssertUnwindSafe(self.drive(organization)).catch_unwind().await.is_err() {}
    }

    async fn drive(&self, organization: OrganizationId) {
        let (bell, known) = self.lanes.begin(organization);
        let mut line = Pipeline { known, ..Pipeline::default() };
        loop {
            if let Some(flight) = &mut line.flight
                && futures::poll!(&mut flight.commit).is_ready()
                && let Some(flight) = line.flight.take()
            {
                let landed = self.land(organization, flight);
                self.go_on(&mut line, landed);
            }
            let mut room = line.room();
            let mut jobs = Vec::new();
            room.fill(&mut jobs, &mut line.again);
            let waits = !line.again.is_empty() || self.lanes.take(organization, room, &mut jobs);
            let took = !jobs.is_empty();
            if took {
                self.decide_more(organization, &mut line, jobs).await;
            }
            match &mut line.flight {
                // There may be room for what waits.
                Some(_) if took && waits => {}
                Some(flight) => tokio::select! {
                    biased;
                    () = &mut flight.commit => {}
                    // While something waits that there is no room for, the bell says nothing new.
                    () = bell.notified(), if !waits => {}
                },
                None => match line.open.take() {
                    Some(group) => self.launch(organization, &mut line, group),
                    None if !line.again.is_empty() => {}
                    None if self.lanes.rest(organization, &mut line.known) => return,
                    None => {}
                },
            }
        }
    }

    /// Decides commands into the open group, which begins with the first.
    async fn decide_more<'e>(
        &'e self,
        organization: OrganizationId,
        line: &mut Pipeline<'e>,
        jobs: Vec<Job>,
    ) {
        let group = match line.open.take() {
            Some(group) => group,
            None => match self.begin_group(organization, line).await {
                Ok(group) => group,
                Err(error) => return self.fail(jobs, &error),
            },
        };
        let mut deciding = pin!(self.decide_into(group, organization, jobs));
        let Some(mut flight) = line.flight.take() else {
            line.open = Some(deciding.await);
            return;
        };
        // An engine may hold in its commit what a reader waits for, so nothing is awaited here without the commit.
        tokio::select! {
            biased;
            () = &mut flight.commit => {
                // Nobody who can be answered waits for those who are being decided.
                let landed = self.land(organization, flight);
                line.open = Some(deciding.await);
                self.go_on(line, landed);
            }
            group = &mut deciding => {
                line.open = Some(group);
                line.flight = Some(flight);
            }
        }
    }

    async fn decide_into<'e>(
        &self,
        mut group: Group<'e>,
        organization: OrganizationId,
        jobs: Vec<Job>,
    ) -> Group<'e> {
        let done = match group.wary {
            Wary::Yes => jobs.iter().filter_map(|job| job.done_key(organization)).collect(),
            Wary::No => Vec::new(),
        };
        let commands = jobs.iter().map(|job| &job.command);
        // Whatever becomes of it: what is missing is read when it is asked for.
        let ahead = AssertUnwindSafe(load_ahead(&mut group.rows, done, commands)).catch_unwind();
        if let Ok(Err(error)) = ahead.await {
            tracing::debug!(%error, "a group could not be read ahead");
        }
        for job in jobs {
            let mut result = self.try_one(&mut group, &job).await;
            if result.is_err()
                && group.wary == Wary::No
                && let Some(key) = job.done_key(organization)
            {
                // What was done once may be refused now, and no commit will tell.
                match group.rows.row::<Done>(&key).await {
                    Ok(Some(done)) => result = repeat(&group.rows, &done, &job).await,
                    Ok(None) => {}
                    Err(error) => result = Err(error),
                }
            }
            group.decided.results.push(result);
            group.bytes += job.weight;
            group.jobs.push(job);
        }
        group
    }

    /// Decides a command whole or not at all.
    async fn try_one(&self, group: &mut Group<'_>, job: &Job) -> Result<Answer, Error> {
        let Group { rows, known, decided, wary, .. } = group;
        let (known_before, changes_before) = (known.clone(), decided.changes.len());
        let deciding = AssertUnwindSafe(self.decide_one(job, rows, known, decided, *wary));
        let result = deciding.catch_unwind().await.unwrap_or_else(|_| {
            Err(Error::internal(anyhow::anyhow!("deciding a command panicked")))
        });
        if result.is_ok() {
            rows.keep();
        } else {
            // A row that cannot be read is the trouble of its own command, not of the group.
            rows.take_back();
            *known = known_before;
            decided.changes.truncate(changes_before);
        }
        result
    }

    async fn begin_group<'e>(
        &'e self,
        organization: OrganizationId,
        line: &mut Pipeline<'e>,
    ) -> Result<Group<'e>, Error> {
        let below = line.flight.as_ref().map(|flight| Arc::clone(&flight.layer));
        let seen = std::mem::take(&mut line.seen);
        let rows = Rows::over(self.engine.as_ref(), organization, below).with_seen(seen);
        let known = match &line.flight {
            Some(flight) => flight.known.clone(),
            None => match line.known.take() {
                Some(known) => known,
                None => {
                    let (head_bytes, head) = rows.head().await?;
                    Known { head_bytes, head, accepting: Arc::new(rows.accepting().await?) }
                }
            },
        };
        let before = known.head_bytes.clone();
        let (jobs, decided) = (Vec::new(), Decided::default());
        // Without a flight the store is not in the way of a look; and a repeat is answered where nothing can be
        // committed.
        let looks = line.flight.is_none() || line.wary_groups > 0;
        let wary = if looks { Wary::Yes } else { Wary::No };
        line.wary_groups = line.wary_groups.saturating_sub(1);
        Ok(Group { jobs, bytes: 0, rows, before, known, decided, wary })
    }

    /// Begins the commit of a group.
    fn launch<'e>(
        &'e self,
        organization: OrganizationId,
        line: &mut Pipeline<'e>,
        group: Group<'e>,
    ) {
        let Group { jobs, mut rows, before, mut known, decided, .. } = group;
        let began = Instant::now();
        if rows.is_clean() {
            line.seen = rows.take_seen();
            self.answer(organization, jobs, decided);
            line.known = Some(known);
            return;
        }
        let key = table::head(organization);
        rows.put(key.clone(), &known.head);
        line.seen = rows.take_seen();
        known.head_bytes = Some(known.head.encode());
        let (batch, layer) = rows.into_batch((key, before));
        let commit = Box::pin(maybe_done(self.engine.commit(batch)));
        line.flight = Some(Flight { jobs, known, layer, decided, began, commit });
    }

    /// Takes what came of a commit that has ended, and answers if it stands.
    fn land(&self, organization: OrganizationId, flight: Flight<'_>) -> Landed {
        let Flight { jobs, known, decided, began, mut commit, .. } = flight;
        match commit.as_mut().take_output() {
            Some(Ok(())) => {
                self.metrics.group(jobs.len(), began.elapsed());
                self.answer(organization, jobs, decided);
                Ok(known)
            }
            Some(Err(error)) => Err((jobs, error)),
            // Nobody else takes it.
            None => Err((jobs, StoreError::Closed)),
        }
    }

    /// Goes on from a commit that has ended.
    fn go_on(&self, line: &mut Pipeline<'_>, landed: Landed) {
        let (jobs, error) = match landed {
            Ok(known) => {
                line.known = Some(known);
                return;
            }
            Err(failed) => failed,
        };
        // A row that cannot be read may be that of a command done before: who looks keeps the trouble to that command.
        line.wary_groups = WARY_GROUPS;
        if !matches!(error, StoreError::Conflict) {
            line.take_back(Vec::new());
            return self.fail(jobs, &error.into());
        }
        let (mut again, mut failed) = (Vec::new(), Vec::new());
        for mut job in jobs {
            job.conflicts += 1;
            if job.conflicts < GROUP_ATTEMPTS_MAX { again.push(job) } else { failed.push(job) }
        }
        line.take_back(again);
        self.fail(failed, &Error::unavailable("unavailable", "the rows kept changing"));
    }

    /// Tells everybody what stands now.
    fn answer(&self, organization: OrganizationId, jobs: Vec<Job>, decided: Decided) {
        self.publish(organization, &decided);
        self.measure(&decided);
        for (job, result) in jobs.into_iter().zip(decided.results) {
            // Whoever asked may have gone: the command stands all the same.
            let _ = job.answer.send(result);
        }
    }

    fn fail(&self, jobs: Vec<Job>, error: &Error) {
        if let Some(cause) = error.cause() {
            tracing::error!(%cause, "a group of commands failed");
        }
        for job in jobs {
            self.metrics.command("failed");
            let mut copy = Error::new(error.kind, error.code, error.message.clone());
            copy.retry_after_ms = error.retry_after_ms;
            let _ = job.answer.send(Err(copy));
        }
    }
}
