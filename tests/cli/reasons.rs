//! Reasons that need more than a day of traffic: peers, services, changes of the rules.

use serde_json::{Value, json};

use crate::fixture::{
    ACCOUNT, Fixture, HEADER, HOUR, Object, Run, T0, flow_log, group, interface, prefix_list, row, row_at,
    subnet, text_with, vpc,
};
use crate::verdicts::{Day, UNUSED, hourly, nodata};

/// The verdict of one more rule of `sg-a`.
#[track_caller]
fn verdict_of(day: Day, rule: (&str, i64, i64, &str)) -> String {
    let (protocol, from, to, peer) = rule;
    let run = day.changed(0, |group| group.ingress(protocol, from, to, peer)).run();
    run.verdict(&format!("sg-a:ingress:{protocol}:{from}-{to}:{peer}"))
}

#[test]
fn a_peer_that_no_snapshot_resolves_decides_nothing() {
    let cases = [
        ("an unknown group", Day::new(), "sg-gone", "cannot_decide [unresolved_peer]"),
        ("a group on no interface", Day::new().and(group("sg-b")), "sg-b", "cannot_decide [unresolved_peer]"),
        (
            "a group with a member",
            Day::new().and(group("sg-b")).and(interface("eni-b", "10.0.0.6", &["sg-b"])),
            "sg-b",
            "not_seen high",
        ),
        (
            "a group known from its member only",
            Day::new().and(interface("eni-b", "10.0.0.6", &["sg-b"])),
            "sg-b",
            "not_seen high",
        ),
        ("an unknown list", Day::new(), "pl-0a1", "cannot_decide [unresolved_peer]"),
        (
            "a known list",
            Day::new().and(prefix_list("pl-0a1", &["172.16.0.0/12"])),
            "pl-0a1",
            "not_seen high",
        ),
        ("an empty list", Day::new().and(prefix_list("pl-0a1", &[])), "pl-0a1", "not_seen high"),
    ];
    for (name, day, peer, expected) in cases {
        assert_eq!(verdict_of(day, ("tcp", 8080, 8080, peer)), expected, "{name}");
    }
}

/// eni-b carries sg-b, eni-c nothing of it; ACCEPTs on 8080 that no rule explains come from `peer`.
fn near(peer: &str, kind: &str) -> Day {
    Day::new()
        .and(group("sg-b"))
        .and(group("sg-c"))
        .and(interface("eni-b", "10.0.0.6", &["sg-b"]).with("InterfaceType", kind))
        .and(interface("eni-c", "10.0.0.7", &["sg-c"]))
        .and(prefix_list("pl-0a1", &["172.16.0.0/12"]))
        .rows([row(&format!("eni-a {peer} 10.0.0.5 40000 8080 6 ACCEPT"))])
}

#[test]
fn a_peer_of_unknown_place_on_the_right_port_leaves_references_unproven() {
    let cases = [
        ("192.0.2.9", "interface", "sg-b", "cannot_decide [peer_unproven]"),
        ("10.0.0.7", "interface", "sg-b", "not_seen high"),
        ("10.0.0.7", "network_load_balancer", "sg-b", "cannot_decide [peer_unproven]"),
        ("10.0.0.7", "global_accelerator_managed", "sg-b", "cannot_decide [peer_unproven]"),
        ("10.0.0.7", "interface", "pl-0a1", "cannot_decide [peer_unproven]"),
        ("192.0.2.9", "interface", "10.1.0.0/16", "not_seen high"),
        ("192.0.2.9", "interface", "sg-gone", "cannot_decide [unresolved_peer, peer_unproven]"),
    ];
    for (peer, kind, reference, expected) in cases {
        let verdict = verdict_of(near(peer, kind), ("tcp", 8080, 8080, reference));
        assert_eq!(verdict, expected, "{peer} to a rule for {reference} ({kind})");
    }
    let day = near("192.0.2.9", "interface").changed(0, |group| group.ingress("tcp", 8080, 8080, "sg-b"));
    assert_eq!(day.run().usage("sg-a:ingress:tcp:8080-8080:sg-b", "near_records"), 1);
    // Another port is not near.
    let verdict = verdict_of(near("192.0.2.9", "interface"), ("tcp", 8081, 8081, "sg-b"));
    assert_eq!(verdict, "not_seen high");
}

