//! What a command has to say, and the one renderer that says it. A command returns an [`Output`]; nothing else
//! in this crate writes to stdout. Text from outside is made harmless here, whatever the format.

pub(crate) mod json;
pub(crate) mod safe_text;
pub(crate) mod table;

use std::io::{self, Write};

use clap::ValueEnum;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::time;
use table::{Paint, Widths};

/// The version every top-level JSON object carries.
pub(crate) const API_VERSION: &str = "fusion/v1";
/// How many rows of a stream are seen before the widths of its columns are fixed.
const STREAM_SAMPLE_ROWS: usize = 200;

/// How stdout is written: a table for people, which promises nothing to scripts; one JSON object, where a list
/// stands in `items`; or one JSON object a line, each as soon as it is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Jsonl,
}

/// What a command has to say, and whether it did everything it was asked.
#[derive(Debug)]
pub(crate) struct Report {
    /// For stdout.
    pub(crate) output: Output,
    /// For stderr, after the output: the command did something, but not all.
    pub(crate) failure: Option<Failure>,
}

impl From<Object> for Report {
    fn from(object: Object) -> Self {
        Self { output: Output::Object(object), failure: None }
    }
}

impl From<Rows> for Report {
    fn from(rows: Rows) -> Self {
        Self { output: Output::Rows(rows), failure: None }
    }
}

impl From<Stream> for Report {
    fn from(stream: Stream) -> Self {
        Self { output: Output::Stream(stream), failure: None }
    }
}

/// The one value every command returns.
#[derive(Debug)]
pub(crate) enum Output {
    /// One thing.
    Object(Object),
    /// A list that is known as a whole.
    Rows(Rows),
    /// A list that is written as it comes.
    Stream(Stream),
}

/// One thing: its fields for people, and its JSON.
#[derive(Debug, Default)]
pub(crate) struct Object {
    pub(crate) json: Map<String, Value>,
    pub(crate) fields: Vec<(&'static str, Cell)>,
    pub(crate) sections: Vec<Section>,
    /// For stderr, unless `--quiet`.
    pub(crate) notices: Vec<String>,
}

/// What stands below an object's fields in a table.
#[derive(Debug)]
pub(crate) enum Section {
    /// A list of its own.
    Rows(Rows),
    /// Text with line breaks.
    Text(String),
}

/// A list.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) columns: &'static [Column],
    pub(crate) rows: Vec<Row>,
    /// The daemon's clock, if the list was read against it.
    pub(crate) now_ms: Option<i64>,
    /// True if there is more than is shown.
    pub(crate) more: bool,
    /// For stderr, unless `--quiet`.
    pub(crate) notices: Vec<String>,
}

/// A list whose rows arrive one by one.
pub(crate) struct Stream {
    pub(crate) columns: &'static [Column],
    /// It ends only when the reader does, so it cannot be one JSON array.
    pub(crate) endless: bool,
    pub(crate) items: BoxStream<'static, Result<Item, Failure>>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stream").field("columns", &self.columns).finish_non_exhaustive()
    }
}

/// What a stream brings.
#[derive(Debug)]
pub(crate) enum Item {
    Row(Row),
    /// For stderr, unless `--quiet`.
    Notice(String),
}

/// A column of a table.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Cut first when the terminal is too narrow.
    pub(crate) flexible: bool,
}

impl Column {
    pub(crate) const fn fixed(title: &'static str) -> Self {
        Self { title, flexible: false }
    }

    pub(crate) const fn flexible(title: &'static str) -> Self {
        Self { title, flexible: true }
    }
}

/// One entry of a list: its JSON object, and how people see it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) json: Map<String, Value>,
    pub(crate) shape: Shape,
}

/// How people see a row.
#[derive(Debug)]
pub(crate) enum Shape {
    Cells(Vec<Cell>),
    Speech(Speech),
}

/// One value of a table. Times become relative when they are shown.
#[derive(Debug)]
pub(crate) enum Cell {
    Text(String),
    Number(u64),
    /// An instant: `4m 12s ago`.
    At(i64),
    /// Since when something lasts: `4m 12s`.
    Since(i64),
    Absent,
}

impl Cell {
    /// A text, or nothing where it is empty.
    pub(crate) fn text(text: &str) -> Self {
        if text.is_empty() { Self::Absent } else { Self::Text(text.to_owned()) }
    }

    /// An instant, if there is one.
    pub(crate) fn at(at_ms: Option<i64>) -> Self {
        at_ms.map_or(Self::Absent, Self::At)
    }
}

