//! Where credentials are kept: the operating system's keyring, a private file if that was asked for, a variable, or
//! what a command prints. An entry belongs to a context AND a user. No secret is ever an argument of a process.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{ClientError, read_small, write_private};

/// The program of the desktop's Secret Service (GNOME Keyring, KWallet): secrets go through its pipes.
const SECRET_TOOL: &str = "secret-tool";
/// The longest credential a command may print, in bytes.
const SECRET_BYTES_MAX: u64 = 16 * 1024;

/// Where a credential is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// The operating system's keyring.
    Keyring,
    /// A file only its owner can read.
    File,
    /// An environment variable.
    Variable(String),
    /// The first line a command prints.
    Command(String),
}

impl Place {
    /// Reads `keyring`, `file`, `env:NAME` or `command:…`.
    ///
    /// # Errors
    /// If it is none of them.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        match text.split_once(':') {
            None if text == "keyring" => Ok(Self::Keyring),
            None if text == "file" => Ok(Self::File),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Variable(name.to_owned())),
            Some(("command", line)) if !line.trim().is_empty() => {
                Ok(Self::Command(line.to_owned()))
            }
            None | Some(_) => {
                let text = format!("`{text}` is none of keyring, file, env:NAME and command:LINE");
                Err(ClientError::Value(text))
            }
        }
    }
}

/// Whose credential it is.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The context's name.
    pub context: &'a str,
    /// The user's e-mail address.
    pub user: &'a str,
}

impl Entry<'_> {
    fn name(self) -> String {
        format!("{} {}", self.context, self.user)
    }
}

/// Something that keeps secrets by entry.
pub trait Vault {
    /// The secret, if there is one.
    ///
    /// # Errors
    /// If the vault cannot be used.
    fn get(&self, entry: Entry<'_>) -> Result<Option<String>, ClientError>;
    /// Keeps a secret, instead of one that was there.
    ///
    /// # Errors
    /// If the vault cannot be used.
    fn put(&self, entry: Entry<'_>, secret: &str) -> Result<(), ClientError>;
    /// Forgets a secret; one that is not there is no failure.
    ///
    /// # Errors
    /// If the vault cannot be used.
    fn forget(&self, entry: Entry<'_>) -> Result<(), ClientError>;
}

/// The desktop's keyring, through `secret-tool`.
#[derive(Clone, Debug)]
pub struct Keyring {
    /// Where programs are looked for; none means as the process does.
    pub path: Option<String>,
}

impl Keyring {
    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(SECRET_TOOL);
        command.arg(verb).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
    }

    fn run(
        command: &mut Command,
        entry: Entry<'_>,
        secret: Option<&str>,
    ) -> Result<(i32, String, String), ClientError> {
        let broken = |error: std::io::Error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                let text = "the program secret-tool is not there (libsecret-tools)";
                return ClientError::Keyring(text.to_owned());
            }
            ClientError::Keyring(error.to_string())
        };
        command.args(["service", "fusionchat", "context", entry.context, "user", entry.user]);
        let stdin = if secret.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = command.stdin(stdin).spawn().map_err(broken)?;
        if let (Some(secret), Some(mut pipe)) = (secret, child.stdin.take()) {
            pipe.write_all(secret.as_bytes()).map_err(broken)?;
        }
        let output = child.wait_with_output().map_err(broken)?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok((output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr)))
    }
}

/// What a program of the keyring said when it failed, in one line.
fn said(stderr: &str) -> ClientError {
    let line = stderr.lines().next().unwrap_or("it says nothing").trim();
    ClientError::Keyring(line.to_owned())
}

impl Vault for Keyring {
    fn get(&self, entry: Entry<'_>) -> Result<Option<String>, ClientError> {
        match Self::run(&mut self.command("lookup"), entry, None)? {
            (0, secret, _) => Ok(Some(secret.trim_end_matches('\n').to_owned())),
            // It ends with 1 and says nothing where there is no such entry.
            (1, _, stderr) if stderr.trim().is_empty() => Ok(None),
            (_, _, stderr) => Err(said(&stderr)),
        }
    }

    fn put(&self, entry: Entry<'_>, secret: &str) -> Result<(), ClientError> {
        let mut command = self.command("store");
        command.arg(format!("--label=Fusionchat {}", entry.name()));
        match Self::run(&mut command, entry, Some(secret))? {
            (0, ..) => Ok(()),
            (_, _, stderr) => Err(said(&stderr)),
        }
    }

    fn forget(&self, entry: Entry<'_>) -> Result<(), ClientError> {
        match Self::run(&mut self.command("clear"), entry, None)? {
            (0, ..) => Ok(()),
            (1, _, stderr) if stderr.trim().is_empty() => Ok(()),
            (_, _, stderr) => Err(said(&stderr)),
        }
    }
}

/// A file of credentials by entry, refused if others can read it.
#[derive(Clone, Copy, Debug)]
pub struct PrivateFile<'a>(pub &'a Path);

