//! One message or note as lines of the transcript. Its height is the number of these lines, so that
//! scrolling and drawing always agree.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::words;
use crate::state::State;
use crate::state::answer::Answer;
use crate::state::outbox::{Item, Kind, Progress};
use crate::state::row::{Entry, Message, Note, Sender};
use crate::text::SafeText;
use crate::wrap::{fit, truncate, wrap};

/// Columns of the time and the name before a message.
const GUTTER: usize = 17;
/// Columns of the name in the gutter.
const NAME: usize = 10;
/// Below this width the gutter goes onto a line of its own.
const GUTTER_WIDTH_MIN: usize = 48;

/// How many lines an entry takes at a width.
pub(crate) fn height(state: &State, entry: &Entry, width: usize) -> usize {
    lines(state, entry, width).len()
}

/// The lines of an entry at a width.
pub(crate) fn lines(state: &State, entry: &Entry, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if starts_unread(state, entry) {
        lines.push(rule("new", width, Theme::new(state.colour).waiting()));
    }
    match entry {
        Entry::Message(message) => message_lines(state, message, width, &mut lines),
        Entry::Note(note) => note_lines(state, note, width, &mut lines),
    }
    lines
}

/// The lines of a message that has not arrived yet.
pub(crate) fn unsent_lines(state: &State, item: &Item, width: usize) -> Vec<Line<'static>> {
    let theme = Theme::new(state.colour);
    let (mark, style) = match &item.progress {
        Progress::Queued => ("queued".to_owned(), theme.dim()),
        Progress::Sending => ("sending".to_owned(), theme.dim()),
        Progress::Failed(reason) => {
            (format!("failed: {reason}. Enter sends again, x edits"), theme.bad())
        }
    };
    let name = match item.kind {
        Kind::Reply => "you",
        Kind::Note => "NOTE",
    };
    let content = SafeText::block(&item.content);
    let head = Head { time: "  -  ".to_owned(), name: name.to_owned(), style };
    let mut lines = Vec::new();
    body(&head, content.as_str(), theme.dim(), width, &mut lines);
    for range in wrap(&mark, width.saturating_sub(gutter(width)).max(1)) {
        lines.push(indented(mark[range].to_owned(), style, width));
    }
    lines
}

/// The lines of an answer in the making.
pub(crate) fn answer_lines(state: &State, answer: &Answer, width: usize) -> Vec<Line<'static>> {
    let theme = Theme::new(state.colour);
    let time = words::stamp(answer.since + state.skew_ms, state.daemon_now(), state.zone_ms);
    let head = Head { time, name: "assistant".to_owned(), style: theme.assistant() };
    let mut lines = Vec::new();
    body(&head, &format!("{} …", answer.text), theme.dim(), width, &mut lines);
    lines
}

struct Head {
    time: String,
    name: String,
    style: Style,
}

fn message_lines(state: &State, message: &Message, width: usize, lines: &mut Vec<Line<'static>>) {
    let theme = Theme::new(state.colour);
    let time = words::stamp(message.created_at, state.daemon_now(), state.zone_ms);
    if let Some(system) = &message.system {
        lines.push(rule(&format!("{} {time}", words::system(system)), width, theme.dim()));
        return;
    }
    let (name, style) = match message.sender {
        Sender::Visitor => (named(&message.name, "visitor"), theme.visitor()),
        Sender::Agent => (named(&message.name, "agent"), theme.agent()),
        Sender::Assistant => ("assistant".to_owned(), theme.assistant()),
        Sender::System => ("system".to_owned(), theme.dim()),
    };
    let head = Head { time, name, style };
    body(&head, message.content.as_str(), theme.plain(), width, lines);
    source_lines(state, &message.sources, width, lines);
    if !message.flag.is_empty() {
        let text = format!("flagged: {}", message.flag);
        for range in wrap(&text, width.saturating_sub(gutter(width)).max(1)) {
            lines.push(indented(text[range].to_owned(), theme.note(), width));
        }
    }
    if let Some(mark) = delivery(state, message) {
        lines.push(indented(mark.to_owned(), theme.dim(), width));
    }
}

