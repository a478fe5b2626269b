//! What is put on conversations and messages, what is taken back, what is deleted, and what the log says of it.

use crate::domain::entry::EntryKind;
use crate::domain::id::ConversationId;
use crate::domain::priority::Priority;
use crate::store::{Direction, Reads as _, table};

use super::audit::ListEntries;
use super::conversation::ListConversations;
use super::rig::{Rig, code, fresh};

async fn listed(rig: &Rig, tests: bool) -> Vec<ConversationId> {
    let query = ListConversations { tests, ..ListConversations::default() };
    let page = rig.service.list_conversations(&rig.desk.a, &query).await.expect("listed");
    page.conversations.iter().map(|it| it.header.id).collect()
}

async fn queue(rig: &Rig) -> Vec<ConversationId> {
    let (waiting, ..) = rig.service.list_escalations(&rig.desk.a, 10).await.expect("listed");
    waiting.iter().map(|it| it.header.id).collect()
}

#[tokio::test]
async fn the_queue_is_ordered_by_priority_first() {
    let rig = Rig::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let guest = rig.guest().await;
        ids.push(rig.say(&guest, "hello").await.0);
        rig.service.wish_for_person(&guest.actor(), Some(fresh()), None).await.expect("wished");
    }
    let set = async |id: ConversationId, priority| {
        let text = id.to_string();
        rig.service.prioritize(&rig.desk.a, None, &text, priority).await.expect("set");
    };
    set(ids[2], Priority::Urgent).await;
    set(ids[0], Priority::Low).await;
    assert_eq!(queue(&rig).await, [ids[2], ids[1], ids[0]]);
    set(ids[0], Priority::Normal).await;
    assert_eq!(queue(&rig).await, [ids[2], ids[0], ids[1]], "it has waited longest of its kind");
}

#[tokio::test]
async fn a_message_taken_back_is_gone_from_its_row() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    let text = id.to_string();
    let a = &rig.desk.a;
    let said = rig.service.post_message(a, None, &text, "my secret".to_owned(), None).await;
    let seq = said.expect("posted").message.message.seq;
    let other = rig.service.retract_message(&rig.desk.b, None, &text, seq).await;
    assert_eq!(code(&other), "not_yours");
    rig.service.retract_message(a, None, &text, seq).await.expect("taken back");
    let range = table::messages_from(rig.desk.organization, id, 0);
    let rows = rig.gate.scan(&range, Direction::Forward, 50);
    for (_, bytes) in rows.await.expect("read") {
        assert!(!bytes.windows(9).any(|it| it == b"my secret"));
    }
    let page = rig.service.list_messages(&guest.actor(), &text, 0, 50, false).await.expect("read");
    let seqs: Vec<_> = page.messages.iter().map(|it| it.message.seq).collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
    let last = &page.messages.last().expect("a line").message;
    assert_eq!(last.system.as_ref().map(|it| it.code.as_str()), Some("retracted"));
}

#[tokio::test]
async fn a_test_is_in_no_list_and_leaves_nothing_but_entries() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (kept, _) = rig.say(&guest, "hello").await;
    let scopes = vec!["*".to_owned()];
    let mut key = rig.desk.admin.clone();
    let role = crate::domain::user::Role::Admin;
    key.grants = crate::domain::actor::Grants::Scopes { role, scopes };
    let text = "a test".to_owned();
    let started = rig.service.start_conversation(&key, "", Some(fresh()), "web", text, true).await;
    let id = started.expect("started").conversation.header.id;
    let text = id.to_string();
    let reason = "broken".to_owned();
    rig.service.escalate(&rig.desk.a, None, &text, reason).await.expect("escalated");
    rig.service.add_note(&rig.desk.a, None, &text, "noted".to_owned()).await.expect("noted");
    assert_eq!((listed(&rig, false).await, listed(&rig, true).await), (vec![kept], vec![id]));
    assert_eq!(queue(&rig).await, []);
    rig.service.claim(&rig.desk.a, None, &text, None, false).await.expect("by its number");
    let visitors = rig.service.list_visitors(&rig.desk.a, 0, "").await.expect("listed");
    assert_eq!(visitors.visitors.len(), 1, "whom a test made up is no visitor");
    rig.pass(24 * 60 * 60 * 1000);
    while rig.service.fire_timers().await.expect("fired").0 > 0 {}
    assert_eq!(code(&rig.service.get_conversation(&rig.desk.a, &text).await), "not_found");
    assert_eq!(listed(&rig, true).await, []);
    for range in [
        table::messages_from(rig.desk.organization, id, 0),
        table::notes_from(rig.desk.organization, id, 0),
        table::escalations_of(rig.desk.organization, id),
    ] {
        let left = rig.gate.scan(&range, Direction::Forward, 10).await.expect("read");
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn the_log_is_filtered_paged_and_for_admins() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    let text = id.to_string();
    rig.pass(1_000);
    rig.service.claim(&rig.desk.a, None, &text, None, false).await.expect("claimed");
    let (service, admin) = (&rig.service, &rig.desk.admin);
    let log = async |query: ListEntries| {
        let page = service.list_entries(admin, &query).await.expect("listed");
        page.entries.iter().map(|it| it.entry.kind.name()).collect::<Vec<_>>()
    };
    let all = ListEntries::default;
    let actor = Some("A".to_owned());
    assert_eq!(log(ListEntries { actor, ..all() }).await, ["Claimed"]);
    let conversation = Some("1001".to_owned());
    let of_it = log(ListEntries { conversation, ..all() }).await;
    assert_eq!(of_it, ["Claimed", "MessagePosted", "ConversationStarted"]);
    let until = Some(super::rig::START);
    let kinds = vec![EntryKind::Claimed, EntryKind::MessagePosted];
    assert_eq!(log(ListEntries { until, kinds, ..all() }).await, ["MessagePosted"]);
    let since = Some(super::rig::START + 1);
    assert_eq!(log(ListEntries { since, ..all() }).await, ["Claimed"]);
    let mut paged = Vec::new();
    let mut page_token = String::new();
    loop {
        let query = ListEntries { limit: 2, page_token, ..all() };
        let page = service.list_entries(admin, &query).await.expect("listed");
        paged.extend(page.entries.iter().map(|it| it.entry.position));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let whole = rig.journal().await.len() as u64;
    assert!(paged.iter().copied().eq((1..=whole).rev()), "{paged:?}");
    assert_eq!(code(&service.list_entries(&rig.desk.a, &all()).await), "forbidden");
}
