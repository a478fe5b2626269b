//! Another time for the real daemon: a small library in C (`tests/preload/clock.c`), compiled here and preloaded. The
//! daemon knows nothing of it and has no switch for it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use crate::program;
use crate::source;
use crate::stage::Stage;

/// The size of the page shared with the library.
const CONTROL_BYTES: u64 = 4096;

/// The words of the shared page, as `struct control` has them.
const DAY: u64 = 0;
const ONWARD: u64 = 1;
const STOPPED: u64 = 2;
const LOADED: u64 = 3;

/// The hand on a daemon's clocks.
pub struct Clock {
    library: PathBuf,
    page: PathBuf,
    control: File,
}

impl Clock {
    /// Compiles the library; `None`, after saying so, where it cannot stand in front of the daemon.
    ///
    /// # Errors
    /// If that is so and `FUSION_REQUIRE=all` says that it must not be.
    pub fn compile(stage: &Stage) -> Result<Option<Self>> {
        let folder = stage.folder("clock")?;
        let (library, page) = (folder.join("clock.so"), folder.join("control"));
        let control = File::options().read(true).write(true).create_new(true).open(&page)?;
        control.set_len(CONTROL_BYTES)?;
        let clock = Self { library, page, control };
        if cfg!(target_os = "linux") {
            let compiled = Command::new("cc")
                .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
                .arg(&clock.library)
                .arg(source::root().join("tests/preload/clock.c"))
                .output()
                .context("running cc")?;
            let said = String::from_utf8_lossy(&compiled.stderr).into_owned();
            ensure!(compiled.status.success(), "cc: {said}");
            let mut daemon = Command::new(program::find("fusionchatd")?);
            daemon.arg("--version").envs(clock.variables()).stdout(Stdio::null()).status()?;
            // A static program does not let itself be preloaded.
            if clock.read(LOADED)? > 0 {
                return Ok(Some(clock));
            }
        }
        ensure!(std::env::var("FUSION_REQUIRE").as_deref() != Ok("all"), "needs: LD_PRELOAD");
        println!("needs: LD_PRELOAD");
        Ok(None)
    }

    /// What the daemon's environment needs.
    pub fn variables(&self) -> Vec<(String, String)> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        [("LD_PRELOAD", path(&self.library)), ("FUSION_CLOCK_CONTROL", path(&self.page))]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec()
    }

    /// The clock of the day is so many seconds ahead, or behind.
    pub fn set_day(&self, seconds: i64) -> Result<()> {
        self.write(DAY, seconds * 1_000_000_000)
    }

    /// The clock that only goes on has made a jump of so many seconds in all.
    pub fn jump(&self, seconds: u32) -> Result<()> {
        self.write(ONWARD, i64::from(seconds) * 1_000_000_000)
    }

    /// The clock of the day stands still from now on, or goes on.
    #[expect(clippy::disallowed_methods, reason = "it is the clock that is tested")]
    pub fn stop(&self, stopped: bool) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        self.write(STOPPED, if stopped { i64::try_from(now.as_nanos())? } else { 0 })
    }

    fn write(&self, word: u64, value: i64) -> Result<()> {
        Ok(self.control.write_all_at(&value.to_ne_bytes(), word * 8)?)
    }

    fn read(&self, word: u64) -> Result<i64> {
        let mut value = [0; 8];
        self.control.read_exact_at(&mut value, word * 8)?;
        Ok(i64::from_ne_bytes(value))
    }
}