/// One entry of a conversation.
#[derive(Debug)]
pub(crate) struct Speech {
    /// The number visitors see it under; notes have none.
    pub(crate) seq: Option<u64>,
    pub(crate) at_ms: i64,
    pub(crate) who: String,
    pub(crate) tone: Tone,
    pub(crate) content: String,
    /// Where an answer comes from, a line each.
    pub(crate) sources: Vec<String>,
}

/// Who speaks, for people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tone {
    Visitor,
    Staff,
    Assistant,
    System,
    /// Staff only; no visitor ever sees it.
    Note,
}

/// How to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) format: Format,
    pub(crate) quiet: bool,
    /// Colour on stdout.
    pub(crate) colour: bool,
    /// The columns of the terminal; `None` when stdout is none, and nothing is cut then.
    pub(crate) width: Option<usize>,
    pub(crate) now_ms: fn() -> i64,
}

/// The one writer of stdout.
pub(crate) struct Renderer<'a> {
    pub(crate) stdout: &'a mut (dyn Write + Send),
    pub(crate) stderr: &'a mut (dyn Write + Send),
    pub(crate) look: Look,
}

/// Why writing ended early.
enum Stop {
    /// The reader of stdout has gone.
    Closed,
    Failed(Failure),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        let text = format!("cannot write to stdout: {error}");
        Self::Failed(Failure::new(crate::failure::Exit::Failed, "stdout", text))
    }
}

