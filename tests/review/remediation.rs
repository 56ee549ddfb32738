//! Commands that a reviewer may run, and nobody else.

use std::process::Command;

use serde_json::{Value, json};

use crate::fixture::{Fixture, Object, group, interface, prefix_list, row};

/// Rules of every kind of peer and protocol that nobody uses, with a hostile name and description.
fn objects() -> Vec<Object> {
    let described = |key: &str, source: Value| json!({ "IpProtocol": "tcp", "FromPort": 99, "ToPort": 99, key: [source] });
    let hostile = "it's; $(touch pwned) `touch pwned`\n\"é\"";
    let named = group("sg-a")
        .with("GroupName", "x'; touch pwned #\ntouch pwned")
        .ingress("tcp", 22, 22, "10.0.0.0/8")
        .push(
            "IpPermissions",
            described("IpRanges", json!({ "CidrIp": "10.1.0.0/16", "Description": hostile })),
        )
        .ingress("udp", 100, 200, "2001:db8::/32")
        .ingress("icmp", 8, -1, "10.0.0.0/8")
        .ingress("-1", -1, -1, "sg-b")
        .egress("tcp", 5432, 5432, "pl-1")
        .egress("50", -1, -1, "10.0.0.0/8");
    vec![
        named,
        group("sg-b").with("OwnerId", "222222222222"),
        prefix_list("pl-1", &["10.2.0.0/16"]),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        interface("eni-b", "10.0.0.6", &["sg-b"]),
    ]
}

fn remediated() -> Fixture {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects());
    fixture.log("log", &[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]);
    let run = fixture.run(&[
        "analyze",
        "log",
        "--snapshot",
        "snap",
        "--format",
        "json=r.json",
        "--remediation",
        "fix",
    ]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    fixture
}

fn read(fixture: &Fixture, name: &str) -> String {
    std::fs::read_to_string(fixture.path(name)).unwrap()
}

/// The calls that a script makes, as their words: `aws` is a stand-in that prints them.
fn calls(fixture: &Fixture, script: &str) -> Vec<Vec<String>> {
    let stand_in = "#!/bin/sh\nfor word in \"$@\"; do printf '%s\\037' \"$word\"; done\nprintf '\\036'\n";
    fixture.write("bin/aws", stand_in);
    fixture.write("bin/aliyun", stand_in);
    for name in ["bin/aws", "bin/aliyun"] {
        let status = Command::new("chmod").arg("+x").arg(fixture.path(name)).status().unwrap();
        assert!(status.success());
    }
    let output = Command::new("sh")
        .arg(script)
        .current_dir(fixture.path("."))
        .env("PATH", format!("{}:/usr/bin:/bin", fixture.path("bin").display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!fixture.path("pwned").exists(), "a name was run");
    let text = String::from_utf8(output.stdout).unwrap();
    let words =
        |call: &str| call.split('\u{1f}').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    text.split('\u{1e}').filter(|call| !call.is_empty()).map(words).collect()
}

fn permissions(call: &[String]) -> Value {
    let at = call.iter().position(|word| word == "--ip-permissions").unwrap();
    serde_json::from_str::<Value>(&call[at + 1]).unwrap()[0].clone()
}

#[test]
fn commands_revoke_the_removal_set_and_put_back_exactly_it() {
    let fixture = remediated();
    let report: Value = serde_json::from_str(&read(&fixture, "r.json")).unwrap();
    let set = report["removal_set"]["rules"].as_array().unwrap();
    let (apply, undo) = (calls(&fixture, "fix/apply.sh"), calls(&fixture, "fix/undo.sh"));
    assert_eq!((apply.len(), undo.len()), (set.len(), set.len()));
    assert!(set.len() >= 5, "{set:?}");
    let verbs = |calls: &[Vec<String>]| calls.iter().map(|call| call[1].clone()).collect::<Vec<_>>();
    let turned: Vec<String> = verbs(&apply).iter().map(|verb| verb.replace("revoke", "authorize")).collect();
    assert_eq!(verbs(&undo), turned);
    let mut all: Vec<Value> = apply.iter().map(|call| permissions(call)).collect();
    for (revoked, back) in all.iter().zip(&undo) {
        let mut back = permissions(back);
        for list in ["IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds"] {
            if let Some(source) = back.get_mut(list) {
                source[0].as_object_mut().unwrap().remove("Description");
            }
        }
        assert_eq!(*revoked, back);
    }
    all.sort_by_key(Value::to_string);
    let expected = json!({ "IpProtocol": "tcp", "FromPort": 99, "ToPort": 99, "IpRanges": [{ "CidrIp": "10.1.0.0/16" }] });
    assert!(all.contains(&expected), "{all:#?}");
    let expected = json!({ "IpProtocol": "udp", "FromPort": 100, "ToPort": 200, "Ipv6Ranges": [{ "CidrIpv6": "2001:db8::/32" }] });
    assert!(all.contains(&expected), "{all:#?}");
    let described =
        undo.iter().map(|call| permissions(call)).find(|it| it["IpRanges"][0]["Description"].is_string());
    assert_eq!(described.unwrap()["IpRanges"][0]["Description"], "it's; $(touch pwned) `touch pwned`\n\"é\"");
}

#[test]
fn scripts_say_what_they_are_and_hold_no_line_of_anybody() {
    let fixture = remediated();
    let apply = read(&fixture, "fix/apply.sh");
    assert!(apply.contains("what breaks may show\n# days later"), "{apply}");
    assert!(
        apply.contains("# sg-a: name x'; touch pwned #\\u{a}touch pwned, VPC vpc-1, account 111111111111\n"),
        "{apply}"
    );
    for name in ["fix/apply.sh", "fix/undo.sh"] {
        let text = read(&fixture, name);
        let begins = |line: &&str| {
            !(line.is_empty() || line.starts_with('#') || line.starts_with("aws ec2 ") || *line == "set -eu")
        };
        assert_eq!(text.lines().filter(begins).collect::<Vec<_>>(), [""; 0]);
    }
}

#[test]
fn the_list_can_be_edited_replayed_and_made_into_commands() {
    let fixture = remediated();
    let replayed = fixture.run(&[
        "replay",
        "log",
        "--snapshot",
        "snap",
        "--proposed",
        "fix/removal.txt",
        "--fail-on",
        "changed",
    ]);
    assert_eq!(replayed.status, Some(0));
    let text = read(&fixture, "fix/removal.txt");
    let kept: Vec<&str> =
        text.lines().filter(|line| line.starts_with('#') || line.contains(":udp:")).collect();
    fixture.write("edited.txt", kept.join("\n"));
    let arguments = ["replay", "log", "--snapshot", "snap", "--remediation", "less", "--proposed"];
    assert_eq!(fixture.run(&[&arguments[..], &["edited.txt"]].concat()).status, Some(0));
    let calls = calls(&fixture, "less/apply.sh");
    assert_eq!(calls.len(), 1);
    assert_eq!(permissions(&calls[0])["IpProtocol"], "udp");
    let run = fixture.run(&[&arguments[..], &["snap"]].concat());
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("commands are made for a list of rules to remove"), "{}", run.stderr);
}

