//! Cutting a file into parts changes nothing.

use flowaudit::ingest::{Part, ReadOptions, Split, plan};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::*;

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        10 => proptest::sample::select(ROWS.to_vec()).prop_map(str::to_owned),
        2 => Just(String::new()),
        1 => Just(HEADER.to_owned()),
        2 => "[ -~]{0,30}".prop_filter("no layout", |line| !line.contains("-id")),
        1 => Just("2 3".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_size_of_part_gives_the_same(
        lines in proptest::collection::vec(line(), 0..30),
        part_bytes in 1_u64..600,
        mark in any::<bool>(),
        header in any::<bool>(),
        end in proptest::sample::select(vec!["\n", "\r\n"]),
    ) {
        let first = if header { HEADER } else { ROWS[0] };
        let mark = if mark { "\u{feff}" } else { "" };
        let text = format!("{mark}{first}{end}{}", lines.join(end));
        let folder = TempDir::new().unwrap();
        let path = write(&folder, "flows", text.as_bytes());
        let whole = collect(&path, &ReadOptions { split: Split::Whole, ..ReadOptions::default() });
        let parts = collect(&path, &ReadOptions { part_bytes, ..ReadOptions::default() });
        prop_assert_eq!(&parts, &whole);
        prop_assert_eq!(whole.bytes, text.len() as u64);
    }
}

#[test]
fn lines_longer_than_a_part_belong_to_one_part() {
    let long = "x".repeat(1_200_000);
    let text = format!("{HEADER}\n{}\n{long}\n{}\n{long}", ROWS[0], ROWS[1]);
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "flows", text.as_bytes());
    let whole = collect(&path, &ReadOptions { split: Split::Whole, ..ReadOptions::default() });
    assert_eq!((whole.flows.len(), whole.faults.len()), (2, 2));
    for part_bytes in [100_000, 600_000, 1_000_000, 1_200_300, 3_000_000] {
        let parts = collect(&path, &ReadOptions { part_bytes, ..ReadOptions::default() });
        assert_eq!(parts, whole, "{part_bytes}");
    }
}

#[test]
fn a_changed_header_makes_the_file_be_read_whole() {
    let text = text() + "action protocol dstaddr srcaddr interface-id\nREJECT 17 10.0.0.2 10.0.0.1 eni-9\n";
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "flows", text.as_bytes());
    let whole = collect(&path, &ReadOptions { split: Split::Whole, ..ReadOptions::default() });
    assert_eq!(whole.flows.len(), 11);
    for part_bytes in [10, 100, 1000] {
        assert_eq!(
            collect(&path, &ReadOptions { part_bytes, ..ReadOptions::default() }),
            whole,
            "{part_bytes}"
        );
    }
}

#[test]
fn only_large_plain_text_is_cut() {
    let folder = TempDir::new().unwrap();
    let options = ReadOptions { part_bytes: 100, ..ReadOptions::default() };
    for (name, bytes) in every_container() {
        let parts = plan(&source(&write(&folder, "file", &bytes)), &options).unwrap();
        let cut = matches!(parts[0], Part::Bytes { .. });
        let plain = matches!(name, "text" | "text without a header" | "CloudWatch export" | "SLS lines");
        assert_eq!(cut, plain, "{name}: {parts:?}");
        let indices: Vec<u32> = parts.iter().map(Part::index).collect();
        assert_eq!(indices, (0..).take(parts.len()).collect::<Vec<u32>>(), "{name}");
    }
}
