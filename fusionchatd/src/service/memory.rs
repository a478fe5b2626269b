//! How near the daemon is to the end of its memory, and what is left out then: typing signals first, new connections
//! next. Nothing that somebody waits for an acknowledgement of depends on it. The limit is a setting, or else that of
//! the control group (version 2) the process runs in; without either there is none.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

/// From this share of the limit on nobody is shown who types, in percent.
const SCARCE_PERCENT: u64 = 85;
/// From this share on no new connection is taken, in percent.
const GONE_PERCENT: u64 = 92;

/// How much memory is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Room {
    /// Enough.
    Ample,
    /// So little that signals nobody misses are left out.
    Scarce,
    /// So little that nobody new is let in.
    Gone,
}

/// What is used, and what may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Bytes that cannot be had back at once.
    pub used: u64,
    /// Bytes at which the process would be ended.
    pub limit: u64,
}

impl Reading {
    fn room(self) -> Room {
        let at_least =
            |percent| self.used.saturating_mul(100) >= self.limit.saturating_mul(percent);
        match (at_least(SCARCE_PERCENT), at_least(GONE_PERCENT)) {
            (_, true) => Room::Gone,
            (true, false) => Room::Scarce,
            (false, false) => Room::Ample,
        }
    }
}

/// The last reading's answer.
#[derive(Debug, Default)]
pub struct Memory {
    room: AtomicU8,
}

impl Memory {
    /// How much is left.
    pub fn room(&self) -> Room {
        match self.room.load(Ordering::Relaxed) {
            room if room == Room::Gone as u8 => Room::Gone,
            room if room == Room::Scarce as u8 => Room::Scarce,
            _ => Room::Ample,
        }
    }

    /// Takes a reading into account, and says so in the log each time the answer turns. Without a limit there is room.
    pub fn note(&self, reading: Option<Reading>) {
        let now = reading.map_or(Room::Ample, Reading::room);
        let before = self.room();
        self.room.store(now as u8, Ordering::Relaxed);
        let Reading { used, limit } = reading.unwrap_or(Reading { used: 0, limit: 0 });
        match now {
            _ if now == before => {}
            Room::Ample => tracing::info!(used, limit, "there is memory again"),
            Room::Scarce => tracing::warn!(used, limit, "memory is scarce: typing is not shown"),
            Room::Gone => {
                tracing::error!(used, limit, "memory is nearly gone: no new connections");
            }
        }
    }
}

/// What the process uses of the limit it was given; without one, of its control group's.
pub(super) fn read(limit: Option<u64>) -> Option<Reading> {
    match limit {
        Some(limit) => Some(Reading { used: resident_bytes(), limit }),
        None => {
            let own = fs::read_to_string("/proc/self/cgroup").ok()?;
            of_group(Path::new("/sys/fs/cgroup"), &own)
        }
    }
}

/// The reading of that control group, among its own and all it lies in, whose limit is nearest.
fn of_group(root: &Path, own: &str) -> Option<Reading> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let groups = Path::new(own).ancestors().filter_map(|it| of_one(&root.join(it)));
    groups.max_by(|a, b| {
        let share = |x: &Reading, y: &Reading| u128::from(x.used) * u128::from(y.limit);
        share(a, b).cmp(&share(b, a))
    })
}

fn of_one(group: &Path) -> Option<Reading> {
    let number = |file: &str| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
    // It says "max" where there is no limit.
    let limit = number("memory.max")?;
    let used = number("memory.current")?;
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    // Pages of files are given back before anybody is ended.
    let cached = stat.lines().filter_map(|line| {
        let (name, bytes) = line.split_once(' ')?;
        let of_files = matches!(name, "active_file" | "inactive_file");
        of_files.then(|| bytes.parse::<u64>().ok()).flatten()
    });
    Some(Reading { used: used.saturating_sub(cached.sum()), limit })
}

/// The resident set of this process, from `/proc/self/status`; 0 where there is none.
pub(super) fn resident_bytes() -> u64 {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib =
        line.and_then(|it| it.trim().strip_suffix(" kB")).and_then(|it| it.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_53_the_nearer_the_limit_the_more_is_left_out() {
        let memory = Memory::default();
        for (used, room) in [
            (0, Room::Ample),
            (849, Room::Ample),
            (850, Room::Scarce),
            (919, Room::Scarce),
            (920, Room::Gone),
            (2_000, Room::Gone),
            (900, Room::Scarce),
            (10, Room::Ample),
        ] {
            memory.note(Some(Reading { used, limit: 1_000 }));
            assert_eq!(memory.room(), room, "{used}");
        }
        memory.note(Some(Reading { used: u64::MAX, limit: 1 }));
        assert_eq!(memory.room(), Room::Gone);
        memory.note(None);
        assert_eq!(memory.room(), Room::Ample);
    }

    fn group(path: &Path, max: &str, current: &str, stat: &str) {
        fs::create_dir_all(path).expect("a folder");
        for (file, text) in [("max", max), ("current", current), ("stat", stat)] {
            fs::write(path.join(format!("memory.{file}")), text).expect("written");
        }
    }

    #[test]
    fn fault_53_the_nearest_limit_of_the_control_groups_counts() {
        let root = tempfile::tempdir().expect("a folder");
        let own = "9:name=systemd:/other\n0::/system.slice/chat.service\n";
        assert_eq!(of_group(root.path(), own), None, "there are no groups");
        let slice = root.path().join("system.slice");
        let stat = "anon 500\ninactive_file 200\nactive_file 100\nfile 300\n";
        group(&slice.join("chat.service"), "1000\n", "800\n", stat);
        let reading = |used, limit| Some(Reading { used, limit });
        assert_eq!(of_group(root.path(), own), reading(500, 1_000), "the cache can be had back");
        group(&slice, "max\n", "900\n", "");
        assert_eq!(of_group(root.path(), own), reading(500, 1_000), "no limit");
        group(&slice, "1200\n", "900\n", "");
        assert_eq!(of_group(root.path(), own), reading(900, 1_200), "the slice is nearer its end");
        assert_eq!(of_group(root.path(), "4:memory:/old\n"), None, "version 1");
        group(root.path(), "10\n", "1\n", "");
        assert_eq!(of_group(root.path(), "0::/\n"), reading(1, 10), "in a container");
    }

    #[test]
    fn the_process_is_somewhere_in_memory() {
        let reading = read(Some(1)).expect("a limit was given");
        assert!(reading.used > 1_000_000, "{reading:?}");
    }
}
