//! Text rows between IPv4 addresses → [`V4Flow`]: what nearly every row of a flow log is, without a detour.
//!
//! A row that is anything else (IPv6, a `-` where a number should be, two spaces in a row, a header, damage) is left to
//! [`super::text::RowParser`], which decides what it means; what is read here means the same there, and tests hold the
//! two together. All columns are found first, sixteen bytes at a time, so that their values can be read side by side.

use super::byte_masks;
use super::layout::Layout;
use crate::flow::{Action, Direction, Field, TCP, V4Flow};

/// Longer rows and wider layouts are left to the slow parser.
const MOST_COLUMNS: usize = 64;

/// Where a column stands, or that there is none.
#[derive(Debug, Clone, Copy)]
struct Column(u8);

const ABSENT: Column = Column(u8::MAX);

/// Parses rows of one layout.
#[derive(Debug, Clone)]
pub struct QuickParser {
    columns: usize,
    interface_id: Column,
    srcaddr: Column,
    dstaddr: Column,
    srcport: Column,
    dstport: Column,
    protocol: Column,
    packets: Column,
    bytes: Column,
    start: Column,
    end: Column,
    action: Column,
    log_status: Column,
    pkt_srcaddr: Column,
    pkt_dstaddr: Column,
    flow_direction: Column,
    tcp_flags: Column,
    reject_reason: Column,
    /// Where columns end in the row at hand, with the byte before the row in front.
    ends: [u32; MOST_COLUMNS + 1],
}

/// A row and whose it is.
#[derive(Debug)]
pub struct QuickRow<'a> {
    /// `interface-id`.
    pub interface_id: &'a [u8],
    /// What the row says.
    pub flow: V4Flow,
}

impl QuickParser {
    /// A parser for rows of this layout. None: its rows lack what a [`V4Flow`] has.
    pub fn new(layout: &Layout) -> Option<Self> {
        let columns = layout.columns();
        if columns.len() > MOST_COLUMNS {
            return None;
        }
        // A field that comes twice is read from its first column.
        let find = |field| columns.iter().position(|column| *column == Some(field));
        let optional = |field| find(field).and_then(|at| u8::try_from(at).ok()).map_or(ABSENT, Column);
        let required = |field| find(field).and_then(|at| u8::try_from(at).ok()).map(Column);
        Some(Self {
            columns: columns.len(),
            interface_id: required(Field::InterfaceId)?,
            srcaddr: required(Field::Srcaddr)?,
            dstaddr: required(Field::Dstaddr)?,
            srcport: required(Field::Srcport)?,
            dstport: required(Field::Dstport)?,
            protocol: required(Field::Protocol)?,
            packets: required(Field::Packets)?,
            bytes: required(Field::Bytes)?,
            start: required(Field::Start)?,
            end: required(Field::End)?,
            action: required(Field::Action)?,
            log_status: optional(Field::LogStatus),
            pkt_srcaddr: optional(Field::PktSrcaddr),
            pkt_dstaddr: optional(Field::PktDstaddr),
            flow_direction: optional(Field::FlowDirection),
            tcp_flags: optional(Field::TcpFlags),
            reject_reason: optional(Field::RejectReason),
            ends: [0; MOST_COLUMNS + 1],
        })
    }

