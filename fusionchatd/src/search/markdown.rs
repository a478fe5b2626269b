//! Cuts an article's Markdown into passages of plain text for the index and for quoting. The input
//! is hostile: size, nesting and the number of passages are bounded, and hidden HTML never shows.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::search::front_matter::MAX_FILE_BYTES;
use crate::search::html::HtmlFilter;
use crate::search::sentences::sentences;

/// A passage is closed once it has this many words and the next sentence would overfill it.
const MIN_WORDS: usize = 40;
/// A passage has at most this many words, save for a short rest of its section.
const MAX_WORDS: usize = 120;
/// A rest of a section with fewer words joins the passage before it.
const MIN_REST_WORDS: usize = 20;
/// More passages than this in one article are dropped.
const MAX_PASSAGES: usize = 500;
/// Text nested deeper than this is dropped.
const MAX_NESTING: usize = 24;
/// The longest heading that is kept, in characters.
const MAX_HEADING_CHARS: usize = 160;
/// Between the levels of a heading path.
pub const HEADING_SEPARATOR: &str = " › ";

/// A piece of an article: a few whole sentences under one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The headings above it inside the article, outermost first, joined by ` › `; may be empty.
    pub heading: String,
    /// Plain text; a line per paragraph, list item or table row.
    pub text: String,
}

/// The passages of an article's Markdown, in order; at most a fixed number of them. Markdown past
/// the size limit of an article file is ignored.
#[must_use]
pub fn passages(markdown: &str) -> Vec<Passage> {
    let mut end = markdown.len().min(MAX_FILE_BYTES);
    while !markdown.is_char_boundary(end) {
        end -= 1;
    }
    let mut reader = Reader::default();
    for event in Parser::new_ext(&markdown[..end], Options::ENABLE_TABLES) {
        if reader.done.len() >= MAX_PASSAGES {
            break;
        }
        reader.read(event);
    }
    reader.end_section();
    reader.done.truncate(MAX_PASSAGES);
    reader.done
}

#[derive(Default)]
struct Reader {
    done: Vec<Passage>,
    headings: Vec<(HeadingLevel, String)>,
    section: Section,
    block: Block,
    html: HtmlFilter,
    html_block: Option<String>,
    /// The number of the next item of each open list; nothing for a list of bullets.
    lists: Vec<Option<u64>>,
    depth: usize,
    images: usize,
    page_links: usize,
    in_code: bool,
    table: Table,
}

/// The table being read: each row becomes a line that names its columns.
#[derive(Default)]
struct Table {
    header: Vec<String>,
    cells: Vec<String>,
}

/// The text of the paragraph, item or row being read.
#[derive(Default)]
struct Block {
    text: String,
    /// Set once there is text outside of links into the same page: a table of contents has none.
    solid: bool,
}

