//! The slow and obvious reading of a row, kept for ever as the measure of the fast one.
//!
//! Nothing here is tuned and nothing is shared with [`super::text`] or `cells`: a mistake would have to be made
//! twice to go unseen.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field as Cell;

use super::{FileFailure, Layout, Misread, RowFault};
use crate::flow::{Action, Direction, Entry, Field, OwnedFlow, PortFields, RejectReason, Seconds, Traffic};

/// The fields of a row that have a value.
pub fn fields_of<'a>(layout: &Layout, line: &'a str) -> Result<Vec<(Field, &'a str)>, RowFault> {
    let values: Vec<&str> = line.split(|c: char| c <= ' ').filter(|value| !value.is_empty()).collect();
    if values.len() > layout.columns().len() {
        return Err(RowFault::TooManyFields);
    }
    if values.len() < layout.columns().len() {
        return Err(RowFault::TooFewFields);
    }
    let columns = layout.columns().iter().zip(values);
    let mut fields: Vec<(Field, &str)> = Vec::new();
    let mut seen = Vec::new();
    for (column, value) in columns {
        let Some(field) = *column else { continue };
        if !seen.contains(&field) && value != "-" {
            fields.push((field, value));
        }
        seen.push(field);
    }
    Ok(fields)
}

/// The flow that a row says.
pub fn flow_of(layout: &Layout, line: &str) -> Result<OwnedFlow, Misread> {
    if line.len() > 65536 {
        return Err(RowFault::TooLong.into());
    }
    let fields = fields_of(layout, line)?;
    let value = |field| fields.iter().find(|(known, _)| *known == field).map(|(_, value)| *value);
    let start = time_of(value(Field::Start), Field::Start)?;
    rest_of(start, &value).map_err(|fault| Misread { fault, start })
}

fn time_of(value: Option<&str>, field: Field) -> Result<Option<Seconds>, RowFault> {
    let Some(number) = whole(value).map_err(|()| RowFault::NotANumber(field))? else {
        return Ok(None);
    };
    let seconds =
        if (1_000_000_000_000..=9_999_999_999_999).contains(&number) { number / 1000 } else { number };
    if seconds > 253_402_300_799 { Err(RowFault::NotANumber(field)) } else { Ok(Some(seconds.cast_signed())) }
}

fn rest_of<'a>(
    start: Option<Seconds>,
    value: &dyn Fn(Field) -> Option<&'a str>,
) -> Result<OwnedFlow, RowFault> {
    let end = time_of(value(Field::End), Field::End)?;
    let is_empty = value(Field::Action).is_none() || value(Field::Srcaddr).is_none();
    let entry = match value(Field::LogStatus) {
        Some("NODATA") => Entry::NoData,
        Some("SKIPDATA") => Entry::SkipData,
        None if is_empty => Entry::NoData,
        None | Some("OK") => Entry::Traffic(traffic_of(value)?),
        Some(_) => return Err(RowFault::UnknownWord(Field::LogStatus)),
    };
    Ok(OwnedFlow {
        interface_id: value(Field::InterfaceId).unwrap_or("-").into(),
        account_id: value(Field::AccountId).unwrap_or("").into(),
        vpc_id: value(Field::VpcId).unwrap_or("").into(),
        start: start.or(end),
        end: end.or(start),
        entry,
    })
}

