//! The assistant at work: reads every organization's journal, thinks about each visitor message, and says or hands
//! over through the service. Parallel across conversations, serial inside one. Its cursor is a row outside the
//! journal, saved at most once a second as the lowest unfinished position; a step done twice does nothing twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::actor::Actor;
use crate::domain::command::AssistantAct;
use crate::domain::entry::{Entry, EntryKind};
use crate::domain::id::{ConversationId, OrganizationId};
use crate::domain::message::SenderType;
use crate::service::Service;
use crate::service::assistant::{Thought, WORKER, drafted};
use crate::service::error::{Error, Kind};

use super::answer::{Asking, Outcome};
use super::budget::Budgets;
use super::provider::Providers;
use super::settle::Settling;

/// How many conversations are thought about at once.
const AT_ONCE: usize = 1_024;
/// How many of one organization: a model that hangs holds up its own organization only.
const AT_ONCE_EACH: usize = 32;
/// How many entries are read at first, as there are seldom more: so few are read without another thread.
const READ_FIRST: u32 = 16;
/// How many are read at once after that.
const READ_AT_ONCE: u32 = 200;
/// How often a thought is thought again when the conversation has moved on meanwhile. Another entry is then on its
/// way, so giving up strands nothing.
const ATTEMPTS_MAX: usize = 3;
/// How many tasks may wait; past it the journals are read on later.
const WAITING_MAX: usize = 20_000;
/// How many of one organization; past it its own journal is read on later.
const WAITING_EACH: usize = 200;
/// The reason of a hand-over when what the assistant wanted to say was refused.
const FAILED: &str = "assistant_failed";
/// How often cursors are saved, at most.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// One conversation to think about, because of the entry at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Task {
    organization: OrganizationId,
    conversation: ConversationId,
    position: u64,
}

/// How far an organization's journal has been worked through.
#[derive(Debug, Default)]
struct Progress {
    read: u64,
    saved: u64,
    unfinished: BTreeSet<u64>,
}

impl Progress {
    /// Everything up to here is done, edits of this organization included.
    fn done(&self, organization: OrganizationId, settling: &Settling) -> u64 {
        let tasks = self.unfinished.first().map_or(self.read, |first| first - 1);
        tasks.min(settling.done(organization))
    }
}

/// Tasks in the order of their organizations and positions.
type Waiting = BTreeMap<(OrganizationId, u64), Task>;
/// Conversations being thought about, each with what is told when it may have moved on.
type Busy = HashMap<ConversationId, (OrganizationId, Arc<Notify>)>;

struct Worker {
    service: Arc<Service>,
    tools: Arc<Tools>,
    progress: BTreeMap<OrganizationId, Progress>,
    /// Tasks that wait behind one of the same conversation, or for a free place.
    waiting: Waiting,
    /// What is under way.
    busy: Busy,
    running: JoinSet<(Task, bool)>,
    /// Organizations whose journals have not been read to the end: a read failed, or too much waits.
    behind: BTreeSet<OrganizationId>,
    /// What edits have left to be done.
    settling: Settling,
}

/// What thinking needs besides the service.
struct Tools {
    providers: Arc<Providers>,
    budgets: Budgets,
    stop: CancellationToken,
}

/// Runs until `stop`; then finishes the thoughts that are under way, but for those that wait for a model: they are
/// thought again after the start.
pub async fn run(service: Arc<Service>, providers: Arc<Providers>, stop: CancellationToken) {
    let tools = Tools { providers, budgets: Budgets::default(), stop: stop.clone() };
    let mut worker = Worker {
        service: Arc::clone(&service),
        tools: Arc::new(tools),
        progress: BTreeMap::new(),
        waiting: BTreeMap::new(),
        busy: HashMap::new(),
        running: JoinSet::new(),
        behind: BTreeSet::new(),
        settling: Settling::default(),
    };
    match service.organizations().await {
        Ok(all) => {
            for organization in all {
                worker.catch_up(organization.id).await;
            }
        }
        Err(error) => tracing::error!(code = error.code, "organizations could not be listed"),
    }
    let mut save = tokio::time::interval(SAVE_EVERY);
    save.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let unsaved =
            worker.progress.iter().any(|(of, it)| it.done(*of, &worker.settling) > it.saved)
                || worker.tools.budgets.is_unsaved();
        let owing = unsaved || !worker.behind.is_empty() || worker.settling.is_owing();
        tokio::select! {
            // In a fixed order, so that the same events make the same run. What is done comes first, saving is due
            // at most once a second: neither keeps the journals unread.
            biased;
            () = stop.cancelled() => break,
            Some(task) = worker.running.join_next() => worker.finish(task),
            () = worker.settling.ended() => worker.settling.start(&service),
            _ = save.tick(), if owing => {
                worker.save().await;
                worker.settling.retry();
                worker.settling.start(&service);
                for organization in std::mem::take(&mut worker.behind) {
                    worker.catch_up(organization).await;
                }
            }
            changed = service.hub().changed() => {
                for organization in changed {
                    worker.catch_up(organization).await;
                }
            }
        }
    }
    while let Some(task) = worker.running.join_next().await {
        worker.finish_without_next(task);
    }
    worker.save().await;
}

