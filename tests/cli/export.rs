//! `--export`: every record with what was found of it. What its rows add up to is the report.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::fixture::{Fixture, Object, Run, T0, group, interface, row, row_at, silence_at, text_with};

/// A row, by column; lists with commas between.
type Row = BTreeMap<String, String>;

fn read(path: &Path) -> Vec<Row> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.flat_map(|batch| rows(&batch.unwrap())).collect()
}

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let cell = |column: &dyn Array, at: usize| -> String {
        if column.is_null(at) {
            return "null".to_owned();
        }
        if let Some(texts) = column.as_string_opt::<i32>() {
            return texts.value(at).to_owned();
        }
        if let Some(list) = column.as_list_opt::<i32>() {
            let items = list.value(at);
            return items.as_string::<i32>().iter().flatten().collect::<Vec<_>>().join(",");
        }
        if let Some(numbers) = column.as_primitive_opt::<Int32Type>() {
            return numbers.value(at).to_string();
        }
        if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
            return numbers.value(at).to_string();
        }
        let times = column.as_primitive::<arrow_array::types::TimestampMillisecondType>();
        times.value(at).to_string()
    };
    let schema = batch.schema();
    let row = |at: usize| {
        let cells = schema.fields().iter().zip(batch.columns());
        cells.map(|(field, column)| (field.name().clone(), cell(column.as_ref(), at))).collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

/// What the rows say of each rule: records, replies, possible ones, bytes.
fn usage(rows: &[Row]) -> BTreeMap<String, [u64; 4]> {
    let mut usage: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for row in rows {
        let place = match row["role"].as_str() {
            "forward" => 0,
            "reply" => 1,
            _ => 2,
        };
        for key in row["rules"].split(',').filter(|key| !key.is_empty()) {
            let sums = usage.entry(key.to_owned()).or_default();
            // A rule for one type of ICMP matches possibly, whatever the role.
            let is_one_type = key.contains(":icmp:") && !key.contains(":-1--1:");
            sums[if is_one_type { 2 } else { place }] += 1;
            sums[3] += row["bytes"].parse::<u64>().unwrap();
        }
    }
    usage
}

#[track_caller]
fn holds(rows: &[Row], run: &Run) {
    let records = &run.json["coverage"]["records"];
    let number = |value: &Value| value.as_u64().unwrap();
    assert_eq!(rows.len() as u64, number(&records["accepted"]) + number(&records["rejected"]));
    let of_rows = usage(rows);
    for rule in run.json["rules"].as_array().unwrap() {
        let (key, usage) = (rule["rule_key"].as_str().unwrap(), &rule["usage"]);
        let figures = ["records", "reply_records", "possible_records", "bytes"].map(|it| number(&usage[it]));
        if key.ends_with(":deny") {
            let denied = rows.iter().filter(|row| row["denied_by"] == key).count();
            assert_eq!(denied as u64, figures[0] + figures[2], "{key}");
            continue;
        }
        assert_eq!(of_rows.get(key).copied().unwrap_or_default(), figures, "{key}");
    }
    let attribution = &run.json["coverage"]["attribution"];
    for (basis, records) in attribution["basis"].as_object().unwrap() {
        let found = rows.iter().filter(|row| row["basis"] == *basis).count();
        assert_eq!(found as u64, number(records), "{basis}");
    }
    for outcome in ["unexplained", "unknown_group", "explained_by_neighbour"] {
        let found = rows.iter().filter(|row| row["outcome"] == outcome).count();
        assert_eq!(found as u64, number(&attribution[outcome]), "{outcome}");
    }
    let blocked: u64 =
        run.json["blocked"].as_array().unwrap().iter().map(|row| number(&row["records"])).sum();
    assert_eq!(rows.iter().filter(|row| row["action"] == "REJECT").count() as u64, blocked);
}

fn samples(name: &str) -> String {
    format!("{}/sample-logs/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_rows_add_up_to_the_report_in_any_form_and_cloud() {
    let fixture = Fixture::new();
    let mut before: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for (cloud, form) in [
        (".", "text"),
        (".", "gz"),
        (".", "parquet"),
        ("alibaba", "alibaba/json"),
        ("alibaba", "alibaba/csv"),
        ("alibaba", "alibaba/parquet"),
    ] {
        let snapshot = samples(&format!("{cloud}/snapshot"));
        let run =
            fixture.analyze(&[&samples(form), "--snapshot", &snapshot, "--export", "export.parquet"]).exit(0);
        let mut rows = read(&fixture.path("export.parquet"));
        holds(&rows, &run);
        let again = samples(form);
        let bytes = std::fs::read(fixture.path("export.parquet")).unwrap();
        fixture
            .analyze(&[&again, "--snapshot", &snapshot, "--export", "export.parquet", "--threads", "1"])
            .exit(0);
        assert!(
            std::fs::read(fixture.path("export.parquet")).unwrap() == bytes,
            "{form}: any number of threads"
        );
        for row in &mut rows {
            row.remove("log_file");
        }
        let known = before.entry(cloud).or_insert_with(|| rows.clone());
        assert!(*known == rows, "{form}: the same rows in the same order");
    }
}

fn objects() -> Vec<Object> {
    vec![
        group("sg-a")
            .ingress("tcp", 22, 22, "10.0.0.0/8")
            .ingress("tcp", 0, 65535, "10.0.0.0/8")
            .ingress("icmp", 8, -1, "10.0.0.0/8")
            .egress("-1", -1, -1, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        interface("eni-b", "10.0.0.6", &["sg-gone"]),
    ]
}

/// Records that only the whole input decides, and of every other outcome.
fn everything() -> Vec<String> {
    let mut rows = vec![
        row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"),
        row("eni-a 10.0.0.5 10.0.0.9 22 40000 6 ACCEPT"),
        row("eni-a 10.0.0.9 10.0.0.5 0 0 1 ACCEPT"),
        row("eni-a 192.0.2.9 10.0.0.5 50000 3389 6 REJECT"),
        row("eni-a 192.0.2.9 10.0.0.5 50000 3389 6 ACCEPT"),
        row("eni-b 10.0.0.9 10.0.0.6 33000 5432 6 ACCEPT"),
        row("eni-x 10.0.0.9 10.0.0.7 33000 5432 6 ACCEPT"),
        row("eni-a 10.9.9.9 10.9.9.8 33000 5432 6 ACCEPT"),
        silence_at(T0, "eni-a", "NODATA"),
    ];
    rows.extend((0..40).map(|at| {
        row_at(T0 + 90 * at, &format!("eni-a 10.0.0.9 10.0.0.5 {} {} 6 ACCEPT", 40000 + at, 30000 + at % 3))
    }));
    rows.extend((0..4).map(|at| {
        row_at(T0 + 90 * at, &format!("eni-a 10.0.0.9 10.0.0.5 {} {} 17 ACCEPT", 30000 + at, 40000 + at))
    }));
    rows
}

#[test]
fn what_waits_for_the_whole_input_has_its_role_in_the_rows() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    let rows = everything();
    for (at, part) in rows.chunks(7).enumerate() {
        fixture.log(&format!("logs/{at}.log"), part);
    }
    let run = fixture.analyze(&["logs", "--snapshot", "snap", "--export", "export.parquet"]).exit(0);
    let found = read(&fixture.path("export.parquet"));
    holds(&found, &run);
    let with = |column: &str, word: &str| found.iter().filter(|row| row[column] == word).count();
    assert_eq!((with("basis", "fan_in"), with("role", "undecided") > 0), (40, true));
    for outcome in
        ["explained", "refused", "unexplained", "unknown_group", "unknown_interface", "unknown_direction"]
    {
        assert!(with("outcome", outcome) > 0, "{outcome}");
    }
    let ssh = found.iter().find(|row| row["dstport"] == "22").unwrap();
    let expected = [
        ("log_file", "logs/0.log"),
        ("interface_id", "eni-a"),
        ("srcaddr", "10.0.0.9"),
        ("srcport", "40000"),
        ("protocol", "6"),
        ("action", "ACCEPT"),
        ("direction", "ingress"),
        ("peer", "10.0.0.9"),
        ("outcome", "explained"),
        ("role", "forward"),
        ("basis", "rule_ports"),
        ("group_ids", "sg-a"),
        ("rules", "sg-a:ingress:tcp:0-65535:10.0.0.0/8,sg-a:ingress:tcp:22-22:10.0.0.0/8"),
        ("cause", "null"),
        ("denied_by", ""),
        ("drift", "null"),
        ("pkt_srcaddr", "null"),
        ("tcp_flags", "null"),
        ("rules_since", "null"),
    ];
    for (column, value) in expected {
        if column != "rules" {
            assert_eq!(ssh[column], value, "{column}");
        }
    }
    let mut rules: Vec<&str> = ssh["rules"].split(',').collect();
    rules.sort_unstable();
    assert_eq!(rules.join(","), expected[12].1);
    assert_eq!(ssh["start_time"], (T0 * 1000).to_string());
}

#[test]
fn an_investigation_exports_what_it_is_about_and_a_window_what_is_inside() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    fixture.log("log", &everything());
    let asked = ["investigate", "log", "--snapshot", "snap", "--address", "192.0.2.9"];
    let run = fixture.run(&[&asked[..], &["--export", "out.parquet", "--format", "json"]].concat()).exit(0);
    let rows = read(&fixture.path("out.parquet"));
    let summary = &run.json["summary"];
    let both = summary["accepted"].as_u64().unwrap() + summary["rejected"].as_u64().unwrap();
    assert_eq!((both, rows.len()), (2, 2));
    assert!(rows.iter().all(|row| row["srcaddr"] == "192.0.2.9"));
    let since = flowaudit::time::format(T0 + 90 * 20);
    let run =
        fixture.analyze(&["log", "--snapshot", "snap", "--since", &since, "--export", "out.parquet"]).exit(0);
    let rows = read(&fixture.path("out.parquet"));
    holds(&rows, &run);
    assert_eq!(rows.len(), 20);
}

#[test]
fn of_two_flow_logs_each_record_is_exported_once() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    let header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action \
                  log-status";
    for flow_log in ["fl-0a", "fl-0b"] {
        let name = format!("logs/123456789012_vpcflowlogs_eu-west-1_{flow_log}_20260301T0000Z_ab.log");
        fixture.write(&name, text_with(header, &everything()));
    }
    let run = fixture.analyze(&["logs", "--snapshot", "snap", "--export", "out.parquet"]).exit(0);
    assert!(run.json["coverage"]["records"]["duplicate"].as_u64().unwrap() > 0);
    holds(&read(&fixture.path("out.parquet")), &run);
}

