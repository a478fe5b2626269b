//! The file of pages beside a plain array of bytes, at the borders of its groups too.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::redb::StorageBackend;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{
    BEGINNING, LAYOUT, Layout, PAGE, Pages, SECTOR, SUMS, beginning, layout_of, place_of,
    place_of_sums,
};

/// Pages of the largest file here: two groups and a little.
const PAGES_MAX: usize = 2 * SUMS + 3;

fn read(pages: &Pages, page: usize, count: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; count * PAGE];
    let reading = || pages.read((page * PAGE) as u64, &mut bytes);
    match catch_unwind(AssertUnwindSafe(reading)) {
        Ok(Ok(())) => Ok(bytes),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(panic.downcast::<io::Error>().unwrap().to_string()),
    }
}

fn create() -> (Pages, File) {
    let file = tempfile::tempfile().unwrap();
    (Pages::create(file.try_clone().unwrap()).unwrap(), file)
}

#[derive(Clone, Debug)]
enum Step {
    Write { page: usize, count: usize, fill: u8 },
    Resize(usize),
    Sync,
    Reopen,
}

/// A page near a border, or any.
fn page() -> impl Strategy<Value = usize> {
    prop_oneof![1..4_usize, SUMS - 2..SUMS + 3, 2 * SUMS - 2..PAGES_MAX, 1..PAGES_MAX]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (page(), 1..5_usize, any::<u8>())
            .prop_map(|(page, count, fill)| Step::Write { page, count, fill }),
        2 => page().prop_map(Step::Resize),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_reads_what_was_written_and_zeroes_elsewhere(steps in vec(step(), 1..40)) {
        let (mut pages, file) = create();
        // The fill of each page.
        let mut model: Vec<u8> = vec![];
        for step in steps {
            match step {
                Step::Write { page, count, fill } => {
                    let end = (page + count).min(model.len());
                    if page < end {
                        let data = vec![fill; (end - page) * PAGE];
                        pages.write((page * PAGE) as u64, &data).unwrap();
                        model[page..end].fill(fill);
                    }
                }
                Step::Resize(length) => {
                    pages.set_len((length * PAGE) as u64).unwrap();
                    model.resize(length, 0);
                }
                Step::Sync => pages.sync_data().unwrap(),
                Step::Reopen => {
                    pages.close().unwrap();
                    pages = Pages::open(file.try_clone().unwrap()).unwrap();
                }
            }
            prop_assert_eq!(pages.len().unwrap(), (model.len() * PAGE) as u64);
        }
        for (page, fill) in model.iter().enumerate().skip(1) {
            prop_assert_eq!(read(&pages, page, 1), Ok(vec![*fill; PAGE]), "page {}", page);
        }
        if model.len() > 1 {
            let whole: Vec<u8> = model[1..].iter().flat_map(|fill| vec![*fill; PAGE]).collect();
            prop_assert!(read(&pages, 1, model.len() - 1) == Ok(whole), "in one piece");
        }
    }

    #[test]
    fn no_page_is_read_that_was_changed(page in page(), at in 0..PAGE, bit in 0..8_u8) {
        let (pages, file) = create();
        pages.set_len((PAGES_MAX * PAGE) as u64).unwrap();
        let written = page % 2 == 0;
        if written {
            pages.write((page * PAGE) as u64, &[7; PAGE]).unwrap();
        }
        let place = place_of(page as u64) + at as u64;
        file.write_all_at(&[if written { 7 } else { 0 } ^ (1 << bit)], place).unwrap();
        let damaged = Err(format!("page {page} fails its checksum"));
        prop_assert_eq!(read(&pages, page, 1), damaged);
        let near = if page == 1 { 2 } else { page - 1 };
        prop_assert_eq!(read(&pages, near, 1), Ok(vec![0; PAGE]));
    }
}

#[test]
fn a_page_in_the_place_of_another_is_not_read() {
    let (pages, file) = create();
    pages.set_len((4 * PAGE) as u64).unwrap();
    pages.write(PAGE as u64, &[1; PAGE]).unwrap();
    pages.write(2 * PAGE as u64, &[2; PAGE]).unwrap();
    pages.sync_data().unwrap();
    file.write_all_at(&[1; PAGE], place_of(2)).unwrap();
    let mut sum = [0; 4];
    file.read_exact_at(&mut sum, place_of_sums(0) + 4).unwrap();
    file.write_all_at(&sum, place_of_sums(0) + 8).unwrap();
    let pages = Pages::open(file).unwrap();
    assert_eq!(read(&pages, 1, 1), Ok(vec![1; PAGE]));
    assert!(read(&pages, 2, 1).is_err());
}

#[test]
fn a_changed_header_is_not_read() {
    let (pages, file) = create();
    pages.set_len(PAGE as u64).unwrap();
    let mut header = [0; 320];
    pages.read(0, &mut header).unwrap();
    assert_eq!(header, [0; 320], "never written");
    pages.write(0, &[3; 320]).unwrap();
    pages.read(0, &mut header).unwrap();
    assert_eq!(header, [3; 320]);
    for at in 0..SECTOR as u64 {
        let mut byte = [0];
        file.read_exact_at(&mut byte, place_of(0) + at).unwrap();
        file.write_all_at(&[byte[0] ^ 4], place_of(0) + at).unwrap();
        let refused = pages.read(0, &mut header).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{at}");
        file.write_all_at(&byte, place_of(0) + at).unwrap();
    }
    pages.read(0, &mut header).unwrap();
}

#[test]
fn a_layout_is_told_by_the_first_bytes() {
    let of = |bytes: &[u8]| {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        layout_of(&file).map_err(|error| error.kind())
    };
    assert_eq!(of(&beginning(LAYOUT)), Ok(Layout::Checked));
    assert_eq!(of(&beginning(LAYOUT + 1)), Ok(Layout::Newer(LAYOUT + 1)));
    assert_eq!(of(&[b"redb".as_slice(), &[0; BEGINNING]].concat()), Ok(Layout::Plain));
    assert_eq!(of(b"redb"), Err(io::ErrorKind::UnexpectedEof));
    for at in 0..BEGINNING {
        let mut bytes = beginning(LAYOUT);
        bytes[at] ^= 1;
        assert_eq!(of(&bytes), Err(io::ErrorKind::InvalidData), "{at}");
    }
}

#[test]
fn parts_of_pages_are_refused() {
    let (pages, _) = create();
    pages.set_len(2 * PAGE as u64).unwrap();
    assert!(pages.set_len(100).is_err());
    assert!(pages.write(PAGE as u64 + 1, &[0; PAGE]).is_err());
    assert!(pages.write(PAGE as u64, &[0; 100]).is_err());
    assert!(pages.write(0, &[0; PAGE]).is_err(), "more than the header");
    assert!(pages.read(PAGE as u64, &mut [0; 100]).is_err());
}
