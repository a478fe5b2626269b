//! Staff: invitations and what ends them.

use crate::domain::actor::Actor;
use crate::domain::entry::{ActorKind, EntryKind};
use crate::domain::user::{INVITE_MS, Role};

use super::error::Error;
use super::limit::{Address, Limits};
use super::rig::{Rig, acme, code, found, fresh, operator};
use super::user::{CreateUser, Invite, InviteUser};

const PASSWORD: &str = "correct horse battery staple";

fn address() -> Address {
    Address::from(std::net::IpAddr::from([127, 0, 0, 1]))
}

async fn rig() -> Rig {
    Rig::with(Limits { sign_ins_per_five_minutes: 100, ..Limits::default() }).await
}

fn ana() -> InviteUser {
    InviteUser { email: "Ana@acme.example".to_owned(), name: None, role: Role::Agent }
}

async fn invited(rig: &Rig) -> Invite {
    let made = rig.service.invite_user(&rig.desk.admin, None, ana()).await.expect("invited");
    made.1.expect("shown once")
}

async fn accept(rig: &Rig, invite: &str) -> Result<super::auth::SignedIn, Error> {
    rig.service.accept_invite(address(), invite, PASSWORD.to_owned()).await
}

/// All a caller can see of a refusal.
fn told<T>(answer: Result<T, Error>) -> (&'static str, String, String) {
    let error = answer.err().expect("refused").into_details();
    (error.code, error.message, error.hint)
}

#[tokio::test]
async fn an_invitation_is_used_once_and_signs_in() {
    let rig = rig().await;
    let (user, invite) =
        rig.service.invite_user(&rig.desk.admin, None, ana()).await.expect("invited");
    let invite = invite.expect("shown once");
    assert_eq!(
        (user.email.as_deref(), user.name.as_deref()),
        (Some("ana@acme.example"), Some("ana"))
    );
    assert_eq!(invite.expires_at, rig.service.now() + INVITE_MS);
    let sign_in = || {
        let password = PASSWORD.to_owned();
        rig.service.sign_in(address(), "ana@acme.example", password, Some("acme"))
    };
    assert_eq!(code(&sign_in().await), "wrong_credentials", "there is no password yet");
    let short = rig.service.accept_invite(address(), &invite.code, "short".to_owned()).await;
    assert_eq!(code(&short), "bad_password", "and the code still works");

    let accepted = accept(&rig, &invite.code).await.expect("accepted");
    assert_eq!((accepted.user.id, accepted.user.invited_until), (user.id, None));
    let actor = rig.service.authenticate(&accepted.token).await.expect("known");
    assert_eq!(actor.staff(), Some(user.id));
    assert_eq!(code(&sign_in().await), "ok");
    let kinds: Vec<_> = rig.journal().await.iter().rev().take(3).map(|it| it.kind).collect();
    let expected =
        [EntryKind::SessionStarted, EntryKind::SessionStarted, EntryKind::InviteAccepted];
    assert_eq!(kinds, expected, "the second sign-in, and one commit before it");
    assert_eq!(told(accept(&rig, &invite.code).await).0, "bad_invite");
}

/// fault_96: nothing tells a wrong code from one that was used, has expired or was replaced.
#[tokio::test]
async fn fault_96_a_bad_invitation_fails_in_one_way() {
    let rig = rig().await;
    let used = invited(&rig).await;
    accept(&rig, &used.code).await.expect("accepted");
    let late = InviteUser { email: "late@acme.example".to_owned(), ..ana() };
    let late = rig.service.invite_user(&rig.desk.admin, None, late).await.expect("invited").1;
    rig.pass(INVITE_MS);
    let late = late.expect("shown once").code;
    let cut = &late[..late.len() - 1];
    let mut texts = Vec::new();
    for code in [used.code.as_str(), &late, cut, "", "fus_inv_x", "\u{0}"] {
        texts.push(told(accept(&rig, code).await));
        let short = rig.service.accept_invite(address(), code, "short".to_owned()).await;
        texts.push(told(short));
    }
    assert!(texts.iter().all(|it| *it == texts[0]), "{texts:?}");
    assert_eq!((texts[0].0, texts[0].2.as_str()), ("bad_invite", "ask an admin for a new one"));
}

#[tokio::test]
async fn two_who_use_one_code_at_once_are_one_winner() {
    let rig = rig().await;
    let invite = invited(&rig).await;
    rig.gate.make_busy();
    let (first, second) = tokio::join!(accept(&rig, &invite.code), accept(&rig, &invite.code));
    let mut codes = [code(&first), code(&second)];
    codes.sort_unstable();
    assert_eq!(codes, ["bad_invite", "ok"]);
}

