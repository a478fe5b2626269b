//! Durable timers and the live queue: nothing here waits on memory alone.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::actor::{Actor, Permission};
use crate::domain::command::{Command, StaffAct};
use crate::domain::conversation::Conversation;
use crate::domain::id::{ClientId, ConversationId, EscalationId, OPERATOR_ORGANIZATION, UserId};
use crate::domain::lane::Lane;
use crate::domain::timer::{Due, Timer, TimerKind};
use crate::domain::user::User;
use crate::store::record::{Number, Pointer, Record};
use crate::store::{Batch, Direction, Key, StoreError, Value, table};

use super::conversation::page_size;
use super::digest::Digest;
use super::error::{Error, Kind};
use super::rows::Rows;
use super::view::{self, ConversationView, EscalationView};
use super::{Service, require};

/// How many timers are fired in one sweep.
pub const TIMERS_AT_ONCE: u32 = 64;
/// How many pages of the queue are read for one page of what the actor reaches.
const QUEUE_READS_MAX: usize = 50;

/// How many conversations of somebody absent are let go of at once.
pub(super) const ABSENT_PAGE: u32 = 64;
/// The most such pages of one firing.
pub(super) const ABSENT_PAGES_MAX: usize = 1_000;

impl Service {
    /// Waits until a timer has been set.
    pub async fn timer_set(&self) {
        self.timers.notified().await;
    }

    /// Fires what is due; returns how many, and when the next one is due.
    pub async fn fire_timers(self: &Arc<Self>) -> Result<(usize, Option<i64>), Error> {
        let rows = Rows::new(self.engine.as_ref(), OPERATOR_ORGANIZATION);
        let now = self.now();
        let range = table::timers_before(now + 1);
        let due = rows.scan(&range, Direction::Forward, TIMERS_AT_ONCE).await?;
        let fired = due.iter().map(|(key, value)| self.fire(key, value));
        // All of them first: one that fails must not keep the others waiting.
        let fired = futures::future::join_all(fired).await;
        fired.into_iter().collect::<Result<Vec<()>, Error>>()?;
        let range = table::timers_before(i64::MAX);
        let next = rows.scan(&range, Direction::Forward, 1).await?;
        let next = next.first().and_then(|(key, _)| key.get(1..9)?.try_into().ok());
        Ok((due.len(), next.map(|bytes| u64::from_be_bytes(bytes).cast_signed())))
    }

    async fn fire(self: &Arc<Self>, key: &Key, value: &Value) -> Result<(), Error> {
        let turn = Number::decode(key, value)?;
        let Some((organization, kind, subject)) = table::timer_of(key) else {
            return self.forget(key, value).await;
        };
        let actor = Actor::system(organization);
        if kind == TimerKind::Absent {
            self.leave_absent(&actor, UserId(subject)).await?;
        }
        let command = Command::Timer(Timer { kind, subject, turn: turn.0 });
        let digest = Digest::of("timer").finish();
        if let Err(error) = self.execute(&actor, None, digest, command).await
            && error.kind != Kind::NotFound
        {
            return Err(error);
        }
        let rows = Rows::new(self.engine.as_ref(), organization);
        let row = |due: &Due| table::timer(due.at, organization, due.kind, subject);
        if timers_of(&rows, kind, subject).await?.iter().any(|due| row(due) == *key) {
            return Ok(());
        }
        if kind == TimerKind::TestExpiry && !self.erase_rest(&rows, ConversationId(subject)).await?
        {
            return Ok(());
        }
        self.forget(key, value).await
    }

