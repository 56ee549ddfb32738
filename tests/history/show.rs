//! `flowaudit snapshot show` is read back as what it shows; plans, hostile names and errors of all three commands.

use flowaudit::rules::load;
use flowaudit::rules::state::State;
use flowaudit::rules::timeline::{Label, Timeline};
use flowaudit::rules::{Rule, timeline};
use serde_json::{Value, json};

use crate::account::Dice;
use crate::course::{Course, Kinds};
use crate::events::{self, REGION, ingress};
use crate::fixture::{
    ACCOUNT, Fixture, HOUR, Object, Run, T0, acl, documents, group, interface, prefix_list, subnet,
};

fn stdout(run: &Run) -> String {
    String::from_utf8(run.stdout.clone()).unwrap()
}

/// Everything that a description can hold and a state keeps.
fn rich() -> Vec<Object> {
    let arn = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/sg-a");
    let tags = json!([{ "Key": "team", "Value": "a, \"b\"" }, { "Key": "empty", "Value": "" }]);
    let peers = json!({
        "IpProtocol": "tcp", "FromPort": 443, "ToPort": 8443,
        "IpRanges": [{ "CidrIp": "0.0.0.0/0", "Description": "the world" }, { "CidrIp": "no range" }],
        "Ipv6Ranges": [{ "CidrIpv6": "2001:db8::/32" }],
        "PrefixListIds": [{ "PrefixListId": "pl-0a1", "Description": "a list" }],
        "UserIdGroupPairs": [{ "GroupId": "sg-peer", "UserId": "222222222222", "PeeringStatus": "deleted" }],
    });
    let sg =
        group("sg-a").with("Description", "first").with("SecurityGroupArn", arn).with("Tags", tags.clone());
    let sg = sg.push("IpPermissions", peers);
    let sg = [
        ("icmp", 8, -1),
        ("icmp", -1, -1),
        ("icmpv6", 128, 0),
        ("50", -1, -1),
        ("udp", 0, 65535),
        ("-1", -1, -1),
    ]
    .iter()
    .fold(sg, |sg, (protocol, from, to)| sg.egress(protocol, *from, *to, "10.0.0.0/8"));
    let sg = sg.egress("nonsense", 1, 2, "10.0.0.0/8").egress("-1", -1, -1, "::/0");
    let rule = json!({
        "SecurityGroupRuleId": "sgr-1", "SecurityGroupRuleArn": format!("arn:aws:ec2:{REGION}:{ACCOUNT}:security-group-rule/sgr-1"),
        "GroupId": "sg-a", "GroupOwnerId": ACCOUNT, "IsEgress": false, "IpProtocol": "tcp", "FromPort": 443,
        "ToPort": 8443, "CidrIpv4": "0.0.0.0/0", "Tags": tags,
    });
    let eni = interface("eni-a", "10.0.0.5", &["sg-a", "sg-other"])
        .with("PrivateIpAddresses", json!([
            { "PrivateIpAddress": "10.0.0.5", "Primary": true, "Association": { "PublicIp": "203.0.113.5" } },
            { "PrivateIpAddress": "10.0.0.6", "Association": { "PublicIp": "203.0.113.6" } },
        ]))
        .with("Ipv6Addresses", json!([{ "Ipv6Address": "2001:db8::5" }]))
        .with("Ipv4Prefixes", json!([{ "Ipv4Prefix": "10.0.1.0/28" }]))
        .with("Ipv6Prefixes", json!([{ "Ipv6Prefix": "2001:db8:0:1::/80" }]))
        .with("Attachment", json!({ "InstanceId": "i-1" }))
        .with("AvailabilityZone", format!("{REGION}b"))
        .with("Description", "RDSNetworkInterface")
        .with("RequesterId", "amazon-rds")
        .with("RequesterManaged", true);
    let entries = json!([
        { "RuleNumber": 10, "Egress": false, "RuleAction": "deny", "Protocol": "6", "CidrBlock": "192.0.2.0/24",
          "PortRange": { "From": 22, "To": 23 } },
        { "RuleNumber": 11, "Egress": true, "RuleAction": "deny", "Protocol": "58", "Ipv6CidrBlock": "::/0",
          "IcmpTypeCode": { "Type": 8, "Code": -1 } },
        { "RuleNumber": 12, "Egress": true, "RuleAction": "allow", "Protocol": "1", "CidrBlock": "0.0.0.0/0",
          "IcmpTypeCode": { "Type": -1, "Code": -1 } },
    ]);
    let two_subnets = json!([{ "SubnetId": "subnet-1" }, { "SubnetId": "subnet-2" }]);
    vec![
        sg,
        group("sg-b").with("Description", ""),
        Object { kind: "SecurityGroupRules", value: rule },
        eni,
        interface("eni-b", "10.0.0.9", &[])
            .with("InterfaceType", "nat_gateway")
            .with("OwnerId", "333333333333"),
        interface("eni-c", "10.0.0.10", &["sg-b"]).with("RequesterManaged", false),
        prefix_list("pl-0a1", &["192.0.2.0/24", "2001:db8:2::/48"]),
        prefix_list("pl-0a2", &[]),
        acl("acl-1").entry(100, false, "allow", "0.0.0.0/0"),
        acl("acl-2").with("Associations", two_subnets).with("Entries", entries),
        subnet("subnet-1", "10.0.0.0/24")
            .with("Ipv6CidrBlockAssociationSet", json!([{ "Ipv6CidrBlock": "2001:db8:0:5::/64" }])),
        subnet("subnet-2", "10.0.2.0/24"),
    ]
}

