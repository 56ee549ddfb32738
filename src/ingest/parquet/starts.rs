//! When the rows of a row group start, as its statistics say.

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::extents::extent;
use crate::flow::{Field, Seconds};
use crate::ingest::cells;
use crate::ingest::wanted::Extent;
use crate::time::Window;

/// How many rows a row group has, if each of them starts outside the window.
pub(super) fn outside(
    metadata: &ArrowReaderMetadata,
    columns: &[(usize, Field)],
    group: usize,
    window: Window,
) -> Option<u64> {
    if window == Window::ALL {
        return None;
    }
    let (leaf, _) = columns.iter().find(|(_, field)| *field == Field::Start)?;
    let stored = metadata.metadata().row_groups().get(group)?;
    let statistics = stored.columns().get(*leaf)?.statistics()?;
    let Extent::Numbers(first, last) = extent(metadata, *leaf, statistics) else { return None };
    // Rows without a start may have an end that counts.
    if statistics.null_count_opt() != Some(0) {
        return None;
    }
    let (first, last) = seconds(first, last)?;
    window.excludes(first, last).then(|| stored.num_rows().try_into().ok()).flatten()
}

/// The same as times. None: some between them are no times, or other ones.
fn seconds(first: i64, last: i64) -> Option<(Seconds, Seconds)> {
    let (from, to) = (u64::try_from(first).ok()?, u64::try_from(last).ok()?);
    let (first, last) = (cells::seconds(from)?, cells::seconds(to)?);
    // Seconds and milliseconds in one column: what lies between the numbers does not lie between the times.
    let alike = (first.cast_unsigned() == from) == (last.cast_unsigned() == to);
    (alike && first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_times_only_where_all_between_them_are() {
        let cases = [
            (0, 9, Some((0, 9))),
            (1_700_000_000, 1_700_000_060, Some((1_700_000_000, 1_700_000_060))),
            (1_700_000_000_000, 1_700_000_060_999, Some((1_700_000_000, 1_700_000_060))),
            (1_700_000_000, 1_700_000_060_000, None),
            (-1, 9, None),
            (0, i64::MAX, None),
            (9, 0, None),
        ];
        for (first, last, expected) in cases {
            assert_eq!(seconds(first, last), expected, "{first} {last}");
        }
    }
}
