//! The write path under faults, repeats and crowds.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::domain::command::Command;
use crate::domain::conversation::FIRST_NUMBER;
use crate::domain::entry::EntryKind;
use crate::domain::id::ConversationId;
use crate::domain::user::Availability;
use crate::store::memory::{Fault, FaultHook};
use crate::store::table::{self, Table};
use crate::store::{Batch, Engine, StoreError};

use super::{GROUP_ATTEMPTS_MAX, WAITING_MAX};
use crate::service::digest::Digest;
use crate::service::error::Kind;
use crate::service::rig::{Rig, code, found, fresh, serve};
use crate::service::subscribe::{Subscribed, Watcher};
use crate::service::visitor::Welcome;

pub(super) const SOON: Duration = Duration::from_secs(60);

/// Counts commits and lets `fault` decide over each by its number.
pub(super) fn hook(fault: impl Fn(usize) -> Fault + Send + Sync + 'static) -> (FaultHook, Batches) {
    let batches = Batches::default();
    let seen = Arc::clone(&batches);
    let hook: FaultHook = Arc::new(move |batch: &Batch| {
        let mut seen = seen.lock().expect("not poisoned");
        seen.push(batch.clone());
        let at = seen.len();
        drop(seen);
        fault(at)
    });
    (hook, batches)
}

pub(super) type Batches = Arc<Mutex<Vec<Batch>>>;

async fn live(rig: &Rig) -> Box<Watcher> {
    match rig.service.watch(&rig.desk.a, None, None).await.expect("watching") {
        Subscribed::Live(watcher) => watcher,
        Subscribed::Reset(_) => panic!("a new watcher is not reset"),
    }
}

async fn is_silent(watcher: &mut Watcher) -> bool {
    // A reader whose store has failed is told so, and nothing else.
    !matches!(timeout(SOON, watcher.next()).await, Ok(Ok(_)))
}

#[tokio::test(start_paused = true)]
async fn a_group_is_answered_and_published_only_after_its_commit() {
    let rig = Rig::new().await;
    let (guest, other) = (rig.guest().await, rig.guest().await);
    let id = rig.say(&other, "hello").await.0.to_string();
    let mut watcher = live(&rig).await;
    rig.gate.open(false);
    let accepted = rig.service.guest_message(&guest, fresh(), "hello".to_owned(), None);
    let refused = rig.service.release(&rig.desk.a, Some(fresh()), &id);
    let mut answers = std::pin::pin!(async { tokio::join!(accepted, refused) });
    assert!(timeout(SOON, answers.as_mut()).await.is_err(), "a rejection waits too");
    assert!(is_silent(&mut watcher).await);
    assert_eq!(rig.rows().conversation_count().await, 1);
    rig.gate.open(true);
    let (accepted, refused) = answers.await;
    assert_eq!((code(&accepted), code(&refused)), ("ok", "not_assigned"));
    assert!(!is_silent(&mut watcher).await);
}

#[tokio::test]
async fn a_conflict_is_decided_again_with_the_same_ids() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let fail = GROUP_ATTEMPTS_MAX - 1;
    let (faults, batches) =
        hook(move |at| if at <= fail { Fault::Before(StoreError::Conflict) } else { Fault::None });
    rig.gate.engine.set_faults(Some(faults));
    rig.pass(5);
    let posted = rig.service.guest_message(&guest, fresh(), "hello".to_owned(), None).await;
    assert_eq!(posted.expect("posted").message.message.seq, 1);
    let batches = batches.lock().expect("not poisoned");
    assert_eq!(batches.len(), GROUP_ATTEMPTS_MAX);
    assert!(batches.iter().all(|it| *it == batches[0]), "the same ids, numbers and time");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_cannot_be_committed_leaves_nothing() {
    let check = async |fault: fn() -> StoreError, commits: usize, expected: &str| {
        let rig = Rig::new().await;
        let guest = rig.guest().await;
        let mut watcher = live(&rig).await;
        let (before, client_id) = (rig.journal().await, fresh());
        let say = || rig.service.guest_message(&guest, client_id, "hello".to_owned(), None);
        let (faults, batches) = hook(move |_| Fault::Before(fault()));
        rig.gate.engine.set_faults(Some(faults));
        assert_eq!(code(&say().await), expected);
        assert_eq!(batches.lock().expect("not poisoned").len(), commits, "{expected}");
        assert!(is_silent(&mut watcher).await, "{expected}");
        let rig = rig.restarted().await;
        assert_eq!(rig.journal().await, before, "{expected}");
        let again = rig.service.guest_message(&guest, client_id, "hello".to_owned(), None).await;
        assert_eq!(again.expect("posted").conversation.header.number, FIRST_NUMBER);
    };
    check(|| StoreError::Conflict, GROUP_ATTEMPTS_MAX, "unavailable").await;
    check(|| StoreError::Failed { detail: "power".to_owned() }, 1, "unavailable").await;
    check(|| StoreError::DiskFull { free: 0, need: 1 }, 1, "disk_full").await;
    check(|| StoreError::Closed, 1, "draining").await;
}

