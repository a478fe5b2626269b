//! Floor 3: bytes of a wire to service calls and back. Doors hold no rules: what is allowed stands
//! below.

pub mod grpc;
pub mod http;
pub mod live;
mod patient;
mod seat;
pub mod status;
pub mod tls;
mod transport;

#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile_test;
#[cfg(test)]
mod ready_test;
#[cfg(test)]
mod tls_test;

use std::time::Duration;

/// How many bytes of a request must come in a second.
const BYTES_PER_SECOND_MIN: u128 = 1_024;

/// How many bytes of a request must come within a window.
fn bytes_within(window: Duration) -> usize {
    usize::try_from(BYTES_PER_SECOND_MIN * window.as_millis() / 1_000).unwrap_or(usize::MAX)
}

/// How long a door waits for a client. An operator may set both, and tests make them short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// How long a client may be silent where it should speak or read, or be slower than 1 KiB/s.
    pub patience: Duration,
    /// How often a connection that says nothing is asked whether it is still there.
    pub ping: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { patience: Duration::from_secs(10), ping: Duration::from_secs(30) }
    }
}
