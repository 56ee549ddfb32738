//! The report is about the records, whatever they came in: containers, files, threads, flow logs.

use serde_json::{Value, json};

use crate::containers::every_container;
use crate::fixture::{
    Fixture, HEADER, HOUR, Object, Run, T0, group, gzip, interface, row, row_at, silence_at, text, text_with,
};
use crate::parquet_log::parquet;

const SSH: &str = "sg-a:ingress:tcp:22-22:10.0.0.0/8";

fn objects() -> Vec<Object> {
    vec![
        group("sg-a")
            .ingress("tcp", 22, 22, "10.0.0.0/8")
            .ingress("tcp", 443, 443, "0.0.0.0/0")
            .ingress("icmp", -1, -1, "10.0.0.0/8")
            .egress("-1", -1, -1, "0.0.0.0/0")
            .egress("-1", -1, -1, "::/0"),
        group("sg-b").ingress("tcp", 5432, 5432, "sg-a"),
        interface("eni-a", "10.0.0.5", &["sg-a"])
            .push("Ipv6Addresses", json!({ "Ipv6Address": "2600:1f18::5" })),
        interface("eni-b", "10.0.0.6", &["sg-b"]),
    ]
}

/// Some of everything.
fn rows() -> Vec<String> {
    let mut rows = vec![
        row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"),
        row("eni-a 10.0.0.5 10.0.0.9 22 40000 6 ACCEPT"),
        row("eni-a 192.0.2.9 10.0.0.5 50000 443 6 ACCEPT"),
        row("eni-a 192.0.2.9 10.0.0.5 50000 3389 6 REJECT"),
        row("eni-a 10.0.0.9 10.0.0.5 0 0 1 ACCEPT"),
        row("eni-a 2600:1f18::5 2a00:1450::9 50000 443 6 ACCEPT"),
        row("eni-b 10.0.0.5 10.0.0.6 33000 5432 6 ACCEPT"),
        row("eni-b 10.0.0.9 10.0.0.6 33000 5432 6 REJECT"),
        row("eni-x 10.0.0.9 10.0.0.7 33000 5432 6 ACCEPT"),
        silence_at(T0 + HOUR, "eni-b", "NODATA"),
        silence_at(T0 + HOUR, "eni-a", "SKIPDATA"),
    ];
    // Undecided at first: the whole input decides them.
    rows.extend((0..20).map(|at| {
        row_at(T0 + 90 * at, &format!("eni-a 10.0.0.9 10.0.0.5 {} {} 6 ACCEPT", 40000 + at, 30000 + at % 3))
    }));
    rows
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    fixture
}

fn report(fixture: &Fixture, logs: &[&str]) -> Run {
    fixture.analyze(&[logs, &["--snapshot", "snap"]].concat()).exit(0)
}

#[test]
fn every_container_gives_the_same_report() {
    let fixture = fixture();
    let rows = rows();
    fixture.log("expected", &rows);
    let expected = report(&fixture, &["expected"]).apart_from_files();
    assert_eq!(expected["coverage"]["records"]["total"], rows.len());
    for (name, bytes) in every_container(&rows) {
        fixture.write("log", bytes);
        let run = report(&fixture, &["log"]);
        assert_eq!(run.apart_from_files(), expected, "{name}");
        assert_eq!(run.at("/coverage/faults"), &json!([]), "{name}");
        assert_eq!(run.at("/coverage/files/read"), 1, "{name}");
    }
}

