//! `store restore`: a store made of a backup. For people it tells in words; for `fusionctl server backup restore`,
//! which runs it, in JSON lines.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use indicatif::{HumanBytes, ProgressStyle};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Bar, say, words};
use crate::init::STORE;
use crate::store::StoreError;
use crate::store::disk::space::is_full;
use crate::store::open::{DiskEngine, OpenOptions};
use crate::store::restore::{Plan, RestoreError, Restored, Step, restore};

/// How often a line of JSON says how far it is.
const LINE_EVERY: Duration = Duration::from_millis(100);

/// Arguments of `store restore`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The backup, as `fusionctl server backup create` made it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The data directory; it is made, or must be empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The engine it is to be of, sled: or redb:, instead of the one that was backed up
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Put it in place even if journals and rows do not agree
    #[arg(long)]
    despite_faults: bool,
    /// Write what happens as JSON lines
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// What there is where it is given up.
    pub(super) fn stands(&self) -> String {
        let store = self.data.join(STORE);
        format!(
            "there is no {}, or at the very end the whole one; where there is none, run this again, and it removes \
             what is left",
            store.display()
        )
    }
}

/// Restores.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let to = arguments.store.as_deref().map(DiskEngine::of_setting).transpose()?;
    let plan = Plan {
        file: &arguments.file,
        data: &arguments.data,
        store: STORE,
        to,
        epoch: Uuid::now_v7(),
        despite_faults: arguments.despite_faults,
    };
    let file_bytes = std::fs::metadata(&arguments.file).map_or(0, |file| file.len());
    let options = OpenOptions::default();
    if arguments.json {
        let mut lines = Lines { last: None, file_bytes };
        let restored = restore(plan, &options, |step| lines.step(step)).await;
        return finish(&plan, restored);
    }
    let bar = Bar::new("opening");
    let restored = restore(plan, &options, |step| match step {
        Step::Restored(amount, at) => bar.at_byte("restored", amount, at, file_bytes),
        Step::Compacting => bar.0.set_message("making it smaller"),
        Step::ReadBack(amount) => bar.at("read back", amount),
        Step::Checked(amount) => bar.at("checked", amount),
        Step::Whole => bar.0.set_message("putting it in place"),
    });
    let restored = restored.await;
    bar.end();
    let restored = restored?;
    let Restored { head, engine, live, found, disk_bytes } = &restored;
    say(&format!(
        "{}: {engine}, {}, {} on disk; {} journals with {} entries, {} conversations, {} faults\n\
         It is as it was at {} (Unix milliseconds); clients begin again by themselves.\n",
        arguments.data.join(STORE).display(),
        words(*live),
        HumanBytes(*disk_bytes),
        found.journals,
        found.entries,
        found.conversations,
        found.faults,
        head.made_at,
    ))
}

impl Bar {
    fn at_byte(&self, what: &str, amount: crate::store::walk::Amount, at: u64, of: u64) {
        if self.0.length().is_none() {
            self.0.set_length(of);
            let form = "{spinner} {elapsed} {bar:30} {percent}% {msg}";
            if let Ok(style) = ProgressStyle::with_template(form) {
                self.0.set_style(style);
            }
        }
        self.0.set_position(at);
        self.at(what, amount);
    }
}

/// The JSON of a run.
struct Lines {
    last: Option<Instant>,
    file_bytes: u64,
}

impl Lines {
    fn step(&mut self, step: Step) {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < LINE_EVERY) {
            return;
        }
        self.last = Some(now);
        let (name, rows, at) = match step {
            Step::Restored(amount, at) => ("restored", amount.rows, at),
            Step::Compacting => ("compacting", 0, self.file_bytes),
            Step::ReadBack(amount) => ("readBack", amount.rows, self.file_bytes),
            Step::Checked(amount) => ("checked", amount.rows, self.file_bytes),
            Step::Whole => ("placing", 0, self.file_bytes),
        };
        let line = json!({ "step": name, "rows": rows, "at": at, "of": self.file_bytes });
        // Whoever started it may have gone away; the restore goes on.
        let _ = write_line(&line);
    }
}

fn write_line(line: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// The last line: what was done, or why nothing was.
fn finish(plan: &Plan<'_>, restored: Result<Restored, RestoreError>) -> anyhow::Result<()> {
    let failed = |code: &str, error: &anyhow::Error| json!({ "failed": { "code": code, "message": format!("{error:#}") } });
    let (line, ended) = match restored {
        Ok(restored) => (json!({ "done": done(plan.data, plan.epoch, &restored) }), Ok(())),
        Err(error) => {
            let (code, error) = (code_of(&error), anyhow::Error::from(error));
            (failed(code, &error), Err(error))
        }
    };
    write_line(&line).context("the result cannot be written")?;
    ended
}

fn done(data: &Path, epoch: Uuid, restored: &Restored) -> Value {
    let Restored { head, engine, live, found, disk_bytes } = restored;
    json!({
        "data": data.display().to_string(),
        "engine": engine.name(),
        "schema": head.schema,
        "rows": live.rows,
        "liveBytes": live.bytes,
        "diskBytes": disk_bytes,
        "madeAt": head.made_at,
        "madeBy": head.version,
        "madeOf": head.engine,
        "oldEpoch": Uuid::from_bytes(head.epoch).to_string(),
        "epoch": epoch.to_string(),
        "journals": found.journals,
        "entries": found.entries,
        "conversations": found.conversations,
        "faults": found.faults,
    })
}

/// What a script may tell apart.
fn code_of(error: &RestoreError) -> &'static str {
    match error {
        RestoreError::File { fault, .. } => fault.code(),
        RestoreError::NewerRows { .. } => "newer_rows",
        RestoreError::NotEmpty { .. } => "not_empty",
        RestoreError::UnderWay { .. } => "in_use",
        RestoreError::UnknownEngine { .. } => "unknown_engine",
        RestoreError::Faults { .. } => "faults",
        RestoreError::Unconfirmed { .. } => "unconfirmed",
        RestoreError::Store(StoreError::DiskFull { .. }) => "disk_full",
        RestoreError::Store(StoreError::Unreadable { source, .. }) if is_full(source) => {
            "disk_full"
        }
        RestoreError::Store(StoreError::NewerSchema { .. }) => "newer_rows",
        RestoreError::Store(_) => "failed",
    }
}
