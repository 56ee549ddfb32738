//! Text rows → flows: the hot path of the product.
//!
//! A row is cut into columns sixteen bytes at a time, each needed column is parsed once straight from the bytes, and
//! nothing is allocated per row. Whether a line is a header is asked only of lines that are no record: a header never
//! parses as one.

use std::io::Read;
use std::ops::Range;

use super::cells::{self, Cells, Number};
use super::head::{Head, without_mark, without_time};
use super::layout::{Layout, tokens};
use super::lines::{Blocks, Chunk, FRONT, MAX_LINE};
use super::quick::QuickParser;
use super::stream::Counter;
use super::{FileFailure, Misread, Place, ReadSummary, RowFault, Sink, TOGETHER, byte_masks, decimal};
use crate::flow::field::FIELDS;
use crate::flow::{Field, Flow, V4Record};

/// The slot of columns that nobody needs.
const UNUSED: usize = FIELDS.len();
type Slots = [(u32, u32); UNUSED + 1];

/// Parses rows of one layout.
#[derive(Debug, Clone)]
pub struct RowParser {
    /// The slot of each column.
    columns: Vec<u8>,
    /// Where the fields stand in the row. Those without a column stay empty.
    slots: Slots,
}

struct TextRow<'a> {
    line: &'a [u8],
    slots: &'a Slots,
}

impl<'a> Cells<'a> for TextRow<'a> {
    #[inline]
    fn text(&self, field: Field) -> Option<&'a [u8]> {
        let (start, end) = self.slots[field as usize];
        let text = self.line.get(start as usize..end as usize)?;
        match text {
            b"" | b"-" => None,
            text => Some(text),
        }
    }

    #[inline]
    fn number(&self, field: Field) -> Number {
        let (start, end) = self.slots[field as usize];
        let (start, end) = (start as usize, end as usize);
        // Eight bytes up to the end of the number hold it and what stands before it.
        let Some((before, last)) = self.line.get(..end).and_then(<[u8]>::split_last_chunk::<8>) else {
            return self.text(field).map_or(Number::Absent, cells::number);
        };
        let digits = match end - start {
            length @ 1..=8 => eight_digits(*last, length),
            length @ 9..=16 => match before.split_last_chunk::<8>() {
                Some((_, first)) => eight_digits(*first, length - 8)
                    .zip(eight_digits(*last, 8))
                    .map(|(first, last)| first * 100_000_000 + last),
                None => None,
            },
            _ => None,
        };
        match digits {
            Some(value) => Number::Value(value),
            None => self.text(field).map_or(Number::Absent, cells::number),
        }
    }
}

/// The number that the last bytes of these eight spell, so many as `length` says. None: they are not all digits.
#[inline]
fn eight_digits(bytes: [u8; 8], length: usize) -> Option<u64> {
    let mut bad = 0;
    let number = decimal::digits(u64::from_le_bytes(bytes), length, &mut bad);
    (bad == 0).then_some(number)
}

impl RowParser {
    /// A parser for rows of this layout.
    pub fn new(layout: &Layout) -> Self {
        let mut columns: Vec<u8> = Vec::with_capacity(layout.columns().len());
        for column in layout.columns() {
            let slot = column.map_or(UNUSED, |field| field as usize).to_le_bytes()[0];
            // A field that comes twice is read from its first column.
            columns.push(if columns.contains(&slot) { UNUSED.to_le_bytes()[0] } else { slot });
        }
        Self { columns, slots: [(0, 0); UNUSED + 1] }
    }

    /// The flow in this row.
    #[inline]
    pub fn parse<'a>(&'a mut self, line: &'a [u8]) -> Result<Flow<'a>, Misread> {
        if line.len() > MAX_LINE {
            return Err(RowFault::TooLong.into());
        }
        self.split(line)?;
        cells::flow(&TextRow { line, slots: &self.slots })
    }

    #[inline]
    fn split(&mut self, line: &[u8]) -> Result<(), RowFault> {
        let mut columns = self.columns.iter();
        let mut start = 0;
        let slots = &mut self.slots;
        let mut column = |start: u32, end: u32| {
            if end > start {
                let slot = columns.next().ok_or(RowFault::TooManyFields)?;
                slots[usize::from(*slot)] = (start, end);
            }
            Ok(())
        };
        let (chunks, rest) = line.as_chunks::<16>();
        let mut base = 0_u32;
        for chunk in chunks {
            let mut separators = byte_masks::at_most(chunk, b' ');
            while separators != 0 {
                let at = base + separators.trailing_zeros();
                column(start, at)?;
                start = at + 1;
                separators &= separators - 1;
            }
            base += 16;
        }
        for byte in rest {
            if *byte <= b' ' {
                column(start, base)?;
                start = base + 1;
            }
            base += 1;
        }
        column(start, base)?;
        if columns.next().is_some() { Err(RowFault::TooFewFields) } else { Ok(()) }
    }
}

