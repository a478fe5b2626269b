//! How far the log must reach. sled takes damage in the last stretch of its log for a torn tail and
//! opens without what came after it; so every group counts up one row, and the count is noted in a
//! file of our own. A log that holds less than the note has lost something. The note is taken only
//! of groups that are on disk, at most once a second, so it never says too much.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use ::sled::Batch;

use crate::store::sled::rows::Rows;
use crate::store::{RESERVED_PREFIX, StoreError};

/// The row that counts the groups. It sorts before every chunk.
pub(super) const TIP_KEY: [u8; 1] = [RESERVED_PREFIX];

const TIP_FILE: &str = "tip";
const TIP_BYTES: usize = 12;
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// The count of the groups written, and its note.
pub(super) struct Tip {
    file: File,
    groups: u64,
    noted_groups: u64,
    noted_at: Instant,
}

impl Tip {
    /// Reads the note of `directory` and compares it with the row.
    ///
    /// # Errors
    /// `Corrupt` if the log is too short, `Unreadable` if the file is.
    pub(super) fn open(directory: &Path, rows: &Rows) -> Result<Self, StoreError> {
        let path = directory.join(TIP_FILE);
        let unreadable = |source| StoreError::Unreadable { path: path.clone(), source };
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(unreadable)?;
        let noted_groups = read_note(&file).map_err(unreadable)?;
        let groups = rows.groups()?;
        if groups < noted_groups {
            let lost = noted_groups - groups;
            let detail = format!("its log ends {lost} of {noted_groups} groups of writes early");
            return Err(StoreError::Corrupt { path: directory.to_path_buf(), detail });
        }
        Ok(Self { file, groups, noted_groups, noted_at: Instant::now() })
    }

    /// Counts a group, in the batch that writes it.
    pub(super) fn count(&mut self, batch: &mut Batch) {
        self.groups += 1;
        batch.insert(&TIP_KEY, &self.groups.to_be_bytes());
    }

    /// Notes the count if the last note is old enough. Only for groups that are on disk.
    pub(super) fn note_if_due(&mut self) -> io::Result<()> {
        if self.noted_at.elapsed() < NOTE_INTERVAL { Ok(()) } else { self.note() }
    }

    /// Notes the count now. Only for groups that are on disk.
    pub(super) fn note(&mut self) -> io::Result<()> {
        self.noted_at = Instant::now();
        if self.groups == self.noted_groups {
            return Ok(());
        }
        let count = self.groups.to_be_bytes();
        let checksum = crc32fast::hash(&count).to_be_bytes();
        // One write within one sector: a power cut leaves the old note or the new one.
        self.file.write_all_at(&[count.as_slice(), &checksum].concat(), 0)?;
        self.file.sync_data()?;
        self.noted_groups = self.groups;
        Ok(())
    }
}

/// The noted count; 0, which demands nothing, if there is no sound note.
fn read_note(file: &File) -> io::Result<u64> {
    let mut note = [0; TIP_BYTES];
    match file.read_exact_at(&mut note, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
        Err(error) => return Err(error),
    }
    let Some((count, checksum)) = note.split_first_chunk::<8>() else {
        return Ok(0);
    };
    if crc32fast::hash(count).to_be_bytes() != checksum {
        tracing::warn!("the note of the log's length is damaged; going on without it");
        return Ok(0);
    }
    Ok(u64::from_be_bytes(*count))
}
