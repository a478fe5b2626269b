//! Tests of the whole floor: small indexes, the demo's help centre, and, where it is at hand, a
//! large help centre named by an environment variable. Nothing here is tuned to single questions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::search::{Document, Hit, Index, Query, front_matter};

/// Every Markdown file below a folder, in order of its path.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The files' documents, and what the author calls each.
pub(crate) fn documents(folder: &Path) -> (Vec<Document>, HashMap<String, Uuid>) {
    let mut names = HashMap::new();
    let mut documents = Vec::new();
    for (number, path) in files_below(folder).iter().enumerate() {
        let bytes = std::fs::read(path).expect("a readable file");
        let file = front_matter::parse(&bytes).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let article = Uuid::from_u128(number as u128 + 1);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        names.insert(file.id.unwrap_or(stem), article);
        documents.push(Document {
            article,
            inboxes: Vec::new(),
            locale: file.locale.unwrap_or_else(|| "en".to_owned()),
            title: file.title,
            body: file.body,
        });
    }
    (documents, names)
}

fn ask(index: &Index, text: &str) -> Vec<Hit> {
    let query = Query { text, earlier: &[], inbox: None, locale: Some("en"), limit: 20 };
    index.search(&query).expect("a search")
}

/// The distinct articles of the hits, best first.
fn articles(hits: &[Hit]) -> Vec<Uuid> {
    let mut found = Vec::new();
    for hit in hits {
        if !found.contains(&hit.article) {
            found.push(hit.article);
        }
    }
    found
}

fn document(number: u128, locale: &str, title: &str, body: &str) -> Document {
    Document {
        article: Uuid::from_u128(number),
        inboxes: Vec::new(),
        locale: locale.to_owned(),
        title: title.to_owned(),
        body: body.to_owned(),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the measure is this test's result")]
fn measures_recall_on_a_large_help_centre() {
    let Some(folder) = std::env::var_os("FUSION_DATA").map(PathBuf::from) else {
        println!("needs: FUSION_DATA");
        return;
    };
    let (documents, names) = documents(&folder.join("helpcenter"));
    let index = Index::build(documents).expect("an index");
    let pairs = std::fs::read_to_string(folder.join("helpcenter-questions.jsonl")).expect("pairs");
    let (mut asked, mut first, mut among_five) = (0_u32, 0_u32, 0_u32);
    for line in pairs.lines() {
        let pair: serde_json::Value = serde_json::from_str(line).expect("a pair");
        let question = pair["question"].as_str().expect("a question");
        let article = names[pair["article"].as_str().expect("an article")];
        let hits = ask(&index, question);
        let place = articles(&hits).iter().position(|found| *found == article);
        asked += 1;
        first += u32::from(place == Some(0));
        among_five += u32::from(place.is_some_and(|place| place < 5));
    }
    let share = |count: u32| f64::from(count) / f64::from(asked.max(1));
    println!("recall@1 {:.3} recall@5 {:.3} of {asked}", share(first), share(among_five));
    println!("index bytes {}", index.bytes());
    assert!(share(among_five) >= 0.82, "recall@5 fell to {:.3}", share(among_five));
}

#[test]
fn keeps_inboxes_and_languages_apart() {
    let (shop, clinic) = (Uuid::from_u128(100), Uuid::from_u128(200));
    let mut private = document(1, "en", "Refunds", "Refunds take five days.");
    private.inboxes = vec![clinic];
    let shared = document(2, "en-GB", "Refund form", "Use the form to ask for a refund.");
    let german = document(3, "de", "Erstattung", "Refund heisst Erstattung.");
    let index = Index::build([private, shared, german]).expect("an index");
    let found = |inbox, locale| {
        let query = Query { text: "refund", earlier: &[], inbox, locale, limit: 9 };
        let mut found = articles(&index.search(&query).expect("a search"));
        found.sort();
        found.iter().map(Uuid::as_u128).collect::<Vec<_>>()
    };
    assert_eq!(found(None, None), [1, 2, 3]);
    assert_eq!(found(Some(shop), Some("en")), [2]);
    assert_eq!(found(Some(clinic), Some("en-US")), [1, 2]);
    assert_eq!(found(None, Some("de")), [3]);
    assert_eq!(found(None, Some("fr")), [0; 0]);
}

#[test]
fn earlier_messages_help_but_weigh_less() {
    let index = Index::build([
        document(1, "en", "Battery", "In winter the battery lasts shorter."),
        document(2, "en", "Shipping", "In winter shipping takes longer."),
        document(3, "en", "Returns", "Send it back within a month."),
    ])
    .expect("an index");
    let found = |text, earlier| {
        let query = Query { text, earlier, inbox: None, locale: Some("en"), limit: 9 };
        index.search(&query).expect("a search")
    };
    assert_eq!(found("And in winter?", &["battery"])[0].article.as_u128(), 1);
    assert_eq!(found("And in winter?", &["shipping time"])[0].article.as_u128(), 2);
    assert_eq!(found("returns", &["battery battery"])[0].article.as_u128(), 3);
    assert!(found("how do you do?", &[]).is_empty());
}

#[test]
fn coverage_is_the_share_of_content_words() {
    let index = Index::build([document(1, "en", "Battery life", "It lasts 90 hours.")]).unwrap();
    let coverage = |text| ask(&index, text).first().map_or(0.0, |hit| hit.coverage);
    assert!((coverage("How long is the battery life, please?") - 1.0).abs() < f32::EPSILON);
    assert!((coverage("battery") - 1.0).abs() < f32::EPSILON);
    assert!(coverage("battery of the Eiffel tower in Paris") < 0.3);
    assert!(coverage("Eiffel tower") < f32::EPSILON);
}

#[test]
fn one_article_takes_two_places_at_most() {
    let long = "## Part\n\nThe lantern glows in the dark.\n\n".repeat(50);
    let index = Index::build([
        document(1, "en", "Glow", &long),
        document(2, "en", "Other", "A lantern that glows."),
    ])
    .expect("an index");
    let hits = ask(&index, "lantern glows");
    assert_eq!(hits.iter().filter(|hit| hit.article.as_u128() == 1).count(), 2);
    assert!(index.bytes() > long.len() / 2 && index.bytes() < 1_000_000, "{}", index.bytes());
}

#[test]
fn odd_questions_are_no_query_language_and_bounded() {
    let index = Index::build([document(1, "en", "Battery", "Battery life.")]).expect("an index");
    let long = "battery ".repeat(10_000);
    let odd = ["body:* OR title:[a TO z]", "\"battery", "-battery +(", "", "🙂", "\u{0}", &long];
    for text in odd {
        ask(&index, text);
    }
    assert_eq!(ask(&index, &long).len(), 1);
    assert!(ask(&Index::build([]).expect("an empty index"), "battery").is_empty());
}
