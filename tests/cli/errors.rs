//! Exit statuses, and messages that say where, what was expected and what to do.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::fixture::{Fixture, Object, Run, group, gzip, interface, row, text, text_with};

fn objects() -> [Object; 2] {
    [group("sg-a").ingress("tcp", 22, 22, "0.0.0.0/0"), interface("eni-a", "10.0.0.5", &["sg-a"])]
}

/// With a good log and a good snapshot.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.log("log", &[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]);
    fixture.snapshot("snap", &objects());
    fixture
}

/// Asserts that stderr has all of these words, and no escape sequence.
#[track_caller]
fn says(run: &Run, words: &[&str]) {
    for word in words {
        assert!(run.stderr.contains(word), "{word}");
    }
    assert!(!run.stderr.contains('\u{1b}'));
}

#[test]
fn what_is_asked_for_and_cannot_be_had_ends_the_run_with_status_2() {
    let fixture = fixture();
    std::fs::create_dir(fixture.path("empty")).unwrap();
    fixture.write("broken/groups.json", "{\n  \"SecurityGroups\": [\n    { \"GroupId\": }\n  ]\n}");
    fixture.write("cut/groups.json", "{\"SecurityGroups\": [");
    fixture.write(
        "bad/groups.json",
        r#"{"SecurityGroups":[{"GroupId":"sg-a","IpPermissions":
        [{"IpProtocol":"tcp","FromPort":22,"ToPort":70000,"IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]}]}"#,
    );
    fixture.write("deep.json", format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)));
    let packed = gzip(format!("[{}]", "{}, ".repeat(10_000)).as_bytes());
    fixture.write("cut.json.gz", &packed[..packed.len() / 2]);
    fixture.write("notes", "dear diary\n");
    fixture.write("pairs", "10.0.0.9 10.0.0.5\n");
    fixture.write("headerless", "eni-a 10.0.0.9 10.0.0.5 6 ACCEPT\n");
    let cases: [(&[&str], &[&str]); 25] = [
        (&["missing", "--snapshot", "snap"], &["missing"]),
        (&["missing/*.gz", "--snapshot", "snap"], &["missing/*.gz", "no file matches"]),
        (&["empty", "--snapshot", "snap"], &["empty", "no files", "VPC Flow Logs", "vpcflowlogs"]),
        (&["notes", "--snapshot", "snap"], &["notes", "not a flow log", "VPC Flow Logs"]),
        (&["headerless", "--snapshot", "snap"], &["headerless", "no header line", "--fields"]),
        (&["log"], &["--snapshot", "describe-security-groups", "describe-network-interfaces"]),
        (&["log", "--snapshot", "missing"], &["missing", "no such file or folder", "--snapshot"]),
        (&["log", "--snapshot", "2026-01-01=missing"], &["missing", "no such file or folder"]),
        (&["log", "--snapshot", "broken"], &["broken/groups.json", "line 3", "column 18"]),
        (&["log", "--snapshot", "cut"], &["cut/groups.json", "line 1", "EOF"]),
        (&["log", "--snapshot", "deep.json"], &["deep.json", "nested too deeply"]),
        (&["log", "--snapshot", "cut.json.gz"], &["cut.json.gz", "gzip", "expected a whole file"]),
        (&["snap", "--snapshot", "snap"], &["snap", "no other files than the snapshot's", "VPC Flow Logs"]),
        (&["log", "--snapshot", "bad"], &["bad/groups.json", "sg-a", "ToPort", "65535", "70000"]),
        (&["log", "--snapshot", "snap", "--output", "no/such/folder"], &["no/such/folder", "cannot write"]),
        (&["log", "--snapshot", "snap", "--output", "empty"], &["empty", "cannot write"]),
        (&["log", "--snapshots", "snap"], &["--snapshots", "--snapshot"]),
        (&["log", "--snapshot", "snap", "--sicne", "2026-01-01"], &["--sicne", "--since"]),
        (&["log", "--snapshot", "snap", "--since", "yesterday"], &["yesterday", "--since", "RFC 3339"]),
        (&["log", "--snapshot", "snap", "--fields", "one two"], &["--fields", "one"]),
        (
            &["pairs", "--snapshot", "snap", "--fields", "srcaddr dstaddr"],
            &["pairs", "interface-id", "action"],
        ),
        (&["log", "--snapshot", "snap", "--fail-on", "severe"], &["severe", "critical", "info"]),
        (&["log", "--snapshot", "snap", "--review-period", "month"], &["month", "90d"]),
        (&["log", "--snapshot", "snap", "--config", "missing.toml"], &["missing.toml"]),
        (&["log", "--snapshot", "snap", "--port-profile", "cisco"], &["cisco", "cis"]),
    ];
    for (arguments, words) in cases {
        let run = fixture.analyze(arguments).exit(2);
        says(&run, words);
        assert!(run.stdout.is_empty());
    }
}

