//! The head of an article's file: `title`, `id`, `locale`, `status` (or `draft`) and `inboxes` between two lines of
//! `---`. A small part of YAML, read strictly; other keys are skipped. Pure.

use std::collections::BTreeSet;
use std::fmt;

/// The most lines a head may have.
const LINES_MAX: usize = 200;
/// The longest title, in characters.
const TITLE_CHARS_MAX: usize = 300;
/// The longest id or locale, in characters.
const VALUE_CHARS_MAX: usize = 200;
/// The line before and after the head.
const FENCE: &str = "---";

/// What the head of a file says, and what follows it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Page<'a> {
    pub(crate) title: String,
    /// The article's id in the system it comes from.
    pub(crate) id: Option<String>,
    pub(crate) locale: Option<String>,
    /// Whether visitors may read it; none if the file does not say.
    pub(crate) status: Option<PageStatus>,
    /// The inboxes it is for, by name; none if the file does not say.
    pub(crate) inboxes: Option<Vec<String>>,
    pub(crate) body: &'a str,
}

/// Whether visitors may read a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PageStatus {
    Draft,
    Published,
}

/// Why a head cannot be used. Lines count from 1, as editors do.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum BadHead {
    /// No title in the head, or no head at all.
    NoTitle,
    /// The second `---` is missing.
    Unclosed,
    /// No `key: value`.
    NoKey { line: usize },
    /// A key stands twice.
    Repeated { line: usize, key: String },
    /// A quoted value without its end, or with text after it.
    BadQuote { line: usize },
    /// A known key with a list, a block or an alias instead of a plain text.
    NotPlain { line: usize, key: String },
    /// `draft` is neither `true` nor `false`.
    BadDraft { line: usize },
    /// `status` is neither `draft` nor `published`, or says something else than `draft`.
    BadStatus { line: usize },
    /// A value beyond its limit.
    TooLong { line: usize, key: String },
}

impl BadHead {
    /// A stable word for scripts.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoTitle => "no_title",
            Self::Unclosed
            | Self::NoKey { .. }
            | Self::Repeated { .. }
            | Self::BadQuote { .. }
            | Self::NotPlain { .. }
            | Self::BadDraft { .. }
            | Self::BadStatus { .. }
            | Self::TooLong { .. } => "bad_front_matter",
        }
    }
}

impl fmt::Display for BadHead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTitle => write!(formatter, "no title in its front matter"),
            Self::Unclosed => write!(formatter, "front matter without a second ---"),
            Self::NoKey { line } => write!(formatter, "line {line}: no `key: value`"),
            Self::Repeated { line, key } => write!(formatter, "line {line}: `{key}` stands twice"),
            Self::BadQuote { line } => write!(formatter, "line {line}: a quote does not end there"),
            Self::NotPlain { line, key } => {
                write!(formatter, "line {line}: `{key}` must be plain text in one line")
            }
            Self::BadDraft { line } => write!(formatter, "line {line}: draft is true or false"),
            Self::BadStatus { line } => {
                write!(formatter, "line {line}: status is draft or published, and said once")
            }
            Self::TooLong { line, key } => write!(formatter, "line {line}: `{key}` is too long"),
        }
    }
}

/// Reads the head of a file.
pub(crate) fn parse(text: &str) -> Result<Page<'_>, BadHead> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (first, mut rest) = next_line(text);
    if first.trim_end() != FENCE {
        return Err(BadHead::NoTitle);
    }
    let mut head = Head::default();
    for line in 2..LINES_MAX {
        if rest.is_empty() {
            return Err(BadHead::Unclosed);
        }
        let (content, after) = next_line(rest);
        rest = after;
        if content.trim_end() == FENCE {
            let title = head.title.filter(|title| !title.is_empty()).ok_or(BadHead::NoTitle)?;
            let body = rest.trim_start_matches(['\r', '\n']);
            let Head { id, locale, status, inboxes, .. } = head;
            return Ok(Page { title, id, locale, status, inboxes, body });
        }
        head.read(line, content.trim_end())?;
    }
    Err(BadHead::Unclosed)
}

