//! Findings where teams keep them: SARIF, OCSF, ASFF, NDJSON. That they are valid is told by `tests/formats.sh`.

use serde_json::{Value, json};

use crate::fixture::{Fixture, Object, Run, group, interface, row};

const ARGUMENTS: [&str; 5] = ["analyze", "log", "--snapshot", "snap", "--format"];

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let open = group("sg-a").with("OwnerId", "123456789012").ingress("tcp", 443, 443, "10.0.0.0/8").ingress(
        "tcp",
        22,
        22,
        "0.0.0.0/0",
    );
    let objects: [Object; 2] = [open, interface("eni-a", "10.0.0.5", &["sg-a"])];
    fixture.snapshot("snap", &objects);
    fixture.log("log", &[row("eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT")]);
    fixture
}

fn lines(run: &Run) -> Vec<Value> {
    let text = String::from_utf8(run.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn over_broad(findings: &[Value], kind: impl Fn(&Value) -> bool) -> Value {
    let mut found = findings.iter().filter(|finding| kind(finding));
    let first = found.next().unwrap().clone();
    assert_eq!(found.next(), None);
    first
}

#[test]
fn sarif_points_at_the_line_of_the_rule() {
    let fixture = fixture();
    let run = fixture.run(&[&ARGUMENTS[..], &["sarif"]].concat());
    let log: Value = serde_json::from_slice(&run.stdout).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let result = over_broad(results, |result| result["ruleId"] == "over_broad");
    let place = &result["locations"][0]["physicalLocation"];
    let file = place["artifactLocation"]["uri"].as_str().unwrap();
    let text = std::fs::read_to_string(fixture.path(file)).unwrap();
    let line = usize::try_from(place["region"]["startLine"].as_u64().unwrap()).unwrap();
    // The far side of the rule, or all of it where a document is one line.
    assert!(text.lines().nth(line - 1).unwrap().contains("0.0.0.0/0"), "{file}:{line}");
    assert_eq!(result["level"], "error");
    let name = &result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"];
    assert_eq!(name, "sg-a:ingress:tcp:22-22:0.0.0.0/0");
    // Nothing is without a line.
    let line = |result: &Value| result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64();
    assert!(results.iter().all(|result| line(result) >= Some(1)), "{results:?}");
    // Every rule of the tool is described, and results name it by its place too.
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[at]["id"], result["ruleId"]);
    }
}

#[test]
fn the_same_finding_tomorrow_has_the_same_id_everywhere() {
    let fixture = fixture();
    let ids = |format: &str, id: fn(&Value) -> Value| -> Vec<Value> {
        let region = ["--region", "eu-west-1"];
        let run = fixture.run(&[&ARGUMENTS[..], &[format], &region].concat());
        let mut values = lines(&run);
        if format == "asff" {
            values = values.iter().flat_map(|batch| batch["Findings"].as_array().unwrap().clone()).collect();
        }
        values.iter().map(id).filter(|id| id.as_str().unwrap().contains("sg-a:ingress:tcp:22-22")).collect()
    };
    let of_all = || {
        [
            ids("ndjson", |finding| finding["id"].clone()),
            ids("ocsf", |event| event["finding_info"]["uid"].clone()),
            ids("asff", |finding| finding["Id"].clone()),
        ]
    };
    let today = of_all();
    assert!(today.iter().all(|ids| !ids.is_empty()), "{today:?}");
    fixture.log("log", &[row("eni-a 10.0.0.7 10.0.0.5 50000 443 6 ACCEPT")]);
    assert_eq!(of_all(), today);
}

#[test]
fn whose_a_finding_is_comes_from_the_documents_and_else_from_the_options() {
    let fixture = fixture();
    let run = fixture.run(&[&ARGUMENTS[..], &["asff"]].concat());
    assert_eq!(String::from_utf8(run.stdout.clone()).unwrap(), "");
    let lost = "no document says the region (SecurityGroupArn, AvailabilityZone): give --region NAME";
    assert!(run.stderr.contains(lost), "{}", run.stderr);

    // What a document says is not overruled.
    let options = ["asff", "--region", "eu-west-1", "--account", "999999999999"];
    let run = fixture.run(&[&ARGUMENTS[..], &options].concat());
    assert_eq!(run.stderr, "");
    let batch = &lines(&run)[0];
    let findings = batch["Findings"].as_array().unwrap();
    let finding = over_broad(findings, |finding| finding["GeneratorId"] == "flowaudit/over_broad");
    assert_eq!(finding["AwsAccountId"], "123456789012");
    assert_eq!(finding["Severity"]["Label"], "HIGH");
    assert_eq!(finding["Resources"][0]["Id"], "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-a");
    assert_eq!(
        finding["ProductArn"],
        "arn:aws:securityhub:eu-west-1:123456789012:product/123456789012/default"
    );

    let run = fixture.run(&[&ARGUMENTS[..], &["ocsf", "--region", "cn-north-1"]].concat());
    let event = over_broad(&lines(&run), |event| event["compliance"]["control"] == "over_broad");
    assert_eq!(event["class_uid"], 2003);
    assert_eq!(event["resources"][0]["uid"], "arn:aws-cn:ec2:cn-north-1:123456789012:security-group/sg-a");
    assert_eq!(event["cloud"]["account"]["uid"], "123456789012");
}

#[test]
fn what_was_refused_is_a_detection() {
    let fixture = fixture();
    let refused: Vec<String> = (0..200)
        .map(|port| row(&format!("eni-a 10.0.0.9 10.0.0.5 40000 {} 6 REJECT", 1000 + port)))
        .collect();
    fixture.log("log", &refused);
    let events = lines(&fixture.run(&[&ARGUMENTS[..], &["ocsf"]].concat()));
    let scan = over_broad(&events, |event| event["finding_info"]["types"] == json!(["scan"]));
    assert_eq!((&scan["class_uid"], &scan["type_uid"]), (&json!(2004), &json!(200_401)));
    assert_eq!(scan["finding_info"]["attacks"][0]["technique"]["uid"], "T1046");
}

#[test]
fn accepted_findings_are_marked_where_they_are_shown() {
    let fixture = fixture();
    fixture.write(
        "accepted.toml",
        "[[suppress]]\nkind = \"over_broad\"\nreason = \"bastion\"\nexpires = \"2999-01-01\"\n",
    );
    let shown = ["--suppress", "accepted.toml", "--show-suppressed", "--region", "eu-west-1"];
    let run = fixture.run(&[&ARGUMENTS[..], &["sarif"], &shown].concat());
    let log: Value = serde_json::from_slice(&run.stdout).unwrap();
    let result = over_broad(log["runs"][0]["results"].as_array().unwrap(), |it| it["ruleId"] == "over_broad");
    assert_eq!(result["suppressions"][0]["justification"], "bastion (until 2999-01-01T23:59:59Z)");
    let run = fixture.run(&[&ARGUMENTS[..], &["asff"], &shown].concat());
    let finding = over_broad(lines(&run)[0]["Findings"].as_array().unwrap(), |it| {
        it["GeneratorId"] == "flowaudit/over_broad"
    });
    assert_eq!(finding["Workflow"]["Status"], "SUPPRESSED");
}
