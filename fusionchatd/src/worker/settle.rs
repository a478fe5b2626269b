//! What edits of inboxes and staff leave to be done: conversations held out of sight, or waiting for an assistant
//! that is off. Whoever edits waits for it too; here it is done again, in case that was cut short. It keeps no cursor:
//! the reader of the journal tells it of edits, and saves its own only up to the first that is not done.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::task::JoinSet;

use crate::domain::entry::{Entry, EntryKind};
use crate::domain::id::OrganizationId;
use crate::service::Service;

/// Of how many organizations conversations are settled at once.
const AT_ONCE: usize = 4;
/// For how many rounds of the worker the next try of what keeps failing is put off at most: a try looks through all
/// open conversations.
const REST_MAX: u32 = 64;

/// The edits of one organization that are not done. All are done at once: rows are as new as the last of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Edits {
    /// The first that is being seen to.
    under_way: Option<u64>,
    /// The first that came since.
    waiting: Option<u64>,
    /// How often in a row it failed.
    failures: u32,
    /// For how many rounds more the next try is put off.
    rest: u32,
}

impl Edits {
    fn begin(&mut self) -> bool {
        let ready = self.under_way.is_none() && self.waiting.is_some() && self.rest == 0;
        if ready {
            self.under_way = self.waiting.take();
        }
        ready
    }

    /// Whether nothing is left.
    fn end(&mut self, done: bool) -> bool {
        let began = self.under_way.take();
        if done {
            self.failures = 0;
        } else {
            self.waiting = began.or(self.waiting);
            self.rest = 1_u32.checked_shl(self.failures).map_or(REST_MAX, |it| it.min(REST_MAX));
            self.failures = self.failures.saturating_add(1);
        }
        self.waiting.is_none()
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Settling {
    edits: BTreeMap<OrganizationId, Edits>,
    running: JoinSet<(OrganizationId, bool)>,
}

impl Settling {
    /// Takes note of an entry, if it is such an edit.
    pub(super) fn notice(&mut self, organization: OrganizationId, entry: &Entry) {
        if matches!(entry.kind, EntryKind::InboxEdited | EntryKind::UserEdited) {
            let edits = self.edits.entry(organization).or_default();
            edits.waiting = edits.waiting.or(Some(entry.position));
        }
    }

    /// Whether anything waits that may be tried again.
    pub(super) fn is_owing(&self) -> bool {
        self.edits.values().any(|it| it.under_way.is_none())
    }

    /// How far an organization's journal is done, for all that is known here.
    pub(super) fn done(&self, organization: OrganizationId) -> u64 {
        let edits = self.edits.get(&organization);
        let first = edits.and_then(|it| it.under_way.or(it.waiting));
        first.map_or(u64::MAX, |it| it - 1)
    }

    /// Brings what has failed a round nearer to its next try.
    pub(super) fn retry(&mut self) {
        self.edits.values_mut().for_each(|it| it.rest = it.rest.saturating_sub(1));
    }

    /// Starts what waits, up to the bound.
    pub(super) fn start(&mut self, service: &Arc<Service>) {
        for (organization, edits) in &mut self.edits {
            if self.running.len() >= AT_ONCE {
                return;
            }
            if !edits.begin() {
                continue;
            }
            let (service, organization) = (Arc::clone(service), *organization);
            self.running.spawn(async move {
                let settled = AssertUnwindSafe(service.settle_edited(organization)).catch_unwind();
                let done = match settled.await {
                    Ok(Ok(())) => true,
                    Ok(Err(error)) => {
                        tracing::warn!(code = error.code, "an edit is not followed everywhere yet");
                        false
                    }
                    Err(_) => {
                        tracing::error!("following an edit stopped half-way");
                        false
                    }
                };
                (organization, done)
            });
        }
    }

    /// Waits until one has ended; for ever if none runs.
    pub(super) async fn ended(&mut self) {
        match self.running.join_next().await {
            Some(Ok((organization, done))) => {
                if self.edits.get_mut(&organization).is_some_and(|it| it.end(done)) {
                    self.edits.remove(&organization);
                }
            }
            Some(Err(error)) => tracing::error!(%error, "following an edit was cancelled"),
            None => futures::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Edits, REST_MAX};

    #[test]
    fn what_fails_is_tried_again_and_counts_until_it_is_done() {
        let mut edits = Edits { waiting: Some(5), ..Edits::default() };
        assert!(edits.begin() && !edits.begin(), "once at a time");
        edits.waiting = Some(9);
        assert!(!edits.end(false), "it is not done");
        assert_eq!(edits, Edits { waiting: Some(5), failures: 1, rest: 1, ..Edits::default() });
        assert!(!edits.begin(), "not at once");
        edits.rest = 0;
        assert!(edits.begin() && edits.end(true));
        let mut edits = Edits { waiting: Some(5), ..Edits::default() };
        assert!(edits.begin());
        edits.waiting = Some(9);
        assert!(!edits.end(true), "what came meanwhile is not done");
        assert_eq!(edits.waiting, Some(9));
    }

    #[test]
    fn what_keeps_failing_is_tried_less_and_less_often() {
        let mut edits = Edits { waiting: Some(5), ..Edits::default() };
        let mut rests = Vec::new();
        for _ in 0..40 {
            edits.rest = 0;
            assert!(edits.begin() && !edits.end(false));
            rests.push(edits.rest);
        }
        assert_eq!(rests[..8], [1, 2, 4, 8, 16, 32, REST_MAX, REST_MAX]);
        assert_eq!(rests.last(), Some(&REST_MAX));
    }
}
