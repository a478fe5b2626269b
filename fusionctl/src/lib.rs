//! `fusionctl` as a library, so that tests can walk its command tree and run it in process. The program itself
//! is in `main.rs`; this crate speaks gRPC to a daemon and knows no rules of its own.

mod argv;
mod cli;
mod cmd;
mod connect;
mod failure;
mod input;
mod names;
mod output;
pub mod prompt;
mod time;
mod view;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::io::{Read, Write};

use clap::Parser;
use clap::error::{ContextKind, ErrorKind};

use cli::{Cli, Noun};
use cmd::auth::AuthCommand;
use cmd::server::ServerCommand;
use cmd::server::backup::BackupCommand;
use cmd::{Context, Once};
use connect::{Client, Target};
use failure::{Exit, Failure};
use fusionchat_client::resolve::Surroundings;
use input::Stdin;
use output::{Format, Look, Renderer};

pub use cli::command;

/// What a run takes from the process's surroundings.
#[derive(Clone)]
pub struct Environment {
    /// The variables, by name.
    pub variables: BTreeMap<String, String>,
    /// True if colour is unwanted (`NO_COLOR`) or impossible.
    pub no_color: bool,
    /// Unix milliseconds.
    pub now_ms: fn() -> i64,
    /// Random bytes, of which the ids of a command's changes are made.
    pub random: [u8; 16],
}

impl Environment {
    /// Where configuration and credentials are.
    pub(crate) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { variables: &self.variables }
    }

    /// A variable that is set and not empty.
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Asks for a line, shown while it is typed if the second argument is true.
pub type Ask = fn(&str, bool) -> std::io::Result<String>;

/// The three streams of a run.
pub struct Console<'a> {
    /// Read where a command takes `-`.
    pub stdin: Box<dyn Read + Send>,
    /// Results.
    pub stdout: &'a mut (dyn Write + Send),
    /// Errors, notices and progress.
    pub stderr: &'a mut (dyn Write + Send),
    /// The columns of the terminal stdout is, if it is one.
    pub stdout_columns: Option<usize>,
    /// True if stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// Asks the person for a line; none where nobody sits at a terminal.
    pub ask: Option<Ask>,
}

/// What ends a command before it is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StopSignal {
    /// SIGINT, as of Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl StopSignal {
    /// The exit code, as a shell gives it to a process that the signal ends: 130 or 143.
    pub fn exit(self) -> u8 {
        self.failure().exit as u8
    }

    fn failure(self) -> Failure {
        match self {
            Self::Interrupt => Failure::new(Exit::Interrupted, "interrupted", "interrupted"),
            Self::Terminate => Failure::new(Exit::Terminated, "terminated", "terminated"),
        }
    }
}

/// Runs one command line (`words[0]` is the program) and returns the exit code. When `stop` resolves, the command is
/// dropped.
pub async fn run(
    words: Vec<OsString>,
    environment: Environment,
    console: Console<'_>,
    stop: impl Future<Output = StopSignal>,
) -> u8 {
    let words = argv::rewrite(&argv::Grammar::of(&cli::command()), words);
    let Console { stdin, stdout, stderr, stdout_columns, stderr_is_terminal, ask } = console;
    let format = if argv::wants_json(&words) { Format::Json } else { Format::Table };
    let look = Look {
        format,
        quiet: false,
        colour: false,
        width: stdout_columns,
        now_ms: environment.now_ms,
    };
    let mut renderer = Renderer { stdout, stderr, look };
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return refuse(&mut renderer, &error) as u8,
    };
    renderer.look.format = cli.global.output;
    renderer.look.quiet = cli.global.quiet;
    renderer.look.colour =
        stdout_columns.is_some() && !environment.no_color && !cli.global.no_color;
    let exit = tokio::select! {
        biased;
        stop = stop => Err(stop.failure()),
        result = execute(cli, environment, stdin, (stderr_is_terminal, ask), &mut renderer) => result,
    };
    match exit {
        Ok(()) => Exit::Ok as u8,
        Err(failure) => {
            renderer.failure(&failure);
            failure.exit as u8
        }
    }
}

async fn execute(
    cli: Cli,
    environment: Environment,
    stdin: Box<dyn Read + Send>,
    (stderr_is_terminal, ask): (bool, Option<Ask>),
    renderer: &mut Renderer<'_>,
) -> Result<(), Failure> {
    let Cli { global, noun } = cli;
    let random = environment.random;
    let for_operator = matches!(noun, Noun::Tenant(_) | Noun::Server(ServerCommand::Backup(_)));
    let progress = stderr_is_terminal && !global.quiet;
    if let Noun::Server(ServerCommand::Wait(arguments)) = &noun {
        let report = cmd::server::wait(&global, &environment, arguments).await?;
        return renderer.report(report).await;
    }
    if let Noun::Server(ServerCommand::Backup(command)) = &noun
        && !matches!(command, BackupCommand::Create(_))
    {
        let report = cmd::server::backup::offline(command, progress).await?;
        return renderer.report(report).await;
    }
    if let Noun::Test(arguments) = &noun {
        // A bad file is told whether or not there is a daemon.
        cmd::test::load(arguments)?;
    }
    if let Noun::Context(command) = noun {
        let report = cmd::context::run(&global, &environment, command)?;
        return renderer.report(report).await;
    }
    // Signing in makes the credential that every other call needs.
    let signs_in = matches!(noun, Noun::Auth(AuthCommand::Login(_) | AuthCommand::Accept(_)));
    let target = if signs_in {
        Target::place(&global, &environment)?
    } else {
        Target::resolve(&global, for_operator, &environment)?
    };
    let client = Client::connect(&target, global.timeout).await?;
    let context = Context {
        client,
        now_ms: environment.now_ms,
        environment,
        resolved: target.resolved,
        ask,
        once: Once::new(global.idempotency_key, random),
        stdin: Stdin::new(stdin),
        progress,
    };
    renderer.report(cmd::run(context, noun).await?).await
}

/// Clap's own answers: help and version on stdout, a refusal on stderr in the format that was asked for.
fn refuse(renderer: &mut Renderer<'_>, error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A reader that went away is no failure.
        let _ = renderer.stdout.write_all(text.as_bytes());
        let _ = renderer.stdout.flush();
        return Exit::Ok;
    }
    if renderer.look.format == Format::Table {
        let _ = renderer.stderr.write_all(text.as_bytes());
        return Exit::Usage;
    }
    let first = text.lines().next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(first);
    let mut failure = Failure::usage("usage", message).with_hint("try --help");
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
        if let Some(suggestion) = error.get(kind) {
            failure = failure.with_hint(format!("did you mean `{suggestion}`?"));
        }
    }
    renderer.failure(&failure);
    Exit::Usage
}
