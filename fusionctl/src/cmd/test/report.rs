//! What a run of tests says: a row for each, and for those that did not hold the turn, what was expected, what came
//! instead and the transcript.

use serde_json::{Map, Value, json};

use crate::cmd::conv::speech;
use crate::cmd::test::play::{Outcome, Played};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Column, Object, Output, Report, Row, Rows, Section, Shape};
use crate::view;

const COLUMNS: &[Column] = &[
    Column::fixed("RESULT"),
    Column::fixed("TOOK"),
    Column::flexible("TEST"),
    Column::fixed("FILE"),
];

/// Which of several ends decides the exit code: the first that occurs.
const EXITS: [Exit; 5] =
    [Exit::SignInNeeded, Exit::Forbidden, Exit::Unreachable, Exit::TimedOut, Exit::Failed];

pub(super) fn report(results: &[Played]) -> Report {
    let count =
        |wanted: fn(&Outcome) -> bool| results.iter().filter(|it| wanted(&it.outcome)).count();
    let held = count(|it| matches!(it, Outcome::Held));
    let missed = count(|it| matches!(it, Outcome::Missed(_)));
    let broken = count(|it| matches!(it, Outcome::Broken(_)));
    let mut json = Map::new();
    json.insert("held".into(), json!(held));
    json.insert("failed".into(), json!(missed));
    json.insert("broken".into(), json!(broken));
    json.insert("tests".into(), results.iter().map(as_json).collect());
    let rows = results.iter().map(row).collect();
    let mut sections = vec![Section::Rows(Rows { columns: COLUMNS, rows, ..Rows::default() })];
    sections.extend(results.iter().filter_map(detail).map(Section::Text));
    let number = |count: usize| Cell::Number(count as u64);
    let fields =
        vec![("held", number(held)), ("failed", number(missed)), ("broken", number(broken))];
    let output = Output::Object(Object { json, fields, sections, notices: vec![] });
    let exit = EXITS.into_iter().find(|exit| results.iter().any(|it| it.outcome.exit() == *exit));
    let failure = exit.map(|exit| failure(exit, results, missed + broken));
    Report { output, failure }
}

/// The run's failure: of a key or a daemon, what the daemon or the connection said.
fn failure(exit: Exit, results: &[Played], count: usize) -> Failure {
    let cause = results.iter().find_map(|it| match &it.outcome {
        Outcome::Broken(broken) if it.outcome.exit() == exit && exit != Exit::Failed => {
            Some(broken.failure.clone())
        }
        Outcome::Held | Outcome::Missed(_) | Outcome::Broken(_) => None,
    });
    cause.unwrap_or_else(|| {
        let text = format!("{count} of {} conversation tests did not hold", results.len());
        Failure::new(Exit::Failed, "expectation_failed", text)
    })
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Held => "held",
        Outcome::Missed(_) => "failed",
        Outcome::Broken(_) => "broken",
    }
}

fn row(played: &Played) -> Row {
    let cells = vec![
        Cell::Text(word(&played.outcome).to_owned()),
        Cell::Text(format!("{} ms", played.took.as_millis())),
        Cell::text(&played.name),
        Cell::text(&played.file),
    ];
    Row { json: Map::new(), shape: Shape::Cells(cells) }
}

fn as_json(played: &Played) -> Value {
    let mut json = json!({
        "name": played.name,
        "file": played.file,
        "outcome": word(&played.outcome),
        "tookMs": u64::try_from(played.took.as_millis()).unwrap_or(u64::MAX),
        "conversation": played.number,
    });
    match &played.outcome {
        Outcome::Held => {}
        Outcome::Missed(missed) => {
            let transcript: Vec<_> = missed.transcript.iter().map(view::message).collect();
            json["turn"] = json!(missed.turn);
            json["line"] = json!(missed.line);
            json["expected"] = json!(missed.miss.expected);
            json["got"] = json!(missed.miss.got);
            json["transcript"] = json!(transcript);
        }
        Outcome::Broken(broken) => {
            json["turn"] = json!(broken.turn);
            json["line"] = json!(broken.line);
            json["error"] = broken.failure.to_json();
        }
    }
    json
}

/// What a person reads of a test that did not hold; nothing of one that did.
pub(super) fn detail(played: &Played) -> Option<String> {
    let Played { file, name, .. } = played;
    match &played.outcome {
        Outcome::Held => None,
        Outcome::Missed(missed) => {
            let mut text = format!(
                "{file}:{}: {name}\nturn {}: {}\nexpected: {}\ngot:      {}\n",
                missed.line, missed.turn, missed.said, missed.miss.expected, missed.miss.got,
            );
            for message in &missed.transcript {
                text.push_str(&transcript_line(message));
            }
            Some(text)
        }
        Outcome::Broken(broken) => {
            let what = &broken.failure.message;
            Some(format!("{file}:{}: {name}\nturn {}: {what}\n", broken.line, broken.turn))
        }
    }
}

fn transcript_line(message: &fusionchat_proto::v1::Message) -> String {
    match speech::of_message(message).shape {
        Shape::Speech(speech) => {
            let content = speech.content.replace('\n', "\n     ");
            format!("  {:>2} {}: {content}\n", message.seq, speech.who)
        }
        Shape::Cells(_) => String::new(),
    }
}