/// Which lines of a file are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lines {
    /// All.
    All,
    /// Those that start in this range of bytes.
    StartingIn(u64, u64),
}

/// Reads lines from a reader that stands at the beginning, or one byte before the range if that does not start at 0.
pub(super) fn read<S: Sink>(
    input: impl Read,
    counter: &Counter,
    head: &Head,
    which: Lines,
    sink: &mut S,
) -> Result<ReadSummary, FileFailure> {
    let (start, end) = match which {
        Lines::All => (0, u64::MAX),
        Lines::StartingIn(start, end) => (start, end),
    };
    let mut blocks = Blocks::new(input, start.saturating_sub(1));
    let mut reader = Reader {
        quick: if head.timed { None } else { QuickParser::new(&head.layout) },
        records: [V4Record::BLANK; TOGETHER],
        parser: RowParser::new(&head.layout),
        layout: head.layout.clone(),
        timed: head.timed,
        from: head.from,
        which,
        end,
        // The byte before the range ends the line that belongs to the part before.
        foreign: start > 0,
        sink,
        lines: 0,
        layout_changed: false,
    };
    let mut reported = 0;
    loop {
        let chunk = blocks.next().map_err(|error| FileFailure(error.to_string()))?;
        let more = match chunk {
            None => false,
            Some(Chunk::TooLong { offset }) => reader.too_long(offset),
            Some(Chunk::Lines { offset, bytes, around }) => reader.block(offset, bytes, around)?,
        };
        let fresh = counter.take().min((end - start) - reported);
        reported += fresh;
        reader.sink.consumed(fresh);
        if !more {
            break;
        }
    }
    if let Lines::StartingIn(..) = which {
        reader.sink.consumed((end - start) - reported);
    }
    Ok(ReadSummary { places: reader.lines, layout_changed: reader.layout_changed })
}

struct Reader<'s, S> {
    quick: Option<QuickParser>,
    /// What the quick parser read, in their order.
    records: [V4Record; TOGETHER],
    parser: RowParser,
    layout: Layout,
    timed: bool,
    from: u64,
    which: Lines,
    end: u64,
    foreign: bool,
    sink: &'s mut S,
    lines: u64,
    layout_changed: bool,
}

