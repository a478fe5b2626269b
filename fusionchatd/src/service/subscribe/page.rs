//! How much is read at once for a reader, and a page ahead of one who is far behind.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use futures::FutureExt as _;
use futures::future::{BoxFuture, MaybeDone, maybe_done};

use crate::domain::id::OrganizationId;
use crate::service::Service;
use crate::service::channel::{Channel, text_bytes};
use crate::service::error::Error;
use crate::service::hub::Seat;
use crate::service::rows::Rows;
use crate::service::view::{self, Change, Met};
use crate::store::{Reads, snapshot};

/// How many entries are read at once.
pub(super) const READ_AT_ONCE: u32 = 100;
/// How much text of a page is kept, in bytes, so that with the page read ahead a reader keeps no more than 64 KiB that
/// it has not handed out; a single message is always kept. The conversations it has met come on top (`view::Met`), each
/// with what a door sends of it once that was made twice (`view::Written`): as many as two pages and `MET_MAX` have.
const KEPT_BYTES_MAX: usize = 32 * 1024;

/// Reads the journal on for one reader far behind: the next page while it hands out the last.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    page: Page,
    met: Met,
    /// The position published when all that was met or read was last looked through.
    published: u64,
    /// At most one page, which is forgotten with the reader.
    reading: Option<Reading>,
}

/// A page that is being read, on a thread of the store's.
struct Reading(Pin<Box<MaybeDone<Load>>>);

/// With the views that were met until its end.
type Load = BoxFuture<'static, Result<(Loaded, Met), Error>>;

impl Reading {
    /// Begins at once, and goes on without anybody waiting.
    fn begin(load: Load) -> Self {
        let mut reading = Box::pin(maybe_done(load));
        // A first look begins it. Whoever looks again is woken, not who looks now.
        let _ = reading.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        Self(reading)
    }

    /// Waits until it is read. Safe to drop and call again.
    async fn wait(&mut self) {
        self.0.as_mut().await;
    }

    /// What was read; `None` before [`Self::wait`] has come back.
    fn take(mut self) -> Option<Result<(Loaded, Met), Error>> {
        self.0.as_mut().take_output()
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Reading")
    }
}

/// A page that was read.
#[derive(Debug)]
struct Loaded {
    /// Where it begins.
    after: u64,
    changes: Vec<Arc<Change>>,
    /// Whether there may be more behind it.
    more: bool,
    page: Page,
}

impl Ahead {
    /// The changes after `position`. Safe to drop and call again.
    pub(super) async fn next_page(
        &mut self,
        position: u64,
        seat: &Seat,
        organization: OrganizationId,
    ) -> Result<Vec<Arc<Change>>, Error> {
        if let Some(reading) = &mut self.reading {
            reading.wait().await;
        }
        let ready = self.reading.take().and_then(Reading::take).transpose()?;
        let mut pages = ready.map(|loaded| self.meet(loaded));
        // What was met for the page that is ready may have changed since that was read.
        if !self.forget_stale(seat.channel()) {
            pages = None;
        }
        // An empty one says only that there was nothing then.
        let ready = pages.filter(|it| it.after == position && !it.changes.is_empty());
        let page = match ready {
            Some(page) => page,
            None => {
                let loaded = self.load(position, seat, organization).await?;
                self.meet(loaded)
            }
        };
        if let Some(last) = page.changes.last().filter(|_| page.more) {
            let next = self.load(last.entry.position, seat, organization);
            self.reading = Some(Reading::begin(next));
        }
        Ok(page.changes)
    }

    /// Keeps what was met for a page.
    fn meet(&mut self, (page, met): (Loaded, Met)) -> Loaded {
        (self.page, self.met) = (page.page, met);
        page
    }

    fn load(&mut self, position: u64, seat: &Seat, organization: OrganizationId) -> Load {
        self.forget_stale(seat.channel());
        let met = std::mem::take(&mut self.met);
        load(Arc::clone(seat.service()), organization, position, self.page, met).boxed()
    }

    /// Forgets the views that have changed since they were met, and everything if the changes are no longer at hand:
    /// what they took back must not come from here. False if it was everything.
    fn forget_stale(&mut self, channel: &Channel) -> bool {
        let published = channel.position();
        if published == self.published {
            return true;
        }
        let changes = channel.recent_after(self.published, usize::MAX);
        match &changes {
            Some(changes) => self.met.forget(changes),
            None => *self = Self { page: self.page, ..Self::default() },
        }
        self.published = published;
        changes.is_some()
    }
}

async fn load(
    service: Arc<Service>,
    organization: OrganizationId,
    after: u64,
    page: Page,
    met: Met,
) -> Result<(Loaded, Met), Error> {
    let read = move |reads: &dyn Reads| {
        let read = read(reads, organization, after, page, met).now_or_never();
        read.unwrap_or_else(|| {
            Err(Error::internal(anyhow::anyhow!("a snapshot had to be waited for")))
        })
    };
    snapshot::of(service.engine.as_ref(), read).await?
}

async fn read(
    reads: &dyn Reads,
    organization: OrganizationId,
    after: u64,
    mut page: Page,
    mut met: Met,
) -> Result<(Loaded, Met), Error> {
    let rows = Rows::new(reads, organization);
    let entries = rows.entries(after + 1, page.0).await?;
    let full = entries.len() >= page.0 as usize;
    let mut changes = view::of_entries(&rows, entries, &mut met).await?;
    let kept = page.keep(changes.iter().map(|it| text_bytes(it)));
    let more = full || kept < changes.len();
    changes.truncate(kept);
    Ok((Loaded { after, changes, more, page }, met))
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
    fn fault_28_a_reader_keeps_little_that_it_has_not_handed_out() {
        for (lengths, kept, next) in [
            (vec![], 1, 100),
            (vec![300; 100], 100, 100),
            (vec![40_000; 100], 1, 1),
            (vec![10_000; 100], 3, 3),
            (vec![1_000_000, 1], 1, 1),
            (vec![1_000_000], 1, 100),
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
