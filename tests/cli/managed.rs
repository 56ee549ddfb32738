//! Inbound rules on interfaces of services that nobody connects to.

use serde_json::{Value, json};

use crate::fixture::{Fixture, HOUR, Object, Run, T0, group, interface, row_at};
use crate::verdicts::hourly;

const WORLD: &str = "sg-v:ingress:tcp:443-443:0.0.0.0/0";
const INSIDE: &str = "sg-v:ingress:tcp:22-22:10.0.0.0/8";
const OUT: &str = "10.0.0.5 10.0.9.9 40000 5432 6 ACCEPT";
const VPN: &str = "ClientVPN Endpoint resource";
const DIRECTORY: &str = "AWS created network interface for directory d-1234567890";

fn rules() -> Object {
    group("sg-v").ingress("tcp", 443, 443, "0.0.0.0/0").ingress("tcp", 22, 22, "10.0.0.0/8").egress(
        "-1",
        -1,
        -1,
        "10.0.0.0/8",
    )
}

/// An interface that a service asked for.
fn managed(id: &str, address: &str, description: &str) -> Object {
    interface(id, address, &["sg-v"]).with("Description", description).with("RequesterManaged", true)
}

/// A day of outgoing traffic of eni-v.
fn day() -> Vec<String> {
    hourly("eni-v", 0..25, OUT)
}

#[track_caller]
fn analyzed(objects: &[Object], rows: &[String]) -> Run {
    Fixture::analyzed(objects, rows, &["--review-period", "1d"])
}

/// `SEVERITY KEY` of each finding.
fn found(run: &Run) -> Vec<String> {
    let text = |finding: &&Value| {
        format!("{} {}", finding["severity"].as_str().unwrap(), finding["rule_key"].as_str().unwrap())
    };
    run.findings("managed_interface_inbound").iter().map(text).collect()
}

#[test]
fn a_client_vpn_endpoint_needs_no_inbound_rule() {
    let run = analyzed(&[rules(), managed("eni-v", "10.0.0.5", VPN)], &day());
    assert_eq!(found(&run), [format!("medium {WORLD}"), format!("low {INSIDE}")]);
    let expected = json!({
        "id": format!("managed_interface_inbound/{WORLD}"), "kind": "managed_interface_inbound",
        "severity": "medium", "title": format!("inbound rule that Client VPN does not need: {WORLD}"),
        "group_id": "sg-v", "rule_key": WORLD, "interface_id": null,
        "evidence": {
            "services": [{
                "service": "Client VPN",
                "why": "clients connect to the service and go out through these interfaces, which stand in for their \
                        addresses; replies pass by connection tracking",
                "exception": null,
                "source": "https://repost.aws/knowledge-center/client-vpn-give-users-resource-access",
            }],
            "interfaces": 1, "first_interfaces": ["eni-v"], "peer": "0.0.0.0/0", "open_to_internet": true,
            "rule_id": null, "records": 0, "covered_share": 1.0, "attached_interface_hours": 25,
            "covered_interface_hours": 25, "confidence": "high", "reasons": [],
        },
        "recommendation": "Client VPN: clients connect to the service and go out through these interfaces, which stand \
                           in for their addresses; replies pass by connection tracking. Revoke it; keep the exact rule \
                           at hand to restore it.",
    });
    assert_eq!(*run.finding(&format!("managed_interface_inbound/{WORLD}")), expected);
}

#[test]
fn a_function_needs_none_either_and_its_type_tells() {
    let function = interface("eni-v", "10.0.0.5", &["sg-v"])
        .with("InterfaceType", "lambda")
        .with("Description", "AWS Lambda VPC ENI-orders-1")
        .with("RequesterManaged", false);
    let run = analyzed(&[rules(), function.clone()], &day());
    assert_eq!(found(&run), [format!("medium {WORLD}"), format!("low {INSIDE}")]);
    let second = managed("eni-w", "10.0.0.6", VPN);
    let rows = [day(), hourly("eni-w", 0..25, "10.0.0.6 10.0.9.9 40000 5432 6 ACCEPT")].concat();
    let run = analyzed(&[rules(), function, second], &rows);
    let finding = run.finding(&format!("managed_interface_inbound/{WORLD}"));
    assert_eq!(finding["title"], format!("inbound rule that Client VPN and Lambda do not need: {WORLD}"));
}

#[test]
fn a_directory_is_info_and_names_who_needs_the_rule_all_the_same() {
    let objects = [rules(), managed("eni-v", "10.0.0.5", DIRECTORY)];
    let run = analyzed(&objects, &day());
    assert_eq!(found(&run), [format!("info {INSIDE}"), format!("info {WORLD}")]);
    for finding in run.findings("managed_interface_inbound") {
        let advice = finding["recommendation"].as_str().unwrap();
        for words in
            ["53, 88, 135, 389, 445, 464, 636, 3268 and 1024-65535", "domain members", "check every client"]
        {
            assert!(advice.contains(words), "{words}: {advice}");
        }
        assert!(!advice.to_lowercase().contains("revoke") && !advice.contains("delete"), "{advice}");
    }
    // With a function beside it, what the directory needs still counts.
    let function = interface("eni-w", "10.0.0.6", &["sg-v"]).with("InterfaceType", "lambda");
    let rows = [day(), hourly("eni-w", 0..25, "10.0.0.6 10.0.9.9 40000 5432 6 ACCEPT")].concat();
    let run = analyzed(&[&objects[..], &[function]].concat(), &rows);
    assert_eq!(found(&run), [format!("info {INSIDE}"), format!("info {WORLD}")]);
}

