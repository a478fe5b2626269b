//! Open-loop load: something is due at fixed times, whatever became of what was due before, and each time is counted
//! from when it was due. A server that stands still for a second cannot hide it by being asked less (coordinated
//! omission).

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// How late the system may wake a sleeper: the rest of the wait is spent awake.
const WAKE_SLACK: Duration = Duration::from_micros(80);
/// A faster pace is not waited for awake: that would take the load's core from the load.
const EXACT_FROM: Duration = Duration::from_millis(1);

/// What is due, one after another.
pub(in crate::suite) struct Pace {
    due: mpsc::Receiver<Instant>,
}

impl Pace {
    /// Begins now: `count` things, one each `every`. It has a thread of its own, which waits for nothing but the time.
    pub(in crate::suite) fn start(every: Duration, count: usize) -> Self {
        // Room for all of them: the clock waits for nobody.
        let (sender, due) = mpsc::channel(count.max(1));
        thread::spawn(move || {
            let began = Instant::now();
            for number in 0..count {
                let at = due_at(began, every, number);
                wait_until(at, every >= EXACT_FROM);
                if sender.try_send(at).is_err() {
                    return;
                }
            }
        });
        Self { due }
    }

    /// When the next thing was due, as soon as it is; nothing after the last.
    pub(in crate::suite) async fn next(&mut self) -> Option<Instant> {
        self.due.recv().await
    }
}

fn due_at(began: Instant, every: Duration, number: usize) -> Instant {
    began + every.mul_f64(number as f64)
}

fn wait_until(at: Instant, exactly: bool) {
    let slack = if exactly { WAKE_SLACK } else { Duration::ZERO };
    let left = at.saturating_duration_since(Instant::now());
    if left > slack {
        thread::sleep(left - slack);
    }
    while exactly && Instant::now() < at {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_due_does_not_wait_for_whoever_is_late() {
        let every = Duration::from_millis(2);
        let mut pace = Pace::start(every, 5);
        let first = pace.next().await.expect("the first");
        // Whoever looks only now finds all the others due at their own times.
        tokio::task::spawn_blocking(move || wait_until(first + every * 6, false)).await.unwrap();
        for number in 1..5 {
            assert_eq!(pace.next().await, Some(first + every * number));
        }
        assert_eq!(pace.next().await, None);
    }

    #[test]
    fn nothing_is_due_early() {
        let at = Instant::now() + Duration::from_millis(3);
        wait_until(at, true);
        assert!(Instant::now() >= at);
    }
}
