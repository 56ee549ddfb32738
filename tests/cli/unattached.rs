//! Groups on no interface, default groups, and groups that say the same.

use serde_json::{Value, json};

use crate::fixture::{ACCOUNT, Fixture, Object, Run, group, interface, row};
use crate::stale::run;

const USED: &str = "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT";
const ALL: &str = "0.0.0.0/0";

fn here() -> Vec<Object> {
    vec![group("sg-a").ingress("tcp", 443, 443, "10.0.0.0/8"), interface("eni-a", "10.0.0.5", &["sg-a"])]
}

fn with(objects: &[Object]) -> Vec<Object> {
    [&here(), objects].concat()
}

fn loose() -> Object {
    group("sg-l").ingress("tcp", 22, 22, "10.0.0.0/8")
}

fn title(run: &Run, kind: &str) -> String {
    let findings = run.findings(kind);
    assert!(findings.len() < 2, "{findings:?}");
    findings.first().map_or_else(String::new, |finding| finding["title"].as_str().unwrap().to_owned())
}

#[test]
fn a_group_is_called_unattached_for_the_snapshots_that_say_so() {
    let loose = || with(&[loose()]);
    let carried = with(&[self::loose(), interface("eni-l", "10.0.0.6", &["sg-l"])]);
    let other = [group("sg-z").with("OwnerId", "222222222222").with("VpcId", "vpc-2")];
    let elsewhere =
        |id| interface(id, "10.9.0.5", &["sg-z"]).with("OwnerId", "222222222222").with("VpcId", "vpc-2");
    let foreign = [&other[..], &[elsewhere("eni-z")]].concat();
    let cases = [
        ("one", vec![("2026-01-01", loose())], "group not attached at 2026-01-01T00:00:00Z: sg-l, 1 rule"),
        (
            "two",
            vec![("2025-12-01", loose()), ("2026-01-01", loose())],
            "group not attached in any of 2 snapshots from 2025-12-01T00:00:00Z to 2026-01-01T00:00:00Z: sg-l, 1 rule",
        ),
        ("carried once", vec![("2025-12-01", carried), ("2026-01-01", loose())], ""),
        (
            "newer than the first",
            vec![("2025-12-01", here()), ("2026-01-01", loose())],
            "group not attached at 2026-01-01T00:00:00Z: sg-l, 1 rule",
        ),
        (
            "another account looked at later",
            vec![("2025-12-01", loose()), ("2026-01-01", foreign)],
            "group not attached at 2025-12-01T00:00:00Z: sg-l, 1 rule",
        ),
    ];
    for (name, snapshots, expected) in cases {
        assert_eq!(title(&run(&snapshots, USED), "unattached_group"), expected, "{name}");
    }
}

#[test]
fn nobody_knows_of_groups_where_no_interface_is_described() {
    let far = |object: Object| object.with("OwnerId", "222222222222").with("VpcId", "vpc-2");
    let run = run(&[("2026-01-01", with(&[far(loose())]))], USED);
    assert_eq!(title(&run, "unattached_group"), "");
}

#[test]
fn an_unattached_group_comes_with_the_rules_that_refer_to_it() {
    let mut objects = with(&[loose()]);
    objects[0] = objects[0].clone().ingress("tcp", 80, 80, "sg-l");
    let run = Fixture::analyzed(&objects, &[row(&format!("eni-a {USED}"))], &[]);
    assert_eq!(
        *run.finding("unattached_group/sg-l"),
        json!({
            "id": "unattached_group/sg-l", "kind": "unattached_group", "severity": "info",
            "title": "group not attached in the one snapshot given: sg-l, 1 rule",
            "group_id": "sg-l", "rule_key": null, "interface_id": null,
            "evidence": {
                "rules": ["sg-l:ingress:tcp:22-22:10.0.0.0/8"], "snapshots": 1, "first_snapshot": null,
                "last_snapshot": null, "reasons": [], "referring_rules": 1,
                "first_referring_rules": ["sg-a:ingress:tcp:80-80:sg-l"],
            },
            "recommendation": "One snapshot alone says so, and scaling groups, functions and launch templates come and \
                               go: give snapshots of other days, look for references to it, then delete it.",
        })
    );
    let bare = Fixture::analyzed(&with(&[group("sg-l")]), &[row(&format!("eni-a {USED}"))], &[]);
    assert_eq!(
        title(&bare, "unattached_group"),
        "group not attached in the one snapshot given: sg-l, 0 rules"
    );
}

fn default_group() -> Object {
    group("sg-d").with("GroupName", "default").ingress("-1", -1, -1, "sg-d")
}

#[test]
fn a_default_group_in_use_is_never_to_be_deleted() {
    let objects = with(&[default_group(), interface("eni-d", "10.0.0.7", &["sg-d", "sg-d"])]);
    let run = Fixture::analyzed(&objects, &[row(&format!("eni-a {USED}"))], &[]);
    let finding = run.finding("over_broad/sg-d:default_group");
    assert_eq!(
        (&finding["severity"], &finding["title"]),
        (&json!("low"), &json!("default group of vpc-1 in use on 1 interface, 1 rule"))
    );
    assert_eq!(
        finding["evidence"],
        json!({
            "default_group": true, "vpc_id": "vpc-1", "rules": ["sg-d:ingress:-1:-1--1:sg-d"], "interfaces": 1,
            "first_interfaces": ["eni-d"],
        })
    );
    assert!(finding["recommendation"].as_str().unwrap().contains("cannot be deleted"));
    assert_eq!(title(&run, "unattached_group"), "");
}

