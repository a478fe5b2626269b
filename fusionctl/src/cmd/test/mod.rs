//! `test`: conversation tests. Files are read and checked in `file`, played in `play` against the daemon, judged in
//! `judge`, and written down in `report` and `junit`.

pub(crate) mod file;
mod judge;
mod junit;
mod play;
mod report;
mod walk;

use std::path::PathBuf;

use clap::Args;
use futures::StreamExt;

use crate::cmd::Context;
use crate::failure::Failure;
use crate::output::Report;

/// The most tests that run at the same time.
const PARALLEL_MAX: i64 = 64;

/// Arguments of `test`.
#[derive(Args, Debug)]
pub(crate) struct TestArguments {
    /// Files, and folders whose .yaml and .yml files are taken
    #[arg(required = true, value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// Write the results here as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How many run at the same time
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 4,
        value_parser = clap::value_parser!(u32).range(1..=PARALLEL_MAX)
    )]
    parallel: u32,
}

/// Reads every file; all mistakes of all files are told at once.
pub(crate) fn load(arguments: &TestArguments) -> Result<Vec<file::Test>, Failure> {
    let (mut tests, mut mistakes) = (Vec::new(), Vec::new());
    for path in walk::files(&arguments.paths)? {
        match file::read(&path) {
            Ok(test) => tests.push(test),
            Err(more) => mistakes.extend(more),
        }
    }
    if mistakes.is_empty() {
        return Ok(tests);
    }
    let text = match mistakes.len() {
        1 => "there is a mistake in the tests".to_owned(),
        count => format!("there are {count} mistakes in the tests"),
    };
    let text = format!("{text}\n{}", mistakes.join("\n"));
    Err(Failure::usage("bad_test", text).with_hint("docs/ci.md shows the format"))
}

pub(crate) async fn run(context: &Context, arguments: TestArguments) -> Result<Report, Failure> {
    let tests = load(&arguments)?;
    let parallel = usize::try_from(arguments.parallel).unwrap_or(1);
    let playing = tests.iter().map(|test| play::play(context, test));
    let results: Vec<_> = futures::stream::iter(playing).buffered(parallel).collect().await;
    if let Some(path) = &arguments.junit {
        junit::write(path, &results)?;
    }
    Ok(report::report(&results))
}
