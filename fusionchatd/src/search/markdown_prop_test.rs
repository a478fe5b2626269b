//! Markdown of articles, and the HTML inside it: bounded passages of visible text whatever it is.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::damage::texts_of;
use crate::search::sentences::sentences;

const PIECES: &[&str] = &[
    "# ",
    "## ",
    "###### ",
    "\n",
    "\n\n",
    "- ",
    "1. ",
    "> ",
    "    ",
    "```",
    "`",
    "*",
    "**",
    "_",
    "~~",
    "[",
    "](",
    ")",
    "![",
    "|",
    "|---|---|\n",
    "<",
    ">",
    "</",
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "<div hidden>",
    "</div>",
    "<p style=\"display:none\">",
    "&amp;",
    "&#0;",
    "&#x1b;",
    "&#xD800;",
    "https://a.example",
    "Words that say something. ",
    "e.g. ",
    "\t",
    "\r",
    "\u{202e}",
    "\0",
    "-",
    "=",
];

/// HTML in which no tag is left open, as a browser reads it.
fn texts_of_whole_tags() -> impl Strategy<Value = String> {
    let whole = select(vec![
        "Shown. ",
        "<b>",
        "</b>",
        "<b \">",
        "<b ='>",
        "<i a=\"x>y\">",
        "<i a='>'>",
        "<i a= '\">'>",
        "<p/>",
        "<p a=b\"c>",
        "<p a='b'\"c>",
        "<\u{e9} \"",
        "<1 '",
        "< \"",
        "<br a='/'>",
        "&amp;",
        "<p a>",
        "<p a =x'>",
        "<p/\">",
    ]);
    vec(whole, 0..8).prop_map(|pieces| pieces.concat())
}

fn check(markdown: &str) -> Result<(), TestCaseError> {
    let passages = passages(markdown);
    prop_assert!(passages.len() <= MAX_PASSAGES);
    for passage in &passages {
        prop_assert!(!passage.text.trim().is_empty());
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        prop_assert!(!passage.text.chars().any(control), "{:?}", passage.text);
        prop_assert!(!passage.heading.chars().any(char::is_control), "{:?}", passage.heading);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_markdown_becomes_bounded_passages(markdown in texts_of(PIECES)) {
        check(&markdown)?;
    }

    #[test]
    fn nesting_without_end_is_read(
        unit in select(vec!["> ", "- ", "[", "*", "<div>", "(", "![", "`", "<!--", "# "]),
        count in 0..20_000_usize,
    ) {
        check(&unit.repeat(count))?;
    }

    #[test]
    fn what_a_hidden_element_holds_is_not_shown(
        before in texts_of_whole_tags(),
        tag in select(vec!["script", "style", "svg", "template", "object"]),
        inside in "[ a-z\"'=>]{0,12}",
    ) {
        let mut filter = HtmlFilter::default();
        let mut out = String::new();
        filter.feed(&format!("{before}<{tag}>{inside}Zq7secret</{tag}>after"), &mut out);
        prop_assert!(!out.contains("Zq7secret") && out.ends_with("after"), "{out}");
    }

    #[test]
    fn sentences_are_pieces_of_their_text_in_order(text in texts_of(PIECES)) {
        let mut end = 0;
        for range in sentences(&text) {
            prop_assert!(range.start >= end && range.start < range.end);
            prop_assert!(text.get(range.clone()).is_some_and(|it| !it.trim().is_empty()));
            end = range.end;
        }
        prop_assert!(end <= text.len());
    }
}
