//! What waits: marks for a further one, conversations for the assistant's answer.

use std::time::Duration;

use crate::domain::command::AssistantAct;
use crate::domain::conversation::{Resolution, Status};
use crate::domain::entry::EntryKind;
use crate::domain::id::OrganizationId;
use crate::domain::timer::TimerKind;
use crate::store::record::{Number, Record};
use crate::store::{Batch, Direction, Engine as _, Reads as _, table};
use uuid::Uuid;

use super::rig::{Rig, START, code, found, fresh};

async fn timers(rig: &Rig) -> usize {
    let range = table::timers_before(i64::MAX);
    rig.gate.scan(&range, Direction::Forward, 100).await.expect("read").len()
}

async fn fire(rig: &Rig) -> (usize, Option<i64>) {
    rig.service.fire_timers().await.expect("fired")
}

#[tokio::test]
async fn a_timer_fires_once_and_not_early() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    assert_eq!(fire(&rig).await, (0, Some(START + 75_000)));
    rig.pass(74_999);
    assert_eq!(fire(&rig).await, (0, Some(START + 75_000)));
    rig.pass(1);
    // A restart forgets nothing.
    let rig = rig.restarted().await;
    assert_eq!(fire(&rig).await, (1, None));
    assert_eq!(rig.header(id).await.status, Status::Escalated);
    assert_eq!(fire(&rig).await, (0, None));
    let escalated = rig.journal().await.iter().filter(|it| it.kind == EntryKind::Escalated).count();
    assert_eq!(escalated, 1);
}

#[tokio::test]
async fn an_answer_takes_the_timer_away() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    rig.pass(10);
    rig.say(&guest, "are you there?").await;
    assert_eq!(timers(&rig).await, 1, "the later message's alone");
    let answer = async |position, turn| {
        let act = AssistantAct::Say {
            content: "yes".to_owned(),
            sources: Vec::new(),
            clarification: false,
        };
        rig.service.assistant_act(rig.desk.organization, id, position, turn, act).await
    };
    assert_eq!(code(&answer(1, 1).await), "stale_turn");
    assert_eq!(timers(&rig).await, 1);
    assert_eq!(code(&answer(1, 2).await), "ok");
    assert_eq!(code(&answer(1, 2).await), "ok", "the same step again does nothing");
    assert_eq!(rig.header(id).await.last_seq, 3);
    assert_eq!(timers(&rig).await, 1, "it is the visitor's turn");
    rig.pass(100_000);
    assert_eq!(fire(&rig).await.0, 0);
    rig.pass(30 * 60_000);
    assert_eq!(fire(&rig).await, (1, None));
    assert_eq!(rig.header(id).await.resolution, Some(Resolution::Abandoned));
}

#[tokio::test]
async fn a_timer_that_fails_keeps_no_other_waiting() {
    let rig = Rig::new().await;
    let (guest, second) = (rig.guest().await, found(&rig.service, "other").await);
    let (damaged, _) = rig.say(&guest, "hello").await;
    rig.pass(1);
    let other =
        rig.service.welcome(second.inbox.id, super::rig::SHOP, None).await.expect("hello").guest;
    rig.say(&other, "hello").await;
    let key = table::conversation(rig.desk.organization, damaged);
    let put = vec![(key, vec![32, 1, 0xff].into())];
    rig.gate.commit(Batch { put, ..Batch::default() }).await.expect("damaged");
    rig.pass(75_000);
    assert_eq!(code(&rig.service.fire_timers().await), "internal");
    let waiting = rig.service.list_escalations(&second.a, 10).await.expect("listed").0;
    assert_eq!(waiting.len(), 1);
}

#[tokio::test]
async fn a_timer_of_nothing_is_forgotten() {
    let rig = Rig::new().await;
    let nobody = OrganizationId(Uuid::from_u128(9));
    let nothing = Uuid::from_u128(9);
    let put = [(nobody, 1), (rig.desk.organization, 2)].map(|(organization, due)| {
        let key = table::timer(due, organization, TimerKind::Assistant, nothing);
        (key, Number(1).encode())
    });
    rig.gate.commit(Batch { put: put.into(), ..Batch::default() }).await.expect("put");
    assert_eq!(fire(&rig).await, (2, None));
    assert_eq!(timers(&rig).await, 0);
}

async fn marks(rig: &Rig) -> usize {
    rig.journal().await.iter().filter(|it| it.kind == EntryKind::MarkMoved).count()
}

#[tokio::test(start_paused = true)]
async fn marks_are_written_once_in_a_while() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    for n in 1..=9 {
        rig.say(&guest, &format!("message {n}")).await;
    }
    let id = rig.service.current_conversation(&guest.actor()).await.expect("read");
    let id = id.expect("a conversation").header.id;
    let text = id.to_string();
    let mark = async |seq| rig.service.mark_read(&rig.desk.a, &text, seq).await.expect("marked");
    for seq in [1, 2, 5, 3] {
        mark(seq).await;
    }
    assert_eq!((marks(&rig).await, rig.header(id).await.staff_mark), (1, 1));
    tokio::time::sleep(Duration::from_millis(1_001)).await;
    assert_eq!((marks(&rig).await, rig.header(id).await.staff_mark), (2, 5));
    assert_eq!(rig.header(id).await.unread, 4);
    mark(6).await;
    tokio::time::sleep(Duration::from_millis(1_001)).await;
    mark(4).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((marks(&rig).await, rig.header(id).await.staff_mark), (3, 6), "it only grows");
    // The other side's marks are its own.
    rig.service.mark_read(&guest.actor(), &text, 9).await.expect("marked");
    assert_eq!((marks(&rig).await, rig.header(id).await.visitor_mark), (4, 9));
}

#[tokio::test(start_paused = true)]
async fn a_mark_whose_sender_goes_away_holds_up_no_later_one() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "one").await;
    rig.say(&guest, "two").await;
    let text = id.to_string();
    rig.gate.open(false);
    let mut first = Box::pin(rig.service.mark_read(&rig.desk.a, &text, 1));
    assert!(futures::poll!(first.as_mut()).is_pending());
    drop(first);
    rig.gate.open(true);
    rig.service.mark_read(&rig.desk.a, &text, 2).await.expect("noted");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.header(id).await.staff_mark, 2);
}

#[tokio::test]
async fn the_queue_is_ordered_by_who_waits_longest() {
    let rig = Rig::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let guest = rig.guest().await;
        ids.push(rig.say(&guest, "hello").await.0);
        rig.service.wish_for_person(&guest.actor(), Some(fresh()), None).await.expect("wished");
        // The clock orders nothing.
        rig.pass(-1_000);
    }
    let queue = async |limit| {
        let (waiting, more, _) =
            rig.service.list_escalations(&rig.desk.a, limit).await.expect("listed");
        (waiting.iter().map(|it| it.header.id).collect::<Vec<_>>(), more)
    };
    assert_eq!(queue(0).await, (ids.clone(), false));
    assert_eq!(queue(2).await, (ids[..2].to_vec(), true));
    let first = ids[0].to_string();
    rig.service.claim(&rig.desk.a, None, &first, None, false).await.expect("claimed");
    assert_eq!(queue(0).await.0, ids[1..]);
    rig.service.release(&rig.desk.a, None, &first).await.expect("released");
    assert_eq!(queue(0).await.0, ids, "it waits since the beginning");
}
