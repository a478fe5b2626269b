//! Readers that do not read, and peers that are no longer there.

use std::io::ErrorKind;

use anyhow::{Context, Result, ensure};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::{Staff, client_id};
use fusionchat_tests::proxy::{Proxy, Weather};
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::{Received, Visitor};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, protocol::frame::Frame};

use crate::desk::Desk;

/// A client that does not read is given up soon.
const SHORT: &str = "patience_ms = 500\n";
/// How much the system keeps for a slow client, in bytes: little, so that it is noticed early.
const BUFFER_BYTES: u32 = 4 * 1024;
/// What the daemon's memory may grow by, in bytes.
const GROWTH_MAX: u64 = 48 * 1024 * 1024;
/// The most messages that are sent until somebody is given up.
const MESSAGES_MAX: u64 = 5_000;
/// Tabs that do not read at all.
const STOPPED: usize = 50;
/// The tabs of one visitor.
const TABS: usize = 100;

/// The messages before the tabs are opened: more than the system keeps for a slow one.
const BACKLOG: usize = 200;

/// As long as a message may be: some 40 KB.
fn long() -> String {
    "\u{1f642}".repeat(10_000)
}

/// A WebSocket that has said hello and of which nothing is read unless somebody does; the plain connection, for the
/// test to handle byte by byte.
async fn raw(desk: &Desk, hello: &Value) -> Result<TcpStream> {
    let address = desk.served.address("http")?.parse()?;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER_BYTES)?;
    let stream = socket.connect(address).await?;
    let base = desk.base()?;
    let mut request = format!("{}/ws", base.replacen("http", "ws", 1)).into_client_request()?;
    request.headers_mut().insert("origin", base.parse()?);
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    let mut stream = socket.into_inner();
    stream.write_all(&text(&hello.to_string())).await?;
    Ok(stream)
}

/// A masked frame of text.
fn text(text: &str) -> Vec<u8> {
    let payload = Bytes::copy_from_slice(text.as_bytes());
    let mut frame = Frame::message(payload, OpCode::Data(Data::Text), true);
    frame.header_mut().mask = Some([0; 4]);
    let mut bytes = vec![];
    // Writing to memory does not fail.
    let _ = frame.format(&mut bytes);
    bytes
}

fn message(content: &str) -> Value {
    json!({ "type": "message", "clientId": client_id(), "content": content })
}

#[test]
fn fault_27_a_peer_behind_a_dead_line_is_gone_from_both_doors() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, "patience_ms = 500\nping_ms = 300\n").await?;
        let http = Proxy::start(stage, desk.served.address("http")?).await?;
        let grpc = Proxy::start(stage, desk.served.address("grpc")?).await?;
        let endpoint = format!("http://127.0.0.1:{}", grpc.port());
        let staff = Staff::connect(&endpoint, &desk.token).await?;
        let _watch = staff.watch(None, "").await?;
        let mut near = desk.visitor().await?;
        let mut far = desk.stranger_at(&format!("http://127.0.0.1:{}", http.port()))?;
        far.connect().await?;
        let line = async {
            desk.gauge_is("streams", 1).await?;
            desk.gauge_is("sockets", 2).await?;
            // The lines are there, and nothing comes through: no ping arrives, so none is answered.
            http.set(Weather::Deaf);
            grpc.set(Weather::Deaf);
            desk.gauge_is("streams", 0).await?;
            desk.gauge_is("sockets", 1).await
        };
        // Both read meanwhile, and would answer.
        let reads = async |who: &mut Visitor| loop {
            if let Received::Closed(code) = who.next().await? {
                anyhow::bail!("closed with {code}");
            }
        };
        tokio::select! {
            gone = line => gone?,
            ended = reads(&mut near) => return ended,
            ended = reads(&mut far) => return ended,
        }
        let id = near.say("and still").await?;
        near.acked(&id).await?;
        Ok(())
    });
}

/// A visitor who has said as much as fills every buffer of the system, has read it all, and the last number of it.
async fn talkative(desk: &Desk) -> Result<(Visitor, u64)> {
    let mut visitor = desk.visitor().await?;
    let content = long();
    let mut last = 0;
    for _ in 0..BACKLOG {
        let id = visitor.say(&content).await?;
        last = visitor.acked(&id).await?["seq"].as_u64().context("a seq")?;
    }
    visitor.message(last - 1, "the last of them", |_| true).await?;
    Ok((visitor, last))
}

/// The hello of another tab that wants everything.
fn from_the_beginning(visitor: &Visitor) -> Value {
    let mut hello = visitor.hello();
    hello["resume"]["seq"] = json!(0);
    hello
}

#[test]
fn fault_28_who_does_not_read_is_closed_and_resumes_exactly() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, SHORT).await?;
        let (visitor, last) = talkative(&desk).await?;
        let before = desk.gauge("resident_bytes").await?;
        let mut stopped = vec![];
        for _ in 0..STOPPED {
            stopped.push(raw(&desk, &from_the_beginning(&visitor)).await?);
        }
        // All that waits for them would be hundreds of megabytes.
        let mut most = before;
        while desk.gauge("sockets").await? != 1 {
            most = most.max(desk.gauge("resident_bytes").await?);
        }
        ensure!(most < before + GROWTH_MAX, "memory went from {before} to {most}");
        drop(stopped);
        // Where it was is where it goes on: no message is missing, none comes twice.
        let mut again = desk.stranger()?;
        again.take_up(&visitor, 3);
        again.connect().await?;
        ensure!(again.last_seq() >= last, "{} of {last} came", again.last_seq());
        ensure!(again.repeats == 0, "{} came twice", again.repeats);
        Ok(())
    });
}

