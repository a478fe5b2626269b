//! The people of a run: each asks for one thing at a time, sends it again until it is told what became of it, and
//! remembers what it was told.

use anyhow::{Context as _, Result, ensure};
use tokio::task::AbortHandle;

use fusionchatd::domain::conversation::{Conversation, Handler, Status};
use fusionchatd::domain::id::{ClientId, ConversationId, UserId};
use fusionchatd::domain::inbox::AssistantMode;
use fusionchatd::domain::message::SenderType;
use fusionchatd::domain::priority::Priority;
use fusionchatd::domain::user::Availability;
use fusionchatd::service::error::{Error, Kind};

use super::act::{Acked, Act, NOTE, SAID, Told, Who};
use super::chance::Chance;
use super::ledger::Ledger;
use super::setup::Setup;

/// One who asks.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) who: Who,
    pub(crate) pending: Option<Pending>,
    /// The conversation's number and the seq of what was acknowledged last.
    last: (u64, u64),
}

/// What somebody waits for.
pub(crate) struct Pending {
    pub(crate) id: ClientId,
    pub(crate) act: Act,
    /// The journal's position when it was first sent.
    pub(crate) asked_at: u64,
    pub(crate) in_flight: Vec<AbortHandle>,
    /// Whether copies of it were ever under way beside each other.
    pub(crate) copies: bool,
    /// What the first answer said, read or not.
    first: Option<Option<Acked>>,
}

impl Pending {
    pub(crate) fn new(id: ClientId, act: Act, asked_at: u64) -> Self {
        Self { id, act, asked_at, in_flight: Vec::new(), copies: false, first: None }
    }
}

/// The people of every run.
pub(crate) fn people(setup: &Setup) -> Vec<Person> {
    let person = |name: String, who: Who| Person { name, who, pending: None, last: (0, 0) };
    let guests = setup.guests.iter().enumerate();
    let mut all: Vec<Person> = guests
        .map(|(at, it)| person(format!("v{at}"), Who::Visitor(Box::new(it.clone()))))
        .collect();
    for (at, agent) in setup.agents.iter().enumerate() {
        all.push(person(format!("agent{at}"), Who::Staff(agent.clone())));
    }
    all.push(person("admin".to_owned(), Who::Staff(setup.admin.clone())));
    all.push(person("key".to_owned(), Who::Staff(setup.key.clone())));
    all
}

impl Person {
    /// Checks an answer to what is pending; true if it ends the waiting.
    pub(crate) fn hear(&mut self, told: &Told, ledger: &Ledger, rival: bool) -> Result<bool> {
        let Some(pending) = &mut self.pending else { return Ok(false) };
        match told {
            Ok(acked) => {
                let first = pending.first.is_none();
                let before = pending.first.get_or_insert_with(|| acked.clone());
                ensure!(same(before.as_ref(), acked.as_ref()), "first {before:?}, now {acked:?}");
                if let Some(acked) = acked {
                    check_acked(pending.id, &pending.act, acked, ledger)?;
                    let number = ledger.conversations.get(&acked.conversation);
                    let number = number.map_or(u64::MAX, |it| it.replayed.number);
                    let in_order = !first || self.last < (number, acked.seq);
                    let visitor = matches!(self.who, Who::Visitor(_));
                    ensure!(!visitor || in_order, "reordered: {acked:?} after {:?}", self.last);
                    self.last = (number, acked.seq);
                }
                check_done(pending, acked.as_ref(), &self.who, ledger)?;
                check_claim(pending, self.who.actor().staff(), ledger)?;
                Ok(true)
            }
            Err(error) if is_passing(error) => Ok(false),
            Err(error) => {
                ensure!(error.code != "client_id_reused", "its own id is taken: {error:?}");
                let done = pending.first.is_some() || ledger.said.contains_key(&pending.id);
                // A test that has had its day is not there any more, for a repeat either.
                let acked = pending.first.as_ref().and_then(Option::as_ref);
                let of = pending.act.conversation().or(acked.map(|it| it.conversation));
                let gone = of.is_some_and(|it| !ledger.conversations.contains_key(&it));
                let unknown = pending.copies || rival || gone;
                ensure!(unknown || !done, "it was refused and done: {error:?}");
                Ok(true)
            }
        }
    }
}

