//! Articles by REST.

use axum::body::Body;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::domain::article::ArticleStatus;
use crate::service::article::{PutArticle, PutOutcome};
use crate::service::error::Error;

use super::call::{Call, answer, no_content};
use super::wire::ArticleJson;

/// The language of an article that names none.
const LOCALE_DEFAULT: &str = "en";

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
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StatusWord {
    Draft,
    Published,
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
}

pub(super) async fn put(call: Call) -> Result<Response<Body>, Error> {
    let body = call.body::<NewArticle>()?;
    let client_id = call.client_id(body.client_id.as_deref())?;
    let new = PutArticle {
        source_path: body.source_path,
        title: body.title,
        body: body.body,
        locale: body.locale.unwrap_or_else(|| LOCALE_DEFAULT.to_owned()),
        status: match body.status {
            Some(StatusWord::Draft) => ArticleStatus::Draft,
            Some(StatusWord::Published) | None => ArticleStatus::Published,
        },
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

pub(super) async fn delete(call: Call) -> Result<Response<Body>, Error> {
    let client_id = call.client_id(None)?;
    let id = call.param("id");
    call.service().delete_article(call.actor()?, Some(client_id), id).await?;
    Ok(no_content())
}

pub(super) async fn search(call: Call) -> Result<Response<Body>, Error> {
    let query = call.query::<SearchQuery>()?;
    let inbox = query.inbox.as_deref();
    let found =
        call.service().search_articles(call.actor()?, &query.query, inbox, query.limit).await?;
    let passages = found.passages.iter().map(|hit| Passage {
        article_id: hit.article.to_string(),
        title: &hit.title,
        heading: &hit.heading,
        text: &hit.text,
        score: hit.score,
    });
    let passages = passages.collect();
    answer(StatusCode::OK, &Searched { passages, decision: found.decision, answer: &found.answer })
}
