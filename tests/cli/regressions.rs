//! Bugs that other tools had, by the numbers of our list of them, seen through the report: 1 to 13, about rules.

use serde_json::{Value, json};

use crate::fixture::{ACCOUNT, Fixture, Run, group, interface, prefix_list, row};

/// `sg-a` with this one ingress rule on eni-a, and one record.
fn one_rule(rule: (&str, i64, i64, &str), flow: &str) -> Run {
    let (protocol, from, to, peer) = rule;
    let objects =
        [group("sg-a").ingress(protocol, from, to, peer), interface("eni-a", "10.0.0.5", &["sg-a"])];
    Fixture::analyzed(&objects, &[row(flow)], &[])
}

/// Whether the one rule admitted the one record.
fn admits(rule: (&str, i64, i64, &str), flow: &str) -> bool {
    let run = one_rule(rule, flow);
    let usage = &run.at("/rules/0")["usage"];
    let used = usage["verdict"] == "used";
    assert_eq!(usage["records"], u64::from(used));
    assert_eq!(run.outcome("unexplained"), u64::from(!used));
    used
}

#[test]
fn r01_udp_is_17() {
    let objects = [
        group("sg-a").ingress("udp", 53, 53, "10.0.0.0/8").ingress("tcp", 53, 53, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let rows = [
        row("eni-a 10.0.0.9 10.0.0.5 40000 53 17 ACCEPT"),
        row("eni-a 192.0.2.9 10.0.0.5 40000 53 17 REJECT"),
    ];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    assert_eq!(run.with_verdict("used"), ["sg-a:ingress:udp:53-53:10.0.0.0/8"]);
    assert_eq!(run.blocked(), ["eni-a ingress udp 53 security_group 1"]);
    assert_eq!(run.at("/rules/0")["protocol"], "tcp");
    assert_eq!(run.at("/rules/1")["protocol"], "udp");
}

#[test]
fn r02_ports_compare_as_numbers() {
    let cases = [(100, 109, 1050), (100, 30000, 22), (22, 30, 220), (3, 10, 22)];
    for (from, to, port) in cases {
        let flow = format!("eni-a 10.0.0.9 10.0.0.5 40000 {port} 6 ACCEPT");
        assert!(!admits(("tcp", from, to, "10.0.0.0/8"), &flow), "{port} in {from}-{to}");
    }
    for (from, to, port) in [(9, 10, 10), (22, 220, 100), (9199, 10000, 9200), (80, 8080, 443)] {
        let flow = format!("eni-a 10.0.0.9 10.0.0.5 40000 {port} 6 ACCEPT");
        assert!(admits(("tcp", from, to, "10.0.0.0/8"), &flow), "{port} in {from}-{to}");
    }
}

#[test]
fn r03_port_22_is_inside_every_range_that_holds_it() {
    let rules = [
        ("tcp", 22, 22),
        ("tcp", 20, 25),
        ("tcp", 0, 1024),
        ("tcp", -1, -1),
        ("tcp", 1, 65535),
        ("6", 22, 65535),
        ("-1", -1, -1),
    ];
    for (protocol, from, to) in rules {
        let run = one_rule((protocol, from, to, "0.0.0.0/0"), "eni-a 192.0.2.9 10.0.0.5 40000 22 6 ACCEPT");
        assert_eq!(run.at("/rules/0/usage/records"), 1, "{protocol} {from}-{to}");
        assert_eq!(run.findings("over_broad").len(), 1, "{protocol} {from}-{to}");
    }
    assert!(!admits(("tcp", 23, 1024, "10.0.0.0/8"), "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"));
    assert!(!admits(("udp", 22, 22, "10.0.0.0/8"), "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"));
}

#[test]
fn r04_tcp_from_1_on_is_every_port() {
    for (from, to) in [(0, 65535), (1, 65535)] {
        let run = one_rule(("tcp", from, to, "0.0.0.0/0"), "eni-a 192.0.2.9 10.0.0.5 40000 65535 6 ACCEPT");
        assert_eq!(run.at("/rules/0/usage/verdict"), "used");
        let finding = run.findings("over_broad")[0];
        assert_eq!(finding["severity"], "critical", "{from}-{to}");
        assert!(finding["title"].as_str().unwrap().contains("all TCP ports"), "{from}-{to}");
    }
}

#[test]
fn r05_tunnels_and_ping_from_the_world_are_not_ssh() {
    for (word, number) in [("47", 47), ("50", 50), ("icmp", 1)] {
        let flow = format!("eni-a 192.0.2.9 10.0.0.5 0 0 {number} ACCEPT");
        let run = one_rule((word, -1, -1, "0.0.0.0/0"), &flow);
        assert_eq!(run.at("/rules/0/usage/verdict"), "used", "{word}");
        assert_eq!(run.finding_ids("over_broad"), [] as [&str; 0], "{word}");
        let ssh = "eni-a 192.0.2.9 10.0.0.5 40000 22 6 ACCEPT";
        assert!(!admits((word, 22, 22, "0.0.0.0/0"), ssh), "{word}");
    }
}

#[test]
fn r06_the_ipv6_world_has_three_spellings_and_is_one_rule() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "::/0").ingress("tcp", 22, 22, "0::0/0").ingress(
            "tcp",
            22,
            22,
            "0:0:0:0:0:0:0:0/0",
        ),
        interface("eni-a", "10.0.0.5", &["sg-a"])
            .push("Ipv6Addresses", json!({ "Ipv6Address": "2600:1f18::5" })),
    ];
    let rows = [row("eni-a 2a00:1450::9 2600:1f18::5 40000 22 6 ACCEPT")];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    assert_eq!(run.keys(), ["sg-a:ingress:tcp:22-22:::/0"]);
    assert_eq!(run.usage("sg-a:ingress:tcp:22-22:::/0", "sole_records"), 1);
    assert_eq!(run.finding_ids("over_broad"), ["sg-a:ingress:tcp:22-22:::/0"]);
}

