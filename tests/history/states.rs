//! Changes in states: saved and read again they are the same, and nights that know more of them add up to one run.

use serde_json::{Value, json};

use crate::account::Dice;
use crate::course::{Course, Kinds};
use crate::events::{self, Traffic, egress, ingress};
use crate::fixture::{ACCOUNT, Fixture, HOUR, Object, T0, documents, group, interface, prefix_list, row_at};
use crate::items;

const DAY: i64 = 24 * HOUR;

#[track_caller]
fn printed(fixture: &Fixture, arguments: &[&str]) -> String {
    let run = fixture.run(arguments);
    assert_eq!(run.status, Some(0), "{arguments:?}: {}", run.stderr);
    String::from_utf8(run.stdout.clone()).unwrap()
}

/// Records of every interface around every change, towards ports that rules speak of and others.
fn records(dice: &mut Dice, course: &Course) -> Vec<String> {
    let mut rows = Vec::new();
    for at in course.times() {
        for (id, eni) in &course.at(at).interfaces {
            let here = &eni.addresses[dice.below(eni.addresses.len())];
            let there = dice.pick(&["10.9.9.9", "192.0.2.9", "203.0.113.7", "198.51.100.7"]);
            let port = dice.pick(&[443, 1500, 53, 7]);
            let protocol = dice.pick(&[6, 6, 17, 1]);
            let action = dice.pick(&["ACCEPT", "ACCEPT", "REJECT"]);
            let (from, to) = if dice.chance(50) { (here.as_str(), there) } else { (there, here.as_str()) };
            rows.push(row_at(at, &format!("{id} {from} {to} 40000 {port} {protocol} {action}")));
        }
    }
    rows
}

#[test]
fn a_state_keeps_every_kind_of_change() {
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let course = Course::random(&mut dice, Kinds::All, 14);
        let fixture = Fixture::new();
        let (at, world) = &course.worlds[dice.below(course.worlds.len())];
        for (kind, document) in documents(&world.objects()) {
            fixture.write(&format!("snap/{kind}.json"), document.to_string());
        }
        fixture.write("trail.json", events::records(&course.events));
        let first = items::changed(T0, &[], &items::resources(&course.worlds[0].1.objects()));
        fixture.write("config.json", items::file(&first));
        fixture.log("log", &records(&mut dice, &course));
        let snapshot = format!("{}=snap", flowaudit::time::format(*at));
        let given = [snapshot.as_str(), "trail.json", "config.json"];
        let given = &given[..dice.pick(&[2, 3])];
        for format in ["json", "text"] {
            let analyze = [&["analyze", "log", "--format", format, "--snapshot"], given].concat();
            let want = printed(&fixture, &analyze);
            let saved = printed(&fixture, &[&analyze[..], &["--save-state", "a.state"]].concat());
            assert!(saved == want, "{seed}");
            assert!(printed(&fixture, &["report", "a.state", "--format", format]) == want, "{seed}");
        }
        // Once more through a file.
        printed(&fixture, &["merge", "a.state", "--save-state", "b.state"]);
        let [a, b] = ["a.state", "b.state"].map(|name| std::fs::read(fixture.path(name)).unwrap());
        assert!(a == b, "{seed}");
    }
}

fn all() -> Traffic<'static> {
    Traffic { protocol: "-1", from: -1, to: -1, ..egress(0, "0.0.0.0/0") }
}

fn with_id(id: &str, of: Traffic<'_>) -> Object {
    let value = json!({
        "SecurityGroupRuleId": id, "GroupId": "sg-a", "GroupOwnerId": ACCOUNT, "IsEgress": of.egress,
        "IpProtocol": of.protocol, "FromPort": of.from, "ToPort": of.to, "CidrIpv4": of.peer,
    });
    Object { kind: "SecurityGroupRules", value }
}

