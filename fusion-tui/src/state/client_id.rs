//! Client ids: 128 bits as 32 hex digits. The randomness comes from outside once, so that `update`
//! stays pure.

/// Makes the ids of one run of the console: a random prefix of 64 bits, and a count.
#[derive(Debug)]
pub(crate) struct ClientIds {
    prefix: u64,
    next: u64,
}

impl ClientIds {
    /// `prefix` must be random: it is what keeps two runs apart.
    pub(crate) fn new(prefix: u64) -> Self {
        Self { prefix, next: 0 }
    }

    /// The next id.
    pub(crate) fn next(&mut self) -> String {
        self.next += 1;
        format!("{:016x}{:016x}", self.prefix, self.next)
    }
}
