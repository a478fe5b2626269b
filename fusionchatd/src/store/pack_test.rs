//! What a store takes on disk after it was copied, by what lives in it.

use std::path::Path;

use crate::store::conformance::{key, value};
use crate::store::disk::files;
use crate::store::open::{DiskEngine, OpenOptions, open_bare};
use crate::store::pack::{self, STRETCH_BYTES, row_bytes};
use crate::store::walk::Amount;
use crate::store::{Key, Value};

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

/// Fills a store as a copy does, and holds its files to `most` times what lives in it.
async fn check(engine: DiskEngine, messages: usize, most: f64) {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let mut rows: Vec<_> = (0..messages).flat_map(rows_of).collect();
    rows.sort_unstable();
    let mut live = Amount::default();
    live.add(&rows);
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
    holds(place, live, most);
    // A daemon finds it, and leaves it, as small.
    let store = open_bare(&engine.url(place), &options()).await.unwrap();
    assert_eq!(Amount::of(store.as_ref()).await.unwrap(), live);
    store.close().await.unwrap();
    holds(place, live, most);
}

fn holds(place: &Path, live: Amount, most: f64) {
    let factor = files::bytes_on_disk(place) as f64 / live.bytes as f64;
    println!("{factor:.3} of {}", live.bytes);
    assert!(factor <= most, "{factor:.2} times what lives in it");
}

#[tokio::test]
async fn a_filled_store_of_sled_takes_little_more_than_what_lives_in_it() {
    // Some segments are always under way, which is more of a small store than of a large one.
    check(DiskEngine::Sled, 20_000, 2.75).await;
}

#[tokio::test]
async fn a_filled_store_of_redb_takes_little_more_than_what_lives_in_it() {
    check(DiskEngine::Redb, 6_000, 1.15).await;
}