impl Worker {
    /// Reads an organization's journal to its end, or as far as the backlog allows, and starts what is to be done.
    async fn catch_up(&mut self, organization: OrganizationId) {
        if let Err(error) = self.read_on(organization).await {
            tracing::warn!(code = error.code, "the assistant could not read a journal");
            self.behind.insert(organization);
        }
        self.start_waiting();
        self.settling.start(&self.service);
    }

    async fn read_on(&mut self, organization: OrganizationId) -> Result<(), Error> {
        if !self.progress.contains_key(&organization) {
            let saved = self.service.worker_cursor(organization, WORKER).await?;
            let progress = Progress { read: saved, saved, unfinished: BTreeSet::new() };
            self.progress.insert(organization, progress);
        }
        let Some(progress) = self.progress.get_mut(&organization) else { return Ok(()) };
        let mut limit = READ_FIRST;
        loop {
            let own = self.waiting.range((organization, 0)..=(organization, u64::MAX));
            if own.count() >= WAITING_EACH || self.waiting.len() >= WAITING_MAX {
                self.behind.insert(organization);
                return Ok(());
            }
            let entries = self.service.entries_after(organization, progress.read, limit).await?;
            let Some(last) = entries.last().map(|entry| entry.position) else { return Ok(()) };
            let more = entries.len() >= limit as usize;
            for entry in &entries {
                let moved = self.busy.iter().filter(|(conversation, (of, _))| {
                    *of == organization && entry.conversation.is_none_or(|it| it == **conversation)
                });
                for (_, (_, moved)) in moved {
                    moved.notify_one();
                }
                self.settling.notice(organization, entry);
                if let Some(conversation) = concerns(entry) {
                    let position = entry.position;
                    progress.unfinished.insert(position);
                    let task = Task { organization, conversation, position };
                    self.waiting.insert((organization, position), task);
                }
            }
            progress.read = last;
            // Whatever comes from here on is told again.
            if !more {
                return Ok(());
            }
            limit = READ_AT_ONCE;
        }
    }

    /// Starts waiting tasks whose conversation is free, up to the bounds.
    fn start_waiting(&mut self) {
        for task in next(&self.waiting, &self.busy) {
            self.waiting.remove(&(task.organization, task.position));
            self.busy.insert(task.conversation, (task.organization, Arc::default()));
            let service = Arc::clone(&self.service);
            let tools = Arc::clone(&self.tools);
            let found = self.busy.get(&task.conversation);
            let moved = found.map(|(_, moved)| Arc::clone(moved)).unwrap_or_default();
            self.running.spawn(async move {
                let thought = AssertUnwindSafe(work(&service, &tools, &moved, task)).catch_unwind();
                let done = thought.await.unwrap_or_else(|_| {
                    // The conversation's timer hands the visitor to a person.
                    tracing::error!("the assistant stopped in mid-thought");
                    true
                });
                (task, done)
            });
        }
    }

    fn finish(&mut self, task: Result<(Task, bool), tokio::task::JoinError>) {
        self.finish_without_next(task);
        self.start_waiting();
    }

    fn finish_without_next(&mut self, task: Result<(Task, bool), tokio::task::JoinError>) {
        match task {
            Ok((task, done)) => {
                self.busy.remove(&task.conversation);
                if let Some(progress) = self.progress.get_mut(&task.organization)
                    && done
                {
                    progress.unfinished.remove(&task.position);
                }
            }
            Err(error) => tracing::error!(%error, "a thought was cancelled"),
        }
    }

    async fn save(&mut self) {
        self.tools.budgets.save(&self.service).await;
        for (organization, progress) in &mut self.progress {
            let done = progress.done(*organization, &self.settling);
            if done <= progress.saved {
                continue;
            }
            match self.service.save_worker_cursor(*organization, WORKER, done).await {
                Ok(()) => progress.saved = done,
                Err(error) => tracing::warn!(code = error.code, "a cursor could not be saved"),
            }
        }
    }
}

/// The tasks that may start now: of free conversations, and first those of organizations that have the fewest under
/// way, so that one whose answers take long keeps nobody else waiting.
fn next(waiting: &Waiting, busy: &Busy) -> Vec<Task> {
    let mut each: HashMap<OrganizationId, usize> = HashMap::new();
    for (organization, _) in busy.values() {
        *each.entry(*organization).or_default() += 1;
    }
    let mut taken = BTreeSet::new();
    let mut found = Vec::new();
    for task in waiting.values() {
        let under_way = each.entry(task.organization).or_default();
        let free = *under_way < AT_ONCE_EACH && !busy.contains_key(&task.conversation);
        if free && taken.insert(task.conversation) {
            found.push((*under_way, *task));
            *under_way += 1;
        }
    }
    found.sort_by_key(|(turn, _)| *turn);
    found.into_iter().take(AT_ONCE.saturating_sub(busy.len())).map(|(_, task)| task).collect()
}

