//! `store check|vacuum|migrate|restore`: what is done to a store that no daemon has open. Each takes the directory's
//! lock, tells how far it is on a terminal, and leaves the old data untouched where it fails.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::app::StopSignals;
use crate::init::STORE;
use crate::store::StoreError;
use crate::store::check::check;
use crate::store::open::{DiskEngine, Format, OpenOptions, SCHEMA, data_of, open_to_look};
use crate::store::record::Migration;
use crate::store::rewrite::{Rewritten, Step, UNFINISHED, remove_leftovers, rewrite};
use crate::store::walk::Amount;

mod restore;

/// How often a bar moves without news.
const TICK: Duration = Duration::from_millis(200);

/// Verbs of `store`.
#[derive(Subcommand, Debug)]
pub(crate) enum StoreAction {
    /// Read everything and say what does not hold; exits 1 if anything does not
    ///
    /// Example: fusionchatd store check --data /var/lib/fusionchat
    Check {
        /// The data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Copy the live rows into a new store and put it in the old one's place: gives deleted space back
    ///
    /// Needs room for the copy. Whenever it is interrupted, the store is whole; the next run begins again.
    ///
    /// Example: fusionchatd store vacuum --data /var/lib/fusionchat
    Vacuum {
        /// The data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Move the store to the other engine, as a vacuum does
    ///
    /// Example: fusionchatd store migrate --data /var/lib/fusionchat --to redb:
    Migrate {
        /// The data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The engine it is to be of: sled: or redb:
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Make the store of an empty data directory out of a backup
    ///
    /// Before it is put in place it is read back, and its journals are held against its rows. The file has everybody's
    /// data and secrets: keep it as private as the data directory.
    ///
    /// Example: fusionchatd store restore desk.backup --data /var/lib/fusionchat
    Restore(restore::Arguments),
}

/// Does what is asked, unless a signal comes first. The first process of a container dies of none that it does not
/// hear; here it may end at any moment, as it may be killed at any.
pub(crate) async fn run(action: StoreAction) -> anyhow::Result<()> {
    let mut signals = StopSignals::hear()?;
    signals.or_interrupted(stands(&action), act(action)).await
}

/// What there is where an action is given up.
fn stands(action: &StoreAction) -> String {
    match action {
        StoreAction::Check { .. } => "nothing was changed".to_owned(),
        StoreAction::Vacuum { data } | StoreAction::Migrate { data, .. } => format!(
            "{} is whole, the old store or at the very end the new one; run this again, and it removes what is left \
             beside it",
            data.join(STORE).display()
        ),
        StoreAction::Restore(arguments) => arguments.stands(),
    }
}

async fn act(action: StoreAction) -> anyhow::Result<()> {
    let options = OpenOptions::default();
    match action {
        StoreAction::Check { data } => check_store(&store_in(&data)?).await,
        StoreAction::Vacuum { data } => renew(&store_in(&data)?, None, &options).await,
        StoreAction::Restore(arguments) => restore::run(arguments).await,
        StoreAction::Migrate { data, to } => {
            let to = DiskEngine::of_setting(&to)?;
            let store = store_in(&data)?;
            let is = data_of(&store)?;
            if is == to {
                // The migration may have been interrupted when it was as good as done.
                remove_leftovers(&store)?;
                return say(&format!("{} is of the engine {to} already\n", store.display()));
            }
            renew(&store, Some(to), &options).await
        }
    }
}

/// The store of a data directory.
fn store_in(data: &Path) -> anyhow::Result<PathBuf> {
    let store = data.join(STORE);
    anyhow::ensure!(store.is_dir(), "{} holds no store of fusionchatd", data.display());
    Ok(store.canonicalize()?)
}

async fn check_store(store: &Path) -> anyhow::Result<()> {
    let url = data_of(store)?.url(store);
    let options = OpenOptions { verify: true, ..OpenOptions::default() };
    let bar = Bar::new("checking");
    let (engine, format) = open_to_look(&url, &options).await?;
    let found = check(engine.as_ref(), |amount| bar.at("read", amount)).await;
    let engine_name = engine.stats().engine;
    let closed = engine.close().await;
    // What was found is the news, also where closing fails.
    let found = found?;
    closed?;
    bar.end();
    let mut text = format!(
        "{}: {engine_name}, {}; {} journals with {} entries, {} conversations\n",
        store.display(),
        words(found.read),
        found.journals,
        found.entries,
        found.conversations
    );
    if let Format::Older(from) | Format::Midway(Migration { from, .. }) = format {
        text.push_str(&format!(
            "There are rows of format {from}: the next start of the daemon brings them to {SCHEMA}.\n"
        ));
    }
    found.told.iter().for_each(|fault| text.push_str(&format!("  {fault}\n")));
    say(&text)?;
    let path = store.to_path_buf();
    if found.faults == 0 {
        return say("Everything holds.\n");
    }
    let detail = format!("{} faults, of which {} are told", found.faults, found.told.len());
    Err(StoreError::Corrupt { path, detail }.into())
}

async fn renew(store: &Path, to: Option<DiskEngine>, options: &OpenOptions) -> anyhow::Result<()> {
    let bar = Bar::new("opening");
    let done = rewrite(store, to, options, |step| bar.step(step)).await?;
    bar.end();
    let Rewritten { from, to, live, before, after, left } = done;
    let moved = if from == to { format!("{to}") } else { format!("{from} -> {to}") };
    say(&format!(
        "{}: {moved}, {} live; {} on disk before, {} now\n",
        store.display(),
        words(live),
        HumanBytes(before),
        HumanBytes(after)
    ))?;
    if left {
        let place = store.with_file_name(UNFINISHED);
        say(&format!("The old store could not be removed; {} is not needed\n", place.display()))?;
    }
    Ok(())
}

fn words(amount: Amount) -> String {
    format!("{} rows of {}", HumanCount(amount.rows), HumanBytes(amount.bytes))
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("the result cannot be written")
}

/// How far it is, on a terminal; nothing is drawn elsewhere.
struct Bar(Arc<ProgressBar>);

impl Bar {
    fn new(what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(TICK);
        Self(Arc::new(bar))
    }

    fn at(&self, what: &str, amount: Amount) {
        self.0.set_message(format!("{what} {}", words(amount)));
    }

    fn step(&self, step: Step) {
        match step {
            Step::Copied(amount) => self.at("copied", amount),
            Step::Compacting => self.0.set_message("making it smaller"),
            Step::ReadBack(amount) => self.at("read back", amount),
            Step::Whole => self.0.set_message("putting it in place"),
            Step::Exchanged => self.0.set_message("removing the old one"),
        }
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}
