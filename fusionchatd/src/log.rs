//! Where the log goes: a file, or standard error. Secrets never reach it: their types do not show themselves.

use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use anyhow::Context as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::config::{Config, LogFormat};

/// What is logged where nothing else is said.
const DEFAULT_FILTER: &str = "info";

/// Logs to a file, for a program whose output is for a person.
pub(crate) fn to_file(path: &Path) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(DEFAULT_FILTER))
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .init();
    Ok(())
}

/// The filter of a log that runs.
pub(crate) type Filter = reload::Handle<EnvFilter, Registry>;

/// Logs to standard error as the configuration says; the filter can be changed later.
pub(crate) fn to_standard_error(config: &Config) -> anyhow::Result<Filter> {
    let filter = EnvFilter::try_new(&config.log_filter).context("log.filter")?;
    let (filter, handle) = reload::Layer::new(filter);
    let log = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match config.log_format {
        LogFormat::Human => log.with(lines.with_ansi(false)).init(),
        LogFormat::Json => log.with(lines.json()).init(),
    }
    Ok(handle)
}
