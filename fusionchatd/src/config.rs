//! The configuration: one documented struct. Defaults, then the file, then the environment (`FUSION_HTTP_LISTEN` for
//! `http.listen`), then flags. All mistakes are reported at once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use crate::domain::timer::Delays;
use crate::service::Settings;
use crate::service::limit::Limits;

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Human,
    /// One JSON object a line.
    Json,
}

/// Everything an operator can set.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory. One daemon at a time.
    pub data: PathBuf,
    /// Where REST, WebSocket and the widget are served.
    pub http_listen: SocketAddr,
    /// Where visitors reach that, without a slash at the end.
    pub public_url: String,
    /// Where the gRPC API is served.
    pub grpc_listen: SocketAddr,
    /// How long durable timers wait.
    pub delays: Delays,
    /// How long stopping may take before it is forced.
    pub grace: Duration,
    /// The rates.
    pub limits: Limits,
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
            http_listen: local(4880),
            public_url: "http://127.0.0.1:4880".to_owned(),
            grpc_listen: local(4882),
            delays: Delays::default(),
            grace: Duration::from_secs(5),
            limits: Limits::default(),
            log_format: LogFormat::Human,
            log_filter: "info".to_owned(),
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Mistakes(pub Vec<String>);

/// The keys of the file, each with what it sets.
type Setter = fn(&mut Config, &Value) -> Result<(), String>;

const KEYS: &[(&str, Setter)] = &[
    ("data", |config, value| text(value).map(|it| config.data = it.into())),
    ("http.listen", |config, value| address(value).map(|it| config.http_listen = it)),
    ("http.public_url", |config, value| url(value).map(|it| config.public_url = it)),
    ("grpc.listen", |config, value| address(value).map(|it| config.grpc_listen = it)),
    ("assistant.timeout_ms", |config, value| {
        delay(value, 3_600_000).map(|it| config.delays.assistant_ms = it)
    }),
    ("staff.absence_ms", |config, value| {
        delay(value, 86_400_000).map(|it| config.delays.absence_ms = it)
    }),
    ("stop.grace_ms", |config, value| {
        number(value, 1, 600_000).map(|it| config.grace = Duration::from_millis(it))
    }),
    ("limits.messages_per_minute", |c, v| rate(v).map(|it| c.limits.messages_per_minute = it)),
    ("limits.message_burst", |c, v| rate(v).map(|it| c.limits.message_burst = it)),
    ("limits.hellos_per_minute", |c, v| rate(v).map(|it| c.limits.hellos_per_minute = it)),
    ("limits.conversations_per_minute", |c, v| {
        rate(v).map(|it| c.limits.conversations_per_minute = it)
    }),
    ("limits.sign_ins_per_five_minutes", |c, v| {
        rate(v).map(|it| c.limits.sign_ins_per_five_minutes = it)
    }),
    ("limits.sockets_per_address", |c, v| rate(v).map(|it| c.limits.sockets_per_address = it)),
    ("log.format", |config, value| {
        config.log_format = match text(value)?.as_str() {
            "human" => LogFormat::Human,
            "json" => LogFormat::Json,
            other => return Err(format!("{other:?} is neither \"human\" nor \"json\"")),
        };
        Ok(())
    }),
    ("log.filter", |config, value| text(value).map(|it| config.log_filter = it)),
];

impl Config {
    /// Reads the file's text and the environment over the defaults.
    pub fn read(
        file: Option<&str>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Mistakes> {
        let mut config = Self::default();
        let mut mistakes = Vec::new();
        if let Some(file) = file {
            match file.parse::<toml::Table>() {
                Ok(table) => config.set_table("", &table, &mut mistakes),
                Err(error) => mistakes.push(error.to_string()),
            }
        }
        for (name, value) in environment {
            config.set_variable(&name, &value, &mut mistakes);
        }
        if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
    }

    fn set_table(&mut self, prefix: &str, table: &toml::Table, mistakes: &mut Vec<String>) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let known = KEYS.iter().find(|(known, _)| *known == key);
            let section = KEYS.iter().any(|(known, _)| known.starts_with(&format!("{key}.")));
            match (known, value) {
                (Some((_, set)), value) => {
                    if let Err(mistake) = set(self, value) {
                        mistakes.push(format!("{key}: {mistake}"));
                    }
                }
                (None, Value::Table(inner)) if section => self.set_table(&key, inner, mistakes),
                (None, _) => mistakes.push(format!("{key}: there is no such setting")),
            }
        }
    }

    fn set_variable(&mut self, name: &str, value: &str, mistakes: &mut Vec<String>) {
        let variable = |key: &str| format!("FUSION_{}", key.replace('.', "_").to_uppercase());
        let Some((_, set)) = KEYS.iter().find(|(key, _)| variable(key) == name) else { return };
        let value = match value.parse::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::String(value.to_owned()),
        };
        if let Err(mistake) = set(self, &value) {
            mistakes.push(format!("{name}: {mistake}"));
        }
    }

    /// What the service needs of it.
    pub fn settings(&self) -> Settings {
        Settings {
            delays: self.delays,
            mark_interval_ms: 1_000,
            public_url: self.public_url.clone(),
            limits: self.limits.clone(),
        }
    }
}

fn text(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err("expected a text".to_owned()),
    }
}

fn address(value: &Value) -> Result<SocketAddr, String> {
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| "expected an address and port such as \"127.0.0.1:4880\"".to_owned())
}

fn url(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    crate::domain::name::origin(&text)
        .map_err(|_| "expected an origin such as \"https://chat.example.com\"".to_owned())
}

fn number(value: &Value, least: u64, most: u64) -> Result<u64, String> {
    let number = value.as_integer().and_then(|it| u64::try_from(it).ok());
    number
        .filter(|it| (least..=most).contains(it))
        .ok_or_else(|| format!("expected a whole number from {least} to {most}"))
}

fn delay(value: &Value, most: u64) -> Result<i64, String> {
    number(value, 1, most).map(|it| i64::try_from(it).unwrap_or(i64::MAX))
}

fn rate(value: &Value) -> Result<u32, String> {
    number(value, 1, 1_000_000).map(|it| u32::try_from(it).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, environment: &[(&str, &str)]) -> Result<Config, Mistakes> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::read(Some(file), environment)
    }

    #[test]
    fn the_example_is_the_defaults() {
        let example = include_str!("../../deploy/fusionchatd.toml");
        let config = read(example, &[]).expect("the example has no mistake");
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
        for (key, _) in KEYS {
            let name = key.rsplit('.').next().unwrap_or(key);
            assert!(example.contains(&format!("{name} = ")), "{key} is not in the example");
        }
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let file = "
            dta = 'x'
            [http]
            listen = 'nowhere'
            public_url = 'https://chat.example.com/path'
            [limits]
            message_burst = 0
        ";
        let mistakes = read(file, &[("FUSION_STOP_GRACE_MS", "soon")]).expect_err("mistakes").0;
        let keys: Vec<_> = mistakes.iter().filter_map(|it| it.split(':').next()).collect();
        assert_eq!(
            keys,
            [
                "dta",
                "http.listen",
                "http.public_url",
                "limits.message_burst",
                "FUSION_STOP_GRACE_MS"
            ]
        );
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = read(
            "[grpc]\nlisten = '127.0.0.1:1'",
            &[("FUSION_GRPC_LISTEN", "127.0.0.1:2"), ("FUSION_OTHER", "x"), ("HOME", "/")],
        );
        assert_eq!(config.map(|it| it.grpc_listen.port()), Ok(2));
    }
}
