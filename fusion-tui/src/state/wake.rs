//! When the console must wake without being asked. Nothing here runs a timer: `run.rs` sleeps until
//! the time this names. An idle console wakes at most once a second, for the clocks on the screen,
//! or not at all.

use super::State;

/// How often waiting times tick, in milliseconds.
const CLOCK_MS: i64 = 1_000;

/// The next time, in Unix milliseconds, at which something changes by itself.
pub(crate) fn next(state: &State) -> Option<i64> {
    let live = state.is_live();
    let clock = state.desk.shows_waiting().then(|| next_second(state));
    let candidates = [
        clock,
        state.composers.save_due().filter(|_| state.me.is_some()),
        state.toasts.iter().map(|toast| toast.until).min(),
        state.typing.iter().map(|typist| typist.until).min(),
        state.outbox.retry_at().filter(|_| live),
        state.read_retry_at.filter(|_| live),
    ];
    candidates.into_iter().flatten().min()
}

/// The start of the next second of the waiting times, so that all of them tick together.
fn next_second(state: &State) -> i64 {
    let into = state.daemon_now().rem_euclid(CLOCK_MS);
    state.now + CLOCK_MS - into
}
