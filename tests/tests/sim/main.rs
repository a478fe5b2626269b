//! A simulation of the service: over the memory engine, one thread a seed, simulated time. Visitors, agents, the
//! assistant, timers and readers, with retries, lost answers, conflicts, errors of the store and crashes; after each
//! step everything that must hold is checked (`ledger`, `header`, `people`, `reader`).
//!
//! ```text
//! cargo test -p fusionchat-tests --test sim                                     2,000 seeds of 500 steps
//! FUSION_SEEDS=100000 FUSION_STEPS=2000 cargo test --release -p fusionchat-tests --test sim every_seed   the long form
//! FUSION_SEED=123 cargo test -p fusionchat-tests --test sim one_seed            one seed again
//! ```
//! A seed that fails prints the last of these lines. `FUSION_FIRST_SEED` begins elsewhere than at 0.

mod act;
mod chance;
mod disk;
mod header;
mod ledger;
mod people;
mod reader;
mod setup;
mod steps;
mod thinker;
mod world;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use disk::Bug;
use world::{Outcome, Run, World};

const SEEDS: u64 = 2_000;
const STEPS: u64 = 500;
/// Within so many seeds each planted bug is caught.
const PLANTED_SEEDS: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn steps() -> u64 {
    number("FUSION_STEPS").unwrap_or(STEPS)
}

/// The command that plays a seed again.
fn replay(seed: u64) -> String {
    let steps = number("FUSION_STEPS").map_or_else(String::new, |it| format!("FUSION_STEPS={it} "));
    format!("{steps}FUSION_SEED={seed} cargo test -p fusionchat-tests --test sim one_seed")
}

/// Plays one seed; the text of what did not hold, if something did not.
fn play(run: Run) -> Result<Outcome, String> {
    let played = std::panic::catch_unwind(|| World::play(run));
    match played {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err("it panicked; see above".to_owned()),
    }
}

/// Plays seeds on as many threads as there are cores until one fails; the seed and why, or what all came to.
fn play_all(first: u64, seeds: u64, bug: Option<Bug>) -> Result<Vec<Outcome>, (u64, String)> {
    let (next, stopped) = (AtomicU64::new(0), AtomicBool::new(false));
    let (failed, outcomes) = (Mutex::new(None), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stopped.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= seeds {
                        return;
                    }
                    let seed = first + at;
                    match play(Run { seed, steps: steps(), bug }) {
                        Ok(outcome) => {
                            outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                        }
                        Err(why) => {
                            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                            failed.get_or_insert((seed, why));
                            stopped.store(true, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failed) => Err(failed),
        None => Ok(outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

#[test]
fn every_seed_keeps_what_must_hold() {
    let seeds = number("FUSION_SEEDS").unwrap_or(SEEDS);
    let began = Instant::now();
    let outcomes = match play_all(number("FUSION_FIRST_SEED").unwrap_or(0), seeds, None) {
        Ok(outcomes) => outcomes,
        Err((seed, why)) => {
            panic!("{why}\nseed {seed} does not hold; again with\n{}", replay(seed))
        }
    };
    let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
    println!(
        "{} seeds of {} steps in {:.0?}: {} conversations, {} entries; {} conflicts, {} crashes, {} lost acks, {} errors",
        outcomes.len(),
        steps(),
        began.elapsed(),
        sum(|it| it.conversations),
        sum(|it| it.entries),
        sum(|it| it.struck.conflicts),
        sum(|it| it.struck.crashes),
        sum(|it| it.struck.lost_acks),
        sum(|it| it.struck.errors),
    );
    for Outcome { seed, struck, .. } in outcomes {
        let each = struck.conflicts > 0 && struck.crashes > 0 && struck.lost_acks > 0;
        let again = replay(seed);
        assert!(
            each,
            "no conflict, no crash or no lost ack: {struck:?}\nseed {seed}; again with\n{again}"
        );
    }
}

/// Plays the seed of `FUSION_SEED` twice, or one with each assistant: the same seed makes the same run.
#[test]
fn one_seed() {
    let seeds = number("FUSION_SEED").map_or_else(|| vec![4, 7], |seed| vec![seed]);
    for seed in seeds {
        let run = Run { seed, steps: steps(), bug: None };
        let (first, again) = match (play(run), play(run)) {
            (Ok(first), Ok(again)) => (first, again),
            (Err(why), _) | (_, Err(why)) => panic!("{why}\n{}", replay(seed)),
        };
        println!("seed {seed}: {} entries, digest {:016x}", first.entries, first.digest);
        assert_eq!((first.entries, first.digest), (again.entries, again.digest), "seed {seed}");
    }
}

/// A planted bug is caught, and for what it does.
fn check_caught(bug: Bug, by: &str) {
    match play_all(0, PLANTED_SEEDS, Some(bug)) {
        Err((seed, why)) => {
            let last = why.lines().last().unwrap_or_default();
            let shown: String = last.chars().take(100).collect();
            println!("{bug:?} is caught by seed {seed}{shown}");
            assert!(last.contains(by), "{bug:?} shows as something else: {last}");
        }
        Ok(_) => panic!("{bug:?} passed {PLANTED_SEEDS} seeds"),
    }
}

#[test]
fn a_skipped_idempotency_row_is_caught() {
    check_caught(Bug::IdempotencySkipped, "is doubled");
}

#[test]
fn a_queue_row_left_is_caught() {
    check_caught(Bug::QueueRowLeft, "it stands in 2 lists");
}

#[test]
fn an_ack_before_the_commit_is_caught() {
    check_caught(Bug::AckBeforeCommit, "after a start");
}

#[test]
fn an_unchecked_turn_is_caught() {
    check_caught(Bug::TurnUnchecked, "a late answer");
}

#[test]
fn a_cursor_saved_too_early_is_caught() {
    check_caught(Bug::CursorTooEarly, "passed the question");
}

#[test]
fn an_ack_that_no_row_keeps_is_caught() {
    check_caught(Bug::DoneUnkept, "no row says that it was done");
}

#[test]
fn a_dropped_note_is_caught() {
    check_caught(Bug::NoteDropped, "a note is not in the rows");
}
