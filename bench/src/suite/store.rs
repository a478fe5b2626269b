//! R3: durable acknowledgements of one organization, by the bare engine under the very batches the service made, and by
//! a bare append and sync of as many bytes a message as the contract's reference had. No door, no network: what the
//! service costs over its engine.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use fusionchatd::store::open::{DiskEngine, OpenOptions, open};
use fusionchatd::store::table::Table;
use fusionchatd::store::{Batch, Engine};
use futures::future::try_join_all;

use super::Measured;
use super::kit::ground::{Ground, talk};
use super::kit::ratio::{Goal, Ratio, by_itself};

/// How many visitors write at a time.
const WRITERS: [usize; 3] = [1, 16, 256];
/// About how many messages a round has.
const MESSAGES: usize = 4_096;
/// A lone writer waits for each sync: fewer do.
const MESSAGES_OF_ONE: usize = 1_024;
/// What the bare append writes for a message, in bytes.
const APPEND_BYTES: usize = 400;

/// What one run of the service leaves behind.
struct Run {
    engine: DiskEngine,
    rate: f64,
    before: Vec<Batch>,
    batches: Vec<Batch>,
    messages: usize,
}

/// Measures with every number of writers.
pub(super) async fn measure(engine: DiskEngine, rounds: u16) -> Result<Measured> {
    let mut measured = Measured::default();
    for writers in WRITERS {
        measured.take(at(engine, writers, rounds).await?);
    }
    Ok(measured)
}

async fn at(engine: DiskEngine, writers: usize, rounds: u16) -> Result<Measured> {
    let messages = if writers == 1 { MESSAGES_OF_ONE } else { MESSAGES / writers * writers };
    let (mut by_engine, mut by_append) = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..rounds {
        let run = ours(engine, writers, messages).await?;
        let engine = bare_engine(&run).await?;
        let append = bare_append(&run)?;
        by_engine.push((run.rate, engine));
        by_append.push((run.rate, append));
        last = Some(run);
    }
    let run = last.context("there is a round")?;
    let check = by_itself(async || bare_engine(&run).await).await?;
    let append_check = by_itself(async || bare_append(&run)).await?;
    let what = format!("durable acks on {engine}, {writers} writers");
    let engine = Ratio::new("R3a", what.clone(), "/s", Goal::AtLeast(0.7), &by_engine, &check);
    let append = Ratio::new("R3b", what, "/s", Goal::Speed, &by_append, &append_check);
    Ok(Measured {
        ratios: vec![engine, append],
        notes: vec![writes(&run, writers)],
        ..Measured::default()
    })
}

/// The service over a new store, `writers` at a time.
async fn ours(engine: DiskEngine, writers: usize, messages: usize) -> Result<Run> {
    let directory = tempfile::tempdir()?;
    let opened = store(engine, directory.path()).await?;
    let ground = Ground::lay(opened, writers).await?;
    let before = ground.recorder.take();
    let began = Instant::now();
    let talks = ground.guests.iter().map(|it| talk(&ground.service, it, messages / writers));
    try_join_all(talks).await?;
    let took = began.elapsed();
    let batches = ground.recorder.take();
    let rate = messages as f64 / took.as_secs_f64();
    Engine::close(ground.recorder.as_ref()).await?;
    Ok(Run { engine, rate, before, batches, messages })
}

/// The same batches, one after another, on a new store.
async fn bare_engine(run: &Run) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let engine = store(run.engine, directory.path()).await?;
    for batch in &run.before {
        engine.commit(batch.clone()).await?;
    }
    let batches = run.batches.clone();
    let began = Instant::now();
    for batch in batches {
        engine.commit(batch).await?;
    }
    let took = began.elapsed();
    engine.close().await?;
    Ok(run.messages as f64 / took.as_secs_f64())
}

/// As many bytes as the messages of each batch have, appended and synced batch by batch.
fn bare_append(run: &Run) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let mut file = File::create(directory.path().join("log"))?;
    let began = Instant::now();
    for batch in &run.batches {
        file.write_all(&vec![b'x'; messages_of(batch) * APPEND_BYTES])?;
        file.sync_data()?;
    }
    Ok(run.messages as f64 / began.elapsed().as_secs_f64())
}

async fn store(engine: DiskEngine, directory: &Path) -> Result<Arc<dyn Engine>> {
    let url = engine.url(&directory.join("store"));
    Ok(open(&url, &OpenOptions::default()).await?)
}

fn messages_of(batch: &Batch) -> usize {
    let is_message = |key: &[u8]| key.first() == Some(&(Table::Message as u8));
    batch.put.iter().filter(|(key, _)| is_message(key)).count()
}

/// How much the engine is asked to write for a message, table by table.
fn writes(run: &Run, writers: usize) -> String {
    let messages = run.messages as f64;
    let count =
        |of: fn(&Batch) -> usize| run.batches.iter().map(of).sum::<usize>() as f64 / messages;
    let bytes = |batch: &Batch| batch.put.iter().map(|(key, row)| key.len() + row.len()).sum();
    let mut tables = std::collections::BTreeMap::<u8, usize>::new();
    for (key, _) in run.batches.iter().flat_map(|it| &it.put) {
        *tables.entry(key.first().copied().unwrap_or(0)).or_default() += 1;
    }
    let tables: Vec<String> = tables
        .iter()
        .map(|(table, puts)| format!("{table:#04x} {:.2}", *puts as f64 / messages))
        .collect();
    format!(
        "{writers} writers: {:.2} batches, {:.2} puts, {:.2} deletes, {:.0} bytes a message; puts by table: {}",
        run.batches.len() as f64 / messages,
        count(|it| it.put.len()),
        count(|it| it.delete.len()),
        count(bytes),
        tables.join(", ")
    )
}
