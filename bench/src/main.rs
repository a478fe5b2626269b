//! `fusion-bench`: plays real dialogues against a real daemon that is killed meanwhile, and holds it to its
//! acknowledgements.
//!
//! Its clients are its own and small: those of the end-to-end tests write down everything they see, which would be
//! measured too. Like the other clients it knows the documented protocol only.

mod articles;
mod chance;
mod daemon;
mod desk;
mod dialogue;
mod figures;
mod ledger;
mod readback;
mod replay;
mod report;
mod self_test;
mod setup;
mod staff;
mod suite;
mod verify;
mod visitor;
mod world;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use replay::Play;

/// A difference was found.
const EXIT_DIFFERENT: u8 = 1;
/// It could not be tried.
const EXIT_FAILED: u8 = 2;

/// Plays dialogues against a real fusionchatd, and checks what is left.
#[derive(Parser)]
#[command(name = "fusion-bench", version, about)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Play dialogues: visitors over WebSocket, agents over gRPC, a daemon that is killed
    ///
    /// Exits 1 if anything that was acknowledged is not there exactly once and in order, 2 if it could not be tried.
    ///
    /// Example: cargo run --release -p fusion-bench -- replay
    Replay(Replay),
    /// Hold a daemon, or what was read back from it, to a ledger: what replay starts as a process of its own
    Verify(verify::Arguments),
    /// Measure the daemon against bare references, in turn, in this run
    ///
    /// Exits 1 if a goal was missed or its reference does not count, 2 if it could not be tried.
    ///
    /// Example: cargo run --release -p fusion-bench -- suite R3a R4
    Suite(suite::Arguments),
    /// Be a bare server to be measured against: what suite starts as a process of its own
    #[command(subcommand)]
    Reference(suite::kit::reference::Reference),
    /// Be a plain server a reference is held to: what suite starts as a process of its own
    #[command(subcommand)]
    Plain(suite::kit::plain::Plain),
}

#[derive(Args)]
struct Replay {
    /// Dialogues, one JSON object a line [default: ../shared/data/dialogues.jsonl beside the checkout]
    #[arg(long, value_name = "FILE", conflicts_with = "self_test")]
    dialogues: Option<PathBuf>,
    /// Import the Markdown articles of this folder first
    #[arg(long, value_name = "DIR")]
    articles: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// What faults are drawn from; another one each time unless given
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How many dialogues go on at a time
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    parallel: u16,
    /// How often the daemon is killed [default: 3]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(0..=1_000))]
    kills: Option<u64>,
    /// The fusionchatd to run [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    daemon: Option<PathBuf>,
    /// Keep the directory of the run: data, ledger, what was read back
    #[arg(long)]
    keep: bool,
    /// Play a few built-in dialogues, then lie to the verification and see that it notices
    #[arg(long)]
    self_test: bool,
}

fn main() -> ExitCode {
    match act(Arguments::parse().action) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_DIFFERENT),
        Err(error) => {
            eprintln!("fusion-bench: {error:#}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn act(action: Action) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot start")?;
    match action {
        Action::Replay(options) => runtime.block_on(replay(options)),
        Action::Verify(options) => runtime.block_on(verify(&options)),
        Action::Suite(options) => {
            let program = runtime.block_on(daemon::find(options.daemon.as_deref()))?;
            drop(runtime);
            let suite = suite::run(&options, &program)?;
            say(&suite.print(&options)?)?;
            Ok(suite.good())
        }
        Action::Reference(which) => {
            runtime.block_on(suite::kit::reference::serve(which)).map(|()| true)
        }
        Action::Plain(which) => {
            drop(runtime);
            suite::kit::plain::serve(which).map(|()| true)
        }
    }
}

async fn verify(options: &verify::Arguments) -> Result<bool> {
    let findings = verify::run(options).await?;
    say(&format!("{}\n", serde_json::to_string(&findings)?))?;
    Ok(findings.difference_count == 0)
}

/// Writes to stdout; a reader who has gone is an error, not a panic.
fn say(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("writing the report")
}

/// How many kills there are if nothing is said, and in a self-test.
const KILLS: u64 = 3;
const KILLS_OF_SELF_TEST: u64 = 1;

async fn replay(options: Replay) -> Result<bool> {
    let script = if options.self_test {
        dialogue::built_in()
    } else {
        dialogue::read(&options.dialogues.unwrap_or_else(dialogue::default_file))?
    };
    let program = daemon::find(options.daemon.as_deref()).await?;
    let mut directory = tempfile::Builder::new().prefix("fusion-bench-").tempdir()?;
    let kills = if options.self_test { KILLS_OF_SELF_TEST } else { KILLS };
    let play = Play {
        program: program.canonicalize().with_context(|| format!("{}", program.display()))?,
        directory: directory.path().to_owned(),
        script,
        articles: options.articles,
        parallel: usize::from(options.parallel),
        kills: options.kills.unwrap_or(kills),
        seed: options.seed.unwrap_or_else(|| u64::from(std::process::id())),
    };
    directory.disable_cleanup(options.keep);
    eprintln!("seed {}, in {}", play.seed, play.directory.display());
    let outcome = replay::play(&play).await;
    let good = outcome.as_ref().is_ok_and(|report| report.differences() == 0);
    // What went wrong can be looked at.
    directory.disable_cleanup(options.keep || !good);
    if !good {
        eprintln!("what is left lies in {}", play.directory.display());
    }
    let report = outcome?;
    let text = if options.json {
        format!("{}\n", serde_json::to_string(&report)?)
    } else {
        report.table()
    };
    say(&text)?;
    if options.self_test {
        eprintln!("played {} kill(s)", report.kills());
        for seen in self_test::lie(&play).await? {
            eprintln!("noticed: {seen}");
        }
    }
    Ok(good)
}
