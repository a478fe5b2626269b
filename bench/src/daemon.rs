//! The real `fusionchatd` on a directory of its own: started, killed, started again.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fusionchat_proto::v1;
use serde::Serialize;
use tokio::process::{Child, Command};

use crate::staff::Staff;

/// How long a start, and a stop, may take. A store that was killed may have to be read whole.
const START_MAX: Duration = Duration::from_secs(300);
const STOP_MAX: Duration = Duration::from_secs(20);
/// How often a starting daemon is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// Ports are looked for here: below those that outgoing connections get, so that none takes a killed daemon's.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// What Linux counts processor time in.
const MS_PER_TICK: u64 = 10;
/// How many are tried.
const PORTS_TRIED: u16 = 200;

/// The rates the daemon runs with: 64 dialogues played as fast as it can would be over the usual ones.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Limits {
    messages_per_minute: u32,
    message_burst: u32,
    hellos_per_minute: u32,
    conversations_per_minute: u32,
    sockets_per_address: u32,
    sign_ins_per_five_minutes: u32,
    commands_per_second: u32,
    command_burst: u32,
}

/// As high as its configuration lets them be.
pub(crate) const LIMITS: Limits = Limits {
    messages_per_minute: 1_000_000,
    message_burst: 1_000_000,
    hellos_per_minute: 1_000_000,
    conversations_per_minute: 1_000_000,
    sockets_per_address: 100_000,
    sign_ins_per_five_minutes: 1_000,
    commands_per_second: 1_000_000,
    command_burst: 1_000_000,
};

impl Limits {
    /// Its section of the configuration.
    pub(crate) fn section(self) -> Result<String> {
        let value = serde_json::to_value(self)?;
        let rates = value.as_object().context("limits are a table")?;
        let lines: Vec<String> = rates.iter().map(|(name, it)| format!("{name} = {it}")).collect();
        Ok(lines.join("\n"))
    }
}

/// A daemon that runs, or is about to.
pub(crate) struct Daemon {
    program: PathBuf,
    directory: PathBuf,
    http_port: u16,
    grpc_port: u16,
    core: Option<&'static str>,
    child: Option<Child>,
    peak_rss: u64,
    cpu: Duration,
}

impl Daemon {
    /// Prepares one for the data in `directory`, with free ports and the bench's rates.
    pub(crate) fn new(program: &Path, directory: &Path) -> Result<Self> {
        Self::with(program, directory, &format!("[limits]\n{}\n", LIMITS.section()?))
    }

