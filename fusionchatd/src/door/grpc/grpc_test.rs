//! The calls through generated clients, over a real connection.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, Bytes};
use fusionchat_proto::v1;
use fusionchat_proto::v1::organization_service_client::OrganizationServiceClient;
use http::uri::PathAndQuery;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::harness_test::{Desk, client_id, code, within};
use super::health;

fn reply(conversation: u64, id: &str, content: &str) -> v1::PostMessageRequest {
    v1::PostMessageRequest {
        client_id: id.to_owned(),
        conversation: conversation.to_string(),
        content: content.to_owned(),
        sender_type: v1::SenderType::Unspecified.into(),
    }
}

fn claim(conversation: u64) -> v1::ClaimConversationRequest {
    v1::ClaimConversationRequest {
        client_id: client_id(),
        conversation: conversation.to_string(),
        take: false,
    }
}

fn get(conversation: &str) -> v1::GetConversationRequest {
    v1::GetConversationRequest { conversation: conversation.to_owned() }
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_address_get_one_answer() {
    let desk = Desk::open().await;
    desk.found("shop", "correct horse battery").await;
    let mut sessions = desk.sessions("");
    let mut sign_in = async |email: &str, password: &str| {
        let request = v1::CreateSessionRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            organization: String::new(),
        };
        within(sessions.create_session(request)).await.map(tonic::Response::into_inner)
    };
    let password = sign_in("admin@shop.test", "wrong horse battery").await.expect_err("wrong");
    let address = sign_in("nobody@shop.test", "correct horse battery").await.expect_err("wrong");
    assert_eq!(code(&password), "wrong_credentials");
    assert_eq!(public(&password), public(&address));

    let signed_in = sign_in("Admin@Shop.test", "correct horse battery").await.expect("signed in");
    let who = within(desk.sessions(&signed_in.token).get_session(v1::GetSessionRequest {})).await;
    let who = who.expect("identity").into_inner();
    assert_eq!(who.kind, "session");
    assert_eq!(who.user.and_then(|it| it.email).as_deref(), Some("admin@shop.test"));
    assert_eq!(who.organization.map(|it| it.name).as_deref(), Some("shop"));
}

/// Everything a caller can see of a failure.
fn public(status: &Status) -> (Code, String, Vec<u8>) {
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

#[tokio::test]
async fn of_two_claims_one_wins_and_the_other_learns_who_did() {
    let desk = Desk::open().await;
    let number = desk.start(&desk.acme.admin_key, "Where is my order?").await.number;
    let (agent, _, key) = desk.agent("agent2", None).await;
    let mut first = desk.conversations(&desk.acme.admin_key);
    let mut second = desk.conversations(&key);
    let (first, second) = within(async {
        tokio::join!(
            first.claim_conversation(claim(number)),
            second.claim_conversation(claim(number))
        )
    })
    .await;
    let (won, lost) = match (first, second) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won.into_inner(), lost),
        both => panic!("not one winner: {both:?}"),
    };
    let assignee = won.conversation.and_then(|it| it.assignee).expect("assignee");
    assert_eq!(lost.code(), Code::Aborted);
    let problem = fusionchat_proto::problem(&lost).expect("problem");
    assert_eq!(problem.code, "already_claimed");
    let name = if assignee == agent.id { "agent2" } else { "admin" };
    assert_eq!(problem.params.get("by").map(String::as_str), Some(name));
    assert_eq!(problem.params.get("byId"), Some(&assignee));
    assert!(problem.params.contains_key("since"));
    assert!(!problem.hint.is_empty());
}

#[tokio::test]
async fn a_repeat_gets_the_same_numbers_and_another_body_is_refused() {
    let desk = Desk::open().await;
    let number = desk.start(&desk.acme.admin_key, "Hello").await.number;
    let mut client = desk.conversations(&desk.acme.admin_key);
    within(client.claim_conversation(claim(number))).await.expect("claim");
    let id = client_id();
    let first = within(client.post_message(reply(number, &id, "Hi!"))).await.expect("reply");
    let again = within(client.post_message(reply(number, &id, "Hi!"))).await.expect("repeat");
    let (first, again) = (first.into_inner().message, again.into_inner().message);
    assert!(first.is_some());
    assert_eq!(first, again);
    assert_eq!(first.map(|it| it.client_id).as_deref(), Some(id.as_str()));

    let other = within(client.post_message(reply(number, &id, "Bye!"))).await.expect_err("reused");
    assert_eq!((other.code(), code(&other).as_str()), (Code::Aborted, "client_id_reused"));
    for bad in ["", "00", "00112233445566778899AABBCCDDEEFF"] {
        let status = within(client.post_message(reply(number, bad, "x"))).await.expect_err("bad");
        assert_eq!(status.code(), Code::InvalidArgument, "{bad:?}");
        let problem = fusionchat_proto::problem(&status).expect("problem");
        assert_eq!(problem.code, "invalid_argument");
        assert!(!problem.hint.is_empty());
    }
}

