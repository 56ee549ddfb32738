//! Records of many states that come by turns, as capture windows of ten minutes have them, are judged as in order.

use crate::fixture::{Fixture, T0, group, interface, row_at};

/// Snapshots, a minute apart, each with a port of its own.
const STATES: i64 = 40;
/// Records in each of these minutes: more than wait together.
const RECORDS: i64 = 150;

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    for state in 0..STATES {
        let rules = group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8");
        let own = rules.ingress("tcp", 8000 + state, 8000 + state, "10.0.0.0/8");
        let at = flowaudit::time::format(T0 + 60 * state);
        fixture.snapshot(&format!("snap/{at}"), &[own, interface("eni-a", "10.0.0.5", &["sg-a"])]);
    }
    fixture
}

/// In order: two of three to the port of their minute, each third one to that of the next. Some come before the first snapshot.
fn rows() -> Vec<String> {
    let row = |minute: i64, n: i64| {
        let port = 8000 + minute + i64::from(n % 3 == 2);
        row_at(
            T0 + 60 * minute + n % 60,
            &format!("eni-a 10.1.0.{} 10.0.0.5 {} {port} 6 ACCEPT", n % 7, 40000 + n),
        )
    };
    (-1..STATES).flat_map(|minute| (0..RECORDS).map(move |n| row(minute, n))).collect()
}

#[test]
fn records_of_many_states_by_turns_are_judged_as_in_order() {
    let fixture = fixture();
    let ordered = rows();
    // A step shares no divisor with their number: every one comes once.
    let by_steps = |rows: &[String], step: usize| -> Vec<String> {
        (0..rows.len()).map(|at| rows[at * step % rows.len()].clone()).collect()
    };
    let mixed = by_steps(&ordered, 2_477);
    // Ten minutes, as they come.
    let near: Vec<String> = ordered.chunks(1500).flat_map(|rows| by_steps(rows, 7)).collect();
    let mut all = ordered.clone();
    all.sort();
    for (name, rows) in [("ordered", &ordered), ("mixed", &mixed), ("near", &near)] {
        let mut sorted = rows.clone();
        sorted.sort();
        assert_eq!(sorted, all, "{name}");
        fixture.log(name, rows);
    }
    let until = flowaudit::time::format(T0 + 60 * (STATES - 1) + 30);
    for options in [&[][..], &["--until", &until], &["--threads", "1"]] {
        let report = |log: &str| fixture.analyze(&[&[log, "--snapshot", "snap"], options].concat()).exit(0);
        let want = report("ordered");
        for log in ["mixed", "near"] {
            assert_eq!(report(log).apart_from_files(), want.apart_from_files(), "{log} {options:?}");
        }
    }
    let want = fixture.analyze(&["mixed", "--snapshot", "snap"]).exit(0);
    let last = format!("sg-a:ingress:tcp:{0}-{0}:10.0.0.0/8", 8000 + STATES - 1);
    assert_eq!(want.usage(&last, "records"), 100);
    assert_eq!(want.outcome("before_first_snapshot"), 150);
}
