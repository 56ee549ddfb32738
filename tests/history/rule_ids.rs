//! A rule is its content. Its id is a label: known everywhere once it is known somewhere, and carried to new content by a
//! change.

use serde_json::{Value, json};

use crate::events::{self, Traffic, ingress};
use crate::fixture::{ACCOUNT, Fixture, HOUR, Object, Run, T0, group, interface, row_at};

const SSH: &str = "sg-a:ingress:tcp:22-22:10.0.0.0/8";
const WEB: &str = "sg-a:ingress:tcp:443-443:10.0.0.0/8";
const HTTP: &str = "sg-a:ingress:tcp:80-80:10.0.0.0/8";

fn on(port: i64) -> Traffic<'static> {
    ingress(port, "10.0.0.0/8")
}

fn hours(hours: i64) -> i64 {
    T0 + hours * HOUR
}

fn time(at: i64) -> String {
    flowaudit::time::format(at)
}

/// sg-a with these ports, and eni-a in it.
fn account(ports: &[i64]) -> Vec<Object> {
    let group =
        ports.iter().fold(group("sg-a"), |group, port| group.ingress("tcp", *port, *port, "10.0.0.0/8"));
    vec![group, interface("eni-a", "10.0.0.5", &["sg-a"])]
}

/// The rules as describe-security-group-rules answers.
fn with_ids(rules: &[(&str, i64)]) -> Vec<Object> {
    let mut objects = account(&rules.iter().map(|(_, port)| *port).collect::<Vec<_>>());
    objects.extend(rules.iter().map(|(id, port)| Object {
        kind: "SecurityGroupRules",
        value: json!({
            "SecurityGroupRuleId": id, "GroupId": "sg-a", "GroupOwnerId": ACCOUNT, "IsEgress": false,
            "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIpv4": "10.0.0.0/8",
        }),
    }));
    objects
}

/// What is read, and one record of each of three ports at half past every hour of eight.
struct Setup {
    fixture: Fixture,
    snapshots: Vec<String>,
}

impl Setup {
    fn new() -> Self {
        let fixture = Fixture::new();
        let row = |hour: i64, port: i64| {
            row_at(hours(hour) + HOUR / 2, &format!("eni-a 10.9.9.9 10.0.0.5 40000 {port} 6 ACCEPT"))
        };
        let rows: Vec<String> = (0..8).flat_map(|hour| [22, 80, 443].map(|port| row(hour, port))).collect();
        fixture.log("log", &rows);
        Self { fixture, snapshots: Vec::new() }
    }

    fn snapshot(mut self, at: i64, objects: &[Object]) -> Self {
        let name = format!("s{}", self.snapshots.len());
        self.fixture.snapshot(&name, objects);
        self.snapshots.push(format!("{}={name}", time(at)));
        self
    }

    fn trail(mut self, calls: &[Value]) -> Self {
        self.fixture.write("trail.json", events::records(calls));
        self.snapshots.push("trail.json".to_owned());
        self
    }

    fn run(&self) -> Run {
        let snapshots: Vec<&str> = self.snapshots.iter().map(String::as_str).collect();
        self.fixture.analyze(&[&["log", "--snapshot"], &snapshots[..]].concat()).exit(0)
    }

    fn check(&self) -> Run {
        let snapshots: Vec<&str> = self.snapshots.iter().map(String::as_str).collect();
        self.fixture.run(&[&["snapshot", "check", "--format", "json"], &snapshots[..]].concat())
    }
}

/// `ID FROM..TO RECORDS` of a rule, in hours.
fn row(run: &Run, key: &str) -> String {
    let rule = run.rule(key);
    let hour = |value: &Value| {
        value.as_str().map_or_else(String::new, |text| {
            let seconds = flowaudit::time::parse(text).unwrap() - T0;
            if seconds % HOUR == 0 { (seconds / HOUR).to_string() } else { format!("{seconds}s") }
        })
    };
    let (from, to) = (hour(&rule["in_force"]["from"]), hour(&rule["in_force"]["to"]));
    format!("{} {from}..{to} {}", rule["rule_id"].as_str().unwrap_or("-"), run.usage(key, "records"))
}

#[test]
fn a_label_known_once_is_known_in_every_state() {
    // By the second of three snapshots.
    let run = Setup::new()
        .snapshot(hours(0), &account(&[22]))
        .snapshot(hours(2), &with_ids(&[("sgr-1", 22), ("sgr-2", 443)]))
        .snapshot(hours(4), &account(&[443]))
        .run();
    assert_eq!((row(&run, SSH).as_str(), row(&run, WEB).as_str()), ("sgr-1 0..4 4", "sgr-2 2.. 6"));
    // By the call that authorized it, beside snapshots without ids.
    let run = Setup::new()
        .snapshot(hours(0), &account(&[22]))
        .trail(&[events::authorize(hours(2), "sg-a", &[("sgr-2", on(443))])])
        .snapshot(hours(4), &account(&[22, 443]))
        .run();
    assert_eq!((row(&run, SSH).as_str(), row(&run, WEB).as_str()), ("- 0.. 8", "sgr-2 2.. 6"));
    // By the call that revoked it.
    let run = Setup::new()
        .snapshot(hours(0), &account(&[22, 443]))
        .trail(&[events::revoke(hours(3), "sg-a", &[("sgr-2", on(443))])])
        .run();
    assert_eq!(row(&run, WEB), "sgr-2 0..3 3");
}

