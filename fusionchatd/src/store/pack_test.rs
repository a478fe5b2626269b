//! What a store takes on disk after it was copied, by what lives in it.

use crate::store::conformance::{key, value};
use crate::store::disk::files;
use crate::store::open::{DiskEngine, OpenOptions, open_bare};
use crate::store::pack::{self, STRETCH_BYTES, row_bytes};
use crate::store::walk::{Amount, Walk};
use crate::store::{Direction, Key, Range, Value};

/// Messages of a conversation.
const TALK: usize = 10;

fn options() -> OpenOptions {
    OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() }
}

/// Sixteen bytes that look like an id, in no order.
fn id(number: usize) -> [u8; 16] {
    let mixed = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    mixed.rotate_left(64).to_be_bytes()
}

/// An entry, a message and the id of a command, as a daemon writes them: keys of an organization, and bytes.
fn rows_of(message: usize) -> [(Key, Value); 3] {
    let row = |table: u8, parts: &[&[u8]], bytes: usize| {
        (key([&[table], id(0).as_slice(), &parts.concat()].concat()), value(bytes, message))
    };
    let number = (message as u64).to_be_bytes();
    [
        row(0x10, &[&number], 110 + message % 20),
        row(0x20, &[&id(message / TALK), &number], 340 + message % 50),
        row(0x30, &[&id(message), &id(message + 1)], 60 + message % 20),
    ]
}

/// Fills a store as a copy does; what its files take, by what lives in it, at once and after a daemon had it open.
async fn filled(engine: DiskEngine, mut rows: Vec<(Key, Value)>) -> [f64; 2] {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    rows.sort_unstable();
    let mut live = Amount::default();
    live.add(&rows);
    let factor = || files::bytes_on_disk(place) as f64 / live.bytes as f64;
    let store = open_bare(&engine.url(place), &options()).await.unwrap();
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let count = rest.iter().take_while(|row| {
            bytes += row_bytes(row);
            bytes <= STRETCH_BYTES
        });
        let (stretch, behind) = rest.split_at(count.count());
        pack::fill(store.as_ref(), stretch.to_vec()).await.unwrap();
        rest = behind;
    }
    store.close().await.unwrap();
    drop(store);
    pack::compact(engine, place).await.unwrap();
    let at_once = factor();
    let store = open_bare(&engine.url(place), &options()).await.unwrap();
    let (mut walk, mut found) = (Walk::new(store.as_ref(), Range::prefix(b"")), Vec::new());
    loop {
        let page = walk.next().await.unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert!(found == rows, "{} rows, not {}", found.len(), rows.len());
    store.close().await.unwrap();
    [at_once, factor()]
}

#[tokio::test]
async fn a_filled_store_of_redb_takes_little_more_than_what_lives_in_it() {
    let factors = filled(DiskEngine::Redb, (0..6_000).flat_map(rows_of).collect()).await;
    assert!(factors.iter().all(|it| *it <= 1.15), "{factors:?}");
}

/// Over several stretches, with values among them that sled splits. How much sled takes is for the bench to say: its
/// own threads have a say in it.
#[tokio::test]
async fn a_filled_store_holds_what_it_was_filled_with() {
    for engine in DiskEngine::ALL {
        let mut rows: Vec<_> = (0..12_000).flat_map(rows_of).collect();
        for number in (0..rows.len()).step_by(997) {
            rows[number].1 = value(1_000 * (number % 50), number);
        }
        filled(engine, rows).await;
    }
}

/// Where a stretch begins and ends with values that sled splits, or has nothing else, or one row.
#[tokio::test]
async fn a_stretch_may_have_any_rows() {
    const LARGE: usize = 50_000;
    let stretches: [&[usize]; 5] =
        [&[LARGE, 1, 2, 3, LARGE], &[LARGE], &[4], &[LARGE, LARGE], &[5, 6]];
    for engine in DiskEngine::ALL {
        let directory = tempfile::tempdir().unwrap();
        let url = engine.url(directory.path());
        let store = open_bare(&url, &options()).await.unwrap();
        let (mut rows, mut number) = (Vec::new(), 0_u64);
        for stretch in stretches {
            let row = |bytes: &usize| {
                number += 1;
                (key([&[0x10], number.to_be_bytes().as_slice()].concat()), value(*bytes, 7))
            };
            let stretch: Vec<_> = stretch.iter().map(row).collect();
            rows.extend(stretch.clone());
            pack::fill(store.as_ref(), stretch).await.unwrap();
        }
        store.close().await.unwrap();
        drop(store);
        let store = open_bare(&url, &options()).await.unwrap();
        let range = Range::prefix(b"");
        assert!(store.scan(&range, Direction::Forward, 100).await.unwrap() == rows, "{engine}");
        store.close().await.unwrap();
    }
}
