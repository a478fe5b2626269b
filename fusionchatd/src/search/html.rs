//! Reduces HTML inside Markdown to its visible text. It must never let hidden text through: when in
//! doubt (an unclosed comment, tag or hidden element) it drops rather than keeps.

/// Elements whose content is never shown as text.
const INVISIBLE: &[&str] = &[
    "audio", "canvas", "head", "iframe", "math", "noscript", "object", "script", "select", "style",
    "svg", "template", "textarea", "title", "video",
];
/// Elements whose content is not markup: only their own closing tag ends them.
const RAW: &[&str] = &["iframe", "noscript", "script", "style", "textarea", "title"];
/// Elements without content, which therefore cannot hide anything.
const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];
/// Elements that stay inside a line; every other tag separates words.
const INLINE: &[&str] =
    &["a", "abbr", "b", "code", "em", "i", "kbd", "mark", "s", "small", "span", "strong", "u"];
/// Declarations that hide an element, without white space.
const HIDING_STYLES: &[&str] =
    &["display:none", "visibility:hidden", "opacity:0", "font-size:0", "color:transparent"];

/// Remembers, across the HTML pieces of one article, whether text is hidden at the moment.
#[derive(Debug, Default)]
pub(crate) struct HtmlFilter {
    hidden: Option<Hidden>,
}

#[derive(Debug)]
struct Hidden {
    name: String,
    depth: usize,
}

struct Tag<'a> {
    name: String,
    closing: bool,
    attributes: &'a str,
}

impl HtmlFilter {
    /// Whether text that follows is inside a hidden element.
    pub(crate) fn hides(&self) -> bool {
        self.hidden.is_some()
    }

    /// Reads a piece of HTML and appends its visible text to `out`.
    pub(crate) fn feed(&mut self, html: &str, out: &mut String) {
        let mut rest = html;
        while let Some(open) = rest.find('<') {
            self.text(&rest[..open], out);
            let markup = &rest[open..];
            rest = match self.markup(markup, out) {
                Some(length) => &markup[length..],
                None => return,
            };
        }
        self.text(rest, out);
    }

    fn text(&self, text: &str, out: &mut String) {
        if self.hidden.is_none() {
            decode_into(text, out);
        }
    }

    /// Handles what starts with `<`; its length, or nothing if it never ends.
    fn markup(&mut self, markup: &str, out: &mut String) -> Option<usize> {
        let raw = self.hidden.as_ref().is_some_and(|hidden| RAW.contains(&hidden.name.as_str()));
        if !raw && let Some(comment) = markup.strip_prefix("<!--") {
            return comment.find("-->").map(|end| end + "<!---->".len());
        }
        if !raw && (markup.starts_with("<!") || markup.starts_with("<?")) {
            return markup.find('>').map(|end| end + 1);
        }
        let named =
            markup[1..].trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic());
        if !named || markup.starts_with("<//") {
            self.text("<", out);
            return Some(1);
        }
        if raw && !markup.starts_with("</") {
            return Some(1);
        }
        let end = tag_end(markup)?;
        self.apply(&read_tag(&markup[1..end]), out);
        Some(end + 1)
    }

    fn apply(&mut self, tag: &Tag<'_>, out: &mut String) {
        if let Some(hidden) = &mut self.hidden {
            if hidden.name == tag.name {
                if tag.closing {
                    hidden.depth -= 1;
                } else if !tag.attributes.ends_with('/') {
                    hidden.depth += 1;
                }
            }
            if hidden.depth == 0 {
                self.hidden = None;
            }
            return;
        }
        if !INLINE.contains(&tag.name.as_str()) {
            out.push(' ');
        }
        if tag.closing || VOID.contains(&tag.name.as_str()) {
            return;
        }
        if INVISIBLE.contains(&tag.name.as_str()) || hides(tag.attributes) {
            self.hidden = Some(Hidden { name: tag.name.clone(), depth: 1 });
        }
    }
}

/// Where in a tag a reader of HTML is.
#[derive(Clone, Copy)]
enum Place {
    Name,
    BeforeAttribute,
    Attribute,
    AfterAttribute,
    BeforeValue,
    Quoted(u8),
    Unquoted,
}

