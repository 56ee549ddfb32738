//! What was seen of an opening, and what that makes of the finding.

use std::collections::BTreeMap;

use flowaudit::findings::Severity;
use flowaudit::findings::over_broad::over_broad;
use flowaudit::findings::ports::PortProfile;
use flowaudit::flow::{TCP, UDP};
use flowaudit::rules::aws::Objects;
use flowaudit::rules::timeline::{Snapshot, Timeline};
use flowaudit::tally::usage::{Exposed, RuleUse};
use serde_json::json;

use crate::kit::{group, interface, short, timeline, unused};

/// A rule whose use on one service is `RECORDS REPLIES ANSWERED WITH_FLAGS` → `EXPOSURE SEVERITY ANSWERED, ADVICE`.
fn graded(rule: &str, service: (u8, u16), seen: &str) -> String {
    let figures: Vec<u64> = seen.split(' ').map(|figure| figure.parse().unwrap()).collect();
    let [records, reply_records, answered_records, with_flags] = figures[..] else { panic!("{seen:?}") };
    let seen = Exposed { records, reply_records, answered_records, with_flags };
    let timeline = timeline(&[json!({ "SecurityGroups": [group("sg-1", rule, "")] })]);
    let used = RuleUse { internet: seen, services: BTreeMap::from([(service, seen)]), ..RuleUse::default() };
    let findings = over_broad(&timeline, &[used], &PortProfile::named("default").unwrap());
    let [finding] = &findings[..] else { panic!("{:?}", short(&findings)) };
    let exposure = finding.evidence["exposure"].as_str().unwrap();
    let answered = &finding.evidence["answered_records"];
    let advice: Vec<_> = finding.recommendation.split(' ').take(3).collect();
    format!("{exposure} {} {answered}, {}", finding.severity.as_str(), advice.join(" "))
}

#[test]
fn evidence_grades_an_opening() {
    let (ssh, dns) = ((TCP, 22), (UDP, 53));
    let cases = [
        ("tcp 22 0.0.0.0/0", ssh, "0 0 0 0", "not_shown high null, Exposure is not"),
        ("tcp 22 0.0.0.0/0", ssh, "9 0 0 9", "reached high 0, 9 records came"),
        ("tcp 22 0.0.0.0/0", ssh, "9 4 0 13", "reached high 0, 9 records came"),
        ("tcp 22 0.0.0.0/0", ssh, "9 4 0 0", "reached_answer_unknown high null, 9 records came"),
        ("tcp 22 0.0.0.0/0", ssh, "9 9 3 18", "answered critical 3, Something answers here:"),
        ("tcp 22 8.0.0.0/8", ssh, "9 9 3 18", "answered high 3, Something answers here:"),
        ("tcp 8080 0.0.0.0/0", (TCP, 8080), "1 1 1 2", "answered high 1, Something answers here:"),
        ("udp 53 0.0.0.0/0", dns, "5 5 0 0", "reached_answer_unknown low null, 5 records came"),
        // Of the records of all protocols, flags tell of tcp only.
        ("-1 - 0.0.0.0/0", dns, "9 5 0 2", "reached_answer_unknown critical 0, 9 records came"),
        ("-1 - 0.0.0.0/0", ssh, "9 0 0 9", "reached critical 0, 9 records came"),
        // Somebody in on another port does not expose this one, but shows that the rule is reached.
        ("tcp 22-23 0.0.0.0/0", (TCP, 443), "9 9 9 9", "not_shown high null, 9 records came"),
    ];
    for (rule, service, seen, expected) in cases {
        assert_eq!(graded(rule, service, seen), expected, "{rule} {service:?} {seen}");
    }
}

#[test]
fn nothing_answered_says_close_it() {
    let timeline = timeline(&[json!({ "SecurityGroups": [group("sg-1", "tcp 22 0.0.0.0/0", "")] })]);
    let scanned = Exposed { records: 9, with_flags: 9, ..Exposed::default() };
    let used = RuleUse { services: BTreeMap::from([((TCP, 22), scanned)]), ..RuleUse::default() };
    let findings = over_broad(&timeline, &[used], &PortProfile::named("default").unwrap());
    assert!(findings[0].recommendation.contains("nothing answered in the window: close it"));
}