/// Three days. On the second, by the trail, 80 is let in, 22 moves to 2222, a list grows and an instance comes; on the
/// third 80 is shut again.
fn three_days() -> Fixture {
    let fixture = Fixture::new();
    let lan = "10.0.0.0/8";
    let sg = group("sg-a")
        .ingress("tcp", 22, 22, lan)
        .ingress("tcp", 443, 443, "0.0.0.0/0")
        .ingress("tcp", 5432, 5432, "pl-0a1")
        .ingress("tcp", 6379, 6379, "sg-b");
    let snapshot = [
        sg,
        group("sg-b").egress("-1", -1, -1, "0.0.0.0/0"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        prefix_list("pl-0a1", &["198.51.100.0/24"]),
        with_id("sgr-1", ingress(22, lan)),
    ];
    fixture.snapshot("snap", &snapshot);
    let second = [
        events::authorize(T0 + DAY, "sg-a", &[("sgr-2", ingress(80, lan))]),
        events::modify(T0 + DAY + HOUR, "sg-a", "sgr-1", ingress(2222, lan)),
        events::modify_list(T0 + DAY + 2 * HOUR, "pl-0a1", &["203.0.113.0/24"], &[]),
        events::create_group(T0 + DAY + 3 * HOUR, "sg-new"),
        events::run_instance(T0 + DAY + 4 * HOUR, "i-1", "eni-b", &["10.0.0.6"], &["sg-b", "sg-new"]),
    ];
    let third = [
        events::revoke_ids(T0 + 2 * DAY + HOUR, "sg-a", false, &["sgr-2"]),
        events::revoke_nested(T0 + 2 * DAY + 2 * HOUR, "sg-new", all()),
        events::delete_interface(T0 + 2 * DAY + 3 * HOUR, "eni-b"),
    ];
    fixture.write(
        "trail1.json",
        events::records(&[events::call(T0, "DescribeInstances", json!({}), Value::Null)]),
    );
    fixture.write("trail2.json.gz", events::packed(&second));
    fixture.write("trail3.json", events::records(&third));
    for day in 0..3 {
        let mut rows = Vec::new();
        for hour in 0..24 {
            let at = T0 + day * DAY + hour * HOUR;
            let mut accept = |flow: &str, at: i64| rows.push(row_at(at, &format!("{flow} ACCEPT")));
            accept("eni-a 192.0.2.9 10.0.0.5 40000 443 6", at);
            accept("eni-a 198.51.100.9 10.0.0.5 40000 5432 6", at);
            let ssh = if day > 1 || (day == 1 && hour >= 1) { 2222 } else { 22 };
            accept(&format!("eni-a 10.9.9.9 10.0.0.5 40000 {ssh} 6"), at);
            if day == 1 || (day == 2 && hour < 1) {
                accept("eni-a 10.9.9.9 10.0.0.5 40000 80 6", at);
            }
            if day > 1 || (day == 1 && hour >= 2) {
                accept("eni-a 203.0.113.9 10.0.0.5 40000 5432 6", at);
            }
            if (day == 1 && hour >= 4) || (day == 2 && hour < 3) {
                accept("eni-a 10.0.0.6 10.0.0.5 40000 6379 6", at + 1);
                accept("eni-b 10.0.0.6 10.0.0.5 40000 6379 6", at + 1);
            }
            for port in [22, 80, 2222] {
                rows.push(row_at(at + 9, &format!("eni-a 10.9.9.9 10.0.0.5 40000 {port} 6 REJECT")));
            }
        }
        fixture.log(&format!("day{}", day + 1), &rows);
    }
    fixture
}

const TRAILS: [&str; 3] = ["trail1.json", "trail2.json.gz", "trail3.json"];
const DAYS: [&str; 3] = ["day1", "day2", "day3"];

#[test]
fn nights_that_know_more_of_the_trail_add_up_to_one_run() {
    let fixture = three_days();
    let snapshot = format!("{}=snap", flowaudit::time::format(T0));
    let options = ["--format", "json", "--review-period", "1d"];
    let known = |days: usize| [&["--snapshot", snapshot.as_str()], &TRAILS[..days], &options[..]].concat();
    let want = printed(&fixture, &[&["analyze"], &DAYS[..], &known(3)].concat());
    let report: Value = serde_json::from_str(&want).unwrap();
    for outcome in ["unexplained", "explained_by_neighbour", "unknown_group", "before_first_snapshot"] {
        assert_eq!(report["coverage"]["attribution"][outcome], 0, "{outcome}");
    }
    for (number, day) in DAYS.iter().enumerate() {
        let state = format!("{number}.state");
        printed(&fixture, &[&["analyze", day, "--save-state", &state], &known(number + 1)[..]].concat());
        // The same, rolling on.
        let night = [&["analyze", day, "--state", "rolling.state"], &known(number + 1)[..]].concat();
        let rolled = printed(&fixture, &night);
        assert!(number < 2 || rolled == want, "rolling on");
    }
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let [a, b, c] = order.map(|number| format!("{number}.state"));
        assert!(printed(&fixture, &["merge", &a, &b, &c, "--format", "json"]) == want, "{order:?}");
        printed(&fixture, &["merge", &a, &b, "--save-state", "two.state"]);
        let merged =
            printed(&fixture, &["merge", &c, "two.state", "--save-state", "all.state", "--format", "json"]);
        assert!(merged == want, "{order:?} grouped");
        assert!(
            printed(&fixture, &["report", "all.state", "--format", "json"]) == want,
            "{order:?} reported"
        );
    }
}

