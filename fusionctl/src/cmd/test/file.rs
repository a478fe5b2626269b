//! A conversation test's file: as typed, then checked. Every mistake names its line. It never panics, whatever the
//! bytes are, and reads no more than its bounds allow.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::names;
use crate::output::API_VERSION;
use crate::time::parse_duration;

/// The kind of file this is.
const KIND: &str = "ConversationTest";
/// The largest file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// How deep lists and maps may stand in each other.
const DEPTH_MAX: usize = 16;
/// The most values in a file.
const NODES_MAX: usize = 20_000;
/// The most turns of a test.
const TURNS_MAX: usize = 200;
/// How long an expectation waits where it does not say.
const WITHIN_DEFAULT: Duration = Duration::from_secs(10);

/// A test that makes sense.
#[derive(Debug)]
pub(crate) struct Test {
    /// The file, as it was named.
    pub(super) file: String,
    pub(super) name: String,
    /// Empty where the organization has only one.
    pub(super) inbox: String,
    pub(super) turns: Vec<Turn>,
}

/// Who says something in a test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Speaker {
    Visitor,
    Agent,
}

/// One message, and what must come of it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) line: u64,
    pub(super) speaker: Speaker,
    pub(super) text: String,
    pub(super) expect: Expect,
}

/// What must be true, all of it, within a time.
#[derive(Debug)]
pub(super) struct Expect {
    pub(super) line: u64,
    pub(super) within: Duration,
    /// A message from this sender (a raw protocol value).
    pub(super) from: Option<i32>,
    /// All of these in that one message.
    pub(super) contains: Vec<String>,
    /// All of these among its sources.
    pub(super) cites: Vec<String>,
    pub(super) status: Option<i32>,
    pub(super) handler: Option<i32>,
    pub(super) reason: Option<String>,
    pub(super) silence: Option<Silence>,
}

/// Nothing from a sender, for a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    pub(super) from: i32,
    pub(super) within: Duration,
}

impl Expect {
    /// True if a message is expected.
    pub(super) fn wants_message(&self) -> bool {
        self.from.is_some() || !self.contains.is_empty() || !self.cites.is_empty()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Typed {
    api_version: Spanned<String>,
    kind: Spanned<String>,
    metadata: TypedMetadata,
    spec: TypedSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedMetadata {
    name: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedSpec {
    inbox: Option<String>,
    turns: Spanned<Vec<Spanned<TypedTurn>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedTurn {
    visitor: Option<Spanned<String>>,
    agent: Option<Spanned<String>>,
    expect: Option<Spanned<TypedExpect>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedExpect {
    from: Option<Spanned<String>>,
    within: Option<Spanned<String>>,
    #[serde(default)]
    cites: Vec<String>,
    #[serde(default)]
    contains: Vec<String>,
    status: Option<Spanned<String>>,
    reason: Option<Spanned<String>>,
    handler: Option<Spanned<String>>,
    silence: Option<Spanned<TypedSilence>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedSilence {
    from: Spanned<String>,
    within: Spanned<String>,
}

/// Reads a test's file. The error is every mistake in it, as `file:line: what`.
pub(super) fn read(path: &Path) -> Result<Test, Vec<String>> {
    let file = path.display().to_string();
    let bytes = bounded(path).map_err(|what| vec![format!("{file}: {what}")])?;
    parse(&file, &bytes)
}

fn bounded(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}

/// Parses a test's bytes.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Test, Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        vec![format!("{file}:{line}: is not UTF-8 text")]
    })?;
    let typed: Typed = serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let error = error.without_snippet();
        let line = error.location().map_or(1, |location| location.line()).max(1);
        let whole = error.to_string();
        let what = whole.lines().next().unwrap_or_default();
        vec![format!("{file}:{line}: {what}")]
    })?;
    let mut check = Check { file, mistakes: Vec::new() };
    let test = check.test(typed);
    if check.mistakes.is_empty() { Ok(test) } else { Err(check.mistakes) }
}

/// Nothing that expands: a test needs neither anchors nor merges.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 4 * NODES_MAX,
            max_documents: 1,
            max_anchors: 0,
            max_aliases: 0,
        },
    }
}

/// The second stage: gathers mistakes and goes on.
struct Check<'a> {
    file: &'a str,
    mistakes: Vec<String>,
}

