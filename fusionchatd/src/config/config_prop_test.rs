//! Any text as a configuration: taken, or every mistake told; no panic, no secret.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::damage::{damaged_text, texts_of};

const EXAMPLE: &str = include_str!("../../../deploy/fusionchatd.toml");
const PIECES: &[&str] = &[
    "[http]\n",
    "[limits]\n",
    "[[assistant.provider]]\n",
    "[assistant]\n",
    "[a.b]\n",
    "listen = ",
    "data = ",
    "tls_cert = ",
    "trusted_proxies = ",
    "message_burst = ",
    "organization = ",
    "base_url = ",
    "model = ",
    "key_env = ",
    "\"x\"",
    "'x'",
    "[]",
    "[\"10.0.0.0/8\"]",
    "{}",
    "1",
    "-1",
    "1.5",
    "true",
    "1e400",
    "\n",
    "#",
    "=",
    "\"\"\"",
    "0x",
    "1979-05-27",
    "\\u0000",
    "é",
];

fn read(file: &str) -> Result<Config, Mistakes> {
    Config::read(Some(file), std::iter::empty())
}

/// A file of one mistake for each of these settings, in whatever order they come.
fn wrong(names: &std::collections::BTreeSet<&'static str>) -> String {
    names.iter().map(|name| format!("{name} = {{ x = 1979-05-27 }}\n")).collect()
}

fn settings() -> Vec<&'static str> {
    KEYS.iter().map(|key| key.name).filter(|name| *name != "assistant.provider").collect()
}

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_told_why_not(file in texts_of(PIECES)) {
        if let Err(Mistakes(mistakes)) = read(&file) {
            prop_assert!(!mistakes.is_empty() && mistakes.iter().all(|it| !it.is_empty()));
        }
    }

    #[test]
    fn a_damaged_example_is_a_configuration_or_told_why_not(file in damaged_text(EXAMPLE)) {
        if let Err(Mistakes(mistakes)) = read(&file) {
            let lines = file.lines().count().max(1);
            for mistake in mistakes {
                let line = mistake.strip_prefix("line ").and_then(|it| it.split(':').next());
                let line = line.and_then(|it| it.parse::<usize>().ok());
                prop_assert!(
                    line.is_some_and(|it| (1..=lines + 1).contains(&it)) || mistake.contains("go together"),
                    "{mistake}"
                );
            }
        }
    }

    #[test]
    fn every_mistake_is_told(names in btree_set(select(settings()), 1..8)) {
        let mistakes = read(&wrong(&names)).expect_err("mistakes").0;
        prop_assert_eq!(mistakes.len(), names.len(), "{:?}", mistakes);
        for name in names {
            prop_assert!(mistakes.iter().any(|it| it.contains(&format!(" {name}: "))), "{name}: {mistakes:?}");
        }
    }

    #[test]
    fn what_is_not_a_setting_is_told(name in "[a-z_]{1,12}") {
        let known = KEYS.iter().any(|key| key.name.split('.').next() == Some(name.as_str()));
        prop_assume!(!known);
        let (top, inner) = (format!("{name} = 1\n"), format!("[limits]\n{name}_x = 1\n"));
        prop_assert!(read(&top).is_err());
        prop_assert!(read(&inner).is_err());
    }

    #[test]
    fn any_environment_is_taken_or_told_why_not(
        all in vec((select(settings()), any::<String>()), 0..5),
    ) {
        let variables = all.iter().map(|(name, value)| {
            (format!("FUSION_{}", name.replace('.', "_").to_uppercase()), value.clone())
        });
        if let Err(Mistakes(mistakes)) = Config::read(None, variables) {
            prop_assert!(mistakes.iter().all(|it| it.starts_with("FUSION_") || it.contains("go together")));
        }
    }
}
