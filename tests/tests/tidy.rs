//! Keeps the house tidy: the floors use only what lies below them, files and words keep to their limits. Every
//! rule is a table here; a change that needs another edge changes the table, where a reader sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::LazyLock;

use fusionchat_tests::source::{self, Named};

/// The daemon's floors and the floors each may use besides itself, from the ground up.
const FLOORS: [(&str, &[&str]); 7] = [
    ("domain", &[]),
    ("store", &["domain"]),
    ("search", &["domain"]),
    ("ai", &["domain", "search"]),
    ("service", &["domain", "store", "search", "ai"]),
    ("worker", &["domain", "ai", "service"]),
    ("door", &["domain", "search", "service"]),
];

/// The top floor builds and runs the others: it sees them all, and none of them sees it.
const TOP: [&str; 8] = ["app", "command", "config", "init", "log", "maintain", "reload", "demo"];

/// What only one place may use: a crate, or a module of a console, and the folders or files it is kept to.
const KEPT_TO: [(&str, &str, &[&str]); 10] = [
    ("fusionchatd", "async_openai", &["ai/openai.rs"]),
    ("fusionchatd", "redb", &["store/redb/"]),
    ("fusionchatd", "sled", &["store/sled/"]),
    ("fusionchatd", "tantivy", &["search/"]),
    ("fusionchatd", "axum", &["door/http/", "door/live", "demo/shop.rs"]),
    ("fusionchatd", "tonic", &["door/grpc/", "door/status.rs"]),
    ("fusionchatd", "fusionchat_proto", &["door/grpc/"]),
    ("fusionchatd", "crate::door::http", &["door/http/", "door/live", "app.rs"]),
    ("fusionchatd", "crate::door::grpc", &["door/grpc/", "app.rs"]),
    ("fusion-tui", "tonic", &["remote/", "cli.rs"]),
];

/// What a pure folder must not name: it has no I/O, no clock, no randomness and no way to the daemon.
const PURE: [(&str, &str); 3] =
    [("fusionchatd", "domain/"), ("fusion-tui", "update/"), ("fusion-tui", "view/")];
const IMPURE: [&str; 12] = [
    "tokio",
    "tonic",
    "fusionchat_proto",
    "getrandom",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "crate::remote",
];

/// What may not stand in any code, test or not.
const NEVER: [&str; 2] = ["todo", "unimplemented"];

/// The cases of abuse that docs/proofs.md has a row for.
const CASES: [std::ops::RangeInclusive<u32>; 4] = [1..=36, 48..=62, 82..=87, 95..=99];

/// Those of them on parts that do not exist yet, and how their rows say so instead of naming tests.
const WAITING: [u32; 2] = [98, 99];
const WAITS: &str = "waits: ";

/// The clauses of the delivery contract that docs/proofs.md has a row for.
const CLAUSES: [&str; 10] = ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C11"];

/// Its time is simulated: a sleep there takes none. Every runtime it builds has its clock paused.
const SIMULATED: &str = "tests/tests/sim/";

const FILE_LINES_MAX: usize = 500;

/// What the command line calls otherwise than the protocol.
const SYNONYMS: [(&str, &str); 4] = [
    ("tenant", "organization"),
    ("conv", "conversation"),
    ("auth", "session"),
    ("message", "conversation"),
];

/// Nouns of the client itself: what they name (a way to a daemon, a file of expectations) is nothing the daemon
/// knows, so it stands on no wire.
const CLIENTS_OWN: [&str; 2] = ["context", "test"];

/// What the clients know of this workspace: the protocol, and what crosses to them as a file.
const CLIENTS: [(&str, &[&str]); 2] = [
    ("fusionctl", &["fusionchat-proto", "fusionchat-client", "fusionchat-backup"]),
    ("fusion-tui", &["fusionchat-proto", "fusionchat-client"]),
];

/// Fails with every fault at once.
fn check(rule: &str, faults: &[String]) {
    let list = faults.iter().fold(String::new(), |mut text, fault| {
        let _ = write!(text, "\n  {fault}");
        text
    });
    assert!(faults.is_empty(), "{rule}: {} fault(s){list}", faults.len());
}

/// The Rust files of a crate's `src`, each with the paths it names outside tests.
type Sources = Vec<(String, Vec<Named>)>;

static DAEMON: LazyLock<Sources> = LazyLock::new(|| read_sources("fusionchatd"));
static CONSOLE: LazyLock<Sources> = LazyLock::new(|| read_sources("fusion-tui"));

