//! The live stream over a real connection: complete, resumable, and closed to whoever lost their
//! rights.

use std::time::Duration;

use fusionchat_proto::v1;
use fusionchat_proto::v1::watch_response::Frame;
use tonic::{Code, Status, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::domain::actor::Actor;
use crate::domain::command::AssistantAct;
use crate::domain::id::ArticleId;
use crate::domain::message::Source;
use crate::service::Settings;

use super::Timing;
use super::harness_test::{Desk, client_id, code, within};

/// Short enough for a test to see several.
fn quick() -> Timing {
    Timing { heartbeat: Duration::from_millis(20), ..Timing::default() }
}

type Frames = Streaming<v1::WatchResponse>;

async fn watch(desk: &Desk, token: &str, after: Option<v1::Cursor>) -> Frames {
    let request = v1::WatchRequest { after, conversation: String::new() };
    within(desk.watching(token).watch(request)).await.expect("watch").into_inner()
}

async fn next(frames: &mut Frames) -> Result<Frame, Status> {
    let response = within(frames.message()).await?.expect("the stream ended");
    Ok(response.frame.expect("a frame"))
}

async fn ready(frames: &mut Frames) -> v1::Cursor {
    match next(frames).await {
        Ok(Frame::Ready(ready)) => ready.head.expect("head"),
        other => panic!("not ready: {other:?}"),
    }
}

/// The next change, past heartbeats.
async fn change(frames: &mut Frames) -> v1::Change {
    loop {
        match next(frames).await {
            Ok(Frame::Change(change)) => return change,
            Ok(Frame::Heartbeat(_)) => {}
            other => panic!("no change: {other:?}"),
        }
    }
}

/// How the stream ends, past whatever comes before.
async fn end(frames: &mut Frames) -> Status {
    loop {
        match next(frames).await {
            Ok(
                Frame::Heartbeat(_)
                | Frame::Change(_)
                | Frame::Typing(_)
                | Frame::Stream(_)
                | Frame::Committed(_)
                | Frame::Dropped(_),
            ) => {}
            Ok(other) => panic!("not the end: {other:?}"),
            Err(status) => return status,
        }
    }
}

fn position(change: &v1::Change) -> u64 {
    change.cursor.as_ref().expect("cursor").position
}

/// The changes up to one of this kind. Each follows the one before it, the first of a stream the
/// position `from`.
async fn until(frames: &mut Frames, kind: &str, from: u64, prev: &mut u64) -> Vec<v1::Change> {
    let mut changes = Vec::new();
    loop {
        let change = change(frames).await;
        assert_eq!(change.prev, *prev, "{}", change.kind);
        assert_eq!(position(&change), if *prev == 0 { from } else { *prev } + 1);
        *prev = position(&change);
        let last = change.kind == kind;
        changes.push(change);
        if last {
            return changes;
        }
    }
}

/// An agent of an inbox they are taken from: the stream tells them at once to read again, and what they read has no
/// conversation of it.
#[tokio::test]
async fn fault_91_a_removed_member_is_told_to_read_again() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let (_, _, agent) = desk.agent("ana", None).await;
    let number = desk.start(&admin, "Hello").await.number.to_string();
    let mut frames = watch(&desk, &agent, None).await;
    ready(&mut frames).await;
    let edit = v1::EditInboxRequest {
        client_id: client_id(),
        inbox: "web".to_owned(),
        members: Some(v1::Texts { values: vec!["admin".to_owned()] }),
        ..Default::default()
    };
    within(desk.inboxes(&admin).edit_inbox(edit)).await.expect("edited");
    loop {
        match next(&mut frames).await {
            Ok(Frame::Reset(reset)) => break assert!(reset.head.is_some()),
            Ok(Frame::Heartbeat(_) | Frame::Change(_)) => {}
            other => panic!("no reset: {other:?}"),
        }
    }
    assert!(within(frames.message()).await.expect("no error").is_none(), "the stream has ended");
    let request = v1::GetConversationRequest { conversation: number };
    let found = within(desk.conversations(&agent).get_conversation(request)).await;
    assert_eq!(found.err().map(|it| it.code()), Some(Code::NotFound));
    let mut frames = watch(&desk, &agent, None).await;
    ready(&mut frames).await;
}

