//! Any run of commands keeps the invariants, and replaying the journal gives the stored headers.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, proptest};
use proptest::sample;

use crate::domain::conversation::{Conversation, FIRST_NUMBER, Handler, Status};
use crate::domain::entry::{Entry, EntryKind};
use crate::domain::id::{ConversationId, UserId};
use crate::domain::message::SenderType;
use crate::domain::user::{Availability, Role, User};

use super::world::{ORGANIZATION, World};

const STEPS: [&str; 74] = [
    "visitor says",
    "visitor says",
    "visitor says",
    "visitor wishes",
    "visitor ends",
    "visitor sees",
    "staff sees",
    "assistant answers",
    "assistant answers",
    "assistant clarifies",
    "assistant hands over",
    "assistant off",
    "assistant on",
    "assistant only drafts",
    "assistant drafts",
    "assistant drafts",
    "timer fires",
    "wait 1",
    "wait 75000",
    "3 days",
    "8 days",
    "A claims",
    "A replies",
    "A replies",
    "A notes",
    "A takes",
    "A releases",
    "A hands back",
    "A escalates",
    "A resolves",
    "A reopens",
    "A gives to B",
    "B claims",
    "B replies",
    "M takes",
    "M releases",
    "M resolves",
    "visitor confirms",
    "silence lasts",
    "silence lasts",
    "silences 1000 75000 -",
    "offer ends",
    "day ends",
    "it is a test",
    "wait 1800000",
    "wait 120000",
    "1 days",
    "1 days",
    "A transfers to B",
    "A notes and transfers to B",
    "M transfers to A",
    "B releases",
    "A returns",
    "B ends the wait",
    "A tags refund",
    "A untags refund",
    "B makes it urgent",
    "A flags",
    "A retracts",
    "M retracts",
    "A goes away",
    "A is busy",
    "A comes back",
    "absence A",
    "wait 300000",
    "M disables A",
    "M enables A",
    "M promotes A",
    "M demotes A",
    "M resets A",
    "B goes away",
    "absence B",
    "M disables B",
    "A disables M",
];

fn steps() -> impl Strategy<Value = Vec<&'static str>> {
    vec(sample::select(STEPS.to_vec()), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_run_of_commands_keeps_the_invariants(steps in steps()) {
        let mut world = World::after("visitor says");
        let mut waits: BTreeMap<ConversationId, Option<i64>> = BTreeMap::new();
        for step in steps {
            // A rejection is a fine answer; it must only leave the rows as they are.
            let (entries, before) = (world.entries.len(), world.headers.clone());
            if world.latest.is_none() && step != "it is a test" && !step.starts_with("visitor says") {
                continue;
            }
            if world.step(step).is_err() {
                assert_eq!((world.entries.len(), &world.headers), (entries, &before), "{step}");
            }
            for header in world.headers.values() {
                check_header(header, step);
                let entries = &world.entries[entries..];
                let waited = waits.insert(header.id, header.waiting_since).flatten();
                check_wait(header, waited, entries, step);
            }
            let open = world.headers.values().filter(|it| it.status != Status::Resolved).count();
            assert!(open <= 1, "{open} conversations of one visitor are open after {step}");
        }
        check_journal(&world);
        check_staff(&world);
    }
}

fn check_header(header: &Conversation, step: &str) {
    let context = format!("after {step}: {header:?}");
    let agent = header.handler == Handler::Agent;
    match header.status {
        Status::Open => assert_ne!(header.handler, Handler::None, "{context}"),
        Status::Escalated | Status::Resolved => {
            assert_eq!(header.handler, Handler::None, "{context}");
        }
    }
    assert_eq!(header.assignee.is_some(), agent, "{context}");
    assert_eq!(header.assigned_at.is_some(), agent, "{context}");
    let escalated = header.status == Status::Escalated;
    assert_eq!(header.escalation.is_some(), escalated, "{context}");
    let resolved = header.status == Status::Resolved;
    assert_eq!(header.resolution.is_some(), resolved, "{context}");
    assert_eq!(header.resolved_at.is_some(), resolved, "{context}");
    let asked = header.last_sender == SenderType::User;
    if escalated {
        assert_eq!(Some(header.rank), header.waiting_position, "{context}");
    }
    assert_eq!(header.waiting_since.is_some(), header.waiting_position.is_some(), "{context}");
    if header.waiting_since.is_some() {
        assert!(escalated || agent, "{context}");
    } else {
        assert!(!escalated, "{context}");
        assert!(!agent || !asked, "nobody is told to answer, {context}");
    }
    let due = header.handler == Handler::Assistant && asked;
    assert_eq!(header.assistant_due.is_some(), due, "no chat waits on memory alone, {context}");
    let visitors_turn = header.status == Status::Open && !due && header.waiting_since.is_none();
    assert_eq!(header.silence_due.is_some(), visitors_turn, "{context}");
    assert!(header.offer.is_none() || escalated, "{context}");
    let last = header.last_seq;
    assert!(header.visitor_mark <= last && header.staff_mark <= last, "{context}");
    assert!(header.last_visitor_seq <= last, "{context}");
    assert_eq!(header.unread == 0, header.staff_mark >= header.last_visitor_seq, "{context}");
}