#[test]
fn fault_28_a_stopped_subscriber_goes_on_where_it_was() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::demo(stage).await?;
        let ctl = daemon.ctl();
        let mut tail = ctl.follow(&["conv", "tail", "-f", "1004", "-o", "jsonl"])?;
        let staff = daemon.staff("agent2").await?;
        let first = staff.reply(&client_id(), "1004", "before").await?;
        let mut seqs = vec![];
        let read_to =
            async |tail: &mut fusionchat_tests::program::Follow, seqs: &mut Vec<u64>, last: u64| {
                while seqs.last() != Some(&last) {
                    let line = tail.json().await?;
                    seqs.extend(line["seq"].as_u64());
                }
                anyhow::Ok(())
            };
        read_to(&mut tail, &mut seqs, first.seq).await?;
        tail.signal("-STOP").await?;
        let content = long();
        let mut last = first.seq;
        for _ in 0..200 {
            last = staff.reply(&client_id(), "1004", &content).await?.seq;
        }
        tail.signal("-CONT").await?;
        read_to(&mut tail, &mut seqs, last).await?;
        let expected: Vec<u64> = (1..=last).collect();
        ensure!(seqs == expected[expected.len() - seqs.len()..], "{seqs:?}");
        daemon.sigterm().await?;
        daemon.ended().await?;
        Ok(())
    });
}

#[test]
fn fault_29_one_slow_tab_of_a_hundred_is_closed_alone() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, SHORT).await?;
        let (mut visitor, mut last) = talkative(&desk).await?;
        let (stop, stopped) = tokio::sync::watch::channel(0_u64);
        let mut tabs = tokio::task::JoinSet::new();
        for _ in 1..TABS {
            let mut tab = desk.stranger()?;
            tab.take_up(&visitor, last);
            tab.connect().await?;
            let mut stopped = stopped.clone();
            tabs.spawn(async move {
                // Until the last message there is has come.
                loop {
                    let last = *stopped.borrow_and_update();
                    if last != 0 && tab.last_seq() >= last {
                        return anyhow::Ok(tab);
                    }
                    tokio::select! {
                        next = tab.next() => {
                            ensure!(matches!(next?, Received::Frame(_)), "a quick tab was closed");
                        }
                        changed = stopped.changed() => changed?,
                    }
                }
            });
        }
        // It wants everything from the beginning, and reads a byte a message.
        let mut slow = raw(&desk, &from_the_beginning(&visitor)).await?;
        let everybody = u64::try_from(TABS)? + 1;
        desk.gauge_is("sockets", everybody).await?;
        let before = desk.gauge("resident_bytes").await?;
        while desk.gauge("sockets").await? == everybody {
            ensure!(last < MESSAGES_MAX, "after {last} messages it is still there");
            slow.read_u8().await?;
            let id = visitor.say("to all tabs").await?;
            last = visitor.acked(&id).await?["seq"].as_u64().context("a seq")?;
        }
        ensure!(desk.gauge("sockets").await? == everybody - 1, "others were closed too");
        let grown = desk.gauge("resident_bytes").await?.saturating_sub(before);
        ensure!(grown < GROWTH_MAX, "memory has grown by {grown}");
        stop.send_replace(last);
        while let Some(tab) = tabs.join_next().await {
            ensure!(tab??.last_seq() >= last, "a quick tab has not got everything");
        }
        Ok(())
    });
}

#[test]
fn fault_30_who_sends_and_reads_no_answers_is_not_read_any_further() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, SHORT).await?;
        let mut visitor = desk.visitor().await?;
        let id = visitor.say("the first").await?;
        visitor.acked(&id).await?;
        let before = desk.gauge("resident_bytes").await?;
        let mut deaf = raw(&desk, &visitor.hello()).await?;
        visitor.disconnect();
        let content = long();
        let mut sent = 0_u64;
        let broken = loop {
            match deaf.write_all(&text(&message(&content).to_string())).await {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
            ensure!(sent < 1_000_000, "a million messages, and it still reads");
        };
        let is_closed = matches!(broken.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        ensure!(is_closed, "{broken}");
        let grown = desk.gauge("resident_bytes").await?.saturating_sub(before);
        ensure!(grown < GROWTH_MAX, "memory has grown by {grown} after {sent} messages");
        // What it took it kept in order, and it took no more than it could answer.
        visitor.connect().await?;
        let id = visitor.say("the last").await?;
        let last = visitor.acked(&id).await?["seq"].as_u64().context("a seq")?;
        ensure!(last <= sent + 2, "{last} stored of {sent} sent");
        Ok(())
    });
}

#[test]
fn fault_30_who_asks_and_reads_no_answers_is_given_up() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, SHORT).await?;
        let before = desk.gauge("resident_bytes").await?;
        let mut deaf = TcpStream::connect(desk.served.address("http")?).await?;
        let requests = "GET /embed.js HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100);
        // It waits for its reader, and not for ever.
        while deaf.write_all(requests.as_bytes()).await.is_ok() {}
        let grown = desk.gauge("resident_bytes").await?.saturating_sub(before);
        ensure!(grown < GROWTH_MAX, "memory has grown by {grown}");
        desk.visitor().await?;
        Ok(())
    });
}
