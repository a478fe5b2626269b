//! Protobuf that means no good, and protobuf of a newer client.

use bytes::{BufMut, Bytes, BytesMut};
use fusionchat_proto::v1;
use http::uri::PathAndQuery;
use prost::Message;
use tonic::{Code, Request, Status};

use super::grpc_test::Raw;
use super::harness_test::{Bearer, Desk, client_id, within};

/// How deep the bomb nests.
const NESTING: usize = 200_000;
const CREATE_SESSION: &str = "/fusionchat.v1.SessionService/CreateSession";
const LIST: &str = "/fusionchat.v1.ConversationService/ListConversations";
const POST: &str = "/fusionchat.v1.ConversationService/PostMessage";

/// One call with a body as it is.
async fn call(desk: &Desk, token: &str, path: &'static str, body: Bytes) -> Result<Bytes, Status> {
    let line = tonic::service::interceptor::InterceptedService::new(
        desk.channel.clone(),
        Bearer::of(token),
    );
    let mut raw = tonic::client::Grpc::new(line);
    within(raw.ready()).await.expect("ready");
    let path = PathAndQuery::from_static(path);
    within(raw.unary(Request::new(body), path, Raw)).await.map(tonic::Response::into_inner)
}

/// A field of a number nobody has, of every wire type.
fn unknown_fields(body: &mut BytesMut) {
    for (wire, value) in [(0, &[1][..]), (1, &[0; 8]), (2, &[3, b'n', b'e', b'w']), (5, &[0; 4])] {
        let mut tag = vec![];
        prost::encoding::encode_varint(1_999 << 3 | wire, &mut tag);
        body.put_slice(&tag);
        body.put_slice(value);
    }
}

#[tokio::test]
async fn fault_20_protobuf_bombs_are_invalid_arguments() {
    let desk = Desk::open().await;
    // A length of 2^63 - 1, groups in groups, a varint without an end, and text that is none.
    let mut endless = vec![0x0a];
    prost::encoding::encode_varint(i64::MAX.unsigned_abs(), &mut endless);
    let groups = vec![0x0b; NESTING];
    for body in [endless, groups, vec![0xff; 64], vec![0x0a, 0x02, 0xc0, 0xaf]] {
        let refused = call(&desk, "", CREATE_SESSION, body.into()).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
    let list = v1::ListConversationsRequest::default();
    let key = &desk.acme.admin_key;
    call(&desk, key, LIST, list.encode_to_vec().into()).await.expect("the door goes on");
}

#[tokio::test]
async fn fault_21_what_a_newer_client_says_is_ignored_or_refused() {
    let desk = Desk::open().await;
    let key = &desk.acme.admin_key;
    let mut body = BytesMut::new();
    v1::ListConversationsRequest::default().encode(&mut body).expect("room");
    unknown_fields(&mut body);
    call(&desk, key, LIST, body.freeze()).await.expect("unknown fields are passed over");
    let newer = v1::PostMessageRequest {
        client_id: client_id(),
        conversation: "1001".to_owned(),
        content: "hello".to_owned(),
        sender_type: 99,
    };
    let refused = call(&desk, key, POST, newer.encode_to_vec().into()).await.expect_err("refused");
    assert!(matches!(refused.code(), Code::InvalidArgument | Code::NotFound), "{refused:?}");
    let newer = v1::ListConversationsRequest { statuses: vec![99], ..Default::default() };
    let refused = call(&desk, key, LIST, newer.encode_to_vec().into()).await.expect_err("refused");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
}
