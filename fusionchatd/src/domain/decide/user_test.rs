//! Staff, row by row: who may be disabled or demoted, and what happens to the conversations of somebody absent.

use super::world::{World, staff};

/// After `before`, taking `step` leads to `outcome`: the conversation's state, or the code of a rejection.
fn check(before: &str, step: &str, outcome: &str) {
    let mut world = World::after(&format!("visitor says; {before}"));
    let found = match world.step(step) {
        Ok(_) => world.state(),
        Err(rejection) => rejection.code().to_owned(),
    };
    assert_eq!(found, outcome, "{before}; then {step}");
}

#[test]
fn away_for_five_minutes_with_the_visitors_message_last() {
    check("A claims; A goes away; wait 299999", "absence A", "A owes");
    check("A claims; A goes away; wait 300000", "absence A", "escalated");
    check("A claims; A is busy; wait 300000", "absence A", "A owes");
    check("A claims; A goes away; wait 299999; A comes back; wait 9", "absence A", "A owes");
    check("A claims; A replies; A goes away; wait 300000", "absence A", "A");
    // Their five minutes are over: the next message does not wait for anybody.
    let replied = "A claims; A replies; A goes away; wait 300000";
    check(replied, "visitor says", "escalated");
    check(&format!("{replied}; absence A"), "visitor says", "escalated");
    check("A claims; A replies; A goes away; wait 299999", "visitor says", "A owes");
    check("A claims; A replies; A goes away; visitor says; wait 300000", "absence A", "escalated");
    // Whoever is given a conversation meanwhile has five minutes again.
    let given = "M takes; A goes away; wait 300000; absence A; M gives to A";
    check(given, "absence A", "A owes");
    check(&format!("{given}; wait 300000"), "absence A", "escalated");
    let world = World::after("visitor says; A claims; A goes away; wait 300000; absence A");
    assert_eq!(world.reason(), "agent_absent");
    assert_eq!(world.user(staff("A")).timers().count(), 0, "the timer has done its work");
}

#[test]
fn a_wait_is_not_shortened_by_an_absence() {
    let mut world = World::after("visitor says; A claims; A replies; visitor says");
    let since = world.current().waiting_since;
    assert!(since.is_some());
    for step in ["A goes away", "wait 300000", "absence A", "B claims", "M disables B"] {
        world.step(step).expect(step);
        assert_eq!(world.current().waiting_since, since, "{step}");
    }
}

#[test]
fn disabling_escalates_every_open_conversation_at_once() {
    check("A claims; M disables A", "absence A", "escalated");
    check("A claims; A replies; M disables A", "absence A", "escalated");
    check("A claims; A replies; M disables A", "visitor says", "escalated");
    check("A claims; A goes away; M disables A", "absence A", "escalated");
    check("A claims; M disables A; M enables A", "absence A", "A owes");
    check("A claims; A replies; A resolves; M disables A", "absence A", "resolved");
    check("M disables A; absence A", "A replies", "user_disabled");
    check("M disables A", "M gives to A", "user_disabled");
    check("M disables A", "A goes away", "user_disabled");
    check("M disables A", "M resets A", "user_disabled");
    check("M disables A; M disables A; M enables A", "M gives to A", "A owes");
}

#[test]
fn the_last_admin_stays() {
    check("", "M disables M", "last_admin");
    check("", "M demotes M", "last_admin");
    check("M promotes A", "M disables M", "assistant");
    check("M promotes A", "M demotes M", "assistant");
    check("M promotes A; M disables A", "M disables M", "last_admin");
    check("M promotes A; A demotes M", "A demotes A", "last_admin");
    // Whoever has not set a password yet cannot be the only one.
    check("M promotes A; M resets A", "M disables M", "last_admin");
    check("", "M resets M", "last_admin");
    check("M promotes M", "M demotes A", "assistant");
}