    /// Escalates the conversations of somebody who is away or disabled, page by page. One that cannot be let go of
    /// for a moment fails the whole: the timer stays and fires again.
    async fn leave_absent(self: &Arc<Self>, actor: &Actor, user: UserId) -> Result<(), Error> {
        let rows = Rows::new(self.engine.as_ref(), actor.organization);
        let found = rows.user(user).await?;
        if !found.is_some_and(|it| it.is_absent(self.now())) {
            return Ok(());
        }
        let mut range = table::all_by_assignee(actor.organization, user);
        for _ in 0..ABSENT_PAGES_MAX {
            let page = rows.list::<Pointer>(&range, Direction::Forward, ABSENT_PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            range = table::after(&range, last);
            let left = page.iter().map(|(_, held)| {
                let command = Command::LeaveAbsent { conversation: ConversationId(held.subject) };
                self.execute(actor, None, Digest::of("leave_absent").finish(), command)
            });
            // All of them first: one that fails must not keep the others waiting.
            for left in futures::future::join_all(left).await {
                left?;
            }
        }
        Err(Error::unavailable("unavailable", "somebody absent holds too many conversations"))
    }

    /// Removes a timer that its subject knows nothing of: it would come first in every sweep.
    async fn forget(&self, key: &Key, value: &Value) -> Result<(), Error> {
        let batch = Batch {
            expect: vec![(key.clone(), Some(value.clone()))],
            put: Vec::new(),
            delete: vec![key.clone()],
        };
        match self.engine.commit(batch).await {
            // It has gone with the change of its subject, as it should.
            Ok(()) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The live queue, most urgent and longest waiting first, and whether there is more.
    pub async fn list_escalations(
        &self,
        actor: &Actor,
        limit: u32,
    ) -> Result<(Vec<ConversationView>, bool, u64), Error> {
        require(actor, Permission::ReadConversations)?;
        let position = self.position(actor).await?;
        let rows = self.rows(actor);
        let limit = page_size(limit);
        let reach = self.reach(actor).await?;
        let (mut waiting, mut cut) = (Vec::new(), false);
        for lane in Lane::QUEUE {
            let mut range = table::all_by_lane(actor.organization, lane);
            let mut ended = false;
            for _ in 0..QUEUE_READS_MAX {
                let found = rows.scan(&range, Direction::Forward, limit + 1).await?;
                let Some((last, _)) = found.last() else {
                    ended = true;
                    break;
                };
                range = table::after(&range, last);
                for (key, value) in found {
                    let id = ConversationId(Pointer::decode(&key, &value)?.subject);
                    let header = rows.conversation(id).await?;
                    let Some(header) = header.filter(|it| reach.has(it.inbox)) else { continue };
                    if waiting.len() >= limit as usize {
                        return Ok((waiting, true, position));
                    }
                    waiting.push(view::conversation(&rows, header).await?);
                }
            }
            cut |= !ended;
        }
        Ok((waiting, cut, position))
    }

    /// Gives a waiting conversation to a member of staff; answers with the escalation this ended, if there was one.
    pub async fn assign_escalation(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        to: &str,
        take: bool,
    ) -> Result<Option<EscalationView>, Error> {
        let header = self.find_conversation(actor, text).await?;
        let to = self.find_staff(actor, to).await?.id;
        let act = StaffAct::Claim { to, take };
        let answer = self.staff_act(actor, client_id, header.id, act).await?;
        self.ended_escalation(actor, header.number, answer.refs.subject).await
    }

    /// Ends the waiting: the assistant has the conversation again.
    pub async fn return_escalation(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
    ) -> Result<Option<EscalationView>, Error> {
        let header = self.find_conversation(actor, text).await?;
        let answer = self.staff_act(actor, client_id, header.id, StaffAct::Return).await?;
        self.ended_escalation(actor, header.number, answer.refs.subject).await
    }

    /// Ends the waiting: the conversation is done.
    pub async fn resolve_escalation(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
    ) -> Result<Option<EscalationView>, Error> {
        let header = self.find_conversation(actor, text).await?;
        let act = StaffAct::ResolveWaiting;
        let answer = self.staff_act(actor, client_id, header.id, act).await?;
        self.ended_escalation(actor, header.number, answer.refs.subject).await
    }

    async fn ended_escalation(
        &self,
        actor: &Actor,
        number: u64,
        ended: Option<Uuid>,
    ) -> Result<Option<EscalationView>, Error> {
        let Some(ended) = ended else { return Ok(None) };
        let rows = self.rows(actor);
        let ended = rows.escalation(EscalationId(ended)).await?.ok_or_else(Error::not_found)?;
        Ok(Some(view::escalation(&rows, None, ended, number).await?))
    }
}

/// The timers that the subject of one waits for.
async fn timers_of(rows: &Rows<'_>, kind: TimerKind, subject: Uuid) -> Result<Vec<Due>, Error> {
    match kind {
        TimerKind::Absent => {
            let user = rows.user(UserId(subject)).await?;
            Ok(user.iter().flat_map(User::timers).map(|(due, _)| due).collect())
        }
        TimerKind::Assistant | TimerKind::Silence | TimerKind::Offer | TimerKind::TestExpiry => {
            let header = rows.conversation(ConversationId(subject)).await?;
            Ok(header.iter().flat_map(Conversation::timers).collect())
        }
    }
}
