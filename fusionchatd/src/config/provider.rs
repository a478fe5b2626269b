//! The tables `[[assistant.provider]]`: one model for one organization each. All mistakes are reported at once.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::{Table, Value};

use super::key::number;
use crate::ai::openai::{Endpoint, Patience};
use crate::worker::provider::{KeySource, ProviderSettings};

/// The longest policy, in characters: it is sent with every question.
const POLICY_CHARS_MAX: usize = 4_000;

const NAMES: [&str; 15] = [
    "organization",
    "base_url",
    "model",
    "key_env",
    "key_file",
    "key_command",
    "policy",
    "daily_tokens",
    "max_tokens",
    "max_tokens_field",
    "connect_ms",
    "first_token_ms",
    "silence_ms",
    "total_ms",
    "allow_plain_http",
];

/// Reads all of them.
pub(super) fn read(value: &Value) -> Result<Vec<ProviderSettings>, String> {
    let tables = value.as_array().ok_or("expected tables [[assistant.provider]]")?;
    let mut mistakes = Vec::new();
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for (number, value) in (1..).zip(tables) {
        let empty = Table::new();
        let mut entry =
            Entry { table: value.as_table().unwrap_or(&empty), number, mistakes: &mut mistakes };
        let provider = entry.provider();
        if !names.insert(provider.organization.clone()) {
            entry.mistake("organization", "has a provider already");
        }
        all.push(provider);
    }
    if mistakes.is_empty() { Ok(all) } else { Err(mistakes.join("; ")) }
}

struct Entry<'a> {
    table: &'a Table,
    number: usize,
    mistakes: &'a mut Vec<String>,
}

