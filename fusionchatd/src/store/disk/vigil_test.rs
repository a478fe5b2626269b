//! A write that stands still, woken and given up.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;

use crate::store::disk::group::Group;
use crate::store::disk::vigil::{self, Patience, Stroke};
use crate::store::disk::writer::Back;
use crate::store::disk::{Body, Front, Threads, files, start_with};
use crate::store::open::OpenOptions;
use crate::store::{Batch, StoreError, Value};

/// Looks often; gives up at this look.
fn patience(looks: u32) -> Patience {
    Patience { interval: Duration::from_millis(1), looks }
}

/// Writes, or reads, end when they are told how.
struct StuckBack {
    told: mpsc::Receiver<Result<(), String>>,
    reads: bool,
}

impl Back for StuckBack {
    type Mark = ();

    fn read(&self, _: &[u8]) -> Result<Option<(Value, ())>, StoreError> {
        if self.reads {
            let told = self.told.recv().unwrap_or_else(|gone| Err(gone.to_string()));
            told.map_err(|detail| StoreError::Failed { detail })?;
        }
        Ok(None)
    }

    fn write(&mut self, _: Group<()>) -> Result<(), String> {
        self.told.recv().unwrap_or_else(|gone| Err(gone.to_string()))
    }

    fn idle(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn release(self) -> Result<(), String> {
        Ok(())
    }
}

struct Stuck {
    front: Front,
    /// What a nudge does.
    nudged: Box<dyn Fn() + Send + Sync>,
    kept: Mutex<mpsc::SyncSender<()>>,
}

impl Body for Stuck {
    fn front(&self) -> &Front {
        &self.front
    }

    fn keep(&self) {
        self.kept.lock().unwrap().send(()).unwrap();
    }

    fn end(&self) {
        self.front.end();
    }

    fn nudge(&self) {
        (self.nudged)();
    }
}

struct Rig {
    body: Arc<Stuck>,
    threads: Threads,
    tell: Tell,
    kept: mpsc::Receiver<()>,
    _directory: tempfile::TempDir,
}

type Tell = mpsc::SyncSender<Result<(), String>>;

fn rig(looks: u32, reads: bool, nudged: impl Fn(&Tell) + Send + Sync + 'static) -> Rig {
    let directory = tempfile::tempdir().unwrap();
    let lock = files::claim(directory.path()).unwrap();
    let front = Front::new(Arc::from(directory.path()), lock);
    let space = front.space(&OpenOptions::default());
    let (tell, told) = mpsc::sync_channel(1);
    let (keeps, kept) = mpsc::sync_channel(1);
    let told_by_nudges = tell.clone();
    let nudged = Box::new(move || nudged(&told_by_nudges));
    let body = Arc::new(Stuck { front, nudged, kept: Mutex::new(keeps) });
    let back = StuckBack { told, reads };
    let threads = start_with(&body, back, space, patience(looks)).unwrap();
    Rig { body, threads, tell, kept, _directory: directory }
}

fn batch() -> Batch {
    let row = (Bytes::from_static(b"key"), Bytes::from_static(b"value"));
    Batch { put: vec![row], ..Batch::default() }
}

fn reason(result: Result<(), StoreError>) -> String {
    match result {
        Err(StoreError::Failed { detail }) => detail,
        other => panic!("not a failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_write_that_nobody_would_wake_is_woken_and_its_own_reason_told() {
    // Told already, if it is not the first nudge.
    let wake = |tell: &Tell| drop(tell.try_send(Err("no space left".to_owned())));
    let mut rig = rig(10_000, false, wake);
    assert_eq!(reason(rig.body.front.commit(batch()).await), "no space left");
    rig.threads.end(&rig.body.front);
    rig.kept.recv().unwrap();
}

#[tokio::test]
async fn what_never_ends_fails_the_engine_and_keeps_nobody_waiting() {
    for reads in [false, true] {
        let mut rig = rig(5, reads, |_| ());
        let front = &rig.body.front;
        let gave_up = "the disk has not done what was asked of it for 0 s";
        assert_eq!(reason(front.commit(batch()).await), gave_up, "reads: {reads}");
        assert_eq!(reason(front.commit(batch()).await), gave_up, "nor is another taken");
        assert_eq!(reason(front.close().await), gave_up);
        rig.threads.end(front);
        assert!(rig.kept.try_recv().is_err(), "the writer is where it was");
        rig.tell.send(Ok(())).unwrap();
        // Only after a read there is a write to be told of.
        let _ = rig.tell.send(Ok(()));
        rig.kept.recv().unwrap();
        assert_eq!(reason(front.standing()), gave_up, "and is not released when it goes on");
    }
}

#[tokio::test]
async fn a_write_that_takes_its_time_is_acknowledged() {
    // It is found standing still, and ends well.
    let end = |tell: &Tell| drop(tell.try_send(Ok(())));
    let mut rig = rig(10_000, false, end);
    rig.body.front.commit(batch()).await.unwrap();
    rig.threads.end(&rig.body.front);
    rig.body.front.standing().unwrap();
}

#[test]
fn what_stands_still_is_nudged_less_and_less_and_then_given_up() {
    let strokes = [Stroke::default(), Stroke::default()];
    let _under_way = strokes[1].begin();
    let (_alive, life) = mpsc::sync_channel(0);
    let (nudges, reasons) = (Cell::new(0), RefCell::new(Vec::new()));
    let nudge = || nudges.set(nudges.get() + 1);
    vigil::keep(&strokes, patience(20), &life, nudge, |reason| reasons.borrow_mut().push(reason));
    assert_eq!(
        nudges.get(),
        5,
        "at the first look, the second, the fourth, the eighth, the sixteenth"
    );
    assert_eq!(reasons.into_inner().len(), 1);
}

#[test]
fn work_that_goes_on_is_left_alone() {
    let strokes = [Stroke::default(), Stroke::default()];
    let mut looks = vigil::Looks::default();
    for _ in 0..10 {
        let under_way = strokes[0].begin();
        assert_eq!(looks.look(&strokes[0]), 0, "it has just begun");
        assert_eq!(looks.look(&strokes[0]), 1);
        drop(under_way);
        assert_eq!(looks.look(&strokes[0]), 0);
    }
    let (alive, life) = mpsc::sync_channel(0);
    drop(alive);
    let never = || panic!("nothing stands still");
    vigil::keep(&strokes, patience(1), &life, never, |reason| panic!("{reason}"));
}
