//! Rows of sled whatever lies in them.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Any bytes, and often those of a split row or nearly so.
fn rows() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        vec(any::<u8>(), SPLIT_ROW_BYTES - 2..=SPLIT_ROW_BYTES).prop_map(|mut rest| {
            rest[0] = SPLIT;
            rest
        }),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_a_row_that_writes_itself_again_or_none(bytes in rows()) {
        match decode(&bytes) {
            Some(Row::Inline(value)) => prop_assert_eq!(value, &bytes[1..]),
            Some(Row::Split(split)) => prop_assert_eq!(split.row(), bytes),
            None => prop_assert!(!bytes.starts_with(&[INLINE])),
        }
    }

    #[test]
    fn chunk_keys_name_their_generation_and_sort(
        generations in [7..9_u64, 7..9], indexes in any::<[u16; 2]>(),
    ) {
        let [x, y] = [0, 1].map(|at| chunk_key(generations[at], indexes[at]));
        prop_assert_eq!(generation_of(&IVec::from(&x)), Some(generations[0]));
        let order = (generations[0], indexes[0]).cmp(&(generations[1], indexes[1]));
        prop_assert_eq!(x.cmp(&y), order);
    }

    #[test]
    fn any_bytes_are_a_chunk_key_or_none(bytes in vec(any::<u8>(), 0..20)) {
        let named = generation_of(&IVec::from(bytes.as_slice()));
        prop_assert_eq!(named.is_some(), bytes.len() >= 9 && bytes[0] == RESERVED_PREFIX);
    }
}
