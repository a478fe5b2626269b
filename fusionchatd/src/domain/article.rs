//! Articles: the knowledge the assistant answers from.

use super::Time;
use super::id::{ArticleId, InboxId, OrganizationId};
use super::rejection::Rejection;

/// The largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// The longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 200;
/// The longest source path, in bytes.
pub const PATH_BYTES_MAX: usize = 512;

/// The most inboxes an article names.
pub const INBOXES_MAX: usize = 64;

/// Whether visitors may see it. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArticleStatus {
    /// Staff only.
    Draft = 0,
    /// The assistant quotes it and visitors may read it.
    Published = 1,
}

/// One article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    /// Its id.
    pub id: ArticleId,
    /// Its organization.
    pub organization: OrganizationId,
    /// The inboxes it is for; empty means all.
    pub inboxes: Vec<InboxId>,
    /// Whether visitors may see it.
    pub status: ArticleStatus,
    /// Its language, BCP 47.
    pub locale: String,
    /// Its title.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Where it was imported from, unique in the organization.
    pub source_path: Option<String>,
    /// When it last changed.
    pub updated_at: Time,
}

/// Refuses a title, body or path that is empty, too long or not inert text.
pub fn check(title: &str, body: &str, path: &str) -> Result<(), Rejection> {
    let bad = |what: &str| Err(Rejection::Invalid { code: "bad_article", detail: what.to_owned() });
    if title.trim().is_empty() || title.chars().count() > TITLE_CHARS_MAX {
        return bad("the title is empty or longer than 200 characters");
    }
    if title.chars().any(char::is_control) {
        return bad("the title contains a control character");
    }
    if body.trim().is_empty() || body.len() > BODY_BYTES_MAX {
        return bad("the body is empty or larger than 256 KiB");
    }
    if body.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
        return bad("the body contains a control character");
    }
    if path.is_empty() || path.len() > PATH_BYTES_MAX || path.chars().any(char::is_control) {
        return bad(
            "the source path is empty, longer than 512 bytes or contains a control character",
        );
    }
    Ok(())
}
