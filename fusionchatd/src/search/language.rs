//! Turns text into search terms, by language: words, lower case, without stop words, stemmed and
//! without accents. Articles and questions go through the same function, or nothing would match.

use std::borrow::Cow;
use std::sync::OnceLock;

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer,
    StopWordFilter, TextAnalyzer, TextAnalyzerBuilder, TokenStream,
};

use crate::search::stop_words;

/// Longer words are no words: they are dropped.
const MAX_WORD_BYTES: usize = 40;

/// The languages with a stemmer: primary subtag, stemmer, stop words beyond the library's.
const LANGUAGES: &[(&str, Language, &str)] = &[
    ("en", Language::English, stop_words::ENGLISH),
    ("de", Language::German, stop_words::GERMAN),
    ("es", Language::Spanish, stop_words::SPANISH),
    ("fr", Language::French, stop_words::FRENCH),
    ("tr", Language::Turkish, stop_words::TURKISH),
    ("da", Language::Danish, ""),
    ("el", Language::Greek, ""),
    ("fi", Language::Finnish, ""),
    ("hu", Language::Hungarian, ""),
    ("it", Language::Italian, ""),
    ("nb", Language::Norwegian, ""),
    ("nl", Language::Dutch, ""),
    ("no", Language::Norwegian, ""),
    ("pt", Language::Portuguese, ""),
    ("ro", Language::Romanian, ""),
    ("ru", Language::Russian, ""),
    ("sv", Language::Swedish, ""),
];

/// One analyzer per row of [`LANGUAGES`], each built at its first use.
static ANALYZERS: [OnceLock<TextAnalyzer>; LANGUAGES.len()] =
    [const { OnceLock::new() }; LANGUAGES.len()];
/// For every other language: words as they stand.
static PLAIN: OnceLock<TextAnalyzer> = OnceLock::new();

/// The primary subtag of a locale, lower case: `pt` for `pt-BR`. Articles and questions in the same
/// primary language find each other.
#[must_use]
pub fn primary(locale: &str) -> String {
    locale.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

/// The search terms of `text`, in order and with repeats, at most `limit`. The text is read as
/// written in `locale`; an unknown language is neither stemmed nor stripped of stop words.
#[must_use]
pub fn terms(locale: &str, text: &str, limit: usize) -> Vec<String> {
    let mut analyzer = analyzer(&primary(locale));
    let text = prepared(text);
    let mut stream = analyzer.token_stream(&text);
    let mut found = Vec::new();
    while found.len() < limit && stream.advance() {
        found.push(stream.token().text.clone());
    }
    found
}

/// Whether a term only denies: it helps to rank, but no question is about it.
#[must_use]
pub fn denies(term: &str) -> bool {
    term == "not"
}

/// The words of `text`, lower case and without accents, stop words included, at most `limit`: for
/// comparing what was typed with fixed lists of words.
#[must_use]
pub fn words(text: &str, limit: usize) -> Vec<String> {
    terms("", text, limit)
}

fn analyzer(language: &str) -> TextAnalyzer {
    let row = LANGUAGES.iter().position(|(tag, _, _)| *tag == language);
    let shared = match row.and_then(|row| ANALYZERS.get(row).zip(LANGUAGES.get(row))) {
        Some((cell, (_, stemmer, words))) => cell.get_or_init(|| build(*stemmer, words)),
        None => PLAIN.get_or_init(|| words_of_text().filter(AsciiFoldingFilter).build()),
    };
    shared.clone()
}

fn words_of_text() -> TextAnalyzerBuilder {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(MAX_WORD_BYTES))
        .filter_dynamic(LowerCaser)
}

/// Accents go last: the stemmers know them, and visitors often leave them out.
fn build(language: Language, words: &str) -> TextAnalyzer {
    let mut builder = words_of_text();
    // The library's English list has `not`, which help desks need; ours replaces it.
    if let Some(known) = StopWordFilter::new(language).filter(|_| language != Language::English) {
        builder = builder.filter_dynamic(known);
    }
    builder
        .filter_dynamic(StopWordFilter::remove(words.split_whitespace().map(str::to_owned)))
        .filter_dynamic(Stemmer::new(language))
        .filter_dynamic(AsciiFoldingFilter)
        .build()
}

/// Two things a word list cannot do. Turkish `İ` becomes two characters in lower case, the second
/// a combining dot that would make it another word; and "doesn't" must still say `not`.
fn prepared(text: &str) -> Cow<'_, str> {
    const REPLACED: &[(&str, &str)] =
        &[("İ", "i"), ("\u{307}", ""), ("n't", " not"), ("n’t", " not"), ("cannot", "not")];
    let mut prepared = Cow::Borrowed(text);
    for (from, to) in REPLACED {
        if prepared.contains(from) {
            prepared = Cow::Owned(prepared.replace(from, to));
        }
    }
    prepared
}

#[cfg(test)]
mod tests {
    use super::{primary, terms};

    #[test]
    fn stems_and_drops_stop_words() {
        assert_eq!(terms("en", "How long do the batteries last?", 9), ["batteri", "last"]);
        assert_eq!(
            terms("en", "It doesn’t charge and won't start", 9),
            ["not", "charg", "not", "start"]
        );
        assert_eq!(terms("en-GB", "Can you help me, please?", 9), Vec::<String>::new());
        assert_eq!(terms("de", "Wie lange halten die Akkus?", 9), ["halt", "akkus"]);
        assert_eq!(terms("xx", "Wie lange", 9), ["wie", "lange"]);
    }

    #[test]
    fn accents_and_dots_do_not_matter() {
        assert_eq!(terms("fr", "étanchéité", 9), terms("fr", "ÉTANCHÉITÉ", 9));
        assert_eq!(terms("tr", "İade", 9), terms("tr", "iade", 9));
    }

    #[test]
    fn is_bounded() {
        assert_eq!(terms("en", &"lamp ".repeat(1000), 5).len(), 5);
        assert_eq!(terms("en", &"x".repeat(100_000), 5), Vec::<String>::new());
        assert_eq!(primary("pt_BR"), "pt");
    }
}