impl Check<'_> {
    fn mistake(&mut self, line: u64, what: impl std::fmt::Display) {
        self.mistakes.push(format!("{}:{line}: {what}", self.file));
    }

    fn test(&mut self, typed: Typed) -> Test {
        if typed.api_version.value != API_VERSION {
            self.mistake(line(&typed.api_version), format!("apiVersion must be {API_VERSION}"));
        }
        if typed.kind.value != KIND {
            self.mistake(line(&typed.kind), format!("kind must be {KIND}"));
        }
        let name = typed.metadata.name;
        if name.value.trim().is_empty() {
            self.mistake(line(&name), "metadata.name is empty");
        }
        let turns = typed.spec.turns;
        let at = line(&turns);
        match turns.value.first() {
            None => self.mistake(at, "spec.turns is empty"),
            Some(first) if first.value.visitor.is_none() => {
                self.mistake(line(first), "the first turn must be the visitor's");
            }
            Some(_) => {}
        }
        if turns.value.len() > TURNS_MAX {
            self.mistake(at, format!("there are more than {TURNS_MAX} turns"));
        }
        let turns = turns.value.into_iter().take(TURNS_MAX).filter_map(|turn| self.turn(turn));
        let turns = turns.collect();
        let inbox = typed.spec.inbox.unwrap_or_default();
        Test { file: self.file.to_owned(), name: name.value, inbox, turns }
    }

    fn turn(&mut self, turn: Spanned<TypedTurn>) -> Option<Turn> {
        let at = line(&turn);
        let (speaker, text) = match (turn.value.visitor, turn.value.agent) {
            (Some(text), None) => (Speaker::Visitor, text),
            (None, Some(text)) => (Speaker::Agent, text),
            (Some(_), Some(_)) | (None, None) => {
                self.mistake(at, "a turn has either `visitor` or `agent`, and its text");
                return None;
            }
        };
        if text.value.trim().is_empty() {
            self.mistake(line(&text), "the text is empty");
        }
        let expect = match turn.value.expect {
            Some(expect) => self.expect(expect),
            None => Expect::nothing(at),
        };
        Some(Turn { line: at, speaker, text: text.value, expect })
    }

    fn expect(&mut self, typed: Spanned<TypedExpect>) -> Expect {
        let mut expect = Expect::nothing(line(&typed));
        let typed = typed.value;
        expect.from = typed.from.and_then(|it| self.name(names::sender_type, "sender", &it));
        expect.status = typed.status.and_then(|it| self.name(names::status, "status", &it));
        expect.handler = typed.handler.and_then(|it| self.name(names::handler, "handler", &it));
        expect.reason = typed.reason.map(|it| it.value);
        expect.within = typed.within.map_or(WITHIN_DEFAULT, |it| self.duration(&it));
        (expect.contains, expect.cites) = (typed.contains, typed.cites);
        if expect.contains.iter().chain(&expect.cites).any(|it| it.trim().is_empty()) {
            self.mistake(expect.line, "an empty text in `contains` or `cites` proves nothing");
        }
        expect.silence = typed.silence.and_then(|it| {
            let within = self.duration(&it.value.within);
            let from = self.name(names::sender_type, "sender", &it.value.from)?;
            Some(Silence { from, within })
        });
        let states = [expect.status.is_some(), expect.handler.is_some(), expect.reason.is_some()];
        let something =
            expect.wants_message() || expect.silence.is_some() || states.contains(&true);
        if !something {
            self.mistake(expect.line, "`expect` expects nothing");
        }
        expect
    }

    fn name(
        &mut self,
        of: fn(i32) -> Option<String>,
        what: &str,
        text: &Spanned<String>,
    ) -> Option<i32> {
        // The word of the rest of the file is taken for the word of the protocol.
        let value = if text.value == "visitor" { "user" } else { &text.value };
        let found = names::value(of, value);
        if found.is_none() {
            self.mistake(line(text), format!("there is no {what} `{}`", text.value));
        }
        found
    }

    fn duration(&mut self, text: &Spanned<String>) -> Duration {
        parse_duration(&text.value).unwrap_or_else(|what| {
            self.mistake(line(text), what);
            WITHIN_DEFAULT
        })
    }
}

impl Expect {
    fn nothing(line: u64) -> Self {
        Self {
            line,
            within: WITHIN_DEFAULT,
            from: None,
            contains: Vec::new(),
            cites: Vec::new(),
            status: None,
            handler: None,
            reason: None,
            silence: None,
        }
    }
}

fn line<T>(value: &Spanned<T>) -> u64 {
    value.referenced.line().max(1)
}

#[cfg(test)]
#[path = "file_test.rs"]
mod file_test;
