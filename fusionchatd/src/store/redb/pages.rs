//! redb's file with a checksum for each page, which is looked at whenever a page is read from the disk: redb itself
//! would follow a changed byte to the wrong rows, or to none.
//!
//! The file begins with a page that names its layout. Then come groups: a page of [`SUMS`] checksums and the pages they
//! are of. A checksum is written with its page and synced with it. Neither is of use before the sync: redb writes a
//! page of what is committed nowhere but to free room, and a sector of checksums that is written again holds the old
//! ones of all other pages. Page 0, redb's header, is the one that is overwritten in place; it is shorter than a
//! sector, which a disk writes whole or not at all, and has its checksum in the same sector.
//!
//! It must not know what is in a page.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ::redb::StorageBackend;

/// The bytes of a page, which are redb's.
pub(super) const PAGE: usize = 4096;
/// The same, as places in a file are counted.
const PAGE_BYTES: u64 = PAGE as u64;
/// Checksums on one page; each is a CRC-32, big-endian.
const SUMS: usize = PAGE / SUM_BYTES;
const SUM_BYTES: usize = 4;
/// Pages of a group, with that of the checksums.
const GROUP_PAGES: u64 = SUMS as u64 + 1;
/// What a disk writes whole.
const SECTOR: usize = 512;
/// The part of page 0 that can be used; its checksum follows.
pub(super) const HEADER_MAX: usize = SECTOR - SUM_BYTES;

/// How a file of this layout begins; a number and a checksum of both follow.
const MAGIC: [u8; 16] = *b"fusionchat pages";
/// The number of this layout.
pub(super) const LAYOUT: u32 = 1;
const BEGINNING: usize = MAGIC.len() + 4 + SUM_BYTES;
/// How a file begins that redb wrote without us.
const PLAIN: [u8; 4] = *b"redb";

/// Whose layout a file has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// This one.
    Checked,
    /// A later one, with its number.
    Newer(u32),
    /// redb's own, without checksums: of a store made before they were.
    Plain,
}

/// Tells the layout of a file.
///
/// # Errors
/// `InvalidData` if it is none of them, `UnexpectedEof` if the file is too short to tell.
pub(super) fn layout_of(file: &File) -> io::Result<Layout> {
    let mut bytes = [0; BEGINNING];
    file.read_exact_at(&mut bytes, 0)?;
    if bytes.starts_with(&PLAIN) {
        return Ok(Layout::Plain);
    }
    let number = MAGIC.len()..MAGIC.len() + 4;
    let number = bytes.get(number).and_then(|it| it.try_into().ok()).map_or(0, u32::from_be_bytes);
    if bytes != beginning(number) {
        return Err(damage("its first page is not as it was written"));
    }
    Ok(if number == LAYOUT { Layout::Checked } else { Layout::Newer(number) })
}

fn beginning(number: u32) -> [u8; BEGINNING] {
    let mut bytes = [0; BEGINNING];
    let (body, sum) = bytes.split_at_mut(BEGINNING - SUM_BYTES);
    let (magic, place) = body.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    place.copy_from_slice(&number.to_be_bytes());
    sum.copy_from_slice(&crc32fast::hash(body).to_be_bytes());
    bytes
}

/// The file, as redb sees it: without the first page and without the checksums.
#[derive(Debug)]
pub(super) struct Pages {
    file: File,
    /// The checksums of the groups that were looked at; all of them are a thousandth of the file. Held for moments,
    /// never over what waits for the disk.
    groups: RwLock<Vec<Option<Group>>>,
}

/// The checksums of a group; zero for a page that was never written.
#[derive(Debug)]
struct Group {
    sums: Box<[u32; SUMS]>,
    /// A bit for each sector of them that is to be written.
    changed: u8,
}

impl Group {
    const SUMS_PER_SECTOR: usize = SECTOR / SUM_BYTES;

    fn new() -> Self {
        Self { sums: Box::new([0; SUMS]), changed: 0 }
    }

    fn set(&mut self, slot: usize, sum: u32) {
        if let Some(place) = self.sums.get_mut(slot) {
            *place = sum;
            self.changed |= 1 << (slot / Self::SUMS_PER_SECTOR);
        }
    }
}

/// Where the checksums of a group lie.
const fn place_of_sums(group: u64) -> u64 {
    (1 + group * GROUP_PAGES) * PAGE_BYTES
}

