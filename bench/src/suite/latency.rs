//! R4: how long an acknowledgement takes, and a visitor's message to an agent, by one bare commit and one round trip on
//! this machine. Both are open loops of the same pace.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use fusionchat_proto::v1;
use fusionchatd::store::open::{OpenOptions, open};
use fusionchatd::store::{Batch, Engine};
use futures::SinkExt;
use futures::future::try_join_all;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tonic::Streaming;
use v1::watch_response::Frame;

use super::kit::deadline::within;
use super::kit::desk::{Desk, Tab, handshake, text};
use super::kit::ground::{Ground, talk};
use super::kit::library::text as content;
use super::kit::pace::Pace;
use super::kit::plain::{Echoed, frame_bytes};
use super::kit::ratio::{Check, Goal, PLAIN_ROUNDS, Ratio};
use super::kit::reference::Running;
use super::{Measured, Told};
use crate::chance::Chance;
use crate::figures::Times;
use crate::staff::Staff;

/// How many messages a round has, and how far apart they are.
const MESSAGES: usize = 1_000;
const EVERY: Duration = Duration::from_millis(5);
/// How many visitors take turns.
const VISITORS: usize = 50;
/// The reference's p50 was 1.51 times its plain loop's on a quiet machine, and its p99, which swings more, 1.56 times.
const PLAIN_P50_TIMES_MAX: f64 = 2.5;
const PLAIN_P99_TIMES_MAX: f64 = 3.0;
/// How many messages of one visitor may wait to be sent.
const TURNS_MAX: usize = 1_024;

/// Measures both.
pub(super) async fn measure(program: &Path, rounds: u16) -> Result<Measured> {
    let mut desk = Desk::open(program).await?;
    let mut crowd = Crowd::gather(&mut desk, VISITORS).await?;
    let agent = desk.agent()?;
    let mut stream = listen(&agent).await?;
    let echo = Running::start(&["echo"]).await?;
    let mut bare = Bare::new().await?;
    let all = [Times::default(), Times::default(), Times::default()];
    let (mut acks, mut arrivals) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (ack, arrival) = (Times::default(), Times::default());
        {
            let due = RefCell::new(HashMap::new());
            let pace = Pace::start(EVERY, MESSAGES);
            let said = crowd.speak(&mut desk.chance, pace, &due, [&ack, &all[0]]);
            let heard = hear(&mut stream, MESSAGES, &due, [&arrival, &all[1]]);
            futures::future::try_join(said, heard).await?;
        }
        let reference = Times::default();
        bare.run(&echo.address, [&reference, &all[2]]).await?;
        acks.push((us(&ack, 0.5), us(&reference, 0.5)));
        arrivals.push((us(&arrival, 0.99), us(&reference, 0.99)));
    }
    let (mut pairs50, mut pairs99) = (Vec::new(), Vec::new());
    let plain = Running::start_plain(&["echo"]).await?;
    for _ in 0..PLAIN_ROUNDS {
        let (reference, plainly) = (Times::default(), Times::default());
        bare.run(&echo.address, [&reference, &Times::default()]).await?;
        bare.run_plainly(&plain.address, &plainly).await?;
        pairs50.push((us(&reference, 0.5), us(&plainly, 0.5)));
        pairs99.push((us(&reference, 0.99), us(&plainly, 0.99)));
    }
    plain.close().await?;
    bare.engine.close().await?;
    echo.close().await?;
    desk.close().await?;
    let (ack, arrival) = ("visitor's ack p50".to_owned(), "visitor to agent p99".to_owned());
    let checks = [
        Check::beside(&pairs50, PLAIN_P50_TIMES_MAX),
        Check::beside(&pairs99, PLAIN_P99_TIMES_MAX),
    ];
    let told = ["R4 visitor's ack", "R4 visitor to agent", "R4 bare commit and round trip"];
    Ok(Measured {
        ratios: vec![
            Ratio::new("R4", ack, "us", Goal::AtMost(1.4), &acks, &checks[0]),
            Ratio::new("R4", arrival, "us", Goal::AtMost(3.0), &arrivals, &checks[1]),
        ],
        told: told.into_iter().zip(&all).map(|(what, it)| Told::new(what, it)).collect(),
        ..Measured::default()
    })
}

fn us(times: &Times, quantile: f64) -> f64 {
    times.at(quantile) as f64
}

/// Visitors who take turns.
pub(super) struct Crowd(pub(super) Vec<Tab>);

impl Crowd {
    /// So many new ones, each with a conversation.
    pub(super) async fn gather(desk: &mut Desk, count: usize) -> Result<Self> {
        let mut tabs = Vec::new();
        for _ in 0..count {
            let mut tab = desk.tab(None).await?;
            tab.say(&desk.chance.client_id(), "Hello").await?;
            tabs.push(tab);
        }
        Ok(Self(tabs))
    }

    /// One message whenever one is due, the visitors in turn; none waits for another visitor's acknowledgement. What is
    /// due is written to `due` before it is sent, and each acknowledgement counts from then.
    pub(super) async fn speak(
        &mut self,
        chance: &mut Chance,
        mut pace: Pace,
        due: &RefCell<HashMap<String, Instant>>,
        acks: [&Times; 2],
    ) -> Result<()> {
        let mut due_next = |at: Instant| {
            let id = chance.client_id();
            due.borrow_mut().insert(id.clone(), at);
            anyhow::Ok((at, id))
        };
        let (turns, receivers) = in_turn(&mut pace, self.0.len(), &mut due_next);
        let each = self.0.iter_mut().zip(receivers).map(|(tab, mut turn)| async move {
            while let Some((at, id)) = turn.recv().await {
                tab.say(&id, &content(0)).await?;
                acks.iter().for_each(|it| it.add(at.elapsed()));
            }
            anyhow::Ok(())
        });
        futures::future::try_join(turns, try_join_all(each)).await.map(|_| ())
    }
}