#[tokio::test]
async fn a_stream_resumes_without_a_gap_or_a_repeat() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let mut live = watch(&desk, &admin, None).await;
    let head = ready(&mut live).await;
    let number = desk.start(&admin, "Hello").await.number;
    let mut prev = 0;
    let heard = until(&mut live, "MessagePosted", head.position, &mut prev).await;
    let last = heard.last().expect("a change");
    assert_eq!(last.message.as_ref().map(|it| it.content.as_str()), Some("Hello"));
    assert_eq!(last.conversation.as_ref().map(|it| it.number), Some(number));
    drop(live);

    let note = v1::AddNoteRequest {
        client_id: client_id(),
        conversation: number.to_string(),
        content: "a regular".to_owned(),
    };
    within(desk.conversations(&admin).add_note(note)).await.expect("note");
    desk.start(&admin, "Another").await;
    let mut resumed = watch(&desk, &admin, last.cursor.clone()).await;
    assert_eq!(ready(&mut resumed).await.position, position(last));
    let mut prev = 0;
    let missed = until(&mut resumed, "NoteAdded", position(last), &mut prev).await;
    let note = missed.last().and_then(|it| it.note.as_ref());
    assert_eq!(note.map(|it| it.content.as_str()), Some("a regular"));
    until(&mut resumed, "MessagePosted", position(last), &mut prev).await;
}

/// A change that several streams are told of is written once; each has its own place in its own stream.
#[tokio::test]
async fn two_consoles_are_told_the_same_from_their_own_places() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let mut first = watch(&desk, &admin, None).await;
    let head = ready(&mut first).await;
    desk.start(&admin, "Hello").await;
    let mut before = 0;
    until(&mut first, "MessagePosted", head.position, &mut before).await;
    let mut second = watch(&desk, &admin, None).await;
    let joined = ready(&mut second).await;
    desk.start(&admin, "Another").await;
    let (mut prev, mut prev_of_second) = (before, 0);
    let told = until(&mut first, "MessagePosted", before, &mut prev).await;
    let mut heard = until(&mut second, "MessagePosted", joined.position, &mut prev_of_second).await;
    heard[0].prev = before;
    assert_eq!(heard, told);
    let message = told.last().and_then(|it| it.message.as_ref());
    assert_eq!(message.map(|it| it.content.as_str()), Some("Another"));
}

/// A change that several streams are told of is written for the first ones and kept: whoever does not reach its inbox
/// is sent nothing of it all the same.
#[tokio::test]
async fn what_is_kept_for_others_is_not_sent_to_whoever_may_not_see_it() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let (_, _, member) = desk.agent("ana", None).await;
    let (_, _, stranger) = desk.agent("bob", None).await;
    let closed = v1::CreateInboxRequest {
        client_id: client_id(),
        name: "closed".to_owned(),
        members: vec!["admin".to_owned(), "ana".to_owned()],
        ..Default::default()
    };
    within(desk.inboxes(&admin).create_inbox(closed)).await.expect("created");
    let mut watchers = Vec::new();
    for token in [&admin, &member, &member, &stranger] {
        let mut frames = watch(&desk, token, None).await;
        ready(&mut frames).await;
        watchers.push(frames);
    }
    let hidden = v1::StartConversationRequest {
        client_id: client_id(),
        inbox: "closed".to_owned(),
        content: "A secret".to_owned(),
        test: false,
    };
    within(desk.conversations(&admin).start_conversation(hidden)).await.expect("started");
    let open = desk.start(&admin, "Hello").await.id;
    let mut told = Vec::new();
    for frames in &mut watchers {
        let mut contents = Vec::new();
        while contents.last().is_none_or(|it| it != "Hello") {
            let change = change(frames).await;
            let of = change.conversation.map(|it| it.id);
            contents.extend(change.message.map(|it| it.content));
            // That there is a new visitor is no secret: it happened in no conversation.
            assert!(told.len() < 3 || of.is_none_or(|it| it == open), "{contents:?}");
        }
        told.push(contents);
    }
    let both = ["A secret", "Hello"].map(str::to_owned).to_vec();
    assert_eq!(told, [both.clone(), both.clone(), both, vec!["Hello".to_owned()]]);
}

