//! Flow logs: JSON lines, CSV, Parquet and console exports say the same.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use crate::fixture::{T0, gzip};
use crate::kit::{basic, fixture, line, record};

const FLOWS: [&str; 5] = [
    "eni-1 in 203.0.113.9 10.0.0.5 50123 22 6 ACCEPT 26",
    "eni-1 out 10.0.0.5 203.0.113.9 22 50123 6 ACCEPT 27",
    "eni-1 in 203.0.113.9 10.0.0.5 50124 23 6 REJECT 2",
    "eni-1 out 10.0.0.5 198.51.100.7 40000 443 6 ACCEPT 2",
    "eni-1 in 10.0.0.6 10.0.0.5 0 0 1 ACCEPT",
];

fn groups() -> [crate::kit::Group; 1] {
    [basic("sg-1", &["ingress Accept 1 TCP 22/22 0.0.0.0/0", "ingress Accept 1 ICMP -1/-1 10.0.0.0/8"])]
}

/// The report of the same records in a file of these bytes.
fn report(name: &str, bytes: impl AsRef<[u8]>) -> Value {
    let fixture = fixture(&groups(), &["eni-1 10.0.0.5 sg-1"]);
    fixture.write(name, bytes);
    let run = fixture.analyze(&[name, "--snapshot", "snap"]).exit(0);
    assert_eq!(run.records("total"), 5, "{name}");
    run.apart_from_files()
}

fn expected() -> Value {
    report("log", FLOWS.map(line).join("\n"))
}

#[test]
fn json_lines_with_text_for_every_value() {
    let fixture = fixture(&groups(), &["eni-1 10.0.0.5 sg-1"]);
    fixture.write("log.json", FLOWS.map(line).join("\n"));
    let run = fixture.analyze(&["log.json", "--snapshot", "snap"]).exit(0);
    assert_eq!((run.records("accepted"), run.records("rejected")), (4, 1));
    assert_eq!(run.usage("sg-1:ingress:tcp:22-22:0.0.0.0/0:1:allow", "records"), 1);
    assert_eq!(run.usage("sg-1:ingress:tcp:22-22:0.0.0.0/0:1:allow", "reply_records"), 1);
    assert_eq!(run.blocked(), ["eni-1 ingress tcp 23 security_group 1"]);
    assert_eq!(run.outcome("unexplained"), 0);
}

#[test]
fn json_may_be_packed_be_a_list_or_have_numbers() {
    let want = expected();
    let lines = FLOWS.map(line).join("\n");
    assert_eq!(report("log.gz", gzip(lines.as_bytes())), want);
    let records = FLOWS.map(|flow| record(T0, flow));
    assert_eq!(report("list.json", json!(records).to_string()), want);
    let with_numbers = records.clone().map(|mut record| {
        for key in ["srcport", "dstport", "protocol", "packets", "bytes", "start", "end"] {
            record[key] = record[key].as_str().unwrap().parse::<u64>().unwrap().into();
        }
        record.to_string()
    });
    assert_eq!(report("numbers.json", with_numbers.join("\n")), want);
    let without_metadata = records.map(|mut record| {
        record.as_object_mut().unwrap().retain(|key, _| !key.starts_with("__"));
        record.to_string()
    });
    assert_eq!(report("bare.json", without_metadata.join("")), want);
}

