//! Finding passages of an organization's articles: parsing article files, cutting Markdown into
//! passages, and one in-memory index per organization. It knows nothing of the store, of rights or
//! of conversations: callers hand in plain documents and check every hit against their rows again.

pub mod front_matter;
pub mod index;
pub mod language;
pub mod markdown;
pub mod sentences;

mod html;
mod stop_words;

pub use front_matter::{ArticleFile, ArticleFileError};
pub use index::{Document, Hit, Index, Query, SearchError};
pub use markdown::Passage;

#[cfg(test)]
pub(crate) mod tests;