    /// The same, with other lines at the end of its configuration.
    pub(crate) fn with(program: &Path, directory: &Path, section: &str) -> Result<Self> {
        let (http_port, grpc_port) = free_ports()?;
        let daemon = Self {
            program: program.to_owned(),
            directory: directory.to_owned(),
            http_port,
            grpc_port,
            core: None,
            child: None,
            peak_rss: 0,
            cpu: Duration::ZERO,
        };
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:{http_port}\"\npublic_url = \"{}\"\n\
             [grpc]\nlisten = \"127.0.0.1:{grpc_port}\"\n{section}",
            daemon.http(),
        );
        fs::write(daemon.config(), text).context("writing the daemon's configuration")?;
        Ok(daemon)
    }

    /// The same, kept on a core.
    pub(crate) fn on_core(self, core: &'static str) -> Self {
        Self { core: Some(core), ..self }
    }

    /// The process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    fn config(&self) -> PathBuf {
        self.directory.join("fusionchatd.toml")
    }

    /// Where its data lies.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Where REST and WebSocket are.
    pub(crate) fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// Where gRPC is.
    pub(crate) fn grpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc_port)
    }

    /// A command of the program that sees nothing of the user's and dies with us.
    pub(crate) fn command(&self) -> Result<Command> {
        let log = self.directory.join("fusionchatd.log");
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = match self.core {
            None => Command::new(&self.program),
            Some(core) => {
                let mut pinned = Command::new("taskset");
                pinned.args(["-c", core]).arg(&self.program);
                pinned
            }
        };
        command.env_clear().env("FUSION_RUNTIME_DIR", &self.directory).env("HOME", &self.directory);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        Ok(command)
    }

    /// Starts it and returns how long it took until it answered `staff`.
    pub(crate) async fn start(&mut self, staff: &Staff) -> Result<Duration> {
        let began = Instant::now();
        self.spawn()?;
        loop {
            if staff.server().get_server_status(v1::GetServerStatusRequest {}).await.is_ok() {
                return Ok(began.elapsed());
            }
            self.still_starting(began).await?;
        }
    }

    /// Starts it and does not wait.
    pub(crate) fn spawn(&mut self) -> Result<()> {
        let mut command = self.command()?;
        command.arg("serve").arg("--config").arg(self.config()).arg("--data").arg(self.data());
        let child = command.spawn();
        self.child = Some(child.with_context(|| format!("starting {}", self.program.display()))?);
        Ok(())
    }

    /// A moment's wait for a daemon that was started at `began`; fails if it has ended or takes too long.
    pub(crate) async fn still_starting(&mut self, began: Instant) -> Result<()> {
        let child = self.child.as_mut().context("fusionchatd was started")?;
        if let Some(status) = child.try_wait()? {
            let log = self.directory.join("fusionchatd.log");
            bail!("fusionchatd ended with {status}; its log is {}", log.display());
        }
        ensure!(began.elapsed() < START_MAX, "fusionchatd is not ready after {START_MAX:?}");
        tokio::time::sleep(ASK_EVERY).await;
        Ok(())
    }

    /// Ends it at once, as the kernel does when there is no memory.
    pub(crate) async fn kill9(&mut self) -> Result<()> {
        self.note_use();
        let mut child = self.child.take().context("fusionchatd runs")?;
        child.kill().await.context("kill -9 of fusionchatd")
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.note_use();
        let mut child = self.child.take().context("fusionchatd runs")?;
        terminate(&child)?;
        let status = tokio::time::timeout(STOP_MAX, child.wait())
            .await
            .with_context(|| format!("fusionchatd has not stopped after {STOP_MAX:?}"))??;
        ensure!(status.success(), "fusionchatd stopped with {status}");
        Ok(())
    }

    fn note_use(&mut self) {
        let id = self.child.as_ref().and_then(Child::id);
        let status = id.and_then(|id| fs::read_to_string(format!("/proc/{id}/status")).ok());
        let line =
            status.as_deref().and_then(|it| it.lines().find_map(|l| l.strip_prefix("VmHWM:")));
        let kilobytes =
            line.and_then(|it| it.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        self.peak_rss = self.peak_rss.max(kilobytes.unwrap_or(0) * 1024);
        let stat = id.and_then(|id| fs::read_to_string(format!("/proc/{id}/stat")).ok());
        self.cpu += stat.as_deref().and_then(cpu_time).unwrap_or_default();
    }

    /// The processor time of all its lives that have ended; zero where the system does not tell.
    pub(crate) fn cpu(&self) -> Duration {
        self.cpu
    }

    /// The most memory that was resident in any of its lives so far; 0 where the system does not tell.
    pub(crate) fn peak_rss(&self) -> u64 {
        self.peak_rss
    }

    /// What its data takes on disk.
    pub(crate) fn bytes_on_disk(&self) -> u64 {
        bytes_below(&self.data())
    }
}

/// Asks a program to end.
pub(crate) fn terminate(child: &Child) -> Result<()> {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).context("it has ended already")?;
    let id = rustix::process::Pid::from_raw(id).context("a process has an id")?;
    rustix::process::kill_process(id, rustix::process::Signal::TERM).context("SIGTERM")
}

/// User and system time of a line of `/proc/PID/stat`: its 14th and 15th fields. The second, in parentheses, is the
/// name.
fn cpu_time(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(Duration::from_millis((user + system) * MS_PER_TICK))
}

/// What the files below a folder take.
pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(it) if it.is_dir() => bytes_below(&entry.path()),
            Ok(it) => it.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Two free ports that stay free while the daemon is down.
fn free_ports() -> Result<(u16, u16)> {
    let width = PORTS.end - PORTS.start;
    let first = u16::try_from(std::process::id() % u32::from(width)).unwrap_or(0);
    let mut free = (0..PORTS_TRIED)
        .map(|n| PORTS.start + (first + n * 7) % width)
        .filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().zip(free.next()).context("no free ports")
}

/// The program to run: the one named, or the one beside this program. Under `cargo run` that is built first, so that
/// what is measured is the checkout's.
pub(crate) async fn find(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().context("this program lies in a folder")?;
    let program = folder.join("fusionchatd");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let release = folder.file_name().is_some_and(|name| name == "release");
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "fusionchatd"]);
        build.args(release.then_some("--release")).current_dir(env!("CARGO_MANIFEST_DIR"));
        ensure!(build.status().await?.success(), "fusionchatd does not build");
    }
    ensure!(
        program.exists(),
        "{} is not there: build it (`cargo build --release -p fusionchatd`) or pass --daemon FILE",
        program.display()
    );
    Ok(program)
}
