//! Rules that come and go, snapshots that say only part, and logs that say nothing of the time.

use serde_json::json;

use crate::fixture::{
    ACCOUNT, Fixture, HOUR, Object, Run, T0, flow_log, group, interface, row_at, silence_at,
};
use crate::verdicts::hourly;

const UNUSED: &str = "sg-a:ingress:tcp:22-22:10.0.0.0/8";
const DAY: i64 = 24 * HOUR;

fn with_rule() -> Object {
    group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8").ingress("tcp", 22, 22, "10.0.0.0/8")
}

fn without_rule() -> Object {
    group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8")
}

fn eni() -> Object {
    interface("eni-a", "10.0.0.5", &["sg-a"])
}

/// Runs a day of traffic on 443 against snapshots named by their time.
#[track_caller]
fn run(snapshots: &[(&str, Vec<Object>)]) -> Run {
    let fixture = Fixture::new();
    for (at, objects) in snapshots {
        fixture.snapshot(&format!("snaps/{at}"), objects);
    }
    fixture.log("log", &hourly("eni-a", 0..25, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"));
    fixture.analyze(&["log", "--snapshot", "snaps", "--review-period", "1d"]).exit(0)
}

fn verdict<'a>(run: &'a Run, key: &str) -> &'a str {
    run.rule(key)["usage"]["verdict"].as_str().unwrap()
}