impl<S: Sink> Reader<'_, S> {
    /// Reads a block of lines. False: no line after it is wanted.
    fn block(&mut self, offset: u64, block: &[u8], around: &[u8]) -> Result<bool, FileFailure> {
        let mut bytes = block;
        let mut offset = offset;
        while !bytes.is_empty() {
            let quick = self.quick_rows(around, block.len() - bytes.len()..block.len(), offset);
            if quick > 0 {
                bytes = &bytes[quick..];
                offset += quick as u64;
                continue;
            }
            let length = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |newline| newline + 1);
            let (line, rest) = bytes.split_at(length);
            if self.foreign {
                self.foreign = false;
            } else if offset >= self.end {
                return Ok(false);
            } else {
                self.lines += 1;
                let line = without_mark(line, offset);
                let row = if self.timed { without_time(line) } else { line };
                match self.parser.parse(row) {
                    Ok(flow) if offset >= self.from => self.sink.flow(&flow),
                    Ok(_) => self.sink.fault(RowFault::NoLayout.into(), Place::Line(self.lines)),
                    Err(misread) => {
                        if !self.no_record(line, offset, misread)? {
                            return Ok(false);
                        }
                        if length == 1 {
                            let blank = self.blank_lines(offset + 1, rest);
                            bytes = &rest[blank..];
                            offset += 1 + blank as u64;
                            continue;
                        }
                    }
                }
            }
            bytes = rest;
            offset += length as u64;
        }
        Ok(true)
    }

    /// Reads the rows at this place of the block that the quick parser reads; how many bytes they take.
    fn quick_rows(&mut self, around: &[u8], lines: Range<usize>, offset: u64) -> usize {
        let Some(quick) = &mut self.quick else { return 0 };
        if self.foreign || offset < self.from {
            return 0;
        }
        // Lines that start at the end of the part or later are another's.
        let wanted = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let start = FRONT + lines.start;
        let (end, last) = (FRONT + lines.end, start.saturating_add(wanted));
        let (mut at, mut count) = (start, 0);
        let mut rows = [(at, &[][..]); TOGETHER];
        for (record, row) in self.records.iter_mut().zip(&mut rows) {
            if at >= end.min(last) {
                break;
            }
            let read = quick.parse_into(around, at, &mut record.flow);
            // A row without a newline of its own must not borrow one from what lies behind.
            let Some((interface_id, newline)) = read.filter(|(_, newline)| *newline < end) else { break };
            *row = (at, interface_id);
            at = newline + 1;
            count += 1;
        }
        self.deliver(around, &rows[..count]);
        at - start
    }

    /// Hands out rows that were read: where they start and whose they are.
    fn deliver(&mut self, around: &[u8], rows: &[(usize, &[u8])]) {
        let mut delivered = 0;
        for (at, (start, interface_id)) in rows.iter().enumerate() {
            self.lines += 1;
            if let Some(interface) = self.sink.interface(interface_id) {
                self.records[at].interface = interface;
                continue;
            }
            self.sink.v4(&self.records[delivered..at]);
            delivered = at + 1;
            let row = &around[*start..];
            let row = memchr::memchr(b'\n', row).map_or(row, |newline| &row[..newline]);
            match self.parser.parse(row) {
                Ok(flow) => self.sink.flow(&flow),
                Err(misread) => self.sink.fault(misread, Place::Line(self.lines)),
            }
        }
        self.sink.v4(&self.records[delivered..rows.len()]);
    }

    /// Skips a run of blank lines fast: a gigabyte of them inflates from a megabyte.
    fn blank_lines(&mut self, offset: u64, bytes: &[u8]) -> usize {
        const RUN: [u8; 256] = [b'\n'; 256];
        let (runs, _) = bytes.as_chunks::<256>();
        let mut skipped = 0;
        for run in runs {
            if *run != RUN || offset + skipped as u64 + 256 > self.end {
                break;
            }
            skipped += run.len();
        }
        self.lines += skipped as u64;
        skipped
    }

    /// What a line is that is no record: blank, a header, or a fault. False: reading ends here.
    #[cold]
    fn no_record(&mut self, line: &[u8], offset: u64, misread: Misread) -> Result<bool, FileFailure> {
        if misread.fault == RowFault::TooLong {
            self.sink.fault(misread, Place::Line(self.lines));
            return Ok(true);
        }
        if tokens(line).next().is_none() {
            return Ok(true);
        }
        let Some(layout) = Layout::from_header(line) else {
            let misread = if offset < self.from { RowFault::NoLayout.into() } else { misread };
            self.sink.fault(misread, Place::Line(self.lines));
            return Ok(true);
        };
        if layout == self.layout && !self.timed {
            return Ok(true);
        }
        if let Lines::StartingIn(..) = self.which {
            self.layout_changed = true;
            return Ok(false);
        }
        layout.check().map_err(|FileFailure(why)| FileFailure(format!("line {}: {why}", self.lines)))?;
        self.quick = QuickParser::new(&layout);
        self.records = [V4Record::BLANK; TOGETHER];
        self.parser = RowParser::new(&layout);
        self.layout = layout;
        self.timed = false;
        Ok(true)
    }

    fn too_long(&mut self, offset: u64) -> bool {
        if self.foreign {
            self.foreign = false;
            return true;
        }
        if offset >= self.end {
            return false;
        }
        self.lines += 1;
        let fault = if offset < self.from { RowFault::NoLayout } else { RowFault::TooLong };
        self.sink.fault(fault.into(), Place::Line(self.lines));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_are_read_at_once() {
        let cases = [
            (b"12345678", 8, Some(12_345_678)),
            (b"99999999", 8, Some(99_999_999)),
            (b"00000000", 8, Some(0)),
            (b"OK-x 443", 3, Some(443)),
            (b"\xff\xff\xff\xff\xff\xff\xff7", 1, Some(7)),
            (b"1234567x", 8, None),
            (b"1234567:", 1, None),
            (b"1234567/", 1, None),
            (b"123\xff5678", 8, None),
            (b"123\xff5678", 4, Some(5678)),
        ];
        for (bytes, length, expected) in cases {
            assert_eq!(eight_digits(*bytes, length), expected, "{bytes:?} {length}");
        }
    }
}
