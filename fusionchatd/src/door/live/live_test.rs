//! The widget's socket, driven by a real client over a real port.

use std::time::Duration;

use futures::SinkExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use uuid::Uuid;

use crate::door::harness::{Daemon, SHOP, client_id, found, patient, soon};
use crate::door::http::HttpOptions;
use crate::service::limit::Limits;

/// Waits for the code of an error frame.
async fn refused(client: &mut crate::door::harness::Client) -> String {
    client.until("error").await["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn fault_05_foreign_origin_is_refused_before_the_upgrade() {
    let daemon = Daemon::start().await;
    for origin in [None, Some("https://evil.example"), Some("null"), Some(SHOP)] {
        assert_eq!(daemon.socket_from(origin).await.err(), Some(403), "{origin:?}");
    }
    assert!(daemon.socket_from(Some("https://chat.example")).await.is_ok(), "the public URL's");
    daemon.end().await;
}

#[tokio::test]
async fn fault_04_a_socket_without_a_hello_is_closed() {
    let options = HttpOptions { hello_timeout: Duration::from_millis(20), ..patient() };
    let daemon = Daemon::start_with(options, Limits::default()).await;
    assert_eq!(daemon.socket().await.closed().await, 4001);
    daemon.end().await;
}

#[tokio::test]
async fn another_first_frame_than_hello_is_closed() {
    let daemon = Daemon::start().await;
    let mut client = daemon.socket().await;
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(refused(&mut client).await, "hello_needed");
    assert_eq!(client.closed().await, 4001);
    let (mut client, _) = daemon.visitor(json!({})).await;
    client.hello(&daemon.inbox(), json!({})).await;
    assert_eq!(client.closed().await, 1008);
    daemon.end().await;
}

#[tokio::test]
async fn a_refused_inbox_or_origin_closes_with_4003_and_a_bad_session_with_4002() {
    let daemon = Daemon::start().await;
    for (inbox, extra, code, close) in [
        (daemon.inbox(), json!({ "origin": "https://evil.example" }), "origin_not_allowed", 4003),
        (daemon.inbox(), json!({ "origin": "null" }), "origin_not_allowed", 4003),
        ("web".to_owned(), json!({}), "not_found", 4003),
        (daemon.service.new_id().to_string(), json!({}), "origin_not_allowed", 4003),
        (daemon.inbox(), json!({ "session": "fus_vis_x.y" }), "sign_in_needed", 4002),
    ] {
        let mut client = daemon.socket().await;
        client.hello(&inbox, extra).await;
        assert_eq!(refused(&mut client).await, code);
        assert_eq!(client.closed().await, close, "{code}");
    }
    daemon.end().await;
}

#[tokio::test]
async fn a_first_message_is_acknowledged_echoed_and_thought_about() {
    let daemon = Daemon::start().await;
    let (mut client, welcome) = daemon.visitor(json!({ "locale": "en-GB" })).await;
    assert_eq!(welcome["organization"], "acme");
    assert_eq!(welcome["inbox"]["assistant"], "on");
    assert_eq!(welcome.get("conversation"), None);
    client.message(1, "hello").await;
    let ack = client.next().await;
    assert_eq!((&ack["type"], &ack["clientId"]), (&json!("ack"), &json!(client_id(1))));
    assert_eq!(ack["seq"], 1);
    assert_eq!(client.next().await, json!({ "type": "typing", "by": "assistant" }));
    let message = client.until("message").await;
    assert_eq!(message["id"], ack["id"]);
    assert_eq!(message["conversation"], ack["conversation"]);
    assert_eq!(message["clientId"], json!(client_id(1)));
    assert_eq!((&message["senderType"], &message["content"]), (&json!("user"), &json!("hello")));
    assert_eq!(message.get("position"), None, "a visitor must not learn the traffic");
    let number = |value: &Value| Some(value.as_str()?.parse::<Uuid>().ok()?.as_u128());
    let (id, conversation) = (number(&message["id"]), number(&message["conversation"]));
    assert_eq!(id.zip(conversation).map(|(a, b)| a ^ b), Some(1), "not by its id either");
    let status = client.until("status").await;
    assert_eq!(status["conversation"]["status"], "open");
    daemon.end().await;
}

#[tokio::test]
async fn fault_31_lost_ack_retries_get_the_same_seq() {
    let daemon = Daemon::start().await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    let mut acks = Vec::new();
    for _ in 0..5 {
        client.message(7, "once").await;
        acks.push(client.until("ack").await);
    }
    assert!(acks.windows(2).all(|pair| pair[0] == pair[1]), "{acks:?}");
    client.message(8, "twice").await;
    assert_eq!(client.until("ack").await["seq"], 2, "one message was written");
    daemon.end().await;
}

#[tokio::test]
async fn fault_32_two_tabs_same_client_id() {
    let daemon = Daemon::start().await;
    let (mut first, welcome) = daemon.visitor(json!({})).await;
    first.message(1, "hello").await;
    first.until("ack").await;
    let (mut second, _) = daemon.visitor(json!({ "session": welcome["session"] })).await;
    second.until("live").await;
    first.message(2, "both").await;
    second.message(2, "both").await;
    let (one, other) = (first.until("ack").await, second.until("ack").await);
    assert_eq!(one, other);
    first.message(3, "after").await;
    assert_eq!(first.until("ack").await["seq"], 3);
    let mut seqs = Vec::new();
    while seqs.last() != Some(&json!(3)) {
        seqs.push(second.until("message").await["seq"].clone());
    }
    assert_eq!(seqs, [json!(1), json!(2), json!(3)][3 - seqs.len()..], "each once, in order");
    daemon.end().await;
}

#[tokio::test]
async fn fault_33_same_client_id_other_body() {
    let daemon = Daemon::start().await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    client.message(1, "one").await;
    client.until("ack").await;
    client.message(1, "other").await;
    let error = client.until("error").await;
    assert_eq!(error["code"], "client_id_reused");
    assert_eq!(error["clientId"], json!(client_id(1)));
    assert!(error["params"]["original"].is_string(), "{error}");
    assert_eq!(error.get("retryAfterMs"), None, "final");
    daemon.end().await;
}

/// A conversation of `count` messages; the session, and the welcome's epoch.
async fn talk(daemon: &Daemon, count: u64) -> (Value, Value, String) {
    let (mut client, welcome) = daemon.visitor(json!({})).await;
    let mut conversation = Value::Null;
    for number in 1..=count {
        client.message(number.into(), &format!("message {number}")).await;
        conversation = client.until("ack").await["conversation"].clone();
    }
    let id = conversation.as_str().unwrap_or_default().to_owned();
    (welcome["session"].clone(), welcome["epoch"].clone(), id)
}

/// The seqs up to `live`, and what stood before them.
async fn replay(daemon: &Daemon, extra: Value) -> (Vec<u64>, bool) {
    let (mut client, _) = daemon.visitor(extra).await;
    let (mut seqs, mut reset) = (Vec::new(), false);
    loop {
        let frame = client.next().await;
        match frame["type"].as_str() {
            Some("message") => seqs.push(frame["seq"].as_u64().expect("a seq")),
            Some("reset") => reset = true,
            Some("live") => {
                assert_eq!(frame["lastSeq"].as_u64(), seqs.last().copied().or(Some(3)));
                return (seqs, reset);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn resume_replays_exactly_what_came_after() {
    let daemon = Daemon::start().await;
    let (session, epoch, conversation) = talk(&daemon, 3).await;
    let resume = |seq: u64| {
        let resume = json!({ "conversation": conversation, "epoch": epoch, "seq": seq });
        json!({ "session": session, "resume": resume })
    };
    assert_eq!(replay(&daemon, resume(1)).await, (vec![2, 3], false));
    assert_eq!(replay(&daemon, resume(3)).await, (vec![], false));
    assert_eq!(replay(&daemon, json!({ "session": session })).await, (vec![1, 2, 3], false));
    daemon.end().await;
}

#[tokio::test]
async fn fault_34_and_35_a_cursor_that_cannot_be_resumed_is_reset() {
    let limits = Limits { hellos_per_minute: 100, ..Limits::default() };
    let daemon = Daemon::start_with(patient(), limits).await;
    let (session, epoch, conversation) = talk(&daemon, 3).await;
    let other = daemon.service.new_id().to_string();
    for resume in [
        json!({ "conversation": conversation, "epoch": epoch, "seq": 4 }),
        json!({ "conversation": conversation, "epoch": epoch, "seq": -1 }),
        json!({ "conversation": conversation, "epoch": other, "seq": 1 }),
        json!({ "conversation": other, "epoch": epoch, "seq": 1 }),
        json!({ "conversation": 7 }),
        json!("garbage"),
    ] {
        let extra = json!({ "session": session, "resume": resume });
        assert_eq!(replay(&daemon, extra).await, (vec![1, 2, 3], true));
    }
    let (mut client, _) = daemon.visitor(json!({ "resume": { "seq": 1 } })).await;
    assert_eq!(client.next().await["type"], "reset", "a fresh visitor has nothing to resume");
    assert_eq!(client.next().await, json!({ "type": "live", "lastSeq": 0 }));
    daemon.end().await;
}

#[tokio::test]
async fn a_long_conversation_is_replayed_from_its_last_200_messages() {
    let limits = Limits { messages_per_minute: 60_000, message_burst: 10_000, ..Limits::default() };
    let daemon = Daemon::start_with(patient(), limits).await;
    let (session, epoch, conversation) = talk(&daemon, 230).await;
    let (mut client, _) = daemon.visitor(json!({ "session": session })).await;
    assert_eq!(client.next().await["seq"], 31);
    let resume = json!({ "conversation": conversation, "epoch": epoch, "seq": 5 });
    let (mut client, _) = daemon.visitor(json!({ "session": session, "resume": resume })).await;
    for seq in 6..=230 {
        assert_eq!(client.next().await["seq"], seq);
    }
    assert_eq!(client.next().await, json!({ "type": "live", "lastSeq": 230 }));
    daemon.end().await;
}

#[tokio::test]
async fn fault_08_09_10_12_13_frames_that_are_no_text_of_ours_close() {
    let daemon = Daemon::start().await;
    let data = |opcode: Data, bytes: Vec<u8>| {
        Message::Frame(Frame::message(bytes, OpCode::Data(opcode), true))
    };
    let mut reserved = Frame::message(b"{}".to_vec(), OpCode::Data(Data::Text), true);
    reserved.header_mut().rsv1 = true;
    for (message, close) in [
        (data(Data::Text, vec![0xc0, 0xaf]), 1007),
        (data(Data::Text, vec![b' '; 64 * 1024 + 1]), 1009),
        (data(Data::Reserved(3), Vec::new()), 1002),
        (Message::Frame(reserved), 1002),
        (Message::Ping(vec![0; 126].into()), 1002),
        (Message::binary(b"{}".to_vec()), 1003),
    ] {
        let (mut client, _) = daemon.visitor(json!({})).await;
        client.push(message).await;
        assert_eq!(client.closed().await, close);
    }
    daemon.end().await;
}

#[tokio::test]
async fn fault_07_08_12_raw_frames_that_break_the_protocol_close() {
    let daemon = Daemon::start().await;
    let endless = [&[0x81, 0xff, 0x80][..], &[0; 11]].concat();
    for (bytes, close) in [
        (endless.as_slice(), 1009),
        // Unmasked.
        (&[0x81, 0x02, b'{', b'}'], 1002),
        // A ping in two parts.
        (&[0x09, 0x80, 0, 0, 0, 0], 1002),
        // A continuation of nothing.
        (&[0x80, 0x80, 0, 0, 0, 0], 1002),
    ] {
        let (mut client, _) = daemon.visitor(json!({})).await;
        let stream = client.socket.get_mut();
        soon(stream.write_all(bytes)).await.expect("written");
        assert_eq!(client.closed().await, close, "{bytes:?}");
    }
    daemon.end().await;
}

#[tokio::test]
async fn fault_11_too_many_fragments_close_with_1008() {
    let daemon = Daemon::start().await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    for number in 0..40 {
        let opcode = if number == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(b" ".to_vec(), OpCode::Data(opcode), false);
        // The daemon may have had enough before the last.
        let _ = client.socket.feed(Message::Frame(frame)).await;
    }
    let _ = client.socket.flush().await;
    assert_eq!(client.closed().await, 1008);
    daemon.end().await;
}

#[tokio::test]
async fn fault_22_a_ping_flood_closes_with_1008() {
    let daemon = Daemon::start().await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    for _ in 0..400 {
        if client.socket.feed(Message::Ping(Vec::new().into())).await.is_err() {
            break;
        }
    }
    let _ = client.socket.flush().await;
    assert_eq!(client.closed().await, 1008);
    daemon.end().await;
}

#[tokio::test]
async fn fault_17_18_86_a_frame_is_read_strictly_and_the_socket_lives_on() {
    let daemon = Daemon::start().await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    let deep = format!("{{\"type\":{}", "[".repeat(60_000));
    for (text, code) in [
        (deep.as_str(), "too_deep"),
        (r#"{"type":"ping","type":"end"}"#, "duplicate_key"),
        (r#"{"type":"message","clientId":"a","content":"b","role":"agent"}"#, "unknown_field"),
        (r#"{"type":"message","clientId":"a","content":"b"}"#, "invalid_argument"),
        ("hello", "invalid_json"),
        (r#"{"type":"read","seq":1e400}"#, "bad_number"),
    ] {
        client.push(Message::text(text)).await;
        assert_eq!(refused(&mut client).await, code, "{text:.60}");
    }
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.next().await, json!({ "type": "pong" }));
    client.message(1, "bell\u{7}").await;
    let error = client.until("error").await;
    assert_eq!(
        (&error["code"], &error["clientId"]),
        (&json!("control_character"), &json!(client_id(1)))
    );
    daemon.end().await;
}

#[tokio::test]
async fn over_the_rate_a_message_is_to_be_tried_again() {
    let limits = Limits { message_burst: 2, ..Limits::default() };
    let daemon = Daemon::start_with(patient(), limits).await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    for number in 1..=3 {
        client.message(number, "hello").await;
    }
    let error = client.until("error").await;
    assert_eq!(
        (&error["code"], &error["clientId"]),
        (&json!("rate_limited"), &json!(client_id(3)))
    );
    assert!(error["retryAfterMs"].as_u64().is_some_and(|it| it > 0));
    daemon.end().await;
}

#[tokio::test]
async fn one_address_starts_so_many_conversations_and_one_session_says_so_many_hellos() {
    let limits = Limits { conversations_per_minute: 1, hellos_per_minute: 2, ..Limits::default() };
    let daemon = Daemon::start_with(patient(), limits).await;
    let (mut client, welcome) = daemon.visitor(json!({})).await;
    client.message(1, "hello").await;
    client.until("ack").await;
    client.message(2, "again").await;
    client.until("ack").await;
    let (mut second, _) = daemon.visitor(json!({})).await;
    second.message(3, "hello").await;
    assert_eq!(refused(&mut second).await, "rate_limited");
    for _ in 0..2 {
        daemon.visitor(json!({ "session": welcome["session"] })).await;
    }
    let mut third = daemon.socket().await;
    third.hello(&daemon.inbox(), json!({ "session": welcome["session"] })).await;
    assert!(third.next().await["retryAfterMs"].as_u64().is_some());
    assert_eq!(third.closed().await, 1008);
    daemon.end().await;
}

#[tokio::test]
async fn fault_89_ended_session_closes_the_socket() {
    let daemon = Daemon::start().await;
    let (mut client, welcome) = daemon.visitor(json!({})).await;
    client.message(1, "hello").await;
    client.until("ack").await;
    let (mut other, _) = daemon.visitor(json!({})).await;
    let token = welcome["session"].as_str().expect("a session");
    let ended = daemon.api(token, "DELETE", "/api/auth/session", None).await;
    assert_eq!(ended.status, 204);
    assert_eq!(refused(&mut client).await, "session_ended");
    assert_eq!(client.closed().await, 4002);
    other.say(json!({ "type": "ping" })).await;
    assert_eq!(other.next().await["type"], "pong", "another visitor is not concerned");
    let mut again = daemon.socket().await;
    again.hello(&daemon.inbox(), json!({ "session": token })).await;
    assert_eq!(again.closed().await, 4002);
    daemon.end().await;
}

#[tokio::test]
async fn staff_answers_notes_and_marks_reach_the_visitor_as_they_should() {
    let daemon = Daemon::start().await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    client.message(1, "hello").await;
    let ack = client.until("ack").await;
    client.say(json!({ "type": "person", "clientId": client_id(2) })).await;
    let person = client.until("ack").await;
    assert_eq!(person["conversation"], ack["conversation"]);
    assert_eq!(client.until("message").await["system"]["code"], "escalated");
    let key = daemon.key();
    let path = format!("/api/conversations/{}", ack["conversation"].as_str().expect("an id"));
    let act = |name: &str, body: Value| {
        let (path, key) = (format!("{path}/{name}"), key.clone());
        let daemon = &daemon;
        async move { daemon.api(&key, "POST", &path, Some(body)).await }
    };
    assert_eq!(act("claim", json!({})).await.status, 200);
    assert_eq!(act("notes", json!({ "content": "a secret note" })).await.status, 201);
    assert_eq!(act("messages", json!({ "content": "I am here" })).await.status, 201);
    let claimed = client.until("message").await;
    assert_eq!(claimed["system"]["code"], "claimed");
    assert_eq!(claimed["system"]["params"]["name"], "Ada");
    let reply = client.until("message").await;
    assert_eq!((&reply["senderType"], &reply["senderName"]), (&json!("agent"), &json!("Ada")));
    assert_eq!((&reply["content"], &reply["seq"]), (&json!("I am here"), &json!(4)));
    let actor = daemon.service.authenticate(&key).await.expect("the admin");
    let number = "#1001";
    daemon.service.set_typing(&actor, number, true).await.expect("a note in the making");
    daemon.service.set_typing(&actor, number, false).await.expect("typing");
    assert_eq!(
        client.until("typing").await,
        json!({ "type": "typing", "by": "agent", "name": "Ada" })
    );
    daemon.service.mark_read(&actor, number, 3).await.expect("read");
    assert_eq!(client.until("read").await, json!({ "type": "read", "seq": 3 }));
    client.say(json!({ "type": "end", "clientId": client_id(3) })).await;
    let ended = client.until("message").await;
    assert_eq!(ended["system"], json!({ "code": "resolved", "params": { "by": "visitor" } }));
    daemon.end().await;
}

#[tokio::test]
async fn a_stop_says_when_to_come_back() {
    let daemon = Daemon::start().await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    daemon.stop.cancel();
    let bye = client.until("bye").await;
    assert!(bye["retryAfterMs"].as_u64().is_some_and(|it| (1_000..3_000).contains(&it)));
    assert_eq!(client.closed().await, 1012);
    drop(client);
    daemon.end().await;
}

#[tokio::test]
async fn fault_27_a_peer_that_answers_no_ping_is_gone() {
    let options = HttpOptions { ping_interval: Duration::from_millis(5), ..patient() };
    let daemon = Daemon::start_with(options, Limits::default()).await;
    let (client, _) = daemon.visitor(json!({})).await;
    // The client is not read from, so it answers nothing.
    soon(async { while daemon.sockets().await != 0 {} }).await;
    drop(client);
    daemon.end().await;
}

#[tokio::test]
async fn fault_28_a_reader_that_does_not_read_is_closed() {
    let options = HttpOptions { write_timeout: Duration::from_millis(50), ..patient() };
    let limits = Limits {
        messages_per_minute: 60_000,
        message_burst: 10_000,
        command_burst: 10_000,
        ..Limits::default()
    };
    let daemon = Daemon::start_with(options, limits).await;
    let (mut client, welcome) = daemon.visitor(json!({})).await;
    let (slow, _) = daemon.visitor(json!({ "session": welcome["session"] })).await;
    let long = "x".repeat(10_000);
    let mut number = 0;
    loop {
        for _ in 0..50 {
            number += 1;
            client.message(number, &long).await;
            client.until("ack").await;
        }
        if daemon.sockets().await == 1 {
            break;
        }
        assert!(number < 2_000, "the slow reader is still there");
    }
    client.say(json!({ "type": "ping" })).await;
    client.until("pong").await;
    drop(slow);
    daemon.end().await;
}

#[tokio::test]
async fn a_session_holds_in_its_own_inbox_and_page_only() {
    let daemon = Daemon::start().await;
    let (_, welcome) = daemon.visitor(json!({})).await;
    let other = found(&daemon.service, "other", SHOP).await;
    let mut client = daemon.socket().await;
    let session = json!({ "session": welcome["session"] });
    client.hello(&other.inbox.id.to_string(), session).await;
    assert_eq!(refused(&mut client).await, "sign_in_needed");
    assert_eq!(client.closed().await, 4002);
    daemon.end().await;
}