fn reasons(run: &Run) -> Vec<String> {
    let reasons = run.rule(UNUSED)["usage"]["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_rule_taken_away_before_the_window_and_put_back_inside_it_is_young() {
    let run = run(&[
        ("2025-11-01", vec![with_rule(), eni()]),
        ("2025-11-20", vec![without_rule(), eni()]),
        ("2026-01-01T12:00:00Z", vec![with_rule(), eni()]),
    ]);
    assert_eq!(verdict(&run, UNUSED), "cannot_decide");
    assert!(reasons(&run).contains(&"young_rule".to_owned()));
    assert!(run.findings("unused_rule").is_empty());
}

#[test]
fn a_rule_put_back_before_the_window_is_not_young() {
    let run = run(&[
        ("2025-11-01", vec![without_rule(), eni()]),
        ("2025-11-20", vec![with_rule(), eni()]),
        ("2026-01-01T12:00:00Z", vec![with_rule(), eni()]),
    ]);
    assert_eq!((verdict(&run, UNUSED), reasons(&run)), ("not_seen", vec![]));
}

#[test]
fn an_older_snapshot_of_another_region_or_without_interfaces_lacks_nothing() {
    let elsewhere = vec![
        group("sg-z")
            .with("SecurityGroupArn", format!("arn:aws:ec2:us-east-1:{ACCOUNT}:security-group/sg-z"))
            .with("VpcId", "vpc-9"),
        interface("eni-z", "10.9.0.5", &["sg-z"])
            .with("VpcId", "vpc-9")
            .with("AvailabilityZone", "us-east-1a"),
    ];
    let here = |group: Object| {
        group.with("SecurityGroupArn", format!("arn:aws:ec2:eu-west-1:{ACCOUNT}:security-group/sg-a"))
    };
    let run_region = run(&[
        ("2025-11-01", elsewhere),
        ("2026-01-01T12:00:00Z", vec![here(with_rule()), eni().with("AvailabilityZone", "eu-west-1a")]),
    ]);
    assert_eq!(
        (verdict(&run_region, UNUSED), reasons(&run_region)),
        ("not_seen", vec!["history_unknown".to_owned()])
    );
    let run_kind =
        run(&[("2025-11-01", vec![with_rule()]), ("2026-01-01T12:00:00Z", vec![with_rule(), eni()])]);
    assert!(!reasons(&run_kind).contains(&"young_rule".to_owned()));
}

#[test]
fn without_a_window_nothing_is_called_unused() {
    let undated = "version account-id interface-id srcaddr dstaddr srcport dstport protocol action";
    let accept = format!("2 {ACCOUNT} eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT");
    let dated = |rows: &[String]| crate::fixture::text(rows);
    let logs = [
        ("only NODATA", dated(&[silence_at(T0, "eni-a", "NODATA")]), vec![]),
        ("NODATA of another", dated(&[silence_at(T0, "eni-b", "NODATA")]), vec![]),
        (
            "all outside",
            dated(&[row_at(T0, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT")]),
            vec!["--since", "2027-01-01"],
        ),
        ("undated", crate::fixture::text_with(undated, &[accept]), vec![]),
    ];
    let stale = "sg-a:ingress:tcp:9100-9100:sg-gone";
    for (name, log, options) in logs {
        let fixture = Fixture::new();
        let objects = [with_rule().ingress("tcp", 9100, 9100, "sg-gone"), eni(), flow_log("vpc-1", "ALL")];
        fixture.snapshot("snap", &objects);
        fixture.write("log", log);
        let run = fixture.analyze(&[&["log", "--snapshot", "snap"], &options[..]].concat()).exit(0);
        assert_eq!(verdict(&run, UNUSED), "cannot_decide", "{name}");
        assert_eq!(verdict(&run, stale), "cannot_decide", "{name}");
        let reasons = run.rule(stale)["usage"]["reasons"].clone();
        assert!(reasons.as_array().unwrap().contains(&json!("unresolved_peer")), "{name}: {reasons}");
        assert!(run.findings("unused_rule").is_empty(), "{name}");
    }
}

#[test]
fn logs_without_a_single_accept_prove_nothing_whatever_flow_logs_there_are() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &[with_rule(), eni(), flow_log("vpc-1", "ALL")]);
    fixture.log("log", &hourly("eni-a", 0..25, "10.0.0.9 10.0.0.5 40000 23 6 REJECT"));
    let run = fixture.analyze(&["log", "--snapshot", "snap", "--review-period", "1d"]).exit(0);
    assert_eq!(verdict(&run, UNUSED), "cannot_decide");
}

#[test]
fn a_log_that_could_not_be_read_costs_confidence() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &[with_rule(), eni()]);
    fixture.log("logs/good.log", &hourly("eni-a", 0..25, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"));
    fixture.write("logs/other.log.gz", b"\x1f\x8b\x08\x00broken");
    let run = fixture.analyze(&["logs", "--snapshot", "snap", "--review-period", "1d"]).exit(3);
    assert_eq!(run.rule(UNUSED)["usage"]["confidence"], "medium");
    assert_eq!(reasons(&run), ["malformed_rows"]);
}

#[test]
fn port_53_to_one_address_may_be_the_resolver_where_the_vpc_is_not_described() {
    let cases = [
        ("10.0.0.2/32", None, "cannot_decide"),
        ("10.0.0.2/32", Some("10.0.0.0/16"), "cannot_decide"),
        ("10.0.0.53/32", Some("10.0.0.0/16"), "not_seen"),
        ("8.8.8.8/32", None, "not_seen"),
    ];
    for (peer, range, expected) in cases {
        let fixture = Fixture::new();
        let mut objects = vec![with_rule().egress("udp", 53, 53, peer), eni()];
        objects.extend(range.map(crate::fixture::vpc));
        fixture.snapshot("snap", &objects);
        fixture.log("log", &hourly("eni-a", 0..25, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"));
        let run = fixture.analyze(&["log", "--snapshot", "snap", "--review-period", "1d"]).exit(0);
        assert_eq!(verdict(&run, &format!("sg-a:egress:udp:53-53:{peer}")), expected, "{peer} {range:?}");
    }
}

#[test]
fn folders_named_by_times_are_found_below_others_and_what_lies_beside_them_is_listed() {
    let fixture = Fixture::new();
    fixture.snapshot("snaps/1111/2025-12-01", &[without_rule(), eni()]);
    fixture.snapshot("snaps/1111/2026-01-01T12-00-00Z", &[with_rule(), eni()]);
    fixture.snapshot("snaps/common", &[interface("eni-z", "10.0.0.77", &["sg-a"])]);
    fixture.log("log", &hourly("eni-a", 0..25, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"));
    let run = fixture.analyze(&["log", "--snapshot", "snaps"]).exit(0);
    assert_eq!(run.rule(UNUSED)["in_force"]["from"], "2026-01-01T12:00:00Z");
    let files = run.at("/coverage/snapshots").as_array().unwrap().clone();
    let aside: Vec<&str> = files
        .iter()
        .filter(|file| !file["left_aside"].is_null())
        .map(|file| file["file"].as_str().unwrap())
        .collect();
    assert_eq!(aside, ["snaps/common/NetworkInterfaces.json"]);
}

#[test]
fn two_snapshots_of_one_time_that_contradict_each_other_count_the_same_in_any_order() {
    let fixture = Fixture::new();
    fixture.snapshot("a", &[with_rule(), eni()]);
    fixture.snapshot("b", &[with_rule(), interface("eni-a", "10.0.0.6", &[])]);
    fixture.log("log", &[row_at(T0 + DAY, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]);
    let one = fixture.analyze(&["log", "--snapshot", "a", "--snapshot", "b"]).exit(0);
    let other = fixture.analyze(&["log", "--snapshot", "b", "--snapshot", "a"]).exit(0);
    assert_eq!(one.at("/rules"), other.at("/rules"));
}

#[test]
fn logs_without_ports_judge_no_tcp_rule_and_say_so() {
    let formats = [
        (
            "version account-id interface-id srcaddr dstaddr protocol start end action log-status",
            "10.0.0.9 10.0.0.5 6",
        ),
        (
            "version account-id interface-id srcaddr dstaddr dstport protocol start end action log-status",
            "10.0.0.9 10.0.0.5 443 6",
        ),
    ];
    for (header, flow) in formats {
        let rows: Vec<String> = (0..25)
            .map(|hour| T0 + hour * HOUR)
            .map(|start| format!("2 {ACCOUNT} eni-a {flow} {start} {} ACCEPT OK", start + 60))
            .collect();
        let fixture = Fixture::new();
        fixture.snapshot("snap", &[with_rule().egress("-1", -1, -1, "0.0.0.0/0"), eni()]);
        fixture.write("log", crate::fixture::text_with(header, &rows));
        let run = fixture.analyze(&["log", "--snapshot", "snap", "--review-period", "1d"]).exit(0);
        assert_eq!(
            (verdict(&run, UNUSED), reasons(&run)),
            ("cannot_decide", vec!["ports_not_logged".to_owned()])
        );
        assert_eq!(run.finding("coverage_gap/ports_not_logged")["evidence"]["records"], 25);
        assert!(run.finding_ids("unused_rule").iter().all(|id| !id.contains(":tcp:")));
    }
}
