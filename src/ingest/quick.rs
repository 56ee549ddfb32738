//! Text rows between IPv4 addresses → [`V4Flow`]: what nearly every row of a flow log is, without a detour.
//!
//! A row that is anything else (IPv6, a `-` where a number should be, two spaces in a row, a header, damage) is left to
//! [`super::text::RowParser`], which decides what it means; what is read here means the same there, and tests hold the
//! two together. All columns are found first, sixteen bytes at a time, so that their values can be read side by side.

use super::decimal::digits;
use super::layout::Layout;
use super::{byte_masks, dotted};
use crate::flow::{Action, Direction, Field, TCP, V4Flow};

/// Longer rows and wider layouts are left to the slow parser.
const MOST_COLUMNS: usize = 64;
/// A row is looked at through a window of one size, so that the compiler knows what lies in it: eight bytes before the
/// row, the row, and sixteen bytes more.
const WINDOW: usize = BEFORE + ROW + 24;
const BEFORE: usize = 8;
const ROW: usize = 512;

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
    ends: Ends,
    epoch: Epoch,
}

/// Where columns end, and in front where the byte before the row is.
type Ends = [u32; MOST_COLUMNS + 1];

/// A row and whose it is.
#[derive(Debug)]
pub struct QuickRow<'a> {
    /// `interface-id`.
    pub interface_id: &'a [u8],
    /// What the row says.
    pub flow: V4Flow,
    /// Where its newline is in the buffer.
    pub end: usize,
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
            epoch: Epoch::default(),
        })
    }

    /// The record in the row that starts at `start` of the buffer and ends with a newline. None: the slow parser must look
    /// at it.
    #[inline]
    pub fn parse<'a>(&mut self, buffer: &'a [u8], start: usize) -> Option<QuickRow<'a>> {
        let window: &[u8; WINDOW] = buffer.get(start.checked_sub(BEFORE)?..)?.first_chunk()?;
        let end = self.find_columns(window)?;
        let line = Line { window, ends: &self.ends };
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
        // Whether everything was as it should be is asked once, at the end.
        let mut bad = 0;
        let protocol = line.octet(self.protocol, &mut bad);
        let (srcport, dstport) = (line.number(self.srcport, &mut bad), line.number(self.dstport, &mut bad));
        #[expect(clippy::cast_possible_truncation, reason = "a row with larger ports is given up")]
        let flow = V4Flow {
            start: line.time(self.start, &mut self.epoch, &mut bad),
            end: line.time(self.end, &mut self.epoch, &mut bad),
            packets: line.number(self.packets, &mut bad),
            bytes: line.number(self.bytes, &mut bad),
            srcaddr: line.address(self.srcaddr, &mut bad),
            dstaddr: line.address(self.dstaddr, &mut bad),
            pkt_srcaddr: line.optional(self.pkt_srcaddr, &mut bad, Line::address),
            pkt_dstaddr: line.optional(self.pkt_dstaddr, &mut bad, Line::address),
            srcport: srcport as u16,
            dstport: dstport as u16,
            protocol,
            action: if accepted { Action::Accept } else { Action::Reject },
            direction: line.optional(self.flow_direction, &mut bad, Line::direction),
            // The header has nine flags; the eight that are known stand in the low byte.
            tcp_flags: line
                .optional(self.tcp_flags, &mut bad, Line::flags)
                .filter(|_| protocol == TCP)
                .map(|flags| flags as u8),
        };
        if bad != 0 || (srcport | dstport) > u16::MAX.into() {
            return None;
        }
        let (from, to) = line.bounds(self.interface_id);
        Some(QuickRow { interface_id: window.get(from..to)?, flow, end: start - BEFORE + end })
    }

    /// Fills `ends`, positions in the window; the last one, that of the newline, is the answer. None: not exactly one
    /// space between columns, not as many columns as there should be, or a row that is too long.
    #[inline]
    fn find_columns(&mut self, window: &[u8; WINDOW]) -> Option<usize> {
        let (chunks, _) = window[BEFORE..BEFORE + ROW - 64].as_chunks::<64>();
        self.ends[0] = 7;
        let mut found = 1;
        let mut base = 8_u32;
        // What the byte before is: a separator there and here means an empty column.
        let mut before = 1_u64;
        for chunk in chunks {
            let (quarters, _) = chunk.as_chunks::<16>();
            let (mut separators, mut controls) = (0, 0);
            for (quarter, shift) in quarters.iter().zip([0, 16, 32, 48]) {
                separators |= byte_masks::at_most(quarter, b' ') << shift;
                controls |= byte_masks::at_most(quarter, b' ' - 1) << shift;
            }
            // The first byte below the space must be the newline; nothing behind it matters.
            let mut mask = separators & (controls ^ controls.wrapping_sub(1));
            if mask & (mask << 1 | before) != 0 {
                return None;
            }
            before = mask >> 63;
            while mask != 0 {
                *self.ends.get_mut(found)? = base + mask.trailing_zeros();
                found += 1;
                mask &= mask - 1;
            }
            if controls != 0 {
                let end = (base + controls.trailing_zeros()) as usize;
                return (found == self.columns + 1 && window[end % ROW] == b'\n').then_some(end);
            }
            base += 64;
        }
        None
    }
}

