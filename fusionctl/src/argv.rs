//! The command line before clap sees it: `--demo USER`, plural nouns and `conv 1042 reply` become the plain
//! form. Pure: words in, words out.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use clap::Command;

/// Who a demo has credentials for; only these words can follow `--demo` after a space.
pub(crate) const DEMO_USERS: [&str; 4] = ["admin", "agent1", "agent2", "operator"];

/// What the rewriting must know of the command tree.
#[derive(Debug)]
pub(crate) struct Grammar {
    /// Global flags whose next word is their value.
    value_flags: BTreeSet<String>,
    /// Each noun (and its other spellings) with the verbs it has.
    nouns: BTreeMap<String, BTreeSet<String>>,
    /// Each plural with its noun.
    plurals: BTreeMap<String, String>,
}

impl Grammar {
    /// Reads nouns, verbs and global flags off the clap tree, so that they stand in one place only.
    pub(crate) fn of(command: &Command) -> Self {
        let mut value_flags = BTreeSet::new();
        for arg in command.get_arguments() {
            if !arg.get_action().takes_values() || arg.is_require_equals_set() {
                continue;
            }
            value_flags.extend(arg.get_short().map(|short| format!("-{short}")));
            value_flags.extend(arg.get_long().map(|long| format!("--{long}")));
        }
        let mut nouns = BTreeMap::new();
        let mut plurals = BTreeMap::new();
        for noun in command.get_subcommands() {
            let verbs: BTreeSet<String> =
                noun.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
            for name in std::iter::once(noun.get_name()).chain(noun.get_all_aliases()) {
                if verbs.contains("list") {
                    plurals.insert(plural(name), name.to_owned());
                }
                nouns.insert(name.to_owned(), verbs.clone());
            }
        }
        Self { value_flags, nouns, plurals }
    }

    fn is_verb(&self, noun: &str, word: &str) -> bool {
        self.nouns.get(noun).is_some_and(|verbs| verbs.contains(word))
    }

    /// Where the words stand that are no flag and no flag's value, up to `--`.
    fn positions(&self, words: &[OsString]) -> Vec<usize> {
        let mut found = Vec::new();
        let mut index = 1;
        while let Some(word) = words.get(index) {
            let text = word.to_string_lossy();
            if text == "--" {
                break;
            }
            if self.value_flags.contains(text.as_ref()) {
                // Where the value is missing, `--` is none: clap says so.
                index += usize::from(words.get(index + 1).is_some_and(|value| value != "--"));
            } else if text == "-" || !text.starts_with('-') {
                found.push(index);
            }
            index += 1;
        }
        found
    }
}

fn plural(noun: &str) -> String {
    if noun.ends_with('x') { format!("{noun}es") } else { format!("{noun}s") }
}

/// The plain form of a command line; `words[0]` is the program.
///
/// - `--demo agent1 …` becomes `--demo=agent1 …`; any other word after `--demo` is left alone;
/// - `convs …` becomes `conv list …`;
/// - `conv 1042 reply "hi"` becomes `conv reply 1042 "hi"`, and `conv 1042` becomes `conv get 1042`.
pub(crate) fn rewrite(grammar: &Grammar, words: Vec<OsString>) -> Vec<OsString> {
    let mut words = join_demo_user(words);
    let positions = grammar.positions(&words);
    let Some(&noun_at) = positions.first() else { return words };
    let word_at = |nth: usize| {
        positions.get(nth).and_then(|&at| words.get(at)).map(|word| word.to_string_lossy())
    };
    let noun = word_at(0).unwrap_or_default().into_owned();
    let second = word_at(1).map(std::borrow::Cow::into_owned);
    let third = word_at(2).map(std::borrow::Cow::into_owned);
    if let Some(singular) = grammar.plurals.get(&noun) {
        words[noun_at] = singular.into();
        if !second.is_some_and(|word| grammar.is_verb(singular, &word)) {
            words.insert(noun_at + 1, "list".into());
        }
        return words;
    }
    let Some(second) = second else { return words };
    if grammar.is_verb(&noun, &second) {
        return words;
    }
    match third {
        Some(third) if grammar.is_verb(&noun, &third) => {
            let verb = words.remove(positions[2]);
            words.insert(noun_at + 1, verb);
        }
        None if is_reference(&second) && grammar.is_verb(&noun, "get") => {
            words.insert(noun_at + 1, "get".into());
        }
        Some(_) | None => {}
    }
    words
}

/// A conversation's number, with or without `#`.
fn is_reference(word: &str) -> bool {
    let digits = word.strip_prefix('#').unwrap_or(word);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn join_demo_user(words: Vec<OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::with_capacity(words.len());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            joined.push(word);
            joined.extend(words);
            break;
        }
        let user = word.to_str().filter(|text| DEMO_USERS.contains(text));
        match (user, joined.last_mut()) {
            (Some(user), Some(last)) if last == "--demo" => *last = format!("--demo={user}").into(),
            (Some(_) | None, Some(_) | None) => joined.push(word),
        }
    }
    joined
}

