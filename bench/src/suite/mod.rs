//! The benchmarks of the contract: each figure is ours divided by a reference that runs in turn with it, in the same
//! run, on the same machine. Absolute figures are printed beside them and mean nothing elsewhere.
//!
//! - [`kit`]: what the measures are made of.
//! - [`store`]: R3a and R3b: durable acknowledgements, and what the engine is asked to write.
//! - [`latency`], [`idle`], [`typing`], [`fanout`], [`watch`]: R4, R1 and R14, R2, R9, R10.
//! - [`start`], [`pages`], [`neighbour`], [`disk`]: R12 and R13, R15, R16, R17.
//! - [`work`]: where the processor goes.

pub(crate) mod kit;

mod disk;
mod fanout;
mod idle;
mod latency;
mod neighbour;
mod pages;
mod start;
mod store;
mod typing;
mod watch;
mod work;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use fusionchatd::store::open::DiskEngine;
use serde::Serialize;

use crate::figures::{Spread, Times};
use kit::library::{Library, Shape};
use kit::process;
use kit::ratio::Ratio;

/// The measures there are.
const MEASURES: [&str; 14] =
    ["R1", "R2", "R3a", "R3b", "R4", "R9", "R10", "R12", "R13", "R14", "R15", "R16", "R17", "CPU"];
/// How many rounds there are unless told otherwise: with fewer nothing counts.
const ROUNDS: u16 = 7;
/// How many messages a conversation of a large store has.
const MESSAGES_EACH: u32 = 10;
/// What a large store is compared with, in messages.
const FEW: u32 = 10_000;
/// Many organizations, and one of them by itself.
const ORGANIZATIONS: Shape = Shape { organizations: 10_000, conversations: 2, messages: 5 };
const ORGANIZATION: Shape = Shape { organizations: 1, ..ORGANIZATIONS };
/// A store of sled's, whose whole log is read at the start.
const OF_SLED: Shape = Shape { organizations: 1, conversations: 20_000, messages: 10 };

/// Which measures, how often.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these measures, such as R3a
    #[arg(value_name = "MEASURE")]
    only: Vec<String>,
    /// How often each pair is measured, in turn; fewer than 7 only to try it out
    #[arg(long, value_name = "COUNT", default_value_t = ROUNDS, value_parser = clap::value_parser!(u16).range(1..=99))]
    rounds: u16,
    /// How many idle visitors there are in R1 and R14
    #[arg(long, value_name = "COUNT", default_value_t = 18_000, value_parser = clap::value_parser!(u32).range(100..=19_000))]
    visitors: u32,
    /// How many messages the large store of R12, R13 and R15 has; the long form is 10000000
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(i64::from(FEW)..=10_000_000))]
    messages: u32,
    /// The engine of R3a and R3b: sled or redb
    #[arg(long, value_name = "ENGINE", default_value = "sled", value_parser = engine)]
    store: DiskEngine,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// The fusionchatd to run [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) daemon: Option<PathBuf>,
}

fn engine(name: &str) -> Result<DiskEngine, String> {
    DiskEngine::named(name).ok_or_else(|| format!("no engine is called {name}"))
}

impl Arguments {
    fn wants(&self, measure: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|it| it.eq_ignore_ascii_case(measure))
    }

    fn wants_any(&self, measures: &[&str]) -> bool {
        measures.iter().any(|it| self.wants(it))
    }
}

/// What a measure comes to.
#[derive(Default)]
struct Measured {
    ratios: Vec<Ratio>,
    told: Vec<Told>,
    notes: Vec<String>,
}

impl Measured {
    /// Takes another one in.
    fn take(&mut self, other: Self) {
        self.ratios.extend(other.ratios);
        self.told.extend(other.told);
        self.notes.extend(other.notes);
    }
}

/// A distribution of times.
#[derive(Debug, Serialize)]
struct Told {
    what: String,
    #[serde(flatten)]
    spread: Spread,
}

impl Told {
    fn new(what: &str, times: &Times) -> Self {
        Self { what: what.to_owned(), spread: times.spread() }
    }

    fn row(&self) -> String {
        let Spread { count, p50_us, p99_us, p999_us, max_us } = self.spread;
        format!(
            "{:48} p50 {p50_us} us, p99 {p99_us} us, p99.9 {p999_us} us, max {max_us} us (of {count})",
            self.what
        )
    }
}

/// Everything a run measures.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Suite {
    rounds: u16,
    load_before: String,
    ratios: Vec<Ratio>,
    times: Vec<Told>,
    notes: Vec<String>,
}

/// The large stores that the chosen measures need, made on both cores before anything is measured behind a door.
#[derive(Default)]
struct Stock {
    messages: Option<(Library, Library)>,
    organizations: Option<(Library, Library)>,
    sled: Option<Library>,
    neighbours: Option<Library>,
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
        times: Vec::new(),
        notes: Vec::new(),
    };
    if options.rounds < ROUNDS {
        suite.notes.push(format!("{} rounds are too few to count", options.rounds));
    }
    let both = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stock = both.block_on(without_a_door(options, program, &mut suite))?;
    drop(both);
    process::go_to_load_core()?;
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    one.block_on(through_the_doors(options, program, &mut suite))?;
    one.block_on(on_large_stores(options, program, &stock, &mut suite))?;
    Ok(suite)
}

