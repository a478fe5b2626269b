//! The project's programs as cargo built them: found beside the tests, started with an environment of their own
//! and nothing of the user's.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::stage::Stage;

/// Where a program stands: cargo puts programs into `target/PROFILE`, and tests one folder down in `deps`.
pub fn find(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let mut folder = this.parent().context("a program stands in a folder")?;
    if folder.ends_with("deps") {
        folder = folder.parent().context("a test runs from target/…/deps")?;
    }
    let program = folder.join(name);
    if !program.exists() {
        bail!("{} is not there: run `cargo build --workspace` first", program.display());
    }
    Ok(program)
}

/// The variables a program of ours gets: where the demo's pointer lies, and no user's configuration.
pub fn environment(runtime: &Path) -> Vec<(String, String)> {
    let runtime = runtime.to_string_lossy().into_owned();
    vec![
        ("FUSION_RUNTIME_DIR".to_owned(), runtime.clone()),
        ("HOME".to_owned(), runtime.clone()),
        ("XDG_CONFIG_HOME".to_owned(), runtime.clone()),
        ("XDG_STATE_HOME".to_owned(), runtime),
        ("PATH".to_owned(), std::env::var("PATH").unwrap_or_default()),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("TERM".to_owned(), "xterm-256color".to_owned()),
    ]
}

/// A command of ours that dies with the test.
pub fn command(name: &str, runtime: &Path) -> Result<Command> {
    let mut command = Command::new(find(name)?);
    command.env_clear().envs(environment(runtime)).kill_on_drop(true);
    Ok(command)
}

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Output {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Output {
    /// Itself, if it ended with `code`.
    pub fn expect(self, code: i32) -> Result<Self> {
        ensure!(self.code == code, "expected exit {code}, got {self:#?}");
        Ok(self)
    }

    /// Stdout as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON on stdout: {self:#?}"))
    }

    /// The one error object on stderr.
    pub fn error(&self) -> Result<Value> {
        serde_json::from_str(self.stderr.trim())
            .with_context(|| format!("not one JSON object on stderr: {self:#?}"))
    }
}

/// `fusionctl --demo[=USER] …` of one demo, or `fusionctl …` with variables of its own.
#[derive(Clone)]
pub struct Ctl {
    stage: Stage,
    runtime: PathBuf,
    user: Option<String>,
    variables: Option<Vec<(String, String)>>,
}

impl Ctl {
    pub(crate) fn new(stage: &Stage, runtime: &Path) -> Self {
        Self { stage: stage.clone(), runtime: runtime.to_owned(), user: None, variables: None }
    }

    /// One that knows no demo, but these variables.
    pub fn with(stage: &Stage, home: &Path, variables: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = Some(variables.iter().map(own).collect());
        Self { variables, ..Self::new(stage, home) }
    }

    /// The same as another user of the demo.
    pub fn user(&self, name: &str) -> Self {
        Self { user: Some(name.to_owned()), ..self.clone() }
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = command("fusionctl", &self.runtime)?;
        match (&self.variables, &self.user) {
            (Some(variables), _) => {
                command.envs(variables.iter().map(|(name, value)| (name, value)));
            }
            (None, Some(name)) => {
                command.arg(format!("--demo={name}"));
            }
            (None, None) => {
                command.arg("--demo");
            }
        }
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.run_with(arguments, "").await
    }

    /// Runs a command that reads `input`.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let mut child = self.command(arguments)?.stdin(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("stdin is piped")?;
        // A command that reads nothing may be gone before everything is written.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await?;
        let output = Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        self.stage.note(format!("fusionctl {} -> {output:?}", arguments.join(" ")));
        Ok(output)
    }

    /// Starts a command that goes on, read line by line.
    pub fn follow(&self, arguments: &[&str]) -> Result<Follow> {
        let mut child = self.command(arguments)?.stdin(Stdio::null()).spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        Ok(Follow { stage: self.stage.clone(), child, lines: BufReader::new(stdout).lines() })
    }
}

/// A command that goes on. It ends when this is dropped.
pub struct Follow {
    stage: Stage,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follow {
    /// The next line of stdout.
    pub async fn line(&mut self) -> Result<String> {
        if let Some(line) = self.lines.next_line().await? {
            self.stage.note(format!("follow: {line}"));
            return Ok(line);
        }
        let mut stderr = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_string(&mut stderr).await?;
        }
        let status = self.child.wait().await?;
        bail!("the command ended with {status}: {stderr}")
    }

    /// Sends it a signal.
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.child.id().context("it runs")?.to_string();
        let status = Command::new("kill").args([signal, &pid]).status().await?;
        ensure!(status.success(), "kill {signal} {pid}: {status}");
        Ok(())
    }

    /// The next line as JSON.
    pub async fn json(&mut self) -> Result<Value> {
        let line = self.line().await?;
        serde_json::from_str(&line).with_context(|| format!("no JSON: {line}"))
    }
}
