//! How many tokens each organization's model has used today. What a question may cost is reserved before it is asked
//! and settled after. The sum is a row, written at most once a second, so that a restart forgets nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::id::OrganizationId;
use crate::service::Service;
use crate::service::error::Error;

const DAY_MS: i64 = 86_400_000;

#[derive(Clone, Copy, Debug, Default)]
struct Ledger {
    day: i64,
    used: u64,
    reserved: u64,
    saved: u64,
}

impl Ledger {
    fn spoken_for(&self) -> u64 {
        self.used.saturating_add(self.reserved)
    }
}

/// What a question may cost.
#[derive(Debug)]
pub(super) struct Reservation {
    organization: OrganizationId,
    day: i64,
    tokens: u64,
}

/// The sums of all organizations.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    ledgers: Mutex<HashMap<OrganizationId, Ledger>>,
}

impl Budgets {
    /// Sets tokens aside, or not if that passes the day's limit.
    pub(super) async fn reserve(
        &self,
        service: &Service,
        organization: OrganizationId,
        tokens: u64,
        limit: Option<u64>,
    ) -> Result<Option<Reservation>, Error> {
        let day = service.now().div_euclid(DAY_MS);
        if !self.is_current(organization, day) {
            let used = service.model_tokens(organization, day).await?;
            let fresh = Ledger { day, used, reserved: 0, saved: used };
            self.with(|all| {
                let known = all.entry(organization).or_insert(fresh);
                if known.day != day {
                    *known = fresh;
                }
            });
        }
        Ok(self.with(|all| {
            let ledger = all.entry(organization).or_default();
            if limit.is_some_and(|limit| ledger.spoken_for().saturating_add(tokens) > limit) {
                return None;
            }
            ledger.reserved += tokens;
            Some(Reservation { organization, day, tokens })
        }))
    }

    /// Replaces what was set aside by what was used.
    pub(super) fn settle(&self, reservation: &Reservation, used: u64) {
        self.with(|all| {
            let Some(ledger) = all.get_mut(&reservation.organization) else { return };
            if ledger.day == reservation.day {
                ledger.reserved = ledger.reserved.saturating_sub(reservation.tokens);
                ledger.used = ledger.used.saturating_add(used);
            }
        });
    }

    /// Whether a sum has changed since it was saved.
    pub(super) fn is_unsaved(&self) -> bool {
        self.with(|all| all.values().any(|it| it.spoken_for() != it.saved))
    }

    /// Saves the sums that have changed. What is set aside counts as used until it is settled.
    pub(super) async fn save(&self, service: &Service) {
        let changed: Vec<(OrganizationId, Ledger)> = self.with(|all| {
            let changed = all.iter().filter(|(_, it)| it.spoken_for() != it.saved);
            changed.map(|(id, it)| (*id, *it)).collect()
        });
        for (organization, ledger) in changed {
            let sum = ledger.spoken_for();
            match service.save_model_tokens(organization, ledger.day, sum).await {
                Ok(()) => self.with(|all| {
                    if let Some(known) = all.get_mut(&organization) {
                        known.saved = sum;
                    }
                }),
                Err(error) => tracing::warn!(code = error.code, "a budget could not be saved"),
            }
        }
    }

    fn is_current(&self, organization: OrganizationId, day: i64) -> bool {
        self.with(|all| all.get(&organization).is_some_and(|it| it.day == day))
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<OrganizationId, Ledger>) -> T) -> T {
        act(&mut self.ledgers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
