//! The results as JUnit XML, as build servers read it. Written by hand: it is one element in another, and the whole
//! of the care is in the escaping.

use std::fmt::Write as _;
use std::path::Path;

use crate::cmd::test::play::{Outcome, Played};
use crate::cmd::test::report;
use crate::failure::Failure;

/// Writes the file; one that is there is replaced.
pub(super) fn write(path: &Path, results: &[Played]) -> Result<(), Failure> {
    std::fs::write(path, document(results)).map_err(|error| {
        let text = format!("cannot write {}: {error}", path.display());
        Failure::new(crate::failure::Exit::Failed, "junit", text)
    })
}

fn document(results: &[Played]) -> String {
    let count =
        |wanted: fn(&Outcome) -> bool| results.iter().filter(|it| wanted(&it.outcome)).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let head = format!(
        "name=\"conversations\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\"",
        results.len(),
        count(|it| matches!(it, Outcome::Missed(_))),
        count(|it| matches!(it, Outcome::Broken(_))),
        results.iter().map(|it| it.took.as_secs_f64()).sum::<f64>(),
    );
    let _ = write!(xml, "<testsuites>\n<testsuite {head}>\n");
    for played in results {
        case(&mut xml, played);
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

fn case(xml: &mut String, played: &Played) {
    let _ = write!(
        xml,
        "<testcase name=\"{}\" classname=\"{}\" file=\"{}\" time=\"{:.3}\"",
        escaped(&played.name),
        escaped(&played.file),
        escaped(&played.file),
        played.took.as_secs_f64(),
    );
    let detail = report::detail(played).unwrap_or_default();
    let (element, message, kind) = match &played.outcome {
        Outcome::Held => {
            xml.push_str("/>\n");
            return;
        }
        Outcome::Missed(missed) => {
            let message = format!("expected {}, got {}", missed.miss.expected, missed.miss.got);
            ("failure", message, "expectation_failed".to_owned())
        }
        Outcome::Broken(broken) => {
            ("error", broken.failure.message.clone(), broken.failure.code.clone())
        }
    };
    let _ = write!(
        xml,
        ">\n<{element} message=\"{}\" type=\"{}\">{}</{element}>\n</testcase>\n",
        escaped(&message),
        escaped(&kind),
        escaped(&detail),
    );
}

/// Text for an element or an attribute. What XML 1.0 cannot hold at all, even escaped, becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\n' | '\r' | '\t' => {
                let _ = write!(safe, "&#{};", u32::from(c));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Outcome, Played, document, escaped};

    #[test]
    fn nothing_breaks_out_of_its_element() {
        assert_eq!(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&apos;");
        assert_eq!(escaped("x\u{1b}[31m\u{0}\ny"), "x\u{fffd}[31m\u{fffd}&#10;y");
        let played = Played {
            file: "a\"b.yaml".into(),
            name: "]]><script>".into(),
            took: Duration::from_millis(1_500),
            number: None,
            outcome: Outcome::Held,
        };
        let xml = document(&[played]);
        assert!(xml.contains("tests=\"1\" failures=\"0\" errors=\"0\" time=\"1.500\""), "{xml}");
        assert!(xml.contains("name=\"]]&gt;&lt;script&gt;\""), "{xml}");
    }
}
