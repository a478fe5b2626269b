//! Articles: import, read, delete, search.

use std::sync::Arc;

use crate::ai;
use crate::domain::actor::{Actor, Permission};
use crate::domain::article::{Article, ArticleStatus, PATH_BYTES_MAX};
use crate::domain::command::Command;
use crate::domain::id::{ArticleId, ClientId, InboxId, OPERATOR_ORGANIZATION};
use crate::domain::inbox::Inbox;
use crate::search::index::{Hit, Query};
use crate::search::language::primary;
use crate::store::{Direction, table};

use super::conversation::page_size;
use super::digest::Digest;
use super::error::Error;
use super::rights::Reach;
use super::rows::Rows;
use super::{Service, require};

/// The most passages one search returns.
pub const PASSAGES_MAX: u32 = 20;
/// The longest question, in bytes.
pub const QUERY_BYTES_MAX: usize = 4_000;
const PASSAGES_DEFAULT: u32 = 5;
/// How many articles a greeting suggests.
const POPULAR_MAX: usize = 3;

/// An article as it is put.
#[derive(Clone, Debug)]
pub struct PutArticle {
    /// Where it comes from; putting the same path again replaces it.
    pub source_path: String,
    /// Its title.
    pub title: String,
    /// Its Markdown.
    pub body: String,
    /// Its language; none keeps the one it has.
    pub locale: Option<String>,
    /// Whether visitors may see it; none keeps it as it is, and publishes a new one.
    pub status: Option<ArticleStatus>,
    /// The inboxes it is for by name or id, an empty list meaning all; none keeps those it has.
    pub inboxes: Option<Vec<String>>,
}

/// A change of an article; what is left out stays as it is.
#[derive(Clone, Debug, Default)]
pub struct EditArticle {
    /// Whether visitors may see it.
    pub status: Option<ArticleStatus>,
    /// The inboxes it is for by name or id; an empty list means all.
    pub inboxes: Option<Vec<String>>,
    /// Its language.
    pub locale: Option<String>,
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
            .text(&new.locale.clone().unwrap_or_default())
            .number(new.status.map_or(0, |it| it as u64 + 1))
            .text(&listed(new.inboxes.as_ref()))
            .finish();
        let command = Command::PutArticle {
            source_path: new.source_path,
            title: new.title,
            body: new.body,
            locale: new.locale,
            status: new.status,
            inboxes: self.inbox_ids(actor, new.inboxes.as_ref()).await?,
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
        self.find_article(actor, text).await
    }

    /// An article by id or source path that the actor may read.
    async fn find_article(&self, actor: &Actor, text: &str) -> Result<Article, Error> {
        let rows = self.rows(actor);
        let id = match text.parse::<ArticleId>() {
            Ok(id) => Some(id),
            Err(_) if text.is_empty() || text.len() > PATH_BYTES_MAX => None,
            Err(_) => {
                let key = table::article_path(actor.organization, text);
                rows.pointer(&key).await?.map(|it| ArticleId(it.subject))
            }
        };
        let found = rows.article(id.ok_or_else(Error::not_found)?).await?;
        let reach = self.reach(actor).await?;
        found.filter(|article| reads(&reach, article)).ok_or_else(Error::not_found)
    }

    /// Changes what an article is for.
    pub async fn edit_article(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        edit: EditArticle,
    ) -> Result<Article, Error> {
        require(actor, Permission::WriteArticles)?;
        let article = self.find_article(actor, text).await?.id;
        let digest = Digest::of("edit_article")
            .bytes(article.bytes())
            .number(edit.status.map_or(0, |it| it as u64 + 1))
            .text(&listed(edit.inboxes.as_ref()))
            .text(&edit.locale.clone().unwrap_or_default())
            .finish();
        let command = Command::EditArticle {
            article,
            status: edit.status,
            inboxes: self.inbox_ids(actor, edit.inboxes.as_ref()).await?,
            locale: edit.locale,
        };
        self.execute(actor, client_id, digest, command).await?;
        self.rows(actor).article(article).await?.ok_or_else(Error::not_found)
    }

