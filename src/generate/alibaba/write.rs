//! Records → what SLS delivers of a flow log to OSS: JSON lines, CSV and Parquet, each as it names its files.
//!
//! Source: <https://www.alibabacloud.com/help/en/sls/json-format-3>, <https://www.alibabacloud.com/help/en/sls/parquet-format-3>.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use chrono::DateTime;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use super::account::{ACCOUNT_ID, Account, REGION};
use super::traffic::Record;
use super::{END, START};
use crate::flow::{Action, Direction, Seconds};
use crate::generate::Content;
use crate::generate::random::Random;
use crate::generate::write::{gzip, packed};

/// The fields of a flow log.
///
/// Source: <https://www.alibabacloud.com/help/en/sls/vpc>.
const FIELDS: [&str; 20] = [
    "version",
    "account-id",
    "region",
    "vpc-id",
    "vswitch-id",
    "vm-id",
    "eni-id",
    "srcaddr",
    "srcport",
    "dstaddr",
    "dstport",
    "protocol",
    "direction",
    "packets",
    "bytes",
    "start",
    "end",
    "log-status",
    "action",
    "tcp-flags",
];
/// Fields that a table writes as numbers.
const NUMBERS: [&str; 8] =
    ["srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "tcp-flags"];

/// How much time one file covers.
const WINDOW: Seconds = 12 * 3_600;

/// Every file: path and content.
pub(super) fn logs(account: &Account, records: &[Record], seed: u64) -> Result<Vec<Content>, io::Error> {
    let mut random = Random::new(seed, "alibaba files");
    let mut files = Vec::new();
    for form in ["json", "csv", "parquet"] {
        let mut from = START;
        while from < END {
            let of_window = records.iter().filter(|one| (from..from + WINDOW).contains(&one.end));
            let rows: Vec<Vec<String>> = of_window.map(|record| row(account, record)).collect();
            let content = match form {
                "json" => gzip(&json_lines(&rows)?)?,
                "csv" => csv(&rows).into_bytes(),
                _ => parquet_file(&rows).map_err(io::Error::other)?,
            };
            let time = DateTime::from_timestamp(from, 0).unwrap_or_default().format("%Y/%m/%d/%H/%M");
            let ending = if form == "json" { "json.gz" } else { form };
            let id = random.between(100, 999);
            let name = format!("flow_log/{time}_{from}000{}_{id}.{ending}", random.hex(6));
            files.push((PathBuf::from(form).join(name), content));
            from += WINDOW;
        }
    }
    Ok(files)
}

/// The values of a record, in the order of the fields; all of them text, as SLS keeps them.
fn row(account: &Account, record: &Record) -> Vec<String> {
    let host = account.host(record.host);
    let value = |field: &str| -> String {
        match field {
            "version" => "1".to_owned(),
            "account-id" => ACCOUNT_ID.to_owned(),
            "region" => REGION.to_owned(),
            "vpc-id" => account.vpc_id.clone(),
            "vswitch-id" => account.vswitch_id.clone(),
            "vm-id" => host.instance_id.clone(),
            "eni-id" => host.id.clone(),
            "start" => record.start.to_string(),
            "end" => record.end.to_string(),
            "log-status" => if record.packets.is_some() { "OK" } else { "NODATA" }.to_owned(),
            _ => packet_value(record, field),
        }
    };
    FIELDS.iter().map(|field| value(field)).collect()
}

fn packet_value(record: &Record, field: &str) -> String {
    let Some(packets) = &record.packets else { return "-".to_owned() };
    match field {
        "srcaddr" => packets.source.0.to_string(),
        "srcport" => packets.source.1.to_string(),
        "dstaddr" => packets.destination.0.to_string(),
        "dstport" => packets.destination.1.to_string(),
        "protocol" => packets.protocol.to_string(),
        "direction" => if packets.direction == Direction::Ingress { "in" } else { "out" }.to_owned(),
        "packets" => packets.volume.0.to_string(),
        "bytes" => packets.volume.1.to_string(),
        "action" => if packets.action == Action::Accept { "ACCEPT" } else { "REJECT" }.to_owned(),
        _ => packets.flags.to_string(),
    }
}

fn json_lines(rows: &[Vec<String>]) -> Result<Vec<u8>, io::Error> {
    let mut lines = Vec::new();
    for row in rows {
        let mut object = Map::new();
        let end = FIELDS.iter().position(|field| *field == "end").and_then(|at| row.get(at));
        object.insert("__time__".to_owned(), Value::from(end.map_or("", String::as_str)));
        object.insert("__topic__".to_owned(), Value::from("flow_log"));
        object.insert("__source__".to_owned(), Value::from("100.64.0.1"));
        for (field, value) in FIELDS.iter().zip(row) {
            object.insert((*field).to_owned(), Value::from(value.as_str()));
        }
        serde_json::to_writer(&mut lines, &object)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// The columns in an order that somebody chose: SLS leaves it open.
fn csv(rows: &[Vec<String>]) -> String {
    let order: Vec<usize> = (0..FIELDS.len()).rev().collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<&str> = cells.collect();
        let _ = writeln!(text, "{}", cells.join(","));
    };
    line(&mut order.iter().map(|at| FIELDS[*at]));
    for row in rows {
        line(&mut order.iter().filter_map(|at| row.get(*at)).map(String::as_str));
    }
    text
}

fn parquet_file(rows: &[Vec<String>]) -> Result<Vec<u8>, ParquetError> {
    let column = |(at, name): (usize, &&str)| -> (Field, ArrayRef) {
        let cells = rows.iter().filter_map(|row| row.get(at));
        if NUMBERS.contains(name) {
            let numbers: Int64Array = cells.map(|cell| cell.parse::<i64>().ok()).collect();
            (Field::new(*name, DataType::Int64, true), Arc::new(numbers))
        } else {
            let texts: StringArray = cells.map(|cell| Some(cell.as_str())).collect();
            (Field::new(*name, DataType::Utf8, true), Arc::new(texts))
        }
    };
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = FIELDS.iter().enumerate().map(column).unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    packed(&batch, WriterProperties::builder())
}