#[test]
fn threads_order_and_splits_change_nothing() {
    let rows = rows();
    let whole = fixture();
    whole.log("logs/all", &rows);
    let expected = report(&whole, &["logs"]);
    for threads in ["1", "2", "7", "0"] {
        let run = report(&whole, &["logs", "--threads", threads]);
        assert_eq!(run.stdout, expected.stdout, "{threads} threads");
    }
    for parts in [2, 3, 7] {
        let split = fixture();
        for part in 0..parts {
            let mine: Vec<String> = rows.iter().skip(part).step_by(parts).rev().cloned().collect();
            let bytes = match part % 3 {
                0 => text(&mine).into_bytes(),
                1 => gzip(text(&mine).as_bytes()),
                _ => parquet(&mine),
            };
            split.write(&format!("logs/{}/{part}", (parts - part) % 2), bytes);
        }
        for threads in ["1", "2", "7"] {
            let run = report(&split, &["logs", "--threads", threads]);
            assert_eq!(run.apart_from_files(), expected.apart_from_files(), "{parts} parts");
            assert_eq!(run.at("/coverage/files/read"), parts);
        }
        let named = report(&split, &["logs/1", "logs/0"]);
        assert_eq!(named.stdout, report(&split, &["logs/*"]).stdout);
        assert_eq!(named.stdout, report(&split, &["logs/0", "logs/1/*"]).stdout);
    }
}

