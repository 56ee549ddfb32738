//! What the command line leaves open comes from variables and files; `config show`, `completions` and `man`.

use std::process::Output;

use serde_json::Value;

use crate::fixture::{Fixture, group, interface, row};

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let objects =
        [group("sg-a").ingress("tcp", 22, 22, "0.0.0.0/0"), interface("eni-a", "10.0.0.5", &["sg-a"])];
    fixture.snapshot("snap", &objects);
    fixture.log("log", &[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]);
    fixture
}

fn run(fixture: &Fixture, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    fixture.command(arguments).envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What `config show` says of an option of a command.
fn shown(
    fixture: &Fixture,
    option: &str,
    command: &str,
    variables: &[(&str, &str)],
) -> (Vec<String>, String) {
    let output = run(fixture, &["config", "show", "--format", "json"], variables);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = shown["options"].as_array().unwrap().iter();
    let commands = |row: &&Value| row["commands"].as_array().unwrap().contains(&command.into());
    let row = rows.filter(|row| row["option"] == option).find(commands).unwrap();
    let values = row["values"].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned());
    (values.collect(), row["from"].as_str().unwrap().to_owned())
}

#[test]
fn the_nearer_layer_wins() {
    let fixture = fixture();
    let kind = |arguments: &[&str], variables: &[(&str, &str)]| {
        let all = [&["analyze", "log", "--snapshot", "snap"], arguments].concat();
        let output = run(&fixture, &all, variables);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        match output.stdout[0] {
            b'{' if output.stdout.starts_with(b"{\n") => "json",
            b'{' => "ndjson",
            b'#' => "markdown",
            _ => "text",
        }
    };
    assert_eq!(kind(&[], &[]), "text");
    fixture.write("flowaudit.toml", "format = \"json\"\n[command.replay]\nformat = \"text\"\n");
    assert_eq!(kind(&[], &[]), "json");
    fixture.write("flowaudit.toml", "format = \"json\"\n[command.analyze]\nformat = [\"ndjson\"]\n");
    assert_eq!(kind(&[], &[]), "ndjson");
    assert_eq!(kind(&[], &[("FLOWAUDIT_FORMAT", "markdown")]), "markdown");
    assert_eq!(kind(&["--format", "text"], &[("FLOWAUDIT_FORMAT", "markdown")]), "text");
    // A file that is named takes the place of the one that lies there.
    fixture.write("other.toml", "limit = 5\n");
    assert_eq!(kind(&["--config", "other.toml"], &[]), "text");
    assert_eq!(kind(&[], &[("FLOWAUDIT_CONFIG", "other.toml")]), "text");
    // An empty variable is none.
    assert_eq!(kind(&[], &[("FLOWAUDIT_FORMAT", "")]), "ndjson");
}

