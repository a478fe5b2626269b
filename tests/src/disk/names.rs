//! The names in a folder, and which of them a power cut may take away. It knows nothing of what files hold.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::Chance;

/// What stands for the outermost folder, whose own inode is in no record.
const OUTERMOST: u64 = 0;

/// What makes a name safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The file system's journal: names come and go in order, and a sync of a file covers its own name and all before
    /// it.
    Journal,
    /// No more than the standard says: a name is safe once the folder it stands in was synced.
    Strict,
}

/// How many of the names that are not safe are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    None,
    Some,
    All,
}

#[derive(Clone, Debug)]
enum Change {
    File { path: String, file: usize },
    Folder { path: String },
    Rename { from: String, to: String },
    Exchange { one: String, other: String },
    Gone { path: String },
}

/// Everything that happened to names.
#[derive(Debug, Default)]
pub(super) struct NameLog {
    changes: Vec<Change>,
    /// The folders that were not synced since, of each change.
    bare: Vec<BTreeSet<u64>>,
    /// Of the journal, the first so many changes are safe.
    safe: usize,
    /// The folders there are, by name.
    folders: BTreeMap<String, u64>,
}

/// Names at one moment.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) folders: BTreeSet<String>,
    pub(super) files: BTreeMap<String, usize>,
}

impl NameLog {
    /// How many changes there were.
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    fn push(&mut self, change: Change, paths: &[&str]) {
        let folder_of = |path: &&str| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            self.folders.get(folder).copied().unwrap_or(OUTERMOST)
        };
        self.bare.push(paths.iter().map(folder_of).collect());
        self.changes.push(change);
    }

    pub(super) fn file(&mut self, path: &str, file: usize) {
        self.push(Change::File { path: path.to_owned(), file }, &[path]);
    }

    pub(super) fn folder(&mut self, path: &str, inode: u64) {
        self.push(Change::Folder { path: path.to_owned() }, &[path]);
        self.folders.insert(path.to_owned(), inode);
    }

    /// The file that has the new name, if it is a file.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Option<usize> {
        self.push(Change::Rename { from: from.to_owned(), to: to.to_owned() }, &[from, to]);
        let folders = std::mem::take(&mut self.folders).into_iter();
        self.folders = folders.map(|(path, inode)| (renamed(&path, from, to), inode)).collect();
        let all = self.changes.iter().map(|change| (change, true));
        names(all).files.get(to).copied()
    }

    /// Two folders have each other's name.
    pub(super) fn exchange(&mut self, one: &str, other: &str) {
        let (first, second) = (one.to_owned(), other.to_owned());
        self.push(Change::Exchange { one: first, other: second }, &[one, other]);
        let folders = std::mem::take(&mut self.folders).into_iter();
        self.folders = folders.map(|(path, inode)| (exchanged(&path, one, other), inode)).collect();
    }

    pub(super) fn gone(&mut self, path: &str) {
        self.push(Change::Gone { path: path.to_owned() }, &[path]);
        self.folders.remove(path);
    }

    /// The journal is on disk up to here.
    pub(super) fn journal(&mut self, changes: usize) {
        self.safe = self.safe.max(changes);
    }

    /// A folder was synced, the outermost if none is named, when there had been so many changes.
    pub(super) fn synced(&mut self, folder: Option<u64>, changes: usize) {
        self.journal(changes);
        for bare in &mut self.bare[..changes] {
            bare.remove(&folder.unwrap_or(OUTERMOST));
        }
    }

    /// Everything until now is safe.
    pub(super) fn all_safe(&mut self) {
        self.journal(self.changes.len());
        self.bare.iter_mut().for_each(BTreeSet::clear);
    }

    /// The names after a cut.
    pub(super) fn left(&self, order: Order, share: Share, chance: &mut Chance) -> Names {
        let first = match share {
            Share::None => self.safe,
            Share::Some => self.safe + chance.below(self.len() + 1 - self.safe),
            Share::All => self.len(),
        };
        let mut kept = |(at, change): (usize, _)| {
            let kept = match (order, share) {
                (_, Share::All) => true,
                (Order::Journal, Share::None | Share::Some) => at < first,
                (Order::Strict, Share::None) => self.bare[at].is_empty(),
                (Order::Strict, Share::Some) => self.bare[at].is_empty() || chance.happens(50),
            };
            (change, kept)
        };
        names(self.changes.iter().enumerate().map(&mut kept))
    }
}

/// The names after those of these changes that are kept. What stands in a folder that is not there is not there either.
fn names<'a>(changes: impl Iterator<Item = (&'a Change, bool)>) -> Names {
    let mut names = Names::default();
    // Exchanges that are lost. What came after them was done to folders that have their old names again.
    let mut lost: Vec<(&str, &str)> = vec![];
    for (change, kept) in changes {
        let place = |path: &str| {
            let back = lost.iter().rev();
            back.fold(path.to_owned(), |path, (one, other)| exchanged(&path, one, other))
        };
        match change {
            Change::Exchange { one, other } if !kept => lost.push((one, other)),
            Change::File { .. }
            | Change::Folder { .. }
            | Change::Rename { .. }
            | Change::Gone { .. }
                if !kept => {}
            Change::File { path, file } => names.file(place(path), *file),
            Change::Folder { path } => names.folder(place(path)),
            Change::Rename { from, to } => names.rename(&place(from), &place(to)),
            Change::Exchange { one, other } => names.exchange(&place(one), &place(other)),
            Change::Gone { path } => names.gone(&place(path)),
        }
    }
    let lost = |path: &String| !names.holds(path);
    let lost: Vec<String> = names.files.keys().filter(|path| lost(path)).cloned().collect();
    for path in &lost {
        names.files.remove(path);
    }
    names
}

/// A path after a rename of it or of a folder it stands in.
fn renamed(path: &str, from: &str, to: &str) -> String {
    let rest = path.strip_prefix(from).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    rest.map_or_else(|| path.to_owned(), |rest| format!("{to}{rest}"))
}

/// A path after an exchange of two folders.
fn exchanged(path: &str, one: &str, other: &str) -> String {
    let first = renamed(path, one, other);
    if first == path { renamed(path, other, one) } else { first }
}

impl Names {
    /// Whether the folder of a path is there.
    fn holds(&self, path: &str) -> bool {
        path.rsplit_once('/').is_none_or(|(folder, _)| self.folders.contains(folder))
    }

    fn file(&mut self, path: String, file: usize) {
        if self.holds(&path) {
            self.files.insert(path, file);
        }
    }

    fn folder(&mut self, path: String) {
        if self.holds(&path) {
            self.folders.insert(path);
        }
    }

    fn gone(&mut self, path: &str) {
        self.files.remove(path);
        self.folders.remove(path);
    }

    fn exchange(&mut self, one: &str, other: &str) {
        if !self.folders.contains(one) || !self.folders.contains(other) {
            return;
        }
        let files = std::mem::take(&mut self.files).into_iter();
        self.files = files.map(|(path, file)| (exchanged(&path, one, other), file)).collect();
        self.folders = self.folders.iter().map(|path| exchanged(path, one, other)).collect();
    }

    fn rename(&mut self, from: &str, to: &str) {
        let there = self.files.contains_key(from) || self.folders.contains(from);
        if !there || !self.holds(to) {
            return;
        }
        // What the new name stood for is gone.
        self.files.remove(to);
        let files = std::mem::take(&mut self.files).into_iter();
        self.files = files.map(|(path, file)| (renamed(&path, from, to), file)).collect();
        self.folders = self.folders.iter().map(|path| renamed(path, from, to)).collect();
    }
}
