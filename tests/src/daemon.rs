//! A real daemon playing the demo on a directory of its own: started, killed, started again. It is ready when its
//! first line says so; nobody polls it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use crate::grpc::Staff;
use crate::ports::{Ports, PortsDown};
use crate::program::{self, Ctl};
use crate::rest::Rest;
use crate::stage::Stage;
use crate::terminal::Terminal;
use crate::visitor::Visitor;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

/// What the line that says the demo is ready holds.
const READY: &str = "ready in";

/// A running demo and everything a test needs to reach it.
pub struct Daemon {
    stage: Stage,
    data: PathBuf,
    runtime: PathBuf,
    running: Option<Running>,
    /// Instead of the demo.
    serving: Option<Child>,
    /// Held while it is down.
    ports: Option<PortsDown>,
    kind: &'static [&'static str],
    demo: Value,
}

struct Running {
    child: Child,
    /// Held open: a closed pipe would end the daemon at its next line.
    lines: Lines<BufReader<ChildStdout>>,
}

impl Daemon {
    /// Starts the demo on a new directory.
    pub async fn demo(stage: &Stage) -> Result<Self> {
        Self::of(stage, &["--free-ports"]).await
    }

    /// Starts the demo as a pipeline does: without conversations, so the first is 1001.
    pub async fn ci(stage: &Stage) -> Result<Self> {
        Self::of(stage, &["--ci"]).await
    }

