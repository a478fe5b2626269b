//! The renderer: three formats, hostile text, narrow terminals, streams and failures.

use futures::{StreamExt, stream};
use serde_json::{Map, Value, json};

use super::{
    Cell, Column, Format, Item, Look, Object, Output, Renderer, Row, Rows, Section, Shape, Speech,
    Stream, Tone,
};
use crate::failure::{Exit, Failure};

const NOW_MS: i64 = 1_790_000_000_000;
const HOSTILE: &str = "\u{1b}]0;owned\u{7}Jo\u{1b}[2J\u{202e}\nsecond\u{9b}31m";
const COLUMNS: &[Column] =
    &[Column::fixed("NUMBER"), Column::fixed("WAITING"), Column::flexible("LAST LINE")];

fn look(format: Format) -> Look {
    Look { format, quiet: false, colour: false, width: None, now_ms: || NOW_MS }
}

async fn print_as(look: Look, output: Output) -> (String, String, Result<(), Failure>) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut renderer = Renderer { stdout: &mut stdout, stderr: &mut stderr, look };
    let result = renderer.print(output).await;
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap(), result)
}

async fn print(format: Format, output: Output) -> String {
    let (stdout, _, result) = print_as(look(format), output).await;
    result.unwrap();
    assert!(
        !stdout.chars().any(|c| c != '\n' && super::safe_text::is_hostile(c)),
        "harmless in every format: {stdout:?}"
    );
    stdout
}

fn row(number: u64, text: &str) -> Row {
    let json = json!({ "number": number, "lastLine": text });
    let Value::Object(json) = json else { unreachable!("an object") };
    let cells =
        vec![Cell::Number(number), Cell::Since(NOW_MS - 252_000), Cell::Text(text.to_owned())];
    Row { json, shape: Shape::Cells(cells) }
}

fn rows() -> Rows {
    let rows = vec![row(1042, HOSTILE), row(1043, "결제가 두 번")];
    Rows { columns: COLUMNS, rows, now_ms: Some(NOW_MS), more: true, notices: vec!["cut".into()] }
}

#[tokio::test]
async fn a_list_in_three_formats() {
    assert_eq!(
        print(Format::Table, Output::Rows(rows())).await,
        "NUMBER  WAITING  LAST LINE\n\
         1042    4m 12s   Jo⏎second\n\
         1043    4m 12s   결제가 두 번\n"
    );
    let list: Value =
        serde_json::from_str(&print(Format::Json, Output::Rows(rows())).await).unwrap();
    assert_eq!(list["apiVersion"], "fusion/v1");
    assert_eq!(list["items"][0]["lastLine"], HOSTILE, "nothing is lost in JSON");
    assert_eq!((&list["more"], &list["now"]), (&json!(true), &json!(NOW_MS)));
    let lines = print(Format::Jsonl, Output::Rows(rows())).await;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["number"], 1043);
    assert_eq!(lines[1]["apiVersion"], "fusion/v1");
}

#[tokio::test]
async fn a_narrow_terminal_cuts_the_flexible_column() {
    let wide =
        vec![row(1042, "a line that is far too long for it"), row(1043, "결제가 두 번 됐어요")];
    let rows = Rows { columns: COLUMNS, rows: wide, ..Rows::default() };
    let narrow = Look { width: Some(30), ..look(Format::Table) };
    let (stdout, _, _) = print_as(narrow, Output::Rows(rows)).await;
    assert_eq!(
        stdout,
        "NUMBER  WAITING  LAST LINE\n\
         1042    4m 12s   a line that …\n\
         1043    4m 12s   결제가 두 번…\n"
    );
}

#[tokio::test]
async fn an_empty_list_says_so_on_stderr_only() {
    let (stdout, stderr, _) = print_as(look(Format::Table), Output::Rows(Rows::default())).await;
    assert_eq!((stdout.as_str(), stderr.as_str()), ("", "none\n"));
    let quiet = Look { quiet: true, ..look(Format::Table) };
    let (_, stderr, _) = print_as(quiet, Output::Rows(rows())).await;
    assert_eq!(stderr, "", "--quiet drops notices");
    assert!(print(Format::Json, Output::Rows(Rows::default())).await.contains("\"items\": []"));
}

fn speech(tone: Tone, content: &str) -> Row {
    let speech = Speech {
        seq: (tone != Tone::Note).then_some(7),
        at_ms: NOW_MS,
        who: "ana\u{1b}[1m".into(),
        tone,
        content: content.into(),
        sources: vec!["Delivery http://x/a/1".into()],
    };
    let mut json = Map::new();
    json.insert("seq".into(), json!(7));
    Row { json, shape: Shape::Speech(speech) }
}

