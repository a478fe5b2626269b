//! The running demo's files: a pointer in the user's runtime directory, and the file it names. Read
//! only; the user's own configuration is never touched.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// The largest file read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What the console needs of the demo's file.
#[derive(Debug, Deserialize)]
pub(crate) struct Demo {
    /// The gRPC address.
    pub(crate) grpc: String,
    credentials: BTreeMap<String, String>,
}

/// Why there is no demo to open.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The pointer or the file is not there.
    #[error("no demo is running here ({0}): start one with `fusionchatd demo`")]
    Absent(PathBuf),
    /// The file is not what the demo writes.
    #[error("{0} is not a demo's file")]
    Unreadable(PathBuf),
    /// The demo does not know this user.
    #[error("the demo has no user {user:?}: it has {known}")]
    User {
        /// As asked for.
        user: String,
        /// The users there are.
        known: String,
    },
}

impl Demo {
    /// The token of one of the demo's users.
    pub(crate) fn token(&self, user: &str) -> Result<String, DemoError> {
        let known = || self.credentials.keys().cloned().collect::<Vec<String>>().join(", ");
        let token = self.credentials.get(user).cloned();
        token.ok_or_else(|| DemoError::User { user: user.to_owned(), known: known() })
    }
}

/// Reads the pointer, then the file.
pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Demo, DemoError> {
    let pointer = runtime_directory(variable).join("fusionchat").join("demo");
    let line = read_small(&pointer)?;
    let path = PathBuf::from(line.trim());
    let text = read_small(&path)?;
    serde_json::from_str(&text).map_err(|_| DemoError::Unreadable(path))
}

fn runtime_directory(variable: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("FUSION_RUNTIME_DIR").or_else(|| set("XDG_RUNTIME_DIR")).unwrap_or_else(|| {
        let home = set("HOME").unwrap_or_else(|| PathBuf::from("/"));
        let ours = fs::metadata("/proc/self").or_else(|_| fs::metadata(home));
        let owner = ours.map_or(0, |metadata| metadata.uid());
        std::env::temp_dir().join(format!("fusionchat-{owner}"))
    })
}

fn read_small(path: &Path) -> Result<String, DemoError> {
    let absent = || DemoError::Absent(path.to_owned());
    let metadata = fs::metadata(path).map_err(|_| absent())?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(DemoError::Unreadable(path.to_owned()));
    }
    fs::read_to_string(path).map_err(|_| absent())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{DemoError, read};

    #[test]
    fn the_pointer_leads_to_the_file() {
        let home = tempfile::tempdir().unwrap();
        let runtime = home.path().to_string_lossy().into_owned();
        let variable = move |name: &str| (name == "FUSION_RUNTIME_DIR").then(|| runtime.clone());
        assert!(matches!(read(&variable), Err(DemoError::Absent(_))));

        let file = home.path().join("demo.json");
        fs::create_dir(home.path().join("fusionchat")).unwrap();
        fs::write(home.path().join("fusionchat/demo"), format!("{}\n", file.display())).unwrap();
        fs::write(&file, "{").unwrap();
        assert!(matches!(read(&variable), Err(DemoError::Unreadable(_))));

        fs::write(&file, r#"{"grpc":"http://127.0.0.1:9","pid":1,"credentials":{"agent1":"t1"}}"#)
            .unwrap();
        let demo = read(&variable).unwrap();
        assert_eq!(demo.grpc, "http://127.0.0.1:9");
        assert_eq!(demo.token("agent1").unwrap(), "t1");
        assert!(matches!(demo.token("agent9"), Err(DemoError::User { .. })));
    }
}
