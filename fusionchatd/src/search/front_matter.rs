//! Reads one article file: a short front matter between `---` lines, then Markdown. It is pure and
//! strict about what it understands, and must not interpret YAML beyond `key: value` lines.

/// The largest article file, in bytes.
pub const MAX_FILE_BYTES: usize = 256 * 1024;
/// The longest title, in characters.
pub const MAX_TITLE_CHARS: usize = 200;
/// The longest id, in characters.
pub const MAX_ID_CHARS: usize = 200;
/// The longest front matter, in lines.
const MAX_FRONT_MATTER_LINES: usize = 200;
/// The longest locale, in bytes (BCP 47 recommends room for 35).
const MAX_LOCALE_BYTES: usize = 35;

/// An article as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArticleFile {
    /// The title, never empty, at most [`MAX_TITLE_CHARS`].
    pub title: String,
    /// What the author's own system calls this article, if it says so.
    pub id: Option<String>,
    /// A language tag such as `en` or `pt-BR`, if given.
    pub locale: Option<String>,
    /// The Markdown after the front matter.
    pub body: String,
}

/// Why a file is not an article.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArticleFileError {
    /// The file is larger than [`MAX_FILE_BYTES`].
    #[error("the file has {bytes} bytes; at most {MAX_FILE_BYTES} are allowed")]
    TooLarge {
        /// The file's size.
        bytes: usize,
    },
    /// The file is not valid UTF-8.
    #[error("the file is not UTF-8 (first bad byte at offset {offset})")]
    NotUtf8 {
        /// Where the first bad byte is, from the start of the file.
        offset: usize,
    },
    /// There is no front matter, or it names no title.
    #[error("the front matter has no title")]
    NoTitle,
    /// A line of the front matter cannot be used.
    #[error("line {line} of the front matter: {problem}")]
    BadFrontMatter {
        /// The line's number in the file, from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Parses the bytes of one article file.
///
/// The file starts with a line `---`, `key: value` lines and a closing `---`. `title` is required,
/// `id` and `locale` are optional; other keys, comments and indented lines are passed over.
///
/// # Errors
/// [`ArticleFileError`] says which limit or line is at fault.
pub fn parse(bytes: &[u8]) -> Result<ArticleFile, ArticleFileError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(ArticleFileError::TooLarge { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ArticleFileError::NotUtf8 { offset: error.valid_up_to() })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);

    let mut rest = text;
    if take_line(&mut rest).map(str::trim_end) != Some("---") {
        return Err(ArticleFileError::NoTitle);
    }
    let mut fields = Fields::default();
    for line in 2..=MAX_FRONT_MATTER_LINES {
        let Some(content) = take_line(&mut rest) else {
            return Err(bad(line - 1, "the front matter is not closed with ---"));
        };
        if matches!(content.trim_end(), "---" | "...") {
            let title = fields.title.ok_or(ArticleFileError::NoTitle)?;
            let body = rest.to_owned();
            return Ok(ArticleFile { title, id: fields.id, locale: fields.locale, body });
        }
        fields.read(line, content)?;
    }
    Err(bad(MAX_FRONT_MATTER_LINES, "the front matter is too long"))
}

fn bad(line: usize, problem: &'static str) -> ArticleFileError {
    ArticleFileError::BadFrontMatter { line, problem }
}

fn take_line<'a>(rest: &mut &'a str) -> Option<&'a str> {
    if rest.is_empty() {
        return None;
    }
    let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
    *rest = after;
    Some(line.strip_suffix('\r').unwrap_or(line))
}

#[derive(Default)]
struct Fields {
    title: Option<String>,
    id: Option<String>,
    locale: Option<String>,
}

impl Fields {
    fn read(&mut self, line: usize, content: &str) -> Result<(), ArticleFileError> {
        let nested = content.starts_with([' ', '\t', '-']);
        if content.trim().is_empty() || content.starts_with('#') || nested {
            return Ok(());
        }
        let Some((key, value)) = content.split_once(':') else {
            return Err(bad(line, "expected `key: value`"));
        };
        let (slot, longest) = match key.trim_end() {
            "title" => (&mut self.title, MAX_TITLE_CHARS),
            "id" => (&mut self.id, MAX_ID_CHARS),
            "locale" => (&mut self.locale, MAX_LOCALE_BYTES),
            _ => return Ok(()),
        };
        if slot.is_some() {
            return Err(bad(line, "this key was given before"));
        }
        let value = scalar(line, value.trim())?;
        if value.is_empty() {
            return Ok(());
        }
        if value.chars().count() > longest {
            return Err(bad(line, "the value is too long"));
        }
        if value.chars().any(char::is_control) {
            return Err(bad(line, "control characters are not allowed"));
        }
        if key.trim_end() == "locale" && !is_locale(&value) {
            return Err(bad(line, "the locale is not a language tag such as `en` or `pt-BR`"));
        }
        *slot = Some(value);
        Ok(())
    }
}

