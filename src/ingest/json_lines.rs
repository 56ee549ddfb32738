//! Records as JSON objects, one a line: what SLS of Alibaba Cloud ships to OSS. Lines are read alone, so that large files are
//! cut into parts, and a line that is broken costs no other.
//!
//! Source: <https://www.alibabacloud.com/help/en/sls/json-format-3>.

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::cells;
use super::json_row::{self, Row};
use super::lines::{Blocks, Chunk, MAX_LINE};
use super::stream::{Counter, PEEK};
use super::text::Lines;
use super::{FileFailure, Place, ReadSummary, RowFault, Sink, sniff};

/// Whether the first line or at least half of the lines are records, in a file that begins like this; of one that is longer,
/// the last line is not looked at.
pub(super) fn begin(head: &[u8]) -> bool {
    // Asked of every file and part, most of which are text.
    if memchr::memchr(b'{', head).is_none() {
        return false;
    }
    let text = head.strip_prefix(sniff::BOM).unwrap_or(head);
    let text = match memchr::memrchr(b'\n', text) {
        Some(end) if head.len() >= PEEK => &text[..end],
        _ => text,
    };
    let mut row = Row::default();
    let mut is_record =
        |line: &[u8]| line.starts_with(b"{") && object(line, &mut row) == Some(line.len()) && row.is_whole();
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let (mut records, mut others) = (0, 0);
    for line in lines {
        if is_record(line) {
            if others == 0 {
                return true;
            }
            records += 1;
        } else {
            others += 1;
        }
    }
    records > 0 && records >= others
}

/// Reads lines from a reader that stands at the beginning, or one byte before the range if that does not start at 0.
pub(super) fn read<S: Sink>(
    input: impl Read,
    counter: &Counter,
    which: Lines,
    sink: &mut S,
) -> Result<ReadSummary, FileFailure> {
    let (start, end) = match which {
        Lines::All => (0, u64::MAX),
        Lines::StartingIn(start, end) => (start, end),
    };
    let mut blocks = Blocks::new(input, start.saturating_sub(1));
    // The byte before the range ends the line that belongs to the part before.
    let mut reader = Reader { sink, row: Row::default(), end, foreign: start > 0, lines: 0 };
    let mut reported = 0;
    loop {
        let more = match blocks.next().map_err(|error| FileFailure(error.to_string()))? {
            None => false,
            Some(Chunk::TooLong { offset }) => reader.line(offset, None),
            Some(Chunk::Lines { offset, bytes, .. }) => reader.block(offset, bytes),
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
    Ok(ReadSummary { places: reader.lines, layout_changed: false })
}

struct Reader<'s, S> {
    sink: &'s mut S,
    row: Row,
    end: u64,
    foreign: bool,
    lines: u64,
}

impl<S: Sink> Reader<'_, S> {
    /// Reads a block of lines. False: no line after it is wanted.
    fn block(&mut self, offset: u64, mut bytes: &[u8]) -> bool {
        let mut offset = offset;
        while !bytes.is_empty() {
            let length = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |newline| newline + 1);
            let (line, rest) = bytes.split_at(length);
            if !self.line(offset, Some(line)) {
                return false;
            }
            offset += length as u64;
            bytes = rest;
        }
        true
    }

    /// Reads a line; None: one that is too long. False: it belongs to the next part.
    fn line(&mut self, offset: u64, line: Option<&[u8]>) -> bool {
        if std::mem::take(&mut self.foreign) {
            return true;
        }
        if offset >= self.end {
            return false;
        }
        self.lines += 1;
        match line.filter(|line| line.len() <= MAX_LINE) {
            None => self.sink.fault(RowFault::TooLong.into(), Place::Line(self.lines)),
            Some(line) => self.objects(line),
        }
        true
    }

    /// Mostly one; whoever writes them may leave newlines out.
    fn objects(&mut self, line: &[u8]) {
        let place = Place::Line(self.lines);
        let mut left = line.strip_prefix(sniff::BOM).unwrap_or(line).trim_ascii();
        while !left.is_empty() {
            let Some(length) = object(left, &mut self.row) else {
                return self.sink.fault(RowFault::NotJson.into(), place);
            };
            left = left[length..].trim_ascii_start();
            if !self.row.is_record() {
                self.sink.fault(RowFault::NoMessage.into(), place);
            } else if let Err((field, _)) = self.row.check() {
                self.sink.fault(RowFault::NoValue(field).into(), place);
            } else {
                match cells::flow(&&self.row) {
                    Ok(flow) => self.sink.flow(&flow),
                    Err(misread) => self.sink.fault(misread, place),
                }
            }
        }
    }
}

/// Reads an object at the beginning of some text into a row; how long it is. None: there is none.
fn object(text: &[u8], row: &mut Row) -> Option<usize> {
    row.clear();
    let mut parser = serde_json::Deserializer::from_slice(text);
    if Object(row).deserialize(&mut parser).is_ok() && parser.end().is_ok() {
        return Some(text.len());
    }
    // More than one: how long the first is comes first, then what it says.
    let mut parser = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    parser.next()?.ok()?;
    let length = parser.byte_offset();
    row.clear();
    Object(row).deserialize(&mut serde_json::Deserializer::from_slice(&text[..length])).ok()?;
    Some(length)
}

/// The fields of an object.
struct Object<'a>(&'a mut Row);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(json_row::Key)? {
            match field {
                Some(field) => map.next_value_seed(self.0.seed(field))?,
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}
