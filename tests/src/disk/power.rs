//! What a power cut may leave of a folder. What was synced is there; what was not is there, or in part, or not at
//! all; of names see [`Order`].

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::chance::Chance;
use super::names::{NameLog, Order, Share};
use super::record::{Record, What};

/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;
/// What a file system keeps a file in.
const PAGE_BYTES: usize = 4096;

/// What becomes of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of it is lost.
    Lost,
    /// All of it is there: the process was killed, the machine ran on.
    Kept,
    /// It ends somewhere, in the middle of a write.
    Torn,
    /// Each sector is there with this chance in a hundred.
    Sectors(usize),
    /// Each page is there with this chance in a hundred.
    Pages(usize),
    /// Each write is there with this chance in a hundred, whatever came before it.
    Writes(usize),
    /// Files have grown to what was written, but half of the sectors are zeroes.
    Zeroes,
    /// Files have grown to what was written, but half of the pages hold what stood elsewhere.
    Stale,
}

impl Fate {
    /// One of each kind, in turn.
    pub const ALL: [Self; 12] = [
        Self::Lost,
        Self::Torn,
        Self::Sectors(50),
        Self::Pages(50),
        Self::Writes(50),
        Self::Zeroes,
        Self::Torn,
        Self::Stale,
        Self::Sectors(90),
        Self::Pages(10),
        Self::Writes(90),
        Self::Kept,
    ];
}

/// A change of a file that no sync has covered.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Range<usize> },
    Length(usize),
}

#[derive(Debug, Default)]
struct FileState {
    safe: Vec<u8>,
    /// Since the last sync.
    unsafe_changes: VecDeque<Change>,
    /// How many changes are safe.
    safe_changes: usize,
    /// How many name changes there were when it last got a name.
    named: usize,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    File(usize),
    Folder,
}

/// What a sync covers, once it has ended.
#[derive(Clone, Copy, Debug)]
struct Begun {
    /// A file and how many changes of it; otherwise it is a folder.
    file: Option<(usize, usize)>,
    /// The folder, unless it is the outermost.
    folder: Option<u64>,
    /// How many changes of names.
    names: usize,
}

/// What a folder holds, to begin a record with.
#[derive(Debug, Default)]
pub struct Folder {
    /// Inode, name and, of a file, content.
    nodes: Vec<(u64, String, Option<Vec<u8>>)>,
}

impl Folder {
    /// Reads a folder.
    pub fn read(path: &Path) -> Result<Self> {
        let mut folder = Self::default();
        folder.add(path, "")?;
        Ok(folder)
    }

    fn add(&mut self, folder: &Path, below: &str) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, inode) = (entry.path(), entry.metadata()?.ino());
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            if path.is_dir() {
                self.nodes.push((inode, name.clone(), None));
                self.add(&path, &format!("{name}/"))?;
            } else {
                self.nodes.push((inode, name, Some(fs::read(&path)?)));
            }
        }
        Ok(())
    }
}

/// The folder at one moment of a record, and what of it was safe then.
#[derive(Debug)]
pub struct Power<'a> {
    record: &'a Record,
    next: usize,
    files: Vec<FileState>,
    nodes: HashMap<u64, Node>,
    names: NameLog,
    begun: HashMap<u64, Begun>,
}

impl<'a> Power<'a> {
    /// An empty folder, before anything happened.
    pub fn new(record: &'a Record) -> Self {
        Self {
            record,
            next: 0,
            files: Vec::new(),
            nodes: HashMap::new(),
            names: NameLog::default(),
            begun: HashMap::new(),
        }
    }

    /// A folder as it was when the record began, every bit of it safe.
    pub fn over(record: &'a Record, before: &Folder) -> Result<Self> {
        let mut power = Self::new(record);
        for (inode, path, content) in &before.nodes {
            let (inode, path) = (*inode, path.clone());
            match content {
                None => power.take(&What::MakeFolder { inode, path })?,
                Some(content) => {
                    power.take(&What::Create { inode, path })?;
                    power.file(inode)?.safe.clone_from(content);
                }
            }
        }
        power.names.all_safe();
        Ok(power)
    }

