//! R1 and R14: what a visitor costs who only looks, and how fast all come back at once.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures::SinkExt;
use futures::stream::{StreamExt, TryStreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::desk::{Desk, Tab, handshake, text};
use super::process::resident;
use super::ratio::{Goal, Ratio};
use super::reference::Running;

/// The part of the visitors that come first: what a server needs for itself is in it.
const FIRST_PART: u32 = 9;
/// The most sockets opened at a time.
const OPEN_AT_A_TIME: usize = 64;
/// How often the storm is repeated.
const STORMS: usize = 3;

/// Both measures, and the memory of one visitor in words.
pub(super) struct Measured {
    pub(super) memory: Ratio,
    pub(super) storm: Ratio,
    pub(super) each: String,
}

/// Measures with so many visitors.
pub(super) async fn measure(program: &Path, visitors: u32) -> Result<Measured> {
    let (first, all) = ((visitors / FIRST_PART).max(1) as usize, visitors as usize);
    let mut desk = Desk::open(program).await?;
    let pid = desk.pid()?;
    let mut tabs = Vec::with_capacity(all);
    enter(&desk, &mut tabs, first).await?;
    let low = resident(pid)?;
    enter(&desk, &mut tabs, all).await?;
    let ours = slope(low, resident(pid)?, all - first);
    let sessions = begin(&mut desk, tabs).await?;
    let bare = Running::start(&["echo"]).await?;
    let mut sockets = Vec::with_capacity(all);
    connect(&bare, &mut sockets, first).await?;
    let low = resident(bare.pid()?)?;
    connect(&bare, &mut sockets, all).await?;
    let theirs = slope(low, resident(bare.pid()?)?, all - first);
    drop(sockets);
    let mut storms = Vec::new();
    for _ in 0..STORMS {
        let began = Instant::now();
        let tabs = come_back(&desk, &sessions).await?;
        let took = began.elapsed();
        drop(tabs);
        let began = Instant::now();
        let mut sockets = Vec::with_capacity(all);
        connect(&bare, &mut sockets, all).await?;
        storms.push((took.as_secs_f64() * 1e3, began.elapsed().as_secs_f64() * 1e3));
    }
    bare.close().await?;
    desk.close().await?;
    let what = format!("bytes an idle socket, of {all}");
    let storm = format!("{all} come back at once");
    Ok(Measured {
        each: format!("an idle visitor takes {ours:.0} bytes, a bare echo's socket {theirs:.0}"),
        memory: Ratio::new("R1", what, "B", Goal::AtMost(1.3), &[(ours, theirs)]),
        storm: Ratio::new("R14", storm, "ms", Goal::AtMost(2.0), &storms),
    })
}

fn slope(low: u64, high: u64, sockets: usize) -> f64 {
    high.saturating_sub(low) as f64 / sockets as f64
}

/// New visitors until there are so many.
async fn enter(desk: &Desk, tabs: &mut Vec<Tab>, until: usize) -> Result<()> {
    let new = (tabs.len()..until).map(|_| desk.tab(None));
    let new = futures::stream::iter(new).buffer_unordered(OPEN_AT_A_TIME);
    tabs.extend(new.try_collect::<Vec<_>>().await?);
    Ok(())
}

/// Bare sockets until there are so many, each heard once.
async fn connect(
    bare: &Running,
    sockets: &mut Vec<WebSocketStream<TcpStream>>,
    until: usize,
) -> Result<()> {
    let new = (sockets.len()..until).map(|_| async {
        let mut socket = handshake(&bare.address, "/").await?;
        socket.send(Message::text("hello")).await?;
        text(&mut socket).await?;
        anyhow::Ok(socket)
    });
    let new = futures::stream::iter(new).buffer_unordered(OPEN_AT_A_TIME);
    sockets.extend(new.try_collect::<Vec<_>>().await?);
    Ok(())
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
