//! What a reader sees of superfluous rules.

use serde_json::{Value, json};

use crate::fixture::{Fixture, HOUR, Object, Run, T0, group, interface, prefix_list, row_at};

/// Twenty-five hours of one record an hour.
fn hourly(flow: &str) -> Vec<String> {
    (0..25).map(|hour| row_at(T0 + hour * HOUR, flow)).collect()
}

fn run(objects: &[Object], flows: &[&str]) -> Run {
    let rows: Vec<String> = flows.iter().flat_map(|flow| hourly(flow)).collect();
    Fixture::analyzed(objects, &rows, &["--review-period", "1d"])
}

fn evidence<'a>(run: &'a Run, key: &str) -> &'a Value {
    &run.finding(&format!("redundant_rule/{key}"))["evidence"]
}

const SSH: &str = "eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT";

#[test]
fn a_rule_within_another_of_its_group_is_covered_by_it() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/24").ingress("tcp", 20, 30, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let run = run(&objects, &[SSH]);
    let (narrow, wide) = ("sg-a:ingress:tcp:22-22:10.0.0.0/24", "sg-a:ingress:tcp:20-30:10.0.0.0/8");
    assert_eq!(
        *evidence(&run, narrow),
        json!({
            "by": ["configuration", "traffic"], "covered_by": [wide], "extent": "group", "todays_members": false,
            "cover_each_other": [], "records": 25, "matched_with": [{ "rule_key": wide, "records": 25 }],
            "verify_path": false, "rule_id": null,
        })
    );
    // The wide one was never alone either; one of them must stay, and that is the one that nothing covers.
    assert_eq!(evidence(&run, wide)["by"], json!(["traffic"]));
    assert_eq!(*run.at("/removal_set/method"), "exact");
    assert_eq!(*run.at("/removal_set/rules"), json!([narrow]));
    assert_eq!(*run.at("/removal_set/steps/0/ground"), "redundant");
}

#[test]
fn several_rules_cover_one_together_over_ports_and_addresses_and_families() {
    type Ranges = &'static [(i64, i64, &'static str)];
    let cases: [(Ranges, bool); 5] = [
        (&[(20, 25, "10.0.0.0/24"), (26, 30, "10.0.0.0/24")], true),
        (&[(20, 30, "10.0.0.0/25"), (20, 30, "10.0.0.128/25")], true),
        (&[(20, 25, "10.0.0.0/24"), (27, 30, "10.0.0.0/24")], false),
        (&[(20, 30, "10.0.0.0/25"), (20, 29, "10.0.0.128/25")], false),
        (&[(20, 30, "::/0"), (20, 30, "10.0.0.0/25")], false),
    ];
    for (others, covered) in cases {
        let mut own = group("sg-a").ingress("tcp", 20, 30, "10.0.0.0/24");
        for (from, to, peer) in others {
            own = own.ingress("tcp", *from, *to, peer);
        }
        let run = run(&[own, interface("eni-a", "10.0.0.5", &["sg-a"])], &[]);
        let ids = run.finding_ids("redundant_rule");
        let key = "sg-a:ingress:tcp:20-30:10.0.0.0/24".to_owned();
        assert_eq!(ids.contains(&key), covered, "{others:?}: {ids:?}");
    }
}

#[test]
fn a_cover_by_another_group_must_be_there_on_every_interface() {
    let objects = |second: &[&str]| {
        vec![
            group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/24"),
            group("sg-b").ingress("-1", -1, -1, "10.0.0.0/8"),
            interface("eni-a", "10.0.0.5", &["sg-a", "sg-b"]),
            interface("eni-b", "10.0.0.6", second),
        ]
    };
    let both = run(&objects(&["sg-a", "sg-b"]), &[]);
    let key = "sg-a:ingress:tcp:22-22:10.0.0.0/24";
    assert_eq!(evidence(&both, key)["extent"], "interfaces");
    assert_eq!(evidence(&both, key)["covered_by"], json!(["sg-b:ingress:-1:-1--1:10.0.0.0/8"]));
    assert_eq!(run(&objects(&["sg-a"]), &[]).finding_ids("redundant_rule"), [""; 0]);
}

#[test]
fn two_that_cover_each_other_never_go_both() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/24"),
        group("sg-b").ingress("tcp", 22, 22, "10.0.0.0/24"),
        interface("eni-a", "10.0.0.5", &["sg-a", "sg-b"]),
    ];
    for flows in [&[SSH][..], &["eni-a 10.0.0.9 10.0.0.5 40000 23 6 REJECT"]] {
        let run = run(&objects, flows);
        let (one, other) = ("sg-a:ingress:tcp:22-22:10.0.0.0/24", "sg-b:ingress:tcp:22-22:10.0.0.0/24");
        assert_eq!(evidence(&run, one)["cover_each_other"], json!([other]));
        assert_eq!(evidence(&run, other)["cover_each_other"], json!([one]));
        assert_eq!(run.at("/removal_set/rules").as_array().unwrap().len(), 1);
    }
}

