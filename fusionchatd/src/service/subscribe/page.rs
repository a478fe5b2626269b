//! How much is read at once, and pages of the journal for one reader far behind.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::domain::id::OrganizationId;
use crate::service::Service;
use crate::service::channel::{Channel, text_bytes};
use crate::service::error::Error;
use crate::service::hub::Seat;
use crate::service::rows::Rows;
use crate::service::view::{self, Change, Met};
use crate::store::snapshot::Thread;
use crate::store::{Reads, snapshot};

/// How many entries are read at once: what a page of them becomes is still in the processor's cache when it is sent.
pub(super) const READ_AT_ONCE: u32 = 64;
/// How much text of a page is kept, in bytes: a reader keeps no more that it has not handed out; a single message is
/// always kept. The conversations it has met come on top (`view::Met`), each with what a door sends of it once that was
/// made twice (`view::Written`): as many as a page and `MET_MAX` have.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// How long a page may take so that the next is read where it is asked for. One from memory takes less than half of it,
/// and is sent sooner if it does not go from thread to thread; one from the disk would keep others waiting.
const QUICK_MAX: Duration = Duration::from_micros(500);

/// Reads the journal on for one reader far behind.
#[derive(Default)]
pub(super) struct CatchUp {
    page: Page,
    thread: Thread,
    /// Whether there may be more behind the last page.
    more: bool,
    met: Met,
    /// The position published when all that was met was last looked through.
    published: u64,
    /// The page that is being read: it is not begun anew if whoever waits has something else to do in between.
    reading: Option<Reading>,
}

type Reading = BoxFuture<'static, Result<Loaded, Error>>;

impl fmt::Debug for CatchUp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CatchUp").finish_non_exhaustive()
    }
}

/// A page that was read.
struct Loaded {
    changes: Vec<Arc<Change>>,
    more: bool,
    page: Page,
    met: Met,
    took: Duration,
}

impl CatchUp {
    /// The changes after `position`, which are all handed out before the next call. Safe to drop and call again.
    pub(super) async fn next_page(
        &mut self,
        position: u64,
        seat: &Seat,
        organization: OrganizationId,
    ) -> Result<Vec<Arc<Change>>, Error> {
        // At most twice: a page that is begun here counts.
        loop {
            let was_kept = self.reading.is_some();
            if !was_kept {
                if std::mem::take(&mut self.more) {
                    // A stream is asked for as much as its connection takes, and a page from memory is not waited for.
                    tokio::task::yield_now().await;
                }
                self.forget_stale(seat.channel());
            }
            let reading = self.reading.get_or_insert_with(|| {
                let service = Arc::clone(seat.service());
                let met = std::mem::take(&mut self.met);
                load(service, organization, position, self.page, met, self.thread).boxed()
            });
            let loaded = reading.await;
            self.reading = None;
            let loaded = loaded?;
            (self.page, self.met, self.more) = (loaded.page, loaded.met, loaded.more);
            self.thread = next_on(loaded.took);
            // An empty one that was kept says only that there was nothing then, and what others took back since must
            // not come from here.
            if !was_kept || (self.forget_stale(seat.channel()) && !loaded.changes.is_empty()) {
                return Ok(loaded.changes);
            }
        }
    }

    /// Forgets the views that have changed since they were met, or all if the changes are no longer at hand: false
    /// then.
    fn forget_stale(&mut self, channel: &Channel) -> bool {
        let published = channel.position();
        if published == self.published {
            return true;
        }
        let changes = channel.recent_after(self.published, usize::MAX);
        match &changes {
            Some(changes) => self.met.forget(changes),
            None => self.met = Met::default(),
        }
        self.published = published;
        changes.is_some()
    }
}

/// Where the page after one that took so long is read.
fn next_on(took: Duration) -> Thread {
    if took <= QUICK_MAX { Thread::Same } else { Thread::Other }
}

async fn load(
    service: Arc<Service>,
    organization: OrganizationId,
    after: u64,
    page: Page,
    met: Met,
    thread: Thread,
) -> Result<Loaded, Error> {
    let read = move |reads: &dyn Reads| {
        let read = read(reads, organization, after, page, met).now_or_never();
        read.unwrap_or_else(|| {
            Err(Error::internal(anyhow::anyhow!("a snapshot had to be waited for")))
        })
    };
    snapshot::of(service.engine.as_ref(), thread, read).await?
}

async fn read(
    reads: &dyn Reads,
    organization: OrganizationId,
    after: u64,
    mut page: Page,
    mut met: Met,
) -> Result<Loaded, Error> {
    let began = Instant::now();
    let rows = Rows::new(reads, organization);
    let entries = rows.entries(after + 1, page.0).await?;
    let full = entries.len() >= page.0 as usize;
    let mut changes = view::of_entries(&rows, entries, &mut met).await?;
    let kept = page.keep(changes.iter().map(|it| text_bytes(it)));
    let more = full || kept < changes.len();
    changes.truncate(kept);
    Ok(Loaded { changes, more, page, met, took: began.elapsed() })
}

/// How many rows are read at once: fewer where their texts are long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page(pub(super) u32);

impl Default for Page {
    fn default() -> Self {
        Self(READ_AT_ONCE)
    }
}

impl Page {
    /// How many of texts that were read are kept, at least one; what is left is read again when there is room for it.
    pub(super) fn keep(&mut self, lengths: impl ExactSizeIterator<Item = usize>) -> usize {
        let read = lengths.len();
        let sums = lengths.scan(0, |sum: &mut usize, length| {
            *sum += length;
            Some(*sum)
        });
        let kept = sums.take_while(|sum| *sum <= KEPT_BYTES_MAX).count().max(1);
        let fitting = u32::try_from(kept).unwrap_or(READ_AT_ONCE);
        self.0 = if kept < read { fitting } else { self.0.saturating_mul(2).min(READ_AT_ONCE) };
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_from_memory_keeps_the_next_where_it_is_asked_for() {
        assert_eq!(CatchUp::default().thread, Thread::Other, "nothing is known of the first");
        for (took, next) in [
            (Duration::ZERO, Thread::Same),
            (QUICK_MAX, Thread::Same),
            (QUICK_MAX + Duration::from_nanos(1), Thread::Other),
            (Duration::MAX, Thread::Other),
        ] {
            assert_eq!(next_on(took), next, "{took:?}");
        }
    }

    #[test]
    fn fault_28_a_reader_keeps_little_that_it_has_not_handed_out() {
        for (lengths, kept, next) in [
            (vec![], 1, 64),
            (vec![300; 64], 64, 64),
            (vec![40_000; 64], 1, 1),
            (vec![20_000; 64], 3, 3),
            (vec![1_000_000, 1], 1, 1),
            (vec![1_000_000], 1, 64),
        ] {
            let mut page = Page::default();
            assert_eq!(page.keep(lengths.iter().copied()), kept, "{lengths:?}");
            assert_eq!(page.0, next, "{lengths:?}");
        }
        let mut page = Page(3);
        page.keep([300; 3].into_iter());
        assert_eq!(page.0, 6, "more again once they are short");
    }
}
