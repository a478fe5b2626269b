//! Putting and changing articles.

use crate::domain::article::{self, Article, ArticleStatus, INBOXES_MAX};
use crate::domain::command::Command;
use crate::domain::entry::EntryKind;
use crate::domain::event::Content;
use crate::domain::facts::Facts;
use crate::domain::id::{ArticleId, InboxId};
use crate::domain::name;
use crate::domain::rejection::Rejection;

use super::Refs;
use super::desk::put;
use super::script::Script;

/// The outcomes of putting an article, in [`Refs::outcome`].
const CREATED: u32 = 1;
const CHANGED: u32 = 2;
const UNCHANGED: u32 = 3;

/// The language of an article that names none.
const LOCALE_DEFAULT: &str = "en";

/// Decides what makes or changes an article. What a command does not say stays as it was.
pub(super) fn decide(
    script: &mut Script<'_>,
    facts: &Facts,
    command: &Command,
) -> Result<Refs, Rejection> {
    let before = facts.article.as_ref();
    let after = after(script, before, command)?;
    let subject = Some(after.id.0);
    let same = |it: &Article| Article { updated_at: after.updated_at, ..it.clone() } == after;
    if before.is_some_and(same) {
        return Ok(Refs { subject, outcome: UNCHANGED, ..Refs::default() });
    }
    let outcome = if before.is_some() { CHANGED } else { CREATED };
    let entry = script.entry(EntryKind::ArticlePut);
    let refs = put(script, entry, after.id.0, Content::Article(after));
    Ok(Refs { outcome, ..refs })
}

fn after(
    script: &mut Script<'_>,
    before: Option<&Article>,
    command: &Command,
) -> Result<Article, Rejection> {
    if let Command::PutArticle { source_path, title, body, locale, status, inboxes } = command {
        article::check(title, body, source_path)?;
        let locale = match locale {
            Some(locale) => name::locale(locale)?,
            None => before.map_or_else(|| LOCALE_DEFAULT.to_owned(), |it| it.locale.clone()),
        };
        let inboxes = match inboxes {
            Some(inboxes) => checked(inboxes)?,
            None => before.map(|it| it.inboxes.clone()).unwrap_or_default(),
        };
        return Ok(Article {
            id: before.map_or_else(|| ArticleId(script.id()), |it| it.id),
            organization: script.organization,
            inboxes,
            status: status.unwrap_or(before.map_or(ArticleStatus::Published, |it| it.status)),
            locale,
            title: title.clone(),
            body: body.clone(),
            source_path: Some(source_path.clone()),
            updated_at: script.moment.now,
        });
    }
    let (Command::EditArticle { status, inboxes, locale, .. }, Some(before)) = (command, before)
    else {
        return Err(Rejection::NotFound);
    };
    let mut after = Article { updated_at: script.moment.now, ..before.clone() };
    after.status = status.unwrap_or(after.status);
    if let Some(inboxes) = inboxes {
        after.inboxes = checked(inboxes)?;
    }
    if let Some(locale) = locale {
        after.locale = name::locale(locale)?;
    }
    Ok(after)
}

fn checked(inboxes: &[InboxId]) -> Result<Vec<InboxId>, Rejection> {
    if inboxes.len() > INBOXES_MAX {
        return Err(Rejection::Invalid {
            code: "too_many_inboxes",
            detail: "an article names at most 64 inboxes".to_owned(),
        });
    }
    let mut once = Vec::with_capacity(inboxes.len());
    for inbox in inboxes {
        if !once.contains(inbox) {
            once.push(*inbox);
        }
    }
    Ok(once)
}
