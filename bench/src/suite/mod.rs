//! The benchmarks of the contract: each figure is ours divided by a reference that runs in turn with it, in the same
//! run, on the same machine. Absolute figures are printed beside them and mean nothing elsewhere.
//!
//! - [`ratio`]: what one measure comes to: medians of rounds, and when a reference is void.
//! - [`ground`]: a service in this process, for the measures without a door.
//! - [`store`]: R3a and R3b: durable acknowledgements, and what the engine is asked to write.
//! - [`desk`]: a real daemon on a core of its own, visitors and agents on the other.
//! - [`latency`], [`idle`], [`typing`], [`fanout`], [`watch`]: R4, R1 and R14, R2, R9, R10.
//! - [`mod@reference`]: the bare servers they are measured against, processes of their own.

pub(crate) mod reference;

mod desk;
mod fanout;
mod ground;
mod idle;
mod latency;
mod process;
mod ratio;
mod store;
mod typing;
mod watch;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use ratio::Ratio;

/// The measures there are.
const MEASURES: [&str; 8] = ["R1", "R2", "R3a", "R3b", "R4", "R9", "R10", "R14"];
/// How many rounds there are unless told otherwise.
const ROUNDS: u16 = 7;

/// Which measures, how often.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these measures, such as R3a
    #[arg(value_name = "MEASURE")]
    only: Vec<String>,
    /// How often each pair is measured, in turn
    #[arg(long, value_name = "COUNT", default_value_t = ROUNDS, value_parser = clap::value_parser!(u16).range(1..=99))]
    rounds: u16,
    /// How many idle visitors there are in R1 and R14
    #[arg(long, value_name = "COUNT", default_value_t = 18_000, value_parser = clap::value_parser!(u32).range(100..=19_000))]
    visitors: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// The fusionchatd to run [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) daemon: Option<PathBuf>,
}

impl Arguments {
    fn wants(&self, measure: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|it| it.eq_ignore_ascii_case(measure))
    }
}

/// Everything a run measures.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Suite {
    rounds: u16,
    load_before: String,
    ratios: Vec<Ratio>,
    notes: Vec<String>,
}

/// Measures what is asked for: the store on both cores, everything behind a door with the server on one and the load
/// on the other.
pub(crate) fn run(options: &Arguments, program: &Path) -> Result<Suite> {
    for name in &options.only {
        let known = MEASURES.iter().any(|it| it.eq_ignore_ascii_case(name));
        ensure!(known, "there is no measure {name}; there are {}", MEASURES.join(", "));
    }
    let mut suite = Suite {
        rounds: options.rounds,
        load_before: process::load(),
        ratios: Vec::new(),
        notes: Vec::new(),
    };
    let both = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    both.block_on(without_a_door(options, &mut suite))?;
    drop(both);
    process::go_to_load_core()?;
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    one.block_on(through_the_doors(options, program, &mut suite))?;
    Ok(suite)
}

async fn without_a_door(options: &Arguments, suite: &mut Suite) -> Result<()> {
    if !options.wants("R3a") && !options.wants("R3b") {
        return Ok(());
    }
    for writers in store::WRITERS {
        let measured = store::measure(writers, options.rounds).await?;
        suite.notes.push(measured.writes);
        suite.ratios.extend(options.wants("R3a").then_some(measured.engine));
        suite.ratios.extend(options.wants("R3b").then_some(measured.append));
    }
    Ok(())
}

async fn through_the_doors(options: &Arguments, program: &Path, suite: &mut Suite) -> Result<()> {
    if options.wants("R4") {
        suite.ratios.extend(latency::measure(program, options.rounds).await?);
    }
    if options.wants("R2") {
        suite.ratios.push(typing::measure(program, options.rounds).await?);
    }
    if options.wants("R10") {
        suite.ratios.push(watch::measure(program, options.rounds).await?);
    }
    if options.wants("R9") {
        suite.ratios.extend(fanout::measure(program, options.rounds).await?);
    }
    if options.wants("R1") || options.wants("R14") {
        let measured = idle::measure(program, options.visitors).await?;
        suite.notes.push(measured.each);
        suite.ratios.extend(options.wants("R1").then_some(measured.memory));
        suite.ratios.extend(options.wants("R14").then_some(measured.storm));
    }
    Ok(())
}

impl Suite {
    /// Whether every goal was met by a reference that counts.
    pub(crate) fn good(&self) -> bool {
        self.ratios.iter().all(|it| it.met() != Some(false))
    }

    /// As it was asked for.
    pub(crate) fn print(&self, options: &Arguments) -> Result<String> {
        if options.json {
            return Ok(format!("{}\n", serde_json::to_string(self)?));
        }
        let mut text = String::new();
        let head = ["measure", "ours", "reference", "ratio", "goal", ""];
        let _ = writeln!(
            text,
            "{:38} {:>16} {:>16} {:>7} {:>8} {}",
            head[0], head[1], head[2], head[3], head[4], head[5]
        );
        for ratio in &self.ratios {
            let _ = writeln!(text, "{}", ratio.row());
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        let _ = writeln!(text, "rounds {}, load before {}", self.rounds, self.load_before);
        Ok(text)
    }
}
