//! Row groups of Parquet that cannot hold what is asked for.

use std::fs::File;
use std::path::Path;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::fixture::{Fixture, HOUR, T0, group, interface, row_at};
use crate::parquet_log::parquet;

/// Four row groups of three rows.
fn rows() -> Vec<String> {
    [
        "eni-a 198.51.100.7 10.0.0.5 40000 443 6 ACCEPT",
        "eni-a 10.0.0.5 198.51.100.7 443 40000 6 ACCEPT",
        "eni-a 198.51.100.9 10.0.0.5 40001 443 6 ACCEPT",
        "eni-a 203.0.113.9 10.0.0.5 50000 23 6 REJECT",
        "eni-a 203.0.113.9 10.0.0.5 50001 23 6 REJECT",
        "eni-a 203.0.113.9 10.0.0.5 50002 23 6 REJECT",
        "eni-m 203.0.113.9 10.0.0.6 50003 22 6 REJECT",
        "eni-m 203.0.113.9 10.0.0.6 50004 22 6 ACCEPT",
        "eni-m 10.0.0.6 203.0.113.9 22 50004 6 ACCEPT",
        "eni-m 2001:db8::7 2001:db8::1 40000 443 6 ACCEPT",
        "eni-m 2001:db8::1 2001:db8::7 443 40000 6 ACCEPT",
        "eni-m 2001:db8::7 2001:db8::1 40001 443 6 ACCEPT",
    ]
    .iter()
    .zip(0..)
    .map(|(flow, minute)| row_at(T0 + minute * 60, flow))
    .collect()
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let groups = |moving: &str| {
        [
            group("sg-a").ingress("tcp", 443, 443, "0.0.0.0/0"),
            group("sg-b").ingress("tcp", 22, 22, "0.0.0.0/0"),
            interface("eni-a", "10.0.0.5", &["sg-a"]),
            interface("eni-m", "10.0.0.6", &[moving]),
        ]
    };
    fixture.snapshot("snap/2026-01-01T00:00:00Z", &groups("sg-b"));
    // eni-m moves when all is over: records tell when it was where.
    let later = flowaudit::time::format(T0 + 24 * HOUR);
    fixture.snapshot(&format!("snap/{later}"), &groups("sg-a"));
    fixture.write("log.parquet", parquet(&rows()));
    fixture.log("log", &rows());
    fixture
}

fn ask(fixture: &Fixture, log: &str, question: &[&str]) -> Value {
    let arguments = [&["investigate", log, "--snapshot", "snap", "--format", "json"], question].concat();
    serde_json::from_slice(&fixture.run(&arguments).exit(0).stdout).unwrap()
}

#[test]
fn they_are_left_out_where_that_is_asked_for_and_it_is_said() {
    let fixture = fixture();
    // A question, and how many row groups cannot hold it.
    let cases: [(&[&str], u64); 14] = [
        (&["--port", "22"], 3),
        (&["--port", "443"], 1),
        (&["--port", "22-23"], 2),
        (&["--port", "0"], 0),
        (&["--port", "40001"], 1),
        (&["--interface", "eni-a"], 2),
        (&["--interface", "eni-a", "--interface", "eni-m"], 0),
        (&["--group", "sg-a"], 0),
        (&["--group", "sg-b"], 2),
        (&["--action", "reject"], 2),
        (&["--action", "accept"], 1),
        (&["--address", "203.0.113.0/24"], 2),
        (&["--address", "2001:db8::7"], 0),
        (&["--port", "443", "--interface", "eni-a", "--action", "accept"], 3),
    ];
    for (question, groups) in cases {
        let all = ask(&fixture, "log.parquet", question);
        assert_eq!(all["records_not_read"], 0, "{question:?}");
        let mut of_text = ask(&fixture, "log", question);
        of_text["coverage"] = all["coverage"].clone();
        assert_eq!(all, of_text, "{question:?}");
        let some = ask(&fixture, "log.parquet", &[question, &["--skip-row-groups"]].concat());
        assert_eq!(some["records_not_read"], groups * 3, "{question:?}");
        assert_eq!(some["coverage"]["records"]["total"], 12 - groups * 3, "{question:?}");
        for part in ["conversations", "sought"] {
            assert_eq!(some[part], all[part], "{question:?}");
        }
        let found = |answer: &Value| {
            answer["summary"]["accepted"].as_u64().zip(answer["summary"]["rejected"].as_u64())
        };
        assert_eq!(found(&some), found(&all), "{question:?}");
        // There are no row groups in text.
        let text = ask(&fixture, "log", &[question, &["--skip-row-groups"]].concat());
        assert_eq!(text["records_not_read"], 0, "{question:?}");
    }
}

