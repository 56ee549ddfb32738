//! The one wide table that a state is: rows of many kinds, each with values in some of the columns.
//!
//! `select * from read_parquet('x.state') where "table" = 'usage'` shows one kind in `DuckDB`, and so does any tool that
//! reads Parquet. Where a row has no value in a column there is a null, which costs next to nothing.
//!
//! Reading trusts nothing: a value that is missing, of another kind or out of its range is damage, and what counts add
//! up to is bounded, so that sums over states cannot overflow.

use std::cell::Cell;
use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder, UInt64Builder};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::tally::credit::{Credit, Span};

/// Declares a closed list of columns with their names, in the order of the file.
macro_rules! columns {
    ($(#[$doc:meta])* $list:ident { $($column:ident $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $list {
            $($column,)+
        }

        impl $list {
            const NAMES: &[&str] = &[$($name,)+];

            fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }
        }
    };
}

columns! {
    /// Columns of text.
    Text {
        Table "table",
        Interface "interface",
        Kind "kind",
        Name "name",
        Detail "detail",
        Direction "direction",
        Exposure "exposure",
        RemoteExposure "remote_exposure",
        Peer "peer",
        Path "path",
        Etag "etag",
        Json "json",
    }
}

columns! {
    /// Columns of whole numbers.
    Number {
        At "at",
        Index "number",
        Protocol "protocol",
        Port "port",
        PortTo "port_to",
        Level "level",
        Rung "rung",
        RemotePort "remote_port",
        RemotePortTo "remote_port_to",
        Forward "forward_set",
        Reply "reply_set",
        Rule "rule",
        First "first",
        Seconds "seconds",
        Last "last",
        LastStart "last_start",
        Modified "modified",
    }
}

columns! {
    /// Columns of counts and bits.
    Count {
        Records "records",
        Answers "answers",
        WithFlags "with_flags",
        Packets "packets",
        Bytes "bytes",
        Bits "bits",
        Rejected "rejected",
    }
}

/// Rows that are gathered before they are encoded.
const BATCH: usize = 1 << 14;
/// A row group is ended with its kind of row once it is worth the room that its entry in the footer takes.
const WORTH_A_GROUP: usize = 1 << 14;
/// Row groups do not get larger: it is what a reader holds at once.
const LARGEST_GROUP: usize = 1 << 20;
/// Names that come again and again are kept once per row group, up to so many bytes of them.
const DICTIONARY: usize = 8 << 20;
/// No log holds more records than this, and what adds up to more is damage: 2^50.
pub(super) const MOST_RECORDS: u64 = 1 << 50;
/// 9999-12-31T23:59:59Z, the last second that a log or a snapshot can name.
const LAST_SECOND: i64 = 253_402_300_799;

/// Every column: name and type.
pub(super) fn schema() -> Schema {
    let of = |names: &[&str], kind: &DataType| -> Vec<Field> {
        names.iter().map(|name| Field::new(*name, kind.clone(), true)).collect()
    };
    let mut fields = of(Text::NAMES, &DataType::Utf8);
    fields.extend(of(Number::NAMES, &DataType::Int64));
    fields.extend(of(Count::NAMES, &DataType::UInt64));
    Schema::new(fields)
}

/// Writes rows. What is set is of the row last begun.
pub(super) struct Sheet<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: Arc<Schema>,
    texts: Vec<StringBuilder>,
    numbers: Vec<Int64Builder>,
    counts: Vec<UInt64Builder>,
    table: &'static str,
    rows: usize,
    in_group: usize,
}

impl<W: Write + Send> Sheet<W> {
    pub(super) fn new(sink: W, metadata: Vec<KeyValue>) -> Result<Self, ParquetError> {
        let schema = Arc::new(schema());
        let properties = WriterProperties::builder()
            .set_created_by("flowaudit".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(6)?))
            .set_dictionary_page_size_limit(DICTIONARY)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_column_statistics_enabled(ColumnPath::from(Text::Table.name()), EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_max_row_group_row_count(Some(LARGEST_GROUP))
            .set_key_value_metadata(Some(metadata))
            .build();
        Ok(Self {
            writer: ArrowWriter::try_new(sink, Arc::clone(&schema), Some(properties))?,
            schema,
            texts: Text::NAMES.iter().map(|_| StringBuilder::new()).collect(),
            numbers: Number::NAMES.iter().map(|_| Int64Builder::new()).collect(),
            counts: Count::NAMES.iter().map(|_| UInt64Builder::new()).collect(),
            table: "",
            rows: 0,
            in_group: 0,
        })
    }

