//! A running demo's files: the pointer in the user's runtime directory and the file it names, which has a credential
//! for each of its users. docs/demo-file.md is the rule. It only reads.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// The pointer and the demo's file are small; anything larger is something else.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// The version of the file that is read here.
const API_VERSION: &str = "fusion/v1";

/// Why there is no demo to reach.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The pointer or the file is not there.
    #[error("no demo is running: cannot read {0}: {1}; start one with `fusionchatd demo`")]
    Absent(PathBuf, std::io::Error),
    /// The file is not what a demo writes.
    #[error("{0} is no file of a demo: {1}")]
    Unreadable(PathBuf, String),
    /// Another program's demo wrote the file.
    #[error("the demo speaks {0:?}, this is {API_VERSION}")]
    Version(String),
    /// Somebody else could have put the pointer there.
    #[error("{0} belongs to somebody else, or others may enter it; set FUSION_RUNTIME_DIR")]
    Foreign(PathBuf),
    /// The demo does not know this user.
    #[error("the demo has no credential for {user}: it has {known}")]
    User {
        /// As asked for.
        user: String,
        /// The users there are.
        known: String,
    },
}

/// What a demo writes for its clients; the rest of the file is for others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Demo {
    api_version: String,
    /// The gRPC door.
    pub grpc: String,
    credentials: BTreeMap<String, String>,
}

impl Demo {
    /// The one that the pointer in the runtime directory names; `variable` reads the environment.
    ///
    /// # Errors
    /// If there is none, or it is not to be trusted.
    pub fn find(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, DemoError> {
        let pointer = runtime_directory(variable)?.join("fusionchat").join("demo");
        let path = text(&pointer)?;
        Self::read(Path::new(path.trim_end_matches(['\r', '\n'])))
    }

    /// The one whose file this is.
    ///
    /// # Errors
    /// If it is not there, or none that is understood.
    pub fn read(path: &Path) -> Result<Self, DemoError> {
        let demo: Self = serde_json::from_str(&text(path)?).map_err(|error| {
            // The error's own text may quote a credential.
            let place = format!("line {}, column {}", error.line(), error.column());
            DemoError::Unreadable(path.to_owned(), place)
        })?;
        if demo.api_version == API_VERSION {
            Ok(demo)
        } else {
            Err(DemoError::Version(demo.api_version))
        }
    }

    /// The bearer token of one of the demo's users.
    ///
    /// # Errors
    /// If the demo has none for them.
    pub fn credential(&self, user: &str) -> Result<&str, DemoError> {
        let known = || self.credentials.keys().cloned().collect::<Vec<String>>().join(", ");
        let credential = self.credentials.get(user).map(String::as_str);
        credential.ok_or_else(|| DemoError::User { user: user.to_owned(), known: known() })
    }
}

/// The directory that is named, or the user's own below the one for temporary files, where anybody may make one.
fn runtime_directory(variable: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, DemoError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(named) = set("FUSION_RUNTIME_DIR").or_else(|| set("XDG_RUNTIME_DIR")) {
        return Ok(named);
    }
    let user = rustix::process::getuid().as_raw();
    let path = std::env::temp_dir().join(format!("fusionchat-{user}"));
    require_own(&path, user)?;
    Ok(path)
}

/// Refuses a directory that is not the user's alone.
fn require_own(path: &Path, user: u32) -> Result<(), DemoError> {
    let metadata = std::fs::symlink_metadata(path);
    let metadata = metadata.map_err(|error| DemoError::Absent(path.to_owned(), error))?;
    let private = metadata.permissions().mode().trailing_zeros() >= 6;
    if metadata.is_dir() && metadata.uid() == user && private {
        return Ok(());
    }
    Err(DemoError::Foreign(path.to_owned()))
}

fn text(path: &Path) -> Result<String, DemoError> {
    let mut text = String::new();
    let read = File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| DemoError::Absent(path.to_owned(), error))?;
    if read as u64 > FILE_BYTES_MAX {
        let large = format!("it has more than {FILE_BYTES_MAX} bytes");
        return Err(DemoError::Unreadable(path.to_owned(), large));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use super::{Demo, DemoError, FILE_BYTES_MAX, require_own};

    const GOOD: &str = r#"{"apiVersion":"fusion/v1","grpc":"http://127.0.0.1:1","pid":4,
        "credentials":{"admin":"fus_live_x"}}"#;

    fn find(runtime: &Path) -> Result<Demo, DemoError> {
        let runtime = runtime.to_string_lossy().into_owned();
        Demo::find(&move |name| (name == "FUSION_RUNTIME_DIR").then(|| runtime.clone()))
    }

    #[test]
    fn the_pointer_leads_to_a_file_of_this_version() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("demo.json");
        assert!(matches!(find(folder.path()), Err(DemoError::Absent(..))));
        fs::create_dir(folder.path().join("fusionchat")).expect("made");
        let pointer = format!("{}\n", file.display());
        fs::write(folder.path().join("fusionchat/demo"), pointer).expect("written");
        assert!(matches!(find(folder.path()), Err(DemoError::Absent(..))));

        fs::write(&file, GOOD).expect("written");
        let demo = find(folder.path()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(demo.grpc, "http://127.0.0.1:1");
        assert_eq!(demo.credential("admin").ok(), Some("fus_live_x"));
        let nobody = demo.credential("agent9").expect_err("nobody").to_string();
        assert!(nobody.contains("agent9: it has admin"), "{nobody}");

        fs::write(&file, GOOD.replace("fusion/v1", "fusion/v2")).expect("written");
        assert!(matches!(find(folder.path()), Err(DemoError::Version(it)) if it == "fusion/v2"));
    }

    #[test]
    fn what_is_no_file_of_a_demo_is_refused_and_not_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("demo.json");
        let rest = " ".repeat(usize::try_from(FILE_BYTES_MAX).expect("small"));
        let large = format!("{GOOD}{rest}");
        for bad in ["{", "{\"credentials\":\"hunter2\"}", "hunter2", &large] {
            fs::write(&file, bad).expect("written");
            let refused = Demo::read(&file).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(matches!(refused, DemoError::Unreadable(..)), "{refused}");
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_directory_that_others_could_have_made_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("own");
        let user = rustix::process::getuid().as_raw();
        assert!(matches!(require_own(&own, user), Err(DemoError::Absent(..))));
        fs::create_dir(&own).expect("made");
        for (mode, good) in [(0o700, true), (0o750, false), (0o701, false), (0o777, false)] {
            fs::set_permissions(&own, fs::Permissions::from_mode(mode)).expect("changed");
            let foreign = matches!(require_own(&own, user), Err(DemoError::Foreign(_)));
            assert_eq!(foreign, !good, "{mode:o}");
        }
        fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).expect("changed");
        let another = require_own(&own, user.wrapping_add(1));
        assert!(matches!(another, Err(DemoError::Foreign(_))), "another user's");
        let link = folder.path().join("link");
        symlink(&own, &link).expect("made");
        assert!(matches!(require_own(&link, user), Err(DemoError::Foreign(_))), "a link");
    }
}
