//! Articles by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::domain::article::ArticleStatus;
use crate::service::article::{EditArticle, PutArticle, PutOutcome};
use crate::service::error::Error;

use super::call::{Call, answer, no_content};
use super::wire::ArticleJson;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewArticle {
    #[serde(default)]
    client_id: Option<String>,
    source_path: String,
    title: String,
    body: String,
    #[serde(default)]
    locale: Option<String>,
    #[serde(default)]
    status: Option<StatusWord>,
    #[serde(default)]
    inboxes: Option<Vec<String>>,
}

/// What is left out stays as it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ArticleChange {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    status: Option<StatusWord>,
    #[serde(default)]
    inboxes: Option<Vec<String>>,
    #[serde(default)]
    locale: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StatusWord {
    Draft,
    Published,
}

impl From<StatusWord> for ArticleStatus {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::Draft => Self::Draft,
            StatusWord::Published => Self::Published,
        }
    }
}

#[derive(Serialize)]
struct Put<'a> {
    article: ArticleJson<'a>,
    outcome: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListQuery {
    #[serde(default)]
    limit: u32,
    #[serde(default)]
    page_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Articles<'a> {
    articles: Vec<ArticleJson<'a>>,
    next_page_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SearchQuery {
    query: String,
    #[serde(default)]
    inbox: Option<String>,
    #[serde(default)]
    locale: Option<String>,
    #[serde(default)]
    limit: u32,
}

#[derive(Serialize)]
struct Searched<'a> {
    passages: Vec<Passage<'a>>,
    decision: &'static str,
    answer: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Passage<'a> {
    article_id: String,
    title: &'a str,
    heading: &'a str,
    text: &'a str,
    score: f32,
    locale: &'a str,
}

pub(super) async fn put(call: Call) -> Result<Response<Body>, Error> {
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

pub(super) async fn list(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<ListQuery>()?;
    let (found, next_page_token) =
        call.service().list_articles(call.actor()?, query.limit, &query.page_token).await?;
    let line = |article| ArticleJson::line(article, call.public_url());
    let articles = found.iter().map(line).collect();
    answer(StatusCode::OK, &Articles { articles, next_page_token })
}

pub(super) async fn get(call: Call) -> Result<Response<Body>, Error> {
    let article = call.service().get_article(call.actor()?, call.param("id")).await?;
    answer(StatusCode::OK, &ArticleJson::whole(&article, call.public_url()))
}

pub(super) async fn edit(call: Call) -> Result<Response<Body>, Error> {
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

pub(super) async fn delete(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(None)?;
    let id = call.param("id");
    call.service().delete_article(call.actor()?, Some(client_id), id).await?;
    Ok(no_content())
}

pub(super) async fn search(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<SearchQuery>()?;
    let (inbox, locale) = (query.inbox.as_deref(), query.locale.as_deref());
    let (text, limit) = (&query.query, query.limit);
    let found = call.service().search_articles(call.actor()?, text, inbox, locale, limit).await?;
    let passages = found.passages.iter().map(|hit| Passage {
        article_id: hit.article.to_string(),
        title: &hit.title,
        heading: &hit.heading,
        text: &hit.text,
        score: hit.score,
        locale: &hit.language,
    });
    let passages = passages.collect();
    answer(StatusCode::OK, &Searched { passages, decision: found.decision, answer: &found.answer })
}