    /// Begins a row of a table.
    pub(super) fn row(&mut self, table: &'static str) -> Result<&mut Self, ParquetError> {
        if self.rows >= BATCH || table != self.table {
            self.encode()?;
        }
        if table != self.table && self.in_group >= WORTH_A_GROUP {
            self.writer.flush()?;
            self.in_group = 0;
        }
        self.table = table;
        self.rows += 1;
        Ok(self.text(Text::Table, table))
    }

    pub(super) fn text(&mut self, column: Text, value: &str) -> &mut Self {
        let builder = &mut self.texts[column as usize];
        pad(self.rows - 1 - builder_len(builder), |nulls| builder.append_nulls(nulls));
        builder.append_value(value);
        self
    }

    pub(super) fn number(&mut self, column: Number, value: impl Into<i64>) -> &mut Self {
        let builder = &mut self.numbers[column as usize];
        pad(self.rows - 1 - builder_len(builder), |nulls| builder.append_nulls(nulls));
        builder.append_value(value.into());
        self
    }

    pub(super) fn count(&mut self, column: Count, value: u64) -> &mut Self {
        let builder = &mut self.counts[column as usize];
        pad(self.rows - 1 - builder_len(builder), |nulls| builder.append_nulls(nulls));
        builder.append_value(value);
        self
    }

    pub(super) fn text_if(&mut self, column: Text, value: Option<&str>) -> &mut Self {
        if let Some(value) = value { self.text(column, value) } else { self }
    }

    pub(super) fn number_if(&mut self, column: Number, value: Option<i64>) -> &mut Self {
        if let Some(value) = value { self.number(column, value) } else { self }
    }

    /// Start and length: most rows are of one record, and most records of one length. Where no start is known, the end.
    pub(super) fn span(&mut self, span: Span) -> &mut Self {
        match (span.first(), span.last()) {
            (Some(first), Some(last)) => {
                self.number(Number::First, first).number(Number::Seconds, last - first)
            }
            (first, last) => self.number_if(Number::First, first).number_if(Number::Last, last),
        }
    }

    pub(super) fn credit(&mut self, credit: &Credit) -> &mut Self {
        self.count(Count::Records, credit.records)
            .count(Count::Answers, credit.answers)
            .count(Count::WithFlags, credit.with_flags)
            .count(Count::Packets, credit.packets)
            .count(Count::Bytes, credit.bytes)
            .span(credit.span)
    }

    fn encode(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let rows = self.rows;
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for builder in &mut self.texts {
            pad(rows - builder_len(builder), |nulls| builder.append_nulls(nulls));
            arrays.push(Arc::new(builder.finish()));
        }
        for builder in &mut self.numbers {
            pad(rows - builder_len(builder), |nulls| builder.append_nulls(nulls));
            arrays.push(Arc::new(builder.finish()));
        }
        for builder in &mut self.counts {
            pad(rows - builder_len(builder), |nulls| builder.append_nulls(nulls));
            arrays.push(Arc::new(builder.finish()));
        }
        self.writer.write(&batch(&self.schema, arrays)?)?;
        self.in_group += std::mem::take(&mut self.rows);
        Ok(())
    }

    /// Ends the file and gives the sink back.
    pub(super) fn finish(mut self) -> Result<W, ParquetError> {
        self.encode()?;
        self.writer.into_inner()
    }
}

fn batch(schema: &Arc<Schema>, arrays: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(Arc::clone(schema), arrays)
}

fn builder_len(builder: &impl arrow_array::builder::ArrayBuilder) -> usize {
    builder.len()
}

fn pad(nulls: usize, append: impl FnOnce(usize)) {
    if nulls > 0 {
        append(nulls);
    }
}

/// What the counts of a file add up to so far.
#[derive(Debug, Default)]
pub(super) struct Budget(Cell<u64>);

