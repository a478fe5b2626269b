//! R4: how long an acknowledgement takes, and a visitor's message to an agent, by one bare commit and one round trip on
//! this machine. One message at a time: nothing waits for anything else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fusionchat_proto::v1;
use fusionchatd::store::open::{OpenOptions, open};
use futures::SinkExt;
use tokio_tungstenite::tungstenite::Message;
use tonic::Streaming;
use v1::watch_response::Frame;

use super::desk::{Desk, handshake, text};
use super::ground::{Ground, talk};
use super::ratio::{Goal, Ratio};
use super::reference::Running;

/// How many messages a round has.
const MESSAGES: usize = 400;

/// The middle and the ninety-ninth of a hundred.
struct Times {
    p50: Duration,
    p99: Duration,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Result<Self> {
        times.sort();
        let at = |part: usize| times.get(times.len() * part / 100).copied();
        Ok(Self { p50: at(50).context("a time")?, p99: at(99).context("a time")? })
    }
}

/// Measures both.
pub(super) async fn measure(program: &std::path::Path, rounds: u16) -> Result<Vec<Ratio>> {
    let mut desk = Desk::open(program).await?;
    let echo = Running::start(&["echo"]).await?;
    let (mut acks, mut arrivals) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (ack, arrival) = ours(&mut desk).await?;
        let commit = commits().await?;
        let trip = round_trips(&echo.address).await?;
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        acks.push((us(ack.p50), us(commit.p50 + trip.p50)));
        arrivals.push((us(arrival.p99), us(commit.p99 + trip.p99)));
    }
    echo.close().await?;
    desk.close().await?;
    let ack = "visitor's ack p50".to_owned();
    let arrival = "visitor to agent p99".to_owned();
    Ok(vec![
        Ratio::new("R4", ack, "us", Goal::AtMost(1.4), &acks),
        Ratio::new("R4", arrival, "us", Goal::AtMost(3.0), &arrivals),
    ])
}

async fn ours(desk: &mut Desk) -> Result<(Times, Times)> {
    let agent = desk.agent()?;
    let mut stream = agent.watch().watch(v1::WatchRequest::default()).await?.into_inner();
    while !matches!(next(&mut stream).await?, Frame::Ready(_)) {}
    let mut tab = desk.tab(None).await?;
    let (mut acks, mut arrivals) = (Vec::new(), Vec::new());
    for number in 0..MESSAGES {
        let id = desk.chance.client_id();
        let content = format!("{number:<300}");
        let began = Instant::now();
        let (acked, arrived) =
            futures::future::try_join(tab.say(&id, &content), arrival(&mut stream, &id, began))
                .await?;
        acks.push(acked);
        arrivals.push(arrived);
    }
    Ok((Times::of(acks)?, Times::of(arrivals)?))
}

async fn arrival(
    stream: &mut Streaming<v1::WatchResponse>,
    client_id: &str,
    began: Instant,
) -> Result<Duration> {
    loop {
        if let Frame::Change(change) = next(stream).await?
            && change.message.is_some_and(|it| it.client_id == client_id)
        {
            return Ok(began.elapsed());
        }
    }
}

async fn next(stream: &mut Streaming<v1::WatchResponse>) -> Result<Frame> {
    let response = stream.message().await?.context("the stream goes on")?;
    response.frame.context("a frame that is known here")
}

/// The batches the service makes for one message at a time, on the bare engine.
async fn commits() -> Result<Times> {
    let directory = tempfile::tempdir()?;
    let at = |name: &str| format!("sled:{}", directory.path().join(name).display());
    let ground = Ground::lay(open(&at("service"), &OpenOptions::default()).await?, 1).await?;
    let before = ground.recorder.take();
    talk(&ground.service, ground.guests.first().context("a guest")?, MESSAGES).await?;
    let engine = open(&at("bare"), &OpenOptions::default()).await?;
    for batch in before {
        engine.commit(batch).await?;
    }
    let mut times = Vec::new();
    for batch in ground.recorder.take() {
        let began = Instant::now();
        engine.commit(batch).await?;
        times.push(began.elapsed());
    }
    engine.close().await?;
    Times::of(times)
}

/// A message's frame to the bare echo server and back.
async fn round_trips(address: &str) -> Result<Times> {
    let mut socket = handshake(address, "/").await?;
    let mut times = Vec::new();
    for number in 0..MESSAGES {
        let began = Instant::now();
        socket.send(Message::text(format!("{number:<300}"))).await?;
        text(&mut socket).await?;
        times.push(began.elapsed());
    }
    Times::of(times)
}