    /// The record in the row that stands at `start..end` of the buffer, without its newline. None: the slow parser must
    /// look at it.
    #[inline]
    pub fn parse<'a>(&mut self, buffer: &'a [u8], start: usize, end: usize) -> Option<QuickRow<'a>> {
        let bytes = buffer.get(start.checked_sub(8)?..)?;
        self.find_columns(bytes, end.checked_sub(start)?)?;
        let line = Line { bytes, ends: &self.ends };
        if self.log_status.0 != ABSENT.0 && !line.is(self.log_status, *b"OK") {
            return None;
        }
        if self.reject_reason.0 != ABSENT.0 && !line.is(self.reject_reason, *b"-") {
            return None;
        }
        let accepted = line.is(self.action, *b"ACCEPT");
        if !accepted & !line.is(self.action, *b"REJECT") {
            return None;
        }
        let protocol = u8::try_from(line.number(self.protocol)?).ok()?;
        let flow = V4Flow {
            start: line.time(self.start)?,
            end: line.time(self.end)?,
            packets: line.number(self.packets)?,
            bytes: line.number(self.bytes)?,
            srcaddr: line.address(self.srcaddr)?,
            dstaddr: line.address(self.dstaddr)?,
            pkt_srcaddr: line.optional(self.pkt_srcaddr, Line::address)?,
            pkt_dstaddr: line.optional(self.pkt_dstaddr, Line::address)?,
            srcport: u16::try_from(line.number(self.srcport)?).ok()?,
            dstport: u16::try_from(line.number(self.dstport)?).ok()?,
            protocol,
            action: if accepted { Action::Accept } else { Action::Reject },
            direction: line.optional(self.flow_direction, Line::direction)?,
            tcp_flags: line.optional(self.tcp_flags, Line::flags)?.filter(|_| protocol == TCP),
        };
        let (from, to) = line.bounds(self.interface_id);
        Some(QuickRow { interface_id: line.bytes.get(from..to)?, flow })
    }

    /// Fills `ends`; positions count from eight bytes before the row. None: not exactly one byte between columns, or not
    /// as many columns as there should be.
    #[inline]
    fn find_columns(&mut self, bytes: &[u8], length: usize) -> Option<()> {
        let (chunks, _) = bytes.get(8..)?.as_chunks::<16>();
        let chunks = chunks.get(..length.div_ceil(16))?;
        self.ends[0] = 7;
        let mut found = 1;
        let mut base = 8_u32;
        let mut left = length;
        // What the byte before is: a separator there and here means an empty column.
        let mut before = 1_u64;
        for group in chunks.chunks(4) {
            let mut mask = 0;
            for (chunk, shift) in group.iter().zip([0, 16, 32, 48]) {
                mask |= byte_masks::separators(chunk) << shift;
            }
            if left < 64 {
                // The newline, or whatever stands behind the row, ends the last column.
                mask = mask & !(u64::MAX << left) | 1 << left;
            }
            if mask & (mask << 1 | before) != 0 {
                return None;
            }
            before = mask >> 63;
            while mask != 0 {
                *self.ends.get_mut(found)? = base + mask.trailing_zeros();
                found += 1;
                mask &= mask - 1;
            }
            base += 64;
            left = left.saturating_sub(64);
        }
        if length.is_multiple_of(64) {
            if before != 0 {
                return None;
            }
            *self.ends.get_mut(found)? = base;
            found += 1;
        }
        (found == self.columns + 1).then_some(())
    }
}

/// A row cut into columns. Eight bytes stand before it, so that a value can be read from its end.
struct Line<'a, 'p> {
    bytes: &'a [u8],
    ends: &'p [u32; MOST_COLUMNS + 1],
}

impl Line<'_, '_> {
    #[inline]
    fn bounds(&self, column: Column) -> (usize, usize) {
        let at = usize::from(column.0) % MOST_COLUMNS;
        (self.ends[at] as usize + 1, self.ends[at + 1] as usize)
    }

    /// The eight bytes that end where the column does, and the length of the column.
    #[inline]
    fn last_eight(&self, column: Column) -> Option<(u64, usize)> {
        let (start, end) = self.bounds(column);
        Some((self.word(end - 8)?, end - start))
    }

