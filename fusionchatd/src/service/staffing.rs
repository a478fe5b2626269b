//! Whether somebody is there to answer: every visitor who comes is told, and so is each whose conversation changes, so
//! the staff who are accepting are kept in memory until one of them changes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::id::{OrganizationId, UserId};
use crate::domain::inbox::Inbox;

use super::Service;
use super::error::Error;
use super::rows::Rows;

/// The most organizations whose staff are kept; with one more, all are read anew.
const ORGANIZATIONS_MAX: usize = 1_024;

/// The most staff of one that are kept; of more they are read each time.
const ACCEPTING_MAX: usize = 1_000;

/// The staff who are accepting, by organization.
#[derive(Debug, Default)]
pub(super) struct Staffing {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    accepting: HashMap<OrganizationId, Arc<BTreeSet<UserId>>>,
    /// Raised by every change: what was read before it is not kept.
    changes: u64,
}

/// A place to keep what is read from now on.
#[derive(Debug, PartialEq, Eq)]
struct Missing {
    changes: u64,
}

impl Staffing {
    /// Somebody of an organization's staff is another than before, and it is on disk.
    pub(super) fn changed(&self, organization: OrganizationId) {
        let mut kept = self.lock();
        kept.changes += 1;
        kept.accepting.remove(&organization);
    }

    fn known(&self, organization: OrganizationId) -> Result<Arc<BTreeSet<UserId>>, Missing> {
        let kept = self.lock();
        let missing = Missing { changes: kept.changes };
        kept.accepting.get(&organization).cloned().ok_or(missing)
    }

    /// Keeps what was read since it was found missing, unless somebody has changed meanwhile or it is too much.
    fn keep(&self, missing: &Missing, organization: OrganizationId, read: Arc<BTreeSet<UserId>>) {
        let mut kept = self.lock();
        if kept.changes != missing.changes || read.len() > ACCEPTING_MAX {
            return;
        }
        if kept.accepting.len() >= ORGANIZATIONS_MAX {
            kept.accepting.clear();
        }
        kept.accepting.insert(organization, read);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Every change under this lock is a whole one.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// Whether a member of an inbox is accepting.
    pub async fn is_staffed(&self, inbox: &Inbox) -> Result<bool, Error> {
        let organization = inbox.organization;
        let accepting = match self.staffing.known(organization) {
            Ok(accepting) => accepting,
            Err(missing) => {
                let rows = Rows::new(self.engine.as_ref(), organization);
                let read = Arc::new(rows.accepting().await?);
                self.staffing.keep(&missing, organization, Arc::clone(&read));
                read
            }
        };
        Ok(inbox.is_staffed(&accepting))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn organization(number: u128) -> OrganizationId {
        OrganizationId(Uuid::from_u128(number))
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let staffing = Staffing::default();
        let nobody: Arc<BTreeSet<UserId>> = Arc::default();
        let missing = staffing.known(organization(1)).expect_err("nothing was read");
        staffing.changed(organization(2));
        staffing.keep(&missing, organization(1), Arc::clone(&nobody));
        let missing = staffing.known(organization(1)).expect_err("read too early");
        staffing.keep(&missing, organization(1), Arc::clone(&nobody));
        assert_eq!(staffing.known(organization(1)).as_ref(), Ok(&nobody));
        staffing.changed(organization(1));
        staffing.known(organization(1)).expect_err("changed since");
    }

    #[test]
    fn no_more_organizations_are_kept_than_there_is_room_for() {
        let staffing = Staffing::default();
        for number in 0..=ORGANIZATIONS_MAX as u128 {
            let missing = staffing.known(organization(number)).expect_err("not read");
            staffing.keep(&missing, organization(number), Arc::default());
        }
        assert_eq!(staffing.lock().accepting.len(), 1);
        let missing = staffing.known(organization(0)).expect_err("all were forgotten");
        let many = (0..=ACCEPTING_MAX as u128).map(|it| UserId(Uuid::from_u128(it))).collect();
        staffing.keep(&missing, organization(0), Arc::new(many));
        staffing.known(organization(0)).expect_err("too many to keep");
    }
}
