//! `server backup restore`: a store is made by the program that will serve it. This runs `fusionchatd store restore`,
//! shows how far it is, and gives its end the exit codes of this program.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::Args;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{ChildStdout, Command};

use crate::cmd::object;
use crate::cmd::server::progress::Bar;
use crate::cmd::server::{backup, bytes};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Report};

/// The program.
const DAEMON: &str = "fusionchatd";
/// How much of what it says on stderr is kept, in bytes.
const SAID_BYTES_MAX: u64 = 16 * 1024;
/// The longest line it writes, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Arguments of `server backup restore`.
#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The data directory; it is made, or must be empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The engine the store is to be of, sled: or redb:, instead of the one that was backed up
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Put it in place even if journals and rows do not agree
    #[arg(long)]
    despite_faults: bool,
}

pub(crate) async fn run(arguments: &Restore, progress: bool) -> Result<Report, Failure> {
    let program = program();
    let mut command = Command::new(&program);
    command.args(["store", "restore", "--json"]).arg("--data").arg(&arguments.data);
    if let Some(store) = &arguments.store {
        command.arg("--store").arg(store);
    }
    if arguments.despite_faults {
        command.arg("--despite-faults");
    }
    command.arg("--").arg(&arguments.file);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Whoever is interrupted here leaves no store, and the next restore begins again.
    command.kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| no_program(&program, &error))?;
    let (out, errors) = (child.stdout.take(), child.stderr.take());
    let hears = async {
        let mut said = Vec::new();
        if let Some(mut errors) = errors {
            // What it says is for a failure that has no line of its own.
            let _ = (&mut errors).take(SAID_BYTES_MAX).read_to_end(&mut said).await;
            let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
        }
        String::from_utf8_lossy(&said).trim().to_owned()
    };
    let (last, said) = tokio::join!(follow(out, progress), hears);
    let status = child.wait().await.map_err(|error| no_program(&program, &error))?;
    let last = last.as_ref().and_then(Value::as_object);
    if let Some(done) = last.and_then(|it| it.get("done")).and_then(Value::as_object) {
        return Ok(object(done.clone(), fields(done)).into());
    }
    if let Some(failed) = last.and_then(|it| it.get("failed")) {
        let text = |name: &str| failed.get(name).and_then(Value::as_str).unwrap_or_default();
        return Err(Failure::new(backup::exit_of(text("code")), text("code"), text("message")));
    }
    let exit = if status.code() == Some(64) { Exit::Usage } else { Exit::Failed };
    let said = said.strip_prefix("fusionchatd: ").unwrap_or(&said);
    let text =
        if said.is_empty() { format!("{DAEMON} ended with {status}") } else { said.to_owned() };
    Err(Failure::new(exit, "failed", text))
}

/// The last line of JSON; the others say how far it is.
async fn follow(out: Option<ChildStdout>, progress: bool) -> Option<Value> {
    let mut out = BufReader::new(out?);
    let (mut last, mut bar) = (None, None);
    loop {
        let mut line = Vec::new();
        let read = (&mut out).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await;
        if !read.is_ok_and(|bytes| bytes > 0) {
            return last;
        }
        let Ok(value) = serde_json::from_slice::<Value>(&line) else { continue };
        if let Some(step) = value.get("step").and_then(Value::as_str) {
            let number = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
            let bar = bar.get_or_insert_with(|| Bar::new(progress, number("of")));
            bar.at(step, number("rows"), number("at"));
        }
        last = Some(value);
    }
}

/// The daemon of this installation: beside this program, else wherever the shell finds it.
fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|it| Some(it.parent()?.join(DAEMON)));
    beside.filter(|it| it.is_file()).unwrap_or_else(|| PathBuf::from(DAEMON))
}

fn no_program(program: &Path, error: &std::io::Error) -> Failure {
    let text = format!("cannot run {}: {error}", program.display());
    Failure::new(Exit::Failed, "no_daemon_program", text)
        .with_hint("a backup is restored on the machine that will serve it, by its fusionchatd")
}

fn fields(done: &Map<String, Value>) -> Vec<(&'static str, Cell)> {
    let text = |name: &str| Cell::text(done.get(name).and_then(Value::as_str).unwrap_or_default());
    let number = |name: &str| done.get(name).and_then(Value::as_u64).unwrap_or(0);
    let made_at = done.get("madeAt").and_then(Value::as_i64).unwrap_or(0);
    vec![
        ("data", text("data")),
        ("engine", text("engine")),
        ("rows", Cell::Number(number("rows"))),
        ("on disk", Cell::Text(bytes(number("diskBytes")))),
        ("made", Cell::At(made_at)),
        ("by", text("madeBy")),
        ("journals", Cell::Number(number("journals"))),
        ("entries", Cell::Number(number("entries"))),
        ("conversations", Cell::Number(number("conversations"))),
        ("faults", Cell::Number(number("faults"))),
        ("epoch", text("epoch")),
    ]
}
