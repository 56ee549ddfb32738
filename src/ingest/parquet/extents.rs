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
        let statistics = stored.columns().get(*leaf).and_then(|column| column.statistics());
        statistics.map_or(Extent::Unknown, |statistics| extent(metadata, *leaf, statistics))
    });
    none.then(|| stored.num_rows().try_into().ok()).flatten()
}

/// What the statistics of a column say of its values.
pub(super) fn extent<'a>(
    metadata: &ArrowReaderMetadata,
    leaf: usize,
    statistics: &'a Statistics,
) -> Extent<'a> {
    let root = metadata.parquet_schema().get_column_root_idx(leaf);
    let kind = metadata.schema().fields().get(root).map(|field| field.data_type());
    let extent = match (kind, statistics) {
        (Some(DataType::Int64), Statistics::Int64(of)) => {
            of.min_opt().zip(of.max_opt()).map(|(least, most)| Extent::Numbers(*least, *most))
        }
        (Some(DataType::Int32), Statistics::Int32(of)) => of
            .min_opt()
            .zip(of.max_opt())
            .map(|(least, most)| Extent::Numbers((*least).into(), (*most).into())),
        // Old writers ordered texts in other ways.
        (Some(DataType::Utf8), Statistics::ByteArray(of)) if !statistics.is_min_max_deprecated() => {
            of.min_opt().zip(of.max_opt()).map(|(least, most)| Extent::Texts(least.data(), most.data()))
        }
        // What other types say is decided row by row.
        _ => None,
    };
    extent.unwrap_or(Extent::Unknown)
}