fn timeline_of(fixture: &Fixture, path: &str) -> Timeline {
    let loaded = load::load(&[fixture.path(path).display().to_string()]).unwrap();
    timeline::Timeline::with_changes(loaded.snapshots, &loaded.trail)
}

/// A state without what only its history gives it: times, and numbers in place of rules.
fn content(timeline: &Timeline, state: &State) -> String {
    let groups = state.groups.iter().map(|(id, group)| {
        let mut group = (**group).clone();
        let rules = std::mem::take(&mut group.rules);
        let rules: Vec<(&Rule, &Label)> = rules
            .iter()
            .map(|rule| (&timeline.rules[rule.index()], &timeline.labels[rule.index()]))
            .collect();
        format!("{id}: {group:#?} {rules:#?}")
    });
    format!(
        "{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}",
        groups.collect::<Vec<_>>(),
        state.interfaces,
        state.prefix_lists,
        state.acls,
        state.subnets
    )
}

#[track_caller]
fn assert_same(got: &str, want: &str) {
    if let Some((got, want)) = got.lines().zip(want.lines()).find(|(got, want)| got != want) {
        panic!("states differ:\n  got {got}\n want {want}");
    }
    assert_eq!(got.lines().count(), want.lines().count());
}

#[test]
fn what_is_shown_is_read_back_as_the_same_state() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &rich());
    let want = timeline_of(&fixture, "snap");
    let run = fixture.run(&["snapshot", "show", "snap", "--output", "shown.json"]);
    assert_eq!((run.status, run.stderr.as_str(), run.stdout.as_slice()), (Some(0), "", &b""[..]));
    let got = timeline_of(&fixture, "shown.json");
    assert_same(&content(&got, got.newest().unwrap()), &content(&want, want.newest().unwrap()));
    for pair in [["snap", "shown.json"], ["shown.json", "snap"]] {
        let diff = fixture.run(&[&["snapshot", "diff"], &pair[..]].concat());
        assert_eq!(stdout(&diff), "No difference.\n");
    }
    let again = fixture.run(&["snapshot", "show", "shown.json"]);
    assert_eq!(stdout(&again), std::fs::read_to_string(fixture.path("shown.json")).unwrap());
}

#[test]
fn every_state_of_a_history_is_shown_and_read_back() {
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let course = Course::random(&mut dice, Kinds::All, 8);
        let fixture = Fixture::new();
        let snapshot = format!("{}=first", flowaudit::time::format(T0));
        for (kind, document) in documents(&course.worlds[0].1.objects()) {
            fixture.write(&format!("first/{kind}.json"), document.to_string());
        }
        fixture.write("trail.json", events::records(&course.events));
        for at in course.worlds.iter().map(|(at, _)| *at) {
            let time = flowaudit::time::format(at);
            fixture.run(&[
                "snapshot",
                "show",
                &snapshot,
                "trail.json",
                "--at",
                &time,
                "--output",
                "shown.json",
            ]);
            fixture.snapshot("true", &course.at(at).objects());
            let diff = fixture.run(&["snapshot", "diff", "true", "shown.json", "--format", "json"]);
            let mut diff = diff.json.clone();
            // What made a rule need not have told its id.
            diff["rules"]["changed"] = json!([]);
            let nothing = json!({ "added": [], "removed": [] });
            for what in ["memberships", "groups", "interfaces", "addresses", "prefix_list_entries"] {
                assert_eq!(diff[what], nothing, "{what} at {time} of {seed}");
            }
            assert_eq!(
                diff["rules"],
                json!({ "added": [], "removed": [], "changed": [] }),
                "at {time} of {seed}"
            );
            std::fs::remove_dir_all(fixture.path("true")).unwrap();
        }
    }
}

