//! Faults that a reader would have paid for.

use serde_json::json;

use crate::fixture::{Fixture, HOUR, Object, Run, T0, group, interface, prefix_list, row_at};

const SSH: &str = "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT";

fn hourly(flow: &str, hours: std::ops::Range<i64>) -> Vec<String> {
    hours.map(|hour| row_at(T0 + hour * HOUR, flow)).collect()
}

/// Two days of SSH, with a snapshot before and one in the middle.
fn in_two_states(first: &[Object], second: &[Object]) -> Run {
    let fixture = Fixture::new();
    fixture.snapshot("snaps/2025-12-31", first);
    fixture.snapshot("snaps/2026-01-02", second);
    fixture.log("log", &hourly(SSH, 0..48));
    fixture.analyze(&["log", "--snapshot", "snaps", "--review-period", "1d"]).exit(0)
}

fn goes(run: &Run, key: &str) -> bool {
    run.at("/removal_set/rules").as_array().unwrap().contains(&json!(key))
}

#[test]
fn what_an_interface_does_not_carry_any_more_covers_nothing_of_it() {
    let groups = || {
        vec![
            group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8"),
            group("sg-b").ingress("tcp", 22, 22, "10.0.0.0/24"),
            interface("eni-z", "10.0.0.6", &["sg-a"]),
        ]
    };
    let with = |own: &[&str]| [groups(), vec![interface("eni-a", "10.0.0.5", own)]].concat();
    let narrow = "sg-b:ingress:tcp:22-22:10.0.0.0/24";
    let both = ["sg-a", "sg-b"];
    assert!(goes(&in_two_states(&with(&both), &with(&both)), narrow));
    assert!(!goes(&in_two_states(&with(&both), &with(&["sg-b"])), narrow));
    // Who takes the place of an interface that is gone may carry only one of the groups.
    assert!(!goes(&in_two_states(&with(&both), &groups()), narrow));
}

#[test]
fn a_list_or_group_that_means_others_now_covers_nothing() {
    let here = |entries: &[&str], members: &[&str]| {
        let mut objects = vec![
            group("sg-a")
                .ingress("tcp", 22, 22, "10.0.0.9/32")
                .ingress("tcp", 22, 22, "pl-1")
                .ingress("tcp", 22, 22, "sg-p"),
            group("sg-p"),
            prefix_list("pl-1", entries),
            interface("eni-a", "10.0.0.5", &["sg-a"]),
        ];
        objects
            .extend(members.iter().map(|address| interface(&format!("eni-{address}"), address, &["sg-p"])));
        objects
    };
    let own = "sg-a:ingress:tcp:22-22:10.0.0.9/32";
    let list = ["10.0.0.0/24"];
    assert!(goes(&in_two_states(&here(&list, &[]), &here(&list, &[])), own), "the list has it all the time");
    assert!(!goes(&in_two_states(&here(&list, &["10.0.0.9"]), &here(&["10.0.9.0/24"], &[])), own));
}

#[test]
fn a_hundred_overlapping_rules_are_covered_by_their_neighbours_alone() {
    let mut own = group("sg-a").egress("-1", -1, -1, "10.0.0.0/8");
    for at in 0..100 {
        own = own.ingress("tcp", 1000 + 3 * at, 1005 + 3 * at, "10.0.0.0/8");
    }
    let fixture = Fixture::new();
    fixture.snapshot("snap", &[own, interface("eni-a", "10.0.0.5", &["sg-a"])]);
    fixture.log("log", &hourly("eni-a 10.0.0.5 10.0.0.9 40000 443 6 ACCEPT", 0..25));
    let run = fixture.analyze(&["log", "--snapshot", "snap", "--review-period", "1d"]).exit(0);
    let evidence = &run.finding("redundant_rule/sg-a:ingress:tcp:1030-1035:10.0.0.0/8")["evidence"];
    assert_eq!(
        evidence["covered_by"],
        json!(["sg-a:ingress:tcp:1027-1032:10.0.0.0/8", "sg-a:ingress:tcp:1033-1038:10.0.0.0/8"])
    );
    // Neighbours together cover each, none of them alone, and nobody used any.
    assert_eq!(run.at("/removal_set/rules").as_array().unwrap().len(), 100);
}

