//! R2: what one typing signal costs, from a visitor's socket to an agent's stream, by a bare echo of as long a frame.
//! A signal is sent by many visitors in turn, since of one visitor's only one in two seconds counts.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use fusionchat_proto::v1;
use futures::SinkExt;
use futures::stream::{StreamExt, TryStreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tonic::Streaming;
use v1::watch_response::Frame;

use super::Measured;
use super::kit::deadline::within;
use super::kit::desk::{Desk, Tab, handshake, text};
use super::kit::plain::{Echoed, frame_bytes};
use super::kit::process::Cpu;
use super::kit::ratio::{Goal, Ratio, beside_plain_loop};
use super::kit::reference::Running;

/// How many visitors type, each once a round.
const VISITORS: usize = 6_000;
/// How many at a time. A reader that is 64 signals behind has them shed: with fewer under way none is.
const AT_A_TIME: usize = 32;
/// A visitor's next signal counts only after two seconds.
const BREATH: Duration = Duration::from_millis(2_100);
/// How long a signal may take: it is shed rather than late.
const SIGNAL_MAX: Duration = Duration::from_secs(10);
/// The most sockets opened at a time.
const OPEN_AT_A_TIME: usize = 64;
/// The reference cost 1.11 times its plain loop on a quiet machine.
const PLAIN_TIMES_MAX: f64 = 1.7;
/// What a visitor sends.
const TYPING: &str = r#"{"type":"typing"}"#;

/// Measures it.
pub(super) async fn measure(program: &Path, rounds: u16) -> Result<Measured> {
    let mut desk = Desk::open(program).await?;
    let mut tabs = begun(&mut desk).await?;
    let agent = desk.agent()?;
    let mut stream = agent.watch().watch(v1::WatchRequest::default()).await?.into_inner();
    within("the stream's beginning", async {
        while !matches!(next(&mut stream).await?, Frame::Ready(_)) {}
        Ok(())
    })
    .await?;
    let bare = Running::start(&["echo"]).await?;
    let open = (0..VISITORS).map(|_| handshake(&bare.address, "/"));
    let mut sockets: Vec<WebSocketStream<TcpStream>> =
        futures::stream::iter(open).buffer_unordered(OPEN_AT_A_TIME).try_collect().await?;
    let mut pairs = Vec::new();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / VISITORS as f64;
    for _ in 0..rounds {
        let ours = type_all(desk.pid()?, &mut tabs, &mut stream).await?;
        let theirs = echo_all(bare.pid()?, &mut sockets).await?;
        pairs.push((each(ours), each(theirs)));
        tokio::time::sleep(BREATH).await;
    }
    let plain = Running::start_plain(&["echo"]).await?;
    let mut echoed = Vec::new();
    for _ in 0..AT_A_TIME {
        echoed.push(Echoed::open(&plain.address)?);
    }
    let check = beside_plain_loop(PLAIN_TIMES_MAX, async || {
        let reference = echo_all(bare.pid()?, &mut sockets).await?;
        Ok((each(reference), each(echo_plainly(plain.pid()?, &mut echoed)?)))
    });
    let check = check.await?;
    plain.close().await?;
    bare.close().await?;
    drop(tabs);
    desk.close().await?;
    let what = "CPU a typing signal".to_owned();
    let ratio = Ratio::new("R2", what, "us", Goal::AtMost(1.5), &pairs, &check);
    Ok(Measured { ratios: vec![ratio], ..Measured::default() })
}

/// Visitors who have said a word each: only a conversation can be typed in.
async fn begun(desk: &mut Desk) -> Result<Vec<Tab>> {
    let ids: Vec<String> = (0..VISITORS).map(|_| desk.chance.client_id()).collect();
    let desk = &*desk;
    let new = ids.iter().map(|id| async move {
        let mut tab = desk.tab(None).await?;
        tab.say(id, "Hello").await?;
        anyhow::Ok(tab)
    });
    futures::stream::iter(new).buffer_unordered(OPEN_AT_A_TIME).try_collect().await
}

async fn next(stream: &mut Streaming<v1::WatchResponse>) -> Result<Frame> {
    let response = tokio::time::timeout(SIGNAL_MAX, stream.message()).await;
    response
        .context("a signal was shed")??
        .context("the stream goes on")?
        .frame
        .context("a frame that is known here")
}

/// Every visitor types once, and the agent sees it; the daemon's processor time.
async fn type_all(
    pid: u32,
    tabs: &mut [Tab],
    stream: &mut Streaming<v1::WatchResponse>,
) -> Result<Duration> {
    let before = Cpu::of(pid)?;
    for some in tabs.chunks_mut(AT_A_TIME) {
        for tab in some.iter_mut() {
            tab.send_text(TYPING).await?;
        }
        within("a signal", async {
            let mut seen = 0;
            while seen < some.len() {
                seen += usize::from(matches!(next(stream).await?, Frame::Typing(_)));
            }
            Ok(())
        })
        .await?;
    }
    before.since(pid)
}

/// The same on the bare server; its processor time.
async fn echo_all(pid: u32, sockets: &mut [WebSocketStream<TcpStream>]) -> Result<Duration> {
    let before = Cpu::of(pid)?;
    for some in sockets.chunks_mut(AT_A_TIME) {
        for socket in some.iter_mut() {
            socket.send(Message::text(TYPING)).await?;
        }
        for socket in some {
            text(socket).await?;
        }
    }
    before.since(pid)
}

/// As many bytes to the plain echo and back, as many at a time; its processor time.
fn echo_plainly(pid: u32, sockets: &mut [Echoed]) -> Result<Duration> {
    let mut bytes = vec![b'.'; frame_bytes(TYPING)];
    let before = Cpu::of(pid)?;
    let mut left = VISITORS;
    while left > 0 {
        let some = left.min(sockets.len());
        for socket in &mut sockets[..some] {
            socket.send(&bytes)?;
        }
        for socket in &mut sockets[..some] {
            socket.hear(&mut bytes)?;
        }
        left -= some;
    }
    before.since(pid)
}
