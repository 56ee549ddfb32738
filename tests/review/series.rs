//! When each rule was used, and what came when.

use serde_json::json;

use crate::fixture::{Fixture, HOUR, Run, T0, group, interface, row_at};

const DAY: i64 = 24 * HOUR;
const SSH: &str = "sg-a:ingress:tcp:22-22:10.0.0.0/8";
const PING: &str = "sg-a:ingress:icmp:8--1:10.0.0.0/8";

fn run(rows: &[String]) -> Run {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").ingress("icmp", 8, -1, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    Fixture::analyzed(&objects, rows, &[])
}

#[test]
fn rules_are_counted_by_day_and_role() {
    let (open, answer) =
        ("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT", "eni-a 10.0.0.5 10.0.0.9 22 40000 6 ACCEPT");
    let ping = "eni-a 10.0.0.9 10.0.0.5 0 0 1 ACCEPT";
    let refused = "eni-a 10.0.0.9 10.0.0.5 40000 23 6 REJECT";
    let run = run(&[
        row_at(T0, open),
        // A record belongs to the day on which it starts.
        row_at(T0 + DAY - 1, answer),
        row_at(T0 + DAY, open),
        row_at(T0 + 3 * DAY, ping),
        row_at(T0 + 3 * DAY, refused),
        row_at(T0 + 3 * DAY + 5, refused),
    ]);
    assert_eq!(
        *run.at("/time_series"),
        json!({
            "unit_days": 1,
            "days": [
                { "start": "2026-01-01T00:00:00Z", "accepted": 2, "rejected": 0, "accepted_bytes": 360 },
                { "start": "2026-01-02T00:00:00Z", "accepted": 1, "rejected": 0, "accepted_bytes": 180 },
                { "start": "2026-01-04T00:00:00Z", "accepted": 1, "rejected": 2, "accepted_bytes": 180 },
            ],
            "rules": [
                { "rule_key": PING, "records": [0, 0, 0], "reply_records": [0, 0, 0], "possible_records": [0, 0, 1] },
                { "rule_key": SSH, "records": [1, 1, 0], "reply_records": [1, 0, 0], "possible_records": [0, 0, 0] },
            ],
        })
    );
}

#[test]
fn beyond_a_year_of_days_weeks_are_counted() {
    let open = "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT";
    let days = |count: i64| -> Vec<String> { (0..count).map(|day| row_at(T0 + day * DAY, open)).collect() };
    let year = run(&days(366));
    assert_eq!(
        (year.at("/time_series/unit_days"), year.at("/time_series/days").as_array().unwrap().len()),
        (&json!(1), 366)
    );
    let longer = run(&days(367));
    assert_eq!(*longer.at("/time_series/unit_days"), 7);
    // 2026-01-01 is a Thursday: its week begins on the Monday before.
    assert_eq!(
        *longer.at("/time_series/days/0"),
        json!({ "start": "2025-12-29T00:00:00Z", "accepted": 4, "rejected": 0, "accepted_bytes": 720 })
    );
    let counts = longer.at("/time_series/rules/0/records").as_array().unwrap();
    assert_eq!((counts.len(), counts.iter().filter_map(serde_json::Value::as_u64).sum::<u64>()), (53, 367));
}

#[test]
fn a_rule_that_is_used_only_after_a_year_is_counted_too() {
    let (ssh, ping) = ("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT", "eni-a 10.0.0.9 10.0.0.5 0 0 1 ACCEPT");
    let flow = |day| if day < 380 { ping } else { ssh };
    let rows: Vec<String> = (0..400).map(|day| row_at(T0 + day * DAY, flow(day))).collect();
    let run = run(&rows);
    let counts = run.at("/time_series/rules/1/records").as_array().unwrap();
    assert_eq!(*run.at("/time_series/rules/1/rule_key"), SSH);
    assert_eq!(counts.iter().filter_map(serde_json::Value::as_u64).sum::<u64>(), run.usage(SSH, "records"));
    assert_eq!(run.usage(SSH, "records"), 20);
}

#[test]
fn the_days_of_a_rule_add_up_to_its_use() {
    let fixture = Fixture::new();
    let made = fixture.run(&["generate", "--out", "made"]);
    assert_eq!(made.status, Some(0));
    let run = fixture.analyze(&["made/gz", "--snapshot", "made/snapshot"]).exit(0);
    let rules = run.at("/time_series/rules").as_array().unwrap();
    assert!(rules.len() > 10);
    let sum = |counts: &serde_json::Value| {
        counts.as_array().unwrap().iter().filter_map(serde_json::Value::as_u64).sum::<u64>()
    };
    for rule in rules {
        let key = rule["rule_key"].as_str().unwrap();
        let (records, replies) = (sum(&rule["records"]), sum(&rule["reply_records"]));
        let (used, answered) = (run.usage(key, "records"), run.usage(key, "reply_records"));
        // What waited for the whole input is possible here, on either side.
        assert!(records <= used && replies <= answered, "{key}");
        let left = used + answered + run.usage(key, "possible_records") - records - replies;
        assert!(left <= sum(&rule["possible_records"]), "{key}");
    }
    let days = run.at("/time_series/days").as_array().unwrap();
    let all = |name: &str| days.iter().filter_map(|day| day[name].as_u64()).sum::<u64>();
    assert_eq!((all("accepted"), all("rejected")), (run.records("accepted"), run.records("rejected")));
}
