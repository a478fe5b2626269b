//! Finds the sentences of a passage. It is a small rule of thumb for help articles (full stops,
//! line breaks, a few abbreviations) and must not alter the text: it returns ranges into it.

use std::ops::Range;

/// Words that end in a full stop without ending a sentence, lower case, without that stop.
const ABBREVIATIONS: &[&str] = &[
    "approx", "bzw", "ca", "dr", "e.g", "ej", "evtl", "ex", "ggf", "i.e", "inkl", "max", "min",
    "mr", "mrs", "nr", "örn", "p.ej", "st", "vb", "vs", "z.b",
];

/// The byte ranges of the sentences of `text`, in order, without surrounding white space. A line
/// break always ends a sentence; list markers such as `3.` do not.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let mut start = line_start;
        for (at, mark) in line.char_indices() {
            let end = line_start + at + mark.len_utf8();
            if ends_sentence(line, at, mark, &text[start..end]) {
                push_trimmed(&mut found, text, start..end);
                start = end;
            }
        }
        line_start += line.len();
        push_trimmed(&mut found, text, start..line_start);
    }
    found
}

fn ends_sentence(line: &str, at: usize, mark: char, sentence: &str) -> bool {
    let after = &line[at + mark.len_utf8()..];
    let spaced = after.starts_with(char::is_whitespace);
    let next = after.trim_start().chars().next();
    match mark {
        '。' | '！' | '？' => true,
        '!' | '?' | '…' => spaced,
        '.' if spaced => {
            let words = sentence.trim_end_matches('.').trim_start();
            let last = words.rsplit(char::is_whitespace).next().unwrap_or_default();
            let marker = !words.is_empty() && words.chars().all(|c| c.is_ascii_digit());
            !marker
                && next.is_some_and(|c| !c.is_lowercase())
                && !ABBREVIATIONS.contains(&last.trim_start_matches('(').to_lowercase().as_str())
        }
        _ => false,
    }
}

fn push_trimmed(found: &mut Vec<Range<usize>>, text: &str, range: Range<usize>) {
    let piece = &text[range.clone()];
    let start = range.start + (piece.len() - piece.trim_start().len());
    let end = range.start + piece.trim_end().len();
    if start < end {
        found.push(start..end);
    }
}

#[cfg(test)]
mod tests {
    use super::sentences;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn splits_at_full_stops_and_lines() {
        assert_eq!(
            split("It runs 1.5 hours. Then it stops!  Why?\n1. Press on. Wait.\n- Done"),
            ["It runs 1.5 hours.", "Then it stops!", "Why?", "1. Press on.", "Wait.", "- Done"]
        );
    }

    #[test]
    fn keeps_abbreviations_and_lower_case_together() {
        assert_eq!(
            split("Use a charger, e.g. USB. See lumen.example for more."),
            ["Use a charger, e.g. USB.", "See lumen.example for more."]
        );
        assert_eq!(split(""), Vec::<&str>::new());
        assert_eq!(split(" \n\n"), Vec::<&str>::new());
        assert_eq!(split("...").len(), 1);
    }
}
