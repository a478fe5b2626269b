//! R12 and R13: how long a start takes whose files are only on disk, and how long after a kill under load the first
//! message is acknowledged: with many messages by with few, on redb. sled reads its log when it opens: told by the
//! gigabyte.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fusionchat_proto::v1;
use futures::future::try_join_all;

use super::Measured;
use super::kit::desk::Tab;
use super::kit::library::{Library, text};
use super::kit::process::{SERVER, forget};
use super::kit::ratio::{Goal, Ratio, by_itself, median};
use crate::chance::Chance;
use crate::daemon::{Daemon, bytes_below};
use crate::staff::Staff;

/// How many visitors write when the daemon is killed, and for how long they have.
const WRITERS: usize = 16;
const WRITING: Duration = Duration::from_millis(500);
/// How many conversations of the queue are asked for.
const QUEUE_ROWS: u32 = 50;

/// R12.
pub(super) async fn cold(
    program: &Path,
    large: &Library,
    small: &Library,
    rounds: u16,
) -> Result<Measured> {
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        pairs.push((cold_start(program, large).await?, cold_start(program, small).await?));
    }
    let check = by_itself(async || cold_start(program, small).await).await?;
    let what = format!("cold start, {} messages", large.shape.all());
    let ratio = Ratio::new("R12", what, "ms", Goal::AtMost(1.5), &pairs, &check);
    Ok(Measured { ratios: vec![ratio], ..Measured::default() })
}

/// From the start of the process to its first answer, in milliseconds: what an agent asks first, a page of the queue.
/// The status of the daemon would count who waits, up to ten thousand, which is no part of a start.
async fn cold_start(program: &Path, library: &Library) -> Result<f64> {
    forget(&library.data())?;
    let mut daemon = library.daemon(program)?;
    let agent = library.admin(&daemon)?;
    let began = Instant::now();
    daemon.spawn()?;
    let queue = v1::ListEscalationsRequest { limit: QUEUE_ROWS };
    while agent.escalations().list_escalations(queue).await.is_err() {
        daemon.still_starting(began).await?;
    }
    let took = began.elapsed();
    daemon.stop().await?;
    Ok(took.as_secs_f64() * 1e3)
}

/// R13.
pub(super) async fn killed(
    program: &Path,
    large: &Library,
    small: &Library,
    rounds: u16,
) -> Result<Measured> {
    let mut chance = Chance::new(u64::from(std::process::id()), 13);
    let (acked, unused) = (Cell::new(0), Cell::new(0));
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        let ours = first_ack(program, large, &mut chance, &acked).await?;
        pairs.push((ours, first_ack(program, small, &mut chance, &unused).await?));
    }
    let check = by_itself(async || first_ack(program, small, &mut chance, &unused).await).await?;
    let what = format!("kill -9 to ack, {} messages", large.shape.all());
    let ratio = Ratio::new("R13", what, "ms", Goal::AtMost(1.5), &pairs, &check);
    let rate = f64::from(acked.get()) / (WRITING.as_secs_f64() * f64::from(rounds));
    let note = format!(
        "R13 before a kill {WRITERS} visitors had {rate:.0} acknowledgements a second on the large \
         store, their hellos included"
    );
    Ok(Measured { ratios: vec![ratio], notes: vec![note], ..Measured::default() })
}

/// From a kill under load to the first acknowledgement, in milliseconds.
async fn first_ack(
    program: &Path,
    library: &Library,
    chance: &mut Chance,
    acked: &Cell<u32>,
) -> Result<f64> {
    let mut daemon = library.daemon(program)?;
    daemon.start(&library.admin(&daemon)?).await?;
    let (http, shop) = (daemon.http(), library.shop()?);
    let sessions = shop.conversations.iter().take(WRITERS);
    let writers = sessions.map(|(_, session)| {
        let mut chance = Chance::new(chance.next(), 0);
        let http = &http;
        async move {
            let mut tab = Tab::open(http, &shop.inbox, Some(session)).await?;
            loop {
                tab.say(&chance.client_id(), &text(0)).await?;
                acked.set(acked.get() + 1);
            }
        }
    });
    let writing: Result<Vec<()>, _> =
        match tokio::time::timeout(WRITING, try_join_all(writers)).await {
            Ok(ended) => ended,
            Err(_) => anyhow::Ok(Vec::new()),
        };
    writing.context("a visitor before the kill")?;
    let began = Instant::now();
    daemon.kill9().await?;
    daemon.spawn()?;
    let mut tab = loop {
        match Tab::open(&http, &shop.inbox, None).await {
            Ok(tab) => break tab,
            Err(_) => daemon.still_starting(began).await?,
        }
    };
    tab.say(&chance.client_id(), "Are you there?").await?;
    let took = began.elapsed();
    daemon.stop().await?;
    Ok(took.as_secs_f64() * 1e3)
}

/// What sled's start takes for each gigabyte that was written since its last one. Each round has a copy of its own.
pub(super) async fn sled(program: &Path, library: &Library, rounds: u16) -> Result<Measured> {
    let mut starts = Vec::new();
    let bytes = bytes_below(&library.store());
    for _ in 0..rounds {
        let copy = library.copy_of_store()?;
        forget(copy.path())?;
        let mut daemon = Daemon::new(program, copy.path())?.on_core(SERVER);
        let staff = Staff::new(&daemon.grpc(), Some(&library.shop()?.key))?;
        starts.push(daemon.start(&staff).await?.as_secs_f64());
        daemon.stop().await?;
    }
    let (middle, gigabytes) = (median(starts.into_iter()), bytes as f64 / 1e9);
    let each = middle / gigabytes;
    let note = format!(
        "R12, R13 sled: a start takes {middle:.2} s with {gigabytes:.2} GB written since the last \
         one, {each:.2} s a GB ({} messages, {rounds} rounds)",
        library.shape.all()
    );
    Ok(Measured { notes: vec![note], ..Measured::default() })
}
