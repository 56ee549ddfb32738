//! Bugs that other tools had; numbers are those of our list of them.

use flowaudit::findings::Severity;
use flowaudit::findings::over_broad::over_broad;
use flowaudit::findings::ports::PortProfile;
use serde_json::json;

use crate::kit::{group, ingress, interface, names, short, timeline, unused, verdict};

#[test]
fn r01_udp_is_17() {
    assert_eq!(verdict("17 11211 0.0.0.0/0"), "high memcached (udp/11211) open to the internet (0.0.0.0/0)");
    assert_eq!(verdict("udp 11211 0.0.0.0/0"), "high memcached (udp/11211) open to the internet (0.0.0.0/0)");
    assert_eq!(verdict("udp 5432 0.0.0.0/0"), "");
    assert_eq!(verdict("6 5432 0.0.0.0/0"), "high PostgreSQL (tcp/5432) open to the internet (0.0.0.0/0)");
}

#[test]
fn r02_ports_compare_as_numbers() {
    // As text, "22" lies between "100" and "30", and "9200" after "10000".
    assert_eq!(verdict("tcp 100-109 0.0.0.0/0"), "");
    assert_eq!(verdict("tcp 2200-2299 0.0.0.0/0"), "");
    assert_eq!(verdict("tcp 9199-10000 0.0.0.0/0").split(' ').next(), Some("high"));
    assert_eq!(verdict("tcp 443 0.0.0.0/0"), "");
}

#[test]
fn r03_port_22_is_inside_every_range_that_holds_it() {
    for rule in ["tcp 22 0.0.0.0/0", "tcp 20-25 0.0.0.0/0", "tcp 0-1024 0.0.0.0/0", "tcp 22-65535 0.0.0.0/0"]
    {
        let findings = ingress(rule);
        assert_eq!(findings.len(), 1, "{rule}");
        assert!(names(&findings[0]).contains(&"tcp/22".to_owned()), "{rule}");
        assert_eq!(findings[0].severity, Severity::High, "{rule}");
    }
    for rule in
        ["-1 - 0.0.0.0/0", "-1 -1 0.0.0.0/0", "tcp -1 0.0.0.0/0", "tcp - 0.0.0.0/0", "tcp 1-65535 0.0.0.0/0"]
    {
        assert!(verdict(rule).starts_with("critical all "), "{rule}");
    }
    assert_eq!(verdict("tcp 23-24 0.0.0.0/0"), "high Telnet (tcp/23) open to the internet (0.0.0.0/0)");
}

#[test]
fn r04_all_ports_may_start_at_1() {
    let cases = [
        ("tcp 0-65535 0.0.0.0/0", "critical all TCP ports open to the internet (0.0.0.0/0)"),
        ("tcp 1-65535 0.0.0.0/0", "critical all TCP ports open to the internet (0.0.0.0/0)"),
        ("udp 1-65535 ::/0", "critical all UDP ports open to the internet (::/0)"),
        ("-1 - 0.0.0.0/0", "critical all protocols and ports open to the internet (0.0.0.0/0)"),
    ];
    for (rule, expected) in cases {
        assert_eq!(verdict(rule), expected);
    }
    assert!(!verdict("tcp 2-65535 0.0.0.0/0").starts_with("critical"));
}

#[test]
fn r05_other_protocols_open_to_the_world_are_not_ssh() {
    for rule in [
        "47 - 0.0.0.0/0",
        "50 - 0.0.0.0/0",
        "icmp -1 0.0.0.0/0",
        "icmp 22 0.0.0.0/0",
        "58 - ::/0",
        "47 22 0.0.0.0/0",
    ] {
        assert_eq!(verdict(rule), "", "{rule}");
    }
}

#[test]
fn r06_the_ipv6_world_has_many_spellings() {
    for peer in ["::/0", "0::0/0", "0:0:0:0:0:0:0:0/0", "2000::/3"] {
        let findings = ingress(&format!("tcp 22 {peer}"));
        assert_eq!(findings.len(), 1, "{peer}");
        assert_eq!(findings[0].evidence["covers"], "ipv6", "{peer}");
        assert_eq!(findings[0].severity, Severity::High, "{peer}");
    }
    assert_eq!(verdict("tcp 22 fc00::/7"), "");
}

