//! Text rows between IPv4 addresses → [`V4Flow`]: what nearly every row of a flow log is, without a detour.
//!
//! A row that is anything else (IPv6, a `-` where a number should be, two spaces in a row, a header, damage) is left to
//! [`super::text::RowParser`], which decides what it means; what is read here means the same there, and tests hold the
//! two together. All columns are found first, sixteen bytes at a time, so that their values can be read side by side.

use super::ends::{self, Ends};
use super::layout::Layout;
use super::{decimal, dotted};
use crate::flow::{Action, Direction, Field, TCP, V4Flow};

/// Wider layouts are left to the slow parser.
const MOST_COLUMNS: usize = 64;
/// A row is looked at through a window of one size, so that the compiler knows what lies in it: some bytes before the
/// row, the row, and some more.
const WINDOW: usize = BEFORE + ROW + dotted::WINDOW;
/// Bytes that must stand before a row; what they are does not matter.
pub const BEFORE: usize = 32;
/// Where the byte before the row is in the window.
const ORIGIN: usize = BEFORE - 1;
/// At least the longest row; a power of two.
const ROW: usize = 512;

/// Where a column stands, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Column(u8);

const ABSENT: Column = Column(u8::MAX);

/// Where the columns of a layout stand that a [`V4Flow`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    count: u8,
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
}

/// Those of the default format, which most logs have: the compiler makes code of their own for them.
const DEFAULT: Columns = Columns {
    count: 14,
    interface_id: Column(2),
    srcaddr: Column(3),
    dstaddr: Column(4),
    srcport: Column(5),
    dstport: Column(6),
    protocol: Column(7),
    packets: Column(8),
    bytes: Column(9),
    start: Column(10),
    end: Column(11),
    action: Column(12),
    log_status: Column(13),
    pkt_srcaddr: ABSENT,
    pkt_dstaddr: ABSENT,
    flow_direction: ABSENT,
    tcp_flags: ABSENT,
    reject_reason: ABSENT,
};

impl Columns {
    /// None: rows of this layout lack what a [`V4Flow`] has, or have too many columns.
    fn of(layout: &Layout) -> Option<Self> {
        let columns = layout.columns();
        if columns.len() > MOST_COLUMNS {
            return None;
        }
        // A field that comes twice is read from its first column.
        let find = |field| columns.iter().position(|column| *column == Some(field));
        let required = |field| find(field).and_then(|at| u8::try_from(at).ok()).map(Column);
        let optional = |field| required(field).unwrap_or(ABSENT);
        Some(Self {
            count: u8::try_from(columns.len()).ok()?,
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
        })
    }
}

/// Parses rows of one layout.
#[derive(Debug, Clone)]
pub struct QuickParser {
    columns: Columns,
    default: bool,
    known: Known,
    /// The last row read by itself.
    flow: V4Flow,
}

/// What a parser keeps from row to row.
#[derive(Debug, Clone)]
struct Known {
    ends: Ends,
    century: Century,
}

/// A row and whose it is.
#[derive(Debug)]
pub struct QuickRow<'a, 'p> {
    /// `interface-id`.
    pub interface_id: &'a [u8],
    /// What the row says.
    pub flow: &'p V4Flow,
    /// Where its newline is in the buffer.
    pub end: usize,
}

impl QuickParser {
    /// A parser for rows of this layout. None: its rows lack what a [`V4Flow`] has.
    pub fn new(layout: &Layout) -> Option<Self> {
        let columns = Columns::of(layout)?;
        let known = Known { ends: Ends::new(), century: Century::default() };
        Some(Self { columns, default: columns == DEFAULT, known, flow: V4Flow::BLANK })
    }

    /// The record in the row that starts at `start` of the buffer and ends with a newline. None: the slow parser must look
    /// at it.
    #[inline]
    pub fn parse<'a, 'p>(&'p mut self, buffer: &'a [u8], start: usize) -> Option<QuickRow<'a, 'p>> {
        let mut flow = self.flow;
        let (interface_id, end) = self.parse_into(buffer, start, &mut flow)?;
        self.flow = flow;
        Some(QuickRow { interface_id, flow: &self.flow, end })
    }

    /// The same; the record goes to `flow`, which was blank or is another row's of this layout. The answer is whose it is
    /// and where its newline is.
    #[inline(always)]
    pub(super) fn parse_into<'a>(
        &mut self,
        buffer: &'a [u8],
        start: usize,
        flow: &mut V4Flow,
    ) -> Option<(&'a [u8], usize)> {
        let window = buffer.get(start.checked_sub(BEFORE)?..)?.first_chunk()?;
        let (interface_id, length) =
            if self.default { self.known.read(&DEFAULT, window, flow)? } else { self.other(window, flow)? };
        Some((interface_id, start + length))
    }

    #[inline(never)]
    fn other<'a>(&mut self, window: &'a [u8; WINDOW], flow: &mut V4Flow) -> Option<(&'a [u8], usize)> {
        self.known.read(&self.columns, window, flow)
    }
}

