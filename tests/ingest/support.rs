//! A sink that keeps everything, and the same ten records in every container.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use flowaudit::flow::Flow;
use flowaudit::flow::OwnedFlow;
use flowaudit::ingest::plain::flow_of;
use flowaudit::ingest::{
    FileFailure, Layout, Misread, Part, Place, ReadOptions, RowFault, Sink, Source, find, plan, read,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression as Codec;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

/// Everything a file gave.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Collected {
    pub(crate) flows: Vec<OwnedFlow>,
    pub(crate) faults: Vec<(RowFault, Place)>,
    pub(crate) outside: u64,
    pub(crate) bytes: u64,
    pub(crate) failure: Option<FileFailure>,
    pub(crate) places: u64,
}

impl Sink for Collected {
    fn flow(&mut self, flow: &Flow<'_>) {
        self.flows.push(flow.into());
    }
    fn fault(&mut self, Misread { fault, .. }: Misread, place: Place) {
        let place = match place {
            Place::Line(line) => Place::Line(line + self.places),
            Place::Row(row) => Place::Row(row + self.places),
        };
        self.faults.push((fault, place));
    }
    fn outside(&mut self, rows: u64) {
        self.outside += rows;
    }
    fn consumed(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

impl Collected {
    pub(crate) fn why(&self) -> &str {
        self.failure.as_ref().map_or("", |failure| &failure.0)
    }
}

pub(crate) fn source(path: &Path) -> Source {
    find(&[path.to_string_lossy().into_owned()]).unwrap().sources.remove(0)
}

/// Reads a file as the product does: planned, part by part, again as a whole if its layout changes.
pub(crate) fn collect(path: &Path, options: &ReadOptions) -> Collected {
    collect_source(&source(path), options)
}

pub(crate) fn collect_source(source: &Source, options: &ReadOptions) -> Collected {
    let mut all = Collected::default();
    let parts = match plan(source, options) {
        Ok(parts) => parts,
        Err(failure) => return Collected { failure: Some(failure), ..all },
    };
    for part in &parts {
        match read(source, part, options, &mut all) {
            Ok(summary) if summary.layout_changed => return whole(source, options),
            Ok(summary) => all.places += summary.places,
            Err(failure) => all.failure = Some(failure),
        }
    }
    all
}

pub(crate) fn whole(source: &Source, options: &ReadOptions) -> Collected {
    let mut all = Collected::default();
    match read(source, &Part::Whole, options, &mut all) {
        Ok(summary) => all.places = summary.places,
        Err(failure) => all.failure = Some(failure),
    }
    all
}

/// Reads these bytes as a file.
pub(crate) fn collect_bytes(bytes: &[u8]) -> Collected {
    let folder = TempDir::new().unwrap();
    collect(&write(&folder, "file", bytes), &ReadOptions::default())
}

pub(crate) fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

pub(crate) fn fields(format: &str) -> ReadOptions {
    ReadOptions { fields: Some(Layout::parse_format(format).unwrap()), ..ReadOptions::default() }
}

pub(crate) const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                          start end action log-status";

pub(crate) const ROWS: [&str; 10] = [
    "2 123456789010 eni-0a1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
    "2 123456789010 eni-0a1 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK",
    "2 123456789010 eni-0a2 - - - - - - - 1431280876 1431280934 - NODATA",
    "2 123456789010 eni-0a3 - - - - - - - 1431280876 1431280934 - SKIPDATA",
    "2 012345678901 eni-0a4 2001:db8:1234:a100::1 2001:db8::2 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK",
    "2 unknown eni-0a5 10.0.0.62 52.213.180.42 43638 5001 17 4 552 1566848875 1566848933 ACCEPT OK",
    "2 123456789010 eni-0a6 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK",
    "2 123456789010 - 10.0.0.1 10.0.0.2 443 65535 6 1 40 1432917027 1432917142 ACCEPT OK",
    "2 123456789010 eni-0a7 10.0.0.1 10.0.0.2 443 80 6 1 40 1432917027000 1432917142999 ACCEPT OK",
    "2 123456789010 eni-0a8 ::ffff:10.0.0.1 10.0.0.2 443 80 255 9223372036854775807 40 0 0 ACCEPT OK",
];

/// What the rows say, by the slow reading.
pub(crate) fn expected() -> Vec<OwnedFlow> {
    ROWS.iter().map(|row| flow_of(&Layout::default_format(), row).unwrap()).collect()
}

pub(crate) fn text() -> String {
    format!("{HEADER}\n{}\n", ROWS.join("\n"))
}

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn members() -> Vec<u8> {
    let text = text();
    let (first, second) = text.as_bytes().split_at(text.len() / 3);
    [gzip(first), gzip(second), gzip(b"")].concat()
}

pub(crate) fn export() -> String {
    ROWS.iter().map(|row| format!("2018-08-22T08:15:50.000Z {row}\n")).collect()
}

pub(crate) fn events() -> String {
    let event =
        |row: &&str| format!(r#"{{"logStreamName":"s","timestamp":1,"message":"{row}","eventId":"1"}}"#);
    let events: Vec<String> = ROWS.iter().map(event).collect();
    format!(
        r#"{{"events":[{}],"searchedLogStreams":[{{"a":[1,2]}}],"nextToken":"x\"}}"}}"#,
        events.join(", ")
    )
}

pub(crate) fn firehose(between: &str) -> String {
    ROWS.iter().map(|row| format!("{{\"message\":\"{row}\"}}{between}")).collect()
}

pub(crate) fn subscription() -> String {
    let control =
        r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","message":"CWL CONTROL MESSAGE: x"}]}"#;
    let batch = |rows: &[&str]| {
        let events: Vec<String> =
            rows.iter().map(|row| format!(r#"{{"id":"1","message":"{row}"}}"#)).collect();
        format!(
            r#"{{"messageType":"DATA_MESSAGE","owner":"1","subscriptionFilters":["a"],"logEvents":[{}]}}"#,
            events.join(",")
        )
    };
    [control.to_owned(), batch(&ROWS[..4]), batch(&ROWS[4..])].concat()
}

pub(crate) fn insights_json() -> String {
    let row = |row: &&str| {
        format!(r#"[{{"field":"@timestamp","value":"t"}},{{"field":"@message","value":"{row}"}}]"#)
    };
    let rows: Vec<String> = ROWS.iter().map(row).collect();
    format!(
        r#"{{"results":[{}],"statistics":{{"recordsMatched":10.0}},"status":"Complete"}}"#,
        rows.join(",")
    )
}

fn columns() -> Vec<&'static str> {
    HEADER.split_whitespace().collect()
}

pub(crate) fn athena() -> String {
    let header: Vec<String> =
        columns().iter().map(|name| format!("\"{}\"", name.replace('-', "_"))).collect();
    let mut table = header.join(",") + "\n";
    for row in ROWS {
        let cells =
            row.split(' ').map(|cell| if cell == "-" { String::new() } else { format!("\"{cell}\"") });
        table += &(cells.collect::<Vec<_>>().join(",") + "\n");
    }
    table
}

pub(crate) fn insights_messages() -> String {
    let row = |row: &&str| format!("2021-08-11 09:29:13.095,{row}\n");
    "@timestamp,@message\n".to_owned() + &ROWS.iter().map(row).collect::<String>()
}

pub(crate) fn insights_fields() -> String {
    let header = "@timestamp,version,accountId,interfaceId,srcAddr,dstAddr,srcPort,dstPort,protocol,packets,bytes,\
                  startTime,endTime,action,logStatus\r\n";
    let row = |row: &&str| format!("2021-08-11 09:29:13.095,{}\r\n", row.replace(' ', ","));
    header.to_owned() + &ROWS.iter().map(row).collect::<String>()
}

/// How a Parquet file holds numbers and what it says for no value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Types {
    Native,
    Wide,
    Strings,
    Words,
}

pub(crate) fn parquet(codec: Codec, types: Types, rows_per_group: usize) -> Vec<u8> {
    let cells: Vec<Vec<Option<&str>>> = (0..14)
        .map(|column| {
            let values = ROWS.iter().map(|row| row.split(' ').nth(column).unwrap());
            values.map(|value| (value != "-").then_some(value)).collect()
        })
        .collect();
    let numeric = |name: &str| {
        matches!(name, "version" | "srcport" | "dstport" | "protocol" | "packets" | "bytes" | "start" | "end")
    };
    let narrow = |name: &str| matches!(name, "version" | "srcport" | "dstport" | "protocol");
    let arrays = columns().into_iter().zip(cells).map(|(name, cells)| {
        let array: ArrayRef = match types {
            Types::Native if narrow(name) => Arc::new(
                cells.iter().map(|cell| cell.map(|cell| cell.parse().unwrap())).collect::<Int32Array>(),
            ),
            Types::Native | Types::Wide if numeric(name) => Arc::new(
                cells.iter().map(|cell| cell.map(|cell| cell.parse().unwrap())).collect::<Int64Array>(),
            ),
            Types::Native => Arc::new(cells.iter().map(|cell| cell.or(Some("-"))).collect::<StringArray>()),
            Types::Words => Arc::new(cells.iter().map(|cell| cell.or(Some("None"))).collect::<StringArray>()),
            Types::Wide | Types::Strings => Arc::new(cells.into_iter().collect::<StringArray>()),
        };
        (name.replace('-', "_"), array)
    });
    let batch = RecordBatch::try_from_iter(arrays).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_max_row_group_row_count(Some(rows_per_group))
        .build();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

/// The records in every container, by name.
/// The rows as SLS of Alibaba Cloud writes records: by its names, each value a string.
pub(crate) fn sls() -> Vec<String> {
    let line = |row: &&str| {
        let mut object = serde_json::Map::new();
        object.insert("__time__".to_owned(), "1".into());
        for (name, value) in HEADER.split(' ').zip(row.split(' ')) {
            let name = if name == "interface-id" { "eni-id" } else { name };
            object.insert(name.to_owned(), value.into());
        }
        serde_json::Value::Object(object).to_string()
    };
    ROWS.iter().map(line).collect()
}

pub(crate) fn every_container() -> Vec<(&'static str, Vec<u8>)> {
    let gz = Codec::GZIP(parquet::basic::GzipLevel::default());
    let zstd = Codec::ZSTD(parquet::basic::ZstdLevel::default());
    vec![
        ("text", text().into_bytes()),
        ("text without a header", ROWS.join("\n").into_bytes()),
        ("gzip", gzip(text().as_bytes())),
        ("gzip of several members", members()),
        ("CloudWatch export", export().into_bytes()),
        ("CloudWatch export, gzip", gzip(export().as_bytes())),
        ("filter-log-events", events().into_bytes()),
        ("Firehose lines", firehose("\n").into_bytes()),
        ("Firehose, no newlines", firehose("").into_bytes()),
        ("subscription batches", gzip(subscription().as_bytes())),
        ("Logs Insights answer", insights_json().into_bytes()),
        ("SLS lines", sls().join("\n").into_bytes()),
        ("SLS lines, gzip", gzip(sls().join("\n").as_bytes())),
        ("SLS console", format!("[{}]", sls().join(",\n")).into_bytes()),
        ("Athena", athena().into_bytes()),
        ("Logs Insights messages", insights_messages().into_bytes()),
        ("Logs Insights fields", insights_fields().into_bytes()),
        ("Parquet", parquet(gz, Types::Native, 1000)),
        ("Parquet, row groups", parquet(Codec::SNAPPY, Types::Native, 3)),
        ("Parquet, wide numbers", parquet(zstd, Types::Wide, 1000)),
        ("Parquet, strings", parquet(Codec::LZ4_RAW, Types::Strings, 1000)),
        ("Parquet, None", parquet(Codec::UNCOMPRESSED, Types::Words, 1000)),
        ("Parquet, LZ4 of Hadoop", parquet(Codec::LZ4, Types::Native, 1000)),
    ]
}