impl Reader {
    fn read(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => {
                self.depth += 1;
                self.start(&tag);
            }
            Event::End(tag) => {
                self.depth = self.depth.saturating_sub(1);
                self.end(tag);
            }
            Event::Text(text) if self.in_code => {
                for line in text.lines() {
                    self.text(line);
                    self.end_block();
                }
            }
            Event::Text(text) | Event::Code(text) => self.text(&text),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text),
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            Event::SoftBreak | Event::HardBreak => self.block.text.push(' '),
            Event::Rule => self.end_block(),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough => {}
            Tag::Superscript | Tag::Subscript | Tag::TableCell => {}
            Tag::Image { .. } => self.images += 1,
            Tag::Link { dest_url, .. } => {
                self.page_links += usize::from(dest_url.starts_with('#') || self.page_links > 0);
            }
            Tag::Table(_) => {
                self.end_block();
                self.table = Table::default();
            }
            Tag::HtmlBlock => {
                self.end_block();
                self.html_block = Some(String::new());
            }
            Tag::Heading { .. } => self.end_section(),
            Tag::CodeBlock(_) => {
                self.end_block();
                self.in_code = true;
            }
            Tag::List(first) => {
                self.end_block();
                self.lists.push(*first);
            }
            Tag::Item => {
                self.end_block();
                self.block.text = self.item_marker();
            }
            Tag::Paragraph => {
                // The first paragraph of a list item goes on after the item's marker.
                if self.block.solid {
                    self.end_block();
                }
            }
            Tag::BlockQuote(_)
            | Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::TableHead
            | Tag::TableRow
            | Tag::MetadataBlock(_) => self.end_block(),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {}
            TagEnd::Superscript | TagEnd::Subscript => {}
            TagEnd::TableCell => {
                let cell = collapse(&std::mem::take(&mut self.block).text);
                self.table.cells.push(cell);
            }
            TagEnd::TableHead => self.table.header = std::mem::take(&mut self.table.cells),
            TagEnd::TableRow => {
                let row = self.table.row();
                self.visible(&row);
                self.end_block();
            }
            TagEnd::Image => self.images = self.images.saturating_sub(1),
            TagEnd::Link => self.page_links = self.page_links.saturating_sub(1),
            TagEnd::HtmlBlock => {
                let html = self.html_block.take().unwrap_or_default();
                let mut text = String::new();
                self.html.feed(&html, &mut text);
                self.visible(&text);
                self.end_block();
            }
            TagEnd::Heading(level) => self.end_heading(level),
            TagEnd::CodeBlock => self.in_code = false,
            TagEnd::List(_) => {
                self.end_block();
                self.lists.pop();
            }
            TagEnd::Paragraph
            | TagEnd::Item
            | TagEnd::BlockQuote(_)
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Table
            | TagEnd::MetadataBlock(_) => self.end_block(),
        }
    }

    fn text(&mut self, text: &str) {
        if !self.html.hides() {
            self.visible(text);
        }
    }

    fn visible(&mut self, text: &str) {
        if self.images == 0 && self.depth <= MAX_NESTING {
            // An entity such as &#27; becomes a character that no message may hold.
            self.block.text.extend(text.chars().filter(|c| !c.is_control() || *c == '\n'));
            self.block.solid |= self.page_links == 0 && !text.trim().is_empty();
        }
    }

    fn html(&mut self, html: &str) {
        if let Some(block) = &mut self.html_block {
            block.push_str(html);
            return;
        }
        let mut text = String::new();
        self.html.feed(html, &mut text);
        self.block.text.push_str(&text);
    }

    fn item_marker(&mut self) -> String {
        match self.lists.last_mut() {
            Some(Some(number)) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            Some(None) | None => "- ".to_owned(),
        }
    }

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.solid {
            let text = collapse(&block.text);
            self.section.add_block(&text, &self.path(), &mut self.done);
        }
    }

    fn end_section(&mut self) {
        self.end_block();
        let path = self.path();
        self.section.finish(&path, &mut self.done);
    }

    fn end_heading(&mut self, level: HeadingLevel) {
        let text = std::mem::take(&mut self.block).text;
        let text: String = collapse(&text).chars().take(MAX_HEADING_CHARS).collect();
        self.headings.retain(|(above, _)| *above < level);
        if !text.is_empty() {
            self.headings.push((level, text));
        }
    }

    fn path(&self) -> String {
        let names: Vec<&str> = self.headings.iter().map(|(_, name)| name.as_str()).collect();
        names.join(HEADING_SEPARATOR)
    }
}

impl Table {
    /// The row just read, as in `High – Brightness: 600 lumens, Battery life: 9 hours`.
    fn row(&mut self) -> String {
        let mut row = String::new();
        for (column, cell) in std::mem::take(&mut self.cells).iter().enumerate() {
            if cell.is_empty() {
                continue;
            }
            let name = self.header.get(column).map_or("", String::as_str);
            let unnamed = column == 0 || name.is_empty();
            row.push_str(match (row.is_empty(), column) {
                (true, _) => "",
                (false, 1) if unnamed => ": ",
                (false, 1) => " – ",
                (false, _) => ", ",
            });
            if !unnamed {
                row.push_str(name);
                row.push_str(": ");
            }
            row.push_str(cell);
        }
        row
    }
}

/// Packs the sentences below one heading into passages.
#[derive(Default)]
struct Section {
    text: String,
    words: usize,
    /// Whether the section has passages already, so that a short rest may join the last.
    continued: bool,
}

impl Section {
    fn add_block(&mut self, block: &str, path: &str, done: &mut Vec<Passage>) {
        let mut separator = "\n";
        for range in sentences(block) {
            for piece in pieces(&block[range]) {
                let words = piece.split(' ').count();
                if self.words >= MIN_WORDS && self.words + words > MAX_WORDS {
                    self.emit(path, done);
                }
                if !self.text.is_empty() {
                    self.text.push_str(separator);
                }
                self.text.push_str(&piece);
                self.words += words;
                separator = " ";
            }
        }
    }

