//! ACCEPTs that the rules in force do not explain, by what would explain them.

use serde_json::json;

use crate::fixture::{Fixture, HEADER, HOUR, Object, Run, T0, group, interface, row_at, text_with};

const NOON: i64 = T0 + 12 * HOUR;

/// A record with TCP flags, `-` for none.
fn flagged(start: i64, flow: &str, flags: &str) -> String {
    format!("{} {flags}", row_at(start, flow))
}

fn log(rows: &[String]) -> String {
    text_with(&format!("{HEADER} tcp-flags"), rows)
}

fn web() -> Object {
    group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8")
}

fn eni() -> Object {
    interface("eni-a", "10.0.0.5", &["sg-a"])
}

#[track_caller]
fn run(snapshots: &[(&str, Vec<Object>)], rows: &[String]) -> Run {
    let fixture = Fixture::new();
    for (at, objects) in snapshots {
        fixture.snapshot(&format!("snaps/{at}"), objects);
    }
    fixture.write("log", log(rows));
    fixture.analyze(&["log", "--snapshot", "snaps"]).exit(0)
}

/// What one record on eni-a counts as, against one snapshot.
#[track_caller]
fn of(objects: Vec<Object>, row: String) -> String {
    let run = run(&[("2026-01-01", objects)], &[row]);
    let by = run.finding("snapshot_drift/unexplained")["evidence"]["unexplained_by"].clone();
    let by = by.as_object().unwrap();
    assert_eq!(by.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 1);
    by.iter().find(|(_, count)| **count == json!(1)).unwrap().0.clone()
}

#[test]
fn a_record_tells_what_may_lie_behind_it() {
    let plain = || vec![web(), eni()];
    let stale = || vec![web().ingress("tcp", 22, 22, "sg-gone"), eni()];
    let list = || vec![web().egress("tcp", 53, 53, "pl-1"), eni()];
    let ssh = "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT";
    let ping = "eni-a 10.0.0.9 10.0.0.5 0 0 1 ACCEPT";
    let reply = "eni-a 10.0.0.9 10.0.0.5 53 40000 6 ACCEPT";
    let cases = [
        ("SYN", plain(), ssh, "2", "new_connection"),
        ("SYN and FIN", plain(), ssh, "3", "new_connection"),
        ("SYN-ACK", plain(), ssh, "18", "new_connection"),
        ("ACK", plain(), ssh, "16", "tracked_connection"),
        ("RST", plain(), ssh, "4", "tracked_connection"),
        ("nothing set", plain(), ssh, "0", "tracked_connection"),
        ("flags not logged", plain(), ssh, "-", "untold"),
        ("no tcp", plain(), ping, "0", "untold"),
        ("a rule for a group that is gone", stale(), ssh, "2", "unresolved_reference"),
        ("the same, later", stale(), ssh, "16", "unresolved_reference"),
        ("the same, as a reply of port 22", stale(), ssh, "18", "new_connection"),
        ("another port", stale(), "eni-a 10.0.0.9 10.0.0.5 40000 23 6 ACCEPT", "2", "new_connection"),
        ("a reply by a list", list(), reply, "18", "unresolved_reference"),
        ("by a list, the other way", list(), reply, "2", "new_connection"),
        ("by a list, either way", list(), reply, "-", "unresolved_reference"),
    ];
    for (name, objects, flow, flags, expected) in cases {
        assert_eq!(of(objects, flagged(T0, flow, flags)), expected, "{name}");
    }
}

