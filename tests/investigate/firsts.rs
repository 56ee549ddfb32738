//! What an interface never did before.

use serde_json::Value;

use crate::ask;
use crate::fixture::{Fixture, T0, group, interface, row_at};

const DAY: i64 = 86_400;

fn at(second: i64, flow: &str) -> String {
    row_at(T0 + second, flow)
}

fn found(rows: &[String], question: &[&str]) -> Vec<String> {
    let findings = findings(rows, question);
    let mut ids: Vec<String> =
        findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn findings(rows: &[String], question: &[&str]) -> Vec<Value> {
    let fixture = Fixture::new();
    let objects = [
        group("sg-a").ingress("tcp", 22, 443, "0.0.0.0/0").egress("-1", -1, -1, "0.0.0.0/0"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    fixture.snapshot("snap", &objects);
    fixture.log("log", rows);
    ask(&fixture, question)["findings"].as_array().unwrap().clone()
}

/// Three days with one client of HTTPS.
fn usual() -> Vec<String> {
    (0..3).map(|day| at(day * DAY, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT")).collect()
}

/// The same, and a call on the third day.
fn with(flow: &str) -> Vec<String> {
    let (source, rest) = flow.split_once(" > ").unwrap();
    let mut rows = usual();
    rows.push(at(2 * DAY + 7, &format!("eni-a {source} {rest} 6 ACCEPT")));
    let mut words = rest.split(' ');
    let (target, client, service) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    rows.push(at(2 * DAY + 7, &format!("eni-a {target} {source} {service} {client} 6 ACCEPT")));
    rows
}

#[test]
fn a_peer_and_a_port_that_the_interface_never_had_are_told() {
    let interface = ["--interface", "eni-a"];
    assert_eq!(found(&usual(), &interface), [""; 0]);
    let cases: [(&str, &[&str], &[&str]); 8] = [
        // A stranger logs in where only HTTPS was served before.
        (
            "203.0.113.7 > 10.0.0.5 40000 22",
            &interface,
            &["new_peers/eni-a/let_in/tcp:22/internet", "new_ports/eni-a/served/internet"],
        ),
        // It calls out for the first time.
        (
            "10.0.0.5 > 203.0.113.7 40000 443",
            &interface,
            &["new_peers/eni-a/called/internet", "new_ports/eni-a/called_on/internet"],
        ),
        // A new client of what it serves.
        ("10.0.0.8 > 10.0.0.5 40000 443", &interface, &["new_peers/eni-a/let_in/tcp:443/internal"]),
        (
            "10.0.0.8 > 10.0.0.5 40000 443",
            &["--address", "10.0.0.5"],
            &["new_peers/eni-a/let_in/tcp:443/internal"],
        ),
        // Of the ports of an interface a stranger's records do not tell.
        (
            "203.0.113.7 > 10.0.0.5 40000 22",
            &["--address", "203.0.113.7"],
            &["new_peers/eni-a/let_in/tcp:22/internet"],
        ),
        // One port does not tell when a peer came first; and so long nobody waited.
        ("203.0.113.7 > 10.0.0.5 40000 22", &["--interface", "eni-a", "--port", "22"], &[]),
        ("203.0.113.7 > 10.0.0.5 40000 22", &["--interface", "eni-a", "--new-after", "3d"], &[]),
        ("203.0.113.7 > 10.0.0.5 40000 22", &["--interface", "eni-a", "--action", "reject"], &[]),
    ];
    for (flow, question, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|id| format!("investigation/{id}")).collect();
        assert_eq!(found(&with(flow), question), expected, "{flow} {question:?}");
    }
}

#[test]
fn its_figures_say_since_when_it_was_seen_and_who_came() {
    let found = findings(&with("203.0.113.7 > 10.0.0.5 40000 22"), &["--interface", "eni-a"]);
    let peers =
        found.iter().find(|it| it["id"] == "investigation/new_peers/eni-a/let_in/tcp:22/internet").unwrap();
    assert_eq!((&peers["severity"], &peers["interface_id"]), (&"low".into(), &"eni-a".into()));
    assert_eq!(peers["title"], "eni-a let in on tcp/22, for the first time, 203.0.113.7");
    let evidence = &peers["evidence"];
    assert_eq!((&evidence["technique"], &evidence["distinct"]), (&"T1133".into(), &1.into()));
    assert_eq!(evidence["interface_seen_since"], "2026-01-01T00:00:00Z");
    assert_eq!(evidence["first"][0]["first_seen"], "2026-01-03T00:00:07Z");
    assert_eq!(
        (&evidence["first"][0]["peer"], &evidence["first"][0]["service"]),
        (&"203.0.113.7".into(), &"tcp/22".into())
    );
    let internal = findings(&with("10.0.0.8 > 10.0.0.5 40000 443"), &["--interface", "eni-a"]);
    assert_eq!(internal[0]["evidence"]["technique"], "T1021");
}

#[test]
fn where_new_peers_are_usual_they_are_no_news() {
    let strangers = |count: i64| -> Vec<String> {
        let rows = (0..count)
            .map(|at_| at(2 * DAY + at_, &format!("eni-a 203.0.113.{at_} 10.0.0.5 40000 443 6 ACCEPT")));
        usual().into_iter().chain(rows).collect()
    };
    let interface = ["--interface", "eni-a"];
    assert_eq!(found(&strangers(10), &interface).len(), 1);
    assert_eq!(found(&strangers(11), &interface), [""; 0]);
    assert_eq!(found(&strangers(11), &["--interface", "eni-a", "--new-most", "11"]).len(), 1);
}

#[test]
fn what_was_there_before_is_not_new_whoever_opened_it_and_whether_it_was_answered() {
    let interface = ["--interface", "eni-a"];
    let at_days = |days: std::ops::Range<i64>, flow: &str| -> Vec<String> {
        days.map(|day| at(day * DAY + 60, &format!("eni-a {flow} 6 ACCEPT"))).collect()
    };
    let cases: [(&str, Vec<String>); 3] = [
        // Nothing tells who opened what came before.
        (
            "no opener",
            [at_days(0..3, "10.0.0.20 10.0.0.5 300 301"), at_days(2..3, "10.0.0.20 10.0.0.5 40000 443")]
                .concat(),
        ),
        // It called every day, and is answered on the third.
        (
            "no answer",
            [at_days(0..3, "10.0.0.5 9.9.9.9 40000 25"), at_days(2..3, "9.9.9.9 10.0.0.5 25 40000")].concat(),
        ),
        // After five days without a record nobody knows what was there.
        ("a gap", vec![at(7 * DAY, "eni-a 10.0.0.20 10.0.0.5 40000 443 6 ACCEPT")]),
    ];
    for (what, more) in cases {
        let rows: Vec<String> = if what == "a gap" { usual()[..1].to_vec() } else { usual() };
        let found = found(&[rows, more].concat(), &interface);
        let peers: Vec<&String> = found.iter().filter(|id| id.contains("new_peers")).collect();
        assert_eq!(peers, [""; 0], "{what}");
    }
    // Visitors of a web server hide nobody who comes to another port, or from inside.
    let mut rows = usual();
    rows.extend(
        (0..50).map(|n| at(2 * DAY + n, &format!("eni-a 203.0.113.{n} 10.0.0.5 40000 443 6 ACCEPT"))),
    );
    rows.push(at(2 * DAY + 70, "eni-a 203.0.113.99 10.0.0.5 40000 22 6 ACCEPT"));
    rows.push(at(2 * DAY + 80, "eni-a 10.0.0.66 10.0.0.5 40000 443 6 ACCEPT"));
    let found = found(&rows, &interface);
    for expected in ["new_peers/eni-a/let_in/tcp:22/internet", "new_peers/eni-a/let_in/tcp:443/internal"] {
        assert!(found.contains(&format!("investigation/{expected}")), "{expected}: {found:?}");
    }
}

#[test]
fn of_a_group_only_that_is_new_which_the_interface_had_not_while_it_had_the_group() {
    let fixture = Fixture::new();
    let rules = |id: &str| group(id).ingress("tcp", 22, 443, "0.0.0.0/0").egress("-1", -1, -1, "0.0.0.0/0");
    fixture.snapshot(
        "snap/2026-01-01T00:00:00Z",
        &[rules("sg-a"), rules("sg-b"), interface("eni-a", "10.0.0.5", &["sg-b"])],
    );
    fixture.snapshot(
        "snap/2026-01-05T00:00:00Z",
        &[rules("sg-a"), rules("sg-b"), interface("eni-a", "10.0.0.5", &["sg-a"])],
    );
    let rows: Vec<String> = (0..8)
        .flat_map(|day| {
            (20..23).map(move |n| at(day * DAY + n, &format!("eni-a 10.0.0.{n} 10.0.0.5 40000 22 6 ACCEPT")))
        })
        .collect();
    fixture.log("log", &rows);
    let answer = ask(&fixture, &["--group", "sg-a"]);
    assert_eq!(answer["findings"], serde_json::json!([]));
}
