//! The state table of a conversation, row by row, with the code of each rejection.

use uuid::Uuid;

use crate::domain::actor::Actor;
use crate::domain::command::{AssistantAct, Command, StaffAct, Visitor};
use crate::domain::conversation::{Handler, REOPEN_MS, Side, Status};
use crate::domain::entry::EntryKind;
use crate::domain::escalation::Outcome;
use crate::domain::event::Content;
use crate::domain::id::{ConversationId, UserId};
use crate::domain::message::SenderType;
use crate::domain::rejection::Rejection;
use crate::domain::timer::{Timer, TimerKind};

use super::world::{
    INBOX, ORGANIZATION, START, TIMEOUT_MS, VISITOR, World, as_staff, as_visitor, staff,
};

/// After `before`, taking `step` leads to `outcome`: a state, or the code of a rejection.
fn check(before: &str, step: &str, outcome: &str) {
    let mut world = World::after(before);
    let found = match world.step(step) {
        Ok(_) => world.state(),
        Err(rejection) => {
            let holder = rejection.holder().map(|it| it == staff("A"));
            assert_ne!(holder, Some(false), "the holder is A in every row");
            rejection.code().to_owned()
        }
    };
    assert_eq!(found, outcome, "{before}; then {step}");
}

#[test]
fn a_visitor_starts_and_is_answered() {
    check("", "visitor says", "assistant");
    check("assistant off", "visitor says", "escalated");
    check("visitor says; assistant off", "visitor says", "escalated");
    check("visitor says", "assistant answers", "assistant");
    check("visitor says", "assistant clarifies", "assistant");
    check("visitor says", "visitor says", "assistant");
    check("", "visitor wishes", "message_first");
    check("", "visitor ends", "not_found");
}

#[test]
fn an_open_conversation_of_the_assistant_escalates() {
    check("visitor says", "visitor wishes", "escalated");
    check("visitor says", "assistant hands over", "escalated");
    check("visitor says", "A escalates", "escalated");
    check("visitor says; wait 74999", "timer fires", "assistant");
    check("visitor says; wait 75000", "timer fires", "escalated");
    check("visitor says; assistant answers; wait 75000", "timer fires", "assistant");
    let reason = |steps| World::after(steps).reason();
    assert_eq!(reason("assistant off; visitor says"), "no_assistant");
    assert_eq!(reason("visitor says; visitor wishes"), "visitor_wish");
    assert_eq!(reason("visitor says; assistant hands over"), "no_answer");
    assert_eq!(reason("visitor says; wait 75000; timer fires"), "assistant_timeout");
    assert_eq!(reason("visitor says; A escalates"), "broken");
}

#[test]
fn an_agent_takes_over_from_the_assistant() {
    check("visitor says", "A replies", "A");
    check("visitor says", "A claims", "A owes");
    check("visitor says; assistant answers", "A claims", "A");
    check("visitor says; A replies", "assistant answers", "stale_turn");
}

#[test]
fn a_waiting_conversation_is_claimed_before_it_is_answered() {
    check("visitor says; visitor wishes", "A claims", "A owes");
    check("visitor says; visitor wishes", "A replies", "claim_first");
    check("visitor says; visitor wishes", "visitor says", "escalated");
    check("visitor says; visitor wishes", "visitor wishes", "escalated");
    check("visitor says; visitor wishes", "A escalates", "escalated");
    check("visitor says; visitor wishes", "assistant answers", "stale_turn");
    check("visitor says; visitor wishes", "A releases", "not_assigned");
    check("visitor says; visitor wishes", "A hands back", "assistant");
    check("visitor says; visitor wishes; A claims", "B claims", "already_claimed");
    check("visitor says; visitor wishes; A claims", "A claims", "A owes");
}

#[test]
fn an_assigned_conversation_is_its_agents() {
    const OF_A: &str = "visitor says; A replies";
    check(OF_A, "A replies", "A");
    check(OF_A, "visitor says", "A owes");
    check(OF_A, "visitor wishes", "A");
    check(OF_A, "B replies", "not_assignee");
    check(OF_A, "M replies", "not_assignee");
    check(OF_A, "B claims", "already_claimed");
    check(OF_A, "B takes", "B");
    check(OF_A, "M takes", "M");
    check(OF_A, "A gives to B", "B");
    check(OF_A, "A gives to Z", "not_found");
    check(OF_A, "A releases", "escalated");
    check(OF_A, "M releases", "escalated");
    check(OF_A, "B releases", "not_assignee");
    check(OF_A, "A escalates", "escalated");
    check(OF_A, "B escalates", "not_assignee");
    check(OF_A, "A hands back", "assistant");
    check(OF_A, "B hands back", "not_assignee");
    check("visitor says; A replies; assistant off", "A hands back", "assistant_off");
    check("visitor says", "A hands back", "assistant");
    check("visitor says", "A releases", "not_assigned");
}

