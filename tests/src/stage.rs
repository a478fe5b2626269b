//! One test's stage: its own directory, the one watchdog, and the dump that says what happened when it fails.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

/// A test that runs longer than this hangs: the watchdog fails it.
const WATCHDOG: Duration = Duration::from_secs(60);
/// How much of the end of each log a dump shows, in bytes.
const LOG_TAIL_BYTES: usize = 12 * 1024;
/// How many lines of what the test saw are kept.
const NOTES_MAX: usize = 400;

/// Where a test plays. Clones share it.
#[derive(Clone)]
pub struct Stage {
    shared: Arc<Shared>,
}

struct Shared {
    directory: tempfile::TempDir,
    began: Instant,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    notes: Vec<String>,
    forgotten: usize,
    logs: Vec<PathBuf>,
    folders: usize,
}

impl Stage {
    fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("fusionchat-").tempdir()?;
        let shared = Shared { directory, began: Instant::now(), seen: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A new empty folder of this test.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let number = self.with(|seen| {
            seen.folders += 1;
            seen.folders
        });
        let path = self.shared.directory.path().join(format!("{name}-{number}"));
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(path)
    }

    /// Remembers what was seen, for the dump.
    pub fn note(&self, line: impl Into<String>) {
        let line = format!("{:8.3} {}", self.shared.began.elapsed().as_secs_f64(), line.into());
        self.with(|seen| {
            if seen.notes.len() >= NOTES_MAX {
                seen.notes.remove(0);
                seen.forgotten += 1;
            }
            seen.notes.push(line);
        });
    }

    /// A file, or a folder of files, that the dump shows the end of.
    pub fn add_log(&self, path: &Path) {
        self.with(|seen| {
            if !seen.logs.iter().any(|log| log == path) {
                seen.logs.push(path.to_owned());
            }
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn dump(&self) -> String {
        let (notes, forgotten, logs) =
            self.with(|seen| (seen.notes.clone(), seen.forgotten, seen.logs.clone()));
        let mut text = format!("\n=== seen ({forgotten} earlier lines left out)\n");
        for note in notes {
            text.push_str(&note);
            text.push('\n');
        }
        for log in logs {
            let files = match fs::read_dir(&log) {
                Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
                Err(_) => vec![log],
            };
            for file in files {
                let bytes = fs::read(&file).unwrap_or_default();
                let from = bytes.len().saturating_sub(LOG_TAIL_BYTES);
                let tail = String::from_utf8_lossy(&bytes[from..]);
                let _ = write!(text, "=== {} ({} bytes)\n{tail}\n", file.display(), bytes.len());
            }
        }
        text
    }
}

/// Prints the dump if the test's body panics through it.
struct DumpOnPanic(Stage);

impl Drop for DumpOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.dump());
        }
    }
}

/// Plays a test on a stage of its own, under the watchdog.
///
/// # Panics
/// If the body fails or hangs: the message is its error, with the dump.
pub fn play(body: impl AsyncFnOnce(&Stage) -> Result<()>) {
    play_for(WATCHDOG, body);
}

/// The same under a watchdog of its own, for what has a long form.
///
/// # Panics
/// As [`play`].
pub fn play_for(watchdog: Duration, body: impl AsyncFnOnce(&Stage) -> Result<()>) {
    let stage = Stage::new().expect("a temporary directory can be made");
    let guard = DumpOnPanic(stage.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let outcome = runtime.block_on(async {
        match tokio::time::timeout(watchdog, body(&stage)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow!("the watchdog bit: still not done after {watchdog:?}")),
        }
    });
    // A child's blocking read must not keep a failed test from ending.
    runtime.shutdown_background();
    if let Err(error) = outcome {
        let text = format!("{error:#}{}{}", places(&error), stage.dump());
        std::mem::forget(guard);
        panic!("{text}");
    }
}

/// Where the error was made, if backtraces are switched on: the lines of it that stand in this folder.
fn places(error: &anyhow::Error) -> String {
    let trace = error.backtrace().to_string();
    let ours = trace.lines().filter(|line| line.trim_start().starts_with("at ./"));
    ours.fold(String::new(), |text, line| format!("{text}\n{}", line.trim_start()))
}