#[tokio::test]
async fn a_code_is_shown_once_and_an_address_is_invited_once() {
    let rig = rig().await;
    let client_id = Some(fresh());
    let invite = |new| rig.service.invite_user(&rig.desk.admin, client_id, new);
    let (user, first) = invite(ana()).await.expect("invited");
    assert!(first.is_some());
    let (again, nothing) = invite(ana()).await.expect("repeated");
    assert_eq!((again.id, nothing), (user.id, None));
    let other = InviteUser { role: Role::Admin, ..ana() };
    assert_eq!(told(invite(other).await).0, "client_id_reused");
    let twice = rig.service.invite_user(&rig.desk.admin, None, ana()).await;
    assert_eq!(told(twice).0, "taken");
    let bad = |email: &str, name: &str| InviteUser {
        email: email.to_owned(),
        name: Some(name.to_owned()),
        role: Role::Agent,
    };
    for (email, name, expected) in
        [("nobody", "x", "bad_email"), ("x@acme.example", "\n", "bad_name")]
    {
        let refused = rig.service.invite_user(&rig.desk.admin, None, bad(email, name)).await;
        assert_eq!(told(refused).0, expected);
    }
    let refused = rig.service.invite_user(&rig.desk.a, None, ana()).await;
    assert_eq!(told(refused).0, "forbidden", "agents invite nobody");
    // The same address in another organization is another person.
    let other = found(&rig.service, "other").await;
    assert_eq!(code(&rig.service.invite_user(&other.admin, None, ana()).await), "ok");
}

#[tokio::test]
async fn guessing_codes_is_limited_by_address() {
    let rig = Rig::with(Limits { sign_ins_per_five_minutes: 1, ..Limits::default() }).await;
    let mut last = "";
    for _ in 0..20 {
        last = told(accept(&rig, "fus_inv_x").await).0;
    }
    assert_eq!(last, "rate_limited");
}

#[tokio::test]
async fn the_daemon_itself_may_invite_and_found_with_an_invitation() {
    let rig = rig().await;
    let system = Actor::system(rig.desk.organization);
    let (_, invite) = rig.service.invite_user(&system, None, ana()).await.expect("invited");
    accept(&rig, &invite.expect("shown").code).await.expect("accepted");
    let journal = rig.journal().await;
    let entry = journal.iter().find(|it| it.kind == EntryKind::UserInvited).expect("an entry");
    assert_eq!(entry.actor.kind, ActorKind::System);

    let mut new = acme("second");
    new.invite_admin = true;
    let client_id = fresh();
    let boss = operator();
    let make = || rig.service.create_organization(&boss, client_id, new.clone());
    let founded = make().await.expect("founded");
    let invite = founded.admin_invite.expect("shown once");
    let printed = format!("{invite:?}");
    assert!(!printed.contains(&invite.code), "{printed}");
    let repeated = make().await.expect("repeated");
    assert!(repeated.admin_invite.is_none() && repeated.admin_key.is_none());
    let signed_in = accept(&rig, &invite.code).await.expect("accepted");
    assert_eq!((signed_in.user.id, signed_in.user.role), (founded.admin.id, Role::Admin));
    let mut both = acme("third");
    (both.invite_admin, both.admin_password) = (true, Some(PASSWORD.to_owned()));
    let refused = rig.service.create_organization(&operator(), fresh(), both).await;
    assert_eq!(told(refused).0, "bad_admin");
}

/// The password is part of what a client id stands for, though nothing fast to guess it by is stored.
#[tokio::test]
async fn a_repeat_with_another_password_is_another_command() {
    let rig = rig().await;
    let client_id = fresh();
    let make = |password: &str| {
        let new = CreateUser {
            email: "bo@acme.example".to_owned(),
            name: "bo".to_owned(),
            role: Role::Agent,
            password: Some(password.to_owned()),
        };
        rig.service.create_user(&rig.desk.admin, Some(client_id), new)
    };
    let first = make(PASSWORD).await.expect("made");
    assert_eq!(make(PASSWORD).await.expect("repeated").id, first.id);
    assert_eq!(told(make("another horse battery").await).0, "client_id_reused");
    let (boss, client_id) = (operator(), fresh());
    let found = |password: &str| {
        let mut new = acme("repeated");
        new.admin_password = Some(password.to_owned());
        rig.service.create_organization(&boss, client_id, new)
    };
    assert_eq!(code(&found(PASSWORD).await), "ok");
    assert_eq!(code(&found(PASSWORD).await), "ok");
    assert_eq!(code(&found("another horse battery").await), "client_id_reused");
}
