//! The demo's files: where its doors are and one credential for each of its users, for nobody else to read.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// The version of the file's shape.
pub(super) const API_VERSION: &str = "fusion/v1";
/// The file's name in the demo's directory.
pub(super) const FILE: &str = "demo.json";

/// What the clients need.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DemoFile {
    pub(super) api_version: String,
    pub(super) grpc: String,
    pub(super) http: String,
    pub(super) shop: String,
    pub(super) pid: u32,
    pub(super) organization: String,
    pub(super) inbox: String,
    pub(super) inbox_id: String,
    pub(super) credentials: BTreeMap<String, String>,
}

impl DemoFile {
    /// The file of an earlier run in this directory.
    pub(super) fn read(directory: &Path) -> anyhow::Result<Option<Self>> {
        let path = directory.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(
                serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is damaged", path.display()))?,
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes the file.
    pub(super) fn write(&self, directory: &Path) -> anyhow::Result<()> {
        write_private(&directory.join(FILE), &self.bytes()?)
    }

    /// The file as it is written.
    pub(super) fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        Ok(serde_json::to_vec_pretty(self)?)
    }

    /// Writes the pointer to the file into the user's runtime directory, for `--demo`.
    pub(super) fn point(&self, directory: &Path) -> anyhow::Result<()> {
        let path = directory.join(FILE);
        let runtime = runtime_directory()?.join("fusionchat");
        private_directory(&runtime)?;
        write_private(&runtime.join("demo"), format!("{}\n", path.display()).as_bytes())
    }
}

/// The port of one of the file's addresses.
pub(super) fn port(url: &str) -> Option<u16> {
    url.trim_end_matches('/').rsplit_once(':')?.1.parse().ok()
}

/// Replaces a file that only its owner may read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let context = || format!("cannot write {}", path.display());
    // One left over from a run that was killed.
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(context);
        }
        Ok(()) | Err(_) => {}
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(&fresh).with_context(context)?;
    file.write_all(bytes).with_context(context)?;
    file.sync_all().with_context(context)?;
    std::fs::rename(&fresh, path).with_context(context)
}

/// Makes a directory that only its owner may enter, if it is not there yet.
pub(super) fn private_directory(path: &Path) -> anyhow::Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make {}", path.display()))
}

/// A new directory for a demo without `--data`.
pub(super) fn new_directory() -> anyhow::Result<PathBuf> {
    const TRIES: u32 = 1_000;
    let parent = std::env::temp_dir();
    for number in 1..TRIES {
        let path = parent.join(format!("fusionchat-demo-{number}"));
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot make {}", path.display()));
            }
        }
    }
    anyhow::bail!("{} holds {TRIES} demos; remove some, or name one with --data", parent.display())
}

/// The user's runtime directory: `FUSION_RUNTIME_DIR`, `XDG_RUNTIME_DIR`, or one of our own that nobody else can
/// have made.
fn runtime_directory() -> anyhow::Result<PathBuf> {
    for name in ["FUSION_RUNTIME_DIR", "XDG_RUNTIME_DIR"] {
        if let Some(path) = std::env::var_os(name).filter(|it| !it.is_empty()) {
            return Ok(path.into());
        }
    }
    let uid = rustix::process::getuid().as_raw();
    let path = std::env::temp_dir().join(format!("fusionchat-{uid}"));
    match std::fs::DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("cannot make {}", path.display())),
    }
    let metadata = std::fs::symlink_metadata(&path)?;
    let private = metadata.permissions().mode().trailing_zeros() >= 6;
    if !metadata.is_dir() || metadata.uid() != uid || !private {
        anyhow::bail!("{} belongs to somebody else; set FUSION_RUNTIME_DIR", path.display());
    }
    Ok(path)
}
