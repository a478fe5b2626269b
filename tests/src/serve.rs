//! A daemon that serves a configuration on a directory of `init`: what it says is its log, read line by line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::program::{self, Output};
use crate::stage::Stage;

/// A running `fusionchatd serve`.
pub struct Served {
    stage: Stage,
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    config: PathBuf,
    settings: String,
    /// What it said before it was ready.
    pub early: Vec<Value>,
    /// The line that says it is ready.
    pub ready: Value,
}

/// Runs `fusionchatd` to its end.
pub async fn fusionchatd(stage: &Stage, arguments: &[&str]) -> Result<Output> {
    fusionchatd_with(stage, arguments, &[]).await
}

/// The same with these variables in its environment.
pub async fn fusionchatd_with(
    stage: &Stage,
    arguments: &[&str],
    variables: &[(String, String)],
) -> Result<Output> {
    let runtime = stage.folder("runtime")?;
    let output = program::command("fusionchatd", &runtime)?
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await?;
    let output = Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    stage.note(format!("fusionchatd {} -> {output:?}", arguments.join(" ")));
    Ok(output)
}

/// Makes a data directory for `acme` with an inbox on the shop's pages; what was shown.
pub async fn init(stage: &Stage, data: &Path) -> Result<Value> {
    init_with(stage, data, &[], &[]).await?.expect(0)?.json()
}

/// The same with more arguments and these variables in its environment, however it ends.
pub async fn init_with(
    stage: &Stage,
    data: &Path,
    more: &[&str],
    variables: &[(String, String)],
) -> Result<Output> {
    let data = data.to_string_lossy();
    let arguments = ["init", "--data", &data, "--tenant", "acme", "--admin", "ana@acme.example"];
    let rest = ["--origin", "https://shop.example", "--json"];
    let arguments = [&arguments[..], &rest[..], more].concat();
    fusionchatd_with(stage, &arguments, variables).await
}

impl Served {
    /// Starts it with these settings besides its data, its ports and a log in JSON.
    pub async fn start(stage: &Stage, data: &Path, settings: &str) -> Result<Self> {
        Self::start_with(stage, data, settings, &[]).await
    }

    /// The same with more arguments.
    pub async fn start_with(
        stage: &Stage,
        data: &Path,
        settings: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let runtime = stage.folder("runtime")?;
        let command = program::command("fusionchatd", &runtime)?;
        Self::spawn_as(stage, command, &runtime, data, settings, arguments)?.once_ready().await
    }

    /// The same with these variables in its environment.
    pub async fn start_in(
        stage: &Stage,
        data: &Path,
        settings: &str,
        variables: &[(String, String)],
    ) -> Result<Self> {
        Self::spawn_in(stage, data, settings, variables)?.once_ready().await
    }

    /// The same, and does not wait until it is ready.
    pub fn spawn_in(
        stage: &Stage,
        data: &Path,
        settings: &str,
        variables: &[(String, String)],
    ) -> Result<Self> {
        let runtime = stage.folder("runtime")?;
        let mut command = program::command("fusionchatd", &runtime)?;
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Self::spawn_as(stage, command, &runtime, data, settings, &[])
    }