#[test]
fn what_flow_logs_never_hold_decides_nothing() {
    let never = "cannot_decide [not_loggable]";
    let partly = "not_seen medium [not_loggable]";
    let cases = [
        (("tcp", 80, 80, "169.254.169.254/32"), never),
        (("udp", 123, 123, "169.254.169.123/32"), never),
        (("tcp", 80, 80, "169.254.0.0/16"), never),
        (("tcp", 80, 80, "fd00:ec2::254/128"), never),
        (("udp", 53, 53, "10.0.0.2/32"), never),
        (("tcp", 53, 53, "10.0.0.2/32"), never),
        (("udp", 67, 68, "0.0.0.0/0"), never),
        (("udp", 53, 53, "10.0.0.0/16"), partly),
        (("udp", 67, 69, "10.0.0.0/16"), partly),
        (("udp", 53, 53, "0.0.0.0/0"), partly),
        (("tcp", 80, 80, "169.254.0.0/15"), partly),
        (("tcp", 80, 80, "0.0.0.0/0"), partly),
        (("tcp", 80, 80, "::/0"), partly),
        (("udp", 123, 123, "0.0.0.0/0"), partly),
        (("tcp", 443, 443, "0.0.0.0/0"), "not_seen high"),
        (("udp", 53, 53, "8.8.8.0/24"), "not_seen high"),
        (("udp", 53, 53, "10.0.0.3/32"), "not_seen high"),
        (("udp", 69, 69, "10.0.0.0/16"), "not_seen high"),
        (("tcp", 67, 68, "10.0.0.0/16"), "not_seen high"),
    ];
    for (rule, expected) in cases {
        let (protocol, from, to, peer) = rule;
        let day =
            Day::new().and(vpc("10.0.0.0/16")).changed(0, |group| group.egress(protocol, from, to, peer));
        let verdict = day.run().verdict(&format!("sg-a:egress:{protocol}:{from}-{to}:{peer}"));
        assert_eq!(verdict, expected, "{rule:?}");
    }
}

#[test]
fn queries_to_a_resolver_that_is_not_known_may_be_among_others() {
    let cases = [
        ("udp", "0.0.0.0/0", "not_seen medium [not_loggable]"),
        ("tcp", "0.0.0.0/0", "not_seen medium [not_loggable]"),
        ("udp", "10.0.0.0/16", "not_seen medium [not_loggable]"),
        ("udp", "8.8.8.0/24", "not_seen high"),
    ];
    for (protocol, peer, expected) in cases {
        let day = Day::new().changed(0, |group| group.egress(protocol, 53, 53, peer));
        assert_eq!(
            day.run().verdict(&format!("sg-a:egress:{protocol}:53-53:{peer}")),
            expected,
            "{protocol} {peer}"
        );
    }
}

#[test]
fn a_load_balancer_in_front_of_an_endpoint_is_never_recorded() {
    let key = "sg-e:ingress:tcp:443-443:sg-l";
    for (endpoint, expected) in
        [("vpc_endpoint", "cannot_decide [not_loggable]"), ("interface", "not_seen high")]
    {
        let run = Day::new()
            .and(group("sg-e").ingress("tcp", 443, 443, "sg-l"))
            .and(group("sg-l"))
            .and(interface("eni-e", "10.0.0.8", &["sg-e"]).with("InterfaceType", endpoint))
            .and(interface("eni-l", "10.0.0.9", &["sg-l"]).with("InterfaceType", "network_load_balancer"))
            .and(flow_log("eni-e", "ALL"))
            .rows(nodata("eni-e", 0..25))
            .run();
        assert_eq!(run.verdict(key), expected, "{endpoint}");
    }
}

