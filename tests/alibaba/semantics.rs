//! Priorities, Drop rules, invisible defaults, and what else decides.

use serde_json::json;

use crate::fixture::{HOUR, Run, T0};
use crate::kit::{advanced, analyzed, answers, basic, fixture, line_at, misfits};

const ENI: [&str; 1] = ["eni-1 10.0.0.5 sg-1"];
const SSH: &str = "eni-1 in 203.0.113.9 10.0.0.5 50123 22 6 ACCEPT 2";
const SSH_REFUSED: &str = "eni-1 in 203.0.113.9 10.0.0.5 50123 22 6 REJECT 2";

/// Records of each rule: `KEY=RECORDS`, those that have any.
fn used(run: &Run) -> Vec<String> {
    let figure = |key: &str| run.usage(key, "records") + run.usage(key, "reply_records");
    run.keys().into_iter().filter(|key| figure(key) > 0).map(|key| format!("{key}={}", figure(key))).collect()
}

#[test]
fn the_smaller_priority_decides() {
    let rules = ["ingress Drop 2 TCP 22/22 0.0.0.0/0", "ingress Accept 1 TCP 22/22 203.0.113.0/24"];
    let run = analyzed(&[basic("sg-1", &rules)], &ENI, &[SSH, SSH]);
    assert_eq!(used(&run), ["sg-1:ingress:tcp:22-22:203.0.113.0/24:1:allow=2"]);
    let rules = ["ingress Drop 1 TCP 22/22 0.0.0.0/0", "ingress Accept 2 TCP 22/22 203.0.113.0/24"];
    let run = analyzed(&[basic("sg-1", &rules)], &ENI, &[SSH_REFUSED, SSH_REFUSED, SSH]);
    assert_eq!(used(&run), ["sg-1:ingress:tcp:22-22:0.0.0.0/0:1:deny=2"]);
    assert_eq!(run.blocked(), ["eni-1 ingress tcp 22 security_group 2"]);
    // What is accepted all the same, no rule explains.
    assert_eq!(misfits(&run), 1);
}

#[test]
fn at_equal_priority_drop_decides() {
    let rules = ["ingress Accept 5 TCP 22/22 0.0.0.0/0", "ingress Drop 5 TCP 1/100 0.0.0.0/0"];
    let run = analyzed(&[basic("sg-1", &rules)], &ENI, &[SSH_REFUSED]);
    assert_eq!(used(&run), ["sg-1:ingress:tcp:1-100:0.0.0.0/0:5:deny=1"]);
}

#[test]
fn accepts_of_equal_priority_are_credited_together_and_others_are_not() {
    let rules = [
        "ingress Accept 5 TCP 22/22 0.0.0.0/0",
        "ingress Accept 5 TCP 1/65535 203.0.113.0/24",
        "ingress Accept 6 TCP 22/22 203.0.113.9/32",
    ];
    let run = analyzed(&[basic("sg-1", &rules)], &ENI, &[SSH]);
    let keys =
        ["sg-1:ingress:tcp:1-65535:203.0.113.0/24:5:allow=1", "sg-1:ingress:tcp:22-22:0.0.0.0/0:5:allow=1"];
    assert_eq!(used(&run), keys);
    assert_eq!(run.usage("sg-1:ingress:tcp:22-22:0.0.0.0/0:5:allow", "sole_records"), 0);
}

#[test]
fn rules_of_all_groups_of_an_interface_are_taken_together() {
    let groups = [
        basic("sg-1", &["ingress Accept 2 TCP 22/22 0.0.0.0/0"]),
        basic("sg-2", &["ingress Drop 1 TCP 22/22 0.0.0.0/0"]),
    ];
    let enis = ["eni-1 10.0.0.5 sg-1 sg-2", "eni-2 10.0.0.6 sg-1"];
    let flows = [SSH_REFUSED, "eni-2 in 203.0.113.9 10.0.0.6 50123 22 6 ACCEPT 2"];
    let run = analyzed(&groups, &enis, &flows);
    let keys = ["sg-1:ingress:tcp:22-22:0.0.0.0/0:2:allow=1", "sg-2:ingress:tcp:22-22:0.0.0.0/0:1:deny=1"];
    assert_eq!(used(&run), keys);
}