impl PrivateFile<'_> {
    fn read(&self) -> Result<BTreeMap<String, String>, ClientError> {
        let Some(text) = read_small(self.0)? else { return Ok(BTreeMap::new()) };
        let metadata = std::fs::metadata(self.0)
            .map_err(|error| ClientError::File(self.0.to_owned(), error))?;
        if metadata.mode() & 0o077 != 0 {
            return Err(ClientError::Exposed(self.0.to_owned()));
        }
        let wrong = "this is no file of credentials".to_owned();
        toml::from_str(&text).map_err(|_| ClientError::Config(self.0.to_owned(), wrong))
    }

    fn write(&self, all: &BTreeMap<String, String>) -> Result<(), ClientError> {
        let text = toml::to_string(all)
            .map_err(|error| ClientError::Config(self.0.to_owned(), error.to_string()))?;
        write_private(self.0, &text)
    }
}

impl Vault for PrivateFile<'_> {
    fn get(&self, entry: Entry<'_>) -> Result<Option<String>, ClientError> {
        Ok(self.read()?.remove(&entry.name()))
    }

    fn put(&self, entry: Entry<'_>, secret: &str) -> Result<(), ClientError> {
        let mut all = self.read()?;
        all.insert(entry.name(), secret.to_owned());
        self.write(&all)
    }

    fn forget(&self, entry: Entry<'_>) -> Result<(), ClientError> {
        let mut all = self.read()?;
        if all.remove(&entry.name()).is_none() {
            return Ok(());
        }
        self.write(&all)
    }
}

/// The first line that a command prints; it is run by the shell.
///
/// # Errors
/// If it cannot be run, fails or prints nothing.
pub(crate) fn printed_by(line: &str) -> Result<String, ClientError> {
    let failed = |what: String| ClientError::Command(what);
    let mut child = Command::new("/bin/sh")
        .args(["-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let mut text = String::new();
    if let Some(pipe) = child.stdout.take() {
        let read = pipe.take(SECRET_BYTES_MAX).read_to_string(&mut text);
        read.map_err(|error| failed(format!("cannot be read: {error}")))?;
    }
    let status = child.wait().map_err(|error| failed(format!("was lost: {error}")))?;
    if !status.success() {
        return Err(failed(format!("failed: {status}")));
    }
    let first = text.lines().next().unwrap_or_default().trim();
    if first.is_empty() {
        return Err(failed("printed nothing".to_owned()));
    }
    Ok(first.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// What every vault must do.
    fn suite(vault: &dyn Vault) {
        let ana = Entry { context: "prod", user: "ana@acme.example" };
        let bob = Entry { context: "prod", user: "bob@acme.example" };
        let test = Entry { context: "test", user: "ana@acme.example" };
        assert_eq!(vault.get(ana).expect("get"), None);
        for (entry, secret) in [(ana, "one"), (bob, "two"), (test, "three"), (ana, "four")] {
            vault.put(entry, secret).expect("put");
        }
        for (entry, secret) in [(ana, "four"), (bob, "two"), (test, "three")] {
            assert_eq!(vault.get(entry).expect("get").as_deref(), Some(secret), "{entry:?}");
        }
        vault.forget(ana).expect("forget");
        vault.forget(ana).expect("twice is harmless");
        assert_eq!(vault.get(ana).expect("get"), None);
        assert_eq!(vault.get(bob).expect("get").as_deref(), Some("two"));
    }

    #[test]
    fn a_private_file_is_a_vault() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fusionchat/credentials.toml");
        let vault = PrivateFile(&path);
        suite(&vault);
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&path, open).expect("changed");
        let entry = Entry { context: "prod", user: "bob@acme.example" };
        assert!(matches!(vault.get(entry), Err(ClientError::Exposed(_))));
    }

    /// A `secret-tool` that keeps its entries in files and refuses a secret among its arguments.
    const STAND_IN: &str = "#!/bin/sh
verb=$1; shift
case $1 in --label=*) shift ;; esac
name=$(printf '%s' \"$*\" | tr -c 'a-z0-9' '_')
case $verb in
store) cat > \"$KEEP/$name\" ;;
lookup) [ -f \"$KEEP/$name\" ] || exit 1; cat \"$KEEP/$name\" ;;
clear) rm \"$KEEP/$name\" 2>/dev/null || exit 1 ;;
esac
";

    #[test]
    fn a_keyring_is_a_vault() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("secret-tool");
        let keep = folder.path().display().to_string();
        std::fs::write(&program, STAND_IN.replace("$KEEP", &keep)).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("set");
        let path = std::env::var("PATH").unwrap_or_default();
        suite(&Keyring { path: Some(format!("{keep}:{path}")) });
        let nowhere = Keyring { path: Some("/nonexistent".into()) };
        let entry = Entry { context: "a", user: "b" };
        let refused = nowhere.get(entry).expect_err("no program").to_string();
        assert!(refused.contains("--store file"), "{refused}");
    }

    #[test]
    fn a_command_s_first_line_is_the_credential() {
        assert_eq!(printed_by("printf 'a\\nb\\n'").expect("printed"), "a");
        for bad in ["true", "exit 3", "printf '\\n'"] {
            assert!(matches!(printed_by(bad), Err(ClientError::Command(_))), "{bad}");
        }
    }
}