    #[inline]
    fn word(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.bytes.get(at..)?.first_chunk::<8>()?))
    }

    /// Whether the column is this word.
    #[inline]
    fn is<const N: usize>(&self, column: Column, word: [u8; N]) -> bool {
        let mut expected = [0; 8];
        expected[8 - N..].copy_from_slice(&word);
        let Some((bytes, length)) = self.last_eight(column) else { return false };
        length == N && bytes >> (64 - 8 * N) == u64::from_le_bytes(expected) >> (64 - 8 * N)
    }

    #[inline]
    fn number(&self, column: Column) -> Option<u64> {
        let (word, length) = self.last_eight(column)?;
        if length > 8 {
            return self.long_number(column);
        }
        digits(word, length)
    }

    #[cold]
    fn long_number(&self, column: Column) -> Option<u64> {
        let (start, end) = self.bounds(column);
        let above = (end - start).checked_sub(8).filter(|length| *length <= 8)?;
        let above = digits(self.word(end.checked_sub(16)?)?, above)?;
        Some(above * 100_000_000 + digits(self.word(end - 8)?, 8)?)
    }

    /// Ten digits: a time in seconds from 2001 to 2286.
    #[inline]
    fn time(&self, column: Column) -> Option<i64> {
        let (start, end) = self.bounds(column);
        if end - start != 10 {
            return None;
        }
        let above = digits(self.word(end - 10)? << 48, 2)?;
        Some((above * 100_000_000 + digits(self.word(end - 8)?, 8)?).cast_signed())
    }

    #[inline]
    fn address(&self, column: Column) -> Option<u32> {
        let (start, end) = self.bounds(column);
        let length = end - start;
        if length > 15 {
            return None;
        }
        let dots = byte_masks::dots(self.bytes.get(start..)?.first_chunk()?) & ((1 << length) - 1);
        if dots.count_ones() != 3 {
            return None;
        }
        let first = dots.trailing_zeros() as usize;
        let rest = dots & (dots - 1);
        let second = rest.trailing_zeros() as usize;
        let third = 31 - rest.leading_zeros() as usize;
        let octet = |from: usize, to: usize| {
            let word = u32::from_le_bytes(*self.bytes.get(start + to - 4..)?.first_chunk::<4>()?);
            octet(word, to - from)
        };
        let high = octet(0, first)? << 24 | octet(first + 1, second)? << 16;
        Some(high | octet(second + 1, third)? << 8 | octet(third + 1, length)?)
    }

    #[inline]
    fn direction(&self, column: Column) -> Option<Direction> {
        if self.is(column, *b"ingress") {
            Some(Direction::Ingress)
        } else if self.is(column, *b"egress") {
            Some(Direction::Egress)
        } else {
            None
        }
    }

    /// The header has nine flags; the eight that are known stand in the low byte.
    #[inline]
    fn flags(&self, column: Column) -> Option<u8> {
        u16::try_from(self.number(column)?).ok().map(|flags| flags.to_le_bytes()[0])
    }

    /// The value of a column that may be absent or `-`. None: it must be looked at by the slow parser.
    #[inline]
    #[expect(clippy::option_option, reason = "the outer one gives up, the inner one is the value")]
    fn optional<T>(&self, column: Column, read: impl Fn(&Self, Column) -> Option<T>) -> Option<Option<T>> {
        if column.0 == ABSENT.0 || self.is(column, *b"-") { Some(None) } else { read(self, column).map(Some) }
    }
}

/// The number that the last bytes of these eight spell, so many as `length` says. None: they are not all digits.
#[inline]
fn digits(word: u64, length: usize) -> Option<u64> {
    // The last byte is the highest; those in front of the number become zeros, as leading digits would be.
    let digits = (word ^ 0x3030_3030_3030_3030) & (u64::MAX << (64 - 8 * length));
    if (digits.wrapping_add(0x0606_0606_0606_0606) | digits) & 0xf0f0_f0f0_f0f0_f0f0 != 0 {
        return None;
    }
    // Neighbours are joined: eight digits to four pairs, two fours, one number.
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// The octet that the last one to three bytes of these four spell, without a leading zero.
#[inline]
fn octet(word: u32, length: usize) -> Option<u32> {
    if length.wrapping_sub(1) > 2 {
        return None;
    }
    let digits = (word ^ 0x3030_3030) & (u32::MAX << (32 - 8 * length));
    let value = (digits >> 8 & 0xff) * 100 + (digits >> 16 & 0xff) * 10 + (digits >> 24);
    let bad = (digits.wrapping_add(0x0606_0606) | digits) & 0xf0f0_f0f0;
    // One digit is any, two make at least 10, three at least 100.
    let least = [0, 0, 10, 100][length];
    (bad == 0 && (least..=255).contains(&value)).then_some(value)
}
