//! Bugs that other tools had, by the numbers of our list of them: 14 to 30, about records and what becomes of them.
//!
//! Number 27 is about Alibaba Cloud; of it, only what AWS has too (numbered denies of network ACLs) is here.

use serde_json::{Value, json};

use crate::fixture::{
    ACCOUNT, Fixture, HEADER, HOUR, Object, T0, acl, group, interface, row, row_at, silence_at, subnet,
    text_with,
};

#[test]
fn r14_a_reject_is_no_use() {
    let objects =
        [group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8"), interface("eni-a", "10.0.0.5", &["sg-a"])];
    let run = Fixture::analyzed(&objects, &[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 REJECT")], &[]);
    assert_eq!(run.with_verdict("used"), [] as [&str; 0]);
    assert_eq!(run.usage("sg-a:ingress:tcp:22-22:10.0.0.0/8", "records"), 0);
    assert_eq!(run.blocked(), ["eni-a ingress tcp 22 not_security_group 1"]);
}

/// A server on 22 that is a client of 443, with a wide ingress rule over its client ports.
fn client_and_server() -> [Object; 2] {
    [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").ingress("tcp", 1024, 65535, "0.0.0.0/0").egress(
            "tcp",
            443,
            443,
            "0.0.0.0/0",
        ),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ]
}

#[test]
fn r15_replies_are_the_same_connection_and_no_second_hit() {
    let rows = [
        row("eni-a 10.0.0.5 192.0.2.9 50000 443 6 ACCEPT"),
        row("eni-a 192.0.2.9 10.0.0.5 443 50000 6 ACCEPT"),
        row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"),
        row("eni-a 10.0.0.5 10.0.0.9 22 40000 6 ACCEPT"),
    ];
    let flags: Vec<String> =
        rows.iter().zip([2, 18, 2, 18]).map(|(row, flags)| format!("{row} {flags}")).collect();
    let fixture = Fixture::new();
    fixture.snapshot("snap", &client_and_server());
    fixture.log("plain", &rows);
    fixture.write("flags", text_with(&format!("{HEADER} tcp-flags"), &flags));
    for (log, answered) in [("plain", Value::Null), ("flags", json!(1))] {
        let run = fixture.analyze(&[log, "--snapshot", "snap"]).exit(0);
        for key in ["sg-a:egress:tcp:443-443:0.0.0.0/0", "sg-a:ingress:tcp:22-22:10.0.0.0/8"] {
            assert_eq!((run.usage(key, "records"), run.usage(key, "reply_records")), (1, 1), "{log} {key}");
            assert_eq!(run.rule(key)["usage"]["answered_records"], answered, "{log} {key}");
        }
        let wide = run.rule("sg-a:ingress:tcp:1024-65535:0.0.0.0/0");
        assert_ne!(wide["usage"]["verdict"], "used", "{log}");
        assert_eq!(wide["usage"]["possible_records"], 0, "{log}");
    }
}

#[test]
fn r16_high_server_ports_are_not_ephemeral() {
    for port in [9092, 27017, 50051] {
        let objects = [
            group("sg-a").ingress("tcp", port, port, "10.0.0.0/8").egress("-1", -1, -1, "0.0.0.0/0"),
            interface("eni-a", "10.0.0.5", &["sg-a"]),
        ];
        let rows = [
            row(&format!("eni-a 10.0.0.9 10.0.0.5 33000 {port} 6 ACCEPT")),
            row(&format!("eni-a 10.0.0.5 10.0.0.9 {port} 33000 6 ACCEPT")),
        ];
        let run = Fixture::analyzed(&objects, &rows, &[]);
        let key = format!("sg-a:ingress:tcp:{port}-{port}:10.0.0.0/8");
        assert_eq!((run.usage(&key, "records"), run.usage(&key, "reply_records")), (1, 1));
        assert_eq!(run.with_verdict("used"), [key]);
    }
}

#[test]
fn r17_one_record_among_many_counts() {
    let mut rows: Vec<String> = (0..5000)
        .map(|at| row_at(T0 + at, &format!("eni-a 10.0.0.9 10.0.0.5 {} 443 6 ACCEPT", 30000 + at % 9)))
        .collect();
    rows.insert(2500, row("eni-a 10.0.0.9 10.0.0.5 40000 8443 6 ACCEPT"));
    let objects = [
        group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8").ingress("tcp", 8443, 8443, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    assert_eq!(run.usage("sg-a:ingress:tcp:443-443:10.0.0.0/8", "records"), 5000);
    assert_eq!(run.usage("sg-a:ingress:tcp:8443-8443:10.0.0.0/8", "records"), 1);
    assert_eq!(run.verdict("sg-a:ingress:tcp:8443-8443:10.0.0.0/8"), "used");
}

#[test]
fn r18_a_rule_that_nobody_used_is_listed() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").ingress("tcp", 443, 443, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let rows = [row("eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT")];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    let key = "sg-a:ingress:tcp:22-22:10.0.0.0/8";
    assert_eq!(run.with_verdict("not_seen"), [key]);
    assert_eq!(run.finding_ids("unused_rule"), [key]);
    let usage = &run.rule(key)["usage"];
    for figure in ["records", "reply_records", "possible_records", "sole_records", "packets", "bytes"] {
        assert_eq!(usage[figure], 0, "{figure}");
    }
    assert_eq!((&usage["first_seen"], &usage["last_seen"]), (&Value::Null, &Value::Null));
}

#[test]
fn r19_nodata_and_skipdata_are_neither_errors_nor_traffic() {
    let objects =
        [group("sg-a").ingress("-1", -1, -1, "0.0.0.0/0"), interface("eni-a", "10.0.0.5", &["sg-a"])];
    let rows = [
        silence_at(T0, "eni-a", "NODATA"),
        silence_at(T0 + HOUR, "eni-a", "SKIPDATA"),
        row_at(T0 + 2 * HOUR, "eni-a 192.0.2.9 10.0.0.5 40000 443 6 REJECT"),
    ];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    let figures = ["total", "accepted", "rejected", "no_data", "skip_data", "malformed"];
    assert_eq!(figures.map(|figure| run.records(figure)), [3, 0, 1, 1, 1, 0]);
    assert_eq!(run.at("/coverage/faults"), &json!([]));
    let files = ["read", "failed", "failures"].map(|figure| &run.at("/coverage/files")[figure]);
    assert_eq!(files, [&json!(1), &json!(0), &json!([])]);
    assert_eq!(run.at("/window/first_seen"), "2026-01-01T02:00:00Z");
    assert_eq!(run.with_verdict("used"), [] as [&str; 0]);
    let interface = run.at("/coverage/interfaces/0");
    let figures = ["records", "no_data", "skip_data"].map(|figure| &interface[figure]);
    assert_eq!(figures, [&json!(1), &json!(1), &json!(1)]);
}

#[test]
fn r20_an_unknown_column_keeps_the_others_in_place() {
    let header = "version interface-id dstport brand-new-field srcaddr dstaddr protocol start end srcport action \
                  packets bytes log-status";
    let rows = ["12 eni-a 22 443 10.0.0.9 10.0.0.5 6 1767225600 1767225660 40000 ACCEPT 7 700 OK".to_owned()];
    let fixture = Fixture::new();
    fixture.snapshot("snap", &client_and_server());
    fixture.write("log", text_with(header, &rows));
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    let key = "sg-a:ingress:tcp:22-22:10.0.0.0/8";
    assert_eq!(run.with_verdict("used"), [key]);
    assert_eq!((run.usage(key, "packets"), run.usage(key, "bytes")), (7, 700));
}

#[test]
fn r21_thirteen_digits_are_milliseconds() {
    let row = "2 111111111111 eni-a 10.0.0.9 10.0.0.5 40000 22 6 3 180 1767225600000 1767225660999 ACCEPT OK";
    let run = Fixture::analyzed(&client_and_server(), &[row.to_owned()], &["--since", "2026-01-01"]);
    assert_eq!(run.records("accepted"), 1);
    assert_eq!(
        run.at("/window"),
        &json!({ "first_seen": "2026-01-01T00:00:00Z", "last_seen": "2026-01-01T00:01:00Z" })
    );
}

#[test]
fn r22_port_0_and_protocol_0_survive() {
    let objects = [
        group("sg-a").ingress("0", -1, -1, "10.0.0.0/8").ingress("tcp", 0, 0, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let rows = [
        row("eni-a 10.0.0.9 10.0.0.5 0 0 0 ACCEPT"),
        row("eni-a 10.0.0.9 10.0.0.5 40000 0 6 ACCEPT"),
        row("eni-a 192.0.2.9 10.0.0.5 0 0 0 REJECT"),
        row("eni-a 192.0.2.9 10.0.0.5 40000 0 6 REJECT"),
    ];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    let (protocol, port) = ("sg-a:ingress:0:-1--1:10.0.0.0/8", "sg-a:ingress:tcp:0-0:10.0.0.0/8");
    assert_eq!((run.usage(protocol, "records"), run.usage(port, "records")), (1, 1));
    assert_eq!(run.rule(protocol)["protocol"], "0");
    assert_eq!((&run.rule(port)["from_port"], &run.rule(port)["to_port"]), (&json!(0), &json!(0)));
    assert_eq!(run.blocked(), ["eni-a ingress 0 0 security_group 1", "eni-a ingress tcp 0 security_group 1"]);
}

#[test]
fn r23_an_account_id_keeps_its_leading_zero() {
    let zero = "012345678901";
    for (account, is_ours) in [(zero, true), ("12345678901", false)] {
        let objects = [
            group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").with("OwnerId", zero).with("VpcId", ""),
            group("sg-loose").ingress("tcp", 22, 22, "10.0.0.0/8").with("OwnerId", zero).with("VpcId", ""),
            interface("eni-a", "10.0.0.5", &["sg-a"]).with("OwnerId", zero).with("VpcId", ""),
        ];
        let rows = [
            row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT").replace(ACCOUNT, zero),
            row("eni-x 10.0.0.9 10.0.0.7 40000 22 6 ACCEPT").replace(ACCOUNT, account),
        ];
        let run = Fixture::analyzed(&objects, &rows, &[]);
        let expected = if is_ours { "unattached [unknown_interfaces]" } else { "unattached" };
        assert_eq!(run.verdict("sg-loose:ingress:tcp:22-22:10.0.0.0/8"), expected, "{account}");
    }
}

#[test]
fn r24_every_group_of_an_interface_counts() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8"),
        group("sg-b").ingress("tcp", 443, 443, "10.0.0.0/8"),
        group("sg-c").ingress("tcp", 22, 443, "10.0.0.9/32"),
        interface("eni-a", "10.0.0.5", &["sg-c", "sg-a", "sg-b"]),
    ];
    let rows =
        [row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"), row("eni-a 10.0.0.8 10.0.0.5 40000 443 6 ACCEPT")];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    let sole = |key| (run.usage(key, "records"), run.usage(key, "sole_records"));
    assert_eq!(sole("sg-a:ingress:tcp:22-22:10.0.0.0/8"), (1, 0));
    assert_eq!(sole("sg-b:ingress:tcp:443-443:10.0.0.0/8"), (1, 1));
    assert_eq!(sole("sg-c:ingress:tcp:22-443:10.0.0.9/32"), (1, 0));
}

#[test]
fn r25_a_referenced_group_is_every_private_address_of_its_interfaces() {
    let client = interface("eni-b", "10.0.0.6", &["sg-b"])
        .push("PrivateIpAddresses", json!({ "PrivateIpAddress": "10.0.0.66", "Primary": false }))
        .push("Ipv6Addresses", json!({ "Ipv6Address": "2600:1f18::6" }))
        .push("Ipv4Prefixes", json!({ "Ipv4Prefix": "10.0.9.0/28" }))
        .push("Ipv6Prefixes", json!({ "Ipv6Prefix": "2600:1f18:9::/80" }))
        .with("Association", json!({ "PublicIp": "198.51.100.6" }));
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "sg-b"),
        group("sg-b"),
        interface("eni-a", "10.0.0.5", &["sg-a"])
            .push("Ipv6Addresses", json!({ "Ipv6Address": "2600:1f18::5" })),
        client,
    ];
    let cases = [
        ("10.0.0.6", true),
        ("10.0.0.66", true),
        ("2600:1f18::6", true),
        ("10.0.9.15", true),
        ("10.0.9.16", false),
        ("2600:1f18:9::ffff", true),
        ("198.51.100.6", false),
        ("10.0.0.5", false),
    ];
    for (peer, is_member) in cases {
        let own = if peer.contains(':') { "2600:1f18::5" } else { "10.0.0.5" };
        let line = format!("2 {ACCOUNT} eni-a {peer} {own} 40000 22 6 1 40 {T0} {T0} ACCEPT OK ingress");
        let fixture = Fixture::new();
        fixture.snapshot("snap", &objects);
        fixture.write("log", text_with(&format!("{HEADER} flow-direction"), &[line]));
        let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
        let records = run.usage("sg-a:ingress:tcp:22-22:sg-b", "records");
        assert_eq!(records, u64::from(is_member), "{peer}");
    }
}

#[test]
fn r26_a_rule_for_one_icmp_type_is_possibly_used_at_most() {
    let objects = [
        group("sg-a").ingress("icmp", 8, -1, "10.0.0.0/8").ingress("icmp", -1, -1, "10.0.0.9/32"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let rows = [row("eni-a 10.0.0.9 10.0.0.5 0 0 1 ACCEPT"), row("eni-a 10.0.0.8 10.0.0.5 0 0 1 ACCEPT")];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    let (one, all) = ("sg-a:ingress:icmp:8--1:10.0.0.0/8", "sg-a:ingress:icmp:-1--1:10.0.0.9/32");
    assert_eq!((run.verdict(one), run.verdict(all)), ("possibly_used".to_owned(), "used".to_owned()));
    assert_eq!((run.usage(one, "records"), run.usage(one, "possible_records")), (0, 2));
    assert_eq!((run.usage(one, "possible_sole_records"), run.usage(one, "sole_records")), (1, 0));
    assert_eq!(run.rule(one)["from_port"], 8);
    assert_eq!(run.rule(one)["to_port"], Value::Null);
}

#[test]
fn r27_a_narrow_deny_closes_its_range_and_the_lower_number_wins() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "0.0.0.0/0"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        subnet("subnet-1", "10.0.0.0/24"),
        // Written out of order: the number decides.
        acl("acl-1")
            .entry(200, false, "allow", "0.0.0.0/0")
            .entry(100, false, "deny", "192.0.2.0/24")
            .entry(90, false, "allow", "192.0.2.7/32")
            .entry(300, false, "deny", "198.51.100.0/24")
            .entry(100, true, "allow", "0.0.0.0/0"),
    ];
    let peers = ["192.0.2.9", "192.0.2.7", "198.51.100.9", "10.0.0.9"];
    let rows: Vec<String> =
        peers.iter().map(|peer| row(&format!("eni-a {peer} 10.0.0.5 40000 22 6 REJECT"))).collect();
    let run = Fixture::analyzed(&objects, &rows, &[]);
    let expected = ["eni-a ingress tcp 22 network_acl 1", "eni-a ingress tcp 22 not_security_group 3"];
    let mut blocked = run.blocked();
    blocked.sort();
    assert_eq!(blocked, expected);
}

#[test]
fn r28_every_source_of_a_permission_is_a_rule_of_its_own() {
    let permission = json!({
        "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
        "IpRanges": [{ "CidrIp": "10.1.0.0/16", "Description": "one" }, { "CidrIp": "10.2.0.0/16" }],
        "Ipv6Ranges": [{ "CidrIpv6": "2600:1f18::/56" }],
        "PrefixListIds": [{ "PrefixListId": "pl-0a1" }],
        "UserIdGroupPairs": [{ "GroupId": "sg-a", "UserId": ACCOUNT }, { "GroupId": "sg-b", "UserId": ACCOUNT }],
    });
    let objects =
        [group("sg-a").push("IpPermissions", permission), interface("eni-a", "10.0.0.5", &["sg-a"])];
    let rows = [row("eni-a 10.2.0.9 10.0.0.5 40000 22 6 ACCEPT")];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    assert_eq!(run.keys().len(), 6);
    assert_eq!(run.with_verdict("used"), ["sg-a:ingress:tcp:22-22:10.2.0.0/16"]);
    assert_eq!(run.rule("sg-a:ingress:tcp:22-22:10.1.0.0/16")["description"], "one");
    assert_eq!(run.rule("sg-a:ingress:tcp:22-22:10.2.0.0/16")["description"], Value::Null);
}

#[test]
fn r29_a_group_with_egress_only_is_no_ingress_finding() {
    let objects = [
        group("sg-a").egress("-1", -1, -1, "0.0.0.0/0").egress("tcp", 22, 22, "0.0.0.0/0"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let rows = [
        row("eni-a 10.0.0.5 192.0.2.9 40000 22 6 ACCEPT"),
        row("eni-a 192.0.2.9 10.0.0.5 22 40000 6 ACCEPT"),
        row("eni-a 192.0.2.9 10.0.0.5 40000 22 6 REJECT"),
    ];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    assert!(run.finding_ids("over_broad").iter().all(|id| id.contains(":egress:")));
    assert!(run.findings("over_broad").iter().all(|finding| finding["severity"] == "info"));
    assert_eq!(run.blocked(), ["eni-a ingress tcp 22 security_group 1"]);
}

#[test]
fn r30_a_rule_made_inside_the_window_is_not_called_unused() {
    let old = group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8");
    let new = old.clone().ingress("tcp", 22, 22, "10.0.0.0/8");
    let eni = interface("eni-a", "10.0.0.5", &["sg-a"]);
    let fixture = Fixture::new();
    fixture.snapshot("before", &[old, eni.clone()]);
    fixture.snapshot("after", &[new, eni]);
    let hours = 0..24;
    let rows: Vec<String> =
        hours.map(|hour| row_at(T0 + hour * HOUR, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT")).collect();
    fixture.log("log", &rows);
    let (before, after) = ("2026-01-01T00:00:00Z=before", "2026-01-01T12:00:00Z=after");
    let run = fixture.analyze(&["log", "--snapshot", before, after]).exit(0);
    let key = "sg-a:ingress:tcp:22-22:10.0.0.0/8";
    let verdict = run.verdict(key);
    assert!(verdict.starts_with("cannot_decide [") && verdict.contains("young_rule"), "{verdict}");
    assert_eq!(run.rule(key)["in_force"], json!({ "from": "2026-01-01T12:00:00Z", "to": null }));
    assert_eq!(run.finding_ids("unused_rule"), [] as [&str; 0]);
    // In force since before the window it is.
    let run = fixture.analyze(&["log", "--snapshot", "2025-12-31=after"]).exit(0);
    assert_eq!(run.finding_ids("unused_rule"), [key]);
}
