//! Flow logs in Parquet: columns by name, one row group a part.
//!
//! Only the columns a join needs are decoded. Pages of the kinds that flow logs come in go the quick way ([`rows`]);
//! whatever else there may be is decoded to Arrow arrays ([`batch`]), and both say what a row means by
//! [`cells::flow`]. The decoder trusts what a file declares, so sizes are checked before it runs and it runs where a
//! panic becomes a [`FileFailure`].
//!
//! A row group whose statistics say that all of its rows start outside `--since` and `--until` is not read. Whatever is
//! wrong with such rows is no fault in any other form of log either, so that reports do not depend on it. Nor is one of
//! which the statistics say that nothing in it is wanted, where somebody says what is.

mod batch;
mod codes;
mod column;
mod dictionary;
mod extents;
mod finite;
mod inflate;
mod pages;
mod ranges;
mod rows;
mod runs;
mod starts;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Once};
use std::time::SystemTime;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::errors::ParquetError;
use ::parquet::schema::types::SchemaDescriptor;
use arrow_array::RecordBatch;

use self::batch::{BatchRow, Columns};
use self::column::Space;
pub(crate) use self::finite::Finite;
use self::ranges::Ranges;
use self::rows::RowGroup;
use super::cells;
use super::layout::Layout;
use super::source::Location;
use super::{FileFailure, Part, Place, ReadOptions, ReadSummary, Sink};
use crate::export;
use crate::flow::Field;
use crate::flow::field::FIELDS;

const BATCH: usize = 8192;
/// The largest row group that is decoded; AWS writes files of at most 75 MB.
const MAX_GROUP: u64 = 2 << 30;

/// The fields a flow is made of; no other column is decoded.
const NEEDED: [Field; 19] = [
    Field::AccountId,
    Field::InterfaceId,
    Field::Srcaddr,
    Field::Dstaddr,
    Field::Srcport,
    Field::Dstport,
    Field::Protocol,
    Field::Packets,
    Field::Bytes,
    Field::Start,
    Field::End,
    Field::Action,
    Field::LogStatus,
    Field::VpcId,
    Field::TcpFlags,
    Field::PktSrcaddr,
    Field::PktDstaddr,
    Field::FlowDirection,
    Field::RejectReason,
];

/// The row groups of a file.
pub(super) fn plan(location: &Location) -> Result<Vec<Part>, FileFailure> {
    let table = Table::open(location)?;
    if let Location::Object(object) = location {
        object.forget_tail();
    }
    let groups = table.metadata.metadata().num_row_groups();
    if groups == 0 {
        return Ok(vec![Part::Whole]);
    }
    Ok((0..groups).filter_map(|index| Some(Part::RowGroup { index: index.try_into().ok()? })).collect())
}

/// What is fetched of an object to read a part, as far as its footer tells. Nothing: that shows when it is read.
pub(super) fn ahead(location: &Location, part: &Part, options: &ReadOptions) -> Vec<Range<u64>> {
    let Part::RowGroup { index } = part else { return Vec::new() };
    let Ok(table) = Table::last(location) else { return Vec::new() };
    let group = *index as usize;
    match table.left_out(group, options) {
        Some(_) => Vec::new(),
        None => table.pieces(group),
    }
}

/// Reads one row group, or all of them.
pub(super) fn read<S: Sink>(
    location: &Location,
    part: &Part,
    options: &ReadOptions,
    sink: &mut S,
) -> Result<ReadSummary, FileFailure> {
    let table = Table::last(location)?;
    let groups = table.metadata.metadata().num_row_groups();
    let wanted = match part {
        Part::RowGroup { index } => {
            let index = *index as usize;
            index..index + 1
        }
        _ => 0..groups,
    };
    if wanted.end > groups {
        return Err(FileFailure("Parquet: the file has changed while it was read".to_owned()));
    }
    if let Location::Object(object) = location
        && wanted.end == groups
    {
        object.forget_tail();
    }
    let mut rows = 0;
    for group in wanted {
        let Some(left_out) = table.left_out(group, options) else {
            table.prepare(group)?;
            rows += table.read(group, rows, sink)?;
            continue;
        };
        rows += match left_out {
            LeftOut::Outside(rows) => {
                sink.outside(rows);
                rows
            }
            LeftOut::Unwanted(rows) => {
                sink.unwanted(rows);
                rows
            }
        };
        sink.consumed(table.stored(group));
    }
    Ok(ReadSummary { places: rows, layout_changed: false })
}

/// The value of a cell: files differ in how they say that there is none.
#[inline]
fn value(text: &[u8]) -> Option<&[u8]> {
    match text {
        b"" | b"-" | b"None" => None,
        text => Some(text),
    }
}

