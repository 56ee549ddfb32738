//! `flowaudit snapshot check | diff | show` from end to end: everything they print of a small made-up folder.

use serde_json::{Value, json};

use crate::events::{self, REGION, ingress};
use crate::fixture::{
    ACCOUNT, Fixture, HOUR, Object, Run, T0, acl, flow_log, group, interface, prefix_list, subnet,
};

fn stdout(run: &Run) -> String {
    String::from_utf8(run.stdout.clone()).unwrap()
}

fn here(group: Object) -> Object {
    let id = group.value["GroupId"].as_str().unwrap().to_owned();
    group.with("SecurityGroupArn", format!("arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{id}"))
}

fn web() -> Object {
    here(group("sg-a"))
        .push(
            "IpPermissions",
            json!({
                "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
                "IpRanges": [{ "CidrIp": "0.0.0.0/0", "Description": "the world" }],
            }),
        )
        .egress("-1", -1, -1, "pl-0a1")
}

fn zoned(interface: Object) -> Object {
    interface.with("AvailabilityZone", format!("{REGION}a"))
}

/// Two days of snapshots and a trail; prefix list, subnet and ACL are not described on the second day.
fn folder() -> Fixture {
    let fixture = Fixture::new();
    fixture.snapshot(
        "all/2026-01-01",
        &[
            web().ingress("tcp", 22, 22, "10.0.0.0/8"),
            here(group("sg-b")).ingress("tcp", 8080, 8080, "sg-a"),
            zoned(interface("eni-a", "10.0.0.5", &["sg-a"])),
            zoned(interface("eni-b", "10.0.0.6", &["sg-b", "sg-gone"])),
            prefix_list("pl-0a1", &["198.51.100.0/24", "192.0.2.0/24"]),
            subnet("subnet-1", "10.0.0.0/24"),
            flow_log("vpc-1", "ALL"),
        ],
    );
    fixture.snapshot(
        "all/2026-01-02",
        &[
            web().ingress("tcp", 5432, 5432, "sg-nowhere"),
            here(group("sg-b")).ingress("tcp", 8080, 8080, "sg-a").egress("-1", -1, -1, "pl-0ff"),
            zoned(interface("eni-a", "10.0.0.7", &["sg-a", "sg-b"])),
            zoned(interface("eni-c", "10.0.0.8", &["sg-b"])),
        ],
    );
    let mut odd = events::call(
        T0 + 3 * HOUR,
        "AuthorizeSecurityGroupIngress",
        json!({ "groupName": "x" }),
        events::done(),
    );
    odd["eventID"] = json!("e-1");
    let calls = [
        events::call(T0 - HOUR, "DescribeInstances", json!({}), Value::Null),
        events::revoke_nested(T0 + 2 * HOUR, "sg-a", ingress(22, "10.0.0.0/8")),
        odd,
        events::authorize_nested(T0 + 4 * HOUR, "sg-a", ingress(80, "10.0.0.0/8")),
        events::authorize_nested(T0 + 4 * HOUR, "sg-other", ingress(80, "10.0.0.0/8")),
    ];
    fixture.write("all/trail.json.gz", events::packed(&calls));
    fixture.write("all/notes.txt", "nothing to see");
    fixture
}

const CHECKED: &str = "\
all/notes.txt: left aside: beside folders named by times, so in none of them
all/trail.json.gz: CloudTrail
  3 changes from 2026-01-01T02:00:00Z to 2026-01-01T04:00:00Z, 1 entry that says nothing of the rules
  not understood: 1
    e-1: AuthorizeSecurityGroupIngress: expected groupId, found only groupName \"x\"
all/2026-01-01/FlowLogs.json: describe-*, in force from 2026-01-01T00:00:00Z
  1 flow log
all/2026-01-01/NetworkInterfaces.json: describe-*, in force from 2026-01-01T00:00:00Z
  2 network interfaces
all/2026-01-01/PrefixLists.json: describe-*, in force from 2026-01-01T00:00:00Z
  1 prefix list
all/2026-01-01/SecurityGroups.json: describe-*, in force from 2026-01-01T00:00:00Z
  4 rules, 2 security groups
all/2026-01-01/Subnets.json: describe-*, in force from 2026-01-01T00:00:00Z
  1 subnet
all/2026-01-02/NetworkInterfaces.json: describe-*, in force from 2026-01-02T00:00:00Z
  2 network interfaces
all/2026-01-02/SecurityGroups.json: describe-*, in force from 2026-01-02T00:00:00Z
  5 rules, 2 security groups

