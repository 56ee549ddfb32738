//! What a record is does not depend on what it comes in.

use flowaudit::flow::Field;
use flowaudit::ingest::{Place, ReadOptions, RowFault};
use tempfile::TempDir;

use crate::support::*;

#[test]
fn the_same_records_come_out_of_every_container() {
    for (name, bytes) in every_container() {
        let all = collect_bytes(&bytes);
        assert_eq!(all.failure, None, "{name}");
        assert_eq!(all.faults, [], "{name}");
        assert_eq!(all.flows, expected(), "{name}");
        assert_eq!(all.bytes, bytes.len() as u64, "{name}");
    }
}

#[test]
fn what_is_no_flow_log_is_named() {
    let cases: [(&str, &[u8], &str); 19] = [
        ("PNG", b"\x89PNG\r\n\x1a\n\0\0\0", "PNG image"),
        ("binary", b"\x01\x02\0\0abc", "binary"),
        ("snapshot", br#"{"SecurityGroups":[{"GroupId":"sg-1"}]}"#, "top-level keys SecurityGroups"),
        ("empty object", b"{}", "JSON, but not flow-log events"),
        ("list of numbers", b"[1,2]", "JSON"),
        ("CSV", b"id,name\n1,2\n", "CSV without a flow-log column"),
        ("prose", b"Hello, dear world\nof logs\n", "not a flow log"),
        ("control characters", b"\x1b[2Jgotcha\n", "?[2Jgotcha"),
        ("transit gateway", b"version resource-type account-id tgw-id srcaddr dstaddr\n", "transit gateway"),
        ("transit rows", b"6 TransitGateway 1 tgw-1 OK\n", "transit gateway"),
        ("no interface", b"version srcaddr dstaddr protocol action\n", "no column interface-id "),
        ("headerless", b"eni-1 10.0.0.1 10.0.0.2 6 ACCEPT\n", "give --fields"),
        ("Athena, no action", b"\"interface_id\",\"srcaddr\"\n", "no column dstaddr, protocol, action"),
        ("events of 3 columns", br#"{"events":[{"message":"a b c"}]}"#, "rows of 3 columns"),
        ("messages of 3 columns", b"@message\na b c\n", "rows of 3 columns"),
        ("Parquet, cut", b"PAR1\x15\x04", "footer"),
        ("HTML", b"<html></html>", "HTML"),
        ("ZIP", b"PK\x03\x04abc", "ZIP"),
        ("UTF-16", b"\xff\xfev\0e\0", "UTF-16"),
    ];
    for (name, bytes, expected) in cases {
        let all = collect_bytes(bytes);
        assert!(all.why().contains(expected), "{name}: {:?}", all.failure);
        assert_eq!(all.flows, [], "{name}");
        assert!(!all.why().contains('\x1b'), "{name}");
    }
}

#[test]
fn security_lake_parquet_is_named() {
    use arrow_array::{ArrayRef, Int32Array, RecordBatch};
    let column = || -> ArrayRef { std::sync::Arc::new(Int32Array::from(vec![1])) };
    let batch = RecordBatch::try_from_iter([("class_uid", column()), ("activity_id", column())]).unwrap();
    let mut file = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert!(collect_bytes(&file).why().contains("OCSF"));
}

#[test]
fn parquet_is_read_by_row_group() {
    use flowaudit::ingest::{Part, plan};
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "flows", &parquet(parquet::basic::Compression::SNAPPY, Types::Native, 3));
    // Small files are read in one piece unless smaller parts are asked for.
    assert_eq!(plan(&source(&path), &ReadOptions::default()).unwrap(), [Part::Whole]);
    let options = ReadOptions { part_bytes: 1, ..ReadOptions::default() };
    let parts = plan(&source(&path), &options).unwrap();
    assert_eq!(parts, (0..4).map(|index| Part::RowGroup { index }).collect::<Vec<_>>());
}

#[test]
fn parquet_inside_gzip_and_damaged_parquet_are_failures() {
    let file = parquet(parquet::basic::Compression::SNAPPY, Types::Native, 100);
    assert!(collect_bytes(&gzip(&file)).why().contains("unpack"));
    for end in 4..file.len() {
        assert!(collect_bytes(&file[..end]).failure.is_some(), "{end}");
    }
}

#[test]
fn events_without_a_message_are_faults_with_their_number() {
    let row = ROWS[0];
    let text = format!(
        r#"{{"events":[{{"message":"{row}"}},{{"id":1}},{{"message":null}},{{"message":{{"a":[]}}}},{{"message":" "}},
        {{"message":"2 1 eni-1 10.0.0.1 x 1 2 6 1 1 1 1 ACCEPT OK"}}]}}"#
    );
    let all = collect_bytes(text.as_bytes());
    assert_eq!(all.failure, None);
    assert_eq!(all.flows, expected()[..1]);
    let no_message = |event| (RowFault::NoMessage, Place::Row(event));
    let address = (RowFault::NotAnAddress(Field::Dstaddr), Place::Row(6));
    assert_eq!(all.faults, [no_message(2), no_message(3), no_message(4), no_message(5), address]);
}

#[test]
fn broken_json_keeps_what_came_before() {
    for (name, text) in [("events", events()), ("lines", firehose("\n")), ("subscription", subscription())] {
        let cut = text.rfind("message").unwrap();
        let all = collect_bytes(&text.as_bytes()[..cut]);
        assert!(all.why().contains("line") && all.why().contains("column"), "{name}: {:?}", all.failure);
        assert_eq!(all.flows, expected()[..9], "{name}");
    }
    let all = collect_bytes((firehose("\n") + "oops").as_bytes());
    assert!(all.why().contains("line 11 column 1"), "{:?}", all.failure);
    assert_eq!(all.flows, expected());
}

#[test]
fn events_of_another_format_need_the_fields() {
    let folder = TempDir::new().unwrap();
    let text = br#"{"message":"eni-1 10.0.0.1 10.0.0.2 6 ACCEPT"}{"message":"eni-1 10.0.0.1 10.0.0.2 6 -"}"#;
    let path = write(&folder, "events", text);
    assert!(collect(&path, &ReadOptions::default()).why().contains("--fields"));
    let all = collect(&path, &fields("${interface-id} ${srcaddr} ${dstaddr} ${protocol} ${action}"));
    assert_eq!((all.flows.len(), all.faults.len(), all.failure), (2, 0, None));
}

#[test]
fn a_table_pasted_from_two_exports_is_one_table() {
    let all = collect_bytes((athena() + &athena()).as_bytes());
    assert_eq!(all.flows, [expected(), expected()].concat());
    let all = collect_bytes((athena() + "\"1\",\"2\"\n" + &"\"x\",".repeat(14) + "\n").as_bytes());
    assert_eq!(
        all.faults,
        [(RowFault::TooFewFields, Place::Line(12)), (RowFault::TooManyFields, Place::Line(13))]
    );
}
