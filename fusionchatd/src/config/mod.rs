//! The configuration: one documented struct. Defaults, then the file, then the environment (`FUSION_HTTP_LISTEN` for
//! `http.listen`), then flags. All mistakes are reported at once.

mod key;
mod provider;

#[cfg(test)]
mod config_prop_test;
#[cfg(test)]
mod config_test;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use toml::Value;
use toml::de::{DeTable, DeValue};

use crate::domain::timer::Delays;
use crate::door::Waits;
use crate::door::tls::{Protocol, Tls, TlsFiles};
use crate::service::Settings;
use crate::service::limit::Limits;
use crate::service::proxy::Proxies;
use crate::store::open::DiskEngine;
use crate::worker::provider::ProviderSettings;

use key::KEYS;

/// The largest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Human,
    /// One JSON object a line.
    Json,
}

/// A certificate and its key as they are configured; both or neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// The certificate's file.
    pub cert: Option<PathBuf>,
    /// The key's file.
    pub key: Option<PathBuf>,
}

/// TLS of the two doors, where they have it.
#[derive(Debug, Default)]
pub struct Doors {
    /// Of the HTTP door.
    pub http: Option<Arc<Tls>>,
    /// Of the gRPC door.
    pub grpc: Option<Arc<Tls>>,
}

/// Everything an operator can set.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory. One daemon at a time.
    pub data: PathBuf,
    /// The engine of the store; none means the one whose data is there.
    pub store: Option<DiskEngine>,
    /// Where REST, WebSocket and the widget are served.
    pub http_listen: SocketAddr,
    /// Where visitors reach that, without a slash at the end.
    pub public_url: String,
    /// Whose word for a client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// The certificate of the HTTP door, instead of the common one.
    pub http_tls: Pair,
    /// Where the gRPC API is served.
    pub grpc_listen: SocketAddr,
    /// The certificate of the gRPC door, instead of the common one.
    pub grpc_tls: Pair,
    /// The certificate of both doors.
    pub tls: Pair,
    /// How often the files of the certificates are looked at.
    pub tls_look: Duration,
    /// Where the metrics are served, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// The models behind the assistants.
    pub providers: Vec<ProviderSettings>,
    /// How long durable timers wait.
    pub delays: Delays,
    /// How long stopping may take before it is forced.
    pub grace: Duration,
    /// The rates.
    pub limits: Limits,
    /// How long the doors wait for clients.
    pub waits: Waits,
    /// How the log is written.
    pub log_format: LogFormat,
    /// What is logged: `error`, `warn`, `info`, `debug`, or a filter such as `fusionchatd=debug`.
    pub log_filter: String,
}

impl Default for Config {
    fn default() -> Self {
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            data: PathBuf::from("/var/lib/fusionchat"),
            store: None,
            http_listen: local(4880),
            public_url: "http://127.0.0.1:4880".to_owned(),
            trusted_proxies: Vec::new(),
            http_tls: Pair::default(),
            grpc_listen: local(4882),
            grpc_tls: Pair::default(),
            tls: Pair::default(),
            tls_look: Duration::from_secs(60),
            metrics_listen: None,
            providers: Vec::new(),
            delays: Delays::default(),
            grace: Duration::from_secs(5),
            limits: Limits::default(),
            waits: Waits::default(),
            log_format: LogFormat::Human,
            log_filter: "info".to_owned(),
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Mistakes(pub Vec<String>);

/// The environment as text. What is no UTF-8 has a replacement character instead, which no setting takes.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |it: OsString| it.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

impl Config {
    /// Reads the file's text and the environment over the defaults.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(
        file: Option<&str>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let config = Self::gather(file, environment, &mut mistakes);
        if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
    }

    /// Reads the file and the environment, and the certificates they name.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn load(
        path: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Doors), Mistakes> {
        let mut mistakes = Vec::new();
        let text = match path.map(text_of).transpose() {
            Ok(text) => text,
            Err(mistake) => {
                mistakes.push(mistake);
                None
            }
        };
        let config = Self::gather(text.as_deref(), environment, &mut mistakes);
        let open = |files: Option<TlsFiles>, protocol, mistakes: &mut Vec<String>| {
            let opened = files.map(|it| Tls::open(it, protocol)).transpose();
            opened.map_err(|error| mistakes.push(format!("tls: {error}"))).ok().flatten()
        };
        let http = open(config.http_pair().files(), Protocol::Http1, &mut mistakes);
        let grpc = open(config.grpc_pair().files(), Protocol::Http2, &mut mistakes);
        // One broken pair of both doors is one mistake.
        mistakes.dedup();
        let doors = Doors { http: http.map(Arc::new), grpc: grpc.map(Arc::new) };
        if mistakes.is_empty() { Ok((config, doors)) } else { Err(Mistakes(mistakes)) }
    }

