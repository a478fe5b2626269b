//! What the system says of a process, and on which core it runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::Command;

use super::deadline::within;

/// The core of a server, and that of the load.
pub(in crate::suite) const SERVER: &str = "0";
const LOAD: &str = "1";

/// A command of a program that runs on the server's core.
pub(in crate::suite) fn on_server_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER]).arg(program).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Puts this thread, and those it starts, on the load's core. A machine with one core has no other: both share it then.
pub(in crate::suite) fn go_to_load_core() -> Result<()> {
    let own = std::process::id().to_string();
    let mut command = std::process::Command::new("taskset");
    command.args(["-c", "-p", LOAD, &own]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(|_| ()).context("taskset (of util-linux) chooses the cores")
}

/// The memory of a process that is resident, in bytes.
pub(in crate::suite) fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|it| it.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kilobytes.context("a process has resident memory")? * 1024)
}

/// How many sockets a process has.
pub(in crate::suite) fn sockets(pid: u32) -> Result<usize> {
    let mut count = 0;
    for file in fs::read_dir(format!("/proc/{pid}/fd")).context("a process has files")? {
        // A file may be closed while it is looked at.
        let Ok(target) = fs::read_link(file?.path()) else { continue };
        count += usize::from(target.to_string_lossy().starts_with("socket:"));
    }
    Ok(count)
}

/// Waits until a process has let go of all sockets but so many: while it does, it works on what is measured next to it.
pub(in crate::suite) async fn sockets_gone(pid: u32, but: usize) -> Result<()> {
    until_at_most(but, || sockets(pid)).await
}

async fn until_at_most(most: usize, mut count: impl FnMut() -> Result<usize>) -> Result<()> {
    within("the end of a server's sockets", async {
        while count()? > most {
            tokio::task::yield_now().await;
        }
        Ok(())
    })
    .await
}

/// The processor time of a process so far, thread by thread, to the nanosecond: the ticks of its `stat` are too coarse
/// for short runs.
pub(in crate::suite) struct Cpu(BTreeMap<String, u64>);

impl Cpu {
    /// Reads it.
    pub(in crate::suite) fn of(pid: u32) -> Result<Self> {
        let mut threads = BTreeMap::new();
        for thread in fs::read_dir(format!("/proc/{pid}/task")).context("a process has threads")? {
            let thread = thread?;
            // A thread may end while it is looked at.
            let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let name = thread.file_name().to_string_lossy().into_owned();
            threads.insert(name, run_ns(&text).context("a thread has run for a time")?);
        }
        Ok(Self(threads))
    }

    /// What a process has used since: threads that have ended meanwhile count as far as they were seen.
    pub(in crate::suite) fn since(&self, pid: u32) -> Result<Duration> {
        let now = Self::of(pid)?;
        let of = |(thread, ns): (&String, &u64)| {
            ns.saturating_sub(self.0.get(thread).copied().unwrap_or(0))
        };
        Ok(Duration::from_nanos(now.0.iter().map(of).sum()))
    }
}

/// The first number of a `schedstat`: nanoseconds on a processor.
fn run_ns(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// How busy the machine was in the last minute.
pub(in crate::suite) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Makes the system forget what it holds of the files below a folder, so that they are read from the disk again. What
/// is not written yet stays.
pub(in crate::suite) fn forget(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|it| Ok((it.path(), it.file_type()?)))?;
        if kind.is_dir() {
            forget(&path)?;
        } else {
            let file = fs::File::open(&path)?;
            file.sync_all()?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// Lets the system read all files below a folder, so that they are in its memory as far as that goes.
pub(in crate::suite) fn warm(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|it| Ok((it.path(), it.file_type()?)))?;
        if kind.is_dir() {
            warm(&path)?;
        } else {
            std::io::copy(&mut fs::File::open(&path)?, &mut std::io::sink())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_are_counted() {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let of = |stdin: Stdio| {
            let mut child = std::process::Command::new("cat");
            child.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::null());
            child.spawn().unwrap()
        };
        let mut children = [of(Stdio::from(std::os::fd::OwnedFd::from(far))), of(Stdio::piped())];
        let counts = children.each_ref().map(|it| sockets(it.id()).unwrap());
        drop(near);
        for child in &mut children {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
        assert_eq!(counts, [1, 0]);
    }

    #[tokio::test]
    async fn sockets_are_waited_for_until_they_are_gone() {
        let mut counts = [9, 7, 8, 3, 1].into_iter();
        until_at_most(3, || counts.next().context("it looks no further")).await.unwrap();
        assert_eq!(counts.next(), Some(1), "and no longer");
    }

    #[test]
    fn only_what_was_used_since_counts() {
        let own = std::process::id();
        let before = Cpu::of(own).expect("this process runs");
        let mut sum = 0_u64;
        let began = std::time::Instant::now();
        while before.since(own).expect("it still does") < Duration::from_millis(1) {
            sum = std::hint::black_box(sum.wrapping_add(1));
            assert!(began.elapsed() < Duration::from_secs(60), "no time is counted");
        }
        assert_eq!(run_ns("1234 5 6\n"), Some(1234));
        assert_eq!(run_ns(""), None);
    }
}
