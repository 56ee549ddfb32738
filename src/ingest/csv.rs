//! Tables exported by Athena and by `CloudWatch` Logs Insights.
//!
//! Columns are found by name, or whole rows in a `@message` column. Memory is bounded by refusing a record that does
//! not end: an unclosed quote would otherwise take in the rest of the file.

use std::cell::Cell;
use std::io::{Error, Read};
use std::rc::Rc;

use ::csv::{ByteRecord, ReaderBuilder};

use super::cells::{self, Cells};
use super::layout::Layout;
use super::messages::Messages;
use super::stream::{Counter, Stream};
use super::{FileFailure, Place, ReadOptions, ReadSummary, RowFault, Sink, sniff};
use crate::flow::Field;
use crate::flow::field::FIELDS;

/// Longest record, with what the reader has buffered beyond it.
const MAX_RECORD: u64 = 1 << 20;

/// Fails when one record takes more than [`MAX_RECORD`].
struct Bounded<R> {
    inner: R,
    since_record: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.since_record.get() > MAX_RECORD {
            return Err(Error::other("a record longer than 1 MiB (a quote that is not closed?)"));
        }
        let count = self.inner.read(buffer)?;
        self.since_record.set(self.since_record.get() + count as u64);
        Ok(count)
    }
}

/// Where the fields stand in a record.
struct Columns([Option<usize>; FIELDS.len()]);

impl Columns {
    fn new(layout: &Layout) -> Self {
        let mut columns = [None; FIELDS.len()];
        for (index, field) in layout.columns().iter().enumerate() {
            if let Some(field) = field {
                columns[*field as usize].get_or_insert(index);
            }
        }
        Self(columns)
    }
}

struct TableRow<'a> {
    record: &'a ByteRecord,
    columns: &'a Columns,
}

impl<'a> Cells<'a> for TableRow<'a> {
    fn text(&self, field: Field) -> Option<&'a [u8]> {
        let text = self.record.get(self.columns.0[field as usize]?)?.trim_ascii();
        if matches!(text, b"" | b"-") { None } else { Some(text) }
    }
}

/// How the rows of a table say their record.
enum Shape {
    Fields(Box<Columns>),
    Message(usize, Box<Messages>),
}

fn shape(header: &ByteRecord, options: &ReadOptions) -> Result<Shape, FileFailure> {
    let names: Vec<_> = header.iter().map(|name| String::from_utf8_lossy(name.trim_ascii())).collect();
    let layout = Layout::from_names(names.iter().map(AsRef::as_ref));
    let message = names.iter().position(|name| sniff::is_message(name));
    match message {
        Some(column) if layout.missing_required().is_some() => {
            Ok(Shape::Message(column, Box::new(Messages::new(options)?)))
        }
        _ => {
            layout.check()?;
            Ok(Shape::Fields(Box::new(Columns::new(&layout))))
        }
    }
}

/// Reads a table.
pub(super) fn read<S: Sink>(
    stream: Stream,
    counter: &Counter,
    options: &ReadOptions,
    sink: &mut S,
) -> Result<ReadSummary, FileFailure> {
    let since_record = Rc::new(Cell::new(0));
    let delimiter = sniff::delimiter(stream.head());
    let bounded = Bounded { inner: stream, since_record: Rc::clone(&since_record) };
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(bounded);
    let mut header = ByteRecord::new();
    let mut record = ByteRecord::new();
    let mut shape_of = None;
    let result = loop {
        since_record.set(0);
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(failure(&error)),
        }
        sink.consumed(counter.take());
        let Some(shape) = &mut shape_of else {
            without_mark(&mut record);
            header.clone_from(&record);
            shape_of = Some(shape(&header, options)?);
            continue;
        };
        let place = Place::Line(record.position().map_or(0, ::csv::Position::line));
        if let Err(failure) = row(shape, &record, &header, place, sink) {
            break Err(failure);
        }
    };
    sink.consumed(counter.take());
    result?;
    if let Some(Shape::Message(_, messages)) = &shape_of {
        messages.finish()?;
    }
    Ok(ReadSummary { places: reader.position().line(), layout_changed: false })
}

fn row<S: Sink>(
    shape: &mut Shape,
    record: &ByteRecord,
    header: &ByteRecord,
    place: Place,
    sink: &mut S,
) -> Result<(), FileFailure> {
    // Exports are often pasted together.
    if record == header {
        return Ok(());
    }
    if record.len() != header.len() {
        let few = record.len() < header.len();
        let fault = if few { RowFault::TooFewFields } else { RowFault::TooManyFields };
        sink.fault(fault.into(), place);
        return Ok(());
    }
    match shape {
        Shape::Message(column, messages) => {
            messages.row(record.get(*column).unwrap_or_default(), place, sink)?;
        }
        Shape::Fields(columns) => match cells::flow(&TableRow { record, columns }) {
            Ok(flow) => sink.flow(&flow),
            Err(misread) => sink.fault(misread, place),
        },
    }
    Ok(())
}

fn without_mark(record: &mut ByteRecord) {
    if record.get(0).is_some_and(|name| name.starts_with(sniff::BOM)) {
        let names = record.iter().enumerate();
        *record =
            names.map(|(index, name)| if index == 0 { &name[sniff::BOM.len()..] } else { name }).collect();
    }
}

fn failure(error: &::csv::Error) -> FileFailure {
    match error.kind() {
        ::csv::ErrorKind::Io(error) => FileFailure(error.to_string()),
        _ => FileFailure(format!("CSV: {error}")),
    }
}
