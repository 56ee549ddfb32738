//! The worked examples of the vendor's guide behave as the guide says.
//!
//! Source: <https://www.alibabacloud.com/help/en/ecs/user-guide/security-groups-for-different-use-cases>.

use crate::kit::{analyzed, basic, misfits};

const ENI: [&str; 1] = ["eni-1 10.0.0.5 sg-1"];

/// Whether an attempt to open a connection is one that the groups let through.
fn passes(groups: &[crate::kit::Group], enis: &[&str], flow: &str) -> bool {
    let accepted = analyzed(groups, enis, &[&format!("{flow} ACCEPT 2")]);
    let refused = analyzed(groups, enis, &[&format!("{flow} REJECT 2")]);
    let explained = misfits(&accepted) == 0;
    let allowed = refused.at("/blocked/0/cause") == "not_security_group";
    assert_eq!(explained, allowed, "{flow}");
    explained
}

#[test]
fn a_web_server_is_open_to_the_world_on_80_and_443() {
    let web =
        [basic("sg-1", &["ingress Accept 1 TCP 80/80 0.0.0.0/0", "ingress Accept 1 TCP 443/443 0.0.0.0/0"])];
    for (port, open) in [(80, true), (443, true), (22, false), (8080, false)] {
        assert_eq!(passes(&web, &ENI, &format!("eni-1 in 8.8.4.4 10.0.0.5 50000 {port} 6")), open, "{port}");
    }
    let run = analyzed(&web, &ENI, &["eni-1 in 8.8.4.4 10.0.0.5 50000 443 6 ACCEPT 2"]);
    assert_eq!(run.finding_ids("over_broad"), Vec::<String>::new());
}

#[test]
fn ssh_and_rdp_are_flagged_where_the_world_may_and_not_where_one_address_may() {
    for (port, name) in [(22, "SSH"), (3389, "RDP")] {
        let rule = |peer: &str| format!("ingress Accept 1 TCP {port}/{port} {peer}");
        let (world, one) = (rule("0.0.0.0/0"), rule("161.117.90.22/32"));
        let from = |address: &str| format!("eni-1 in {address} 10.0.0.5 50000 {port} 6");
        let open = [basic("sg-1", &[&world])];
        assert!(passes(&open, &ENI, &from("8.8.4.4")));
        let found = analyzed(&open, &ENI, &[&format!("{} ACCEPT 2", from("8.8.4.4"))]);
        let title = found.findings("over_broad")[0]["title"].as_str().unwrap().to_owned();
        assert!(title.starts_with(name), "{title}");
        let closed = [basic("sg-1", &[&one])];
        assert!(passes(&closed, &ENI, &from("161.117.90.22")));
        assert!(!passes(&closed, &ENI, &from("161.117.90.23")));
        let found = analyzed(&closed, &ENI, &[&format!("{} ACCEPT 2", from("161.117.90.22"))]);
        assert_eq!(found.finding_ids("over_broad"), Vec::<String>::new());
    }
}

#[test]
fn groups_that_refer_to_each_other() {
    let groups = [
        basic("sg-1", &["ingress Accept 1 ALL -1/-1 sg-2"]),
        basic("sg-2", &["ingress Accept 1 ALL -1/-1 sg-1"]),
    ];
    let enis = ["eni-1 10.0.0.5 sg-1", "eni-2 10.0.0.6 sg-2"];
    assert!(passes(&groups, &enis, "eni-1 in 10.0.0.6 10.0.0.5 50000 3000 6"));
    assert!(passes(&groups, &enis, "eni-2 in 10.0.0.5 10.0.0.6 50000 3000 6"));
    assert!(!passes(&groups, &enis, "eni-2 in 10.0.0.9 10.0.0.6 50000 3000 6"));
    // Of one in another account nothing is known: nothing is claimed.
    let across = [basic("sg-1", &["ingress Accept 1 ALL -1/-1 sg-9"]).with("SourceGroupOwnerAccount", "999")];
    let flow = "eni-1 in 10.0.0.6 10.0.0.5 50000 3000 6";
    let run = analyzed(&across, &ENI, &[&format!("{flow} ACCEPT 2"), &format!("{flow} REJECT 2")]);
    assert_eq!(run.blocked(), ["eni-1 ingress tcp 3000 undetermined 1"]);
    let verdict = run.verdict("sg-1:ingress:-1:-1--1:sg-9:1:allow");
    assert!(verdict.starts_with("cannot_decide [unresolved_peer"), "{verdict}");
    assert_eq!(run.findings("stale_reference").len(), 1);
    // With a snapshot of the other account too, it is a group like another.
    let both = [across[0].clone(), basic("sg-9", &[])];
    assert!(passes(&both, &["eni-1 10.0.0.5 sg-1", "eni-9 10.0.0.6 sg-9"], flow));
}

#[test]
fn database_ports_from_a_range_a_group_and_another_accounts_group() {
    for port in [3306, 1521, 1433, 5432, 6379] {
        for (peer, client, open) in [
            ("192.168.1.0/24", "192.168.1.7", true),
            ("192.168.1.0/24", "192.168.2.7", false),
            ("sg-2", "10.0.0.6", true),
            ("sg-2", "10.0.0.7", false),
        ] {
            let groups =
                [basic("sg-1", &[&format!("ingress Accept 1 TCP {port}/{port} {peer}")]), basic("sg-2", &[])];
            let enis = ["eni-1 10.0.0.5 sg-1", "eni-2 10.0.0.6 sg-2"];
            assert_eq!(
                passes(&groups, &enis, &format!("eni-1 in {client} 10.0.0.5 50000 {port} 6")),
                open,
                "{port} {peer}"
            );
        }
    }
}

#[test]
fn ping_from_everywhere_over_both_families() {
    let group =
        [basic("sg-1", &["ingress Accept 1 ICMP -1/-1 0.0.0.0/0", "ingress Accept 1 ICMP -1/-1 ::/0"])];
    let run = analyzed(&group, &ENI, &["eni-1 in 8.8.4.4 10.0.0.5 0 0 1 ACCEPT"]);
    assert_eq!(misfits(&run), 0);
    let run =
        analyzed(&group, &["eni-1 2001:db8::5 sg-1"], &["eni-1 in 2001:db8:9::1 2001:db8::5 0 0 58 ACCEPT"]);
    assert_eq!(run.usage("sg-1:ingress:icmp:-1--1:::/0:1:allow", "possible_records"), 1);
    assert_eq!(misfits(&run), 0);
}

#[test]
fn egress_closed_but_for_two_addresses() {
    let group = [basic(
        "sg-1",
        &[
            "egress Drop 2 ALL -1/-1 0.0.0.0/0",
            "egress Accept 1 TCP 443/443 203.0.113.10/32",
            "egress Accept 1 TCP 443/443 203.0.113.11/32",
        ],
    )];
    for (to, port, open) in [
        ("203.0.113.10", 443, true),
        ("203.0.113.11", 443, true),
        ("203.0.113.12", 443, false),
        ("203.0.113.10", 80, false),
    ] {
        assert_eq!(
            passes(&group, &ENI, &format!("eni-1 out 10.0.0.5 {to} 50000 {port} 6")),
            open,
            "{to}:{port}"
        );
    }
    let run = analyzed(&group, &ENI, &["eni-1 out 10.0.0.5 203.0.113.12 50000 443 6 REJECT 2"]);
    assert_eq!(run.usage("sg-1:egress:-1:-1--1:0.0.0.0/0:2:deny", "records"), 1);
}
