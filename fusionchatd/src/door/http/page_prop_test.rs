//! Article pages of any Markdown: elements that are ours, closed in order, and nothing that runs.

use proptest::prelude::*;

use super::*;
use crate::domain::damage::texts_of;

const PIECES: &[&str] = &[
    "# ",
    "\n",
    "\n\n",
    "- ",
    "1. ",
    "> ",
    "```",
    "`",
    "*",
    "**",
    "~~",
    "[",
    "](",
    ")",
    "![",
    "|",
    "|---|---|\n",
    "<script>",
    "</script>",
    "<img src=x onerror=alert(1)>",
    "<!--",
    "-->",
    "&lt;",
    "&#0;",
    "javascript:",
    "data:",
    "https://a.example/\"><b>",
    "mailto:a@b",
    "<https://b.example>",
    "\"",
    "'",
    "words ",
    "\t",
    "\0",
    "=",
];
/// Every element a page may have.
const ELEMENTS: &[&str] = &[
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "pre",
    "code",
    "ol",
    "ul",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "em",
    "strong",
    "del",
    "a",
    "br",
    "hr",
    "s",
    "input",
    "dl",
    "dt",
    "dd",
    "sup",
    "sub",
];

/// The name of each tag with its attributes, in order.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).map(|it| it.split('>').next().unwrap_or_default()).collect()
}

fn check(markdown: &str) -> Result<(), TestCaseError> {
    let mut html = String::new();
    render(markdown, &mut html);
    let mut open: Vec<&str> = Vec::new();
    for tag in tags(&html) {
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        prop_assert!(ELEMENTS.contains(&name), "{tag} in {html}");
        let attributes = tag.split_once(' ').map_or("", |it| it.1);
        let target = attributes.strip_prefix("rel=\"noopener nofollow ugc\" href=\"");
        let plain = attributes.is_empty()
            || target.is_some_and(|target| SCHEMES.iter().any(|it| target.starts_with(it)))
            || name == "ol" && attributes.starts_with("start=\"");
        prop_assert!(plain, "{tag} in {html}");
        match name {
            "br" | "hr" => {}
            _ if tag.starts_with('/') => prop_assert_eq!(open.pop(), Some(name), "{}", html),
            _ => open.push(name),
        }
        prop_assert!(open.len() <= 2 * NESTING_MAX);
    }
    prop_assert!(open.is_empty(), "{open:?} in {html}");
    Ok(())
}

proptest! {
    #[test]
    fn any_markdown_becomes_elements_of_ours(markdown in texts_of(PIECES)) {
        check(&markdown)?;
    }

    #[test]
    fn nesting_without_end_becomes_a_page(
        unit in proptest::sample::select(vec!["> ", "- ", "[", "*", "_", "`", "1. ", "# "]),
        count in 0..5_000_usize,
    ) {
        check(&format!("{}x", unit.repeat(count)))?;
    }

    #[test]
    fn a_title_stays_a_text(title in texts_of(PIECES)) {
        let html = page("en", &title, "");
        let body = html.split("<h1>").nth(1).and_then(|it| it.split("</h1>").next());
        prop_assert!(body.is_some_and(|it| !it.contains(['<', '>'])), "{html}");
    }
}