#[test]
fn no_command_and_an_unknown_one_are_usage_errors() {
    let fixture = fixture();
    says(&fixture.run(&["analyse", "log"]).exit(2), &["analyse", "analyze"]);
    says(&fixture.run(&[]).exit(2), &["Usage", "analyze"]);
    says(&fixture.run(&["analyze"]).exit(2), &["LOG"]);
    for flag in ["--help", "--version"] {
        let run = fixture.run(&[flag]);
        assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{flag}");
    }
}

#[test]
fn json_of_another_kind_is_listed_and_not_fatal() {
    let fixture = fixture();
    fixture.write("snap/instances.json", r#"{"Reservations":[{"Instances":[]}]}"#);
    fixture.write("snap/notes.txt", "collected by hand");
    fixture.write("snap/nothing.json", "");
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    let files = run.at("/coverage/snapshots").as_array().unwrap();
    let aside: Vec<&Value> = files.iter().filter(|file| !file["left_aside"].is_null()).collect();
    let names: Vec<&str> = aside.iter().map(|file| file["file"].as_str().unwrap()).collect();
    assert_eq!(names, ["snap/instances.json", "snap/notes.txt", "snap/nothing.json"]);
    assert_eq!(files.len(), 5);
    assert_eq!(run.with_verdict("used").len(), 1);
}

#[test]
fn fail_on_answers_with_the_worst_finding() {
    let fixture = fixture();
    // The worst: SSH open to the internet, high.
    for (level, status) in [("critical", 0), ("high", 1), ("medium", 1), ("low", 1), ("info", 1)] {
        let run = fixture.analyze(&["log", "--snapshot", "snap", "--fail-on", level]).exit(status);
        assert_eq!(run.findings("over_broad")[0]["severity"], "high", "{level}");
    }
    fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    fixture.write("image", b"\x89PNG\r\n\x1a\n");
    fixture.analyze(&["log", "image", "--snapshot", "snap", "--fail-on", "high"]).exit(3);
}

#[test]
fn the_report_goes_to_the_file_and_nowhere_else() {
    let fixture = fixture();
    let expected = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    let run = fixture.analyze(&["log", "--snapshot", "snap", "--output", "report.json"]);
    assert_eq!((run.status, run.stdout.len(), run.stderr.as_str()), (Some(0), 0, ""));
    assert_eq!(std::fs::read(fixture.path("report.json")).unwrap(), expected.stdout);
}

#[test]
fn a_closed_pipe_is_success() {
    let fixture = fixture();
    let groups: Vec<Object> =
        (0..500).map(|at| group(&format!("sg-{at}")).ingress("tcp", at, at, "10.0.0.0/8")).collect();
    fixture.snapshot("large", &groups);
    let mut command = fixture.command(&["analyze", "log", "--snapshot", "large", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn logs_that_no_snapshot_fits_say_what_is_missing() {
    let fixture = fixture();
    fixture.log("log", &[row("eni-x 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]);
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!(run.outcome("unknown_interface"), 1);
    let gap = run.finding("coverage_gap/unknown_interfaces");
    assert!(gap["recommendation"].as_str().unwrap().contains("describe-network-interfaces"));
    let [groups, interfaces] = objects();
    fixture.snapshot("groups-only", &[groups]);
    let run = fixture.analyze(&["log", "--snapshot", "groups-only"]).exit(0);
    let gap = run.finding("coverage_gap/no_interfaces");
    assert!(gap["recommendation"].as_str().unwrap().contains("describe-network-interfaces"));
    fixture.snapshot("interfaces-only", &[interfaces]);
    let run = fixture.analyze(&["log", "--snapshot", "interfaces-only"]).exit(0);
    let gap = run.finding("coverage_gap/no_rules");
    assert!(gap["recommendation"].as_str().unwrap().contains("describe-security-groups"));
}

#[test]
fn a_log_that_breaks_at_once_is_no_readable_log() {
    let fixture = fixture();
    fixture
        .write("cut.gz", &gzip(text(&[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]).as_bytes())[..12]);
    says(&fixture.analyze(&["cut.gz", "--snapshot", "snap"]).exit(2), &["cut.gz"]);
    // Beside a good one it is a failure of that file.
    let run = fixture.analyze(&["log", "cut.gz", "--snapshot", "snap"]).exit(3);
    assert_eq!(run.at("/coverage/files/failures/0/file"), "cut.gz");
}

#[test]
fn a_file_that_lacks_a_column_names_it() {
    let fixture = fixture();
    let all = ["interface-id", "srcaddr", "dstaddr", "protocol", "action"];
    for missing in all {
        let header: Vec<&str> = all.iter().copied().filter(|name| *name != missing).collect();
        let rows = ["x x x x".to_owned()];
        fixture.write("lacking", text_with(&format!("version start {}", header.join(" ")), &rows));
        let run = fixture.analyze(&["log", "lacking", "--snapshot", "snap"]).exit(3);
        let error = run.at("/coverage/files/failures/0/error").as_str().unwrap();
        assert!(error.contains(missing), "{missing}: {error}");
    }
}

#[test]
fn malformed_rows_are_counted_by_reason_with_their_first_place() {
    let fixture = fixture();
    let good = row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT");
    let rows = [
        good.clone(),
        row("eni-a 10.0.0.9 10.0.0.5 40000 70000 6 ACCEPT"),
        row("eni-a 10.0.0.9 10.0.0.5 40000 -1 6 ACCEPT"),
        format!("{good} more"),
        row("eni-a 10.0.0.9 10.0.0.999 40000 22 6 ACCEPT"),
        row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ALLOW"),
    ];
    fixture.log("b", &rows);
    fixture.log("a", &[&[good.clone(), good], &rows[1..2]].concat());
    let run = fixture.analyze(&["b", "a", "--snapshot", "snap"]).exit(0);
    assert_eq!((run.records("accepted"), run.records("malformed")), (3, 6));
    let faults = run.at("/coverage/faults").as_array().unwrap();
    let port = faults.iter().find(|fault| fault["reason"].as_str().unwrap().contains("dstport")).unwrap();
    assert_eq!((&port["count"], &port["first"]), (&json!(3), &json!({ "file": "a", "line": 4 })));
    let counts: Vec<u64> = faults.iter().map(|fault| fault["count"].as_u64().unwrap()).collect();
    assert_eq!(counts.iter().sum::<u64>(), 6);
    assert_eq!(faults.len(), 4);
}

#[test]
fn hostile_names_come_through_as_they_are() {
    let names = [
        "\u{1b}[31mred\u{1b}[0m",
        "<script>alert(1)</script>",
        "=HYPERLINK(\"http://example.com\")",
        "a\"b\\c\nd\u{0}e\u{202e}f",
    ];
    for name in names {
        let fixture = fixture();
        let [mut group, interface] = objects();
        group.value["GroupName"] = json!(name);
        group.value["IpPermissions"][0]["IpRanges"][0]["Description"] = json!(name);
        fixture.snapshot("snap", &[group, interface]);
        let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
        let rule = run.rule("sg-a:ingress:tcp:22-22:0.0.0.0/0");
        assert_eq!((&rule["group_name"], &rule["description"]), (&json!(name), &json!(name)));
        assert_eq!(rule["usage"]["verdict"], "used");
        // JSON writes control characters as escapes: a terminal that shows the report obeys none.
        assert!(run.stdout.iter().all(|byte| *byte >= b' ' || *byte == b'\n'), "{name}");
    }
}
