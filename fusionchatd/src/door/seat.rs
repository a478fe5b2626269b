//! How many connections one address has open. A connection keeps its seat over an upgrade to a
//! WebSocket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::service::limit::Address;

/// The connections by address. Only addresses with an open connection are remembered.
#[derive(Debug, Default)]
pub(in crate::door) struct Seats {
    taken: Mutex<HashMap<Address, u32>>,
}

/// One connection, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    address: Address,
}

impl Seats {
    /// A seat, unless the address has `max` already.
    pub(in crate::door) fn take(self: &Arc<Self>, address: Address, max: u32) -> Option<Arc<Seat>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&address).copied().unwrap_or(0);
        if count >= max {
            return None;
        }
        taken.insert(address, count + 1);
        Some(Arc::new(Seat { seats: Arc::clone(self), address }))
    }
}

impl Seat {
    /// The address it is one of.
    pub(in crate::door) fn address(&self) -> Address {
        self.address
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn an_address_has_so_many_seats_and_gets_them_back() {
        let seats = Arc::new(Seats::default());
        let address = |text: &str| Address::from(text.parse::<IpAddr>().expect("address"));
        let first = seats.take(address("2001:db8::1"), 2).expect("seat");
        let _second = seats.take(address("2001:db8::2"), 2).expect("seat of the same /64");
        assert!(seats.take(address("2001:db8::3"), 2).is_none());
        assert!(seats.take(address("192.0.2.1"), 2).is_some(), "another address has its own");
        drop(first);
        assert!(seats.take(address("2001:db8::3"), 2).is_some());
        assert!(seats.take(address("192.0.2.2"), 0).is_none());
        let known = seats.taken.lock().expect("a lock").len();
        assert_eq!(known, 1, "who was refused leaves nothing behind");
    }
}
