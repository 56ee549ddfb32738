//! Files that others wrote, with what their own tests say is in them. Skipped where they are not at hand.

use std::collections::BTreeMap;

use flowaudit::flow::Entry;
use flowaudit::ingest::Layout;
use flowaudit::ingest::ReadOptions;
use flowaudit::ingest::plain::{flow_of, read_fields};
use serde_json::Value;

use crate::shared::shared;
use crate::support::collect;

#[test]
fn fields_are_those_that_flowlogs_reader_expects() {
    let Some(folder) = shared("data/flowlogs-reader") else { return };
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let cases = [
        ("v3_file.log", "test_serial"),
        ("v4_file.log", "test_serial_v4"),
        ("v5_file.log", "test_serial_v5"),
        ("v6_file.log", "test_serial_v6"),
        ("flows.parquet", "test_serial_parquet"),
    ];
    for (file, test) in cases {
        let rows = read_fields(&folder.join(file)).unwrap();
        let rows: Vec<BTreeMap<String, String>> = rows
            .into_iter()
            .map(|row| row.into_iter().map(|(name, value)| (name.replace('-', "_"), value)).collect())
            .collect();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let expected: Vec<BTreeMap<String, String>> = expected[test]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                row.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
            })
            .collect();
        assert_eq!(rows, expected, "{file}");
    }
}

#[test]
fn flows_are_those_of_the_slow_reading() {
    let Some(folder) = shared("data/flowlogs-reader") else { return };
    for (file, faults) in [("v2_records.log", 0), ("v2_millisecond_timestamps.log", 0), ("v5_file.log", 1)] {
        let path = folder.join(file);
        let all = collect(&path, &ReadOptions::default());
        let text = std::fs::read_to_string(path).unwrap();
        let first = text.lines().next().unwrap();
        let layout = Layout::from_header(first.as_bytes()).unwrap_or_else(Layout::default_format);
        let slow: Vec<_> = text.lines().filter_map(|line| flow_of(&layout, line).ok()).collect();
        assert_eq!(all.flows, slow, "{file}");
        assert_eq!((all.failure, all.faults.len()), (None, faults), "{file}");
    }
    let all = collect(&folder.join("v2_millisecond_timestamps.log"), &ReadOptions::default());
    assert_eq!((all.flows[0].start, all.flows[0].entry), (Some(1_512_564_058), Entry::SkipData));
}

#[test]
fn parquet_that_aws_did_not_write_is_read() {
    let Some(folder) = shared("data/flowlogs-reader") else { return };
    let all = collect(&folder.join("flows.parquet"), &ReadOptions::default());
    assert_eq!((all.failure.as_ref(), all.faults.as_slice()), (None, [].as_slice()));
    let ids: Vec<&[u8]> = all.flows.iter().map(|flow| flow.interface_id.as_slice()).collect();
    assert_eq!(ids, [b"eni-102010ab".as_slice(), b"eni-202010ab", b"eni-202010ab"]);
    let Entry::Traffic(traffic) = all.flows[0].entry else { panic!("{:?}", all.flows) };
    assert_eq!((traffic.srcport, traffic.dstport, traffic.bytes), (443, 49_152, 840));
    assert_eq!((all.flows[1].entry, all.flows[2].entry), (Entry::NoData, Entry::NoData));
}

#[test]
fn logs_that_cannot_be_joined_say_so() {
    let Some(folder) = shared("data/flowlogs-reader") else { return };
    let cases = [
        ("v3_file.log", "no column interface-id, action"),
        ("v4_file.log", "no column interface-id, action"),
        ("v6_file.log", "transit gateway"),
    ];
    for (file, expected) in cases {
        let all = collect(&folder.join(file), &ReadOptions::default());
        assert!(all.why().contains(expected), "{file}: {:?}", all.failure);
    }
}
