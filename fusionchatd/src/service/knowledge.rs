//! The search indexes of organizations: built from article rows on first use, in memory only, dropped when they
//! take too much, rebuilt when an article has changed. Hits are checked against the rows again by the caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use crate::domain::article::{Article, ArticleStatus};
use crate::domain::id::OrganizationId;
use crate::search::index::{Document, Index};
use crate::store::{Direction, table};

use super::Service;
use super::error::Error;
use super::rows::{PAGE_MAX, Rows};

/// What all indexes may take together, in bytes, as they estimate it themselves.
pub const INDEX_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most articles of one organization that are searched.
pub const ARTICLES_MAX: usize = 20_000;

/// One organization's index and how current it is.
#[derive(Default)]
struct Slot {
    /// Raised by every change of an article.
    version: u64,
    /// The index and the version it was built at.
    built: Option<(u64, Arc<Index>)>,
    /// When it was last used, by the counter of uses.
    used: u64,
    /// Held by whoever builds, so that an index is built once.
    building: Arc<AsyncMutex<()>>,
}

#[derive(Default)]
struct Slots {
    by_organization: HashMap<OrganizationId, Slot>,
    uses: u64,
}

/// All indexes.
#[derive(Default)]
pub struct Knowledge {
    slots: Mutex<Slots>,
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Knowledge")
    }
}

impl Knowledge {
    /// An article of the organization has changed.
    pub(super) fn changed(&self, organization: OrganizationId) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.by_organization.entry(organization).or_default().version += 1;
    }

    /// The current index, or the lock to build one under and the version to build.
    fn look(&self, organization: OrganizationId) -> Result<Arc<Index>, (Arc<AsyncMutex<()>>, u64)> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.uses += 1;
        let uses = slots.uses;
        let slot = slots.by_organization.entry(organization).or_default();
        slot.used = uses;
        match &slot.built {
            Some((version, index)) if *version == slot.version => Ok(Arc::clone(index)),
            Some(_) | None => Err((Arc::clone(&slot.building), slot.version)),
        }
    }

    fn keep(&self, organization: OrganizationId, version: u64, index: &Arc<Index>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.by_organization.entry(organization).or_default();
        slot.built = Some((version, Arc::clone(index)));
        loop {
            let all = slots.by_organization.values();
            let bytes: usize = all.filter_map(|it| it.built.as_ref()).map(|it| it.1.bytes()).sum();
            let others = slots
                .by_organization
                .iter_mut()
                .filter(|(id, slot)| **id != organization && slot.built.is_some());
            match others.min_by_key(|(_, slot)| slot.used) {
                Some((_, oldest)) if bytes > INDEX_BYTES_MAX => oldest.built = None,
                Some(_) | None => return,
            }
        }
    }
}

impl Service {
    /// The index of an organization's published articles, as of now.
    pub(super) async fn index(&self, organization: OrganizationId) -> Result<Arc<Index>, Error> {
        let (building, _) = match self.knowledge.look(organization) {
            Ok(index) => return Ok(index),
            Err(found) => found,
        };
        let _building = building.lock().await;
        // Somebody else may have built it while this one waited.
        let version = match self.knowledge.look(organization) {
            Ok(index) => return Ok(index),
            Err((_, version)) => version,
        };
        let documents = self.documents(organization).await?;
        let built = if documents.is_empty() {
            // Nothing to read: not worth a thread.
            Index::build(documents)
        } else {
            let building = tokio::task::spawn_blocking(move || Index::build(documents)).await;
            building.map_err(Error::internal)?
        };
        let index = Arc::new(built?);
        self.knowledge.keep(organization, version, &index);
        Ok(index)
    }

    async fn documents(&self, organization: OrganizationId) -> Result<Vec<Document>, Error> {
        let rows = Rows::new(self.engine.as_ref(), organization);
        let mut range = table::articles(organization);
        let mut documents = Vec::new();
        while documents.len() < ARTICLES_MAX {
            let page = rows.list::<Article>(&range, Direction::Forward, PAGE_MAX).await?;
            let Some((last, _)) = page.last() else { break };
            range = table::after(&range, last);
            let published = |it: &Article| it.status == ArticleStatus::Published;
            documents.extend(page.into_iter().map(|(_, it)| it).filter(published).map(document));
        }
        Ok(documents)
    }
}

fn document(article: Article) -> Document {
    Document {
        article: article.id.0,
        inboxes: article.inboxes.iter().map(|it| it.0).collect(),
        locale: article.locale,
        title: article.title,
        body: article.body,
    }
}
