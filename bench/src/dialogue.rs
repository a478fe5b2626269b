//! The dialogues that are played: real ones of a file, or a few built in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// The most dialogues a file may hold.
const DIALOGUES_MAX: usize = 100_000;

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Side {
    /// The visitor, over a WebSocket.
    Visitor,
    /// The agent, over gRPC.
    Agent,
}

/// One thing that is said.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Turn {
    /// By whom.
    pub(crate) from: Side,
    /// The words.
    pub(crate) text: String,
}

/// One conversation from its first word to its last.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dialogue {
    /// What is said, in order; the visitor begins.
    pub(crate) turns: Vec<Turn>,
}

/// Everything that is to be played.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// The dialogues.
    pub(crate) dialogues: Vec<Dialogue>,
    /// How many turns without a word were left out.
    pub(crate) empty: usize,
}

/// Where the dialogues are by default: beside the project's checkout.
pub(crate) fn default_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/dialogues.jsonl")
}

/// Reads a file of one dialogue a line.
pub(crate) fn read(file: &Path) -> Result<Script> {
    let text = std::fs::read_to_string(file).with_context(|| {
        format!(
            "cannot read dialogues from {}; pass --dialogues FILE with one JSON object a line: \
             {{\"turns\": [{{\"from\": \"visitor\"|\"agent\", \"text\": \"…\"}}]}}",
            file.display()
        )
    })?;
    parse(&text).with_context(|| format!("in {}", file.display()))
}

fn parse(text: &str) -> Result<Script> {
    let mut dialogues = Vec::new();
    let mut empty = 0;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        let mut dialogue: Dialogue =
            serde_json::from_str(line).with_context(|| format!("line {number}"))?;
        // Nobody can send nothing: it is `empty_message`.
        let before = dialogue.turns.len();
        dialogue.turns.retain(|turn| !turn.text.trim().is_empty());
        empty += before - dialogue.turns.len();
        let first = dialogue.turns.first().map(|turn| turn.from);
        ensure!(first == Some(Side::Visitor), "line {number}: the visitor must begin");
        dialogues.push(dialogue);
    }
    ensure!(!dialogues.is_empty(), "there is no dialogue");
    ensure!(dialogues.len() <= DIALOGUES_MAX, "more than {DIALOGUES_MAX} dialogues");
    Ok(Script { dialogues, empty })
}

/// A few dialogues of our own, so that the bench can try itself anywhere.
pub(crate) fn built_in() -> Script {
    let scripts: [&[&str]; 3] = [
        &[
            "Is the lantern in stock?",
            "Yes, eleven of them.",
            "Can you send two to Oslo?",
            "Of course. Four days.",
            "Thank you!",
            "You are welcome.",
        ],
        &[
            "The strap is torn, can I get a new one?",
            "A new strap is on its way.",
            "Great: \u{1f44d} – \"merci\" <b>&amp;</b>",
            "Have a good day!",
        ],
        &[
            "hello",
            "Hello, how can I help?",
            "hello",
            "Yes?",
            "I want to change my address.",
            "What is the number of your order?",
            "77 120\nand 77 121",
            "Both are changed.",
        ],
    ];
    let dialogue = |script: &[&str]| {
        let side = |at: usize| if at.is_multiple_of(2) { Side::Visitor } else { Side::Agent };
        let turn = |(at, text): (usize, &&str)| Turn { from: side(at), text: (*text).to_owned() };
        Dialogue { turns: script.iter().enumerate().map(turn).collect() }
    };
    let dialogues = scripts.iter().cycle().take(BUILT_IN).map(|script| dialogue(script));
    Script { dialogues: dialogues.collect(), empty: 0 }
}

/// How many there are built in.
const BUILT_IN: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_beginning_is_refused_by_line() {
        let good = r#"{"turns":[{"from":"visitor","text":"hi"},{"from":"agent","text":"yes"}]}"#;
        assert_eq!(parse(good).map(|it| it.dialogues.len()).ok(), Some(1));
        let bad = format!("{good}\n\n{}", good.replace("visitor", "agent"));
        let error = parse(&bad).expect_err("the agent begins");
        assert!(error.to_string().starts_with("line 3"), "{error}");
    }

    #[test]
    fn turns_without_a_word_are_left_out() {
        let text = r#"{"turns":[{"from":"visitor","text":"hi"},{"from":"agent","text":" "}]}"#;
        let script = parse(text).expect("a dialogue");
        assert_eq!((script.dialogues[0].turns.len(), script.empty), (1, 1));
    }

    #[test]
    fn a_missing_file_says_what_to_pass() {
        let error = read(Path::new("/nowhere/dialogues.jsonl")).expect_err("nothing there");
        assert!(error.to_string().contains("--dialogues FILE"), "{error}");
    }
}
