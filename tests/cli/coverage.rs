//! What the report says of what the logs speak of: hours of interfaces, objects that are missing, flow logs as described.

use serde_json::{Value, json};

use crate::fixture::{Fixture, HOUR, Object, Run, T0, flow_log, group, interface, row_at, silence_at, text};
use crate::verdicts::{Day, UNUSED, hourly, nodata};

/// The name AWS gives to the object of the five minutes from `start` on.
fn object_name(flow_log: &str, start: i64) -> String {
    let minute = flowaudit::time::format(start)[..16].replace(['-', ':'], "");
    let hash = start % 0xffff;
    format!(
        "logs/AWSLogs/111111111111/vpcflowlogs/eu-west-1/{}/111111111111_vpcflowlogs_eu-west-1_{flow_log}_{minute}Z_\
         {hash:08x}.log",
        &minute[..8]
    )
}

/// A fixture whose log is delivered in objects of five minutes, without those of some steps.
fn delivered(steps: std::ops::Range<i64>, missing: impl Fn(i64) -> bool, objects: &[Object]) -> Fixture {
    let fixture = Fixture::new();
    fixture.snapshot("snap", objects);
    for step in steps.filter(|step| !missing(*step)) {
        let start = T0 + step * 300;
        let row = row_at(start, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT");
        fixture.write(&object_name("fl-0a1b", start), text(&[row]));
    }
    fixture
}

const ANALYZE: [&str; 5] = ["logs", "--snapshot", "snap", "--review-period", "1d"];

fn hours(run: &Run, interface: &str) -> Value {
    let rows = run.at("/coverage/interfaces").as_array().unwrap();
    rows.iter().find(|row| row["interface_id"] == interface).unwrap()["hours"].clone()
}

fn counts([attached, records, no_data, skip_data, nothing]: [u64; 5]) -> Value {
    json!({
        "attached": attached, "records": records, "no_data": no_data, "skip_data": skip_data, "nothing": nothing,
    })
}

#[test]
fn every_hour_of_an_interface_is_told_by_what_there_is_of_it() {
    let accept = "10.0.0.9 10.0.0.6 40000 22 6 ACCEPT";
    let cases: [(&str, Vec<String>, [u64; 5]); 8] = [
        ("no record", vec![], [25, 0, 0, 0, 25]),
        ("traffic", hourly("eni-b", 0..3, accept), [25, 3, 0, 0, 22]),
        ("refusals", hourly("eni-b", 0..3, &accept.replace("ACCEPT", "REJECT")), [25, 3, 0, 0, 22]),
        ("NODATA alone", nodata("eni-b", 2..9), [25, 0, 7, 0, 18]),
        (
            "NODATA beside traffic is not alone",
            [hourly("eni-b", 0..5, accept), nodata("eni-b", 3..9)].concat(),
            [25, 5, 4, 0, 16],
        ),
        ("SKIPDATA alone", vec![silence_at(T0 + HOUR, "eni-b", "SKIPDATA")], [25, 0, 0, 1, 24]),
        (
            "SKIPDATA beside traffic and beside NODATA",
            [
                hourly("eni-b", 0..1, accept),
                nodata("eni-b", 1..2),
                (0..3).map(|hour| silence_at(T0 + hour * HOUR + 60, "eni-b", "SKIPDATA")).collect(),
            ]
            .concat(),
            [25, 1, 1, 3, 22],
        ),
        (
            "many in one hour, and one across two",
            vec![
                row_at(T0, &format!("eni-b {accept}")),
                row_at(T0 + 30, &format!("eni-b {accept}")),
                row_at(T0 + HOUR - 30, &format!("eni-b {accept}")),
            ],
            [25, 2, 0, 0, 23],
        ),
    ];
    for (name, rows, expected) in cases {
        let day = Day::new().and(interface("eni-b", "10.0.0.6", &["sg-a"])).rows(rows);
        let run = day.run();
        assert_eq!(hours(&run, "eni-b"), counts(expected), "{name}");
        assert_eq!(hours(&run, "eni-a"), counts([25, 25, 0, 0, 0]), "{name}");
    }
}

#[test]
fn hours_count_while_a_snapshot_has_the_interface_and_in_the_window() {
    let fixture = Fixture::new();
    let group = group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8");
    let (a, b) = (interface("eni-a", "10.0.0.5", &["sg-a"]), interface("eni-b", "10.0.0.6", &["sg-a"]));
    fixture.snapshot("s0", &[group.clone(), a.clone(), b.clone()]);
    fixture.snapshot("s1", &[group.clone(), a.clone()]);
    fixture.snapshot("s2", &[group, a, b]);
    // The window is that of eni-a, hours 2 to 21; NODATA reaches beyond it.
    let accept = "10.0.0.9 10.0.0.5 40000 443 6 REJECT";
    let mut rows = hourly("eni-a", 2..22, accept);
    rows.extend(nodata("eni-b", 0..30));
    rows.extend(hourly("eni-x", 4..6, "10.0.0.9 10.0.0.7 40000 443 6 REJECT"));
    fixture.log("log", &rows);
    let at = |hour: &str, name: &str| format!("2026-01-01T{hour}:00Z={name}");
    let (s0, s1, s2) = (at("00:00", "s0"), at("05:30", "s1"), at("20:00", "s2"));
    let run = fixture
        .analyze(&["log", "--snapshot", &s0, "--snapshot", &s1, "--snapshot", &s2, "--review-period", "1h"])
        .exit(0);
    assert_eq!(hours(&run, "eni-a"), counts([20, 20, 0, 0, 0]));
    // Hours 2 to 5 (a state counts from its first whole hour on) and 20 to 21.
    assert_eq!(hours(&run, "eni-b"), counts([6, 0, 6, 0, 0]));
    // Nobody knows how long this one was there.
    assert_eq!(hours(&run, "eni-x"), counts([0, 2, 0, 0, 0]));
}

#[test]
fn the_covered_share_is_of_the_hours_in_which_the_rule_was_in_force_and_attached() {
    let fixture = Fixture::new();
    let old = group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8");
    let new = old.clone().ingress("tcp", 23, 23, "10.0.0.0/8");
    let other = group("sg-b").ingress("tcp", 24, 24, "10.0.0.0/8");
    let (a, b) = (interface("eni-a", "10.0.0.5", &["sg-a"]), interface("eni-b", "10.0.0.6", &["sg-b"]));
    let moved = interface("eni-b", "10.0.0.6", &["sg-a"]);
    fixture.snapshot("s0", &[old, other.clone(), a.clone(), b]);
    fixture.snapshot("s1", &[new, other, a, moved]);
    // eni-a speaks in hours 0 to 9 and 24, eni-b in hours 0 to 14.
    let mut rows = hourly("eni-a", 0..10, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT");
    rows.extend(hourly("eni-a", 24..25, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"));
    rows.extend(hourly("eni-b", 0..8, "10.0.0.9 10.0.0.6 40000 443 6 ACCEPT"));
    rows.extend(nodata("eni-b", 8..15));
    fixture.log("log", &rows);
    let run = fixture
        .analyze(&["log", "--snapshot", "2026-01-01=s0", "--snapshot", "2026-01-01T05:00:00Z=s1"])
        .exit(0);
    let share = |key: &str| run.rule(key)["usage"]["covered_share"].clone();
    // 25 hours of eni-a, 11 covered; 20 of eni-b from hour 5 on, 10 covered.
    assert_eq!(share("sg-a:ingress:tcp:22-22:10.0.0.0/8"), 0.4666);
    // 20 hours of each from hour 5 on, 6 and 10 covered.
    assert_eq!(share("sg-a:ingress:tcp:23-23:10.0.0.0/8"), 0.4);
    // Five hours of eni-b, all covered.
    assert_eq!(share("sg-b:ingress:tcp:24-24:10.0.0.0/8"), 1.0);
    let too_little =
        &run.rule("sg-a:ingress:tcp:23-23:10.0.0.0/8")["usage"]["evidence"]["covered_too_little"];
    assert_eq!(too_little, &json!({ "covered_share": 0.4, "attached_hours": 40, "covered_hours": 16 }));
}

#[test]
fn objects_that_are_missing_between_others_are_named_and_weigh_on_rules() {
    let objects = Day::new().objects;
    // A day and an hour; of the fifth to seventh hour every second object is there, and one of the tenth is not.
    let fixture =
        delivered(0..300, |step| (60..96).contains(&step) && step % 2 == 0 || step == 130, &objects);
    let run = fixture.analyze(&ANALYZE).exit(0);
    let files = run.at("/coverage/files");
    let expected = json!([{
        "account_id": "111111111111", "region": "eu-west-1", "flow_log_id": "fl-0a1b",
        "first_object": "2026-01-01T00:00:00Z", "last_object": "2026-01-02T00:55:00Z",
        "steps_with_objects": 281, "missing_objects": 19, "steps_untold": 0, "gaps": 19,
    }]);
    assert_eq!(files["deliveries"], expected);
    assert_eq!(files["gaps"].as_array().unwrap().len(), 19);
    let last = json!({
        "account_id": "111111111111", "region": "eu-west-1", "flow_log_id": "fl-0a1b",
        "from": "2026-01-01T10:50:00Z", "to": "2026-01-01T10:55:00Z", "missing_objects": 1,
    });
    assert_eq!(files["gaps"][18], last);
    let finding = run.finding("coverage_gap/missing_objects:111111111111:eu-west-1:fl-0a1b");
    assert_eq!(
        (&finding["severity"], &finding["evidence"]["missing_objects"]),
        (&json!("medium"), &json!(19))
    );
    // Every hour has some record, and yet a twentieth of the objects is not there.
    assert_eq!(run.verdict(UNUSED), "not_seen medium [gap]");
    let gap = &run.rule(UNUSED)["usage"]["evidence"]["gap"];
    let figures = json!({
        "covered_share": 1.0, "attached_hours": 25, "covered_hours": 25, "missing_objects": 19,
    });
    assert_eq!(gap, &figures);
}

#[test]
fn a_gap_of_hours_is_one_gap_and_its_hours_are_not_covered() {
    let fixture = delivered(0..300, |step| (100..130).contains(&step), &Day::new().objects);
    let run = fixture.analyze(&ANALYZE).exit(0);
    let gaps = run.at("/coverage/files/gaps").as_array().unwrap();
    assert_eq!(gaps.len(), 1);
    let from_to = ["from", "to", "missing_objects"].map(|key| &gaps[0][key]);
    assert_eq!(from_to, [&json!("2026-01-01T08:20:00Z"), &json!("2026-01-01T10:50:00Z"), &json!(30)]);
    // Hour 9 alone lies wholly within it.
    assert_eq!(run.rule(UNUSED)["usage"]["covered_share"], 0.96);
    assert_eq!(run.rule(UNUSED)["usage"]["evidence"]["gap"]["covered_hours"], 24);
    assert_eq!(run.rule(UNUSED)["usage"]["evidence"]["gap"]["missing_objects"], 30);
}

#[test]
fn one_object_of_a_day_is_told_and_weighs_nothing() {
    let fixture = delivered(0..300, |step| step == 150, &Day::new().objects);
    let run = fixture.analyze(&ANALYZE).exit(0);
    assert_eq!(run.verdict(UNUSED), "not_seen high");
    let finding = run.finding("coverage_gap/missing_objects:111111111111:eu-west-1:fl-0a1b");
    assert_eq!(finding["severity"], "low");
}

#[test]
fn objects_too_sparse_to_tell_are_no_gap() {
    let fixture = delivered(0..300, |step| step % 3 != 0, &Day::new().objects);
    let run = fixture.analyze(&ANALYZE).exit(0);
    assert_eq!(run.verdict(UNUSED), "not_seen high");
    assert_eq!(run.finding_ids("coverage_gap"), ["accept_only"]);
    let delivery = run.at("/coverage/files/deliveries/0");
    assert_eq!((&delivery["missing_objects"], &delivery["steps_untold"]), (&json!(0), &json!(198)));
    // Other names tell nothing at all.
    let run = Day::new().run();
    assert_eq!(run.at("/coverage/files/deliveries"), &json!([]));
    assert_eq!(run.at("/coverage/files/gaps"), &json!([]));
}

#[test]
fn missing_objects_of_another_account_weigh_nothing() {
    let mut objects = Day::new().objects;
    let fixture = delivered(0..300, |step| (60..96).contains(&step) && step % 2 == 0, &objects);
    assert_eq!(fixture.analyze(&ANALYZE).exit(0).verdict(UNUSED), "not_seen medium [gap]");
    objects[0] = objects[0].clone().with("OwnerId", "222222222222");
    objects[1] = objects[1].clone().with("OwnerId", "222222222222");
    fixture.snapshot("snap", &objects);
    let run = fixture.analyze(&ANALYZE).exit(0);
    assert_eq!(run.verdict(UNUSED), "not_seen high");
    assert_eq!(run.finding_ids("coverage_gap").len(), 2, "it is told all the same");
}

#[test]
fn states_know_of_missing_objects_what_one_run_knows() {
    // The gap lies between the two states.
    let fixture = delivered(0..300, |step| (140..160).contains(&step), &Day::new().objects);
    let want = fixture.analyze(&ANALYZE).exit(0);
    for (name, since, until) in [("a", 0, 150), ("b", 150, 300)] {
        std::fs::create_dir_all(fixture.path(name)).unwrap();
        for step in since..until {
            let path = fixture.path(&object_name("fl-0a1b", T0 + step * 300));
            if path.exists() {
                std::fs::copy(&path, fixture.path(name).join(path.file_name().unwrap())).unwrap();
            }
        }
        let state = format!("{name}.state");
        let options = ["--review-period", "1d", "--save-state", &state];
        let run = fixture.analyze(&[&[name, "--snapshot", "snap"], &options[..]].concat()).exit(0);
        assert_eq!(run.at("/coverage/files/gaps"), &json!([]), "a state alone has no gap");
    }
    let merged = fixture.run(&["merge", "b.state", "a.state", "--format", "json"]).exit(0);
    assert_eq!(merged.json, want.json);
    assert_eq!(merged.at("/coverage/files/gaps/0/missing_objects"), 20);
    assert_eq!(merged.at("/rules/0/usage/evidence/gap/missing_objects"), 20);
}

#[test]
fn states_keep_hours_of_every_kind() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &Day::new().and(interface("eni-b", "10.0.0.6", &["sg-a"])).objects);
    let accept = "10.0.0.9 10.0.0.6 40000 22 6 ACCEPT";
    let rows = [
        Day::new().rows,
        hourly("eni-b", 0..5, accept),
        nodata("eni-b", 3..9),
        vec![silence_at(T0 + 20 * HOUR, "eni-b", "SKIPDATA"), silence_at(T0 + HOUR, "eni-b", "SKIPDATA")],
    ]
    .concat();
    fixture.log("all", &rows);
    let (first, second): (Vec<_>, Vec<_>) = (0..).zip(rows).partition(|(at, _)| at % 2 == 0);
    for (name, rows) in [("a", first), ("b", second)] {
        fixture.log(name, &rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>());
        fixture.analyze(&[name, "--snapshot", "snap", "--save-state", &format!("{name}.state")]).exit(0);
    }
    let want = fixture.analyze(&["all", "--snapshot", "snap"]).exit(0);
    let merged = fixture.run(&["merge", "a.state", "b.state", "--format", "json"]).exit(0);
    assert_eq!(hours(&merged, "eni-b"), counts([25, 5, 4, 2, 15]));
    assert_eq!(merged.apart_from_files(), want.apart_from_files());
}

#[test]
fn flow_logs_are_listed_as_described() {
    let log = flow_log("vpc-1", "ALL")
        .with("CreationTime", "2025-12-01T10:00:00.000Z")
        .with("MaxAggregationInterval", 60)
        .with("DeliverLogsStatus", "SUCCESS");
    let run = Day::new().and(log).run();
    let expected = json!([{
        "flow_log_id": "fl-vpc-1", "resource_id": "vpc-1", "traffic_type": "ALL", "flow_log_status": "ACTIVE",
        "creation_time": "2025-12-01T10:00:00Z", "max_aggregation_interval": 60,
        "deliver_logs_status": "SUCCESS", "deliver_logs_error_message": "",
    }]);
    assert_eq!(run.at("/coverage/flow_logs"), &expected);
    assert_eq!(run.verdict(UNUSED), "not_seen high");
    assert_eq!(Day::new().run().at("/coverage/flow_logs"), &json!([]));
}

#[test]
fn before_its_only_flow_log_was_created_an_interface_is_silent() {
    let created = |time: &str| flow_log("vpc-1", "ALL").with("CreationTime", time);
    let young = "not_seen low [interface_partly_silent, gap]";
    let cases: [(&str, Day, &str); 7] = [
        ("before the window", Day::new().and(created("2025-12-31T00:00:00Z")), "not_seen high"),
        (
            "inside, and what was before is lost",
            Day::new().silent(1..4).and(created("2026-01-01T04:10:00Z")),
            young,
        ),
        ("inside, within the first hour", Day::new().and(created("2026-01-01T00:10:00Z")), "not_seen high"),
        // An older flow log, deleted since, delivered what was before.
        ("inside, and nothing is lost", Day::new().and(created("2026-01-01T04:00:00Z")), "not_seen high"),
        (
            "an older one beside it",
            Day::new()
                .silent(1..4)
                .and(created("2026-01-01T04:00:00Z"))
                .and(flow_log("eni-a", "ALL").with("CreationTime", "2025-12-31T00:00:00Z")),
            "not_seen low [gap]",
        ),
        (
            "one of unknown age beside it",
            Day::new().silent(1..4).and(created("2026-01-01T04:00:00Z")).and(flow_log("eni-a", "ALL")),
            "not_seen low [gap]",
        ),
        (
            "an older one of REJECTs beside it",
            Day::new()
                .silent(1..4)
                .and(created("2026-01-01T04:00:00Z"))
                .and(flow_log("eni-a", "REJECT").with("CreationTime", "2025-12-31T00:00:00Z")),
            young,
        ),
    ];
    for (name, day, expected) in cases {
        assert_eq!(day.verdict(), expected, "{name}");
    }
    let run = Day::new().silent(1..4).and(created("2026-01-01T04:10:00Z")).run();
    let figures = json!({
        "interfaces": 1, "silent_interfaces": 0, "hours_before_flow_log": 3,
        "covered_share": 0.88, "attached_hours": 25, "covered_hours": 22,
    });
    assert_eq!(run.rule(UNUSED)["usage"]["evidence"]["interface_partly_silent"], figures);
}

#[test]
fn a_flow_log_from_after_the_window_shows_nothing() {
    let silent = "sg-b:ingress:tcp:22-22:10.0.0.0/8";
    for (created, expected) in [
        ("2025-12-31T00:00:00Z", "not_seen high"),
        ("2026-01-03T00:00:00Z", "cannot_decide [interface_silent]"),
    ] {
        let run = Day::new()
            .and(group("sg-b").ingress("tcp", 22, 22, "10.0.0.0/8"))
            .and(interface("eni-b", "10.0.0.6", &["sg-b"]))
            .and(flow_log("eni-b", "ALL").with("CreationTime", created))
            .rows(nodata("eni-b", 0..25))
            .run();
        assert_eq!(run.verdict(silent), expected, "{created}");
    }
}

#[test]
fn a_delivery_that_failed_is_told_with_its_reason() {
    let failed = flow_log("vpc-1", "ALL").with("DeliverLogsStatus", "FAILED");
    let run = Day::new().and(failed.clone().with("DeliverLogsErrorMessage", "Access error")).run();
    let finding = run.finding("coverage_gap/delivery_failed:fl-vpc-1");
    assert_eq!(finding["evidence"]["deliver_logs_error_message"], "Access error");
    assert!(finding["title"].as_str().unwrap().contains("Access error"), "{finding}");
    let cases = [
        (failed, true),
        (flow_log("vpc-1", "ALL").with("DeliverLogsErrorMessage", "Rate limited"), true),
        (flow_log("vpc-1", "ALL").with("DeliverLogsStatus", "SUCCESS"), false),
        (flow_log("vpc-1", "ALL"), false),
    ];
    for (log, expected) in cases {
        let run = Day::new().and(log.clone()).run();
        let told = run.finding_ids("coverage_gap").iter().any(|id| id == "delivery_failed:fl-vpc-1");
        assert_eq!(told, expected, "{:?}", log.value);
    }
}

#[test]
fn flow_logs_of_half_the_traffic_are_told_by_resource() {
    type Told<'a> = &'a [(&'a str, u64)];
    let second = || interface("eni-b", "10.0.0.6", &["sg-a"]);
    let cases: [(&str, Vec<Object>, Told<'_>); 7] = [
        ("none known", vec![], &[]),
        ("all of it", vec![flow_log("vpc-1", "ALL")], &[]),
        ("REJECTs of the VPC", vec![flow_log("vpc-1", "REJECT")], &[("reject_only_flow_log:fl-vpc-1", 2)]),
        (
            "ACCEPTs of one interface",
            vec![flow_log("eni-b", "ACCEPT")],
            &[("accept_only_flow_log:fl-eni-b", 1)],
        ),
        ("both halves", vec![flow_log("vpc-1", "REJECT"), flow_log("subnet-1", "ACCEPT")], &[]),
        (
            "the other half of one interface alone",
            vec![flow_log("vpc-1", "REJECT"), flow_log("eni-a", "ACCEPT")],
            &[("reject_only_flow_log:fl-vpc-1", 1)],
        ),
        ("another VPC", vec![flow_log("vpc-2", "REJECT")], &[]),
    ];
    for (name, logs, expected) in cases {
        let day = logs.into_iter().fold(Day::new().and(second()), Day::and);
        let run = day.run();
        let found: Vec<(String, u64)> = run
            .findings("coverage_gap")
            .into_iter()
            .filter(|finding| finding["id"].as_str().unwrap().contains("_only_flow_log:"))
            .map(|finding| {
                let id = finding["id"].as_str().unwrap()["coverage_gap/".len()..].to_owned();
                (id, finding["evidence"]["interfaces"].as_u64().unwrap())
            })
            .collect();
        let expected: Vec<(String, u64)> =
            expected.iter().map(|(id, interfaces)| ((*id).to_owned(), *interfaces)).collect();
        assert_eq!(found, expected, "{name}");
    }
}
