//! How far a backup or a restore is: a bar on stderr, if that is a terminal and it takes a while.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

/// How often the bar is drawn.
const BAR_HZ: u8 = 10;
/// What takes less shows no bar.
const BAR_AFTER: Duration = Duration::from_millis(500);

/// The bar; it is gone once dropped.
pub(crate) struct Bar {
    bar: ProgressBar,
    drawn: bool,
    began: Instant,
}

impl Bar {
    /// A bar for `bytes`, or without an end where that is 0.
    pub(crate) fn new(drawn: bool, bytes: u64) -> Self {
        let (length, template) = match bytes {
            0 => (None, "{spinner} {msg}  {bytes}  {bytes_per_sec}  {elapsed}"),
            _ => {
                (Some(bytes), "{bar:30} {msg}  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left")
            }
        };
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, drawn, began: Instant::now() }
    }

    /// So many rows and bytes are done.
    pub(crate) fn at(&self, what: &str, rows: u64, bytes: u64) {
        if !self.drawn {
            return;
        }
        if self.bar.is_hidden() && self.began.elapsed() >= BAR_AFTER {
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(BAR_HZ));
        }
        self.bar.set_message(format!("{what} {rows} rows"));
        self.bar.set_position(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
