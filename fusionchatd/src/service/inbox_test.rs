//! Inboxes and their members: what an agent who is none of them finds, and what a change does at once.

use crate::domain::actor::{Actor, Grants, Who};
use crate::domain::conversation::{Handler, Resolution, Status};
use crate::domain::entry::EntryKind;
use crate::domain::id::{ConversationId, KeyId};
use crate::domain::inbox::{AssistantMode, ListEdit, Silences};
use crate::domain::user::{Availability, Role};
use uuid::Uuid;

use super::conversation::ListConversations;
use super::error::Error;
use super::inbox::{CreateInbox, EditInbox};
use super::rig::{Rig, SHOP, code, fresh};
use super::subscribe::{Signal, Subscribed};
use super::visitor::{Guest, Welcome};

fn members(names: &[&str]) -> EditInbox {
    let names = names.iter().map(|it| (*it).to_owned()).collect();
    let members = ListEdit { replace: Some(names), ..ListEdit::default() };
    EditInbox { members, ..EditInbox::default() }
}

async fn edit(rig: &Rig, edit: EditInbox) {
    let edited = rig.service.edit_inbox(&rig.desk.admin, Some(fresh()), "web", edit).await;
    edited.expect("edited");
}

/// A key of an agent, with every scope.
fn key_of(actor: &Actor) -> Actor {
    let owner = actor.staff().expect("staff");
    let grants = Grants::Scopes { role: Role::Agent, scopes: vec!["*".to_owned()] };
    let who = Who::Key { key: KeyId(Uuid::from_u128(7)), owner };
    Actor { organization: actor.organization, who, grants }
}

/// A conversation that waits for a person.
async fn waiting(rig: &Rig) -> (Guest, ConversationId) {
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    rig.service.wish_for_person(&guest.actor(), None, None).await.expect("wished");
    (guest, id)
}

/// Everything an agent may ask of a conversation: the errors, in order.
async fn asked(rig: &Rig, actor: &Actor, text: &str) -> Vec<String> {
    let service = &rig.service;
    let hello = || "hello".to_owned();
    let shown = |error: Option<Error>| error.map_or_else(String::new, |it| format!("{it:?}"));
    let client_id = || Some(fresh());
    vec![
        shown(service.get_conversation(actor, text).await.err()),
        shown(service.list_messages(actor, text, 0, 0, false).await.err()),
        shown(service.post_message(actor, client_id(), text, hello(), None).await.err()),
        shown(service.add_note(actor, client_id(), text, hello()).await.err()),
        shown(service.claim(actor, client_id(), text, None, true).await.err()),
        shown(service.assign_escalation(actor, client_id(), text, "A", true).await.err()),
        shown(service.release(actor, client_id(), text).await.err()),
        shown(service.hand_back(actor, client_id(), text).await.err()),
        shown(service.escalate(actor, client_id(), text, hello()).await.err()),
        shown(service.resolve(actor, client_id(), text, Resolution::Agent).await.err()),
        shown(service.reopen(actor, client_id(), text).await.err()),
        shown(service.mark_read(actor, text, 1).await.err()),
        shown(service.set_typing(actor, text, false).await.err()),
        shown(service.watch(actor, Some(text), None).await.err()),
    ]
}

