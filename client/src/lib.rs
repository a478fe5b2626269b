//! What both clients share: which daemon is meant and who asks (`context`, `resolve`), where credentials are kept
//! (`credential`), the way to a daemon, over which no credential goes in clear by accident (`address`), and where a
//! running demo is (`demo`). It makes no call and knows no rule of the daemon.

pub mod address;
pub mod context;
pub mod credential;
pub mod demo;
pub mod resolve;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The largest configuration or credential file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Why there is no way to a daemon, or no credential.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address cannot be used.
    #[error("`{0}` is no address such as https://desk.example.com or http://127.0.0.1:4882")]
    Address(String),
    /// A credential would leave this machine unencrypted.
    #[error(
        "refusing to send a credential in clear text to {0}: use https://, a tunnel \
         (`ssh -L 4882:127.0.0.1:4882 HOST`), or accept the risk with --insecure"
    )]
    ClearText(String),
    /// A certificate file holds none.
    #[error("{0} holds no certificate that can be used: {1}")]
    Certificate(PathBuf, String),
    /// A file cannot be read or written.
    #[error("cannot use {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The configuration makes no sense.
    #[error("{0}: {1}")]
    Config(PathBuf, String),
    /// Others can read a file with credentials.
    #[error("{0} can be read by others: run `chmod 600` on it")]
    Exposed(PathBuf),
    /// No such context.
    #[error("there is no context `{0}`: see `fusionctl context list`")]
    NoContext(String),
    /// A value that a context cannot have.
    #[error("{0}")]
    Value(String),
    /// The operating system's keyring.
    #[error("the keyring cannot be used: {0}; sign in with --store file, or use FUSION_TOKEN")]
    Keyring(String),
    /// The command that should print a credential.
    #[error("the credential command {0}")]
    Command(String),
}

/// The text of a small file, or none if it is not there.
fn read_small(path: &Path) -> Result<Option<String>, ClientError> {
    let failed = |error| ClientError::File(path.to_owned(), error);
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Replaces a file, whole, for its owner only.
fn write_private(path: &Path, text: &str) -> Result<(), ClientError> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    let failed = |error| ClientError::File(path.to_owned(), error);
    if let Some(folder) = path.parent() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(failed)?;
    }
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&fresh).map_err(failed)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| std::fs::rename(&fresh, path)).map_err(|error| {
        // Ours, and of no use to anybody.
        let _ = std::fs::remove_file(&fresh);
        failed(error)
    })
}
