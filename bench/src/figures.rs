//! What is measured and counted while dialogues are played.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::sync::watch;

/// The longest time told apart, in microseconds: ten minutes.
const LONGEST_US: u64 = 600_000_000;

/// A counter.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A distribution of times.
#[derive(Debug)]
pub(crate) struct Times(Mutex<Histogram<u64>>);

impl Default for Times {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, 3);
        Self(Mutex::new(histogram.expect("the bounds and three digits are within its limits")))
    }
}

/// What a distribution is told by.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spread {
    /// How many were measured.
    pub(crate) count: u64,
    /// Half of them took at most this, in microseconds.
    pub(crate) p50_us: u64,
    /// 99 in a hundred took at most this.
    pub(crate) p99_us: u64,
    /// 999 in a thousand.
    pub(crate) p999_us: u64,
    /// The longest.
    pub(crate) max_us: u64,
}

impl Times {
    /// Takes a time into account.
    pub(crate) fn add(&self, time: Duration) {
        let mut histogram = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// What so many of one took at most, in microseconds.
    pub(crate) fn at(&self, quantile: f64) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).value_at_quantile(quantile)
    }

    /// The distribution so far.
    pub(crate) fn spread(&self) -> Spread {
        let histogram = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Spread {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
        }
    }
}

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Messages that have been acknowledged; the one that kills waits for it to grow.
    pub(crate) progress: watch::Sender<u64>,
    /// Sockets opened by visitors.
    pub(crate) sockets: Count,
    /// Sockets that a visitor cut without a word, right after a send.
    pub(crate) cut: Count,
    /// Acknowledgements that a client ignored.
    pub(crate) ignored: Count,
    /// Messages sent once more.
    pub(crate) again: Count,
    /// Refusals to be tried again later.
    pub(crate) refused: Count,
    /// Messages that came twice to a visitor and were dropped by their number.
    pub(crate) repeats: Count,
    /// From a visitor's first send of a message to its acknowledgement.
    pub(crate) ack: Times,
    /// From an agent's first send to its acknowledgement.
    pub(crate) agent_ack: Times,
    /// From a visitor's send to the agent's stream.
    pub(crate) to_agent: Times,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            progress: watch::Sender::new(0),
            sockets: Count::default(),
            cut: Count::default(),
            ignored: Count::default(),
            again: Count::default(),
            refused: Count::default(),
            repeats: Count::default(),
            ack: Times::default(),
            agent_ack: Times::default(),
            to_agent: Times::default(),
        }
    }
}