#[tokio::test]
async fn what_is_absent_foreign_or_garbled_gets_the_same_bytes() {
    let desk = Desk::open().await;
    let other = desk.found("other", "").await;
    let foreign = desk.start(&other.admin_key, "Theirs").await;
    let mut client = desk.conversations(&desk.acme.admin_key);
    let mut seen = BTreeSet::new();
    for text in ["9999", "", "x", "0190a0c8-5e3a-7c11-9f3e-2b1c7d4e5f60", foreign.id.as_str()] {
        let status = within(client.get_conversation(get(text))).await.expect_err("not found");
        assert_eq!(status.code(), Code::NotFound, "{text:?}");
        seen.insert((status.message().to_owned(), status.details().to_vec()));
    }
    assert_eq!(seen.len(), 1);
    within(desk.conversations(&other.admin_key).get_conversation(get(&foreign.id)))
        .await
        .expect("their own");
}

#[tokio::test]
async fn a_sender_type_that_is_not_the_credentials_is_refused() {
    let desk = Desk::open().await;
    let number = desk.start(&desk.acme.admin_key, "Hello").await.number;
    let mut client = desk.conversations(&desk.acme.admin_key);
    within(client.claim_conversation(claim(number))).await.expect("claim");
    let mut post = async |sender_type: i32| {
        let request = v1::PostMessageRequest { sender_type, ..reply(number, &client_id(), "x") };
        within(client.post_message(request)).await
    };
    let refused = post(v1::SenderType::Assistant.into()).await.expect_err("refused");
    assert_eq!(code(&refused), "sender_type_mismatch");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let unknown = post(4711).await.expect_err("a number of a later version");
    assert_eq!(unknown.code(), Code::InvalidArgument);
    assert_eq!(code(&unknown), "invalid_argument");
    let sender = |posted: tonic::Response<v1::PostMessageResponse>| {
        posted.into_inner().message.expect("message").sender_type()
    };
    let agent = post(v1::SenderType::Agent.into()).await.expect("as an agent");
    assert_eq!(sender(agent), v1::SenderType::Agent);
    let visitor = post(v1::SenderType::User.into()).await.expect("a key for the visitor");
    assert_eq!(sender(visitor), v1::SenderType::User);
}

#[tokio::test]
async fn the_queue_names_who_waits_and_an_assignment_ends_the_waiting() {
    let desk = Desk::open().await;
    let admin = desk.acme.admin_key.clone();
    let number = desk.start(&admin, "I need a person").await.number;
    let (agent, _, _) = desk.agent("agent2", None).await;
    let request = v1::EscalateConversationRequest {
        client_id: client_id(),
        conversation: number.to_string(),
        reason: "angry".to_owned(),
    };
    within(desk.conversations(&admin).escalate_conversation(request)).await.expect("escalated");
    let mut client = desk.escalations(&admin);
    let queue = within(client.list_escalations(v1::ListEscalationsRequest { limit: 0 })).await;
    let queue = queue.expect("queue").into_inner();
    let [row] = queue.waiting.as_slice() else { panic!("one waits: {queue:?}") };
    assert_eq!((row.visitor_name.as_str(), row.inbox_name.as_str()), ("", "web"));
    assert_eq!(row.last_line, "I need a person");
    let waiting = row.escalation.clone().expect("escalation");
    assert_eq!((waiting.number, waiting.reason.as_str()), (number, "angry"));

    let request = v1::AssignEscalationRequest {
        client_id: client_id(),
        conversation: number.to_string(),
        to: "agent2".to_owned(),
        take: false,
    };
    for _ in 0..2 {
        let ended = within(client.assign_escalation(request.clone())).await.expect("assigned");
        let ended = ended.into_inner().escalation.expect("escalation");
        assert_eq!(ended.id, waiting.id);
        assert_eq!(ended.claimed_by.as_deref(), Some(agent.id.as_str()));
        assert_eq!(ended.outcome(), v1::EscalationOutcome::Claimed);
    }
    let queue = within(client.list_escalations(v1::ListEscalationsRequest { limit: 0 })).await;
    assert!(queue.expect("queue").into_inner().waiting.is_empty());
}

