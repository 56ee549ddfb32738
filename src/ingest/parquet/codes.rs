//! What the cells of a quick row mean, as numbers of 64 bits: one code per cell, and its highest bit says that the row
//! must be looked at by [`cells::flow`].

use super::column::BLOCK;
use crate::flow::{Action, Direction, Field};
use crate::ingest::cells::{self, Number};
use crate::ingest::{byte_masks, dotted};

/// The row is none of the quick ones, or not known to be. Negative numbers and those of 64 bits have this bit too.
pub(super) const SLOW: u64 = 1 << 63;
/// There is no address.
const NO_ADDRESS: u64 = 1 << 32;
/// There are no flags.
const NO_FLAGS: u64 = 1 << 16;
const INGRESS: u64 = Direction::Ingress as u64;
const EGRESS: u64 = Direction::Egress as u64;
/// There is no direction.
const NO_DIRECTION: u64 = 2;
const ACCEPT: u64 = 0;
const REJECT: u64 = 1;

/// What a column is to a quick row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `start` and `end`.
    Time,
    /// `packets` and `bytes`.
    Count,
    /// `srcport` and `dstport`.
    Port,
    Protocol,
    TcpFlags,
    /// `srcaddr` and `dstaddr`.
    Address,
    /// `pkt-srcaddr` and `pkt-dstaddr`.
    PacketAddress,
    Action,
    Direction,
    LogStatus,
    RejectReason,
    /// Its cells have no codes.
    Uncoded,
}

impl Role {
    /// The role of a field.
    pub(super) fn of(field: Field) -> Self {
        match field {
            Field::Start | Field::End => Self::Time,
            Field::Packets | Field::Bytes => Self::Count,
            Field::Srcport | Field::Dstport => Self::Port,
            Field::Protocol => Self::Protocol,
            Field::TcpFlags => Self::TcpFlags,
            Field::Srcaddr | Field::Dstaddr => Self::Address,
            Field::PktSrcaddr | Field::PktDstaddr => Self::PacketAddress,
            Field::Action => Self::Action,
            Field::FlowDirection => Self::Direction,
            Field::LogStatus => Self::LogStatus,
            Field::RejectReason => Self::RejectReason,
            _ => Self::Uncoded,
        }
    }

    /// Whether its cells are addresses.
    pub(super) fn is_address(self) -> bool {
        matches!(self, Self::Address | Self::PacketAddress)
    }

    /// The codes where the log has no such column. None: without it no row is quick.
    pub(super) fn without_column(self) -> Option<&'static [u64; BLOCK]> {
        static ZERO: [u64; BLOCK] = [0; BLOCK];
        static ADDRESS: [u64; BLOCK] = [NO_ADDRESS; BLOCK];
        static FLAGS: [u64; BLOCK] = [NO_FLAGS; BLOCK];
        static DIRECTION: [u64; BLOCK] = [NO_DIRECTION; BLOCK];
        match self {
            Self::Time | Self::Port | Self::Protocol | Self::Address | Self::Action => None,
            // A record has traffic unless it says otherwise.
            Self::LogStatus | Self::Count | Self::RejectReason | Self::Uncoded => Some(&ZERO),
            Self::PacketAddress => Some(&ADDRESS),
            Self::TcpFlags => Some(&FLAGS),
            Self::Direction => Some(&DIRECTION),
        }
    }

    /// The code of a cell without a value.
    pub(super) fn without_value(self) -> u64 {
        match self {
            Self::Time | Self::Port | Self::Protocol | Self::Address | Self::Action | Self::LogStatus => SLOW,
            Self::Count | Self::RejectReason | Self::Uncoded => 0,
            Self::TcpFlags => NO_FLAGS,
            Self::PacketAddress => NO_ADDRESS,
            Self::Direction => NO_DIRECTION,
        }
    }

    /// Turns numbers into their codes.
    #[inline]
    pub(super) fn encode_numbers(self, numbers: &mut [u64]) {
        match self {
            Self::Count => {}
            Self::Time => numbers.iter_mut().for_each(|number| *number = time(*number)),
            Self::Port => numbers.iter_mut().for_each(|number| *number |= above(*number, 0xffff)),
            Self::Protocol => numbers.iter_mut().for_each(|number| *number |= above(*number, 0xff)),
            Self::TcpFlags => numbers.iter_mut().for_each(|number| *number = flags(*number)),
            // A number is no text.
            _ => numbers.fill(self.without_value()),
        }
    }

    /// The code of one number.
    #[inline]
    pub(super) fn encode_number(self, number: u64) -> u64 {
        let mut codes = [number];
        self.encode_numbers(&mut codes);
        codes[0]
    }

    /// The code of a text.
    #[inline]
    pub(super) fn encode_text(self, text: &[u8]) -> u64 {
        let Some(text) = super::value(text) else { return self.without_value() };
        let either = |first: &[u8], code: u64, second: &[u8], other: u64| {
            if text.eq_ignore_ascii_case(first) {
                code
            } else if text.eq_ignore_ascii_case(second) {
                other
            } else {
                SLOW
            }
        };
        match self {
            Self::Time | Self::Count | Self::Port | Self::Protocol | Self::TcpFlags => {
                let Number::Value(number) = cells::number(text) else { return SLOW };
                self.encode_number(number)
            }
            Self::Address | Self::PacketAddress => {
                cells::v4(text).map_or(SLOW, |address| address.to_bits().into())
            }
            Self::Action => either(b"ACCEPT", ACCEPT, b"REJECT", REJECT),
            Self::Direction if text.len() <= 3 => either(b"in", INGRESS, b"out", EGRESS),
            Self::Direction => either(b"ingress", INGRESS, b"egress", EGRESS),
            Self::LogStatus if text == b"OK" => 0,
            Self::LogStatus | Self::RejectReason => SLOW,
            Self::Uncoded => 0,
        }
    }
}

