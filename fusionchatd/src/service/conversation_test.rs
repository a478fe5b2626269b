//! Lists and transcripts: bounded pages that together hold everything once.

use crate::domain::conversation::Status;
use crate::domain::id::UserId;
use crate::store::{Batch, Engine, table};

use super::conversation::ListConversations;
use super::limit::Limits;
use super::rig::{Rig, code, fresh};
use super::rows::PAGE_MAX;

#[tokio::test]
async fn pages_of_conversations_hold_each_once() {
    let rig = Rig::new().await;
    let mut numbers = Vec::new();
    for n in 0..7 {
        let guest = rig.guest().await;
        let (id, _) = rig.say(&guest, "hello").await;
        numbers.push(rig.header(id).await.number);
        if n % 2 == 0 {
            rig.service.wish_for_person(&guest.actor(), None, None).await.expect("wished");
        }
    }
    let pages = async |statuses: Vec<Status>, limit| {
        let mut query = ListConversations { statuses, limit, ..ListConversations::default() };
        let (mut found, mut sizes) = (Vec::new(), Vec::new());
        loop {
            let page = rig.service.list_conversations(&rig.desk.a, &query).await.expect("a page");
            sizes.push(page.conversations.len());
            found.extend(page.conversations.iter().map(|it| it.header.number));
            query.page_token = page.next_page_token;
            if query.page_token.is_empty() {
                return (found, sizes);
            }
        }
    };
    let (mut all, sizes) = pages(Vec::new(), 3).await;
    assert_eq!(sizes, [3, 3, 1]);
    all.sort_unstable();
    assert_eq!(all, numbers);
    assert_eq!(pages(vec![Status::Escalated], 10).await.0.len(), 4);
    assert_eq!(pages(vec![Status::Resolved], 10).await, (Vec::new(), vec![0]));
    let bad = ListConversations { page_token: "x".to_owned(), ..ListConversations::default() };
    let refused = rig.service.list_conversations(&rig.desk.a, &bad).await;
    assert_eq!(code(&refused), "bad_page_token");
}

#[tokio::test]
async fn a_page_is_never_longer_than_the_bound() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    for _ in 0..PAGE_MAX {
        rig.say(&guest, "more").await;
    }
    let text = id.to_string();
    let page = async |after, limit, last| {
        let page = rig.service.list_messages(&rig.desk.a, &text, after, limit, last).await;
        let page = page.expect("a page");
        let seqs = page.messages.iter().map(|it| it.message.seq);
        (page.messages.len(), seqs.min(), page.more)
    };
    assert_eq!(page(0, u32::MAX, false).await, (200, Some(1), true));
    assert_eq!(page(200, u32::MAX, false).await, (1, Some(201), false));
    assert_eq!(page(0, u32::MAX, true).await, (200, Some(2), true));
    assert_eq!(page(u64::MAX, 0, false).await, (0, None, false));
}

#[tokio::test]
async fn every_note_stands_on_one_page() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "one").await;
    let text = id.to_string();
    for n in 0..6 {
        let note = format!("note {n}");
        rig.service.add_note(&rig.desk.a, None, &text, note).await.expect("noted");
        rig.say(&guest, "more").await;
    }
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = rig.service.list_messages(&rig.desk.a, &text, after, 2, false).await;
        let page = page.expect("a page");
        found.extend(page.notes.into_iter().map(|it| it.note.content));
        after = page.messages.last().map_or(after, |it| it.message.seq);
        if !page.more {
            break;
        }
    }
    assert_eq!(found, ["note 0", "note 1", "note 2", "note 3", "note 4", "note 5"]);
    let last = rig.service.list_messages(&rig.desk.a, &text, 0, 2, true).await.expect("a page");
    let notes: Vec<_> = last.notes.iter().map(|it| it.note.content.as_str()).collect();
    assert_eq!(notes, ["note 5"], "those among the messages shown");
    let theirs = rig.service.list_messages(&guest.actor(), &text, 0, 0, false).await;
    assert!(theirs.expect("a page").notes.is_empty(), "no visitor ever gets a note");
}

