//! Both clouds in one run: each is judged by its own rules, and nothing of one touches the other.

use crate::fixture::{Fixture, group, interface, row};
use crate::kit::{answers, basic, line};

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let aws =
        [group("sg-0a").ingress("tcp", 443, 443, "0.0.0.0/0"), interface("eni-0a", "10.1.0.5", &["sg-0a"])];
    fixture.snapshot("snap", &aws);
    let rules = ["ingress Accept 2 TCP 443/443 0.0.0.0/0", "ingress Drop 1 TCP 443/443 8.8.0.0/16"];
    for (name, answer) in answers(&[basic("sg-bp1", &rules)], &["eni-bp1 10.0.0.5 sg-bp1"]) {
        fixture.write(&format!("snap/alibaba/{name}"), answer.to_string());
    }
    fixture.log("logs/aws", &[row("eni-0a 8.8.4.4 10.1.0.5 50000 443 6 ACCEPT")]);
    let flows = [
        "eni-bp1 in 9.9.9.9 10.0.0.5 50000 443 6 ACCEPT 2",
        "eni-bp1 in 8.8.4.4 10.0.0.5 50000 443 6 REJECT 2",
    ];
    fixture.write("logs/alibaba.json", flows.map(line).join("\n"));
    fixture
}

#[test]
fn logs_and_snapshots_of_both_clouds() {
    let fixture = fixture();
    let run = fixture.analyze(&["logs", "--snapshot", "snap"]).exit(0);
    assert_eq!(
        (run.records("total"), run.outcome("unexplained"), run.outcome("unknown_interface")),
        (3, 0, 0)
    );
    for key in [
        "sg-0a:ingress:tcp:443-443:0.0.0.0/0",
        "sg-bp1:ingress:tcp:443-443:0.0.0.0/0:2:allow",
        "sg-bp1:ingress:tcp:443-443:8.8.0.0/16:1:deny",
    ] {
        assert_eq!(run.usage(key, "records"), 1, "{key}");
    }
    assert_eq!(run.rule("sg-0a:ingress:tcp:443-443:0.0.0.0/0")["priority"], serde_json::Value::Null);
}

#[test]
fn a_later_snapshot_of_one_cloud_leaves_the_other_in_force() {
    let fixture = fixture();
    let aws =
        [group("sg-0a").ingress("tcp", 443, 443, "0.0.0.0/0"), interface("eni-0a", "10.1.0.5", &["sg-0a"])];
    fixture.snapshot("later", &aws);
    let run = fixture
        .analyze(&["logs", "--snapshot", "2025-12-01T00:00:00Z=snap", "2025-12-31T00:00:00Z=later"])
        .exit(0);
    assert_eq!((run.outcome("unknown_interface"), run.outcome("unexplained")), (0, 0));
    assert_eq!(run.usage("sg-bp1:ingress:tcp:443-443:8.8.0.0/16:1:deny", "records"), 1);
}

#[test]
fn any_number_of_threads_and_order_of_files() {
    let fixture = fixture();
    let one = fixture.analyze(&["logs", "--snapshot", "snap", "--threads", "1"]).exit(0);
    let two =
        fixture.analyze(&["logs/alibaba.json", "logs/aws", "--snapshot", "snap", "--threads", "2"]).exit(0);
    assert_eq!(one.apart_from_files(), two.apart_from_files());
}
