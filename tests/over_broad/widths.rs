//! How wide is too wide, and for which ports.

use flowaudit::findings::Severity;
use flowaudit::findings::over_broad::over_broad;
use flowaudit::findings::ports::{PortClass, PortProfile, SensitivePort};
use flowaudit::flow::TCP;
use serde_json::json;

use crate::kit::{group, ingress, short, timeline, unused, verdict};

#[test]
fn public_ranges_wider_than_a_24_and_whole_private_ranges() {
    let cases = [
        ("tcp 22 8.8.8.0/24", ""),
        ("tcp 22 8.8.8.0/23", "medium SSH (tcp/22) open to a public range wider than /24 (8.8.8.0/23)"),
        ("tcp 22 2600:1f18::/48", ""),
        (
            "tcp 22 2600:1f18::/32",
            "medium SSH (tcp/22) open to a public range wider than /48 (2600:1f18::/32)",
        ),
        ("-1 - 8.0.0.0/8", "high all protocols and ports open to a public range wider than /24 (8.0.0.0/8)"),
        (
            "tcp 8080 8.0.0.0/8",
            "low HTTP alternative (tcp/8080) open to a public range wider than /24 (8.0.0.0/8)",
        ),
        ("tcp 443 8.0.0.0/8", ""),
        ("tcp 22 10.0.0.0/8", "medium SSH (tcp/22) open to a whole private range (10.0.0.0/8)"),
        ("tcp 5432 172.16.0.0/12", "low PostgreSQL (tcp/5432) open to a whole private range (172.16.0.0/12)"),
        ("tcp 8080 192.168.0.0/16", ""),
        ("tcp 22 192.168.0.0/17", ""),
        (
            "-1 - 192.168.0.0/16",
            "medium all protocols and ports open to a whole private range (192.168.0.0/16)",
        ),
        ("tcp 22 10.0.0.0/16", ""),
        ("tcp 22 100.64.0.0/10", ""),
    ];
    for (rule, expected) in cases {
        assert_eq!(verdict(rule), expected, "{rule}");
    }
}

#[test]
fn everything_but_private_is_the_world() {
    let ranges = "0.0.0.0/5 8.0.0.0/7 11.0.0.0/8 12.0.0.0/6 16.0.0.0/4 32.0.0.0/3 64.0.0.0/2 128.0.0.0/3 160.0.0.0/5 \
                  168.0.0.0/6 172.0.0.0/12 172.32.0.0/11 172.64.0.0/10 172.128.0.0/9 173.0.0.0/8 174.0.0.0/7 \
                  176.0.0.0/4 192.0.0.0/9 192.128.0.0/11 192.160.0.0/13 192.169.0.0/16 192.170.0.0/15 192.172.0.0/14 \
                  192.176.0.0/12 192.192.0.0/10 193.0.0.0/8 194.0.0.0/7 196.0.0.0/6 200.0.0.0/5 208.0.0.0/4";
    let rules: Vec<_> = ranges.split_whitespace().map(|range| format!("tcp 22 {range}")).collect();
    assert_eq!(short(&ingress(&rules.join(","))), ["high sg-1:ingress:union:tcp:22:ipv4"]);
}

#[test]
fn profiles_decide_which_ports_matter() {
    let timeline = timeline(&[json!({ "SecurityGroups": [
        group("sg-1", "tcp 25 0.0.0.0/0, udp 3389 0.0.0.0/0, tcp 9092 0.0.0.0/0, tcp 4444 0.0.0.0/0", ""),
    ] })]);
    let cases: [(&str, &[&str]); 5] = [
        ("default", &["udp:3389-3389", "tcp:9092-9092", "tcp:25-25"]),
        ("aws-security-hub", &["tcp:25-25"]),
        ("trusted-advisor", &[]),
        ("cis", &["udp:3389-3389"]),
        ("prowler", &["tcp:9092-9092", "tcp:25-25"]),
    ];
    for (name, ports) in cases {
        let findings = over_broad(&timeline, &unused(&timeline), &PortProfile::named(name).unwrap());
        let ids: Vec<_> = findings.iter().map(|finding| finding.id.clone()).collect();
        let expected: Vec<_> =
            ports.iter().map(|it| format!("over_broad/sg-1:ingress:{it}:0.0.0.0/0")).collect();
        assert_eq!(ids, expected, "{name}");
    }
    let (name, severity) = ("backdoor".to_owned(), Severity::Critical);
    let own = SensitivePort { protocol: TCP, port: 4444, name, class: PortClass::Other, severity };
    let findings = over_broad(&timeline, &unused(&timeline), &PortProfile::custom("own", vec![own]));
    assert_eq!(short(&findings), ["critical sg-1:ingress:tcp:4444-4444:0.0.0.0/0"]);
    assert_eq!(findings[0].evidence["port_profile"], "own");
}

#[test]
fn everything_out_to_the_world_by_two_rules_is_found() {
    let timeline =
        timeline(&[json!({ "SecurityGroups": [group("sg-1", "", "-1 - 0.0.0.0/1, -1 - 128.0.0.0/1")] })]);
    let findings = over_broad(&timeline, &unused(&timeline), &PortProfile::named("cis").unwrap());
    assert_eq!(short(&findings), ["info sg-1:egress:union:all:all:ipv4"]);
}

#[test]
fn private_blocks_beside_a_wide_public_range_are_named_too() {
    let timeline = timeline(&[
        json!({ "SecurityGroups": [group("sg-1", "tcp 5432 pl-1", "")] }),
        json!({ "PrefixLists": [{ "PrefixListId": "pl-1", "Cidrs": ["10.0.0.0/8", "52.0.0.0/8"] }] }),
    ]);
    let findings = over_broad(&timeline, &unused(&timeline), &PortProfile::named("default").unwrap());
    assert_eq!(findings[0].evidence["private_ranges"], json!(["10.0.0.0/8"]));
    assert!(findings[0].recommendation.contains("whole private ranges too: 10.0.0.0/8"));
}