    /// The same, with at most so many files open at a time.
    pub async fn start_with_files(
        stage: &Stage,
        data: &Path,
        settings: &str,
        files_max: u32,
    ) -> Result<Self> {
        let runtime = stage.folder("runtime")?;
        let mut command = Command::new("sh");
        command.env_clear().envs(program::environment(&runtime)).kill_on_drop(true);
        command.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &files_max.to_string()]);
        command.arg(program::find("fusionchatd")?);
        Self::spawn_as(stage, command, &runtime, data, settings, &[])?.once_ready().await
    }

    fn spawn_as(
        stage: &Stage,
        mut command: Command,
        runtime: &Path,
        data: &Path,
        settings: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let config = runtime.join("fusionchatd.toml");
        write(&config, data, settings)?;
        let mut child = command
            .args(["serve", "--config"])
            .arg(&config)
            .args(arguments)
            .envs([
                ("FUSION_HTTP_LISTEN", "127.0.0.1:0"),
                ("FUSION_GRPC_LISTEN", "127.0.0.1:0"),
                ("FUSION_METRICS_LISTEN", "127.0.0.1:0"),
                ("FUSION_LOG_FORMAT", "json"),
            ])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = BufReader::new(child.stderr.take().context("stderr is piped")?).lines();
        let settings = data.to_string_lossy().into_owned();
        let (stage, early, ready) = (stage.clone(), Vec::new(), Value::Null);
        Ok(Self { stage, child, log, config, settings, early, ready })
    }

    async fn once_ready(mut self) -> Result<Self> {
        match self.said("ready").await {
            Ok(ready) => Ok(Self { ready, ..self }),
            Err(error) => {
                // Its data are to be nobody's, and it may be about to end only.
                self.child.kill().await?;
                Err(error)
            }
        }
    }

    /// The next line of the log with this message.
    pub async fn said(&mut self, message: &str) -> Result<Value> {
        self.said_one_of(&[message]).await
    }

    /// The next line of the log with one of these.
    pub async fn said_one_of(&mut self, messages: &[&str]) -> Result<Value> {
        let wanted = |said: &Value| messages.iter().any(|it| said == *it);
        self.line(&messages.join(", "), wanted).await
    }

    /// The next line of the log whose message begins so.
    pub async fn said_like(&mut self, start: &str) -> Result<Value> {
        let begins = |said: &Value| said.as_str().is_some_and(|it| it.starts_with(start));
        self.line(start, begins).await
    }

    async fn line(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        while let Some(line) = self.log.next_line().await? {
            self.stage.note(format!("serve: {line}"));
            let Ok(line) = serde_json::from_str::<Value>(&line) else { bail!("not JSON: {line}") };
            for field in ["timestamp", "level", "target"] {
                ensure!(line[field].is_string(), "a line without {field}: {line}");
            }
            if self.ready.is_null() {
                self.early.push(line.clone());
            }
            if wanted(&line["fields"]["message"]) {
                return Ok(line["fields"].clone());
            }
        }
        bail!("the daemon ended before it said {what:?}")
    }

    /// Changes its settings and sends SIGHUP.
    pub async fn reload(&self, settings: &str) -> Result<()> {
        write(&self.config, Path::new(&self.settings), settings)?;
        self.signal("-HUP").await
    }

    /// Sends a signal.
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.child.id().context("the daemon runs")?.to_string();
        let status = tokio::process::Command::new("kill").args([signal, &pid]).status().await?;
        ensure!(status.success(), "kill {signal} {pid}: {status}");
        Ok(())
    }

    /// Ends it at once and waits until it is gone.
    pub async fn kill9(&mut self) -> Result<()> {
        self.stage.note("kill -9 of the daemon");
        Ok(self.child.kill().await?)
    }

    /// Waits until it has ended by itself; what it said meanwhile, line by line as it came.
    pub async fn ended(&mut self) -> Result<(ExitStatus, Vec<String>)> {
        let mut said = Vec::new();
        while let Some(line) = self.log.next_line().await? {
            self.stage.note(format!("serve: {line}"));
            said.push(line);
        }
        Ok((self.child.wait().await?, said))
    }

    /// The address of a listener: `http`, `grpc` or `metrics`.
    pub fn address(&self, listener: &str) -> Result<&str> {
        self.ready[listener].as_str().with_context(|| format!("no {listener}: {}", self.ready))
    }

    /// What a plain GET answers: its status and text.
    pub async fn get(&self, listener: &str, path: &str) -> Result<(u16, String)> {
        let url = format!("http://{}{path}", self.address(listener)?);
        let answer = crate::rest::client().get(&url).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }
}

fn write(config: &Path, data: &Path, settings: &str) -> Result<()> {
    let text = format!("data = {:?}\n{settings}", data.to_string_lossy());
    fs::write(config, text).with_context(|| format!("writing {}", config.display()))
}