async fn without_a_door(options: &Arguments, program: &Path, suite: &mut Suite) -> Result<Stock> {
    if options.wants_any(&["R3a", "R3b"]) {
        suite.take(options, store::measure(options.store, options.rounds).await?);
    }
    if options.wants("R17") {
        suite.take(options, disk::measure(program).await?);
    }
    let mut stock = Stock::default();
    let make = async |engine: DiskEngine, shape: Shape| {
        eprintln!("making a store of {} messages on {engine}", shape.all());
        Library::make(engine, shape).await
    };
    if options.wants_any(&["R12", "R13", "R15"]) {
        let of = |messages: u32| Shape {
            organizations: 1,
            conversations: (messages / MESSAGES_EACH) as usize,
            messages: MESSAGES_EACH as usize,
        };
        let large = make(DiskEngine::Redb, of(options.messages)).await?;
        stock.messages = Some((large, make(DiskEngine::Redb, of(FEW)).await?));
    }
    if options.wants("R15") {
        let many = make(DiskEngine::Redb, ORGANIZATIONS).await?;
        stock.organizations = Some((many, make(DiskEngine::Redb, ORGANIZATION).await?));
    }
    if options.wants_any(&["R12", "R13"]) {
        stock.sled = Some(make(DiskEngine::Sled, OF_SLED).await?);
    }
    if options.wants("R16") {
        stock.neighbours = Some(make(DiskEngine::Sled, neighbour::SHAPE).await?);
    }
    Ok(stock)
}

async fn through_the_doors(options: &Arguments, program: &Path, suite: &mut Suite) -> Result<()> {
    let rounds = options.rounds;
    if options.wants("R4") {
        suite.take(options, latency::measure(program, rounds).await?);
    }
    if options.wants("R2") {
        suite.take(options, typing::measure(program, rounds).await?);
    }
    if options.wants("R10") {
        suite.take(options, watch::measure(program, rounds).await?);
    }
    if options.wants("R9") {
        suite.take(options, fanout::measure(program, rounds).await?);
    }
    if options.wants("R1") {
        suite.take(options, idle::memory(program, options.visitors, rounds).await?);
    }
    if options.wants("R14") {
        suite.take(options, idle::storm(program, options.visitors, rounds).await?);
    }
    if options.wants("CPU") {
        suite.take(options, work::measure(program, rounds).await?);
    }
    Ok(())
}

async fn on_large_stores(
    options: &Arguments,
    program: &Path,
    stock: &Stock,
    suite: &mut Suite,
) -> Result<()> {
    let rounds = options.rounds;
    if let Some((large, small)) = &stock.messages {
        if options.wants("R12") {
            suite.take(options, start::cold(program, large, small, rounds).await?);
        }
        if options.wants("R15") {
            let what = format!("{} messages", large.shape.all());
            suite.take(options, pages::measure(program, (large, small), &what, rounds).await?);
        }
        if options.wants("R13") {
            suite.take(options, start::killed(program, large, small, rounds).await?);
        }
    }
    if let Some((many, one)) = &stock.organizations {
        let what = format!("{} organizations", many.shape.organizations);
        suite.take(options, pages::measure(program, (many, one), &what, rounds).await?);
    }
    if let Some(sled) = &stock.sled {
        suite.take(options, start::sled(program, sled, rounds).await?);
    }
    if let Some(neighbours) = &stock.neighbours {
        suite.take(options, neighbour::measure(program, neighbours, rounds).await?);
    }
    Ok(())
}

impl Suite {
    /// Takes what a measure came to, and shows at once what of it was asked for.
    fn take(&mut self, options: &Arguments, measured: Measured) {
        let Measured { ratios, told, notes } = measured;
        for ratio in ratios.into_iter().filter(|it| options.wants(it.id())) {
            eprintln!("{}", ratio.row());
            self.notes.extend(ratio.notes());
            self.ratios.push(ratio);
        }
        self.times.extend(told);
        self.notes.extend(notes);
    }

    /// Whether every goal was met against a reference that counts: a void one has shown nothing.
    pub(crate) fn good(&self) -> bool {
        self.ratios.iter().all(Ratio::good)
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
            "{:52} {:>14} {:>16} {:>7} {:>8} {}",
            head[0], head[1], head[2], head[3], head[4], head[5]
        );
        for ratio in &self.ratios {
            let _ = writeln!(text, "{}", ratio.row());
        }
        for told in &self.times {
            let _ = writeln!(text, "{}", told.row());
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        let _ = writeln!(text, "rounds {}, load before {}", self.rounds, self.load_before);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::kit::ratio::{Check, Goal};
    use super::*;

    fn suite(ratios: Vec<Ratio>) -> Suite {
        let (times, notes) = (Vec::new(), Vec::new());
        Suite { rounds: ROUNDS, load_before: "0".to_owned(), ratios, times, notes }
    }

    fn ratio(goal: Goal, plain: f64) -> Ratio {
        Ratio::new(
            "R0",
            "a test".to_owned(),
            "x",
            goal,
            &[(9.0, 10.0)],
            &Check::by_itself(&[plain]),
        )
    }

    #[test]
    fn a_void_measure_is_not_good() {
        let met = || ratio(Goal::AtMost(1.3), 10.0);
        let void = || ratio(Goal::AtMost(1.3), 2.0);
        assert!(suite(vec![met(), ratio(Goal::Cost, 2.0)]).good());
        assert!(!suite(vec![met(), void()]).good());
        assert!(!suite(vec![void(), void()]).good());
        assert!(!suite(vec![met(), ratio(Goal::AtMost(0.5), 10.0)]).good());
    }
}