#[test]
fn a_modification_carries_the_id_to_new_content_and_the_old_one_keeps_its_use() {
    let modified = [events::modify(hours(2), "sg-a", "sgr-1", on(443))];
    let forwards = Setup::new().snapshot(hours(0), &with_ids(&[("sgr-1", 22)])).trail(&modified).run();
    let snapshots = Setup::new()
        .snapshot(hours(0), &with_ids(&[("sgr-1", 22)]))
        .snapshot(hours(2), &with_ids(&[("sgr-1", 443)]))
        .run();
    for run in [forwards, snapshots] {
        assert_eq!((row(&run, SSH).as_str(), row(&run, WEB).as_str()), ("sgr-1 0..2 2", "sgr-1 2.. 6"));
        assert_eq!(run.at("/rules").as_array().unwrap().len(), 2);
    }
    // Twice, and back again: what it was first is one row, whatever lay between.
    let run = Setup::new()
        .snapshot(hours(0), &with_ids(&[("sgr-1", 22)]))
        .trail(&[
            events::modify(hours(2), "sg-a", "sgr-1", on(443)),
            events::modify(hours(3), "sg-a", "sgr-1", on(80)),
            events::modify(hours(5), "sg-a", "sgr-1", on(22)),
        ])
        .run();
    assert_eq!([SSH, WEB, HTTP].map(|key| row(&run, key)), ["sgr-1 0.. 5", "sgr-1 2..3 1", "sgr-1 3..5 2"]);
}

#[test]
fn an_id_that_is_explained_later_is_explained() {
    // The snapshot has no ids; the trail tells which rule has which before it changes it.
    let told = [
        events::authorize(hours(1), "sg-a", &[("sgr-1", on(443))]),
        events::modify(hours(2), "sg-a", "sgr-1", on(80)),
        events::revoke_ids(hours(3), "sg-a", false, &["sgr-1"]),
    ];
    let setup = Setup::new().snapshot(hours(0), &account(&[22])).trail(&told);
    let run = setup.run();
    assert_eq!([SSH, WEB, HTTP].map(|key| row(&run, key)), ["- 0.. 8", "sgr-1 1..2 1", "sgr-1 2..3 1"]);
    assert_eq!(setup.check().at("/unapplied"), &json!({ "unknown_resource": 0, "unknown_rule": 0 }));
}

#[test]
fn what_nobody_explains_stays_and_is_counted() {
    let cases = [
        // Not removed: too many rules never make one look unused that is not.
        ("revoked", events::revoke_ids(hours(2), "sg-a", false, &["sgr-1"]), "- 0.. 8"),
        ("modified", events::modify(hours(2), "sg-a", "sgr-1", on(443)), "- 0.. 8"),
    ];
    for (name, call, expected) in cases {
        let setup = Setup::new().snapshot(hours(0), &account(&[22])).trail(&[call]);
        let unapplied = json!({ "unknown_resource": 0, "unknown_rule": 1 });
        assert_eq!(setup.check().at("/unapplied"), &unapplied, "{name}");
        let text = setup.fixture.run(&["snapshot", "check", &setup.snapshots[0], &setup.snapshots[1]]);
        let text = String::from_utf8(text.stdout.clone()).unwrap();
        assert!(text.contains("\nChanges made to rules by ids that nothing explains: 1\n"), "{name}: {text}");
        if name == "revoked" {
            assert_eq!(row(&setup.run(), SSH), expected, "{name}");
        } else {
            // Which way it lets traffic is not told either: nothing is said of the group from then on.
            let run = setup.run();
            assert_eq!(row(&run, SSH), "- 0..2 2");
            assert!(run.outcome("unknown_group") > 0);
        }
        // The next snapshot ends it.
        let setup = setup.snapshot(hours(6), &account(&[443]));
        let run = setup.run();
        assert_eq!(row(&run, WEB), "- 6.. 2", "{name}");
    }
}

#[test]
fn in_force_begins_where_the_trail_leads_back_to() {
    let began = events::call(hours(-5), "DescribeInstances", json!({}), Value::Null);
    let calls = [
        began,
        events::authorize(hours(1), "sg-a", &[("sgr-2", on(443))]),
        events::revoke(hours(3), "sg-a", &[("sgr-3", on(80))]),
        events::revoke(hours(4), "sg-a", &[("sgr-2", on(443))]),
        events::authorize(hours(5), "sg-a", &[("sgr-9", on(443))]),
    ];
    let run = Setup::new().snapshot(hours(7), &account(&[22, 443])).trail(&calls).run();
    assert_eq!(
        [SSH, WEB, HTTP].map(|key| row(&run, key)),
        // The same content again is the same rule, with its newest label.
        ["- -5.. 8", "sgr-9 1.. 6", "sgr-3 -5..3 3"]
    );
    assert_eq!(run.outcome("before_first_snapshot"), 0);
    // Without a trail the snapshot is all there is.
    let run = Setup::new().snapshot(hours(7), &account(&[22, 443])).run();
    assert_eq!((row(&run, SSH).as_str(), row(&run, WEB).as_str()), ("- 7.. 8", "- 7.. 8"));
    assert_eq!(run.outcome("before_first_snapshot"), 21);
}