    /// Goes on to when the record was `length` bytes long.
    pub fn go_on(&mut self, length: usize) -> Result<()> {
        let record = self.record;
        while let Some(event) = record.events.get(self.next).filter(|it| it.end <= length) {
            self.take(&event.what)
                .with_context(|| format!("at {}: {:?}", event.end, event.what))?;
            self.next += 1;
        }
        Ok(())
    }

    fn take(&mut self, what: &What) -> Result<()> {
        match what {
            What::Create { inode, path } => {
                let file = self.files.len();
                self.nodes.insert(*inode, Node::File(file));
                self.names.file(path, file);
                self.files.push(FileState { named: self.names.len(), ..FileState::default() });
            }
            What::MakeFolder { inode, path } => {
                self.nodes.insert(*inode, Node::Folder);
                self.names.folder(path, *inode);
            }
            What::Rename { from, to } => {
                let moved = self.names.rename(from, to);
                if let Some(file) = moved.and_then(|file| self.files.get_mut(file)) {
                    file.named = self.names.len();
                }
            }
            What::Exchange { one, other } => self.names.exchange(one, other),
            What::Unlink { path } | What::RemoveFolder { path } => {
                self.names.gone(path);
            }
            What::Write { inode, offset, bytes } => {
                let change = Change::Write { offset: *offset, bytes: bytes.clone() };
                self.file(*inode)?.unsafe_changes.push_back(change);
            }
            What::Truncate { inode, length } => {
                self.file(*inode)?.unsafe_changes.push_back(Change::Length(*length));
            }
            What::SyncBegin { inode, ticket } => {
                let begun = self.begin(*inode);
                self.begun.insert(*ticket, begun);
            }
            What::SyncEnd { ticket } => {
                let begun = self.begun.remove(ticket).context("a sync ends that never began")?;
                self.end(begun);
            }
        }
        Ok(())
    }

    fn file(&mut self, inode: u64) -> Result<&mut FileState> {
        match self.nodes.get(&inode) {
            Some(Node::File(file)) => self.files.get_mut(*file).context("a file"),
            Some(Node::Folder) => anyhow::bail!("a write to a folder"),
            None => anyhow::bail!("a file that was there before the record began"),
        }
    }

    /// The sync of a folder covers names, that of a file its content and, in the journal, its own name.
    fn begin(&self, inode: u64) -> Begun {
        match self.nodes.get(&inode) {
            Some(Node::File(file)) => {
                let state = &self.files[*file];
                let changes = state.safe_changes + state.unsafe_changes.len();
                Begun { file: Some((*file, changes)), folder: None, names: state.named }
            }
            Some(Node::Folder) => {
                Begun { file: None, folder: Some(inode), names: self.names.len() }
            }
            None => Begun { file: None, folder: None, names: self.names.len() },
        }
    }

    fn end(&mut self, begun: Begun) {
        let Some((file, changes)) = begun.file else {
            self.names.synced(begun.folder, begun.names);
            return;
        };
        self.names.journal(begun.names);
        let state = &mut self.files[file];
        while state.safe_changes < changes
            && let Some(change) = state.unsafe_changes.pop_front()
        {
            apply(&mut state.safe, &change, self.record);
            state.safe_changes += 1;
        }
    }

    /// Makes the folder `target`, which is not there, as it may look if the power is cut now.
    pub fn image(
        &self,
        fate: Fate,
        order: Order,
        chance: &mut Chance,
        target: &Path,
    ) -> Result<()> {
        let share = match fate {
            Fate::Lost => Share::None,
            Fate::Kept => Share::All,
            Fate::Torn
            | Fate::Sectors(_)
            | Fate::Pages(_)
            | Fate::Writes(_)
            | Fate::Zeroes
            | Fate::Stale => Share::Some,
        };
        let names = self.names.left(order, share, chance);
        fs::create_dir(target)?;
        for folder in &names.folders {
            fs::create_dir_all(target.join(folder))?;
        }
        for (path, file) in &names.files {
            let content = self.content(&self.files[*file], fate, chance);
            fs::write(target.join(path), content).with_context(|| format!("writing {path}"))?;
        }
        Ok(())
    }

