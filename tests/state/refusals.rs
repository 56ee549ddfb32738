//! What does not add up is refused, and the message says what to do.

use crate::command::{day, days, objects, printed};
use crate::fixture::{Fixture, HOUR, T0, group};

#[track_caller]
fn refused(fixture: &Fixture, arguments: &[&str], words: &[&str]) {
    let run = fixture.run(arguments);
    assert_eq!(run.status, Some(2), "{arguments:?}");
    assert!(run.stdout.is_empty());
    for word in words {
        assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
    }
}

/// `NAME.state` of a log, with options.
#[track_caller]
fn save(fixture: &Fixture, name: &str, log: &str, options: &[&str]) {
    let state = format!("{name}.state");
    printed(fixture, &[&["analyze", log, "--save-state", &state], options].concat(), 0);
}

#[test]
fn the_same_input_twice() {
    let fixture = days(2);
    save(&fixture, "1", "day1", &["--snapshot", "snap"]);
    save(&fixture, "2", "day2", &["--snapshot", "snap"]);
    printed(&fixture, &["merge", "1.state", "2.state", "--save-state", "both.state"], 0);
    refused(&fixture, &["merge", "1.state", "1.state"], &["1.state: given twice"]);
    std::fs::copy(fixture.path("1.state"), fixture.path("copy.state")).unwrap();
    refused(&fixture, &["merge", "1.state", "copy.state"], &["copy.state: day1/a.log", "1.state already"]);
    refused(&fixture, &["report", "both.state", "2.state"], &["2.state: day2/a.log", "both.state already"]);
    // A copy that keeps its time is the same file under another name.
    std::fs::create_dir(fixture.path("copies")).unwrap();
    let original = std::fs::File::open(fixture.path("day1/a.log")).unwrap();
    std::fs::copy(fixture.path("day1/a.log"), fixture.path("copies/a.log")).unwrap();
    let copy = std::fs::File::options().append(true).open(fixture.path("copies/a.log")).unwrap();
    copy.set_modified(original.metadata().unwrap().modified().unwrap()).unwrap();
    save(&fixture, "3", "copies", &["--snapshot", "snap"]);
    refused(
        &fixture,
        &["merge", "1.state", "3.state"],
        &["copies/a.log (there day1/a.log)", "1.state already"],
    );
}

#[test]
fn other_settings() {
    let fixture = days(2);
    fixture.write("ports.toml", "[[sensitive_ports]]\nport = 7\n");
    fixture.write("words.toml", "rare_words = [\"kept\"]\n");
    save(&fixture, "1", "day1", &["--snapshot", "snap"]);
    let cases: [(&[&str], &[&str]); 6] = [
        (&["--review-period", "30d"], &["--review-period", "30d", "90d"]),
        (&["--port-profile", "cis"], &["--port-profile", "cis", "default"]),
        (&["--config", "ports.toml"], &["--port-profile", "config", "default"]),
        (&["--config", "words.toml"], &["rare_words", "kept", "break glass"]),
        (&["--since", "2026-01-02"], &["--since", "2026-01-02T00:00:00Z", "none"]),
        (&["--flow-log", "fl-1"], &["--flow-log", "fl-1", "none"]),
    ];
    for (options, words) in cases {
        save(&fixture, "2", "day2", &[&["--snapshot", "snap"], options].concat());
        let words = [&["2.state: made with other settings than 1.state"], words].concat();
        refused(&fixture, &["merge", "1.state", "2.state"], &words);
        let night = [&["analyze", "day2", "--snapshot", "snap", "--state", "1.state"], options].concat();
        refused(
            &fixture,
            &night,
            &[&["1.state: made with other settings than this run"], &words[1..]].concat(),
        );
    }
}

#[test]
fn contradictory_snapshots() {
    let fixture = days(2);
    let mut other = objects();
    other.push(group("sg-new").ingress("tcp", 25, 25, "0.0.0.0/0"));
    fixture.snapshot("other", &other);
    save(&fixture, "1", "day1", &["--snapshot", "snap"]);
    save(&fixture, "2", "day2", &["--snapshot", "other"]);
    let always = ["contradictory snapshots without a time", "--snapshot TIME=PATH"];
    refused(&fixture, &["merge", "1.state", "2.state"], &always);
    refused(&fixture, &["analyze", "day2", "--snapshot", "other", "--state", "1.state"], &always);
    save(&fixture, "1", "day1", &["--snapshot", "2026-01-01=snap"]);
    save(&fixture, "2", "day2", &["--snapshot", "2026-01-01=other"]);
    let dated = ["contradictory snapshots", "for 2026-01-01T00:00:00Z"];
    refused(&fixture, &["merge", "1.state", "2.state"], &dated);
    refused(&fixture, &["analyze", "day2", "--snapshot", "2026-01-01=other", "--state", "1.state"], &dated);
}

