//! Tables, fields and transcripts for people. It is given harmless nothing: every text passes `safe_text` here.

use std::io::{self, Write};

use super::safe_text::{cut, line, lines, width};
use super::{Cell, Column, Row, Shape, Speech, Tone};
use crate::time;

/// Between two columns.
const GAP: &str = "  ";
/// A flexible column is never cut below this.
const FLEXIBLE_COLUMNS_MIN: usize = 12;
/// Where the names of a transcript are cut.
const WHO_COLUMNS_MAX: usize = 28;
/// The names of a transcript line up to here.
const WHO_COLUMNS_MIN: usize = 12;

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    pub(crate) colour: bool,
    pub(crate) width: Option<usize>,
    pub(crate) now_ms: i64,
}

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// How wide each column is.
#[derive(Debug, Default)]
pub(crate) struct Widths(Vec<usize>);

impl Widths {
    /// As wide as the widest cell, and the flexible columns cut to what the terminal leaves.
    pub(crate) fn of(columns: &[Column], rows: &[Row], paint: Paint) -> Self {
        let mut widths: Vec<usize> = columns.iter().map(|column| width(column.title)).collect();
        for row in rows {
            if let Shape::Cells(cells) = &row.shape {
                for (known, cell) in widths.iter_mut().zip(cells) {
                    *known = (*known).max(width(&show(cell, paint.now_ms)));
                }
            }
        }
        if let Some(room) = paint.width {
            let gaps = GAP.len() * widths.len().saturating_sub(1);
            for (index, column) in columns.iter().enumerate().rev() {
                let total = widths.iter().sum::<usize>() + gaps;
                if total > room && column.flexible {
                    let smaller = widths[index].saturating_sub(total - room);
                    widths[index] = smaller.max(FLEXIBLE_COLUMNS_MIN).min(widths[index]);
                }
            }
        }
        Self(widths)
    }
}

/// The names and values of one thing.
pub(crate) fn fields(
    out: &mut dyn Write,
    fields: &[(&'static str, Cell)],
    paint: Paint,
) -> io::Result<()> {
    let widest = fields.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    for (name, cell) in fields {
        let padding = " ".repeat(widest - width(name));
        writeln!(out, "{}{padding}{GAP}{}", paint.wrap("1", name), show(cell, paint.now_ms))?;
    }
    Ok(())
}

/// A text with its line breaks.
pub(crate) fn text(out: &mut dyn Write, text: &str) -> io::Result<()> {
    for part in lines(text) {
        writeln!(out, "{part}")?;
    }
    Ok(())
}

/// The titles, if there are columns, and all rows.
pub(crate) fn rows(
    out: &mut dyn Write,
    columns: &[Column],
    rows: &[Row],
    widths: &Widths,
    paint: Paint,
) -> io::Result<()> {
    if !columns.is_empty() && !rows.is_empty() {
        let titles: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
        writeln!(out, "{}", paint.wrap("1", &aligned(&titles, widths, paint)))?;
    }
    rows.iter().try_for_each(|each| row(out, each, widths, paint))
}

/// One row.
pub(crate) fn row(out: &mut dyn Write, row: &Row, widths: &Widths, paint: Paint) -> io::Result<()> {
    match &row.shape {
        Shape::Cells(cells) => {
            let texts: Vec<String> = cells.iter().map(|cell| show(cell, paint.now_ms)).collect();
            writeln!(out, "{}", aligned(&texts, widths, paint))
        }
        Shape::Speech(speech) => say(out, speech, paint),
    }
}

fn aligned(texts: &[String], widths: &Widths, paint: Paint) -> String {
    let mut joined = String::new();
    for (index, text) in texts.iter().enumerate() {
        let columns = widths.0.get(index).copied().unwrap_or(0);
        let shown = if paint.width.is_some() { cut(text, columns) } else { text.clone() };
        if index > 0 {
            joined.push_str(GAP);
        }
        let padding = columns.saturating_sub(width(&shown));
        joined.push_str(&shown);
        joined.push_str(&" ".repeat(padding));
    }
    joined.truncate(joined.trim_end().len());
    joined
}

fn show(cell: &Cell, now_ms: i64) -> String {
    match cell {
        Cell::Text(text) => line(text),
        Cell::Number(number) => number.to_string(),
        Cell::At(at_ms) => time::relative(*at_ms, now_ms),
        Cell::Since(since_ms) => time::lasting(*since_ms, now_ms),
        Cell::Absent => "-".to_owned(),
    }
}

/// One entry of a conversation. Its further lines start with a bar, so that no text can pose as an entry.
fn say(out: &mut dyn Write, speech: &Speech, paint: Paint) -> io::Result<()> {
    let seq = speech.seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
    let stamp = time::stamp(speech.at_ms, paint.now_ms);
    let name = cut(&line(&speech.who), WHO_COLUMNS_MAX);
    let who = match speech.tone {
        Tone::Note => format!("NOTE by {name}, staff only"),
        Tone::Visitor | Tone::Staff | Tone::Assistant | Tone::System => name,
    };
    let padding = " ".repeat(WHO_COLUMNS_MIN.saturating_sub(width(&who)));
    let colour = match speech.tone {
        Tone::Visitor => "36",
        Tone::Staff => "32",
        Tone::Assistant => "35",
        Tone::System => "2",
        Tone::Note => "33",
    };
    let mut content = lines(&speech.content).into_iter();
    let first = content.next().unwrap_or_default();
    let lead = format!("{seq:>4}{GAP}{stamp}{GAP}");
    writeln!(out, "{lead}{}{padding}{GAP}{first}", paint.wrap(colour, &who))?;
    let margin = " ".repeat(width(&lead));
    for part in content {
        writeln!(out, "{margin}│ {part}")?;
    }
    for source in &speech.sources {
        writeln!(out, "{margin}│ {}", paint.wrap("2", &format!("source: {}", line(source))))?;
    }
    Ok(())
}
