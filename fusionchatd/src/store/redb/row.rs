//! How a value lies in redb: its checksum, four bytes big-endian, and then itself. The checksum covers the key too, so
//! a row that has come to lie under another key shows. It must not touch the file.

use bytes::Bytes;

/// What redb hands out: bytes that live as long as its page.
pub(super) type Guard = ::redb::AccessGuard<'static, &'static [u8]>;

const CHECKSUM_BYTES: usize = 4;

/// The stored form of a value.
pub(super) fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(CHECKSUM_BYTES + value.len());
    stored.extend_from_slice(&checksum(key, value).to_be_bytes());
    stored.extend_from_slice(value);
    stored
}

/// The value of a stored form; `None` if it is not as it was written.
pub(super) fn open(key: &[u8], stored: &[u8]) -> Option<Bytes> {
    let (sum, value) = stored.split_first_chunk::<CHECKSUM_BYTES>()?;
    (checksum(key, value) == u32::from_be_bytes(*sum)).then(|| Bytes::copy_from_slice(value))
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::{open, seal};

    #[test]
    fn only_what_was_sealed_under_the_key_opens() {
        let stored = seal(b"key", b"value");
        assert_eq!(open(b"key", &stored).as_deref(), Some(b"value".as_slice()));
        assert_eq!(open(b"kex", &stored), None);
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(b"key", &flipped), None, "bit {bit}");
        }
        for length in 0..stored.len() {
            assert_eq!(open(b"key", &stored[..length]), None, "cut to {length}");
        }
        assert_eq!(open(b"", &seal(b"", b"")).as_deref(), Some(b"".as_slice()));
    }
}

#[cfg(test)]
#[path = "row_prop_test.rs"]
mod prop;