#[tokio::test]
async fn every_call_needs_a_staff_credential() {
    let desk = Desk::open().await;
    let list = v1::ListConversationsRequest::default;
    for token in ["", "fus_live_x", "fus_sess_x", "fus_vis_x", "x"] {
        let status = within(desk.conversations(token).list_conversations(list())).await;
        let status = status.expect_err("refused");
        assert_eq!(status.code(), Code::Unauthenticated, "{token:?}");
        assert_eq!(code(&status), "sign_in_needed");
    }
    let operator = within(desk.conversations(&desk.operator).list_conversations(list())).await;
    assert_eq!(operator.expect_err("refused").code(), Code::PermissionDenied);

    let mut inboxes = desk.inboxes(&desk.acme.admin_key);
    let inbox = within(inboxes.list_inboxes(v1::ListInboxesRequest {})).await.expect("inboxes");
    let inbox = inbox.into_inner().inboxes[0].id.parse().expect("id");
    let guest = desk.service.welcome(inbox, "https://acme.test", None).await.expect("guest");
    let visitor = within(desk.conversations(&guest.token).list_conversations(list())).await;
    assert_eq!(visitor.expect_err("refused").code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let desk = Desk::open().await;
    let mut keys = desk.keys(&desk.acme.admin_key);
    let request = v1::CreateKeyRequest {
        client_id: client_id(),
        name: "ci".to_owned(),
        scopes: vec!["conversation:read".to_owned()],
        ttl_ms: None,
    };
    let first = within(keys.create_key(request.clone())).await.expect("key").into_inner();
    let again = within(keys.create_key(request)).await.expect("repeat").into_inner();
    assert_eq!(first.key, again.key);
    assert!(first.secret.starts_with("fus_live_"));
    assert_eq!(again.secret, "");

    let mut reader = desk.conversations(&first.secret);
    within(reader.list_conversations(v1::ListConversationsRequest::default())).await.expect("read");
    let number = desk.start(&desk.acme.admin_key, "Hello").await.number;
    let refused = within(reader.claim_conversation(claim(number))).await.expect_err("no scope");
    assert_eq!(code(&refused), "forbidden");

    let mut organizations = OrganizationServiceClient::new(desk.channel.clone());
    let listed = organizations.list_organizations(v1::ListOrganizationsRequest {});
    assert_eq!(within(listed).await.expect_err("no key").code(), Code::Unauthenticated);
}

#[tokio::test]
async fn reflection_and_health_name_every_service() {
    let desk = Desk::open().await;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(desk.channel.clone());
    let request = futures::stream::iter([request]);
    let answers = within(reflection.server_reflection_info(request)).await.expect("reflection");
    let answer = within(answers.into_inner().message()).await.expect("answer").expect("answer");
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else {
        panic!("no list: {answer:?}")
    };
    let listed = listed.service.into_iter().map(|it| it.name);
    let ours: BTreeSet<String> = listed.filter(|name| name.starts_with("fusionchat.")).collect();
    let known = health::NAMES.iter().filter(|name| !name.is_empty());
    assert_eq!(ours, known.map(|name| (*name).to_owned()).collect());

    let mut probe = HealthClient::new(desk.channel.clone());
    for name in health::NAMES {
        let request = HealthCheckRequest { service: name.to_owned() };
        let answer = within(probe.check(request)).await.expect("health").into_inner();
        assert_eq!(answer.status().as_str_name(), "SERVING", "{name:?}");
    }
    let request = HealthCheckRequest { service: "fusionchat.v1.NoService".to_owned() };
    assert_eq!(within(probe.check(request)).await.expect_err("unknown").code(), Code::NotFound);
}

/// Sends bytes as they are.
pub(super) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_are_an_error_of_that_call_alone() {
    let desk = Desk::open().await;
    let mut raw = tonic::client::Grpc::new(desk.channel.clone());
    let large = Bytes::from(vec![0x0a; fusionchat_proto::MESSAGE_BYTES_MAX + 1]);
    let bodies = [Bytes::from_static(&[0xff; 64]), Bytes::from_static(&[0x0a, 0x7f]), large];
    for body in bodies {
        within(raw.ready()).await.expect("ready");
        let path = PathAndQuery::from_static("/fusionchat.v1.SessionService/CreateSession");
        let answer = within(raw.unary(Request::new(body), path, Raw)).await;
        assert_ne!(answer.expect_err("refused").code(), Code::Unknown);
    }
    within(
        desk.conversations(&desk.acme.admin_key)
            .list_conversations(v1::ListConversationsRequest::default()),
    )
    .await
    .expect("the same connection goes on");
}
