//! The figures behind each reason, the review period and the words of rare events.

use serde_json::{Value, json};

use crate::fixture::{Fixture, HOUR, Run, T0, flow_log, group, interface, prefix_list, row, silence_at};
use crate::verdicts::{Day, UNUSED, hourly, nodata};

/// Every rule's evidence has the keys of its reasons, and an unused rule's finding says the same.
#[track_caller]
fn assert_every_reason_has_figures(run: &Run) {
    for key in run.keys() {
        let usage = &run.rule(key)["usage"];
        let reasons: Vec<&str> =
            usage["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap()).collect();
        let evidence = usage["evidence"].as_object().unwrap();
        assert_eq!(evidence.keys().map(String::as_str).collect::<Vec<_>>(), reasons, "{key}");
        for (reason, figures) in evidence {
            assert!(figures.as_object().is_some_and(|figures| !figures.is_empty()), "{key}: {reason}");
        }
        // Not for rules that are gone.
        let finding = run.findings("unused_rule").into_iter().find(|finding| finding["rule_key"] == key);
        if let Some(finding) = finding {
            assert_eq!(finding["evidence"]["figures"], usage["evidence"], "{key}");
            assert_eq!(finding["evidence"]["reasons"], usage["reasons"], "{key}");
            assert_eq!(finding["evidence"]["covered_share"], usage["covered_share"], "{key}");
        }
    }
}

/// The figures of one reason of a rule; the run is checked as a whole.
#[track_caller]
fn figures(run: &Run, key: &str, reason: &str) -> Value {
    assert_every_reason_has_figures(run);
    run.rule(key)["usage"]["evidence"][reason].clone()
}

#[test]
fn reasons_of_a_day_come_with_their_figures() {
    let cases = [
        (
            Day { review: "60d", ..Day::new() },
            "window_short",
            json!({ "window_hours": 24, "review_period_hours": 1440 }),
        ),
        (
            Day::new().rows((0..3).map(|at| silence_at(T0 + at * 600, "eni-a", "SKIPDATA"))),
            "skipdata",
            json!({ "records": 3, "hours": 1, "interfaces": 1 }),
        ),
        (
            Day::new().silent(3..5),
            "gap",
            json!({ "covered_share": 0.92, "attached_hours": 25, "covered_hours": 23, "missing_objects": 0 }),
        ),
        (
            Day::new().silent(1..14),
            "covered_too_little",
            json!({ "covered_share": 0.48, "attached_hours": 25, "covered_hours": 12 }),
        ),
        (
            Day::new().and(interface("eni-b", "10.0.0.6", &["sg-a"])),
            "interface_partly_silent",
            json!({
                "interfaces": 2, "silent_interfaces": 1, "hours_before_flow_log": 0, "covered_share": 0.5,
                "attached_hours": 50, "covered_hours": 25,
            }),
        ),
        (
            Day { snapshot: "2026-01-01T05:00:00Z=snap", ..Day::new() },
            "history_unknown",
            json!({
                "rules_known_since": "2026-01-01T05:00:00Z", "window_first_seen": "2026-01-01T00:00:00Z",
            }),
        ),
        (
            Day::new().rows(hourly("eni-x", 0..4, "10.0.0.9 10.0.0.77 40000 22 6 ACCEPT")),
            "unknown_interfaces",
            json!({ "interfaces": 1, "records": 4 }),
        ),
        (
            Day::new().rows([row("eni-a 10.0.0.9 10.0.0.999 40000 22 6 ACCEPT")]),
            "malformed_rows",
            json!({ "rows": 1, "failed_files": 0 }),
        ),
        (
            Day::new().changed(0, |group| group.with("Description", "Failover to Dublin")),
            "rare_by_name",
            json!({ "word": "failover", "text": "Failover to Dublin" }),
        ),
    ];
    for (day, reason, expected) in cases {
        assert_eq!(figures(&day.run(), UNUSED, reason), expected, "{reason}");
    }
}

#[test]
fn reasons_of_certain_rules_come_with_their_figures() {
    let silent = Day::new()
        .and(group("sg-b").ingress("tcp", 22, 22, "10.0.0.0/8"))
        .and(interface("eni-b", "10.0.0.6", &["sg-b"]))
        .rows(nodata("eni-b", 0..24))
        .rows([row("eni-b 192.0.2.9 10.0.0.6 40000 22 6 REJECT")]);
    let untracked = Day::new()
        .and(group("sg-b").ingress("tcp", 80, 80, "0.0.0.0/0").egress("tcp", 0, 65535, "0.0.0.0/0"))
        .and(interface("eni-b", "10.0.0.6", &["sg-b"]))
        .and(flow_log("eni-b", "ALL"))
        .rows(nodata("eni-b", 0..25));
    let cases = [
        (
            silent,
            "sg-b:ingress:tcp:22-22:10.0.0.0/8",
            "interface_silent",
            json!({ "interfaces": 1, "rejected": 1, "no_data": 24 }),
        ),
        (
            Day::new().changed(0, |group| group.ingress("tcp", 8080, 8080, "sg-gone")),
            "sg-a:ingress:tcp:8080-8080:sg-gone",
            "unresolved_peer",
            json!({ "peer": "sg-gone", "states": 1, "unresolved_states": 1 }),
        ),
        (
            Day::new()
                .and(prefix_list("pl-0a1", &["172.16.0.0/12"]))
                .changed(0, |group| group.ingress("tcp", 8080, 8080, "pl-0a1"))
                .rows([row("eni-a 192.0.2.9 10.0.0.5 40000 8080 6 ACCEPT")]),
            "sg-a:ingress:tcp:8080-8080:pl-0a1",
            "peer_unproven",
            json!({ "near_records": 1 }),
        ),
        (
            Day::new().changed(0, |group| group.egress("tcp", 80, 80, "169.254.169.254/32")),
            "sg-a:egress:tcp:80-80:169.254.169.254/32",
            "not_loggable",
            json!({ "traffic": "all", "why": "link_local" }),
        ),
        (
            Day::new().changed(0, |group| group.ingress("udp", 67, 69, "10.0.0.0/8")),
            "sg-a:ingress:udp:67-69:10.0.0.0/8",
            "not_loggable",
            json!({ "traffic": "part", "why": "dhcp" }),
        ),
        (
            Day::new().changed(0, |group| group.ingress("made-up", -1, -1, "10.0.0.0/8")),
            "sg-a:ingress:made-up:-1--1:10.0.0.0/8",
            "unknown_protocol",
            json!({ "protocol": "made-up" }),
        ),
        (
            untracked,
            "sg-b:egress:tcp:0-65535:0.0.0.0/0",
            "carries_untracked_replies",
            json!({ "with_rule": "sg-b:ingress:tcp:80-80:0.0.0.0/0" }),
        ),
        (
            Day::new()
                .changed(0, |group| group.ingress("tcp", 0, 65535, "sg-a"))
                .changed(1, |eni| eni.with("Description", "Attached to Glue using role: etl")),
            "sg-a:ingress:tcp:0-65535:sg-a",
            "required_by_service",
            json!({ "service": "Glue" }),
        ),
    ];
    for (day, key, reason, expected) in cases {
        assert_eq!(figures(&day.run(), key, reason), expected, "{reason}");
    }
}

#[test]
fn reasons_of_changed_rules_come_with_their_figures() {
    let fixture = Fixture::new();
    let without = group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8");
    let with = without.clone().ingress("tcp", 22, 22, "10.0.0.0/8");
    let eni = interface("eni-a", "10.0.0.5", &["sg-a"]);
    fixture.snapshot("without", &[without, eni.clone()]);
    fixture.snapshot("with", &[with, eni]);
    fixture.log("log", &Day::new().rows);
    let run = |first: &str, second: &str| {
        let (first, second) = (format!("2025-12-31={first}"), format!("2026-01-01T06:00:00Z={second}"));
        let options = ["--review-period", "1d"];
        fixture
            .analyze(&[&["log", "--snapshot", &first, "--snapshot", &second], &options[..]].concat())
            .exit(0)
    };
    let young = json!({
        "what": "rule", "since": "2026-01-01T06:00:00Z", "window_first_seen": "2026-01-01T00:00:00Z",
    });
    assert_eq!(figures(&run("without", "with"), UNUSED, "young_rule"), young);
    let changed = json!({ "states": 2, "states_without_rule": 1 });
    assert_eq!(figures(&run("with", "without"), UNUSED, "changed_in_window"), changed);
}

#[test]
fn an_interface_that_came_after_the_window_is_not_missed_in_it() {
    let fixture = Fixture::new();
    let day = Day::new();
    fixture.snapshot("s0", &day.objects);
    fixture.snapshot("s1", &day.and(interface("eni-b", "10.0.0.6", &["sg-a"])).objects);
    fixture.log("log", &Day::new().rows);
    let run = |second: &str| {
        let options = ["log", "--review-period", "1d", "--snapshot", "2025-12-31=s0", "--snapshot", second];
        fixture.analyze(&options).exit(0).verdict(UNUSED)
    };
    assert_eq!(run("2026-01-05=s1"), "not_seen high");
    assert_eq!(run("2026-01-01T12:00:00Z=s1"), "not_seen low [interface_partly_silent, gap]");
}

#[test]
fn a_rule_used_once_29_days_ago_in_one_record_is_used() {
    let last = 29 * 24;
    let fixture = Fixture::new();
    fixture.snapshot("snap", &Day::new().objects);
    let mut rows = vec![row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")];
    rows.extend(hourly("eni-a", 0..last + 1, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"));
    fixture.log("log", &rows);
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!((run.verdict(UNUSED), run.usage(UNUSED, "records")), ("used".to_owned(), 1));
    let usage = &run.rule(UNUSED)["usage"];
    assert_eq!((&usage["last_seen"], &usage["evidence"]), (&json!("2026-01-01T00:01:00Z"), &json!({})));
    assert_eq!(run.at("/window/last_seen"), "2026-01-30T00:01:00Z");
    assert_eq!(run.finding_ids("unused_rule"), [] as [&str; 0]);
}

#[test]
fn the_review_period_is_an_option_or_a_setting_and_the_option_wins() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &Day::new().objects);
    fixture.log("log", &Day::new().rows);
    fixture.write("day.toml", "review_period = \"1d\"\n");
    fixture.write("weeks.toml", "review_period = \"2w\"\n");
    let cases: [(&[&str], Option<u64>); 6] = [
        (&[], Some(90 * 24)),
        (&["--review-period", "30d"], Some(30 * 24)),
        (&["--review-period", "24h"], None),
        (&["--config", "day.toml"], None),
        (&["--config", "weeks.toml"], Some(14 * 24)),
        (&["--config", "day.toml", "--review-period", "90d"], Some(90 * 24)),
    ];
    for (options, hours) in cases {
        let run = fixture.analyze(&[&["log", "--snapshot", "snap"], options].concat()).exit(0);
        let period = &run.rule(UNUSED)["usage"]["evidence"]["window_short"]["review_period_hours"];
        assert_eq!(period.as_u64(), hours, "{options:?}");
    }
}

#[test]
fn words_of_rare_events_are_a_setting() {
    let fixture = Fixture::new();
    let day = Day::new().changed(0, |group| group.with("Description", "Year-end closing, failover"));
    fixture.snapshot("snap", &day.objects);
    fixture.log("log", &day.rows);
    fixture.write("own.toml", "rare_words = [\"Year end\"]\n");
    fixture.write("none.toml", "rare_words = []\n");
    for (config, expected) in [
        (None, Some(("low", "failover"))),
        (Some("own.toml"), Some(("low", "year end"))),
        (Some("none.toml"), None),
    ] {
        let mut arguments = vec!["log", "--snapshot", "snap", "--review-period", "1d"];
        arguments.extend(config.iter().flat_map(|config| ["--config", config]));
        let run = fixture.analyze(&arguments).exit(0);
        let usage = &run.rule(UNUSED)["usage"];
        let found = usage["evidence"]["rare_by_name"]["word"].as_str();
        assert_eq!(found, expected.map(|(_, word)| word), "{config:?}");
        let confidence = expected.map_or("high", |(confidence, _)| confidence);
        assert_eq!(usage["confidence"], confidence, "{config:?}");
    }
}

#[test]
fn the_text_report_says_the_share_and_the_figures_of_unused_rules() {
    let skipped = || [silence_at(T0 + HOUR, "eni-a", "SKIPDATA")];
    let cases: [(Day, &[&str]); 2] = [
        (
            Day::new().silent(3..5).rows(skipped()),
            &["low", "92 %", "1 record skipped, 2 hours without records"],
        ),
        (Day::new(), &["medium", "100 %", "window 1 of 90 days"]),
    ];
    for (day, expected) in cases {
        let fixture = Fixture::new();
        fixture.snapshot("snap", &day.objects);
        fixture.log("log", &day.rows);
        let run = fixture.run(&["analyze", "log", "--snapshot", "snap"]);
        let text = String::from_utf8(run.stdout.clone()).unwrap();
        let line = text.lines().find(|line| line.contains("in tcp/22 from 10.0.0.0/8")).unwrap();
        for words in expected {
            assert!(line.contains(words), "{words}: {line}");
        }
    }
}
