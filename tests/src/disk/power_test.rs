//! The model of a disk on small records: what a sync covers, and what a cut may do to the rest.

use std::fs;
use std::path::Path;

use super::chance::Chance;
use super::names::Order;
use super::power::{Fate, Power};
use super::record::{Reach, Record};

/// One event: kind, inode, offset, ticket and body, as `tests/preload/disk.c` has them.
type Line<'a> = (u64, u64, u64, u64, &'a [u8]);

const CREATE: u64 = 1;
const MAKE_FOLDER: u64 = 2;
const RENAME: u64 = 3;
const UNLINK: u64 = 4;
const WRITE: u64 = 6;
const TRUNCATE: u64 = 7;
const BEGIN: u64 = 8;
const END: u64 = 9;
const EXCHANGE: u64 = 10;
/// The inode of the folder itself, which is in no event before.
const ROOT: u64 = 1;

fn record(lines: &[Line<'_>]) -> Record {
    let mut bytes = vec![];
    for (kind, inode, offset, ticket, body) in lines {
        for word in [*kind, *inode, *offset, *ticket, body.len() as u64] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(*body);
    }
    Record::of(bytes).unwrap()
}

/// The content of `file` after a cut at the end of these events; `None` if it is not there.
fn left(lines: &[Line<'_>], fate: Fate, seed: u64, file: &str) -> Option<Vec<u8>> {
    left_by(Order::Journal, lines, fate, seed, file)
}

fn left_by(order: Order, lines: &[Line<'_>], fate: Fate, seed: u64, file: &str) -> Option<Vec<u8>> {
    let record = record(lines);
    let mut power = Power::new(&record);
    power.go_on(usize::MAX).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    power.image(fate, order, &mut Chance::new(seed), &image).unwrap();
    fs::read(Path::new(&image).join(file)).ok()
}

/// A file `a` that is safe with the content `old`.
const SAFE: [Line<'static>; 6] = [
    (CREATE, 7, 0, 0, b"a"),
    (WRITE, 7, 0, 0, b"old"),
    (BEGIN, 7, 0, 1, b""),
    (END, 7, 0, 1, b""),
    (BEGIN, ROOT, 0, 2, b""),
    (END, ROOT, 0, 2, b""),
];

#[test]
fn what_was_synced_is_there_whatever_comes() {
    for fate in Fate::ALL {
        for seed in 0..20 {
            for order in [Order::Journal, Order::Strict] {
                let content = left_by(order, &SAFE, fate, seed, "a");
                assert_eq!(content.as_deref(), Some(&b"old"[..]), "{fate:?} {order:?}");
            }
        }
    }
}

#[test]
fn what_was_not_synced_can_be_lost() {
    let lines = [&SAFE[..], &[(WRITE, 7, 0, 0, b"new!")]].concat();
    assert_eq!(left(&lines, Fate::Lost, 0, "a").as_deref(), Some(&b"old"[..]));
    assert_eq!(left(&lines, Fate::Kept, 0, "a").as_deref(), Some(&b"new!"[..]));
    let lines = [&SAFE[..], &[(TRUNCATE, 7, 1, 0, b"")]].concat();
    assert_eq!(left(&lines, Fate::Lost, 0, "a").as_deref(), Some(&b"old"[..]));
    assert_eq!(left(&lines, Fate::Kept, 0, "a").as_deref(), Some(&b"o"[..]));
}

#[test]
fn a_sync_covers_what_came_before_it_began_and_only_if_it_ended() {
    let write: Line<'_> = (WRITE, 7, 0, 0, b"new");
    let (begin, end): (Line<'_>, Line<'_>) = ((BEGIN, 7, 0, 9, b""), (END, 7, 0, 9, b""));
    for (lines, content) in [
        (vec![write, begin, end], b"new"),
        (vec![begin, write, end], b"old"),
        (vec![write, begin], b"old"),
    ] {
        let lines = [&SAFE[..], &lines].concat();
        assert_eq!(left(&lines, Fate::Lost, 0, "a").as_deref(), Some(&content[..]));
    }
}

#[test]
fn a_name_is_safe_by_the_sync_of_its_file_or_folder() {
    let create: Line<'_> = (CREATE, 8, 0, 0, b"b");
    let unsafe_name = [&SAFE[..], &[create]].concat();
    assert_eq!(left(&unsafe_name, Fate::Lost, 0, "b"), None);
    for inode in [8, ROOT] {
        let syncs = [(BEGIN, inode, 0, 9, &b""[..]), (END, inode, 0, 9, b"")];
        let lines = [&unsafe_name[..], &syncs].concat();
        assert_eq!(left(&lines, Fate::Lost, 0, "b").as_deref(), Some(&b""[..]), "{inode}");
    }

    let renamed = [&SAFE[..], &[(RENAME, 0, 0, 0, b"a\nc")]].concat();
    assert_eq!(left(&renamed, Fate::Lost, 0, "c"), None);
    assert_eq!(left(&renamed, Fate::Kept, 0, "c").as_deref(), Some(&b"old"[..]));
    let gone = [&SAFE[..], &[(UNLINK, 0, 0, 0, b"a")]].concat();
    assert_eq!(left(&gone, Fate::Lost, 0, "a").as_deref(), Some(&b"old"[..]));
    assert_eq!(left(&gone, Fate::Kept, 0, "a"), None);
}

#[test]
fn strictly_a_name_is_safe_by_the_sync_of_the_folder_it_stands_in() {
    let strictly = |lines: &[Line<'_>], file| left_by(Order::Strict, lines, Fate::Lost, 0, file);
    let sync = |inode: u64| [(BEGIN, inode, 0, 9, &b""[..]), (END, inode, 0, 9, b"")];
    let made: [Line<'_>; 2] = [(MAKE_FOLDER, 9, 0, 0, b"f"), (CREATE, 8, 0, 0, b"f/b")];
    let with = |inodes: &[u64]| {
        let syncs: Vec<Line<'_>> = inodes.iter().flat_map(|inode| sync(*inode)).collect();
        [&made[..], &syncs].concat()
    };
    assert_eq!(strictly(&with(&[8, ROOT]), "f/b"), None, "its own sync is not enough");
    assert_eq!(strictly(&with(&[8, 9]), "f/b"), None, "nor is its folder's, which has no name");
    assert_eq!(strictly(&with(&[9, ROOT]), "f/b").as_deref(), Some(&b""[..]));

    let moved = [&with(&[9, ROOT])[..], &[(RENAME, 0, 0, 0, b"f\ng")]].concat();
    assert!(strictly(&moved, "f/b").is_some() && strictly(&moved, "g/b").is_none());
    let moved = [&moved[..], &sync(ROOT)].concat();
    assert!(strictly(&moved, "f/b").is_none() && strictly(&moved, "g/b").is_some());
}

#[test]
fn what_follows_an_exchange_that_is_lost_falls_upon_the_old_names() {
    let sync = |inode: u64| [(BEGIN, inode, 0, 9, &b""[..]), (END, inode, 0, 9, b"")];
    let made: [Line<'_>; 6] = [
        (MAKE_FOLDER, 8, 0, 0, b"f"),
        (CREATE, 10, 0, 0, b"f/old"),
        (CREATE, 12, 0, 0, b"f/also"),
        (MAKE_FOLDER, 9, 0, 0, b"g"),
        (CREATE, 11, 0, 0, b"g/new"),
        (CREATE, 13, 0, 0, b"g/more"),
    ];
    let before = [&made[..], &sync(8), &sync(9), &sync(ROOT)].concat();
    let exchange = (EXCHANGE, 0, 0, 0, &b"f\ng"[..]);
    let exchanged = [&before[..], &[exchange]].concat();
    let left = |lines: &[Line<'_>], file| {
        let there = |order| left_by(order, lines, Fate::Lost, 0, file).is_some();
        assert_eq!(there(Order::Journal), there(Order::Strict), "{file}");
        there(Order::Strict)
    };
    assert!(left(&exchanged, "f/old") && left(&exchanged, "g/new"));
    let safe = [&exchanged[..], &sync(ROOT)].concat();
    assert!(left(&safe, "g/old") && left(&safe, "f/new") && !left(&safe, "f/old"));

    // The old one is taken away under the name it had last, and its folder is synced; the exchange is not.
    let gone = [&exchanged[..], &[(UNLINK, 0, 0, 0, b"g/old")], &sync(8)].concat();
    let strictly = |file| left_by(Order::Strict, &gone, Fate::Lost, 0, file).is_some();
    assert!(!strictly("f/old") && strictly("f/also"), "it is gone from where it stands");
    assert!(strictly("g/new") && strictly("g/more"), "and nothing else is");
}

#[test]
fn names_come_in_order() {
    let lines = [(CREATE, 7, 0, 0, &b"a"[..]), (CREATE, 8, 0, 0, b"b")];
    let mut seen = [0; 3];
    for seed in 0..200 {
        let there = |file| left(&lines, Fate::Torn, seed, file).is_some();
        let (a, b) = (there("a"), there("b"));
        assert!(a || !b, "the second without the first");
        seen[usize::from(a) + usize::from(b)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
}

#[test]
fn a_torn_write_ends_at_a_sector_and_pages_come_one_by_one() {
    let body = vec![b'n'; 3 * 4096];
    let lines = [&SAFE[..], &[(WRITE, 7, 0, 0, &body)]].concat();
    let mut torn = 0;
    for seed in 0..100 {
        let content = left(&lines, Fate::Torn, seed, "a").unwrap();
        let whole = content.iter().take_while(|byte| **byte == b'n').count();
        assert!(whole.is_multiple_of(512), "{whole}");
        torn += usize::from(whole > 0 && whole < body.len());
    }
    assert!(torn > 20, "{torn}");

    let mut reordered = 0;
    for seed in 0..100 {
        let content = left(&lines, Fate::Pages(50), seed, "a").unwrap();
        let page = |number: usize| content.get(number * 4096) == Some(&b'n');
        reordered += usize::from(!page(0) && page(2));
    }
    assert!(reordered > 10, "{reordered}");
}

#[test]
fn a_tail_can_be_zeroes_or_what_stood_elsewhere() {
    let old = vec![b'o'; 8192];
    let body = vec![b'n'; 8192];
    let lines = [
        (CREATE, 7, 0, 0, &b"a"[..]),
        (WRITE, 7, 0, 0, &old),
        (BEGIN, 7, 0, 1, b""),
        (END, 7, 0, 1, b""),
        (WRITE, 7, 8192, 0, &body),
    ];
    for (fate, filler) in [(Fate::Zeroes, 0), (Fate::Stale, b'o')] {
        let content = left(&lines, fate, 3, "a").unwrap();
        assert_eq!(content.len(), 16384, "{fate:?}");
        assert!(content[..8192] == old[..], "{fate:?}");
        let tail = &content[8192..];
        assert!(tail.contains(&filler) && tail.contains(&b'n'), "{fate:?}");
    }
}

#[test]
fn how_far_a_text_has_come() {
    let reach = |lines: &[Line<'_>]| record(&[&SAFE[..], lines].concat()).reach("hello");
    let write: Line<'_> = (WRITE, 7, 3, 0, b"say hello to");
    let (begin, end): (Line<'_>, Line<'_>) = ((BEGIN, 7, 0, 9, b""), (END, 7, 0, 9, b""));
    assert_eq!(reach(&[]), Reach::Nowhere);
    assert_eq!(reach(&[write]), Reach::Written);
    assert_eq!(reach(&[begin, write, end]), Reach::Written);
    assert_eq!(reach(&[write, begin]), Reach::Written);
    assert_eq!(reach(&[write, begin, end]), Reach::Synced);
    let mut cut = vec![0_u8; 39];
    cut[0] = 6;
    assert!(Record::of(cut).unwrap().events.is_empty(), "half an event is none");
}