/// Where an answer or a draft comes from.
fn source_lines(state: &State, sources: &[SafeText], width: usize, lines: &mut Vec<Line<'static>>) {
    if sources.is_empty() {
        return;
    }
    let titles: Vec<&str> = sources.iter().map(SafeText::as_str).collect();
    let text = format!("from: {}", titles.join(" · "));
    for range in wrap(&text, width.saturating_sub(gutter(width)).max(1)) {
        lines.push(indented(text[range].to_owned(), Theme::new(state.colour).dim(), width));
    }
}

fn note_lines(state: &State, note: &Note, width: usize, lines: &mut Vec<Line<'static>>) {
    let theme = Theme::new(state.colour);
    let time = words::stamp(note.created_at, state.daemon_now(), state.zone_ms);
    let title = if note.draft {
        format!("{time} DRAFT assistant (staff only)")
    } else {
        format!("{time} NOTE {} (staff only)", named(&note.author, "staff"))
    };
    lines.push(Line::styled(truncate(&title, width), theme.note()));
    let inner = width.saturating_sub(gutter(width)).max(1);
    let content = note.content.as_str();
    for range in wrap(content, inner) {
        lines.push(indented(content[range].to_owned(), theme.plain(), width));
    }
    source_lines(state, &note.sources, width, lines);
}

fn named(name: &SafeText, otherwise: &str) -> String {
    if name.is_empty() { otherwise.to_owned() } else { name.to_string() }
}

/// How far one of our own replies has come. Only the newest message of ours says it: older ones are
/// at least as far.
fn delivery(state: &State, message: &Message) -> Option<&'static str> {
    let open = state.open.as_ref()?;
    let me = state.me.as_ref()?;
    if message.sender != Sender::Agent || message.sender_id != me.id {
        return None;
    }
    let row = state.desk.get(&open.conversation)?;
    let seen = row.visitor_mark >= message.seq;
    let entries = state.transcripts.get(&open.conversation)?.entries();
    let newer = entries.iter().rev().find_map(|entry| match entry {
        Entry::Message(other) if other.sender == Sender::Agent && other.sender_id == me.id => {
            Some(other.seq)
        }
        Entry::Message(_) | Entry::Note(_) => None,
    });
    (newer == Some(message.seq)).then_some(if seen { "seen" } else { "sent" })
}

/// True for the first message of the visitor that had not been read when the conversation was
/// opened.
fn starts_unread(state: &State, entry: &Entry) -> bool {
    let Some(from) = state.open.as_ref().and_then(|open| open.unread_from) else { return false };
    entry.seq() == Some(from)
}

fn gutter(width: usize) -> usize {
    if width >= GUTTER_WIDTH_MIN { GUTTER } else { 2.min(width.saturating_sub(1)) }
}

fn body(head: &Head, text: &str, style: Style, width: usize, lines: &mut Vec<Line<'static>>) {
    let inner = width.saturating_sub(gutter(width)).max(1);
    let rows = wrap(text, inner);
    let own_line = width < GUTTER_WIDTH_MIN;
    if own_line {
        let title = truncate(&format!("{} {}", head.time, head.name), width);
        lines.push(Line::styled(title, head.style));
    }
    for (index, range) in rows.into_iter().enumerate() {
        let row = text[range].to_owned();
        if index == 0 && !own_line {
            let gutter = format!("{} {} ", head.time, fit(&head.name, NAME));
            lines
                .push(Line::from(vec![Span::styled(gutter, head.style), Span::styled(row, style)]));
        } else {
            lines.push(indented(row, style, width));
        }
    }
}

fn indented(text: String, style: Style, width: usize) -> Line<'static> {
    Line::from(vec![Span::raw(" ".repeat(gutter(width))), Span::styled(text, style)])
}

/// A line across the transcript with a few words in it.
fn rule(text: &str, width: usize, style: Style) -> Line<'static> {
    let text = truncate(&format!("─── {text} "), width);
    let missing = width.saturating_sub(unicode_width::UnicodeWidthStr::width(text.as_str()));
    Line::styled(format!("{text}{}", "─".repeat(missing)), style)
}