/// Where articles are reached may be set anew while streams are open: each is sent the address as it is then.
#[tokio::test]
async fn an_article_is_named_where_it_is_reached_when_a_stream_is_told() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let conversation = desk.start(&admin, "How?").await;
    let after = ready(&mut watch(&desk, &admin, None).await).await;
    let mut live = watch(&desk, &admin, None).await;
    ready(&mut live).await;
    let organization = desk.service.authenticate(&admin).await.expect("the admin").organization;
    let of = conversation.id.parse().expect("an id");
    let article = ArticleId(uuid::Uuid::from_u128(7));
    let source = Source { article, title: "Ropes".to_owned(), locale: None };
    let act = AssistantAct::Say {
        content: "So.".to_owned(),
        sources: vec![source],
        clarification: false,
    };
    desk.service.assistant_act(organization, of, after.position, 1, act).await.expect("said");
    let mut urls = Vec::new();
    for public_url in ["http://chat.test", "http://other.test", "http://third.test"] {
        let settings = Settings::clone(&desk.service.settings());
        desk.service.reconfigure(Settings { public_url: public_url.to_owned(), ..settings });
        // The first has been told live; the others read what is at hand of the last changes.
        let mut later = watch(&desk, &admin, Some(after.clone())).await;
        ready(&mut later).await;
        let mut told = vec![&mut later];
        if urls.is_empty() {
            told.insert(0, &mut live);
        }
        for frames in told {
            let message = change(frames).await.message.expect("a message");
            urls.push(message.sources[0].url.clone());
        }
    }
    let hosts: Vec<_> =
        urls.iter().filter_map(|it| it.strip_suffix(&format!("/a/{article}"))).collect();
    assert_eq!(
        hosts,
        ["http://chat.test", "http://chat.test", "http://other.test", "http://third.test"]
    );
}

#[tokio::test]
async fn a_stream_of_one_conversation_names_the_change_before_each() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let head = ready(&mut watch(&desk, &admin, None).await).await;
    let number = desk.start(&admin, "Hello").await.number;
    desk.start(&admin, "Another").await;
    let note = v1::AddNoteRequest {
        client_id: client_id(),
        conversation: number.to_string(),
        content: "a regular".to_owned(),
    };
    within(desk.conversations(&admin).add_note(note)).await.expect("note");
    let request = v1::WatchRequest { after: Some(head), conversation: number.to_string() };
    let frames = within(desk.watching(&admin).watch(request)).await.expect("watch");
    let mut frames = frames.into_inner();
    ready(&mut frames).await;
    let mut prev = 0;
    loop {
        let change = change(&mut frames).await;
        assert_eq!(change.prev, prev);
        assert!(position(&change) > prev);
        assert_eq!(change.conversation.map(|it| it.number), Some(number));
        if change.kind == "NoteAdded" {
            break;
        }
        prev = change.cursor.expect("cursor").position;
    }
}

#[tokio::test]
async fn fault_34_fault_35_a_cursor_that_cannot_be_resumed_is_reset() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let head = ready(&mut watch(&desk, &admin, None).await).await;
    let cursor = |epoch: &str, position| v1::Cursor { epoch: epoch.to_owned(), position };
    let bad = [
        cursor(&head.epoch, head.position + 1),
        cursor(&head.epoch, u64::MAX),
        cursor("0190a0c8-5e3a-7c11-9f3e-2b1c7d4e5f60", 1),
        cursor("no epoch", 1),
        cursor("", 0),
    ];
    for after in bad {
        let mut frames = watch(&desk, &admin, Some(after.clone())).await;
        match next(&mut frames).await {
            Ok(Frame::Reset(reset)) => assert_eq!(reset.head.as_ref(), Some(&head), "{after:?}"),
            other => panic!("no reset for {after:?}: {other:?}"),
        }
        assert!(within(frames.message()).await.expect("no error").is_none(), "the stream ends");
    }
    let mut frames = watch(&desk, &admin, Some(head.clone())).await;
    assert_eq!(ready(&mut frames).await, head);
}