/// The code of an IPv4 address that stands behind these four bytes and is so long. Other than by [`Role::encode_text`]
/// the words for no value are slow here.
#[inline]
pub(super) fn address(window: &[u8; dotted::WINDOW], length: usize) -> u64 {
    // Unlike a column of a row, the text may hold NULs.
    let text = window[dotted::BEFORE..].first_chunk().unwrap_or(&[0; 16]);
    let mut bad = byte_masks::at_most(text, 0) & !(u64::MAX << (length % 16));
    let address = dotted::address(window, length, &mut bad);
    u64::from(address) | if bad == 0 { 0 } else { SLOW }
}

#[inline]
fn above(number: u64, most: u64) -> u64 {
    if number > most { SLOW } else { 0 }
}

#[inline]
fn time(number: u64) -> u64 {
    // Milliseconds and what is no time at all are rare.
    if number <= cells::LAST_SECOND {
        number
    } else {
        cells::seconds(number).map_or(SLOW, i64::cast_unsigned)
    }
}

/// The header has nine flags; the eight that are known stand in the low byte.
#[inline]
fn flags(number: u64) -> u64 {
    if number > 0xffff { NO_FLAGS } else { number & 0xff }
}

/// The address of a code.
#[inline]
pub(super) fn packet_address(code: u64) -> Option<u32> {
    u32::try_from(code).ok()
}

/// The flags of a code.
#[inline]
pub(super) fn tcp_flags(code: u64) -> Option<u8> {
    u8::try_from(code).ok()
}

/// The action of a code.
#[inline]
pub(super) fn action(code: u64) -> Action {
    if code == ACCEPT { Action::Accept } else { Action::Reject }
}

/// The direction of a code.
#[inline]
pub(super) fn direction(code: u64) -> Option<Direction> {
    match code {
        INGRESS => Some(Direction::Ingress),
        EGRESS => Some(Direction::Egress),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_no_nul() {
        let code = |text: &[u8]| {
            let mut window = [0; dotted::WINDOW];
            window[dotted::BEFORE..][..text.len()].copy_from_slice(text);
            address(&window, text.len())
        };
        assert_eq!(code(b"10.0.0.5"), 0x0a00_0005);
        assert_eq!(code(b"255.255.255.255"), 0xffff_ffff);
        for text in
            [&b"10.0.0.\x005"[..], b"\x001.0.0.5", b"1\x00.0.0.5", b"10.0.0.5\x00", b"1.\x00\x002.3.4"]
        {
            assert_eq!(code(text) & SLOW, SLOW, "{text:?}");
        }
    }
}
