//! However documents are split, packed, wrapped, repeated and ordered, they tell the same history.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::account::Dice;
use crate::course::{Course, Kinds};
use crate::events::{self, ingress};
use crate::fixture::{Fixture, HOUR, Run, T0, group, gzip, interface, row_at};
use crate::forms::Documents;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_deal_of_the_documents_is_the_same_history(seed in any::<u64>(), changes in 0_usize..12) {
        let mut dice = Dice(seed);
        let course = Course::random(&mut dice, Kinds::All, changes);
        let with_items = dice.chance(50);
        let at = course.worlds[dice.below(course.worlds.len())].0;
        let told = |deal: u64| {
            let mut dice = Dice(seed ^ deal);
            let mut documents = Documents::new();
            documents.snapshot(at, course.at(at));
            // Any cut, and some of it twice.
            documents.trail(&mut dice, &course.events);
            let cut = dice.below(course.events.len() + 1);
            documents.trail(&mut dice, &course.events[..cut]);
            documents.trail(&mut dice, &course.events[cut..]);
            if with_items {
                documents.items(&mut dice, &course);
            }
            format!("{:?}", documents.timeline(&mut dice))
        };
        let (one, other) = (told(1), told(2));
        prop_assert!(one == other, "{one}\n{other}");
    }
}

const WEB: &str = "sg-a:ingress:tcp:443-443:10.0.0.0/8";
const SSH: &str = "sg-a:ingress:tcp:22-22:10.0.0.0/8";

/// 443 is let in after an hour, 22 shut after two, and 80 let in and out again in the third.
fn calls() -> Vec<Value> {
    let at = |hours: i64| T0 + hours * HOUR;
    let web = ingress(443, "10.0.0.0/8");
    let http = ingress(80, "10.0.0.0/8");
    vec![
        events::authorize(at(1), "sg-a", &[("sgr-1", web)]),
        events::revoke_nested(at(2), "sg-a", ingress(22, "10.0.0.0/8")),
        events::authorize(at(3), "sg-a", &[("sgr-2", http)]),
        events::revoke_ids(at(3) + 60, "sg-a", false, &["sgr-2"]),
        // Nobody describes that group.
        events::authorize_nested(at(4), "sg-elsewhere", web),
    ]
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let ssh = group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8");
    fixture.snapshot("snap", &[ssh, interface("eni-a", "10.0.0.5", &["sg-a"])]);
    let row = |hour: i64, port: u16| {
        row_at(T0 + hour * HOUR, &format!("eni-a 10.9.9.9 10.0.0.5 40000 {port} 6 ACCEPT"))
    };
    let rows: Vec<String> = (0..5).flat_map(|hour| [22, 80, 443].map(|port| row(hour, port))).collect();
    fixture.log("log", &rows);
    fixture
}

/// The report but for the names of the files.
fn report(run: &Run) -> Value {
    let mut report = run.json.clone();
    report["coverage"]["snapshots"] = Value::Null;
    report
}

