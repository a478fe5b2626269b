//! Away, disabled, reset: what becomes of the conversations, sessions and keys.

use crate::domain::actor::Actor;
use crate::domain::command::Command;
use crate::domain::conversation::Status;
use crate::domain::entry::EntryKind;
use crate::domain::id::ConversationId;
use crate::domain::timer::{Timer, TimerKind};
use crate::domain::user::{Availability, Role};

use super::key::CreateKey;
use super::rig::{Rig, code, fresh};
use super::user::EditUser;

const FIVE_MINUTES: i64 = 5 * 60 * 1000;

/// A conversation that `A` holds; the visitor waits.
async fn held(rig: &Rig) -> ConversationId {
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    claim(rig, id).await;
    id
}

async fn claim(rig: &Rig, id: ConversationId) {
    let claimed = rig.service.claim(&rig.desk.a, None, &id.to_string(), None, true).await;
    claimed.expect("claimed");
}

async fn set(rig: &Rig, actor: &Actor, availability: Availability) {
    rig.service.set_availability(actor, Some(fresh()), availability).await.expect("set");
}

async fn fire(rig: &Rig) -> (usize, Option<i64>) {
    rig.service.fire_timers().await.expect("fired")
}

fn a(rig: &Rig) -> String {
    rig.desk.a.staff().expect("staff").to_string()
}

#[tokio::test]
async fn away_survives_a_restart_and_fires_once() {
    let rig = Rig::new().await;
    let waiting = held(&rig).await;
    let answered = held(&rig).await;
    let text = answered.to_string();
    let replied = rig.service.post_message(&rig.desk.a, None, &text, "hi".to_owned(), None).await;
    replied.expect("replied");
    let since = rig.header(waiting).await.waiting_since;
    set(&rig, &rig.desk.a, Availability::Away).await;
    let due = rig.service.now() + FIVE_MINUTES;
    assert_eq!(fire(&rig).await, (0, Some(due)));
    rig.pass(FIVE_MINUTES);
    let rig = rig.restarted().await;
    // What is left waits for the visitor of the answered one to say something.
    assert_eq!(fire(&rig).await.0, 1);
    let header = rig.header(waiting).await;
    assert_eq!((header.status, header.waiting_since), (Status::Escalated, since));
    assert_eq!(rig.header(answered).await.status, Status::Open, "the visitor does not wait");
    assert_eq!(fire(&rig).await.0, 0);
    let journal = rig.journal().await;
    let left: Vec<_> = journal.iter().filter(|it| it.kind == EntryKind::Escalated).collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].detail.as_deref(), Some("agent_absent"));
}

/// What the timer does comes after what it lets go of: a conversation may come to its user in between.
#[tokio::test]
async fn what_comes_while_the_timer_fires_is_not_kept_waiting() {
    let rig = Rig::new().await;
    set(&rig, &rig.desk.a, Availability::Away).await;
    rig.pass(FIVE_MINUTES);
    let id = held(&rig).await;
    let user = rig.desk.a.staff().expect("staff");
    let turn = rig.rows().user(user).await.expect("read").and_then(|it| it.absence).expect("away");
    let timer = Timer { kind: TimerKind::Absent, subject: user.0, turn: turn.turn };
    let system = Actor::system(rig.desk.organization);
    rig.service.execute(&system, None, [0; 32], Command::Timer(timer)).await.expect("done");
    let header = rig.header(id).await;
    assert_eq!((header.status, header.assignee), (Status::Open, Some(user)), "it was just claimed");
    while fire(&rig).await.0 > 0 {}
    assert_eq!(rig.header(id).await.status, Status::Escalated);
}

#[tokio::test]
async fn whoever_comes_back_in_time_keeps_what_they_hold() {
    let rig = Rig::new().await;
    let id = held(&rig).await;
    set(&rig, &rig.desk.a, Availability::Away).await;
    rig.pass(FIVE_MINUTES - 1);
    set(&rig, &rig.desk.a, Availability::Accepting).await;
    rig.pass(2);
    assert_eq!(fire(&rig).await, (0, None));
    assert_eq!(rig.header(id).await.status, Status::Open);
    set(&rig, &rig.desk.a, Availability::Away).await;
    assert_eq!(fire(&rig).await, (0, Some(rig.service.now() + FIVE_MINUTES)));
}

/// More conversations than a page, some of which stay.
#[tokio::test]
async fn disabling_escalates_all_of_many_in_pages() {
    let rig = Rig::new().await;
    let mut ids = Vec::new();
    for _ in 0..150 {
        ids.push(held(&rig).await);
    }
    rig.service.disable_user(&rig.desk.admin, None, "A", true).await.expect("disabled");
    while fire(&rig).await.0 > 0 {}
    for id in ids {
        assert_eq!(rig.header(id).await.status, Status::Escalated);
    }
    let rows = rig.journal().await;
    assert_eq!(rows.iter().filter(|it| it.kind == EntryKind::AbsenceTimed).count(), 1);
}

