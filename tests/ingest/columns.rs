//! Parquet columns of types that AWS does not write.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray};
use flowaudit::flow::Entry;
use parquet::arrow::ArrowWriter;

use crate::support::{Collected, collect_bytes};

/// One record, with its destination port in a column of this type.
fn with_dstport(dstport: ArrayRef) -> Collected {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let number = |number: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) };
    let columns = [
        ("interface_id", text("eni-1")),
        ("srcaddr", text("10.0.0.9")),
        ("dstaddr", text("10.0.0.5")),
        ("srcport", Arc::new(Float64Array::from(vec![40_000.0])) as ArrayRef),
        ("dstport", dstport),
        ("protocol", number(6)),
        ("start", number(1_767_225_600)),
        ("end", number(1_767_225_660)),
        ("action", text("ACCEPT")),
        ("log_status", text("OK")),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    collect_bytes(&bytes)
}

#[test]
fn whole_floats_are_ports_and_others_are_faults() {
    let read = with_dstport(Arc::new(Float64Array::from(vec![22.0])));
    let Entry::Traffic(traffic) = read.flows[0].entry else { panic!("traffic") };
    assert_eq!((traffic.srcport, traffic.dstport), (40_000, 22));
    let read = with_dstport(Arc::new(Float64Array::from(vec![22.5])));
    assert_eq!((read.flows.len(), read.faults.len()), (0, 1));
    assert_eq!(read.faults[0].0.to_string(), "dstport: not a number in range");
}

#[test]
fn a_column_that_can_hold_no_port_fails_the_file_by_name() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(22)])]);
    let cases: [(ArrayRef, &str); 2] = [
        (Arc::new(BooleanArray::from(vec![true])), "column dstport: expected a number, a string or a time"),
        (Arc::new(list), "column dstport: expected one value a row, found several"),
    ];
    for (column, words) in cases {
        let failure = with_dstport(column).failure.unwrap().to_string();
        assert!(failure.contains(words), "{failure}");
    }
}
