//! Reads a backup, block by block, and believes none of it before its checksum has been compared. Whatever the bytes
//! are, the answer is rows or a [`Fault`], never a panic, and no more memory than a block may have.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::{BLOCK_BYTES_MAX, FORMAT, HEAD, Head, MAGIC, ROWS, Row, TRAILER, Totals, checksum};

/// Why a file is no backup that can be restored.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system cannot read the file.
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It is something else.
    #[error("it is no backup of Fusionchat: it does not begin as one")]
    NotABackup,
    /// A newer program has made it.
    #[error(
        "it has the backup format {found} and this program knows formats up to {known}; use the newer program"
    )]
    NewerFormat {
        /// The format found.
        found: u32,
        /// The newest this program knows, [`FORMAT`].
        known: u32,
    },
    /// It ends before its trailer.
    #[error(
        "it ends early, after {at} bytes: it was cut off, or its making was; take another copy"
    )]
    Truncated {
        /// How many bytes there are.
        at: u64,
    },
    /// Bytes are not what was written.
    #[error("it is damaged at byte {at}: {what}; take another copy")]
    Damaged {
        /// Where the damaged part begins.
        at: u64,
        /// What does not hold.
        what: &'static str,
    },
}

impl Fault {
    /// What a script may tell apart.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(error) if error.kind() == io::ErrorKind::NotFound => "no_such_file",
            Self::Unreadable(_) => "unreadable",
            Self::NotABackup => "not_a_backup",
            Self::NewerFormat { .. } => "newer_format",
            Self::Truncated { .. } => "truncated",
            Self::Damaged { .. } => "damaged",
        }
    }
}

/// A backup that is being read.
#[derive(Debug)]
pub struct Reader<R> {
    file: Counted<R>,
    head: Head,
    number: u64,
    last_key: Vec<u8>,
    rows: u64,
    bytes: u64,
    totals: Option<Totals>,
}

/// A file whose bytes are counted and hashed as they are read.
#[derive(Debug)]
struct Counted<R> {
    file: R,
    at: u64,
    hash: Sha256,
}

impl<R: Read> Counted<R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read(rest) {
                Ok(0) => return Err(Fault::Truncated { at: self.at + filled as u64 }),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Unreadable(error)),
            }
        }
        self.at += filled as u64;
        self.hash.update(&*bytes);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn is_at_its_end(&mut self) -> Result<bool, Fault> {
        match self.fill(&mut [0]) {
            Ok(()) => Ok(false),
            Err(Fault::Truncated { .. }) => Ok(true),
            Err(fault) => Err(fault),
        }
    }
}

