//! Floor 3: bytes of a wire to service calls and back. Doors hold no rules: what is allowed stands
//! below.

pub mod grpc;
pub mod http;
pub mod live;
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