fn deliver<S: Sink>(
    batch: &RecordBatch,
    fields: &[(usize, Field)],
    before: u64,
    sink: &mut S,
) -> Result<(), FileFailure> {
    let mut columns = Columns::default();
    for ((_, field), array) in fields.iter().zip(batch.columns()) {
        columns.set(*field, array)?;
    }
    for row in 0..batch.num_rows() {
        match cells::flow(&BatchRow { columns: &columns, row }) {
            Ok(flow) => sink.flow(&flow),
            Err(misread) => sink.fault(misread, Place::Row(before + row as u64 + 1)),
        }
    }
    Ok(())
}

thread_local! {
    /// Workers read the row groups of a file one after the other, so that each reads its footer once.
    static LAST: RefCell<Option<(Version, Rc<Table>)>> = const { RefCell::new(None) };
}

/// A file as it is now.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    location: Location,
    size: u64,
    /// None: the system does not say. Objects are read in one version only.
    modified: Option<SystemTime>,
}

impl Version {
    /// None: nobody can tell.
    fn of(location: &Location) -> Result<Option<Self>, FileFailure> {
        let io = |error: std::io::Error| FileFailure(error.to_string());
        let (size, modified) = match location {
            Location::File(path) => {
                let found = std::fs::metadata(path).map_err(io)?;
                match found.modified() {
                    Ok(modified) => (found.len(), Some(modified)),
                    Err(_) => return Ok(None),
                }
            }
            Location::Object(object) => (object.bytes, None),
            Location::StandardInput => return Ok(None),
        };
        Ok(Some(Self { location: location.clone(), size, modified }))
    }
}

/// Why a row group is not read, and how many rows it has.
enum LeftOut {
    /// They start outside the window.
    Outside(u64),
    /// Nobody wants any of them.
    Unwanted(u64),
}

/// An open file and which of its columns are read.
struct Table {
    file: Arc<Finite>,
    size: u64,
    metadata: ArrowReaderMetadata,
    /// Leaf and field of the columns read, in the order of the file.
    columns: Vec<(usize, Field)>,
    /// Of each column, from the row group read last.
    spaces: RefCell<Vec<Space>>,
}

impl Table {
    /// The file, or what the worker has of it.
    fn last(location: &Location) -> Result<Rc<Self>, FileFailure> {
        let version = Version::of(location)?;
        let known = LAST.with_borrow(|last| match last {
            Some((known, table)) if version.as_ref() == Some(known) => Some(Rc::clone(table)),
            _ => None,
        });
        if let Some(table) = known {
            return Ok(table);
        }
        let table = Rc::new(Self::open(location)?);
        LAST.set(version.map(|version| (version, Rc::clone(&table))));
        Ok(table)
    }

    fn open(location: &Location) -> Result<Self, FileFailure> {
        let io = |error: std::io::Error| FileFailure(error.to_string());
        let file = match location {
            Location::File(path) => Finite::File(File::open(path).map_err(io)?),
            Location::Object(object) => Finite::Object(Ranges::open(object).map_err(io)?),
            Location::StandardInput => return Err(FileFailure("Parquet: expected a file".to_owned())),
        };
        let size = match &file {
            Finite::File(file) => file.metadata().map_err(io)?.len(),
            Finite::Object(object) => object.size(),
        };
        let metadata = guarded(|| {
            // The types that arrow wrote beside the columns would only be one more thing to be wrong.
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            match &file {
                Finite::File(file) => ArrowReaderMetadata::load(file, options),
                Finite::Object(_) => ArrowReaderMetadata::load(&file, options),
            }
        })
        .map_err(|FileFailure(why)| FileFailure(format!("{why} (is the footer missing or damaged?)")))?;
        if export::is_marked(metadata.metadata()) {
            return Err(FileFailure(
                "an export of flowaudit, not a flow log: its records would be counted twice".to_owned(),
            ));
        }
        let columns = columns(metadata.parquet_schema())?;
        let table = Self { file: Arc::new(file), size, metadata, columns, spaces: RefCell::default() };
        for group in 0..table.metadata.metadata().num_row_groups() {
            table.check(group)?;
        }
        Ok(table)
    }

    /// An error if decoding the row group would take more memory than any flow log needs.
    fn check(&self, group: usize) -> Result<(), FileFailure> {
        let group = self.metadata.metadata().row_group(group);
        let mut size = 0_u64;
        for (leaf, _) in &self.columns {
            let column = group
                .columns()
                .get(*leaf)
                .ok_or_else(|| FileFailure("Parquet: damaged footer".to_owned()))?;
            let declared = u64::try_from(column.uncompressed_size());
            size =
                size.saturating_add(declared.map_err(|_| FileFailure("Parquet: damaged footer".to_owned()))?);
        }
        // No column takes less than some bits a row, but runs may be long; batches bound what rows cost.
        if size > MAX_GROUP {
            return Err(FileFailure(format!("Parquet: a row group of {size} bytes, more than 2 GiB")));
        }
        Ok(())
    }

    /// None: the row group is read.
    fn left_out(&self, group: usize, options: &ReadOptions) -> Option<LeftOut> {
        if let Some(rows) = starts::outside(&self.metadata, &self.columns, group, options.window) {
            return Some(LeftOut::Outside(rows));
        }
        let wanted = options.wanted.as_ref()?;
        extents::unwanted(&self.metadata, &self.columns, group, wanted).map(LeftOut::Unwanted)
    }