#[test]
fn a_basic_group_lets_everything_out_and_members_in() {
    let enis = ["eni-1 10.0.0.5 sg-1", "eni-2 10.0.0.6 sg-1"];
    let flows = [
        "eni-1 out 10.0.0.5 198.51.100.7 40000 443 6 ACCEPT 2",
        "eni-1 in 10.0.0.6 10.0.0.5 40000 8080 6 ACCEPT 2",
    ];
    let run = analyzed(&[basic("sg-1", &[])], &enis, &flows);
    assert_eq!((misfits(&run), run.basis("tcp_flags")), (0, 2));
    // They have no row.
    assert_eq!(run.keys(), Vec::<&str>::new());
    // A stranger is refused, with no rule to credit.
    let run = analyzed(&[basic("sg-1", &[])], &enis, &[SSH_REFUSED]);
    assert_eq!(run.blocked(), ["eni-1 ingress tcp 22 security_group 1"]);
}

#[test]
fn an_isolated_group_does_not_let_members_in() {
    let enis = ["eni-1 10.0.0.5 sg-1", "eni-2 10.0.0.6 sg-1"];
    let flows = ["eni-1 in 10.0.0.6 10.0.0.5 40000 8080 6 ACCEPT 2"];
    let isolated = basic("sg-1", &[]).inner("Drop");
    assert_eq!(misfits(&analyzed(std::slice::from_ref(&isolated), &enis, &flows)), 1);
    // Any Accept comes before the isolation.
    let accepted = basic("sg-1", &["ingress Accept 100 TCP 8080/8080 10.0.0.0/8"]).inner("Drop");
    assert_eq!(
        used(&analyzed(&[accepted], &enis, &flows)),
        ["sg-1:ingress:tcp:8080-8080:10.0.0.0/8:100:allow=1"]
    );
    // Who shares another group that is not isolated is let in by that.
    let shared = ["eni-1 10.0.0.5 sg-1 sg-2", "eni-2 10.0.0.6 sg-1 sg-2"];
    let run = analyzed(&[isolated, basic("sg-2", &[]).inner("Accept")], &shared, &flows);
    assert_eq!(misfits(&run), 0);
}

#[test]
fn inner_access_accept_comes_before_every_rule() {
    let enis = ["eni-1 10.0.0.5 sg-1", "eni-2 10.0.0.6 sg-1"];
    let flows = ["eni-1 in 10.0.0.6 10.0.0.5 40000 8080 6 ACCEPT 2"];
    let rules = ["ingress Drop 1 ALL -1/-1 0.0.0.0/0"];
    let run = analyzed(&[basic("sg-1", &rules).inner("Accept")], &enis, &flows);
    assert_eq!((misfits(&run), used(&run)), (0, vec![]));
    // Without it the Drop decides.
    let run = analyzed(&[basic("sg-1", &rules)], &enis, &flows);
    assert_eq!(misfits(&run), 1);
}

#[test]
fn an_advanced_group_denies_both_ways() {
    let enis = ["eni-1 10.0.0.5 sg-1", "eni-2 10.0.0.6 sg-1"];
    let flows = [
        "eni-1 out 10.0.0.5 198.51.100.7 40000 443 6 ACCEPT 2",
        "eni-1 in 10.0.0.6 10.0.0.5 40000 8080 6 ACCEPT 2",
    ];
    assert_eq!(misfits(&analyzed(&[advanced("sg-1", &[])], &enis, &flows)), 2);
    let run = analyzed(&[advanced("sg-1", &["egress Accept 1 TCP 443/443 0.0.0.0/0"])], &enis, &flows);
    assert_eq!(used(&run), ["sg-1:egress:tcp:443-443:0.0.0.0/0:1:allow=1"]);
    assert_eq!(misfits(&run), 1);
}

#[test]
fn a_group_of_unknown_type_is_judged_as_basic_and_says_so() {
    let group = basic("sg-1", &["ingress Accept 1 TCP 8443/8443 10.0.0.0/8"]).untold();
    let run = analyzed(&[group], &ENI, &["eni-1 out 10.0.0.5 198.51.100.7 40000 443 6 ACCEPT 2"]);
    assert_eq!(misfits(&run), 0);
    let verdict = run.verdict("sg-1:ingress:tcp:8443-8443:10.0.0.0/8:1:allow");
    assert!(verdict.starts_with("not_seen low") && verdict.contains("group_type_unknown"), "{verdict}");
    assert_eq!(run.finding("coverage_gap/group_types_unknown")["evidence"]["first_groups"], json!(["sg-1"]));
}

