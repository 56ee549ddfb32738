//! A crash at any moment leaves the old state or the new one, whole.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::command::{objects, printed};
use crate::fixture::{Fixture, T0, row_at};

/// Refused records with many ports and peers, so that the state takes a while to write.
fn noise(day: i64) -> Vec<String> {
    let row = |at: i64| {
        let (port, peer) = (1 + at % 400, format!("198.51.{}.{}", (at * 7 + day) % 256, at / 400));
        row_at(T0 + day * 86_400 + at % 86_000, &format!("eni-a {peer} 10.0.0.5 40000 {port} 6 REJECT"))
    };
    (0..20_000).map(row).collect()
}

#[test]
fn a_killed_run_leaves_a_whole_state() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    fixture.log("day1/log", &noise(0));
    fixture.log("day2/log", &noise(1));
    let night = |day: &'static str| ["analyze", day, "--snapshot", "snap", "--state", "s.state"];
    let old = printed(&fixture, &night("day1"), 0);
    let first = std::fs::read(fixture.path("s.state")).unwrap();
    let start = Instant::now();
    let new = printed(&fixture, &night("day2"), 0);
    let whole = start.elapsed();
    assert_ne!(old, new);

    let steps = 30;
    let (mut olds, mut news) = (0, 0);
    for step in 0..=steps {
        fixture.write("s.state", &first);
        let mut command = fixture.command(&night("day2"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The last part of a run is the writing.
        std::thread::sleep(
            whole.mul_f64(f64::from(step) / f64::from(steps) * 1.1) + Duration::from_millis(1),
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let report = printed(&fixture, &["report", "s.state"], 0);
        assert!(report == old || report == new, "after {step} of {steps}");
        if report == old {
            olds += 1;
        } else {
            news += 1;
        }
        // What a crash leaves beside it is in nobody's way.
        if report == old {
            assert!(std::fs::read(fixture.path("s.state")).unwrap() == first);
            assert_eq!(printed(&fixture, &night("day2"), 0), new);
        }
    }
    assert!(olds > 0, "no run was killed in time");
    eprintln!("{olds} times the old state, {news} times the new one");
}

#[test]
fn of_two_runs_at_once_the_second_to_end_is_told() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    fixture.log("day1/log", &noise(0));
    fixture.log("day2/log", &noise(1));
    fixture.log("day3/log", &noise(2));
    let night = |day: &'static str| ["analyze", day, "--snapshot", "snap", "--state", "s.state"];
    printed(&fixture, &night("day1"), 0);
    let slow = fixture.command(&night("day2")).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let other = fixture.command(&night("day3")).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (slow, other) = (slow.wait_with_output().unwrap(), other.wait_with_output().unwrap());
    let failed: Vec<_> = [&slow, &other].into_iter().filter(|run| run.status.code() == Some(2)).collect();
    for run in &failed {
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(said.contains("another run wrote it meanwhile"), "{said}");
    }
    let report = printed(&fixture, &["report", "s.state", "--format", "json"], 0);
    let read = if failed.is_empty() { 3 } else { 2 };
    assert!(report.contains(&format!("\"read\": {read},")), "what was reported as done is in the state");
}
