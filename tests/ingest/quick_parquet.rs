//! Parquet read the quick way and the slow way: the same records in the same order.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, UInt16Array};
use flowaudit::flow::{Flow, InterfaceHandle, OwnedFlow, V4Flow, V4Record};
use flowaudit::ingest::plain::flow_of;
use flowaudit::ingest::{Layout, Misread, Part, Place, ReadOptions, Sink, read};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{WriterProperties, WriterVersion};
use proptest::prelude::*;
use tempfile::TempDir;

use flowaudit::time::Window;

use crate::support::{source, write};

/// Everything in order, whichever way it came.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Both {
    /// Interface and record of those that qualify, and the others whole.
    pub(crate) entries: Vec<Entry>,
    pub(crate) interfaces: Vec<Vec<u8>>,
    /// Whether this sink names interfaces; those that end in `x` it never does.
    pub(crate) names: bool,
    pub(crate) quick: usize,
    pub(crate) outside: u64,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Entry {
    Quick(Vec<u8>, V4Flow),
    Slow(OwnedFlow),
    Fault(Misread, Place),
}

impl Sink for Both {
    fn flow(&mut self, flow: &Flow<'_>) {
        self.entries.push(match V4Flow::of(flow) {
            Some(v4) => Entry::Quick(flow.interface_id.to_vec(), v4),
            None => Entry::Slow(flow.into()),
        });
    }
    fn interface(&mut self, id: &[u8]) -> Option<InterfaceHandle> {
        if !self.names || id.ends_with(b"x") {
            return None;
        }
        let known = self.interfaces.iter().position(|known| known == id).unwrap_or_else(|| {
            self.interfaces.push(id.to_vec());
            self.interfaces.len() - 1
        });
        Some(InterfaceHandle(known.try_into().unwrap()))
    }
    fn v4(&mut self, records: &[V4Record]) {
        self.quick += records.len();
        for V4Record { interface, flow } in records {
            self.entries.push(Entry::Quick(self.interfaces[interface.0 as usize].clone(), *flow));
        }
    }
    fn fault(&mut self, misread: Misread, place: Place) {
        self.entries.push(Entry::Fault(misread, place));
    }
    fn outside(&mut self, rows: u64) {
        self.outside += rows;
    }
    fn consumed(&mut self, _: u64) {}
}

/// How a table is written.
#[derive(Debug, Clone, Copy)]
struct Writing {
    codec: Compression,
    version: WriterVersion,
    /// None: no dictionaries.
    dictionary_bytes: Option<usize>,
    encoding: Option<Encoding>,
    group: usize,
    page: usize,
    strings: bool,
    narrow: bool,
}

impl Default for Writing {
    fn default() -> Self {
        Self {
            codec: Compression::GZIP(parquet::basic::GzipLevel::default()),
            version: WriterVersion::PARQUET_1_0,
            dictionary_bytes: Some(1 << 20),
            encoding: None,
            group: 100_000,
            page: 20_000,
            strings: false,
            narrow: false,
        }
    }
}

const COLUMNS: &str = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status \
                       pkt-srcaddr flow-direction tcp-flags reject-reason";
type Row = Vec<Option<String>>;

