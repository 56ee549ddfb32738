//! What a person sees: the text report at any width, and names that would rather be obeyed than read.

use std::process::Output;

use crate::fixture::{Fixture, T0, group, interface, row_at};

const HOSTILE: &str = "a\u{1b}[2J\u{202e}b";

fn output(fixture: &Fixture, arguments: &[&str]) -> Output {
    fixture.command(arguments).output().unwrap()
}

fn hostile() -> Fixture {
    let fixture = Fixture::new();
    fixture.snapshot(
        "snap",
        &[
            group("sg-a").with("GroupName", HOSTILE).ingress("tcp", 22, 22, "0.0.0.0/0"),
            group("sg-b").with("GroupName", HOSTILE).ingress("tcp", 22, 22, HOSTILE),
            interface("eni-a", "10.0.0.5", &["sg-a"]),
        ],
    );
    let rows: Vec<String> = (0..5)
        .map(|at| row_at(T0 + at, &format!("eni-{} 10.0.0.9 10.0.0.5 40000 23 6 REJECT", "x\u{1b}]0;y\u{7}")))
        .collect();
    fixture.log("logs/good.log", &rows);
    fixture.write(&format!("logs/{HOSTILE}.log"), "no flow log at all\n");
    fixture
}

#[test]
fn nothing_written_by_others_is_obeyed_by_the_terminal() {
    let output = output(&hostile(), &["analyze", "logs", "--snapshot", "snap"]);
    assert_eq!(output.status.code(), Some(3));
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{name}: {text:?}");
        assert!(text.contains("\\u{1b}"), "{name} shows what it hides: {text}");
    }
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    let fixture = hostile();
    let colored = |options: &[&str]| {
        let output = output(&fixture, &[&["analyze", "logs", "--snapshot", "snap"], options].concat());
        String::from_utf8(output.stdout).unwrap().contains("\u{1b}[1m")
    };
    assert!(!colored(&[]));
    assert!(!colored(&["--color", "never"]));
    assert!(colored(&["--color", "always"]));
}

#[test]
fn a_limit_says_how_much_it_leaves_out() {
    let fixture = Fixture::new();
    let groups = (0..30).map(|at| group(&format!("sg-{at:02}")).ingress("tcp", 22, 22, "0.0.0.0/0"));
    let objects: Vec<_> = groups.chain([interface("eni-a", "10.0.0.5", &["sg-00"])]).collect();
    fixture.snapshot("snap", &objects);
    fixture.log("log", &[row_at(T0, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]);
    let text = |limit: &str| {
        let output = output(&fixture, &["analyze", "log", "--snapshot", "snap", "--limit", limit]);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(text("3").contains("… 27 more (--limit 0 shows all)"));
    assert!(!text("0").contains("more (--limit"));
    assert_eq!(text("0").matches("SSH (tcp/22) open to").count(), 30);
}

#[test]
fn a_failed_run_leaves_the_old_report_alone() {
    let fixture = hostile();
    fixture.write("report.json", "the old report");
    let failed = output(&fixture, &["analyze", "nowhere", "--snapshot", "snap", "-o", "report.json"]);
    assert_eq!(failed.status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(fixture.path("report.json")).unwrap(), "the old report");
    let arguments =
        ["analyze", "logs/good.log", "--snapshot", "snap", "--format", "json", "-o", "report.json"];
    assert_eq!(output(&fixture, &arguments).status.code(), Some(0));
    assert!(std::fs::read_to_string(fixture.path("report.json")).unwrap().starts_with('{'));
    let left: Vec<_> =
        std::fs::read_dir(fixture.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".flowaudit")), "{left:?}");
}

#[test]
fn a_report_in_the_log_folder_is_no_log() {
    let fixture = Fixture::new();
    fixture.snapshot("logs/snap", &[group("sg-a"), interface("eni-a", "10.0.0.5", &["sg-a"])]);
    fixture.log("logs/a.log", &[row_at(T0, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]);
    let arguments =
        ["analyze", "logs", "--snapshot", "logs/snap", "--format", "json", "-o", "logs/report.json"];
    for _ in 0..2 {
        assert_eq!(output(&fixture, &arguments).status.code(), Some(0));
        let report = std::fs::read_to_string(fixture.path("logs/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["coverage"]["files"]["read"], 1);
    }
}

#[test]
fn nothing_is_wider_than_the_page() {
    use clap::Parser;
    use flowaudit::cli::{Cli, Command};
    use flowaudit::render::text::{Page, Paint, render};
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs");
    let (logs, snapshot) = (format!("{samples}/gz"), format!("{samples}/snapshot"));
    let cli = Cli::parse_from(["flowaudit", "analyze", "--quiet", &logs, "--snapshot", &snapshot]);
    let Command::Analyze(arguments) = cli.command else { panic!("analyze") };
    let report = flowaudit::analyze::analyze(&arguments).unwrap().report;
    for width in [40, 50, 79, 120] {
        for paint in [Paint::Plain, Paint::Color] {
            let mut bytes = Vec::new();
            render(&report, Page { width, limit: usize::MAX, paint }, &mut bytes).unwrap();
            for line in String::from_utf8(bytes).unwrap().lines() {
                let measured = console::measure_text_width(line);
                assert!(measured <= width, "{measured} > {width}: {line}");
            }
        }
    }
}