fn sources(member: &str) -> &'static Sources {
    match member {
        "fusionchatd" => &DAEMON,
        _ => &CONSOLE,
    }
}

fn read_sources(member: &str) -> Sources {
    let folder = format!("{member}/src");
    let files = source::files(&folder, &[".rs"]);
    let tests = source::test_files(&folder);
    assert!(!files.is_empty(), "{folder} is empty");
    files
        .into_iter()
        .map(|file| {
            let below = file[folder.len() + 1..].to_owned();
            let mut named = source::named(&source::module_of(&below), &source::text(&file))
                .unwrap_or_else(|error| panic!("{file} is not Rust: {error}"));
            named.retain(|one| !one.in_test && !tests.contains(&file));
            for one in &mut named {
                // The program of a crate sees its library by the crate's name.
                if one.path[0] == member.replace('-', "_") {
                    "crate".clone_into(&mut one.path[0]);
                }
            }
            (below, named)
        })
        .collect()
}

/// The floor a file below `src` belongs to, if it belongs to one: `main.rs` and `lib.rs` do not.
fn floor_of(file: &str) -> Option<&str> {
    let first = file.split('/').next().unwrap_or(file).trim_end_matches(".rs");
    (!matches!(first, "main" | "lib")).then_some(first)
}

fn edge_faults(files: &[(String, Vec<Named>)]) -> Vec<String> {
    let floors: BTreeMap<&str, &[&str]> = FLOORS.into_iter().collect();
    let mut faults = Vec::new();
    for (file, named) in files {
        let Some(floor) = floor_of(file).filter(|floor| !TOP.contains(floor)) else { continue };
        let Some(allowed) = floors.get(floor) else {
            faults.push(format!("{file}: the floor {floor} is not in the table"));
            continue;
        };
        for Named { line, path, .. } in named {
            let [first, target, ..] = path.as_slice() else { continue };
            if first == "crate" && target != floor && !allowed.contains(&target.as_str()) {
                faults.push(format!("{file}:{line}: {floor} -> {}", path.join("::")));
            }
        }
    }
    faults
}

#[test]
fn floors_use_only_floors_below() {
    check("the one-way order", &edge_faults(sources("fusionchatd")));
}

#[test]
fn a_wrong_edge_is_found() {
    let text = "//! x\nfn f() { vec![crate::store::open::it()]; }";
    let named = source::named(&source::module_of("worker/sweep.rs"), text).expect("Rust");
    let faults = edge_faults(&[("worker/sweep.rs".to_owned(), named)]);
    assert_eq!(faults, ["worker/sweep.rs:2: worker -> crate::store::open::it"]);
}

#[test]
fn what_belongs_to_one_place_stays_there() {
    let mut faults = Vec::new();
    for (member, name, places) in KEPT_TO {
        for (file, named) in sources(member) {
            if places.iter().any(|place| file.starts_with(place)) {
                continue;
            }
            for Named { line, path, .. } in named {
                if begins(path, name) {
                    faults.push(format!("{member}/src/{file}:{line}: {}", path.join("::")));
                }
            }
        }
    }
    check("kept to one place", &faults);
}

#[test]
fn pure_folders_stay_pure() {
    let mut faults = Vec::new();
    for (member, folder) in PURE {
        for (file, named) in sources(member) {
            if !file.starts_with(folder) {
                continue;
            }
            for Named { line, path, .. } in named {
                if IMPURE.iter().any(|name| begins(path, name)) {
                    faults.push(format!("{member}/src/{file}:{line}: {}", path.join("::")));
                }
            }
        }
    }
    check("pure", &faults);
}

/// True if `path` is `name` or lies below it.
fn begins(path: &[String], name: &str) -> bool {
    let mut path = path.iter();
    name.split("::").all(|step| path.next().is_some_and(|one| one == step))
}

#[test]
fn programs_meet_only_in_the_protocol() {
    let mut faults = Vec::new();
    for (member, allowed) in CLIENTS {
        for name in dependencies(member, "dependencies") {
            if name.starts_with("fusion") && !allowed.contains(&name.as_str()) {
                faults.push(format!("{member} depends on {name}"));
            }
        }
    }
    check("clients depend on the protocol only", &faults);
}

