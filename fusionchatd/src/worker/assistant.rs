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

use crate::domain::command::AssistantAct;
use crate::domain::entry::{Entry, EntryKind};
use crate::domain::id::{ConversationId, OrganizationId};
use crate::domain::message::SenderType;
use crate::service::Service;
use crate::service::assistant::{Thought, WORKER};
use crate::service::error::{Error, Kind};

use super::answer::{Asking, Outcome};
use super::budget::Budgets;
use super::provider::Providers;

/// How many conversations are thought about at once.
const AT_ONCE: usize = 256;
/// How many of one organization: a model that hangs holds up its own organization only.
const AT_ONCE_EACH: usize = 32;
/// How many entries are read at once.
const READ_AT_ONCE: u32 = 200;
/// How often a thought is thought again when the conversation has moved on meanwhile. Another entry is then on its
/// way, so giving up strands nothing.
const ATTEMPTS_MAX: usize = 3;
/// How many tasks may wait; past it the journals are read on later.
const WAITING_MAX: usize = 1_000;
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
    /// Everything up to here is done.
    fn done(&self) -> u64 {
        self.unfinished.first().map_or(self.read, |first| first - 1)
    }
}

struct Worker {
    service: Arc<Service>,
    tools: Arc<Tools>,
    progress: HashMap<OrganizationId, Progress>,
    /// Tasks that wait behind one of the same conversation, or for a free place.
    waiting: BTreeMap<(OrganizationId, u64), Task>,
    /// Conversations being thought about, each with what is told when it may have moved on.
    busy: HashMap<ConversationId, (OrganizationId, Arc<Notify>)>,
    running: JoinSet<(Task, bool)>,
    /// Organizations whose journals have not been read to the end: a read failed, or too much waits.
    behind: BTreeSet<OrganizationId>,
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
        progress: HashMap::new(),
        waiting: BTreeMap::new(),
        busy: HashMap::new(),
        running: JoinSet::new(),
        behind: BTreeSet::new(),
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
        let unsaved = worker.progress.values().any(|it| it.done() > it.saved)
            || worker.tools.budgets.is_unsaved();
        let owing = unsaved || !worker.behind.is_empty();
        tokio::select! {
            () = stop.cancelled() => break,
            changed = service.hub().changed() => {
                for organization in changed {
                    worker.catch_up(organization).await;
                }
            }
            Some(task) = worker.running.join_next() => worker.finish(task),
            _ = save.tick(), if owing => {
                worker.save().await;
                for organization in std::mem::take(&mut worker.behind) {
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
    }

    async fn read_on(&mut self, organization: OrganizationId) -> Result<(), Error> {
        if !self.progress.contains_key(&organization) {
            let saved = self.service.worker_cursor(organization, WORKER).await?;
            let progress = Progress { read: saved, saved, unfinished: BTreeSet::new() };
            self.progress.insert(organization, progress);
        }
        let Some(progress) = self.progress.get_mut(&organization) else { return Ok(()) };
        loop {
            if self.waiting.len() >= WAITING_MAX {
                self.behind.insert(organization);
                return Ok(());
            }
            let entries =
                self.service.entries_after(organization, progress.read, READ_AT_ONCE).await?;
            let Some(last) = entries.last().map(|entry| entry.position) else { return Ok(()) };
            for entry in &entries {
                let moved = self.busy.iter().filter(|(conversation, (of, _))| {
                    *of == organization && entry.conversation.is_none_or(|it| it == **conversation)
                });
                for (_, (_, moved)) in moved {
                    moved.notify_one();
                }
                if let Some(conversation) = concerns(entry) {
                    let position = entry.position;
                    progress.unfinished.insert(position);
                    let task = Task { organization, conversation, position };
                    self.waiting.insert((organization, position), task);
                }
            }
            progress.read = last;
        }
    }

    /// Starts waiting tasks whose conversation is free, up to the bounds.
    fn start_waiting(&mut self) {
        let mut each: HashMap<OrganizationId, usize> = HashMap::new();
        for (organization, _) in self.busy.values() {
            *each.entry(*organization).or_default() += 1;
        }
        let mut startable = Vec::new();
        for (key, task) in &self.waiting {
            if self.busy.len() >= AT_ONCE {
                break;
            }
            let of_it = each.entry(task.organization).or_default();
            if *of_it < AT_ONCE_EACH && !self.busy.contains_key(&task.conversation) {
                *of_it += 1;
                self.busy.insert(task.conversation, (task.organization, Arc::default()));
                startable.push(*key);
            }
        }
        for key in startable {
            let Some(task) = self.waiting.remove(&key) else { continue };
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
            let done = progress.done();
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
    let (turn, act) = match service.think(organization, conversation).await? {
        Thought::Nothing => return Ok(Attempt::Done),
        Thought::Act(turn, act) => (turn, act),
        Thought::Ask(question) => match tools.providers.of(&question.organization_name) {
            None => (question.turn, question.fallback),
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
                match asking.answer().await? {
                    Outcome::Act(act) => (question.turn, act),
                    Outcome::Cut => return Ok(Attempt::Again),
                    Outcome::Stopped => return Ok(Attempt::Stopped),
                }
            }
        },
    };
    let act_in_turn =
        async |act| service.assistant_act(organization, conversation, position, turn, act).await;
    match act_in_turn(act).await {
        // What it wanted to say no message may hold: a person is needed now, not when the timer fires.
        Err(error) if error.kind == Kind::Invalid => {
            tracing::warn!(code = error.code, "the assistant's answer was refused");
            act_in_turn(AssistantAct::HandOver { reason: FAILED }).await?;
        }
        done => done?,
    }
    Ok(Attempt::Done)
}