/// Where a page lies.
const fn place_of(page: u64) -> u64 {
    (1 + page + page / SUMS as u64 + 1) * PAGE_BYTES
}

/// The groups of so many pages.
const fn groups_of(pages: u64) -> u64 {
    pages.div_ceil(SUMS as u64)
}

/// The group of a page, and its slot there.
fn slot_of(page: u64) -> (usize, usize) {
    let (group, slot) = (page / SUMS as u64, page % SUMS as u64);
    (usize::try_from(group).unwrap_or(usize::MAX), usize::try_from(slot).unwrap_or(usize::MAX))
}

/// Covers the number too, so that a page which has come to lie in another's place shows. Never zero.
fn sum_of(page: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&page.to_be_bytes());
    hasher.update(bytes);
    hasher.finalize().max(1)
}

fn damage(detail: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail.into())
}

fn unaligned() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no whole pages of the file")
}

impl Pages {
    /// Begins a file that is empty.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn create(file: File) -> io::Result<Self> {
        let mut first = vec![0; PAGE];
        first.splice(..BEGINNING, beginning(LAYOUT));
        file.write_all_at(&first, 0)?;
        Ok(Self { file, groups: RwLock::default() })
    }

    /// Opens a file of this layout.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn open(file: File) -> io::Result<Self> {
        let pages = Self { file, groups: RwLock::default() };
        let count = usize::try_from(groups_of(pages.count()?)).map_err(|_| unaligned())?;
        pages.groups_mut().resize_with(count, || None);
        Ok(pages)
    }

    /// Reads the checksums of a group unless it was done before.
    fn look_up(&self, group: usize) -> io::Result<()> {
        if self.groups().get(group).is_none_or(Option::is_some) {
            return Ok(());
        }
        let mut bytes = vec![0; PAGE];
        self.file.read_exact_at(&mut bytes, place_of_sums(group as u64))?;
        let mut read = Group::new();
        let (stored, _) = bytes.as_chunks::<SUM_BYTES>();
        for (sum, stored) in read.sums.iter_mut().zip(stored) {
            *sum = u32::from_be_bytes(*stored);
        }
        // Somebody may have been quicker, and have changed them since.
        if let Some(place) = self.groups_mut().get_mut(group) {
            place.get_or_insert(read);
        }
        Ok(())
    }

    fn groups(&self) -> RwLockReadGuard<'_, Vec<Option<Group>>> {
        self.groups.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn groups_mut(&self) -> RwLockWriteGuard<'_, Vec<Option<Group>>> {
        self.groups.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pages that redb sees.
    fn count(&self) -> io::Result<u64> {
        let all = (self.file.metadata()?.len() / PAGE_BYTES).saturating_sub(1);
        Ok(all - all.div_ceil(GROUP_PAGES))
    }

    /// Calls for each run of pages that lie in one piece: with its place in the file, its first page and its bytes
    /// among `length`.
    fn runs(
        offset: u64,
        length: usize,
        mut each: impl FnMut(u64, u64, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        if !offset.is_multiple_of(PAGE_BYTES) || !length.is_multiple_of(PAGE) {
            return Err(unaligned());
        }
        let (mut page, mut begin) = (offset / PAGE_BYTES, 0);
        while begin < length {
            let (_, slot) = slot_of(page);
            let count = (SUMS - slot).min((length - begin) / PAGE);
            let end = begin + count * PAGE;
            each(place_of(page), page, begin..end)?;
            (page, begin) = (page + count as u64, end);
        }
        Ok(())
    }

    fn read_header(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let begin = usize::try_from(offset).map_err(|_| unaligned())?;
        let mut sector = [0; SECTOR];
        self.file.read_exact_at(&mut sector, place_of(0))?;
        let (header, sum) = sector.split_at(HEADER_MAX);
        if sum != sum_of(0, header).to_be_bytes() && sector != [0; SECTOR] {
            return Err(damage("its header fails its checksum"));
        }
        let asked = header.get(begin..begin + out.len()).ok_or_else(unaligned)?;
        out.copy_from_slice(asked);
        Ok(())
    }

    fn write_header(&self, data: &[u8]) -> io::Result<()> {
        let mut sector = [0; SECTOR];
        let (header, sum) = sector.split_at_mut(HEADER_MAX);
        header.get_mut(..data.len()).ok_or_else(unaligned)?.copy_from_slice(data);
        sum.copy_from_slice(&sum_of(0, header).to_be_bytes());
        self.file.write_all_at(&sector, place_of(0))
    }

    /// Reads pages that lie in one piece.
    fn read_run(&self, place: u64, first: u64, run: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(run, place)?;
        for (page, bytes) in (first..).zip(run.chunks(PAGE)) {
            let (group, slot) = slot_of(page);
            self.look_up(group)?;
            let sums = self.groups();
            let group = sums.get(group).and_then(Option::as_ref);
            let sum = group.and_then(|group| group.sums.get(slot).copied());
            drop(sums);
            let is_sound = match sum {
                Some(0) => bytes.iter().all(|byte| *byte == 0),
                Some(sum) => sum == sum_of(page, bytes),
                None => false,
            };
            if !is_sound {
                return Err(damage(format!("page {page} fails its checksum")));
            }
        }
        Ok(())
    }

    /// Writes the checksums that have changed. No reader waits for the disk meanwhile.
    fn flush(&self) -> io::Result<()> {
        let mut sectors = Vec::new();
        for (group, number) in self.groups_mut().iter_mut().zip(0..) {
            let Some(group) = group else { continue };
            let changed = std::mem::take(&mut group.changed);
            let all = group.sums.chunks(Group::SUMS_PER_SECTOR).zip(0_u8..);
            for (sums, sector) in all.filter(|(_, sector)| changed & (1 << sector) != 0) {
                let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_be_bytes()).collect();
                let place = place_of_sums(number) + u64::from(sector) * SECTOR as u64;
                sectors.push((bytes, place));
            }
        }
        // After an error redb writes no more, so what was changed need not be remembered.
        sectors.iter().try_for_each(|(bytes, place)| self.file.write_all_at(bytes, *place))
    }
}

