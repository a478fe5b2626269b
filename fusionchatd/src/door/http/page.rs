//! Pages a visitor reads without a script: an article, or the news that there is none. Markdown is
//! rendered from its events; raw HTML and images are dropped, every text is escaped, and a link
//! goes to the web or to mail.

use std::fmt::Write;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use sha2::{Digest, Sha256};

use crate::domain::article::Article;

/// Elements nested deeper than this are left out.
const NESTING_MAX: usize = 64;
/// The schemes a link may have.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;\
overflow-wrap:anywhere}\
h1{line-height:1.2}pre{overflow:auto;padding:1rem;background:#8882}\
code{font-family:ui-monospace,monospace}table{border-collapse:collapse}\
td,th{border:1px solid #8888;padding:.25rem .5rem;text-align:start}\
blockquote{margin-inline:0;padding-inline-start:1rem;border-inline-start:.25rem solid #8888}";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// The `Content-Security-Policy` of these pages: their own style and nothing else.
pub(super) fn policy() -> &'static str {
    &POLICY
}

/// The page of an article.
pub(super) fn article(article: &Article) -> String {
    let mut body = String::with_capacity(article.body.len() * 2);
    render(&article.body, &mut body);
    page(&article.locale, &article.title, &body)
}

/// The page in the place of an article or inbox that is not there.
pub(super) fn missing() -> String {
    page("en", "Not found", "<p>There is nothing at this address.</p>")
}

fn page(locale: &str, title: &str, body: &str) -> String {
    let mut out = String::with_capacity(body.len() + STYLE.len() + 512);
    out.push_str("<!doctype html>\n<html lang=\"");
    escape(locale, &mut out);
    out.push_str("\"><head><meta charset=\"utf-8\">");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
    escape(title, &mut out);
    let _ = write!(out, "</title><style>{STYLE}</style></head><body><main><h1>");
    escape(title, &mut out);
    let _ = write!(out, "</h1>\n{body}</main></body></html>\n");
    out
}

fn render(markdown: &str, out: &mut String) {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut page = Page { out, open: Vec::new(), dropped: 0, in_head: false };
    for event in Parser::new_ext(markdown, options) {
        page.event(event);
    }
}

/// What an element became, so that its end closes that.
struct Page<'o> {
    out: &'o mut String,
    open: Vec<&'static str>,
    /// How many elements are open that are too deep to be shown.
    dropped: usize,
    in_head: bool,
}

impl Page<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => escape(&text, self.out),
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.out.push_str("<code>");
                escape(&text, self.out);
                self.out.push_str("</code>");
            }
            Event::SoftBreak => self.out.push('\n'),
            Event::HardBreak => self.out.push_str("<br>\n"),
            Event::Rule => self.out.push_str("<hr>\n"),
            Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        if self.open.len() >= NESTING_MAX {
            self.dropped += 1;
            return;
        }
        let name = match tag {
            Tag::Paragraph => "p",
            Tag::Heading { level, .. } => heading(level),
            Tag::BlockQuote(_) => "blockquote",
            Tag::CodeBlock(CodeBlockKind::Indented | CodeBlockKind::Fenced(_)) => "pre",
            Tag::List(Some(first)) => {
                let _ = write!(self.out, "<ol start=\"{first}\">");
                self.open.push("ol");
                return;
            }
            Tag::List(None) => "ul",
            Tag::Item => "li",
            Tag::Table(_) => "table",
            Tag::TableHead => {
                self.in_head = true;
                "tr"
            }
            Tag::TableRow => "tr",
            Tag::TableCell if self.in_head => "th",
            Tag::TableCell => "td",
            Tag::Emphasis => "em",
            Tag::Strong => "strong",
            Tag::Strikethrough => "s",
            Tag::Superscript => "sup",
            Tag::Subscript => "sub",
            Tag::Link { dest_url, .. } => return self.link(&dest_url),
            Tag::Image { .. }
            | Tag::HtmlBlock
            | Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::MetadataBlock(_) => "",
        };
        self.open.push(name);
        if !name.is_empty() {
            let _ = write!(self.out, "<{name}>");
        }
    }

    /// A link to anywhere else than the web or mail stays as its text.
    fn link(&mut self, target: &CowStr<'_>) {
        let lower = target.to_ascii_lowercase();
        if !SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) {
            self.open.push("");
            return;
        }
        self.out.push_str("<a rel=\"noopener nofollow ugc\" href=\"");
        escape(target, self.out);
        self.out.push_str("\">");
        self.open.push("a");
    }

    fn end(&mut self, tag: TagEnd) {
        if self.dropped > 0 {
            self.dropped -= 1;
            return;
        }
        if tag == TagEnd::TableHead {
            self.in_head = false;
        }
        let Some(name) = self.open.pop().filter(|name| !name.is_empty()) else { return };
        let _ = write!(self.out, "</{name}>");
        if !matches!(name, "a" | "em" | "strong" | "s" | "sup" | "sub" | "td" | "th") {
            self.out.push('\n');
        }
    }
}

/// The page's title is its first heading, so those of the text begin below it.
fn heading(level: HeadingLevel) -> &'static str {
    match level {
        HeadingLevel::H1 | HeadingLevel::H2 => "h2",
        HeadingLevel::H3 => "h3",
        HeadingLevel::H4 => "h4",
        HeadingLevel::H5 => "h5",
        HeadingLevel::H6 => "h6",
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(markdown: &str, expected: &str) {
        let mut out = String::new();
        render(markdown, &mut out);
        assert_eq!(out, expected, "{markdown}");
    }

    #[test]
    fn markdown_becomes_plain_elements() {
        check(
            "# A\n\ntext *b* **c** `d`",
            "<h2>A</h2>\n<p>text <em>b</em> <strong>c</strong> <code>d</code></p>\n",
        );
        check("3. a\n4. b", "<ol start=\"3\"><li>a</li>\n<li>b</li>\n</ol>\n");
        check("|a|\n|-|\n|b|", "<table><tr><th>a</th></tr>\n<tr><td>b</td></tr>\n</table>\n");
        check("```sh\nls <a>\n```", "<pre>ls &lt;a&gt;\n</pre>\n");
    }

    #[test]
    fn fault_101_nothing_of_an_article_runs() {
        check("<script>alert(1)</script>", "");
        check("a <img src=x onerror=alert(1)> b", "<p>a  b</p>\n");
        check("![alt](https://evil.example/x.png)", "<p>alt</p>\n");
        for target in ["javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "/x", "#a"] {
            check(&format!("[t]({target})"), "<p>t</p>\n");
        }
        check(
            "[t](https://a.example/?\"onclick=x)",
            "<p><a rel=\"noopener nofollow ugc\" \
             href=\"https://a.example/?&quot;onclick=x\">t</a></p>\n",
        );
        let html = page("\"><script>", "</title><script>", "");
        assert!(!html.contains("<script>"), "{html}");
    }

    #[test]
    fn deep_nesting_is_cut() {
        let mut out = String::new();
        render(&"> ".repeat(10_000), &mut out);
        render(&format!("{}x", "- ".repeat(2_000)), &mut out);
        assert!(out.matches("<ul>").count() <= NESTING_MAX);
        assert_eq!(out.matches("<ul>").count(), out.matches("</ul>").count());
    }
}

#[cfg(test)]
#[path = "page_prop_test.rs"]
mod prop;