impl Renderer<'_> {
    /// Writes what a command has to say, and returns what it could not do.
    pub(crate) async fn report(&mut self, report: Report) -> Result<(), Failure> {
        let Report { output, failure } = report;
        self.print(output).await?;
        failure.map_or(Ok(()), Err)
    }

    /// Writes everything; a reader that went away (`| head`) is no failure.
    pub(crate) async fn print(&mut self, output: Output) -> Result<(), Failure> {
        let result = match output {
            Output::Object(object) => self.object(&object),
            Output::Rows(rows) => self.rows(&rows),
            Output::Stream(stream) => self.stream(stream).await,
        };
        match result.and_then(|()| self.stdout.flush().map_err(Stop::from)) {
            Ok(()) | Err(Stop::Closed) => Ok(()),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    /// Writes a failure to stderr: two or three lines for people, one object for machines.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        let text = match self.look.format {
            Format::Json | Format::Jsonl => format!("{}\n", json::compact(&failure.to_json())),
            Format::Table => {
                let mut text = String::from("error: ");
                for line in failure.message.lines() {
                    text.push_str(&format!("{}\n", safe_text::line(line)));
                }
                if let Some(held) = held_by(failure, (self.look.now_ms)()) {
                    text.push_str(&format!("held:  {held}\n"));
                }
                if let Some(hint) = &failure.hint {
                    text.push_str(&format!("hint:  {}\n", safe_text::line(hint)));
                }
                text
            }
        };
        // Nobody is left to tell when stderr itself is closed.
        let _ = self.stderr.write_all(text.as_bytes());
        let _ = self.stderr.flush();
    }

    fn notice(&mut self, text: &str) {
        if !self.look.quiet {
            let _ = writeln!(self.stderr, "{}", safe_text::line(text));
        }
    }

    fn paint(&self, now_ms: Option<i64>) -> Paint {
        Paint {
            colour: self.look.colour,
            width: self.look.width,
            now_ms: now_ms.unwrap_or_else(self.look.now_ms),
        }
    }

    fn object(&mut self, object: &Object) -> Result<(), Stop> {
        match self.look.format {
            Format::Table => {
                let paint = self.paint(None);
                table::fields(self.stdout, &object.fields, paint)?;
                for (at, section) in object.sections.iter().enumerate() {
                    if at > 0 || !object.fields.is_empty() {
                        writeln!(self.stdout)?;
                    }
                    match section {
                        Section::Rows(rows) => {
                            let widths = Widths::of(rows.columns, &rows.rows, paint);
                            table::rows(self.stdout, rows.columns, &rows.rows, &widths, paint)?;
                        }
                        Section::Text(text) => table::text(self.stdout, text)?,
                    }
                }
            }
            Format::Json => {
                self.stdout.write_all(json::pretty(&versioned(&object.json)).as_bytes())?;
            }
            Format::Jsonl => self.json_line(&object.json)?,
        }
        for notice in &object.notices {
            self.notice(notice);
        }
        Ok(())
    }

    fn rows(&mut self, rows: &Rows) -> Result<(), Stop> {
        match self.look.format {
            Format::Table if rows.rows.is_empty() => self.notice("none"),
            Format::Table => {
                let paint = self.paint(rows.now_ms);
                let widths = Widths::of(rows.columns, &rows.rows, paint);
                table::rows(self.stdout, rows.columns, &rows.rows, &widths, paint)?;
            }
            Format::Json => {
                let items = rows.rows.iter().map(|row| Value::Object(row.json.clone())).collect();
                self.json_list(items, rows.more, rows.now_ms)?;
            }
            Format::Jsonl => {
                for row in &rows.rows {
                    self.json_line(&row.json)?;
                }
            }
        }
        for notice in &rows.notices {
            self.notice(notice);
        }
        Ok(())
    }

    async fn stream(&mut self, mut stream: Stream) -> Result<(), Stop> {
        match self.look.format {
            Format::Table => self.stream_table(&mut stream).await,
            Format::Jsonl => {
                while let Some(item) = stream.items.next().await {
                    match item.map_err(Stop::Failed)? {
                        Item::Row(row) => {
                            self.json_line(&row.json)?;
                            self.stdout.flush()?;
                        }
                        Item::Notice(text) => self.notice(&text),
                    }
                }
                Ok(())
            }
            Format::Json if stream.endless => Err(Stop::Failed(
                Failure::usage("endless_array", "a stream without an end is no JSON array")
                    .with_hint("use -o jsonl: one object a line"),
            )),
            Format::Json => {
                let mut items = Vec::new();
                while let Some(item) = stream.items.next().await {
                    match item.map_err(Stop::Failed)? {
                        Item::Row(row) => items.push(Value::Object(row.json)),
                        Item::Notice(text) => self.notice(&text),
                    }
                }
                self.json_list(items, false, None)
            }
        }
    }

    /// Speech is written at once; cells wait for a sample, so that their columns line up.
    async fn stream_table(&mut self, stream: &mut Stream) -> Result<(), Stop> {
        let paint = self.paint(None);
        let mut sample: Vec<Row> = Vec::new();
        let mut widths: Option<Widths> = None;
        loop {
            let item = stream.items.next().await.transpose();
            let (row, ended) = match item {
                Ok(Some(Item::Notice(text))) => {
                    self.notice(&text);
                    continue;
                }
                Ok(Some(Item::Row(row))) => (Some(row), None),
                Ok(None) => (None, Some(Ok(()))),
                Err(failure) => (None, Some(Err(Stop::Failed(failure)))),
            };
            match (row, &widths) {
                (Some(row), _) if matches!(row.shape, Shape::Speech(_)) => {
                    let now = self.paint(None);
                    table::row(self.stdout, &row, &Widths::default(), now)?;
                    self.stdout.flush()?;
                }
                (Some(row), Some(widths)) => table::row(self.stdout, &row, widths, paint)?,
                (Some(row), None) => sample.push(row),
                (None, _) => {}
            }
            let flush_sample = sample.len() >= STREAM_SAMPLE_ROWS || ended.is_some();
            if widths.is_none() && flush_sample && !sample.is_empty() {
                let fixed = Widths::of(stream.columns, &sample, paint);
                table::rows(self.stdout, stream.columns, &sample, &fixed, paint)?;
                sample.clear();
                widths = Some(fixed);
            }
            if let Some(result) = ended {
                return result;
            }
        }
    }

    fn json_line(&mut self, object: &Map<String, Value>) -> Result<(), Stop> {
        let line = json::compact(&versioned(object));
        self.stdout.write_all(line.as_bytes())?;
        self.stdout.write_all(b"\n")?;
        Ok(())
    }

    fn json_list(
        &mut self,
        items: Vec<Value>,
        more: bool,
        now_ms: Option<i64>,
    ) -> Result<(), Stop> {
        let mut list = Map::new();
        list.insert("items".into(), Value::Array(items));
        list.insert("more".into(), json!(more));
        if let Some(now_ms) = now_ms {
            list.insert("now".into(), json!(now_ms));
        }
        self.stdout.write_all(json::pretty(&versioned(&list)).as_bytes())?;
        Ok(())
    }
}

fn versioned(object: &Map<String, Value>) -> Value {
    let mut top = Map::new();
    top.insert("apiVersion".into(), json!(API_VERSION));
    top.extend(object.clone());
    Value::Object(top)
}

/// Who holds what was fought over, and since when.
fn held_by(failure: &Failure, now_ms: i64) -> Option<String> {
    let by = safe_text::line(failure.params.get("by")?);
    let since: Option<i64> = failure.params.get("since").and_then(|since| since.parse().ok());
    Some(match since {
        Some(since) => {
            format!("{by}, since {} ({})", time::utc(since), time::relative(since, now_ms))
        }
        None => by,
    })
}

#[cfg(test)]
#[path = "output_test.rs"]
mod output_test;
