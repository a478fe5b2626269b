//! What a command reads besides its flags: texts and passwords from stdin or files, and the files secrets are
//! written to. Everything it reads is bounded; no secret ever comes from or goes to the command line.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::failure::{Exit, Failure};

/// The largest text read from stdin, in bytes; the daemon's own limit for a message is lower.
const TEXT_BYTES_MAX: u64 = 256 * 1024;
/// The largest password file, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4 * 1024;
/// Stands for stdin where a text or a file is expected.
const STDIN: &str = "-";

/// Where `-` reads from; it can be read once.
pub(crate) struct Stdin(Mutex<Option<Box<dyn Read + Send>>>);

impl Stdin {
    pub(crate) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self(Mutex::new(Some(reader)))
    }

    /// Reads everything, away from the thread that a signal has to stop.
    async fn read(&self, bytes_max: u64) -> Result<String, Failure> {
        let reader = self.0.lock().ok().and_then(|mut reader| reader.take());
        let reader = reader.ok_or_else(|| {
            Failure::usage("stdin_used", "stdin can be read only once in a command")
        })?;
        let task = tokio::task::spawn_blocking(move || read_bounded(reader, bytes_max, "stdin"));
        task.await.map_err(|_| Failure::new(Exit::Failed, "stdin", "reading stdin failed"))?
    }

    /// A text as typed, or from stdin if it is `-`; one line break at the end goes.
    pub(crate) async fn text(&self, typed: &str) -> Result<String, Failure> {
        if typed != STDIN {
            return Ok(typed.to_owned());
        }
        self.read(TEXT_BYTES_MAX).await.map(without_line_end)
    }

    /// A password from a file, or from stdin if it is `-`; one line break at the end goes.
    pub(crate) async fn password(&self, path: &Path) -> Result<String, Failure> {
        let text = if path.as_os_str() == STDIN {
            self.read(PASSWORD_BYTES_MAX).await?
        } else {
            let shown = path.display().to_string();
            let file = File::open(path).map_err(|error| {
                Failure::usage("password_file", format!("cannot read {shown}: {error}"))
            })?;
            read_bounded(file, PASSWORD_BYTES_MAX, &shown)?
        };
        let password = without_line_end(text);
        if password.is_empty() {
            return Err(Failure::usage("password_file", "the password is empty"));
        }
        Ok(password)
    }
}

fn read_bounded(reader: impl Read, bytes_max: u64, from: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    reader
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::usage("unreadable", format!("cannot read {from}: {error}")))?;
    if bytes.len() as u64 > bytes_max {
        let text = format!("{from} is longer than {bytes_max} bytes");
        return Err(Failure::usage("too_long", text));
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage("not_utf8", format!("{from} is not UTF-8 text")))
}

fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// A new file for a secret, readable by its owner only. It is made before the secret exists, so that a full
/// disk or a wrong path costs no secret; dropped without [`SecretFile::write`], it goes away again.
pub(crate) struct SecretFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl SecretFile {
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| {
            let text = format!("cannot make the file {}: {error}", path.display());
            Failure::usage("secret_file", text)
                .with_hint("--to-file wants a file that is not there yet")
        })?;
        Ok(Self { path: path.to_owned(), file, written: false })
    }

    /// Where it stands.
    pub(crate) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// Writes the secret and keeps the file.
    pub(crate) fn write(mut self, secret: &str) -> Result<(), Failure> {
        let result = self
            .file
            .write_all(secret.as_bytes())
            .and_then(|()| self.file.write_all(b"\n"))
            .and_then(|()| self.file.sync_all());
        match result {
            Ok(()) => {
                self.written = true;
                Ok(())
            }
            Err(error) => Err(Failure::new(
                Exit::Failed,
                "secret_file",
                format!("the secret could not be written to {}: {error}", self.path.display()),
            )
            .with_hint("it is lost: revoke it and make a new one")),
        }
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.written {
            // The file is ours and empty; if it cannot be removed, it stays empty.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{PASSWORD_BYTES_MAX, SecretFile, Stdin};

    fn stdin(text: &[u8]) -> Stdin {
        Stdin::new(Box::new(std::io::Cursor::new(text.to_vec())))
    }

    #[tokio::test]
    async fn a_dash_reads_stdin_once() {
        let stdin = stdin(b"two\nlines\r\n");
        assert_eq!(stdin.text("typed").await.unwrap(), "typed");
        assert_eq!(stdin.text("-").await.unwrap(), "two\nlines");
        assert_eq!(stdin.text("-").await.unwrap_err().code, "stdin_used");
    }

    #[tokio::test]
    async fn bad_input_is_refused() {
        assert_eq!(stdin(b"\xff").text("-").await.unwrap_err().code, "not_utf8");
        let long = vec![b'x'; PASSWORD_BYTES_MAX as usize + 1];
        assert_eq!(stdin(&long).password(Path::new("-")).await.unwrap_err().code, "too_long");
        assert_eq!(stdin(b"\n").password(Path::new("-")).await.unwrap_err().code, "password_file");
    }

    #[test]
    #[cfg(unix)]
    fn a_secret_file_is_new_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        drop(SecretFile::create(&path).unwrap());
        assert!(!path.exists(), "an unused file goes away");
        SecretFile::create(&path).unwrap().write("fus_live_x").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "fus_live_x\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(SecretFile::create(&path).is_err(), "an existing file is never overwritten");
    }
}