/// Whether a repeat says what the first answer said: by id and number, and as it is by now.
fn same(first: Option<&Acked>, now: Option<&Acked>) -> bool {
    match (first, now) {
        (Some(first), Some(now)) => {
            let content = first.content == now.content || now.retracted || first.retracted;
            (first.conversation, first.seq, first.id) == (now.conversation, now.seq, now.id)
                && content
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// An acknowledged message is in the rows, as it was sent.
fn check_acked(id: ClientId, act: &Act, acked: &Acked, ledger: &Ledger) -> Result<()> {
    if matches!(act, Act::Retract(..) | Act::Flag(..)) {
        return Ok(());
    }
    let Some(told) = ledger.conversations.get(&acked.conversation) else {
        let (_, test) = ledger.kinds.get(&acked.conversation).context("of no conversation")?;
        ensure!(*test, "the conversation of {acked:?} is gone");
        return Ok(());
    };
    let at = usize::try_from(acked.seq).unwrap_or(0).wrapping_sub(1);
    let row = told.messages.get(at).with_context(|| format!("not in the rows: {acked:?}"))?;
    ensure!(row.id == acked.id && row.client_id == Some(id), "the row is {row:?}, not {acked:?}");
    if let Act::Say(text) | Act::Reply(_, text) | Act::Test(_, text) = act {
        ensure!(row.retracted || row.content == *text, "sent {text:?}, kept {row:?}");
    }
    Ok(())
}

/// What was acknowledged, whatever it was, is kept under the sender's id of it, and names what it did.
fn check_done(pending: &Pending, acked: Option<&Acked>, who: &Who, ledger: &Ledger) -> Result<()> {
    let Pending { id, act, .. } = pending;
    if matches!(act, Act::Read(..)) {
        // A mark has no id: it only ever moves on.
        return Ok(());
    }
    let of = act.conversation().or(acked.map(|it| it.conversation));
    let done = ledger.done(who.sender(), *id)?.context("no row says that it was done")?;
    let right = of.is_none_or(|it| done.conversation == Some(it.0))
        && acked.is_none_or(|it| done.seq == Some(it.seq));
    ensure!(right, "{act:?} was acknowledged as {acked:?}, the row says {done:?}");
    if matches!(act, Act::Note(..)) {
        let note = ledger.notes.get(id).copied();
        ensure!(note.is_some() && note == done.position, "the note of {done:?} is at {note:?}");
    }
    Ok(())
}

/// Whoever was told that their claim won had the conversation since they asked.
fn check_claim(pending: &Pending, user: Option<UserId>, ledger: &Ledger) -> Result<()> {
    let Act::Claim { conversation, .. } = pending.act else { return Ok(()) };
    let Some(told) = ledger.conversations.get(&conversation) else { return Ok(()) };
    let ends = told.held.iter().skip(1).map(|(at, _)| *at).chain([u64::MAX]);
    let won =
        told.held.iter().zip(ends).any(|((_, who), end)| *who == user && end > pending.asked_at);
    ensure!(won, "a claim was acknowledged to {user:?} and never held: {:?}", told.held);
    Ok(())
}

/// Whether it makes sense to send the same again.
pub(crate) fn is_passing(error: &Error) -> bool {
    match error.kind {
        Kind::Unavailable | Kind::Internal | Kind::Limited => true,
        Kind::Invalid
        | Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::NotFound
        | Kind::Conflict
        | Kind::TooLarge => false,
    }
}

/// What a person wants next; none if they have nothing to do.
pub(crate) fn wish(
    person: &Person,
    chance: &mut Chance,
    ledger: &Ledger,
    setup: &Setup,
) -> Option<Act> {
    match &person.who {
        Who::Visitor(guest) => {
            let own = ledger.conversations.values().map(|it| &it.replayed);
            let own = own.filter(|it| it.visitor == guest.claims.user);
            visitor_wish(chance, own.max_by_key(|it| it.number))
        }
        Who::Staff(actor) => {
            let user = actor.staff()?;
            if ledger.staff.get(&user).is_none_or(|it| it.disabled_at.is_some()) {
                return None;
            }
            if person.name == "key" {
                let text = (*chance.pick(&SAID)?).to_owned();
                return chance.one_in(3).then_some(Act::Test(setup.web, text));
            }
            if actor.is_admin() && chance.one_in(6) {
                return admin_wish(chance, setup);
            }
            staff_wish(user, actor.is_admin(), chance, ledger)
        }
    }
}

fn visitor_wish(chance: &mut Chance, latest: Option<&Conversation>) -> Option<Act> {
    let said = (*chance.pick(&SAID)?).to_owned();
    let Some(latest) = latest else { return Some(Act::Say(said)) };
    Some(match chance.below(20) {
        0 => Act::Wish,
        1 => Act::End(chance.one_in(2)),
        2..=5 => Act::Read(latest.id, chance.below(latest.last_seq + 2)),
        _ => Act::Say(said),
    })
}

fn admin_wish(chance: &mut Chance, setup: &Setup) -> Option<Act> {
    let agent = chance.pick(&setup.agents)?.staff()?;
    Some(match chance.below(8) {
        0 => Act::Assistant(setup.web, AssistantMode::Off),
        1 | 2 => Act::Assistant(setup.web, AssistantMode::On),
        3 => Act::Disable(agent, true),
        4..=6 => Act::Disable(agent, false),
        _ => Act::Availability(Availability::Busy),
    })
}

/// A conversation to act on: rather one that is not done.
pub(crate) fn some_conversation<'l>(
    chance: &mut Chance,
    ledger: &'l Ledger,
) -> Option<&'l Conversation> {
    let all: Vec<&Conversation> = ledger.conversations.values().map(|it| &it.replayed).collect();
    let live: Vec<&Conversation> =
        all.iter().copied().filter(|it| it.status != Status::Resolved).collect();
    let done = chance.one_in(6) || live.is_empty();
    chance.pick(if done { &all } else { &live }).copied()
}

fn staff_wish(user: UserId, admin: bool, chance: &mut Chance, ledger: &Ledger) -> Option<Act> {
    if chance.one_in(25) {
        let all = [Availability::Accepting, Availability::Busy, Availability::Away];
        return Some(Act::Availability(*chance.pick(&all)?));
    }
    let it = some_conversation(chance, ledger)?;
    let (id, text) = (it.id, format!("reply {}", chance.below(1_000_000)));
    let anything = chance.one_in(6);
    let act = match (it.status, it.handler) {
        _ if anything => return any_act(it, chance, ledger),
        (Status::Escalated, _) => match chance.below(8) {
            0 => Act::HandBack(id),
            1 => Act::Resolve(id),
            2 => Act::Reply(id, text),
            _ => Act::Claim { conversation: id, take: false },
        },
        (Status::Open, Handler::Assistant) => match chance.below(4) {
            0 => Act::Reply(id, text),
            1 => Act::Escalate(id),
            _ => Act::Claim { conversation: id, take: false },
        },
        (Status::Open, _) if it.assignee == Some(user) => match chance.below(9) {
            0 => Act::Release(id),
            1 => Act::HandBack(id),
            2 => Act::Resolve(id),
            3 => transfer(id, chance, ledger)?,
            _ => Act::Reply(id, text),
        },
        (Status::Open, _) => Act::Claim { conversation: id, take: admin },
        (Status::Resolved, _) => Act::Reopen(id),
    };
    Some(act)
}

fn transfer(id: ConversationId, chance: &mut Chance, ledger: &Ledger) -> Option<Act> {
    let all: Vec<UserId> = ledger.staff.keys().copied().collect();
    let to = *chance.pick(&all)?;
    let note = chance.one_in(2).then(|| NOTE.to_owned());
    Some(Act::Transfer { conversation: id, to, note })
}

fn any_act(it: &Conversation, chance: &mut Chance, ledger: &Ledger) -> Option<Act> {
    let id = it.id;
    Some(match chance.below(12) {
        0 | 1 => Act::Note(id, NOTE.to_owned()),
        2..=4 => Act::Read(id, chance.below(it.last_seq + 2)),
        5 => Act::Tag(id, chance.pick(&["refund", "late", "odd"])?),
        6 => Act::Prioritize(id, *chance.pick(&Priority::ALL)?),
        7 => Act::Retract(id, chance.below(it.last_seq + 1)),
        8 => Act::Flag(id, chance.below(it.last_seq + 1)),
        9 => transfer(id, chance, ledger)?,
        10 => Act::Release(id),
        _ if it.last_sender == SenderType::User => Act::Escalate(id),
        _ => Act::Resolve(id),
    })
}
