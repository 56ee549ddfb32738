//! `merge`, `report` and `analyze --save-state`: the report of one run, byte for byte, and its exit status.

use std::path::Path;

use crate::fixture::{Fixture, HEADER, HOUR, Object, T0, group, interface, row_at, silence_at, text_with};
use crate::shared::shared;

/// A bastion, a web server that it reaches, and a rule nobody uses.
pub(crate) fn objects() -> Vec<Object> {
    vec![
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").ingress("tcp", 443, 443, "0.0.0.0/0"),
        group("sg-b").ingress("tcp", 0, 65535, "10.0.0.0/8").egress("-1", -1, -1, "0.0.0.0/0"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        interface("eni-b", "10.0.0.6", &["sg-b"]),
    ]
}

/// Traffic of one day: some that is decided at once, some that waits for the whole input, some that is refused, and some
/// on an interface that nobody knows.
pub(crate) fn day(day: i64) -> Vec<String> {
    let mut rows = Vec::new();
    for hour in 0..24 {
        let at = T0 + (day * 24 + hour) * HOUR;
        let client = 40_000 + (day * 24 + hour) % 5_000;
        rows.push(row_at(at, &format!("eni-a 192.0.2.9 10.0.0.5 {client} 443 6 ACCEPT")));
        rows.push(row_at(at + 60, &format!("eni-b 10.0.0.9 10.0.0.6 {client} 8080 6 ACCEPT")));
        rows.push(row_at(at + 61, &format!("eni-b 10.0.0.6 10.0.0.9 8080 {client} 6 ACCEPT")));
        rows.push(row_at(
            at + 120,
            &format!("eni-a 198.51.100.{hour} 10.0.0.5 {client} {} 6 REJECT", 1000 + day),
        ));
        rows.push(row_at(at + 180, "eni-x 192.0.2.9 10.0.0.77 40000 443 6 ACCEPT"));
        rows.push(silence_at(at + 240, "eni-b", "NODATA"));
    }
    rows
}

/// A folder with the logs of so many days, `day1` and so on, and a snapshot that is always in force.
pub(crate) fn days(count: i64) -> Fixture {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    for number in 1..=count {
        let (rows, more) = (day(number - 1), day(number - 1).split_off(100));
        let mut lines = rows[..100].to_vec();
        lines.insert(10, "2 111111111111 eni-a not a record".to_owned());
        fixture.write(&format!("day{number}/a.log"), text_with(HEADER, &lines));
        fixture.write(&format!("day{number}/b.log"), text_with(HEADER, &more));
    }
    fixture
}

/// The report of a command, which must end with this status.
#[track_caller]
pub(crate) fn printed(fixture: &Fixture, arguments: &[&str], status: i32) -> String {
    let run = fixture.run(arguments);
    assert_eq!(run.status, Some(status), "{arguments:?}");
    String::from_utf8(run.stdout.clone()).unwrap()
}

#[test]
fn merged_states_report_as_one_run_does() {
    let fixture = days(3);
    for day in ["day1", "day2", "day3"] {
        let state = format!("{day}.state");
        let alone = printed(&fixture, &["analyze", day, "--snapshot", "snap"], 0);
        let saved = printed(&fixture, &["analyze", day, "--snapshot", "snap", "--save-state", &state], 0);
        assert_eq!(saved, alone);
        assert_eq!(printed(&fixture, &["report", &state], 0), alone);
    }
    for format in ["json", "text"] {
        let all = ["analyze", "day1", "day2", "day3", "--snapshot", "snap", "--format", format];
        let want = printed(&fixture, &all, 0);
        for order in [["day1", "day2", "day3"], ["day3", "day1", "day2"]] {
            let [a, b, c] = order.map(|day| format!("{day}.state"));
            assert_eq!(printed(&fixture, &["merge", &a, &b, &c, "--format", format], 0), want);
            printed(&fixture, &["merge", &b, &c, "--save-state", "two.state"], 0);
            assert_eq!(printed(&fixture, &["report", "two.state", &a, "--format", format], 0), want);
            printed(&fixture, &["merge", &a, "two.state", "--save-state", "all.state"], 0);
            assert_eq!(printed(&fixture, &["report", "all.state", "--format", format], 0), want);
        }
    }
    printed(
        &fixture,
        &["analyze", "day1", "day2", "day3", "--snapshot", "snap", "--save-state", "one.state"],
        0,
    );
    let bytes = |name: &str| std::fs::read(fixture.path(name)).unwrap();
    assert!(bytes("one.state") == bytes("all.state"), "the same state is the same bytes");
}

#[test]
fn a_file_that_failed_fails_in_every_report_of_its_state() {
    let fixture = days(2);
    fixture.write("day2/c.log", "dear diary\nnothing here\n");
    printed(&fixture, &["analyze", "day1", "--snapshot", "snap", "--save-state", "1.state"], 0);
    printed(&fixture, &["analyze", "day2", "--snapshot", "snap", "--save-state", "2.state"], 3);
    let want = printed(&fixture, &["analyze", "day1", "day2", "--snapshot", "snap", "--format", "json"], 3);
    assert_eq!(printed(&fixture, &["merge", "1.state", "2.state", "--format", "json"], 3), want);
    let run = fixture.run(&["report", "2.state"]);
    assert!(run.stderr.contains("day2/c.log: not a flow log"), "{}", run.stderr);
    assert_eq!(fixture.run(&["report", "2.state", "--quiet"]).stderr, "");
}

#[test]
fn reports_of_states_take_the_options_of_reports() {
    let fixture = days(1);
    printed(&fixture, &["analyze", "day1", "--snapshot", "snap", "--save-state", "1.state"], 0);
    printed(&fixture, &["report", "1.state", "--fail-on", "info"], 1);
    assert_eq!(printed(&fixture, &["report", "1.state", "--output", "out.json", "--format", "json"], 0), "");
    let want = printed(&fixture, &["report", "1.state", "--format", "json"], 0);
    assert_eq!(std::fs::read_to_string(fixture.path("out.json")).unwrap(), want);
}

#[test]
fn a_pipe_can_be_saved() {
    let fixture = days(1);
    let log = std::fs::read(fixture.path("day1/a.log")).unwrap();
    let run = fixture.analyze_piped(&["-", "--snapshot", "snap", "--save-state", "pipe.state"], &log).exit(0);
    let want = String::from_utf8(run.stdout.clone()).unwrap();
    assert_eq!(printed(&fixture, &["report", "pipe.state", "--format", "json"], 0), want);
}

/// The logs of a worked case, cut in three, against all of them.
#[track_caller]
fn case(name: &str, log: &str, snapshots: &[&str]) {
    let Some(folder) = shared(&format!("cases/{name}")) else { return };
    let fixture = Fixture::new();
    let logs = folder.join(log);
    let mut files: Vec<_> = if logs.is_dir() {
        std::fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path()).collect()
    } else {
        vec![logs]
    };
    files.sort();
    let options: Vec<String> = snapshots
        .iter()
        .flat_map(|snapshot| {
            let (at, name) = snapshot.rsplit_once('=').map_or(("", *snapshot), |(at, name)| (at, name));
            let equals = if at.is_empty() { "" } else { "=" };
            ["--snapshot".to_owned(), format!("{at}{equals}{}", folder.join(name).display())]
        })
        .collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let parts = cut(&fixture, &files);
    let all: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    let want = printed(&fixture, &[&["analyze", "--format", "json"], &all[..], &options].concat(), 0);
    let mut states = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let state = format!("{number}.state");
        let logs: Vec<&str> = part.iter().map(String::as_str).collect();
        let save = ["--save-state", &state];
        printed(&fixture, &[&["analyze"], &logs[..], &options, &save].concat(), 0);
        states.push(state);
    }
    let states: Vec<&str> = states.iter().rev().map(String::as_str).collect();
    assert_eq!(printed(&fixture, &[&["merge", "--format", "json"], &states[..]].concat(), 0), want, "{name}");
}