#[test]
fn a_group_on_no_interface_matters_one_step_less() {
    let groups = json!({ "SecurityGroups": [group("sg-1", "tcp 22 0.0.0.0/0", "")] });
    let cases = [
        (vec![groups.clone()], Severity::High),
        (
            vec![groups.clone(), json!({ "NetworkInterfaces": [interface("eni-1", &["sg-1"])] })],
            Severity::High,
        ),
        (vec![groups, json!({ "NetworkInterfaces": [interface("eni-1", &["sg-2"])] })], Severity::Medium),
    ];
    for (documents, severity) in cases {
        let timeline = timeline(&documents);
        let findings = over_broad(&timeline, &unused(&timeline), &PortProfile::named("cis").unwrap());
        assert_eq!(findings[0].severity, severity);
        assert_eq!(findings[0].recommendation.contains("on no interface"), severity == Severity::Medium);
    }
}

#[test]
fn only_the_newest_state_counts() {
    let snapshot = |at, rules: &str| {
        let mut objects = Objects::default();
        objects.add(&json!({ "SecurityGroups": [group("sg-1", rules, "")] }), None).unwrap();
        Snapshot { at: Some(at), objects: objects.into() }
    };
    let timeline =
        Timeline::build(vec![snapshot(100, "tcp 3389 0.0.0.0/0"), snapshot(0, "tcp 22 0.0.0.0/0")]);
    let findings = over_broad(&timeline, &unused(&timeline), &PortProfile::named("default").unwrap());
    assert_eq!(short(&findings), ["high sg-1:ingress:tcp:3389-3389:0.0.0.0/0"]);
    assert_eq!(over_broad(&Timeline::default(), &[], &PortProfile::named("default").unwrap()), []);
}

#[test]
fn the_whole_of_one_finding() {
    let timeline = timeline(&[
        json!({ "SecurityGroups": [group("sg-1", "tcp 20-22 0.0.0.0/0", "")] }),
        json!({ "SecurityGroupRules": [{
            "SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IsEgress": false,
            "IpProtocol": "tcp", "FromPort": 20, "ToPort": 22, "CidrIpv4": "0.0.0.0/0",
        }] }),
        json!({ "NetworkInterfaces": [interface("eni-1", &["sg-1"])] }),
    ]);
    let ssh = Exposed { records: 7, reply_records: 6, answered_records: 5, with_flags: 13 };
    let ftp = Exposed { records: 2, reply_records: 0, answered_records: 0, with_flags: 2 };
    let used =
        RuleUse { services: BTreeMap::from([((TCP, 22), ssh), ((TCP, 21), ftp)]), ..RuleUse::default() };
    let findings = over_broad(&timeline, &[used], &PortProfile::named("default").unwrap());
    let expected = json!([{
        "id": "over_broad/sg-1:ingress:tcp:20-22:0.0.0.0/0",
        "kind": "over_broad",
        "severity": "critical",
        "title": "SSH (tcp/22), FTP (tcp/20), FTP (tcp/21) open to the internet (0.0.0.0/0)",
        "group_id": "sg-1",
        "rule_key": "sg-1:ingress:tcp:20-22:0.0.0.0/0",
        "interface_id": null,
        "evidence": {
            "exposure": "answered",
            "internet_records": 9,
            "internet_reply_records": 6,
            "answered_records": 5,
            "services": [
                { "port": 20, "protocol": "tcp", "name": "FTP", "records": 0, "answered_records": null },
                { "port": 21, "protocol": "tcp", "name": "FTP", "records": 2, "answered_records": 0 },
                { "port": 22, "protocol": "tcp", "name": "SSH", "records": 7, "answered_records": 5 },
            ],
            "peer": "0.0.0.0/0",
            "covers": "ipv4",
            "port_profile": "default",
            "attached_interfaces": ["eni-1"],
            "public_addresses": ["198.51.100.7"],
            "rule_id": "sgr-1",
        },
        "recommendation": "Something answers here: 5 records of answers to the internet in the window. Find out who \
            connects, then replace 0.0.0.0/0 by the ranges or security groups that need it, or \
            use Session Manager, a VPN or an EC2 Instance Connect Endpoint.",
    }]);
    assert_eq!(serde_json::to_value(&findings).unwrap(), expected);
}
