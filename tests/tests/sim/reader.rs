//! Those who read live: visitors' tabs, by seq, and consoles of staff, by position. Each keeps its cursor through
//! losses of its connection and of the daemon, and checks what it is handed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use fusionchatd::domain::actor::{Actor, Who};
use fusionchatd::domain::id::{ConversationId, InboxId, UserId};
use fusionchatd::domain::visible::visible;
use fusionchatd::service::Service;
use fusionchatd::service::ephemeral::Ephemeral;
use fusionchatd::service::error::Error;
use fusionchatd::service::subscribe::{Cursor, Signal, Subscribed, VisitorSignal};
use fusionchatd::service::view::{Change, MessageView};

use super::act::NOTE;
use super::chance::Chance;
use super::disk::OWN;
use super::ledger::Ledger;

/// What a reader's connection has brought and its owner has not looked at yet.
pub(crate) type Arrived<T> = Arc<Mutex<Vec<T>>>;

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One tab of a visitor.
pub(crate) struct Tab {
    pub(crate) actor: Actor,
    pub(crate) visitor: UserId,
    /// The last seq seen of each conversation.
    pub(crate) seen: BTreeMap<ConversationId, u64>,
    pub(crate) open: Option<AbortHandle>,
    arrived: Arrived<VisitorSignal>,
}

impl Tab {
    pub(crate) fn new(actor: Actor, visitor: UserId) -> Self {
        Self { actor, visitor, seen: BTreeMap::new(), open: None, arrived: Arc::default() }
    }

    /// Connects, from what it has seen.
    pub(crate) fn connect(&mut self, service: &Arc<Service>, tasks: &TaskTracker, own: Chance) {
        let (arrived, seen) = (Arc::clone(&self.arrived), self.seen.clone());
        let reading = read_tab(Arc::clone(service), self.actor.clone(), seen, arrived);
        let reading = OWN.scope(Mutex::new(own), reading);
        self.open = Some(tasks.spawn(reading).abort_handle());
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.open.as_ref().is_some_and(|it| !it.is_finished())
    }

    pub(crate) fn disconnect(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
        }
    }

    pub(crate) fn look(&mut self, ledger: &Ledger) -> Result<()> {
        let arrived = std::mem::take(&mut *locked(&self.arrived));
        for signal in arrived {
            match signal {
                VisitorSignal::Message(post) => {
                    self.take(&post.view, ledger).with_context(|| format!("{post:?}"))?;
                }
                VisitorSignal::Messages(messages) => {
                    for message in messages {
                        self.take(&message, ledger).with_context(|| format!("{message:?}"))?;
                    }
                }
                VisitorSignal::Status(view) => {
                    ensure!(view.header.visitor == self.visitor, "another's status: {view:?}");
                }
                VisitorSignal::Ephemeral(signal) => {
                    let note = matches!(&*signal, Ephemeral::Typing(it) if it.note);
                    ensure!(!note, "a visitor saw that a note is written");
                    let told = ledger.conversations.get(&signal.place().conversation);
                    let own = told.is_some_and(|it| it.replayed.visitor == self.visitor);
                    ensure!(own, "another's signal: {signal:?}");
                }
                // Nothing is written to a reader who lends no outlet.
                VisitorSignal::Owed => bail!("something is owed to {}", self.visitor),
            }
        }
        Ok(())
    }

    fn take(&mut self, view: &MessageView, ledger: &Ledger) -> Result<()> {
        check_visible(&self.actor, view, ledger)?;
        let message = &view.message;
        let last = self.seen.entry(message.conversation).or_default();
        ensure!(message.seq == *last + 1, "a tab saw {} after {last}", message.seq);
        *last = message.seq;
        Ok(())
    }

    /// Whether it has seen all of the visitor's latest conversation.
    pub(crate) fn check_complete(&self, ledger: &Ledger) -> Result<()> {
        let own = ledger.conversations.values().filter(|it| it.replayed.visitor == self.visitor);
        let Some(latest) = own.max_by_key(|it| it.replayed.number) else { return Ok(()) };
        let seen = self.seen.get(&latest.replayed.id).copied().unwrap_or(0);
        let last = latest.replayed.last_seq;
        ensure!(seen == last, "a tab has seen {seen} of {last}: {:?}", latest.replayed);
        Ok(())
    }
}

/// A visitor may see this message, and it is as the rows have it.
pub(crate) fn check_visible(actor: &Actor, view: &MessageView, ledger: &Ledger) -> Result<()> {
    let message = &view.message;
    let entry = ledger.entry(message.position).context("a message before its entry is written")?;
    let told = ledger.conversations.get(&message.conversation).context("of no conversation")?;
    ensure!(visible(actor, entry, Some(&told.replayed)), "forbidden to its reader: {entry:?}");
    ensure!(!message.content.contains(NOTE), "a note reached a visitor");
    let at = usize::try_from(message.seq).unwrap_or(0).wrapping_sub(1);
    let row = told.messages.get(at).context("a message without a row")?;
    let same = row.content == message.content || row.retracted;
    ensure!(row.id == message.id && same, "the row is {row:?}");
    Ok(())
}

