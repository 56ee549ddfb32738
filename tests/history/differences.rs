//! `flowaudit snapshot diff`: rules that changed, ACLs, Terraform plans, and names that would speak to the terminal.

use serde_json::{Value, json};

use crate::events::{self, ingress};
use crate::fixture::{ACCOUNT, Fixture, HOUR, Object, Run, T0, acl, group, interface, prefix_list};

fn stdout(run: &Run) -> String {
    String::from_utf8(run.stdout.clone()).unwrap()
}

fn diff(fixture: &Fixture, paths: &[&str]) -> String {
    let run = fixture.run(&[&["snapshot", "diff"], paths].concat());
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    stdout(&run)
}

fn described(id: &str, port: u16, description: &str) -> Object {
    let value = json!({
        "SecurityGroupRuleId": id, "GroupId": "sg-a", "GroupOwnerId": ACCOUNT, "IsEgress": false, "IpProtocol": "tcp",
        "FromPort": port, "ToPort": port, "CidrIpv4": "10.0.0.0/8", "Description": description,
    });
    Object { kind: "SecurityGroupRules", value }
}

#[test]
fn a_rule_of_one_id_changed_and_others_came_and_went() {
    let fixture = Fixture::new();
    let rules =
        [described("sgr-1", 22, "admins"), described("sgr-2", 80, "old words"), described("sgr-3", 25, "")];
    fixture.snapshot("a", &rules);
    let rules = [
        described("sgr-1", 2222, "admins"),
        described("sgr-2", 80, "new words"),
        described("sgr-4", 26, "mail"),
    ];
    fixture.snapshot("b", &rules);
    let key = |port: u16| format!("sg-a:ingress:tcp:{port}-{port}:10.0.0.0/8");
    let expected = format!(
        "- rule {} (sgr-3)\n+ rule {} (sgr-4) \"mail\"\n\
         ~ rule {} (sgr-1) \"admins\"\n    now {} (sgr-1) \"admins\"\n\
         ~ rule {} (sgr-2) \"old words\"\n    now {} (sgr-2) \"new words\"\n",
        key(25),
        key(26),
        key(22),
        key(2222),
        key(80),
        key(80)
    );
    assert_eq!(diff(&fixture, &["a", "b"]), expected);
    let line = |port: u16, id: &str, description: Value| json!({ "rule_key": key(port), "rule_id": id, "description": description });
    let run = fixture.run(&["snapshot", "diff", "a", "b", "--format", "json"]);
    assert_eq!(
        run.at("/rules"),
        &json!({
            "added": [line(26, "sgr-4", json!("mail"))],
            "removed": [line(25, "sgr-3", Value::Null)],
            "changed": [
                { "rule_id": "sgr-1", "from": line(22, "sgr-1", json!("admins")), "to": line(2222, "sgr-1", json!("admins")) },
                { "rule_id": "sgr-2", "from": line(80, "sgr-2", json!("old words")), "to": line(80, "sgr-2", json!("new words")) },
            ],
        })
    );
    assert_eq!(diff(&fixture, &["a", "a"]), "No difference.\n");
}

#[test]
fn the_newest_state_of_a_history_is_that_after_its_trail() {
    let fixture = Fixture::new();
    let objects = |ports: &[i64]| {
        let sg = ports.iter().fold(group("sg-a"), |sg, port| sg.ingress("tcp", *port, *port, "10.0.0.0/8"));
        [sg, interface("eni-a", "10.0.0.5", &["sg-a"])]
    };
    fixture.snapshot("all/2026-01-01", &objects(&[22]));
    let call = events::authorize_nested(T0 + HOUR, "sg-a", ingress(443, "10.0.0.0/8"));
    fixture.write("all/trail.json", events::records(&[call]));
    fixture.snapshot("now", &objects(&[22, 443]));
    fixture.snapshot("before", &objects(&[22]));
    assert_eq!(diff(&fixture, &["all", "now"]), "No difference.\n");
    assert_eq!(diff(&fixture, &["before", "all"]), "+ rule sg-a:ingress:tcp:443-443:10.0.0.0/8\n");
}

#[test]
fn an_acl_that_differs_is_named_by_its_subnet() {
    let fixture = Fixture::new();
    let of = |acl: Object| [group("sg-a"), acl];
    fixture.snapshot("a", &of(acl("acl-1").entry(100, false, "allow", "0.0.0.0/0")));
    fixture.snapshot("b", &of(acl("acl-1").entry(100, false, "deny", "0.0.0.0/0")));
    fixture.snapshot("c", &of(acl("acl-2").entry(100, false, "allow", "0.0.0.0/0")));
    fixture.snapshot("d", &[group("sg-a")]);
    for other in ["b", "c", "d"] {
        assert_eq!(diff(&fixture, &["a", other]), "~ network ACL of subnet-1\n", "{other}");
    }
    assert_eq!(diff(&fixture, &["a", "a"]), "No difference.\n");
}