/// Hands on what is due to some in turn: none of them waits for another.
fn in_turn<T>(
    pace: &mut Pace,
    count: usize,
    due_next: &mut impl FnMut(Instant) -> Result<T>,
) -> (impl Future<Output = Result<()>>, Vec<mpsc::Receiver<T>>) {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..count).map(|_| mpsc::channel::<T>(TURNS_MAX)).unzip();
    let turns = async move {
        let mut number = 0;
        while let Some(at) = pace.next().await {
            let turn = senders[number % senders.len()].try_send(due_next(at)?);
            turn.map_err(|_| anyhow!("someone is gone, or {TURNS_MAX} behind"))?;
            number += 1;
        }
        drop(senders);
        Ok(())
    };
    (turns, receivers)
}

/// Reads the agent's stream until every message of the round has come.
pub(super) async fn hear(
    stream: &mut Streaming<v1::WatchResponse>,
    messages: usize,
    due: &RefCell<HashMap<String, Instant>>,
    arrivals: [&Times; 2],
) -> Result<()> {
    within("the messages of a round on the agent's stream", async {
        let mut heard = 0;
        while heard < messages {
            if let Frame::Change(change) = next(stream).await?
                && let Some(message) = change.message
            {
                let at = due.borrow_mut().remove(&message.client_id).context("nobody said that")?;
                arrivals.iter().for_each(|it| it.add(at.elapsed()));
                heard += 1;
            }
        }
        Ok(())
    })
    .await
}

/// An agent's stream from now on.
pub(super) async fn listen(agent: &Staff) -> Result<Streaming<v1::WatchResponse>> {
    let mut stream = agent.watch().watch(v1::WatchRequest::default()).await?.into_inner();
    within("the stream's beginning", async {
        while !matches!(next(&mut stream).await?, Frame::Ready(_)) {}
        Ok(())
    })
    .await?;
    Ok(stream)
}

async fn next(stream: &mut Streaming<v1::WatchResponse>) -> Result<Frame> {
    let response = stream.message().await?.context("the stream goes on")?;
    response.frame.context("a frame that is known here")
}

/// The bare engine, and the batches the service makes for one message at a time.
struct Bare {
    engine: Arc<dyn Engine>,
    batches: Vec<Batch>,
    directory: tempfile::TempDir,
}

impl Bare {
    async fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let at = |name: &str| format!("sled:{}", directory.path().join(name).display());
        let ground = Ground::lay(open(&at("service"), &OpenOptions::default()).await?, 1).await?;
        let before = ground.recorder.take();
        talk(&ground.service, ground.guests.first().context("a guest")?, MESSAGES).await?;
        let batches = ground.recorder.take();
        Engine::close(ground.recorder.as_ref()).await?;
        let engine = open(&at("bare"), &OpenOptions::default()).await?;
        for batch in before {
            engine.commit(batch).await?;
        }
        // What was there before does not matter to a second round: it writes the same rows over.
        let batches = batches.into_iter().map(|it| Batch { expect: Vec::new(), ..it }).collect();
        Ok(Self { engine, batches, directory })
    }

    /// A message's frame to the bare echo server and back, and its batch committed, whenever one is due, on as many
    /// sockets in turn as there are visitors: like theirs, none waits for another's, and commits that are under way
    /// together share what the engine lets them share.
    async fn run(&mut self, address: &str, times: [&Times; 2]) -> Result<()> {
        let mut sockets = Vec::new();
        for _ in 0..VISITORS {
            sockets.push(handshake(address, "/").await?);
        }
        let mut pace = Pace::start(EVERY, self.batches.len());
        let frame = Message::text(content(0));
        let mut batches = self.batches.iter().cloned();
        let mut due_next =
            |at: Instant| Ok((at, batches.next().context("a batch for each message")?));
        let (turns, receivers) = in_turn(&mut pace, sockets.len(), &mut due_next);
        let (engine, frame) = (&self.engine, &frame);
        let each = sockets.iter_mut().zip(receivers).map(|(socket, mut turn)| async move {
            while let Some((at, batch)) = turn.recv().await {
                socket.send(frame.clone()).await?;
                text(socket).await?;
                within("a bare commit", async { Ok(engine.commit(batch).await?) }).await?;
                times.iter().for_each(|it| it.add(at.elapsed()));
            }
            anyhow::Ok(())
        });
        futures::future::try_join(turns, try_join_all(each)).await?;
        ensure!(batches.next().is_none(), "some batches were left over");
        Ok(())
    }

    /// As many bytes to the plain echo and back, and as many as the batch has appended to a file and synced, at the
    /// same pace: without the engine and without the reference's server.
    async fn run_plainly(&self, address: &str, times: &Times) -> Result<()> {
        let mut socket = Echoed::open(address)?;
        let mut file = File::create(self.directory.path().join("plain"))?;
        let mut frame = vec![b'.'; frame_bytes(&content(0))];
        let mut pace = Pace::start(EVERY, self.batches.len());
        for batch in &self.batches {
            pace.next().await.context("a moment for each batch")?;
            // One after another, so from now: a queue would be the loop's own and not the machine's.
            let began = Instant::now();
            socket.send(&frame)?;
            socket.hear(&mut frame)?;
            let bytes: usize = batch.put.iter().map(|(key, row)| key.len() + row.len()).sum();
            file.write_all(&vec![b'x'; bytes])?;
            file.sync_data()?;
            times.add(began.elapsed());
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "latency_test.rs"]
mod tests;
