//! The file that says the demo is ready: it appears whole, when every door is open, and goes when the demo ends.
//! It replaces only what an earlier demo left there.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::files::{self, DemoFile};

/// The largest file that is looked into.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// How long a demo that still runs may take to accept a connection.
const PROBE_MAX: Duration = Duration::from_secs(1);

/// The place of the file, known to be free.
#[derive(Clone)]
pub(super) struct ReadyFile(PathBuf);

impl ReadyFile {
    /// Removes what an earlier demo left at `path`, so that whoever waits for the file sees the new one only.
    /// Anything else there, or the file of a demo that still answers, is left alone and refused.
    pub(super) fn claim(path: &Path) -> anyhow::Result<Self> {
        let absolute = std::path::absolute(path)?;
        let shown = path.display();
        let metadata = match std::fs::symlink_metadata(&absolute) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self(absolute));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot look at {shown}")),
        };
        let small = metadata.is_file() && metadata.len() <= FILE_BYTES_MAX;
        let bytes = if small { std::fs::read(&absolute)? } else { vec![] };
        let before = serde_json::from_slice::<DemoFile>(&bytes).ok();
        let before = before.filter(|file| file.api_version == files::API_VERSION);
        let Some(before) = before else {
            anyhow::bail!("{shown} is no file of a demo; name another with --ready-file");
        };
        if answers(&before) {
            let pid = before.pid;
            anyhow::bail!("{shown} belongs to a demo that runs (pid {pid}); stop it first");
        }
        std::fs::remove_file(&absolute).with_context(|| format!("cannot remove {shown}"))?;
        Ok(Self(absolute))
    }

    /// Writes it, whole and for its owner only.
    pub(super) fn write(&self, file: &DemoFile) -> anyhow::Result<()> {
        files::write_private(&self.0, &file.bytes()?)
    }

    /// Removes it, if it was written: its credentials open nothing any more until the demo runs again. Another demo
    /// may have begun at the same place meanwhile, as this one's doors were closed: its file is left alone.
    pub(super) fn remove(self, file: &DemoFile) {
        let removed = std::fs::read(&self.0).and_then(|bytes| {
            let is_ours = file.bytes().is_ok_and(|ours| ours == bytes);
            if is_ours { std::fs::remove_file(&self.0) } else { Ok(()) }
        });
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the ready file could not be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// True if somebody accepts connections where the file says the demo is.
fn answers(file: &DemoFile) -> bool {
    let Some(port) = files::port(&file.grpc) else { return false };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, PROBE_MAX).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(port: u16) -> DemoFile {
        DemoFile {
            api_version: files::API_VERSION.to_owned(),
            grpc: format!("http://127.0.0.1:{port}"),
            http: String::new(),
            shop: String::new(),
            pid: 7,
            organization: String::new(),
            inbox: String::new(),
            inbox_id: String::new(),
            credentials: BTreeMap::new(),
        }
    }

    #[test]
    fn a_demo_removes_no_file_but_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r.json");
        let claim = || ReadyFile::claim(&path).expect("nobody answers there");
        let (old, new) = (file(1), DemoFile { pid: 8, ..file(1) });
        let first = claim();
        first.write(&old).expect("written");
        // The first one's doors are closed and it is not gone yet.
        let second = claim();
        second.write(&new).expect("written");
        first.remove(&old);
        let there = std::fs::read(&path).expect("it is there");
        assert_eq!(there, new.bytes().expect("bytes"));
        second.remove(&new);
        assert!(!path.exists(), "its own goes");
        claim().remove(&new);
    }

    #[test]
    fn only_a_dead_demo_s_file_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r.json");
        let door = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = door.local_addr().expect("an address").port();
        let ready = ReadyFile::claim(&path).expect("a free place");
        ready.write(&file(port)).expect("written");
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = ReadyFile::claim(&path).err().expect("it runs").to_string();
        assert!(refused.contains("pid 7"), "{refused}");
        drop(door);
        ReadyFile::claim(&path).expect("it is gone");
        assert!(!path.exists(), "whoever waits sees no old file");
        for other in ["", "{}", "a shopping list"] {
            std::fs::write(&path, other).expect("written");
            let refused = ReadyFile::claim(&path).err().expect("not ours").to_string();
            assert!(refused.contains("no file of a demo"), "{refused}");
        }
        assert!(ReadyFile::claim(folder.path()).is_err(), "a folder is no file");
    }
}
