//! Credentials, secrets and the wall between organizations.

use crate::domain::actor::{Actor, Who};
use crate::domain::article::ArticleStatus;
use crate::domain::command::{Command, StaffAct};
use crate::domain::conversation::Resolution;
use crate::domain::hidden::Hidden;
use crate::domain::id::{ConversationId, UserId};
use crate::domain::user::Role;

use super::article::PutArticle;
use super::auth::SignedIn;
use super::error::Error;
use super::key::CreateKey;
use super::limit::{Address, Limits};
use super::password::{AT_ONCE, WAITING_MAX};
use super::rig::{Rig, SHOP, acme, code, found, fresh, operator};
use super::user::CreateUser;
use super::visitor::Welcome;

const PASSWORD: &str = "correct horse battery staple";

fn address() -> Address {
    Address::from(std::net::IpAddr::from([127, 0, 0, 1]))
}

/// A session of a member of staff.
async fn sign_in(rig: &Rig, user: UserId) -> SignedIn {
    let system = Actor::system(rig.desk.organization);
    rig.service.start_session_of(&system, user).await.expect("signed in")
}

fn new_key() -> CreateKey {
    CreateKey { name: "ci".to_owned(), scopes: vec!["*".to_owned()], ttl_ms: None }
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let rig = Rig::new().await;
    let client_id = Some(fresh());
    let make = || rig.service.create_key(&rig.desk.admin, client_id, new_key());
    let (key, secret) = make().await.expect("made");
    let secret = secret.expect("shown once");
    let (again, nothing) = make().await.expect("repeated");
    assert_eq!((again.id, nothing), (key.id, None));
    let founding = fresh();
    let (boss, new) = (operator(), acme("shown"));
    let found = || rig.service.create_organization(&boss, founding, new.clone());
    assert!(found().await.expect("founded").admin_key.is_some());
    assert!(found().await.expect("repeated").admin_key.is_none());

    let actor = rig.service.authenticate(&secret).await.expect("known");
    assert!(matches!(actor.who, Who::Key { key: id, .. } if id == key.id));
    rig.service.revoke_key(&rig.desk.admin, None, &key.id.to_string()).await.expect("revoked");
    assert_eq!(code(&rig.service.authenticate(&secret).await), "session_ended");
    let forged = format!("{}x", &secret[..secret.len() - 1]);
    for token in ["", "fus_live_", "fus_sess_x", "fus_vis_x.y", &forged] {
        assert_eq!(code(&rig.service.authenticate(token).await), "sign_in_needed", "{token}");
    }
}

#[tokio::test]
async fn a_key_makes_none_that_outlives_it() {
    let rig = Rig::new().await;
    let short = CreateKey { ttl_ms: Some(60_000), ..new_key() };
    let (parent, secret) =
        rig.service.create_key(&rig.desk.admin, None, short).await.expect("made");
    let holder = rig.service.authenticate(&secret.expect("shown")).await.expect("known");
    for (ttl_ms, end) in [
        (None, parent.expires_at),
        (Some(3_600_000), parent.expires_at),
        (Some(1_000), parent.expires_at.map(|end| end - 59_000)),
    ] {
        let wished = CreateKey { ttl_ms, ..new_key() };
        let (child, _) = rig.service.create_key(&holder, None, wished).await.expect("made");
        assert_eq!(child.expires_at, end, "{ttl_ms:?}");
    }
}

#[tokio::test]
async fn revoking_a_key_ends_the_keys_made_with_it() {
    let rig = Rig::new().await;
    let mut holder = rig.desk.admin.clone();
    let mut made = Vec::new();
    for _ in 0..8 {
        let (key, secret) = rig.service.create_key(&holder, None, new_key()).await.expect("made");
        let secret = secret.expect("shown");
        holder = rig.service.authenticate(&secret).await.expect("known");
        made.push((key, secret));
    }
    let ninth = rig.service.create_key(&holder, None, new_key()).await;
    assert_eq!(code(&ninth), "too_many_parents");
    let second = made[1].0.id.to_string();
    rig.service.revoke_key(&rig.desk.admin, None, &second).await.expect("revoked");
    for (at, (_, secret)) in made.iter().enumerate() {
        let expected = if at == 0 { "ok" } else { "session_ended" };
        assert_eq!(code(&rig.service.authenticate(secret).await), expected, "key {at}");
    }
    let listed = rig.service.list_keys(&rig.desk.admin).await.expect("listed");
    let live = listed.iter().filter(|it| it.revoked_at.is_none()).map(|it| it.id);
    assert!(made.iter().skip(1).all(|(key, _)| live.clone().all(|id| id != key.id)));
}

