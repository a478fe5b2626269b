//! Makes the bytes of a backup, piece by piece. It must not do I/O: whoever asks sends them on.

use sha2::{Digest, Sha256};

use crate::{BLOCK_BYTES, FORMAT, HEAD, Head, MAGIC, ROWS, TRAILER, Totals, checksum};

/// A backup that is being written.
#[derive(Debug)]
pub struct Writer {
    /// Finished bytes that nobody has taken yet.
    out: Vec<u8>,
    /// The rows of the block that is not full yet.
    block: Vec<u8>,
    number: u64,
    hash: Sha256,
    rows: u64,
    bytes: u64,
}

impl Writer {
    /// Begins with the head. Its two texts are names, far below the 65,535 bytes there is room for; longer ones are
    /// cut.
    #[must_use]
    pub fn begin(head: &Head) -> Self {
        let (block, number, hash) = (Vec::new(), 0, Sha256::new());
        let mut writer = Self { out: Vec::new(), block, number, hash, rows: 0, bytes: 0 };
        writer.put(&MAGIC);
        writer.put(&FORMAT.to_be_bytes());
        let mut body = Vec::new();
        body.extend_from_slice(&head.schema.to_be_bytes());
        body.extend_from_slice(&head.made_at.to_be_bytes());
        body.extend_from_slice(&head.epoch);
        for text in [&head.engine, &head.version] {
            let count = u16::try_from(text.len()).unwrap_or(u16::MAX);
            body.extend_from_slice(&count.to_be_bytes());
            body.extend_from_slice(&text.as_bytes()[..usize::from(count)]);
        }
        writer.block(HEAD, &body);
        writer
    }

    /// Adds a row; the caller adds them in the order of their keys, each within the store's limits.
    pub fn row(&mut self, key: &[u8], value: &[u8]) {
        let row_bytes = 6 + key.len() + value.len();
        if !self.block.is_empty() && self.block.len() + row_bytes > BLOCK_BYTES {
            self.end_block();
        }
        // What the store takes is far below both.
        let key_bytes = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let value_bytes = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.block.extend_from_slice(&key_bytes.to_be_bytes());
        self.block.extend_from_slice(&value_bytes.to_be_bytes());
        self.block.extend_from_slice(key);
        self.block.extend_from_slice(value);
        self.rows += 1;
        self.bytes += (key.len() + value.len()) as u64;
    }

    /// How many rows were added.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes away the bytes that are finished.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Ends the backup: the last bytes, and what it holds.
    #[must_use]
    pub fn finish(mut self) -> (Vec<u8>, Totals) {
        if !self.block.is_empty() {
            self.end_block();
        }
        let digest: [u8; 32] = self.hash.clone().finalize().into();
        let totals = Totals { rows: self.rows, bytes: self.bytes, digest };
        let mut body = Vec::new();
        body.extend_from_slice(&totals.rows.to_be_bytes());
        body.extend_from_slice(&totals.bytes.to_be_bytes());
        body.extend_from_slice(&digest);
        self.block(TRAILER, &body);
        (self.out, totals)
    }

    fn end_block(&mut self) {
        let body = std::mem::take(&mut self.block);
        self.block(ROWS, &body);
    }

    fn block(&mut self, kind: u8, body: &[u8]) {
        let mut opening = [kind, 0, 0, 0, 0];
        opening[1..].copy_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.put(&opening);
        self.put(body);
        self.put(&checksum(self.number, &opening, body).to_be_bytes());
        self.number += 1;
    }

    fn put(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.out.extend_from_slice(bytes);
    }
}
