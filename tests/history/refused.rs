//! What is refused, what changes nothing, and what is not understood.

use serde_json::{Value, json};

use crate::events::{self, ingress};
use crate::fixture::{ACCOUNT, Fixture, HOUR, Run, T0, group, interface, row_at};

const WEB: &str = "sg-a:ingress:tcp:443-443:10.0.0.0/8";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let ssh = group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8");
    fixture.snapshot("snap", &[ssh, interface("eni-a", "10.0.0.5", &["sg-a"])]);
    fixture.log("log", &[row_at(T0 + 2 * HOUR, "eni-a 10.9.9.9 10.0.0.5 40000 443 6 ACCEPT")]);
    fixture
}

fn call() -> Value {
    events::authorize(T0 + HOUR, "sg-a", &[("sgr-1", ingress(443, "10.0.0.0/8"))])
}

fn at_t0() -> String {
    format!("{}=snap", flowaudit::time::format(T0))
}

#[test]
fn a_trail_beside_a_snapshot_without_a_time_is_refused_with_the_remedy() {
    let fixture = fixture();
    // Named such that it comes first, or last.
    for name in ["a-trail.json", "z-trail.json"] {
        fixture.write(name, events::records(&[call()]));
        for arguments in [
            vec!["analyze", "log", "--snapshot", "snap", name],
            vec!["snapshot", "check", name, "snap"],
            vec!["snapshot", "show", "snap", name],
        ] {
            let run = fixture.run(&arguments);
            assert_eq!((run.status, run.stdout.as_slice()), (Some(2), &b""[..]), "{arguments:?}");
            assert_eq!(
                run.stderr,
                "flowaudit: error: snap/NetworkInterfaces.json: a snapshot without a time, beside CloudTrail, which \
                 tells what changed before and after it; say when it was taken: --snapshot TIME=PATH\n",
                "{arguments:?}"
            );
        }
    }
    // Together in one folder.
    fixture.write("snap/a-trail.json", events::records(&[call()]));
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(2);
    assert!(run.stderr.contains("snap/NetworkInterfaces.json: a snapshot without a time"), "{}", run.stderr);
    // As told, it works.
    fixture.analyze(&["log", "--snapshot", &at_t0()]).exit(0);
}

#[test]
fn what_needs_no_time_is_not_refused() {
    let fixture = fixture();
    let failed = |mut call: Value| {
        call["errorCode"] = json!("Client.InvalidPermission.Duplicate");
        call
    };
    fixture.write("failed.json", events::records(&[failed(call())]));
    // A new interface is there from then on, whatever was before.
    let made = events::create_interface(T0 + HOUR, "eni-b", &["10.0.0.6"], &["sg-a"]);
    fixture.write("made.json", events::records(&[made]));
    let with_web = group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8");
    fixture.write("config.json", crate::items::file(&[crate::items::told(T0 + HOUR, "OK", &with_web)]));
    for (name, web) in [("failed.json", false), ("made.json", false), ("config.json", true)] {
        let run = fixture.analyze(&["log", "--snapshot", "snap", name]).exit(0);
        assert_eq!(run.keys().contains(&WEB), web, "{name}");
        assert_eq!(run.at("/coverage/snapshots").as_array().unwrap().len(), 3, "{name}");
    }
}

/// The report but for the list of documents.
fn report(run: &Run) -> Value {
    let mut report = run.json.clone();
    report["coverage"]["snapshots"] = Value::Null;
    report
}

#[test]
fn calls_that_failed_or_only_asked_change_nothing() {
    let fixture = fixture();
    let with = |key: &str, value: Value| {
        let mut call = call();
        call[key] = value;
        call
    };
    let calls = [
        with("errorCode", json!("Client.UnauthorizedOperation")),
        with("errorMessage", json!("You are not authorized")),
        with("responseElements", json!({ "_return": false })),
        with("responseElements", json!({ "_return": "false" })),
        with("errorCode", json!("Client.DryRunOperation")),
        with("eventName", json!("DescribeSecurityGroups")),
        with("eventName", json!("CreateTags")),
        with("eventSource", json!("sts.amazonaws.com")),
        with("eventSource", json!("autoscaling.amazonaws.com")),
    ];
    let want = fixture.analyze(&["log", "--snapshot", &at_t0()]).exit(0);
    fixture.write("trail.json", events::records(&calls));
    let run = fixture.analyze(&["log", "--snapshot", &at_t0(), "trail.json"]).exit(0);
    assert_eq!(report(&run), report(&want));
    let trail = &run.at("/coverage/snapshots").as_array().unwrap()[0];
    assert_eq!(
        trail,
        &json!({
            "file": "trail.json", "in_force_from": null, "left_aside": null, "missed": null,
        })
    );
    let check = fixture.run(&["snapshot", "check", &at_t0(), "trail.json", "--format", "json"]);
    assert_eq!((check.at("/changes"), check.at("/documents/0/others")), (&json!(0), &json!(9)));
    // Fine as it is, it does.
    fixture.write("trail.json", events::records(&[call()]));
    let run = fixture.analyze(&["log", "--snapshot", &at_t0(), "trail.json"]).exit(0);
    assert_eq!(run.usage(WEB, "records"), 1);
}

