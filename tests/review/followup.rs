//! What is accepted, what was there before, and what became of it.

use serde_json::{Value, json};

use crate::fixture::{Fixture, Object, Run, group, interface, row};

const SSH: &str = "over_broad/sg-a:ingress:tcp:22-22:0.0.0.0/0";

fn ids(run: &Run, list: &str) -> Vec<String> {
    run.at(list)
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect()
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let objects: [Object; 2] = [
        group("sg-a").ingress("tcp", 22, 22, "0.0.0.0/0").ingress("tcp", 99, 99, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    fixture.snapshot("snap", &objects);
    fixture.log("log", &[row("eni-a 192.0.2.9 10.0.0.5 40000 22 6 ACCEPT")]);
    fixture
}

fn suppressed(entries: &str, more: &[&str]) -> Run {
    let fixture = fixture();
    fixture.write("s.toml", entries);
    fixture.analyze(&[&["log", "--snapshot", "snap", "--suppress", "s.toml"], more].concat())
}

const ACCEPTED: &str = r#"
[[suppress]]
id = "over_broad/sg-a:ingress:tcp:22-22:0.0.0.0/0"
reason = "jump host, ticket 17"
expires = 2999-12-31
"#;

#[test]
fn an_accepted_finding_is_told_apart_and_does_not_fail_the_run() {
    let plain = fixture().analyze(&["log", "--snapshot", "snap", "--fail-on", "high"]).exit(1);
    assert!(ids(&plain, "/findings").contains(&SSH.to_owned()));
    assert_eq!(*plain.at("/suppressed"), json!([]));
    let run = suppressed(ACCEPTED, &["--fail-on", "high"]).exit(0);
    assert_eq!(run.stderr, "");
    let left: Vec<String> = ids(&plain, "/findings").into_iter().filter(|id| id != SSH).collect();
    assert_eq!(ids(&run, "/findings"), left);
    assert_eq!(
        *run.at("/suppressed"),
        json!([{
            "id": SSH, "severity": plain.finding(SSH)["severity"], "title": plain.finding(SSH)["title"], "reason": "jump host, ticket 17",
            "expires": "2999-12-31T23:59:59Z",
        }])
    );
    let shown = suppressed(ACCEPTED, &["--fail-on", "high", "--show-suppressed"]).exit(0);
    assert_eq!(shown.finding(SSH)["suppressed"]["reason"], "jump host, ticket 17");
    assert_eq!(ids(&shown, "/suppressed"), [SSH]);
    let fixture = fixture();
    fixture.write("s.toml", ACCEPTED);
    let arguments = ["analyze", "log", "--snapshot", "snap", "--suppress", "s.toml", "--show-suppressed"];
    let text = String::from_utf8(fixture.run(&arguments).stdout.clone()).unwrap();
    assert!(text.contains("accepted: SSH (tcp/22) open to the"), "{text}");
    assert!(text.contains("Until 2999-12-31: jump host, ticket 17"), "{text}");
}

#[test]
fn findings_are_accepted_by_what_they_are_about() {
    for (fields, met) in [
        (r#"group_id = "sg-a""#, true),
        (r#"kind = "over_broad""#, true),
        (r#"rule_key = "sg-a:ingress:tcp:22-22:0.0.0.0/0""#, true),
        ("kind = \"over_broad\"\ngroup_id = \"sg-a\"", true),
        ("kind = \"over_broad\"\ngroup_id = \"sg-b\"", false),
        (r#"interface_id = "eni-a""#, false),
    ] {
        let run =
            suppressed(&format!("[[suppress]]\n{fields}\nreason = \"r\"\nexpires = \"2999-01-01\"\n"), &[])
                .exit(0);
        assert_eq!(ids(&run, "/suppressed").contains(&SSH.to_owned()), met, "{fields}");
        assert_eq!(
            run.stderr.contains("is about no finding: it may be fixed"),
            !met,
            "{fields}: {}",
            run.stderr
        );
    }
}

#[test]
fn an_accepted_finding_comes_back_with_a_warning_when_its_time_is_over() {
    let run = suppressed(&ACCEPTED.replace("2999-12-31", "2020-02-01"), &["--fail-on", "high"]).exit(1);
    assert_eq!(*run.at("/suppressed"), json!([]));
    assert_eq!(
        run.stderr,
        format!(
            "flowaudit: warning: s.toml: entry 1 ({SSH}) ended 2020-02-01T23:59:59Z: its findings are back\n"
        )
    );
    assert_eq!(suppressed(&ACCEPTED.replace("2999", "2020"), &["--quiet"]).exit(0).stderr, "");
}

#[test]
fn an_entry_without_a_reason_an_end_or_a_subject_is_refused() {
    for (entries, words) in [
        ("[[suppress]]\nid = \"x\"\nexpires = 2999-01-01\n", "missing field `reason`"),
        ("[[suppress]]\nid = \"x\"\nreason = \"r\"\n", "missing field `expires`"),
        ("[[suppress]]\nid = \"x\"\nreason = \" \"\nexpires = 2999-01-01\n", "entry 1: the reason is empty"),
        ("[[suppress]]\nreason = \"r\"\nexpires = 2999-01-01\n", "entry 1: says nothing of what it is about"),
        (
            "[[suppress]]\nid = \"x\"\nreason = \"r\"\nexpires = \"soon\"\n",
            "expires = \"soon\": expected a date",
        ),
        ("[[suppress]]\nids = \"x\"\nreason = \"r\"\nexpires = 2999-01-01\n", "unknown field `ids`"),
        ("suppress = 1\n", "s.toml"),
    ] {
        let run = suppressed(entries, &[]);
        assert_eq!(run.status, Some(2), "{entries}");
        assert!(run.stderr.contains(words), "{entries}: {}", run.stderr);
    }
}

#[test]
fn a_baseline_leaves_what_is_new_or_worse() {
    let fixture = fixture();
    let first = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    fixture.write("old.json", &first.stdout);
    let arguments = ["log", "--snapshot", "snap", "--baseline", "old.json", "--fail-on", "info"];
    let same = fixture.analyze(&arguments).exit(0);
    assert_eq!(*same.at("/findings"), json!([]));
    assert_eq!(ids(&same, "/known"), ids(&first, "/findings"));
    // The baseline of a run with a baseline still knows them.
    fixture.write("old.json", &same.stdout);
    fixture.analyze(&arguments).exit(0);
    let mut milder = first.json.clone();
    for finding in milder["findings"].as_array_mut().unwrap() {
        if finding["id"] == SSH {
            finding["severity"] = json!("low");
        }
    }
    fixture.write("old.json", milder.to_string());
    assert_eq!(ids(&fixture.analyze(&arguments).exit(1), "/findings"), [SSH]);
    for (old, words) in [("{}", "old.json: no report of flowaudit"), ("[", "no report of flowaudit")] {
        fixture.write("old.json", old);
        let run = fixture.analyze(&arguments);
        assert_eq!(run.status, Some(2));
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn diff_tells_what_is_new_fixed_and_still_open() {
    let fixture = Fixture::new();
    let finding =
        |id: &str, severity: &str| json!({ "id": id, "severity": severity, "title": format!("about {id}") });
    let report = |findings: Value, suppressed: Value| {
        json!({ "schema_version": "1", "findings": findings, "suppressed": suppressed }).to_string()
    };
    fixture.write(
        "old.json",
        report(
            json!([finding("a", "low"), finding("b", "high"), finding("d", "info")]),
            json!([finding("s", "low")]),
        ),
    );
    fixture.write(
        "new.json",
        report(
            json!([finding("s", "low"), finding("b", "critical"), finding("c\u{1b}[2J", "medium")]),
            json!([]),
        ),
    );
    let run = fixture.run(&["diff", "old.json", "new.json", "--format", "json"]).exit(0);
    let line = |id: &str, severity: &str, before: Option<&str>| json!({ "id": id, "severity": severity, "severity_before": before, "title": format!("about {id}") });
    assert_eq!(
        run.json,
        json!({
            "new": [line("c\u{1b}[2J", "medium", None)],
            "fixed": [line("a", "low", None), line("d", "info", None)],
            "still_open": [line("b", "critical", Some("high")), line("s", "low", None)],
        })
    );
    let text = fixture.run(&["diff", "old.json", "new.json"]);
    assert_eq!(
        String::from_utf8(text.stdout.clone()).unwrap(),
        "1 new, 2 fixed, 2 still open\n\nNew\n  medium: about c\\u{1b}[2J\n\nFixed\n  low: about a\n  info: about d\n\n\
         Still open\n  critical (was high): about b\n  low: about s\n"
    );
    assert_eq!(fixture.run(&["diff", "old.json", "gone.json"]).status, Some(2));
}
