//! The one thread that writes: it gathers what waits, has it written as one group and synced once, and only then
//! answers. After a failed write or sync it never writes again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::store::disk::Front;
use crate::store::disk::files::panic_text;
use crate::store::disk::group::Group;
use crate::store::disk::queue::{Job, Next};
use crate::store::disk::space::Space;
use crate::store::{StoreError, Value};

/// How often an idle writer looks at the free disk and lets the engine do what is due.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// An engine as its writer needs it. Every text of an error is the end of the engine.
pub(in crate::store) trait Back: Send {
    /// What the engine must know of a row to replace it.
    type Mark: Clone;

    /// Reads a row as the writer has left it.
    fn read(&self, key: &[u8]) -> Result<Option<(Value, Self::Mark)>, StoreError>;

    /// Writes a group, all or nothing; it is on disk when this returns.
    fn write(&mut self, group: Group<Self::Mark>) -> Result<(), String>;

    /// Does what is due while nothing is to be written.
    fn idle(&mut self) -> Result<(), String>;

    /// Lets go of the files, so that they can be opened again.
    fn release(self) -> Result<(), String>;
}

/// Writes until the queue is closed or a write fails, and lets go of the files.
pub(in crate::store) fn run<B: Back>(front: &Front, mut back: B, mut space: Space) {
    // An engine can panic on damage; that must fail it, not leave callers waiting.
    let served = catch_unwind(AssertUnwindSafe(|| {
        serve(front, &mut back, &mut space)?;
        // Given up meanwhile, it is let go of as little as after a write that failed.
        front.standing().map_err(|error| error.to_string())?;
        let _under_way = front.writing();
        back.release()
    }));
    match served.unwrap_or_else(|panic| Err(panic_text(panic.as_ref()))) {
        Ok(()) => front.unlock(),
        Err(detail) => front.fail(&detail),
    }
}

fn serve<B: Back>(front: &Front, back: &mut B, space: &mut Space) -> Result<(), String> {
    loop {
        match front.queue.next(IDLE_INTERVAL) {
            Next::Group(jobs) => write_group(front, back, space, jobs)?,
            // For the log: each group looks for itself.
            Next::Idle => {
                let _under_way = front.writing();
                let _ = space.check();
                back.idle()?;
            }
            Next::Closed => return Ok(()),
        }
    }
}

/// Writes one group and answers it; the error is of the engine, no longer of a batch.
fn write_group<B: Back>(
    front: &Front,
    back: &mut B,
    space: &mut Space,
    jobs: Vec<Job>,
) -> Result<(), String> {
    let _under_way = front.writing();
    let room = space.check();
    let mut group = Group::default();
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        let room = room.map_err(StoreError::from);
        let verdict = room.and_then(|()| group.admit(|key| back.read(key), job.batch));
        answers.push((job.answer, verdict));
    }
    if !group.is_read_only() {
        front.frontier.writing(|| group.before());
        // Without a word the answers are dropped, and their callers find the engine failed.
        back.write(group)?;
        front.frontier.written();
    }
    for (answer, verdict) in answers {
        // A caller that has gone away does not need it.
        let _ = answer.send(verdict);
    }
    Ok(())
}
