//! R1 and R14: what a visitor costs who only looks, and how fast all come back at once.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures::SinkExt;
use futures::stream::{StreamExt, TryStreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::Measured;
use super::kit::desk::{Desk, Tab, handshake, text};
use super::kit::plain::held;
use super::kit::process::{resident, sockets, sockets_gone};
use super::kit::ratio::{Goal, Ratio, beside_plain_loop};
use super::kit::reference::Running;

/// The part of the visitors that come first: what a server needs for itself is in it.
const FIRST_PART: usize = 9;
/// The most sockets opened at a time.
const OPEN_AT_A_TIME: usize = 64;
/// An idle socket of the reference took 2.5 times as much as one with a buffer and nothing else, and 3.6 times while it
/// kept its handshake's memory.
const PLAIN_BYTES_TIMES_MAX: f64 = 3.0;
/// The bare handshakes took 0.93 times as long as plain requests and answers of their length on a quiet machine.
const PLAIN_HANDSHAKES_TIMES_MAX: f64 = 1.6;

/// R1: both servers begin anew each round, since neither gives memory back that it has once used.
pub(super) async fn memory(program: &Path, visitors: u32, rounds: u16) -> Result<Measured> {
    let all = visitors as usize;
    let mut desk = Desk::open(program).await?;
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        desk.restart().await?;
        let ours = of_visitors(&desk, all).await?;
        pairs.push((ours, of_echo(all).await?));
    }
    desk.close().await?;
    let check = beside_plain_loop(PLAIN_BYTES_TIMES_MAX, async || {
        Ok((of_echo(all).await?, of_plain(all).await?))
    });
    let check = check.await?;
    let what = format!("bytes an idle socket, of {all}");
    let ratio = Ratio::new("R1", what, "B", Goal::AtMost(1.3), &pairs, &check);
    Ok(Measured { ratios: vec![ratio], ..Measured::default() })
}

async fn of_visitors(desk: &Desk, all: usize) -> Result<f64> {
    let (pid, first) = (desk.pid()?, (all / FIRST_PART).max(1));
    let mut tabs = Vec::with_capacity(all);
    enter(desk, &mut tabs, first).await?;
    let low = resident(pid)?;
    enter(desk, &mut tabs, all).await?;
    Ok(slope(low, resident(pid)?, all - first))
}

async fn of_echo(all: usize) -> Result<f64> {
    let bare = Running::start(&["echo"]).await?;
    let first = (all / FIRST_PART).max(1);
    let mut sockets = Vec::with_capacity(all);
    open(&mut sockets, first, || heard_once(&bare)).await?;
    let low = resident(bare.pid()?)?;
    open(&mut sockets, all, || heard_once(&bare)).await?;
    let each = slope(low, resident(bare.pid()?)?, all - first);
    drop(sockets);
    bare.close().await?;
    Ok(each)
}

/// What a socket and a buffer of as many bytes take in a process that has nothing else.
async fn of_plain(all: usize) -> Result<f64> {
    let plain = Running::start_plain(&["hold"]).await?;
    let first = (all / FIRST_PART).max(1);
    let mut sockets = Vec::with_capacity(all);
    open(&mut sockets, first, || held(&plain.address)).await?;
    let low = resident(plain.pid()?)?;
    open(&mut sockets, all, || held(&plain.address)).await?;
    let each = slope(low, resident(plain.pid()?)?, all - first);
    plain.close().await?;
    Ok(each)
}

fn slope(low: u64, high: u64, sockets: usize) -> f64 {
    high.saturating_sub(low) as f64 / sockets as f64
}