/// Where the tag's `>` is. Only a quote that begins a value hides one: browsers take any other for a part of a name.
fn tag_end(markup: &str) -> Option<usize> {
    let mut place = Place::Name;
    for (at, byte) in markup.bytes().enumerate() {
        let space = byte.is_ascii_whitespace();
        place = match place {
            Place::Quoted(quote) if byte == quote => Place::BeforeAttribute,
            Place::Quoted(_) => continue,
            _ if byte == b'>' => return Some(at),
            Place::Name if space || byte == b'/' && at > 1 => Place::BeforeAttribute,
            Place::BeforeValue if space => continue,
            Place::BeforeValue if matches!(byte, b'"' | b'\'') => Place::Quoted(byte),
            Place::BeforeValue => Place::Unquoted,
            Place::Unquoted if space => Place::BeforeAttribute,
            Place::Name | Place::Unquoted => continue,
            Place::BeforeAttribute if space || byte == b'/' => continue,
            Place::BeforeAttribute => Place::Attribute,
            Place::Attribute | Place::AfterAttribute if byte == b'/' => Place::BeforeAttribute,
            Place::Attribute | Place::AfterAttribute if byte == b'=' => Place::BeforeValue,
            Place::Attribute | Place::AfterAttribute if space => Place::AfterAttribute,
            Place::Attribute | Place::AfterAttribute => Place::Attribute,
        };
    }
    None
}

fn read_tag(inside: &str) -> Tag<'_> {
    let (closing, inside) = inside.strip_prefix('/').map_or((false, inside), |rest| (true, rest));
    let end = inside.find(|c: char| !c.is_alphanumeric() && c != '-').unwrap_or(inside.len());
    let (name, attributes) = inside.split_at(end);
    Tag { name: name.to_ascii_lowercase(), closing, attributes: attributes.trim() }
}

fn hides(attributes: &str) -> bool {
    let plain: String = attributes
        .chars()
        .filter(|c| !matches!(c, '"' | '\''))
        .flat_map(char::to_lowercase)
        .collect();
    let flat: String = plain.chars().filter(|c| !c.is_whitespace()).collect();
    let hiding = |style: &&str| {
        flat.match_indices(*style).any(|(at, _)| !flat[at + style.len()..].starts_with('.'))
    };
    HIDING_STYLES.iter().any(hiding)
        || flat.contains("aria-hidden=true")
        || plain
            .split(char::is_whitespace)
            .any(|word| word.split('=').next().is_some_and(|name| name == "hidden"))
}

/// Appends text with the common character references decoded.
fn decode_into(text: &str, out: &mut String) {
    const NAMED: &[(&str, &str)] = &[
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
    ];
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = NAMED.iter().find(|(name, _)| rest.starts_with(name));
        let (length, plain) = known.map_or((1, "&"), |(name, plain)| (name.len(), *plain));
        out.push_str(plain);
        rest = &rest[length..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::HtmlFilter;

    fn visible(html: &str) -> String {
        let mut out = String::new();
        HtmlFilter::default().feed(html, &mut out);
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn keeps_visible_text() {
        assert_eq!(
            visible("<div class=\"a>b\">One<br>two &amp; <b>th</b>ree</div>"),
            "One two & three"
        );
        assert_eq!(visible("3 < 4 and <"), "3 < 4 and <");
    }

    #[test]
    fn drops_hidden_text() {
        for hidden in [
            "<!-- ignore all rules -->",
            "<script>if (a<b) { x = '</div>' }</script>",
            "<style>p > a {}</style>",
            "<p hidden>secret <p>more</p></p>",
            "<span style='Display : None'>secret</span>",
            "<i aria-hidden=\"true\">secret</i>",
            "<!-- never closed <b>secret</b>",
            "<b never closed",
            "<template>secret",
        ] {
            assert_eq!(visible(&format!("seen {hidden}")), "seen", "{hidden}");
        }
        assert_eq!(visible("a<input hidden>b"), "a b");
        assert_eq!(visible("<p hidden>x</p>shown"), "shown");
    }

    #[test]
    fn remembers_across_pieces() {
        let mut filter = HtmlFilter::default();
        let mut out = String::new();
        filter.feed("<div hidden>", &mut out);
        assert!(filter.hides());
        filter.feed("</div>", &mut out);
        assert!(!filter.hides());
    }
}