fn manifest(member: &str) -> toml::Table {
    let text = source::text(&format!("{member}/Cargo.toml"));
    text.parse().unwrap_or_else(|error| panic!("{member}/Cargo.toml: {error}"))
}

fn dependencies(member: &str, table: &str) -> Vec<String> {
    let manifest = manifest(member);
    let Some(table) = manifest.get(table).and_then(toml::Value::as_table) else { return vec![] };
    table.keys().cloned().collect()
}

fn workspace() -> toml::Table {
    let text = source::text("Cargo.toml");
    let whole: toml::Table = text.parse().expect("the workspace's manifest is TOML");
    whole["workspace"].as_table().expect("it has a workspace").clone()
}

fn members() -> Vec<String> {
    let workspace = workspace();
    let members = workspace["members"].as_array().expect("members is a list");
    members.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

#[test]
fn every_member_inherits_the_lints_and_the_versions() {
    let mut faults = Vec::new();
    for member in members() {
        let manifest = manifest(&member);
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if inherits.and_then(toml::Value::as_bool) != Some(true) {
            faults.push(format!("{member}: no `[lints] workspace = true`"));
        }
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(table).and_then(toml::Value::as_table) else { continue };
            for (name, value) in table {
                if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    faults.push(format!("{member}: {name} is not taken from the workspace"));
                }
            }
        }
    }
    check("one place for lints and versions", &faults);
}

#[test]
fn every_dependency_is_explained() {
    let architecture = source::text("ARCHITECTURE.md");
    if architecture.is_empty() {
        return;
    }
    // The first column of the table of dependencies: names, separated by commas.
    let explained: BTreeSet<&str> = architecture
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .flat_map(|names| names.split(", "))
        .collect();
    let workspace = workspace();
    let all = workspace["dependencies"].as_table().expect("a table").keys();
    let faults: Vec<String> = all
        .filter(|name| !name.starts_with("fusion") && !explained.contains(name.as_str()))
        .map(|name| format!("ARCHITECTURE.md does not say what {name} is for"))
        .collect();
    check("dependencies", &faults);
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    let mut faults = Vec::new();
    for file in source::files("", &[".rs", ".ts", ".mjs", ".proto"]) {
        let text = source::text(&file);
        let opening = if file.ends_with(".rs") { "//! " } else { "//" };
        let first = text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        if !first.starts_with(opening) && !first.starts_with("/*") {
            faults.push(format!("{file}: does not begin with `{}`", opening.trim()));
        }
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{file}: {lines} lines, at most {FILE_LINES_MAX}"));
        }
    }
    check("files", &faults);
}

#[test]
fn nothing_is_left_open_ignored_or_tied_to_a_machine() {
    let machine: Vec<String> =
        ["work", "home", "root", "Users"].map(|name| format!("/{name}/")).to_vec();
    let words: Vec<String> = NEVER
        .iter()
        .map(|name| format!("{name}!"))
        .chain(["#[ignore".to_owned(), ["TO", "DO"].concat(), ["FIX", "ME"].concat()])
        .collect();
    let endings = [".rs", ".ts", ".mjs", ".proto", ".toml", ".css", ".html", ".json", ".md", "run"];
    let mut faults = Vec::new();
    for file in source::files("", &endings) {
        if file == "tests/tests/tidy.rs" {
            continue;
        }
        for (index, line) in source::text(&file).lines().enumerate() {
            for word in machine.iter().filter(|word| names_a_place(line, word)).chain(
                words.iter().filter(|word| line.contains(word.as_str()) && !file.ends_with(".md")),
            ) {
                faults.push(format!("{file}:{}: {word} in `{}`", index + 1, line.trim()));
            }
        }
    }
    check("left open", &faults);
}

/// `/home/…` as the beginning of a path, not as a part of an address.
fn names_a_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "/.}-_".contains(before))
    })
}

#[test]
fn no_test_sleeps() {
    let mut faults = Vec::new();
    for member in members() {
        let tests = source::test_files(&member);
        for file in source::files(&member, &[".rs"]) {
            if file.starts_with(SIMULATED) {
                let text = source::text(&file);
                let (made, paused) =
                    (text.matches("::Builder::new_"), text.matches("start_paused(true)"));
                if made.count() != paused.count() {
                    faults.push(format!("{file}: a clock that is not paused"));
                }
                continue;
            }
            let module = source::module_of(&file);
            let named = source::named(&module, &source::text(&file)).unwrap_or_default();
            let whole =
                tests.contains(&file) || file.starts_with("tests/") || file.contains("/tests/");
            for Named { line, path, in_test, is_paused } in named {
                let last = path.last().map(String::as_str);
                if !is_paused && (whole || in_test) && matches!(last, Some("sleep" | "sleep_until"))
                {
                    faults.push(format!("{file}:{line}: {}", path.join("::")));
                }
            }
        }
    }
    check("tests await events", &faults);
}

