//! Keeps the assistant from asking a provider that fails: after five failures in thirty seconds it is left alone for
//! thirty, then one question tries. Pure: the time is an argument, in milliseconds.

use std::collections::VecDeque;

/// Failures within [`WINDOW_MS`] that open it.
const FAILURES_MAX: usize = 5;
/// How far back failures count.
const WINDOW_MS: i64 = 30_000;
/// How long it stays open.
const OPEN_MS: i64 = 30_000;

/// A breaker of one provider.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: VecDeque<i64>,
    /// Since when it is open.
    opened: Option<i64>,
    /// Since when one question tries it.
    trying: Option<i64>,
}

impl Breaker {
    /// Whether the provider may be asked now. While it is half open only one question may.
    pub fn admit(&mut self, now: i64) -> bool {
        let Some(opened) = self.opened else { return true };
        let is_trying = self.trying.is_some_and(|since| now - since < OPEN_MS);
        if now - opened < OPEN_MS || is_trying {
            return false;
        }
        self.trying = Some(now);
        true
    }

    /// It answered.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// It failed. True if that opened the breaker.
    pub fn failed(&mut self, now: i64) -> bool {
        if self.trying.take().is_some() {
            self.opened = Some(now);
            return true;
        }
        self.failures.push_back(now);
        while self.failures.front().is_some_and(|at| now - at > WINDOW_MS) {
            self.failures.pop_front();
        }
        let opens = self.opened.is_none() && self.failures.len() >= FAILURES_MAX;
        if opens {
            self.opened = Some(now);
            self.failures.clear();
        }
        opens
    }

    /// The question was given up for a reason that is not the provider's.
    pub fn abandoned(&mut self) {
        self.trying = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_open_it_and_one_question_tries() {
        let mut breaker = Breaker::default();
        for at in 0..4 {
            assert!(!breaker.failed(at));
        }
        assert!(breaker.admit(4));
        assert!(breaker.failed(4));
        assert!(!breaker.admit(5));
        assert!(!breaker.admit(4 + OPEN_MS - 1));
        assert!(breaker.admit(4 + OPEN_MS), "half open");
        assert!(!breaker.admit(5 + OPEN_MS), "only one tries");
        assert!(breaker.failed(6 + OPEN_MS), "open again");
        assert!(!breaker.admit(7 + OPEN_MS));
        assert!(breaker.admit(6 + 2 * OPEN_MS));
        breaker.succeeded();
        assert!(breaker.admit(7 + 2 * OPEN_MS));
    }

    #[test]
    fn failures_far_apart_do_not_open_it() {
        let mut breaker = Breaker::default();
        for at in 0..20 {
            assert!(!breaker.failed(at * 10_000));
            assert!(breaker.admit(at * 10_000));
        }
    }

    #[test]
    fn a_try_that_was_given_up_lets_the_next_one_try() {
        let mut breaker = Breaker::default();
        for at in 0..5 {
            breaker.failed(at);
        }
        assert!(breaker.admit(40_000));
        breaker.abandoned();
        assert!(breaker.admit(40_001));
    }
}