    /// What is fetched of an object for a row group.
    fn pieces(&self, group: usize) -> Vec<Range<u64>> {
        let Some(stored) = self.metadata.metadata().row_groups().get(group) else { return Vec::new() };
        let chunks = self.columns.iter().filter_map(|(leaf, _)| {
            let column = stored.columns().get(*leaf)?;
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let start = u64::try_from(start.min(column.data_page_offset())).ok()?;
            let end = start.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
            (start < end && end <= self.size).then_some(start..end)
        });
        ranges::pieces(chunks.collect())
    }

    /// Fetches what is needed of an object for a row group.
    fn prepare(&self, group: usize) -> Result<(), FileFailure> {
        match &*self.file {
            Finite::File(_) => Ok(()),
            Finite::Object(object) => {
                object.hold(&self.pieces(group)).map_err(|error| FileFailure(error.to_string()))
            }
        }
    }

    /// Reads one row group; how many rows it has.
    fn read<S: Sink>(&self, group: usize, before: u64, sink: &mut S) -> Result<u64, FileFailure> {
        let (mut reported, size) = (0, self.stored(group));
        let total = self.metadata.metadata().row_group(group).num_rows().max(1).cast_unsigned();
        let mut report = |rows: u64, sink: &mut S| {
            let share = u128::from(size) * u128::from(rows) / u128::from(total);
            let fresh = u64::try_from(share).unwrap_or(size).min(size) - reported;
            reported += fresh;
            sink.consumed(fresh);
        };
        let mut rows = 0;
        let spaces = self.spaces.take();
        if let Some(mut quick) = RowGroup::open(&self.file, &self.metadata, group, &self.columns, spaces) {
            rows = quick.read(before, sink, &mut report);
            self.spaces.replace(quick.into_spaces());
        }
        if rows < total {
            let mut reader = self.decode(group, rows)?;
            while let Some(batch) = guarded(|| reader.next().transpose().map_err(ParquetError::from))? {
                deliver(&batch, &self.columns, before + rows, sink)?;
                rows += batch.num_rows() as u64;
                report(rows, sink);
            }
        }
        sink.consumed(size - reported);
        Ok(rows)
    }

    /// The rows of a row group behind so many.
    fn decode(&self, group: usize, behind: u64) -> Result<ParquetRecordBatchReader, FileFailure> {
        let file = self.file.try_clone().map_err(|error| FileFailure(error.to_string()))?;
        guarded(|| {
            let leaves = self.columns.iter().map(|(leaf, _)| *leaf);
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_projection(ProjectionMask::leaves(self.metadata.parquet_schema(), leaves))
                .with_row_groups(vec![group])
                .with_offset(usize::try_from(behind)?)
                .with_batch_size(BATCH)
                .build()
        })
    }

    /// The bytes of the file that count for a row group; those of no group count for the first.
    fn stored(&self, group: usize) -> u64 {
        let groups = self.metadata.metadata().row_groups();
        let bytes = |group: &::parquet::file::metadata::RowGroupMetaData| {
            let sizes =
                group.columns().iter().map(|column| u64::try_from(column.compressed_size()).unwrap_or(0));
            sizes.fold(0, u64::saturating_add).min(self.size)
        };
        let others = groups.iter().skip(1).map(bytes).fold(0, u64::saturating_add).min(self.size);
        if group == 0 { self.size - others } else { groups.get(group).map_or(0, bytes) }
    }
}

fn columns(schema: &SchemaDescriptor) -> Result<Vec<(usize, Field)>, FileFailure> {
    let roots = schema.root_schema().get_fields();
    Layout::from_names(roots.iter().map(|root| root.name())).check()?;
    let mut columns: Vec<(usize, Field)> = Vec::with_capacity(FIELDS.len());
    for (leaf, column) in schema.columns().iter().enumerate() {
        let Some((name, below)) = column.path().parts().split_first() else { continue };
        let field = Field::from_name(name).filter(|field| NEEDED.contains(field));
        if field.is_some() && (!below.is_empty() || column.max_rep_level() > 0) {
            return Err(FileFailure(format!(
                "Parquet: column {name}: expected one value a row, found several"
            )));
        }
        if let Some(field) = field.filter(|field| columns.iter().all(|(_, known)| known != field)) {
            columns.push((leaf, field));
        }
    }
    Ok(columns)
}

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Runs the decoder; a panic in it is a failure of the file and says nothing on stderr.
pub(crate) fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, FileFailure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !SILENT.get() {
                before(panic);
            }
        }));
    });
    let was_silent = SILENT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(decode));
    SILENT.set(was_silent);
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(FileFailure(format!("Parquet: {error}"))),
        Err(_) => Err(FileFailure("Parquet: the file is damaged".to_owned())),
    }
}
