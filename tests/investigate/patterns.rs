//! What conversations show together, and what they must not.

use serde_json::Value;

use crate::ask;
use crate::fixture::{Fixture, HEADER, T0, group, interface, row_at};

fn found(rows: &[String], question: &[&str]) -> Vec<Value> {
    let fixture = Fixture::new();
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "0.0.0.0/0").egress("-1", -1, -1, "0.0.0.0/0"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    fixture.snapshot("snap", &objects);
    fixture.log("log", rows);
    let question = [&["--address", "0.0.0.0/0"], question].concat();
    ask(&fixture, &question)["findings"].as_array().unwrap().clone()
}

fn ids(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

fn at(second: i64, flow: &str) -> String {
    row_at(T0 + second, flow)
}

/// So many ports, all of them refused.
fn tries(ports: u16) -> Vec<String> {
    (0..ports)
        .map(|n| at(n.into(), &format!("eni-a 198.51.100.7 10.0.0.5 {} {} 6 REJECT", 50_000 + n, 1000 + n)))
        .collect()
}

#[test]
fn many_ports_of_one_target_are_a_scan() {
    assert_eq!(ids(&found(&tries(14), &[])), Vec::<&str>::new());
    let scan = found(&tries(15), &[]);
    assert_eq!(ids(&scan), ["scan/ports/198.51.100.7/10.0.0.5"]);
    let evidence = &scan[0]["evidence"];
    assert_eq!((&evidence["technique"], &evidence["distinct_ports"]), (&"T1046".into(), &15.into()));
    assert_eq!((&scan[0]["kind"], &scan[0]["severity"]), (&"scan".into(), &"medium".into()));
    assert_eq!(ids(&found(&tries(14), &["--scan-ports", "14"])).len(), 1);
    // A client of many services, refused nowhere, is none.
    let client: Vec<String> = (0..30)
        .map(|n| at(n, &format!("eni-a 10.0.0.5 198.51.100.7 {} {} 6 ACCEPT", 50_000 + n, 1000 + n)))
        .collect();
    assert_eq!(ids(&found(&client, &[])), Vec::<&str>::new());
}

#[test]
fn one_port_of_many_targets_is_a_sweep() {
    let sweep = |targets: i64| -> Vec<String> {
        (0..targets).map(|n| at(n, &format!("eni-{n} 198.51.100.7 10.0.1.{n} 50000 445 6 REJECT"))).collect()
    };
    // Interfaces that nobody knows tell no direction: in the log they do.
    let header = format!("{HEADER} flow-direction");
    let directed =
        |rows: Vec<String>| -> Vec<String> { rows.into_iter().map(|row| format!("{row} ingress")).collect() };
    for (targets, expected) in [(9, 0), (10, 1)] {
        let fixture = Fixture::new();
        fixture.snapshot("snap", &[group("sg-a"), interface("eni-a", "10.0.0.5", &["sg-a"])]);
        fixture.write("log", crate::fixture::text_with(&header, &directed(sweep(targets))));
        let findings = ask(&fixture, &["--port", "445"])["findings"].as_array().unwrap().clone();
        assert_eq!(findings.len(), expected, "{targets}");
        if let [sweep] = findings.as_slice() {
            assert_eq!(sweep["id"], "scan/sweep/198.51.100.7/tcp/445");
            assert_eq!(sweep["evidence"]["technique"], "T1018");
        }
    }
}

#[test]
fn refused_and_then_let_in() {
    let let_in = |second| at(second, "eni-a 198.51.100.7 10.0.0.5 50001 22 6 ACCEPT");
    // On the same port, because somebody opened it in between.
    let opened = Fixture::new();
    let closed = [group("sg-a"), interface("eni-a", "10.0.0.5", &["sg-a"])];
    opened.snapshot("snap/2026-01-01T00:00:00Z", &closed);
    let open = [group("sg-a").ingress("tcp", 22, 22, "0.0.0.0/0"), interface("eni-a", "10.0.0.5", &["sg-a"])];
    opened.snapshot("snap/2026-01-01T00:00:30Z", &open);
    opened.log("log", &[at(0, "eni-a 198.51.100.7 10.0.0.5 50000 22 6 REJECT"), let_in(60)]);
    let findings = ask(&opened, &["--port", "22"])["findings"].as_array().unwrap().clone();
    assert_eq!(ids(&findings), ["investigation/let_in_at_last/198.51.100.7/10.0.0.5"]);
    assert_eq!(findings[0]["severity"], "high");
    assert_eq!(findings[0]["evidence"]["first_let_in"], "2026-01-01T00:01:00Z");
    // On another port it takes more than once: a browser tries QUIC first.
    let elsewhere = |port: u16| at(0, &format!("eni-a 198.51.100.7 10.0.0.5 50000 {port} 6 REJECT"));
    assert_eq!(ids(&found(&[elsewhere(443), let_in(60)], &[])), Vec::<&str>::new());
    let often: Vec<String> = (443..448).map(elsewhere).chain([let_in(60)]).collect();
    assert_eq!(ids(&found(&often, &[])).len(), 1);
    // What comes late was no attempt.
    let late = [
        let_in(0),
        at(2000, "eni-a 198.51.100.7 10.0.0.5 50001 22 6 REJECT"),
        at(3000, "eni-a 198.51.100.7 10.0.0.5 50002 22 6 ACCEPT"),
    ];
    assert_eq!(ids(&found(&late, &[])), Vec::<&str>::new());
    // The other way round it is an ordinary user who tried something once.
    assert_eq!(
        ids(&found(&[at(120, "eni-a 198.51.100.7 10.0.0.5 50000 3389 6 REJECT"), let_in(60)], &[])),
        Vec::<&str>::new()
    );
    // What leaves here and is refused there was not let in.
    let fixture = Fixture::new();
    fixture.snapshot(
        "snap",
        &[
            group("sg-a").egress("-1", -1, -1, "0.0.0.0/0"),
            group("sg-b"),
            interface("eni-a", "10.0.0.5", &["sg-a"]),
            interface("eni-b", "10.0.0.6", &["sg-b"]),
        ],
    );
    fixture.log(
        "log",
        &[
            at(0, "eni-a 10.0.0.5 10.0.0.6 50000 5432 6 ACCEPT"),
            at(0, "eni-b 10.0.0.5 10.0.0.6 50000 5432 6 REJECT"),
            at(60, "eni-a 10.0.0.5 10.0.0.6 50001 5432 6 ACCEPT"),
        ],
    );
    assert_eq!(ask(&fixture, &["--address", "10.0.0.5"])["findings"].as_array().unwrap().len(), 0);
}

#[test]
fn far_more_out_than_is_usual_is_a_large_transfer() {
    let sized = |port: u16, bytes: u64| {
        format!(
            "2 111111111111 eni-a 10.0.0.5 198.51.100.7 {port} 443 6 10 {bytes} {T0} {} ACCEPT OK",
            T0 + 60
        )
    };
    let usual: Vec<String> = (0..9).map(|n| sized(50_000 + n, 20_000_000)).collect();
    let with = |bytes: u64| [usual.clone(), vec![sized(60_000, bytes)]].concat();
    let mut findings = found(&with(200_000_000), &[]);
    assert_eq!(
        ids(&findings),
        ["investigation/transfer/tcp/10.0.0.5:60000/198.51.100.7:443/2026-01-01T00:00:00Z"]
    );
    let transfer = findings.remove(0);
    assert_eq!(transfer["title"], "10.0.0.5 sent 200 MB to 198.51.100.7");
    assert_eq!(transfer["evidence"]["usual_bytes_out"], 20_000_000);
    assert_eq!(ids(&found(&with(199_000_000), &[])), Vec::<&str>::new());
    assert_eq!(ids(&found(&[sized(1, 99_999_999)], &[])), Vec::<&str>::new());
    assert_eq!(ids(&found(&[sized(1, 99_999_999)], &["--large-transfer", "1000000"])).len(), 1);
}

#[test]
fn calls_like_a_clock_are_a_beacon() {
    let calls = |times: i64, jitter: i64| -> Vec<String> {
        (0..times)
            .map(|n| {
                let late = if n % 2 == 0 { jitter } else { 0 };
                at(n * 300 + late, &format!("eni-a 10.0.0.5 198.51.100.7 {} 443 6 ACCEPT", 50_000 + n))
            })
            .collect()
    };
    let findings = found(&calls(8, 2), &[]);
    assert_eq!(ids(&findings), ["investigation/beacon/10.0.0.5/198.51.100.7/tcp/443"]);
    assert_eq!(findings[0]["evidence"]["times"], 8);
    assert_eq!(ids(&found(&calls(7, 2), &[])), Vec::<&str>::new());
    // People are not that regular.
    assert_eq!(ids(&found(&calls(20, 140), &[])), Vec::<&str>::new());
}

#[test]
fn forged_counts_add_up_to_the_most_there_can_be() {
    let sized = |port: u16, to: u16, second: i64, action: &str| {
        let (start, most) = (T0 + second, u64::MAX);
        format!(
            "2 111111111111 eni-a 198.51.100.7 10.0.0.5 {port} {to} 6 10 {most} {start} {} {action} OK",
            start + 1
        )
    };
    let refused = (0..5).map(|n| sized(n, 100 + n, 0, "REJECT"));
    let rows: Vec<String> =
        refused.chain([sized(50, 22, 60, "ACCEPT"), sized(51, 22, 60, "ACCEPT")]).collect();
    assert_eq!(found(&rows, &[])[0]["evidence"]["bytes_in"], u64::MAX);
}
