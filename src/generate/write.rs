//! Records → the files of three flow logs of one VPC: plain text, gzip and Parquet, under the S3 keys AWS gives them.
//!
//! AWS delivers a file every five minutes; the sample has one per twelve hours, so that it stays a few dozen files.
//!
//! Bytes do not depend on the machine. gzip: zlib-rs takes vector instructions only for work that has one right answer
//! (match length, checksum, sliding the hash table); its hash is a fixed multiplication, unlike zlib-ng, which hashes
//! with a CRC instruction where there is one. The header has no time and no operating system. Parquet: snappy has no
//! code for special processors, and the writer's name is pinned.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Schema};
use chrono::DateTime;
use flate2::{Compression, GzBuilder};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

use super::account::{ACCOUNT_ID, Account, REGION};
use super::random::Random;
use super::traffic::{Event, Record};
use super::{END, START};
use crate::flow::{Action, Field, Seconds};

/// The fields of the flow logs, all of them of version 5 or older.
pub(crate) const FORMAT: [Field; 21] = [
    Field::Version,
    Field::AccountId,
    Field::InterfaceId,
    Field::Srcaddr,
    Field::Dstaddr,
    Field::Srcport,
    Field::Dstport,
    Field::Protocol,
    Field::Packets,
    Field::Bytes,
    Field::Start,
    Field::End,
    Field::Action,
    Field::LogStatus,
    Field::VpcId,
    Field::SubnetId,
    Field::InstanceId,
    Field::TcpFlags,
    Field::PktSrcaddr,
    Field::PktDstaddr,
    Field::FlowDirection,
];

/// How much time one file covers.
const WINDOW: Seconds = 12 * 3_600;

/// One value of a record.
enum Cell {
    Text(String),
    Number(i64),
    /// `-`
    Nothing,
}

/// Every file of the three logs: path and content.
pub(crate) fn logs(
    account: &Account,
    records: &[Record],
    seed: u64,
) -> Result<Vec<(PathBuf, Vec<u8>)>, io::Error> {
    let mut random = Random::new(seed, "files");
    let windows: Vec<(Seconds, Vec<&Record>)> = (START..END)
        .step_by(usize::try_from(WINDOW).unwrap_or(usize::MAX))
        .map(|from| (from, records.iter().filter(|one| (from..from + WINDOW).contains(&one.end)).collect()))
        .collect();

    let mut files = Vec::new();
    for (form, suffix, id) in [("text", "log", 0), ("gz", "log.gz", 1), ("parquet", "log.parquet", 2)] {
        for (from, records) in &windows {
            let content = match form {
                "text" => text(account, records).into_bytes(),
                "gz" => gzip(text(account, records).as_bytes())?,
                _ => parquet_file(account, records).map_err(io::Error::other)?,
            };
            files.push((path(form, &account.flow_logs[id], *from, &random.hex(8), suffix), content));
        }
    }
    Ok(files)
}

fn path(form: &str, flow_log: &str, from: Seconds, hash: &str, suffix: &str) -> PathBuf {
    let time = DateTime::from_timestamp(from, 0).unwrap_or_default();
    let (day, minute) = (time.format("%Y/%m/%d"), time.format("%Y%m%dT%H%MZ"));
    PathBuf::from(format!("{form}/AWSLogs/{ACCOUNT_ID}/vpcflowlogs/{REGION}/{day}"))
        .join(format!("{ACCOUNT_ID}_vpcflowlogs_{REGION}_{flow_log}_{minute}_{hash}.{suffix}"))
}

fn text(account: &Account, records: &[&Record]) -> String {
    let mut text = FORMAT.map(Field::name).join(" ");
    text.push('\n');
    for record in records {
        let cells = FORMAT.map(|field| match cell(account, record, field) {
            Cell::Text(text) => text,
            Cell::Number(number) => number.to_string(),
            Cell::Nothing => "-".to_owned(),
        });
        text.push_str(&cells.join(" "));
        text.push('\n');
    }
    text
}

pub(super) fn gzip(text: &[u8]) -> Result<Vec<u8>, io::Error> {
    // 255: unknown operating system.
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
    encoder.write_all(text)?;
    encoder.finish()
}

