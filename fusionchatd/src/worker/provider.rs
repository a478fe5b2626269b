//! The models of the organizations: where each is, its key, its breaker. Keys are read when a model is first asked
//! and again after the provider refused one.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use crate::ai::breaker::Breaker;
use crate::ai::model::ModelError;
use crate::ai::openai::{Endpoint, OpenAi, http_client};
use crate::domain::hidden::Hidden;

/// How long a command that prints a key may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest key, in bytes.
const KEY_BYTES_MAX: u64 = 4_096;

/// Where a provider's key comes from. Never the key itself: it is not to stand in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// There is none.
    None,
    /// A variable of the daemon's environment.
    Environment(String),
    /// The first line of a file.
    File(PathBuf),
    /// The first line a program prints.
    Command(Vec<String>),
}

/// One organization's model as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSettings {
    /// The organization's name.
    pub organization: String,
    /// Where the model is.
    pub endpoint: Endpoint,
    /// Where its key comes from.
    pub key: KeySource,
    /// The organization's own instructions.
    pub policy: String,
    /// How many tokens a day it may use; none means no limit.
    pub daily_tokens: Option<u64>,
}

/// A model at work.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) settings: ProviderSettings,
    pub(super) breaker: Mutex<Breaker>,
    ready: Mutex<Option<(reqwest::Client, Hidden<Arc<str>>)>>,
}

impl Provider {
    fn new(settings: ProviderSettings) -> Self {
        Self { settings, breaker: Mutex::default(), ready: Mutex::default() }
    }

    /// The model, with its key.
    pub(super) async fn model(&self) -> Result<OpenAi, ModelError> {
        let known = self.ready.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (client, key) = match known {
            Some(ready) => ready,
            None => {
                let key = read_key(&self.settings.key).await.ok_or(ModelError::Setup)?;
                let client = http_client(self.settings.endpoint.patience)?;
                let ready = (client, Hidden(Arc::from(key.as_str())));
                *self.ready.lock().unwrap_or_else(PoisonError::into_inner) = Some(ready.clone());
                ready
            }
        };
        Ok(OpenAi::new(client, self.settings.endpoint.clone(), key.0.to_string()))
    }

    /// The provider refused the key: the next question reads it again.
    pub(super) fn forget_key(&self) {
        *self.ready.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The models of all organizations.
#[derive(Debug, Default)]
pub struct Providers {
    by_organization: Mutex<HashMap<String, Arc<Provider>>>,
}

impl Providers {
    /// Puts these in place of those before. One that has not changed goes on as it is.
    pub fn set(&self, settings: Vec<ProviderSettings>) {
        let mut known = self.by_organization.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = HashMap::new();
        for settings in settings {
            let name = settings.organization.clone();
            let kept = known.remove(&name).filter(|it| it.settings == settings);
            next.insert(name, kept.unwrap_or_else(|| Arc::new(Provider::new(settings))));
        }
        *known = next;
    }

    /// The model of an organization.
    pub(super) fn of(&self, organization: &str) -> Option<Arc<Provider>> {
        let known = self.by_organization.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(organization).cloned()
    }
}

/// Reads a key. None if it cannot be read; the log says which source, never what it held.
async fn read_key(source: &KeySource) -> Option<String> {
    let text = match source {
        KeySource::None => return Some(String::new()),
        KeySource::Environment(name) => std::env::var(name).ok(),
        KeySource::File(path) => match tokio::fs::File::open(path).await {
            Ok(file) => first_bytes(file).await,
            Err(_) => None,
        },
        KeySource::Command(words) => {
            tokio::time::timeout(COMMAND_TIMEOUT, printed(words)).await.ok().flatten()
        }
    };
    let key = text.as_deref().and_then(|it| it.lines().next()).map(str::trim).unwrap_or_default();
    if key.is_empty() || key.chars().any(char::is_control) {
        tracing::error!(?source, "the model's key could not be read");
        return None;
    }
    Some(key.to_owned())
}

async fn printed(words: &[String]) -> Option<String> {
    let (program, arguments) = words.split_first()?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let text = first_bytes(child.stdout.take()?).await;
    child.wait().await.ok().filter(std::process::ExitStatus::success).and(text)
}

async fn first_bytes(source: impl tokio::io::AsyncRead + Unpin) -> Option<String> {
    let mut text = String::new();
    source.take(KEY_BYTES_MAX).read_to_string(&mut text).await.ok()?;
    Some(text)
}
