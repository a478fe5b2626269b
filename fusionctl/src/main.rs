//! The program `fusionctl`: takes clock, randomness, environment and streams from the process, and hands them
//! to the library. No command lives here.

use std::io::{BufWriter, IsTerminal};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use fusionctl::{Console, Environment, StopSignal, prompt};
use rustix::termios::{LocalModes, OptionalActions, Termios};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// How long a command that was told to stop may go on, unless it is told again: one that waits ends at once, but not one
/// that asks for a line or writes to a pipe that nobody reads.
const STOPPED_WITHIN: Duration = Duration::from_secs(3);

/// The terminal as it was before something was asked on it.
static ASKED_ON: Mutex<Option<Termios>> = Mutex::new(None);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (tell, told) = oneshot::channel();
    let (begin, begun) = mpsc::sync_channel(1);
    let hear = move || hear(&begin, tell);
    if let Err(error) = thread::Builder::new().name("signals".to_owned()).spawn(hear) {
        eprintln!("error: cannot start: {error}");
        return ExitCode::FAILURE;
    }
    // Signals are heard from here on; where they cannot be, each ends the process by itself.
    let _ = begun.recv();
    let code = runtime.block_on(run(told));
    // A read of stdin that a signal has stopped must not hold the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// Tells of the first signal, and ends the process if that does not. On a thread of its own, since a command may stand
/// in a call that hears nothing; the first process of a container hears no signal that it does not ask for.
fn hear(begin: &mpsc::SyncSender<()>, tell: oneshot::Sender<StopSignal>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    let heard = async {
        let mut interrupt = signal(SignalKind::interrupt()).ok()?;
        let mut terminate = signal(SignalKind::terminate()).ok()?;
        begin.send(()).ok()?;
        let stop = tokio::select! {
            _ = interrupt.recv() => StopSignal::Interrupt,
            _ = terminate.recv() => StopSignal::Terminate,
        };
        // Whoever is told may have ended.
        let _ = tell.send(stop);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = tokio::time::sleep(STOPPED_WITHIN) => {}
        }
        Some(stop)
    };
    let Some(stop) = runtime.block_on(heard) else { return };
    let asked_on = ASKED_ON.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = asked_on {
        // The terminal may be gone.
        let _ = rustix::termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
    }
    std::process::exit(stop.exit().into());
}

async fn run(told: oneshot::Receiver<StopSignal>) -> u8 {
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
        match told.await {
            Ok(stop) => stop,
            // Signals are not heard, and end the process by themselves.
            Err(_) => std::future::pending().await,
        }
    };
    fusionctl::run(std::env::args_os().collect(), environment, console, stop).await
}

/// Asks on the terminal and leaves it as it was, whatever was typed.
fn ask(question: &str, shown: bool) -> std::io::Result<String> {
    let stdin = std::io::stdin();
    let before = rustix::termios::tcgetattr(&stdin)?;
    *ASKED_ON.lock().unwrap_or_else(PoisonError::into_inner) = Some(before.clone());
    let mut raw = before.clone();
    raw.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    rustix::termios::tcsetattr(&stdin, OptionalActions::Flush, &raw)?;
    eprint!("{question}: ");
    let typed = prompt::read_line(&mut stdin.lock(), &mut std::io::stderr(), shown);
    rustix::termios::tcsetattr(&stdin, OptionalActions::Now, &before)?;
    ASKED_ON.lock().unwrap_or_else(PoisonError::into_inner).take();
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