/// A plan that opens 443 and shuts 22 of a group that it knows.
fn plan() -> Value {
    let group = json!({
        "address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
        "values": { "id": "sg-a", "name": "web", "vpc_id": "vpc-1", "owner_id": ACCOUNT, "tags": {} },
    });
    let rule = |name: &str, port: u16| {
        json!({
            "address": format!("aws_vpc_security_group_ingress_rule.{name}"), "mode": "managed",
            "type": "aws_vpc_security_group_ingress_rule", "name": name,
            "values": {
                "id": format!("sgr-{port}"), "security_group_rule_id": format!("sgr-{port}"), "security_group_id": "sg-a",
                "ip_protocol": "tcp", "from_port": port, "to_port": port, "cidr_ipv4": "10.0.0.0/8",
            },
        })
    };
    let change = |resource: &Value, action: &str, before: Value, after: Value| {
        let mut change = resource.clone();
        change.as_object_mut().unwrap().remove("values");
        change["change"] =
            json!({ "actions": [action], "before": before, "after": after, "after_unknown": {} });
        change
    };
    let (ssh, web) = (rule("ssh", 22), rule("web", 443));
    json!({
        "format_version": "1.2", "terraform_version": "1.9.5",
        "prior_state": { "format_version": "1.0", "values": { "root_module": { "resources": [group, ssh] } } },
        "planned_values": { "root_module": { "resources": [group, web] } },
        "resource_changes": [
            change(&group, "no-op", group["values"].clone(), group["values"].clone()),
            change(&ssh, "delete", ssh["values"].clone(), Value::Null),
            change(&web, "create", Value::Null, web["values"].clone()),
        ],
    })
}

#[test]
fn a_plan_alone_is_what_it_would_change() {
    let fixture = Fixture::new();
    fixture.write("plan.json", plan().to_string());
    let changes = "- rule sg-a:ingress:tcp:22-22:10.0.0.0/8 (sgr-22)\n+ rule sg-a:ingress:tcp:443-443:10.0.0.0/8 (sgr-443)\n";
    assert_eq!(diff(&fixture, &["plan.json"]), changes);
    // Beside what is there: of a plan, the first is what is, the second what it comes to.
    let with = |port: i64| [group("sg-a").ingress("tcp", port, port, "10.0.0.0/8")];
    fixture.snapshot("ssh", &with(22));
    fixture.snapshot("web", &with(443));
    for (paths, expected) in [
        (
            ["ssh", "plan.json"],
            "- rule sg-a:ingress:tcp:22-22:10.0.0.0/8\n+ rule sg-a:ingress:tcp:443-443:10.0.0.0/8 (sgr-443)\n",
        ),
        (["web", "plan.json"], "No difference.\n"),
        (["plan.json", "ssh"], "No difference.\n"),
    ] {
        let run = fixture.run(&["snapshot", "diff", paths[0], paths[1], "--format", "json"]);
        assert_eq!(run.at("/memberships"), &json!({ "added": [], "removed": [] }));
        assert_eq!(diff(&fixture, &paths), expected, "{paths:?}");
    }
}

#[test]
fn hostile_names_are_escaped_in_the_terminal_and_whole_in_json() {
    let evil = "sg-\u{1b}[2J\u{202e}x\r\ny";
    let said = "\u{1b}]0;pwned\u{7}";
    let objects = |extra: bool| {
        let peer = json!({ "CidrIp": "10.0.0.0/8", "Description": said });
        let mut sg = group(evil).with("OwnerId", said).with("GroupName", said);
        if extra {
            sg = sg.push(
                "IpPermissions",
                json!({ "IpProtocol": evil, "FromPort": 1, "ToPort": 1, "IpRanges": [peer] }),
            );
        }
        let eni = interface(&format!("eni-{said}"), "10.0.0.5", &[if extra { evil } else { "sg-b" }]);
        let acl = acl("acl-1").with("Associations", json!([{ "SubnetId": format!("subnet-{said}") }]));
        let list =
            prefix_list(&format!("pl-{said}"), if extra { &["10.0.0.0/8"] } else { &["192.0.2.0/24"] });
        let mut all = vec![sg, eni.with("SubnetId", evil).with("OwnerId", said), list];
        all.extend(extra.then_some(acl));
        all
    };
    let fixture = Fixture::new();
    fixture.snapshot("a", &objects(false));
    fixture.snapshot("b", &objects(true));
    fixture.write(&format!("b/{}", "\u{1b}[31mred.txt"), "no JSON");
    let mut odd = events::call(T0, "DeleteSecurityGroup", json!({}), events::done());
    odd["eventID"] = json!(evil);
    fixture.write("b/odd.json", events::records(&[odd]));
    for arguments in
        [vec!["diff", "a", "b"], vec!["diff", "b", "a"], vec!["check", "b"], vec!["check", "a", "b"]]
    {
        let run = fixture.run(&[&["snapshot"], &arguments[..]].concat());
        assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        let text = stdout(&run);
        let is_safe = |c: char| c == '\n' || (!c.is_control() && c != '\u{202e}');
        assert!(text.chars().all(is_safe), "{arguments:?}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with('y')), "{arguments:?}: {text}");
        assert!(text.contains("\\u{1b}") || text.contains("\\x1b"), "{arguments:?}: {text}");
    }
    let run = fixture.run(&["snapshot", "diff", "a", "b", "--format", "json"]);
    assert_eq!(run.at("/memberships/added/0/group_id"), evil);
    assert_eq!(run.at("/rules/added/0/description"), said);
    assert_eq!(fixture.run(&["snapshot", "show", "b"]).at("/SecurityGroups/0/GroupId"), evil);
    // Messages as well.
    let run = fixture.run(&["snapshot", "check", evil]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", run.stderr);
}
