//! The configuration: its example, its documentation and its mistakes.

use super::key::Key;
use super::*;

fn read(file: &str, environment: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::read(Some(file), environment)
}

#[test]
fn the_example_is_the_defaults() {
    let example = include_str!("../../../deploy/fusionchatd.toml");
    let config = read(example, &[]).expect("the example has no mistake");
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    for Key { name, .. } in KEYS {
        let last = name.rsplit('.').next().unwrap_or(name);
        let is_there = [format!("{last} = "), format!("# [[{name}]]")];
        assert!(is_there.iter().any(|it| example.contains(it)), "{name} is not in the example");
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
    let keys: Vec<_> = mistakes
        .iter()
        .filter_map(|it| it.split(": ").find(|it| !it.starts_with("line")))
        .collect();
    assert_eq!(
        keys,
        ["dta", "http.listen", "http.public_url", "limits.message_burst", "FUSION_STOP_GRACE_MS"]
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

#[test]
fn the_documentation_has_every_setting_as_it_is() {
    let documented = include_str!("../../../docs/configuration.md");
    for Key { name, default, range, live, .. } in KEYS {
        let default = if default.is_empty() { "none".to_owned() } else { format!("`{default}`") };
        let live = if *live { "yes" } else { "restart" };
        let row = format!("| `{name}` | {default} | {range} | {live} | ");
        assert!(documented.contains(&row), "docs/configuration.md has no {row}");
    }
    let rows = documented.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, KEYS.len(), "a row too many");
}

#[test]
fn a_default_in_the_table_is_the_default() {
    let defaults = KEYS.iter().filter(|key| !key.default.is_empty());
    for Key { name, default, set, .. } in defaults {
        let table = format!("x = {default}").parse::<toml::Table>().expect("TOML");
        let mut config = Config::default();
        set(&mut config, &table["x"]).expect("in range");
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()), "{name}");
    }
}

#[test]
fn a_mistake_has_its_line_and_no_secret() {
    let said = |file: &str| read(file, &[]).expect_err("a mistake").to_string();
    assert!(said("[http]\n\nlisten = 1\n").starts_with("line 3: http.listen: "));
    let secret = said("data = 'x'\nkey = 'hunter2\n");
    assert!(secret.starts_with("line 2: ") && !secret.contains("hunter2"), "{secret}");
}

#[test]
fn a_mistake_quotes_no_value_of_any_setting() {
    let values = [
        "'postgres://u:hunter2@h/db'",
        "['::1', 'hunter2']",
        "[{ organization = 'hunter2', base_url = 'hunter2', max_tokens_field = 'hunter2' }]",
    ];
    for key in KEYS {
        let name = key.name;
        let told: Vec<_> = values
            .iter()
            .filter_map(|value| read(&format!("{name} = {value}\n"), &[]).err())
            .chain(read("", &[(&key.variable(), "postgres://u:hunter2@h/db")]).err())
            .collect();
        assert!(!told.is_empty(), "{name} takes anything");
        for mistakes in told {
            assert!(!mistakes.to_string().contains("hunter2"), "{mistakes}");
        }
    }
}

#[test]
fn proxies_are_networks_or_addresses_and_metrics_stay_on_the_machine() {
    let config = read("[http]\ntrusted_proxies = ['10.0.0.0/8', '::1']", &[]).expect("fine");
    assert_eq!(config.trusted_proxies.len(), 2);
    let config = read("", &[("FUSION_HTTP_TRUSTED_PROXIES", "10.0.0.0/8, ::1")]).expect("fine");
    assert_eq!(config.trusted_proxies.len(), 2);
    let mistakes = read(
        "[http]\ntrusted_proxies = ['proxy']\n[metrics]\nlisten = '0.0.0.0:1'\n[tls]\ncert = 'x'",
        &[],
    );
    assert_eq!(mistakes.expect_err("three").0.len(), 3);
}

#[test]
fn files_that_cannot_be_read_are_mistakes_among_the_others() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("config.toml");
    let missing = Config::load(Some(&path), std::iter::empty()).expect_err("no file").0;
    assert!(missing[0].starts_with("cannot read "), "{missing:?}");
    let file = "[stop]\ngrace_ms = 0\n[tls]\ncert = '/nowhere/c'\nkey = '/nowhere/k'\n";
    std::fs::write(&path, file).expect("written");
    let mistakes = Config::load(Some(&path), std::iter::empty()).expect_err("two").0;
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes[0].starts_with("line 2: stop.grace_ms: "), "{mistakes:?}");
    assert!(mistakes[1].starts_with("tls: cannot read /nowhere/c"), "{mistakes:?}");
}

#[test]
fn what_needs_a_restart_is_named_exactly_while_it_differs() {
    let fixed = |file: &str| read(file, &[]).expect("no mistake").fixed();
    let tls = "[tls]\ncert = '/c.pem'\nkey = '/k.pem'\n";
    let (running, with_tls) = (fixed(""), fixed(tls));
    let names = |it: &Fixed| running.differing(it).map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(names(&fixed("[limits]\nmessage_burst = 7\n")), [""; 0]);
    assert_eq!(names(&with_tls), ["TLS of the HTTP door", "TLS of the gRPC door"]);
    assert_eq!(names(&fixed("")), [""; 0], "as it was at the start");
    let renewed = fixed("[tls]\ncert = '/d.pem'\nkey = '/k.pem'\n");
    assert_eq!(with_tls.differing(&renewed).count(), 0, "other files are taken as they are");
    let moved = fixed("data = '/x'\n");
    let moved: Vec<_> = running.differing(&moved).collect();
    assert_eq!(moved, [("data", "/var/lib/fusionchat", "/x")]);
}

#[test]
fn what_is_no_utf_8_is_a_mistake() {
    let value = String::from_utf8_lossy(b"/var/lib/\xff");
    let mistakes = read("", &[("FUSION_DATA", &value), ("OTHER", &value)]).expect_err("a mistake");
    assert_eq!(mistakes.0, ["FUSION_DATA: expected UTF-8"]);
}