#[test]
fn services_that_let_clients_in_are_judged_as_any() {
    let typed = |kind: &str| interface("eni-v", "10.0.0.5", &["sg-v"]).with("InterfaceType", kind);
    let asked = |requester: &str| interface("eni-v", "10.0.0.5", &["sg-v"]).with("RequesterId", requester);
    let interfaces = [
        ("RDS", asked("amazon-rds").with("Description", "RDSNetworkInterface")),
        ("ALB", asked("amazon-elb").with("Description", "ELB app/web/0123456789abcdef")),
        ("NLB", typed("network_load_balancer")),
        ("endpoint", typed("vpc_endpoint")),
        ("EFS", typed("efs")),
        ("NAT", typed("nat_gateway")),
        ("instance", interface("eni-v", "10.0.0.5", &["sg-v"])),
        // Anybody can write this.
        ("by hand", managed("eni-v", "10.0.0.5", VPN).with("RequesterManaged", false)),
        ("not said", interface("eni-v", "10.0.0.5", &["sg-v"]).with("Description", VPN)),
    ];
    for (name, interface) in interfaces {
        let run = analyzed(&[rules(), interface], &day());
        assert_eq!(found(&run), [] as [&str; 0], "{name}");
        assert!(run.verdict(INSIDE).starts_with("not_seen"), "{name}: {}", run.verdict(INSIDE));
    }
}

#[test]
fn what_the_logs_do_not_show_well_is_not_called_needless() {
    let vpn = || vec![rules(), managed("eni-v", "10.0.0.5", VPN)];
    let and = |rows: &[String]| [&day(), rows].concat();
    let gap: Vec<String> =
        day().into_iter().enumerate().filter(|(hour, _)| *hour != 7).map(|(_, row)| row).collect();
    let cases = [
        ("clean", vpn(), day(), 2),
        ("a gap", vpn(), gap, 0),
        ("one is used", vpn(), and(&[row_at(T0, "eni-v 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT")]), 1),
        ("a refusal is no use", vpn(), and(&[row_at(T0, "eni-v 10.0.0.9 10.0.0.5 40000 23 6 REJECT")]), 2),
        (
            "perhaps used",
            vec![rules().egress("tcp", 1, 65535, "0.0.0.0/0"), managed("eni-v", "10.0.0.5", VPN)],
            and(&[row_at(T0, "eni-v 192.0.2.9 10.0.0.5 443 443 6 ACCEPT")]),
            1,
        ),
        (
            "somebody else's interface",
            [vpn(), vec![interface("eni-w", "10.0.0.6", &["sg-v"])]].concat(),
            and(&hourly("eni-w", 0..25, "10.0.0.6 10.0.9.9 40000 5432 6 ACCEPT")),
            0,
        ),
        (
            "an interface that no snapshot knows",
            vpn(),
            and(&[row_at(T0, "eni-x 10.0.0.9 10.0.0.77 40000 22 6 ACCEPT")]),
            0,
        ),
        (
            "no interface",
            vec![
                rules(),
                interface("eni-v", "10.0.0.5", &["sg-o"]),
                group("sg-o").egress("-1", -1, -1, "10.0.0.0/8"),
            ],
            day(),
            0,
        ),
    ];
    for (name, objects, rows, findings) in cases {
        let run = analyzed(&objects, &rows);
        assert_eq!(found(&run).len(), findings, "{name}: {:?}", found(&run));
    }
}

#[test]
fn an_interface_of_another_kind_at_any_time_is_enough() {
    let fixture = Fixture::new();
    let before = [rules(), managed("eni-v", "10.0.0.5", VPN), interface("eni-w", "10.0.0.6", &["sg-v"])];
    fixture.snapshot("snaps/2025-12-01", &before);
    fixture.snapshot("snaps/2025-12-31", &before[..2]);
    fixture.log("log", &day());
    let run = fixture.analyze(&["log", "--snapshot", "snaps", "--review-period", "1d"]).exit(0);
    assert_eq!(found(&run), [] as [&str; 0]);
    let later = fixture.analyze(&["log", "--snapshot", "snaps/2025-12-31", "--review-period", "1d"]).exit(0);
    assert_eq!(found(&later).len(), 2);
}

#[test]
fn a_short_window_asks_for_more_evidence() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &[rules(), managed("eni-v", "10.0.0.5", VPN)]);
    fixture.log("log", &[row_at(T0, &format!("eni-v {OUT}")), row_at(T0 + HOUR, &format!("eni-v {OUT}"))]);
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    let finding = run.finding(&format!("managed_interface_inbound/{WORLD}"));
    assert_eq!(finding["evidence"]["reasons"], json!(["window_short"]));
    assert!(finding["recommendation"].as_str().unwrap().ends_with("gather more, then revoke it."));
}

#[test]
fn a_world_in_a_prefix_list_is_open_to_the_internet() {
    let objects = [
        group("sg-v").ingress("tcp", 443, 443, "pl-1").egress("-1", -1, -1, "10.0.0.0/8"),
        managed("eni-v", "10.0.0.5", VPN),
        crate::fixture::prefix_list("pl-1", &["0.0.0.0/1", "128.0.0.0/1"]),
    ];
    assert_eq!(found(&analyzed(&objects, &day())), ["medium sg-v:ingress:tcp:443-443:pl-1"]);
}