/// A plain, single-quoted or double-quoted value, with YAML's escapes of a quote.
fn scalar(line: usize, value: &str) -> Result<String, ArticleFileError> {
    let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        let plain = value.split_once(" #").map_or(value, |(before, _)| before);
        return Ok(plain.trim().to_owned());
    };
    let mut out = String::with_capacity(value.len());
    let mut inside = value[1..].chars().peekable();
    while let Some(next) = inside.next() {
        match next {
            '\\' if quote == '"' => match inside.next() {
                Some(escaped @ ('"' | '\\' | '/')) => out.push(escaped),
                _ => return Err(bad(line, "unknown escape in a quoted value")),
            },
            _ if next == quote => {
                if quote == '\'' && inside.next_if_eq(&'\'').is_some() {
                    out.push('\'');
                    continue;
                }
                let tail: String = inside.collect();
                let tail = tail.trim();
                if tail.is_empty() || tail.starts_with('#') {
                    return Ok(out.trim().to_owned());
                }
                return Err(bad(line, "text after the closing quote"));
            }
            _ => out.push(next),
        }
    }
    Err(bad(line, "the quote is not closed"))
}

fn is_locale(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::{ArticleFileError, MAX_FILE_BYTES, parse};

    fn problem_line(text: &str) -> usize {
        match parse(text.as_bytes()) {
            Err(ArticleFileError::BadFrontMatter { line, .. }) => line,
            other => panic!("expected a bad line, got {other:?}"),
        }
    }

    #[test]
    fn reads_title_id_and_locale() {
        let text = "---\ntitle: \"Say \\\"hi\\\"\"\nid: 42 # ours\nlocale: pt-BR\n---\n\n# Body\n";
        let file = parse(text.as_bytes()).unwrap();
        assert_eq!(file.title, "Say \"hi\"");
        assert_eq!(file.id.as_deref(), Some("42"));
        assert_eq!(file.locale.as_deref(), Some("pt-BR"));
        assert_eq!(file.body, "\n# Body\n");
    }

    #[test]
    fn accepts_a_mark_carriage_returns_and_unknown_keys() {
        let text =
            "\u{feff}---\r\ntags:\r\n  - a\r\n# note\r\ntitle: 'It''s on: now'\r\n---\r\nBody";
        let file = parse(text.as_bytes()).unwrap();
        assert_eq!(file.title, "It's on: now");
        assert_eq!(file.body, "Body");
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(parse(b"# Only Markdown"), Err(ArticleFileError::NoTitle));
        assert_eq!(parse(b""), Err(ArticleFileError::NoTitle));
        assert_eq!(parse(b"---\nid: 1\n---\n"), Err(ArticleFileError::NoTitle));
        assert_eq!(parse(b"---\ntitle:  \n---\n"), Err(ArticleFileError::NoTitle));
        assert_eq!(
            parse(b"---\ntitle: a\xff\n---\n"),
            Err(ArticleFileError::NotUtf8 { offset: 12 })
        );
        let bytes = MAX_FILE_BYTES + 1;
        assert_eq!(parse(&vec![b'a'; bytes]), Err(ArticleFileError::TooLarge { bytes }));
        assert_eq!(problem_line("---\ntitle: a\nnonsense\n---\n"), 3);
        assert_eq!(problem_line("---\ntitle: a\ntitle: b\n---\n"), 3);
        assert_eq!(problem_line("---\ntitle: \"a\n---\n"), 2);
        assert_eq!(problem_line("---\ntitle: 'a' b\n---\n"), 2);
        assert_eq!(problem_line("---\ntitle: a\nlocale: english!\n---\n"), 3);
        assert_eq!(problem_line("---\ntitle: a\n"), 2);
        assert_eq!(problem_line(&format!("---\ntitle: {}\n---\n", "a".repeat(201))), 2);
        assert_eq!(problem_line(&format!("---\n{}", "x: 1\n".repeat(5000))), 200);
        assert_eq!(problem_line("---\ntitle: a\u{1b}[2J\n---\n"), 2);
    }
}

#[cfg(test)]
#[path = "front_matter_prop_test.rs"]
mod prop;
