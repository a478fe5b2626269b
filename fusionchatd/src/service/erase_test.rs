//! What a test conversation leaves when its day is over: nothing, however much it was.

use std::sync::atomic::Ordering;

use crate::domain::actor::{Actor, Grants};
use crate::domain::command::Command;
use crate::domain::id::ConversationId;
use crate::domain::message::Message;
use crate::domain::timer::{Timer, TimerKind};
use crate::domain::user::Role;
use crate::store::check::check;
use crate::store::record::{Number, Record};
use crate::store::{Batch, Direction, Engine as _, Reads as _, table};

use super::erase::ERASED_AT_ONCE;
use super::rig::{Rig, code, fresh};

/// A test conversation with this many notes, more than the domain would ever let in.
async fn noted(rig: &Rig, notes: u64) -> ConversationId {
    let mut key = rig.desk.admin.clone();
    let scopes = vec!["*".to_owned()];
    key.grants = Grants::Scopes { role: Role::Admin, scopes };
    let text = "a test".to_owned();
    let started = rig.service.start_conversation(&key, "", Some(fresh()), "web", text, true).await;
    let id = started.expect("started").conversation.header.id;
    let row = |at| (table::note(rig.desk.organization, id, at), Number(at).encode());
    let put = (1_000..1_000 + notes).map(row).collect();
    rig.gate.commit(Batch { put, ..Batch::default() }).await.expect("written");
    rig.pass(24 * 60 * 60 * 1000);
    id
}

async fn notes_left(rig: &Rig, id: ConversationId) -> usize {
    let range = table::notes_from(rig.desk.organization, id, 0);
    rig.gate.scan(&range, Direction::Forward, u32::MAX).await.expect("read").len()
}

#[tokio::test]
async fn a_test_is_erased_in_bounded_batches() {
    const MANY: u64 = 5_000;
    let rig = Rig::new().await;
    let id = noted(&rig, MANY).await;
    let mut firings = 0;
    while rig.service.fire_timers().await.expect("fired").0 > 0 {
        assert_eq!(
            code(&rig.service.get_conversation(&rig.desk.a, &id.to_string()).await),
            "not_found"
        );
        firings += 1;
    }
    assert_eq!(notes_left(&rig, id).await, 0);
    assert_eq!(firings, 2, "one firing does not do all of it");
    // The rows that fit, and those that name the conversation.
    let most = rig.gate.deleted_at_once.load(Ordering::SeqCst);
    assert!(most <= ERASED_AT_ONCE as usize + 16, "{most} rows at once");
    let timers = table::timers_before(i64::MAX);
    let timers = rig.gate.scan(&timers, Direction::Forward, 10).await.expect("read");
    assert!(timers.is_empty(), "{timers:?}");
}

#[tokio::test]
async fn a_crash_between_the_batches_leaves_nothing_behind() {
    let rig = Rig::new().await;
    let id = noted(&rig, 600).await;
    let turn = rig.header(id).await.turn;
    let timer = Timer { kind: TimerKind::TestExpiry, subject: id.0, turn };
    let system = Actor::system(rig.desk.organization);
    let first = rig.service.execute(&system, None, [0; 32], Command::Timer(timer)).await;
    first.expect("the header goes");
    assert!(notes_left(&rig, id).await > 0, "and not everything with it");
    let rig = rig.restarted().await;
    while rig.service.fire_timers().await.expect("fired").0 > 0 {}
    assert_eq!(notes_left(&rig, id).await, 0);
}

#[tokio::test]
async fn a_check_between_the_batches_finds_a_sound_store() {
    let rig = Rig::new().await;
    let id = noted(&rig, 0).await;
    let message = rig.rows().message(id, 1).await.expect("read").expect("the first");
    let row = |seq| {
        let message = Message { seq, ..message.clone() };
        (table::message(rig.desk.organization, id, seq), message.encode())
    };
    rig.gate.commit(Batch { put: (2..=600).map(row).collect(), ..Batch::default() }).await.unwrap();
    let turn = rig.header(id).await.turn;
    let timer = Timer { kind: TimerKind::TestExpiry, subject: id.0, turn };
    let system = Actor::system(rig.desk.organization);
    let first = rig.service.execute(&system, None, [0; 32], Command::Timer(timer)).await;
    first.expect("the header goes");
    assert!(rig.rows().message(id, 600).await.expect("read").is_some(), "not everything with it");
    let found = async || check(rig.gate.as_ref(), |_| ()).await.expect("checked");
    assert_eq!(found().await.told, Vec::<String>::new(), "a backup of this moment is a good one");
    while rig.service.fire_timers().await.expect("fired").0 > 0 {}
    assert_eq!(found().await.told, Vec::<String>::new());
    // What comes back after the last of it has gone is damage.
    rig.gate.commit(Batch { put: vec![row(1)], ..Batch::default() }).await.unwrap();
    let told = found().await.told;
    assert!(told.iter().any(|it| it.contains("messages, but no journal")), "{told:?}");
}
