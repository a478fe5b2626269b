//! What the preloaded library wrote down. Its form stands in `tests/preload/disk.c`.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Kind, inode, offset, ticket and count of bytes.
const HEADER_WORDS: usize = 5;

/// A record in the order things happened.
#[derive(Debug)]
pub struct Record {
    bytes: Vec<u8>,
    /// Everything that happened.
    pub events: Vec<Event>,
}

/// One thing that happened.
#[derive(Debug)]
pub struct Event {
    /// How long the record was when it had happened.
    pub end: usize,
    /// What.
    pub what: What,
}

/// What happened; paths are below the folder.
#[derive(Debug)]
pub enum What {
    /// A new file.
    Create {
        /// Its inode, which an earlier file may have had.
        inode: u64,
        /// Its name.
        path: String,
    },
    /// A new folder.
    MakeFolder {
        /// Its inode.
        inode: u64,
        /// Its name.
        path: String,
    },
    /// A file or folder got another name.
    Rename {
        /// The name it had.
        from: String,
        /// The name it has.
        to: String,
    },
    /// Two folders got each other's name.
    Exchange {
        /// The name of one.
        one: String,
        /// The name of the other.
        other: String,
    },
    /// A file's name is gone.
    Unlink {
        /// The name.
        path: String,
    },
    /// A folder is gone.
    RemoveFolder {
        /// Its name.
        path: String,
    },
    /// Bytes were handed to the system.
    Write {
        /// Whose.
        inode: u64,
        /// Where in the file.
        offset: usize,
        /// Where in the record they stand.
        bytes: Range<usize>,
    },
    /// A file was cut or extended.
    Truncate {
        /// Which.
        inode: u64,
        /// Its length since.
        length: usize,
    },
    /// A sync began.
    SyncBegin {
        /// Of what.
        inode: u64,
        /// What its end is known by.
        ticket: u64,
    },
    /// It ended well.
    SyncEnd {
        /// Which.
        ticket: u64,
    },
}

impl Record {
    /// Reads the whole of it, up to what a killed process was about to add.
    pub fn read(path: &Path) -> Result<Self> {
        Self::of(fs::read(path).with_context(|| format!("reading {}", path.display()))?)
    }

    /// The record of these bytes.
    pub fn of(bytes: Vec<u8>) -> Result<Self> {
        let mut events = Vec::new();
        let mut at = 0;
        while let Some((what, end)) = event(&bytes, at)? {
            events.push(Event { end, what });
            at = end;
        }
        Ok(Self { bytes, events })
    }

    /// Bytes that were written.
    pub fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }

    /// How far `text` has come: into no write, into one, or into one that a sync has covered since.
    pub fn reach(&self, text: &str) -> Reach {
        let mut reach = Reach::Nowhere;
        let mut written: Option<u64> = None;
        let mut covering: Option<u64> = None;
        for event in &self.events {
            match &event.what {
                What::Write { inode, bytes, .. } => {
                    let held =
                        || self.bytes(bytes).windows(text.len()).any(|it| it == text.as_bytes());
                    if written.is_none() && held() {
                        (written, reach) = (Some(*inode), Reach::Written);
                    }
                }
                What::SyncBegin { inode, ticket } if Some(*inode) == written => {
                    covering = Some(*ticket);
                }
                What::SyncEnd { ticket } if Some(*ticket) == covering => return Reach::Synced,
                What::Create { .. }
                | What::MakeFolder { .. }
                | What::Rename { .. }
                | What::Exchange { .. }
                | What::Unlink { .. }
                | What::RemoveFolder { .. }
                | What::Truncate { .. }
                | What::SyncBegin { .. }
                | What::SyncEnd { .. } => {}
            }
        }
        reach
    }
}

/// How far a text has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is in no write.
    Nowhere,
    /// It was handed to the system.
    Written,
    /// It is on disk.
    Synced,
}

/// The event at `at` and where the next one stands; `None` if it is not whole.
fn event(bytes: &[u8], at: usize) -> Result<Option<(What, usize)>> {
    let begin = at + HEADER_WORDS * 8;
    let Some(header) = bytes.get(at..begin) else { return Ok(None) };
    let word = |index: usize| {
        header[index * 8..].first_chunk::<8>().map_or(0, |word| u64::from_ne_bytes(*word))
    };
    let (inode, ticket) = (word(1), word(3));
    let (offset, count) = (usize::try_from(word(2))?, usize::try_from(word(4))?);
    let end = begin + count;
    let Some(body) = bytes.get(begin..end) else { return Ok(None) };
    let path = || String::from_utf8(body.to_vec()).context("a name that is no text");
    let paths = || {
        let both = path()?;
        let (first, second) = both.split_once('\n').context("this has two names")?;
        anyhow::Ok((first.to_owned(), second.to_owned()))
    };
    let what = match word(0) {
        1 => What::Create { inode, path: path()? },
        2 => What::MakeFolder { inode, path: path()? },
        3 => {
            let (from, to) = paths()?;
            What::Rename { from, to }
        }
        4 => What::Unlink { path: path()? },
        5 => What::RemoveFolder { path: path()? },
        6 => What::Write { inode, offset, bytes: begin..end },
        7 => What::Truncate { inode, length: offset },
        8 => What::SyncBegin { inode, ticket },
        9 => What::SyncEnd { ticket },
        10 => {
            let (one, other) = paths()?;
            What::Exchange { one, other }
        }
        other => bail!("an event of kind {other} at {at}"),
    };
    Ok(Some((what, end)))
}
