//! The assistant at work: reads every organization's journal, thinks about each visitor message, and says or hands
//! over through the service. Parallel across conversations, serial inside one. Its cursor is a row outside the
//! journal, saved at most once a second as the lowest unfinished position; a step done twice does nothing twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::command::AssistantAct;
use crate::domain::entry::{Entry, EntryKind};
use crate::domain::id::{ConversationId, OrganizationId};
use crate::domain::message::SenderType;
use crate::service::Service;
use crate::service::assistant::{Thought, WORKER};
use crate::service::error::{Error, Kind};

/// How many conversations are thought about at once.
const AT_ONCE: usize = 16;
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
    progress: HashMap<OrganizationId, Progress>,
    /// Tasks that wait behind one of the same conversation, or for a free place.
    waiting: BTreeMap<(OrganizationId, u64), Task>,
    busy: BTreeSet<ConversationId>,
    running: JoinSet<Task>,
    /// Organizations whose journals have not been read to the end: a read failed, or too much waits.
    behind: BTreeSet<OrganizationId>,
}

/// Runs until `stop`; then finishes the thoughts that are under way.
pub async fn run(service: Arc<Service>, stop: CancellationToken) {
    let mut worker = Worker {
        service: Arc::clone(&service),
        progress: HashMap::new(),
        waiting: BTreeMap::new(),
        busy: BTreeSet::new(),
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
        let unsaved = worker.progress.values().any(|it| it.done() > it.saved);
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

    /// Starts waiting tasks whose conversation is free, up to the bound.
    fn start_waiting(&mut self) {
        let mut startable = Vec::new();
        for (key, task) in &self.waiting {
            if self.running.len() + startable.len() >= AT_ONCE {
                break;
            }
            if self.busy.insert(task.conversation) {
                startable.push(*key);
            }
        }
        for key in startable {
            if let Some(task) = self.waiting.remove(&key) {
                let service = Arc::clone(&self.service);
                self.running.spawn(async move {
                    let thought = AssertUnwindSafe(work(&service, task)).catch_unwind();
                    if thought.await.is_err() {
                        // The conversation's timer hands the visitor to a person.
                        tracing::error!("the assistant stopped in mid-thought");
                    }
                    task
                });
            }
        }
    }

    fn finish(&mut self, task: Result<Task, tokio::task::JoinError>) {
        self.finish_without_next(task);
        self.start_waiting();
    }

    fn finish_without_next(&mut self, task: Result<Task, tokio::task::JoinError>) {
        match task {
            Ok(task) => {
                self.busy.remove(&task.conversation);
                if let Some(progress) = self.progress.get_mut(&task.organization) {
                    progress.unfinished.remove(&task.position);
                }
            }
            Err(error) => tracing::error!(%error, "a thought was cancelled"),
        }
    }

    async fn save(&mut self) {
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

/// Thinks and acts; thinks again if the conversation has moved on.
async fn work(service: &Arc<Service>, task: Task) {
    for _ in 0..ATTEMPTS_MAX {
        match attempt(service, task).await {
            Ok(()) => return service.metrics().assistant("done"),
            Err(error) if error.code == "stale_turn" => service.metrics().assistant("stale"),
            Err(error) => {
                // The conversation's timer hands the visitor to a person.
                tracing::warn!(code = error.code, "the assistant could not answer");
                service.metrics().assistant("failed");
                return;
            }
        }
    }
}

async fn attempt(service: &Arc<Service>, task: Task) -> Result<(), Error> {
    let Task { organization, conversation, position } = task;
    match service.think(organization, conversation).await? {
        Thought::Nothing => Ok(()),
        Thought::Act(turn, act) => {
            let act_in_turn = async |act| {
                service.assistant_act(organization, conversation, position, turn, act).await
            };
            match act_in_turn(act).await {
                // What it wanted to say no message may hold: a person is needed now, not when the timer fires.
                Err(error) if error.kind == Kind::Invalid => {
                    tracing::warn!(code = error.code, "the assistant's answer was refused");
                    act_in_turn(AssistantAct::HandOver { reason: FAILED }).await
                }
                done => done,
            }
        }
    }
}