#[test]
fn r07_two_halves_are_the_world_and_each_has_its_own_traffic() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "0.0.0.0/1").ingress("tcp", 22, 22, "128.0.0.0/1"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let rows = [
        row("eni-a 8.8.8.8 10.0.0.5 40000 22 6 ACCEPT"),
        row("eni-a 127.255.255.255 10.0.0.5 40000 22 6 ACCEPT"),
        row("eni-a 128.0.0.0 10.0.0.5 40000 22 6 ACCEPT"),
    ];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    assert_eq!(run.usage("sg-a:ingress:tcp:22-22:0.0.0.0/1", "sole_records"), 2);
    assert_eq!(run.usage("sg-a:ingress:tcp:22-22:128.0.0.0/1", "sole_records"), 1);
    assert_eq!(run.finding("over_broad/sg-a:ingress:union:tcp:22:ipv4")["severity"], "high");
}

#[test]
fn r08_the_world_may_come_through_a_prefix_list() {
    let objects = [
        group("sg-a").ingress("tcp", 3389, 3389, "pl-0a1"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        prefix_list("pl-0a1", &["128.0.0.0/1", "0.0.0.0/1"]),
    ];
    let rows = [row("eni-a 192.0.2.9 10.0.0.5 40000 3389 6 ACCEPT")];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    let key = "sg-a:ingress:tcp:3389-3389:pl-0a1";
    assert_eq!(run.verdict(key), "used");
    assert_eq!(run.rule(key)["peer"], json!({ "kind": "prefix_list", "value": "pl-0a1" }));
    assert_eq!(run.finding(&format!("over_broad/{key}"))["severity"], "high");
}

#[test]
fn r09_self_beside_the_world_hides_neither() {
    let permission = json!({
        "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
        "UserIdGroupPairs": [{ "GroupId": "sg-a", "UserId": ACCOUNT }],
        "IpRanges": [{ "CidrIp": "0.0.0.0/0" }],
    });
    let objects = [
        group("sg-a").push("IpPermissions", permission),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        interface("eni-b", "10.0.0.6", &["sg-a"]),
    ];
    let rows =
        [row("eni-a 10.0.0.6 10.0.0.5 40000 22 6 ACCEPT"), row("eni-a 192.0.2.9 10.0.0.5 40000 22 6 ACCEPT")];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    let (world, own) = ("sg-a:ingress:tcp:22-22:0.0.0.0/0", "sg-a:ingress:tcp:22-22:sg-a");
    assert_eq!((run.usage(world, "records"), run.usage(world, "sole_records")), (2, 1));
    assert_eq!((run.usage(own, "records"), run.usage(own, "sole_records")), (1, 0));
    assert_eq!(run.finding_ids("over_broad"), [world]);
}

#[test]
fn r10_the_order_of_rules_changes_nothing() {
    let rules = [
        ("tcp", 22, 22, "0.0.0.0/0"),
        ("tcp", 20, 25, "10.0.0.0/8"),
        ("-1", -1, -1, "sg-a"),
        ("udp", 53, 53, "10.0.0.0/8"),
    ];
    let rows = [
        row("eni-a 10.0.0.6 10.0.0.5 40000 22 6 ACCEPT"),
        row("eni-a 192.0.2.9 10.0.0.5 40000 22 6 ACCEPT"),
        row("eni-a 192.0.2.9 10.0.0.5 40000 23 6 REJECT"),
    ];
    let run = |order: &[(&str, i64, i64, &str)]| {
        let group =
            order.iter().fold(group("sg-a"), |group, rule| group.ingress(rule.0, rule.1, rule.2, rule.3));
        let objects =
            [interface("eni-b", "10.0.0.6", &["sg-a"]), group, interface("eni-a", "10.0.0.5", &["sg-a"])];
        Fixture::analyzed(&objects, &rows, &[])
    };
    let expected = run(&rules);
    assert_eq!(expected.with_verdict("used").len(), 3);
    for turn in 0..rules.len() {
        let mut turned = rules;
        turned.rotate_left(turn);
        assert_eq!(run(&turned).stdout, expected.stdout);
        turned.reverse();
        assert_eq!(run(&turned).stdout, expected.stdout);
    }
}

#[test]
fn r11_the_only_rule_of_a_group_is_tested() {
    assert!(admits(("tcp", 22, 22, "10.0.0.9/32"), "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"));
    assert!(!admits(("tcp", 22, 22, "10.0.0.9/32"), "eni-a 10.0.0.10 10.0.0.5 40000 22 6 ACCEPT"));
}

#[test]
fn r12_what_nobody_understands_does_not_stop_the_other_rules() {
    let objects = [
        group("sg-a")
            .ingress("tpc", 22, 22, "0.0.0.0/0")
            .ingress("tcp", 22, 22, "sg-gone")
            .ingress("tcp", 22, 22, "pl-0dead")
            .ingress("tcp", 22, 22, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let rows = [row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    assert_eq!(run.with_verdict("used"), ["sg-a:ingress:tcp:22-22:10.0.0.0/8"]);
    assert_eq!(run.keys().len(), 4);
    for unresolved in ["sg-gone", "pl-0dead"] {
        let verdict = run.verdict(&format!("sg-a:ingress:tcp:22-22:{unresolved}"));
        assert!(verdict.starts_with("cannot_decide [") && verdict.contains("unresolved_peer"), "{verdict}");
    }
}

#[test]
fn r13_a_deleted_interface_is_unknown_and_never_the_one_that_has_its_address() {
    let objects =
        [group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8"), interface("eni-a", "10.0.0.5", &["sg-a"])];
    let rows = [
        row("eni-gone 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"),
        row("eni-gone 10.0.0.9 10.0.0.5 40000 23 6 REJECT"),
    ];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    assert_eq!(run.outcome("unknown_interface"), 2);
    assert_eq!(run.with_verdict("used"), [] as [&str; 0]);
    assert_eq!(run.blocked(), ["eni-gone null tcp 23 unattributed 1"]);
    let rows = run.at("/coverage/interfaces").as_array().unwrap();
    let known: Vec<_> = rows.iter().map(|row| (&row["interface_id"], &row["in_snapshot"])).collect();
    assert_eq!(known, [(&json!("eni-a"), &Value::Bool(true)), (&json!("eni-gone"), &Value::Bool(false))]);
}
