//! One organization's index, in memory only: built whole from its articles, then read. It must not
//! parse what a visitor typed as a query language; questions become plain, bounded term queries.

use std::collections::{BTreeSet, HashMap, HashSet};

use tantivy::collector::TopDocs;
use tantivy::indexer::NoMergePolicy;
use tantivy::query::{BooleanQuery, BoostQuery, ConstScoreQuery, Occur, TermQuery};
use tantivy::schema::{FAST, Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{ReloadPolicy, Searcher, TantivyDocument, Term};
use uuid::Uuid;

use crate::search::language::{denies, primary, terms};
use crate::search::markdown::passages;

/// What the writer may use while it builds; the library takes no less. It is gone afterwards.
const WRITER_BYTES: usize = 15_000_000;
/// More passages than this in one organization are refused.
pub const MAX_PASSAGES: usize = 100_000;
/// The most hits one query returns.
pub const MAX_HITS: usize = 50;
/// Passages of one article among the hits.
const MAX_HITS_PER_ARTICLE: usize = 2;
/// Candidates read per hit asked for, so that long articles do not crowd out the others.
const CANDIDATES_PER_HIT: usize = 8;
/// Terms read of a question; the rest of a long message is not searched for.
const MAX_QUESTION_TERMS: usize = 32;
/// Terms read of each earlier message.
const MAX_EARLIER_TERMS: usize = 16;
/// How many earlier messages count.
const MAX_EARLIER: usize = 3;
/// What a term of the message before the question weighs; each message further back, half of it.
const EARLIER_WEIGHT: f32 = 0.3;
/// Terms kept of one passage, title or heading.
const MAX_FIELD_TERMS: usize = 1_000;
/// How many languages one query searches, where it names none.
const MAX_LANGUAGES: usize = 8;

/// What a match in a title, in a heading and in the text weighs.
const TITLE_BOOST: f32 = 1.5;
/// The title again, for an article's first passage only: what is asked in the title's words alone
/// is usually answered there.
const LEAD_BOOST: f32 = 1.0;
const HEADING_BOOST: f32 = 1.0;
const BODY_BOOST: f32 = 1.0;

/// The term that stands for every inbox.
const EVERY_INBOX: &str = "all";
/// The fast field that leads from the library's document to [`Stored`].
const ORDINAL: &str = "ordinal";

/// An article to be indexed.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its id, returned with every hit.
    pub article: Uuid,
    /// The inboxes that may answer from it; empty means all.
    pub inboxes: Vec<Uuid>,
    /// Its language tag; it decides stemming and which questions find it.
    pub locale: String,
    /// Its title.
    pub title: String,
    /// Its Markdown, without front matter.
    pub body: String,
}

/// A question to the index.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// What the visitor asks, as typed.
    pub text: &'a str,
    /// What the visitor wrote before, oldest first; it weighs less, the last few messages count.
    pub earlier: &'a [&'a str],
    /// Only articles of this inbox; nothing means articles of all.
    pub inbox: Option<Uuid>,
    /// Only articles of this language; nothing means all.
    pub locale: Option<&'a str>,
    /// How many hits at most; no more than [`MAX_HITS`].
    pub limit: usize,
}

/// A passage found, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The article it belongs to.
    pub article: Uuid,
    /// The primary language subtag of the article, such as `en`.
    pub language: String,
    /// The article's title.
    pub title: String,
    /// The passage's heading path inside the article; may be empty.
    pub heading: String,
    /// The passage, plain text.
    pub text: String,
    /// BM25 over title, heading and text; comparable within one answer of one index only.
    pub score: f32,
    /// The share, 0 to 1, of the question's content words that occur in title, heading or text,
    /// rare words counting more. Words the index has never seen count most.
    pub coverage: f32,
}

/// Why an index could not be built or read.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The organization's articles make more than [`MAX_PASSAGES`] passages.
    #[error("the articles have more than {MAX_PASSAGES} passages")]
    TooLarge,
    /// The search library failed.
    #[error("the search index failed: {0}")]
    Engine(#[from] tantivy::TantivyError),
}