/// The conversation an entry gives the assistant something to think about in.
fn concerns(entry: &Entry) -> Option<ConversationId> {
    let by_visitor =
        entry.kind == EntryKind::MessagePosted && entry.code & 0xff == SenderType::User.code();
    let given = matches!(entry.kind, EntryKind::HandedBack | EntryKind::Reopened);
    entry.conversation.filter(|_| by_visitor || given)
}

/// Thinks and acts; thinks again if the conversation has moved on. False if it was stopped before it had acted.
async fn work(service: &Arc<Service>, tools: &Tools, moved: &Notify, task: Task) -> bool {
    for _ in 0..ATTEMPTS_MAX {
        match attempt(service, tools, moved, task).await {
            Ok(Attempt::Done) => {
                service.metrics().assistant("done");
                return true;
            }
            Ok(Attempt::Stopped) => return false,
            Ok(Attempt::Again) => {}
            Err(error) if error.code == "stale_turn" => service.metrics().assistant("stale"),
            Err(error) => {
                // The conversation's timer hands the visitor to a person.
                tracing::warn!(code = error.code, "the assistant could not answer");
                service.metrics().assistant("failed");
                return true;
            }
        }
    }
    true
}

/// How an attempt went.
enum Attempt {
    Done,
    Again,
    Stopped,
}

async fn attempt(
    service: &Arc<Service>,
    tools: &Tools,
    moved: &Notify,
    task: Task,
) -> Result<Attempt, Error> {
    let Task { organization, conversation, position } = task;
    let mut shown = None;
    let (turn, act, draft) = match service.think(organization, conversation).await? {
        Thought::Nothing => return Ok(Attempt::Done),
        Thought::Act(turn, act) => (turn, act, false),
        Thought::Ask(question) => match tools.providers.of(&question.organization_name) {
            None => (question.turn, question.fallback, question.draft),
            Some(provider) => {
                let asking = Asking {
                    service,
                    budgets: &tools.budgets,
                    organization,
                    conversation,
                    provider: &provider,
                    question: &question,
                    moved,
                    stop: &tools.stop,
                };
                let actor = Actor::assistant(organization);
                let stream = service.answer_stream(&actor, conversation, question.turn)?;
                match asking.answer(shown.insert(stream)).await? {
                    Outcome::Act(act) => (question.turn, act, question.draft),
                    Outcome::Cut => return Ok(Attempt::Again),
                    Outcome::Stopped => return Ok(Attempt::Stopped),
                }
            }
        },
    };
    let Some(act) = (if draft { drafted(act) } else { Some(act) }) else {
        return Ok(Attempt::Done);
    };
    let act_in_turn =
        async |act| service.assistant_act(organization, conversation, position, turn, act).await;
    match act_in_turn(act).await {
        // What it wanted to say no message may hold: a person is needed now, not when the timer fires.
        Err(error) if error.kind == Kind::Invalid && !draft => {
            tracing::warn!(code = error.code, "the assistant's answer was refused");
            drop(shown);
            act_in_turn(AssistantAct::HandOver { reason: FAILED }).await?;
        }
        done => {
            if let (Some(seq), Some(shown)) = (done?, &mut shown) {
                shown.committed(seq);
            }
        }
    }
    Ok(Attempt::Done)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn task(organization: u128, conversation: u128) -> Task {
        Task {
            organization: OrganizationId(Uuid::from_u128(organization)),
            conversation: ConversationId(Uuid::from_u128(organization * 1_000_000 + conversation)),
            position: u64::try_from(conversation).unwrap_or_default(),
        }
    }

    fn keyed(tasks: impl Iterator<Item = Task>) -> Waiting {
        tasks.map(|it| ((it.organization, it.position), it)).collect()
    }

    #[test]
    fn an_organization_with_a_backlog_keeps_nobody_waiting() {
        let busy_one = (0..AT_ONCE_EACH as u128).map(|it| task(1, it));
        let busy: Busy =
            busy_one.map(|it| (it.conversation, (it.organization, Arc::default()))).collect();
        let backlog = (100..1_000).map(|it| task(1, it));
        let waiting = keyed(backlog.chain((0..3).map(|it| task(2, it))));
        assert_eq!(next(&waiting, &busy), [task(2, 0), task(2, 1), task(2, 2)]);
        let all = (1..=40).flat_map(|of| (0..AT_ONCE_EACH as u128).map(move |it| task(of, it)));
        let started = next(&keyed(all), &Busy::default());
        assert_eq!(started.len(), AT_ONCE);
        let first: BTreeSet<_> = started[..40].iter().map(|it| it.organization).collect();
        assert_eq!(first.len(), 40, "each has one before any has two");
    }

    #[test]
    fn a_conversation_is_thought_about_once_at_a_time() {
        let twice = Task { position: 9, ..task(1, 1) };
        let waiting = keyed([task(1, 1), twice].into_iter());
        assert_eq!(next(&waiting, &Busy::default()), [task(1, 1)]);
        let busy = Busy::from([(twice.conversation, (twice.organization, Arc::default()))]);
        assert!(next(&waiting, &busy).is_empty());
    }
}
