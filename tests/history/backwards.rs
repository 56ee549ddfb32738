//! How far back a trail takes what a snapshot shows.

use flowaudit::rules::load;
use flowaudit::rules::timeline::{Placement, Timeline};
use serde_json::{Value, json};

use crate::events;
use crate::fixture::{ACCOUNT, Fixture, HOUR, T0};

const DAY: i64 = 24 * HOUR;

fn group(ports: &[i64]) -> Value {
    let permission = |port: &i64| json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]});
    let permissions: Vec<Value> = ports.iter().map(permission).collect();
    json!({ "SecurityGroups": [{
        "GroupId": "sg-a", "OwnerId": ACCOUNT, "VpcId": "vpc-1", "IpPermissions": permissions, "IpPermissionsEgress": [],
        "SecurityGroupArn": format!("arn:aws:ec2:eu-west-1:{ACCOUNT}:security-group/sg-a"),
    }] })
}

fn subnets() -> Value {
    json!({ "Subnets": [{ "SubnetId": "subnet-1", "VpcId": "vpc-1", "OwnerId": ACCOUNT, "CidrBlock": "10.0.0.0/24" }] })
}

/// A call that changes nothing: it shows that the trail was there.
fn quiet(at: i64) -> Value {
    events::call(at, "DescribeInstances", json!({}), Value::Null)
}

fn opened(at: i64, port: i64) -> Value {
    let request = json!({
        "groupId": "sg-a", "ipProtocol": "tcp", "fromPort": port, "toPort": port, "cidrIp": "192.0.2.0/24",
    });
    events::call(at, "AuthorizeSecurityGroupIngress", request, events::done())
}

/// `how many rules the group has`, and whether that is in force then, at each of these times.
fn said(snapshots: &[(i64, &str, Value)], calls: &[Value], times: &[i64]) -> Vec<String> {
    let fixture = Fixture::new();
    fixture.write("trail/calls.json", events::records(calls));
    let mut arguments = vec![fixture.path("trail").display().to_string()];
    for (number, (at, name, document)) in snapshots.iter().enumerate() {
        fixture.write(&format!("{number}/{name}.json"), document.to_string());
        arguments.push(format!(
            "{}={}",
            flowaudit::time::format(*at),
            fixture.path(&number.to_string()).display()
        ));
    }
    let loaded = load::load(&arguments).unwrap();
    let timeline = Timeline::with_changes(loaded.snapshots, &loaded.trail);
    let line = |at: &i64| {
        let (state, placement) = timeline.at(Some(*at)).unwrap();
        let rules = timeline.states[state]
            .groups
            .get("sg-a")
            .map_or_else(|| "no group".to_owned(), |group| group.rules.len().to_string());
        if placement == Placement::InForce { rules } else { format!("{rules}, later") }
    };
    times.iter().map(line).collect()
}

#[test]
fn a_trail_without_a_change_takes_a_snapshot_back_to_its_beginning() {
    let snapshot = [(T0, "groups", group(&[22]))];
    let calls = [quiet(T0 - 30 * DAY), quiet(T0 - HOUR)];
    assert_eq!(
        said(&snapshot, &calls, &[T0 - 30 * DAY - 1, T0 - 30 * DAY, T0 - 1, T0]),
        ["1, later", "1", "1", "1"]
    );
}

#[test]
fn a_trail_that_ends_long_before_a_snapshot_does_not() {
    let snapshot = [(T0, "groups", group(&[22]))];
    for (end, expected) in [(T0 - DAY, "1"), (T0 - DAY - 1, "1, later")] {
        let calls = [quiet(T0 - 30 * DAY), quiet(end)];
        assert_eq!(said(&snapshot, &calls, &[T0 - 20 * DAY]), [expected], "{end}");
    }
}

#[test]
fn what_a_snapshot_describes_is_told_kind_by_kind() {
    // The first snapshot speaks of the account, and not of its groups.
    let snapshots = [(T0, "subnets", subnets()), (T0 + 3 * DAY, "groups", group(&[22, 443]))];
    let calls = [quiet(T0 - DAY), opened(T0 + DAY, 443), quiet(T0 + 3 * DAY)];
    let times = [T0 - DAY - 1, T0 - DAY, T0, T0 + DAY - 1, T0 + DAY, T0 + 3 * DAY];
    assert_eq!(said(&snapshots, &calls, &times), ["1, later", "1", "1", "1", "2", "2"]);
}

#[test]
fn check_says_which_times_neither_trail_nor_snapshot_tells_of() {
    let fixture = Fixture::new();
    let interfaces = json!({ "NetworkInterfaces": [{
        "NetworkInterfaceId": "eni-1", "OwnerId": ACCOUNT, "VpcId": "vpc-1", "AvailabilityZone": "eu-west-1a",
        "PrivateIpAddress": "10.0.0.5", "Groups": [{"GroupId": "sg-a"}],
    }] });
    fixture.write("trail/calls.json", events::records(&[quiet(T0 + 3 * DAY), quiet(T0 + 4 * DAY)]));
    let mut arguments = vec!["snapshot".to_owned(), "check".to_owned(), "trail".to_owned()];
    for (name, at) in [("a", T0), ("b", T0 + DAY), ("c", T0 + 9 * DAY)] {
        fixture.write(&format!("{name}/interfaces.json"), interfaces.to_string());
        arguments.push(format!("{}={name}", flowaudit::time::format(at)));
    }
    arguments.extend(["--format".to_owned(), "json".to_owned()]);
    let run = fixture.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let missing = run.json["missing"].as_array().unwrap();
    let untold = missing.iter().find(|it| it["what"].as_str().unwrap().starts_with("times between")).unwrap();
    let times = [(T0 + DAY, T0 + 3 * DAY), (T0 + 4 * DAY, T0 + 9 * DAY)];
    let lines = times.map(|(from, to)| {
        format!("{ACCOUNT} eu-west-1 {} to {}", flowaudit::time::format(from), flowaudit::time::format(to))
    });
    assert_eq!(untold["ids"], json!(lines));
}
