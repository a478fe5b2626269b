//! What is written is read; what is anything else is refused by name.

use std::collections::BTreeMap;
use std::io;

use proptest::collection::{btree_map, vec};
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::sample::Index;

use crate::{BLOCK_BYTES, FORMAT, Fault, Head, Reader, Row, Totals, Writer};

fn head() -> Head {
    Head {
        schema: 1,
        made_at: 1_790_000_000_123,
        epoch: [7; 16],
        engine: "sled".to_owned(),
        version: "0.1.0".to_owned(),
    }
}

fn written<'a>(rows: impl IntoIterator<Item = (&'a Vec<u8>, &'a Vec<u8>)>) -> (Vec<u8>, Totals) {
    let mut writer = Writer::begin(&head());
    let mut file = writer.take();
    for (key, value) in rows {
        writer.row(key, value);
        file.extend(writer.take());
    }
    let (rest, totals) = writer.finish();
    file.extend(rest);
    (file, totals)
}

fn read(file: &[u8]) -> Result<(Vec<Row>, Totals), Fault> {
    let mut reader = Reader::begin(file)?;
    assert_eq!(reader.head(), &head(), "a head that is not what was written");
    let mut rows = Vec::new();
    while let Some(more) = reader.next_rows()? {
        rows.extend(more);
    }
    assert!(reader.next_rows()?.is_none(), "the end is the end");
    Ok((rows, reader.totals().expect("it has come to the end")))
}

fn some_rows() -> BTreeMap<Vec<u8>, Vec<u8>> {
    (0..40_u8).map(|number| (vec![1, number], vec![number; usize::from(number) * 3])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(rows in btree_map(vec(any::<u8>(), 1..20), vec(any::<u8>(), 0..90), 0..80)) {
        let (file, totals) = written(&rows);
        let (read, also) = read(&file).expect("it is whole");
        assert!(read.into_iter().eq(rows));
        assert_eq!(totals, also);
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(bytes in vec(any::<u8>(), 0..400), keep in 0..60_usize) {
        let (mut file, _) = written(&some_rows());
        file.truncate(keep);
        file.extend(bytes);
        assert!(read(&file).is_err());
    }

    #[test]
    fn parts_that_change_places_are_found(from in any::<Index>(), to in any::<Index>(), bytes in 1..300_usize) {
        let (file, _) = written(&some_rows());
        let from = from.index(file.len() - bytes);
        let mut moved = file.clone();
        let part: Vec<u8> = moved.drain(from..from + bytes).collect();
        let to = to.index(moved.len() + 1);
        moved.splice(to..to, part);
        assert!(moved == file || read(&moved).is_err());
    }
}

#[test]
fn rows_of_every_size_fill_blocks() {
    let sizes = [0, 1, BLOCK_BYTES - 9, BLOCK_BYTES, 1 << 20, 5];
    let rows: BTreeMap<Vec<u8>, Vec<u8>> =
        (1..).zip(sizes).map(|(key, bytes)| (vec![key], vec![key; bytes])).collect();
    let (file, totals) = written(&rows);
    assert!(read(&file).expect("it is whole").0.into_iter().eq(rows.clone()));
    assert_eq!(totals.rows, sizes.len() as u64);
    assert_eq!(totals.bytes, (sizes.iter().sum::<usize>() + sizes.len()) as u64);
}

/// Every byte of a file changed in each bit, and the file cut off before each byte.
#[test]
fn a_change_of_any_bit_and_a_cut_anywhere_is_found() {
    let (file, _) = written(&some_rows());
    for at in 0..file.len() {
        let mut cut = read(&file[..at]);
        if at < 8 {
            assert!(matches!(cut, Err(Fault::NotABackup)), "{at}: {cut:?}");
            cut = Err(Fault::Truncated { at: at as u64 });
        }
        assert!(matches!(cut, Err(Fault::Truncated { at: said }) if said == at as u64), "{cut:?}");
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            let found = read(&changed);
            let expected = match at {
                0..8 => matches!(found, Err(Fault::NotABackup)),
                8..12 => matches!(found, Err(Fault::NewerFormat { .. } | Fault::Damaged { .. })),
                // A longer block may reach past the end.
                _ => matches!(found, Err(Fault::Damaged { .. } | Fault::Truncated { .. })),
            };
            assert!(expected, "byte {at}, bit {bit}: {found:?}");
        }
    }
    let longer = [file.as_slice(), &[0]].concat();
    assert!(matches!(read(&longer), Err(Fault::Damaged { .. })), "a byte follows the end");
}

#[test]
fn a_newer_format_is_named_with_ours() {
    let (mut file, _) = written(&some_rows());
    file[8..12].copy_from_slice(&(FORMAT + 1).to_be_bytes());
    let refused = read(&file).expect_err("it is newer");
    assert!(matches!(refused, Fault::NewerFormat { found: 2, known: 1 }), "{refused:?}");
    assert!(refused.to_string().contains("format 2") && refused.to_string().contains("up to 1"));
}

#[test]
fn rows_out_of_order_are_refused() {
    let (one, two) = ((vec![1], vec![]), (vec![2], vec![]));
    for (first, second) in [(&two, &one), (&one, &one)] {
        let (file, _) = written([(&first.0, &first.1), (&second.0, &second.1)]);
        let refused = read(&file);
        assert!(matches!(refused, Err(Fault::Damaged { .. })), "{refused:?}");
    }
}

/// The file is a form that must stay readable: these bytes are of the first program that wrote it.
#[test]
fn the_first_format_stays_readable() {
    let (file, _) = written([(&vec![0], &vec![0, 0, 0, 1]), (&vec![1, 2], &vec![3])]);
    let golden = concat!(
        "465553494f4e424b00000001010000002900000001000001a0c4506c7b0707070707070707070707",
        "07070707070004736c65640005302e312e30d4a7b440020000001400010000000400000000010002",
        "00000001010203b6221b02030000003000000000000000020000000000000008ec765d1adf687136",
        "43dcde034d4748157e61bf2c1e6bd12d77207cb4f8f27ab972266962",
    );
    let hex: String = file.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, golden);
}

#[test]
fn a_failing_disk_is_told_apart() {
    struct Failing;
    impl io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    let refused = Reader::begin(Failing).map(|_| ());
    assert!(matches!(refused, Err(Fault::Unreadable(_))), "{refused:?}");
}
