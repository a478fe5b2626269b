//! The built-in answer: at most three sentences quoted word for word from the best passage, or
//! nothing. It never paraphrases and never joins sentences that do not follow each other.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::ai::turn::Source;
use crate::search::Hit;
use crate::search::language::{denies, terms};
use crate::search::sentences::sentences;

/// The most sentences of a quote.
const MAX_SENTENCES: usize = 3;
/// A quote does not grow past this many bytes, save for a single long sentence.
const MAX_QUOTE_BYTES: usize = 480;
/// Terms read of a question, a title or a passage.
const MAX_TERMS: usize = 400;
/// How many hits the best passage is chosen from.
const CANDIDATES: usize = 6;

/// What a title wholly made of the question's words adds to a passage's worth.
const TITLE_SHARE_BONUS: f32 = 0.3;

/// The gate's thresholds.
const MIN_COVERAGE: f32 = 0.6;
const ONE_WORD_COVERAGE: f32 = 0.75;
const UNTITLED_COVERAGE: f32 = 0.85;
const MIN_TITLE_SHARE: f32 = 0.3;
const ONE_WORD_MARGIN: f32 = 0.5;
const UNTITLED_MARGIN: f32 = 0.25;

type Terms = BTreeSet<String>;

/// A quote and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// A piece of the passage, unchanged.
    pub text: String,
    /// The article.
    pub source: Source,
}

/// What speaks for a passage as the answer to a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The hit's idf-weighted share of the question's content words, 0 to 1.
    pub coverage: f32,
    /// How many of the question's content words the passage, title or heading has.
    pub matched: usize,
    /// How many of them the title or the heading has.
    pub titled: usize,
    /// The share of the title's own content words that the question has, 0 to 1.
    pub title_share: f32,
    /// How far the best passage is ahead of the next article's, as a share of its score, 0 to 1.
    pub margin: f32,
}

/// The answer to a question, or nothing where the evidence is too weak. `locale` is the language
/// the question is read in; `hits` are best first.
#[must_use]
pub fn answer(question: &str, locale: &str, hits: &[Hit]) -> Option<Quote> {
    let wanted = read(locale, question);
    let hit = best(&wanted, locale, hits)?;
    if !is_confident(&evidence(&wanted, locale, hit, hits)) {
        return None;
    }
    let text = hit.text.get(quoted(&wanted, locale, hit)?)?.to_owned();
    Some(Quote { text, source: Source { article: hit.article, title: hit.title.clone() } })
}

/// The passage to quote: BM25 alone prefers a short passage with one of the words to a longer one
/// with all of them, and does not see which title the question is about as a whole.
fn best<'a>(wanted: &Terms, locale: &str, hits: &'a [Hit]) -> Option<&'a Hit> {
    let worth = |hit: &Hit| {
        let title = read(locale, &hit.title);
        let title_share = share(wanted.intersection(&title).count(), title.len());
        hit.score * hit.coverage * (1.0 + TITLE_SHARE_BONUS * title_share)
    };
    hits.iter()
        .take(CANDIDATES)
        .map(|hit| (worth(hit), hit))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, hit)| hit)
}

/// Gathers what the gate looks at.
fn evidence(wanted: &Terms, locale: &str, hit: &Hit, hits: &[Hit]) -> Evidence {
    let title = read(locale, &hit.title);
    let title_share = share(wanted.intersection(&title).count(), title.len());
    let mut present = title;
    present.extend(read(locale, &hit.heading));
    let titled = wanted.intersection(&present).count();
    present.extend(read(locale, &hit.text));
    let matched = wanted.intersection(&present).count();
    let rivals = hits.iter().filter(|other| other.article != hit.article);
    let rival = rivals.map(|other| other.score).fold(0.0, f32::max);
    let margin = if hit.score > 0.0 { (1.0 - rival / hit.score).clamp(0.0, 1.0) } else { 0.0 };
    Evidence { coverage: hit.coverage, matched, titled, title_share, margin }
}

/// The gate.
fn is_confident(evidence: &Evidence) -> bool {
    let Evidence { coverage, matched, titled, title_share, margin } = *evidence;
    match (matched, titled) {
        (0, _) => false,
        (1, 0) => coverage >= UNTITLED_COVERAGE && margin >= ONE_WORD_MARGIN,
        (1, _) => coverage >= ONE_WORD_COVERAGE && title_share >= MIN_TITLE_SHARE,
        (_, 0) => coverage >= UNTITLED_COVERAGE && margin >= UNTITLED_MARGIN,
        (_, _) => coverage >= MIN_COVERAGE,
    }
}

/// The piece of a passage that answers best: the sentence with the most, and within the passage
/// rarest, words of the question, and what follows it.
fn quoted(wanted: &Terms, locale: &str, hit: &Hit) -> Option<Range<usize>> {
    let sentences = sentences(&hit.text);
    let mut found: Vec<Terms> =
        sentences.iter().map(|range| &read(locale, &hit.text[range.clone()]) & wanted).collect();
    // An article opens with the answer to its title, mostly without repeating it.
    if let Some(opening) = found.first_mut().filter(|_| hit.heading.is_empty()) {
        opening.extend(&read(locale, &hit.title) & wanted);
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for term in found.iter().flatten() {
        *counts.entry(term).or_default() += 1;
    }
    let (mut start, mut most) = (0, 0.0);
    for (at, terms) in found.iter().enumerate() {
        let rare = terms.iter().filter_map(|term| counts.get(term.as_str()));
        let score: f32 = rare.map(|count| share(1, *count)).sum();
        if score > most {
            (start, most) = (at, score);
        }
    }
    let first = sentences.get(start)?.start;
    let mut end = sentences.get(start)?.end;
    for sentence in sentences.iter().skip(start).take(MAX_SENTENCES) {
        if sentence.end - first > MAX_QUOTE_BYTES {
            break;
        }
        end = end.max(sentence.end);
    }
    Some(first..end)
}

fn read(locale: &str, text: &str) -> Terms {
    terms(locale, text, MAX_TERMS).into_iter().filter(|term| !denies(term)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^23")]
fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

#[cfg(test)]
pub(crate) fn debug_evidence(question: &str, locale: &str, hits: &[Hit]) -> Option<Evidence> {
    let wanted = read(locale, question);
    best(&wanted, locale, hits).map(|hit| evidence(&wanted, locale, hit, hits))
}