#[test]
fn what_is_no_export_is_not_replaced_and_what_can_be_read_once_is_refused() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    fixture.log("log", &everything());
    fixture.write("table.parquet", std::fs::read(samples_file()).unwrap());
    let cases: [(&[&str], &str); 5] = [
        (&["log", "--export", "log"], "--export log: something is there that is no export"),
        (&["log", "--export", "table.parquet"], "something is there that is no export"),
        (&["log", "--export", "nowhere/out.parquet"], "nowhere/out.parquet: cannot write"),
        (&["-", "--export", "out.parquet"], "reads the logs twice"),
        (&["log", "--export", "out.parquet", "--state", "x.state"], "cannot be used with"),
    ];
    for (arguments, words) in cases {
        let run = fixture.run(&[&["analyze"], arguments, &["--snapshot", "snap"]].concat());
        assert_eq!(run.status, Some(2), "{arguments:?}");
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    }
    // The last one lies among the logs: it is replaced, and no log.
    fixture.write("logs/log", std::fs::read(fixture.path("log")).unwrap());
    for _ in 0..2 {
        let arguments = ["logs", "--snapshot", "snap", "--export", "logs/out.parquet"];
        let run = fixture.analyze(&arguments).exit(0);
        assert_eq!(run.at("/coverage/files/read"), 1);
        holds(&read(&fixture.path("logs/out.parquet")), &run);
    }
}