#[test]
fn a_default_group_on_no_interface_is_told_only_if_it_has_rules() {
    let before = with(&[default_group(), interface("eni-d", "10.0.0.7", &["sg-d"])]);
    let now = with(&[default_group()]);
    let bare = with(&[group("sg-d").with("GroupName", "default")]);
    let cases = [
        (
            vec![("2026-01-01", now.clone())],
            "default group of vpc-1 not attached at 2026-01-01T00:00:00Z has 1 rule",
        ),
        (
            vec![("2025-12-01", before), ("2026-01-01", now)],
            "default group of vpc-1 not attached in the newest snapshot has 1 rule",
        ),
        (vec![("2026-01-01", bare)], ""),
    ];
    for (snapshots, expected) in cases {
        let run = run(&snapshots, USED);
        assert_eq!(title(&run, "unattached_group"), expected);
        assert!(run.findings("unattached_group").iter().all(|finding| {
            let advice = finding["recommendation"].as_str().unwrap();
            advice.contains("cannot be deleted") && finding["evidence"]["default_group"] == json!(true)
        }));
        assert!(!run.finding_ids("over_broad").contains(&"sg-d:default_group".to_owned()));
    }
}

fn sets(objects: &[Object]) -> Vec<Value> {
    let run = Fixture::analyzed(objects, &[row(&format!("eni-a {USED}"))], &[]);
    run.findings("redundant_rule").into_iter().cloned().collect()
}

#[test]
fn groups_of_one_vpc_with_the_same_rules_are_one_finding() {
    let twin =
        |id: &str| group(id).ingress("tcp", 80, 80, id).ingress("tcp", 22, 22, ALL).egress("-1", -1, -1, ALL);
    let objects = with(&[twin("sg-x"), twin("sg-y"), twin("sg-z")]);
    let found = sets(&objects);
    assert_eq!(found.len(), 1, "{found:?}");
    let expected = json!({
        "id": "redundant_rule/identical_groups:vpc-1:sg-x", "kind": "redundant_rule", "severity": "info",
        "title": "3 groups of vpc-1 have the same rules: sg-x, sg-y, sg-z",
        "group_id": null, "rule_key": null, "interface_id": null,
        "evidence": {
            "identical_groups": ["sg-x", "sg-y", "sg-z"], "vpc_id": "vpc-1", "rules": 3, "referring_rules": 0,
            "first_referring_rules": [],
        },
        "recommendation": "One group can take the place of all, if nobody means to change them apart. First see whether \
                           templates, functions or other accounts name the others.",
    });
    assert_eq!(found[0], expected);
    // Who is let in by the name of one of them would be let in by the name of all.
    let mut told_apart = objects;
    told_apart[0] = told_apart[0].clone().ingress("tcp", 5432, 5432, "sg-y");
    let found = sets(&told_apart);
    assert_eq!(found[0]["evidence"]["first_referring_rules"], json!(["sg-a:ingress:tcp:5432-5432:sg-y"]));
    assert!(found[0]["recommendation"].as_str().unwrap().contains("merging would let"));
}

#[test]
fn groups_that_only_look_alike_are_not_identical() {
    let plain = |id: &str| group(id).ingress("tcp", 22, 22, ALL);
    let cases = [
        ("without rules", [group("sg-x"), group("sg-y")]),
        ("in two VPCs", [plain("sg-x"), plain("sg-y").with("VpcId", "vpc-2")]),
        ("default", [plain("sg-x"), plain("sg-y").with("GroupName", "default")]),
        ("made by a service", [plain("sg-x"), plain("sg-y").with("GroupName", "k8s-traffic-1")]),
        ("another port", [plain("sg-x"), group("sg-y").ingress("tcp", 23, 23, ALL)]),
        ("another direction", [plain("sg-x"), group("sg-y").egress("tcp", 22, 22, ALL)]),
        ("one more", [plain("sg-x"), plain("sg-y").ingress("tcp", 80, 80, ALL)]),
        (
            "itself and another",
            [group("sg-x").ingress("tcp", 1, 1, "sg-x"), group("sg-y").ingress("tcp", 1, 1, "sg-x")],
        ),
        ("VPC not known", [plain("sg-x").with("VpcId", ""), plain("sg-y").with("VpcId", "")]),
    ];
    for (name, groups) in cases {
        assert!(sets(&with(&groups)).is_empty(), "{name}");
    }
    // The order of rules and the account are of no matter.
    let shared = [
        plain("sg-x").ingress("tcp", 80, 80, ALL),
        group("sg-y").with("OwnerId", ACCOUNT).ingress("tcp", 80, 80, ALL).ingress("tcp", 22, 22, ALL),
    ];
    assert_eq!(sets(&with(&shared)).len(), 1);
}
