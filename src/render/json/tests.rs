use serde_json::{Map, Value, json};

use super::*;
use crate::attribution::Cause;
use crate::findings::reason::{CoveredTime, Doubt, Reason};
use crate::findings::verdict::{Confidence, Verdict};
use crate::findings::{Finding, FindingKind, Severity};
use crate::flow::Direction;
use crate::report::series::{DayRow, RuleSeries};
use crate::report::*;

fn rule(number: u64) -> RuleRow {
    RuleRow {
        rule_key: format!("sg-{number}:ingress:tcp:22-22:cidr:10.0.0.0/8"),
        rule_id: None,
        group_id: format!("sg-{number}"),
        group_name: "na\"me\n\u{7f}".to_owned(),
        direction: Direction::Ingress,
        action: "allow",
        priority: None,
        protocol: "tcp".to_owned(),
        from_port: Some(22),
        to_port: Some(22),
        peer: PeerRow { kind: "cidr", value: "10.0.0.0/8".to_owned() },
        description: Some("\u{1}\\ ü".to_owned()),
        in_force: InForce { from: None, to: Some("2026-01-01T00:00:00Z".to_owned()) },
        usage: Usage {
            verdict: Verdict::NotSeen,
            confidence: Some(Confidence::Low),
            reasons: vec![Reason::Gap; usize::try_from(number % 3).unwrap()],
            evidence: (0..number % 3)
                .map(|at| {
                    let covered = CoveredTime { covered_share: None, attached_hours: at, covered_hours: 0 };
                    let doubt = if at == 0 {
                        Doubt::Gap { covered, missing_objects: 7 }
                    } else {
                        Doubt::RareByName { word: "dr".to_owned(), text: "\"\n".to_owned() }
                    };
                    (doubt.reason(), doubt)
                })
                .collect(),
            covered_share: Some(0.25),
            records: number,
            reply_records: 0,
            answered_records: None,
            possible_records: 0,
            sole_records: 0,
            possible_sole_records: 0,
            near_records: u64::MAX,
            packets: 0,
            bytes: 0,
            first_seen: None,
            last_seen: None,
            interfaces: vec!["eni-1".to_owned(); usize::try_from(number % 2).unwrap()],
        },
    }
}

fn peer(number: u64) -> PeerCount {
    PeerCount { peer: format!("10.0.0.{number}"), records: number, first_seen: None, last_seen: None }
}

fn blocked(number: u64) -> BlockedRow {
    BlockedRow {
        interface_id: "eni-1".to_owned(),
        direction: None,
        protocol: "udp".to_owned(),
        port: number.is_multiple_of(2).then_some(53),
        port_range: (!number.is_multiple_of(2)).then_some([0, 15]),
        cause: Cause::SecurityGroup,
        records: number,
        packets: 1,
        bytes: 2,
        first_seen: None,
        last_seen: None,
        distinct_peers: Some(number % 4),
        top_peers: (0..number % 4).map(peer).collect(),
    }
}

fn finding(number: u64) -> Finding {
    let evidence: [(&str, Value); 2] =
        [("nested", json!([[{"a": {"b": [number]}}], [], {}])), ("none", Value::Null)];
    let evidence = evidence.into_iter().map(|(key, value)| (key.to_owned(), value));
    Finding {
        id: format!("scan/{number}"),
        kind: FindingKind::Scan,
        severity: Severity::Low,
        title: "title".to_owned(),
        group_id: None,
        rule_key: None,
        interface_id: Some("eni-1".to_owned()),
        evidence: if number.is_multiple_of(3) { Map::new() } else { evidence.collect() },
        recommendation: String::new(),
        suppressed: None,
    }
}

fn report(rules: usize, blocked_rows: usize, findings: usize) -> Report {
    let numbers = |length: usize| 0..u64::try_from(length).unwrap();
    Report {
        schema_version: "1",
        generator: Generator { name: "flowaudit", version: "0" },
        window: Window { first_seen: None, last_seen: Some("2026-01-01T00:00:00Z".to_owned()) },
        coverage: Coverage {
            files: Files::default(),
            records: Records::default(),
            faults: Vec::new(),
            interfaces: Vec::new(),
            attribution: Attribution::default(),
            snapshots: vec![SnapshotFile {
                in_force_from: None,
                file: "a".to_owned(),
                left_aside: Some("b".to_owned()),
                missed: Some("c".to_owned()),
            }],
            flow_logs: Vec::new(),
        },
        rules: numbers(rules).map(rule).collect(),
        blocked: numbers(blocked_rows).map(blocked).collect(),
        blocked_summary: BlockedSummary { internal_peers: vec![peer(1)], ..BlockedSummary::default() },
        findings: numbers(findings).map(finding).collect(),
        removal_set: RemovalRows::default(),
        narrower: Vec::new(),
        owners: crate::report::owners::Owners::default(),
        time_series: TimeSeries::default(),
        suppressed: Vec::new(),
        known: Vec::new(),
    }
}

#[test]
fn pieces_make_the_same_text_as_the_whole() {
    let round = PIECE * PIECES;
    let lengths = [0, 1, 2, PIECE - 1, PIECE, PIECE + 1, round - 1, round, round + 1, 2 * round + PIECE];
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for (at, length) in lengths.iter().enumerate() {
            let other = |step: usize| lengths[(at + step) % lengths.len()];
            let report = report(*length, other(1), other(3));
            let mut text = Vec::new();
            pool.install(|| render(&report, &mut text)).unwrap();
            let whole = serde_json::to_string_pretty(&report).unwrap() + "\n";
            assert!(String::from_utf8(text).unwrap() == whole, "{length} rules, {threads} threads");
        }
    }
}

#[test]
fn a_unit_of_time_and_a_rule_are_a_line_each() {
    let day = |start: &str| DayRow { start: start.to_owned(), accepted: 3, rejected: 1, accepted_bytes: 90 };
    let rule = RuleSeries {
        rule_key: "a\"\n".to_owned(),
        records: vec![1, 0],
        reply_records: vec![0, 2],
        possible_records: vec![0, 0],
    };
    let series = TimeSeries { unit_days: 1, days: vec![day("one"), day("two")], rules: vec![rule] };
    let report = Report { time_series: series, ..report(0, 0, 0) };
    let mut text = Vec::new();
    render(&report, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value, serde_json::to_value(&report).unwrap());
    let line = "      {\"rule_key\":\"a\\\"\\n\",\"records\":[1,0],\"reply_records\":[0,2],\"possible_records\":[0,0]}";
    assert!(text.lines().any(|own| own == line), "{text}");
}

/// Takes so many bytes and then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_the_writer_says_is_said() {
    let report = report(3 * PIECE * PIECES, 0, 1);
    let length = serde_json::to_string_pretty(&report).unwrap().len() + 1;
    render(&report, &mut Full(length)).unwrap();
    for room in [0, 1, 40, 2_000, length / 2, length - 1] {
        let error = render(&report, &mut Full(room)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{room}");
    }
}
