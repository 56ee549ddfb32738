//! A flow log in Parquet.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel};
use parquet::file::properties::WriterProperties;

use crate::fixture::HEADER;

/// The default columns as AWS types them: no value is `-` in texts and null in numbers. A row group has three rows.
pub(crate) fn parquet(rows: &[String]) -> Vec<u8> {
    let columns = HEADER.split_whitespace().enumerate().map(|(at, name)| {
        let cells = || rows.iter().map(|row| row.split(' ').nth(at).unwrap());
        let array: ArrayRef = match name {
            "version" | "srcport" | "dstport" | "protocol" => {
                Arc::new(cells().map(|cell| cell.parse().ok()).collect::<Int32Array>())
            }
            "packets" | "bytes" | "start" | "end" => {
                Arc::new(cells().map(|cell| cell.parse().ok()).collect::<Int64Array>())
            }
            _ => Arc::new(cells().map(Some).collect::<StringArray>()),
        };
        (name.replace('-', "_"), array)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(GzipLevel::default()))
        .set_max_row_group_row_count(Some(3))
        .build();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}
