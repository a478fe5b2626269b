//! What must hold of a conversation's row by itself, and of its places in lists.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use fusionchatd::domain::conversation::{Conversation, Handler, Status};
use fusionchatd::domain::id::OrganizationId;
use fusionchatd::domain::lane::Lane;
use fusionchatd::domain::message::SenderType;
use fusionchatd::store::{Key, table};

/// Every open conversation has a living handler or a timer; every mark and number is within its bounds.
pub(crate) fn check(it: &Conversation) -> Result<()> {
    let agent = it.handler == Handler::Agent;
    let open = it.status == Status::Open;
    ensure!(open == (it.handler != Handler::None), "open means handled: {it:?}");
    ensure!(it.assignee.is_some() == agent, "an agent's conversation has an assignee: {it:?}");
    ensure!(it.assigned_at.is_some() == agent, "and a time: {it:?}");
    let escalated = it.status == Status::Escalated;
    ensure!(it.escalation.is_some() == escalated, "escalated means an escalation: {it:?}");
    let resolved = it.status == Status::Resolved;
    ensure!(it.resolution.is_some() == resolved, "resolved means a resolution: {it:?}");
    ensure!(it.resolved_at.is_some() == resolved, "and a time: {it:?}");
    ensure!(it.waiting_since.is_some() == it.waiting_position.is_some(), "a wait: {it:?}");
    let asked = it.last_sender == SenderType::User;
    if it.waiting_since.is_some() {
        ensure!(escalated || agent, "who waits waits for a person: {it:?}");
    } else {
        let left = escalated || (agent && asked);
        ensure!(!left, "nobody is told to answer: {it:?}");
    }
    let due = it.handler == Handler::Assistant && asked;
    ensure!(it.assistant_due.is_some() == due, "the assistant owes an answer by a time: {it:?}");
    let visitors_turn = open && !due && it.waiting_since.is_none();
    ensure!(it.silence_due.is_some() == visitors_turn, "a silence ends by itself: {it:?}");
    ensure!(it.offer.is_none() || escalated, "an offer waits: {it:?}");
    let last = it.last_seq;
    ensure!(it.visitor_mark <= last && it.staff_mark <= last, "marks are of messages: {it:?}");
    Ok(())
}

/// It stands in exactly one list, which is a queue exactly if it waits for a person.
pub(crate) fn check_places(
    organization: OrganizationId,
    it: &Conversation,
    places: &BTreeSet<Key>,
) -> Result<()> {
    let place = table::by_lane(organization, Lane::of(it), it.rank);
    let alone = places.len() == 1 && places.contains(&place);
    ensure!(alone, "it stands in {} lists: {it:?}", places.len());
    let queues: Vec<u8> =
        Lane::QUEUE.iter().chain([&Lane::TestWaiting]).map(|it| *it as u8).collect();
    let queued = places.iter().filter(|it| it.get(17).is_some_and(|lane| queues.contains(lane)));
    let waits = usize::from(it.status == Status::Escalated);
    ensure!(queued.count() == waits, "a queue holds what waits and nothing else: {it:?}");
    Ok(())
}

/// Its place in its assignee's list; a test has none.
pub(crate) fn held_place(organization: OrganizationId, it: &Conversation) -> Option<Key> {
    let user = it.assignee.filter(|_| !it.is_test())?;
    Some(table::by_assignee(organization, user, it.rank))
}