impl StorageBackend for Pages {
    fn len(&self) -> io::Result<u64> {
        Ok(self.count()? * PAGE_BYTES)
    }

    /// A page that cannot be read, or is not as it was written, ends it in a panic with an [`io::Error`], without a
    /// word on standard error: after an error returned, redb would let nobody read any other page either. Whoever calls
    /// redb catches it.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset < PAGE_BYTES {
            return self.read_header(offset, out);
        }
        Self::runs(offset, out.len(), |place, first, range| {
            let run = out.get_mut(range).ok_or_else(unaligned)?;
            match self.read_run(place, first, run) {
                Ok(()) => Ok(()),
                Err(error) => resume_unwind(Box::new(error)),
            }
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if !len.is_multiple_of(PAGE_BYTES) {
            return Err(unaligned());
        }
        let pages = len / PAGE_BYTES;
        let kept = pages.min(self.count()?);
        let count = usize::try_from(groups_of(pages)).map_err(|_| unaligned())?;
        let (last, used) = slot_of(kept);
        if used > 0 {
            self.look_up(last)?;
        }
        self.file.set_len((1 + pages + groups_of(pages)) * PAGE_BYTES)?;
        let mut groups = self.groups_mut();
        groups.truncate(usize::try_from(groups_of(kept)).map_err(|_| unaligned())?);
        // The pages behind those that are kept were never written, whatever was there before.
        if let Some(Some(group)) = groups.get_mut(last) {
            for slot in used..SUMS {
                if group.sums.get(slot).is_some_and(|sum| *sum != 0) {
                    group.set(slot, 0);
                }
            }
        }
        groups.resize_with(count, || Some(Group::new()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.flush()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset == 0 {
            return self.write_header(data);
        }
        Self::runs(offset, data.len(), |place, first, range| {
            let run = data.get(range).ok_or_else(unaligned)?;
            self.file.write_all_at(run, place)?;
            for (page, bytes) in (first..).zip(run.chunks(PAGE)) {
                let (sum, (group, slot)) = (sum_of(page, bytes), slot_of(page));
                self.look_up(group)?;
                let mut groups = self.groups_mut();
                let group = groups.get_mut(group).and_then(Option::as_mut);
                group.ok_or_else(unaligned)?.set(slot, sum);
            }
            Ok(())
        })
    }

    fn close(&self) -> io::Result<()> {
        self.flush()
    }
}

#[cfg(test)]
#[path = "pages_test.rs"]
mod tests;