impl Known {
    /// Reads the row in the window into `flow`; the answer is whose it is and how long, without the newline.
    #[inline(always)]
    fn read<'a>(
        &mut self,
        columns: &Columns,
        window: &'a [u8; WINDOW],
        flow: &mut V4Flow,
    ) -> Option<(&'a [u8], usize)> {
        let end = self.ends.find(columns.count, window[ORIGIN..].first_chunk::<{ ends::ROW }>()?)?;
        let line = Line { window, ends: &self.ends };
        // Whether everything was as it should be is asked once, at the end.
        let mut bad = 0;
        if columns.log_status != ABSENT {
            bad |= u64::from(!line.is(columns.log_status, *b"OK"));
        }
        if columns.reject_reason != ABSENT {
            bad |= u64::from(!line.is(columns.reject_reason, *b"-"));
        }
        flow.srcaddr = line.address(columns.srcaddr, &mut bad);
        flow.dstaddr = line.address(columns.dstaddr, &mut bad);
        flow.protocol = line.octet(columns.protocol, &mut bad);
        line.numbers(columns, flow, &mut bad);
        [flow.start, flow.end] = line.times([columns.start, columns.end], &mut self.century, &mut bad);
        let (accepted, rejected) = (line.is(columns.action, *b"ACCEPT"), line.is(columns.action, *b"REJECT"));
        bad |= u64::from(!accepted & !rejected);
        flow.action = if accepted { Action::Accept } else { Action::Reject };
        // What has no column stays none.
        line.optional(columns.pkt_srcaddr, &mut flow.pkt_srcaddr, &mut bad, Line::address);
        line.optional(columns.pkt_dstaddr, &mut flow.pkt_dstaddr, &mut bad, Line::address);
        line.optional(columns.flow_direction, &mut flow.direction, &mut bad, Line::direction);
        line.optional(columns.tcp_flags, &mut flow.tcp_flags, &mut bad, Line::flags);
        if columns.tcp_flags != ABSENT {
            flow.tcp_flags = flow.tcp_flags.filter(|_| flow.protocol == TCP);
        }
        if bad != 0 {
            return None;
        }
        let interface_id = line.cell(columns.interface_id);
        Some((window.get(ORIGIN + interface_id.before + 1..ORIGIN + interface_id.end)?, end as usize - 1))
    }
}

/// The first two of the ten digits of a time, and what they stand for: they change every three years.
#[derive(Debug, Clone, Copy, Default)]
struct Century {
    digits: [u8; 2],
    seconds: i64,
}

impl Century {
    /// Makes it that of these digits.
    #[cold]
    fn change(&mut self, digits: [u8; 2], bad: &mut u64) {
        let mut wrong = 0;
        let value = decimal::digits(u64::from(u16::from_le_bytes(digits)) << 48, 2, &mut wrong);
        *bad |= wrong;
        // What is wrong must not be taken for known the next time.
        if wrong == 0 {
            *self = Self { digits, seconds: value.cast_signed() * 100_000_000 };
        }
    }
}

/// What stands before a column and what behind it, counted from the byte before the row.
#[derive(Debug, Clone, Copy)]
struct Cell {
    before: usize,
    end: usize,
}

impl Cell {
    /// One more than the length.
    #[inline(always)]
    fn distance(self) -> usize {
        self.end.wrapping_sub(self.before)
    }
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
    fn cell(&self, column: Column) -> Cell {
        let (before, end) = self.ends.around(column.0);
        // The remainders are never others: they only say to the compiler how far into the window this can be.
        Cell { before: before as usize % ROW, end: end as usize % ROW }
    }

    /// The last eight bytes of the column, or of it and what stands before.
    #[inline(always)]
    fn word(&self, cell: Cell) -> u64 {
        word(self.window, cell.end)
    }

    /// Whether the column is this word.
    #[inline(always)]
    fn is<const N: usize>(&self, column: Column, text: [u8; N]) -> bool {
        let mut expected = [0; 8];
        expected[8 - N..].copy_from_slice(&text);
        let cell = self.cell(column);
        let found = self.word(cell) >> (64 - 8 * N);
        (cell.distance() == N + 1) & (found == u64::from_le_bytes(expected) >> (64 - 8 * N))
    }

