//! Where a trail leaves open what things came to, nothing is said of them until somebody does.

use serde_json::{Value, json};

use crate::account::Dice;
use crate::events;
use crate::fixture::T0;
use crate::forms::Documents;
use crate::world::{Eni, View, World};

const T: i64 = T0 + 3600;

fn eni(address: &str, instance: &str) -> Eni {
    Eni {
        addresses: vec![address.to_owned()],
        groups: vec!["sg-a".to_owned()],
        instance: Some(instance.to_owned()),
    }
}

/// Two groups; an instance with one interface, and one with two.
fn world() -> World {
    let interfaces = [
        ("eni-a", eni("10.0.0.5", "i-1")),
        ("eni-b", eni("10.0.0.6", "i-2")),
        ("eni-c", eni("10.0.0.7", "i-2")),
    ];
    World {
        groups: ["sg-a", "sg-b"].map(|id| (id.to_owned(), Vec::new())).into(),
        interfaces: interfaces.map(|(id, eni)| (id.to_owned(), eni)).into(),
        ..World::default()
    }
}

/// `INTERFACE: GROUPS` of every interface that something is said of at these times.
fn said(calls: &[Value], times: &[i64]) -> Vec<String> {
    let mut dice = Dice(7);
    let mut documents = Documents::new();
    documents.snapshot(T0, &world());
    documents.snapshot(T + 3600, &world());
    documents.trail(&mut dice, calls);
    let timeline = documents.timeline(&mut dice);
    let line = |at: &i64| {
        let interfaces = View::at(&timeline, *at).unwrap().interfaces;
        let one = |(id, (_, groups)): (String, (_, std::collections::BTreeSet<String>))| {
            format!("{id}: {}", groups.into_iter().collect::<Vec<_>>().join(" "))
        };
        interfaces.into_iter().map(one).collect::<Vec<_>>().join(", ")
    };
    times.iter().map(line).collect()
}

const ALL: &str = "eni-a: sg-a, eni-b: sg-a, eni-c: sg-a";

#[test]
fn groups_that_were_set_twice_in_one_second() {
    let both = [
        events::interface_groups(T, "eni-a", &["sg-b"]),
        events::interface_groups(T, "eni-a", &["sg-a", "sg-b"]),
    ];
    let later = events::interface_groups(T + 60, "eni-a", &["sg-b"]);
    let unknown = "eni-b: sg-a, eni-c: sg-a";
    assert_eq!(
        said(&[both.to_vec(), vec![later]].concat(), &[T - 1, T, T + 59, T + 60, T + 3600]),
        [ALL, unknown, unknown, "eni-a: sg-b, eni-b: sg-a, eni-c: sg-a", ALL]
    );
    // To the same ones, twice.
    let mut again = both[0].clone();
    again["eventID"] = json!("another");
    assert_eq!(said(&[both[0].clone(), again], &[T]), ["eni-a: sg-b, eni-b: sg-a, eni-c: sg-a"]);
}

#[test]
fn groups_of_an_instance_with_several_interfaces() {
    let one = events::instance_groups(T, "i-1", &["sg-b"]);
    assert_eq!(said(&[one], &[T - 1, T]), [ALL, "eni-a: sg-b, eni-b: sg-a, eni-c: sg-a"]);
    let several = events::instance_groups(T, "i-2", &["sg-b"]);
    assert_eq!(said(&[several], &[T - 1, T, T + 3600]), [ALL, "eni-a: sg-a", ALL]);
}

#[test]
fn a_trail_of_one_account_tells_nothing_of_the_past_of_another() {
    let accounts = ["111111111111", "222222222222"];
    let change = |account: &str, at: i64, name: &str| {
        let group = format!("sg-{account}");
        let request = json!({
            "groupId": group, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "192.0.2.0/24",
        });
        let mut call = events::call(at, name, request, events::done());
        call["recipientAccountId"] = Value::from(account);
        call
    };
    // The trail of the first account begins a day before that of the second.
    let day = 86_400;
    let calls = [
        change(accounts[0], T0 - day, "AuthorizeSecurityGroupIngress"),
        change(accounts[1], T0 - 10, "AuthorizeSecurityGroupIngress"),
    ];
    let groups = accounts.map(|account| {
        json!({
            "GroupId": format!("sg-{account}"), "OwnerId": account, "VpcId": format!("vpc-{account}"),
            "SecurityGroupArn": format!("arn:aws:ec2:eu-west-1:{account}:security-group/sg-{account}"),
            "IpPermissionsEgress": [], "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]},
                {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]},
            ],
        })
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("trail.json"), events::records(&calls)).unwrap();
    std::fs::write(folder.path().join("groups.json"), json!({ "SecurityGroups": groups }).to_string())
        .unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let dated = format!("{}={}", flowaudit::time::format(T0), path("groups.json"));
    let loaded = flowaudit::rules::load::load(&[dated, path("trail.json")]).unwrap();
    let timeline = flowaudit::rules::timeline::Timeline::with_changes(loaded.snapshots, &loaded.trail);
    let rules_at = |account: &str, at: i64| {
        let (state, _) = timeline.at(Some(at)).unwrap();
        timeline.states[state].groups.get(&format!("sg-{account}")).map(|group| group.rules.len())
    };
    let first = [T0 - day - 1, T0 - day, T0 - 11, T0].map(|at| rules_at(accounts[0], at));
    assert_eq!(first, [Some(1), Some(2), Some(2), Some(2)]);
    let second = [T0 - day - 1, T0 - day, T0 - 11, T0 - 10, T0].map(|at| rules_at(accounts[1], at));
    assert_eq!(second, [None, None, Some(1), Some(2), Some(2)]);
}