/// A wait ends by a person's answer or the end of the need for one, and never begins anew meanwhile.
fn check_wait(header: &Conversation, waited: Option<i64>, entries: &[Entry], step: &str) {
    let ends = entries.iter().any(|entry| {
        let answers = entry.code == SenderType::Agent.code();
        (entry.kind == EntryKind::MessagePosted && answers)
            || matches!(entry.kind, EntryKind::HandedBack | EntryKind::Resolved)
    });
    if waited.is_some() && !ends {
        assert_eq!(header.waiting_since, waited, "after {step}");
    }
}

/// Replaying the journal gives the staff's rows, and nobody absent keeps a visitor waiting.
fn check_staff(world: &World) {
    let mut replayed: BTreeMap<_, _> = World::new().staff().map(|it| (it.id, it.clone())).collect();
    for entry in &world.entries {
        if let Some(user) = entry.subject.and_then(|id| replayed.get_mut(&UserId(id))) {
            user.apply(entry);
        }
    }
    let stored: BTreeMap<_, _> = world.staff().map(|it| (it.id, it.clone())).collect();
    assert_eq!(replayed, stored, "replaying the journal gives the staff");
    let admin = |it: &User| it.role == Role::Admin && it.disabled_at.is_none();
    assert!(stored.values().any(admin), "an admin is left");
    for user in stored.values() {
        let away = user.availability == Availability::Away || user.disabled_at.is_some();
        assert_eq!(user.absence.is_some(), away, "{user:?}");
        let waiting = |it: &&Conversation| {
            let asked = it.last_sender == SenderType::User || user.disabled_at.is_some();
            it.assignee == Some(user.id) && asked
        };
        if user.is_absent(world.now) && world.headers.values().any(|it| waiting(&it)) {
            let due = user.timers().next();
            assert!(due.is_some(), "no chat waits on somebody absent alone: {user:?}");
        }
    }
}

fn check_journal(world: &World) {
    let mut headers: BTreeMap<ConversationId, Conversation> = BTreeMap::new();
    let mut seqs: BTreeMap<ConversationId, u64> = BTreeMap::new();
    let mut begun = 0;
    for (at, entry) in world.entries.iter().enumerate() {
        assert_eq!(entry.position, at as u64 + 1, "positions have no gap");
        let Some(id) = entry.conversation else { continue };
        if let (Some(seq), true) = (entry.seq, entry.kind != EntryKind::MarkMoved) {
            let last = seqs.entry(id).or_default();
            *last += 1;
            assert_eq!(seq, *last, "seqs have no gap");
        }
        if let Some(started) = Conversation::started(ORGANIZATION, entry) {
            assert_eq!(started.number, FIRST_NUMBER + begun);
            begun += 1;
            headers.insert(id, started);
        }
        if entry.kind == EntryKind::ConversationDeleted {
            headers.remove(&id);
            seqs.remove(&id);
            continue;
        }
        headers.get_mut(&id).expect("started before").apply(entry);
    }
    let mut stored = world.headers.clone();
    for header in stored.values_mut() {
        header.last_line = String::new();
    }
    assert_eq!(headers, stored, "replaying the journal gives the rows");
    let visible = world.messages.iter().map(|it| (it.conversation, it.seq));
    assert_eq!(visible.count() as u64, seqs.values().sum::<u64>(), "each seq has its message");
}