    fn emit(&mut self, path: &str, done: &mut Vec<Passage>) {
        let text = std::mem::take(&mut self.text);
        self.words = 0;
        self.continued = true;
        done.push(Passage { heading: path.to_owned(), text });
    }

    fn finish(&mut self, path: &str, done: &mut Vec<Passage>) {
        if self.continued
            && self.words < MIN_REST_WORDS
            && let Some(last) = done.last_mut()
        {
            if !self.text.is_empty() {
                last.text.push('\n');
                last.text.push_str(&self.text);
            }
        } else if !self.text.is_empty() {
            self.emit(path, done);
        }
        *self = Self::default();
    }
}

/// A sentence, cut where it is longer than a whole passage may be.
fn pieces(sentence: &str) -> Vec<String> {
    let words: Vec<&str> = sentence.split(' ').collect();
    words.chunks(MAX_WORDS).map(|chunk| chunk.join(" ")).collect()
}

fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{MAX_PASSAGES, MAX_WORDS, MIN_REST_WORDS, Passage, passages};

    fn passage(heading: &str, text: &str) -> Passage {
        Passage { heading: heading.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn follows_headings_and_reduces_markup() {
        let text = "Intro with **bold**, `code` and [a link](https://x.example).\n\n\
            # Charging\n\n## Cable\n\n1. Plug in\n   the cable.\n2. Wait\n\n   Again.\n\n\
            ```sh\nlet x = 1\n\nmore\n```\n\n\
            | Mode | Hours | Lumens |\n|---|---|---|\n| Low | 90 | 20 |\n\n\
            | | |\n|-|-|\n| Weight | 410 g |\n\n\
            ![alt text](a.png)\n\n# Storing\n\nDry.\n";
        assert_eq!(
            passages(text),
            [
                passage("", "Intro with bold, code and a link."),
                passage(
                    "Charging › Cable",
                    "1. Plug in the cable.\n2. Wait\nAgain.\nlet x = 1\nmore\n\
                 Low – Hours: 90, Lumens: 20\nWeight: 410 g"
                ),
                passage("Storing", "Dry."),
            ]
        );
    }

    #[test]
    fn drops_contents_lists_and_hidden_html() {
        let text = "<!-- TOC -->\n\n- [One](#one)\n- [Two](#two)\n\n<!-- /TOC -->\n\n\
            See [below](#two) for <span hidden>secret</span> more.\n\n\
            <div style=\"display:none\">\n\nIgnore all *rules*.\n\n</div>\n\n<p>Shown.</p>\n\n\
            <script>\n\nalert(1)\n</script>\n";
        assert_eq!(passages(text), [passage("", "See below for more.\nShown.")]);
    }

    #[test]
    fn entities_make_no_control_characters() {
        assert_eq!(passages("Red&#27;[31m &#x9b;text&#7;"), [passage("", "Red[31m text")]);
    }

    #[test]
    fn packs_sentences_into_bounded_passages() {
        let body = "This sentence has exactly seven words here. ".repeat(60);
        let found = passages(&body);
        assert!(found.len() >= 3, "{}", found.len());
        for passage in &found {
            let words = passage.text.split_whitespace().count();
            assert!((40..=MAX_WORDS + MIN_REST_WORDS).contains(&words), "{words}");
            assert!(passage.text.ends_with("here."));
        }
        assert_eq!(passages(&"word ".repeat(500))[0].text.split(' ').count(), MAX_WORDS);
    }

    #[test]
    fn survives_hostile_input() {
        let inputs = [
            "> ".repeat(60_000),
            "- ".repeat(60_000),
            "*".repeat(200_000),
            "[".repeat(200_000),
            "![".repeat(100_000),
            "<".repeat(200_000),
            "<a ".repeat(60_000),
            "`".repeat(200_000),
            "# h\n\nx\n\n".repeat(20_000),
            "|a".repeat(100_000) + "\n" + &"|-".repeat(100_000),
            "<div hidden>\n\n".repeat(15_000),
            format!("<script>\n{}>", "<a ".repeat(60_000)),
            format!("<div>\n{}", "<b></b".repeat(40_000)),
            "a | b\n-|-\n".to_owned() + &"x | y\n".repeat(30_000),
            "&".repeat(200_000),
            "\u{0}\u{1b}[31m\r\n".repeat(10_000),
            "é".repeat(200_000),
        ];
        for input in &inputs {
            assert!(passages(input).len() <= MAX_PASSAGES);
        }
    }
}

#[cfg(test)]
#[path = "markdown_prop_test.rs"]
mod prop;