impl Budget {
    /// Takes a count in. None: no log holds that many records.
    fn take(&self, records: u64) -> Option<u64> {
        let sum = self.0.get().saturating_add(records);
        self.0.set(sum);
        (sum <= MOST_RECORDS).then_some(records)
    }
}

/// Rows that were read.
pub(super) struct Rows<'a> {
    texts: Vec<&'a StringArray>,
    numbers: Vec<&'a Int64Array>,
    counts: Vec<&'a UInt64Array>,
    budget: &'a Budget,
}

impl<'a> Rows<'a> {
    /// The columns of a batch, which are those of [`schema`].
    pub(super) fn of(batch: &'a RecordBatch, budget: &'a Budget) -> Result<Self, String> {
        fn typed<'a, T: 'static>(batch: &'a RecordBatch, names: &[&str]) -> Result<Vec<&'a T>, String> {
            let column = |name: &&str| {
                let array = batch.column_by_name(name).and_then(|array| array.as_any().downcast_ref::<T>());
                array.ok_or_else(|| format!("column {name}: missing, or of another type"))
            };
            names.iter().map(column).collect()
        }
        Ok(Self {
            texts: typed(batch, Text::NAMES)?,
            numbers: typed(batch, Number::NAMES)?,
            counts: typed(batch, Count::NAMES)?,
            budget,
        })
    }

    pub(super) fn row(&self, at: usize) -> Row<'_> {
        Row { rows: self, at }
    }
}

/// One row that was read.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    rows: &'a Rows<'a>,
    at: usize,
}

impl<'a> Row<'a> {
    pub(super) fn text_if(self, column: Text) -> Option<&'a str> {
        let array = self.rows.texts[column as usize];
        array.is_valid(self.at).then(|| array.value(self.at))
    }

    pub(super) fn text(self, column: Text) -> Result<&'a str, String> {
        self.text_if(column).ok_or_else(|| format!("{}: no value", column.name()))
    }

    pub(super) fn number_if(self, column: Number) -> Option<i64> {
        let array = self.rows.numbers[column as usize];
        array.is_valid(self.at).then(|| array.value(self.at))
    }

    /// A number of the range that its type has.
    pub(super) fn number<T: TryFrom<i64>>(self, column: Number) -> Result<T, String> {
        let name = column.name();
        let value = self.number_if(column).ok_or_else(|| format!("{name}: no value"))?;
        T::try_from(value).map_err(|_| format!("{name}: {value} is out of range"))
    }

    /// A time that a log or a snapshot can name.
    pub(super) fn time_if(self, column: Number) -> Result<Option<i64>, String> {
        match self.number_if(column) {
            Some(time) if !(-LAST_SECOND..=LAST_SECOND).contains(&time) => {
                Err(format!("{}: {time} is no time", column.name()))
            }
            time => Ok(time),
        }
    }

    pub(super) fn count(self, column: Count) -> Result<u64, String> {
        let array = self.rows.counts[column as usize];
        let value = array.is_valid(self.at).then(|| array.value(self.at));
        value.ok_or_else(|| format!("{}: no value", column.name()))
    }

    /// A number of records.
    pub(super) fn records(self, column: Count) -> Result<u64, String> {
        let records = self.count(column)?;
        let taken = self.rows.budget.take(records);
        taken.ok_or_else(|| format!("{}: {records} is more than logs hold", column.name()))
    }

    pub(super) fn span(self) -> Result<Span, String> {
        let first = self.time_if(Number::First)?;
        match (first, self.time_if(Number::Seconds)?) {
            (Some(first), Some(seconds)) => Ok(Span::of(Some(first), Some(first + seconds))),
            _ => Ok(Span::of(first, self.time_if(Number::Last)?)),
        }
    }

    pub(super) fn credit(self) -> Result<Credit, String> {
        Ok(Credit {
            records: self.records(Count::Records)?,
            answers: self.records(Count::Answers)?,
            with_flags: self.records(Count::WithFlags)?,
            packets: self.count(Count::Packets)?,
            bytes: self.count(Count::Bytes)?,
            span: self.span()?,
        })
    }

    /// Damage in this row: a word that is none of those its column can have.
    pub(super) fn unknown(self, column: Text) -> String {
        format!("{}: unknown word \"{}\"", column.name(), self.text_if(column).unwrap_or_default())
    }
}
