//! Takes comments and needless white space out of hand-written CSS. It must not change anything
//! else, so strings are copied as they stand.

/// Characters around which white space means nothing in the style sheets of this project. The colon
/// and the parentheses are missing on purpose: ` :` is a descendant in a selector and ` (` matters
/// in a media query.
const TIGHT: &str = "{};,>";

pub(crate) fn minify(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(next) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if next == '"' || next == '\'' {
            let end = rest[1..].find(next).map_or(rest.len(), |at| at + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if next.is_whitespace() {
            rest = rest.trim_start();
            let after = rest.chars().next().is_none_or(|c| TIGHT.contains(c));
            if !after && !out.is_empty() && !out.ends_with(|c| TIGHT.contains(c) || c == ' ') {
                out.push(' ');
            }
        } else {
            if next == '}' && out.ends_with(';') {
                out.pop();
            }
            if TIGHT.contains(next) && out.ends_with(' ') {
                out.pop();
            }
            out.push(next);
            rest = &rest[next.len_utf8()..];
            // `name: value` loses its blank; a selector's colon is never followed by one.
            if next == ':' {
                rest = rest.trim_start();
            }
        }
    }
    out
}
