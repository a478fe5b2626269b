//! One run: a seed's worth of steps over the lives of a daemon that is killed now and then, on one thread and in
//! simulated time. After each step everything that must hold is checked.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use fusionchatd::domain::actor::Actor;
use fusionchatd::domain::conversation::Status;
use fusionchatd::domain::id::ClientId;
use fusionchatd::service::Service;
use fusionchatd::service::conversation::MessagePage;
use fusionchatd::store::Engine;
use fusionchatd::store::memory::MemoryEngine;
use fusionchatd::store::record::Record as _;
use fusionchatd::store::table;
use fusionchatd::worker;

use super::act::Told;
use super::chance::Chance;
use super::disk::{Bug, Disk, Fate, Struck};
use super::ledger::Ledger;
use super::people::{self, Person};
use super::reader::{Arrived, Console, Tab, check_visible, locked, visitor_of};
use super::setup::{START, Setup, ids, settings, setup};
use super::thinker::Thinker;

/// How many of the last things that happened are told when something does not hold.
const TRACE_MAX: usize = 60;
/// How many rounds the end may take until everybody has been answered.
const ROUNDS_MAX: usize = 400;
/// How long after its time a timer may still be there at the end, in milliseconds.
const OVERDUE_MS_MAX: i64 = 10_000;

/// What a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) steps: u64,
    pub(crate) bug: Option<Bug>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) struck: Struck,
    pub(crate) entries: u64,
    pub(crate) conversations: u64,
    /// Of the whole journal.
    pub(crate) digest: u64,
}

/// Somebody was told something.
pub(crate) struct Answered {
    pub(crate) person: usize,
    pub(crate) id: ClientId,
    pub(crate) told: Told,
}

/// One life of the daemon.
pub(crate) struct Process {
    pub(crate) service: Arc<Service>,
    /// Another daemon over the same rows, which moves the journal's head under the first.
    pub(crate) rival: Option<Arc<Service>>,
    pub(crate) disk: Arc<Disk>,
    pub(crate) tasks: TaskTracker,
    pub(crate) answers: Arrived<Answered>,
    began: Instant,
}

pub(crate) struct World {
    run: Run,
    pub(crate) setup: &'static Setup,
    pub(crate) chance: Chance,
    pub(crate) ledger: Ledger,
    pub(crate) fate: Arc<Mutex<Fate>>,
    pub(crate) people: Vec<Person>,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) consoles: Vec<Console>,
    /// The daemon's own assistant, or the simulation's slow one.
    own_worker: bool,
    pub(crate) rivalled: bool,
    /// The clock where this life began.
    base: i64,
    /// How far the clock is off.
    pub(crate) skew: Arc<AtomicI64>,
    pub(crate) step: u64,
    pub(crate) lost_acks: u64,
    /// What visitors were shown who asked for a conversation by its id, and whether it was their own.
    pub(crate) probed: Arrived<(Actor, bool, MessagePage)>,
    trace: VecDeque<String>,
}

impl World {
    fn new(run: Run) -> Result<Self> {
        let setup = setup()?;
        let mut chance = Chance::new(run.seed.wrapping_add(1));
        let fate = Arc::new(Mutex::new(Fate::new(chance.fork(), run.bug)));
        let tabs = setup.guests.iter().filter_map(|guest| {
            let actor = guest.actor();
            visitor_of(&actor).map(|visitor| Tab::new(actor, visitor))
        });
        let position = setup.ledger.position();
        let console = |at: usize, inboxes| {
            let actor = setup.agents.get(at).unwrap_or(&setup.admin).clone();
            Console::new(actor, inboxes, position)
        };
        let consoles =
            vec![console(usize::MAX, None), console(0, None), console(1, Some(vec![setup.web]))];
        let own_worker = match run.bug {
            Some(Bug::TurnUnchecked) => false,
            Some(Bug::CursorTooEarly) => true,
            Some(
                Bug::IdempotencySkipped
                | Bug::QueueRowLeft
                | Bug::AckBeforeCommit
                | Bug::DoneUnkept
                | Bug::NoteDropped,
            )
            | None => run.seed.is_multiple_of(2),
        };
        Ok(Self {
            run,
            setup,
            ledger: setup.ledger.clone(),
            fate,
            people: people::people(setup),
            tabs: tabs.collect(),
            consoles,
            own_worker,
            rivalled: run.seed % 3 == 1,
            base: START,
            skew: Arc::default(),
            step: 0,
            lost_acks: 0,
            probed: Arrived::default(),
            trace: VecDeque::new(),
            chance,
        })
    }

