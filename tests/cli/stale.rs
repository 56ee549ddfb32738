//! References to nobody: groups that are gone, peerings that are over, groups without members. And what is none of it.

use serde_json::{Value, json};

use crate::fixture::{ACCOUNT, Fixture, Object, Run, group, interface};
use crate::verdicts::hourly;

const KEY: &str = "sg-a:ingress:tcp:22-22:sg-p";
const USED: &str = "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT";

/// `sg-a` on eni-a lets `sg-p` in.
fn here() -> Vec<Object> {
    vec![
        group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8").ingress("tcp", 22, 22, "sg-p"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ]
}

fn with(objects: &[Object]) -> Vec<Object> {
    [&here(), objects].concat()
}

/// A day of traffic against snapshots named by their time.
#[track_caller]
pub(crate) fn run(snapshots: &[(&str, Vec<Object>)], flow: &str) -> Run {
    let fixture = Fixture::new();
    for (at, objects) in snapshots {
        fixture.snapshot(&format!("snaps/{at}"), objects);
    }
    fixture.log("log", &hourly("eni-a", 0..25, flow));
    fixture.analyze(&["log", "--snapshot", "snaps", "--review-period", "1d"]).exit(0)
}

fn stale(snapshots: &[(&str, Vec<Object>)]) -> Option<Value> {
    let run = run(snapshots, USED);
    let findings = run.findings("stale_reference");
    assert!(findings.len() < 2, "{findings:?}");
    findings.first().map(|finding| (*finding).clone())
}

fn cause(snapshots: &[(&str, Vec<Object>)]) -> String {
    stale(snapshots).map_or_else(String::new, |it| it["evidence"]["cause"].as_str().unwrap().to_owned())
}

fn member() -> Object {
    interface("eni-p", "10.0.0.9", &["sg-p"])
}

#[test]
fn a_group_that_a_later_snapshot_of_its_account_lacks_is_gone() {
    let before = with(&[group("sg-p"), member()]);
    let finding = stale(&[("2025-12-01", before.clone()), ("2026-01-01", here())]).unwrap();
    let expected = json!({
        "id": format!("stale_reference/{KEY}"), "kind": "stale_reference", "severity": "low",
        "title": format!("{KEY}: group sg-p is gone since the snapshot of 2026-01-01T00:00:00Z"),
        "group_id": "sg-a", "rule_key": KEY, "interface_id": null,
        "evidence": {
            "peer": "sg-p", "rule_id": null, "cause": "group_gone", "records": 0, "possible_records": 0,
            "near_records": 0, "gone_since": "2026-01-01T00:00:00Z",
        },
        "recommendation": "The group was deleted, its id never comes back, and the rule does nothing: revoke it.",
    });
    assert_eq!(finding, expected);
    // A snapshot of another account, or one without groups, says nothing of the group.
    let other = vec![group("sg-z").with("OwnerId", "222222222222").with("VpcId", "vpc-2")];
    assert_eq!(cause(&[("2025-12-01", before.clone()), ("2026-01-01", other)]), "");
    let no_groups = vec![interface("eni-a", "10.0.0.5", &["sg-a"])];
    assert_eq!(cause(&[("2025-12-01", before), ("2026-01-01", no_groups)]), "");
    assert_eq!(cause(&[("2026-01-01", here())]), "group_unknown");
}

#[test]
fn who_came_in_before_the_group_was_gone_is_in_the_evidence() {
    let before = with(&[group("sg-p"), member()]);
    let snapshots = [("2025-12-01", before), ("2026-01-01T12:00:00Z", here())];
    let run = run(&snapshots, "10.0.0.9 10.0.0.5 40000 22 6 ACCEPT");
    let finding = run.finding(&format!("stale_reference/{KEY}"));
    assert_eq!(
        (&finding["evidence"]["records"], &finding["evidence"]["possible_records"]),
        (&json!(12), &json!(13))
    );
    let advice = finding["recommendation"].as_str().unwrap();
    assert!(advice.contains("find out what they were before you revoke"), "{advice}");
}

/// The rule that refers to `sg-p`, with the status of a peering, from either document.
fn peered(status: &str) -> [Vec<Object>; 2] {
    let pair = json!({ "GroupId": "sg-p", "UserId": "222222222222", "PeeringStatus": status });
    let permission = json!({ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [pair] });
    let bare = group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8");
    let rule = json!({
        "SecurityGroupRuleId": "sgr-1", "GroupId": "sg-a", "GroupOwnerId": ACCOUNT, "IsEgress": false,
        "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "ReferencedGroupInfo": pair,
    });
    let eni = interface("eni-a", "10.0.0.5", &["sg-a"]);
    [
        vec![bare.clone().push("IpPermissions", permission), eni.clone()],
        vec![bare, eni, Object { kind: "SecurityGroupRules", value: rule }],
    ]
}

#[test]
fn a_peering_that_is_over_makes_the_reference_dead() {
    for status in ["deleted", "deleting", "expired", "failed", "rejected"] {
        for objects in peered(status) {
            let finding = stale(&[("2026-01-01", objects)]).unwrap();
            assert_eq!(finding["title"], format!("{KEY}: the peering to group sg-p is {status}"));
            assert_eq!(finding["evidence"]["cause"], "peering", "{status}");
            assert_eq!(finding["evidence"]["peering_status"], status);
            assert_eq!(finding["severity"], "low");
        }
    }
    for status in ["active", "pending-acceptance", "provisioning", ""] {
        for objects in peered(status) {
            assert_eq!(cause(&[("2026-01-01", objects)]), "group_unknown", "{status}");
        }
    }
    // The rule is the same whatever the status, and the newest counts.
    let [old, _] = peered("deleted");
    let [new, _] = peered("active");
    assert_eq!(cause(&[("2025-12-01", old.clone()), ("2026-01-01", new.clone())]), "group_unknown");
    assert_eq!(cause(&[("2025-12-01", new), ("2026-01-01", old)]), "peering");
}

#[test]
fn a_status_of_a_wrong_type_is_told_and_null_is_none() {
    for (status, exit) in [(json!(null), 0), (json!(7), 2)] {
        let [mut objects, _] = peered("");
        objects[0].value["IpPermissions"][1]["UserIdGroupPairs"][0]["PeeringStatus"] = status;
        let fixture = Fixture::new();
        fixture.snapshot("snap", &objects);
        fixture.log("log", &hourly("eni-a", 0..2, USED));
        fixture.analyze(&["log", "--snapshot", "snap"]).exit(exit);
    }
}

#[test]
fn a_group_without_a_member_is_told_without_calling_the_rule_dead() {
    let empty = with(&[group("sg-p")]);
    let one = stale(&[("2026-01-01", empty.clone())]).unwrap();
    assert_eq!(one["severity"], "info");
    assert_eq!(one["title"], format!("{KEY}: group sg-p has no member at 2026-01-01T00:00:00Z"));
    let three = [("2025-11-01", empty.clone()), ("2025-12-01", empty.clone()), ("2026-01-01", empty.clone())];
    let three = stale(&three).unwrap();
    assert_eq!(
        three["title"],
        format!(
            "{KEY}: group sg-p has no member in any of 3 snapshots from 2025-11-01T00:00:00Z to 2026-01-01T00:00:00Z"
        )
    );
    assert_eq!(
        three["evidence"],
        json!({
            "peer": "sg-p", "rule_id": null, "cause": "group_without_member", "records": 0, "possible_records": 0,
            "near_records": 0, "snapshots": 3, "first_snapshot": "2025-11-01T00:00:00Z",
            "last_snapshot": "2026-01-01T00:00:00Z",
        })
    );
    let advice = three["recommendation"].as_str().unwrap();
    assert!(advice.contains("does not make the rule dead") && !advice.contains("revoke"), "{advice}");
}

#[test]
fn a_member_at_any_time_keeps_a_reference_alive() {
    let (empty, full) = (with(&[group("sg-p")]), with(&[group("sg-p"), member()]));
    let cases = [
        ("now", vec![("2026-01-01", full.clone())]),
        ("before", vec![("2025-12-01", full.clone()), ("2026-01-01", empty.clone())]),
        ("between", vec![("2025-11-01", empty.clone()), ("2025-12-01", full), ("2026-01-01", empty)]),
        ("known from its member alone", vec![("2026-01-01", with(&[member()]))]),
    ];
    for (name, snapshots) in cases {
        assert_eq!(cause(&snapshots), "", "{name}");
    }
}

#[test]
fn where_no_interface_is_described_nobody_knows_the_members() {
    let far = |object: Object| object.with("OwnerId", "222222222222").with("VpcId", "vpc-2");
    assert_eq!(cause(&[("2026-01-01", with(&[far(group("sg-p"))]))]), "");
    let elsewhere = far(interface("eni-z", "10.9.0.5", &["sg-z"]));
    assert_eq!(cause(&[("2026-01-01", with(&[far(group("sg-p")), elsewhere]))]), "group_without_member");
    // A group that refers to itself and is on no interface is a finding about the group.
    let itself = [
        group("sg-a"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        group("sg-p").ingress("tcp", 1, 1, "sg-p"),
    ];
    assert_eq!(cause(&[("2026-01-01", itself.to_vec())]), "");
}
