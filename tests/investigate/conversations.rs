//! Records become conversations.

use crate::fixture::{Fixture, T0, group, interface, row_at};
use crate::{ask, lines};

fn fixture(rows: &[String]) -> Fixture {
    let fixture = Fixture::new();
    let objects = [
        group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8").egress("-1", -1, -1, "0.0.0.0/0"),
        group("sg-wide").ingress("-1", -1, -1, "0.0.0.0/0").egress("-1", -1, -1, "0.0.0.0/0"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        interface("eni-w", "10.0.0.6", &["sg-wide"]),
    ];
    fixture.snapshot("snap", &objects);
    fixture.log("log", rows);
    fixture
}

fn at(minute: i64, flow: &str) -> String {
    row_at(T0 + minute * 60, flow)
}

#[test]
fn both_ways_of_a_connection_are_one_conversation() {
    let fixture = fixture(&[
        at(1, "eni-a 10.0.0.5 10.0.0.9 443 40000 6 ACCEPT"),
        at(0, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"),
        at(2, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"),
        // Another port of the same client is another connection.
        at(1, "eni-a 10.0.0.9 10.0.0.5 40001 443 6 ACCEPT"),
        // The interface calls out.
        at(3, "eni-a 10.0.0.5 10.0.0.9 50000 8080 6 ACCEPT"),
        at(3, "eni-a 10.0.0.9 10.0.0.5 8080 50000 6 ACCEPT"),
        // Refused.
        at(4, "eni-a 10.0.0.9 10.0.0.5 40002 22 6 REJECT"),
    ]);
    let answer = ask(&fixture, &["--address", "10.0.0.9"]);
    assert_eq!(
        lines(&answer),
        [
            "2026-01-01T00:00:00Z eni-a peer 10.0.0.9:40000 > 10.0.0.5:443 3/0",
            "2026-01-01T00:01:00Z eni-a peer 10.0.0.9:40001 > 10.0.0.5:443 1/0",
            "2026-01-01T00:03:00Z eni-a interface 10.0.0.5:50000 > 10.0.0.9:8080 2/0",
            "2026-01-01T00:04:00Z eni-a peer 10.0.0.9:40002 > 10.0.0.5:22 0/1",
        ]
    );
    let first = &answer["conversations"][0];
    assert_eq!(first["rules"][0], "sg-a:ingress:tcp:443-443:10.0.0.0/8");
    assert_eq!(
        (first["duration_seconds"].as_i64(), first["last_seen"].as_str()),
        (Some(180), Some("2026-01-01T00:03:00Z"))
    );
    assert_eq!(answer["conversations"][3]["causes"][0], "security_group");
    let summary = &answer["summary"];
    assert_eq!(
        (&summary["accepted"], &summary["rejected"], &summary["distinct_peers"]),
        (&6.into(), &1.into(), &1.into())
    );
    assert_eq!(summary["ingress"]["records"], 5);
    assert_eq!(summary["causes"]["security_group"], 1);
    // Who it is that was asked for: nobody of ours.
    assert_eq!(summary["interfaces"].as_array().unwrap().len(), 0);
}

#[test]
fn silence_ends_a_conversation() {
    let flow = "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT";
    // A record lasts a minute: ten minutes of silence are not enough, eleven are.
    for (minutes, expected) in [(11, 1), (12, 2)] {
        let fixture = fixture(&[at(0, flow), at(minutes, flow)]);
        assert_eq!(lines(&ask(&fixture, &["--port", "443"])).len(), expected, "{minutes}");
    }
}

#[test]
fn who_opened_it_may_show_only_in_the_whole_input() {
    // Rules on both sides allow everything, and the ports are high: many clients of one port show which one serves.
    let mut rows = vec![at(0, "eni-w 10.0.0.9 10.0.0.6 40000 9000 6 ACCEPT")];
    let alone = fixture(&rows);
    assert_eq!(
        lines(&ask(&alone, &["--address", "10.0.0.9"])),
        ["2026-01-01T00:00:00Z eni-w ? 10.0.0.9:40000 > 10.0.0.6:9000 1/0"]
    );
    rows.extend(
        (0..20).map(|client| at(1, &format!("eni-w 10.0.0.77 10.0.0.6 {} 9000 6 ACCEPT", 41_000 + client))),
    );
    let whole = fixture(&rows);
    let answer = ask(&whole, &["--address", "10.0.0.9"]);
    assert_eq!(lines(&answer), ["2026-01-01T00:00:00Z eni-w peer 10.0.0.9:40000 > 10.0.0.6:9000 1/0"]);
    let rules = &answer["summary"]["rules"];
    assert_eq!(
        (&rules[0]["rule_key"], &rules[0]["records"]),
        (&"sg-wide:ingress:-1:-1--1:0.0.0.0/0".into(), &1.into())
    );
    assert_eq!(rules.as_array().unwrap().len(), 1);
}

#[test]
fn records_that_are_judged_one_by_one_are_found_too() {
    let fixture = fixture(&[
        at(0, "eni-x 10.0.0.9 10.9.9.9 40000 443 6 ACCEPT"),
        at(1, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"),
        at(2, "eni-a 2600::1 2600::2 40000 443 6 REJECT"),
        at(3, "eni-a 10.0.0.9 10.0.0.5 0 0 1 REJECT"),
    ]);
    assert_eq!(
        lines(&ask(&fixture, &["--address", "10.0.0.9", "--address", "2600::/16"])),
        [
            "2026-01-01T00:00:00Z eni-x ? 10.0.0.9:40000 > 10.9.9.9:443 1/0",
            "2026-01-01T00:01:00Z eni-a peer 10.0.0.9:40000 > 10.0.0.5:443 1/0",
            "2026-01-01T00:02:00Z eni-a ? 2600::1:40000 > 2600::2:443 0/1",
            "2026-01-01T00:03:00Z eni-a peer 10.0.0.9:0 > 10.0.0.5:0 0/1",
        ]
    );
    assert_eq!(lines(&ask(&fixture, &["--interface", "eni-x"])).len(), 1);
}

#[test]
fn the_same_bytes_come_out_for_any_threads_and_files() {
    let rows: Vec<String> = (0..400)
        .map(|n| {
            let (peer, port) = (n % 23 + 10, 40_000 + n * 7 % 50);
            at(n * 13 % 300, &format!("eni-a 10.0.0.{peer} 10.0.0.5 {port} 443 6 ACCEPT"))
        })
        .collect();
    let fixture = fixture(&rows);
    fixture.log("parts/a", &rows[..150]);
    fixture.log("parts/b", &rows[150..]);
    let run = |log: &str, threads: &str| {
        let arguments = [
            "investigate",
            log,
            "--snapshot",
            "snap",
            "--interface",
            "eni-a",
            "--threads",
            threads,
            "--limit",
            "0",
        ];
        fixture.run(&arguments).stdout.clone()
    };
    let expected = run("log", "1");
    assert!(expected.len() > 10_000);
    assert_eq!(run("log", "4"), expected);
    // What all threads write is what one would.
    let json =
        ["investigate", "log", "--snapshot", "snap", "--interface", "eni-a", "--format", "json", "--follow"];
    let json = fixture.run(&json).stdout.clone();
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(String::from_utf8(json).unwrap(), serde_json::to_string_pretty(&value).unwrap() + "\n");
    let in_parts = String::from_utf8(run("parts", "3")).unwrap();
    assert_eq!(in_parts.replace("in 2 files", "in 1 file"), String::from_utf8(expected).unwrap());
}

#[test]
fn nothing_in_a_name_reaches_the_terminal() {
    let fixture = Fixture::new();
    let mut hostile = interface("eni-a", "10.0.0.5", &["sg-a"]).with("Description", "\u{1b}[31mred\u{202e}");
    hostile.value["Attachment"] = serde_json::Value::Null;
    fixture.snapshot("snap", &[group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8"), hostile]);
    fixture.log("log", &[at(0, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT")]);
    let run = fixture.run(&["investigate", "log", "--snapshot", "snap", "--interface", "eni-a"]);
    let text = String::from_utf8(run.stdout.clone()).unwrap();
    assert!(text.contains("red") && !text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn one_hop_further_is_who_else_spoke_with_those_in_contact() {
    let fixture = fixture(&[
        // Before the contact.
        at(0, "eni-w 10.0.0.30 10.0.0.6 40000 22 6 ACCEPT"),
        // The contact: the stranger comes to eni-a, and from there to eni-w.
        at(5, "eni-a 10.0.0.9 10.0.0.5 40001 443 6 ACCEPT"),
        at(10, "eni-a 10.0.0.5 10.0.0.6 40002 22 6 ACCEPT"),
        at(10, "eni-a 10.0.0.6 10.0.0.5 22 40002 6 ACCEPT"),
        at(10, "eni-w 10.0.0.5 10.0.0.6 40002 22 6 ACCEPT"),
        // Afterwards: from there on, and to another port.
        at(20, "eni-w 10.0.0.6 10.0.0.77 40003 22 6 ACCEPT"),
        at(21, "eni-w 10.0.0.31 10.0.0.6 40004 22 6 ACCEPT"),
        at(22, "eni-w 10.0.0.6 10.0.0.77 40005 8080 6 ACCEPT"),
    ]);
    let answer = ask(&fixture, &["--address", "10.0.0.5", "--follow"]);
    let followed = answer["followed"].as_array().unwrap();
    assert_eq!(followed.len(), 1, "{followed:?}");
    assert_eq!((&followed[0]["peer"], &followed[0]["port"]), (&"10.0.0.6".into(), &22.into()));
    assert_eq!(followed[0]["since"], "2026-01-01T00:10:00Z");
    assert_eq!(
        lines(&followed[0]),
        [
            "2026-01-01T00:20:00Z eni-w interface 10.0.0.6:40003 > 10.0.0.77:22 1/0",
            "2026-01-01T00:21:00Z eni-w peer 10.0.0.31:40004 > 10.0.0.6:22 1/0",
        ]
    );
    // What else they went for: of what no rule explains nobody can tell who opened it.
    let touched = answer["touched"].as_array().unwrap();
    assert_eq!(
        (touched.len(), &touched[0]["peer"], &touched[0]["distinct_targets"]),
        (1, &"10.0.0.6".into(), &1.into())
    );
    let target = &touched[0]["targets"][0];
    assert_eq!(
        (&target["target"], &target["port"], &target["accepted"]),
        (&"10.0.0.77".into(), &22.into(), &1.into())
    );
    assert_eq!(target["first_seen"], "2026-01-01T00:20:00Z");
    let plain = ask(&fixture, &["--address", "10.0.0.5"]);
    assert_eq!((&plain["followed"], &plain["touched"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    let run = fixture.run(&["investigate", "-", "--snapshot", "snap", "--port", "22", "--follow"]);
    assert!(run.status == Some(2) && run.stderr.contains("--follow reads the logs twice"), "{}", run.stderr);
}

#[test]
fn an_address_of_ours_is_not_its_own_peer() {
    let fixture = fixture(&[
        at(0, "eni-a 10.0.0.5 10.0.0.6 40000 22 6 ACCEPT"),
        at(0, "eni-w 10.0.0.5 10.0.0.6 40000 22 6 ACCEPT"),
    ]);
    let summary = ask(&fixture, &["--address", "10.0.0.5"])["summary"].clone();
    assert_eq!((&summary["egress"]["records"], &summary["ingress"]["records"]), (&2.into(), &0.into()));
    assert_eq!((&summary["distinct_peers"], &summary["peers"][0]["peer"]), (&1.into(), &"10.0.0.6".into()));
    assert_eq!(summary["far_end_records"], 1);
}

#[test]
fn a_refusal_after_a_connection_was_open_belongs_to_it() {
    // The idle connection is gone from the table: the server's own packet is refused on its way out.
    let fixture = fixture(&[
        at(0, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"),
        at(30, "eni-a 10.0.0.5 10.0.0.9 443 40000 6 REJECT"),
    ]);
    assert_eq!(
        lines(&ask(&fixture, &["--address", "10.0.0.9"])),
        [
            "2026-01-01T00:00:00Z eni-a peer 10.0.0.9:40000 > 10.0.0.5:443 1/0",
            "2026-01-01T00:30:00Z eni-a peer 10.0.0.9:40000 > 10.0.0.5:443 0/1",
        ]
    );
}

#[test]
fn flags_tell_who_opened_it_where_no_rule_does() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &[group("sg-a"), interface("eni-a", "10.0.0.5", &["sg-a"])]);
    let header = format!("{} tcp-flags flow-direction", crate::fixture::HEADER);
    let rows = [
        format!("{} 2 ingress", at(0, "eni-x 10.0.0.9 10.9.9.9 40000 443 6 ACCEPT")),
        format!("{} 18 egress", at(0, "eni-x 10.9.9.9 10.0.0.9 443 40000 6 ACCEPT")),
    ];
    fixture.write("log", crate::fixture::text_with(&header, &rows));
    assert_eq!(
        lines(&ask(&fixture, &["--port", "443"])),
        ["2026-01-01T00:00:00Z eni-x peer 10.0.0.9:40000 > 10.9.9.9:443 2/0"]
    );
}

#[test]
fn what_is_too_much_to_keep_is_said() {
    // More connections than are kept, in one minute.
    let rows: Vec<String> = (0..70_000_u32)
        .map(|n| {
            let [_, _, high, low] = n.to_be_bytes();
            at(0, &format!("eni-a 10.1.{high}.{low} 10.0.0.5 {} 443 6 ACCEPT", 40_000 + n / 65_536))
        })
        .collect();
    let fixture = fixture(&rows);
    let answer = ask(&fixture, &["--port", "443"]);
    assert_eq!(answer["conversations"].as_array().unwrap().len(), 65_536);
    assert_eq!(answer["conversations_until"], "2026-01-01T00:00:00Z");
    assert_eq!(
        (&answer["summary"]["accepted"], &answer["findings"][0]["kind"]),
        (&70_000.into(), &"coverage_gap".into())
    );
    let run =
        fixture.run(&["investigate", "log", "--snapshot", "snap", "--port", "443", "--fail-on", "medium"]);
    assert_eq!(run.status, Some(1));
    let text = String::from_utf8(run.stdout.clone()).unwrap();
    assert!(text.contains("not everything is in this list"), "{text}");
}

#[test]
fn conversations_are_a_table_without_formulas() {
    let fixture = fixture(&[
        at(0, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"),
        at(1, "=cmd|x 10.0.0.9 10.0.0.5 40000 22 6 REJECT"),
    ]);
    let run = fixture.run(&[
        "investigate",
        "log",
        "--snapshot",
        "snap",
        "--address",
        "10.0.0.9",
        "--format",
        "csv",
    ]);
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(&run.stdout[..]).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2, "{}", run.stderr);
    let cells = |row: usize, from: usize, to: usize| rows[row].iter().collect::<Vec<_>>()[from..to].join(",");
    assert_eq!(cells(0, 3, 12), "eni-a,tcp,10.0.0.5,443,10.0.0.9,40000,peer,1,0");
    assert_eq!(&rows[0][18], "sg-a:ingress:tcp:443-443:10.0.0.0/8");
    assert!(rows[1][3].starts_with("'=cmd"), "{:?}", rows[1]);
}