#[tokio::test]
async fn the_disabled_do_not_staff_the_inbox_nor_get_conversations() {
    let rig = Rig::new().await;
    for who in [&rig.desk.b, &rig.desk.admin] {
        set(&rig, who, Availability::Busy).await;
    }
    assert!(rig.service.is_staffed(&rig.desk.inbox).await.expect("read"));
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    rig.service.disable_user(&rig.desk.admin, None, "A@example.com", true).await.expect("disabled");
    assert!(!rig.service.is_staffed(&rig.desk.inbox).await.expect("read"));
    let text = id.to_string();
    let given = rig.service.claim(&rig.desk.admin, None, &text, Some("A"), true).await;
    assert_eq!(code(&given), "user_disabled");
    rig.service.disable_user(&rig.desk.admin, None, "A", false).await.expect("enabled");
    rig.service.reset_user(&rig.desk.admin, None, "B").await.expect("reset");
    set(&rig, &rig.desk.b, Availability::Accepting).await;
    set(&rig, &rig.desk.a, Availability::Busy).await;
    assert!(!rig.service.is_staffed(&rig.desk.inbox).await.expect("read"), "B has only a code");
    set(&rig, &rig.desk.a, Availability::Accepting).await;
    assert!(rig.service.is_staffed(&rig.desk.inbox).await.expect("read"));
}

#[tokio::test]
async fn sessions_and_keys_end_for_good() {
    let rig = Rig::new().await;
    let service = &rig.service;
    let system = Actor::system(rig.desk.organization);
    let user = rig.desk.a.staff().expect("staff");
    let promote = EditUser { role: Some(Role::Admin), ..EditUser::default() };
    service.edit_user(&rig.desk.admin, None, "A", promote).await.expect("edited");
    let session = async || service.start_session_of(&system, user).await.expect("in").token;
    let first = session().await;
    let actor = service.authenticate(&first).await.expect("known");
    let new = CreateKey { name: "ci".to_owned(), scopes: vec!["*".to_owned()], ttl_ms: None };
    let (_, key) = service.create_key(&actor, None, new).await.expect("made");
    let key = key.expect("shown");

    service.reset_user(&rig.desk.admin, None, "A").await.expect("reset");
    assert_eq!(code(&service.authenticate(&first).await), "session_ended");
    assert_eq!(code(&service.authenticate(&key).await), "ok", "a key is not a sign-in");
    let listed = service.list_sessions(&rig.desk.admin).await.expect("listed");
    assert!(listed.iter().all(|it| it.ended_at.is_some()), "{listed:?}");
    // The clock has stood still since: places in the journal tell before from after.
    let second = session().await;
    assert_eq!(code(&service.authenticate(&second).await), "ok");

    service.disable_user(&rig.desk.admin, None, &a(&rig), true).await.expect("disabled");
    for _ in 0..2 {
        for token in [&first, &second, &key] {
            assert_eq!(code(&service.authenticate(token).await), "session_ended");
        }
        service.disable_user(&rig.desk.admin, None, "A", false).await.expect("enabled");
    }
    let refused = service.disable_user(&rig.desk.admin, None, "admin", true).await;
    assert_eq!(code(&refused), "last_admin", "A has had no password since the reset");
}

#[tokio::test]
async fn a_name_changes_where_it_is_looked_up() {
    let rig = Rig::new().await;
    let edit = async |user: &str, name: &str| {
        let edit = EditUser { name: Some(name.to_owned()), role: None };
        rig.service.edit_user(&rig.desk.admin, None, user, edit).await
    };
    assert_eq!(code(&edit("A", "B").await), "taken");
    assert_eq!(code(&edit("A", "A").await), "ok");
    assert_eq!(edit("A", "Ana").await.expect("edited").name.as_deref(), Some("Ana"));
    let get = async |user: &str| code(&rig.service.get_user(&rig.desk.admin, user).await);
    assert_eq!((get("A").await, get("Ana").await), ("not_found", "ok"));
    assert_eq!(code(&edit("B", "A").await), "ok", "the old name is free");
    let names: Vec<_> = rig.service.list_users(&rig.desk.admin).await.expect("listed");
    let names: Vec<_> = names.into_iter().filter_map(|it| it.name).collect();
    assert_eq!(names, ["A", "Ana", "admin"]);
    let role = EditUser { role: Some(Role::Agent), ..EditUser::default() };
    let refused = rig.service.edit_user(&rig.desk.admin, None, "admin", role).await;
    assert_eq!(code(&refused), "last_admin");
    let refused = rig.service.disable_user(&rig.desk.b, None, "Ana", true).await;
    assert_eq!(code(&refused), "forbidden");
}
