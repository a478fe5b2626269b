//! What a disk can do to the daemon, done to the real one: the power cut, a kill at a named moment, writes and syncs
//! that fail, free space that runs out, bytes that change. What was acknowledged is there afterwards, or the daemon
//! says that it cannot know. `docs/proofs.md` tells what is proved and how the long form is run.

use std::time::Duration;

// As the file below names them.
use fusionchatd::{domain, store};

mod backup;
mod codes;
mod cut;
mod cut_off;
mod desk;
mod errors;
#[cfg(test)]
#[path = "../../../fusionchatd/src/store/record/first.rs"]
mod first;
mod flip;
mod kill;
mod load;
mod older;
mod points;
mod power;
mod rows;
mod stop;
mod twice;

/// The engines that keep data on a disk: every proof is made of each.
const ENGINES: [&str; 2] = ["sled", "redb"];

/// Each proof starts the daemon many times: what takes ten seconds on a quiet machine has this long on a busy one.
const WATCHDOG: Duration = Duration::from_secs(300);
