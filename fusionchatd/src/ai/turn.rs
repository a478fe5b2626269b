//! Decides one turn of the assistant from the visitor's message and the hits. Pure: the same turn
//! and hits give the same decision, and a hand-over is a decision of its own, never read from text.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::ai::phrases::{self, Phrases};
use crate::ai::{builtin, wishes};
use crate::search::Hit;
use crate::search::language::{denies, terms};

/// The visitor asked for a person.
pub const VISITOR_WISH: &str = "visitor_wish";
/// The assistant was unsure again after its clarifying question.
pub const NO_ANSWER: &str = "no_answer";
/// The visitor asked the same again, so the answer did not help.
pub const REPEATED_QUESTION: &str = "repeated_question";

/// Titles a greeting or a clarifying question names at most.
const MAX_TITLES: usize = 3;
/// Clarifying questions before the next doubt becomes a hand-over.
pub const MAX_CLARIFICATIONS: u32 = 1;
/// How many of the visitor's last messages a repeated question is looked for in.
const REPEAT_WINDOW: usize = 3;
/// The same quote goes out this often; asked for once more, a person takes over.
const MAX_SAME_ANSWERS: usize = 2;
/// Terms read of a message when comparing questions.
const MAX_TERMS: usize = 64;

/// What the assistant knows when it is its turn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Turn<'a> {
    /// The visitor's message.
    pub question: &'a str,
    /// What the visitor wrote before in this conversation, oldest first.
    pub earlier: &'a [&'a str],
    /// The texts of the answers the assistant gave in this conversation.
    pub answers: &'a [&'a str],
    /// How many clarifying questions it has asked since its last answer.
    pub clarifications: u32,
    /// The conversation's language tag; it chooses the fixed sentences.
    pub locale: &'a str,
    /// Whether the visitor pressed "Talk to a person".
    pub person_wish: bool,
    /// The articles read most, for a greeting; the first few are used.
    pub popular: &'a [Source],
}

/// An article the assistant points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The article's id.
    pub article: Uuid,
    /// Its title.
    pub title: String,
}

/// What the assistant does with its turn. Each text is complete and ready to be sent; the sources
/// beside it are the same articles as data, for links and buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Answers a greeting, thanks or a message without a content word. No clarification.
    Greet {
        /// The greeting, which names the suggestions and that one may talk to a person.
        text: String,
        /// The most-read articles it names.
        suggestions: Vec<Source>,
    },
    /// Answers from the knowledge base.
    Answer {
        /// Quoted word for word.
        text: String,
        /// The articles quoted, never empty.
        sources: Vec<Source>,
        /// Whether to offer "Talk to a person" beside the answer.
        offer_person: bool,
    },
    /// Asks what the visitor means.
    Clarify {
        /// The question, which names the titles.
        text: String,
        /// What it might be about, best first; empty if nothing came near.
        titles: Vec<Source>,
    },
    /// Hands over to people.
    HandOver {
        /// [`VISITOR_WISH`], [`NO_ANSWER`] or [`REPEATED_QUESTION`].
        reason: &'static str,
    },
    /// Says that it is an assistant and no person.
    Identify {
        /// The admission.
        text: String,
    },
}

/// Decides what needs no search: wishes for a person, "are you a bot?", greetings and repeated
/// questions. Nothing means: search, then [`decide`].
#[must_use]
pub fn decide_early(turn: &Turn<'_>) -> Option<Decision> {
    let phrases = phrases::of(turn.locale);
    if turn.person_wish || wishes::asks_for_person(turn.question) {
        return Some(Decision::HandOver { reason: VISITOR_WISH });
    }
    if wishes::asks_if_bot(turn.question) {
        return Some(Decision::Identify { text: phrases.identify.to_owned() });
    }
    let terms = question_terms(turn.locale, turn.question);
    if terms.iter().all(|term| denies(term)) || wishes::is_small_talk(turn.question) {
        return Some(greet(turn, phrases));
    }
    let window = turn.earlier.iter().rev().take(REPEAT_WINDOW);
    if window.into_iter().any(|earlier| question_terms(turn.locale, earlier) == terms) {
        return Some(Decision::HandOver { reason: REPEATED_QUESTION });
    }
    None
}

/// Decides the turn. `hits` are the passages found for the question, best first, and may be empty;
/// they are not looked at where [`decide_early`] decides.
#[must_use]
pub fn decide(turn: &Turn<'_>, hits: &[Hit]) -> Decision {
    if let Some(decision) = decide_early(turn) {
        return decision;
    }
    if let Some(quote) = builtin::answer(turn.question, hits) {
        let same = turn.answers.iter().filter(|given| **given == quote.text).count();
        if same >= MAX_SAME_ANSWERS {
            return Decision::HandOver { reason: REPEATED_QUESTION };
        }
        return Decision::Answer {
            text: quote.text,
            sources: vec![quote.source],
            offer_person: same > 0 || wishes::mentions_person(turn.question),
        };
    }
    if turn.clarifications >= MAX_CLARIFICATIONS {
        return Decision::HandOver { reason: NO_ANSWER };
    }
    clarify(phrases::of(turn.locale), hits)
}

fn question_terms(locale: &str, text: &str) -> BTreeSet<String> {
    terms(locale, text, MAX_TERMS).into_iter().collect()
}

fn greet(turn: &Turn<'_>, phrases: &Phrases) -> Decision {
    let suggestions: Vec<Source> = turn.popular.iter().take(MAX_TITLES).cloned().collect();
    let thanked = wishes::is_thanks(turn.question);
    let first = if thanked { phrases.welcome } else { phrases.greeting };
    let mut text = first.to_owned();
    if !suggestions.is_empty() {
        text.push_str(&listed(phrases.popular, &suggestions));
    }
    text.push_str("\n\n");
    text.push_str(phrases.person);
    Decision::Greet { text, suggestions }
}

fn clarify(phrases: &Phrases, hits: &[Hit]) -> Decision {
    let mut titles: Vec<Source> = Vec::new();
    for hit in hits {
        let known = titles.iter().any(|source| source.article == hit.article);
        if !known && titles.len() < MAX_TITLES {
            titles.push(Source { article: hit.article, title: hit.title.clone() });
        }
    }
    let text = if titles.is_empty() {
        phrases.clarify_nothing.to_owned()
    } else {
        format!("{}{}", phrases.clarify, listed(phrases.clarify_titles, &titles))
    };
    Decision::Clarify { text, titles }
}

fn listed(lead: &str, sources: &[Source]) -> String {
    let mut text = format!(" {lead}\n");
    for source in sources {
        text.push_str("\n- ");
        text.push_str(&source.title);
    }
    text
}