/// Writes every text file in three, and says which piece belongs to which part.
fn cut(fixture: &Fixture, files: &[impl AsRef<Path>]) -> Vec<Vec<String>> {
    let mut parts = vec![Vec::new(); 3];
    for (number, file) in files.iter().enumerate() {
        let bytes = std::fs::read(file).unwrap();
        let Ok(text) = String::from_utf8(bytes.clone()) else {
            let name = file.as_ref().display().to_string();
            parts[number % 3].push(name);
            continue;
        };
        let (header, rows) = text.split_once('\n').unwrap();
        let rows: Vec<&str> = rows.lines().collect();
        let pieces = rows.chunks(rows.len().div_ceil(3).max(1));
        for ((at, part), rows) in parts.iter_mut().enumerate().zip(pieces) {
            let name = format!("{number}-{at}.log");
            fixture.write(&name, format!("{header}\n{}\n", rows.join("\n")));
            part.push(name);
        }
    }
    parts
}

#[test]
fn worked_cases_in_three_states() {
    case("one-snapshot", "logs", &["snap-0"]);
    case("default-format", "logs", &["snap-0"]);
    let two = ["2026-01-01T00:00:00Z=snap-0", "2026-01-01T12:00:00Z=snap-1"];
    case("two-snapshots", "logs", &two);
    case("default-format-two-snapshots", "logs", &two);
    case("believable", "v2.log", &["snap-0"]);
    case("believable", "v5.log", &["snap-0"]);
}
