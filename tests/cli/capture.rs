//! `snapshot capture` beside programs that answer as they please. The real ones are asked by `tests/capture.sh`.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::Value;

use crate::fixture::Fixture;

/// A program of this name that does what the script says, before all others.
fn program(fixture: &Fixture, name: &str, script: &str) {
    fixture.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}"));
    let path = fixture.path("bin").join(name);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn capture(fixture: &Fixture, arguments: &[&str]) -> Output {
    let path = format!("{}:/usr/bin:/bin", fixture.path("bin").display());
    Command::new(env!("CARGO_BIN_EXE_flowaudit"))
        .args(["snapshot", "capture"])
        .args(arguments)
        .current_dir(fixture.path("."))
        .env("PATH", path)
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const ALIYUN: &str = r#"
case "$*" in
version) echo 3.0.200 ;;
"sts GetCallerIdentity"*) echo '{"AccountId": "5555", "Arn": "acs:ram::5555:user/auditor"}' ;;
"ecs DescribeSecurityGroups --RegionId cn-hangzhou --MaxResults 100")
    echo '{"SecurityGroups": {"SecurityGroup": [{"SecurityGroupId": "sg-a", "SecurityGroupType": "normal"}]}, "NextToken": "next"}' ;;
*"--NextToken next") echo '{"SecurityGroups": {"SecurityGroup": [{"SecurityGroupId": "sg-b", "SecurityGroupType": "enterprise"}]}}' ;;
*"--SecurityGroupId sg-"*)
    id=$6
    printf '{"SecurityGroupId": "%s", "VpcId": "vpc-1", "RegionId": "cn-hangzhou", "Permissions": {"Permission": [
      {"Direction": "ingress", "Policy": "Accept", "Priority": 1, "IpProtocol": "TCP", "PortRange": "22/22",
       "SourcePrefixListId": "pl-1", "NicType": "intranet"}]}}' "$id" ;;
*DescribeNetworkInterfaces*) echo '{"NetworkInterfaceSets": {"NetworkInterfaceSet": []}}' ;;
*DescribePrefixLists*) echo '{"PrefixLists": {"PrefixList": [{"PrefixListId": "pl-1"}]}}' ;;
*"--PrefixListId pl-1") echo '{"PrefixListId": "pl-1", "Entries": {"Entry": [{"Cidr": "10.0.0.0/8"}]}}' ;;
*DescribePortRangeLists*) echo 'ErrorCode: NoPermission' >&2; exit 1 ;;
*) echo "unexpected: $*" >&2; exit 9 ;;
esac
"#;

