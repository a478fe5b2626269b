//! Clients that connect and take their time, at both doors of the real daemon.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::stage::{Stage, play};
use futures::future::join_all;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, interval};

use crate::desk::Desk;

/// What a test makes of the ten seconds.
const SHORT: &str = "patience_ms = 200\n";
/// How long a dripping client listens between two bytes.
const DRIP: Duration = Duration::from_millis(5);
/// The patience with a reader, and for how many times as long somebody reads slowly.
const PATIENCE: Duration = Duration::from_secs(2);
const TIMES: u32 = 3;
/// What such a reader takes at a time, how often, and how much its system keeps for it, in bytes: some 320 KB a second.
/// The daemon hears of 64 KB that are taken, which is ten times within its patience; of a third of all that a system
/// keeps by itself it would not hear in time.
const SIP_BYTES: usize = 16 * 1024;
const SIP: Duration = Duration::from_millis(50);
const KEPT_BYTES: u32 = 64 * 1024;
/// Messages of the greatest length, 40 KB, on one page: more than the systems of both keep between them.
const LONG: usize = 190;
/// How many connect and say nothing.
const SILENT: usize = 200;

/// Waits for the end of a connection; what came.
async fn to_the_end(mut stream: TcpStream) -> String {
    let mut answer = vec![];
    // Reset or closed: both are an end.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends `head` and then byte after byte until the daemon has had enough; what it said.
async fn drip(address: &str, head: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(head.as_bytes()).await?;
    let (mut answer, mut buffer) = (vec![], [0; 1024]);
    while stream.write_all(b"x").await.is_ok() {
        match tokio::time::timeout(DRIP, stream.read(&mut buffer)).await {
            Err(_) => {}
            Ok(Ok(count @ 1..)) => answer.extend_from_slice(&buffer[..count]),
            Ok(Ok(0) | Err(_)) => break,
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn fault_01_02_slow_heads_and_bodies_are_closed_and_hold_nobody_up() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, SHORT).await?;
        let address = desk.served.address("http")?;
        let post = "POST /api/auth/session HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\
                    content-type: application/json\r\nconnection: close\r\n\r\n{";
        let heads = (0..20).map(|_| drip(address, "GET /embed.js HTTP/1.1\r\nhost: a\r\nx-a: "));
        let bodies = (0..20).map(|_| drip(address, post));
        let before = desk.gauge("resident_bytes").await?;
        let others = async {
            let mut visitor = desk.visitor().await?;
            for _ in 0..20 {
                let id = visitor.say("meanwhile").await?;
                visitor.acked(&id).await?;
            }
            anyhow::Ok(())
        };
        let (heads, bodies, others) = futures::join!(join_all(heads), join_all(bodies), others);
        others?;
        for head in heads {
            let head = head?;
            ensure!(head.is_empty() || head.starts_with("HTTP/1.1 408 "), "{head}");
        }
        for body in bodies {
            let body = body?;
            ensure!(body.contains("\"code\":\"too_slow\""), "{body}");
        }
        let grown = desk.gauge("resident_bytes").await?.saturating_sub(before);
        ensure!(grown < 16 * 1024 * 1024, "memory has grown by {grown}");
        Ok(())
    });
}

#[test]
fn fault_03_who_connects_and_says_nothing_is_closed_at_both_doors() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, SHORT).await?;
        for door in ["http", "grpc"] {
            let address = desk.served.address(door)?;
            let connect = (0..SILENT).map(|_| TcpStream::connect(address));
            let silent: Result<Vec<TcpStream>, _> = join_all(connect).await.into_iter().collect();
            // Somebody who speaks is served while they wait.
            ensure!(desk.served.get("http", "/livez").await?.0 == 200, "{door}");
            desk.staff().await?.queue().await?;
            let said = join_all(silent?.into_iter().map(to_the_end)).await;
            // The gRPC door may send its settings first; it is closed all the same.
            ensure!(said.len() == SILENT, "{door}");
        }
        Ok(())
    });
}

#[test]
fn fault_04_a_socket_without_hello_is_closed() {
    play(async |stage: &Stage| {
        use fusionchat_tests::visitor::{Received, open_socket, receive};
        let desk = Desk::open(stage, SHORT).await?;
        let mut socket = open_socket(&desk.base()?).await?;
        let end = receive(&mut socket).await?;
        ensure!(matches!(end, Received::Closed(4001)), "{end:?}");
        Ok(())
    });
}

#[test]
fn fault_28_a_reader_who_is_slow_and_goes_on_gets_all_of_a_large_answer() {
    play(async |stage: &Stage| {
        let settings = format!("patience_ms = {}\n", PATIENCE.as_millis());
        let desk = Desk::open(stage, &settings).await?;
        let staff = desk.staff().await?;
        let (_visitor, number) = desk.claimed(&staff).await?;
        let content = "\u{1f642}".repeat(10_000);
        for _ in 0..LONG {
            staff.reply(&client_id(), &number, &content).await?;
        }
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(KEPT_BYTES)?;
        let mut stream = socket.connect(desk.served.address("http")?.parse()?).await?;
        let request = format!(
            "GET /api/conversations/{number}/messages?limit=200 HTTP/1.1\r\nhost: a\r\n\
             authorization: Bearer {}\r\nconnection: close\r\n\r\n",
            desk.token
        );
        stream.write_all(request.as_bytes()).await?;

        let (mut answer, mut sip) = (vec![], vec![0; SIP_BYTES]);
        let (mut pace, began) = (interval(SIP), Instant::now());
        while began.elapsed() < PATIENCE * TIMES {
            pace.tick().await;
            let count = stream.read(&mut sip).await?;
            ensure!(count > 0, "cut after {} bytes and {:?}", answer.len(), began.elapsed());
            answer.extend_from_slice(&sip[..count]);
        }
        let slowly = answer.len();
        stream.read_to_end(&mut answer).await?;
        println!("{slowly} of {} bytes were read slowly", answer.len());
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").context("a head")?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let page: Value = serde_json::from_str(body).context("cut")?;
        let messages = page["messages"].as_array().context("messages")?.iter();
        let whole = messages.filter(|it| it["content"] == content.as_str()).count();
        ensure!(whole == LONG, "{whole} of {LONG}");
        Ok(())
    });
}