impl Entry<'_> {
    fn provider(&mut self) -> ProviderSettings {
        for name in self.table.keys() {
            if !NAMES.contains(&name.as_str()) {
                self.mistake(name, "there is no such setting");
            }
        }
        let organization = self.text("organization", true);
        let base_url = self.base_url();
        let policy = self.text("policy", false);
        if policy.chars().count() > POLICY_CHARS_MAX {
            self.mistake("policy", &format!("is longer than {POLICY_CHARS_MAX} characters"));
        }
        let field = self.text("max_tokens_field", false);
        if !matches!(field.as_str(), "" | "max_tokens" | "max_completion_tokens") {
            self.mistake(
                "max_tokens_field",
                "is neither \"max_tokens\" nor \"max_completion_tokens\"",
            );
        }
        let usual = Patience::default();
        let endpoint = Endpoint {
            base_url,
            model: self.text("model", true),
            max_tokens: u32::try_from(self.number("max_tokens", 600, 16_000)).unwrap_or(600),
            completion_tokens_field: field == "max_completion_tokens",
            patience: Patience {
                connect: self.limit("connect_ms", usual.connect),
                first_token: self.limit("first_token_ms", usual.first_token),
                silence: self.limit("silence_ms", usual.silence),
                total: self.limit("total_ms", usual.total),
            },
        };
        let daily_tokens = self.table.contains_key("daily_tokens");
        let daily_tokens = daily_tokens.then(|| self.number("daily_tokens", 0, 1_000_000_000_000));
        ProviderSettings { organization, endpoint, key: self.key(), policy, daily_tokens }
    }

    fn key(&mut self) -> KeySource {
        let mut found = Vec::new();
        for name in ["key_env", "key_file"] {
            let text = self.text(name, false);
            match name {
                _ if text.is_empty() => {}
                "key_env" => found.push(KeySource::Environment(text)),
                _ => found.push(KeySource::File(text.into())),
            }
        }
        if let Some(value) = self.table.get("key_command") {
            let words =
                value.as_array().map(|all| all.iter().map(|it| it.as_str().map(str::to_owned)));
            match words.and_then(Iterator::collect::<Option<Vec<_>>>) {
                Some(words) if !words.is_empty() => found.push(KeySource::Command(words)),
                Some(_) | None => {
                    self.mistake("key_command", "expected the program and its arguments as a list");
                }
            }
        }
        if found.len() > 1 {
            self.mistake("key_env, key_file, key_command", "only one of them may be set");
        }
        found.pop().unwrap_or(KeySource::None)
    }

    /// An address over TLS; over plain HTTP only on this machine, or where it is allowed in so many words.
    fn base_url(&mut self) -> String {
        let text = self.text("base_url", true);
        let text = text.trim_end_matches('/').to_owned();
        let Some((scheme, rest)) = text.split_once("://") else {
            self.mistake("base_url", "expected an address such as \"https://api.openai.com/v1\"");
            return text;
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let name = match host.strip_prefix('[') {
            Some(six) => six.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let allowed =
            self.table.get("allow_plain_http").is_some_and(|it| it.as_bool() == Some(true));
        let local = name == "localhost"
            || name.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback());
        match scheme {
            _ if name.is_empty() || rest.contains(['?', '#', '@', ' ']) => {
                self.mistake(
                    "base_url",
                    "expected a host and a path, without credentials or a query",
                );
            }
            "http" if !local && !allowed => {
                self.mistake(
                    "base_url",
                    "is not encrypted: use https, or set allow_plain_http = true if the network is yours",
                );
            }
            "http" | "https" => {}
            _ => self.mistake("base_url", "expected https"),
        }
        text
    }

    fn text(&mut self, name: &str, needed: bool) -> String {
        match self.table.get(name) {
            None if needed => self.mistake(name, "is missing"),
            None => {}
            Some(value) => match value.as_str().filter(|it| !it.is_empty()) {
                Some(text) => return text.to_owned(),
                None => self.mistake(name, "expected a text"),
            },
        }
        String::new()
    }

    fn number(&mut self, name: &str, usual: u64, most: u64) -> u64 {
        let Some(value) = self.table.get(name) else { return usual };
        number(value, 1, most).unwrap_or_else(|mistake| {
            self.mistake(name, &mistake);
            usual
        })
    }

    fn limit(&mut self, name: &str, usual: Duration) -> Duration {
        let ms = u64::try_from(usual.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.number(name, ms, 600_000))
    }

    fn mistake(&mut self, name: &str, what: &str) {
        self.mistakes.push(format!("number {}: {name}: {what}", self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<ProviderSettings>, String> {
        let table: Table = text.parse().expect("toml");
        read(&table["p"])
    }

    #[test]
    fn a_provider_is_read_with_the_usual_limits() {
        let all = read_text(
            "[[p]]\norganization = 'acme'\nbase_url = 'http://127.0.0.1:8080/v1/'\nmodel = 'm'\n\
             key_env = 'ACME_KEY'\ndaily_tokens = 100000",
        );
        let all = all.expect("good");
        assert_eq!(all[0].endpoint.base_url, "http://127.0.0.1:8080/v1");
        assert_eq!(all[0].endpoint.patience, Patience::default());
        assert_eq!(all[0].key, KeySource::Environment("ACME_KEY".to_owned()));
        assert_eq!(all[0].daily_tokens, Some(100_000));
    }

    #[test]
    fn every_mistake_is_named() {
        let told = read_text(
            "[[p]]\nbase_url = 'http://models.example/v1'\nkey_env = 'A'\nkey_file = 'b'\n\
             [[p]]\norganization = 'x'\nmodel = 'm'\nbase_url = 'ftp://x'\nfoo = 1\ntotal_ms = 0\n\
             [[p]]\norganization = 'x'\nmodel = 'm'\nbase_url = 'https://u:p@x/v1'",
        )
        .expect_err("mistakes");
        for part in [
            "number 1: organization: is missing",
            "number 1: base_url: is not encrypted",
            "number 1: model: is missing",
            "only one of them",
            "number 2: foo: there is no such setting",
            "number 2: base_url: expected https",
            "number 2: total_ms",
            "number 3: base_url: expected a host",
            "number 3: organization: has a provider already",
        ] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
    }
}