impl<R: Read> Reader<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// Any [`Fault`].
    pub fn begin(file: R) -> Result<Self, Fault> {
        let mut file = Counted { file, at: 0, hash: Sha256::new() };
        match file.array() {
            Ok(MAGIC) => {}
            // A file shorter than that never was one.
            Ok(_) | Err(Fault::Truncated { .. }) => return Err(Fault::NotABackup),
            Err(fault) => return Err(fault),
        }
        let format_at = file.at;
        match u32::from_be_bytes(file.array()?) {
            FORMAT => {}
            0 => return Err(Fault::Damaged { at: format_at, what: "there is no format 0" }),
            found => return Err(Fault::NewerFormat { found, known: FORMAT }),
        }
        let at = file.at;
        let (kind, body) = block(&mut file, 0)?;
        let head = (kind == HEAD).then(|| head(&body)).flatten();
        let head = head.ok_or(Fault::Damaged { at, what: "its head has no known form" })?;
        let (last_key, number) = (Vec::new(), 1);
        Ok(Self { file, head, number, last_key, rows: 0, bytes: 0, totals: None })
    }

    /// What the backup says it is of.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How many bytes of the file have been read.
    pub fn at(&self) -> u64 {
        self.file.at
    }

    /// How many rows have been read.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What it holds in all; known once [`Self::next_rows`] has come to the end, and proven by then.
    pub fn totals(&self) -> Option<Totals> {
        self.totals
    }

    /// The rows of the next block; `None` once everything has been read and is as it was written.
    ///
    /// # Errors
    /// Any [`Fault`]; nothing more can be read after one.
    pub fn next_rows(&mut self) -> Result<Option<Vec<Row>>, Fault> {
        if self.totals.is_some() {
            return Ok(None);
        }
        let (at, digest) = (self.file.at, self.file.hash.clone());
        let (kind, body) = block(&mut self.file, self.number)?;
        self.number += 1;
        match kind {
            ROWS => self.rows_of(&body, at).map(Some),
            TRAILER => self.end(&body, at, digest.finalize().into()).map(|()| None),
            _ => Err(Fault::Damaged { at, what: "a block has no known kind" }),
        }
    }

    fn rows_of(&mut self, body: &[u8], at: u64) -> Result<Vec<Row>, Fault> {
        let (mut rows, mut rest) = (Vec::new(), body);
        while !rest.is_empty() {
            let row = row(&mut rest);
            let (key, value) = row.ok_or(Fault::Damaged { at, what: "a row has no known form" })?;
            if key <= self.last_key.as_slice() {
                return Err(Fault::Damaged { at, what: "the rows are not in order" });
            }
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
            self.rows += 1;
            self.bytes += (key.len() + value.len()) as u64;
            rows.push((key.to_vec(), value.to_vec()));
        }
        Ok(rows)
    }

    fn end(&mut self, body: &[u8], at: u64, digest: [u8; 32]) -> Result<(), Fault> {
        let totals = Totals { rows: self.rows, bytes: self.bytes, digest };
        let mut rest = body;
        let says = (|| {
            let rows = u64::from_be_bytes(take(&mut rest)?);
            let bytes = u64::from_be_bytes(take(&mut rest)?);
            Some(Totals { rows, bytes, digest: take(&mut rest)? })
        })();
        if says != Some(totals) || !rest.is_empty() {
            return Err(Fault::Damaged { at, what: "what it holds is not what its end says" });
        }
        if !self.file.is_at_its_end()? {
            return Err(Fault::Damaged { at: self.file.at, what: "bytes follow its end" });
        }
        self.totals = Some(totals);
        Ok(())
    }
}

/// The block at the file's place, its checksum compared.
fn block<R: Read>(file: &mut Counted<R>, number: u64) -> Result<(u8, Vec<u8>), Fault> {
    let at = file.at;
    let opening: [u8; 5] = file.array()?;
    let [kind, bytes @ ..] = opening;
    let bytes = usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX);
    if bytes > BLOCK_BYTES_MAX {
        return Err(Fault::Damaged { at, what: "a block is larger than any can be" });
    }
    let mut body = vec![0; bytes];
    file.fill(&mut body)?;
    if u32::from_be_bytes(file.array()?) != checksum(number, &opening, &body) {
        return Err(Fault::Damaged { at, what: "a block fails its checksum" });
    }
    Ok((kind, body))
}

/// A head, of which later programs may know more.
fn head(mut body: &[u8]) -> Option<Head> {
    let rest = &mut body;
    Some(Head {
        schema: u32::from_be_bytes(take(rest)?),
        made_at: i64::from_be_bytes(take(rest)?),
        epoch: take(rest)?,
        engine: text(rest)?,
        version: text(rest)?,
    })
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let count = u16::from_be_bytes(take(rest)?);
    let (text, after) = rest.split_at_checked(usize::from(count))?;
    *rest = after;
    String::from_utf8(text.to_vec()).ok()
}

fn row<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let key_bytes = usize::from(u16::from_be_bytes(take(rest)?));
    let value_bytes = usize::try_from(u32::from_be_bytes(take(rest)?)).ok()?;
    let (key, after) = rest.split_at_checked(key_bytes)?;
    let (value, after) = after.split_at_checked(value_bytes)?;
    *rest = after;
    Some((key, value))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}