#[test]
fn a_night_that_did_not_know_of_a_change_is_refused() {
    let fixture = three_days();
    let snapshot = format!("{}=snap", flowaudit::time::format(T0));
    printed(&fixture, &["analyze", "day2", "--snapshot", &snapshot, "--save-state", "blind.state"]);
    let all = [&["analyze", "day1", "--snapshot", snapshot.as_str()], &TRAILS[..]].concat();
    printed(&fixture, &[&all[..], &["--save-state", "all.state"]].concat());
    for order in [["blind.state", "all.state"], ["all.state", "blind.state"]] {
        let run = fixture.run(&["merge", order[0], order[1]]);
        assert_eq!((run.status, run.stdout.as_slice()), (Some(2), &b""[..]));
        for word in ["blind.state", "without the change at 2026-01-02T00:00:00Z", "must be read again"] {
            assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
        }
    }
}

/// The snapshot comes last, and the trail leads back from it: as far as the run knows that it began.
#[test]
fn a_night_that_did_not_know_how_early_the_trail_began_is_refused_where_that_matters() {
    let fixture = Fixture::new();
    let sg = group("sg-a").ingress("tcp", 443, 443, "0.0.0.0/0");
    fixture.snapshot("snap", &[sg, interface("eni-a", "10.0.0.5", &["sg-a"])]);
    let began = |at: i64| events::call(at, "DescribeInstances", json!({}), Value::Null);
    let change = events::authorize_nested(T0 + 30 * HOUR, "sg-a", ingress(443, "0.0.0.0/0"));
    fixture.write("late.json", events::records(&[began(T0 + 26 * HOUR), change]));
    fixture.write("early.json", events::records(&[began(T0)]));
    let row = |hour: i64| {
        let action = if hour < 30 { "REJECT" } else { "ACCEPT" };
        row_at(T0 + hour * HOUR, &format!("eni-a 192.0.2.9 10.0.0.5 40000 443 6 {action}"))
    };
    fixture.log("day1", &(0..24).map(row).collect::<Vec<_>>());
    let snapshot = format!("{}=snap", flowaudit::time::format(T0 + 3 * DAY));
    let both = ["--format", "json", "--snapshot", &snapshot, "early.json", "late.json"];
    printed(&fixture, &[&["analyze", "day1", "--save-state", "1.state"], &both[..]].concat());
    for (hours, adds_up) in [(24..48, false), (26..48, true)] {
        fixture.log("day2", &hours.map(row).collect::<Vec<_>>());
        printed(
            &fixture,
            &["analyze", "day2", "--save-state", "2.state", "--snapshot", &snapshot, "late.json"],
        );
        let want = printed(&fixture, &[&["analyze", "day1", "day2"], &both[..]].concat());
        let run = fixture.run(&["merge", "2.state", "1.state", "--format", "json"]);
        if adds_up {
            assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
            assert!(run.stdout == want.as_bytes());
        } else {
            assert_eq!(run.status, Some(2));
            for word in ["2.state", "before 2026-01-02T02:00:00Z", "since 2026-01-01T00:00:00Z", "read again"]
            {
                assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
            }
        }
    }
}
