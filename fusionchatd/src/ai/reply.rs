//! Reads a model's reply while it grows: the first line says what it wants to do, the rest is cut into sentences.
//! Pure. What the model wants is read from the first line alone, never from the words of its answer.

use serde_json::Value;

use crate::search::sentences::sentences;

/// The longest first line, in bytes; a longer one is none.
const FIRST_LINE_BYTES_MAX: usize = 200;
/// The longest answer, in characters.
pub const ANSWER_CHARS_MAX: usize = 2_000;
/// The most citations that are read.
const CITATIONS_MAX: usize = 8;

/// What the model wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Answer from the passages with these numbers.
    Answer(Vec<usize>),
    /// Ask back.
    Clarify,
    /// Hand over, for one of [`REASONS`].
    HandOff(&'static str),
}

/// The reasons a model may give for a hand-over. Any other is the last one.
pub const REASONS: [&str; 4] = ["no_answer", "needs_person", "sensitive", "assistant_choice"];

/// A reply that is not of the agreed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// What a reply's next bytes brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grown {
    /// Whole sentences, each with the white space before it.
    pub sentences: Vec<String>,
}

/// A reply that is growing.
#[derive(Debug, Default)]
pub struct Reply {
    action: Option<Action>,
    rest: String,
    chars: usize,
}

impl Reply {
    /// What it wants to do, once its first line is there.
    #[must_use]
    pub fn action(&self) -> Option<&Action> {
        self.action.as_ref()
    }

    /// Adds text that came. Control characters are left out, as the widget does with a visitor's.
    pub fn push(&mut self, text: &str) -> Result<Grown, Malformed> {
        let kept = text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control());
        self.rest.extend(kept.filter(|c| !is_invisible(*c)));
        if self.action.is_none() && !self.read_first_line(false)? {
            return Ok(Grown { sentences: Vec::new() });
        }
        self.take(false)
    }

    /// The stream is at its end: what is left is the last sentence.
    pub fn finish(&mut self) -> Result<Grown, Malformed> {
        if self.action.is_none() && !self.read_first_line(true)? {
            return Err(Malformed);
        }
        self.take(true)
    }

    /// Reads the first line that is not empty, if it is whole.
    fn read_first_line(&mut self, ended: bool) -> Result<bool, Malformed> {
        // What comes before it is let go at once: white space without end takes no room.
        let blank = self.rest.len() - self.rest.trim_start().len();
        self.rest.drain(..blank);
        if self.rest.starts_with('{') {
            return self.read_object(ended);
        }
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        if end > FIRST_LINE_BYTES_MAX {
            return Err(Malformed);
        }
        if end == self.rest.len() && !ended {
            return Ok(false);
        }
        let line = &self.rest[..end];
        if line.starts_with("```") {
            self.rest.drain(..end);
            return if ended { Err(Malformed) } else { self.read_first_line(ended) };
        }
        self.action = Some(first_line(line).ok_or(Malformed)?);
        self.rest.drain(..end);
        let blank = self.rest.len() - self.rest.trim_start().len();
        self.rest.drain(..blank);
        Ok(true)
    }

    /// Some models answer with one JSON object whatever they are told.
    fn read_object(&mut self, ended: bool) -> Result<bool, Malformed> {
        if !ended {
            return if self.rest.len() > ANSWER_CHARS_MAX * 4 { Err(Malformed) } else { Ok(false) };
        }
        let value: Value = serde_json::from_str(self.rest.trim()).map_err(|_| Malformed)?;
        let word = value["action"].as_str().unwrap_or_default();
        let reason = value["reason"].as_str().unwrap_or_default();
        let listed = value["citations"].as_array().cloned().unwrap_or_default();
        let numbers = listed.iter().filter_map(Value::as_u64);
        let citations = numbers.filter_map(|it| usize::try_from(it).ok()).take(CITATIONS_MAX);
        self.action = Some(action(word, citations.collect(), reason).ok_or(Malformed)?);
        let text = value["text"].as_str().unwrap_or_default();
        let kept = text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control());
        self.rest = kept.filter(|c| !is_invisible(*c)).collect();
        Ok(true)
    }

    fn take(&mut self, ended: bool) -> Result<Grown, Malformed> {
        let found = sentences(&self.rest);
        let whole = if ended { found.len() } else { found.len().saturating_sub(1) };
        let mut taken = Vec::with_capacity(whole);
        let mut from = 0;
        for range in &found[..whole] {
            taken.push(self.rest[from..range.end].to_owned());
            from = range.end;
        }
        self.rest.drain(..from);
        if self.chars == 0
            && let Some(first) = taken.first_mut()
        {
            *first = first.trim_start().to_owned();
        }
        self.chars += taken.iter().map(|it| it.chars().count()).sum::<usize>();
        if self.chars + self.rest.len() / 4 > ANSWER_CHARS_MAX {
            return Err(Malformed);
        }
        Ok(Grown { sentences: taken })
    }
}

