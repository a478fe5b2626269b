//! The file of a backup. It holds rows in the order of their keys, in blocks with a checksum each, between a head that
//! says what they are and a trailer that says how many there are and what all of it hashes to: no byte can be missing,
//! added, changed or moved without an error that says so. It knows nothing of what the rows mean, and it is no
//! signature: who can write the file can write another one.
//!
//! ```text
//! file    = "FUSIONBK" format:u32 block(head) block(rows)* block(trailer)
//! block   = kind:u8 bytes:u32 body crc32:u32        the checksum is of the block's number (u64) and all before it
//! head    = schema:u32 madeAt:i64 epoch:[16] engine version     the last two each as bytes:u16 text
//! rows    = (keyBytes:u16 valueBytes:u32 key value)*
//! trailer = rows:u64 bytes:u64 sha256:[32]          of every byte of the file before the trailer's block
//! ```
//!
//! All numbers are big-endian. A format is never changed, only followed by the next one; a head may grow at its end.

mod read;
mod write;

pub use read::{Fault, Reader};
pub use write::Writer;

/// The first bytes of every backup, whatever its format.
pub const MAGIC: [u8; 8] = *b"FUSIONBK";

/// The format that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// How many bytes of rows a block has at most, but for a single larger row.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// The largest body of a block that is read: a row of the store's largest key and value, and some room.
pub const BLOCK_BYTES_MAX: usize = 2 * 1024 * 1024;

const HEAD: u8 = 1;
const ROWS: u8 = 2;
const TRAILER: u8 = 3;

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The format of the rows, as the daemon numbers it.
    pub schema: u32,
    /// When the backup began, in Unix milliseconds.
    pub made_at: i64,
    /// The life of the store it was made of.
    pub epoch: [u8; 16],
    /// The engine of that store.
    pub engine: String,
    /// The version of the daemon that made it.
    pub version: String,
}

/// What a whole backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// SHA-256 of the file before its trailer.
    pub digest: [u8; 32],
}

/// The checksum of a block.
fn checksum(number: u64, opening: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_be_bytes());
    hasher.update(opening);
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
