//! The built-in answer: at most three sentences quoted word for word from the best passage, or
//! nothing. It never paraphrases and never joins sentences that do not follow each other.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::ai::turn::Source;
use crate::search::Hit;
use crate::search::language::{denies, terms};
use crate::search::markdown::HEADING_SEPARATOR;
use crate::search::sentences::sentences;

/// The most sentences of a quote.
const MAX_SENTENCES: usize = 3;
/// A quote does not grow past this many bytes, save for a single long sentence.
const MAX_QUOTE_BYTES: usize = 480;
/// Terms read of a question, a title or a passage.
const MAX_TERMS: usize = 400;
/// What a word of the title counts when looking for the sentence: the whole article is about it, so
/// the question's other words tell more.
const TITLE_TERM_WEIGHT: f32 = 0.5;

// The gate. Chosen on two help centres (the demo's 36 articles and one of 414) against 6,600 real
// messages of visitors about restaurants, travel and banks, which neither can answer: it lets about
// 1 % of those through. Asking back costs a visitor one message, a wrong quote costs trust, so
// where one word decides, the gate stays shut.

/// Coverage that suffices where at least two words match and one of them in title or heading. Below
/// it, chance matches of two common words begin ("the President of the *United States*").
const MIN_COVERAGE: f32 = 0.6;
/// Coverage needed where the only word that matches is in the title or heading: above one word of
/// two, so that "the meaning of life" is no question about battery life.
const ONE_WORD_COVERAGE: f32 = 0.75;
/// And the share of that title's or heading's content words it must be: "how old are you" is not
/// about recycling or disposing of an old lantern.
const ONE_WORD_TITLE_SHARE: f32 = 0.3;
/// Coverage needed where words match in the text alone.
const UNTITLED_COVERAGE: f32 = 0.85;
/// And the lead before the next article: numbers and dates match everywhere.
const UNTITLED_MARGIN: f32 = 0.25;

/// The longest quote, in characters: three long sentences, and well below what a message may hold.
const QUOTE_CHARS_MAX: usize = 2_000;

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
    /// The share of the content words of the title, or of the passage's own heading if that is
    /// more, that the question has, 0 to 1.
    pub title_share: f32,
    /// How far the best passage is ahead of the next article's, as a share of its score, 0 to 1.
    pub margin: f32,
}

/// The answer to a question, or nothing where the evidence is too weak. `hits` are best first. The
/// question is read in the language of the article it found, as the index did.
#[must_use]
pub fn answer(question: &str, hits: &[Hit]) -> Option<Quote> {
    let hit = hits.first()?;
    let wanted = read(&hit.language, question);
    if !is_confident(&evidence(&wanted, hit, hits)) {
        return None;
    }
    let text = hit.text.get(quoted(&wanted, hit)?)?.to_owned();
    if text.chars().count() > QUOTE_CHARS_MAX {
        return None;
    }
    Some(Quote { text, source: Source { article: hit.article, title: hit.title.clone() } })
}

/// Gathers what the gate looks at.
fn evidence(wanted: &Terms, hit: &Hit, hits: &[Hit]) -> Evidence {
    let own_heading = hit.heading.rsplit(HEADING_SEPARATOR).next().unwrap_or_default();
    let names = [read(&hit.language, &hit.title), read(&hit.language, own_heading)];
    let shares = names.iter().map(|name| share(wanted.intersection(name).count(), name.len()));
    let title_share = shares.fold(0.0, f32::max);
    let mut present = read(&hit.language, &hit.heading);
    present.extend(names.into_iter().flatten());
    let titled = wanted.intersection(&present).count();
    present.extend(read(&hit.language, &hit.text));
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
        // A single word in passing never tells what the question is about.
        (0, _) | (1, 0) => false,
        (1, _) => coverage >= ONE_WORD_COVERAGE && title_share >= ONE_WORD_TITLE_SHARE,
        (_, 0) => coverage >= UNTITLED_COVERAGE && margin >= UNTITLED_MARGIN,
        (_, _) => coverage >= MIN_COVERAGE,
    }
}

/// The piece of a passage that answers best: the sentence with the most, and within the passage
/// rarest, words of the question, and what follows it.
fn quoted(wanted: &Terms, hit: &Hit) -> Option<Range<usize>> {
    let sentences = sentences(&hit.text);
    let mut found: Vec<Terms> = sentences
        .iter()
        .map(|range| &read(&hit.language, &hit.text[range.clone()]) & wanted)
        .collect();
    // An article opens with the answer to its title, mostly without repeating it.
    if let Some(opening) = found.first_mut().filter(|_| hit.heading.is_empty()) {
        opening.extend(&read(&hit.language, &hit.title) & wanted);
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for term in found.iter().flatten() {
        *counts.entry(term).or_default() += 1;
    }
    let title = read(&hit.language, &hit.title);
    let weight = |term: &String| {
        let rarity = share(1, counts.get(term.as_str()).copied().unwrap_or(1));
        if title.contains(term) { rarity * TITLE_TERM_WEIGHT } else { rarity }
    };
    let (mut start, mut most) = (0, 0.0);
    for (at, terms) in found.iter().enumerate() {
        let score: f32 = terms.iter().map(weight).sum();
        if score > most {
            (start, most) = (at, score);
        }
    }
    extend(start, &sentences, &hit.text)
}

/// The range from the sentence found, or from the first of the steps it belongs to, over what
/// follows in the same paragraph or list.
fn extend(found: usize, sentences: &[Range<usize>], text: &str) -> Option<Range<usize>> {
    let start = from_first_step(found, sentences, text);
    let mut quote = sentences.get(start)?.clone();
    let following = sentences.iter().enumerate().skip(start + 1).take(MAX_SENTENCES - 1);
    for (at, sentence) in following {
        let broken = text.get(quote.end..sentence.start).is_some_and(|gap| gap.contains('\n'));
        let leads = text.get(quote.clone()).is_some_and(|so_far| so_far.ends_with(':'));
        let items = is_item(at, sentences, text) && is_item(at - 1, sentences, text);
        let wanted = at <= found || !broken || leads || items;
        if !wanted || sentence.end - quote.start > MAX_QUOTE_BYTES {
            break;
        }
        quote.end = sentence.end;
    }
    Some(quote)
}

fn is_item(at: usize, sentences: &[Range<usize>], text: &str) -> bool {
    let sentence = sentences.get(at).and_then(|range| text.get(range.clone()));
    sentence.is_some_and(|item| {
        let marker = item.split(' ').next().unwrap_or_default();
        let number = marker.strip_suffix('.').unwrap_or_default();
        marker == "-" || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// Steps are only of use from the first one on: where that is near enough to fit into the quote
/// with the sentence found, the quote starts there.
fn from_first_step(start: usize, sentences: &[Range<usize>], text: &str) -> usize {
    let mut first = start;
    while first > 0
        && start - first < MAX_SENTENCES - 1
        && is_item(first, sentences, text)
        && is_item(first - 1, sentences, text)
    {
        first -= 1;
    }
    first
}

fn read(locale: &str, text: &str) -> Terms {
    terms(locale, text, MAX_TERMS).into_iter().filter(|term| !denies(term)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^23")]
fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}