    async fn inbox_ids(
        &self,
        actor: &Actor,
        texts: Option<&Vec<String>>,
    ) -> Result<Option<Vec<InboxId>>, Error> {
        let Some(texts) = texts else { return Ok(None) };
        let mut ids = Vec::with_capacity(texts.len());
        for text in texts {
            ids.push(self.find_inbox(actor, text).await?.id);
        }
        Ok(Some(ids))
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
        let reach = self.reach(actor).await?;
        let read = found.into_iter().map(|(_, article)| article);
        Ok((read.filter(|article| reads(&reach, article)).collect(), next))
    }

    /// Deletes an article.
    pub async fn delete_article(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
    ) -> Result<(), Error> {
        require(actor, Permission::WriteArticles)?;
        let article = self.find_article(actor, text).await?.id;
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
        locale: Option<&str>,
        limit: u32,
    ) -> Result<Searched, Error> {
        require(actor, Permission::ReadArticles)?;
        if question.trim().is_empty() || question.len() > QUERY_BYTES_MAX {
            return Err(Error::invalid("bad_query", "a question has 1 to 4000 bytes"));
        }
        let inbox = match inbox.filter(|it| !it.is_empty()) {
            Some(text) => Some(self.find_inbox(actor, text).await?),
            None => None,
        };
        let limit = if limit == 0 { PASSAGES_DEFAULT } else { limit.min(PASSAGES_MAX) };
        let wanted = locale.filter(|it| !it.is_empty());
        let limit = limit as usize;
        let (hits, popular, locale) = match &inbox {
            Some(inbox) => {
                let locale = wanted.unwrap_or(&inbox.locale);
                let hits = self.passages(actor, question, &[], inbox, locale, limit).await?;
                (hits, self.popular(actor, inbox, locale).await?, locale)
            }
            None => {
                let hits = self.hits(actor, question, &[], None, wanted, limit).await?;
                (hits, Vec::new(), wanted.unwrap_or("en"))
            }
        };
        let turn = ai::Turn {
            question,
            earlier: &[],
            answers: &[],
            clarifications: 0,
            locale,
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

    /// Passages an inbox's assistant reads for a visitor of a language: in that language, or if there is nothing in
    /// it, in the inbox's own.
    pub(super) async fn passages(
        self: &Arc<Self>,
        actor: &Actor,
        question: &str,
        earlier: &[String],
        inbox: &Inbox,
        locale: &str,
        limit: usize,
    ) -> Result<Vec<Hit>, Error> {
        let id = Some(inbox.id);
        let hits = self.hits(actor, question, earlier, id, Some(locale), limit).await?;
        if !hits.is_empty() || primary(locale) == primary(&inbox.locale) {
            return Ok(hits);
        }
        self.hits(actor, question, earlier, id, Some(&inbox.locale), limit).await
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
        let reach = self.reach(actor).await?;
        let mut visible = Vec::with_capacity(hits.len());
        for hit in hits.drain(..) {
            let article = rows.article(ArticleId(hit.article)).await?;
            let usable = article.is_some_and(|it| {
                let for_inbox =
                    it.inboxes.is_empty() || inbox.is_none_or(|inbox| it.inboxes.contains(&inbox));
                it.status == ArticleStatus::Published && for_inbox && reads(&reach, &it)
            });
            if usable {
                visible.push(hit);
            }
        }
        Ok(visible)
    }

    /// The articles a greeting suggests, in the visitor's language or else in the inbox's own.
    pub(super) async fn popular(
        &self,
        actor: &Actor,
        inbox: &Inbox,
        locale: &str,
    ) -> Result<Vec<ai::Source>, Error> {
        let index = self.index(actor.organization).await?;
        let mut first = index.first(inbox.id.0, locale, POPULAR_MAX);
        if first.is_empty() {
            first = index.first(inbox.id.0, &inbox.locale, POPULAR_MAX);
        }
        Ok(first.into_iter().map(|(article, title)| ai::Source { article, title }).collect())
    }
}

/// Whether an article is for an inbox the actor reaches.
fn reads(reach: &Reach, article: &Article) -> bool {
    article.inboxes.is_empty() || article.inboxes.iter().any(|inbox| reach.has(*inbox))
}

/// A list for a digest: none and an empty one are not the same.
fn listed(texts: Option<&Vec<String>>) -> String {
    texts.map_or_else(String::new, |texts| format!("={}", texts.join("\n")))
}