fn next_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

#[derive(Default)]
struct Head {
    title: Option<String>,
    id: Option<String>,
    locale: Option<String>,
    status: Option<PageStatus>,
    inboxes: Option<Vec<String>>,
    seen: BTreeSet<String>,
    /// The key whose value may go on in indented lines.
    last: String,
}

impl Head {
    fn read(&mut self, line: usize, content: &str) -> Result<(), BadHead> {
        if content.trim().is_empty() || content.starts_with('#') {
            return Ok(());
        }
        if content.starts_with([' ', '\t']) || content == "-" || content.starts_with("- ") {
            return match self.last.as_str() {
                "" => Err(BadHead::NoKey { line }),
                key if is_known(key) => Err(BadHead::NotPlain { line, key: key.to_owned() }),
                _ => Ok(()),
            };
        }
        let (key, raw) = content.split_once(':').ok_or(BadHead::NoKey { line })?;
        let key = key.trim_end();
        let separated = raw.is_empty() || raw.starts_with([' ', '\t']);
        if key.is_empty() || key.contains(char::is_whitespace) || !separated {
            return Err(BadHead::NoKey { line });
        }
        key.clone_into(&mut self.last);
        if !self.seen.insert(key.to_owned()) {
            return Err(BadHead::Repeated { line, key: key.to_owned() });
        }
        if is_known(key) { self.set(line, key, raw.trim()) } else { Ok(()) }
    }

    fn set(&mut self, line: usize, key: &str, raw: &str) -> Result<(), BadHead> {
        let listed = raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']'));
        let raw = if key == "inboxes" { listed.unwrap_or(raw) } else { raw };
        let value = plain(raw).map_err(|problem| match problem {
            NotPlain::Quote => BadHead::BadQuote { line },
            NotPlain::Shape => BadHead::NotPlain { line, key: key.to_owned() },
        })?;
        let chars_max = if key == "title" { TITLE_CHARS_MAX } else { VALUE_CHARS_MAX };
        if value.chars().count() > chars_max {
            return Err(BadHead::TooLong { line, key: key.to_owned() });
        }
        match key {
            "title" => self.title = Some(value.trim().to_owned()),
            "id" => self.id = Some(value).filter(|id| !id.is_empty()),
            "locale" => self.locale = Some(value).filter(|locale| !locale.is_empty()),
            "inboxes" => {
                let names = value.split(',').map(|name| name.trim().to_owned());
                self.inboxes = Some(names.filter(|name| !name.is_empty()).collect());
            }
            "status" => self.say(line, status_of(&value).ok_or(BadHead::BadStatus { line })?)?,
            _ => match value.as_str() {
                "true" => self.say(line, PageStatus::Draft)?,
                "false" => self.say(line, PageStatus::Published)?,
                "" => {}
                _ => return Err(BadHead::BadDraft { line }),
            },
        }
        Ok(())
    }
}

impl Head {
    /// `draft` and `status` say the same thing; they must not contradict each other.
    fn say(&mut self, line: usize, status: PageStatus) -> Result<(), BadHead> {
        if self.status.is_some_and(|said| said != status) {
            return Err(BadHead::BadStatus { line });
        }
        self.status = Some(status);
        Ok(())
    }
}

fn status_of(value: &str) -> Option<PageStatus> {
    match value {
        "draft" => Some(PageStatus::Draft),
        "published" => Some(PageStatus::Published),
        _ => None,
    }
}

fn is_known(key: &str) -> bool {
    matches!(key, "title" | "id" | "locale" | "draft" | "status" | "inboxes")
}

enum NotPlain {
    Quote,
    Shape,
}

