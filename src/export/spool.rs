//! Row groups that are made at once and written one after the other.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use ::parquet::arrow::ArrowSchemaConverter;
use ::parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use arrow_schema::SchemaRef;

use super::columns::schema;
use super::{FORMAT, FORMAT_KEY};

/// So many bytes of row groups wait for their turn; then those that make them wait.
const MOST_HELD: u64 = 64 << 20;

/// A row group, packed.
pub(super) struct Group {
    pub(super) columns: Vec<ArrowColumnChunk>,
    pub(super) rows: u64,
}

impl Group {
    fn bytes(&self) -> u64 {
        self.columns.iter().map(|column| column.close().bytes_written).sum()
    }
}

/// The file in the making.
pub(super) struct Spool<W: Write + Send> {
    schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
    state: Mutex<State<W>>,
    turned: Condvar,
}

struct State<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    /// Whose turn it is.
    turn: usize,
    /// By turn; whether there is no more of it.
    held: BTreeMap<usize, (Vec<Group>, bool)>,
    bytes: u64,
    rows: u64,
    failed: Option<io::Error>,
}

fn wrong(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}

impl<W: Write + Send> Spool<W> {
    pub(super) fn open(sink: W) -> io::Result<Self> {
        let schema: SchemaRef = schema().into();
        let pair = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
        let level = ZstdLevel::try_new(1).map_err(wrong)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(format!("flowaudit {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(vec![pair(FORMAT_KEY, FORMAT)]))
            .build();
        let types = ArrowSchemaConverter::new().with_coerce_types(true).convert(&schema).map_err(wrong)?;
        let writer =
            SerializedFileWriter::new(sink, types.root_schema_ptr(), properties.into()).map_err(wrong)?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, SchemaRef::clone(&schema));
        let state = State { writer, turn: 0, held: BTreeMap::new(), bytes: 0, rows: 0, failed: None };
        Ok(Self { schema, factory, state: Mutex::new(state), turned: Condvar::new() })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Packs the columns of a row group that is yet to come.
    pub(super) fn columns(&self) -> io::Result<Vec<ArrowColumnWriter>> {
        self.factory.create_column_writers(0).map_err(wrong)
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next row group of a turn.
    pub(super) fn put(&self, turn: usize, group: Group) {
        let bytes = group.bytes();
        let mut state = self.lock();
        // Whoever's turn it is never waits, so it ends.
        while turn != state.turn && state.bytes + bytes > MOST_HELD && state.failed.is_none() {
            state = self.turned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.failed.is_some() {
            return;
        }
        if turn == state.turn {
            state.write(group);
        } else {
            state.bytes += bytes;
            state.held.entry(turn).or_default().0.push(group);
        }
    }

    /// There is no more of a turn.
    pub(super) fn done(&self, turn: usize) {
        let mut state = self.lock();
        state.held.entry(turn).or_default().1 = true;
        loop {
            let now = state.turn;
            let Some((groups, _)) =
                state.held.get_mut(&now).filter(|(groups, done)| *done || !groups.is_empty())
            else {
                break;
            };
            let groups = std::mem::take(groups);
            for group in groups {
                state.bytes -= group.bytes();
                state.write(group);
            }
            if !state.held.get(&now).is_some_and(|(_, done)| *done) {
                break;
            }
            state.held.remove(&now);
            state.turn += 1;
        }
        self.turned.notify_all();
    }

    /// It failed: what is made is for nothing.
    pub(super) fn fail(&self, error: impl Into<io::Error>) {
        let mut state = self.lock();
        state.failed.get_or_insert(error.into());
        self.turned.notify_all();
    }

    /// Whether something failed.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// Ends the file; how many rows it has.
    pub(super) fn close(self) -> io::Result<u64> {
        let State { writer, rows, failed, .. } =
            self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = failed {
            return Err(error);
        }
        let mut sink = writer.into_inner().map_err(wrong)?;
        sink.flush()?;
        Ok(rows)
    }
}

impl<W: Write + Send> State<W> {
    fn write(&mut self, group: Group) {
        if self.failed.is_some() {
            return;
        }
        let Group { columns, rows } = group;
        let written = self.writer.next_row_group().and_then(|mut writer| {
            for column in columns {
                column.append_to_row_group(&mut writer)?;
            }
            writer.close().map(|_| ())
        });
        match written {
            Ok(()) => self.rows += rows,
            Err(error) => self.failed = Some(wrong(error)),
        }
    }
}
