//! `analyze --state`: yesterday's logs added to what is known, every night.

use std::time::{Duration, SystemTime};

use crate::command::{days, objects, printed};
use crate::fixture::{Fixture, HOUR, T0, group, interface, row_at};

#[test]
fn a_state_that_rolls_reports_as_one_run_over_all_days() {
    let fixture = days(4);
    let mut logs = Vec::new();
    for day in ["day1", "day2", "day3", "day4"] {
        logs.push(day);
        let tail = ["--snapshot", "snap", "--format", "json"];
        let want = printed(&fixture, &[&["analyze"], &logs[..], &tail].concat(), 0);
        let night = [&["analyze", day], &tail[..], &["--state", "rolling.state"]].concat();
        assert_eq!(printed(&fixture, &night, 0), want, "{day}");
    }
    let want = printed(&fixture, &[&["analyze"], &logs[..], &["--snapshot", "snap"]].concat(), 0);
    assert_eq!(printed(&fixture, &["report", "rolling.state"], 0), want);
    // The state has the rules.
    assert_eq!(printed(&fixture, &["analyze", "day3", "--state", "rolling.state"], 0), want);
}

/// A snapshot every midnight: the rule for 22 goes on the second day, one for 80 comes on the third.
fn with_nightly_snapshots() -> Fixture {
    let fixture = Fixture::new();
    for day in 0..4 {
        let mut rules = group("sg-a").ingress("tcp", 443, 443, "0.0.0.0/0");
        if day < 2 {
            rules = rules.ingress("tcp", 22, 22, "10.0.0.0/8");
        }
        if day >= 2 {
            rules = rules.ingress("tcp", 80, 80, "0.0.0.0/0").ingress("udp", 0, 65535, "10.0.0.0/8");
        }
        let more = group("sg-0").ingress("tcp", 1, 1, "10.0.0.0/8");
        let at = flowaudit::time::format(T0 + day * 24 * HOUR);
        fixture.snapshot(
            &format!("all/{at}"),
            &[rules, more, interface("eni-a", "10.0.0.5", &["sg-a", "sg-0"])],
        );
        let mut rows = Vec::new();
        for hour in 0..24 {
            let at = T0 + (day * 24 + hour) * HOUR;
            rows.push(row_at(at, "eni-a 192.0.2.9 10.0.0.5 40000 443 6 ACCEPT"));
            let port = if day < 2 { 22 } else { 80 };
            rows.push(row_at(at, &format!("eni-a 10.9.9.9 10.0.0.5 40000 {port} 6 ACCEPT")));
            rows.push(row_at(at, &format!("eni-a 10.9.9.9 10.0.0.5 40000 {} 6 REJECT", 3000 + hour)));
        }
        fixture.log(&format!("day{day}/log"), &rows);
    }
    fixture
}

#[test]
fn tomorrow_knows_one_more_snapshot() {
    let fixture = with_nightly_snapshots();
    let options = ["--format", "json", "--review-period", "1d"];
    let want = printed(
        &fixture,
        &[&["analyze", "day0", "day1", "day2", "day3", "--snapshot", "all"][..], &options].concat(),
        0,
    );
    let mut states = Vec::new();
    for day in 0..4 {
        let at = flowaudit::time::format(T0 + day * 24 * HOUR);
        let (log, snapshot) = (format!("day{day}"), format!("{at}=all/{at}"));
        let night = ["analyze", &log, "--snapshot", &snapshot, "--state", "rolling.state"];
        let rolled = printed(&fixture, &[&night[..], &options].concat(), 0);
        if day == 3 {
            assert_eq!(rolled, want, "each night knows the new snapshot, and the state the others");
        }
        // States of their own, each knowing the snapshots so far.
        let state = format!("{day}.state");
        let mut alone = vec!["analyze".to_owned(), log, "--save-state".to_owned(), state.clone()];
        for day in 0..=day {
            let at = flowaudit::time::format(T0 + day * 24 * HOUR);
            alone.extend(["--snapshot".to_owned(), format!("{at}=all/{at}")]);
        }
        let alone: Vec<&str> = alone.iter().map(String::as_str).collect();
        printed(&fixture, &[&alone[..], &options].concat(), 0);
        states.push(state);
    }
    let states: Vec<&str> = states.iter().map(String::as_str).collect();
    for order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
        let states = order.map(|at| states[at]);
        let merged = printed(&fixture, &[&["merge", "--format", "json"], &states[..]].concat(), 0);
        assert_eq!(merged, want);
    }
}

#[test]
fn files_that_are_known_are_skipped_and_moved_ones_too() {
    let fixture = days(2);
    let night = |logs: &[&str]| {
        fixture.run(&[&["analyze"], logs, &["--snapshot", "snap", "--state", "s.state"]].concat())
    };
    let first = night(&["day1"]);
    assert_eq!((first.status, first.stderr.as_str()), (Some(0), ""));
    let before = std::fs::read(fixture.path("s.state")).unwrap();
    let again = night(&["day1"]);
    assert_eq!((again.status, again.stdout.as_slice()), (Some(0), first.stdout.as_slice()));
    assert!(again.stderr.contains("not read again: 2"), "{}", again.stderr);
    assert!(std::fs::read(fixture.path("s.state")).unwrap() == before);
    let both = night(&["day1", "day2"]);
    let want = printed(&fixture, &["analyze", "day1", "day2", "--snapshot", "snap"], 0);
    assert_eq!(String::from_utf8(both.stdout.clone()).unwrap(), want);
    // The same files in another place.
    std::fs::rename(fixture.path("day1"), fixture.path("archive")).unwrap();
    let moved = night(&["archive"]);
    assert_eq!(String::from_utf8(moved.stdout.clone()).unwrap(), want);
}

