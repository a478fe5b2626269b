//! Rows of redb whatever lies in them.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::domain::damage::damaged;

proptest! {
    #[test]
    fn what_was_sealed_opens_under_its_key(
        key in vec(any::<u8>(), 0..40), value in vec(any::<u8>(), 0..200),
    ) {
        let opened = open(&key, &seal(&key, &value));
        prop_assert_eq!(opened.as_deref(), Some(value.as_slice()));
    }

    #[test]
    fn what_is_damaged_opens_only_with_its_checksum(
        stored in damaged(vec(any::<u8>(), 0..60).prop_map(|value| seal(b"key", &value))),
    ) {
        if let Some(value) = open(b"key", &stored) {
            prop_assert_eq!(seal(b"key", &value), stored);
        }
    }

    #[test]
    fn one_flipped_bit_is_always_seen(
        value in vec(any::<u8>(), 0..200), at in any::<proptest::sample::Index>(), bit in 0..8,
    ) {
        let mut stored = seal(b"key", &value);
        let at = at.index(stored.len());
        stored[at] ^= 1_u8 << bit;
        prop_assert_eq!(open(b"key", &stored), None);
    }
}
