//! What a column of a row group holds at least and at most, as its statistics say.

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use ::parquet::file::statistics::Statistics;
use arrow_schema::DataType;

use crate::flow::Field;
use crate::ingest::wanted::{Extent, Wanted};

/// How many rows a row group has, if none of them can be wanted.
pub(super) fn unwanted(
    metadata: &ArrowReaderMetadata,
    columns: &[(usize, Field)],
    group: usize,
    wanted: &Wanted,
) -> Option<u64> {
    let stored = metadata.metadata().row_groups().get(group)?;
    let none = wanted.is_none_of(|field| {
        let Some((leaf, _)) = columns.iter().find(|(_, known)| *known == field) else {
            return Extent::Nothing;
        };
        extent(metadata, *leaf, stored.columns().get(*leaf).and_then(|column| column.statistics()))
            .unwrap_or(Extent::Unknown)
    });
    none.then(|| stored.num_rows().try_into().ok()).flatten()
}

fn extent<'a>(
    metadata: &ArrowReaderMetadata,
    leaf: usize,
    statistics: Option<&'a Statistics>,
) -> Option<Extent<'a>> {
    let statistics = statistics?;
    let root = metadata.parquet_schema().get_column_root_idx(leaf);
    let kind = metadata.schema().fields().get(root)?.data_type();
    // What other types say is decided row by row.
    Some(match (kind, statistics) {
        (DataType::Int64, Statistics::Int64(of)) => Extent::Numbers(*of.min_opt()?, *of.max_opt()?),
        (DataType::Int32, Statistics::Int32(of)) => {
            Extent::Numbers((*of.min_opt()?).into(), (*of.max_opt()?).into())
        }
        // Old writers ordered texts in other ways.
        (DataType::Utf8, Statistics::ByteArray(of)) if !statistics.is_min_max_deprecated() => {
            Extent::Texts(of.min_opt()?.data(), of.max_opt()?.data())
        }
        _ => return None,
    })
}