    /// Plays a run.
    pub(crate) fn play(run: Run) -> Result<Outcome> {
        let mut world = Self::new(run)?;
        let played = world.lives();
        if let Err(error) = played {
            let mut text = String::new();
            for line in &world.trace {
                let _ = writeln!(text, "  {line}");
            }
            return Err(error.context(format!("step {} after\n{text}", world.step)));
        }
        let mut struck = world.fate().struck;
        struck.lost_acks += world.lost_acks;
        let entries = world.ledger.position();
        let conversations = world.ledger.kinds.len() as u64;
        let mut hasher = DefaultHasher::new();
        for entry in &world.ledger.entries {
            entry.encode().hash(&mut hasher);
        }
        Ok(Outcome { seed: run.seed, struck, entries, conversations, digest: hasher.finish() })
    }

    fn lives(&mut self) -> Result<()> {
        let mut rows = self.setup.rows.restarted();
        loop {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()?;
            // With the runtime every task of the process goes, wherever it was.
            match runtime.block_on(self.live(rows))? {
                Some(left) => rows = left,
                None => return Ok(()),
            }
        }
    }

    pub(crate) fn fate(&self) -> std::sync::MutexGuard<'_, Fate> {
        locked(&self.fate)
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.trace.len() >= TRACE_MAX {
            self.trace.pop_front();
        }
        let line = format!("{}@{}: {}", self.step, self.ledger.position(), line());
        self.trace.push_back(line);
    }

    /// One life of the daemon; the rows it leaves if it was killed.
    async fn live(&mut self, rows: MemoryEngine) -> Result<Option<MemoryEngine>> {
        let process = self.start(rows).await?;
        self.ledger.check_rows(&process.disk).context("after a start")?;
        self.fate().faults = true;
        while self.step < self.run.steps {
            self.step += 1;
            self.one_step(&process).await;
            let ms = 1 + self.chance.below(25);
            self.settle(&process, ms).await?;
            if self.step == self.run.steps / 3 {
                self.fate().force_conflict = true;
            }
            let killed = self.chance.one_in(self.run.steps.div_ceil(2).max(2))
                || self.step == self.run.steps / 2;
            if killed || self.fate().dead {
                return Ok(Some(self.kill(&process)));
            }
        }
        if process.rival.is_some() {
            // The hub hears of one daemon's commits only, as there is only one: the end is played with one alone.
            return Ok(Some(self.kill(&process)));
        }
        self.fate().faults = false;
        self.finish(&process).await?;
        Ok(None)
    }

    async fn start(&mut self, rows: MemoryEngine) -> Result<Process> {
        {
            let mut fate = self.fate();
            fate.faults = false;
            fate.dead = false;
        }
        let disk = Arc::new(Disk::new(rows, &self.fate));
        let began = Instant::now();
        let tasks = TaskTracker::new();
        let service = self.open(&disk, began, &tasks).await?;
        let rival = match self.rivalled && self.step < self.run.steps {
            true => Some(self.open(&disk, began, &tasks).await?),
            false => None,
        };
        let stop = CancellationToken::new();
        tasks.spawn(worker::sweep::run(Arc::clone(&service), stop.clone()));
        if self.own_worker {
            let providers = Arc::default();
            tasks.spawn(worker::assistant::run(Arc::clone(&service), providers, stop));
        } else {
            let thinker = Thinker {
                service: Arc::clone(&service),
                disk: Arc::clone(&disk),
                organization: self.ledger.organization,
                chance: self.chance.fork(),
                bug: self.run.bug,
            };
            tasks.spawn(thinker.run());
        }
        self.note(|| "the daemon starts".to_owned());
        Ok(Process { service, rival, disk, tasks, answers: Arc::default(), began })
    }

    async fn open(
        &mut self,
        disk: &Arc<Disk>,
        began: Instant,
        tasks: &TaskTracker,
    ) -> Result<Arc<Service>> {
        let (base, skew) = (self.base, Arc::clone(&self.skew));
        let clock = Arc::new(move || base + ms(began.elapsed()) + skew.load(Ordering::Relaxed));
        let engine: Arc<dyn Engine> = Arc::clone(disk) as _;
        let ids = ids(self.chance.fork());
        Ok(Service::open_with(engine, settings(), clock, ids, tasks.clone()).await?)
    }

    fn kill(&mut self, process: &Process) -> MemoryEngine {
        self.note(|| "the daemon is killed".to_owned());
        self.fate().struck.crashes += 1;
        self.base += ms(process.began.elapsed()) + i64::from(self.chance.one_in(3)) * 30_000;
        for person in &mut self.people {
            if let Some(pending) = &mut person.pending {
                pending.in_flight.clear();
            }
        }
        for tab in &mut self.tabs {
            tab.open = None;
        }
        for console in &mut self.consoles {
            console.open = None;
        }
        process.disk.after_crash()
    }

    /// Lets time pass, then looks at everything that happened.
    pub(crate) async fn settle(&mut self, process: &Process, ms: u64) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let (applied, erred) = {
            let mut fate = self.fate();
            (std::mem::take(&mut fate.applied), std::mem::take(&mut fate.erred))
        };
        if erred {
            self.ledger.excused = u64::MAX;
        }
        for batch in &applied {
            let before = self.ledger.entries.len();
            let observed = self.ledger.observe(batch);
            for at in before..self.ledger.entries.len() {
                let entry = self.ledger.entries[at].clone();
                self.note(|| {
                    let of = entry.conversation.map(|it| super::ledger::short(it.0));
                    let (kind, seq) = (entry.kind, entry.seq);
                    format!("{} {kind:?} {of:?} {seq:?}", entry.position)
                });
            }
            observed?;
        }
        if erred {
            self.ledger.excused = self.ledger.position();
        }
        let answers = std::mem::take(&mut *locked(&process.answers));
        for answered in answers {
            self.hear(&answered)?;
        }
        for tab in &mut self.tabs {
            tab.look(&self.ledger)?;
        }
        for console in &mut self.consoles {
            console.look(&self.ledger)?;
        }
        for (actor, own, page) in std::mem::take(&mut *locked(&self.probed)) {
            ensure!(own && page.notes.is_empty(), "{actor:?} was shown what is not theirs");
            for message in &page.messages {
                check_visible(&actor, message, &self.ledger)?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, answered: &Answered) -> Result<()> {
        let lost = self.fate().faults && self.chance.one_in(5);
        let rivalled = self.rivalled;
        let Some(person) = self.people.get_mut(answered.person) else { return Ok(()) };
        let name = person.name.clone();
        let Some(pending) = person.pending.as_mut().filter(|it| it.id == answered.id) else {
            return Ok(());
        };
        pending.in_flight.retain(|it| !it.is_finished());
        let act = pending.act.clone();
        let told = answered.told.as_ref().map_or_else(|error| error.code, |_| "ok");
        let heard = person.hear(&answered.told, &self.ledger, rivalled);
        let ended = heard.with_context(|| format!("{name} asked for {act:?}, was told {told}"))?;
        if ended && !lost {
            person.pending = None;
        } else if lost && answered.told.is_ok() {
            self.lost_acks += 1;
        }
        self.note(|| format!("{name} {act:?} -> {told}{}", if lost { " (lost)" } else { "" }));
        Ok(())
    }

    /// The end: nothing strikes any more, everybody is answered, every timer has fired, every reader has read on.
    async fn finish(&mut self, process: &Process) -> Result<()> {
        for at in 0..self.people.len() {
            self.send_again(process, at);
        }
        for _ in 0..ROUNDS_MAX {
            self.settle(process, 500).await?;
            if self.people.iter().all(|it| it.pending.is_none()) {
                break;
            }
            for at in 0..self.people.len() {
                self.send_again(process, at);
            }
        }
        let left = self.people.iter().find(|it| it.pending.is_some()).map(|it| &it.name);
        ensure!(left.is_none(), "{left:?} is never answered");
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(60)).await;
            self.settle(process, 2_000).await?;
        }
        let now = process.service.now() - OVERDUE_MS_MAX;
        let overdue = self.ledger.timers.keys().find(|key| **key < table::timers_before(now).end);
        ensure!(overdue.is_none(), "a timer was due and has not fired: {overdue:?}");
        self.readers_end(process).await?;
        // Reading the queue took time, in which a worker may have saved its cursor.
        self.settle(process, 0).await?;
        self.ledger.check_rows(&process.disk).context("at the end")
    }

    async fn readers_end(&mut self, process: &Process) -> Result<()> {
        for tab in &mut self.tabs {
            if !tab.is_connected() {
                tab.connect(&process.service, &process.tasks, self.chance.fork());
            }
        }
        for console in &mut self.consoles {
            if !console.is_connected() {
                console.connect(&process.service, &process.tasks, self.chance.fork());
            }
        }
        self.settle(process, 1_000).await?;
        for tab in &self.tabs {
            tab.check_complete(&self.ledger)?;
        }
        for console in &self.consoles {
            console.check_complete(&self.ledger)?;
        }
        self.check_queue(process).await
    }

    /// The live queue as a console is shown it.
    async fn check_queue(&self, process: &Process) -> Result<()> {
        let (shown, more, _) = process.service.list_escalations(&self.setup.admin, 200).await?;
        let all = self.ledger.conversations.values().map(|it| &it.replayed);
        let waiting = all.filter(|it| it.status == Status::Escalated && !it.is_test()).count();
        let right = shown.iter().all(|it| it.header.status == Status::Escalated);
        ensure!(right && (more || shown.len() == waiting), "{waiting} wait, {} shown", shown.len());
        Ok(())
    }
}

pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
