//! Refused records: who is told apart from the noise, and what people are told to do.

use crate::fixture::{Fixture, Object, Run, T0, acl, group, interface, row_at};

/// Refused three times an hour apart, or as often as said.
fn refused(times: i64, flow: &str) -> Vec<String> {
    (0..times).map(|at| row_at(T0 + at * 3600, &format!("{flow} REJECT"))).collect()
}

#[track_caller]
fn run(objects: &[Object], rows: &[String]) -> Run {
    Fixture::analyzed(objects, rows, &[]).exit(0)
}

fn advice(run: &Run, id: &str) -> String {
    run.finding(id)["recommendation"].as_str().unwrap().to_owned()
}

fn world() -> Vec<Object> {
    vec![
        group("sg-a")
            .ingress("tcp", 443, 443, "0.0.0.0/0")
            .ingress("tcp", 5432, 5432, "10.20.11.0/24")
            .ingress("-1", -1, -1, "sg-a"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ]
}

#[test]
fn an_internal_source_refused_again_and_again_is_told_from_the_internet() {
    let mut rows = refused(3, "eni-a 10.20.12.90 10.0.0.5 40000 5432 6");
    rows.extend(refused(50, "eni-a 203.0.113.9 10.0.0.5 40000 5432 6"));
    rows.extend(refused(2, "eni-a 10.20.12.91 10.0.0.5 40000 5432 6"));
    let run = run(&world(), &rows);
    let id = "blocked_attempts/eni-a:ingress:tcp/5432:security_group";
    assert_eq!(run.finding_ids("blocked_attempts"), [id.split_once('/').unwrap().1]);
    let finding = run.finding(id);
    assert_eq!(finding["evidence"]["records"], 3);
    assert_eq!(finding["evidence"]["closest_rule"], "sg-a:ingress:tcp:5432-5432:10.20.11.0/24");
    assert_eq!(finding["evidence"]["lacks"], serde_json::json!(["peer"]));
    let summary = run.at("/blocked_summary");
    assert_eq!(summary["internal_peers"][0]["peer"], "10.20.12.90");
    assert_eq!(summary["internet_peers"][0]["records"], 50);
}

#[test]
fn what_an_interface_of_ours_may_not_send_is_a_broken_application_wherever_it_goes() {
    let run = run(&world(), &refused(200, "eni-a 10.0.0.5 52.1.2.3 40000 443 6"));
    let id = "blocked_attempts/eni-a:egress:tcp/443:security_group";
    assert!(
        run.finding(id)["title"]
            .as_str()
            .unwrap()
            .starts_with("eni-a refused 200 times on tcp/443 to 52.1.2.3")
    );
    assert!(advice(&run, id).contains("add an egress rule"));
    assert_eq!(run.at("/blocked_summary")["internet_peers"], serde_json::json!([]));
    assert_eq!(run.at("/blocked_summary")["egress_peers"][0]["peer"], "52.1.2.3");
}

#[test]
fn a_source_inside_that_tries_port_after_port_is_one_scan() {
    let rows: Vec<String> = (1..=200)
        .flat_map(|port| refused(3, &format!("eni-a 10.20.12.90 10.0.0.5 40000 {port} 6")))
        .collect();
    let run = run(&world(), &rows);
    assert_eq!(run.finding_ids("scan"), ["eni-a:10.20.12.90"]);
    assert_eq!(run.finding("scan/eni-a:10.20.12.90")["evidence"]["ports"], 200);
    assert!(run.findings("blocked_attempts").is_empty());
}

#[test]
fn advice_never_blames_what_the_snapshot_does_not_show() {
    let flow = "eni-a 10.20.12.90 10.0.0.5 40000 5432 6";
    let acl = acl("acl-1").entry(100, false, "deny", "0.0.0.0/0");
    let cases = [
        (
            vec![group("sg-a"), interface("eni-a", "10.0.0.5", &["sg-a", "sg-missing"])],
            "blocked_attempts/eni-a:ingress:tcp/5432:unknown_group",
            "is in no snapshot",
        ),
        (
            vec![group("sg-a"), interface("eni-a", "10.0.0.5", &[])],
            "blocked_attempts/eni-a:ingress:tcp/5432:network_acl",
            "network ACL",
        ),
        (
            vec![
                group("sg-a").ingress("tcp", 5432, 5432, "10.0.0.0/8"),
                interface("eni-a", "10.0.0.5", &["sg-a"]),
                acl,
            ],
            "blocked_by_network_acl/eni-a:ingress:tcp/5432:network_acl",
            "add an allow entry",
        ),
        (
            vec![group("sg-a"), interface("eni-a", "10.0.0.5", &["sg-a"])],
            "blocked_attempts/eni-a:ingress:tcp/5432:security_group",
            "No ingress rule of its groups comes close",
        ),
    ];
    for (objects, id, words) in cases {
        let run = run(&objects, &refused(5, flow));
        assert!(advice(&run, id).contains(words), "{id}: {}", advice(&run, id));
    }
}

#[test]
fn a_reference_that_nothing_resolves_is_a_finding() {
    let objects = [
        group("sg-a")
            .ingress("tcp", 22, 22, "sg-gone")
            .ingress("tcp", 80, 80, "pl-1")
            .ingress("tcp", 81, 81, "sg-a"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let run = run(&objects, &refused(1, "eni-a 10.0.0.9 10.0.0.5 1 2 6"));
    assert_eq!(
        run.finding_ids("stale_reference"),
        ["sg-a:ingress:tcp:22-22:sg-gone", "sg-a:ingress:tcp:80-80:pl-1"]
    );
}

#[test]
fn groups_that_cannot_or_should_not_be_deleted_are_not_advised_for_it() {
    let objects = [
        group("sg-a"),
        group("sg-d").with("GroupName", "default").ingress("-1", -1, -1, "sg-d"),
        group("sg-e").with("GroupName", "ElasticMapReduce-master").ingress("tcp", 8443, 8443, "sg-e"),
        group("sg-f").ingress("tcp", 22, 22, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let run = run(&objects, &refused(1, "eni-a 10.0.0.9 10.0.0.5 1 2 6"));
    assert!(advice(&run, "unattached_group/sg-d").contains("cannot be deleted"));
    assert!(advice(&run, "unattached_group/sg-e").contains("leave it to the service"));
    assert!(advice(&run, "unattached_group/sg-f").contains("then delete it"));
}
