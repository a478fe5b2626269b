//! Articles as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::article::Article;
use crate::domain::id::{ArticleId, InboxId, OrganizationId};

use super::text::{Text, Texts};
use super::word::ArticleStatusWord;

/// An article; in lists without its body.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Article")]
pub(crate) struct ArticleJson<'a> {
    /// Its id.
    id: Text<ArticleId>,
    /// The organization's id.
    organization_id: Text<OrganizationId>,
    /// The inboxes it is for; none means all.
    inboxes: Texts<'a, InboxId>,
    /// Whether it answers visitors.
    status: ArticleStatusWord,
    /// Its language.
    locale: &'a str,
    /// Its title.
    title: &'a str,
    /// Its text, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    /// The path of the file it came from, unique in the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_path: Option<&'a str>,
    /// When it changed last, in Unix milliseconds.
    updated_at: i64,
    /// Where it can be read.
    url: String,
}

impl<'a> ArticleJson<'a> {
    /// An article with its body.
    pub(crate) fn whole(article: &'a Article, public_url: &str) -> Self {
        Self {
            id: Text(article.id),
            organization_id: Text(article.organization),
            inboxes: Texts(&article.inboxes),
            status: article.status.into(),
            locale: &article.locale,
            title: &article.title,
            body: Some(&article.body),
            source_path: article.source_path.as_deref(),
            updated_at: article.updated_at,
            url: format!("{public_url}/a/{}", article.id),
        }
    }

    /// An article as a line of a list.
    pub(crate) fn line(article: &'a Article, public_url: &str) -> Self {
        Self { body: None, ..Self::whole(article, public_url) }
    }
}