    fn gather(
        file: Option<&str>,
        environment: impl Iterator<Item = (String, String)>,
        mistakes: &mut Vec<String>,
    ) -> Self {
        let mut config = Self::default();
        if let Some(file) = file {
            match (file.parse::<toml::Table>(), DeTable::parse(file)) {
                (Ok(table), Ok(spans)) => {
                    let mut lines = BTreeMap::new();
                    note_lines(file, "", spans.get_ref(), &mut lines);
                    config.set_table("", &table, &lines, mistakes);
                }
                // The error's own text quotes the line, which may hold a secret.
                (Err(error), _) | (_, Err(error)) => {
                    let line = error.span().map_or(1, |span| line_of(file, span.start));
                    mistakes.push(format!("line {line}: {}", error.message()));
                }
            }
        }
        for (name, value) in environment {
            config.set_variable(&name, &value, mistakes);
        }
        for (name, pair) in
            [("tls", &config.tls), ("http.tls", &config.http_tls), ("grpc.tls", &config.grpc_tls)]
        {
            if pair.cert.is_some() != pair.key.is_some() {
                mistakes.push(format!("{name}: a certificate and its key go together"));
            }
        }
        config
    }

    fn set_table(
        &mut self,
        prefix: &str,
        table: &toml::Table,
        lines: &BTreeMap<String, usize>,
        mistakes: &mut Vec<String>,
    ) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let line = lines.get(&key).copied().unwrap_or(1);
            let known = KEYS.iter().find(|known| known.name == key);
            let section = KEYS.iter().any(|known| known.name.starts_with(&format!("{key}.")));
            match (known, value) {
                (Some(known), value) => {
                    if let Err(mistake) = (known.set)(self, value) {
                        mistakes.push(format!("line {line}: {key}: {mistake}"));
                    }
                }
                (None, Value::Table(inner)) if section => {
                    self.set_table(&key, inner, lines, mistakes);
                }
                (None, _) => {
                    mistakes.push(format!("line {line}: {key}: there is no such setting"));
                }
            }
        }
    }

    fn set_variable(&mut self, name: &str, value: &str, mistakes: &mut Vec<String>) {
        let Some(known) = KEYS.iter().find(|known| known.variable() == name) else { return };
        if value.contains(char::REPLACEMENT_CHARACTER) {
            mistakes.push(format!("{name}: expected UTF-8"));
            return;
        }
        let value = match value.parse::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::String(value.to_owned()),
        };
        if let Err(mistake) = (known.set)(self, &value) {
            mistakes.push(format!("{name}: {mistake}"));
        }
    }

    fn http_pair(&self) -> &Pair {
        if self.http_tls.cert.is_some() { &self.http_tls } else { &self.tls }
    }

    fn grpc_pair(&self) -> &Pair {
        if self.grpc_tls.cert.is_some() { &self.grpc_tls } else { &self.tls }
    }

    /// What a running daemon cannot change, as a reload compares it.
    pub(crate) fn fixed(&self) -> Fixed {
        let on = |pair: &Pair| if pair.cert.is_some() { "on" } else { "off" }.to_owned();
        Fixed([
            ("data", self.data.display().to_string()),
            ("store", self.store.map_or(String::new(), |it| it.to_string())),
            ("http.listen", self.http_listen.to_string()),
            ("TLS of the HTTP door", on(self.http_pair())),
            ("grpc.listen", self.grpc_listen.to_string()),
            ("TLS of the gRPC door", on(self.grpc_pair())),
            ("tls.look_ms", self.tls_look.as_millis().to_string()),
            ("metrics.listen", self.metrics_listen.map_or(String::new(), |it| it.to_string())),
            ("stop.grace_ms", self.grace.as_millis().to_string()),
            ("limits.patience_ms", self.waits.patience.as_millis().to_string()),
            ("limits.ping_ms", self.waits.ping.as_millis().to_string()),
            ("log.format", format!("{:?}", self.log_format)),
        ])
    }

    /// What the service needs of it.
    pub fn settings(&self) -> Settings {
        Settings {
            delays: self.delays,
            mark_interval_ms: 1_000,
            public_url: self.public_url.clone(),
            limits: self.limits.clone(),
            proxies: Proxies::from(self.trusted_proxies.clone()),
        }
    }
}

/// What a running daemon cannot change: each setting's name and value.
#[derive(Clone, Debug)]
pub(crate) struct Fixed([(&'static str, String); 12]);

impl Fixed {
    /// What is another one in a configuration read later: its name, its value here and its value there.
    pub(crate) fn differing<'a>(
        &'a self,
        later: &'a Self,
    ) -> impl Iterator<Item = (&'static str, &'a str, &'a str)> {
        let both = self.0.iter().zip(&later.0);
        let both = both.map(|((name, old), (_, new))| (*name, old.as_str(), new.as_str()));
        both.filter(|(_, old, new)| old != new)
    }
}

impl Pair {
    fn files(&self) -> Option<TlsFiles> {
        Some(TlsFiles { cert: self.cert.clone()?, key: self.key.clone()? })
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let unreadable = |error| format!("cannot read {}: {error}", path.display());
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(format!("{} is larger than 1 MiB", path.display()));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// In which line each key stands.
fn note_lines(file: &str, prefix: &str, table: &DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (name, value) in table {
        let name = name.as_ref();
        let key = if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
        lines.insert(key.clone(), line_of(file, value.span().start));
        if let DeValue::Table(inner) = value.get_ref() {
            note_lines(file, &key, inner, lines);
        }
    }
}

fn line_of(file: &str, at: usize) -> usize {
    file.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
