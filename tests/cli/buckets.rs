//! Buckets, as far as that shows without one: addresses, options, and which files of a layout are chosen. What takes a store is
//! in `tests/bucket.sh`.

use crate::fixture::{Fixture, group, interface, row_at, text};

/// 2026-03-02.
const DAY: i64 = 1_772_409_600;

/// A log for each of two accounts, regions and days, in the layout of S3.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let objects =
        [group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8"), interface("eni-a", "10.0.0.5", &["sg-a"])];
    fixture.snapshot("snap", &objects);
    for account in ["111111111111", "222222222222"] {
        for region in ["eu-west-1", "us-east-1"] {
            for day in ["02", "03"] {
                let start = DAY + if day == "02" { 0 } else { 86_400 };
                let name = format!("{account}_vpcflowlogs_{region}_fl-0a_202603{day}T0000Z_ab.log");
                fixture.write(
                    &format!("logs/AWSLogs/{account}/vpcflowlogs/{region}/2026/03/{day}/{name}"),
                    text(&[row_at(start, "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]),
                );
            }
        }
    }
    fixture
}

#[test]
fn logs_are_chosen_by_account_and_region_on_disk_too() {
    let fixture = fixture();
    let cases: [(&[&str], u64); 6] = [
        (&[], 8),
        (&["--account", "111111111111"], 4),
        (&["--region", "eu-west-1"], 4),
        (&["--account", "111111111111", "--region", "us-east-1"], 2),
        (&["--account", "111111111111", "--account", "222222222222"], 8),
        // What is outside the window is read and counted: it lies here.
        (&["--account", "111111111111", "--since", "2026-03-03"], 4),
    ];
    for (options, read) in cases {
        let run = fixture.analyze(&[&["logs", "--snapshot", "snap"], options].concat()).exit(0);
        assert_eq!(run.at("/coverage/files/read"), read, "{options:?}");
        let left_out = run.json.pointer("/coverage/files/left_out/files").and_then(serde_json::Value::as_u64);
        assert_eq!(left_out.unwrap_or(0), 8 - read, "{options:?}");
    }
    let run = fixture.run(&["analyze", "logs", "--snapshot", "snap", "--account", "111111111111"]);
    let text =
        String::from_utf8(run.stdout.clone()).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("left out by account, region or time: 4 files"), "{text}");
    let run = fixture.analyze(&["logs", "--snapshot", "snap", "--account", "3"]).exit(2);
    assert!(run.stderr.contains("--account"), "{}", run.stderr);
}

#[test]
fn an_address_that_is_none_and_a_store_that_nobody_named_are_refused_at_once() {
    let fixture = fixture();
    let cases: [(&[&str], &str); 5] = [
        (&["s3://"], "s3://: expected the name of a bucket"),
        (&["s3://b c/k"], "expected the name of a bucket"),
        (&["oss://logs/k"], "oss://logs/k: expected where the store is: --endpoint"),
        (&["s3:/logs/k"], "s3:/logs/k: No such file"),
        (&["s3://logs/k", "--profile", "audit", "--endpoint", "http://127.0.0.1:1"], "--profile audit"),
    ];
    for (arguments, words) in cases {
        for command in ["analyze", "investigate"] {
            let all = [&[command], arguments, &["--snapshot", "snap"]].concat();
            let all = if command == "investigate" { [&all[..], &["--port", "22"]].concat() } else { all };
            let run = fixture.run(&all).exit(2);
            assert!(run.stderr.contains(words), "{all:?}: {}", run.stderr);
        }
        let run = fixture.run(&["analyze", "logs", "--snapshot", arguments[0], "--no-sign-request"]).exit(2);
        assert!(!run.stderr.is_empty());
    }
}

#[test]
fn the_help_has_them_under_a_heading_of_their_own_and_nothing_else() {
    let fixture = Fixture::new();
    for command in [&["analyze"][..], &["investigate"], &["replay"], &["snapshot", "check"]] {
        let run = fixture.run(&[command, &["-h"]].concat());
        let help = String::from_utf8(run.stdout.clone()).unwrap();
        let (_, buckets) = help.split_once("Buckets (s3://, oss://):\n").unwrap();
        let section = buckets.split("\n\n").next().unwrap();
        let options: Vec<&str> = section.split_whitespace().filter(|word| word.starts_with("--")).collect();
        assert_eq!(
            options,
            ["--profile", "--endpoint", "--requester-pays", "--no-sign-request"],
            "{command:?}"
        );
    }
}