#[test]
fn the_command_line_speaks_the_words_of_the_protocol() {
    let services: BTreeSet<String> = source::files("proto/fusionchat/v1", &[".proto"])
        .iter()
        .flat_map(|file| source::text(file).lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let name = line.strip_prefix("service ")?.split_whitespace().next()?;
            Some(name.trim_end_matches("Service").to_lowercase())
        })
        .collect();
    let nouns = source::variants("fusionctl/src/cli.rs", "Noun");
    let nouns: Vec<String> = nouns.iter().map(|noun| noun.to_lowercase()).collect();
    assert!(nouns.len() >= 8, "the nouns were not found: {nouns:?}");
    let synonyms: BTreeMap<&str, &str> = SYNONYMS.into_iter().collect();
    let faults: Vec<String> = nouns
        .iter()
        .filter(|noun| !CLIENTS_OWN.contains(&noun.as_str()))
        .filter(|noun| !services.contains(*synonyms.get(noun.as_str()).unwrap_or(&noun.as_str())))
        .map(|noun| format!("`fusionctl {noun}` has no service among {services:?}"))
        .collect();
    check("nouns", &faults);
}

/// The rows of three cells below a heading of docs/proofs.md: the first of them and the tests of the last.
fn rows_of_tests(heading: &str) -> Vec<(String, Vec<String>)> {
    let proofs = source::text("docs/proofs.md");
    let below = proofs.lines().skip_while(|line| *line != heading).skip(1);
    let cells = below.take_while(|line| !line.starts_with("## ")).filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        <[&str; 3]>::try_from(cells).ok()
    });
    cells
        .map(|[first, _, tests]| {
            let tests = tests.split(", ").map(|it| it.trim_matches('`').to_owned());
            (first.to_owned(), tests.collect())
        })
        .collect()
}

/// Whether any member has a function of this name.
fn is_there(name: &str) -> bool {
    static CODE: LazyLock<Vec<String>> = LazyLock::new(|| {
        let members = members();
        let files = members.iter().flat_map(|member| source::files(member, &[".rs"]));
        files.map(|file| source::text(&file)).collect()
    });
    let declared = format!("fn {name}(");
    CODE.iter().any(|text| text.contains(&declared))
}

#[test]
fn every_case_of_abuse_names_its_tests() {
    let mut missing: BTreeSet<u32> = CASES.into_iter().flatten().collect();
    let mut faults = Vec::new();
    for (case, tests) in rows_of_tests("## Doors and surroundings") {
        let Ok(case) = case.parse::<u32>() else { continue };
        missing.remove(&case);
        let waits = tests.iter().any(|it| it.starts_with(WAITS));
        if waits != WAITING.contains(&case) {
            faults.push(format!("{case}: a case that waits has no test, and any other has one"));
        }
        for name in tests.iter().filter(|_| !waits) {
            let numbered = name.split('_').any(|part| part.parse() == Ok(case));
            if !numbered || !is_there(name) {
                faults.push(format!("{case}: there is no such test: {name}"));
            }
        }
    }
    faults.extend(missing.iter().map(|case| format!("{case}: no row")));
    check("cases of docs/proofs.md", &faults);
}

#[test]
fn every_clause_of_the_contract_names_its_tests() {
    let mut missing: BTreeSet<&str> = CLAUSES.into_iter().collect();
    let mut faults = Vec::new();
    for (clause, tests) in rows_of_tests("## The contract") {
        if missing.remove(clause.as_str()) {
            let gone = tests.iter().filter(|name| !is_there(name));
            faults.extend(gone.map(|name| format!("{clause}: there is no such test: {name}")));
        }
    }
    faults.extend(missing.iter().map(|clause| format!("{clause}: no row")));
    check("clauses of docs/proofs.md", &faults);
}

#[test]
fn every_generated_file_says_so() {
    let text = source::text("proto/src/gen/fusionchat.v1.rs");
    assert!(text.starts_with("// This file is @generated"), "generated code is marked");
}