#[test]
fn a_file_that_changed_since_is_refused_and_the_state_stays() {
    let fixture = days(2);
    printed(&fixture, &["analyze", "day1", "--snapshot", "snap", "--state", "s.state"], 0);
    let before = std::fs::read(fixture.path("s.state")).unwrap();
    let mut log = std::fs::read(fixture.path("day1/b.log")).unwrap();
    log.extend_from_slice(b"one more line\n");
    fixture.write("day1/b.log", log);
    let run = fixture.run(&["analyze", "day1", "day2", "--state", "s.state"]);
    assert_eq!(run.status, Some(2));
    for word in ["s.state", "day1/b.log has changed since", "all logs"] {
        assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
    }
    assert!(std::fs::read(fixture.path("s.state")).unwrap() == before);
    // The time alone tells as well.
    let touched = std::fs::File::options().append(true).open(fixture.path("day1/a.log")).unwrap();
    touched.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
    let run = fixture.run(&["analyze", "day1/a.log", "--state", "s.state"]);
    assert!(run.stderr.contains("day1/a.log has changed since"), "{}", run.stderr);
}

#[test]
fn a_pipe_is_refused_because_nobody_can_tell_it_from_yesterdays() {
    let fixture = days(1);
    let log = std::fs::read(fixture.path("day1/a.log")).unwrap();
    let run = fixture.analyze_piped(&["-", "--snapshot", "snap", "--state", "s.state"], &log).exit(2);
    for word in ["- is a pipe", "--save-state"] {
        assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
    }
    assert!(!fixture.path("s.state").exists());
}

#[test]
fn a_night_with_nothing_but_a_broken_file_says_so_and_keeps_the_rest() {
    let fixture = days(1);
    printed(&fixture, &["analyze", "day1", "--snapshot", "snap", "--state", "s.state"], 0);
    fixture.write("day2/c.log", "dear diary\nnothing here\n");
    let want = printed(&fixture, &["analyze", "day1", "day2", "--snapshot", "snap"], 3);
    assert_eq!(printed(&fixture, &["analyze", "day2", "--state", "s.state"], 3), want);
    assert_eq!(printed(&fixture, &["report", "s.state"], 3), want);
    // A first night of that kind leaves nothing.
    let run = fixture.run(&["analyze", "day2", "--snapshot", "snap", "--state", "t.state"]);
    assert_eq!(run.status, Some(2));
    assert!(!fixture.path("t.state").exists());
}

#[test]
fn the_state_may_lie_among_the_logs() {
    let fixture = days(1);
    let want = printed(&fixture, &["analyze", "day1", "--snapshot", "snap"], 0);
    for _ in 0..2 {
        let night = ["analyze", "day1", "--snapshot", "snap", "--state", "day1/s.state"];
        assert_eq!(printed(&fixture, &night, 0), want);
    }
    let names = std::fs::read_dir(fixture.path("day1")).unwrap();
    assert_eq!(names.count(), 3, "no other file is left");
}

#[test]
fn a_snapshot_alone_makes_the_state_know_it() {
    let fixture = Fixture::new();
    fixture.snapshot("one", &objects());
    let mut more = objects();
    more.push(group("sg-new").ingress("tcp", 25, 25, "0.0.0.0/0"));
    fixture.snapshot("two", &more);
    fixture.log("log", &crate::command::day(0));
    let first = format!("{}=one", flowaudit::time::format(T0));
    let second = format!("{}=two", flowaudit::time::format(T0 + 25 * HOUR));
    printed(&fixture, &["analyze", "log", "--snapshot", &first, "--state", "s.state"], 0);
    let want = printed(&fixture, &["analyze", "log", "--snapshot", &first, "--snapshot", &second], 0);
    assert_eq!(printed(&fixture, &["analyze", "log", "--snapshot", &second, "--state", "s.state"], 0), want);
    assert_eq!(printed(&fixture, &["report", "s.state"], 0), want);
}

#[test]
fn what_showed_a_service_before_anything_waited_for_it_is_not_forgotten() {
    let fixture = Fixture::new();
    let eni = || interface("eni-a", "10.0.0.5", &["sg-a"]);
    fixture.snapshot("narrow", &[group("sg-a").ingress("tcp", 8443, 8443, "10.0.0.0/8"), eni()]);
    let wide = group("sg-a").ingress("tcp", 1024, 65535, "10.0.0.0/8").egress("-1", -1, -1, "0.0.0.0/0");
    fixture.snapshot("wide", &[wide, eni()]);
    let flow = "eni-a 10.0.0.9 10.0.0.5 9443 8443 6 ACCEPT";
    fixture.log("day0/log", &[row_at(T0, flow), row_at(T0 + HOUR, flow)]);
    fixture.log("day1/log", &[row_at(T0 + 30 * HOUR, flow)]);
    let narrow = format!("{}=narrow", flowaudit::time::format(T0));
    let wide = format!("{}=wide", flowaudit::time::format(T0 + 24 * HOUR));
    let both = ["--snapshot", &narrow, "--snapshot", &wide, "--format", "json"];
    let want = fixture.run(&[&["analyze", "day0", "day1"], &both[..]].concat()).exit(0);
    assert_eq!((want.basis("rules"), want.basis("known_service")), (2, 1));
    printed(&fixture, &["analyze", "day0", "--snapshot", &narrow, "--save-state", "0.state"], 0);
    printed(&fixture, &[&["analyze", "day1", "--save-state", "1.state"], &both[..]].concat(), 0);
    let merged = fixture.run(&["merge", "1.state", "0.state", "--format", "json"]);
    assert_eq!(merged.stdout, want.stdout);
    let rolled = fixture.run(&[&["analyze", "day1", "--state", "0.state"], &both[2..]].concat());
    assert_eq!(rolled.stdout, want.stdout);
}
