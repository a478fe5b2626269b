//! What the system says of a process, and on which core it runs.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::Command;

/// What Linux counts processor time in.
const MS_PER_TICK: u64 = 10;
/// The core of a server, and that of the load.
pub(super) const SERVER: &str = "0";
const LOAD: &str = "1";

/// A command of a program that runs on the server's core.
pub(super) fn on_server_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER]).arg(program).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Puts this thread, and those it starts, on the load's core. A machine with one core has no other: both share it then.
pub(super) fn go_to_load_core() -> Result<()> {
    let own = std::process::id().to_string();
    let mut command = std::process::Command::new("taskset");
    command.args(["-c", "-p", LOAD, &own]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(|_| ()).context("taskset (of util-linux) chooses the cores")
}

/// The memory of a process that is resident, in bytes.
pub(super) fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|it| it.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kilobytes.context("a process has resident memory")? * 1024)
}

/// The processor time of a process, user and system: the 14th and 15th fields of its `stat`. The second, in
/// parentheses, is the name.
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').context("a process has a name")?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|it| it.parse::<u64>().ok());
    let (user, system) = (ticks().context("user time")?, ticks().context("system time")?);
    Ok(Duration::from_millis((user + system) * MS_PER_TICK))
}

/// How busy the machine was in the last minute.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