    async fn of(stage: &Stage, kind: &'static [&'static str]) -> Result<Self> {
        let data = stage.folder("data")?;
        let runtime = stage.folder("runtime")?;
        let stage = stage.clone();
        let mut daemon = Self {
            stage,
            data,
            runtime,
            running: None,
            serving: None,
            ports: None,
            kind,
            demo: Value::Null,
        };
        daemon.start().await?;
        Ok(daemon)
    }

    /// Ends the demo and serves its data with a configuration file that has these lines besides the addresses.
    pub async fn serve(&mut self, lines: &str) -> Result<()> {
        let (http, grpc) = (self.field("http")?.to_owned(), self.field("grpc")?.to_owned());
        self.sigterm().await?;
        self.ended().await?;
        self.serve_at(&http, &grpc, lines).await
    }

    /// Serves again after [`Daemon::stop_serving`].
    pub async fn serve_again(&mut self, lines: &str) -> Result<()> {
        let (http, grpc) = (self.field("http")?.to_owned(), self.field("grpc")?.to_owned());
        self.serve_at(&http, &grpc, lines).await
    }

    /// Ends the daemon that serves.
    pub async fn stop_serving(&mut self) -> Result<()> {
        let mut child = self.serving.take().context("the daemon is serving")?;
        self.ports = Some(Ports::down().await?);
        let pid = child.id().context("it has not been waited for")?.to_string();
        tokio::process::Command::new("kill").args(["-TERM", pid.as_str()]).status().await?;
        child.wait().await?;
        Ok(())
    }

    async fn serve_at(&mut self, http: &str, grpc: &str, lines: &str) -> Result<()> {
        let address =
            |url: &str| url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let config = self.runtime.join("fusionchatd.toml");
        let text = format!(
            "data = {:?}\n[http]\nlisten = {:?}\npublic_url = {:?}\n[grpc]\nlisten = {:?}\n{lines}",
            self.data,
            address(http),
            http.trim_end_matches('/'),
            address(grpc),
        );
        fs::write(&config, text)?;
        let mut child = program::command("fusionchatd", &self.runtime)?
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut log = BufReader::new(child.stderr.take().context("stderr is piped")?).lines();
        loop {
            let line = log.next_line().await?.context("the daemon ended before it was ready")?;
            self.stage.note(format!("daemon: {line}"));
            if line.contains(" ready") {
                break;
            }
        }
        let stage = self.stage.clone();
        // Read on, or the pipe fills up and the daemon waits.
        tokio_util::task::TaskTracker::new().spawn(async move {
            while let Ok(Some(line)) = log.next_line().await {
                stage.note(format!("daemon: {line}"));
            }
        });
        self.serving = Some(child);
        self.ports = None;
        Ok(())
    }

    /// Starts the daemon again on the same data, after it has ended.
    pub async fn start(&mut self) -> Result<()> {
        // Nobody may take a free port while another daemon is down: it wants the ports it had.
        let looking = match self.ports {
            None => Some(Ports::looking().await?),
            Some(_) => None,
        };
        let stderr = self.runtime.join("daemon.stderr");
        self.stage.add_log(&stderr);
        self.stage.add_log(&self.data.join("log"));
        let mut child = program::command("fusionchatd", &self.runtime)?
            .arg("demo")
            .args(self.kind)
            .arg("--data")
            .arg(&self.data)
            .arg("--ready-file")
            .arg(self.ready_file())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::OpenOptions::new().create(true).append(true).open(&stderr)?)
            .spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        loop {
            let Some(line) = lines.next_line().await? else {
                let status = child.wait().await?;
                let said = fs::read_to_string(&stderr).unwrap_or_default();
                bail!("the daemon ended with {status} before it was ready: {said}");
            };
            self.stage.note(format!("daemon: {line}"));
            if line.contains(READY) {
                break;
            }
        }
        drop(looking);
        let file = self.data.join("demo.json");
        let text =
            fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        self.demo = serde_json::from_str(&text)?;
        self.running = Some(Running { child, lines });
        self.ports = None;
        Ok(())
    }

    /// Ends the daemon at once, as a power cut would, and waits until it is gone.
    pub async fn kill9(&mut self) -> Result<()> {
        self.stage.note("kill -9 of the daemon");
        self.ports = Some(Ports::down().await?);
        let mut running = self.running.take().context("the daemon is running")?;
        running.child.kill().await?;
        Ok(())
    }

    /// Asks the daemon to stop. [`Daemon::ended`] waits for it.
    pub async fn sigterm(&self) -> Result<()> {
        self.stage.note("SIGTERM to the daemon");
        let pid = self.pid()?.to_string();
        let status =
            tokio::process::Command::new("kill").args(["-TERM", pid.as_str()]).status().await?;
        anyhow::ensure!(status.success(), "kill -TERM {pid}: {status}");
        Ok(())
    }

    /// Sends the demo a SIGHUP; what it says to that.
    pub async fn hangup(&mut self) -> Result<String> {
        let pid = self.pid()?.to_string();
        let status =
            tokio::process::Command::new("kill").args(["-HUP", pid.as_str()]).status().await?;
        anyhow::ensure!(status.success(), "kill -HUP {pid}: {status}");
        let running = self.running.as_mut().context("the daemon is running")?;
        while let Some(line) = running.lines.next_line().await? {
            self.stage.note(format!("daemon: {line}"));
            if line.contains("SIGHUP") {
                return Ok(line);
            }
        }
        bail!("the demo ended on SIGHUP")
    }

    /// Waits until the daemon has ended by itself.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let mut running = self.running.take().context("the daemon is running")?;
        self.ports = Some(Ports::down().await?);
        while let Some(line) = running.lines.next_line().await? {
            self.stage.note(format!("daemon: {line}"));
        }
        Ok(running.child.wait().await?)
    }

    /// Kills it and starts it on the same data.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill9().await?;
        self.start().await
    }

    /// The process.
    pub fn pid(&self) -> Result<u32> {
        let running = self.running.as_ref().context("the daemon is running")?;
        running.child.id().context("the daemon has not been waited for")
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where it says that it is ready.
    pub fn ready_file(&self) -> PathBuf {
        self.runtime.join("ready.json")
    }

    /// The runtime directory its pointer lies in.
    pub fn runtime(&self) -> &Path {
        &self.runtime
    }

    /// A field of the demo's file.
    pub fn field(&self, name: &str) -> Result<&str> {
        self.demo[name].as_str().with_context(|| format!("demo.json has no {name}: {}", self.demo))
    }

    /// A credential of the demo's file: `admin`, `agent1`, `agent2` or `operator`.
    pub fn credential(&self, user: &str) -> Result<&str> {
        self.demo["credentials"][user].as_str().with_context(|| format!("no credential of {user}"))
    }

    /// The origin of the demo's shop, which its inbox allows.
    pub fn shop_origin(&self) -> Result<String> {
        Ok(self.field("shop")?.trim_end_matches('/').to_owned())
    }

    /// gRPC as a user of the demo.
    pub async fn staff(&self, user: &str) -> Result<Staff> {
        self.staff_with(self.credential(user)?).await
    }

    /// gRPC with any credential.
    pub async fn staff_with(&self, token: &str) -> Result<Staff> {
        Staff::connect(self.field("grpc")?, token).await
    }

    /// REST as a user of the demo.
    pub fn rest(&self, user: &str) -> Result<Rest> {
        Ok(self.rest_with(Some(self.credential(user)?))?.named(user))
    }

    /// REST with any credential, or none.
    pub fn rest_with(&self, token: Option<&str>) -> Result<Rest> {
        Ok(Rest::new(&self.stage, self.field("http")?, token))
    }

    /// The id of an inbox of the demo's organization.
    pub async fn inbox_id(&self, name: &str) -> Result<String> {
        let inbox = self.staff("admin").await?.inbox(name).await?;
        Ok(inbox.id)
    }

    /// A new visitor of the demo's inbox, connected.
    pub async fn visitor(&self) -> Result<Visitor> {
        let inbox = self.inbox_id(self.field("inbox")?).await?;
        let mut visitor =
            Visitor::new(&self.stage, self.field("http")?, &inbox, &self.shop_origin()?);
        visitor.connect().await?;
        Ok(visitor)
    }

    /// The command line.
    pub fn ctl(&self) -> Ctl {
        Ctl::new(&self.stage, &self.runtime)
    }

    /// The command line of a pipeline: it knows the ready file and nothing else.
    pub fn ci_ctl(&self) -> Ctl {
        let ready_file = self.ready_file().to_string_lossy().into_owned();
        Ctl::with(&self.stage, &self.runtime, &[("FUSION_READY_FILE", &ready_file)])
    }

    /// The agent's console in a terminal of 100 columns and 30 rows.
    pub fn console(&self, user: &str) -> Result<Terminal> {
        Terminal::start(&self.stage, &self.runtime, "fusion-tui", &["--demo", user], 100, 30)
    }
}
