//! Seeded randomness: the same seed makes the same faults, whatever the machine does in between.

/// The splitmix64 generator: small, and good enough to choose which acknowledgement to ignore.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Chance {
    /// The generator number `stream` of a seed: each dialogue has its own, so that the order in which they run
    /// changes none of them.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut chance = Self(seed ^ stream.wrapping_mul(STEP).rotate_left(17));
        chance.next();
        chance
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True `percent` times in a hundred.
    pub(crate) fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A new `clientId`: 128 bits as 32 hex digits.
    pub(crate) fn client_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_it_all_and_streams_differ() {
        let draw = |seed, stream| Chance::new(seed, stream).client_id();
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn a_fifth_is_about_a_fifth() {
        let mut chance = Chance::new(1, 0);
        let count = (0..10_000).filter(|_| chance.happens(20)).count();
        assert!((1_800..2_200).contains(&count), "{count}");
    }
}