#[test]
fn a_file_can_say_everything() {
    let fixture = fixture();
    fixture.write(
        "flowaudit.toml",
        "logs = [\"log\"]\nsnapshot = [\"snap\"]\nquiet = true\nsince = 2026-01-01\nfail_on = \"high\"\n\
         review_period = \"1h\"\nrare_words = [\"x\"]\n",
    );
    let output = run(&fixture, &["analyze"], &[]);
    let told = "flowaudit: settings from flowaudit.toml: logs, snapshot, since, fail_on, quiet, review_period, rare_words\n";
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(1), told));
    let output = run(&fixture, &["analyze", "--quiet"], &[]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(1), ""));
    assert!(text(&output.stdout).contains("Read: 1 record in 1 file"));
    // What is given takes its place.
    fixture.log(
        "none",
        &[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"), row("eni-a 10.0.0.9 10.0.0.5 40001 22 6 ACCEPT")],
    );
    let output = run(
        &fixture,
        &["analyze", "none"],
        &[("FLOWAUDIT_QUIET", "false"), ("FLOWAUDIT_FAIL_ON", "critical")],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("Read: 2 records in 1 file"));
    // Two values of one variable.
    fixture.write("flowaudit.toml", "");
    let output = run(&fixture, &["analyze", "log"], &[("FLOWAUDIT_SNAPSHOT", "snap\nsnap")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // Behind -- there are only logs.
    let output = run(&fixture, &["analyze", "--", "log"], &[("FLOWAUDIT_SNAPSHOT", "snap")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn every_value_says_where_it_comes_from() {
    let fixture = fixture();
    let of = |option: &str, command: &str, variables: &[(&str, &str)]| {
        let (values, from) = shown(&fixture, option, command, variables);
        (values.join(" "), from)
    };
    let pair = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    assert_eq!(of("limit", "analyze", &[]), pair("20", "default"));
    assert_eq!(of("since", "analyze", &[]), pair("", "not set"));
    fixture.write(
        "flowaudit.toml",
        "limit = 3\nport_profile = \"cis\"\n[command.snapshot.capture]\nregion = [\"a\", \"b\"]\n[command.replay]\nlimit = 4\n",
    );
    assert_eq!(of("limit", "analyze", &[]), pair("3", "flowaudit.toml"));
    assert_eq!(of("limit", "replay", &[]), pair("4", "flowaudit.toml [command.replay]"));
    assert_eq!(of("limit", "replay", &[("FLOWAUDIT_LIMIT", "7")]), pair("7", "FLOWAUDIT_LIMIT"));
    assert_eq!(of("port_profile", "analyze", &[]), pair("cis", "flowaudit.toml"));
    assert_eq!(
        of("region", "snapshot capture", &[]),
        pair("a b", "flowaudit.toml [command.snapshot.capture]")
    );
    assert_eq!(of("region", "analyze", &[]), pair("", "not set"));
    let output = run(&fixture, &["config", "show"], &[("FLOWAUDIT_LIMTI", "1")]);
    assert!(text(&output.stdout).ends_with("FLOWAUDIT_LIMTI: there is no option of this name\n"));
}

#[test]
fn what_is_wrong_with_a_layer_is_said_with_its_name() {
    let fixture = fixture();
    let cases = [
        ("limitt = 1\n", "flowaudit.toml: unknown key `limitt`; nearest are limit"),
        ("[command.analyse]\nlimit = 1\n", "flowaudit.toml: [command] unknown key `analyse`"),
        ("[command.merge]\nsince = \"x\"\n", "flowaudit.toml: [command.merge] unknown key `since`"),
        ("quiet = 3\n", "flowaudit.toml: quiet: expected true or false, found 3"),
        (
            "[command.analyze]\nlimit = [1]\n",
            "flowaudit.toml [command.analyze]: limit: expected a text or a number, found [1]",
        ),
        ("flow_log = [{}]\n", "flowaudit.toml: flow_log: expected a list of texts"),
        ("limit = \"many\"\n", "limit comes from flowaudit.toml"),
        ("limit = \n", "flowaudit.toml: TOML parse error at line 1"),
        // It may be anybody's, and must not say what is overwritten elsewhere.
        ("output = \"/tmp/x\"\n", "/tmp/x is not below the working folder"),
        ("output = \"a/../../x\"\n", "is not below the working folder"),
        ("format = \"json=/tmp/x\"\n", "/tmp/x is not below the working folder"),
        ("remediation = \"..\"\n", ".. is not below the working folder"),
        ("endpoint = \"http://elsewhere\"\n", "endpoint: http://elsewhere is on the network"),
        ("requester_pays = true\n", "requester_pays: it says who asks and who pays"),
        (
            "suppress = \"accepted.toml\"\n",
            "suppress: it hides findings, and the file was only found in the working folder",
        ),
    ];
    for (file, words) in cases {
        fixture.write("flowaudit.toml", file);
        let output = run(&fixture, &["analyze", "log", "--snapshot", "snap"], &[]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert!(text(&output.stderr).contains(words), "{file}: {}", text(&output.stderr));
    }
    fixture.write("flowaudit.toml", "snapshot = [\"2026-01-01=s3://b/k\"]\n");
    let output = run(&fixture, &["analyze", "log"], &[]);
    assert!(text(&output.stderr).contains("snapshot: 2026-01-01=s3://b/k is on the network"));
    fixture.write("flowaudit.toml", "output = \"report.txt\"\n");
    let output = run(&fixture, &["analyze", "log", "--snapshot", "snap"], &[]);
    assert_eq!((output.status.code(), fixture.path("report.txt").exists()), (Some(0), true));
    fixture.write("named.toml", format!("output = {:?}\n", fixture.path("far.txt").display().to_string()));
    let output = run(&fixture, &["analyze", "log", "--snapshot", "snap", "--config", "named.toml"], &[]);
    assert_eq!((output.status.code(), fixture.path("far.txt").exists()), (Some(0), true));
    std::fs::remove_file(fixture.path("flowaudit.toml")).unwrap();
    let cases = [
        (("FLOWAUDIT_QUIET", "maybe"), "FLOWAUDIT_QUIET: expected true or false, found \"maybe\""),
        (("FLOWAUDIT_LIMIT", "x"), "limit comes from FLOWAUDIT_LIMIT"),
        (("FLOWAUDIT_CONFIG", "no.toml"), "no.toml"),
    ];
    for (variable, words) in cases {
        let output = run(&fixture, &["analyze", "log", "--snapshot", "snap"], &[variable]);
        assert_eq!(output.status.code(), Some(2), "{variable:?}");
        assert!(text(&output.stderr).contains(words), "{variable:?}: {}", text(&output.stderr));
    }
}

#[test]
fn shells_complete_and_man_has_a_page_for_every_command() {
    let fixture = Fixture::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&fixture, &["completions", shell], &[]);
        let script = text(&output.stdout);
        assert!(
            output.status.success() && script.contains("analyze") && script.contains("port-profile"),
            "{shell}"
        );
    }
    let page = text(&run(&fixture, &["man"], &[]).stdout);
    assert!(page.contains(".TH flowaudit 1") && page.contains("flowaudit\\-analyze(1)"), "{page}");
    let page = text(&run(&fixture, &["man", "snapshot", "capture"], &[]).stdout);
    assert!(page.contains("print\\-policy"), "{page}");
    assert_eq!(run(&fixture, &["man", "--out", "pages"], &[]).status.code(), Some(0));
    let pages: Vec<String> = std::fs::read_dir(fixture.path("pages"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in ["flowaudit.1", "flowaudit-analyze.1", "flowaudit-snapshot-capture.1"] {
        assert!(pages.iter().any(|page| page == name), "{pages:?}");
    }
    let output = run(&fixture, &["man", "snpshot"], &[]);
    assert!(
        output.status.code() == Some(2)
            && text(&output.stderr).contains("no command snpshot; expected analyze")
    );
}

#[test]
fn a_word_of_a_file_is_never_an_option() {
    let fixture = fixture();
    fixture.write("flowaudit.toml", "logs = [\"--output=elsewhere\", \"log\"]\n");
    let output = run(&fixture, &["analyze", "--snapshot", "snap"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("logs: expected files, folders or -, found --output=elsewhere"));
    assert!(!fixture.path("elsewhere").exists());
}

#[test]
fn what_is_for_all_commands_is_for_those_that_it_suits() {
    let fixture = fixture();
    fixture.write("flowaudit.toml", "fail_on = \"high\"\nformat = [\"markdown\", \"json=r.json\"]\nregion = [\"a\", \"b\"]\nsave_state = \"s\"\n");
    let output = run(&fixture, &["analyze", "log", "--snapshot", "snap"], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        output.stdout.starts_with(b"# ") && fixture.path("r.json").exists() && fixture.path("s").exists()
    );
    for arguments in [
        &["replay", "log", "--snapshot", "snap", "--proposed", "snap"][..],
        &["investigate", "log", "--snapshot", "snap", "--port", "22"],
        &["snapshot", "check", "snap"],
        &["config", "show"],
        // What is typed wins over what it cannot stand beside.
        &[
            "analyze",
            "log",
            "--snapshot",
            "snap",
            "--state",
            "t",
            "--fail-on",
            "critical",
            "--format",
            "text",
        ],
    ] {
        let output = run(&fixture, arguments, &[]);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    }
}
