//! The HTTP door, driven by raw bytes over a real port.