#[test]
fn r07_two_halves_are_the_world() {
    let findings = ingress("tcp 22 0.0.0.0/1, tcp 22 128.0.0.0/1");
    assert_eq!(short(&findings), ["high sg-1:ingress:union:tcp:22:ipv4"]);
    assert_eq!(findings[0].title, "SSH (tcp/22) open to the internet (IPv4) by 2 rules together");
    assert_eq!((findings[0].group_id.as_deref(), &findings[0].rule_key), (Some("sg-1"), &None));
    let rules = ["sg-1:ingress:tcp:22-22:0.0.0.0/1", "sg-1:ingress:tcp:22-22:128.0.0.0/1"];
    assert_eq!(findings[0].evidence["rules"], json!(rules));
    let cases: [(&str, &[&str]); 6] = [
        // Halves on different ports meet where both let through.
        ("tcp 20-22 0.0.0.0/1, tcp 22-24 128.0.0.0/1", &["high sg-1:ingress:union:tcp:22:ipv4"]),
        ("tcp 22 2000::/4, tcp 22 3000::/4", &["high sg-1:ingress:union:tcp:22:ipv6"]),
        ("-1 - 0.0.0.0/1, -1 - 128.0.0.0/1", &["critical sg-1:ingress:union:all:all:ipv4"]),
        ("tcp 1-65535 0.0.0.0/1, -1 - 128.0.0.0/1", &["critical sg-1:ingress:union:tcp:all:ipv4"]),
        ("tcp 443 0.0.0.0/1, tcp 443 128.0.0.0/1", &[]),
        // A rule that does alone leaves nothing to a union.
        (
            "tcp 22 0.0.0.0/0, tcp 22 0.0.0.0/1, tcp 22 128.0.0.0/1",
            &["high sg-1:ingress:tcp:22-22:0.0.0.0/0"],
        ),
    ];
    for (rules, expected) in cases {
        let found = short(&ingress(rules));
        assert!(expected.iter().all(|id| found.contains(&(*id).to_owned())), "{rules}: {found:?}");
        assert_eq!(
            found.iter().filter(|id| id.contains("union")).count(),
            expected.iter().filter(|id| id.contains("union")).count(),
            "{rules}: {found:?}"
        );
    }
}

#[test]
fn r07_ports_that_add_up_to_all_are_all() {
    let found = short(&ingress("tcp 0-1023 0.0.0.0/0, tcp 1024-65535 0.0.0.0/0"));
    assert!(found.contains(&"critical sg-1:ingress:union:tcp:all:ipv4".to_owned()), "{found:?}");
    let found = short(&ingress("tcp 0-1023 0.0.0.0/0, tcp 1025-65535 0.0.0.0/0"));
    assert!(!found.iter().any(|id| id.contains("union")), "{found:?}");
}

#[test]
fn r07_groups_of_one_interface_add_up() {
    let groups = |first: &str, second: &str| {
        let timeline = timeline(&[
            json!({ "SecurityGroups": [group("sg-1", first, ""), group("sg-2", second, "")] }),
            json!({ "NetworkInterfaces": [interface("eni-1", &["sg-2", "sg-1"]), interface("eni-2", &["sg-1"])] }),
        ]);
        over_broad(&timeline, &unused(&timeline), &PortProfile::named("cis").unwrap())
    };
    let findings = groups("tcp 22 0.0.0.0/1", "tcp 22 128.0.0.0/1");
    let union = findings.iter().find(|finding| finding.id.contains("union")).unwrap();
    assert_eq!(union.id, "over_broad/sg-1+sg-2:ingress:union:tcp:22:ipv4");
    assert_eq!((union.interface_id.as_deref(), &union.group_id), (Some("eni-1"), &None));
    assert_eq!(union.evidence["attached_interfaces"], json!(["eni-1"]));
    // Where one group does alone, the interface adds nothing.
    let found = short(&groups("tcp 22 0.0.0.0/1, tcp 22 128.0.0.0/1", "tcp 22 128.0.0.0/1"));
    assert_eq!(found, ["high sg-1:ingress:union:tcp:22:ipv4", "medium sg-2:ingress:tcp:22-22:128.0.0.0/1"]);
}