#[test]
fn a_run_that_fails_leaves_the_last_export_and_an_export_is_no_log() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    fixture.log("log", &everything());
    fixture.write("broken", "dear diary\n");
    fixture.analyze(&["log", "--snapshot", "snap", "--export", "good.parquet"]).exit(0);
    let before = std::fs::read(fixture.path("good.parquet")).unwrap();
    let run = fixture.run(&["analyze", "broken", "--snapshot", "snap", "--export", "good.parquet"]);
    assert_eq!((run.status, std::fs::read(fixture.path("good.parquet")).unwrap() == before), (Some(2), true));
    let run = fixture.analyze(&["log", "good.parquet", "--snapshot", "snap"]).exit(3);
    assert_eq!(run.at("/coverage/files/read"), 1);
    let why = run.at("/coverage/files/failures/0/error").as_str().unwrap();
    assert!(why.contains("an export of flowaudit, not a flow log"), "{why}");
    for other in ["--output", "--save-state"] {
        let run = fixture.run(&[
            "analyze",
            "log",
            "--snapshot",
            "snap",
            "--export",
            "x.parquet",
            other,
            "x.parquet",
        ]);
        assert_eq!(run.status, Some(2));
        assert!(run.stderr.contains("something else is to be written there"), "{}", run.stderr);
    }
}