    #[inline(always)]
    fn numbers(&self, columns: &Columns, flow: &mut V4Flow, bad: &mut u64) {
        let ports = [columns.srcport, columns.dstport].map(|column| self.cell(column));
        let counts = [columns.packets, columns.bytes].map(|column| self.cell(column));
        let digits =
            |cells: [Cell; 2]| decimal::two(cells.map(|cell| self.word(cell)), cells.map(Cell::distance));
        let (port_digits, count_digits) = (digits(ports), digits(counts));
        *bad |= u64::from(decimal::no_digits(port_digits.max(count_digits)));
        let [srcport, dstport, packets, bytes] = decimal::values(port_digits, count_digits);
        // Ports of seven digits are left alone, so that one question is enough for both.
        *bad |=
            u64::from((srcport | dstport) >> 16) | ((ports[0].distance() | ports[1].distance()) / 8) as u64;
        #[expect(clippy::cast_possible_truncation, reason = "a row with larger ports is given up")]
        let low = |port: u32| port as u16;
        (flow.srcport, flow.dstport) = (low(srcport), low(dstport));
        (flow.packets, flow.bytes) = (packets.into(), bytes.into());
        if counts[0].distance() > 9 {
            flow.packets = long_number(self.window, counts[0], bad);
        }
        if counts[1].distance() > 9 {
            flow.bytes = long_number(self.window, counts[1], bad);
        }
    }

    /// Ten digits each: times in seconds from 2001 to 2286.
    #[inline(always)]
    fn times(&self, columns: [Column; 2], century: &mut Century, bad: &mut u64) -> [i64; 2] {
        let cells = columns.map(|column| self.cell(column));
        let digits = decimal::eight_each(cells.map(|cell| self.word(cell)));
        *bad |= u64::from(decimal::no_digits(digits));
        let [start, end, ..] = decimal::values(digits, digits);
        let mut times = [i64::from(start), i64::from(end)];
        for (time, cell) in times.iter_mut().zip(cells) {
            *bad |= u64::from(cell.distance() != 11);
            let first = *bytes(self.window, ORIGIN + cell.end - 10);
            if first != century.digits {
                century.change(first, bad);
            }
            *time += century.seconds;
        }
        times
    }

    #[inline(always)]
    fn address(&self, column: Column, bad: &mut u64) -> u32 {
        let cell = self.cell(column);
        let window = bytes(self.window, ORIGIN + 1 + cell.before - dotted::BEFORE);
        dotted::address(window, cell.distance().wrapping_sub(1), bad)
    }

    /// A number of up to three digits, at most 255.
    #[inline(always)]
    fn octet(&self, column: Column, bad: &mut u64) -> u8 {
        let cell = self.cell(column);
        let last = u32::from_le_bytes(*bytes(self.window, ORIGIN + cell.end - 4));
        let octet = dotted::octet(last, cell.distance());
        *bad |= u64::from(octet >> 8) | (cell.distance() / 8) as u64;
        octet.to_le_bytes()[0]
    }

    #[inline(always)]
    fn direction(&self, column: Column, bad: &mut u64) -> Direction {
        let (ingress, egress) = (self.is(column, *b"ingress"), self.is(column, *b"egress"));
        *bad |= u64::from(!ingress & !egress);
        if ingress { Direction::Ingress } else { Direction::Egress }
    }

    /// Of sixteen bits. The header has nine flags; the eight that are known stand in the low byte.
    #[inline(always)]
    fn flags(&self, column: Column, bad: &mut u64) -> u8 {
        let cell = self.cell(column);
        let length = cell.distance().wrapping_sub(1);
        let flags = decimal::digits(self.word(cell), length.min(8), bad);
        *bad |= u64::from(length > 8) | flags >> 16;
        flags.to_le_bytes()[0]
    }

    /// The value of a column that may be absent or `-`.
    #[inline(always)]
    fn optional<T>(
        &self,
        column: Column,
        value: &mut Option<T>,
        bad: &mut u64,
        read: impl Fn(&Self, Column, &mut u64) -> T,
    ) {
        if column != ABSENT {
            *value = if self.is(column, *b"-") { None } else { Some(read(self, column, bad)) };
        }
    }
}

/// Bytes of the window from `at` on.
#[inline(always)]
fn bytes<const N: usize>(window: &[u8; WINDOW], at: usize) -> &[u8; N] {
    window.get(at..).and_then(<[u8]>::first_chunk).unwrap_or(&[0; N])
}

/// The eight bytes before what stands at `end`.
#[inline(always)]
fn word(window: &[u8; WINDOW], end: usize) -> u64 {
    u64::from_le_bytes(*bytes(window, ORIGIN + end - 8))
}

/// A number of nine to sixteen digits.
#[cold]
fn long_number(window: &[u8; WINDOW], cell: Cell, bad: &mut u64) -> u64 {
    let above = cell.distance() - 9;
    if above > 8 {
        *bad = 1;
        return 0;
    }
    let last = decimal::digits(word(window, cell.end), 8, bad);
    decimal::digits(word(window, cell.end - 8), above, bad) * 100_000_000 + last
}