#[tokio::test]
async fn writes_resume_by_themselves_when_the_disk_has_room_again() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let full = |at| match at {
        1 => Fault::Before(StoreError::DiskFull { free: 0, need: 1 }),
        _ => Fault::None,
    };
    rig.gate.engine.set_faults(Some(hook(full).0));
    let say = |text: &str| rig.service.guest_message(&guest, fresh(), text.to_owned(), None);
    assert_eq!(code(&say("one").await), "disk_full");
    assert_eq!(say("two").await.expect("posted").message.message.seq, 1);
}

/// Two visitors write while the first one's message is being committed; `fault` says what becomes of that commit.
async fn said_meanwhile(rig: &Rig, fault: fn(usize) -> Fault) -> ([&'static str; 3], Vec<Batch>) {
    let (one, two) = (rig.guest().await, rig.guest().await);
    let (faults, batches) = hook(fault);
    rig.gate.engine.set_faults(Some(faults));
    rig.gate.open(false);
    let say = |guest, text: &str| rig.service.guest_message(guest, fresh(), text.to_owned(), None);
    let mut first = std::pin::pin!(say(&one, "one"));
    assert!(timeout(SOON, first.as_mut()).await.is_err());
    let mut others = std::pin::pin!(async { tokio::join!(say(&one, "two"), say(&two, "hello")) });
    assert!(timeout(SOON, others.as_mut()).await.is_err());
    rig.gate.open(true);
    let (first, (second, third)) = tokio::join!(first, others);
    let batches = batches.lock().expect("not poisoned").clone();
    ([code(&first), code(&second), code(&third)], batches)
}

#[tokio::test(start_paused = true)]
async fn what_comes_during_a_commit_is_decided_over_it() {
    let rig = Rig::new().await;
    let (codes, batches) = said_meanwhile(&rig, |_| Fault::None).await;
    assert_eq!(codes, ["ok"; 3]);
    let [first, second] = batches.as_slice() else { panic!("{} commits", batches.len()) };
    let head = |it: &Batch| it.put.iter().find(|(key, _)| key[0] == Table::Head as u8).cloned();
    let expected = second.expect[0].clone();
    assert_eq!(head(first), expected.1.map(|value| (expected.0, value)));
    let seqs: Vec<_> = rig.journal().await.iter().filter_map(|it| it.seq).collect();
    assert_eq!(seqs.iter().filter(|seq| **seq == 2).count(), 1, "{seqs:?}");
}

#[tokio::test(start_paused = true)]
async fn an_engine_whose_readers_wait_for_its_commits_does_not_stop_a_lane() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    rig.say(&guest, "hello").await;
    rig.gate.make_exclusive();
    rig.gate.open(false);
    let say = |text: &str| rig.service.guest_message(&guest, fresh(), text.to_owned(), None);
    let mut said = std::pin::pin!(async { tokio::join!(say("one"), say("two")) });
    assert!(timeout(SOON, said.as_mut()).await.is_err());
    let mut more = std::pin::pin!(say("three"));
    assert!(timeout(SOON, more.as_mut()).await.is_err());
    rig.gate.open(true);
    let all = timeout(SOON, async { tokio::join!(said, more) }).await;
    let ((one, two), three) = all.expect("the lane goes on");
    assert_eq!((code(&one), code(&two), code(&three)), ("ok", "ok", "ok"));
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_over_a_commit_that_failed_is_decided_again() {
    let full = |at| match at {
        1 => Fault::Before(StoreError::DiskFull { free: 0, need: 1 }),
        _ => Fault::None,
    };
    let rig = Rig::new().await;
    let (codes, batches) = said_meanwhile(&rig, full).await;
    assert_eq!(codes, ["disk_full", "ok", "ok"]);
    assert_eq!(
        batches.len(),
        2,
        "nothing reached the store that was decided over what is not there"
    );
    let journal = rig.journal().await;
    assert!(journal.iter().map(|it| it.position).eq(1..=journal.len() as u64));
    assert!(journal.iter().filter_map(|it| it.seq).all(|seq| seq == 1));
    // After a conflict nothing is lost, and the order stays.
    let moved = |at| if at == 1 { Fault::Before(StoreError::Conflict) } else { Fault::None };
    let rig = Rig::new().await;
    let (codes, batches) = said_meanwhile(&rig, moved).await;
    assert_eq!((codes, batches.len()), (["ok"; 3], 2));
    let numbers: Vec<_> = rig.journal().await.iter().filter_map(|it| it.number).collect();
    assert_eq!(numbers, [FIRST_NUMBER, FIRST_NUMBER + 1]);
}

#[tokio::test]
async fn fault_39_a_crash_between_commit_and_answer_repeats_the_same_seq() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    rig.say(&guest, "first").await;
    let client_id = fresh();
    let power = || Fault::After(StoreError::Failed { detail: "power".to_owned() });
    rig.gate.engine.set_faults(Some(hook(move |_| power()).0));
    let lost = rig.service.guest_message(&guest, client_id, "second".to_owned(), None).await;
    assert_eq!(code(&lost), "unavailable", "nobody says it is on disk");
    let rig = rig.restarted().await;
    for _ in 0..5 {
        let again = rig.service.guest_message(&guest, client_id, "second".to_owned(), None).await;
        assert_eq!(again.expect("repeated").message.message.seq, 2);
    }
    let said = rig.journal().await.iter().filter(|it| it.seq == Some(2)).count();
    assert_eq!(said, 1, "it is there once");
    assert_eq!(rig.say(&guest, "third").await.1, 3);
}

