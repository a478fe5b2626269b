//! Finding the running demo: the pointer in the runtime directory, then the file it names. Reads only.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::failure::{Exit, Failure};

/// The pointer and the demo's file are small; anything larger is something else.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// The version of the file this program reads.
const API_VERSION: &str = "fusion/v1";

/// What `fusionchatd demo` writes for its clients; the rest of the file is for others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Demo {
    api_version: String,
    /// The gRPC door.
    pub(crate) grpc: String,
    credentials: BTreeMap<String, String>,
}

impl Demo {
    /// Reads `<runtime>/fusionchat/demo`, then the file it points to.
    pub(crate) fn find(runtime_dir: &Path) -> Result<Self, Failure> {
        let pointer = runtime_dir.join("fusionchat").join("demo");
        let path = read(&pointer)?;
        Self::read(Path::new(path.trim_end_matches(['\r', '\n'])))
    }

    /// Reads the file itself.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = read(path)?;
        let demo: Self = serde_json::from_str(&text).map_err(|error| {
            let text = format!("{} is no file of a demo: {error}", path.display());
            Failure::usage("demo_unreadable", text)
        })?;
        if demo.api_version != API_VERSION {
            let text = format!("the demo speaks {}, this is {API_VERSION}", demo.api_version);
            return Err(Failure::usage("demo_version", text));
        }
        Ok(demo)
    }

    /// The bearer token of one of the demo's users.
    pub(crate) fn credential(&self, user: &str) -> Result<&str, Failure> {
        self.credentials.get(user).map(String::as_str).ok_or_else(|| {
            Failure::usage("demo_user", format!("the demo has no credential for {user}"))
        })
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let result = std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    match result {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::new(
            Exit::Unreachable,
            "no_demo",
            format!("no demo is running: cannot read {}: {error}", path.display()),
        )
        .with_hint("start one with `fusionchatd demo`")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Demo;
    use crate::failure::Exit;

    #[test]
    fn the_pointer_leads_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("data").join("demo.json");
        fs::create_dir_all(dir.path().join("fusionchat")).unwrap();
        fs::create_dir_all(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("fusionchat/demo"), format!("{}\n", file.display())).unwrap();
        fs::write(
            &file,
            r#"{"apiVersion":"fusion/v1","grpc":"http://127.0.0.1:1","pid":4,
                "credentials":{"admin":"fus_live_x"}}"#,
        )
        .unwrap();
        let demo = Demo::find(dir.path()).unwrap();
        assert_eq!(demo.grpc, "http://127.0.0.1:1");
        assert_eq!(demo.credential("admin").unwrap(), "fus_live_x");
        assert_eq!(demo.credential("agent1").unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn without_a_demo_nothing_is_reached() {
        let dir = tempfile::tempdir().unwrap();
        let failure = Demo::find(dir.path()).err().unwrap();
        assert_eq!((failure.exit, failure.code.as_str()), (Exit::Unreachable, "no_demo"));
    }
}
