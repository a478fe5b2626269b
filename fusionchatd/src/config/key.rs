//! The table of every key: what it is called, its default and range as the documentation says them, and how it is
//! set.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use toml::Value;
use tracing_subscriber::EnvFilter;

use crate::store::open::DiskEngine;

use super::{Config, LogFormat, provider};

/// The most networks of trusted proxies.
const PROXIES_MAX: usize = 64;

/// Sets a key.
pub(super) type Setter = fn(&mut Config, &Value) -> Result<(), String>;

/// One setting.
pub(super) struct Key {
    /// Its name in the file; dots stand for sections.
    pub(super) name: &'static str,
    /// Its default as it is written there; empty if it has none.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation is held to it"))]
    pub(super) default: &'static str,
    /// What it may be.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation is held to it"))]
    pub(super) range: &'static str,
    /// Whether SIGHUP changes it in a running daemon.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation is held to it"))]
    pub(super) live: bool,
    /// Sets it.
    pub(super) set: Setter,
}

impl Key {
    const fn of(
        name: &'static str,
        default: &'static str,
        range: &'static str,
        live: bool,
        set: Setter,
    ) -> Self {
        Self { name, default, range, live, set }
    }

    /// Its name in the environment.
    pub(super) fn variable(&self) -> String {
        format!("FUSION_{}", self.name.replace('.', "_").to_uppercase())
    }
}

const RATE: &str = "1 to 1000000";
/// The longest wait of a timer.
const YEAR_MS: u64 = 366 * 24 * 60 * 60 * 1000;
const YEAR: &str = "1 to 31622400000";

/// Every setting there is. Where one row is added, docs/configuration.md and deploy/fusionchatd.toml get theirs.
pub(super) const KEYS: &[Key] = &[
    Key::of("data", "\"/var/lib/fusionchat\"", "a directory", false, |c, v| {
        text(v).map(|it| c.data = it.into())
    }),
    Key::of("store", "", "`\"sled:\"` or `\"redb:\"`", false, |c, v| {
        // The refusal of its own quotes what may be the URL of another program's store, with a password.
        let engine = DiskEngine::of_setting(&text(v)?);
        c.store = Some(engine.map_err(|_| "expected \"sled:\" or \"redb:\"")?);
        Ok(())
    }),
    Key::of("http.listen", "\"127.0.0.1:4880\"", "address:port", false, |c, v| {
        address(v).map(|it| c.http_listen = it)
    }),
    Key::of("http.public_url", "\"http://127.0.0.1:4880\"", "an origin", true, |c, v| {
        url(v).map(|it| c.public_url = it)
    }),
    Key::of("http.trusted_proxies", "[]", "up to 64 networks or addresses", true, |c, v| {
        networks(v).map(|it| c.trusted_proxies = it)
    }),
    Key::of("http.tls_cert", "", "a PEM file", true, |c, v| {
        text(v).map(|it| c.http_tls.cert = Some(it.into()))
    }),
    Key::of("http.tls_key", "", "a PEM file", true, |c, v| {
        text(v).map(|it| c.http_tls.key = Some(it.into()))
    }),
    Key::of("grpc.listen", "\"127.0.0.1:4882\"", "address:port", false, |c, v| {
        address(v).map(|it| c.grpc_listen = it)
    }),
    Key::of("grpc.tls_cert", "", "a PEM file", true, |c, v| {
        text(v).map(|it| c.grpc_tls.cert = Some(it.into()))
    }),
    Key::of("grpc.tls_key", "", "a PEM file", true, |c, v| {
        text(v).map(|it| c.grpc_tls.key = Some(it.into()))
    }),
    Key::of("tls.cert", "", "a PEM file", true, |c, v| {
        text(v).map(|it| c.tls.cert = Some(it.into()))
    }),
    Key::of("tls.key", "", "a PEM file", true, |c, v| {
        text(v).map(|it| c.tls.key = Some(it.into()))
    }),
    Key::of("tls.look_ms", "60000", "1000 to 86400000", false, |c, v| {
        number(v, 1_000, 86_400_000).map(|it| c.tls_look = Duration::from_millis(it))
    }),
    Key::of("metrics.listen", "", "a loopback address:port", false, |c, v| {
        loopback(v).map(|it| c.metrics_listen = Some(it))
    }),
    Key::of("assistant.timeout_ms", "75000", "1 to 3600000", true, |c, v| {
        delay(v, 3_600_000).map(|it| c.delays.assistant_ms = it)
    }),
    Key::of("assistant.provider", "", "tables: docs/assistant.md", true, |c, v| {
        provider::read(v).map(|it| c.providers = it)
    }),
    Key::of("timers.assistant_silence_ms", "1800000", YEAR, true, |c, v| {
        delay(v, YEAR_MS).map(|it| c.delays.assistant_silence_ms = it)
    }),
    Key::of("timers.agent_silence_ms", "86400000", YEAR, true, |c, v| {
        delay(v, YEAR_MS).map(|it| c.delays.agent_silence_ms = it)
    }),
    Key::of("timers.offer_ms", "120000", YEAR, true, |c, v| {
        delay(v, YEAR_MS).map(|it| c.delays.offer_ms = it)
    }),
    Key::of("timers.test_ms", "86400000", YEAR, true, |c, v| {
        delay(v, YEAR_MS).map(|it| c.delays.test_ms = it)
    }),
    Key::of("staff.absence_ms", "300000", "1 to 86400000", true, |c, v| {
        delay(v, 86_400_000).map(|it| c.delays.absence_ms = it)
    }),
    Key::of("stop.grace_ms", "5000", "1 to 600000", false, |c, v| {
        number(v, 1, 600_000).map(|it| c.grace = Duration::from_millis(it))
    }),
    Key::of("limits.messages_per_minute", "20", RATE, true, |c, v| {
        rate(v).map(|it| c.limits.messages_per_minute = it)
    }),
    Key::of("limits.message_burst", "10", RATE, true, |c, v| {
        rate(v).map(|it| c.limits.message_burst = it)
    }),
    Key::of("limits.hellos_per_minute", "5", RATE, true, |c, v| {
        rate(v).map(|it| c.limits.hellos_per_minute = it)
    }),
    Key::of("limits.conversations_per_minute", "30", RATE, true, |c, v| {
        rate(v).map(|it| c.limits.conversations_per_minute = it)
    }),
    Key::of("limits.sign_ins_per_five_minutes", "5", RATE, true, |c, v| {
        rate(v).map(|it| c.limits.sign_ins_per_five_minutes = it)
    }),
    Key::of("limits.sockets_per_address", "100", RATE, true, |c, v| {
        rate(v).map(|it| c.limits.sockets_per_address = it)
    }),
    Key::of("limits.memory_mib", "", "16 to 1048576", true, |c, v| {
        number(v, 16, 1_048_576).map(|it| c.limits.memory_bytes = Some(it * 1024 * 1024))
    }),
    Key::of("limits.patience_ms", "10000", "50 to 600000", false, |c, v| {
        number(v, 50, 600_000).map(|it| c.waits.patience = Duration::from_millis(it))
    }),
    Key::of("limits.ping_ms", "30000", "50 to 600000", false, |c, v| {
        number(v, 50, 600_000).map(|it| c.waits.ping = Duration::from_millis(it))
    }),
    Key::of("limits.backup_kept_mib", "64", "1 to 65536", true, |c, v| {
        let bytes = number(v, 1, 65_536)? * 1024 * 1024;
        c.limits.backup_kept_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Ok(())
    }),
    Key::of("limits.backup_patience_ms", "60000", "50 to 3600000", true, |c, v| {
        number(v, 50, 3_600_000).map(|it| c.limits.backup_patience = Duration::from_millis(it))
    }),
    Key::of("limits.commands_per_second", "200", RATE, true, |c, v| {
        rate(v).map(|it| c.limits.commands_per_second = it)
    }),
    Key::of("limits.command_burst", "400", RATE, true, |c, v| {
        rate(v).map(|it| c.limits.command_burst = it)
    }),
    Key::of("log.format", "\"human\"", "`human` or `json`", false, |c, v| {
        c.log_format = match text(v)?.as_str() {
            "human" => LogFormat::Human,
            "json" => LogFormat::Json,
            _ => return Err("expected \"human\" or \"json\"".to_owned()),
        };
        Ok(())
    }),
    Key::of("log.filter", "\"info\"", "a level or a filter", true, |c, v| {
        let filter = text(v)?;
        // The reader of filters slices at bytes, and panics on white space of several.
        let read = filter.is_ascii().then(|| EnvFilter::try_new(&filter).ok()).flatten();
        read.ok_or_else(|| "expected a level or a filter".to_owned())?;
        c.log_filter = filter;
        Ok(())
    }),
];

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

