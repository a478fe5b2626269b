//! Many reads in one call. To ask an engine on disk costs more than to read a row, since long reads move to a thread
//! that may wait; and what is read next may hang on what was read before.

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use tokio::sync::oneshot;

use super::{Direction, Engine, Key, Range, Reads, StoreError, Value};

/// On which thread rows of one moment are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thread {
    /// One that may wait.
    #[default]
    Other,
    /// The one that asks, as with short reads: for work that is expected to be short. Where a writer stays in the way
    /// it moves to another all the same.
    Same,
}

/// What is done with the rows of one moment.
pub struct Work {
    pub(super) thread: Thread,
    run: Run,
}

type Run = Box<dyn FnOnce(&dyn Reads) + Send>;

impl Work {
    /// Does it over a snapshot.
    pub(super) fn run(self, snapshot: &(impl Snapshot + Sync)) {
        (self.run)(&AtOnce(snapshot));
    }
}

/// Rows of one moment. An engine reads them here on the thread it is asked on.
pub trait Snapshot {
    /// As [`Reads::get`].
    fn get(&self, keys: &[Key]) -> Result<Vec<Option<Value>>, StoreError>;

    /// As [`Reads::scan`].
    fn scan(
        &self,
        range: &Range,
        direction: Direction,
        limit: u32,
    ) -> Result<Vec<(Key, Value)>, StoreError>;

    /// Shows the value of a row where it lies, if there is one.
    ///
    /// # Errors
    /// Those of a read.
    fn see(&self, key: &Key, see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        let values = self.get(std::slice::from_ref(key))?;
        values.into_iter().flatten().for_each(|value| see(&value));
        Ok(())
    }

    /// Shows the keys and values of a range where they lie, in order, at most `limit` of them.
    ///
    /// # Errors
    /// The same; some may have been shown before.
    fn see_range(
        &self,
        range: &Range,
        limit: u32,
        see: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        show(&self.scan(range, Direction::Forward, limit)?, see);
        Ok(())
    }
}

/// Shows rows that were read out.
pub(super) fn show(rows: &[(Key, Value)], see: &mut dyn FnMut(&[u8], &[u8])) {
    rows.iter().for_each(|(key, value)| see(key, value));
}

/// A snapshot for whoever reads from engines: nothing it answers has to be waited for.
struct AtOnce<'s, S>(&'s S);

impl<S: Snapshot + Sync> Reads for AtOnce<'_, S> {
    fn get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        ready(self.0.get(keys)).boxed()
    }

    fn scan<'a>(
        &'a self,
        range: &'a Range,
        direction: Direction,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<(Key, Value)>, StoreError>> {
        ready(self.0.scan(range, direction, limit)).boxed()
    }

    fn at_once(&self) -> Option<&dyn Snapshot> {
        Some(self.0)
    }
}

/// What `work` makes of the rows of one moment, read in one call. Whatever it asks of them is answered at once, so that
/// a future over them is ready when it is first polled. As with a scan, a commit waits until it has ended.
///
/// # Errors
/// Those of a read.
pub async fn of<T: Send + 'static>(
    engine: &dyn Engine,
    thread: Thread,
    work: impl FnOnce(&dyn Reads) -> T + Send + 'static,
) -> Result<T, StoreError> {
    let (tell, told) = oneshot::channel();
    let run = Box::new(move |reads: &dyn Reads| {
        // Whoever asked may have gone.
        let _ = tell.send(work(reads));
    });
    engine.with_snapshot(Work { thread, run }).await?;
    told.await.map_err(|_| StoreError::Closed)
}