2 snapshots and 3 changes make 4 states: the first in force from 2025-12-31T23:00:00Z, the newest from 2026-01-02T00:00:00Z
CloudTrail tells of changes in 111111111111 eu-west-1 from 2025-12-31T23:00:00Z to 2026-01-01T04:00:00Z
Changes made to resources that nothing describes: 1

The newest state holds
  111111111111 eu-west-1: 2 groups with 5 rules, 2 interfaces

Missing
  groups that rules refer to and nothing describes: their members are not known: sg-nowhere
    get: the snapshot of the account that owns them, or remove the stale reference
  prefix lists that rules name, of which the entries are not known: pl-0ff
    get: aws ec2 get-managed-prefix-list-entries --prefix-list-id ID > ID.json
  subnets without a network ACL: what one refused cannot be told from other causes: subnet-1
    get: aws ec2 describe-network-acls
";

#[test]
fn check_says_what_is_there_from_when_to_when_and_what_is_missing() {
    let fixture = folder();
    let run = fixture.run(&["snapshot", "check", "all"]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(stdout(&run), CHECKED);
    let json = fixture.run(&["snapshot", "check", "all", "--format", "json"]).json.clone();
    let range = |from: &str, to: &str| json!({ "from": from, "to": to });
    let document = |file: &str, changes: Value| {
        let mut document = json!({
            "file": file, "in_force_from": null, "origins": [], "objects": {}, "proposed": null, "changes": 0,
            "changed": null, "others": 0, "odd": 0, "oddities": [], "left_aside": null,
        });
        document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        document
    };
    let described = |day: u8, kind: &str, objects: Value| {
        let at = format!("2026-01-0{day}");
        document(
            &format!("all/{at}/{kind}.json"),
            json!({ "in_force_from": format!("{at}T00:00:00Z"), "origins": ["describe-*"], "objects": objects }),
        )
    };
    assert_eq!(
        json["documents"],
        json!([
            document(
                "all/notes.txt",
                json!({ "left_aside": "beside folders named by times, so in none of them" })
            ),
            document(
                "all/trail.json.gz",
                json!({
                    "origins": ["CloudTrail"], "changes": 3, "others": 1, "odd": 1,
                    "changed": range("2026-01-01T02:00:00Z", "2026-01-01T04:00:00Z"),
                    "oddities": [
                        "e-1: AuthorizeSecurityGroupIngress: expected groupId, found only groupName \"x\""
                    ],
                })
            ),
            described(1, "FlowLogs", json!({ "flow_logs": 1 })),
            described(1, "NetworkInterfaces", json!({ "network_interfaces": 2 })),
            described(1, "PrefixLists", json!({ "prefix_lists": 1 })),
            described(1, "SecurityGroups", json!({ "security_groups": 2, "rules": 4 })),
            described(1, "Subnets", json!({ "subnets": 1 })),
            described(2, "NetworkInterfaces", json!({ "network_interfaces": 2 })),
            described(2, "SecurityGroups", json!({ "security_groups": 2, "rules": 5 })),
        ])
    );
    let mut rest = json;
    rest.as_object_mut().unwrap().remove("documents").unwrap();
    let missing = |what: &str, id: &str, remedy: &str| json!({ "what": what, "ids": [id], "count": 1, "remedy": remedy });
    assert_eq!(
        rest,
        json!({
            "snapshots": 2, "changes": 3, "unapplied": { "unknown_resource": 1, "unknown_rule": 0 },
            "trails": [{
                "account_id": "111111111111",
                "region": "eu-west-1",
                "from": "2025-12-31T23:00:00Z",
                "to": "2026-01-01T04:00:00Z",
            }],
            "states": 4, "first": "2025-12-31T23:00:00Z", "newest": "2026-01-02T00:00:00Z",
            "holds": [{ "account_id": ACCOUNT, "region": REGION, "groups": 2, "rules": 5, "interfaces": 2 }],
            "missing": [
                missing(
                    "groups that rules refer to and nothing describes: their members are not known",
                    "sg-nowhere",
                    "the snapshot of the account that owns them, or remove the stale reference"
                ),
                missing(
                    "prefix lists that rules name, of which the entries are not known",
                    "pl-0ff",
                    "aws ec2 get-managed-prefix-list-entries --prefix-list-id ID > ID.json"
                ),
                missing(
                    "subnets without a network ACL: what one refused cannot be told from other causes",
                    "subnet-1",
                    "aws ec2 describe-network-acls"
                ),
            ],
        })
    );
}

#[test]
fn check_of_everything_and_of_almost_nothing() {
    let fixture = Fixture::new();
    let all = [
        here(group("sg-a")).ingress("tcp", 22, 22, "10.0.0.0/8"),
        zoned(interface("eni-a", "10.0.0.5", &["sg-a"])),
        subnet("subnet-1", "10.0.0.0/24"),
        acl("acl-1").entry(100, false, "allow", "0.0.0.0/0"),
        flow_log("vpc-1", "ALL"),
    ];
    fixture.snapshot("all", &all);
    let run = fixture.run(&["snapshot", "check", "all"]);
    let text = stdout(&run);
    assert!(text.ends_with(
        "\n\n1 snapshot and 0 changes make 1 state: the first in force always, the newest always\n\n\
         The newest state holds\n  111111111111 eu-west-1: 1 group with 1 rule, 1 interface\n\nNothing is missing.\n"
    ), "{text}");
    // Where nothing is told, nothing is known.
    fixture.write("trail.json", events::records(&[]));
    let run = fixture.run(&["snapshot", "check", "trail.json"]);
    let nothing = "No state of any time: nothing here tells what is in force.\n";
    assert_eq!(stdout(&run), format!("trail.json: CloudTrail\n\n{nothing}"));
    // A trail alone makes no state that rules could be judged by.
    let call = events::authorize_nested(T0, "sg-a", ingress(80, "10.0.0.0/8"));
    fixture.write("trail.json", events::records(&[call]));
    let run = fixture.run(&["snapshot", "check", "trail.json"]);
    let text = stdout(&run);
    for line in [
        "0 snapshots and 1 change make",
        "\n  no security groups: nothing can be said of rules: security groups\n    get: aws ec2 describe-security-groups\n",
        "\n  no network interfaces: no record can be joined to a rule: network interfaces\n",
        "\nChanges made to resources that nothing describes: 1\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

const DIFFERENCES: &str = "\
- rule sg-a:ingress:tcp:22-22:10.0.0.0/8
+ rule sg-a:ingress:tcp:5432-5432:sg-nowhere
+ rule sg-b:egress:-1:-1--1:pl-0ff
- member eni-b in sg-b
- member eni-b in sg-gone
+ member eni-a in sg-b
+ member eni-c in sg-b
- interface eni-b
+ interface eni-c
- address 10.0.0.5 of eni-a
+ address 10.0.0.7 of eni-a
- entry 192.0.2.0/24 in pl-0a1
- entry 198.51.100.0/24 in pl-0a1
";

#[test]
fn diff_lists_what_one_state_has_and_another_lacks() {
    let fixture = folder();
    let days = ["snapshot", "diff", "all/2026-01-01", "all/2026-01-02"];
    let run = fixture.run(&days);
    assert_eq!((run.status, run.stderr.as_str(), stdout(&run).as_str()), (Some(0), "", DIFFERENCES));
    let json = fixture.run(&[&days[..], &["--format", "json"]].concat()).json.clone();
    let line = |key: &str| json!({ "rule_key": key, "rule_id": null, "description": null });
    let member = |interface: &str, group: &str| json!({ "interface_id": interface, "group_id": group });
    let address = |address: &str| json!({ "interface_id": "eni-a", "address": address });
    let entry = |cidr: &str| json!({ "prefix_list_id": "pl-0a1", "cidr": cidr });
    assert_eq!(
        json,
        json!({
            "rules": {
                "added": [line("sg-a:ingress:tcp:5432-5432:sg-nowhere"), line("sg-b:egress:-1:-1--1:pl-0ff")],
                "removed": [line("sg-a:ingress:tcp:22-22:10.0.0.0/8")],
                "changed": [],
            },
            "memberships": {
                "added": [member("eni-a", "sg-b"), member("eni-c", "sg-b")],
                "removed": [member("eni-b", "sg-b"), member("eni-b", "sg-gone")],
            },
            "groups": { "added": [], "removed": [] },
            "interfaces": { "added": ["eni-c"], "removed": ["eni-b"] },
            "addresses": { "added": [address("10.0.0.7")], "removed": [address("10.0.0.5")] },
            "prefix_list_entries": { "added": [], "removed": [entry("192.0.2.0/24"), entry("198.51.100.0/24")] },
            "network_acls": [],
        })
    );
    // The newest state of a whole folder is compared.
    let run = fixture.run(&["snapshot", "diff", "all", "all/2026-01-02"]);
    let kept = "- entry 192.0.2.0/24 in pl-0a1\n- entry 198.51.100.0/24 in pl-0a1\n";
    assert_eq!(stdout(&run), kept);
}
