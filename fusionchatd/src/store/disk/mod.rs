//! What the engines on disk have in common. An engine brings a `writer::Back`: how it reads a row, writes a group of
//! batches durably, and lets go of its files. Everything around that is here once:
//!
//! - `lock`, `files`: one daemon a directory, private and durable directories, and whose data lies in one.
//! - `queue`, `group`, `writer`: one thread gathers commits, judges them, has them written as one group and answers.
//! - `vigil`: another looks after it, for a write that stands still.
//! - `space`: refuses writes while the disk is nearly full.
//!
//! It must not call an engine's crate, and nothing here may acknowledge before the engine has synced.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use futures::FutureExt;
use tokio::sync::watch;

use crate::store::moment::{Frontier, Moment};
use crate::store::open::OpenOptions;
use crate::store::{Batch, EngineStats, StoreError};

pub(crate) mod files;
pub(super) mod group;
pub(super) mod lock;
pub(super) mod queue;
pub mod space;
pub(super) mod vigil;
pub(super) mod writer;

#[cfg(test)]
mod vigil_test;

use lock::DirectoryLock;
use queue::Queue;
use space::Space;
use vigil::{Patience, Stroke, UnderWay};
use writer::Back;

/// The most keys of a read that is done where it is asked for. A read of a cached row takes about a microsecond and a
/// handover to another thread ten or more; longer ones move, to keep the runtime's threads free, but for work over a
/// snapshot that asks for `Thread::Same`.
pub(super) const KEYS_INLINE_MAX: usize = 16;
/// The most rows of such a scan.
pub(super) const ROWS_INLINE_MAX: u32 = 16;

/// What an engine shares between its callers and its threads.
pub(super) trait Body: Send + Sync + 'static {
    /// Where they meet.
    fn front(&self) -> &Front;

    /// The writer's last act after a failure: lets nothing be closed, for that would write once more.
    fn keep(&self);

    /// Nobody waits for the writer any more; calls [`Front::end`].
    fn end(&self);

    /// Wakes whoever sleeps in the engine though there is nothing to wait for. Must not wait itself.
    fn nudge(&self);
}

/// Starts the thread that writes and the one that looks after it.
///
/// # Errors
/// The system has no more threads.
pub(super) fn start<B: Back + 'static>(
    body: &Arc<impl Body>,
    back: B,
    space: Space,
) -> io::Result<Threads> {
    start_with(body, back, space, Patience::default())
}

fn start_with<B: Back + 'static>(
    body: &Arc<impl Body>,
    back: B,
    space: Space,
    patience: Patience,
) -> io::Result<Threads> {
    // Nothing is sent: it tells by being dropped.
    let (alive, life) = mpsc::sync_channel(0);
    let watched = Arc::clone(body);
    let vigil = thread::Builder::new().name("store-vigil".to_owned()).spawn(move || {
        let give_up = |detail: String| {
            watched.front().fail(&detail);
            watched.end();
        };
        vigil::keep(&watched.front().strokes, patience, &life, || watched.nudge(), give_up);
    })?;
    let written = Arc::clone(body);
    let writer = thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
        writer::run(written.front(), back, space);
        if written.front().standing().is_err() {
            written.keep();
        }
        written.end();
        drop(alive);
    })?;
    Ok(Threads(Mutex::new(Some((vigil, writer)))))
}

/// The two threads, for whoever must wait for their end.
pub(super) struct Threads(Mutex<Option<(JoinHandle<()>, JoinHandle<()>)>>);

impl Threads {
    /// Ends the writer and waits for that: for one group, and for what the engine does to let go of its files. One that
    /// stands still is waited for only until that has failed the engine.
    pub(super) fn end(&mut self, front: &Front) {
        front.stop();
        let threads = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some((vigil, writer)) = threads else { return };
        // What panics in the writer is caught inside and reported as a failure; the vigil ends with it or gives it up.
        let _ = vigil.join();
        if front.standing().is_ok() {
            let _ = writer.join();
        }
    }
}

/// Where the callers of an engine and its writer meet.
pub(super) struct Front {
    pub(super) directory: Arc<Path>,
    queue: Queue,
    /// Where a backup has come to.
    frontier: Arc<Frontier>,
    /// Kept by the writer, which watches the disk.
    disk_full: Arc<AtomicBool>,
    lock: Mutex<Option<Arc<DirectoryLock>>>,
    failed: watch::Sender<Option<String>>,
    ended: watch::Sender<bool>,
    /// What may stand still: the writer's work, and what fills a new store.
    strokes: [Stroke; 2],
}

