//! The meaning of a row: named cells → [`Flow`], or the one reason why not.
//!
//! Text, CSV, JSON and Parquet differ only in how a cell is found; everything a value may or may not be is decided
//! here, once, in a fixed order, so that the same row gives the same flow or the same fault whatever its container.
//! [`super::plain`] says the same in slow and obvious code, and tests hold the two together.

use std::net::{IpAddr, Ipv4Addr};

use super::{Misread, RowFault};
use crate::flow::{self, Action, Direction, Entry, Field, Flow, PortFields, RejectReason, Seconds, Traffic};

/// A cell read as an unsigned number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// No value.
    Absent,
    /// The number.
    Value(u64),
    /// Something that is no number of 64 bits.
    Bad,
}

/// The cells of one row by field. A cell without a value, and a field without a column, are None.
pub(super) trait Cells<'a> {
    /// The cell as text.
    fn text(&self, field: Field) -> Option<&'a [u8]>;

    /// The cell as a number.
    fn number(&self, field: Field) -> Number {
        self.text(field).map_or(Number::Absent, number)
    }
}

/// 9999-12-31T23:59:59Z.
pub(super) const LAST_SECOND: u64 = 253_402_300_799;
/// Numbers of 13 digits are milliseconds: seen in the wild, contrary to the documentation.
const MILLISECONDS: std::ops::Range<u64> = 1_000_000_000_000..10_000_000_000_000;

/// The flow these cells say.
#[inline]
pub(super) fn flow<'a>(cells: &impl Cells<'a>) -> Result<Flow<'a>, Misread> {
    let start = time(cells, Field::Start)?;
    flow_from(start, cells).map_err(|fault| Misread { fault, start })
}

#[inline]
fn flow_from<'a>(start: Option<Seconds>, cells: &impl Cells<'a>) -> Result<Flow<'a>, RowFault> {
    let end = time(cells, Field::End)?;
    let entry = match cells.text(Field::LogStatus) {
        Some(b"OK") => Entry::Traffic(traffic(cells)?),
        Some(b"NODATA") => Entry::NoData,
        Some(b"SKIPDATA") => Entry::SkipData,
        Some(_) => return Err(RowFault::UnknownWord(Field::LogStatus)),
        None if cells.text(Field::Action).is_none() || cells.text(Field::Srcaddr).is_none() => Entry::NoData,
        None => Entry::Traffic(traffic(cells)?),
    };
    Ok(Flow {
        interface_id: cells.text(Field::InterfaceId).unwrap_or(b"-"),
        account_id: cells.text(Field::AccountId).unwrap_or_default(),
        vpc_id: cells.text(Field::VpcId).unwrap_or_default(),
        start: start.or(end),
        end: end.or(start),
        entry,
    })
}

#[inline]
fn traffic<'a>(cells: &impl Cells<'a>) -> Result<Traffic, RowFault> {
    let action = match cells.text(Field::Action) {
        None => return Err(RowFault::NoValue(Field::Action)),
        Some(word) if word.eq_ignore_ascii_case(b"ACCEPT") => Action::Accept,
        Some(word) if word.eq_ignore_ascii_case(b"REJECT") => Action::Reject,
        Some(_) => return Err(RowFault::UnknownWord(Field::Action)),
    };
    let direction = match cells.text(Field::FlowDirection) {
        None => None,
        Some(word) if word.eq_ignore_ascii_case(b"ingress") => Some(Direction::Ingress),
        Some(word) if word.eq_ignore_ascii_case(b"egress") => Some(Direction::Egress),
        // The words of Alibaba Cloud.
        Some(word) if word.eq_ignore_ascii_case(b"in") => Some(Direction::Ingress),
        Some(word) if word.eq_ignore_ascii_case(b"out") => Some(Direction::Egress),
        Some(_) => return Err(RowFault::UnknownWord(Field::FlowDirection)),
    };
    let protocol = match cells.number(Field::Protocol) {
        Number::Absent => return Err(RowFault::NoValue(Field::Protocol)),
        Number::Value(value) => u8::try_from(value).map_err(|_| RowFault::NotANumber(Field::Protocol))?,
        Number::Bad => return Err(RowFault::NotANumber(Field::Protocol)),
    };
    let required = |field| optional_address(cells, field)?.ok_or(RowFault::NoValue(field));
    let (srcaddr, dstaddr) = (required(Field::Srcaddr)?, required(Field::Dstaddr)?);
    let pkt_srcaddr = optional_address(cells, Field::PktSrcaddr)?;
    let pkt_dstaddr = optional_address(cells, Field::PktDstaddr)?;
    let (srcport, dstport) = (port(cells, Field::Srcport)?, port(cells, Field::Dstport)?);
    // A port of 0 is rare enough to look twice.
    let missing = |number: u16, field| number == 0 && cells.number(field) == Number::Absent;
    let ports = if missing(srcport, Field::Srcport) || missing(dstport, Field::Dstport) {
        PortFields::Missing
    } else {
        PortFields::Logged
    };
    Ok(Traffic {
        action,
        direction,
        protocol,
        srcaddr,
        dstaddr,
        pkt_srcaddr,
        pkt_dstaddr,
        srcport,
        dstport,
        ports,
        packets: count(cells, Field::Packets)?,
        bytes: count(cells, Field::Bytes)?,
        tcp_flags: tcp_flags(cells, protocol),
        reject_reason: match cells.text(Field::RejectReason) {
            Some(b"BPA") => Some(RejectReason::BlockPublicAccess),
            Some(b"EC") => Some(RejectReason::EncryptionControl),
            _ => None,
        },
    })
}

