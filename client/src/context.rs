//! Contexts: named ways to a daemon, in `$XDG_CONFIG_HOME/fusionchat/config.toml`. No secret is ever in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::credential::Place;
use crate::{ClientError, address, read_small, write_private};

/// The longest name of a context, in characters.
const NAME_CHARS_MAX: usize = 64;
/// The first line of the file.
const HEADER: &str = "# Written by `fusionctl context` and `fusionctl auth`; holds no secret.\n";

/// One way to a daemon.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The gRPC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The organization to sign in to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Who is signed in: the e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the credential is: `keyring`, `file`, `env:NAME` or `command:…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Certificates to trust besides the known ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl Context {
    /// Where its credential is, if it has one.
    ///
    /// # Errors
    /// If the word is not known.
    pub fn place(&self) -> Result<Option<Place>, ClientError> {
        self.credential.as_deref().map(Place::parse).transpose()
    }

    fn check(&self) -> Result<(), ClientError> {
        if let Some(endpoint) = &self.endpoint {
            address::check(endpoint, true)?;
        }
        self.place()?;
        Ok(())
    }
}

/// The file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contexts {
    /// The context that is meant when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// All of them, by name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
}

impl Contexts {
    /// Reads the file; where there is none, there are no contexts.
    ///
    /// # Errors
    /// If it cannot be read or makes no sense.
    pub fn read(path: &Path) -> Result<Self, ClientError> {
        let Some(text) = read_small(path)? else { return Ok(Self::default()) };
        let wrong = |what: String| ClientError::Config(path.to_owned(), what);
        let read: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        for (name, context) in &read.contexts {
            context.check().map_err(|error| wrong(format!("contexts.{name}: {error}")))?;
        }
        Ok(read)
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ClientError> {
        let text = toml::to_string(self)
            .map_err(|error| ClientError::Config(path.to_owned(), error.to_string()))?;
        write_private(path, &format!("{HEADER}{text}"))
    }

    /// A context by its name.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> Result<&Context, ClientError> {
        self.contexts.get(name).ok_or_else(|| ClientError::NoContext(name.to_owned()))
    }

    /// Adds or replaces a context; the first one becomes the current one.
    ///
    /// # Errors
    /// If the name or a value cannot be one.
    pub fn put(&mut self, name: &str, context: Context) -> Result<(), ClientError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(allowed) {
            let text = format!("`{name}` is no name: write letters, digits, - _ and .");
            return Err(ClientError::Value(text));
        }
        context.check()?;
        self.contexts.insert(name.to_owned(), context);
        self.current.get_or_insert_with(|| name.to_owned());
        Ok(())
    }

    /// Makes a context the current one.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn select(&mut self, name: &str) -> Result<(), ClientError> {
        self.get(name)?;
        self.current = Some(name.to_owned());
        Ok(())
    }

    /// Takes a context out.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn remove(&mut self, name: &str) -> Result<Context, ClientError> {
        let gone = self.contexts.remove(name);
        let gone = gone.ok_or_else(|| ClientError::NoContext(name.to_owned()))?;
        if self.current.as_deref() == Some(name) {
            self.current = None;
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    /// Contexts with texts of any kind where any are allowed.
    fn contexts() -> impl Strategy<Value = Context> {
        let places = prop_oneof![Just("keyring".to_owned()), "env:.{1,9}", "command:[!-~].{0,9}"];
        (option::of(any::<String>()), option::of(any::<String>()), option::of(places)).prop_map(
            |(tenant, user, credential)| {
                let endpoint = Some("https://desk.example.com".to_owned());
                Context { endpoint, tenant, user, credential, ca_file: None }
            },
        )
    }

    proptest! {
        #[test]
        fn any_context_comes_back_as_it_was(name in "[-_.a-zA-Z0-9]{1,64}", context in contexts()) {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("config.toml");
            let mut written = Contexts::default();
            written.put(&name, context.clone()).expect("good");
            written.write(&path).expect("written");
            let read = Contexts::read(&path).expect("readable");
            prop_assert_eq!(read.current.as_deref(), Some(name.as_str()));
            prop_assert_eq!(read.get(&name).expect("there"), &context);
        }

        #[test]
        fn any_file_is_read_or_refused_by_name(
            text in concat!(
                "(current|\\[contexts\\.?|a|\\]|endpoint|credential| ?= ?|",
                "\"|'|\n|https?://|env:|.){0,24}"
            ),
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("config.toml");
            std::fs::write(&path, text).expect("written");
            let read = Contexts::read(&path);
            prop_assert!(matches!(read, Ok(_) | Err(ClientError::Config(..))), "{read:?}");
        }
    }

    #[test]
    fn the_file_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fusionchat/config.toml");
        let mut contexts = Contexts::read(&path).expect("none yet");
        let context = Context {
            endpoint: Some("https://desk.example.com".into()),
            credential: Some("command:pass show fusion".into()),
            ..Context::default()
        };
        contexts.put("prod-eu", context.clone()).expect("good");
        contexts.write(&path).expect("written");
        let mut again = Contexts::read(&path).expect("readable");
        assert_eq!(again.current.as_deref(), Some("prod-eu"));
        assert_eq!(again.get("prod-eu").expect("there"), &context);
        assert!(matches!(again.select("other"), Err(ClientError::NoContext(_))));
        again.remove("prod-eu").expect("there");
        assert_eq!(again.current, None);
    }

    #[test]
    fn mistakes_name_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        for bad in [
            "colour = 1",
            "[contexts.a]\nendpoint = \"ftp://x\"",
            "[contexts.a]\ncredential = \"paper\"",
            "[contexts.a]\ntoken = \"x\"",
            "current = [",
        ] {
            std::fs::write(&path, bad).expect("written");
            let refused = Contexts::read(&path).expect_err(bad);
            assert!(matches!(refused, ClientError::Config(..)), "{refused}");
        }
        let mut contexts = Contexts::default();
        for name in ["", "a b", "../x", "a\u{1b}"] {
            assert!(contexts.put(name, Context::default()).is_err(), "{name:?}");
        }
    }
}