#[test]
fn resolving_and_what_is_refused_afterwards() {
    check("visitor says", "A resolves", "resolved");
    check("visitor says", "visitor ends", "resolved");
    check("visitor says; visitor wishes", "A resolves", "resolved");
    check("visitor says; visitor wishes", "visitor ends", "resolved");
    check("visitor says; A replies", "A resolves", "resolved");
    check("visitor says; A replies", "M resolves", "resolved");
    check("visitor says; A replies", "B resolves", "not_assignee");
    check("visitor says; A replies", "A resolves as visitor", "bad_resolution");
    const DONE: &str = "visitor says; A replies; A resolves";
    check(DONE, "A resolves", "resolved");
    check(DONE, "visitor ends", "resolved");
    check(DONE, "A notes", "resolved");
    for step in ["A replies", "A claims", "A takes", "A releases", "A hands back", "A escalates"] {
        let mut world = World::after(DONE);
        assert_eq!(world.step(step).err().map(|it| it.code()), Some("resolved"), "{step}");
    }
    check(DONE, "assistant answers", "stale_turn");
    check(DONE, "A reopens", "A");
    check("visitor says; A replies; A resolves; A reopens", "A reopens", "A");
    check("visitor says; A replies", "B reopens", "not_resolved");
    check("visitor says", "A reopens", "not_resolved");
}

#[test]
fn a_visitors_message_reopens_within_seven_days() {
    let state = |steps: &str| {
        let world = World::after(steps);
        format!("{} {} {}", world.current().number, world.state(), world.reason())
    };
    const ENDED: &str = "visitor says; assistant answers; visitor ends";
    assert_eq!(state(&format!("{ENDED}; 7 days; visitor says")), "1001 assistant ");
    assert_eq!(state(&format!("{ENDED}; 8 days; visitor says")), "1002 assistant ");
    assert_eq!(
        state(&format!("{ENDED}; visitor says; visitor ends; visitor says")),
        "1001 escalated reopened",
        "to the assistant at most once"
    );
    assert_eq!(state(&format!("{ENDED}; assistant off; visitor says")), "1001 escalated reopened");
    assert_eq!(
        state("visitor says; A replies; A resolves; visitor says"),
        "1001 escalated reopened for A"
    );
    assert_eq!(
        state("visitor says; A replies; A releases; B claims; B resolves; visitor says"),
        "1001 escalated reopened for B"
    );
    assert_eq!(
        state("visitor says; A resolves; visitor says"),
        "1001 escalated reopened",
        "the assistant had it, but an agent resolved it"
    );
    assert_eq!(
        state("visitor says; visitor wishes; visitor ends; visitor says"),
        "1001 escalated reopened"
    );
    assert_eq!(state(&format!("{ENDED}; visitor wishes")), "1001 escalated visitor_wish");
    check(&format!("{ENDED}; 8 days"), "visitor wishes", "message_first");
    assert_eq!(REOPEN_MS, 7 * 24 * 60 * 60 * 1000);
}

#[test]
fn one_conversation_at_a_time_is_open() {
    let mut world = World::after("visitor says; A replies; A resolves; 8 days");
    let old = world.current().id;
    world.step("visitor says").expect("a new conversation");
    assert_ne!(world.current().id, old);
    let reopen = |world: &mut World| {
        let act = StaffAct::Reopen;
        let command = Command::Staff { agent: staff("A"), admin: false, conversation: old, act };
        world.run(&as_staff("A"), &command).err()
    };
    let newer = Some(Rejection::NewerConversation { number: 1002 });
    assert_eq!(reopen(&mut world), newer);
    world.step("visitor ends").expect("ended");
    assert_eq!(reopen(&mut world), newer, "the visitor would go on in the newer one");
}

#[test]
fn turns_are_raised_by_handler_changes_and_visitor_messages_only() {
    let check = |before: &str, step: &str, raised: u64| {
        let mut world = World::after(before);
        let turn = world.current().turn;
        world.step(step).expect("taken");
        assert_eq!(world.current().turn - turn, raised, "{before}; then {step}");
    };
    check("visitor says", "visitor says", 1);
    check("visitor says", "assistant answers", 0);
    check("visitor says", "A notes", 0);
    check("visitor says", "staff sees", 0);
    check("visitor says", "visitor wishes", 1);
    check("visitor says", "A replies", 1);
    check("visitor says; A replies", "A replies", 0);
    check("visitor says; A replies", "B takes", 1);
    check("visitor says; A replies", "A claims", 0);
    check("visitor says; A replies", "A releases", 1);
    check("visitor says; A replies", "A hands back", 1);
    check("visitor says; A replies", "A resolves", 1);
    check("visitor says; A replies; A resolves", "A reopens", 1);
    check("visitor says; A replies; A resolves", "visitor says", 2);
}

