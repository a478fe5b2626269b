//! How long to wait before connecting again: doubling, bounded, with jitter. Pure: the randomness
//! is an argument.

use std::time::Duration;

/// The first wait, in milliseconds.
const WAIT_MS_MIN: u64 = 250;
/// The longest wait, in milliseconds.
const WAIT_MS_MAX: u64 = 5_000;

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A connection was made.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// One more failure: how long to wait, between the half and the whole of the doubled wait.
    pub(super) fn wait(&mut self, random: u64) -> Duration {
        let whole = WAIT_MS_MIN.saturating_mul(1 << self.failures.min(8)).min(WAIT_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        let half = (whole / 2).max(WAIT_MS_MIN);
        Duration::from_millis(half + random % (whole - half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, WAIT_MS_MAX, WAIT_MS_MIN};

    #[test]
    fn waits_stay_between_the_bounds() {
        let mut backoff = Backoff::default();
        for random in [0, 1, u64::MAX, 12_345] {
            for _ in 0..40 {
                let wait = u64::try_from(backoff.wait(random).as_millis()).unwrap();
                assert!((WAIT_MS_MIN..=WAIT_MS_MAX).contains(&wait), "{wait}");
            }
            backoff.reset();
            assert_eq!(backoff.wait(0).as_millis(), u128::from(WAIT_MS_MIN));
        }
    }
}
