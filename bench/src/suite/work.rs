//! CPU: the processor time of the whole daemon for a message, at a steady 1,000 messages a second with an agent who
//! watches, beside that of a bare echo of as many frames.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::SinkExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::kit::desk::{Desk, handshake, text};
use super::kit::library::text as content;
use super::kit::pace::Pace;
use super::kit::plain::{Echoed, frame_bytes};
use super::kit::process::Cpu;
use super::kit::ratio::{Goal, Ratio, beside_plain_loop};
use super::kit::reference::Running;
use super::latency::{Crowd, hear, listen};
use super::{Measured, Told};
use crate::figures::Times;

/// How many messages a round has, and how far apart they are.
const MESSAGES: usize = 5_000;
const EVERY: Duration = Duration::from_millis(1);
/// How many frames are echoed before those that count: the daemon goes on writing for a moment after its last message.
const ECHOED_BEFORE: usize = 1_000;
/// How many visitors take turns.
const VISITORS: usize = 200;
/// The reference cost 1.26 times its plain loop on a quiet machine.
const PLAIN_TIMES_MAX: f64 = 1.9;

/// Measures it.
pub(super) async fn measure(program: &Path, rounds: u16) -> Result<Measured> {
    let mut desk = Desk::open(program).await?;
    let mut crowd = Crowd::gather(&mut desk, VISITORS).await?;
    let mut stream = listen(&desk.agent()?).await?;
    let bare = Running::start(&["echo"]).await?;
    let mut sockets = Vec::new();
    for _ in 0..VISITORS {
        sockets.push(handshake(&bare.address, "/").await?);
    }
    let (acks, arrivals, unused) = (Times::default(), Times::default(), Times::default());
    let mut pairs = Vec::new();
    let pid = desk.pid()?;
    for _ in 0..rounds {
        let due = RefCell::new(HashMap::new());
        let before = Cpu::of(pid)?;
        let said =
            crowd.speak(&mut desk.chance, Pace::start(EVERY, MESSAGES), &due, [&acks, &unused]);
        let heard = hear(&mut stream, MESSAGES, &due, [&arrivals, &unused]);
        futures::future::try_join(said, heard).await?;
        let ours = each(before.since(pid)?, MESSAGES);
        echo(&bare, &mut sockets, ECHOED_BEFORE).await?;
        pairs.push((ours, echo(&bare, &mut sockets, MESSAGES).await?));
    }
    let plain = Running::start_plain(&["echo"]).await?;
    let mut echoed = Echoed::open(&plain.address)?;
    let check = beside_plain_loop(PLAIN_TIMES_MAX, async || {
        let reference = echo(&bare, &mut sockets, MESSAGES).await?;
        Ok((reference, echo_plainly(&plain, &mut echoed).await?))
    });
    let check = check.await?;
    plain.close().await?;
    bare.close().await?;
    desk.close().await?;
    let what = "daemon, a message at 1,000/s".to_owned();
    Ok(Measured {
        ratios: vec![Ratio::new("CPU", what, "us", Goal::Cost, &pairs, &check)],
        told: vec![
            Told::new("CPU visitor's ack at 1,000/s", &acks),
            Told::new("CPU visitor to agent at 1,000/s", &arrivals),
        ],
        ..Measured::default()
    })
}

fn each(time: Duration, messages: usize) -> f64 {
    time.as_secs_f64() * 1e6 / messages as f64
}

/// So many frames to the bare echo and back, at the same pace; its processor time for one.
async fn echo(
    bare: &Running,
    sockets: &mut [WebSocketStream<TcpStream>],
    frames: usize,
) -> Result<f64> {
    let mut pace = Pace::start(EVERY, frames);
    let frame = Message::text(content(0));
    let before = Cpu::of(bare.pid()?)?;
    let mut number = 0;
    while pace.next().await.is_some() {
        let turn = number % sockets.len();
        let socket = sockets.get_mut(turn).context("a socket")?;
        socket.send(frame.clone()).await?;
        text(socket).await?;
        number += 1;
    }
    Ok(each(before.since(bare.pid()?)?, frames))
}

/// As many bytes to the plain echo and back, at the same pace; its processor time for one.
async fn echo_plainly(plain: &Running, socket: &mut Echoed) -> Result<f64> {
    let mut pace = Pace::start(EVERY, MESSAGES);
    let mut bytes = vec![b'.'; frame_bytes(&content(0))];
    let before = Cpu::of(plain.pid()?)?;
    while pace.next().await.is_some() {
        socket.send(&bytes)?;
        socket.hear(&mut bytes)?;
    }
    Ok(each(before.since(plain.pid()?)?, MESSAGES))
}