/// R14: everybody has a conversation, and comes back to it. Neither side begins before the other has let go of its
/// sockets: both share a core.
pub(super) async fn storm(program: &Path, visitors: u32, rounds: u16) -> Result<Measured> {
    let all = visitors as usize;
    let mut desk = Desk::open(program).await?;
    let pid = desk.pid()?;
    let own = sockets(pid)?;
    let mut tabs = Vec::with_capacity(all);
    enter(&desk, &mut tabs, all).await?;
    let sessions = begin(&mut desk, tabs).await?;
    sockets_gone(pid, own).await?;
    let bare = Running::start(&["echo"]).await?;
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        let tabs = come_back(&desk, &sessions).await?;
        let ours = began.elapsed().as_secs_f64() * 1e3;
        drop(tabs);
        sockets_gone(pid, own).await?;
        pairs.push((ours, handshakes(&bare, all).await?));
    }
    let check = beside_plain_loop(PLAIN_HANDSHAKES_TIMES_MAX, async || {
        Ok((handshakes(&bare, all).await?, plain_handshakes(all).await?))
    });
    let check = check.await?;
    bare.close().await?;
    desk.close().await?;
    let what = format!("{all} come back at once");
    let ratio = Ratio::new("R14", what, "ms", Goal::AtMost(2.0), &pairs, &check);
    Ok(Measured { ratios: vec![ratio], ..Measured::default() })
}

/// As many bare handshakes, in milliseconds. The server has let go of them when this returns.
async fn handshakes(bare: &Running, all: usize) -> Result<f64> {
    let pid = bare.pid()?;
    let own = sockets(pid)?;
    let mut opened = Vec::with_capacity(all);
    let began = Instant::now();
    open(&mut opened, all, || handshake(&bare.address, "/")).await?;
    let took = began.elapsed();
    drop(opened);
    sockets_gone(pid, own).await?;
    Ok(took.as_secs_f64() * 1e3)
}

/// As many requests as long as a handshake's, each answered with as long an answer, in milliseconds.
async fn plain_handshakes(all: usize) -> Result<f64> {
    let plain = Running::start_plain(&["hold"]).await?;
    let mut opened = Vec::with_capacity(all);
    let began = Instant::now();
    open(&mut opened, all, || held(&plain.address)).await?;
    let took = began.elapsed();
    plain.close().await?;
    Ok(took.as_secs_f64() * 1e3)
}

/// New visitors until there are so many.
async fn enter(desk: &Desk, tabs: &mut Vec<Tab>, until: usize) -> Result<()> {
    let new = (tabs.len()..until).map(|_| desk.tab(None));
    let new = futures::stream::iter(new).buffer_unordered(OPEN_AT_A_TIME);
    tabs.extend(new.try_collect::<Vec<_>>().await?);
    Ok(())
}

/// Bare sockets until there are so many.
async fn open<T>(
    sockets: &mut Vec<T>,
    until: usize,
    one: impl AsyncFn() -> Result<T>,
) -> Result<()> {
    let new = (sockets.len()..until).map(|_| one());
    let new = futures::stream::iter(new).buffer_unordered(OPEN_AT_A_TIME);
    sockets.extend(new.try_collect::<Vec<_>>().await?);
    Ok(())
}

/// A bare socket whose buffers have been used, as those of a visitor's socket have.
async fn heard_once(bare: &Running) -> Result<WebSocketStream<TcpStream>> {
    let mut socket = handshake(&bare.address, "/").await?;
    socket.send(Message::text("hello")).await?;
    text(&mut socket).await?;
    Ok(socket)
}

/// Each visitor says one word, and all go.
async fn begin(desk: &mut Desk, tabs: Vec<Tab>) -> Result<Vec<String>> {
    let ids: Vec<String> = tabs.iter().map(|_| desk.chance.client_id()).collect();
    let words = tabs.into_iter().zip(&ids).map(|(mut tab, id)| async move {
        tab.say(id, "Hello").await?;
        anyhow::Ok(tab.session)
    });
    futures::stream::iter(words).buffer_unordered(OPEN_AT_A_TIME).try_collect().await
}

async fn come_back(desk: &Desk, sessions: &[String]) -> Result<Vec<Tab>> {
    let back = sessions.iter().map(|session| async move {
        let tab = desk.tab(Some(session)).await?;
        ensure!(tab.conversation.is_some(), "a visitor's conversation is gone");
        Ok(tab)
    });
    let back = futures::stream::iter(back).buffer_unordered(OPEN_AT_A_TIME);
    back.try_collect().await.context("a visitor who came back")
}