/// One organization's articles, ready to be searched from any thread.
pub struct Index {
    searcher: Searcher,
    fields: Fields,
    stored: Vec<Stored>,
    articles: Vec<Article>,
    languages: BTreeSet<String>,
    bytes: usize,
}

#[derive(Clone, Copy)]
struct Fields {
    ordinal: Field,
    language: Field,
    inbox: Field,
    title: Field,
    lead: Field,
    heading: Field,
    body: Field,
}

struct Article {
    id: Uuid,
    inboxes: Vec<Uuid>,
    language: String,
    title: String,
}

struct Stored {
    article: usize,
    heading: String,
    text: String,
}

/// The question's own terms with the weight of their rarity.
type Wanted = HashMap<String, f32>;

impl Index {
    /// Indexes all of an organization's articles.
    ///
    /// # Errors
    /// [`SearchError::TooLarge`] past [`MAX_PASSAGES`], or a failure of the library.
    pub fn build(documents: impl IntoIterator<Item = Document>) -> Result<Self, SearchError> {
        let (schema, fields) = schema();
        let index = tantivy::Index::create_in_ram(schema);
        let mut documents = documents.into_iter().peekable();
        // Without a document there is nothing to write, and neither the writer's memory nor its thread is needed.
        let mut writer = None;
        if documents.peek().is_some() {
            let made = index.writer_with_num_threads(1, WRITER_BYTES)?;
            made.set_merge_policy(Box::new(NoMergePolicy));
            writer = Some(made);
        }
        let (mut stored, mut articles) = (Vec::new(), Vec::new());
        let mut languages = BTreeSet::new();
        let nothing = String::new();
        for document in documents {
            let language = primary(&document.locale);
            for (number, passage) in passages(&document.body).into_iter().enumerate() {
                if stored.len() >= MAX_PASSAGES {
                    return Err(SearchError::TooLarge);
                }
                let mut entry = TantivyDocument::default();
                entry.add_u64(fields.ordinal, stored.len() as u64);
                entry.add_text(fields.language, &language);
                if document.inboxes.is_empty() {
                    entry.add_text(fields.inbox, EVERY_INBOX);
                }
                for inbox in &document.inboxes {
                    entry.add_text(fields.inbox, inbox.simple().to_string());
                }
                let parts = [
                    (fields.title, &document.title),
                    (fields.lead, if number == 0 { &document.title } else { &nothing }),
                    (fields.heading, &passage.heading),
                    (fields.body, &passage.text),
                ];
                for (field, text) in parts {
                    entry.add_pre_tokenized_text(field, tokenized(&language, text));
                }
                if let Some(writer) = &writer {
                    writer.add_document(entry)?;
                }
                let article = articles.len();
                stored.push(Stored { article, heading: passage.heading, text: passage.text });
            }
            languages.insert(language.clone());
            articles.push(Article {
                id: document.article,
                inboxes: document.inboxes,
                language,
                title: document.title,
            });
        }
        if let Some(mut writer) = writer {
            writer.commit()?;
            writer.wait_merging_threads()?;
        }
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = reader.searcher();
        let bytes = measure(&searcher, &stored, &articles)?;
        Ok(Self { searcher, fields, stored, articles, languages, bytes })
    }