/// Metrics tell of everybody's traffic: they stay on the machine.
fn loopback(value: &Value) -> Result<SocketAddr, String> {
    let address = address(value)?;
    if address.ip().to_canonical().is_loopback() {
        return Ok(address);
    }
    Err("expected a loopback address such as \"127.0.0.1:4884\"; put a proxy in front of it to \
         reach it from elsewhere"
        .to_owned())
}

fn url(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    crate::domain::name::origin(&text)
        .map_err(|_| "expected an origin such as \"https://chat.example.com\"".to_owned())
}

/// A list, or in the environment one text with commas.
fn networks(value: &Value) -> Result<Vec<IpNet>, String> {
    let texts: Vec<&str> = match (value.as_array(), value.as_str()) {
        (Some(list), _) => list.iter().map(|it| it.as_str().unwrap_or_default()).collect(),
        (None, Some(text)) => text.split(',').map(str::trim).filter(|it| !it.is_empty()).collect(),
        (None, None) => return Err("expected a list such as [\"10.0.0.0/8\"]".to_owned()),
    };
    if texts.len() > PROXIES_MAX {
        return Err(format!("expected at most {PROXIES_MAX} networks"));
    }
    let numbered = (1..).zip(texts);
    let network = |(number, text)| {
        network(text).ok_or_else(|| {
            format!("number {number}: expected a network such as \"10.0.0.0/8\" or \"::1\"")
        })
    };
    numbered.map(network).collect()
}

fn network(text: &str) -> Option<IpNet> {
    let alone = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse::<IpNet>().ok().or_else(alone)
}

/// A whole number within bounds.
pub(super) fn number(value: &Value, least: u64, most: u64) -> Result<u64, String> {
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