#[inline]
fn time<'a>(cells: &impl Cells<'a>, field: Field) -> Result<Option<Seconds>, RowFault> {
    let value = match cells.number(field) {
        Number::Absent => return Ok(None),
        Number::Bad => return Err(RowFault::NotANumber(field)),
        Number::Value(value) => value,
    };
    seconds(value).map(Some).ok_or(RowFault::NotANumber(field))
}

/// The time that a number says.
#[inline]
pub(super) fn seconds(value: u64) -> Option<Seconds> {
    let seconds = if MILLISECONDS.contains(&value) { value / 1000 } else { value };
    (seconds <= LAST_SECOND).then(|| seconds.cast_signed())
}

#[inline]
fn port<'a>(cells: &impl Cells<'a>, field: Field) -> Result<u16, RowFault> {
    u16::try_from(count(cells, field)?).map_err(|_| RowFault::NotANumber(field))
}

#[inline]
fn count<'a>(cells: &impl Cells<'a>, field: Field) -> Result<u64, RowFault> {
    match cells.number(field) {
        Number::Absent => Ok(0),
        Number::Value(value) => Ok(value),
        Number::Bad => Err(RowFault::NotANumber(field)),
    }
}

#[inline]
fn tcp_flags<'a>(cells: &impl Cells<'a>, protocol: u8) -> Option<u8> {
    if protocol != flow::TCP {
        return None;
    }
    match cells.number(Field::TcpFlags) {
        // The header has nine flags; the eight that are known stand in the low byte.
        Number::Value(value) => u16::try_from(value).ok().map(|value| value.to_le_bytes()[0]),
        Number::Absent | Number::Bad => None,
    }
}

#[inline]
fn optional_address<'a>(cells: &impl Cells<'a>, field: Field) -> Result<Option<IpAddr>, RowFault> {
    match cells.text(field) {
        None => Ok(None),
        Some(text) => address(text).map(Some).ok_or(RowFault::NotAnAddress(field)),
    }
}

/// Decimal digits and nothing else, up to the largest number of 64 bits.
#[inline]
pub(super) fn number(text: &[u8]) -> Number {
    // 19 digits cannot overflow.
    if text.is_empty() || text.len() > 19 {
        return long_number(text);
    }
    let mut value = 0_u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Number::Bad;
        }
        value = value * 10 + u64::from(digit);
    }
    Number::Value(value)
}

#[cold]
fn long_number(text: &[u8]) -> Number {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Number::Bad;
    }
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).map_or(Number::Bad, Number::Value)
}

/// An IPv4 or IPv6 address as `std` reads it; an IPv4-mapped one stays IPv6.
#[inline]
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    match v4(text) {
        Some(address) => Some(IpAddr::V4(address)),
        None => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

/// An IPv4 address as `std` reads it.
#[inline]
pub(super) fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    if text.len() > 15 {
        return None;
    }
    let mut whole = 0_u32;
    let (mut octet, mut digits, mut dots) = (0_u32, 0, 0);
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            // A leading zero might mean octal: no two tools agree, so it is no address.
            if digits > 2 || (digits > 0 && octet == 0) {
                return None;
            }
            octet = octet * 10 + u32::from(digit);
            digits += 1;
        } else {
            if byte != b'.' || digits == 0 || octet > 255 || dots == 3 {
                return None;
            }
            whole = whole << 8 | octet;
            (octet, digits) = (0, 0);
            dots += 1;
        }
    }
    (dots == 3 && digits > 0 && octet <= 255).then(|| Ipv4Addr::from(whole << 8 | octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_only_and_of_64_bits() {
        let cases: [(&str, Number); 9] = [
            ("0", Number::Value(0)),
            ("0042", Number::Value(42)),
            ("18446744073709551615", Number::Value(u64::MAX)),
            ("00000000000000000000000007", Number::Value(7)),
            ("18446744073709551616", Number::Bad),
            ("+1", Number::Bad),
            ("-1", Number::Bad),
            ("1.0", Number::Bad),
            ("", Number::Bad),
        ];
        for (text, expected) in cases {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn addresses_are_those_that_std_reads() {
        let cases = [
            "10.0.0.1",
            "255.255.255.255",
            "0.0.0.0",
            "256.0.0.1",
            "1.2.3",
            "1.2.3.4.5",
            "1..2.3",
            ".1.2.3",
            "1.2.3.",
            "01.2.3.4",
            "00.0.0.0",
            "1.2.3.0004",
            "1.2.3.999",
            "1.2.3.4 ",
            "",
            "-",
            "::",
            "::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "fe80::1%eth0",
            "1.2.3.4294967297",
            "\u{661}.2.3.4",
            "1234567890.1.1.1",
        ];
        for text in cases {
            assert_eq!(address(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }
}