#[test]
fn what_is_not_understood_is_counted_and_shown() {
    let fixture = fixture();
    let by_name = json!({ "groupName": "default", "ipPermissions": {} });
    let odd = events::call(T0 + HOUR, "AuthorizeSecurityGroupIngress", by_name, events::done());
    let mut timeless = call();
    timeless["eventTime"] = json!("noon");
    let mut unnamed = odd.clone();
    unnamed["eventID"] = json!("e-7");
    fixture.write("one.json", events::records(&[call(), unnamed.clone()]));
    fixture.write("three.json.gz", events::packed(&[unnamed, call(), timeless, odd]));
    let run = fixture.analyze(&["log", "--snapshot", &at_t0(), "one.json", "three.json.gz"]).exit(0);
    assert_eq!(run.usage(WEB, "records"), 1, "the rest is");
    let first = "e-7: AuthorizeSecurityGroupIngress: expected groupId, found only groupName \"default\"";
    let missed: Vec<&Value> =
        run.at("/coverage/snapshots").as_array().unwrap().iter().map(|file| &file["missed"]).collect();
    assert_eq!(
        missed[..2],
        [
            &json!(format!("1 entry not understood: {first}")),
            &json!(format!("3 entries not understood, the first: {first}")),
        ]
    );
    assert!(missed[2..].iter().all(|missed| missed.is_null()));
    // Items of AWS Config.
    let item = json!({
        "resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-a", "configurationItemStatus": "OK",
        "configurationItemCaptureTime": "2026-01-01T01:00:00Z", "awsAccountId": ACCOUNT, "configuration": {},
    });
    fixture.write("config.json", crate::items::file(&[item]));
    let run = fixture.analyze(&["log", "--snapshot", &at_t0(), "config.json"]).exit(0);
    assert_eq!(
        run.at("/coverage/snapshots/0/missed"),
        "1 entry not understood: sg-a: configuration: IpPermissions: expected a list, found nothing; a query has to select it"
    );
    let text = fixture.run(&["analyze", "log", "--snapshot", &at_t0(), "one.json"]);
    let text = String::from_utf8(text.stdout.clone()).unwrap();
    assert!(text.contains("1 entry not understood"), "{text}");
}

#[test]
fn a_document_that_is_broken_off_is_refused_by_its_place() {
    let fixture = fixture();
    let whole = events::records(&[call()]);
    fixture.write("trail.json", &whole[..whole.len() - 9]);
    let run = fixture.analyze(&["log", "--snapshot", &at_t0(), "trail.json"]).exit(2);
    assert!(run.stderr.starts_with("flowaudit: error: trail.json: line 1, column "), "{}", run.stderr);
    let packed = events::packed(&[call()]);
    fixture.write("trail.json.gz", &packed[..packed.len() - 20]);
    let run = fixture.analyze(&["log", "--snapshot", &at_t0(), "trail.json.gz"]).exit(2);
    assert!(run.stderr.starts_with("flowaudit: error: trail.json.gz: "), "{}", run.stderr);
}

#[test]
fn snapshot_commands_say_what_they_need() {
    let fixture = fixture();
    std::fs::create_dir_all(fixture.path("empty")).unwrap();
    fixture.write("notes/a.txt", "dear diary");
    fixture.write("notes/b.json", "{\"brand\": \"new\"}");
    let nothing = "nothing that tells of security groups; expected answers of aws ec2 describe-*, AWS Config or CloudTrail \
                   files, or terraform show -json";
    let empty = format!("flowaudit: error: empty: {nothing}\n");
    let notes = format!(
        "flowaudit: error: notes: {nothing}\n  notes/a.txt: not JSON\n  notes/b.json: JSON of no kind this reads\n"
    );
    let absent = "flowaudit: error: nowhere: no such file or folder; --snapshot takes a JSON file or a folder of them, as \
                  the AWS CLI writes them\n";
    let one = "flowaudit: error: snap: not a Terraform plan; give a second PATH to compare it with\n";
    let exact: [(&[&str], &str); 9] = [
        (&["check", "empty"], &empty),
        (&["show", "empty"], &empty),
        (&["diff", "empty", "snap"], &empty),
        (&["diff", "snap", "empty"], &empty),
        (&["check", "notes"], &notes),
        (&["check", "nowhere"], absent),
        (&["show", "snap", "nowhere"], absent),
        (&["diff", "snap", "nowhere"], absent),
        (&["diff", "snap"], one),
    ];
    for (arguments, expected) in exact {
        let run = fixture.run(&[&["snapshot"], arguments].concat());
        assert_eq!((run.status, run.stdout.as_slice()), (Some(2), &b""[..]), "{arguments:?}");
        assert_eq!(run.stderr, expected, "{arguments:?}");
    }
    let helpful: [(&[&str], &[&str]); 6] = [
        (&["chek", "snap"], &["'chek'", "similar subcommand exists: 'check'"]),
        (&[], &["check", "diff", "show"]),
        (&["check"], &["[TIME=]PATH"]),
        (
            &["show", "snap", "--at", "noon"],
            &["'noon'", "expected RFC 3339, such as 2026-01-31T00:00:00Z, or a date"],
        ),
        (&["check", "snap", "--format", "yaml"], &["'yaml'", "possible values: text, json"]),
        (&["diff", "snap", "snap", "snap"], &["unexpected argument 'snap'"]),
    ];
    for (arguments, words) in helpful {
        let run = fixture.run(&[&["snapshot"], arguments].concat());
        assert_eq!((run.status, run.stdout.as_slice()), (Some(2), &b""[..]), "{arguments:?}");
        for word in words {
            assert!(run.stderr.contains(word), "{arguments:?}: {word}: {}", run.stderr);
        }
    }
    let run = fixture.run(&["snapshot", "show", "snap", "--output", "no/such/folder.json"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("no/such/folder.json"), "{}", run.stderr);
}