/// The columns in an order that is not that of the fields, and the values of each record.
fn table(path_name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let records = FLOWS.map(|flow| record(T0, flow));
    let mut names: Vec<String> = records[0].as_object().unwrap().keys().rev().cloned().collect();
    names.push("tcp-flags".to_owned());
    names.dedup();
    let rows = records.map(|record| {
        names.iter().map(|name| record[name.as_str()].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    });
    let names =
        names.iter().map(|name| if name == "traffic_path" { path_name.to_owned() } else { name.clone() });
    (names.collect(), rows.to_vec())
}

#[test]
fn csv_with_a_header_in_any_order() {
    for path_name in ["traffic_path", "TrafficPath", "rafficPath"] {
        let (names, rows) = table(path_name);
        let quoted =
            |cells: &[String]| cells.iter().map(|cell| format!("\"{cell}\"")).collect::<Vec<_>>().join(",");
        let plain = |cells: &[String]| cells.join(",");
        let text = |line: &dyn Fn(&[String]) -> String| {
            let rows: Vec<String> = rows.iter().map(|row| line(row)).collect();
            format!("{}\n{}\n", line(&names), rows.join("\n"))
        };
        assert_eq!(report("log.csv", text(&plain)), expected());
        assert_eq!(report("export.csv", text(&quoted)), expected());
        for mark in [";", "|"] {
            assert_eq!(report("log.csv", text(&|cells: &[String]| cells.join(mark))), expected(), "{mark}");
        }
    }
}

fn parquet(hyphens: bool, numbers: Option<&DataType>, compression: Compression) -> Vec<u8> {
    let (names, rows) = table("traffic_path");
    let wanted = ["srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "tcp-flags"];
    let columns = names.iter().enumerate().map(|(at, name)| {
        let cells = rows.iter().map(|row| row[at].as_str());
        let array: ArrayRef = match numbers {
            Some(DataType::Int32) if wanted.contains(&name.as_str()) => {
                Arc::new(cells.map(|cell| cell.parse::<i32>().ok()).collect::<Int32Array>())
            }
            Some(_) if wanted.contains(&name.as_str()) => {
                Arc::new(cells.map(|cell| cell.parse::<i64>().ok()).collect::<Int64Array>())
            }
            // A column without a value is null.
            _ => Arc::new(cells.map(|cell| (cell != "-").then_some(cell)).collect::<StringArray>()),
        };
        let name = if hyphens { name.clone() } else { name.replace('-', "_") };
        (Field::new(name, array.data_type().clone(), true), array)
    });
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn parquet_with_either_names_and_any_types() {
    let want = expected();
    let gzip = Compression::GZIP(GzipLevel::default());
    for (hyphens, numbers, compression) in [
        (true, None, Compression::SNAPPY),
        (false, None, gzip),
        (true, Some(DataType::Int64), Compression::SNAPPY),
        (false, Some(DataType::Int32), gzip),
    ] {
        assert_eq!(
            report("log.parquet", parquet(hyphens, numbers.as_ref(), compression)),
            want,
            "{hyphens} {numbers:?}"
        );
    }
}

#[test]
fn no_data_and_lost_data_are_counted() {
    let fixture = fixture(&groups(), &["eni-1 10.0.0.5 sg-1"]);
    let silent = |status: &str, dashes: bool| {
        let mut record = record(T0, "eni-1 in - - - - - -");
        record["log-status"] = json!(status);
        if dashes {
            record["direction"] = json!("-");
        } else {
            let keys = ["direction", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action"];
            record.as_object_mut().unwrap().retain(|key, _| !keys.contains(&key.as_str()));
        }
        record.to_string()
    };
    let lines = [silent("NODATA", true), silent("NODATA", false), silent("SKIPDATA", true)];
    fixture.write("log", lines.join("\n"));
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!((run.records("no_data"), run.records("skip_data"), run.records("malformed")), (2, 1, 0));
}

#[test]
fn what_cannot_be_joined_is_named_and_bad_rows_are_counted() {
    let fixture = fixture(&groups(), &["eni-1 10.0.0.5 sg-1"]);
    fixture.write("a.json", "{\"srcaddr\":\"10.0.0.1\",\"dstaddr\":\"10.0.0.2\",\"action\":\"ACCEPT\"}");
    let run = fixture.analyze(&["a.json", "--snapshot", "snap"]).exit(2);
    assert!(run.stderr.contains("interface-id") && run.stderr.contains("protocol"), "{}", run.stderr);
    fixture.write("b.json", "{\"hello\":\"world\",\"version\":\"1\"}");
    let run = fixture.analyze(&["b.json", "--snapshot", "snap"]).exit(2);
    assert!(run.stderr.contains("not flow-log events") && run.stderr.contains("hello"), "{}", run.stderr);
    let bad = line("eni-1 sideways 10.0.0.1 10.0.0.5 1 22 6 ACCEPT");
    fixture.write("c.json", [line(FLOWS[0]), bad, line(FLOWS[1])].join("\n"));
    let run = fixture.analyze(&["c.json", "--snapshot", "snap"]).exit(0);
    assert_eq!((run.records("total"), run.records("malformed")), (2, 1));
    assert_eq!(run.at("/coverage/faults/0/first/line"), 2);
}

#[test]
fn strange_records_are_bad_rows_wherever_they_stand() {
    let fixture = fixture(&groups(), &["eni-1 10.0.0.5 sg-1"]);
    let lacking = |key: &str| {
        let mut record = record(T0, FLOWS[0]);
        record.as_object_mut().unwrap().remove(key);
        record.to_string()
    };
    let strangers =
        [lacking("action"), lacking("eni-id"), "{\"__topic__\":\"other\",\"foo\":\"1\"}".to_owned()];
    let good = line(FLOWS[0]);
    let mut reports = Vec::new();
    for at in 0..=strangers.len() {
        let mut lines = strangers.to_vec();
        lines.insert(at, good.clone());
        fixture.write(&format!("{at}.json"), lines.join("\n"));
        let run = fixture.analyze(&[&format!("{at}.json"), "--snapshot", "snap"]).exit(0);
        assert_eq!((run.records("total"), run.records("malformed")), (1, 3), "{at}");
        reports.push(run.apart_from_files());
    }
    assert!(reports.windows(2).all(|pair| pair[0] == pair[1]));
    // Fields of any other name make no difference.
    let mut named = record(T0, FLOWS[0]);
    for key in ["message", "events", "results", "messageType"] {
        named[key] = json!("x");
    }
    let keys: Vec<String> =
        named.as_object().unwrap().iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    let last =
        |key: &&String| ["\"message", "\"events", "\"results"].iter().any(|name| key.starts_with(name));
    let (own, others): (Vec<&String>, Vec<&String>) = keys.iter().partition(|key| !last(key));
    let text = own.into_iter().chain(others).cloned().collect::<Vec<_>>().join(",");
    fixture.write("named.json", format!("{{{text}}}"));
    let run = fixture.analyze(&["named.json", "--snapshot", "snap"]).exit(0);
    assert_eq!((run.records("total"), run.records("malformed")), (1, 0));
}

#[test]
fn a_broken_line_costs_no_other_and_large_files_are_cut() {
    let fixture = fixture(&groups(), &["eni-1 10.0.0.5 sg-1"]);
    let good = line(FLOWS[0]);
    let lines = [good.as_str(), "{\"eni-id\":", "not JSON", "\u{fffd}", &good, "", &format!("{good}{good}")];
    fixture.write("log", lines.join("\r\n"));
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!((run.records("total"), run.records("malformed")), (4, 3));
    assert_eq!(run.at("/coverage/faults/0/reason"), "line is not a JSON object");
    assert_eq!(run.at("/coverage/faults/0/first/line"), 2);
    // So does the first line.
    for first in ["{\"eni-id\":", "cut off\"}", "{\"__time__\":\"1\"}"] {
        fixture.write("log", [first, &good, &good].join("\n"));
        let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
        assert_eq!((run.records("total"), run.records("malformed")), (2, 1), "{first}");
        assert_eq!(run.at("/coverage/faults/0/first/line"), 1);
    }
    // Larger than a part.
    let mut text = String::new();
    while text.len() < 40 << 20 {
        (0..1000).for_each(|_| text.extend([good.as_str(), "\n"]));
    }
    let count = text.lines().count() as u64;
    fixture.write("large", &text);
    let [one, two] = ["1", "2"]
        .map(|threads| fixture.analyze(&["large", "--snapshot", "snap", "--threads", threads]).exit(0));
    assert_eq!((one.records("total"), &one.json), (count, &two.json));
}

#[test]
fn snappy_as_one_block_or_in_frames() {
    use std::io::Write as _;
    let fixture = fixture(&groups(), &["eni-1 10.0.0.5 sg-1"]);
    let lines = FLOWS.map(line).join("\n");
    let block = snap::raw::Encoder::new().compress_vec(lines.as_bytes()).unwrap();
    let mut frames = snap::write::FrameEncoder::new(Vec::new());
    frames.write_all(lines.as_bytes()).unwrap();
    let frames = frames.into_inner().unwrap();
    for bytes in [&block, &frames] {
        assert_eq!(report("54_1453812893059571256_937.snappy", bytes), expected());
        let (cut, _) = bytes.split_at(bytes.len() - 5);
        fixture.write("cut.snappy", cut);
        let run = fixture.analyze(&["cut.snappy", "--snapshot", "snap"]);
        assert!(run.stderr.contains("snappy: "), "{}", run.stderr);
    }
    // A table.
    let table = table("traffic_path");
    let rows = std::iter::once(&table.0).chain(&table.1).map(|row| row.join(","));
    let rows = rows.collect::<Vec<_>>().join("\n");
    let block = snap::raw::Encoder::new().compress_vec(rows.as_bytes()).unwrap();
    assert_eq!(report("log.snappy", block), expected());
}

#[test]
fn an_event_may_name_what_records_have_too() {
    let fixture = fixture(&groups(), &["eni-1 10.0.0.5 sg-1"]);
    let message = "2 1 eni-1 203.0.113.9 10.0.0.5 50123 22 6 3 180 1767225600 1767225660 ACCEPT OK";
    let event = json!({ "interface_id": "eni-1", "action": "PUT", "message": message }).to_string();
    let events = json!({ "action": "PUT", "logEvents": [{ "message": message }] }).to_string();
    for text in [event, events] {
        fixture.write("log.json", [text.as_str(), &text].join("\n"));
        let run = fixture.analyze(&["log.json", "--snapshot", "snap"]).exit(0);
        assert_eq!((run.records("total"), run.records("malformed")), (2, 0), "{text}");
    }
}