/// The first six of the ten digits of a time, and what they stand for: they change every three hours.
#[derive(Debug, Clone, Copy, Default)]
struct Epoch {
    digits: u64,
    seconds: i64,
}

/// A row cut into columns.
///
/// What is read from it is zero or wrong where the column is not what it should be, and then `bad` is not zero.
struct Line<'a, 'p> {
    window: &'a [u8; WINDOW],
    ends: &'p Ends,
}

impl Line<'_, '_> {
    #[inline(always)]
    fn bounds(&self, column: Column) -> (usize, usize) {
        let at = usize::from(column.0) % MOST_COLUMNS;
        (self.ends[at] as usize + 1, self.ends[at + 1] as usize)
    }

    /// Bytes of the row from `at` on; `at` is in the row.
    #[inline(always)]
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        const { assert!(N <= 16) };
        // The remainder is never another one: it only says so to the compiler.
        let at = at % ROW;
        *self.window[at..at + N].first_chunk().unwrap_or(&[0; N])
    }

    #[inline(always)]
    fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }

    /// Whether the column is this word.
    #[inline(always)]
    fn is<const N: usize>(&self, column: Column, word: [u8; N]) -> bool {
        let mut expected = [0; 8];
        expected[8 - N..].copy_from_slice(&word);
        let (start, end) = self.bounds(column);
        let found = self.word(end - 8) >> (64 - 8 * N);
        (end - start == N) & (found == u64::from_le_bytes(expected) >> (64 - 8 * N))
    }

    #[inline(always)]
    fn number(&self, column: Column, bad: &mut u64) -> u64 {
        let (start, end) = self.bounds(column);
        let length = end - start;
        if length > 8 {
            return self.long_number(start, end, bad);
        }
        digits(self.word(end - 8), length, bad)
    }

    #[cold]
    fn long_number(&self, start: usize, end: usize, bad: &mut u64) -> u64 {
        let above = end - start - 8;
        if above > 8 || end < 16 {
            *bad = 1;
            return 0;
        }
        digits(self.word(end - 16), above, bad) * 100_000_000 + digits(self.word(end - 8), 8, bad)
    }

    /// Ten digits: a time in seconds from 2001 to 2286.
    #[inline(always)]
    fn time(&self, column: Column, epoch: &mut Epoch, bad: &mut u64) -> i64 {
        let (start, end) = self.bounds(column);
        *bad |= u64::from(end - start != 10);
        let first = self.word(start) << 16;
        if first != epoch.digits {
            let mut wrong = 0;
            let seconds = (digits(first, 6, &mut wrong) * 10_000).cast_signed();
            *bad |= wrong;
            // What is wrong must not be taken for known the next time.
            if wrong == 0 {
                *epoch = Epoch { digits: first, seconds };
            }
        }
        let last = u32::from_le_bytes(self.bytes(end - 4)) ^ 0x3030_3030;
        *bad |= u64::from((last.wrapping_add(0x0606_0606) | last) & 0xf0f0_f0f0);
        let pairs = last.wrapping_mul(10).wrapping_add(last >> 8) & 0x00ff_00ff;
        epoch.seconds + i64::from((pairs * 100 + (pairs >> 16)) & 0xffff)
    }

    #[inline(always)]
    fn address(&self, column: Column, bad: &mut u64) -> u32 {
        let (start, end) = self.bounds(column);
        // The remainder is never another one: it only says so to the compiler.
        let from = (start - 4) % ROW;
        let window = self.window[from..from + dotted::WINDOW].first_chunk().unwrap_or(&[0; dotted::WINDOW]);
        dotted::address(window, end - start, bad)
    }

    /// A number of up to three digits, at most 255.
    #[inline(always)]
    fn octet(&self, column: Column, bad: &mut u64) -> u8 {
        let (start, end) = self.bounds(column);
        dotted::octet(u32::from_le_bytes(self.bytes(end - 4)), end - start, bad).to_le_bytes()[0]
    }

    #[inline(always)]
    fn direction(&self, column: Column, bad: &mut u64) -> Direction {
        let (ingress, egress) = (self.is(column, *b"ingress"), self.is(column, *b"egress"));
        *bad |= u64::from(!ingress & !egress);
        if ingress { Direction::Ingress } else { Direction::Egress }
    }

    /// Of sixteen bits.
    #[inline(always)]
    fn flags(&self, column: Column, bad: &mut u64) -> u64 {
        let flags = self.number(column, bad);
        *bad |= u64::from(flags > u16::MAX.into());
        flags
    }

    /// The value of a column that may be absent or `-`.
    #[inline(always)]
    fn optional<T>(
        &self,
        column: Column,
        bad: &mut u64,
        read: impl Fn(&Self, Column, &mut u64) -> T,
    ) -> Option<T> {
        if column.0 == ABSENT.0 || self.is(column, *b"-") { None } else { Some(read(self, column, bad)) }
    }
}
