//! Reports for spreadsheets and tickets, and several at once.

use serde_json::json;

use crate::fixture::{Fixture, Object, group, interface, row};

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let named = group("sg-a")
        .with("GroupName", "=cmd|' /C calc'!A0 <b>@all</b> [x](http://evil)")
        .ingress("tcp", 22, 22, "10.0.0.0/8")
        .ingress("tcp", 99, 99, "0.0.0.0/0");
    let objects: [Object; 2] = [named, interface("eni-a", "10.0.0.5", &["sg-a"])];
    fixture.snapshot("snap", &objects);
    fixture.log(
        "log",
        &[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"), row("eni-a 10.0.0.9 10.0.0.5 40000 23 6 REJECT")],
    );
    fixture
}

const ARGUMENTS: [&str; 4] = ["analyze", "log", "--snapshot", "snap"];

fn read(fixture: &Fixture, name: &str) -> String {
    std::fs::read_to_string(fixture.path(name)).unwrap()
}

#[test]
fn several_reports_are_written_in_one_run() {
    let fixture = fixture();
    let formats = [
        "--format",
        "json=r.json",
        "--format",
        "csv=tables",
        "--format",
        "markdown=r.md",
        "--format",
        "text",
    ];
    let run = fixture.run(&[&ARGUMENTS[..], &formats].concat());
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    let alone = |format: &str| fixture.run(&[&ARGUMENTS[..], &["--format", format]].concat()).stdout.clone();
    assert_eq!(read(&fixture, "r.json").into_bytes(), alone("json"));
    assert_eq!(read(&fixture, "r.md").into_bytes(), alone("markdown"));
    assert_eq!(run.stdout, alone("text"));
    let mut files: Vec<_> = std::fs::read_dir(fixture.path("tables"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        ["blocked.csv", "findings.csv", "narrower.csv", "removal_set.csv", "rules.csv", "time_series.csv"]
    );
}

#[test]
fn tables_hold_what_the_report_holds_and_no_formula() {
    let fixture = fixture();
    fixture.run(&[&ARGUMENTS[..], &["--format", "csv=t", "--format", "json=r.json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&read(&fixture, "r.json")).unwrap();
    let rows = |name: &str| -> Vec<csv::StringRecord> {
        csv::Reader::from_path(fixture.path(name)).unwrap().records().map(Result::unwrap).collect()
    };
    let rules = rows("t/rules.csv");
    assert_eq!(rules.len(), 2);
    assert_eq!(&rules[0][0], "sg-a:ingress:tcp:22-22:10.0.0.0/8");
    assert_eq!(&rules[0][3], "'=cmd|' /C calc'!A0 <b>@all</b> [x](http://evil)");
    assert_eq!((&rules[0][15], &rules[0][19]), ("used", "1"));
    assert_eq!(rows("t/findings.csv").len(), report["findings"].as_array().unwrap().len());
    let blocked = rows("t/blocked.csv");
    assert_eq!(blocked.len(), 1);
    assert_eq!(
        blocked[0].iter().take(7).collect::<Vec<_>>(),
        ["eni-a", "ingress", "tcp", "23", "23", "security_group", "1"]
    );
    let removal = rows("t/removal_set.csv");
    assert_eq!(removal.len(), report["removal_set"]["rules"].as_array().unwrap().len());
    let series = rows("t/time_series.csv");
    assert_eq!(series[0].iter().collect::<Vec<_>>(), ["", "2026-01-01T00:00:00Z", "1", "1", "", "", ""]);
    let used = ["sg-a:ingress:tcp:22-22:10.0.0.0/8", "2026-01-01T00:00:00Z", "", "", "1", "0", "0"];
    assert_eq!(series[1].iter().collect::<Vec<_>>(), used);
    assert_eq!(series.len(), 2);
    for name in ["findings", "rules", "blocked", "removal_set", "narrower", "time_series"] {
        for row in rows(&format!("t/{name}.csv")) {
            assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '@', '\t'])), "{row:?}");
        }
    }
}

#[test]
fn a_ticket_shows_names_as_text() {
    let fixture = fixture();
    let text =
        String::from_utf8(fixture.run(&[&ARGUMENTS[..], &["--format", "markdown"]].concat()).stdout.clone())
            .unwrap();
    assert!(
        text.starts_with(
            "# Security groups, 2026-01-01 00:00 to 2026-01-01 00:01 UTC\n\n- Read: 2 records in 1 file"
        ),
        "{text}"
    );
    assert!(text.contains("&lt;b&gt;@<!-- -->all&lt;/b&gt; \\[x\\]\\(http:&#47;&#47;evil\\)"), "{text}");
    assert!(!text.contains("<b>") && !text.contains("](http"), "{text}");
    assert!(text.contains("## What can go together\n"), "{text}");
}

#[test]
fn places_that_cannot_be_are_refused_before_the_work() {
    let fixture = fixture();
    for (options, words) in [
        (&["--format", "csv"][..], "name a folder, as in --format csv=FOLDER"),
        (&["--format", "json", "--format", "text"], "several reports cannot go to one place"),
        (&["--format", "json=", "--format", "text"], "expected a path behind json="),
        (&["--format", "jsno"], "expected text, json, html, markdown, csv, sarif"),
        (&["--format", "json=a.json", "--output", "b"], "every --format has a place of its own"),
        (&["--format", "json=no/such/folder/a.json"], "no/such/folder/a.json: cannot write"),
    ] {
        let run = fixture.run(&[&ARGUMENTS[..], options].concat());
        assert_eq!(run.status, Some(2), "{options:?}");
        assert!(run.stderr.contains(words), "{options:?}: {}", run.stderr);
    }
    let run = fixture.run(&[&ARGUMENTS[..], &["--format", "json", "--output", "r.json"]].concat());
    assert_eq!((run.status, run.stdout.len()), (Some(0), 0));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&read(&fixture, "r.json")).unwrap()["schema_version"],
        json!("1")
    );
}
