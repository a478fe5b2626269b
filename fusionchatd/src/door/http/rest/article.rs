//! Articles by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::article::ArticleStatus;
use crate::domain::id::ArticleId;
use crate::door::http::call::{Call, answer, no_content};
use crate::door::http::shape::Shape;
use crate::door::http::wire::article::ArticleJson;
use crate::door::http::wire::text::Text;
use crate::door::http::wire::word::ArticleStatusWord;
use crate::service::article::{EditArticle, PutArticle, PutOutcome};
use crate::service::error::Error;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewArticle {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// Which article it is: the path of its file, unique in the organization.
    source_path: String,
    /// Its title.
    title: String,
    /// Its text, in Markdown.
    body: String,
    /// Its language; recognized from the text where a new article names none.
    #[serde(default)]
    locale: Option<String>,
    /// Whether it answers visitors; a new one does unless told not to.
    #[serde(default)]
    status: Option<ArticleStatusWord>,
    /// The inboxes it is for, by name or id; none means all.
    #[serde(default)]
    inboxes: Option<Vec<String>>,
}

/// What is left out stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ArticleChange {
    /// Makes a repeat harmless: 32 lower-case hex digits, new for each command.
    #[serde(default)]
    client_id: Option<String>,
    /// Whether it answers visitors.
    #[serde(default)]
    status: Option<ArticleStatusWord>,
    /// The inboxes it is for, by name or id; an empty list means all.
    #[serde(default)]
    inboxes: Option<Vec<String>>,
    /// Its language.
    #[serde(default)]
    locale: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PutArticle")]
struct Put<'a> {
    /// The article.
    article: ArticleJson<'a>,
    /// `created`, `changed` or `unchanged`.
    outcome: &'static str,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
struct ListQuery {
    /// The most to answer with; 0 for the usual page.
    #[serde(default)]
    limit: u32,
    /// The page before's `nextPageToken`; empty for the first.
    #[serde(default)]
    page_token: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Articles<'a> {
    /// Without their bodies.
    articles: Vec<ArticleJson<'a>>,
    /// Asks for the next page; empty after the last.
    next_page_token: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
struct SearchQuery {
    /// What is looked for.
    query: String,
    /// As a visitor of this inbox: its name or id.
    #[serde(default)]
    inbox: Option<String>,
    /// In this language first.
    #[serde(default)]
    locale: Option<String>,
    /// The most to answer with; 0 for the usual page.
    #[serde(default)]
    limit: u32,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FoundArticles")]
struct Searched<'a> {
    /// The best first.
    passages: Vec<Passage<'a>>,
    /// What the built-in assistant would do: answer, ask back or hand over.
    decision: &'static str,
    /// What it would say.
    answer: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Passage<'a> {
    /// The article's id.
    article_id: Text<ArticleId>,
    /// The article's title.
    title: &'a str,
    /// The headings it stands under.
    heading: &'a str,
    /// Its text.
    text: &'a str,
    /// How well it fits; only the order means something.
    score: f32,
    /// The article's language.
    locale: &'a str,
}

pub(crate) const PUT: Shape = Shape::new("Creates the article of a path, or changes it.")
    .body::<NewArticle>()
    .gives::<Put<'static>>();

pub(crate) async fn put(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<NewArticle>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let new = PutArticle {
        source_path: body.source_path,
        title: body.title,
        body: body.body,
        locale: body.locale,
        status: body.status.map(ArticleStatus::from),
        inboxes: body.inboxes,
    };
    let (article, outcome) =
        call.service().put_article(call.actor()?, Some(client_id), new).await?;
    let outcome = match outcome {
        PutOutcome::Created => "created",
        PutOutcome::Changed => "changed",
        PutOutcome::Unchanged => "unchanged",
    };
    let article = ArticleJson::whole(&article, call.public_url());
    answer(StatusCode::OK, &Put { article, outcome })
}

pub(crate) const LIST: Shape =
    Shape::new("The organization's articles.").query::<ListQuery>().gives::<Articles<'static>>();

pub(crate) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<ListQuery>()?;
    let (found, next_page_token) =
        call.service().list_articles(call.actor()?, query.limit, &query.page_token).await?;
    let line = |article| ArticleJson::line(article, call.public_url());
    let articles = found.iter().map(line).collect();
    answer(StatusCode::OK, &Articles { articles, next_page_token })
}

pub(crate) const GET: Shape = Shape::new("One article.").gives::<ArticleJson<'static>>();

pub(crate) async fn get(call: Call) -> Result<Response<Body>, Error> {
    let article = call.service().get_article(call.actor()?, call.param("id")).await?;
    answer(StatusCode::OK, &ArticleJson::whole(&article, call.public_url()))
}

pub(crate) const EDIT: Shape =
    Shape::new("Changes what an article is for; what is left out stays.")
        .body::<ArticleChange>()
        .gives::<ArticleJson<'static>>();

pub(crate) async fn edit(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<ArticleChange>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let edit = EditArticle {
        status: body.status.map(ArticleStatus::from),
        inboxes: body.inboxes,
        locale: body.locale,
    };
    let id = call.param("id");
    let article = call.service().edit_article(call.actor()?, Some(client_id), id, edit).await?;
    answer(StatusCode::OK, &ArticleJson::whole(&article, call.public_url()))
}

pub(crate) const DELETE: Shape = Shape::new("Deletes an article.");

pub(crate) async fn delete(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(None)?;
    let id = call.param("id");
    call.service().delete_article(call.actor()?, Some(client_id), id).await?;
    Ok(no_content())
}

pub(crate) const SEARCH: Shape =
    Shape::new("Finds passages, and says what the built-in assistant would answer.")
        .query::<SearchQuery>()
        .gives::<Searched<'static>>();

pub(crate) async fn search(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<SearchQuery>()?;
    let (inbox, locale) = (query.inbox.as_deref(), query.locale.as_deref());
    let (text, limit) = (&query.query, query.limit);
    let found = call.service().search_articles(call.actor()?, text, inbox, locale, limit).await?;
    let passages = found.passages.iter().map(|hit| Passage {
        article_id: Text(ArticleId(hit.article)),
        title: &hit.title,
        heading: &hit.heading,
        text: &hit.text,
        score: hit.score,
        locale: &hit.language,
    });
    let passages = passages.collect();
    answer(StatusCode::OK, &Searched { passages, decision: found.decision, answer: &found.answer })
}
