//! The thread that looks after the one that writes: work that stands still is woken, and work that never ends fails
//! the engine. It never ends what merely takes long before its bound.
//!
//! sled makes whoever waits for a buffer sleep until it is told. It writes a batch in two pieces by two threads, and
//! where the first fails after the second is done it notes that and tells nobody (its 0.34.7, `exit_reservation`), so
//! its caller would sleep for ever. Every other call that finds the note tells all sleepers, so a flush from here is
//! enough; one that finds none at worst writes what would be written next. A caller that sleeps while it applies a
//! batch cannot be woken so, for sled lets no flush in then: that, and a disk that neither takes a write nor refuses
//! it, is what the bound is for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often it looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How often it may find the very same work under way. Looks are counted and not seconds, so that a process that is
/// stopped, and goes on, has lost nothing.
const LOOKS_MAX: u32 = 120;

/// A piece of work that may stand still, one at a time: odd while it is under way.
#[derive(Debug, Default)]
pub(in crate::store) struct Stroke(AtomicU64);

/// A piece of work under way.
pub(in crate::store) struct UnderWay<'a>(&'a AtomicU64);

impl Stroke {
    /// Begins; it ends with what is returned.
    pub(in crate::store) fn begin(&self) -> UnderWay<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.0)
    }

    fn number(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often the same work was found under way, one look after another.
#[derive(Default)]
pub(super) struct Looks {
    number: u64,
    count: u32,
}

impl Looks {
    pub(super) fn look(&mut self, stroke: &Stroke) -> u32 {
        let number = stroke.number();
        let same = number % 2 == 1 && number == self.number;
        self.count = if same { self.count + 1 } else { 0 };
        self.number = number;
        self.count
    }
}

/// How long to wait: the constants above, but for tests.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) interval: Duration,
    pub(super) looks: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { interval: LOOK_INTERVAL, looks: LOOKS_MAX }
    }
}

/// Looks until the other end of `life` is dropped. `nudge` wakes what stands still and is called at the first look that
/// finds it so, the second, the fourth, the eighth …; `give_up` is called once, with the reason, and is the last act.
pub(super) fn keep(
    strokes: &[Stroke],
    patience: Patience,
    life: &Receiver<()>,
    nudge: impl Fn(),
    give_up: impl FnOnce(String),
) {
    let mut looks: Vec<Looks> = strokes.iter().map(|_| Looks::default()).collect();
    while let Err(RecvTimeoutError::Timeout) = life.recv_timeout(patience.interval) {
        let found = looks.iter_mut().zip(strokes).map(|(looks, stroke)| looks.look(stroke)).max();
        let found = found.unwrap_or(0);
        if found >= patience.looks {
            let seconds = patience.interval.saturating_mul(found).as_secs();
            give_up(format!("the disk has not done what was asked of it for {seconds} s"));
            return;
        }
        if found.is_power_of_two() {
            nudge();
            tracing::warn!(looks = found, "the store's writer stands still");
        }
    }
}
