//! Snapshots in every shape: pages, single objects, rules apart from groups, several times, several accounts.

use crate::shared::shared;

use serde_json::{Value, json};

use crate::fixture::{
    ACCOUNT, Fixture, HOUR, Object, Run, T0, documents, group, gzip, interface, prefix_list, row, row_at,
};

const SSH: &str = "sg-a:ingress:tcp:22-22:10.0.0.0/8";
const WEB: &str = "sg-a:ingress:tcp:443-443:10.0.0.0/8";

fn with_log(rows: &[String]) -> Fixture {
    let fixture = Fixture::new();
    fixture.log("log", rows);
    fixture
}

/// One ACCEPT on port 22 of eni-a.
fn ssh() -> Fixture {
    with_log(&[row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")])
}

fn objects() -> [Object; 4] {
    [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").ingress("tcp", 443, 443, "10.0.0.0/8"),
        group("sg-b").ingress("tcp", 22, 22, "sg-a").egress("-1", -1, -1, "pl-0a1"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        interface("eni-b", "10.0.0.6", &["sg-b"]),
    ]
}

/// The report without the list of snapshot files.
fn apart_from_names(run: &Run) -> Value {
    let mut report = run.json.clone();
    report["coverage"]["snapshots"] = Value::Null;
    report
}

#[test]
fn the_same_objects_give_the_same_report_in_every_shape() {
    let fixture = ssh();
    fixture.snapshot("snap", &objects());
    let expected = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!((expected.keys().len(), expected.verdict(SSH)), (4, "used".to_owned()));
    let single = objects();
    let [one, two, three, four] = &single;
    // Pages, one after the other in files of their own.
    fixture.snapshot("pages/1", &[one.clone(), three.clone()]);
    fixture.snapshot("pages/2", &[two.clone(), four.clone()]);
    for (at, object) in single.iter().enumerate() {
        fixture.write(&format!("objects/{at}"), object.value.to_string());
    }
    let list: Vec<&Value> = single.iter().map(|object| &object.value).collect();
    fixture.write("list/all.json", json!(list).to_string());
    for (kind, document) in documents(&single) {
        let text = document.to_string();
        fixture.write(&format!("gz/{kind}.json.gz"), gzip(text.as_bytes()));
        fixture.write(&format!("mark/{kind}"), format!("\u{feff}{text}"));
        let wide = std::iter::once(0xfeff).chain(text.encode_utf16());
        fixture.write(&format!("powershell/{kind}"), wide.flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
        // With what AWS adds around it, and keys of tomorrow.
        let mut next = document.clone();
        next["NextToken"] = Value::Null;
        next["Brand"] = json!({ "New": [1, 2] });
        next[kind][0]["Brand"] = json!({ "New": true });
        fixture.write(&format!("tokens/{kind}.json"), serde_json::to_string_pretty(&next).unwrap());
    }
    // Pages after each other in one file, as a shell loop writes them.
    let stream = single.iter().map(|object| json!({ object.kind: [object.value] }).to_string() + "\n");
    fixture.write("stream.json", stream.collect::<String>());
    for shape in ["pages", "objects", "list", "gz", "mark", "powershell", "tokens", "stream.json"] {
        let run = fixture.analyze(&["log", "--snapshot", shape]).exit(0);
        assert_eq!(apart_from_names(&run), apart_from_names(&expected), "{shape}");
        let files = run.at("/coverage/snapshots").as_array().unwrap();
        assert!(files.iter().all(|file| file["left_aside"].is_null()), "{shape}");
    }
    let files = fixture.analyze(&["log", "--snapshot", "pages/1", "pages/2"]).exit(0);
    assert_eq!(apart_from_names(&files), apart_from_names(&expected));
}

#[test]
fn lists_that_a_dump_writes_as_null_are_empty() {
    let fixture = ssh();
    let group = json!({ "SecurityGroups": [{
        "GroupId": "sg-a", "GroupName": "a", "Description": null, "Tags": null, "VpcId": "vpc-1",
        "IpPermissionsEgress": null,
        "IpPermissions": [{
            "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "Ipv6Ranges": null, "PrefixListIds": null,
            "UserIdGroupPairs": null, "IpRanges": [{ "CidrIp": "10.0.0.0/8", "Description": null }],
        }],
    }], "NextToken": null });
    let interface = json!({ "NetworkInterfaces": [{
        "NetworkInterfaceId": "eni-a", "PrivateIpAddress": "10.0.0.5", "PrivateIpAddresses": null,
        "Ipv6Addresses": null, "Association": null, "Attachment": null, "TagSet": null,
        "Groups": [{ "GroupId": "sg-a", "GroupName": "a" }],
    }] });
    fixture.write("snap/groups.json", group.to_string());
    fixture.write("snap/interfaces.json", interface.to_string());
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!((run.keys(), run.verdict(SSH)), (vec![SSH], "used".to_owned()));
}

/// describe-security-group-rules of `objects`' sg-a and sg-b, with labels.
fn rules() -> Value {
    let rule = |id: &str, group: &str, egress: bool, protocol: &str, port: i64, peer: Value| {
        let mut rule = json!({
            "SecurityGroupRuleId": id, "GroupId": group, "GroupOwnerId": ACCOUNT, "IsEgress": egress,
            "IpProtocol": protocol, "FromPort": port, "ToPort": port,
        });
        rule.as_object_mut().unwrap().extend(peer.as_object().unwrap().clone());
        rule
    };
    json!({ "SecurityGroupRules": [
        rule("sgr-1", "sg-a", false, "tcp", 22, json!({ "CidrIpv4": "10.0.0.0/8" })),
        rule("sgr-2", "sg-a", false, "tcp", 443, json!({ "CidrIpv4": "10.0.0.0/8" })),
        rule("sgr-3", "sg-b", false, "tcp", 22, json!({ "ReferencedGroupInfo": { "GroupId": "sg-a" } })),
        rule("sgr-4", "sg-b", true, "-1", -1, json!({ "PrefixListId": "pl-0a1" })),
    ] })
}

#[test]
fn rules_described_alone_or_beside_their_groups_are_the_same_rules() {
    let fixture = ssh();
    let [one, two, three, four] = objects();
    fixture.snapshot("groups", &[one, two, three.clone(), four.clone()]);
    let groups = fixture.analyze(&["log", "--snapshot", "groups"]).exit(0);
    fixture.snapshot("rules", &[three, four]);
    fixture.write("rules/rules.json", rules().to_string());
    let rules_only = fixture.analyze(&["log", "--snapshot", "rules"]).exit(0);
    fixture.write("groups/rules.json", rules().to_string());
    let both = fixture.analyze(&["log", "--snapshot", "groups"]).exit(0);
    for run in [&rules_only, &both] {
        assert_eq!(run.keys(), groups.keys());
        assert_eq!(run.verdict(SSH), "used");
        let keys = [SSH, WEB, "sg-b:ingress:tcp:22-22:sg-a", "sg-b:egress:-1:-1--1:pl-0a1"];
        for (key, id) in keys.into_iter().zip(["sgr-1", "sgr-2", "sgr-3", "sgr-4"]) {
            assert_eq!(run.rule(key)["rule_id"], id, "{key}");
        }
    }
    assert_eq!(groups.rule(SSH)["rule_id"], Value::Null);
    assert_eq!(
        (&both.rule(SSH)["group_name"], &rules_only.rule(SSH)["group_name"]),
        (&json!("sg-a"), &json!(""))
    );
}

#[test]
fn one_id_may_pass_to_new_content_and_each_keeps_its_own_use() {
    let described = |port: i64| {
        json!({ "SecurityGroupRules": [{
            "SecurityGroupRuleId": "sgr-1", "GroupId": "sg-a", "GroupOwnerId": ACCOUNT, "IsEgress": false,
            "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIpv4": "10.0.0.0/8",
        }] })
    };
    let fixture = with_log(&[
        row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"),
        row_at(T0 + 2 * HOUR, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"),
    ]);
    for (time, port) in [("2026-01-01T00:00:00Z", 22), ("2026-01-01T01:00:00Z", 443)] {
        fixture.snapshot(&format!("snap/{time}"), &[interface("eni-a", "10.0.0.5", &["sg-a"])]);
        fixture.write(&format!("snap/{time}/rules.json"), described(port).to_string());
    }
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    for (key, from, to) in [
        (SSH, "2026-01-01T00:00:00Z", json!("2026-01-01T01:00:00Z")),
        (WEB, "2026-01-01T01:00:00Z", Value::Null),
    ] {
        assert_eq!((run.verdict(key), run.usage(key, "records")), ("used".to_owned(), 1));
        assert_eq!(run.rule(key)["rule_id"], "sgr-1");
        assert_eq!(run.rule(key)["in_force"], json!({ "from": from, "to": to }));
    }
}

/// sg-a lets 22 in until noon and 443 from then on; a record of each port before and after.
fn noon() -> (Fixture, [Object; 2], [Object; 2]) {
    let at = |hour: i64, port: u16| {
        row_at(T0 + hour * HOUR, &format!("eni-a 10.0.0.9 10.0.0.5 40000 {port} 6 ACCEPT"))
    };
    let fixture = with_log(&[at(1, 22), at(1, 443), at(12, 443), at(13, 443), at(13, 22), at(13, 23)]);
    let eni = interface("eni-a", "10.0.0.5", &["sg-a"]);
    let before = [group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8"), eni.clone()];
    let after = [group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8"), eni];
    (fixture, before, after)
}

#[test]
fn a_record_is_judged_by_the_newest_state_not_later_than_its_start() {
    let (fixture, before, after) = noon();
    fixture.snapshot("a", &before);
    fixture.snapshot("b", &after);
    fixture.snapshot("dated/2026-01-01T00:00:00Z", &before);
    fixture.snapshot("dated/20260101T120000Z", &after);
    let shapes: [&[&str]; 3] = [
        &["--snapshot", "2026-01-01T00:00:00Z=a", "--snapshot", "2026-01-01T12:00:00Z=b"],
        &["--snapshot", "2026-01-01T13:00:00+01:00=b", "2026-01-01=a"],
        &["--snapshot", "dated"],
    ];
    for shape in shapes {
        let run = fixture.analyze(&[&["log"], shape].concat()).exit(0);
        // 22 at one o'clock, and 443 from noon on, by the rules in force.
        assert_eq!((run.usage(SSH, "records"), run.usage(WEB, "records")), (1, 2), "{shape:?}");
        // 443 at one o'clock by the next state, 22 at one in the afternoon by the one before.
        assert_eq!(run.outcome("explained_by_neighbour"), 2, "{shape:?}");
        assert_eq!((run.usage(SSH, "possible_records"), run.usage(WEB, "possible_records")), (1, 1));
        assert_eq!(run.outcome("unexplained"), 1, "{shape:?}");
        assert_eq!(run.rule(SSH)["in_force"]["to"], "2026-01-01T12:00:00Z", "{shape:?}");
        assert_eq!(run.rule(WEB)["in_force"]["to"], Value::Null, "{shape:?}");
    }
    let run = fixture.analyze(&["log", "--snapshot", "2026-01-01T12:00:00Z=b"]).exit(0);
    assert_eq!((run.outcome("before_first_snapshot"), run.usage(WEB, "records")), (2, 3));
    assert_eq!(run.at("/coverage/snapshots/0/in_force_from"), "2026-01-01T12:00:00Z");
}

#[test]
fn a_kind_that_a_later_snapshot_lacks_stays_in_force() {
    let (fixture, before, [groups, _]) = noon();
    fixture.snapshot("a", &before);
    fixture.snapshot("b", &[groups]);
    let run = fixture.analyze(&["log", "--snapshot", "2026-01-01=a", "2026-01-01T12:00:00Z=b"]).exit(0);
    assert_eq!((run.usage(SSH, "records"), run.usage(WEB, "records")), (1, 2));
    assert_eq!(run.outcome("interface_from_neighbour"), 0);
}

#[test]
fn a_snapshot_of_another_account_leaves_the_first_one_in_force() {
    let other = "222222222222";
    let (fixture, before, _) = noon();
    fixture.snapshot("a", &before);
    let theirs = [
        group("sg-b").ingress("tcp", 22, 22, "10.0.0.0/8").with("OwnerId", other).with("VpcId", "vpc-2"),
        interface("eni-b", "10.0.0.6", &["sg-b"]).with("OwnerId", other).with("VpcId", "vpc-2"),
    ];
    fixture.snapshot("b", &theirs);
    for arguments in [["2026-01-01=a", "2026-01-01T12:00:00Z=b"], ["a", "b"]] {
        let run = fixture.analyze(&[&["log", "--snapshot"], &arguments[..]].concat()).exit(0);
        assert_eq!((run.usage(SSH, "records"), run.outcome("interface_from_neighbour")), (2, 0));
        assert_eq!(run.rule(SSH)["in_force"]["to"], Value::Null);
        assert_eq!(run.keys(), [SSH, "sg-b:ingress:tcp:22-22:10.0.0.0/8"]);
    }
}

#[test]
fn prefix_lists_come_by_file_name_or_as_aws_describes_them() {
    let key = "sg-a:ingress:tcp:22-22:pl-0a1b2c3d";
    let group = group("sg-a").ingress("tcp", 22, 22, "pl-0a1b2c3d");
    let base = [group, interface("eni-a", "10.0.0.5", &["sg-a"])];
    let entries =
        json!({ "Entries": [{ "Cidr": "10.0.0.0/24", "Description": "office" }, { "Cidr": "10.9.0.0/16" }] });
    let fixture = ssh();
    fixture.snapshot("entries", &base);
    fixture.write("entries/pl-0a1b2c3d.json", entries.to_string());
    let [group, eni] = base.clone();
    fixture.snapshot("described", &[group, eni, prefix_list("pl-0a1b2c3d", &["10.9.0.0/16", "10.0.0.0/24"])]);
    for shape in ["entries", "described"] {
        let run = fixture.analyze(&["log", "--snapshot", shape]).exit(0);
        assert_eq!(run.verdict(key), "used", "{shape}");
    }
    fixture.snapshot("unknown", &base);
    // describe-managed-prefix-lists names lists without their entries.
    let named = json!({ "PrefixLists": [{ "PrefixListId": "pl-0a1b2c3d", "PrefixListName": "office" }] });
    fixture.write("unknown/lists.json", named.to_string());
    let run = fixture.analyze(&["log", "--snapshot", "unknown"]).exit(0);
    assert!(run.verdict(key).contains("unresolved_peer"), "{}", run.verdict(key));
    fixture.write("unknown/entries.json", entries.to_string());
    let run = fixture.analyze(&["log", "--snapshot", "unknown"]).exit(2);
    assert!(run.stderr.contains("unknown/entries.json") && run.stderr.contains("pl-"));
}

/// Every permission times its sources, in the raw document.
fn sources(groups: &Value) -> usize {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let permissions = list(groups, "SecurityGroups")
        .into_iter()
        .flat_map(|group| [list(&group, "IpPermissions"), list(&group, "IpPermissionsEgress")].concat());
    let kinds = ["IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"];
    permissions.map(|permission| kinds.iter().map(|kind| list(&permission, kind).len()).sum::<usize>()).sum()
}

#[test]
fn every_rule_of_accounts_that_nobody_here_made_is_accounted_for() {
    let Some(folder) = shared("data/batfish") else { return };
    let mut accounts = 0;
    for account in std::fs::read_dir(folder).unwrap() {
        let account = account.unwrap().path();
        let read = |name: &str| -> Value {
            serde_json::from_slice(&std::fs::read(account.join(name)).unwrap()).unwrap()
        };
        let (groups, interfaces) = (read("SecurityGroups.json"), read("NetworkInterfaces.json"));
        let expected = sources(&groups);
        assert!(expected > 0);
        let fixture = ssh();
        let run = fixture.analyze(&["log", "--snapshot", account.to_str().unwrap()]).exit(0);
        assert_eq!(run.keys().len(), expected, "{}", account.display());
        let mut keys = run.keys();
        keys.dedup();
        assert_eq!(keys.len(), expected, "{}", account.display());
        for group in groups["SecurityGroups"].as_array().unwrap() {
            let own = json!({ "SecurityGroups": [group] });
            let rules = run.at("/rules").as_array().unwrap();
            let listed = rules.iter().filter(|rule| rule["group_id"] == group["GroupId"]).count();
            assert_eq!(listed, sources(&own), "{}", group["GroupId"]);
        }
        let known = run.at("/coverage/interfaces").as_array().unwrap();
        let known = known.iter().filter(|interface| interface["in_snapshot"] == true).count();
        assert_eq!(known, interfaces["NetworkInterfaces"].as_array().unwrap().len());
        assert_eq!(run.outcome("unknown_interface"), 1);
        accounts += 1;
    }
    assert!(accounts >= 2);
}