async fn read_tab(
    service: Arc<Service>,
    actor: Actor,
    seen: BTreeMap<ConversationId, u64>,
    arrived: Arrived<VisitorSignal>,
) {
    let read = async || -> Result<(), Error> {
        let current = service.current_conversation(&actor).await?;
        let seq = current.as_ref().and_then(|it| seen.get(&it.header.id)).copied().unwrap_or(0);
        let mut watcher = service.watch_visitor(&actor, current.as_ref(), seq)?;
        loop {
            let signal = watcher.next().await?;
            locked(&arrived).push(signal);
        }
    };
    // A failed reader comes back with its cursor, like one that lost its connection.
    let _ = read().await;
}

/// A console of staff.
pub(crate) struct Console {
    pub(crate) actor: Actor,
    /// The inboxes it may see; none means all.
    pub(crate) inboxes: Option<Vec<InboxId>>,
    pub(crate) position: u64,
    pub(crate) open: Option<AbortHandle>,
    arrived: Arrived<Result<Arc<Change>, String>>,
}

impl Console {
    pub(crate) fn new(actor: Actor, inboxes: Option<Vec<InboxId>>, position: u64) -> Self {
        Self { actor, inboxes, position, open: None, arrived: Arc::default() }
    }

    pub(crate) fn connect(&mut self, service: &Arc<Service>, tasks: &TaskTracker, own: Chance) {
        let arrived = Arc::clone(&self.arrived);
        let after = Cursor { epoch: service.epoch(), position: self.position };
        let reading = read_console(Arc::clone(service), self.actor.clone(), after, arrived);
        let reading = OWN.scope(Mutex::new(own), reading);
        self.open = Some(tasks.spawn(reading).abort_handle());
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.open.as_ref().is_some_and(|it| !it.is_finished())
    }

    pub(crate) fn disconnect(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
        }
    }

    pub(crate) fn look(&mut self, ledger: &Ledger) -> Result<()> {
        let arrived = std::mem::take(&mut *locked(&self.arrived));
        for change in arrived {
            let change = change.map_err(anyhow::Error::msg)?;
            let position = change.entry.position;
            let next = self.next_expected(ledger);
            ensure!(next == Some(position), "a console saw {position}, next was {next:?}");
            let entry = ledger.entry(position).context("an entry before it is written")?;
            ensure!(*entry == change.entry, "another entry: {:?}", change.entry);
            self.position = position;
        }
        Ok(())
    }

    /// The next entry it must be handed.
    fn next_expected(&self, ledger: &Ledger) -> Option<u64> {
        (self.position + 1..=ledger.position()).find(|it| self.expects(ledger, *it))
    }

    fn expects(&self, ledger: &Ledger, position: u64) -> bool {
        let Some(entry) = ledger.entry(position) else { return false };
        let Some(id) = entry.conversation else { return true };
        let Some((inbox, test)) = ledger.kinds.get(&id) else { return false };
        !test && self.inboxes.as_ref().is_none_or(|it| it.contains(inbox))
    }

    pub(crate) fn check_complete(&self, ledger: &Ledger) -> Result<()> {
        let missing = self.next_expected(ledger);
        let who = &self.actor.who;
        ensure!(missing.is_none(), "the console of {who:?} never saw {missing:?}");
        Ok(())
    }
}

async fn read_console(
    service: Arc<Service>,
    actor: Actor,
    after: Cursor,
    arrived: Arrived<Result<Arc<Change>, String>>,
) {
    let read = async || -> Result<(), Error> {
        let mut watcher = match service.watch(&actor, None, Some(after)).await? {
            Subscribed::Live(watcher) => watcher,
            Subscribed::Reset(at) => {
                let reset = format!("the cursor {} was reset to {}", after.position, at.position);
                locked(&arrived).push(Err(reset));
                return Ok(());
            }
        };
        loop {
            if let Signal::Change(change) = watcher.next().await? {
                locked(&arrived).push(Ok(change));
            }
        }
    };
    let _ = read().await;
}

/// The visitor an actor is.
pub(crate) fn visitor_of(actor: &Actor) -> Option<UserId> {
    match &actor.who {
        Who::Visitor { user, .. } => Some(*user),
        Who::Agent { .. }
        | Who::Key { .. }
        | Who::Assistant
        | Who::Operator { .. }
        | Who::System => None,
    }
}