impl Front {
    /// The front of an engine over a directory whose lock is held.
    pub(super) fn new(directory: Arc<Path>, lock: Arc<DirectoryLock>) -> Self {
        Self {
            directory,
            queue: Queue::new(),
            frontier: Arc::default(),
            disk_full: Arc::default(),
            lock: Mutex::new(Some(lock)),
            failed: watch::Sender::new(None),
            ended: watch::Sender::new(false),
            strokes: Default::default(),
        }
    }

    /// Something of the writer's that may stand still begins.
    fn writing(&self) -> UnderWay<'_> {
        self.strokes[0].begin()
    }

    /// Something that fills a new store and may stand still begins; one at a time.
    pub(super) fn filling(&self) -> UnderWay<'_> {
        self.strokes[1].begin()
    }

    /// The watch over the disk's space, for the writer.
    pub(super) fn space(&self, options: &OpenOptions) -> Space {
        Space::new(Arc::clone(&self.directory), options, Arc::clone(&self.disk_full))
    }

    /// Queues a batch and waits for its answer.
    pub(super) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let batch_bytes = batch.check()?;
        match self.queue.push(batch, batch_bytes).await {
            Some(answered) => match self.unless_ended(answered).await? {
                Ok(verdict) => verdict,
                // The writer drops an answer before it can say why it failed.
                Err(_) => {
                    self.writer_ended().await;
                    Err(self.gone())
                }
            },
            None => Err(self.gone()),
        }
    }

    /// What this comes to, unless the writer has ended before: it may have left this standing.
    ///
    /// # Errors
    /// `Failed` or `Closed`.
    pub(super) async fn unless_ended<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = work.as_mut() => Ok(done),
            // It may have been done between the two looks.
            () = self.writer_ended() => work.now_or_never().ok_or_else(|| self.gone()),
        }
    }

    /// Begins a reading of one moment.
    pub(super) async fn moment(&self) -> Result<Moment, StoreError> {
        self.standing()?;
        match self.frontier.begin().await {
            Err(StoreError::Closed) => Err(self.gone()),
            begun => begun,
        }
    }

    /// Takes no more commits; the writer ends once it has done those that wait.
    pub(super) fn stop(&self) {
        self.queue.close();
    }

    /// Stops and waits for the writer's last act.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.stop();
        self.writer_ended().await;
        self.standing()
    }

    /// What the engine of this name says of itself.
    pub(super) fn stats(&self, engine: &'static str) -> EngineStats {
        let bytes_on_disk = files::bytes_on_disk(&self.directory);
        EngineStats { engine, bytes_on_disk, disk_full: self.disk_full() }
    }

    /// Whether writes are refused because the disk is nearly full.
    pub(super) fn disk_full(&self) -> bool {
        self.disk_full.load(Ordering::Relaxed)
    }

    /// Turns to the reason once the engine has failed for good.
    pub(super) fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }

    /// Why the engine takes no more, if so.
    pub(super) fn standing(&self) -> Result<(), StoreError> {
        match self.failed.borrow().clone() {
            Some(detail) => Err(StoreError::Failed { detail }),
            None => Ok(()),
        }
    }

    /// Why the queue is closed.
    fn gone(&self) -> StoreError {
        self.standing().err().unwrap_or(StoreError::Closed)
    }

    async fn writer_ended(&self) {
        // The sender lives in `self`, so the wait ends only by the value.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Lets go of the directory, for whoever comes next.
    pub(super) fn unlock(&self) {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Fails the engine for good. It keeps the lock until the process ends, as it keeps its files.
    /// The first reason stands.
    pub(super) fn fail(&self, detail: &str) {
        std::mem::forget(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        let first = self.failed.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert_with(|| detail.to_owned());
            first
        });
        // Last: a log that goes to the same disk may stand still as well.
        if first {
            tracing::error!(detail, "the store failed; the daemon must stop");
        }
    }

    /// The writer's last act: nobody waits for it any more.
    pub(super) fn end(&self) {
        self.queue.abandon();
        self.frontier.end();
        self.ended.send_replace(true);
    }
}
