//! Whatever the bytes, a reader ends, within bounds, and does not panic.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use flowaudit::ingest::{ReadOptions, RowFault};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::*;

#[derive(Debug, Clone)]
enum Damage {
    Flip(usize, u8),
    Truncate(usize),
    Insert(usize, Vec<u8>),
    Duplicate(usize, usize),
    Remove(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<usize>(), 1_u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        any::<usize>().prop_map(Damage::Truncate),
        (any::<usize>(), proptest::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<usize>(), 1_usize..200).prop_map(|(at, length)| Damage::Duplicate(at, length)),
        (any::<usize>(), 1_usize..50).prop_map(|(at, length)| Damage::Remove(at, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let size = bytes.len();
    if size == 0 {
        return;
    }
    match damage {
        Damage::Flip(at, bits) => bytes[at % size] ^= bits,
        Damage::Truncate(at) => bytes.truncate(at % size),
        Damage::Insert(at, more) => drop(bytes.splice(at % size..at % size, more.iter().copied())),
        Damage::Duplicate(at, length) => {
            let at = at % size;
            let copy = bytes[at..(at + length).min(size)].to_vec();
            bytes.splice(at..at, copy);
        }
        Damage::Remove(at, length) => {
            let at = at % size;
            bytes.drain(at..(at + length).min(size));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_do_no_harm(damages in proptest::collection::vec(damage(), 1..4), part_bytes in 50_u64..2000) {
        let folder = TempDir::new().unwrap();
        for (name, mut bytes) in every_container() {
            for damage in &damages {
                apply(&mut bytes, damage);
            }
            let path = write(&folder, "file", &bytes);
            let started = Instant::now();
            let all = collect(&path, &ReadOptions { part_bytes, ..ReadOptions::default() });
            prop_assert!(all.flows.len() <= 200, "{}: {}", name, all.flows.len());
            prop_assert!(started.elapsed() < Duration::from_secs(5), "{}: {:?}", name, started.elapsed());
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        collect_bytes(&bytes);
        collect_bytes(&gzip(&bytes));
        collect_bytes(&[b"PAR1", &bytes[..], b"PAR1"].concat());
        collect_bytes(&[b"{\"events\":[", &bytes[..]].concat());
        collect_bytes(&[HEADER.as_bytes(), b"\n", &bytes[..]].concat());
    }
}

/// A page header that begins with a list of two billion numbers, which nobody knows and which therefore is skipped: the file
/// ends long before the list does.
#[test]
fn a_list_without_end_in_a_page_header_ends_with_the_file() {
    let folder = TempDir::new().unwrap();
    let mut read = 0;
    for (name, mut bytes) in every_container().into_iter().filter(|(_, bytes)| bytes.starts_with(b"PAR1")) {
        let file = SerializedFileReader::new(bytes::Bytes::from(bytes.clone())).unwrap();
        for column in file.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns) {
            let first = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let first = usize::try_from(first).unwrap();
            // A field of type list, its length, and numbers of eight bytes.
            bytes[first..first + 7].copy_from_slice(&[0xf9, 0xf7, 0xff, 0xff, 0xff, 0xff, 0x07]);
        }
        let started = Instant::now();
        let all = collect(&write(&folder, "file", &bytes), &ReadOptions::default());
        assert!(started.elapsed() < Duration::from_secs(5), "{name}: {:?}", started.elapsed());
        assert!(all.flows.len() <= 200, "{name}");
        read += 1;
    }
    assert!(read > 0);
}

/// A header and then this byte for 200 MB, as gzip.
fn bomb(start: &str, byte: u8) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(start.as_bytes()).unwrap();
    let block = vec![byte; 1 << 20];
    for _ in 0..200 {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn bombs_are_read_fast() {
    let header = format!("{HEADER}\n");
    let quote = "\"interface_id\",\"srcaddr\",\"dstaddr\",\"protocol\",\"action\"\n\"".to_owned();
    let cases = [
        ("newlines", header.clone(), b'\n', ""),
        ("one line", header.clone(), b'x', ""),
        ("spaces", header, b' ', ""),
        ("newlines only", String::new(), b'\n', ""),
        ("letters only", String::new(), b'x', "not a flow log"),
        ("zeros only", String::new(), b'\0', "binary"),
        ("JSON string", r#"{"events":[{"message":""#.to_owned(), b'x', "longer than 1 MiB"),
        ("JSON number", r#"{"events":[{"timestamp":1"#.to_owned(), b'1', "longer than 1 MiB"),
        ("JSON nesting", r#"{"events":[{"x":"#.to_owned(), b'[', "nested too deeply"),
        ("open quote", quote, b'x', "longer than 1 MiB"),
    ];
    for (name, start, byte, expected) in cases {
        let started = Instant::now();
        let all = collect_bytes(&bomb(&start, byte));
        assert!(started.elapsed() < Duration::from_secs(20), "{name}: {:?}", started.elapsed());
        assert_eq!(all.why().is_empty(), expected.is_empty(), "{name}: {:?}", all.failure);
        assert!(all.why().contains(expected), "{name}: {:?}", all.failure);
        assert!(all.faults.len() <= 1, "{name}");
        if let [(fault, _)] = all.faults[..] {
            assert_eq!(fault, RowFault::TooLong, "{name}");
        }
    }
}