/// Characters that show nothing or turn the writing direction: nobody types them in an answer.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

fn first_line(line: &str) -> Option<Action> {
    let plain: String = line.chars().filter(|c| !matches!(c, '*' | '`' | '#' | '"')).collect();
    let plain = plain.trim();
    let lower = plain.to_ascii_lowercase();
    let plain = if lower.starts_with("action:") { plain["action:".len()..].trim() } else { plain };
    let end = plain.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(plain.len());
    let (word, rest) = plain.split_at(end);
    let numbers = rest.split(|c: char| !c.is_ascii_digit()).filter_map(|it| it.parse().ok());
    let reason = rest.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let stop = reason.find(|c: char| !(c.is_ascii_alphabetic() || c == '_'));
    action(word, numbers.take(CITATIONS_MAX).collect(), &reason[..stop.unwrap_or(reason.len())])
}

fn action(word: &str, citations: Vec<usize>, reason: &str) -> Option<Action> {
    match word.to_ascii_lowercase().as_str() {
        "answer" => Some(Action::Answer(citations)),
        "clarify" => Some(Action::Clarify),
        "handoff" | "handover" => {
            let known = REASONS.iter().find(|it| it.eq_ignore_ascii_case(reason));
            Some(Action::HandOff(known.unwrap_or(&"assistant_choice")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a reply in steps and returns the action and all sentences.
    fn read(text: &str, step: usize) -> Result<(Action, Vec<String>), Malformed> {
        let mut reply = Reply::default();
        let mut all = Vec::new();
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(step) {
            all.extend(reply.push(&piece.iter().collect::<String>())?.sentences);
        }
        all.extend(reply.finish()?.sentences);
        Ok((reply.action.expect("read"), all))
    }

    #[test]
    fn a_reply_reads_the_same_in_any_pieces() {
        let text = "ANSWER [1, 2]\n\nIt takes 5 days. Send it back, e.g. by post.\n\nDone";
        for step in [1, 2, 7, 1000] {
            let (action, sentences) = read(text, step).expect("good");
            assert_eq!(action, Action::Answer(vec![1, 2]));
            assert_eq!(
                sentences,
                ["It takes 5 days.", " Send it back, e.g. by post.", "\n\nDone"],
                "{step}"
            );
        }
    }

    #[test]
    fn first_lines_are_read_leniently() {
        for (line, wanted) in [
            ("answer: [1][3]", Some(Action::Answer(vec![1, 3]))),
            ("**ANSWER** 2", Some(Action::Answer(vec![2]))),
            ("Action: ANSWER [1]", Some(Action::Answer(vec![1]))),
            ("CLARIFY", Some(Action::Clarify)),
            ("HANDOFF needs_person", Some(Action::HandOff("needs_person"))),
            ("HANDOFF: because I say so", Some(Action::HandOff("assistant_choice"))),
            ("Sure! I will hand you over to a person.", None),
            ("", None),
        ] {
            assert_eq!(read(line, 3).ok().map(|it| it.0), wanted, "{line}");
        }
        let object = r#"{"action":"answer","citations":[1],"text":"Yes. It does."}"#;
        let (action, sentences) = read(object, 5).expect("good");
        assert_eq!((action, sentences.len()), (Action::Answer(vec![1]), 2));
        assert!(read("```\nANSWER [1]\nYes.", 4).is_ok());
        assert!(read(&"x".repeat(5_000), 100).is_err(), "no first line");
    }

    #[test]
    fn fault_74_control_and_invisible_characters_are_left_out() {
        let (_, sentences) =
            read("ANSWER [1]\nA\u{1b}[31m\u{202e}b\u{0}c\u{e0041}.", 1).expect("good");
        assert_eq!(sentences, ["A[31mbc."]);
    }

    #[test]
    fn fault_73_an_answer_without_end_is_refused() {
        let endless = format!("ANSWER [1]\n{}", "And so on. ".repeat(1_000));
        assert_eq!(read(&endless, 50), Err(Malformed));
        assert_eq!(read(&format!("ANSWER [1]\n{}", "a".repeat(20_000)), 50), Err(Malformed));
    }
}

#[cfg(test)]
#[path = "reply_prop_test.rs"]
mod prop;