/// True if the line asks for JSON errors. Read before clap, so that clap's own refusals can be JSON too.
pub(crate) fn wants_json(words: &[OsString]) -> bool {
    let mut previous = "";
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        if word == "--" {
            break;
        }
        let value = if matches!(previous, "-o" | "--output") {
            Some(word)
        } else {
            word.strip_prefix("--output=")
                .or_else(|| word.strip_prefix("-o"))
                .map(|value| value.strip_prefix('=').unwrap_or(value))
        };
        if matches!(value, Some("json" | "jsonl")) {
            return true;
        }
        previous = word;
    }
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;
    use std::sync::LazyLock;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::{Grammar, OsString, rewrite, wants_json};

    /// Words that mean something here, and others, which need not be text.
    fn any_words() -> impl Strategy<Value = Vec<OsString>> {
        const WORDS: [&str; 16] = [
            "conv",
            "convs",
            "inboxes",
            "list",
            "reply",
            "get",
            "1042",
            "#7",
            "--demo",
            "agent1",
            "-o",
            "json",
            "--",
            "-",
            "--endpoint",
            "",
        ];
        let word = prop_oneof![
            4 => select(&WORDS[..]).prop_map(OsString::from),
            1 => vec(any::<u8>(), 0..8).prop_map(OsString::from_vec),
        ];
        vec(word, 0..9)
    }

    fn sorted(mut words: Vec<OsString>) -> Vec<OsString> {
        words.sort();
        words
    }

    static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| Grammar::of(&crate::cli::command()));

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8_192))]

        #[test]
        fn the_plain_form_keeps_what_was_typed(typed in any_words()) {
            let typed: Vec<OsString> = [OsString::from("f")].into_iter().chain(typed).collect();
            let plain = rewrite(&GRAMMAR, typed.clone());
            wants_json(&typed);
            // What follows `--` is nobody's but the command's.
            let rest = |words: &[OsString]| {
                let at = words.iter().position(|word| word == "--");
                at.map(|at| words[at..].to_vec())
            };
            prop_assert_eq!(rest(&plain), rest(&typed));
            // Words are moved and joined, one is put in its singular, and a verb may come: none is lost.
            let is_plural = |word: &OsString| word == "convs" || word == "inboxes";
            let is_joined = |word: &OsString| word.to_string_lossy().starts_with("--demo=");
            let strange = typed.iter().any(is_plural) || plain.iter().any(is_joined);
            if !strange {
                let mut left = sorted(plain);
                for word in sorted(typed) {
                    let at = left.iter().position(|it| *it == word);
                    prop_assert!(at.is_some(), "{word:?} is lost");
                    left.remove(at.unwrap_or_default());
                }
                prop_assert!(left.len() <= 1 && left.iter().all(|it| it == "list" || it == "get"));
            }
        }
    }

    proptest! {
        #[test]
        fn any_line_is_taken_or_refused(typed in any_words()) {
            let typed: Vec<OsString> = [OsString::from("f")].into_iter().chain(typed).collect();
            let (command, plain) = (crate::cli::command(), rewrite(&GRAMMAR, typed));
            let _ = command.try_get_matches_from(plain);
        }
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn check(typed: &str, plain: &str) {
        let grammar = Grammar::of(&crate::cli::command());
        assert_eq!(rewrite(&grammar, words(typed)), words(plain), "{typed}");
    }

    #[test]
    fn demo_takes_only_a_demo_user() {
        check("f --demo escalation list", "f --demo escalation list");
        check("f --demo agent2 escalation list", "f --demo=agent2 escalation list");
        check("f -o json --demo operator tenant list", "f -o json --demo=operator tenant list");
        check("f --demo=agent1 conv list", "f --demo=agent1 conv list");
        check("f --demo somebody conv list", "f --demo somebody conv list");
        check("f escalation list --demo agent1", "f escalation list --demo=agent1");
        check("f conv reply 1 -- --demo agent1", "f conv reply 1 -- --demo agent1");
    }

    #[test]
    fn a_plural_noun_is_a_list() {
        check("f convs", "f conv list");
        check("f convs --status open", "f conv list --status open");
        check("f --demo inboxes -o json", "f --demo inbox list -o json");
        check("f -o json tenants", "f -o json tenant list");
        check("f keys create --name ci", "f key create --name ci");
        check("f escalations", "f escalation list");
        check("f articles list", "f article list");
    }

    #[test]
    fn the_number_may_come_first() {
        check("f conv 1042 reply hi", "f conv reply 1042 hi");
        check("f --demo agent1 conv #1042 claim --take", "f --demo=agent1 conv claim #1042 --take");
        check("f conv -o json 1042 tail", "f conv tail -o json 1042");
        check("f conv 1042", "f conv get 1042");
        check("f conv #1042 -o json", "f conv get #1042 -o json");
        check("f inbox web get", "f inbox get web");
    }

    #[test]
    fn everything_else_is_left_alone() {
        for line in [
            "f",
            "f --help",
            "f conv reply 1042 list",
            "f conv reply 1042 -- conv 3 get",
            "f conv start --inbox web get",
            "f conv nonsense",
            "f nonsense 1042 reply",
            "f conv 1042 nonsense",
        ] {
            check(line, line);
        }
    }

    #[test]
    fn json_is_seen_before_clap() {
        for line in
            ["f -o json x", "f x -ojsonl", "f --output=json", "f x --output jsonl", "f -o=json"]
        {
            assert!(wants_json(&words(line)), "{line}");
        }
        for line in ["f", "f -o table", "f json", "f conv reply 1 -- -o json"] {
            assert!(!wants_json(&words(line)), "{line}");
        }
    }
}