#[tokio::test]
async fn a_key_outside_its_scope_is_told_which_one_is_missing() {
    let rig = Rig::new().await;
    let scopes = vec!["article:read".to_owned(), "key:write".to_owned()];
    let new = CreateKey { scopes, ..new_key() };
    let (_, secret) = rig.service.create_key(&rig.desk.admin, None, new).await.expect("made");
    let key = rig.service.authenticate(&secret.expect("shown")).await.expect("known");
    let refused = rig.service.list_users(&key).await.expect_err("refused");
    assert_eq!((refused.code, refused.params["scope"].as_str()), ("forbidden", "user:read"));
    assert!(refused.message.contains("user:read") && !refused.hint.is_empty());
    let wider = rig.service.create_key(&key, None, new_key()).await.expect_err("refused");
    assert_eq!(wider.params["scope"], "*");
    let agents = rig.service.invite_user(
        &rig.desk.a,
        None,
        super::user::InviteUser {
            email: "x@example.com".to_owned(),
            name: None,
            role: Role::Agent,
        },
    );
    let refused = agents.await.expect_err("refused");
    assert!(refused.params.is_empty(), "no scope would help a signed-in agent");
}

#[tokio::test]
async fn a_key_for_users_makes_and_resets_no_admin() {
    let rig = Rig::new().await;
    let new = CreateKey { scopes: vec!["user:write".to_owned()], ..new_key() };
    let (_, secret) = rig.service.create_key(&rig.desk.admin, None, new).await.expect("made");
    let key = rig.service.authenticate(&secret.expect("shown")).await.expect("known");
    let invite =
        |email: &str, role| super::user::InviteUser { email: email.to_owned(), name: None, role };
    let invited = rig.service.invite_user(&key, None, invite("x@example.com", Role::Admin)).await;
    assert_eq!(invited.expect_err("refused").params["scope"], "*");
    let identity = rig.service.identity(&rig.desk.admin).await.expect("known");
    let admin = identity.user.expect("a user").id.to_string();
    let reset = rig.service.reset_user(&key, None, &admin).await;
    assert_eq!(reset.expect_err("refused").params["scope"], "*");
    let agent = rig.service.invite_user(&key, None, invite("y@example.com", Role::Agent)).await;
    let text = agent.expect("an agent").0.id.to_string();
    let disabled = rig.service.disable_user(&key, None, &text, true).await;
    disabled.expect("an agent may be disabled");
    let enabled = rig.service.disable_user(&key, None, &text, false).await.expect("enabled");
    assert!(!enabled.is_accepting(), "who never set a password answers nobody");
}

/// fault_95: a spray of passwords is stopped by rates, and never computes more than two hashes at once.
#[tokio::test]
async fn fault_95_a_password_spray_is_limited() {
    let rig = Rig::with(Limits { sign_ins_per_five_minutes: 1, ..Limits::default() }).await;
    let mut answers = std::collections::BTreeMap::new();
    for n in 0..20 {
        let email = format!("user{n}@example.com");
        let tried = rig.service.sign_in(address(), &email, PASSWORD.to_owned(), None).await;
        *answers.entry(code(&tried)).or_insert(0) += 1;
    }
    let expected = [("rate_limited", 14), ("wrong_credentials", 6)];
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), expected);
    let rig = Rig::with(Limits { sign_ins_per_five_minutes: 1_000, ..Limits::default() }).await;
    let flood = (0..60).map(|_| rig.service.sign_in(address(), "a@b.c", PASSWORD.to_owned(), None));
    let flood = futures::future::join_all(flood).await;
    let refused = flood.iter().filter(|it| code(it) == "overloaded").count();
    assert_eq!(refused, 60 - (AT_ONCE + WAITING_MAX));
    let at_once = rig.service.passwords.at_once_max();
    assert!((1..=AT_ONCE).contains(&at_once), "{at_once} at once");
}

#[tokio::test]
async fn half_an_organization_is_never_left() {
    let rig = Rig::new().await;
    let refused = async |change: fn(&mut super::organization::CreateOrganization)| {
        let mut new = acme("half");
        change(&mut new);
        code(&rig.service.create_organization(&operator(), fresh(), new).await)
    };
    assert_eq!(refused(|it| it.admin_password = Some("short".to_owned())).await, "bad_password");
    assert_eq!(refused(|it| it.origins = vec![SHOP.to_owned(); 65]).await, "too_many_origins");
    assert_eq!(refused(|it| it.origins = vec!["shop".to_owned()]).await, "bad_origin");
    assert_eq!(refused(|it| it.inbox_name = "No".to_owned()).await, "bad_name");
    let all = rig.service.list_organizations(&operator()).await.expect("listed");
    assert_eq!(all.len(), 1);
    assert_eq!(refused(|it| it.name = "acme".to_owned()).await, "taken");
}

