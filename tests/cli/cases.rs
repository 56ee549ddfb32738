//! The worked cases, through the program: every figure of an independent implementation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use crate::fixture::{Fixture, Run};
use crate::shared::shared;

fn case(name: &str) -> Option<PathBuf> {
    shared(&format!("cases/{name}"))
}

fn seconds(time: &Value) -> Option<i64> {
    time.as_str().map(|time| flowaudit::time::parse(time).unwrap())
}

fn protocol(number: u64) -> String {
    flowaudit::flow::protocol_name(u8::try_from(number).unwrap())
}

type Rows = BTreeMap<(String, Option<String>, String, u64, String), u64>;

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn expected_rows(expected: &Value) -> Rows {
    let mut rows = Rows::new();
    for row in expected["blocked"].as_array().unwrap() {
        let direction = row[1].as_str().map(str::to_owned);
        let key = (
            text(&row[0]),
            direction,
            protocol(row[2].as_u64().unwrap()),
            row[3].as_u64().unwrap(),
            text(&row[4]),
        );
        *rows.entry(key).or_default() += row[5].as_u64().unwrap();
    }
    rows
}

fn reported_rows(run: &Run) -> Rows {
    let mut rows = Rows::new();
    for row in run.at("/blocked").as_array().unwrap() {
        let direction = row["direction"].as_str().map(str::to_owned);
        let port = row["port"].as_u64().unwrap();
        let key = (text(&row["interface_id"]), direction, text(&row["protocol"]), port, text(&row["cause"]));
        *rows.entry(key).or_default() += row["records"].as_u64().unwrap();
    }
    rows
}

#[track_caller]
fn compare(name: &str, logs: &str, expected: &str, snapshots: &[(&str, &str)]) {
    let Some(folder) = case(name) else { return };
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join(expected)).unwrap()).unwrap();
    let log = folder.join(logs).display().to_string();
    let mut arguments = vec![log];
    for (at, snapshot) in snapshots {
        arguments.extend(["--snapshot".to_owned(), format!("{at}{}", folder.join(snapshot).display())]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = Fixture::new().analyze(&arguments).exit(0);
    let outcome = |figure: &str| expected["outcome"][figure].as_u64().unwrap_or(0);
    for figure in ["total", "accepted", "rejected", "no_data", "skip_data"] {
        assert_eq!(run.records(figure), outcome(figure), "{name}: {figure}");
    }
    for figure in [
        "unknown_interface",
        "no_group",
        "unknown_group",
        "unknown_direction",
        "before_first_snapshot",
        "interface_from_neighbour",
        "unexplained",
        "explained_by_neighbour",
    ] {
        assert_eq!(run.outcome(figure), outcome(figure), "{name}: {figure}");
    }
    for basis in [
        "tcp_flags",
        "rules",
        "rule_ports",
        "low_port",
        "known_service",
        "fan_in",
        "ambiguous",
        "contradicted",
    ] {
        assert_eq!(run.basis(basis), expected["basis"][basis].as_u64().unwrap_or(0), "{name}: {basis}");
    }
    assert_eq!(reported_rows(&run), expected_rows(&expected), "{name}");
    rules(name, &run, &expected);
}

fn rules(name: &str, run: &Run, expected: &Value) {
    let expected = expected["rules"].as_object().unwrap();
    let wanted: BTreeSet<&str> = expected.keys().map(String::as_str).collect();
    assert_eq!(run.keys().into_iter().collect::<BTreeSet<_>>(), wanted, "{name}");
    for (key, want) in expected {
        let usage = &run.rule(key)["usage"];
        for figure in [
            "records",
            "reply_records",
            "possible_records",
            "sole_records",
            "possible_sole_records",
            "bytes",
            "packets",
        ] {
            assert_eq!(usage[figure], want[figure], "{name}: {key}: {figure}");
        }
        for figure in ["first_seen", "last_seen"] {
            assert_eq!(seconds(&usage[figure]), want[figure].as_i64(), "{name}: {key}: {figure}");
        }
        // The reference knows no reason to withhold a verdict.
        let withheld = want["verdict"] == "not_seen" && usage["verdict"] == "cannot_decide";
        assert!(
            withheld || usage["verdict"] == want["verdict"],
            "{name}: {key}: {} {}",
            usage["verdict"],
            want["verdict"]
        );
    }
}

#[test]
fn one_snapshot() {
    compare("one-snapshot", "logs", "expected.json", &[("", "snap-0")]);
    compare("default-format", "logs", "expected.json", &[("", "snap-0")]);
}

#[test]
fn two_snapshots() {
    let snapshots = [("2026-01-01T00:00:00Z=", "snap-0"), ("2026-01-01T12:00:00Z=", "snap-1")];
    compare("two-snapshots", "logs", "expected.json", &snapshots);
    compare("default-format-two-snapshots", "logs", "expected.json", &snapshots);
}

#[test]
fn believable_traffic_with_and_without_flags() {
    compare("believable", "v2.log", "expected-v2.json", &[("", "snap-0")]);
    compare("believable", "v5.log", "expected-v5.json", &[("", "snap-0")]);
}

#[test]
fn no_rule_that_admitted_connections_is_called_unused() {
    let Some(folder) = case("believable") else { return };
    let truth: Value = serde_json::from_slice(&std::fs::read(folder.join("truth.json")).unwrap()).unwrap();
    let used = truth["used"].as_object().unwrap();
    for log in ["v2.log", "v5.log"] {
        let (log, snapshot) =
            (folder.join(log).display().to_string(), folder.join("snap-0").display().to_string());
        let run = Fixture::new().analyze(&[&log, "--snapshot", &snapshot]).exit(0);
        for key in run.keys() {
            let verdict = run.rule(key)["usage"]["verdict"].as_str().unwrap();
            let admitted = used.get(key).is_some();
            assert!(!(admitted && matches!(verdict, "not_seen" | "unattached")), "{log}: {key} is {verdict}");
            assert!(admitted || verdict != "used", "{log}: {key} is {verdict}");
        }
    }
}