#[tokio::test]
async fn an_agent_who_is_no_member_finds_what_is_not_there() {
    let rig = Rig::new().await;
    let (_, id) = waiting(&rig).await;
    let (number, absent) = (rig.header(id).await.number.to_string(), "99999".to_owned());
    edit(&rig, members(&["A"])).await;
    let b = rig.desk.b.clone();
    for actor in [b.clone(), key_of(&b)] {
        let nobody = asked(&rig, &actor, &absent).await;
        assert!(nobody.iter().all(|it| it.contains("not_found")), "{nobody:?}");
        assert_eq!(asked(&rig, &actor, &number).await, nobody);
        assert_eq!(asked(&rig, &actor, &id.to_string()).await, nobody);
        let inbox = rig.service.get_inbox(&actor, "web").await;
        assert_eq!(code(&inbox), "not_found");
        let found = rig.service.search_articles(&actor, "rope", Some("web"), None, 0).await;
        assert_eq!(code(&found), "not_found");
        let list = ListConversations::default();
        let page = rig.service.list_conversations(&actor, &list).await.expect("a page");
        assert!(page.conversations.is_empty() && page.next_page_token.is_empty());
        assert!(rig.service.list_escalations(&actor, 0).await.expect("a queue").0.is_empty());
        assert!(rig.service.list_inboxes(&actor).await.expect("inboxes").is_empty());
        assert_eq!(rig.service.server_status(&actor).await.map(|it| it.waiting).ok(), Some(0));
    }
    for actor in [&rig.desk.a, &rig.desk.admin, &key_of(&rig.desk.a)] {
        let queue = rig.service.list_escalations(actor, 0).await.expect("a queue").0;
        assert_eq!(queue.len(), 1);
        assert!(rig.service.get_conversation(actor, &number).await.is_ok());
        assert_eq!(rig.service.list_inboxes(actor).await.expect("inboxes").len(), 1);
        assert_eq!(rig.service.server_status(actor).await.map(|it| it.waiting).ok(), Some(1));
    }
    let given = rig.service.claim(&rig.desk.admin, None, &number, Some("B"), false).await;
    assert_eq!(code(&given), "not_a_member");
    assert!(rig.service.claim(&rig.desk.a, None, &number, None, false).await.is_ok());
}

#[tokio::test]
async fn pages_hold_each_conversation_of_ones_inboxes_once() {
    let rig = Rig::new().await;
    let new = CreateInbox {
        name: "closed".to_owned(),
        origins: vec![SHOP.to_owned()],
        assistant: AssistantMode::On,
        locale: "en".to_owned(),
        members: vec!["A".to_owned()],
    };
    let closed = rig.service.create_inbox(&rig.desk.admin, None, new).await.expect("created");
    assert_eq!(closed.member_names, ["A"]);
    let mut own = Vec::new();
    for at in 0..23 {
        let inbox = if at % 4 == 0 { rig.desk.inbox.id } else { closed.inbox.id };
        let guest = rig.service.welcome(inbox, SHOP, None).await.expect("welcome").guest;
        let (id, _) = rig.say(&guest, "hello").await;
        if at % 4 == 0 {
            own.push(rig.header(id).await.number);
        }
    }
    let pages = async |actor: &Actor, limit: u32| {
        let mut query = ListConversations { limit, ..ListConversations::default() };
        let mut found = Vec::new();
        loop {
            let page = rig.service.list_conversations(actor, &query).await.expect("a page");
            assert!(page.conversations.len() <= limit as usize);
            found.extend(page.conversations.iter().map(|it| it.header.number));
            query.page_token = page.next_page_token;
            if query.page_token.is_empty() {
                return found;
            }
        }
    };
    for limit in [1, 2, 3, 50] {
        let mut found = pages(&rig.desk.b, limit).await;
        found.reverse();
        assert_eq!(found, own, "{limit}");
        assert_eq!(pages(&rig.desk.a, limit).await.len(), 23);
    }
}

#[tokio::test]
async fn fault_91_a_member_who_is_removed_hears_nothing_more() {
    let rig = Rig::new().await;
    let (guest, id) = waiting(&rig).await;
    let text = id.to_string();
    rig.service.claim(&rig.desk.b, None, &text, None, false).await.expect("claimed");
    let Subscribed::Live(mut watcher) =
        rig.service.watch(&rig.desk.b, None, None).await.expect("watching")
    else {
        panic!("no reset")
    };
    let mut grants = rig.service.hub().grants(rig.desk.organization);
    grants.borrow_and_update();
    edit(&rig, members(&["A"])).await;
    assert!(grants.has_changed().expect("the hub lives"), "every stream asks again");
    assert!(!watcher.renew(rig.desk.b.clone()).await.expect("renewed"), "it has to read again");
    rig.say(&guest, "anybody?").await;
    rig.service.set_typing(&rig.desk.a, &text, false).await.expect("typing");
    rig.service.type_as_guest(&guest, id, "");
    edit(&rig, EditInbox { locale: Some("de".to_owned()), ..EditInbox::default() }).await;
    loop {
        match watcher.next().await.expect("a signal") {
            Signal::Change(change) => {
                assert_eq!(change.entry.conversation, None, "{:?}", change.entry.kind);
                if change.entry.detail.as_deref() == Some("locale") {
                    break;
                }
            }
            Signal::Ephemeral(_) => panic!("a signal of an inbox that is not theirs"),
        }
    }
    let header = rig.header(id).await;
    assert_eq!((header.status, header.assignee), (Status::Escalated, None), "it waits again");
    let queue = rig.service.list_escalations(&rig.desk.a, 0).await.expect("a queue").0;
    let reason = queue[0].escalation.as_ref().map(|it| it.escalation.reason.clone());
    assert_eq!(reason.as_deref(), Some("not_a_member"));
    edit(&rig, members(&["A", "B"])).await;
    assert!(!watcher.renew(rig.desk.b.clone()).await.expect("renewed"), "they see more now");
    assert!(watcher.renew(rig.desk.b.clone()).await.expect("renewed"));
}

