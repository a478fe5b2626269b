//! What may happen in one step.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::AbortHandle;

use fusionchatd::domain::conversation::Status;
use fusionchatd::domain::id::ClientId;

use super::act::{Act, Who, ask};
use super::people::{Pending, some_conversation, wish};
use super::reader::locked;
use super::world::{Answered, Process, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// How long nothing may happen, in milliseconds. The longer ones are rarer.
const PAUSES: [u64; 16] = [
    100,
    100,
    SECOND,
    SECOND,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    20 * SECOND,
    76 * SECOND,
    76 * SECOND,
    121 * SECOND,
    6 * MINUTE,
    31 * MINUTE,
    31 * MINUTE,
    25 * HOUR,
    8 * 24 * HOUR,
];

impl World {
    /// Something happens.
    pub(crate) async fn one_step(&mut self, process: &Process) {
        match self.chance.below(100) {
            0..=59 => {
                for _ in 0..=self.chance.below(3) {
                    let at = self.chance.index(self.people.len());
                    self.act(process, at);
                }
            }
            60..=66 => self.race(process),
            67..=71 => {
                for at in 0..self.people.len() {
                    self.send_copy(process, at);
                }
            }
            72..=75 => self.hang_up(),
            76..=87 => self.readers_come_and_go(process),
            88..=95 => self.pause().await,
            96..=97 => self.set_clock(),
            _ => self.show_typing(process),
        }
    }

    /// Somebody does what they want next, or asks again for what they wait for.
    fn act(&mut self, process: &Process, at: usize) {
        let Some(person) = self.people.get(at) else { return };
        if person.pending.is_some() {
            return self.send_again(process, at);
        }
        let Some(act) = wish(person, &mut self.chance, &self.ledger, self.setup) else { return };
        self.begin(process, at, act);
    }

    fn begin(&mut self, process: &Process, at: usize, act: Act) {
        let id = ClientId(*self.chance.id().as_bytes());
        if let Act::Claim { conversation, take: true } = act {
            self.ledger.takes.insert(id, conversation);
        }
        let pending = Pending::new(id, act, self.ledger.position());
        if let Some(person) = self.people.get_mut(at) {
            person.pending = Some(pending);
        }
        self.send_again(process, at);
    }

    /// Sends what somebody waits for, unless it is under way.
    pub(crate) fn send_again(&mut self, process: &Process, at: usize) {
        let pending = self.people.get(at).and_then(|it| it.pending.as_ref());
        let idle = pending.is_some_and(|it| it.in_flight.iter().all(AbortHandle::is_finished));
        if idle {
            self.send(process, at);
        }
    }

    /// Sends it in any case.
    fn send_copy(&mut self, process: &Process, at: usize) {
        if self.people.get(at).is_some_and(|it| it.pending.is_some()) && self.chance.one_in(2) {
            self.send(process, at);
        }
    }

    fn send(&mut self, process: &Process, at: usize) {
        let elsewhere = process.rival.as_ref().filter(|_| self.chance.one_in(4));
        let Some(person) = self.people.get_mut(at) else { return };
        let Some(pending) = &mut person.pending else { return };
        pending.copies |= pending.in_flight.iter().any(|it| !it.is_finished());
        let staff = matches!(person.who, Who::Staff(_));
        let service = elsewhere.filter(|_| staff).unwrap_or(&process.service);
        let (id, act, who) = (pending.id, pending.act.clone(), person.who.clone());
        let (service, answers) = (Arc::clone(service), Arc::clone(&process.answers));
        let asking = async move {
            let told = ask(service, who, id, act).await;
            locked(&answers).push(Answered { person: at, id, told });
        };
        pending.in_flight.push(process.tasks.spawn(asking).abort_handle());
    }

    /// Everybody who can claims the same conversation at once.
    fn race(&mut self, process: &Process) {
        let all = self.ledger.conversations.values().map(|it| &it.replayed);
        let waiting: Vec<_> =
            all.filter(|it| it.status == Status::Escalated).map(|it| it.id).collect();
        let Some(conversation) = self.chance.pick(&waiting).copied() else { return };
        for at in 0..self.people.len() {
            let free = self.people.get(at).is_some_and(|it| {
                it.pending.is_none() && matches!(it.who, Who::Staff(_)) && it.name != "key"
            });
            if free {
                self.begin(process, at, Act::Claim { conversation, take: false });
            }
        }
    }

    /// Somebody's connection ends while they wait.
    fn hang_up(&mut self) {
        let at = self.chance.index(self.people.len());
        let pending = self.people.get_mut(at).and_then(|it| it.pending.as_mut());
        for call in pending.iter().flat_map(|it| &it.in_flight) {
            call.abort();
        }
    }

    fn readers_come_and_go(&mut self, process: &Process) {
        for tab in &mut self.tabs {
            match tab.is_connected() {
                true if self.chance.one_in(6) => tab.disconnect(),
                false if self.chance.one_in(2) => {
                    tab.connect(&process.service, &process.tasks, self.chance.fork());
                }
                true | false => {}
            }
        }
        for console in &mut self.consoles {
            match console.is_connected() {
                true if self.chance.one_in(6) => console.disconnect(),
                false => console.connect(&process.service, &process.tasks, self.chance.fork()),
                true => {}
            }
        }
        self.probe(process);
    }

    async fn pause(&mut self) {
        let most = if self.chance.one_in(4) { PAUSES.len() } else { 10 };
        let ms = PAUSES[self.chance.index(most)];
        self.note(|| format!("{ms} ms pass"));
        tokio::time::advance(Duration::from_millis(ms)).await;
    }

    /// The clock is set, forwards or back.
    fn set_clock(&mut self) {
        let by = i64::try_from(self.chance.below(240_000)).unwrap_or(0) - 120_000;
        self.note(|| format!("the clock is set by {by} ms"));
        self.skew.fetch_add(by, Ordering::Relaxed);
    }

    fn show_typing(&mut self, process: &Process) {
        let note = self.chance.one_in(2);
        let at = self.chance.index(self.people.len());
        let Some(conversation) = some_conversation(&mut self.chance, &self.ledger) else { return };
        let of = conversation.id.to_string();
        let Some(person) = self.people.get(at) else { return };
        let service = Arc::clone(&process.service);
        if let Who::Visitor(guest) = &person.who
            && conversation.visitor == guest.claims.user
        {
            return service.type_as_guest(guest, conversation.id, "");
        }
        let actor = person.who.actor();
        process.tasks.spawn(async move {
            // Whoever may not see the conversation, and every other visitor, is refused.
            let _ = service.set_typing(&actor, &of, note).await;
        });
    }

    /// A visitor asks for a conversation by its id, their own or not.
    fn probe(&mut self, process: &Process) {
        let Some(tab) = self.chance.pick(&self.tabs) else { return };
        let (actor, visitor) = (tab.actor.clone(), tab.visitor);
        let Some(of) = some_conversation(&mut self.chance, &self.ledger) else { return };
        let own = of.visitor == visitor;
        let (service, text) = (Arc::clone(&process.service), of.id.to_string());
        let found = Arc::clone(&self.probed);
        process.tasks.spawn(async move {
            let page = service.list_messages(&actor, &text, 0, 0, false).await;
            if let Ok(page) = page {
                locked(&found).push((actor, own, page));
            }
        });
    }
}