async fn with_password(rig: &Rig, desk: &super::rig::Desk) {
    let new = CreateUser {
        email: "User@Example.com".to_owned(),
        name: "user".to_owned(),
        role: Role::Agent,
        password: Some(PASSWORD.to_owned()),
    };
    rig.service.create_user(&desk.admin, None, new).await.expect("made");
}

#[tokio::test]
async fn a_sign_in_fails_in_one_way() {
    let rig = Rig::with(Limits { sign_ins_per_five_minutes: 100, ..Limits::default() }).await;
    with_password(&rig, &rig.desk).await;
    let sign_in = async |email: &str, password: &str, organization: Option<&str>| {
        let password = password.to_owned();
        rig.service.sign_in(address(), email, password, organization).await
    };
    let signed_in = sign_in(" user@example.COM", PASSWORD, None).await.expect("signed in");
    let actor = rig.service.authenticate(&signed_in.token).await.expect("known");
    assert_eq!(actor.staff(), Some(signed_in.user.id));
    let other = found(&rig.service, "other").await;
    with_password(&rig, &other).await;
    let mut texts = Vec::new();
    for (email, password, organization) in [
        ("user@example.com", "wrong horse battery", None),
        ("nobody@example.com", PASSWORD, None),
        ("A@example.com", PASSWORD, Some("acme")),
        ("user@example.com", PASSWORD, Some("nowhere")),
        ("user@example.com", PASSWORD, None),
        ("no address", PASSWORD, None),
    ] {
        let error = sign_in(email, password, organization).await.expect_err("refused");
        let error = error.into_details();
        texts.push((error.code, error.message, error.hint, error.params));
    }
    assert!(texts.iter().all(|it| *it == texts[0]), "{texts:?}");
    assert_eq!(texts[0].0, "wrong_credentials");
    assert_eq!(code(&sign_in("user@example.com", PASSWORD, Some("other")).await), "ok");

    rig.service.end_session(&actor, None, "").await.expect("ended");
    assert_eq!(code(&rig.service.authenticate(&signed_in.token).await), "session_ended");
    let again = sign_in("user@example.com", PASSWORD, Some("acme")).await.expect("signed in");
    rig.pass(12 * 60 * 60 * 1000);
    assert_eq!(code(&rig.service.authenticate(&again.token).await), "session_ended");
}

#[tokio::test]
async fn guessing_is_limited() {
    let rig = Rig::with(Limits { sign_ins_per_five_minutes: 2, ..Limits::default() }).await;
    let guess = || rig.service.sign_in(address(), "user@example.com", PASSWORD.to_owned(), None);
    assert_eq!(code(&guess().await), "wrong_credentials");
    assert_eq!(code(&guess().await), "wrong_credentials");
    let limited = guess().await.expect_err("limited");
    assert_eq!(limited.code, "rate_limited");
    assert!(limited.retry_after_ms.is_some_and(|ms| ms > 0));
}

#[tokio::test]
async fn staff_see_their_sessions_among_all_the_visitors() {
    let rig = Rig::new().await;
    let user = rig.desk.a.staff().expect("staff");
    let own = sign_in(&rig, user).await;
    for _ in 0..3 {
        let guest = rig.guest().await;
        rig.say(&guest, "hello").await;
    }
    let list = async |actor: &Actor| {
        let sessions = rig.service.list_sessions(actor).await?;
        Ok::<_, Error>(sessions.into_iter().map(|it| it.id).collect::<Vec<_>>())
    };
    assert_eq!(list(&rig.desk.a).await.expect("listed"), [own.session.id]);
    assert_eq!(list(&rig.desk.b).await.expect("listed"), []);
    assert_eq!(list(&rig.desk.admin).await.expect("listed"), [own.session.id]);
    let id = own.session.id.to_string();
    assert_eq!(code(&rig.service.end_session(&rig.desk.b, None, &id).await), "not_found");
    // A key of the same person that may only read conversations.
    let mut key = rig.desk.a.clone();
    key.who = Who::Key { key: crate::domain::id::KeyId::default(), owner: user };
    let scopes = vec!["conversation:read".to_owned()];
    key.grants = crate::domain::actor::Grants::Scopes { role: Role::Agent, scopes };
    assert_eq!(code(&list(&key).await), "forbidden");
    assert_eq!(code(&rig.service.end_session(&key, None, &id).await), "not_found");
    assert_eq!(code(&rig.service.end_session(&rig.desk.a, None, &id).await), "ok");
}

