//! Which daemon is meant and who asks: flag > environment > context > default, each value with its origin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::context::{Context, Contexts};
use crate::credential::{Entry, Keyring, Place, PrivateFile, Vault as _, printed_by};
use crate::{ClientError, address};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--context`.
    pub context: Option<String>,
    /// `--endpoint`.
    pub endpoint: Option<String>,
    /// `--ca-file`.
    pub ca_file: Option<PathBuf>,
}

/// A value and where it comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct From<T> {
    /// The value.
    pub value: T,
    /// Such as `flag --endpoint` or `context prod`.
    pub origin: String,
}

/// Everything that was found out, short of the credential itself.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The gRPC address.
    pub endpoint: From<String>,
    /// Certificates to trust besides the known ones.
    pub ca_file: Option<From<PathBuf>>,
    /// The context that is meant, if one is.
    pub context: Option<From<String>>,
    /// What the context holds.
    pub held: Context,
}

/// The surroundings that are looked at.
pub struct Surroundings<'a> {
    /// The environment.
    pub variables: &'a BTreeMap<String, String>,
}

impl Surroundings<'_> {
    fn set(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn home(&self, name: &str, below: &str) -> PathBuf {
        let own = self.set(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || Path::new(self.set("HOME").unwrap_or("/")).join(below);
        own.unwrap_or_else(home).join("fusionchat")
    }

    /// Where contexts are.
    pub fn config_file(&self) -> PathBuf {
        self.home("XDG_CONFIG_HOME", ".config").join("config.toml")
    }

    /// Where credentials are that somebody wanted in a file.
    pub fn credential_file(&self) -> PathBuf {
        self.home("XDG_STATE_HOME", ".local/state").join("credentials.toml")
    }

    /// The keyring, found as the environment says.
    pub fn keyring(&self) -> Keyring {
        Keyring { path: self.set("PATH").map(str::to_owned) }
    }

    /// Finds out which daemon is meant.
    ///
    /// # Errors
    /// If the configuration cannot be used or names no such context.
    pub fn resolve(&self, flags: &Flags) -> Result<Resolved, ClientError> {
        let contexts = Contexts::read(&self.config_file())?;
        let from =
            |value: &str, origin: &str| From { value: value.to_owned(), origin: origin.to_owned() };
        let context = flags
            .context
            .as_deref()
            .map(|name| from(name, "flag --context"))
            .or_else(|| self.set("FUSION_CONTEXT").map(|name| from(name, "FUSION_CONTEXT")))
            .or_else(|| contexts.current.as_deref().map(|name| from(name, "config.toml")));
        let held = match &context {
            Some(context) => contexts.get(&context.value)?.clone(),
            None => Context::default(),
        };
        let of_context = context.as_ref().map(|it| format!("context {}", it.value));
        let of_context = of_context.unwrap_or_default();
        let endpoint = flags
            .endpoint
            .as_deref()
            .map(|url| from(url, "flag --endpoint"))
            .or_else(|| self.set("FUSION_ENDPOINT").map(|url| from(url, "FUSION_ENDPOINT")))
            .or_else(|| held.endpoint.as_deref().map(|url| from(url, &of_context)))
            .unwrap_or_else(|| from(address::DEFAULT, "default"));
        let file =
            |path: &Path, origin: &str| From { value: path.to_owned(), origin: origin.to_owned() };
        let ca_file = flags
            .ca_file
            .as_deref()
            .map(|path| file(path, "flag --ca-file"))
            .or_else(|| {
                self.set("FUSION_CA_FILE").map(|path| file(Path::new(path), "FUSION_CA_FILE"))
            })
            .or_else(|| held.ca_file.as_deref().map(|path| file(path, &of_context)));
        Ok(Resolved { endpoint, ca_file, context, held })
    }

    /// The credential: `FUSION_TOKEN`, else the context's. A context's goes to the context's own daemon only:
    /// whoever names another one brings a credential for it.
    ///
    /// # Errors
    /// If the place where it is kept cannot be used.
    pub fn credential(&self, resolved: &Resolved) -> Result<Option<String>, ClientError> {
        if let Some(token) = self.set("FUSION_TOKEN") {
            return Ok(Some(token.to_owned()));
        }
        let own = resolved.held.endpoint.as_deref().unwrap_or(address::DEFAULT);
        let Some(context) = resolved.context.as_ref().filter(|_| resolved.endpoint.value == own)
        else {
            return Ok(None);
        };
        let user = resolved.held.user.as_deref().unwrap_or_default();
        let entry = Entry { context: &context.value, user };
        match resolved.held.place()? {
            None => Ok(None),
            Some(Place::Keyring) => self.keyring().get(entry),
            Some(Place::File) => PrivateFile(&self.credential_file()).get(entry),
            Some(Place::Variable(name)) => Ok(self.set(&name).map(str::to_owned)),
            Some(Place::Command(line)) => printed_by(&line).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(home: &Path, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let home = home.display().to_string();
        let base = [("XDG_CONFIG_HOME", home.as_str()), ("XDG_STATE_HOME", home.as_str())];
        base.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn prepared() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let variables = variables(folder.path(), &[]);
        let path = Surroundings { variables: &variables }.config_file();
        let mut contexts = Contexts::default();
        for (name, credential) in [("a", "env:TOKEN_A"), ("b", "command:echo b-token")] {
            let context = Context {
                endpoint: Some(format!("https://{name}.example.com")),
                credential: Some(credential.to_owned()),
                ..Context::default()
            };
            contexts.put(name, context).expect("good");
        }
        contexts.write(&path).expect("written");
        folder
    }

    /// (endpoint, its origin, credential)
    fn check(flags: &Flags, more: &[(&str, &str)], wanted: (&str, &str, Option<&str>)) {
        let folder = prepared();
        let variables = variables(folder.path(), more);
        let here = Surroundings { variables: &variables };
        let resolved = here.resolve(flags).expect("resolved");
        let credential = here.credential(&resolved).expect("looked up");
        let found =
            (resolved.endpoint.value.as_str(), resolved.endpoint.origin.as_str(), credential);
        assert_eq!(found, (wanted.0, wanted.1, wanted.2.map(str::to_owned)));
    }

    #[test]
    fn flag_environment_context_default() {
        let none = Flags::default();
        let a = "https://a.example.com";
        check(&none, &[("TOKEN_A", "t")], (a, "context a", Some("t")));
        check(&none, &[], (a, "context a", None));
        check(&none, &[("FUSION_TOKEN", "x"), ("TOKEN_A", "t")], (a, "context a", Some("x")));
        let b = Flags { context: Some("b".into()), ..Flags::default() };
        check(&b, &[], ("https://b.example.com", "context b", Some("b-token")));
        check(
            &none,
            &[("FUSION_CONTEXT", "b")],
            ("https://b.example.com", "context b", Some("b-token")),
        );
        let url = Flags { endpoint: Some("http://127.0.0.1:1".into()), ..Flags::default() };
        let elsewhere = [("FUSION_ENDPOINT", "http://127.0.0.1:2"), ("TOKEN_A", "t")];
        check(&url, &elsewhere, ("http://127.0.0.1:1", "flag --endpoint", None));
        check(&none, &elsewhere, ("http://127.0.0.1:2", "FUSION_ENDPOINT", None));
        let empty = BTreeMap::from([("HOME".to_owned(), "/nonexistent".to_owned())]);
        let resolved = Surroundings { variables: &empty }.resolve(&none).expect("resolved");
        assert_eq!(resolved.endpoint.origin, "default");
        let other = Flags { context: Some("c".into()), ..Flags::default() };
        let refused = Surroundings { variables: &empty }.resolve(&other);
        assert!(matches!(refused, Err(ClientError::NoContext(_))));
    }
}