#[test]
fn a_late_answer_never_lands() {
    let late = |steps: &str| {
        let mut world = World::after("visitor says");
        let (conversation, turn) = (world.current().id, world.current().turn);
        for step in steps.split("; ") {
            world.step(step).expect("taken");
        }
        for act in [
            AssistantAct::Say {
                content: "late".to_owned(),
                sources: Vec::new(),
                clarification: false,
            },
            AssistantAct::HandOver { reason: "no_answer" },
        ] {
            let command = Command::Assistant { conversation, turn, act };
            let refused = world.run(&Actor::assistant(ORGANIZATION), &command);
            let now = world.current().turn;
            assert_eq!(refused.err(), Some(Rejection::StaleTurn { now, then: turn }), "{steps}");
        }
        let timer = Timer { kind: TimerKind::Assistant, subject: conversation.0, turn };
        let (timer, state) = (Command::Timer(timer), world.state());
        world.now += TIMEOUT_MS;
        world.run(&Actor::system(ORGANIZATION), &timer).expect("nothing");
        assert_eq!(world.state(), state, "a timer of an earlier turn does nothing: {steps}");
    };
    late("visitor says");
    late("A replies");
    late("A claims; A hands back");
    late("visitor wishes");
    late("visitor wishes; A hands back");
    late("visitor ends; visitor says");
}

#[test]
fn waiting_is_counted_from_the_first_unanswered_message() {
    let mut world = World::after("visitor says; A replies; wait 1000; visitor says");
    let since = Some(START + 1000);
    assert_eq!(world.current().waiting_since, since);
    let position = world.current().waiting_position;
    for step in ["visitor says", "A releases", "B claims", "visitor says", "M takes", "M releases"]
    {
        world.step("wait 1000").expect("time passes");
        world.step(step).expect("taken");
        assert_eq!(world.current().waiting_since, since, "{step}");
        assert_eq!(world.current().waiting_position, position, "{step}");
        if world.current().status == Status::Escalated {
            assert_eq!(Some(world.current().rank), position, "the queue is ordered by it");
        }
    }
    world.step("B claims").expect("claimed");
    world.step("B replies").expect("answered");
    assert_eq!(world.current().waiting_since, None);
    world.step("B releases").expect("released");
    assert_eq!(world.current().waiting_since, Some(world.now), "nothing was owed before");
}

#[test]
fn whoever_gets_an_unanswered_message_owes_the_answer() {
    let due = |steps: &str| World::after(steps).current().assistant_due;
    assert_eq!(due("visitor says"), Some(START + TIMEOUT_MS));
    assert_eq!(due("visitor says; wait 5; visitor says"), Some(START + 5 + TIMEOUT_MS));
    assert_eq!(due("visitor says; assistant answers"), None);
    assert_eq!(due("visitor says; A claims"), None);
    assert_eq!(due("visitor says; visitor wishes"), None);
    assert_eq!(due("visitor says; A claims; A hands back"), Some(START + TIMEOUT_MS));
    assert_eq!(due("visitor says; A replies; A hands back"), None);
    assert_eq!(due("visitor says; visitor ends"), None);
}

#[test]
fn every_stay_in_the_queue_has_its_escalation() {
    let mut world = World::after("visitor says; visitor wishes");
    let first = world.current().escalation.expect("live");
    world.step("A claims").expect("claimed");
    let ended = &world.escalations[&first];
    assert_eq!(ended.outcome, Some(Outcome::Claimed));
    assert_eq!((ended.claimed_by, ended.claimed_at), (Some(staff("A")), Some(START)));
    world.step("wait 10").expect("time passes");
    world.step("A releases").expect("released");
    let second = world.current().escalation.expect("live again");
    assert_ne!(first, second);
    assert_eq!(world.escalations[&second].by.user, Some(staff("A")));
    world.step("A hands back").expect("handed back");
    assert_eq!(world.escalations[&second].outcome, Some(Outcome::Returned));
    world.step("visitor wishes").expect("escalated");
    let third = world.current().escalation.expect("live");
    world.step("visitor ends").expect("ended");
    assert_eq!(world.escalations[&third].outcome, Some(Outcome::Resolved));
    assert_eq!(world.escalations.len(), 3, "ended ones stay");
    assert!(world.escalations.values().all(|it| it.ended_at.is_some()));
}

#[test]
fn participants_are_those_who_spoke() {
    let world = World::after("visitor says; A claims; A notes; B takes; B replies; B replies");
    assert_eq!(world.current().participants, [VISITOR, staff("B")]);
}

