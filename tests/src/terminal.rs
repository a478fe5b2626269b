//! A real program in a pseudo-terminal: keys in, a grid of characters out. Waiting means reading what the program
//! writes until the grid shows it.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::sync::watch;

use crate::program;
use crate::stage::Stage;

/// How much is read from the terminal at once, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// A program in a terminal. It is killed when this is dropped.
pub struct Terminal {
    stage: Stage,
    grid: Arc<Mutex<vt100::Parser>>,
    changes: watch::Receiver<u64>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// Held open: the terminal closes with it.
    master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts a program of ours in a terminal of that size.
    pub fn start(
        stage: &Stage,
        runtime: &Path,
        name: &str,
        arguments: &[&str],
        columns: u16,
        rows: u16,
    ) -> Result<Self> {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size)?;
        let mut command = CommandBuilder::new(program::find(name)?);
        command.args(arguments);
        command.env_clear();
        for (name, value) in program::environment(runtime) {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command)?;
        drop(pair.slave);
        let keys = pair.master.take_writer()?;
        let reader = pair.master.try_clone_reader()?;
        let size = |number| NonZeroU16::new(number).context("a terminal has a size");
        let parser = vt100::Parser::new(size(rows)?, size(columns)?, 0);
        let grid = Arc::new(Mutex::new(parser));
        let (changed, changes) = watch::channel(0);
        let shared = Arc::clone(&grid);
        std::thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || read(reader, &shared, &changed))?;
        let stage = stage.clone();
        Ok(Self { stage, grid, changes, keys, child, master: pair.master })
    }

    /// Sends keys as the terminal would: text as it is, Enter as `\r`, Escape as `\x1b`.
    pub fn keys(&mut self, keys: &str) -> Result<()> {
        self.stage.note(format!("keys {keys:?}"));
        self.keys.write_all(keys.as_bytes())?;
        self.keys.flush()?;
        Ok(())
    }

    /// Gives the terminal another size, as dragging its window does.
    pub fn resize(&mut self, columns: u16, rows: u16) -> Result<()> {
        self.stage.note(format!("resized to {columns}x{rows}"));
        let size = |number| NonZeroU16::new(number).context("a terminal has a size");
        let (height, width) = (size(rows)?, size(columns)?);
        let mut grid = self.grid.lock().unwrap_or_else(PoisonError::into_inner);
        grid.screen_mut().set_size(height, width);
        drop(grid);
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 })
    }

    /// Ends the program at once, and waits until it is gone.
    pub async fn kill9(&mut self) -> Result<()> {
        self.stage.note("kill -9 of the program in the terminal");
        let id = self.child.process_id().context("the program runs")?.to_string();
        let status =
            tokio::process::Command::new("kill").args(["-KILL", id.as_str()]).status().await?;
        anyhow::ensure!(status.success(), "kill -KILL {id}: {status}");
        self.ended().await?;
        Ok(())
    }

    /// What the screen shows, row by row.
    pub fn screen(&self) -> String {
        contents(&self.grid)
    }

    /// What the screen shows as an SVG picture with a title.
    pub fn picture(&self, title: &str) -> String {
        let grid = self.grid.lock().unwrap_or_else(PoisonError::into_inner);
        crate::picture::svg(grid.screen(), title)
    }

    /// Waits until the screen shows `text`.
    pub async fn shows(&mut self, text: &str) -> Result<String> {
        self.until(&format!("{text:?}"), |screen| screen.contains(text)).await
    }

    /// Waits until the screen does not show `text`.
    pub async fn hides(&mut self, text: &str) -> Result<String> {
        self.until(&format!("no {text:?}"), |screen| !screen.contains(text)).await
    }

    /// Waits until `wanted` accepts the screen.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                self.stage.note(format!("screen shows {what}"));
                return Ok(screen);
            }
            if self.changes.changed().await.is_err() {
                bail!("the program ended while waiting for {what}; the screen was\n{screen}");
            }
        }
    }

    /// Waits until the program has ended, and returns its exit code.
    pub async fn ended(&mut self) -> Result<u32> {
        while self.changes.changed().await.is_ok() {}
        Ok(self.child.wait()?.exit_code())
    }

    /// True if the program has left the alternate screen and everything else it had switched on.
    pub fn is_restored(&self) -> bool {
        let grid = self.grid.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = grid.screen();
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && !screen.bracketed_paste()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.stage.note(format!("the last screen was\n{}", self.screen()));
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn contents(grid: &Mutex<vt100::Parser>) -> String {
    grid.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
}

/// Feeds the grid until the program's end of the terminal closes.
fn read(
    mut reader: Box<dyn Read + Send>,
    grid: &Mutex<vt100::Parser>,
    changed: &watch::Sender<u64>,
) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(count) = reader.read(&mut buffer) {
        if count == 0 {
            return;
        }
        grid.lock().unwrap_or_else(PoisonError::into_inner).process(&buffer[..count]);
        changed.send_modify(|version| *version += 1);
    }
}
