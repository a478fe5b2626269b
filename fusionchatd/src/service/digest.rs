//! The digest of a command's body, spelled out field by field so that it never changes with the code around it.

use sha2::{Digest as _, Sha256};

/// Collects the fields of a command.
pub(super) struct Digest(Sha256);

impl Digest {
    /// Of a command of this name.
    pub(super) fn of(command: &str) -> Self {
        Self(Sha256::new()).text(command)
    }

    /// Adds a text.
    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds bytes.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a number.
    pub(super) fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// The digest.
    pub(super) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