    /// About how much memory the index holds, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The passages that answer the question best, best first, at most two of one article. A
    /// question without a content word finds nothing.
    ///
    /// # Errors
    /// A failure of the search library.
    pub fn search(&self, query: &Query<'_>) -> Result<Vec<Hit>, SearchError> {
        let limit = query.limit.min(MAX_HITS);
        let mut wanted_by_language: HashMap<&str, Wanted> = HashMap::new();
        let mut alternatives = Vec::new();
        for language in self.languages(query.locale) {
            let weights = weights(language, query);
            if weights.is_empty() {
                continue;
            }
            let own = weights.iter().filter(|(term, weight)| **weight >= 1.0 && !denies(term));
            let rarity = own.map(|(term, _)| Ok((term.clone(), self.rarity(term)?)));
            wanted_by_language.insert(language, rarity.collect::<Result<_, SearchError>>()?);
            alternatives.push((Occur::Should, self.language_query(language, &weights)));
        }
        if alternatives.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut clauses: Vec<(Occur, Box<dyn tantivy::query::Query>)> =
            vec![(Occur::Must, Box::new(BooleanQuery::new(alternatives)))];
        if let Some(inbox) = query.inbox {
            let inbox = inbox.simple().to_string();
            let names = [EVERY_INBOX, inbox.as_str()];
            clauses.push((Occur::Must, one_of(self.fields.inbox, &names)));
        }
        let collector = TopDocs::with_limit(limit * CANDIDATES_PER_HIT).order_by_score();
        let found = self.searcher.search(&BooleanQuery::new(clauses), &collector)?;
        self.hits(&found, limit, &wanted_by_language)
    }

    /// The first articles of an inbox in a language, each with its title.
    #[must_use]
    pub fn first(&self, inbox: Uuid, locale: &str, limit: usize) -> Vec<(Uuid, String)> {
        let language = primary(locale);
        let fits = |it: &&Article| {
            it.language == language && (it.inboxes.is_empty() || it.inboxes.contains(&inbox))
        };
        let first = self.articles.iter().filter(fits).take(limit);
        first.map(|it| (it.id, it.title.clone())).collect()
    }

    fn languages(&self, locale: Option<&str>) -> Vec<&str> {
        let wanted = locale.map(primary);
        self.languages
            .iter()
            .map(String::as_str)
            .filter(|language| wanted.as_deref().is_none_or(|wanted| wanted == *language))
            .take(MAX_LANGUAGES)
            .collect()
    }

    fn language_query(
        &self,
        language: &str,
        weights: &HashMap<String, f32>,
    ) -> Box<dyn tantivy::query::Query> {
        let Fields { title, lead, heading, body, .. } = self.fields;
        let mut words: Vec<(Occur, Box<dyn tantivy::query::Query>)> = Vec::new();
        for (word, weight) in weights {
            let boosts = [
                (title, TITLE_BOOST),
                (lead, LEAD_BOOST),
                (heading, HEADING_BOOST),
                (body, BODY_BOOST),
            ];
            for (field, boost) in boosts {
                let term = Term::from_field_text(field, word);
                let term = TermQuery::new(term, IndexRecordOption::WithFreqs);
                words.push((
                    Occur::Should,
                    Box::new(BoostQuery::new(Box::new(term), boost * weight)),
                ));
            }
        }
        Box::new(BooleanQuery::new(vec![
            (Occur::Must, Box::new(BooleanQuery::new(words))),
            (Occur::Must, one_of(self.fields.language, &[language])),
        ]))
    }