/// Why they are read otherwise: port 33000 is known for a service by records of other peers alone.
#[test]
fn who_opened_a_connection_may_be_told_by_those_that_cannot_match() {
    let fixture = Fixture::new();
    let snapshot = [
        group("sg-a").ingress("tcp", 2000, 60000, "0.0.0.0/0").egress("tcp", 0, 65535, "203.0.113.0/24"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    fixture.snapshot("snap", &snapshot);
    let from = |peer: &str, port: i64| {
        let row = move |n: i64| format!("eni-a {peer} 10.0.0.5 {} 33000 6 ACCEPT", port + n);
        (0..3).map(|n| row_at(T0 + n * 60, &row(n))).collect::<Vec<_>>()
    };
    fixture
        .write("log.parquet", parquet(&[from("198.51.100.7", 50000), from("203.0.113.5", 40000)].concat()));
    for (options, opened_by) in [(&[][..], "peer".into()), (&["--skip-row-groups"], Value::Null)] {
        let answer = ask(&fixture, "log.parquet", &[&["--address", "203.0.113.5"], options].concat());
        let conversations = answer["conversations"].as_array().unwrap();
        assert_eq!(conversations.len(), 3, "{options:?}");
        assert!(conversations.iter().all(|it| it["opened_by"] == opened_by), "{options:?}");
    }
}

#[test]
fn people_are_told_what_was_not_read() {
    let fixture = fixture();
    let run = |options: &[&str]| {
        let question = ["investigate", "log.parquet", "--snapshot", "snap", "--port", "22"];
        let run = fixture.run(&[&question, options].concat());
        assert_eq!(run.status, Some(0));
        String::from_utf8(run.stdout.clone()).unwrap()
    };
    let said = "9 records stand in row groups that cannot hold what is asked for";
    for form in [&["--format", "text"], &["--format", "html"]] {
        let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(run(&[form, &["--skip-row-groups"][..]].concat())).contains(said), "{form:?}");
        assert!(!words(run(form)).contains("row groups"), "{form:?}");
    }
}

/// The second reading leaves them out on its own: what depends on other records is known by then.
#[test]
fn an_export_of_what_is_asked_for_is_the_same_from_any_form() {
    let fixture = fixture();
    for question in
        [["--port", "22"], ["--action", "reject"], ["--interface", "eni-a"], ["--address", "203.0.113.9"]]
    {
        let mut exports = Vec::new();
        for log in ["log", "log.parquet"] {
            ask(&fixture, log, &[&question[..], &["--export", "export.parquet"]].concat());
            exports.push(columns(&fixture.path("export.parquet")));
        }
        assert!(!exports[0].is_empty(), "{question:?}");
        assert_eq!(exports[0], exports[1], "{question:?}");
    }
}

/// A small file is read in one go, as far as it can be.
#[test]
fn what_lies_behind_a_damaged_row_group_is_not_exported_either() {
    let fixture = fixture();
    let path = fixture.path("log.parquet");
    let table = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    for column in table.metadata().row_group(1).columns() {
        let (start, length) = column.byte_range();
        bytes[usize::try_from(start).unwrap()..][..usize::try_from(length).unwrap()].fill(0);
    }
    std::fs::write(&path, bytes).unwrap();
    let question = ["--port", "22", "--export", "export.parquet"];
    let arguments = ["investigate", "log.parquet", "--snapshot", "snap", "--format", "json"];
    let run = fixture.run(&[&arguments[..], &question].concat());
    let answer: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(answer["coverage"]["files"]["failed"], 1, "{}", run.stderr);
    assert_eq!((&answer["summary"]["accepted"], &answer["summary"]["rejected"]), (&0.into(), &0.into()));
    assert_eq!(columns(&fixture.path("export.parquet")), Vec::<String>::new());
}

/// What the table holds but for the name of the log.
fn columns(path: &Path) -> Vec<String> {
    let table = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let batches = table.build().unwrap().map(|batch| {
        let mut batch = batch.unwrap();
        batch.remove_column(batch.schema().index_of("log_file").unwrap());
        format!("{batch:?}")
    });
    batches.collect()
}
