//! State files that are cut, damaged, forged or of another version: an error that says so, never a panic.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use flowaudit::state::file;
use flowaudit::tally::counter::Services;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use crate::account::{Dice, snapshots_and_records};
use crate::made::{Log, bytes, report, run, snapshots};

/// A state with rows in every table.
fn state() -> Vec<u8> {
    let (given, flows) = snapshots_and_records(11);
    let half = flows.len() / 2;
    let fault = (flowaudit::ingest::RowFault::TooLong, 3);
    let logs = [
        Log {
            name: "a".to_owned(),
            delivered_by: Some("fl-1"),
            flows: flows[..half].to_vec(),
            faults: vec![fault],
            failure: Some("broken off"),
        },
        Log { name: "b".to_owned(), flows: flows[half..].to_vec(), ..Log::default() },
    ];
    bytes(&run(&snapshots(&given), &logs, Services::Everywhere))
}

/// Reads bytes as a state; a state that is read must also be one that can be reported on.
fn read(bytes: &[u8]) -> Result<(), String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.state");
    std::fs::write(&path, bytes).unwrap();
    match file::read(&path) {
        Ok(state) => {
            report(&state);
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_state_that_is_cut_is_no_state() {
    let whole = state();
    assert_eq!(read(&whole), Ok(()));
    for length in (0..whole.len()).step_by(whole.len() / 150) {
        let why = read(&whole[..length]).unwrap_err();
        assert!(why.contains("expected a state"), "{length}: {why}");
    }
}

#[test]
fn a_flipped_byte_is_found_or_does_not_matter() {
    let whole = state();
    let mut dice = Dice(5);
    for _ in 0..400 {
        let mut damaged = whole.clone();
        for _ in 0..=dice.below(3) {
            let at = dice.below(damaged.len());
            damaged[at] ^= 1 << dice.below(8);
        }
        if let Err(why) = read(&damaged) {
            assert!(why.contains("x.state: "), "{why}");
        }
    }
}

struct Parts {
    batch: RecordBatch,
    metadata: Vec<KeyValue>,
}

fn parts(state: &[u8]) -> Parts {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.state");
    std::fs::write(&path, state).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
    let metadata = builder.metadata().file_metadata().key_value_metadata().unwrap().clone();
    let metadata = metadata.into_iter().filter(|pair| pair.key.starts_with("flowaudit")).collect();
    let mut reader = builder.with_batch_size(1 << 20).build().unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert!(reader.next().is_none(), "one batch");
    Parts { batch, metadata }
}

fn put_together(batch: &RecordBatch, metadata: &[KeyValue]) -> Vec<u8> {
    let properties = WriterProperties::builder().set_key_value_metadata(Some(metadata.to_vec())).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// One cell replaced by something that it should not be.
fn forged(batch: &RecordBatch, dice: &mut Dice) -> RecordBatch {
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    // Most columns of a row are empty: choose one that is not, mostly.
    let (mut row, mut column) = (0, 0);
    for _ in 0..20 {
        (row, column) = (dice.below(batch.num_rows()), dice.below(columns.len()));
        if columns[column].is_valid(row) {
            break;
        }
    }
    let array = &columns[column];
    let forged: ArrayRef = if let Some(array) = array.as_any().downcast_ref::<Int64Array>() {
        let old = if array.is_valid(row) { array.value(row) } else { 0 };
        let new = [None, Some(-1), Some(i64::MAX), Some(i64::MIN), Some(old ^ 1), Some(70_000), Some(0)];
        let new = dice.pick(&new);
        Arc::new(
            array
                .iter()
                .enumerate()
                .map(|(at, old)| if at == row { new } else { old })
                .collect::<Int64Array>(),
        )
    } else if let Some(array) = array.as_any().downcast_ref::<UInt64Array>() {
        let new = dice.pick(&[None, Some(u64::MAX), Some(0), Some(1 << 49), Some(7)]);
        Arc::new(
            array
                .iter()
                .enumerate()
                .map(|(at, old)| if at == row { new } else { old })
                .collect::<UInt64Array>(),
        )
    } else {
        let array = array.as_any().downcast_ref::<StringArray>().unwrap();
        let other = dice.below(array.len());
        let other = array.is_valid(other).then(|| array.value(other));
        let new = [None, Some(""), Some("x"), other, other, Some("0.0.0.0/0"), Some("\\ff")];
        let new = dice.pick(&new);
        Arc::new(
            array
                .iter()
                .enumerate()
                .map(|(at, old)| if at == row { new } else { old })
                .collect::<StringArray>(),
        )
    };
    columns[column] = forged;
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

#[test]
fn forged_cells_are_found_or_do_no_harm() {
    let parts = parts(&state());
    assert_eq!(read(&put_together(&parts.batch, &parts.metadata)), Ok(()));
    let mut dice = Dice(9);
    let mut found = 0;
    for _ in 0..600 {
        let mut batch = parts.batch.clone();
        for _ in 0..=dice.below(3) {
            batch = forged(&batch, &mut dice);
        }
        if let Err(why) = read(&put_together(&batch, &parts.metadata)) {
            assert!(why.contains("x.state: damaged: ") && why.contains("make it again"), "{why}");
            found += 1;
        }
    }
    assert!(found > 200, "{found}");
}

#[test]
fn other_versions_and_other_settings_are_told() {
    let parts = parts(&state());
    let with = |key: &str, value: Option<&str>| {
        let mut metadata = parts.metadata.clone();
        metadata.retain(|pair| pair.key != key);
        metadata.extend(value.map(|value| KeyValue::new(key.to_owned(), value.to_owned())));
        read(&put_together(&parts.batch, &metadata)).unwrap_err()
    };
    let why = with("flowaudit.state", Some("999"));
    for word in ["expected a state of version 3", "found version 999", "flowaudit 0.", "make it again"] {
        assert!(why.contains(word), "{word}: {why}");
    }
    assert!(with("flowaudit.state", None).contains("another Parquet file"));
    for value in [None, Some(""), Some("{}"), Some("[1]")] {
        assert!(with("flowaudit.settings", value).contains("damaged: settings"), "{value:?}");
    }
    let settings = parts.metadata.iter().find(|pair| pair.key == "flowaudit.settings").unwrap();
    let mut settings: serde_json::Value = serde_json::from_str(settings.value.as_ref().unwrap()).unwrap();
    let services = settings["settings"]["profile"]["services"].as_array_mut().unwrap();
    let mut port = services[0].clone();
    for number in 20_000..20_300 {
        port["port"] = number.into();
        services.push(port.clone());
    }
    assert!(with("flowaudit.settings", Some(&settings.to_string())).contains("sensitive ports"));
}

#[test]
fn columns_that_are_missing_or_of_another_kind() {
    let parts = parts(&state());
    let fewer = parts.batch.project(&[0, 1, 2]).unwrap();
    let why = read(&put_together(&fewer, &parts.metadata)).unwrap_err();
    assert!(why.contains("the columns are not those of a state"), "{why}");
    let names: Vec<_> = parts.batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1; parts.batch.num_rows()]));
    let batch =
        RecordBatch::try_from_iter(names.into_iter().map(|name| (name, Arc::clone(&numbers)))).unwrap();
    let why = read(&put_together(&batch, &parts.metadata)).unwrap_err();
    assert!(why.contains("of another type"), "{why}");
}

#[test]
fn a_few_bytes_cannot_declare_millions_of_rows() {
    let parts = parts(&state());
    let rows = 3_000_000;
    let fields = parts.batch.schema();
    let columns = parts.batch.columns().iter().enumerate().map(|(at, column)| -> ArrayRef {
        if at == 0 {
            return Arc::new(std::iter::repeat_n(Some("flow_log"), rows).collect::<StringArray>());
        }
        arrow_array::new_null_array(column.data_type(), rows)
    });
    let batch = RecordBatch::try_new(fields, columns.collect()).unwrap();
    let properties = WriterProperties::builder()
        .set_key_value_metadata(Some(parts.metadata))
        .set_data_page_row_count_limit(rows)
        .set_max_row_group_row_count(None)
        .build();
    let mut bomb = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bomb, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    let why = read(&bomb).unwrap_err();
    assert!(why.contains("3000000 rows declared"), "{why}");
}