/// Several states of the rules over one day of traffic: (since which hour, objects).
fn states(states: &[(i64, &[Object])]) -> Run {
    let fixture = Fixture::new();
    let mut arguments = vec!["log".to_owned(), "--review-period".to_owned(), "1d".to_owned()];
    for (hour, objects) in states {
        let name = format!("snap{}", hour.unsigned_abs());
        fixture.snapshot(&name, objects);
        // Hours since the day before the window.
        let (day, hour) = if *hour < 0 { ("2025-12-31", 0) } else { ("2026-01-01", *hour) };
        arguments.extend(["--snapshot".to_owned(), format!("{day}T{hour:02}:00:00Z={name}")]);
    }
    fixture.log("log", &hourly("eni-a", 0..25, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"));
    fixture.analyze(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).exit(0)
}

#[test]
fn rules_and_attachments_that_came_inside_the_window_are_young() {
    let without = group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8");
    let with = without.clone().ingress("tcp", 22, 22, "10.0.0.0/8");
    let eni = interface("eni-a", "10.0.0.5", &["sg-a"]);
    let other = interface("eni-a", "10.0.0.5", &["sg-b"]);
    let open = group("sg-b").ingress("tcp", 443, 443, "10.0.0.0/8");
    let new_rule = states(&[(-1, &[without.clone(), eni.clone()]), (6, &[with.clone(), eni.clone()])]);
    let verdict = new_rule.verdict(UNUSED);
    assert!(verdict.starts_with("cannot_decide [young_rule"), "{verdict}");
    assert_eq!(new_rule.rule(UNUSED)["in_force"]["from"], "2026-01-01T06:00:00Z");
    let before = [with.clone(), open.clone(), other];
    let new_attachment = states(&[(-1, &before), (6, &[with.clone(), open, eni.clone()])]);
    let verdict = new_attachment.verdict(UNUSED);
    assert!(verdict.starts_with("cannot_decide [young_rule"), "{verdict}");
    // There from the start, whatever came later.
    let old = states(&[(-1, &[with.clone(), eni.clone()]), (6, &[with.clone(), eni.clone()])]);
    assert_eq!(old.verdict(UNUSED), "not_seen high");
    assert_eq!(old.rule(UNUSED)["in_force"], json!({ "from": "2025-12-31T00:00:00Z", "to": null }));
    // Gone inside the window: its row stays, and no advice is given about what is no more.
    let gone = states(&[(-1, &[with, eni.clone()]), (6, &[without, eni])]);
    assert_eq!(gone.verdict(UNUSED), "not_seen medium [changed_in_window]");
    assert_eq!(gone.rule(UNUSED)["in_force"]["to"], "2026-01-01T06:00:00Z");
    assert_eq!(gone.finding_ids("unused_rule"), [] as [&str; 0]);
}

#[test]
fn a_world_open_rule_that_carries_untracked_replies_is_not_surely_unused() {
    let (out, inward) = ("sg-b:egress:tcp:0-65535:0.0.0.0/0", "sg-b:ingress:tcp:80-80:0.0.0.0/0");
    let run = |from: &str| {
        Day::new()
            .and(group("sg-b").ingress("tcp", 80, 80, from).egress("tcp", 0, 65535, "0.0.0.0/0"))
            .and(interface("eni-b", "10.0.0.6", &["sg-b"]))
            .and(flow_log("eni-b", "ALL"))
            .rows(nodata("eni-b", 0..25))
            .run()
    };
    let both = run("0.0.0.0/0");
    assert_eq!(both.verdict(out), "not_seen medium [carries_untracked_replies]");
    assert_eq!(both.verdict(inward), "not_seen high");
    assert_eq!(run("10.0.0.0/8").verdict(out), "not_seen high");
}

#[test]
fn what_a_service_requires_is_never_advised_for_removal() {
    let key = "sg-a:ingress:tcp:0-65535:sg-a";
    let day = |description: &str| {
        Day::new()
            .changed(0, |group| group.ingress("tcp", 0, 65535, "sg-a"))
            .changed(1, |eni| eni.with("Description", description))
    };
    let run = day("Attached to Glue using role: etl").run();
    assert_eq!(run.verdict(key), "not_seen medium [required_by_service]");
    let advice = |run: &Run| {
        run.findings("unused_rule")
            .into_iter()
            .filter(|finding| finding["rule_key"] == key)
            .map(|finding| finding["recommendation"].as_str().unwrap().to_lowercase())
            .collect::<String>()
    };
    assert!(!advice(&run).contains("revoke"), "{}", advice(&run));
    let run = day("web server").run();
    assert_eq!(run.verdict(key), "not_seen high");
    assert!(advice(&run).contains("revoke"), "{}", advice(&run));
}

#[test]
fn a_stray_counts_in_its_vpc_and_without_one_in_its_account() {
    let other = "222222222222";
    let header = format!("{HEADER} vpc-id");
    // Account, VPC and local address of the stray; subnets in the snapshot.
    let cases = [
        (ACCOUNT, "vpc-1", "10.9.0.9", true),
        (other, "vpc-1", "10.9.0.9", true),
        (ACCOUNT, "vpc-2", "10.9.0.9", false),
        (other, "-", "10.0.0.77", true),
        (other, "-", "10.9.0.9", false),
        (ACCOUNT, "-", "10.9.0.9", true),
    ];
    for (account, vpc_id, address, doubtful) in cases {
        let mut rows: Vec<String> = hourly("eni-a", 0..25, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT");
        rows.push(
            row_at(T0 + HOUR, &format!("eni-x 192.0.2.9 {address} 40000 22 6 ACCEPT"))
                .replace(ACCOUNT, account),
        );
        let rows: Vec<String> = rows
            .iter()
            .map(|row| format!("{row} {}", if row.contains("eni-x") { vpc_id } else { "vpc-1" }))
            .collect();
        let fixture = Fixture::new();
        fixture.snapshot("snap", &Day::new().and(subnet("subnet-1", "10.0.0.0/24")).objects);
        fixture.write("log", text_with(&header, &rows));
        let run = fixture.analyze(&["log", "--snapshot", "snap", "--review-period", "1d"]).exit(0);
        let expected = if doubtful { "not_seen medium [unknown_interfaces]" } else { "not_seen high" };
        assert_eq!(run.verdict(UNUSED), expected, "{account} {vpc_id} {address}");
        assert_eq!(run.outcome("unknown_interface"), 1);
        assert_ne!(run.finding("coverage_gap/unknown_interfaces")["evidence"], Value::Null);
    }
}