#[test]
fn a_rule_that_a_service_needs_is_not_said_to_go() {
    let served = interface("eni-a", "10.0.0.5", &["sg-a"])
        .with("Description", "AWS created network interface for directory d-1234567890")
        .with("RequesterManaged", true);
    let objects =
        [group("sg-a").ingress("tcp", 53, 53, "10.0.0.0/8").ingress("tcp", 50, 60, "10.0.0.0/8"), served];
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects);
    fixture.log("log", &hourly("eni-a 10.0.0.9 10.0.0.5 40000 53 6 ACCEPT", 0..25));
    let run = fixture.analyze(&["log", "--snapshot", "snap", "--review-period", "1d"]).exit(0);
    let finding = run.finding("redundant_rule/sg-a:ingress:tcp:53-53:10.0.0.0/8");
    assert_eq!(finding["severity"], "info");
    assert!(finding["recommendation"].as_str().unwrap().starts_with("It stays all the same"), "{finding}");
    assert_eq!(*run.at("/removal_set/rules"), json!([]));
}

#[test]
fn a_baseline_does_not_swallow_what_is_accepted_no_more() {
    let fixture = Fixture::new();
    fixture.snapshot(
        "snap",
        &[group("sg-a").ingress("tcp", 22, 22, "0.0.0.0/0"), interface("eni-a", "10.0.0.5", &["sg-a"])],
    );
    fixture.log("log", &hourly(SSH, 0..2));
    let entry =
        |expires: &str| format!("[[suppress]]\nkind = \"over_broad\"\nreason = \"r\"\nexpires = {expires}\n");
    let arguments = ["log", "--snapshot", "snap", "--suppress", "s.toml"];
    fixture.write("s.toml", entry("2999-01-01"));
    fixture.write("old.json", &fixture.analyze(&arguments).exit(0).stdout);
    fixture.write("s.toml", entry("2020-01-01"));
    let run = fixture.analyze(&[&arguments[..], &["--baseline", "old.json"]].concat()).exit(0);
    assert_eq!(run.finding_ids("over_broad"), ["sg-a:ingress:tcp:22-22:0.0.0.0/0"]);
}

#[test]
fn an_accepted_group_keeps_its_rules_and_a_rare_one_is_asked_about_first() {
    let fixture = Fixture::new();
    let rare = json!({ "IpProtocol": "tcp", "FromPort": 99, "ToPort": 99, "IpRanges": [{ "CidrIp": "10.0.0.0/8", "Description": "break-glass" }] });
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").push("IpPermissions", rare),
        group("sg-spare").ingress("tcp", 22, 22, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    fixture.snapshot("snap", &objects);
    fixture.log("log", &hourly(SSH, 0..2));
    let arguments = ["log", "--snapshot", "snap", "--remediation", "fix"];
    let run = fixture.analyze(&arguments).exit(0);
    assert!(goes(&run, "sg-spare:ingress:tcp:22-22:10.0.0.0/8"));
    let apply = std::fs::read_to_string(fixture.path("fix/apply.sh")).unwrap();
    assert!(apply.contains("# ask its owner first: aws ec2 revoke-security-group-ingress"), "{apply}");
    assert!(
        apply.contains(
            "# because: not seen with doubt, low confidence; window 0 of 90 days, named \"break glass\""
        ),
        "{apply}"
    );
    fixture.write("s.toml", "[[suppress]]\ngroup_id = \"sg-spare\"\nreason = \"r\"\nexpires = 2999-01-01\n");
    let run = fixture.analyze(&[&arguments[..], &["--suppress", "s.toml"]].concat()).exit(0);
    assert!(!goes(&run, "sg-spare:ingress:tcp:22-22:10.0.0.0/8"));
}

#[test]
fn two_reports_never_go_to_one_place() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &[group("sg-a"), interface("eni-a", "10.0.0.5", &["sg-a"])]);
    fixture.log("log", &hourly(SSH, 0..2));
    for formats in [["json=r", "html=r"], ["csv=t", "html=t/findings.csv"]] {
        let run = fixture.run(&[
            "analyze",
            "log",
            "--snapshot",
            "snap",
            "--format",
            formats[0],
            "--format",
            formats[1],
        ]);
        assert_eq!(run.status, Some(2));
        assert!(run.stderr.contains("two reports cannot go to one place"), "{}", run.stderr);
    }
}