#[tokio::test]
async fn the_same_client_id_does_the_same_thing_once() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let client_id = fresh();
    let say = |text: &str| rig.service.guest_message(&guest, client_id, text.to_owned(), None);
    // fault_32: two tabs at once, in one group.
    let (one, two) = tokio::join!(say("hello"), say("hello"));
    let (one, two) = (one.expect("posted").message.message, two.expect("repeated").message.message);
    assert_eq!(one, two);
    let id = one.conversation.to_string();
    // fault_33: the same id for something else names the original.
    let reused = say("something else").await.expect_err("a conflict");
    let original = reused.params.get("original").map(String::as_str);
    assert_eq!(
        (reused.code, original),
        ("client_id_reused", Some("message 1 of conversation 1001"))
    );
    // By another door, and after a restart.
    let rig = rig.restarted().await;
    let text = "hello".to_owned();
    let by_rest = rig.service.post_message(&guest.actor(), Some(client_id), &id, text, None).await;
    assert_eq!(by_rest.expect("repeated").message.message, one);
    let actor = guest.actor();
    let wish = || rig.service.wish_for_person(&actor, Some(client_id), None);
    assert_eq!(code(&wish().await), "client_id_reused");
    // Another sender's ids are their own.
    let note =
        |text: &str| rig.service.add_note(&rig.desk.a, Some(client_id), &id, text.to_owned());
    let first = note("psst").await.expect("noted").0.note;
    assert_eq!(note("psst").await.expect("repeated").0.note, first);
    assert_eq!(code(&note("other").await), "client_id_reused");
}

#[tokio::test]
async fn a_repeat_whose_entry_is_gone_is_told_so() {
    let rig = Rig::new().await;
    let (guest, client_id) = (rig.guest().await, fresh());
    let say = async |rig: &Rig, text: &str| {
        let said = rig.service.guest_message(&guest, client_id, text.to_owned(), None).await;
        said.map(|it| it.message.message.seq)
    };
    assert_eq!(say(&rig, "hello").await.expect("said"), 1);
    // As a damaged journal is that was restored despite its faults.
    let entry = rig.journal().await.into_iter().find(|it| it.kind == EntryKind::MessagePosted);
    let position = entry.expect("an entry").position;
    let delete = vec![table::entry(rig.desk.organization, position)];
    rig.gate.engine.commit(Batch { delete, ..Batch::default() }).await.expect("taken away");
    let rig = rig.restarted().await;
    let lost = say(&rig, "hello").await.expect_err("its answer is gone");
    assert_eq!((lost.kind, lost.code), (Kind::Conflict, "result_lost"));
    assert!(lost.hint.contains("new clientId"), "{lost:?}");
    let reused = say(&rig, "something else").await.expect_err("a conflict");
    let original = reused.params.get("original").map(String::as_str);
    assert_eq!((reused.code, original), ("client_id_reused", Some("an earlier command")));
    let conversation = rig.rows().entries(position + 1, 1).await.expect("read");
    assert!(conversation.is_empty(), "nothing was done: {conversation:?}");
}

