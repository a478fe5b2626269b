//! Floor 3: bytes of a wire to service calls and back. Doors hold no rules: what is allowed stands
//! below.

pub mod grpc;
pub mod http;
pub mod live;
mod seat;
pub mod status;
pub mod tls;

#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile_test;
#[cfg(test)]
mod ready_test;
#[cfg(test)]
mod tls_test;

use std::time::Duration;

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
