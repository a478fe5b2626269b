//! The Fusionchat agent console: the live queue and its conversations in a terminal.
//!
//! `update` (pure) turns events into state and effects, `view` (pure) turns the state into cells,
//! `remote` carries effects out over gRPC and keeps the live stream, `draft` keeps unsent text on
//! disk, `run` is the loop between them. Text of other people becomes `text::SafeText` at the edge,
//! and nothing else reaches the screen.

pub mod cli;
mod clock;
#[cfg(test)]
mod console_test;
mod draft;
mod effect;
mod event;
#[cfg(test)]
mod fixture;
pub mod input;
pub mod key;
mod keymap;
mod palette;
mod remote;
mod run;
#[cfg(test)]
mod scripted;
mod state;
mod terminal;
mod text;
mod update;
mod view;
mod wrap;

use std::io;
use std::time::Duration;

use crossterm::event::EventStream;
use futures::{Stream, StreamExt};
use ratatui::Terminal;
use ratatui::backend::Backend;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::{Config, StartError};
use crate::clock::Clock;
use crate::draft::Drafts;
use crate::input::Input;
use crate::remote::client::Client;
use crate::run::{Signals, Wires};
use crate::state::{Start, State};

/// How long the last drafts may take to reach the disk at the end.
const DRAFTS_GRACE: Duration = Duration::from_secs(2);

/// Why the console ended early.
#[derive(Debug, Error)]
pub enum Error {
    /// It could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The terminal failed.
    #[error("the terminal failed")]
    Terminal(#[source] io::Error),
    /// The random source failed.
    #[error("the random source failed: {0}")]
    Random(getrandom::Error),
}

/// Runs the console on this process's terminal until the agent quits or the process is told to end.
///
/// # Errors
/// When the configuration is not usable or the terminal fails.
pub async fn run_in_terminal(config: Config) -> Result<(), Error> {
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let signals = signals().map_err(Error::Terminal)?;
    let told = stop.clone();
    tasks.spawn(async move {
        signals.await;
        told.cancel();
    });
    let mut taken = terminal::Taken::take().map_err(Error::Terminal)?;
    let keys = EventStream::new();
    let input = keys.filter_map(|event| std::future::ready(event.ok().and_then(input::convert)));
    run_with(taken.terminal(), Box::pin(input), config, stop, terminal::SIGNALS).await
}

/// Runs the console on any backend and source of input: what a test, or a terminal elsewhere,
/// needs.
///
/// # Errors
/// When the configuration is not usable or the backend fails.
pub async fn run_on<B, S>(
    terminal: &mut Terminal<B>,
    input: S,
    config: Config,
    stop: CancellationToken,
) -> Result<(), Error>
where
    B: Backend,
    B::Error: Send + Sync + 'static,
    S: Stream<Item = Input> + Unpin,
{
    run_with(terminal, input, config, stop, Signals::SILENT).await
}

async fn run_with<B, S>(
    terminal: &mut Terminal<B>,
    input: S,
    config: Config,
    stop: CancellationToken,
    signals: Signals,
) -> Result<(), Error>
where
    B: Backend,
    B::Error: Send + Sync + 'static,
    S: Stream<Item = Input> + Unpin,
{
    let client = Client::new(&config)?;
    let (calls, calls_taken) = mpsc::channel(remote::CALLS_QUEUE_MAX);
    let (happened, events) = mpsc::channel(remote::EVENTS_QUEUE_MAX);
    let (drafts, drafts_taken) = mpsc::channel(draft::QUEUE_MAX);
    let mut tasks = JoinSet::new();
    tasks.spawn(remote::serve(client, calls_taken, happened.clone()));
    let mut keeper = JoinSet::new();
    if let Some(home) = &config.state_home {
        keeper.spawn(Drafts::new(home, &config.endpoint).serve(drafts_taken, happened));
    }
    let clock = Clock::start();
    let state = State::new(Start {
        now: clock.now(),
        zone_ms: clock::zone_ms(),
        colour: config.colour,
        client_id_prefix: getrandom::u64().map_err(Error::Random)?,
    });
    let wires = Wires { calls, drafts, events, clock, signals, stop };
    let ended = run::run(terminal, input, state, wires).await;
    // The wires are gone: the keeper writes what it was given and ends.
    let _timed_out = tokio::time::timeout(DRAFTS_GRACE, keeper.join_all()).await;
    ended.map_err(|error| Error::Terminal(io::Error::other(error)))
}

/// Waits until the process is told to end.
fn signals() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
