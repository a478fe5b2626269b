//! Articles: import, read, delete, search.

use std::sync::Arc;

use crate::ai;
use crate::domain::actor::{Actor, Permission};
use crate::domain::article::{Article, ArticleStatus};
use crate::domain::command::Command;
use crate::domain::id::{ArticleId, ClientId, InboxId, OPERATOR_ORGANIZATION};
use crate::search::index::{Hit, Query};
use crate::store::{Direction, table};

use super::conversation::page_size;
use super::digest::Digest;
use super::error::Error;
use super::rows::Rows;
use super::{Service, require};

/// The most passages one search returns.
pub const PASSAGES_MAX: u32 = 20;
/// The longest question, in bytes.
pub const QUERY_BYTES_MAX: usize = 4_000;
const PASSAGES_DEFAULT: u32 = 5;
/// How many articles a greeting suggests.
const POPULAR_MAX: u32 = 3;

/// An article as it is put.
#[derive(Clone, Debug)]
pub struct PutArticle {
    /// Where it comes from; putting the same path again replaces it.
    pub source_path: String,
    /// Its title.
    pub title: String,
    /// Its Markdown.
    pub body: String,
    /// Its language.
    pub locale: String,
    /// Whether visitors may see it.
    pub status: ArticleStatus,
}

/// What putting an article did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// There was none of that path.
    Created,
    /// It was different.
    Changed,
    /// It was the same.
    Unchanged,
}

/// What a search found and what the assistant would do with it.
#[derive(Debug)]
pub struct Searched {
    /// Best first.
    pub passages: Vec<Hit>,
    /// `answer`, `clarify`, `greet`, `identify` or `hand_over`.
    pub decision: &'static str,
    /// The text it would send; empty for a hand-over.
    pub answer: String,
}

impl Service {
    /// Creates or changes the article of a source path.
    pub async fn put_article(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        new: PutArticle,
    ) -> Result<(Article, PutOutcome), Error> {
        require(actor, Permission::WriteArticles)?;
        let digest = Digest::of("put_article")
            .text(&new.source_path)
            .text(&new.title)
            .text(&new.body)
            .text(&new.locale)
            .number(new.status as u64)
            .finish();
        let command = Command::PutArticle {
            source_path: new.source_path,
            title: new.title,
            body: new.body,
            locale: new.locale,
            status: new.status,
        };
        let answer = self.execute(actor, client_id, digest, command).await?;
        let id = ArticleId(answer.refs.subject.ok_or_else(Error::not_found)?);
        let article = self.rows(actor).article(id).await?.ok_or_else(Error::not_found)?;
        let outcome = match answer.refs.outcome {
            1 => PutOutcome::Created,
            2 => PutOutcome::Changed,
            _ => PutOutcome::Unchanged,
        };
        Ok((article, outcome))
    }

    /// An article.
    pub async fn get_article(&self, actor: &Actor, text: &str) -> Result<Article, Error> {
        require(actor, Permission::ReadArticles)?;
        let id = text.parse::<ArticleId>().map_err(|_| Error::not_found())?;
        self.rows(actor).article(id).await?.ok_or_else(Error::not_found)
    }

    /// A page of articles, and the token of the next one.
    pub async fn list_articles(
        &self,
        actor: &Actor,
        limit: u32,
        page_token: &str,
    ) -> Result<(Vec<Article>, String), Error> {
        require(actor, Permission::ReadArticles)?;
        let rows = self.rows(actor);
        let mut range = table::articles(actor.organization);
        if !page_token.is_empty() {
            let last = page_token.parse::<ArticleId>().map_err(|_| {
                Error::invalid("bad_page_token", "this page token is not from a list")
            })?;
            range = table::after(&range, &table::article(actor.organization, last));
        }
        let limit = page_size(limit);
        let mut found = rows.list::<Article>(&range, Direction::Forward, limit + 1).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = match found.last() {
            Some((_, last)) if more => last.id.to_string(),
            Some(_) | None => String::new(),
        };
        Ok((found.into_iter().map(|(_, article)| article).collect(), next))
    }

    /// Deletes an article.
    pub async fn delete_article(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
    ) -> Result<(), Error> {
        require(actor, Permission::WriteArticles)?;
        let article = text.parse::<ArticleId>().map_err(|_| Error::not_found())?;
        let digest = Digest::of("delete_article").bytes(article.bytes()).finish();
        self.execute(actor, client_id, digest, Command::DeleteArticle { article }).await?;
        Ok(())
    }