#[test]
fn covers_by_members_and_entries_hold_for_today_and_references_only_where_seen_to_work() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.9/32").ingress("tcp", 22, 22, "sg-p"),
        group("sg-l").ingress("tcp", 22, 22, "10.0.1.0/24").ingress("tcp", 22, 22, "pl-1"),
        group("sg-p"),
        prefix_list("pl-1", &["10.0.1.0/24"]),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        interface("eni-l", "10.0.0.6", &["sg-l"]),
        interface("eni-p", "10.0.0.9", &["sg-p"]),
        interface("eni-q", "10.0.0.10", &["sg-p"]),
    ];
    let key = "sg-a:ingress:tcp:22-22:10.0.0.9/32";
    let unproven = run(&objects, &[SSH]);
    assert_eq!(evidence(&unproven, key)["todays_members"], true);
    assert_eq!(evidence(&unproven, key)["verify_path"], true);
    // What only such a reference covers stays.
    let goes = |run: &Run, key: &str| run.at("/removal_set/rules").as_array().unwrap().contains(&json!(key));
    assert!(!goes(&unproven, key));
    // Another member came by the reference alone, from the one subnet that they are in.
    let proven = run(&objects, &[SSH, "eni-a 10.0.0.10 10.0.0.5 40000 22 6 ACCEPT"]);
    assert_eq!(evidence(&proven, key)["verify_path"], false);
    assert!(goes(&proven, key));
    let list = evidence(&proven, "sg-l:ingress:tcp:22-22:10.0.1.0/24");
    assert_eq!((&list["todays_members"], &list["verify_path"]), (&json!(true), &json!(false)));
}

#[test]
fn what_is_open_to_the_world_is_no_reason_to_drop_the_narrow_rule_first() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/24").ingress("tcp", 22, 22, "0.0.0.0/0"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let run = run(&objects, &[SSH]);
    let finding = run.finding("redundant_rule/sg-a:ingress:tcp:22-22:10.0.0.0/24");
    let advice = finding["recommendation"].as_str().unwrap();
    assert!(advice.contains("should be narrowed: then this one is the one to keep"), "{advice}");
}

#[test]
fn a_rule_that_a_service_needs_or_that_carries_untracked_replies_is_never_in_the_set() {
    let world = |group: Object| group.ingress("-1", -1, -1, "0.0.0.0/0").egress("-1", -1, -1, "0.0.0.0/0");
    let objects = [
        world(group("sg-a")),
        world(group("sg-b")),
        group("sg-e").with("GroupName", "eks-cluster-sg-shop-1").ingress("tcp", 443, 443, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a", "sg-b", "sg-e"]),
    ];
    let run = run(&objects, &[SSH]);
    assert_eq!(*run.at("/removal_set/rules"), json!([]));
    // Four rules, and that two groups are identical; what a service made is the service's.
    assert_eq!(run.findings("redundant_rule").len(), 5);
}

#[test]
fn unattached_groups_go_first_or_last_as_the_snapshots_tell() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").ingress("tcp", 99, 99, "10.0.0.0/8"),
        group("sg-z").ingress("tcp", 22, 22, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let once = run(&objects, &[SSH]);
    let (unseen, loose) = ("sg-a:ingress:tcp:99-99:10.0.0.0/8", "sg-z:ingress:tcp:22-22:10.0.0.0/8");
    assert_eq!(*once.at("/removal_set/rules"), json!([unseen, loose]));
    assert_eq!(*once.at("/removal_set/steps/1/ground"), "unattached_with_doubt");
    let fixture = Fixture::new();
    fixture.log("log", &hourly(SSH));
    fixture.snapshot("snaps/2025-12-01", &objects);
    fixture.snapshot("snaps/2026-01-01T12:00:00Z", &objects);
    let twice = fixture.analyze(&["log", "--snapshot", "snaps", "--review-period", "1d"]).exit(0);
    assert_eq!(*twice.at("/removal_set/rules"), json!([loose, unseen]));
    assert_eq!(*twice.at("/removal_set/steps/0/ground"), "unattached");
    assert_eq!(*twice.at("/removal_set/steps/1/ground"), "not_seen");
}

#[test]
fn the_text_report_lists_what_can_go() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/24").ingress("tcp", 99, 99, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let fixture = Fixture::new();
    fixture.log("log", &hourly(SSH));
    fixture.snapshot("snap", &objects);
    let run = fixture.run(&["analyze", "log", "--snapshot", "snap"]);
    let text = String::from_utf8(run.stdout.clone()).unwrap();
    let section = text.split("What can go together\n").nth(1).unwrap();
    let expected = "  Without these rules every ACCEPT of these logs is still allowed by a rule that stays. No larger\n  \
                    set of these rules does that. The least risk comes first; ask the owners, and take a few at a\n  \
                    time.\n  \
                    GROUP  RULE                       BECAUSE\n  \
                    sg-a   in tcp/99 from 10.0.0.0/8  not seen, with doubt\n";
    assert!(section.starts_with(expected), "{section}");
}