#[test]
fn a_snapshot_that_comes_too_late() {
    let fixture = days(3);
    let mut other = objects();
    other.push(group("sg-new").ingress("tcp", 25, 25, "0.0.0.0/0"));
    fixture.snapshot("other", &other);
    let second = format!("{}=other", flowaudit::time::format(T0 + 24 * HOUR));
    save(&fixture, "1", "day1", &["--snapshot", "2026-01-01=snap"]);
    save(&fixture, "2", "day2", &["--snapshot", "2026-01-01=snap"]);
    save(&fixture, "3", "day3", &["--snapshot", "2026-01-01=snap", "--snapshot", &second]);
    // The first day ends before the second snapshot; the second day does not.
    printed(&fixture, &["merge", "1.state", "3.state"], 0);
    let words = ["2.state", "judged without the snapshot of 2026-01-02T00:00:00Z", "read again"];
    refused(&fixture, &["merge", "1.state", "3.state", "2.state"], &words);
    refused(&fixture, &["analyze", "day3", "--snapshot", &second, "--state", "2.state"], &words);
    // An older one changes what everything before it was judged by.
    save(&fixture, "late", "day3", &["--snapshot", &second]);
    refused(
        &fixture,
        &["merge", "1.state", "late.state"],
        &["late.state", "2026-01-01T00:00:00Z", "read again"],
    );
    // Without a record there is nothing to judge.
    fixture.log("empty", &day(0)[..0]);
    save(&fixture, "empty", "empty", &["--snapshot", &second]);
    printed(&fixture, &["merge", "1.state", "empty.state"], 0);
}

#[test]
fn what_is_no_state() {
    let fixture = days(1);
    fixture.write("empty", "");
    for name in ["day1/a.log", "snap/SecurityGroups.json", "empty"] {
        refused(&fixture, &["report", name], &[name, "expected a state", "--save-state"]);
        refused(&fixture, &["merge", name, name], &[name, "expected a state"]);
    }
    refused(&fixture, &["report", "nowhere.state"], &["nowhere.state", "No such file"]);
    refused(&fixture, &["report", "day1"], &["day1"]);
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs/parquet");
    let mut files = walkdir::WalkDir::new(samples).into_iter().map(|entry| entry.unwrap());
    let log = files.find(|entry| entry.file_type().is_file()).unwrap().into_path();
    let log = log.display().to_string();
    refused(&fixture, &["report", &log], &["expected a state", "another Parquet file"]);
}

#[test]
fn a_file_that_is_no_state_is_not_overwritten() {
    let fixture = days(1);
    let before = std::fs::read(fixture.path("day1/a.log")).unwrap();
    for option in ["--save-state", "--state"] {
        let arguments = ["analyze", "day1", "--snapshot", "snap", option, "day1/a.log"];
        refused(&fixture, &arguments, &["day1/a.log", "no state", "lost"]);
    }
    assert!(std::fs::read(fixture.path("day1/a.log")).unwrap() == before);
    refused(
        &fixture,
        &["analyze", "day1", "--snapshot", "snap", "--save-state", "nowhere/x.state"],
        &["nowhere/x.state: cannot write"],
    );
    // What mktemp makes, and an older state.
    fixture.write("x.state", "");
    for _ in 0..2 {
        save(&fixture, "x", "day1", &["--snapshot", "snap"]);
    }
    for option in ["--save-state", "--state"] {
        printed(&fixture, &["analyze", "day1", "--snapshot", "snap", option, "x.state"], 0);
    }
}

#[test]
fn a_first_state_needs_rules() {
    let fixture = days(1);
    refused(&fixture, &["analyze", "day1", "--state", "s.state"], &["no rules given"]);
    assert!(!fixture.path("s.state").exists());
}

#[test]
fn a_later_snapshot_that_makes_an_earlier_one_mean_something_else() {
    let fixture = days(2);
    // The first leaves the account out; the second is of another account; the third tells whose the first VPC is.
    let nameless: Vec<_> = objects().into_iter().map(|object| object.with("OwnerId", "")).collect();
    fixture.snapshot("first", &nameless);
    let other = group("sg-z").ingress("tcp", 25, 25, "0.0.0.0/0").with("VpcId", "vpc-2");
    fixture.snapshot("second", &[other.with("OwnerId", "222222222222")]);
    fixture.snapshot("third", &objects());
    let at = |hours: i64, name: &str| format!("{}={name}", flowaudit::time::format(T0 + hours * HOUR));
    let [first, second, third] = [at(0, "first"), at(12, "second"), at(24, "third")];
    save(&fixture, "1", "day1", &["--snapshot", &first, "--snapshot", &second]);
    save(&fixture, "2", "day2", &["--snapshot", &first, "--snapshot", &second, "--snapshot", &third]);
    let words = ["1.state: the snapshot of 2026-01-01T12:00:00Z means something else", "read again"];
    refused(&fixture, &["merge", "1.state", "2.state"], &words);
}