#[tokio::test]
async fn a_rejected_command_may_be_tried_again_with_its_client_id() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let id = rig.say(&guest, "hello").await.0.to_string();
    rig.service.claim(&rig.desk.a, None, &id, None, false).await.expect("claimed");
    let client_id = fresh();
    let claim = || rig.service.claim(&rig.desk.b, Some(client_id), &id, None, false);
    let refused = claim().await.expect_err("claimed by A");
    assert_eq!((refused.code, refused.params["by"].as_str()), ("already_claimed", "A"));
    rig.service.release(&rig.desk.a, None, &id).await.expect("released");
    assert_eq!(claim().await.expect("claimed").assignee_name, "B");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_and_positions_have_no_gap_under_concurrent_writers() {
    let rig = Rig::new().await;
    let desks = [rig.desk.clone(), found(&rig.service, "other").await];
    let mut tasks = JoinSet::new();
    for visitor in 0..32 {
        let (service, inbox) = (Arc::clone(&rig.service), desks[visitor % 2].inbox.id);
        tasks.spawn(async move {
            let guest = service
                .welcome(inbox, crate::service::rig::SHOP, None)
                .await
                .expect("welcome")
                .guest;
            let mut last = 0;
            for n in 1..=5 {
                let text = format!("message {n}");
                let posted = service.guest_message(&guest, fresh(), text, None).await;
                let seq = posted.expect("posted").message.message.seq;
                assert!(seq > last, "in the order they were sent");
                last = seq;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no task fails");
    }
    for desk in desks {
        let rows = crate::service::rows::Rows::new(rig.gate.as_ref(), desk.organization);
        let journal = rows.entries(1, u32::MAX).await.expect("read");
        let positions = journal.iter().map(|it| it.position);
        assert!(positions.eq(1..=journal.len() as u64));
        let numbers: Vec<u64> = journal.iter().filter_map(|it| it.number).collect();
        assert!(numbers.iter().copied().eq(FIRST_NUMBER..FIRST_NUMBER + 16));
        for id in journal.iter().filter_map(|it| it.conversation).collect::<BTreeSet<_>>() {
            let messages = rows.messages(id, 0, 200).await.expect("read");
            assert!(messages.iter().map(|it| it.seq).eq(1..=5));
        }
    }
}

#[tokio::test]
async fn two_writers_of_one_store_decide_by_its_head() {
    let rig = Rig::new().await;
    let other = serve(&rig.gate, &rig.now, rig.service.settings().limits.clone()).await;
    let mut numbers = Vec::new();
    for at in 0..10 {
        let service = if at % 2 == 0 { &rig.service } else { &other };
        let guest = rig.guest().await;
        let posted = service.guest_message(&guest, fresh(), "hello".to_owned(), None).await;
        numbers.push(posted.expect("posted").conversation.header.number);
    }
    assert!(numbers.into_iter().eq(FIRST_NUMBER..FIRST_NUMBER + 10));
}

#[tokio::test(start_paused = true)]
async fn more_than_may_wait_is_refused_before_it_is_taken() {
    let rig = Rig::new().await;
    let user = rig.desk.a.staff().expect("staff");
    rig.gate.open(false);
    let command = |_| {
        let availability = Availability::Busy;
        let digest = Digest::of("test").finish();
        let command = Command::SetAvailability { user, availability };
        rig.service.execute(&rig.desk.a, None, digest, command)
    };
    let mut answers = std::pin::pin!(join_all((0..=WAITING_MAX).map(command)));
    assert!(timeout(SOON, answers.as_mut()).await.is_err());
    rig.gate.open(true);
    let answers = answers.await;
    let refused: Vec<_> = answers.iter().filter_map(|it| it.as_ref().err()).collect();
    let [refused] = refused.as_slice() else { panic!("{} refused", refused.len()) };
    assert_eq!((refused.code, refused.retry_after_ms), ("overloaded", Some(1_000)));
    assert_eq!(code(&command(0).await), "ok", "and there is room again");
}

#[tokio::test]
async fn the_first_message_is_one_commit_and_a_hello_none() {
    let rig = Rig::new().await;
    let (faults, batches) = hook(|_| Fault::None);
    rig.gate.engine.set_faults(Some(faults));
    let Welcome { guest, token, .. } = rig.welcome().await;
    assert_eq!(batches.lock().expect("not poisoned").len(), 0, "a hello stores nothing");
    rig.say(&guest, "hello").await;
    let batches = batches.lock().expect("not poisoned");
    let [batch] = batches.as_slice() else { panic!("{} commits", batches.len()) };
    assert_eq!(batch.expect[0].0, table::head(rig.desk.organization), "the lock is the head");
    let tables: BTreeSet<u8> = batch.put.iter().map(|(key, _)| key[0]).collect();
    let expected = [
        Table::Head,
        Table::Entry,
        Table::User,
        Table::Session,
        Table::SessionToken,
        Table::Conversation,
        Table::ConversationNumber,
        Table::Message,
        Table::ConversationStatus,
        Table::VisitorConversation,
        Table::Done,
        Table::Timer,
    ];
    assert_eq!(tables, expected.map(|it| it as u8).into());
    let token_only_by_hash = batch.put.iter().all(|(key, value)| {
        let holds = |bytes: &[u8]| bytes.windows(token.len()).any(|it| it == token.as_bytes());
        !holds(key) && !holds(value)
    });
    assert!(token_only_by_hash);
}

#[tokio::test]
async fn a_damaged_row_is_the_trouble_of_its_own_command() {
    let rig = Rig::new().await;
    let (guest, other) = (rig.guest().await, rig.guest().await);
    let (damaged, _) = rig.say(&guest, "hello").await;
    let (fine, _) = rig.say(&other, "hello").await;
    let key = table::conversation(rig.desk.organization, damaged);
    let put = vec![(key, vec![32, 1, 0xff].into())];
    rig.gate.commit(Batch { put, ..Batch::default() }).await.expect("damaged");
    let (one, two, three) = tokio::join!(
        rig.service.guest_message(&other, fresh(), "before".to_owned(), None),
        rig.service.guest_message(&guest, fresh(), "lost".to_owned(), None),
        rig.service.guest_message(&other, fresh(), "after".to_owned(), None),
    );
    assert_eq!((code(&one), code(&two), code(&three)), ("ok", "internal", "ok"));
    assert_eq!(rig.header(fine).await.last_seq, 3);
    let journal = rig.journal().await;
    assert!(journal.iter().map(|it| it.position).eq(1..=journal.len() as u64));
}

#[tokio::test]
async fn half_a_command_is_taken_back() {
    let rig = Rig::new().await;
    let (guest, other) = (rig.guest().await, rig.guest().await);
    let (id, _) = rig.say(&guest, "hello").await;
    // The visitor's own row is read for the names of the change, after the message has been written.
    let key = table::user(rig.desk.organization, guest.claims.user);
    rig.gate
        .commit(Batch { put: vec![(key, vec![9].into())], ..Batch::default() })
        .await
        .expect("ok");
    let before = rig.header(id).await;
    let actor = guest.actor();
    let (one, two) = tokio::join!(
        rig.service.end_by_visitor(&actor, None, None, false),
        rig.service.guest_message(&other, fresh(), "hello".to_owned(), None),
    );
    assert_eq!((code(&one), code(&two)), ("internal", "ok"));
    assert_eq!(rig.header(id).await, before);
    let journal = rig.journal().await;
    assert!(journal.iter().map(|it| it.position).eq(1..=journal.len() as u64));
    assert!(journal.iter().all(|it| it.kind.name() != "Resolved"));
}

#[tokio::test]
async fn a_lane_goes_on_after_a_panic() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let commits = AtomicUsize::new(0);
    let faults: FaultHook = Arc::new(move |_| {
        assert!(commits.fetch_add(1, Ordering::SeqCst) > 0, "the engine panics once");
        Fault::None
    });
    rig.gate.engine.set_faults(Some(faults));
    let say = |text: &str| rig.service.guest_message(&guest, fresh(), text.to_owned(), None);
    assert_eq!(code(&say("lost").await), "unavailable");
    assert_eq!(say("heard").await.expect("posted").message.message.seq, 1);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_take_the_command_along() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    rig.gate.open(false);
    let mut said = Box::pin(rig.service.guest_message(&guest, fresh(), "hello".to_owned(), None));
    assert!(futures::poll!(said.as_mut()).is_pending());
    tokio::task::yield_now().await;
    drop(said);
    rig.gate.open(true);
    assert_eq!(rig.say(&guest, "again").await.1, 2);
}

#[tokio::test]
async fn the_clock_of_a_journal_never_goes_back() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    rig.say(&guest, "one").await;
    rig.pass(-3_600_000);
    let (id, seq) = rig.say(&guest, "two").await;
    assert_eq!(seq, 2);
    let times: Vec<i64> = rig.journal().await.iter().map(|it| it.time).collect();
    assert!(times.is_sorted());
    assert_eq!(rig.header(id).await.updated_at, crate::service::rig::START);
}

impl crate::service::rows::Rows<'_> {
    /// How many conversations have been committed.
    async fn conversation_count(&self) -> usize {
        let journal = self.entries(1, u32::MAX).await.expect("read");
        let all: BTreeSet<ConversationId> =
            journal.iter().filter_map(|it| it.conversation).collect();
        all.len()
    }
}
