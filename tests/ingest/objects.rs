//! Objects of a bucket say what the same bytes say on disk, and no more of them is fetched than is needed.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use flowaudit::ingest::object::{Fetch, Object};
use flowaudit::ingest::{ReadOptions, Source, Wanted};
use flowaudit::time::Window;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use crate::support::{Collected, HEADER, collect, collect_source, every_container, gzip, write};

/// An object in memory, of which all ranges that were fetched are known.
#[derive(Debug, Default)]
struct Memory {
    bytes: Bytes,
    fetched: Mutex<Vec<Range<u64>>>,
    /// What is asked for from here on is not to be had.
    breaks_at: Option<u64>,
}

impl Fetch for Memory {
    fn expect(&self, _: Range<u64>) {}
    fn forget(&self, _: Range<u64>) {}

    fn range(&self, range: Range<u64>) -> io::Result<Bytes> {
        assert!(range.start < range.end && range.end <= self.bytes.len() as u64, "{range:?}");
        if self.breaks_at.is_some_and(|at| range.end > at) {
            return Err(io::Error::other("the line is cut"));
        }
        self.fetched.lock().unwrap().push(range.clone());
        let at = |byte: u64| usize::try_from(byte).unwrap();
        Ok(self.bytes.slice(at(range.start)..at(range.end)))
    }
}

impl Memory {
    fn of(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self { bytes: Bytes::copy_from_slice(bytes), ..Self::default() })
    }

    fn source(self: &Arc<Self>, name: &str) -> Source {
        let fetch: Arc<dyn Fetch> = self.clone();
        Source::object(format!("s3://logs/{name}"), Object::new(fetch, self.bytes.len() as u64, None, 0))
    }

    fn fetched(&self) -> u64 {
        self.fetched.lock().unwrap().iter().map(|range| range.end - range.start).sum()
    }
}

fn small_parts() -> ReadOptions {
    ReadOptions { part_bytes: 300, ..ReadOptions::default() }
}

#[test]
fn every_container_says_the_same_from_a_bucket() {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in every_container() {
        let path = write(&folder, "file", &bytes);
        for options in [ReadOptions::default(), small_parts()] {
            let far = collect_source(&Memory::of(&bytes).source("file"), &options);
            assert_eq!(far, collect(&path, &options), "{name}");
        }
    }
}

/// Rows of a second each, from a time on.
fn rows(count: i64) -> Vec<String> {
    let row = |at: i64| {
        let (port, start) = (1024 + at % 60_000, 1_500_000_000 + at);
        format!(
            "2 123456789010 eni-0a{} 10.0.{}.{} 10.0.0.7 {port} 443 6 {} {at} {start} {} ACCEPT OK",
            at % 9,
            at % 250,
            at % 199,
            at % 7 + 1,
            start + 59
        )
    };
    (0..count).map(row).collect()
}

fn text(count: i64) -> String {
    format!("{HEADER}\n{}\n", rows(count).join("\n"))
}

#[test]
fn what_takes_several_ranges_says_the_same_in_any_parts() {
    let folder = TempDir::new().unwrap();
    let text = text(120_000);
    for (name, bytes) in [("log", text.clone().into_bytes()), ("log.gz", gzip(text.as_bytes()))] {
        let expected = collect(&write(&folder, name, &bytes), &ReadOptions::default());
        assert_eq!(expected.flows.len(), 120_000);
        for part_bytes in [32 << 20, 1 << 20] {
            let options = ReadOptions { part_bytes, ..ReadOptions::default() };
            let memory = Memory::of(&bytes);
            let far = collect_source(&memory.source(name), &options);
            assert_eq!((&far.flows, far.bytes), (&expected.flows, expected.bytes), "{name} {part_bytes}");
            // Its beginning, and little at the seams, is fetched twice.
            let parts = bytes.len() as u64 / part_bytes + 1;
            assert!(memory.fetched() <= bytes.len() as u64 + parts * (130 << 10), "{name} {part_bytes}");
        }
    }
}

/// The rows with a column that nobody needs and that takes most of the room.
fn table(count: i64, rows_per_group: usize) -> Vec<u8> {
    let rows = rows(count);
    let cells = |column: usize| rows.iter().map(move |row| row.split(' ').nth(column).unwrap());
    let mut arrays: Vec<(String, ArrayRef)> = Vec::new();
    for (column, name) in HEADER.split_whitespace().enumerate() {
        let array: ArrayRef = match name {
            "version" | "srcport" | "dstport" | "protocol" => {
                Arc::new(cells(column).map(|cell| cell.parse().ok()).collect::<Int32Array>())
            }
            "packets" | "bytes" | "start" | "end" => {
                Arc::new(cells(column).map(|cell| cell.parse().ok()).collect::<Int64Array>())
            }
            _ => Arc::new(cells(column).map(Some).collect::<StringArray>()),
        };
        arrays.push((name.replace('-', "_"), array));
    }
    let useless: StringArray = (0..count).map(|at| Some(format!("{at:0200}"))).collect();
    arrays.insert(5, ("az_id".to_owned(), Arc::new(useless)));
    let batch = RecordBatch::try_from_iter(arrays).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(rows_per_group)).build();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

#[test]
fn of_parquet_only_the_columns_and_row_groups_that_are_needed_are_fetched() {
    let folder = TempDir::new().unwrap();
    let bytes = table(60_000, 20_000);
    let path = write(&folder, "table.parquet", &bytes);
    assert!(bytes.len() > 12 << 20);
    let all = ReadOptions::default();
    let day = Window { since: Some(1_500_000_000 + 45_000), until: None };
    let last_group = ReadOptions { window: day, ..ReadOptions::default() };
    let wanted = Wanted { ports: vec![50_000..=50_001], ..Wanted::default() };
    let of_ports = ReadOptions { wanted: Some(wanted), ..ReadOptions::default() };
    let mut fetched = Vec::new();
    for (options, flows) in [(&all, 60_000), (&last_group, 20_000), (&of_ports, 20_000)] {
        let memory = Memory::of(&bytes);
        let far = collect_source(&memory.source("table.parquet"), options);
        assert_eq!(far, collect(&path, options));
        assert!(far.failure.is_none());
        assert_eq!(far.flows.len(), flows);
        fetched.push(memory.fetched());
    }
    assert!(fetched[0] < 4 << 20, "{fetched:?} of {}", bytes.len());
    assert!(fetched[1] < fetched[0] * 2 / 3, "{fetched:?}");
    assert_eq!(fetched[2], fetched[1], "{fetched:?}");
}

#[test]
fn what_came_before_a_break_is_read_and_the_break_is_told() {
    let bytes = text(120_000).into_bytes();
    let memory =
        Arc::new(Memory { bytes: bytes.clone().into(), breaks_at: Some(9 << 20), ..Memory::default() });
    let Collected { flows, failure, .. } = collect_source(&memory.source("log"), &ReadOptions::default());
    assert!((60_000..120_000).contains(&flows.len()), "{}", flows.len());
    assert_eq!(failure.unwrap().0, format!("reading: the line is cut after {} bytes", 8 << 20));
    let table = table(60_000, 20_000);
    let memory = Arc::new(Memory { bytes: table.into(), breaks_at: Some(0), ..Memory::default() });
    let Collected { flows, failure, .. } =
        collect_source(&memory.source("t.parquet"), &ReadOptions::default());
    assert_eq!((flows.len(), failure.unwrap().0), (0, "the line is cut".to_owned()));
}
