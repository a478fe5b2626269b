//! A value that never shows in a log: for hashes of secrets on their way to their rows.

use std::fmt;

/// Keeps its value out of every `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hidden<T>(pub T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}
