//! A disk that tells what happens to it and fails when told: a small library in C, compiled here and preloaded into
//! the real daemon (`tests/preload`). The daemon knows nothing of it and has no switch for it.
//!
//! - [`record`]: what the library wrote down, event by event.
//! - [`power`]: the folder as it may look after the power was cut at some moment of that record.

pub mod chance;
pub mod names;
pub mod power;
#[cfg(test)]
mod power_test;
pub mod record;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::program;
use crate::source;
use crate::stage::Stage;
use record::Record;

/// The longest record of one test, in bytes.
const RECORD_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// The size of the page shared with the library.
const CONTROL_BYTES: u64 = 4096;

/// The words of the shared page, as `struct control` has them.
const ACTION: u64 = 0;
const OPERATION: u64 = 1;
const COUNTDOWN: u64 = 2;
const ERROR: u64 = 3;
const STICKY: u64 = 4;
const FREE: u64 = 5;
const LOADED: u64 = 6;
const FIRED: u64 = 7;
const SEEN: u64 = 8;

/// The compiled library.
#[derive(Clone, Debug)]
pub struct Preload(PathBuf);

/// What a fault falls upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A write to, or a cut of, a file.
    Write = 1,
    /// fsync or fdatasync of a file or folder.
    Sync = 2,
    /// A name that is made, changed or taken away.
    Name = 4,
    /// Any of these.
    Any = 7,
    /// Two names that change places, which is one of names, too.
    Exchange = 8,
}

/// What happens to the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed instead.
    KillBefore,
    /// It is done, and the process is killed before it hears so.
    KillAfter,
    /// It fails with this error number, once.
    Fails(i32),
    /// It and all after it fail with this error number.
    KeepsFailing(i32),
    /// It fails with this error number, once, and only after the next one has been done, where another thread has one.
    FailsLate(i32),
    /// It begins once there is no fault any more.
    Waits,
}

impl Preload {
    /// Compiles the library; `None`, after saying so, where it cannot stand in front of the daemon.
    ///
    /// # Errors
    /// If that is so and `FUSION_REQUIRE=all` says that it must not be.
    pub fn compile(stage: &Stage) -> Result<Option<Self>> {
        let folder = stage.folder("preload")?;
        let library = folder.join("disk.so");
        let sources = ["disk.c", "calls.c"].map(|it| source::root().join("tests/preload").join(it));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
            .arg(&library)
            .args(sources)
            .output();
        if cfg!(target_os = "linux") {
            let compiled = compiled.context("running cc")?;
            let said = String::from_utf8_lossy(&compiled.stderr).into_owned();
            ensure!(compiled.status.success(), "cc: {said}");
            let preload = Self(library);
            if preload.loads(stage)? {
                return Ok(Some(preload));
            }
        }
        ensure!(std::env::var("FUSION_REQUIRE").as_deref() != Ok("all"), "needs: LD_PRELOAD");
        println!("needs: LD_PRELOAD");
        Ok(None)
    }

    /// Whether the daemon lets itself be preloaded: a static one does not.
    fn loads(&self, stage: &Stage) -> Result<bool> {
        let disk = Disk::new(stage, self, &stage.folder("nothing")?)?;
        let mut daemon = Command::new(program::find("fusionchatd")?);
        daemon.arg("--version").envs(disk.variables()).stdout(Stdio::null()).status()?;
        Ok(disk.read(LOADED)? > 0)
    }
}

/// The record of one folder and the hand on its faults.
#[derive(Debug)]
pub struct Disk {
    library: PathBuf,
    root: PathBuf,
    record: PathBuf,
    page: PathBuf,
    control: File,
    /// Whether each `fdatasync` is left out of the record, as on a disk that lies about it.
    pub data_syncs_lie: bool,
}

impl Disk {
    /// For what a daemon will do to `root`, which is there.
    pub fn new(stage: &Stage, preload: &Preload, root: &Path) -> Result<Self> {
        let folder = stage.folder("disk")?;
        let page = folder.join("control");
        let control = File::options().read(true).write(true).create_new(true).open(&page)?;
        control.set_len(CONTROL_BYTES)?;
        let root = root.canonicalize()?;
        let (library, record) = (preload.0.clone(), folder.join("record"));
        Ok(Self { library, root, record, page, control, data_syncs_lie: false })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the daemon's environment needs.
    pub fn variables(&self) -> Vec<(String, String)> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let sync = if self.data_syncs_lie { "lie" } else { "truth" };
        [
            ("LD_PRELOAD", path(&self.library)),
            ("FUSION_DISK_ROOT", path(&self.root)),
            ("FUSION_DISK_LOG", path(&self.record)),
            ("FUSION_DISK_LOG_MAX", RECORD_BYTES_MAX.to_string()),
            ("FUSION_DISK_CONTROL", path(&self.page)),
            ("FUSION_DISK_SYNC", sync.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// How long the record is. Whatever had happened before this was asked is in it.
    pub fn written(&self) -> Result<u64> {
        Ok(fs::metadata(&self.record)?.len())
    }

    /// The record so far.
    pub fn record(&self) -> Result<Record> {
        Record::read(&self.record)
    }

    /// From now on the `nth` such operation, from 1, has this fault.
    pub fn arm(&self, operation: Operation, fault: Fault, nth: u64) -> Result<()> {
        let (action, error, sticky) = match fault {
            Fault::KillBefore => (1, 0, 0),
            Fault::KillAfter => (2, 0, 0),
            Fault::Fails(error) => (3, error, 0),
            Fault::KeepsFailing(error) => (3, error, 1),
            Fault::Waits => (4, 0, 0),
            Fault::FailsLate(error) => (5, error, 0),
        };
        self.write(OPERATION, operation as u64)?;
        self.write(COUNTDOWN, nth)?;
        self.write(ERROR, u64::from(error.unsigned_abs()))?;
        self.write(STICKY, sticky)?;
        self.write(ACTION, action)
    }

    /// Counts such operations from now on, and lets all of them be.
    pub fn count(&self, operation: Operation) -> Result<()> {
        self.arm(operation, Fault::KillBefore, u64::MAX)
    }

    /// How many there were since [`Self::count`].
    pub fn counted(&self) -> Result<u64> {
        Ok(u64::MAX - self.read(COUNTDOWN)?)
    }

    /// No fault any more.
    pub fn disarm(&self) -> Result<()> {
        self.write(ACTION, 0)
    }

    /// How many faults there were.
    pub fn fired(&self) -> Result<u64> {
        self.read(FIRED)
    }

    /// How many operations there were, of any kind.
    pub fn seen(&self) -> Result<u64> {
        self.read(SEEN)
    }

    /// How many bytes the daemon hears are free; `None` is the truth.
    pub fn say_free(&self, bytes: Option<u64>) -> Result<()> {
        self.write(FREE, bytes.map_or(0, |bytes| bytes + 1))
    }

    fn write(&self, word: u64, value: u64) -> Result<()> {
        Ok(self.control.write_all_at(&value.to_ne_bytes(), word * 8)?)
    }

    fn read(&self, word: u64) -> Result<u64> {
        let mut value = [0; 8];
        self.control.read_exact_at(&mut value, word * 8)?;
        Ok(u64::from_ne_bytes(value))
    }
}