fn traffic_of<'a>(value: &dyn Fn(Field) -> Option<&'a str>) -> Result<Traffic, RowFault> {
    let number = |field, most: u64| match whole(value(field)) {
        Ok(number) if number.unwrap_or(0) <= most => Ok(number),
        _ => Err(RowFault::NotANumber(field)),
    };
    let address = |field| match value(field).map(str::parse::<IpAddr>) {
        None => Ok(None),
        Some(Ok(address)) => Ok(Some(address)),
        Some(Err(_)) => Err(RowFault::NotAnAddress(field)),
    };
    let action = match value(Field::Action).map(str::to_ascii_uppercase).as_deref() {
        None => return Err(RowFault::NoValue(Field::Action)),
        Some("ACCEPT") => Action::Accept,
        Some("REJECT") => Action::Reject,
        Some(_) => return Err(RowFault::UnknownWord(Field::Action)),
    };
    let direction = match value(Field::FlowDirection).map(str::to_ascii_lowercase).as_deref() {
        None => None,
        Some("ingress" | "in") => Some(Direction::Ingress),
        Some("egress" | "out") => Some(Direction::Egress),
        Some(_) => return Err(RowFault::UnknownWord(Field::FlowDirection)),
    };
    let protocol = number(Field::Protocol, 255)?.ok_or(RowFault::NoValue(Field::Protocol))?;
    Ok(Traffic {
        action,
        direction,
        protocol: narrow(protocol),
        srcaddr: address(Field::Srcaddr)?.ok_or(RowFault::NoValue(Field::Srcaddr))?,
        dstaddr: address(Field::Dstaddr)?.ok_or(RowFault::NoValue(Field::Dstaddr))?,
        pkt_srcaddr: address(Field::PktSrcaddr)?,
        pkt_dstaddr: address(Field::PktDstaddr)?,
        srcport: narrow(number(Field::Srcport, 65535)?.unwrap_or(0)),
        dstport: narrow(number(Field::Dstport, 65535)?.unwrap_or(0)),
        ports: match (value(Field::Srcport), value(Field::Dstport)) {
            (Some(_), Some(_)) => PortFields::Logged,
            _ => PortFields::Missing,
        },
        packets: number(Field::Packets, u64::MAX)?.unwrap_or(0),
        bytes: number(Field::Bytes, u64::MAX)?.unwrap_or(0),
        tcp_flags: match number(Field::TcpFlags, 65535) {
            Ok(Some(flags)) if protocol == 6 => Some(narrow(flags % 256)),
            _ => None,
        },
        reject_reason: match value(Field::RejectReason) {
            Some("BPA") => Some(RejectReason::BlockPublicAccess),
            Some("EC") => Some(RejectReason::EncryptionControl),
            _ => None,
        },
    })
}

fn whole(value: Option<&str>) -> Result<Option<u64>, ()> {
    match value {
        None => Ok(None),
        Some(text) if text.chars().all(|c| c.is_ascii_digit()) => text.parse().map(Some).map_err(|_| ()),
        Some(_) => Err(()),
    }
}

fn narrow<T: TryFrom<u64> + Default>(number: u64) -> T {
    number.try_into().unwrap_or_default()
}

/// Every column of every row of a text or Parquet file, as name and text, whatever the file logs. Values that stand
/// for nothing (`-`, null, `None`) and bad rows are left out. For comparison with what other tools read.
pub fn read_fields(path: &Path) -> Result<Vec<Vec<(String, String)>>, FileFailure> {
    let failure = |error: &dyn std::fmt::Display| FileFailure(error.to_string());
    let mut bytes = Vec::new();
    File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(|error| failure(&error))?;
    if bytes.starts_with(b"PAR1") {
        let reader = File::open(path).map_err(|error| failure(&error))?;
        let reader = SerializedFileReader::new(reader).map_err(|error| failure(&error))?;
        let rows = reader.get_row_iter(None).map_err(|error| failure(&error))?;
        return rows.map(|row| row.map(|row| cells_of(&row)).map_err(|error| failure(&error))).collect();
    }
    if bytes.starts_with(b"\x1f\x8b") {
        let mut text = Vec::new();
        flate2::read::MultiGzDecoder::new(&bytes[..])
            .read_to_end(&mut text)
            .map_err(|error| failure(&error))?;
        bytes = text;
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut names: Vec<String> =
        Layout::default_format().columns().iter().flatten().map(|field| field.name().to_owned()).collect();
    let mut rows = Vec::new();
    for line in text.lines() {
        let values: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if Layout::from_header(line.as_bytes()).is_some() {
            names = values;
        } else if values.len() == names.len() {
            let row = names.iter().cloned().zip(values);
            rows.push(row.filter(|(_, value)| value != "-").collect());
        }
    }
    Ok(rows)
}

fn cells_of(row: &parquet::record::Row) -> Vec<(String, String)> {
    let mut cells = Vec::new();
    for (name, cell) in row.get_column_iter() {
        let text = match cell {
            Cell::Null => continue,
            Cell::Str(text) => text.clone(),
            Cell::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned(),
            other => other.to_string(),
        };
        if !matches!(text.as_str(), "" | "-" | "None") {
            cells.push((name.clone(), text));
        }
    }
    cells
}