#[tokio::test]
async fn whoever_waits_for_an_assistant_that_is_turned_off_gets_a_person() {
    let rig = Rig::new().await;
    let (mut owed, mut answered) = (Vec::new(), Vec::new());
    for at in 0..70 {
        let guest = rig.guest().await;
        let (id, _) = rig.say(&guest, "hello").await;
        if at % 7 == 0 {
            rig.service
                .resolve(&guest.actor(), None, &id.to_string(), Resolution::Visitor)
                .await
                .expect("x");
            answered.push(id);
        } else {
            owed.push(id);
        }
    }
    let off = EditInbox { assistant: Some(AssistantMode::Off), ..EditInbox::default() };
    edit(&rig, off.clone()).await;
    for id in owed {
        let header = rig.header(id).await;
        assert_eq!((header.status, header.handler), (Status::Escalated, Handler::None));
    }
    for id in answered {
        assert_eq!(rig.header(id).await.status, Status::Resolved);
    }
    let journal = rig.journal().await;
    let edited = journal.iter().find(|it| it.kind == EntryKind::InboxEdited).expect("an entry");
    assert_eq!((edited.code, edited.subject), (1, Some(rig.desk.inbox.id.0)));
    edit(&rig, off).await;
    assert_eq!(rig.journal().await.len(), journal.len(), "off already: nothing happens");
}

#[tokio::test]
async fn a_session_is_of_no_use_once_its_page_may_not_embed_the_inbox() {
    let rig = Rig::new().await;
    let Welcome { guest, token, .. } = rig.welcome().await;
    rig.say(&guest, "hello").await;
    assert!(rig.service.authenticate(&token).await.is_ok());
    let mut grants = rig.service.hub().grants(rig.desk.organization);
    grants.borrow_and_update();
    let origins = ListEdit { remove: vec![SHOP.to_owned()], ..ListEdit::default() };
    edit(&rig, EditInbox { origins, ..EditInbox::default() }).await;
    assert!(grants.has_changed().expect("the hub lives"), "every socket asks again");
    let refused = rig.service.authenticate(&token).await;
    assert_eq!(code(&refused), "origin_not_allowed");
    let refused = rig.service.welcome(rig.desk.inbox.id, SHOP, Some(&token)).await;
    assert_eq!(code(&refused), "origin_not_allowed");
}

#[tokio::test]
async fn an_inbox_is_staffed_while_a_member_of_it_is_accepting() {
    let rig = Rig::new().await;
    let guest = rig.guest().await;
    let staffed = async || rig.service.is_staffed_for(&guest.actor()).await.expect("known");
    let set = async |actor: &Actor, availability| {
        rig.service.set_availability(actor, None, availability).await.expect("set");
    };
    let line = async || {
        let (_, id) = waiting(&rig).await;
        let page = rig.service.list_messages(&rig.desk.admin, &id.to_string(), 0, 0, false).await;
        let messages = page.expect("a page").messages;
        let system = messages.into_iter().find_map(|it| it.message.system).expect("a line");
        system.params[0].1.clone()
    };
    assert!(staffed().await);
    edit(&rig, members(&["A"])).await;
    set(&rig.desk.a, Availability::Away).await;
    assert!(!staffed().await, "B and the admin are accepting, but no members");
    assert_eq!(line().await, "false", "a visitor is told so");
    set(&rig.desk.a, Availability::Accepting).await;
    assert!(staffed().await);
    assert_eq!(line().await, "true");
    edit(&rig, members(&[])).await;
    set(&rig.desk.a, Availability::Busy).await;
    assert!(staffed().await, "all agents again");
}

