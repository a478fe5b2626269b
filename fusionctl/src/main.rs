//! The program `fusionctl`: takes clock, randomness, environment and streams from the process, and hands them
//! to the library. No command lives here.

use std::io::{BufWriter, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use fusionctl::{Console, Environment};

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
        runtime_dir: runtime_dir(),
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
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler the signal ends the process by itself.
            std::future::pending::<()>().await;
        }
    };
    fusionctl::run(std::env::args_os().collect(), environment, console, interrupt).await
}

/// Asks on the terminal. What is typed blind is not echoed; the terminal is left as it was.
fn ask(question: &str, shown: bool) -> std::io::Result<String> {
    let stdin = std::io::stdin();
    eprint!("{question}: ");
    let before = rustix::termios::tcgetattr(&stdin)?;
    if !shown {
        let mut blind = before.clone();
        blind.local_modes.remove(rustix::termios::LocalModes::ECHO);
        rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Flush, &blind)?;
    }
    let mut line = String::new();
    let read = stdin.read_line(&mut line);
    if !shown {
        rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, &before)?;
        eprintln!();
    }
    read.map(|_| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where a demo leaves its pointer; docs/demo-file.md is the rule.
fn runtime_dir() -> PathBuf {
    variable("FUSION_RUNTIME_DIR").or_else(|| variable("XDG_RUNTIME_DIR")).map_or_else(
        || {
            let user = rustix::process::getuid().as_raw();
            std::env::temp_dir().join(format!("fusionchat-{user}"))
        },
        PathBuf::from,
    )
}

#[expect(clippy::disallowed_methods, reason = "the program's edge: ages in tables need a clock")]
fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