#[test]
fn r08_a_prefix_list_may_be_the_world() {
    assert_eq!(verdict("tcp 3389 pl-world"), "high RDP (tcp/3389) open to the internet (pl-world)");
    assert_eq!(verdict("tcp 3389 pl-unknown"), "");
    let findings = ingress("tcp 3389 pl-wide");
    assert_eq!(findings[0].severity, Severity::Medium);
    assert_eq!(findings[0].evidence["ranges"], json!(["8.8.0.0/16"]));
}

#[test]
fn r09_self_beside_the_world_does_not_hide_it() {
    assert_eq!(short(&ingress("tcp 22 sg-1, tcp 22 0.0.0.0/0")), ["high sg-1:ingress:tcp:22-22:0.0.0.0/0"]);
    assert_eq!(short(&ingress("-1 - sg-1")), [] as [&str; 0]);
}

#[test]
fn r10_order_never_matters() {
    let rules = [
        "tcp 22 0.0.0.0/0",
        "udp 53 ::/0",
        "tcp 5432 10.0.0.0/8",
        "tcp 3389 0.0.0.0/1",
        "tcp 3389 128.0.0.0/1",
        "icmp -1 0.0.0.0/0",
    ];
    let expected = ingress(&rules.join(","));
    assert_eq!(expected.len(), 4, "{:?}", short(&expected));
    for turn in 0..rules.len() {
        let mut turned = rules;
        turned.rotate_left(turn);
        assert_eq!(ingress(&turned.join(",")), expected);
        turned.reverse();
        assert_eq!(ingress(&turned.join(",")), expected);
    }
}

#[test]
fn r11_one_rule_in_a_group_is_still_tested() {
    assert_eq!(short(&ingress("tcp 22 0.0.0.0/0")), ["high sg-1:ingress:tcp:22-22:0.0.0.0/0"]);
}

#[test]
fn r12_what_nobody_understands_does_not_stop_the_other_rules() {
    let findings = ingress(
        "tpc 22 0.0.0.0/0, tcp 22 10.0.0.300/8, tcp 22 pl-unknown, tcp 443-22 0.0.0.0/0, tcp 22 0.0.0.0/0",
    );
    assert_eq!(short(&findings), ["high sg-1:ingress:tcp:22-22:0.0.0.0/0"]);
}

#[test]
fn r28_sources_of_one_permission_count_one_by_one() {
    let document = json!({ "SecurityGroups": [{
        "GroupId": "sg-1", "GroupName": "one",
        "IpPermissions": [{
            "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
            "IpRanges": [{ "CidrIp": "0.0.0.0/0" }, { "CidrIp": "8.0.0.0/8" }, { "CidrIp": "192.0.2.7/32" }],
            "Ipv6Ranges": [{ "CidrIpv6": "::/0" }],
        }],
    }] });
    let timeline = timeline(&[document]);
    let findings = over_broad(&timeline, &unused(&timeline), &PortProfile::named("cis").unwrap());
    let expected = [
        "high sg-1:ingress:tcp:22-22:0.0.0.0/0",
        "high sg-1:ingress:tcp:22-22:::/0",
        "medium sg-1:ingress:tcp:22-22:8.0.0.0/8",
    ];
    assert_eq!(short(&findings), expected);
}

#[test]
fn r29_a_group_with_egress_only_is_no_ingress_finding() {
    let timeline = timeline(&[json!({ "SecurityGroups": [
        group("sg-1", "", "-1 - 0.0.0.0/0, tcp 0-65535 ::/0, tcp 22 0.0.0.0/0, udp 0-65535 0.0.0.0/0, -1 - 10.0.0.0/8"),
    ] })]);
    let findings = over_broad(&timeline, &unused(&timeline), &PortProfile::named("default").unwrap());
    assert_eq!(
        short(&findings),
        ["info sg-1:egress:-1:-1--1:0.0.0.0/0", "info sg-1:egress:tcp:0-65535:::/0"]
    );
    assert!(findings.iter().all(|finding| !finding.evidence.contains_key("exposure")));
}