#[test]
fn events_in_every_wrapping_and_split_make_the_same_report() {
    let fixture = fixture();
    let calls = calls();
    let snapshot = format!("{}=snap", flowaudit::time::format(T0));
    let bridged: Vec<Value> =
        calls.iter().map(|call| json!({ "source": "aws.ec2", "detail": call })).collect();
    let found: Vec<Value> =
        calls.iter().map(|call| json!({ "EventName": "x", "CloudTrailEvent": call.to_string() })).collect();
    let lines = |values: &[Value]| values.iter().map(|value| format!("{value}\n")).collect::<String>();
    fixture.write("records/trail.json", events::records(&calls));
    fixture.write("array/trail.json", json!(calls).to_string());
    fixture.write("stream/trail.json", lines(&calls));
    fixture.write("events/trail.json", json!(bridged).to_string());
    fixture.write("bus/trail.jsonl", lines(&bridged));
    fixture.write("lookup/trail.json", json!({ "Events": found }).to_string());
    fixture.write("packed/trail.json.gz", events::packed(&calls));
    // Two members in one file, as S3 objects are concatenated.
    let members = [events::packed(&calls[..2]), gzip(b"\n"), events::packed(&calls[2..])].concat();
    fixture.write("members/trail.json.gz", members);
    let mark = format!("\u{feff}{}", serde_json::to_string_pretty(&json!({ "Records": calls })).unwrap());
    fixture.write("mark/trail.json", mark);
    for (number, call) in calls.iter().rev().enumerate() {
        let folder = format!("s3/AWSLogs/111111111111/CloudTrail/eu-west-1/2026/01/0{}", 1 + number % 2);
        fixture.write(&format!("{folder}/{number}.json.gz"), events::packed(std::slice::from_ref(call)));
    }
    fixture.write("twice/a.json", events::records(&calls));
    fixture.write("twice/b.json", events::records(&calls[1..4]));
    fixture.write("twice/c.json.gz", events::packed(&bridged));
    fixture.write("within/records.json", events::records(&[calls.clone(), calls.clone()].concat()));
    let want = fixture.analyze(&["log", "--snapshot", &snapshot, "records"]).exit(0);
    assert_eq!((want.usage(WEB, "records"), want.usage(SSH, "records")), (4, 2));
    assert_eq!(want.usage("sg-a:ingress:tcp:80-80:10.0.0.0/8", "records"), 1);
    let shapes =
        ["array", "stream", "events", "bus", "lookup", "packed", "members", "mark", "s3", "twice", "within"];
    for shape in shapes {
        let run = fixture.analyze(&["log", "--snapshot", shape, &snapshot]).exit(0);
        assert_eq!(report(&run), report(&want), "{shape}");
        let check = fixture.run(&["snapshot", "check", &snapshot, shape, "--format", "json"]);
        assert_eq!((check.at("/changes"), check.at("/states")), (&json!(5), &json!(5)), "{shape}");
        let unapplied = json!({ "unknown_resource": 1, "unknown_rule": 0 });
        assert_eq!(check.at("/unapplied"), &unapplied, "{shape}");
    }
    // In one folder with the snapshot, whose time is then that of all.
    fixture.write("snap/trail.json", events::records(&calls));
    let run = fixture.analyze(&["log", "--snapshot", &snapshot]).exit(0);
    assert_eq!(report(&run), report(&want));
}

#[test]
fn a_trail_beside_folders_named_by_times_changes_their_snapshots() {
    let fixture = fixture();
    let want = {
        fixture.write("trail.json", events::records(&calls()));
        let snapshot = format!("{}=snap", flowaudit::time::format(T0));
        fixture.analyze(&["log", "--snapshot", &snapshot, "trail.json"]).exit(0)
    };
    std::fs::create_dir_all(fixture.path("all")).unwrap();
    std::fs::rename(fixture.path("snap"), fixture.path("all/2026-01-01T00:00:00Z")).unwrap();
    std::fs::rename(fixture.path("trail.json"), fixture.path("all/trail.json")).unwrap();
    let run = fixture.analyze(&["log", "--snapshot", "all"]).exit(0);
    assert_eq!(report(&run), report(&want));
    let files = run.at("/coverage/snapshots").as_array().unwrap();
    assert!(files.iter().all(|file| file["left_aside"].is_null()), "{files:?}");
}

#[test]
fn aws_config_items_in_every_carrier_make_the_same_report() {
    let fixture = fixture();
    let before =
        [group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8"), interface("eni-a", "10.0.0.5", &["sg-a"])];
    let after = [group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8"), before[1].clone()];
    let first = crate::items::changed(T0, &[], &before);
    let items = [first, crate::items::changed(T0 + 2 * HOUR, &before, &after)].concat();
    fixture.write("files/a.json", crate::items::file(&items));
    let want = fixture.analyze(&["log", "--snapshot", "files"]).exit(0);
    assert_eq!((want.usage(SSH, "records"), want.usage(WEB, "records")), (2, 3));
    // Configurations as text, as get-resource-config-history answers.
    let quoted: Vec<Value> = items
        .iter()
        .map(|item| {
            let mut item = item.clone();
            item["configuration"] = item["configuration"].to_string().into();
            item
        })
        .collect();
    fixture.write("history/a.json", json!({ "configurationItems": quoted, "nextToken": "x" }).to_string());
    let results: Vec<String> = items.iter().map(ToString::to_string).collect();
    fixture.write("query/a.json", json!({ "Results": results, "QueryInfo": {} }).to_string());
    for (number, item) in items.iter().rev().enumerate() {
        let event =
            json!({ "messageType": "ConfigurationItemChangeNotification", "configurationItem": item });
        fixture
            .write(&format!("rule/{number}.json"), json!({ "invokingEvent": event.to_string() }).to_string());
        fixture.write(&format!("one/{number}.json.gz"), gzip(item.to_string().as_bytes()));
    }
    fixture.write("twice/a.json", crate::items::file(&items));
    fixture.write("twice/b.json.gz", gzip(crate::items::file(&items[1..]).as_bytes()));
    for shape in ["history", "query", "rule", "one", "twice"] {
        let run = fixture.analyze(&["log", "--snapshot", shape]).exit(0);
        assert_eq!(report(&run), report(&want), "{shape}");
    }
}
