//! The wire of Fusionchat: the messages and services of `fusionchat.v1`, generated from `proto/fusionchat/v1`
//! and committed. This crate knows bytes, not rules: whatever decides something lives in the daemon.

/// The generated messages, clients and servers of `fusionchat.v1`.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::wildcard_enum_match_arm,
        clippy::too_many_lines,
        clippy::allow_attributes_without_reason,
        reason = "generated code; the documentation stands in the .proto files"
    )]
    include!("gen/fusionchat.v1.rs");
}

/// The file descriptor set of `fusionchat.v1`, for reflection and for tests that enumerate the services.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!("gen/fusionchat.v1.bin");

/// The largest message either side sends or accepts, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// The [`v1::Problem`] a daemon attached to a failed call, if the failure came from a daemon at all.
pub fn problem(status: &tonic::Status) -> Option<v1::Problem> {
    let details = status.details();
    if details.is_empty() {
        return None;
    }
    prost::Message::decode(details).ok()
}