fn parquet_file(account: &Account, records: &[&Record]) -> Result<Vec<u8>, ParquetError> {
    let columns = FORMAT.map(|field| (field.name().replace('-', "_"), column(account, records, field)));
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, array)| arrow_schema::Field::new(name, array.data_type().clone(), true))
        .collect();
    let batch = batch(fields, columns.into_iter().map(|(_, array)| array).collect())?;
    packed(&batch, WriterProperties::builder().set_statistics_enabled(EnabledStatistics::Chunk))
}

/// A Parquet file of one row group. The clouds do not write with arrow; nor should its schema be in the file.
pub(super) fn packed(
    batch: &RecordBatch,
    properties: WriterPropertiesBuilder,
) -> Result<Vec<u8>, ParquetError> {
    let properties = properties
        .set_created_by("flowaudit generate".to_owned())
        .set_compression(parquet::basic::Compression::SNAPPY)
        .set_offset_index_disabled(true)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut content = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut content, batch.schema(), options)?;
    writer.write(batch)?;
    writer.close()?;
    Ok(content)
}

fn batch(fields: Vec<arrow_schema::Field>, arrays: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// Types of the columns: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>. `-` is null among
/// numbers and stays `-` among strings.
fn column(account: &Account, records: &[&Record], field: Field) -> ArrayRef {
    let cells = records.iter().map(|record| cell(account, record, field));
    match data_type(field) {
        DataType::Int32 => {
            let numbers = cells.map(|cell| number(&cell).and_then(|wide| i32::try_from(wide).ok()));
            Arc::new(numbers.collect::<Int32Array>())
        }
        DataType::Int64 => Arc::new(cells.map(|cell| number(&cell)).collect::<Int64Array>()),
        _ => Arc::new(StringArray::from_iter_values(cells.map(|cell| match cell {
            Cell::Text(text) => text,
            Cell::Number(_) | Cell::Nothing => "-".to_owned(),
        }))),
    }
}

fn number(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Number(number) => Some(*number),
        Cell::Text(_) | Cell::Nothing => None,
    }
}

fn data_type(field: Field) -> DataType {
    match field {
        Field::Version | Field::Srcport | Field::Dstport | Field::Protocol | Field::TcpFlags => {
            DataType::Int32
        }
        Field::Packets | Field::Bytes | Field::Start | Field::End => DataType::Int64,
        _ => DataType::Utf8,
    }
}

/// The value of one field, in records of every status.
fn cell(account: &Account, record: &Record, field: Field) -> Cell {
    let interface = account.host(record.host);
    let text = |text: &str| Cell::Text(text.to_owned());
    match field {
        Field::Version => Cell::Number(5),
        Field::AccountId => text(ACCOUNT_ID),
        Field::InterfaceId => text(&interface.id),
        Field::VpcId => text(&account.vpc_id),
        Field::SubnetId => text(&account.subnets[interface.subnet].id),
        Field::InstanceId => interface.instance_id.as_deref().map_or(Cell::Nothing, text),
        Field::Start => Cell::Number(record.start),
        Field::End => Cell::Number(record.end),
        Field::LogStatus => text(match record.event {
            Event::Packets(_) => "OK",
            Event::NoData => "NODATA",
            Event::SkipData => "SKIPDATA",
        }),
        _ => packet_cell(record, field),
    }
}

/// The value of a field that only records with packets have.
fn packet_cell(record: &Record, field: Field) -> Cell {
    let Event::Packets(packets) = &record.event else { return Cell::Nothing };
    match field {
        Field::Srcaddr => Cell::Text(packets.source.address.to_string()),
        Field::Dstaddr => Cell::Text(packets.destination.address.to_string()),
        Field::Srcport => Cell::Number(i64::from(packets.source.port)),
        Field::Dstport => Cell::Number(i64::from(packets.destination.port)),
        Field::Protocol => Cell::Number(i64::from(packets.protocol)),
        Field::Packets => Cell::Number(packets.volume.packets),
        Field::Bytes => Cell::Number(packets.volume.bytes),
        Field::Action => Cell::Text(
            match packets.action {
                Action::Accept => "ACCEPT",
                Action::Reject => "REJECT",
            }
            .to_owned(),
        ),
        Field::TcpFlags => Cell::Number(i64::from(packets.flags)),
        Field::PktSrcaddr => Cell::Text(packets.packet_source.to_string()),
        Field::PktDstaddr => Cell::Text(packets.packet_destination.to_string()),
        Field::FlowDirection => Cell::Text(packets.direction.as_str().to_owned()),
        _ => Cell::Nothing,
    }
}