#[tokio::test]
async fn the_staff_of_a_large_desk_are_all_seen() {
    let rig = Rig::new().await;
    let rows = rig.rows();
    let admin = rig.desk.admin.staff().expect("staff");
    let mut user = rows.user(admin).await.expect("read").expect("the admin");
    let mut batch = Batch::default();
    for n in 0..=u128::from(PAGE_MAX) {
        use crate::store::record::{Pointer, Record};
        let id = uuid::Uuid::from_u128(n);
        (user.id, user.name) = (UserId(id), Some(format!("agent {n:03}")));
        let organization = rig.desk.organization;
        let pointer = Pointer { organization, subject: id, secret: None };
        batch
            .put
            .push((table::user_name(organization, &format!("agent {n:03}")), pointer.encode()));
        batch.put.push((table::user(organization, user.id), user.encode()));
    }
    rig.gate.commit(batch).await.expect("put");
    let staff = rig.service.list_users(&rig.desk.admin).await.expect("listed");
    assert_eq!(staff.len(), PAGE_MAX as usize + 4);
}

#[tokio::test]
async fn a_key_speaks_for_the_visitor_it_names() {
    let rig = Rig::new().await;
    let guests = [rig.guest().await, rig.guest().await];
    let (one, _) = rig.say(&guests[0], "hello").await;
    let (two, _) = rig.say(&guests[1], "hello").await;
    let owner = rig.desk.admin.staff().expect("staff");
    let mut key = rig.desk.admin.clone();
    key.who = crate::domain::actor::Who::Key {
        key: crate::domain::id::KeyId(uuid::Uuid::from_u128(3)),
        owner,
    };
    key.grants = crate::domain::actor::Grants::Scopes {
        role: crate::domain::user::Role::Admin,
        scopes: vec!["*".to_owned()],
    };
    let client_id = fresh();
    let say = async |id: crate::domain::id::ConversationId| {
        let sender = Some(crate::domain::message::SenderType::User);
        let text = "by the key".to_owned();
        rig.service.post_message(&key, Some(client_id), &id.to_string(), text, sender).await
    };
    let posted = say(one).await.expect("posted").message.message;
    assert_eq!((posted.sender, posted.seq), (Some(guests[0].claims.user), 2));
    assert_eq!(code(&say(one).await), "ok", "a repeat");
    assert_eq!(code(&say(two).await), "client_id_reused", "another conversation is another body");
    assert_eq!(rig.header(two).await.last_seq, 1);
    let entry = rig.journal().await.into_iter().find(|it| it.position == posted.position);
    let actor = entry.expect("its entry").actor;
    assert!(actor.key.is_some() && actor.user == Some(owner), "the entry records both");
}

#[tokio::test]
async fn a_visitors_words_take_a_key_and_whoever_has_none_is_told() {
    let rig = Rig::new().await;
    for actor in [&rig.desk.admin, &rig.desk.a] {
        let hello = "hello".to_owned();
        let started = rig.service.start_conversation(actor, "", None, "web", hello, false).await;
        let refused = started.expect_err("no key");
        assert_eq!(refused.code, "forbidden");
        assert!(refused.message.contains("key with the scope conversation:post_as_visitor"));
        assert!(refused.hint.contains("fusionctl key create --name ci --scope conversation:post"));
    }
}

#[tokio::test]
async fn fault_82_wishing_without_end_counts_like_messages() {
    let rig = Rig::with(Limits { message_burst: 3, ..Limits::default() }).await;
    let (guest, other) = (rig.guest().await, rig.guest().await);
    rig.say(&guest, "hello").await;
    let actor = guest.actor();
    let wish = || rig.service.wish_for_person(&actor, None, None);
    wish().await.expect("wished");
    wish().await.expect("asking again changes nothing");
    assert_eq!(code(&wish().await), "rate_limited");
    let end = rig.service.end_by_visitor(&guest.actor(), None, None, false).await;
    assert_eq!(code(&end), "rate_limited");
    rig.say(&other, "another visitor is none the worse").await;
}
