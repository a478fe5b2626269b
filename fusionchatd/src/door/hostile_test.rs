//! Clients that mean no good, over a real port: slow ones, silent ones, and ones that want everything.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::harness::{Client, Daemon, client_id, patient, soon};
use super::http::HttpOptions;
use crate::service::limit::Limits;

/// How long a slow client waits for an answer before it sends the next byte.
const DRIP: Duration = Duration::from_millis(1);
/// What a test makes of the ten seconds a silent client has.
const SHORT: Duration = Duration::from_millis(50);
/// How many silent connections one client opens.
const SILENT: u32 = 200;

/// Rates that are not what is tested.
fn generous() -> Limits {
    Limits {
        messages_per_minute: 100_000,
        message_burst: 100_000,
        hellos_per_minute: 100_000,
        conversations_per_minute: 100_000,
        sockets_per_address: 100_000,
        command_burst: 100_000,
        ..Limits::default()
    }
}

/// Sends `head` and then a byte at a time, until the daemon closes; what it has said by then.
async fn drip(daemon: &Daemon, head: &str) -> String {
    let mut stream = TcpStream::connect(daemon.at).await.expect("connected");
    stream.write_all(head.as_bytes()).await.expect("written");
    let (mut answer, mut buffer) = (vec![], [0; 1024]);
    soon(async {
        while stream.write_all(b"x").await.is_ok() {
            match tokio::time::timeout(DRIP, stream.read(&mut buffer)).await {
                Err(_) => {}
                Ok(Ok(0) | Err(_)) => break,
                Ok(Ok(count)) => answer.extend_from_slice(&buffer[..count]),
            }
        }
    })
    .await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn fault_01_headers_that_come_byte_by_byte_are_given_up() {
    let options = HttpOptions { header_timeout: SHORT, ..patient() };
    let daemon = Daemon::start_with(options, Limits::default()).await;
    let slow = drip(&daemon, "GET /embed.js HTTP/1.1\r\nhost: a\r\nx-slow: ");
    let quick = daemon.send("GET", "/embed.js", &[], None);
    let (answer, quick) = tokio::join!(slow, quick);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(quick.status, 200, "others are served meanwhile");
    daemon.end().await;
}

#[tokio::test]
async fn fault_02_a_body_that_comes_byte_by_byte_is_given_up() {
    let options = HttpOptions { body_timeout: SHORT, ..patient() };
    let daemon = Daemon::start_with(options, Limits::default()).await;
    let head = "POST /api/auth/session HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\
                content-type: application/json\r\nconnection: close\r\n\r\n{";
    let answer = drip(&daemon, head).await;
    assert!(answer.contains("\"code\":\"too_slow\""), "{answer}");
    daemon.end().await;
}

#[tokio::test]
async fn fault_03_two_hundred_silent_connections_are_closed_and_hold_nobody_up() {
    let options = HttpOptions { header_timeout: SHORT, ..patient() };
    let limits = Limits { sockets_per_address: SILENT + 1, ..Limits::default() };
    let daemon = Daemon::start_with(options, limits).await;
    let connect = (0..SILENT).map(|_| TcpStream::connect(daemon.at));
    let silent: Vec<TcpStream> =
        join_all(connect).await.into_iter().map(|it| it.expect("connected")).collect();
    assert_eq!(daemon.send("GET", "/embed.js", &[], None).await.status, 200);
    let ends = silent.into_iter().map(async |mut stream| {
        let mut answer = vec![];
        // Reset or closed: both are an end.
        let _ = stream.read_to_end(&mut answer).await;
    });
    soon(join_all(ends)).await;
    daemon.end().await;
}

#[tokio::test]
async fn fault_14_lone_surrogates_in_a_frame_are_refused_and_the_socket_lives_on() {
    let daemon = Daemon::start().await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    for escape in ["\\ud800", "\\udc00x", "\\ud800\\ud800"] {
        let id = client_id(1);
        let frame = format!(r#"{{"type":"message","clientId":"{id}","content":"{escape}"}}"#);
        client.push(Message::text(frame)).await;
        assert_eq!(client.until("error").await["code"], "invalid_json", "{escape}");
    }
    client.message(1, "\u{1f642}").await;
    assert_eq!(client.until("ack").await["seq"], 1, "nothing else was stored");
    daemon.end().await;
}

#[tokio::test]
async fn fault_15_every_control_character_is_refused() {
    let daemon = Daemon::start_with(patient(), generous()).await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    let plain = ['\t', '\n'];
    let controls = (0..0x20).chain([0x7f, 0x9b]).filter_map(char::from_u32);
    for control in controls.filter(|it| !plain.contains(it)) {
        client.message(1, &format!("a{control}b")).await;
        assert_eq!(client.until("error").await["code"], "control_character", "{control:?}");
    }
    client.message(1, "a\tb\nc").await;
    assert_eq!(client.until("ack").await["seq"], 1, "nothing else was stored");
    daemon.end().await;
}

#[tokio::test]
async fn fault_16_a_wall_of_combining_marks_is_capped() {
    let daemon = Daemon::start_with(patient(), generous()).await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    client.message(1, &format!("e{}", "\u{301}".repeat(10_000))).await;
    assert_eq!(client.until("error").await["code"], "message_too_long");
    daemon.end().await;
}

/// Reads a replay to its end; every message is there once and in order.
async fn replayed(client: &mut Client, count: u64) {
    for seq in 1..=count {
        assert_eq!(client.until("message").await["seq"], seq);
    }
    assert_eq!(client.until("live").await["lastSeq"], count);
}

#[tokio::test]
async fn fault_36_a_resume_from_nothing_holds_nobody_up() {
    const MESSAGES: u64 = 700;
    let daemon = Daemon::start_with(patient(), generous()).await;
    let (mut client, welcome) = daemon.visitor(json!({})).await;
    let mut conversation = Value::Null;
    for number in 1..=MESSAGES {
        client.message(number.into(), "again").await;
        conversation = client.until("ack").await["conversation"].clone();
    }
    let resume = json!({ "conversation": conversation, "epoch": welcome["epoch"], "seq": 0 });
    let extra = json!({ "session": welcome["session"], "resume": resume });
    let (mut reader, _) = daemon.visitor(extra).await;
    // It has not read anything yet, and others are served.
    let (mut other, _) = daemon.visitor(json!({})).await;
    other.message(1, "hello").await;
    assert_eq!(other.until("ack").await["seq"], 1);
    replayed(&mut reader, MESSAGES).await;
    daemon.end().await;
}

#[tokio::test]
async fn fault_83_one_visitor_has_one_conversation_and_an_address_a_rate() {
    let limits = Limits { conversations_per_minute: 3, ..generous() };
    let daemon = Daemon::start_with(patient(), limits).await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    for number in 0..50 {
        client.message(number, "and another").await;
        client.until("ack").await;
    }
    let mut refused = 0;
    for _ in 0..20 {
        let (mut client, _) = daemon.visitor(json!({})).await;
        client.message(1, "a new one").await;
        let frame = loop {
            let frame = client.next().await;
            if frame["type"] == "ack" || frame["type"] == "error" {
                break frame;
            }
        };
        if frame["type"] == "error" {
            assert_eq!(frame["code"], "rate_limited");
            assert!(frame["retryAfterMs"].as_u64().is_some(), "{frame}");
            refused += 1;
        }
    }
    assert_eq!(refused, 18, "three in all, one of them the first visitor's");
    let list = daemon.api(&daemon.key(), "GET", "/api/conversations", None).await.json();
    assert_eq!(list["conversations"].as_array().map(Vec::len), Some(3), "{list}");
    assert_eq!(list["conversations"][2]["lastSeq"], Value::from(50));
    daemon.end().await;
}