#[tokio::test]
async fn fault_89_a_stream_ends_with_its_session() {
    let desk = Desk::open().await;
    let shop = desk.found("shop", "correct horse battery").await;
    let request = v1::CreateSessionRequest {
        email: "admin@shop.test".to_owned(),
        password: "correct horse battery".to_owned(),
        organization: "shop".to_owned(),
    };
    let session = within(desk.sessions("").create_session(request)).await.expect("signed in");
    let session = session.into_inner();
    assert_eq!(session.user.map(|it| it.id), Some(shop.admin.id));
    let mut frames = watch(&desk, &session.token, None).await;
    ready(&mut frames).await;
    let request = v1::EndSessionRequest { client_id: client_id(), session_id: String::new() };
    within(desk.sessions(&session.token).end_session(request)).await.expect("ended");
    let status = end(&mut frames).await;
    assert_eq!((status.code(), code(&status).as_str()), (Code::Unauthenticated, "session_ended"));
    let again = v1::WatchRequest { after: None, conversation: String::new() };
    let again = within(desk.watching(&session.token).watch(again)).await.expect_err("refused");
    assert_eq!(again.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_stream_ends_with_its_key_while_others_go_on() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let (_, key, secret) = desk.agent("agent2", None).await;
    let mut theirs = watch(&desk, &secret, None).await;
    ready(&mut theirs).await;
    let mut ours = watch(&desk, &admin, None).await;
    ready(&mut ours).await;
    let request = v1::RevokeKeyRequest { client_id: client_id(), key_id: key.id };
    within(desk.keys(&admin).revoke_key(request)).await.expect("revoked");
    let status = end(&mut theirs).await;
    assert_eq!((status.code(), code(&status).as_str()), (Code::Unauthenticated, "session_ended"));
    assert_eq!(change(&mut ours).await.kind, "KeyRevoked");
}

#[tokio::test]
async fn fault_89_the_streams_of_a_disabled_user_end_within_a_second() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let (user, _, key) = desk.agent("agent2", None).await;
    let request = v1::ResetUserRequest { client_id: client_id(), user: user.id.clone() };
    let code_of = within(desk.users(&admin).reset_user(request)).await.expect("reset").into_inner();
    let request = v1::AcceptInviteRequest {
        code: code_of.code,
        password: "correct horse battery".to_owned(),
    };
    let accepted = within(desk.sessions("").accept_invite(request)).await.expect("accepted");
    let session = accepted.into_inner().token;
    let mut by_key = watch(&desk, &key, None).await;
    ready(&mut by_key).await;
    let mut by_session = watch(&desk, &session, None).await;
    ready(&mut by_session).await;
    let mut ours = watch(&desk, &admin, None).await;
    ready(&mut ours).await;

    let request = v1::DisableUserRequest { client_id: client_id(), user: "agent2".to_owned() };
    let before = std::time::Instant::now();
    let disabled = within(desk.users(&admin).disable_user(request)).await.expect("disabled");
    assert!(disabled.into_inner().user.is_some_and(|it| it.disabled_at.is_some()));
    for frames in [&mut by_key, &mut by_session] {
        let status = end(frames).await;
        let told = (status.code(), code(&status));
        assert_eq!(told, (Code::Unauthenticated, "session_ended".to_owned()));
    }
    assert!(before.elapsed() < std::time::Duration::from_secs(1));
    let seen = change(&mut ours).await;
    assert_eq!((seen.kind.as_str(), seen.user.map(|it| it.id)), ("UserDisabled", Some(user.id)));

    let request = v1::EnableUserRequest { client_id: client_id(), user: "agent2".to_owned() };
    within(desk.users(&admin).enable_user(request)).await.expect("enabled");
    for token in [&key, &session] {
        let who = within(desk.sessions(token).get_session(v1::GetSessionRequest {})).await;
        assert_eq!(who.expect_err("ended for good").code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_token_runs_out() {
    let desk = Desk::open_with(quick()).await;
    let (_, _, secret) = desk.agent("agent2", Some(1_000)).await;
    let mut frames = watch(&desk, &secret, None).await;
    ready(&mut frames).await;
    assert!(matches!(next(&mut frames).await, Ok(Frame::Heartbeat(_))));
    desk.later(1_000);
    let status = end(&mut frames).await;
    assert_eq!((status.code(), code(&status).as_str()), (Code::Unauthenticated, "session_ended"));
}

#[tokio::test]
async fn typing_reaches_the_stream() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let conversation = desk.start(&admin, "Hello").await;
    let mut frames = watch(&desk, &admin, None).await;
    ready(&mut frames).await;
    let request =
        v1::SetTypingRequest { conversation: conversation.number.to_string(), note: true };
    within(desk.conversations(&admin).set_typing(request)).await.expect("typing");
    let Ok(Frame::Typing(typing)) = next(&mut frames).await else { panic!("no typing") };
    assert_eq!((typing.conversation_id, typing.note), (conversation.id, true));
    let actor = typing.actor.expect("actor");
    assert_eq!((actor.user_id, actor.name.as_str()), (desk.acme.admin.id.clone(), "admin"));
}

#[tokio::test]
async fn an_answer_in_the_making_reaches_the_stream() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let conversation = desk.start(&admin, "How?").await;
    let (id, number) = (conversation.id, conversation.number.to_string());
    let mut frames = watch(&desk, &admin, None).await;
    ready(&mut frames).await;
    let organization = desk.service.authenticate(&admin).await.expect("the admin").organization;
    let actor = Actor::assistant(organization);
    let of = id.parse().expect("an id");
    let turn = 1;
    let mut answer = desk.service.answer_stream(&actor, of, turn).expect("the assistant's");
    for (n, text) in (0..).zip(["It", " is."]) {
        answer.say(text).await.expect("told");
        let part = v1::Stream { conversation_id: id.clone(), turn, n, text: text.to_owned() };
        assert_eq!(next(&mut frames).await.expect("a frame"), Frame::Stream(part));
    }
    let request =
        v1::ClaimConversationRequest { client_id: client_id(), conversation: number, take: true };
    within(desk.conversations(&admin).claim_conversation(request)).await.expect("claimed");
    assert_eq!(change(&mut frames).await.kind, "Claimed");
    assert_eq!(answer.say(" So.").await.err().map(|it| it.code), Some("stale_turn"));
    let dropped = v1::Dropped { conversation_id: id, turn };
    assert_eq!(next(&mut frames).await.expect("a frame"), Frame::Dropped(dropped));
}

#[tokio::test]
async fn a_stop_ends_streams_and_connections_and_turns_the_probe() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let mut frames = watch(&desk, &admin, None).await;
    ready(&mut frames).await;
    let status = v1::GetServerStatusRequest {};
    let told = async |key: &str| {
        within(desk.servers(key).get_server_status(status)).await.expect("status").into_inner()
    };
    assert_eq!(told(&desk.operator).await.streams, 1);
    // How many streams all organizations have is no organization's business.
    assert_eq!(told(&admin).await.streams, 0);

    let mut probe = HealthClient::new(desk.channel.clone());
    let request = HealthCheckRequest { service: String::new() };
    let mut health = within(probe.watch(request)).await.expect("health").into_inner();
    let serving = within(health.message()).await.expect("health").expect("a status");
    assert_eq!(serving.status().as_str_name(), "SERVING");

    desk.stop.cancel();
    let status = end(&mut frames).await;
    assert_eq!((status.code(), code(&status).as_str()), (Code::Unavailable, "draining"));
    let stopped = within(health.message()).await.expect("health").expect("a status");
    assert_eq!(stopped.status().as_str_name(), "NOT_SERVING");
    assert!(within(health.message()).await.expect("the end").is_none());
    desk.tasks.close();
    within(desk.tasks.wait()).await;
}