#[tokio::test]
async fn a_transcript_cannot_be_forged() {
    let forged = "fine\n   8  14:13:20  visitor       give me a refund";
    let rows = vec![speech(Tone::Staff, forged), speech(Tone::Note, "angry")];
    let section = Section::Rows(Rows { rows, ..Rows::default() });
    let fields = vec![("number", Cell::Number(1042)), ("visitor", Cell::Text(HOSTILE.into()))];
    let object = Object { fields, sections: vec![section], ..Object::default() };
    assert_eq!(
        print(Format::Table, Output::Object(object)).await,
        "number   1042\n\
         visitor  Jo⏎second\n\
         \n\
         \u{20}  7  14:13:20  ana           fine\n\
         \u{20}               │    8  14:13:20  visitor       give me a refund\n\
         \u{20}               │ source: Delivery http://x/a/1\n\
         \u{20}  -  14:13:20  NOTE by ana, staff only  angry\n\
         \u{20}               │ source: Delivery http://x/a/1\n"
    );
}

fn stream_of(endless: bool, items: Vec<Result<Item, Failure>>) -> Output {
    Output::Stream(Stream { columns: COLUMNS, endless, items: stream::iter(items).boxed() })
}

#[tokio::test]
async fn a_stream_in_three_formats() {
    let items = || vec![Ok(Item::Row(row(1, "a"))), Ok(Item::Row(row(2, "b")))];
    let table = print(Format::Table, stream_of(false, items())).await;
    assert_eq!(table.lines().count(), 3);
    assert_eq!(print(Format::Jsonl, stream_of(false, items())).await.lines().count(), 2);
    let one = print(Format::Json, stream_of(false, items())).await;
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["items"].as_array().unwrap().len(), 2, "one array");
    let (stdout, _, result) = print_as(look(Format::Json), stream_of(true, items())).await;
    assert_eq!((stdout.as_str(), result.unwrap_err().exit), ("", Exit::Usage));
}

#[tokio::test]
async fn a_stream_that_fails_keeps_what_it_wrote() {
    let items = vec![
        Ok(Item::Row(row(1, "a"))),
        Ok(Item::Notice("connection lost".into())),
        Err(Failure::new(Exit::Unreachable, "unreachable", "gone")),
    ];
    let (stdout, stderr, result) = print_as(look(Format::Table), stream_of(false, items)).await;
    assert_eq!(stdout.lines().count(), 2, "title and row");
    assert_eq!(stderr, "connection lost\n");
    assert_eq!(result.unwrap_err().exit, Exit::Unreachable);
}

/// A reader that went away, as `| head` does.
struct Closed;

impl std::io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
}

#[tokio::test]
async fn a_closed_stdout_is_no_failure() {
    for format in [Format::Table, Format::Json, Format::Jsonl] {
        let (mut stdout, mut stderr) = (Closed, Vec::new());
        let look = look(format);
        let mut renderer = Renderer { stdout: &mut stdout, stderr: &mut stderr, look };
        renderer.print(Output::Rows(rows())).await.unwrap();
        renderer.print(stream_of(false, vec![Ok(Item::Row(row(1, "a")))])).await.unwrap();
    }
}

#[test]
fn failures_name_the_holder() {
    let failure = Failure::new(Exit::Conflict, "already_claimed", "agent2\u{1b}[2J has it")
        .with_param("by", "agent2")
        .with_param("since", (NOW_MS - 60_000).to_string())
        .with_hint("take it with --take");
    let written = |format| {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let look = look(format);
        Renderer { stdout: &mut stdout, stderr: &mut stderr, look }.failure(&failure);
        assert!(stdout.is_empty());
        String::from_utf8(stderr).unwrap()
    };
    assert_eq!(
        written(Format::Table),
        "error: agent2 has it\n\
         held:  agent2, since 2026-09-21 14:12:20 UTC (1m 00s ago)\n\
         hint:  take it with --take\n"
    );
    for format in [Format::Json, Format::Jsonl] {
        let text = written(format);
        assert_eq!(text.lines().count(), 1, "one object");
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&object["exit"], &object["params"]["by"]), (&json!(6), &json!("agent2")));
    }
}

#[tokio::test]
async fn colour_is_ours_alone() {
    let coloured = Look { colour: true, ..look(Format::Table) };
    let (stdout, _, _) = print_as(coloured, Output::Rows(rows())).await;
    assert!(stdout.starts_with("\u{1b}[1mNUMBER"));
    assert!(!stdout.contains("[2J"));
}
