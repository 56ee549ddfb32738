//! Flow logs that deliver the same interface, in states of different runs.

use crate::command::{objects, printed};
use crate::fixture::{Fixture, HOUR, T0, row_at, text};

/// The name that AWS gives to a file of a flow log.
fn delivered(folder: &str, flow_log: &str) -> String {
    format!("{folder}/111111111111_vpcflowlogs_us-east-1_{flow_log}_20260101T0000Z_{folder}.log")
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    fixture
}

fn rows(hours: std::ops::Range<i64>) -> Vec<String> {
    let flow = "eni-a 192.0.2.9 10.0.0.5 40000 443 6 ACCEPT";
    hours.flat_map(|hour| (0..6).map(move |at| row_at(T0 + hour * HOUR + at * 600, flow))).collect()
}

const TAIL: [&str; 4] = ["--snapshot", "snap", "--format", "json"];

#[track_caller]
fn analyze(fixture: &Fixture, arguments: &[&str]) -> String {
    printed(fixture, &[&["analyze"], arguments, &TAIL].concat(), 0)
}

#[test]
fn two_flow_logs_in_every_state_count_once_as_in_one_run() {
    let fixture = fixture();
    for day in 0..3 {
        let folder = format!("day{day}");
        let hours = day * 24..day * 24 + 24;
        fixture.write(&delivered(&folder, "fl-0aaa"), text(&rows(hours.clone())));
        // The second one missed some hours.
        fixture.write(&delivered(&folder, "fl-0bbb"), text(&rows(hours.start..hours.end - 5)));
    }
    let want = analyze(&fixture, &["day0", "day1", "day2"]);
    assert!(want.contains("fl-0bbb delivers what fl-0aaa delivers"));
    for day in ["day0", "day1", "day2"] {
        analyze(&fixture, &[day, "--save-state", &format!("{day}.state")]);
        analyze(&fixture, &[day, "--state", "rolling.state"]);
    }
    let merge =
        ["merge", "day2.state", "day0.state", "day1.state", "--format", "json", "--save-state", "m.state"];
    assert_eq!(printed(&fixture, &merge, 0), want);
    assert_eq!(printed(&fixture, &["report", "m.state", "--format", "json"], 0), want);
    assert_eq!(printed(&fixture, &["report", "rolling.state", "--format", "json"], 0), want);
}

#[test]
fn an_overlap_between_states_is_refused() {
    let fixture = fixture();
    fixture.write(&delivered("a", "fl-0aaa"), text(&rows(0..24)));
    fixture.write(&delivered("b", "fl-0bbb"), text(&rows(0..20)));
    analyze(&fixture, &["a", "--save-state", "a.state"]);
    analyze(&fixture, &["b", "--save-state", "b.state"]);
    let run = fixture.run(&["merge", "a.state", "b.state"]);
    assert_eq!(run.status, Some(2));
    for word in ["b.state: eni-a", "fl-0aaa and fl-0bbb", "in one run", "--flow-log"] {
        assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
    }
    // A run that knows the state counts as one run over both would, where the better one is known.
    let want = analyze(&fixture, &["a", "b"]);
    assert_eq!(analyze(&fixture, &["b", "--state", "a.state"]), want);
    assert_eq!(printed(&fixture, &["report", "a.state", "--format", "json"], 0), want);
    let run = fixture.run(&["analyze", "a", "--snapshot", "snap", "--state", "b.state"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("b.state: eni-a"), "{}", run.stderr);
}

#[test]
fn which_one_counts_must_not_change_from_state_to_state() {
    let fixture = fixture();
    let hours = |hours: std::ops::Range<i64>, drop: usize| {
        let mut rows = rows(hours);
        rows.drain(50..50 + drop);
        text(&rows)
    };
    fixture.write(&delivered("day0", "fl-0aaa"), hours(0..24, 0));
    fixture.write(&delivered("day0", "fl-0bbb"), hours(0..24, 2));
    fixture.write(&delivered("day1", "fl-0aaa"), hours(24..48, 9));
    fixture.write(&delivered("day1", "fl-0bbb"), hours(24..48, 0));
    for day in ["day0", "day1"] {
        analyze(&fixture, &[day, "--save-state", &format!("{day}.state")]);
    }
    let run = fixture.run(&["merge", "day0.state", "day1.state"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("fl-0aaa and fl-0bbb"), "{}", run.stderr);
    // As the message says: the choice made for every run.
    let choice = ["--flow-log", "fl-0bbb"];
    for day in ["day0", "day1"] {
        let state = format!("{day}.state");
        analyze(&fixture, &[&[day, "--save-state", &state], &choice[..]].concat());
    }
    let want = analyze(&fixture, &[&["day0", "day1"], &choice[..]].concat());
    assert_eq!(printed(&fixture, &["merge", "day0.state", "day1.state", "--format", "json"], 0), want);
}

#[test]
fn flow_logs_that_follow_each_other_merge() {
    let fixture = fixture();
    fixture.write(&delivered("a", "fl-0aaa"), text(&rows(0..24)));
    fixture.write(&delivered("b", "fl-0bbb"), text(&rows(24..48)));
    analyze(&fixture, &["a", "--save-state", "a.state"]);
    analyze(&fixture, &["b", "--save-state", "b.state"]);
    let want = analyze(&fixture, &["a", "b"]);
    assert_eq!(printed(&fixture, &["merge", "b.state", "a.state", "--format", "json"], 0), want);
}

#[test]
fn files_that_tell_no_flow_log_beside_those_that_do_are_named_across_states() {
    let fixture = fixture();
    fixture.write(&delivered("a", "fl-0aaa"), text(&rows(0..24)));
    fixture.log("b/export", &rows(0..20));
    let want = analyze(&fixture, &["a", "b"]);
    assert!(want.contains("coverage_gap/possible_duplicates"));
    analyze(&fixture, &["a", "--save-state", "a.state"]);
    analyze(&fixture, &["b", "--save-state", "b.state"]);
    assert_eq!(printed(&fixture, &["merge", "a.state", "b.state", "--format", "json"], 0), want);
}

#[test]
fn a_pipe_beside_two_flow_logs() {
    let fixture = fixture();
    fixture.write(&delivered("a", "fl-0aaa"), text(&rows(0..24)));
    fixture.write(&delivered("a", "fl-0bbb"), text(&rows(0..24)));
    let piped = text(&rows(30..40)).into_bytes();
    let arguments = ["a", "-", "--snapshot", "snap"];
    let want = fixture.analyze_piped(&arguments, &piped).exit(0);
    let saved =
        fixture.analyze_piped(&[&arguments[..], &["--save-state", "s.state"]].concat(), &piped).exit(0);
    assert_eq!(saved.stdout, want.stdout);
    let report = fixture.run(&["report", "s.state", "--format", "json"]);
    assert_eq!(report.stdout, want.stdout);
}