/// Ten explained records, and one of each cause.
fn mixed() -> (Vec<(&'static str, Vec<Object>)>, Vec<String>) {
    let morning = vec![
        group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8").ingress("tcp", 80, 80, "10.0.0.0/8"),
        eni(),
        interface("eni-b", "10.0.0.6", &["sg-a"]),
        interface("eni-c", "10.0.0.7", &["sg-unknown"]),
    ];
    let noon =
        vec![web().ingress("tcp", 22, 22, "sg-gone"), eni(), interface("eni-c", "10.0.0.7", &["sg-unknown"])];
    let mut rows: Vec<String> = (0..10)
        .map(|hour| flagged(T0 + hour * HOUR, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT", "2"))
        .collect();
    rows.extend([
        flagged(NOON, "eni-a 10.0.0.9 10.0.0.5 40000 80 6 ACCEPT", "16"),
        flagged(NOON, "eni-c 10.0.0.9 10.0.0.7 40000 80 6 ACCEPT", "16"),
        flagged(NOON, "eni-b 10.0.0.9 10.0.0.6 40000 8080 6 ACCEPT", "16"),
        flagged(NOON, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT", "2"),
        flagged(NOON, "eni-a 10.0.0.9 10.0.0.5 40000 8080 6 ACCEPT", "16"),
        flagged(NOON, "eni-a 10.0.0.9 10.0.0.5 40000 8080 6 ACCEPT", "2"),
        flagged(NOON, "eni-a 10.0.0.9 10.0.0.5 40000 8080 6 ACCEPT", "-"),
        // Its interface is that of another time, and its rule explains it.
        flagged(NOON, "eni-b 10.0.0.9 10.0.0.6 40000 443 6 ACCEPT", "2"),
    ]);
    (vec![("2026-01-01T00:00:00Z", morning), ("2026-01-01T12:00:00Z", noon)], rows)
}

#[test]
fn one_finding_counts_every_cause_and_says_how_far_to_trust_the_run() {
    let (snapshots, rows) = mixed();
    let run = run(&snapshots, &rows);
    let finding = run.finding("snapshot_drift/unexplained");
    assert_eq!(finding["title"], "7 of 18 matched ACCEPTs are not explained by the rules in force");
    assert_eq!(finding["severity"], "medium");
    assert_eq!(
        finding["evidence"],
        json!({
            "explained": 11, "explained_share": 0.6111, "undecided": 0, "unexplained": 5,
            "unexplained_by": {
                "stale_interface": 1, "unresolved_reference": 1, "tracked_connection": 1, "new_connection": 1,
                "untold": 1,
            },
            "explained_by_neighbour": 1, "unknown_group": 1, "interface_from_neighbour": 2,
        })
    );
    let advice = finding["recommendation"].as_str().unwrap();
    for words in [
        "1 are explained by rules of a neighbouring snapshot",
        "1 are on interfaces with a group that the snapshot lacks",
        "1 are on interfaces that the snapshot in force lacks",
        "1 fit a rule but for its peer",
        "1 are from the middle of a connection",
        "1 opened a connection that no rule allows",
        "1 do not tell",
    ] {
        assert!(advice.contains(words), "{words}: {advice}");
    }
    let neighbours = run.finding("snapshot_drift/interface_from_neighbour");
    assert_eq!(neighbours["evidence"], json!({ "records": 2, "unexplained": 1 }));
    assert_eq!(*run.at("/coverage/attribution/explained_share"), json!(0.6111));
}

#[test]
fn the_figures_are_the_same_through_a_state_and_in_any_split() {
    let (snapshots, rows) = mixed();
    let fixture = Fixture::new();
    for (at, objects) in &snapshots {
        fixture.snapshot(&format!("snaps/{at}"), objects);
    }
    let (one, two) = rows.split_at(13);
    fixture.write("one", log(one));
    fixture.write("two", log(two));
    let whole = fixture.analyze(&["one", "two", "--snapshot", "snaps"]).exit(0);
    for (name, state) in [("one", "one.state"), ("two", "two.state")] {
        fixture.analyze(&[name, "--snapshot", "snaps", "--save-state", state]).exit(0);
    }
    let merged = fixture.run(&["merge", "two.state", "one.state", "--format", "json"]).exit(0);
    assert_eq!(merged.at("/findings"), whole.at("/findings"));
    assert_eq!(merged.at("/coverage/attribution"), whole.at("/coverage/attribution"));
}

#[test]
fn where_nothing_was_held_against_rules_there_is_no_share() {
    let rejected = flagged(T0, "eni-a 192.0.2.9 10.0.0.5 40000 443 6 REJECT", "2");
    let run = run(&[("2026-01-01", vec![web(), eni()])], &[rejected]);
    assert!(run.at("/coverage/attribution/explained_share").is_null());
    assert!(run.findings("snapshot_drift").is_empty());
}

#[test]
fn the_text_report_says_how_much_is_explained() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &[web(), eni()]);
    let good = row_at(T0, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT");
    let bad = row_at(T0, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT");
    let trust = "trust what follows less";
    for (rows, share, trusted) in [
        (vec![good.clone(), good.clone()], "100.0 % of 2 ACCEPTs", true),
        ([vec![good.clone(); 99], vec![bad.clone()]].concat(), "99.0 % of 100 ACCEPTs", true),
        ([vec![good; 98], vec![bad; 2]].concat(), "98.0 % of 100 ACCEPTs", false),
    ] {
        fixture.log("log", &rows);
        let run = fixture.run(&["analyze", "log", "--snapshot", "snap"]);
        let text = String::from_utf8(run.stdout.clone()).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(share), "{text}");
        assert_eq!(text.contains("explained by no rule"), !share.starts_with("100"), "{text}");
        assert_eq!(!text.contains(trust), trusted, "{text}");
    }
}