    /// A published article, for its public page.
    pub async fn public_article(&self, text: &str) -> Result<Article, Error> {
        let id = text.parse::<ArticleId>().map_err(|_| Error::not_found())?;
        let global = Rows::new(self.engine.as_ref(), OPERATOR_ORGANIZATION);
        let pointer = global.pointer(&table::article_organization(id)).await?;
        let organization = pointer.ok_or_else(Error::not_found)?.organization;
        let found = Rows::new(self.engine.as_ref(), organization).article(id).await?;
        found.filter(|it| it.status == ArticleStatus::Published).ok_or_else(Error::not_found)
    }

    /// What a question finds, and what the assistant would do.
    pub async fn search_articles(
        self: &Arc<Self>,
        actor: &Actor,
        question: &str,
        inbox: Option<&str>,
        limit: u32,
    ) -> Result<Searched, Error> {
        require(actor, Permission::ReadArticles)?;
        if question.trim().is_empty() || question.len() > QUERY_BYTES_MAX {
            return Err(Error::invalid("bad_query", "a question has 1 to 4000 bytes"));
        }
        let inbox = match inbox.filter(|it| !it.is_empty()) {
            Some(text) => Some(self.find_inbox(actor, text).await?.id),
            None => None,
        };
        let limit = if limit == 0 { PASSAGES_DEFAULT } else { limit.min(PASSAGES_MAX) };
        let hits = self.hits(actor, question, &[], inbox, None, limit as usize).await?;
        let popular = self.popular(actor).await?;
        let turn = ai::Turn {
            question,
            earlier: &[],
            answers: &[],
            clarifications: 0,
            locale: "en",
            person_wish: false,
            popular: &popular,
        };
        let decision = ai::decide_early(&turn).unwrap_or_else(|| ai::decide(&turn, &hits));
        let (word, answer) = match decision {
            ai::Decision::Greet { text, .. } => ("greet", text),
            ai::Decision::Answer { text, .. } => ("answer", text),
            ai::Decision::Clarify { text, .. } => ("clarify", text),
            ai::Decision::HandOver { .. } => ("hand_over", String::new()),
            ai::Decision::Identify { text } => ("identify", text),
        };
        Ok(Searched { passages: hits, decision: word, answer })
    }

    /// Passages of published articles, checked against the rows again: an index may be older than they are.
    pub(super) async fn hits(
        self: &Arc<Self>,
        actor: &Actor,
        question: &str,
        earlier: &[String],
        inbox: Option<InboxId>,
        locale: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Hit>, Error> {
        let index = self.index(actor.organization).await?;
        let question = question.to_owned();
        let earlier = earlier.to_vec();
        let locale = locale.map(str::to_owned);
        let found = tokio::task::spawn_blocking(move || {
            let earlier: Vec<&str> = earlier.iter().map(String::as_str).collect();
            index.search(&Query {
                text: &question,
                earlier: &earlier,
                inbox: inbox.map(|it| it.0),
                locale: locale.as_deref(),
                limit,
            })
        });
        let mut hits = found.await.map_err(Error::internal)??;
        let rows = self.rows(actor);
        let mut visible = Vec::with_capacity(hits.len());
        for hit in hits.drain(..) {
            let article = rows.article(ArticleId(hit.article)).await?;
            let usable = article.is_some_and(|it| {
                let for_inbox =
                    it.inboxes.is_empty() || inbox.is_none_or(|inbox| it.inboxes.contains(&inbox));
                it.status == ArticleStatus::Published && for_inbox
            });
            if usable {
                visible.push(hit);
            }
        }
        Ok(visible)
    }

    /// The articles a greeting suggests.
    pub(super) async fn popular(&self, actor: &Actor) -> Result<Vec<ai::Source>, Error> {
        let rows = self.rows(actor);
        let range = table::articles(actor.organization);
        let found = rows.list::<Article>(&range, Direction::Forward, POPULAR_MAX).await?;
        let published = found.into_iter().map(|(_, article)| article);
        Ok(published
            .filter(|article| article.status == ArticleStatus::Published)
            .map(|article| ai::Source { article: article.id.0, title: article.title })
            .collect())
    }
}