    /// The inverse document frequency of a term, as BM25 has it.
    fn rarity(&self, word: &str) -> Result<f32, SearchError> {
        let mut seen = 0;
        for field in [self.fields.title, self.fields.heading, self.fields.body] {
            seen = seen.max(self.searcher.doc_freq(&Term::from_field_text(field, word))?);
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of passages are far below 2^23")]
        let (seen, all) = (seen as f32, self.stored.len() as f32);
        Ok((1.0 + (all - seen + 0.5).max(0.0) / (seen + 0.5)).ln())
    }

    fn hits(
        &self,
        found: &[(f32, tantivy::DocAddress)],
        limit: usize,
        wanted: &HashMap<&str, Wanted>,
    ) -> Result<Vec<Hit>, SearchError> {
        let mut hits = Vec::with_capacity(limit);
        let mut per_article: HashMap<usize, usize> = HashMap::new();
        for (score, address) in found {
            let reader = self.searcher.segment_reader(address.segment_ord);
            let ordinal = reader.fast_fields().u64(ORDINAL)?.first(address.doc_id);
            let Some(stored) = ordinal.and_then(|at| self.stored.get(usize::try_from(at).ok()?))
            else {
                continue;
            };
            let count = per_article.entry(stored.article).or_default();
            *count += 1;
            let Some(article) =
                self.articles.get(stored.article).filter(|_| *count <= MAX_HITS_PER_ARTICLE)
            else {
                continue;
            };
            let coverage = wanted
                .get(article.language.as_str())
                .map_or(0.0, |wanted| coverage(wanted, article, stored));
            hits.push(Hit {
                article: article.id,
                language: article.language.clone(),
                title: article.title.clone(),
                heading: stored.heading.clone(),
                text: stored.text.clone(),
                score: *score,
                coverage,
            });
            if hits.len() == limit {
                break;
            }
        }
        Ok(hits)
    }
}

fn schema() -> (Schema, Fields) {
    let text = |option| {
        let indexing = TextFieldIndexing::default().set_tokenizer("raw").set_index_option(option);
        TextOptions::default().set_indexing_options(indexing)
    };
    let mut schema = Schema::builder();
    let fields = Fields {
        ordinal: schema.add_u64_field(ORDINAL, FAST),
        language: schema.add_text_field("language", text(IndexRecordOption::Basic)),
        inbox: schema.add_text_field("inbox", text(IndexRecordOption::Basic)),
        lead: schema.add_text_field("lead", text(IndexRecordOption::WithFreqs)),
        title: schema.add_text_field("title", text(IndexRecordOption::WithFreqs)),
        heading: schema.add_text_field("heading", text(IndexRecordOption::WithFreqs)),
        body: schema.add_text_field("body", text(IndexRecordOption::WithFreqs)),
    };
    (schema.build(), fields)
}

fn tokenized(language: &str, text: &str) -> PreTokenizedString {
    let tokens = terms(language, text, MAX_FIELD_TERMS)
        .into_iter()
        .enumerate()
        .map(|(position, text)| Token { position, text, ..Token::default() })
        .collect();
    PreTokenizedString { text: String::new(), tokens }
}

/// A filter: it must match and adds nothing to the score.
fn one_of(field: Field, values: &[&str]) -> Box<dyn tantivy::query::Query> {
    let terms = values.iter().map(|value| Term::from_field_text(field, value)).collect();
    Box::new(ConstScoreQuery::new(Box::new(BooleanQuery::new_multiterms_query(terms)), 0.0))
}

/// The terms to look for and what each weighs: 1 for the question's own, less for earlier ones.
fn weights(language: &str, query: &Query<'_>) -> HashMap<String, f32> {
    let mut weights = HashMap::new();
    for term in terms(language, query.text, MAX_QUESTION_TERMS) {
        weights.insert(term, 1.0);
    }
    let mut weight = EARLIER_WEIGHT;
    for message in query.earlier.iter().rev().take(MAX_EARLIER) {
        for term in terms(language, message, MAX_EARLIER_TERMS) {
            weights.entry(term).or_insert(weight);
        }
        weight /= 2.0;
    }
    weights
}

fn coverage(wanted: &Wanted, article: &Article, stored: &Stored) -> f32 {
    let mut present = HashSet::new();
    for text in [&article.title, &stored.heading, &stored.text] {
        present.extend(terms(&article.language, text, MAX_FIELD_TERMS));
    }
    let all: f32 = wanted.values().sum();
    let covered = wanted.iter().filter(|(term, _)| present.contains(*term));
    let covered: f32 = covered.map(|(_, rarity)| rarity).sum();
    if all > 0.0 { covered / all } else { 0.0 }
}

fn measure(
    searcher: &Searcher,
    stored: &[Stored],
    articles: &[Article],
) -> Result<usize, SearchError> {
    let inverted = searcher.space_usage().map_err(tantivy::TantivyError::from)?.total();
    let passages: usize = stored
        .iter()
        .map(|passage| size_of::<Stored>() + passage.heading.len() + passage.text.len())
        .sum();
    let titles: usize = articles
        .iter()
        .map(|article| size_of::<Article>() + article.language.len() + article.title.len())
        .sum();
    let inverted = usize::try_from(inverted.get_bytes()).unwrap_or(usize::MAX);
    Ok(inverted.saturating_add(passages).saturating_add(titles))
}