#[test]
fn source_ports_and_near_addresses_are_part_of_a_match() {
    let group = |source: &str, near: &str| {
        basic("sg-1", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"])
            .with("SourcePortRange", source)
            .with("DestCidrIp", near)
    };
    for (source, near, explained) in [
        ("", "", true),
        ("-1/-1", "0.0.0.0/0", true),
        ("1/65535", "", true),
        ("50000/50200", "", true),
        ("1024/50000", "", false),
        ("", "10.0.0.5", true),
        ("", "10.0.0.6/32", false),
        ("50123/50123", "10.0.0.0/24", true),
    ] {
        let run = analyzed(&[group(source, near)], &ENI, &[SSH]);
        assert_eq!(misfits(&run) == 0, explained, "{source} {near}");
    }
    // Another rule behind them decides what they do not.
    let both = basic("sg-1", &["ingress Accept 9 TCP 22/22 0.0.0.0/0", "ingress Drop 1 TCP 22/22 0.0.0.0/0"])
        .with("SourcePortRange", "1/1023");
    assert_eq!(used(&analyzed(&[both], &ENI, &[SSH])), ["sg-1:ingress:tcp:22-22:0.0.0.0/0:9:allow=1"]);
}

#[test]
fn only_syn_without_ack_tells_a_role() {
    // All flags of a connection in one record: the client's own has SYN and ACK.
    let rules = ["ingress Accept 1 TCP 1/65535 0.0.0.0/0", "egress Accept 1 TCP 1/65535 0.0.0.0/0"];
    let run =
        analyzed(&[basic("sg-1", &rules)], &ENI, &["eni-1 in 203.0.113.9 10.0.0.5 50123 443 6 ACCEPT 27"]);
    assert_eq!(run.usage("sg-1:ingress:tcp:1-65535:0.0.0.0/0:1:allow", "records"), 1);
    assert_eq!(run.basis("low_port"), 1);
    // A refused SYN-ACK is an attempt like another there.
    let run =
        analyzed(&[basic("sg-1", &[])], &ENI, &["eni-1 in 203.0.113.9 10.0.0.5 50123 2222 6 REJECT 18"]);
    assert_eq!(run.blocked(), ["eni-1 ingress tcp 2222 security_group 1"]);
}

#[test]
fn classic_rules_judge_the_internet_and_private_networks_apart() {
    let rules = ["ingress Accept 1 TCP 22/22 0.0.0.0/0"];
    let flows =
        ["eni-1 in 8.8.4.4 10.0.0.5 50123 22 6 ACCEPT 2", "eni-1 in 10.9.9.9 10.0.0.5 50123 22 6 ACCEPT 2"];
    let key = |nic: &str| format!("sg-1:ingress:tcp:22-22:0.0.0.0/0:1:allow:nic={nic}=1");
    for nic in ["internet", "intranet"] {
        let run = analyzed(&[basic("sg-1", &rules).classic().with("NicType", nic)], &ENI, &flows);
        assert_eq!((used(&run), misfits(&run)), (vec![key(nic)], 1));
    }
    // In a VPC the key says nothing.
    let run = analyzed(&[basic("sg-1", &rules).with("NicType", "intranet")], &ENI, &flows);
    assert_eq!(misfits(&run), 0);
}

#[test]
fn a_record_on_each_side_of_a_change_is_judged_by_the_right_rules() {
    let fixture = fixture(&[], &[]);
    let before = basic("sg-1", &["ingress Accept 2 TCP 22/22 0.0.0.0/0"]);
    let after =
        basic("sg-1", &["ingress Accept 2 TCP 22/22 0.0.0.0/0", "ingress Drop 1 TCP 22/22 0.0.0.0/0"]);
    for (at, group) in [("2026-01-01T00:00:00Z", before), ("2026-01-01T02:00:00Z", after)] {
        for (name, answer) in answers(&[group], &ENI) {
            fixture.write(&format!("days/{at}/{name}"), answer.to_string());
        }
    }
    let lines = [line_at(T0 + HOUR, SSH), line_at(T0 + 3 * HOUR, SSH_REFUSED)];
    fixture.write("log", lines.join("\n"));
    let run = fixture.analyze(&["log", "--snapshot", "days"]).exit(0);
    let keys = ["sg-1:ingress:tcp:22-22:0.0.0.0/0:1:deny=1", "sg-1:ingress:tcp:22-22:0.0.0.0/0:2:allow=1"];
    assert_eq!((used(&run), misfits(&run)), (keys.map(str::to_owned).to_vec(), 0));
}

#[test]
fn a_drop_whose_peer_is_not_known_may_have_refused() {
    let rules = ["ingress Drop 1 TCP 22/22 sg-lost", "ingress Accept 2 TCP 22/22 0.0.0.0/0"];
    let run = analyzed(&[basic("sg-1", &rules)], &ENI, &[SSH_REFUSED]);
    assert_eq!(run.blocked(), ["eni-1 ingress tcp 22 undetermined 1"]);
}

#[test]
fn a_drop_is_credited_whatever_else_the_records_leave_open() {
    let rules = [
        "ingress Drop 1 ICMP -1/-1 0.0.0.0/0",
        "ingress Drop 1 UDP 1900/1900 0.0.0.0/0",
        "ingress Drop 1 TCP 22/22 0.0.0.0/0",
    ];
    let flows = [
        "eni-1 in 8.8.4.4 10.0.0.5 0 0 1 REJECT",
        "eni-1 in 8.8.4.4 10.0.0.5 53 1900 17 REJECT",
        "eni-1 in 8.8.4.4 10.0.0.5 50000 22 6 REJECT 16",
        "eni-1 in 8.8.4.4 10.0.0.5 50000 22 6 REJECT 2",
    ];
    let run = analyzed(&[basic("sg-1", &rules)], &ENI, &flows);
    let keys = [
        "sg-1:ingress:tcp:22-22:0.0.0.0/0:1:deny=2",
        "sg-1:ingress:udp:1900-1900:0.0.0.0/0:1:deny=1",
        "sg-1:ingress:icmp:-1--1:0.0.0.0/0:1:deny=1",
    ];
    let mut found = used(&run);
    found.sort_by_key(|key| keys.iter().position(|known| known == key));
    assert_eq!(found, keys);
    // The causes are those of the definition.
    let causes = [
        "icmp 0 undetermined 1",
        "tcp 22 late_packet 1",
        "tcp 22 security_group 1",
        "udp 1900 late_reply_or_scan 1",
    ];
    assert_eq!(run.blocked(), causes.map(|cause| format!("eni-1 ingress {cause}")));
    // Where one in front of it may have decided, it was that or this.
    let rules = ["ingress Drop 1 TCP 22/22 sg-lost", "ingress Drop 2 TCP 22/22 0.0.0.0/0"];
    let run = analyzed(&[basic("sg-1", &rules)], &ENI, &[SSH_REFUSED]);
    let key = "sg-1:ingress:tcp:22-22:0.0.0.0/0:2:deny";
    assert_eq!((run.usage(key, "records"), run.usage(key, "possible_records")), (0, 1));
}

#[test]
fn a_session_does_not_outlive_a_change_of_rules_for_long() {
    let fixture = fixture(&[], &[]);
    let before = advanced("sg-1", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"]);
    for (at, group) in [("2026-01-01T00:00:00Z", before), ("2026-01-01T02:00:00Z", advanced("sg-1", &[]))] {
        for (name, answer) in answers(&[group], &ENI) {
            fixture.write(&format!("days/{at}/{name}"), answer.to_string());
        }
    }
    for (after, explained) in [(0, 1), (909, 1), (910, 0), (8 * HOUR, 0)] {
        fixture.write("log", line_at(T0 + 2 * HOUR + after, SSH));
        let run = fixture.analyze(&["log", "--snapshot", "days"]).exit(0);
        assert_eq!(
            (run.outcome("explained_by_neighbour"), run.outcome("unexplained")),
            (explained, 1 - explained),
            "{after}"
        );
    }
    // Before the change was seen, the next snapshot may tell.
    let fixture = crate::kit::fixture(&[], &[]);
    let later = advanced("sg-1", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"]);
    for (at, group) in [("2026-01-01T00:00:00Z", advanced("sg-1", &[])), ("2026-01-01T02:00:00Z", later)] {
        for (name, answer) in answers(&[group], &ENI) {
            fixture.write(&format!("days/{at}/{name}"), answer.to_string());
        }
    }
    fixture.write("log", line_at(T0 + HOUR, SSH));
    assert_eq!(fixture.analyze(&["log", "--snapshot", "days"]).exit(0).outcome("explained_by_neighbour"), 1);
}

#[test]
fn advanced_groups_take_no_group_as_a_source() {
    let groups = [advanced("sg-1", &["ingress Accept 1 TCP 22/22 sg-2"]), advanced("sg-2", &[])];
    let enis = ["eni-1 10.0.0.5 sg-1", "eni-2 10.0.0.6 sg-2"];
    let flow = "eni-1 in 10.0.0.6 10.0.0.5 50000 22 6";
    let run = analyzed(&groups, &enis, &[&format!("{flow} ACCEPT 2"), &format!("{flow} REJECT 2")]);
    assert_eq!((used(&run), run.outcome("unexplained")), (vec![], 1));
    assert_eq!(run.blocked(), ["eni-1 ingress tcp 22 security_group 1"]);
}