#[test]
fn a_file_given_twice_counts_once() {
    let fixture = fixture();
    fixture.log("logs/a", &rows());
    let expected = report(&fixture, &["logs/a"]);
    let inputs: [&[&str]; 4] =
        [&["logs/a", "logs/a"], &["logs", "logs/a"], &["logs/a", "./logs/../logs/a"], &["logs/*", "logs"]];
    for inputs in inputs {
        assert_eq!(report(&fixture, inputs).stdout, expected.stdout, "{inputs:?}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(fixture.path("logs/a"), fixture.path("link")).unwrap();
        assert_eq!(report(&fixture, &["logs/a", "link"]).stdout, expected.stdout);
    }
}

#[test]
fn logs_may_come_through_a_pipe() {
    let fixture = fixture();
    fixture.log("log", &rows());
    let expected = report(&fixture, &["log"]).apart_from_files();
    for bytes in [text(&rows()).into_bytes(), gzip(text(&rows()).as_bytes())] {
        let run = fixture.analyze_piped(&["-", "--snapshot", "snap"], &bytes).exit(0);
        assert_eq!(run.apart_from_files(), expected);
    }
    // Files of two flow logs are read twice; a pipe cannot be.
    let web = hourly(0..10, "eni-a 192.0.2.9 10.0.0.5 40000 443 6 ACCEPT");
    fixture.write(&delivered("fl-0aaa", "x"), text(&web));
    fixture.write(&delivered("fl-0bbb", "x"), text(&web));
    let rows = [row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")];
    let run = fixture.analyze_piped(&["-", "logs", "--snapshot", "snap"], text(&rows).as_bytes()).exit(0);
    assert_eq!((run.records("total"), run.usage(SSH, "records")), (11, 1));
    assert_eq!(run.at("/coverage/files/read"), 3);
    let broken = fixture.analyze_piped(&["-", "--snapshot", "snap"], b"\x89PNG\r\n\x1a\n").exit(2);
    assert!(broken.stderr.contains("PNG"));
}

#[test]
fn fields_name_the_columns_of_files_without_a_header() {
    let fixture = fixture();
    let names = "action dstport interface-id srcaddr dstaddr srcport protocol start end log-status";
    let lines = [
        "ACCEPT 22 eni-a 10.0.0.9 10.0.0.5 40000 6 1767225600 1767225660 OK",
        "REJECT 23 eni-a 10.0.0.9 10.0.0.5 40000 6 1767225600 1767225660 OK",
    ];
    fixture.write("log", lines.join("\n"));
    let format: Vec<String> = names.split(' ').map(|name| format!("${{{name}}}")).collect();
    for fields in [format.join(" "), names.to_owned()] {
        let run = report(&fixture, &["log", "--fields", &fields]);
        assert_eq!((run.records("accepted"), run.records("rejected")), (1, 1), "{fields}");
        assert_eq!(run.verdict(SSH), "used", "{fields}");
        assert_eq!(run.blocked(), ["eni-a ingress tcp 23 security_group 1"], "{fields}");
    }
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(2);
    assert!(run.stderr.contains("log") && run.stderr.contains("--fields"));
    // A header line wins.
    fixture.log("with-header", &rows());
    let run = report(&fixture, &["with-header", "--fields", &format.join(" ")]);
    assert_eq!(run.records("total"), rows().len() as u64);
}

#[test]
fn since_and_until_are_half_open_by_start() {
    let fixture = fixture();
    let rows: Vec<String> = [0, 59, 60, 119, 120]
        .map(|second| row_at(T0 + second, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"))
        .into_iter()
        .chain([silence_at(T0 + 60, "eni-a", "NODATA"), silence_at(T0 + 120, "eni-a", "NODATA")])
        .collect();
    fixture.log("log", &rows);
    let (one, two) = ("2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z");
    let cases: [(&[&str], u64, u64); 6] = [
        (&[], 7, 0),
        (&["--since", one], 5, 2),
        (&["--until", one], 2, 5),
        (&["--since", one, "--until", two], 3, 4),
        (&["--since", "2026-01-01T01:01:00+01:00", "--until", two], 3, 4),
        (&["--since", "2026-01-01", "--until", "2026-01-02"], 7, 0),
    ];
    for (options, total, outside) in cases {
        let run = report(&fixture, &[&["log"], options].concat());
        assert_eq!((run.records("total"), run.records("outside_window")), (total, outside), "{options:?}");
    }
    let run = report(&fixture, &["log", "--since", one, "--until", two]);
    assert_eq!(run.usage(SSH, "records"), 2);
    assert_eq!(run.at("/window"), &json!({ "first_seen": one, "last_seen": "2026-01-01T00:02:59Z" }));
    let run = report(&fixture, &["log", "--since", "2027-01-01"]);
    assert_eq!(run.at("/window"), &json!({ "first_seen": null, "last_seen": null }));
    assert_eq!(run.with_verdict("not_seen"), [] as [&str; 0]);
    assert_ne!(run.findings("coverage_gap"), [] as [&Value; 0]);
}

#[test]
fn nobody_asks_what_is_wrong_with_a_row_outside_the_window() {
    let fixture = fixture();
    // Row groups of three: all before, across, inside, all behind; each with a row that is no record.
    let seconds = [0, 10, 20, 30, 60, 70, 80, 90, 100, 120, 130, 140];
    let rows: Vec<String> = (0..)
        .zip(seconds)
        .map(|(at, second)| {
            let peer = if at % 3 == 1 { "10.0.0.256" } else { "10.0.0.9" };
            row_at(T0 + second, &format!("eni-a {peer} 10.0.0.5 40000 22 6 ACCEPT"))
        })
        .collect();
    let window = ["--since", "2026-01-01T00:01:00Z", "--until", "2026-01-01T00:02:00Z"];
    for (name, bytes) in every_container(&rows) {
        fixture.write("log", bytes);
        let run = report(&fixture, &[&["log"], &window[..]].concat());
        let counts = ["total", "malformed", "outside_window"].map(|count| run.records(count));
        assert_eq!(counts, [3, 2, 7], "{name}");
        let place = run.at("/coverage/faults/0/first");
        let (row, line) = (place["row"].as_u64(), place["line"].as_u64());
        assert!(row == Some(5) || line.is_some_and(|line| line == 5 || line == 6), "{name}: {place}");
    }
}

/// The name that AWS gives to a file of a flow log.
fn delivered(flow_log: &str, extra: &str) -> String {
    format!("logs/111111111111_vpcflowlogs_us-east-1_{flow_log}_20260101T0000Z_{extra}.log")
}

fn hourly(hours: std::ops::Range<i64>, flow: &str) -> Vec<String> {
    hours.map(|hour| row_at(T0 + hour * HOUR, flow)).collect()
}

/// With tcp-flags, so that the basis tells which flow log was counted.
fn with_flags(rows: &[String]) -> String {
    let rows: Vec<String> = rows.iter().map(|row| format!("{row} 2")).collect();
    text_with(&format!("{HEADER} tcp-flags"), &rows)
}

#[test]
fn two_flow_logs_of_one_interface_count_once() {
    let fixture = fixture();
    let rows = hourly(0..10, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT");
    fixture.write(&delivered("fl-0aaa", "x"), text(&rows));
    fixture.write(&delivered("fl-0bbb", "x"), with_flags(&rows));
    let cases: [(&[&str], &str, &str); 3] = [
        (&[], "fl-0aaa", "fl-0bbb"),
        (&["--flow-log", "fl-0aaa"], "fl-0aaa", "fl-0bbb"),
        (&["--flow-log", "fl-0bbb"], "fl-0bbb", "fl-0aaa"),
    ];
    for (options, counted, left_out) in cases {
        let run = report(&fixture, &[&["logs"], options].concat());
        assert_eq!((run.records("total"), run.usage(SSH, "records")), (10, 10), "{options:?}");
        assert_eq!(run.basis("tcp_flags"), if counted == "fl-0bbb" { 10 } else { 0 }, "{options:?}");
        let gaps = run.findings("coverage_gap");
        let names = |gap: &&&Value| gap.to_string().contains(counted) && gap.to_string().contains(left_out);
        assert_eq!(gaps.iter().filter(names).count(), 1, "{options:?}");
    }
    let run = fixture.analyze(&["logs", "--snapshot", "snap", "--flow-log", "fl-0ccc"]).exit(2);
    for word in ["fl-0ccc", "fl-0aaa", "fl-0bbb"] {
        assert!(run.stderr.contains(word), "{word}");
    }
}

/// Whether some finding says that one flow log delivers what another does.
fn names_a_duplicate(run: &Run) -> bool {
    run.findings("coverage_gap").iter().any(|gap| gap.to_string().contains("fl-0"))
}

#[test]
fn flow_logs_that_follow_each_other_both_count() {
    let fixture = fixture();
    let flow = "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT";
    fixture.write(&delivered("fl-0aaa", "x"), text(&hourly(0..12, flow)));
    fixture.write(&delivered("fl-0bbb", "x"), with_flags(&hourly(12..24, flow)));
    let run = report(&fixture, &["logs"]);
    assert_eq!((run.usage(SSH, "records"), run.basis("tcp_flags")), (24, 12));
    assert!(!names_a_duplicate(&run));
}

#[test]
fn what_one_flow_log_delivered_alone_counts_beside_what_both_delivered() {
    let minutes = |range: std::ops::Range<i64>| -> Vec<String> {
        let flow = "eni-a 192.0.2.9 10.0.0.5 40000 443 6 ACCEPT";
        range.step_by(10).map(|minute| row_at(T0 + 60 * minute, flow)).collect()
    };
    let fixture = fixture();
    // The second begins at 06:20, the first ends at 06:50; only the first has the record of 06:05.
    let mut first = minutes(0..420);
    first.truncate(42);
    first.push(row_at(T0 + 6 * HOUR + 300, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"));
    fixture.write(&delivered("fl-0aaa", "x"), text(&first));
    fixture.write(&delivered("fl-0bbb", "x"), text(&minutes(380..1440)));
    for options in [&[][..], &["--flow-log", "fl-0aaa"], &["--flow-log", "fl-0bbb"]] {
        let run = report(&fixture, &[&["logs"], options].concat());
        assert_eq!((run.verdict(SSH), run.usage(SSH, "records")), ("used".to_owned(), 1), "{options:?}");
        assert_eq!(run.records("total"), 145, "{options:?}");
    }
}

#[test]
fn an_accept_only_and_a_reject_only_flow_log_both_count() {
    let fixture = fixture();
    let mut accepts = hourly(0..24, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT");
    let mut rejects = hourly(0..24, "eni-a 10.0.0.9 10.0.0.5 40000 23 6 REJECT");
    // Both may say that there was nothing, which counts once.
    accepts.push(silence_at(T0 + HOUR, "eni-a", "NODATA"));
    rejects.push(silence_at(T0 + HOUR, "eni-a", "NODATA"));
    fixture.write(&delivered("fl-0aaa", "x"), text(&accepts));
    let accept_only = report(&fixture, &["logs"]);
    assert_eq!(accept_only.finding("coverage_gap/accept_only")["severity"], "medium");
    fixture.write(&delivered("fl-0bbb", "x"), text(&rejects));
    let both = report(&fixture, &["logs"]);
    assert_eq!((both.records("accepted"), both.records("rejected"), both.records("no_data")), (24, 24, 1));
    assert!(!names_a_duplicate(&both));
    assert!(!both.finding_ids("coverage_gap").contains(&"accept_only".to_owned()));
    std::fs::remove_file(fixture.path(&delivered("fl-0aaa", "x"))).unwrap();
    let reject_only = report(&fixture, &["logs"]);
    assert_eq!(reject_only.finding("coverage_gap/reject_only")["severity"], "medium");
}

#[test]
fn what_was_read_before_a_break_counts_and_the_break_is_named() {
    let fixture = fixture();
    let rows = hourly(0..5000, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT");
    let whole = gzip(text(&rows).as_bytes());
    fixture.write("logs/cut.log.gz", &whole[..whole.len() / 2]);
    fixture.log("logs/good.log", &rows[..10]);
    let run = fixture.analyze(&["logs", "--snapshot", "snap"]).exit(3);
    let read = run.records("accepted");
    assert!((1000..5010).contains(&read), "{read}");
    assert_eq!(run.usage(SSH, "records"), read);
    assert_eq!((run.at("/coverage/files/read"), run.at("/coverage/files/failed")), (&json!(1), &json!(1)));
    assert_eq!(run.at("/coverage/files/failures/0/file"), "logs/cut.log.gz");
    assert!(run.stderr.contains("logs/cut.log.gz"));
}

#[test]
fn what_is_no_flow_log_is_named_and_the_others_are_read() {
    let fixture = fixture();
    fixture.log("logs/good", &rows());
    let expected = report(&fixture, &["logs"]).apart_from_files();
    let tgw = "version resource-type account-id tgw-id tgw-attachment-id srcaddr dstaddr srcport dstport protocol\n\
               6 TransitGateway 111111111111 tgw-1 tgw-attach-1 10.0.0.1 10.0.0.2 1 2 6\n";
    let others: [(&str, &[u8], &str); 4] = [
        ("logs/image", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        ("logs/transit", tgw.as_bytes(), "transit gateway"),
        ("logs/groups", br#"{"SecurityGroups":[]}"#, "SecurityGroups"),
        ("logs/notes", b"dear diary\nnothing here\n", "not a flow log"),
    ];
    for (file, bytes, _) in others {
        fixture.write(file, bytes);
    }
    let run = fixture.analyze(&["logs", "--snapshot", "snap"]).exit(3);
    assert_eq!(run.apart_from_files(), expected);
    assert_eq!(run.at("/coverage/files/failed"), 4);
    for (file, _, word) in others {
        let failures = run.at("/coverage/files/failures").as_array().unwrap();
        let failure = failures.iter().find(|failure| failure["file"] == file).unwrap();
        assert!(failure["error"].as_str().unwrap().contains(word), "{failure}");
        assert!(run.stderr.contains(file), "{file}");
    }
    let quiet = fixture.analyze(&["logs", "--snapshot", "snap", "--quiet"]).exit(3);
    assert_eq!((quiet.stderr.as_str(), &quiet.stdout), ("", &run.stdout));
}