/// A YAML scalar in one line: plain, 'single' or "double" quoted.
fn plain(raw: &str) -> Result<String, NotPlain> {
    match raw.chars().next() {
        Some('\'') => {
            let inner = raw[1..].strip_suffix('\'').ok_or(NotPlain::Quote)?;
            let parts: Vec<&str> = inner.split("''").collect();
            if parts.iter().any(|part| part.contains('\'')) {
                return Err(NotPlain::Quote);
            }
            Ok(parts.join("'"))
        }
        Some('"') => double_quoted(&raw[1..]),
        Some('|' | '>' | '[' | '{' | '&' | '*' | '!' | '%' | '@' | '`') => Err(NotPlain::Shape),
        Some(_) => Ok(raw.split(" #").next().unwrap_or(raw).trim_end().to_owned()),
        None => Ok(String::new()),
    }
}

fn double_quoted(rest: &str) -> Result<String, NotPlain> {
    let mut value = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                let after = chars.as_str().trim();
                let ends = after.is_empty() || after.starts_with('#');
                return if ends { Ok(value) } else { Err(NotPlain::Quote) };
            }
            '\\' => match chars.next() {
                Some(escaped @ ('"' | '\\' | '/')) => value.push(escaped),
                Some('t' | 'n') => value.push(' '),
                Some(_) | None => return Err(NotPlain::Quote),
            },
            c => value.push(c),
        }
    }
    Err(NotPlain::Quote)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BadHead, LINES_MAX, Page, PageStatus, parse};

    #[test]
    fn heads_are_read() {
        let text = "---\ntitle: \"Say \\\"hi\\\"\"\nid: 360017090920\nlocale: de # German\n\
                    tags:\n  - a\n- b\ndraft: true\n---\n\nBody\n---\nstill body\n";
        assert_eq!(
            parse(text).unwrap(),
            Page {
                title: "Say \"hi\"".into(),
                id: Some("360017090920".into()),
                locale: Some("de".into()),
                status: Some(PageStatus::Draft),
                inboxes: None,
                body: "Body\n---\nstill body\n",
            }
        );
        let text = "\u{feff}---\r\ntitle: 'It''s: plain'\r\n---\r\nBody";
        let page = parse(text).unwrap();
        assert_eq!((page.title.as_str(), page.body), ("It's: plain", "Body"));
        assert_eq!(parse("---\ntitle: A: b\n---").unwrap().title, "A: b");
        let status = |head: &str| parse(&format!("---\ntitle: a\n{head}---\n")).map(|it| it.status);
        assert_eq!(status("draft: false\n"), Ok(Some(PageStatus::Published)));
        assert_eq!(status("status: draft\n"), Ok(Some(PageStatus::Draft)));
        assert_eq!(status("status: published\ndraft: false\n"), Ok(Some(PageStatus::Published)));
        assert_eq!(status("status: draft\ndraft: false\n"), Err(BadHead::BadStatus { line: 4 }));
        assert_eq!(status(""), Ok(None));
        let inboxes = |value: &str| {
            parse(&format!("---\ntitle: a\ninboxes:{value}\n---\n")).map(|it| it.inboxes)
        };
        let both = Some(vec!["web".to_owned(), "shop".to_owned()]);
        assert_eq!(inboxes(" web, shop"), Ok(both.clone()));
        assert_eq!(inboxes(" [web, shop]"), Ok(both));
        assert_eq!(inboxes(""), Ok(Some(Vec::new())));
    }

    #[test]
    fn bad_heads_are_named() {
        let key = |key: &str| key.to_owned();
        for (text, problem) in [
            ("", BadHead::NoTitle),
            ("# Heading\n", BadHead::NoTitle),
            ("---\n---\nbody", BadHead::NoTitle),
            ("---\ntitle:\n---\n", BadHead::NoTitle),
            ("---\ntitle: \"  \"\n---\n", BadHead::NoTitle),
            ("---\ntitle: a\n", BadHead::Unclosed),
            ("---", BadHead::Unclosed),
            ("---\nnonsense\n---\n", BadHead::NoKey { line: 2 }),
            ("---\ntitle:a\n---\n", BadHead::NoKey { line: 2 }),
            ("---\n  indented: a\n---\n", BadHead::NoKey { line: 2 }),
            ("---\nid: 1\nid: 2\n---\n", BadHead::Repeated { line: 3, key: key("id") }),
            ("---\ntitle: \"a\n---\n", BadHead::BadQuote { line: 2 }),
            ("---\ntitle: \"a\" b\n---\n", BadHead::BadQuote { line: 2 }),
            ("---\ntitle: 'a'b'\n---\n", BadHead::BadQuote { line: 2 }),
            ("---\ntitle: '\n---\n", BadHead::BadQuote { line: 2 }),
            ("---\ntitle: >\n  a\n---\n", BadHead::NotPlain { line: 2, key: key("title") }),
            ("---\ntitle: a\n  b\n---\n", BadHead::NotPlain { line: 3, key: key("title") }),
            ("---\nid: [1]\n---\n", BadHead::NotPlain { line: 2, key: key("id") }),
            ("---\ntitle: a\ndraft: maybe\n---\n", BadHead::BadDraft { line: 3 }),
            ("---\ntitle: a\nstatus: secret\n---\n", BadHead::BadStatus { line: 3 }),
        ] {
            assert_eq!(parse(text).unwrap_err(), problem, "{text:?}");
        }
        let long = format!("---\ntitle: {}\n---\n", "x".repeat(301));
        assert_eq!(parse(&long).unwrap_err(), BadHead::TooLong { line: 2, key: key("title") });
        let endless = format!(
            "---
{}",
            "# comment
"
            .repeat(1_000)
        );
        assert_eq!(parse(&endless), Err(BadHead::Unclosed));
    }

    const HEAD: &str = "---\ntitle: 'It''s: plain'\nid: \"a\\\"b\"\ntags:\n  - x\n\
                        inboxes: [web, shop]\nstatus: draft\nlocale: de # German\n---\nBody\n";

    /// Lines of keys, colons and quotes between fences, some of which are missing.
    const PAGES: &str = concat!(
        "(---\r?\n)?",
        "([a-z]{0,6}(: |:|)[-'\"\\\\#\\[\\]{},|>&*!a-z\u{0}\u{1f600} ]{0,12}\r?\n){0,8}",
        "(---\r?\n?)?.{0,20}"
    );

    fn judge(text: &str) -> Result<(), TestCaseError> {
        match parse(text) {
            Ok(page) => {
                prop_assert!(!page.title.is_empty() && text.ends_with(page.body), "{page:?}");
            }
            Err(error) => prop_assert!(!error.to_string().is_empty() && !error.code().is_empty()),
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn any_text_is_a_page_or_a_named_mistake(text in PAGES) {
            judge(&text)?;
        }

        #[test]
        fn a_changed_head_is_a_page_or_a_named_mistake(
            at in 0..HEAD.len(), byte in any::<u8>(), cut in any::<bool>(),
        ) {
            let mut bytes = HEAD.as_bytes().to_vec();
            bytes[at] = byte;
            let end = if cut { at } else { bytes.len() };
            judge(&String::from_utf8_lossy(&bytes[..end]))?;
        }

        #[test]
        fn a_quoted_title_comes_back(title in "([^\r\n]|['\"\\\\\u{0} #]){1,60}", lines in 0..LINES_MAX) {
            let single = title.replace('\'', "''");
            let double = title.replace('\\', "\\\\").replace('"', "\\\"");
            let comments = "# comment\n".repeat(lines);
            for quoted in [format!("'{single}'"), format!("\"{double}\"")] {
                let text = format!("---\n{comments}title: {quoted}\n---\n");
                let read = parse(&text).map(|page| page.title);
                let is_head = lines + 4 <= LINES_MAX;
                match (title.trim(), is_head) {
                    (_, false) => prop_assert_eq!(read, Err(BadHead::Unclosed)),
                    ("", true) => prop_assert_eq!(read, Err(BadHead::NoTitle)),
                    (trimmed, true) => prop_assert_eq!(read, Ok(trimmed.to_owned())),
                }
            }
        }
    }
}