#[tokio::test]
async fn only_who_may_changes_inboxes_and_only_with_names_that_are_there() {
    let rig = Rig::new().await;
    let refused = rig.service.edit_inbox(&rig.desk.a, None, "web", members(&[])).await;
    assert_eq!(code(&refused), "forbidden");
    let refused = rig.service.edit_inbox(&rig.desk.admin, None, "shop", members(&[])).await;
    assert_eq!(code(&refused), "not_found");
    let refused = rig.service.edit_inbox(&rig.desk.admin, None, "web", members(&["Z"])).await;
    assert_eq!(code(&refused), "not_found");
    let named = |name: &str| EditInbox { name: Some(name.to_owned()), ..EditInbox::default() };
    let once = Some(fresh());
    let edited = rig.service.edit_inbox(&rig.desk.admin, once, "web", named("shop")).await;
    assert_eq!(edited.expect("edited").inbox.name, "shop");
    assert_eq!(code(&rig.service.get_inbox(&rig.desk.a, "web").await), "not_found");
    let shop = rig.service.get_inbox(&rig.desk.a, "shop").await.expect("by its new name");
    assert_eq!(shop.inbox.id, rig.desk.inbox.id);
    assert!(shop.snippet.contains(&format!("data-inbox=\"{}\"", shop.inbox.id)));
    let repeat = rig.service.edit_inbox(&rig.desk.admin, once, "shop", named("shop")).await;
    assert!(repeat.is_ok(), "a retry is harmless");
    let other = rig.service.edit_inbox(&rig.desk.admin, once, "shop", named("other")).await;
    assert_eq!(code(&other), "client_id_reused");
}

#[tokio::test]
async fn who_is_no_admin_any_more_keeps_nothing_out_of_sight() {
    let rig = Rig::new().await;
    let name = |role| super::user::EditUser { name: None, role: Some(role) };
    let change = async |role| {
        rig.service.edit_user(&rig.desk.admin, None, "A", name(role)).await.expect("edited");
    };
    change(Role::Admin).await;
    edit(&rig, members(&["B"])).await;
    let (_, id) = waiting(&rig).await;
    let acting = Actor { grants: Grants::Role(Role::Admin), ..rig.desk.a.clone() };
    rig.service.claim(&acting, Some(fresh()), &id.to_string(), None, false).await.expect("claimed");
    let since = rig.header(id).await.waiting_since;
    change(Role::Agent).await;
    let header = rig.header(id).await;
    assert_eq!((header.status, header.assignee), (Status::Escalated, None));
    assert_eq!(header.waiting_since, since, "the visitor's waiting goes on");
}

#[tokio::test]
async fn an_inboxs_own_silence_is_kept_and_followed() {
    let rig = Rig::new().await;
    let silences = Silences { notice_ms: Some(60_000), ..Silences::default() };
    edit(&rig, EditInbox { silences, ..EditInbox::default() }).await;
    let rig = rig.restarted().await;
    let (_, id) = waiting(&rig).await;
    let number = rig.header(id).await.number.to_string();
    rig.service.claim(&rig.desk.a, None, &number, None, false).await.expect("claimed");
    let said = rig.service.post_message(&rig.desk.a, None, &number, "hello".to_owned(), None).await;
    said.expect("said");
    let due = rig.header(id).await.silence_due;
    assert_eq!(due, Some(rig.service.now() + 60_000));
    rig.pass(60_000);
    rig.service.fire_timers().await.expect("fired");
    let header = rig.header(id).await;
    assert!(header.silence_noticed);
    assert_eq!(header.silence_due, Some(rig.service.now() + 24 * 60 * 60 * 1_000), "as configured");
    let cleared = Silences { notice_ms: Some(0), ..Silences::default() };
    edit(&rig, EditInbox { silences: cleared, ..EditInbox::default() }).await;
    let shown = rig.service.get_inbox(&rig.desk.admin, "web").await.expect("shown");
    assert_eq!(shown.inbox.silences, Silences::default());
    let short = Silences { abandon_ms: Some(999), ..Silences::default() };
    let bad = EditInbox { silences: short, ..EditInbox::default() };
    let refused = rig.service.edit_inbox(&rig.desk.admin, None, "web", bad).await;
    assert_eq!(code(&refused), "bad_silence");
}
