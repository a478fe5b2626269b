//! Running `fusionctl` in this process, with its streams in our hands.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::io::{Cursor, Write};
use std::net::SocketAddr;

use fusionctl::{Console, Environment, StopSignal};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::mock::TOKEN;

pub(crate) const NOW_MS: i64 = 1_790_000_000_000;
/// More lines than any test here writes.
const LINES_MAX: usize = 4_096;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn failure(&self) -> Value {
        assert_eq!(self.stderr.lines().count(), 1, "one object: {self:?}");
        serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) fn environment(address: SocketAddr, token: Option<&str>) -> Environment {
    let mut variables =
        BTreeMap::from([("FUSION_ENDPOINT".to_owned(), format!("http://{address}"))]);
    variables.insert("FUSION_RUNTIME_DIR".to_owned(), "/nonexistent".to_owned());
    variables.extend(token.map(|token| ("FUSION_TOKEN".to_owned(), token.to_owned())));
    Environment { variables, no_color: true, now_ms: || NOW_MS, random: [7; 16] }
}

/// Runs a command to its end.
pub(crate) async fn run(address: SocketAddr, words: &[&str]) -> Ran {
    run_with(environment(address, Some(TOKEN)), words, "").await
}

pub(crate) async fn run_with(environment: Environment, words: &[&str], stdin: &str) -> Ran {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let console = Console {
        stdin: Box::new(Cursor::new(stdin.to_owned())),
        stdout: &mut stdout,
        stderr: &mut stderr,
        stdout_columns: None,
        stderr_is_terminal: false,
        ask: None,
    };
    let words = std::iter::once("fusionctl").chain(words.iter().copied());
    let words = words.map(Into::into).collect();
    let exit = fusionctl::run(words, environment, console, pending()).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { exit, stdout: text(stdout), stderr: text(stderr) }
}

/// Hands each line on as soon as it is whole.
pub(crate) struct Lines {
    sender: mpsc::Sender<String>,
    begun: Vec<u8>,
}

impl Lines {
    pub(crate) fn new() -> (Self, mpsc::Receiver<String>) {
        let (sender, receiver) = mpsc::channel(LINES_MAX);
        (Self { sender, begun: Vec::new() }, receiver)
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes {
            if *byte == b'\n' {
                let line = String::from_utf8(std::mem::take(&mut self.begun)).unwrap();
                self.sender.try_send(line).map_err(std::io::Error::other)?;
            } else {
                self.begun.push(*byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a command whose lines are read while it runs, until `interrupt` resolves.
pub(crate) async fn follow(
    address: SocketAddr,
    words: &[&str],
    mut stdout: Lines,
    mut stderr: Lines,
    interrupt: impl Future<Output = ()>,
) -> u8 {
    let console = Console {
        stdin: Box::new(std::io::empty()),
        stdout: &mut stdout,
        stderr: &mut stderr,
        stdout_columns: None,
        stderr_is_terminal: false,
        ask: None,
    };
    let words = std::iter::once("fusionctl").chain(words.iter().copied());
    let words = words.map(Into::into).collect();
    let stop = async {
        interrupt.await;
        StopSignal::Interrupt
    };
    fusionctl::run(words, environment(address, Some(TOKEN)), console, stop).await
}