#[test]
fn marks_only_grow_and_count_what_is_unread() {
    let mut world = World::after("visitor says; visitor says; visitor says");
    assert_eq!(world.current().unread, 3);
    let mut mark = |side, seq| {
        let conversation = world.current().id;
        let command = Command::Mark { conversation, side, seq };
        let decision = world.run(&as_staff("A"), &command).expect("marked");
        let header = world.current();
        (decision.events.len(), header.staff_mark, header.visitor_mark, header.unread)
    };
    assert_eq!(mark(Side::Staff, 1), (1, 1, 0, 2), "two come after the first");
    assert_eq!(mark(Side::Staff, 1), (0, 1, 0, 2));
    assert_eq!(mark(Side::Staff, 0), (0, 1, 0, 2));
    assert_eq!(mark(Side::Visitor, 2), (1, 1, 2, 2));
    assert_eq!(mark(Side::Staff, u64::MAX), (1, 3, 2, 0), "never past the last message");
    assert_eq!(world.current().last_seq, 3, "a mark is no message");
}

#[test]
fn the_first_message_creates_everything_at_once() {
    let mut world = World::new();
    let session = crate::domain::session::Session {
        id: crate::domain::id::SessionId(Uuid::from_u128(5)),
        user: VISITOR,
        inbox: Some(INBOX),
        origin: None,
        created_at: START,
        expires_at: START + 1,
        ended_at: None,
        position: 0,
    };
    let message = |locale: &str| Command::VisitorMessage {
        visitor: Visitor {
            user: VISITOR,
            inbox: INBOX,
            locale: Some(locale.to_owned()),
            session: Some((session.clone(), crate::domain::hidden::Hidden([1; 32]))),
        },
        conversation: None,
        content: "hello".to_owned(),
    };
    let decision = world.run(&as_visitor(), &message("pt-BR")).expect("started");
    let kinds: Vec<_> = decision.events.iter().map(|it| it.entry.kind).collect();
    let expected = [
        EntryKind::UserCreated,
        EntryKind::SessionStarted,
        EntryKind::ConversationStarted,
        EntryKind::MessagePosted,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(decision.refs.seq, Some(1));
    assert_eq!(world.current().locale, "pt-BR");
    let mut world = World::new();
    world.run(&as_visitor(), &message("no \u{1b}[31m tag")).expect("started");
    assert_eq!(world.current().locale, "en", "what is no language tag is not kept");
}

#[test]
fn another_visitors_conversation_is_not_found() {
    let mut world = World::after("visitor says");
    let id = world.current().id;
    let stranger = UserId(Uuid::from_u128(0xdead));
    let visitor = |user| Visitor { user, inbox: INBOX, locale: None, session: None };
    let none = ConversationId(Uuid::from_u128(0xbeef));
    for (user, conversation) in [(stranger, id), (VISITOR, none)] {
        let conversation = Some(conversation);
        let content = "hello".to_owned();
        for command in [
            Command::VisitorMessage { visitor: visitor(user), conversation, content },
            Command::VisitorWish { visitor: visitor(user), conversation },
            Command::VisitorEnd { visitor: visitor(user), conversation },
        ] {
            let refused = world.run(&as_visitor(), &command).err();
            assert_eq!(refused, Some(Rejection::NotFound), "{command:?}");
        }
    }
    assert_eq!(world.headers.len(), 1);
}

#[test]
fn system_lines_are_codes_that_name_users_by_id() {
    let world = World::after("visitor says; visitor wishes; A claims; A resolves");
    let lines: Vec<_> = world
        .messages
        .iter()
        .filter(|it| it.sender_type == SenderType::System)
        .filter_map(|it| it.system.as_ref())
        .map(|it| {
            let params: Vec<_> = it.params.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{} {}", it.code, params.join(" "))
        })
        .collect();
    let claimed = format!("claimed user={}", staff("A"));
    assert_eq!(lines, ["escalated staffed=true", &claimed, "resolved by=agent"]);
    assert!(world.messages.iter().all(|it| it.system.is_none() || it.content.is_empty()));
}

#[test]
fn a_note_has_no_seq_and_reaches_no_visitor() {
    let mut world = World::after("visitor says");
    let decision = world.step("A notes").expect("noted");
    let [event] = decision.events.as_slice() else { panic!("one event") };
    assert!(matches!(event.content, Content::Note(_)));
    assert_eq!(event.entry.seq, None);
    assert_eq!(decision.refs.position, Some(event.entry.position));
    let sees = |actor: &Actor| {
        crate::domain::visible::visible(actor, &event.entry, event.conversation.as_ref())
    };
    assert!(!sees(&as_visitor()));
    assert!(sees(&as_staff("A")));
    assert_eq!(world.current().handler, Handler::Assistant);
}