#[test]
fn alibaba_cloud_is_asked_page_by_page_and_group_by_group() {
    let fixture = Fixture::new();
    program(&fixture, "aliyun", ALIYUN);
    let arguments = ["--out", "snaps", "--cloud", "alibaba", "--region", "cn-hangzhou"];
    let output = capture(&fixture, &arguments);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let warning =
        "flowaudit: warning: 5555 cn-hangzhou: ecs:DescribePortRangeLists: ErrorCode: NoPermission\n";
    assert_eq!(text(&output.stderr), warning);
    // It is a snapshot.
    let run = fixture.run(&["snapshot", "show", "snaps"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let shown = text(&run.stdout);
    for part in ["sg-a", "sg-b", "enterprise", "pl-1", "10.0.0.0/8"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn what_answers_in_another_way_is_missing_and_leads_nowhere() {
    let fixture = Fixture::new();
    program(
        &fixture,
        "aws",
        r#"
echo "$*" >> asked
case "$*" in
--version) echo aws-cli/2 ;;
*get-caller-identity*) echo '{"Account": "123456789012", "Arn": "arn"}' ;;
*describe-security-groups*) echo '{"SecurityGroups": []}' ;;
*describe-managed-prefix-lists*) echo '{"PrefixLists": [{"PrefixListId": "../../../x"}, {"PrefixListId": "--debug"}, {"PrefixListId": "subnets"}, {"PrefixListId": "pl-1"}]}' ;;
*describe-subnets*) echo 'An error: <b>' ;;
*describe-vpcs*) echo '{"Subnets": []}' ;;
*describe-flow-logs*) echo '[]' ;;
*describe-network-acls*) echo '{"NetworkAcls": [{"NetworkAclId": 5}]}' ;;
*) printf 'first\n\033[31mlast\n' >&2; exit 1 ;;
esac
"#,
    );
    let output = capture(&fixture, &["--out", "snaps", "--region", "eu-west-1"]);
    assert_eq!(output.status.code(), Some(3));
    let folder = text(&output.stdout).lines().next().unwrap().to_owned();
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(fixture.path(&folder).join("manifest.json")).unwrap()).unwrap();
    let region = &manifest["accounts"][0]["regions"][0];
    let names = |list: &str, key: &str| -> Vec<String> {
        let all = region[list].as_array().unwrap().iter();
        all.map(|it| it[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("files", "file"), ["security-groups.json", "managed-prefix-lists.json"]);
    assert_eq!(
        names("missing", "action"),
        [
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeFlowLogs",
            "ec2:GetManagedPrefixListEntries"
        ]
    );
    assert!(names("missing", "message")[3].contains("expected an answer with Vpcs, found none"));
    let asked = std::fs::read_to_string(fixture.path("asked")).unwrap();
    assert!(
        asked.contains("--prefix-list-id pl-1") && !asked.contains("..") && !asked.contains("debug"),
        "{asked}"
    );
    // Nothing but reading is asked for.
    let reads = |line: &str| {
        ["--version", "get-caller-identity", " describe-", " get-managed-"].iter().any(|it| line.contains(it))
    };
    assert!(asked.lines().all(reads), "{asked}");
    assert!(!text(&output.stderr).contains('\u{1b}'), "{}", text(&output.stderr));
}

#[test]
fn what_cannot_be_captured_is_said_with_the_remedy() {
    let fixture = Fixture::new();
    fixture.write("bin/none", "");
    let cases = [
        (&["--out", "snaps"][..], "aws: not found in the PATH; capture drives the command-line program"),
        (&[][..], "expected --out FOLDER, found none"),
        (&["--out", "snaps", "--regoin", "x"], "--region"),
    ];
    for (arguments, words) in cases {
        let output = capture(&fixture, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
    program(
        &fixture,
        "aws",
        "case \"$*\" in --version) echo 2 ;; *identity*) echo '{\"Account\": \"1\"}' ;; *) exit 1 ;; esac",
    );
    let cases = [
        (&["--out", "snaps"][..], "no region is configured: give --region NAME, or --region all"),
        (&["--out", "snaps", "--region", "../x"], "expected the name of a region"),
        (&["--out", "snaps", "--region", "all", "eu-west-1"], "every region is among them already"),
        (
            &["--out", "snaps", "--profile", "a", "--profile", "b", "--region", "r"],
            "account 1 is named twice",
        ),
        (&["--out", "snaps", "--region", "r"], "ec2 describe-security-groups --region r"),
        (&["--out", "bin/none", "--region", "r"], "bin/none: cannot write"),
    ];
    for (arguments, words) in cases {
        let output = capture(&fixture, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
    assert!(
        !fixture.path("snaps").exists() || std::fs::read_dir(fixture.path("snaps")).unwrap().next().is_none()
    );
}

#[test]
fn commands_and_policies_are_shown_without_any_program() {
    let fixture = Fixture::new();
    let output = capture(&fixture, &["--print-policy", "--role", "arn:aws:iam::1:role/a"]);
    let policy: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(policy["Statement"][1]["Resource"][0], "arn:aws:iam::1:role/a");
    let actions = policy["Statement"][0]["Action"].as_array().unwrap();
    let reads = |action: &Value| {
        let action = action.as_str().unwrap();
        action.starts_with("ec2:Describe") || action == "ec2:GetManagedPrefixListEntries"
    };
    assert!(actions.len() == 9 && actions.iter().all(reads), "{actions:?}");
    let output = capture(&fixture, &["--print-commands", "--region", "eu-west-1", "--profile", "a b; rm"]);
    let commands = text(&output.stdout);
    assert!(
        commands.lines().all(|line| line.starts_with("aws ") && line.contains(" --profile 'a b; rm'")),
        "{commands}"
    );
    assert!(commands.contains("> security-groups.json\n"), "{commands}");
    // A role is taken on first, and its calls are made without the profile.
    let role = ["--region", "eu-west-1", "--profile", "p", "--role", "arn:aws:iam::1:role/a"];
    let commands = text(&capture(&fixture, &[&["--print-commands"], &role[..]].concat()).stdout);
    assert!(commands.contains("sts assume-role --role-arn arn:aws:iam::1:role/a"), "{commands}");
    let calls: Vec<&str> = commands.lines().filter(|line| line.contains(" describe-")).collect();
    assert!(!calls.is_empty() && calls.iter().all(|line| !line.contains("--profile")), "{commands}");
}
