//! The program `fusionctl`: takes clock, randomness, environment and streams from the process, and hands them
//! to the library. No command lives here.

use std::io::{BufWriter, IsTerminal};
use std::process::ExitCode;

use fusionctl::{Console, Environment, Stop, prompt};
use rustix::termios::{LocalModes, OptionalActions};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run());
    // A read of stdin that Ctrl-C interrupted must not hold the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn run() -> u8 {
    let mut random = [0; 16];
    if let Err(error) = getrandom::fill(&mut random) {
        eprintln!("error: the system has no randomness: {error}");
        return 1;
    }
    let stdout = std::io::stdout();
    let environment = Environment {
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        no_color: variable("NO_COLOR").is_some() || variable("TERM").as_deref() == Some("dumb"),
        now_ms,
        random,
    };
    let columns = rustix::termios::tcgetwinsize(&stdout)
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|&columns| columns > 0);
    let stdout_columns = if stdout.is_terminal() { columns.or(Some(80)) } else { None };
    let console = Console {
        stdin: Box::new(std::io::stdin()),
        stdout: &mut BufWriter::new(stdout),
        stderr: &mut std::io::stderr(),
        stdout_columns,
        stderr_is_terminal: std::io::stderr().is_terminal(),
        ask: (std::io::stdin().is_terminal() && std::io::stderr().is_terminal()).then_some(ask),
    };
    let stop = async {
        tokio::select! {
            () = heard(SignalKind::interrupt()) => Stop::Interrupt,
            () = heard(SignalKind::terminate()) => Stop::Terminate,
        }
    };
    fusionctl::run(std::env::args_os().collect(), environment, console, stop).await
}

/// Comes back when the signal does. The first process of a container hears none that it does not ask for.
async fn heard(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        // Without a handler the signal ends the process by itself.
        Err(_) => std::future::pending().await,
    }
}

/// Asks on the terminal and leaves it as it was, whatever was typed.
fn ask(question: &str, shown: bool) -> std::io::Result<String> {
    let stdin = std::io::stdin();
    let before = rustix::termios::tcgetattr(&stdin)?;
    let mut raw = before.clone();
    raw.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    rustix::termios::tcsetattr(&stdin, OptionalActions::Flush, &raw)?;
    eprint!("{question}: ");
    let typed = prompt::read_line(&mut stdin.lock(), &mut std::io::stderr(), shown);
    rustix::termios::tcsetattr(&stdin, OptionalActions::Now, &before)?;
    eprintln!();
    typed
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "the program's edge: ages in tables need a clock")]
fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
