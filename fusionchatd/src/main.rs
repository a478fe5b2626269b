//! The daemon's program. Everything is in the library; this only notes when it started.

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    fusionchatd::command::main(Instant::now())
}