#[cfg(unix)]
#[test]
fn behind_a_link_the_file_is_replaced_and_a_device_is_no_place() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    fixture.log("log", &everything());
    fixture.analyze(&["log", "--snapshot", "snap", "--export", "good.parquet"]).exit(0);
    std::os::unix::fs::symlink(fixture.path("good.parquet"), fixture.path("link")).unwrap();
    std::os::unix::fs::symlink("/dev/null", fixture.path("null")).unwrap();
    let since = flowaudit::time::format(T0 + 90 * 20);
    fixture.analyze(&["log", "--snapshot", "snap", "--since", &since, "--export", "link"]).exit(0);
    assert!(fixture.path("link").is_symlink());
    assert_eq!(read(&fixture.path("good.parquet")).len(), 20);
    for place in ["null", "/dev/null"] {
        let run = fixture.run(&["analyze", "log", "--snapshot", "snap", "--export", place]);
        assert_eq!(run.status, Some(2));
        assert!(run.stderr.contains("expected a file"), "{}", run.stderr);
    }
}

#[test]
fn more_that_waits_than_is_kept_apart_and_hundreds_of_rules_add_up_too() {
    let fixture = Fixture::new();
    let mut wide = group("sg-a").egress("tcp", 0, 65535, "0.0.0.0/0");
    for n in 0..300 {
        wide = wide.ingress("tcp", 0, 65535, &format!("10.{}.0.0/{}", n % 4 * 64, 8 + n % 3));
    }
    fixture.snapshot("snap", &[wide, interface("eni-a", "10.0.0.5", &["sg-a"])]);
    // Pairs of ports of which no two are alike, both above 512: more than each interface has room for.
    let rows: Vec<String> = (0..70_000_i64)
        .map(|n| {
            let (a, b) = (1024 + n % 60_000, 1024 + (n * 7919) % 60_000);
            row_at(T0 + n % 3000, &format!("eni-a 10.0.{}.9 10.0.0.5 {a} {b} 6 ACCEPT", n % 3))
        })
        .collect();
    fixture.log("log", &rows);
    let run = fixture.analyze(&["log", "--snapshot", "snap", "--export", "out.parquet"]).exit(0);
    holds(&read(&fixture.path("out.parquet")), &run);
}

/// Some Parquet file of the samples.
fn samples_file() -> std::path::PathBuf {
    let files = glob::glob(&samples("parquet/**/*.parquet")).unwrap();
    files.flatten().next().unwrap()
}