#[test]
fn the_whole_document_of_a_small_state() {
    let fixture = Fixture::new();
    let arn = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/sg-a");
    let sg = group("sg-a").with("SecurityGroupArn", &*arn).ingress("tcp", 22, 22, "10.0.0.0/8");
    fixture.snapshot("snap", &[sg.clone(), interface("eni-a", "10.0.0.5", &["sg-a"])]);
    let call = events::authorize(T0 + HOUR, "sg-a", &[("sgr-1", ingress(443, "pl-0a1"))]);
    fixture.write("trail.json", events::records(&[call]));
    let snapshot = format!("{}=snap", flowaudit::time::format(T0));
    let show = |at: &[&str]| fixture.run(&[&["snapshot", "show", &snapshot, "trail.json"], at].concat());
    let empty = json!([]);
    let permission = |port: u16, list: &str, peer: Value| {
        let mut permission = json!({
            "IpProtocol": "tcp", "FromPort": port, "ToPort": port,
            "IpRanges": empty, "Ipv6Ranges": empty, "PrefixListIds": empty, "UserIdGroupPairs": empty,
        });
        permission[list] = json!([peer]);
        permission
    };
    let rule = |port: u16, key: &str, peer: &str| {
        json!({ "GroupId": "sg-a", "GroupOwnerId": ACCOUNT, "IsEgress": false, "IpProtocol": "tcp", "FromPort": port,
            "ToPort": port, key: peer, "Tags": [] })
    };
    let ssh = permission(22, "IpRanges", json!({ "CidrIp": "10.0.0.0/8" }));
    let mut expected = json!({
        "SecurityGroups": [{
            "GroupId": "sg-a", "GroupName": "sg-a", "Description": "", "OwnerId": ACCOUNT, "VpcId": "vpc-1",
            "SecurityGroupArn": arn, "Tags": [], "IpPermissions": [ssh], "IpPermissionsEgress": [],
        }],
        "SecurityGroupRules": [rule(22, "CidrIpv4", "10.0.0.0/8")],
        "NetworkInterfaces": [{
            "NetworkInterfaceId": "eni-a", "InterfaceType": "interface", "Description": "", "OwnerId": ACCOUNT,
            "RequesterId": "", "AvailabilityZone": "", "SubnetId": "subnet-1", "VpcId": "vpc-1",
            "PrivateIpAddress": "10.0.0.5",
            "PrivateIpAddresses": [{ "PrivateIpAddress": "10.0.0.5", "Primary": true }],
            "Ipv6Addresses": [], "Ipv4Prefixes": [], "Ipv6Prefixes": [], "Groups": [{ "GroupId": "sg-a" }],
        }],
    });
    let run = show(&["--at", "2026-01-01T00:59:59Z"]);
    assert_eq!((run.status, run.stderr.as_str(), &run.json), (Some(0), "", &expected));
    // Before everything: the first state, and a word about it.
    let early = show(&["--at", "2025-12-31T23:59:59Z"]);
    assert_eq!((early.status, &early.stdout), (Some(0), &run.stdout));
    assert_eq!(
        early.stderr,
        "flowaudit: warning: nothing is known of that time; this is the first state, in force from \
         2026-01-01T00:00:00Z\n"
    );
    let mut web = rule(443, "PrefixListId", "pl-0a1");
    web["SecurityGroupRuleId"] = json!("sgr-1");
    web["SecurityGroupRuleArn"] = json!(format!("arn:aws:ec2:{REGION}:{ACCOUNT}:security-group-rule/sgr-1"));
    expected["SecurityGroupRules"].as_array_mut().unwrap().push(web);
    let list = permission(443, "PrefixListIds", json!({ "PrefixListId": "pl-0a1" }));
    expected["SecurityGroups"][0]["IpPermissions"].as_array_mut().unwrap().push(list);
    for at in [&["--at", "2026-01-01T01:00:00Z"][..], &[], &["--at", "2099-01-01"]] {
        let run = show(at);
        assert_eq!((run.status, run.stderr.as_str(), &run.json), (Some(0), "", &expected), "{at:?}");
    }
}