#[test]
fn an_accepted_rule_is_not_asked_to_go() {
    let fixture = remediated();
    let key = "sg-a:ingress:udp:100-200:2001:db8::/32";
    fixture.write(
        "s.toml",
        format!("[[suppress]]\nid = \"unused_rule/{key}\"\nreason = \"r\"\nexpires = 2999-01-01\n"),
    );
    let run = fixture
        .analyze(&["log", "--snapshot", "snap", "--suppress", "s.toml", "--remediation", "fix"])
        .exit(0);
    assert!(!run.at("/removal_set/rules").as_array().unwrap().contains(&json!(key)));
    assert!(!read(&fixture, "fix/removal.txt").contains(key));
}

#[test]
fn terraform_is_told_where_it_writes_the_rule() {
    let fixture = Fixture::new();
    let state = json!({
        "format_version": "1.0", "terraform_version": "1.9.0",
        "values": { "root_module": { "resources": [
            { "address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
              "values": { "id": "sg-a", "name": "web", "vpc_id": "vpc-1", "owner_id": "111111111111", "ingress": [], "egress": [] } },
            { "address": "aws_vpc_security_group_ingress_rule.old", "mode": "managed",
              "type": "aws_vpc_security_group_ingress_rule", "name": "old",
              "values": { "id": "sgr-1", "security_group_rule_id": "sgr-1", "security_group_id": "sg-a", "ip_protocol": "tcp",
                          "from_port": 99, "to_port": 99, "cidr_ipv4": "10.0.0.0/8" } },
        ] } },
    });
    fixture.write("snap/state.json", state.to_string());
    fixture.snapshot("snap", &[interface("eni-a", "10.0.0.5", &["sg-a"])]);
    fixture.log(
        "log",
        &[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 REJECT"), row("eni-a 10.0.0.5 10.0.0.9 40000 22 6 ACCEPT")],
    );
    let run = fixture.run(&[
        "analyze",
        "log",
        "--snapshot",
        "snap",
        "--format",
        "json=r.json",
        "--remediation",
        "fix",
    ]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let apply = read(&fixture, "fix/apply.sh");
    let hint = "# Terraform writes it as aws_vpc_security_group_ingress_rule.old: take that out of the configuration instead\n";
    assert!(apply.contains(hint), "{apply}");
}

#[test]
fn a_group_of_another_account_is_named_with_it_and_a_stranger_gets_no_command() {
    let pair = |id: &str, user: Option<&str>| {
        let mut pair = json!({ "GroupId": id });
        if let Some(user) = user {
            pair["UserId"] = json!(user);
        }
        json!({ "IpProtocol": "tcp", "FromPort": 99, "ToPort": 99, "UserIdGroupPairs": [pair] })
    };
    let own = group("sg-a")
        .push("IpPermissions", pair("sg-far", Some("999999999999")))
        .push("IpPermissions", pair("sg-gone", None))
        .ingress("tcp", 22, 22, "10.0.0.0/8");
    let fixture = Fixture::new();
    fixture.snapshot("snap", &[own, interface("eni-a", "10.0.0.5", &["sg-a"])]);
    fixture.log("log", &[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]);
    fixture.write("list.txt", "sg-a:ingress:tcp:99-99:sg-far\nsg-a:ingress:tcp:99-99:sg-gone\n");
    let run = fixture.run(&[
        "replay",
        "log",
        "--snapshot",
        "snap",
        "--proposed",
        "list.txt",
        "--remediation",
        "fix",
    ]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let calls = calls(&fixture, "fix/undo.sh");
    assert_eq!(calls.len(), 1);
    assert_eq!(
        permissions(&calls[0])["UserIdGroupPairs"],
        json!([{ "GroupId": "sg-far", "UserId": "999999999999" }])
    );
    assert!(
        read(&fixture, "fix/apply.sh")
            .contains("# no command for this rule: the group that it refers to is not in the snapshot")
    );
}

#[test]
fn commands_of_alibaba_cloud_give_each_value_in_one_word_with_its_option() {
    let fixture = Fixture::new();
    let permission = |protocol: &str, ports: &str, source: (&str, &str)| {
        json!({ "Direction": "ingress", "Policy": "Accept", "Priority": "1", "IpProtocol": protocol, "PortRange": ports,
                source.0: source.1, "NicType": "intranet", "Description": "-rf it's" })
    };
    let mut other = permission("ALL", "-1/-1", ("SourceGroupId", "sg-bpfar"));
    other["SourceGroupOwnerAccount"] = json!("6543210987654321");
    let group = json!({
        "SecurityGroupId": "sg-bp1", "SecurityGroupName": "x", "RegionId": "eu-central-1", "VpcId": "vpc-1", "InnerAccessPolicy": "Accept",
        "Permissions": { "Permission": [permission("ICMP", "-1/-1", ("SourceCidrIp", "10.0.0.0/8")), other] },
    });
    fixture.write("snap/group.json", group.to_string());
    let keys = "sg-bp1:ingress:icmp:-1--1:10.0.0.0/8:1:allow\nsg-bp1:ingress:-1:-1--1:sg-bpfar:1:allow\n";
    fixture.write("list.txt", keys);
    fixture.log("log", &[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]);
    let run = fixture.run(&[
        "replay",
        "log",
        "--snapshot",
        "snap",
        "--proposed",
        "list.txt",
        "--remediation",
        "fix",
    ]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let calls = calls(&fixture, "fix/undo.sh");
    let expected = [
        "ecs",
        "AuthorizeSecurityGroup",
        "--RegionId=eu-central-1",
        "--SecurityGroupId=sg-bp1",
        "--Permissions.1.IpProtocol=ICMP",
        "--Permissions.1.PortRange=-1/-1",
        "--Permissions.1.SourceCidrIp=10.0.0.0/8",
        "--Permissions.1.Policy=accept",
        "--Permissions.1.Priority=1",
        "--Permissions.1.Description=-rf it's",
    ];
    assert_eq!(calls[1], expected);
    assert!(
        calls[0].contains(&"--Permissions.1.SourceGroupOwnerAccount=6543210987654321".to_owned()),
        "{calls:?}"
    );
}

#[test]
fn rules_of_several_accounts_are_not_mixed() {
    let fixture = Fixture::new();
    let other = group("sg-b").with("OwnerId", "222222222222").ingress("tcp", 99, 99, "10.0.0.0/8");
    let here = interface("eni-b", "10.0.0.6", &["sg-b"]).with("OwnerId", "222222222222");
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").ingress("tcp", 99, 99, "10.0.0.0/8"),
        other,
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        here,
    ];
    fixture.snapshot("snap", &objects);
    fixture.log("log", &[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]);
    fixture.write("list.txt", "sg-a:ingress:tcp:99-99:10.0.0.0/8\nsg-b:ingress:tcp:99-99:10.0.0.0/8\n");
    fixture.run(&["replay", "log", "--snapshot", "snap", "--proposed", "list.txt", "--remediation", "fix"]);
    fixture.write("bin/aws", "#!/bin/sh\n[ \"$1\" = sts ] && echo 222222222222 || echo \"$@\" >&3\n");
    assert!(Command::new("chmod").arg("+x").arg(fixture.path("bin/aws")).status().unwrap().success());
    for script in ["apply", "undo"] {
        let output = Command::new("sh")
            .args(["-c", &format!("sh fix/{script}.sh 3>calls")])
            .current_dir(fixture.path("."))
            .env("PATH", format!("{}:/usr/bin:/bin", fixture.path("bin").display()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(
            said.contains(
                "left out: rules of account 111111111111; these are the credentials of 222222222222"
            ),
            "{said}"
        );
        let calls = read(&fixture, "calls");
        assert!(calls.lines().count() == 1 && calls.contains("--group-id sg-b"), "{calls}");
    }
}