    fn content(&self, file: &FileState, fate: Fate, chance: &mut Chance) -> Vec<u8> {
        let mut content = file.safe.clone();
        let changes = &file.unsafe_changes;
        match fate {
            Fate::Lost => {}
            Fate::Kept => changes.iter().for_each(|it| apply(&mut content, it, self.record)),
            Fate::Torn => {
                let whole = chance.below(changes.len() + 1);
                changes.iter().take(whole).for_each(|it| apply(&mut content, it, self.record));
                if let Some(Change::Write { offset, bytes }) = changes.get(whole) {
                    let sectors = chance.below(bytes.len().div_ceil(SECTOR_BYTES) + 1);
                    let kept = (sectors * SECTOR_BYTES).min(bytes.len());
                    put(&mut content, *offset, &self.record.bytes(bytes)[..kept]);
                }
            }
            Fate::Writes(percent) => {
                for change in changes {
                    if chance.happens(percent) {
                        apply(&mut content, change, self.record);
                    }
                }
            }
            Fate::Sectors(percent) => {
                self.scatter(&mut content, changes, SECTOR_BYTES, percent, chance);
            }
            Fate::Pages(percent) => {
                self.scatter(&mut content, changes, PAGE_BYTES, percent, chance);
            }
            Fate::Zeroes | Fate::Stale => {
                let before = content.len();
                let grown = changes.iter().fold(before, |length, change| match change {
                    Change::Write { offset, bytes } => length.max(offset + bytes.len()),
                    Change::Length(_) => length,
                });
                content.resize(grown, 0);
                if fate == Fate::Stale {
                    make_stale(&mut content, before, chance);
                }
                self.scatter(&mut content, changes, SECTOR_BYTES, 50, chance);
            }
        }
        content
    }

    /// Keeps each block of each write with a chance.
    fn scatter(
        &self,
        content: &mut Vec<u8>,
        changes: &VecDeque<Change>,
        block_bytes: usize,
        percent: usize,
        chance: &mut Chance,
    ) {
        for change in changes {
            match change {
                Change::Length(_) => {
                    if chance.happens(percent) {
                        apply(content, change, self.record);
                    }
                }
                Change::Write { offset, bytes } => {
                    let (mut offset, mut bytes) = (*offset, self.record.bytes(bytes));
                    while !bytes.is_empty() {
                        let block = (block_bytes - offset % block_bytes).min(bytes.len());
                        let (first, rest) = bytes.split_at(block);
                        if chance.happens(percent) {
                            put(content, offset, first);
                        }
                        (offset, bytes) = (offset + block, rest);
                    }
                }
            }
        }
    }
}

/// Fills what lies past `from` with pages of what lies before it.
fn make_stale(content: &mut [u8], from: usize, chance: &mut Chance) {
    let (old, new) = content.split_at_mut(from);
    let pages = old.len() / PAGE_BYTES;
    // The first page of the new part begins in the middle of one.
    let (first, rest) = new.split_at_mut((PAGE_BYTES - from % PAGE_BYTES).min(new.len()));
    for page in std::iter::once(first).chain(rest.chunks_mut(PAGE_BYTES)) {
        if pages > 0 {
            let begin = chance.below(pages) * PAGE_BYTES;
            page.copy_from_slice(&old[begin..begin + page.len()]);
        }
    }
}

fn apply(content: &mut Vec<u8>, change: &Change, record: &Record) {
    match change {
        Change::Write { offset, bytes } => put(content, *offset, record.bytes(bytes)),
        Change::Length(length) => content.resize(*length, 0),
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}