#[tokio::test]
async fn a_visitors_session_is_bound_to_its_page_and_inbox() {
    let rig = Rig::new().await;
    let Welcome { guest, token, .. } = rig.welcome().await;
    let inbox = rig.desk.inbox.id;
    let again = rig.service.welcome(inbox, SHOP, Some(&token)).await.expect("again").guest;
    assert_eq!(again.claims, guest.claims);
    for origin in ["null", "https://evil.example.com", "", "https://shop.example.com.evil.com"] {
        let refused = rig.service.welcome(inbox, origin, None).await;
        assert_eq!(code(&refused), "origin_not_allowed", "{origin}");
    }
    let other = found(&rig.service, "other").await;
    let moved = rig.service.welcome(other.inbox.id, SHOP, Some(&token)).await;
    assert_eq!(code(&moved), "sign_in_needed");
    rig.say(&guest, "hello").await;
    rig.service.end_session(&guest.actor(), None, "").await.expect("ended");
    let ended = rig.service.welcome(inbox, SHOP, Some(&token)).await;
    assert_eq!(code(&ended), "session_ended");
}

/// fault_85: what belongs to another organization is answered like what does not exist, byte by byte.
#[tokio::test]
async fn foreign_and_absent_are_the_same() {
    let rig = Rig::new().await;
    let (service, desk) = (&rig.service, &rig.desk);
    let guest = rig.guest().await;
    let (chat, _) = rig.say(&guest, "hello").await;
    let put = PutArticle {
        source_path: "a.md".to_owned(),
        title: "T".to_owned(),
        body: "body".to_owned(),
        locale: Some("en".to_owned()),
        status: Some(ArticleStatus::Draft),
        inboxes: None,
    };
    let article = service.put_article(&desk.admin, None, put).await.expect("put").0.id.to_string();
    let (key, _) = service.create_key(&desk.admin, None, new_key()).await.expect("made");
    let session = sign_in(&rig, desk.a.staff().expect("staff")).await;
    let foreign = found(service, "foreign").await;
    let spy = &foreign.admin;
    let absent = uuid::Uuid::from_u128(0xdead).to_string();
    let (inbox, user) = (desk.inbox.id.to_string(), desk.a.staff().expect("staff").to_string());
    let mut answers = Vec::new();
    for id in [&chat.to_string(), &absent, &"1001".to_owned(), &"#1001".to_owned()] {
        let text = || "hello".to_owned();
        answers.push(service.get_conversation(spy, id).await.err());
        answers.push(service.list_messages(spy, id, 0, 0, false).await.err());
        answers.push(service.post_message(spy, None, id, text(), None).await.err());
        answers.push(service.add_note(spy, None, id, text()).await.err());
        answers.push(service.claim(spy, None, id, None, true).await.err());
        answers.push(service.release(spy, None, id).await.err());
        answers.push(service.hand_back(spy, None, id).await.err());
        answers.push(service.escalate(spy, None, id, text()).await.err());
        answers.push(service.resolve(spy, None, id, Resolution::Spam).await.err());
        answers.push(service.reopen(spy, None, id).await.err());
        answers.push(service.mark_read(spy, id, 1).await.err());
        answers.push(service.set_typing(spy, id, false).await.err());
        answers.push(service.watch(spy, Some(id), None).await.err());
    }
    for id in [&article, &absent] {
        answers.push(service.get_article(spy, id).await.err());
        answers.push(service.delete_article(spy, None, id).await.err());
        answers.push(service.public_article(id).await.err());
    }
    for id in [&key.id.to_string(), &absent] {
        answers.push(service.revoke_key(spy, None, id).await.err());
    }
    for id in [&session.session.id.to_string(), &absent] {
        answers.push(service.end_session(spy, None, id).await.err());
    }
    for id in [&inbox, &absent] {
        answers.push(service.get_inbox(spy, id).await.err());
        answers.push(service.search_articles(spy, "hello", Some(id), None, 0).await.err());
    }
    let shown = |it: &Option<Error>| it.as_ref().map(|it| format!("{it:?}"));
    let expected = Some(format!("{:?}", Error::not_found()));
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(shown(answer), expected, "question {at}");
    }
    let own = rig.header(chat).await;
    assert_eq!((own.last_seq, own.assignee), (1, None), "nothing happened to it");
    // Nor can a colleague be made of somebody else's staff.
    let theirs = service.claim(&desk.a, None, &chat.to_string(), Some(&absent), false).await.err();
    let mine = service.claim(&desk.a, None, &chat.to_string(), Some(&user), false).await;
    assert_eq!((shown(&theirs), code(&mine)), (expected.clone(), "ok"));
    let spied = service.list_conversations(spy, &Default::default()).await.expect("listed");
    assert!(spied.conversations.is_empty());
    let stranger = rig.guest().await;
    let text = chat.to_string();
    assert_eq!(shown(&service.get_conversation(&stranger.actor(), &text).await.err()), expected);
    assert_eq!(shown(&service.get_conversation(&stranger.actor(), "1001").await.err()), expected);
}

