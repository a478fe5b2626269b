//! The command tree, walked: every leaf takes `-o`, explains itself, and has an example that parses.

use std::ffi::OsString;

use clap::{Command, Parser};

use crate::argv::{Grammar, rewrite};
use crate::cli::{Cli, command};

fn leaves(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
    for below in command.get_subcommands() {
        let path = format!("{path} {}", below.get_name());
        if below.has_subcommands() {
            leaves(below, &path, found);
        } else {
            found.push((path, below.clone()));
        }
    }
}

fn all() -> Vec<(String, Command)> {
    let mut root = command();
    root.build();
    let mut found = Vec::new();
    leaves(&root, "fusionctl", &mut found);
    found
}

/// Splits an example as a shell would, as far as our examples go.
fn split(line: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.into());
        } else {
            words.extend(part.split_whitespace().map(OsString::from));
        }
    }
    words
}

fn parse(words: Vec<OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(rewrite(&Grammar::of(&command()), words))
}

#[test]
fn the_tree_is_sound() {
    command().debug_assert();
}

#[test]
fn every_command_takes_every_output_format() {
    for (path, leaf) in all() {
        let output = leaf.get_arguments().find(|arg| arg.get_id() == "output");
        let output = output.unwrap_or_else(|| panic!("{path} has no -o"));
        assert_eq!(output.get_short(), Some('o'), "{path}");
        let names: Vec<String> =
            output.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        assert_eq!(names, ["table", "json", "jsonl"], "{path}");
        for global in ["endpoint", "demo", "timeout", "idempotency_key", "no_color", "quiet"] {
            assert!(leaf.get_arguments().any(|arg| arg.get_id() == global), "{path} {global}");
        }
    }
}

#[test]
fn every_command_says_what_it_does_and_shows_how() {
    for (path, leaf) in all() {
        let about = leaf.get_about().unwrap_or_else(|| panic!("{path} has no about")).to_string();
        assert!(!about.contains('\n'), "{path}: one line");
        let example = leaf.get_after_help().unwrap_or_else(|| panic!("{path}: no example"));
        let example = example.to_string();
        let line =
            example.strip_prefix("Example:\n  ").unwrap_or_else(|| panic!("{path}: {example}"));
        assert!(line.starts_with(&path), "{path}: {line}");
        let mut words = split(line);
        if let Err(error) = parse(words.clone()) {
            panic!("{line}: {error}");
        }
        words.extend(["-o".into(), "jsonl".into()]);
        let repeated = words.iter().filter(|word| *word == "-o").count() > 1;
        assert!(repeated || parse(words).is_ok(), "{line}: takes -o at its end");
    }
}

#[test]
fn short_forms_parse() {
    for line in [
        "f --demo escalation list",
        "f --demo agent1 conv 1042 reply hi",
        "f -o json convs --status open,escalated --all",
        "f inboxes --demo",
        "f conv tail 1042 -f",
        "f conv start --inbox web --wait --timeout 5s -",
        "f conv reply 1042 -- -5",
        "f conversation 1042",
    ] {
        assert!(parse(split(line)).is_ok(), "{line}");
    }
    for line in [
        "f",
        "f conv",
        "f conv list --limit 0",
        "f conv list --limit 5 --all",
        "f conv resolve 1042 --as abandoned",
        "f user availability gone",
        "f key create --name ci",
        "f --demo --endpoint http://x conv list",
        "f --demo somebody conv list",
        "f --timeout soon conv list",
        "f --token secret conv list",
        "f -o yaml conv list",
        "f conv claim 1042 --idempotency-key=",
    ] {
        assert!(parse(split(line)).is_err(), "{line}");
    }
}