fn table(rows: &[Row], writing: Writing) -> Vec<u8> {
    let column = |at: usize, name: &str| -> ArrayRef {
        let cells = || rows.iter().map(|row| row[at].as_deref());
        match name {
            _ if writing.strings => Arc::new(cells().collect::<StringArray>()),
            "srcport" | "dstport" if writing.narrow => {
                Arc::new(cells().map(|cell| cell?.parse().ok()).collect::<UInt16Array>())
            }
            "srcport" | "dstport" | "protocol" | "tcp-flags" => {
                Arc::new(cells().map(|cell| cell?.parse().ok()).collect::<Int32Array>())
            }
            "packets" | "bytes" | "start" | "end" => {
                Arc::new(cells().map(|cell| cell?.parse().ok()).collect::<Int64Array>())
            }
            _ => Arc::new(cells().collect::<StringArray>()),
        }
    };
    let columns =
        COLUMNS.split_whitespace().enumerate().map(|(at, name)| (name.replace('-', "_"), column(at, name)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut properties = WriterProperties::builder()
        .set_compression(writing.codec)
        .set_writer_version(writing.version)
        .set_dictionary_enabled(writing.dictionary_bytes.is_some())
        .set_dictionary_page_size_limit(writing.dictionary_bytes.unwrap_or(1))
        .set_max_row_group_row_count(Some(writing.group))
        .set_write_batch_size(50)
        .set_data_page_row_count_limit(writing.page);
    if let Some(encoding) = writing.encoding {
        properties = properties.set_encoding(encoding);
    }
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

/// What the slow and obvious reading makes of the rows.
fn expected(rows: &[Row]) -> Vec<Entry> {
    let layout = Layout::parse_format(COLUMNS).unwrap();
    let line = |row: &Row| {
        let cells = row
            .iter()
            .map(|cell| cell.as_deref().filter(|cell| !matches!(*cell, "" | "None")).unwrap_or("-"));
        cells.collect::<Vec<_>>().join(" ")
    };
    let entry = |(at, row): (u64, &Row)| match flow_of(&layout, &line(row)) {
        Err(fault) => Entry::Fault(fault, Place::Row(at)),
        Ok(flow) => match V4Flow::of(&flow.borrow()) {
            Some(v4) => Entry::Quick(flow.interface_id.clone(), v4),
            None => Entry::Slow(flow),
        },
    };
    (1..).zip(rows).map(entry).collect()
}

fn both(bytes: &[u8], names: bool) -> Both {
    let folder = TempDir::new().unwrap();
    let source = source(&write(&folder, "file", bytes));
    let mut sink = Both { names, ..Both::default() };
    read(&source, &Part::Whole, &ReadOptions::default(), &mut sink).unwrap();
    sink
}

fn check(rows: &[Row], writing: Writing) -> usize {
    let bytes = table(rows, writing);
    let expected = expected(rows);
    let (quick, slow) = (both(&bytes, true), both(&bytes, false));
    assert_eq!(slow.quick, 0);
    assert_eq!(quick.entries, expected, "{writing:?}");
    assert_eq!(slow.entries, expected, "{writing:?}");
    quick.quick
}

fn row(text: &str) -> Row {
    text.split(' ').map(|cell| (cell != "~").then(|| cell.to_owned())).collect()
}

fn many(count: u32) -> Vec<Row> {
    let one = |n: u32| {
        let (a, b) = (n % 251, n / 251 % 256);
        row(&format!(
            "eni-{} 10.{b}.{a}.1 203.0.{a}.{b} {} 443 6 {} {} {} {} {} OK {} {} {} -",
            n % 97,
            n % 65_536,
            n + 1,
            u64::from(n) * 1_000_003,
            1_700_000_000 + n / 7,
            1_700_000_060 + n / 5,
            if n.is_multiple_of(3) { "REJECT" } else { "ACCEPT" },
            if n.is_multiple_of(2) { "-" } else { "192.0.2.7" },
            ["ingress", "egress", "-"][n as usize % 3],
            n % 64,
        ))
    };
    (0..count).map(one).collect()
}

fn writings() -> Vec<Writing> {
    let base = Writing::default();
    let second = WriterVersion::PARQUET_2_0;
    let mut all = vec![
        base,
        Writing { dictionary_bytes: None, ..base },
        // Dictionaries that fill up in mid-column.
        Writing { dictionary_bytes: Some(200), page: 300, ..base },
        Writing { group: 3, ..base },
        Writing { page: 37, ..base },
        Writing { strings: true, ..base },
        Writing { strings: true, dictionary_bytes: None, ..base },
        Writing { narrow: true, ..base },
        Writing { codec: Compression::SNAPPY, dictionary_bytes: None, ..base },
        Writing { codec: Compression::UNCOMPRESSED, page: 100, ..base },
        // Encodings that only the slow reading knows.
        Writing { version: second, dictionary_bytes: Some(200), page: 300, ..base },
        Writing { version: second, dictionary_bytes: None, ..base },
    ];
    for codec in [base.codec, Compression::SNAPPY] {
        all.push(Writing { codec, version: second, ..base });
        all.push(Writing {
            codec,
            version: second,
            dictionary_bytes: None,
            encoding: Some(Encoding::PLAIN),
            ..base
        });
    }
    all
}

#[test]
fn the_commonest_rows_go_the_quick_way_however_they_are_written() {
    let rows = many(2000);
    for writing in writings() {
        let rows = if writing.group < 10 { &rows[..100] } else { &rows[..] };
        let quick = check(rows, writing);
        if writing.version == WriterVersion::PARQUET_1_0 || writing.encoding.is_some() {
            assert_eq!(quick, rows.len(), "{writing:?}");
        }
    }
}

#[test]
fn rows_of_all_kinds_among_each_other_mean_what_they_mean_in_text() {
    let odd = [
        "eni-1 ~ ~ ~ ~ ~ ~ ~ 1700000000 1700000060 - NODATA ~ ~ ~ ~",
        "eni-1 - - - - - - - 1700000000 1700000060 - SKIPDATA - - - -",
        "eni-1 2001:db8::1 2001:db8::2 1 2 6 3 4 1700000000 1700000060 ACCEPT OK - - 2 -",
        "eni-1 10.0.0.1 10.0.0.2 1 2 6 3 4 1700000000000 1700000060999 accept OK 2001:db8::9 INGRESS 300 -",
        "eni-1 10.0.0.1 10.0.0.2 ~ 2 1 ~ ~ 1700000000 1700000060 ACCEPT OK None ~ ~ None",
        "eni-1 10.0.0.1 10.0.0.2 5 2 17 ~ ~ 1700000000 ~ REJECT ~ None ~ 18 BPA",
        "eni-1 10.0.0.1 10.0.0.2 5 2 17 ~ ~ 1700000000 1700000001 REJECT ~ ~ ~ ~ other",
        "~ 10.0.0.1 10.0.0.2 5 2 17 1 1 1700000000 1700000001 REJECT OK ~ ~ ~ ~",
        "eni-x 10.0.0.1 10.0.0.2 5 2 17 1 1 1700000000 1700000001 REJECT OK ~ ~ ~ ~",
        "eni-1 10.0.0.01 10.0.0.2 5 2 17 1 1 1700000000 1700000001 REJECT OK ~ ~ ~ ~",
        "eni-1 10.0.0.1 10.0.0.2 5 2 17 1 1 1700000000 1700000001 DROP OK ~ ~ ~ ~",
        "eni-1 10.0.0.1 10.0.0.2 5 2 17 1 1 1700000000 1700000001 REJECT FINE ~ ~ ~ ~",
        "eni-1 10.0.0.1 10.0.0.2 5 2 17 1 1 253402300800 1700000001 REJECT OK ~ ~ ~ ~",
        "eni-1 10.0.0.1 10.0.0.2 5 2 256 1 1 1700000000 1700000001 REJECT OK ~ ~ ~ ~",
        "eni-1 10.0.0.1 10.0.0.2 5 2 6 1 1 1700000000 1700000001 REJECT OK ~ up 70000 ~",
        "eni-1 10.0.0.1 10.0.0.2 5 2 6 1 1 1700000000 1700000001 REJECT OK ~ ~ 70000 ~",
        "eni-1 10.0.0.1 ~ 5 2 6 1 1 ~ ~ REJECT OK ~ ~ 7 ~",
        "eni-1 10.0.0.1 10.0.0.3 5 2 6 9223372036854775807 1 ~ ~ REJECT OK ~ ~ 7 ~",
    ];
    let mut rows = many(1200);
    for (at, odd) in odd.iter().cycle().take(200).enumerate() {
        rows.insert(at * 7, row(odd));
    }
    for writing in writings() {
        let rows = if writing.group < 10 { &rows[..100] } else { &rows[..] };
        check(rows, Writing { narrow: false, ..writing });
    }
}

#[test]
fn row_groups_outside_the_window_are_not_read() {
    let rows = many(2000);
    let window = Window { since: Some(1_700_000_100), until: Some(1_700_000_200) };
    let options = ReadOptions { window, ..ReadOptions::default() };
    for writing in writings() {
        let folder = TempDir::new().unwrap();
        let writing = Writing { group: 300, ..writing };
        let source = source(&write(&folder, "file", &table(&rows, writing)));
        let mut sink = Both { names: true, ..Both::default() };
        read(&source, &Part::Whole, &options, &mut sink).unwrap();
        // Seven rows a second: 700 to 1400 are inside. Texts have no order that is that of times.
        let skipped = if writing.strings { 0 } else { 2 * 300 + 500 };
        assert_eq!(sink.outside, skipped, "{writing:?}");
        let read = if writing.strings { &rows[..] } else { &rows[600..1500] };
        assert_eq!(sink.entries.len(), read.len(), "{writing:?}");
        let starts_inside = |entry: &&Entry| match entry {
            Entry::Quick(_, flow) => !window.excludes(flow.start, flow.start),
            _ => false,
        };
        assert_eq!(sink.entries.iter().filter(starts_inside).count(), 700, "{writing:?}");
    }
    // A row without a start may have an end inside.
    let mut rows = many(30);
    rows[3][8] = None;
    let folder = TempDir::new().unwrap();
    let source = source(&write(&folder, "file", &table(&rows, Writing::default())));
    let mut sink = Both { names: true, ..Both::default() };
    read(&source, &Part::Whole, &options, &mut sink).unwrap();
    assert_eq!((sink.outside, sink.entries.len()), (0, 30));
}

#[test]
fn numbers_below_zero_and_ports_beyond_their_range_are_faults() {
    for (at, value) in [(3, "-1"), (4, "65536"), (5, "-6"), (6, "-1"), (8, "-1700000000")] {
        let mut rows = many(10);
        rows[4][at] = Some(value.to_owned());
        for dictionary_bytes in [None, Some(1000)] {
            assert_eq!(check(&rows, Writing { dictionary_bytes, ..Writing::default() }), 9, "{at}");
        }
    }
}

fn cell(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        8 => proptest::sample::select(values).prop_map(|value| Some(value.to_owned())),
        1 => Just(None),
        1 => proptest::sample::select(&["-", "None", ""][..]).prop_map(|value| Some(value.to_owned())),
    ]
}

fn any_row() -> impl Strategy<Value = Row> {
    let addresses =
        &["10.0.0.1", "203.0.113.255", "1.2.3.4", "0.0.0.0", "255.255.255.255", "::1", "1.2.3"][..];
    let times = &["1700000000", "1700000060", "0", "1700000060123", "253402300799", "253402300800"][..];
    let fields = vec![
        cell(&["eni-1", "eni-2", "eni-x"]).boxed(),
        cell(addresses).boxed(),
        cell(addresses).boxed(),
        cell(&["0", "22", "443", "65535", "65536"]).boxed(),
        cell(&["0", "22", "443", "65535"]).boxed(),
        cell(&["6", "6", "17", "1", "255", "256"]).boxed(),
        cell(&["1", "20", "9223372036854775807"]).boxed(),
        cell(&["40", "0", "1000000007"]).boxed(),
        cell(times).boxed(),
        cell(times).boxed(),
        cell(&["ACCEPT", "REJECT", "accept", "PASS"]).boxed(),
        cell(&["OK", "OK", "OK", "NODATA", "SKIPDATA", "ok"]).boxed(),
        cell(addresses).boxed(),
        cell(&["ingress", "egress", "Egress", "in"]).boxed(),
        cell(&["0", "2", "18", "256", "70000"]).boxed(),
        cell(&["BPA", "EC", "-", "-", "-"]).boxed(),
    ];
    fields
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_table_is_read_alike(
        rows in proptest::collection::vec(any_row(), 1..400),
        writing in proptest::sample::select(writings()),
    ) {
        check(&rows, Writing { narrow: false, ..writing });
    }
}