#[tokio::test]
async fn only_published_articles_have_a_page() {
    let rig = Rig::new().await;
    let put = async |status| {
        let new = PutArticle {
            source_path: "a.md".to_owned(),
            title: "T".to_owned(),
            body: "body".to_owned(),
            locale: Some("en".to_owned()),
            status,
            inboxes: None,
        };
        rig.service.put_article(&rig.desk.admin, None, new).await.expect("put").0.id.to_string()
    };
    let id = put(Some(ArticleStatus::Published)).await;
    assert_eq!(code(&rig.service.public_article(&id).await), "ok");
    put(Some(ArticleStatus::Draft)).await;
    assert_eq!(code(&rig.service.public_article(&id).await), "not_found");
    put(Some(ArticleStatus::Published)).await;
    rig.service.delete_article(&rig.desk.admin, None, &id).await.expect("deleted");
    assert_eq!(code(&rig.service.public_article(&id).await), "not_found");
}

#[tokio::test]
async fn nothing_that_is_printed_holds_a_secret() {
    let rig = Rig::new().await;
    let welcome = rig.welcome().await;
    let user = rig.desk.a.staff().expect("staff");
    let signed_in = sign_in(&rig, user).await;
    let founding = acme("printed");
    let founded =
        rig.service.create_organization(&operator(), fresh(), founding).await.expect("ok");
    let admin_key = founded.admin_key.clone().expect("shown once");
    let new_user = CreateUser {
        email: "x@example.com".to_owned(),
        name: "x".to_owned(),
        role: Role::Agent,
        password: Some(PASSWORD.to_owned()),
    };
    let mut new = acme("x");
    new.admin_password = Some(PASSWORD.to_owned());
    let command = Command::CreateUser {
        email: String::new(),
        name: String::new(),
        role: Role::Agent,
        password: Some(Hidden(PASSWORD.to_owned())),
    };
    let printed = [
        format!("{welcome:?}"),
        format!("{signed_in:?}"),
        format!("{founded:?}"),
        format!("{new_user:?}"),
        format!("{new:?}"),
        format!("{command:?}"),
        format!("{:?}", rig.service),
    ];
    for text in printed {
        for secret in [&welcome.token, &signed_in.token, &admin_key, PASSWORD] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    let act = StaffAct::Release;
    let plain =
        Command::Staff { agent: user, admin: false, conversation: ConversationId::default(), act };
    assert!(format!("{plain:?}").contains("Release"), "what is no secret is shown");
}

/// The password is right and still being computed when it is taken away.
#[tokio::test]
async fn a_sign_in_under_way_outlives_no_reset_and_no_disabling() {
    for reset in [true, false] {
        let rig = Rig::new().await;
        with_password(&rig, &rig.desk).await;
        let (service, admin) = (&rig.service, &rig.desk.admin);
        let end = async {
            if reset {
                service.reset_user(admin, None, "user@example.com").await.map(|_| ())
            } else {
                service.disable_user(admin, None, "user@example.com", true).await.map(|_| ())
            }
        };
        let email = "user@example.com";
        let signing = service.sign_in(address(), email, PASSWORD.to_owned(), None);
        let (signed_in, ended) = futures::join!(signing, end);
        ended.expect("ended");
        // Whichever came first: no token works, not even once they may come back.
        if !reset {
            service.disable_user(admin, None, email, false).await.expect("enabled");
        }
        if let Ok(signed_in) = signed_in {
            assert_eq!(code(&service.authenticate(&signed_in.token).await), "session_ended");
        }
    }
}
