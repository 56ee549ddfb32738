//! Which records a question is about.

use crate::ask;
use crate::fixture::{Fixture, HOUR, T0, group, interface, row_at};

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let state = |moving: &str| {
        [
            group("sg-a").ingress("tcp", 1, 65_535, "0.0.0.0/0"),
            group("sg-b").ingress("tcp", 1, 65_535, "0.0.0.0/0"),
            interface("eni-a", "10.0.0.5", &["sg-a"]),
            interface("eni-m", "10.0.0.6", &[moving]),
        ]
    };
    // eni-m moves from one group to the other at one o'clock.
    fixture.snapshot("snap/2026-01-01T00:00:00Z", &state("sg-a"));
    fixture.snapshot("snap/2026-01-01T01:00:00Z", &state("sg-b"));
    fixture.log(
        "log",
        &[
            row_at(T0, "eni-a 198.51.100.7 10.0.0.5 40000 443 6 ACCEPT"),
            row_at(T0, "eni-a 10.0.0.5 198.51.100.7 443 40000 6 ACCEPT"),
            row_at(T0, "eni-a 198.51.100.8 10.0.0.5 40000 8080 6 REJECT"),
            row_at(T0, "eni-m 203.0.113.9 10.0.0.6 40000 443 6 ACCEPT"),
            row_at(T0 + 2 * HOUR, "eni-m 203.0.113.9 10.0.0.6 40001 443 6 ACCEPT"),
            row_at(T0 + 2 * HOUR, "eni-x 203.0.113.9 10.0.0.7 40001 443 6 ACCEPT"),
        ],
    );
    fixture
}

#[test]
fn any_of_a_kind_and_all_kinds() {
    let fixture = fixture();
    let cases: [(&[&str], u64); 18] = [
        (&["--address", "198.51.100.7"], 2),
        (&["--address", "198.51.100.0/24"], 3),
        (&["--address", "198.51.100.7", "--address", "203.0.113.9"], 5),
        (&["--address", "10.0.0.5"], 3),
        (&["--address", "2600::/16"], 0),
        (&["--interface", "eni-a"], 3),
        (&["--interface", "eni-a", "--interface", "eni-x"], 4),
        (&["--interface", "eni-none"], 0),
        // An interface has the groups that it had when the record was made.
        (&["--group", "sg-a"], 4),
        (&["--group", "sg-b"], 1),
        (&["--group", "sg-a", "--group", "sg-b"], 5),
        (&["--port", "8080"], 1),
        (&["--port", "8000-9000", "--port", "40001"], 3),
        (&["--action", "reject"], 1),
        (&["--action", "accept", "--port", "443", "--address", "203.0.113.0/24"], 3),
        (&["--action", "accept", "--until", "2026-01-01T01:00:00Z"], 3),
        (&["--action", "accept", "--since", "2026-01-01T01:00:00Z"], 2),
        (&["--group", "sg-b", "--address", "198.51.100.7"], 0),
    ];
    for (question, expected) in cases {
        let summary = &ask(&fixture, question)["summary"];
        let found = summary["accepted"].as_u64().unwrap() + summary["rejected"].as_u64().unwrap();
        assert_eq!(found, expected, "{question:?}");
    }
}

#[test]
fn an_interface_is_shown_as_it_was_from_time_to_time() {
    let fixture = fixture();
    let who = ask(&fixture, &["--address", "10.0.0.6"])["summary"]["interfaces"].clone();
    let shown: Vec<(&str, &str, &str)> = who
        .as_array()
        .unwrap()
        .iter()
        .map(|who| {
            let text = |key: &str| who[key].as_str().unwrap_or("-");
            (who["group_ids"][0].as_str().unwrap(), text("from"), text("to"))
        })
        .collect();
    assert_eq!(
        shown,
        [("sg-a", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"), ("sg-b", "2026-01-01T01:00:00Z", "-")]
    );
}

#[test]
fn questions_that_cannot_be_are_refused() {
    let fixture = fixture();
    let cases: [(&[&str], &str); 5] = [
        (&[], "expected what to look for (--address, --interface, --group, --port or --action), found none"),
        (&["--address", "10.0.0"], "expected an address or a range such as 10.0.0.0/8, found \"10.0.0\""),
        (&["--port", "http"], "expected a port or a range such as 8000-8099, found \"http\""),
        (&["--port", "90-80"], "expected a port or a range"),
        (&["--adress", "10.0.0.1"], "--address"),
    ];
    for (question, words) in cases {
        let run = fixture.run(&[&["investigate", "log", "--snapshot", "snap"], question].concat());
        assert_eq!(run.status, Some(2), "{question:?}");
        assert!(run.stderr.contains(words), "{question:?}: {}", run.stderr);
    }
    let run = fixture.run(&["investigate", "log", "--port", "1"]);
    assert_eq!(run.status, Some(2), "{}", run.stderr);
}
