//! What the report says of priorities, Drop rules and openings.

use serde_json::json;

use crate::fixture::Run;
use crate::kit::{advanced, analyzed, basic};

const ENI: [&str; 1] = ["eni-1 10.0.0.5 sg-1"];
const OUT: &str = "eni-1 out 10.0.0.5 198.51.100.7 40000 443 6 ACCEPT 2";
const REFUSED: &str = "eni-1 in 203.0.113.9 10.0.0.5 50123 9999 6 REJECT 2";

fn of(rules: &[&str]) -> Run {
    analyzed(&[basic("sg-1", rules)], &ENI, &[OUT, REFUSED])
}

#[test]
fn a_drop_rule_that_dropped_nothing() {
    let key = "sg-1:ingress:tcp:445-445:0.0.0.0/0:1:deny";
    let run = of(&["ingress Drop 1 TCP 445/445 0.0.0.0/0"]);
    assert!(run.verdict(key).starts_with("not_seen"), "{}", run.verdict(key));
    let finding = run.finding(&format!("unused_rule/{key}"));
    assert!(finding["title"].as_str().unwrap().starts_with("Drop rule that dropped nothing"));
    // Where no refusal is logged at all, nobody can tell.
    let run = analyzed(&[basic("sg-1", &["ingress Drop 1 TCP 445/445 0.0.0.0/0"])], &ENI, &[OUT]);
    assert!(run.verdict(key).starts_with("cannot_decide [interface_silent"), "{}", run.verdict(key));
    // One that did is used.
    let refused = "eni-1 in 203.0.113.9 10.0.0.5 50123 445 6 REJECT 2";
    let run = analyzed(&[basic("sg-1", &["ingress Drop 1 TCP 445/445 0.0.0.0/0"])], &ENI, &[OUT, refused]);
    assert_eq!((run.verdict(key), run.usage(key, "records")), ("used".to_owned(), 1));
}

#[test]
fn rules_that_can_never_decide() {
    let accept = "ingress Accept 5 TCP 22/22 10.0.0.0/8";
    let cases: [(&[&str], bool); 11] = [
        (&["ingress Drop 1 TCP 22/22 0.0.0.0/0"], true),
        // At equal priority Drop comes first, an Accept is credited together.
        (&["ingress Drop 5 TCP 1/100 10.0.0.0/8"], true),
        (&["ingress Accept 5 TCP 1/100 0.0.0.0/0"], false),
        (&["ingress Accept 4 TCP 1/100 0.0.0.0/0"], true),
        (&["ingress Drop 6 TCP 22/22 0.0.0.0/0"], false),
        // Together.
        (&["ingress Drop 1 TCP 22/22 10.0.0.0/9", "ingress Accept 2 ALL -1/-1 10.128.0.0/9"], true),
        (&["ingress Drop 1 TCP 22/22 10.0.0.0/9", "ingress Accept 2 ALL -1/-1 10.192.0.0/10"], false),
        // Another port, another protocol, another family, another direction.
        (&["ingress Drop 1 TCP 23/65535 0.0.0.0/0"], false),
        (&["ingress Drop 1 UDP 22/22 0.0.0.0/0"], false),
        (&["ingress Drop 1 TCP 22/22 ::/0"], false),
        (&["egress Drop 1 ALL -1/-1 0.0.0.0/0"], false),
    ];
    for (others, never) in cases {
        let run = of(&[others, &[accept]].concat());
        let ids = run.finding_ids("ineffective_rule");
        let key = "sg-1:ingress:tcp:22-22:10.0.0.0/8:5:allow";
        assert_eq!(ids.contains(&key.to_owned()), never, "{others:?}: {ids:?}");
        if never {
            let finding = run.finding(&format!("ineffective_rule/{key}"));
            assert_eq!(
                finding["evidence"]["covered_by"].as_array().unwrap().len(),
                others.len(),
                "{others:?}"
            );
        }
    }
}

#[test]
fn a_port_range_is_covered_by_several_and_the_one_that_does_alone_is_named() {
    let run = of(&[
        "ingress Drop 9 TCP 1/1000 0.0.0.0/0",
        "ingress Accept 1 TCP 1/500 0.0.0.0/0",
        "ingress Accept 2 TCP 501/1000 0.0.0.0/0",
        "ingress Accept 3 TCP 400/600 0.0.0.0/0",
    ]);
    let finding = run.finding("ineffective_rule/sg-1:ingress:tcp:1-1000:0.0.0.0/0:9:deny");
    let keys = ["sg-1:ingress:tcp:1-500:0.0.0.0/0:1:allow", "sg-1:ingress:tcp:501-1000:0.0.0.0/0:2:allow"];
    assert_eq!((&finding["evidence"]["covered_by"], &finding["severity"]), (&json!(keys), &json!("medium")));
    assert_eq!(
        run.finding("ineffective_rule/sg-1:ingress:tcp:400-600:0.0.0.0/0:3:allow")["evidence"]["covered_by"],
        json!(keys)
    );
}

#[test]
fn a_rule_is_ineffective_only_if_it_is_so_on_every_interface() {
    let groups = [
        basic("sg-1", &["ingress Accept 2 TCP 22/22 0.0.0.0/0"]),
        basic("sg-2", &["ingress Drop 1 TCP 22/22 0.0.0.0/0"]),
    ];
    let both = ["eni-1 10.0.0.5 sg-1 sg-2"];
    let run = analyzed(&groups, &both, &[OUT]);
    assert_eq!(run.finding_ids("ineffective_rule"), ["sg-1:ingress:tcp:22-22:0.0.0.0/0:2:allow"]);
    assert_eq!(run.finding_ids("over_broad"), Vec::<String>::new());
    let one = ["eni-1 10.0.0.5 sg-1 sg-2", "eni-2 10.0.0.6 sg-1"];
    let run = analyzed(&groups, &one, &[OUT]);
    assert_eq!(run.finding_ids("ineffective_rule"), Vec::<String>::new());
    assert_eq!(run.finding_ids("over_broad"), ["sg-1:ingress:tcp:22-22:0.0.0.0/0:2:allow"]);
}

#[test]
fn members_that_reach_each_other_whatever_rules_say() {
    let group = basic("sg-1", &["ingress Drop 1 TCP 22/22 sg-1"]).inner("Accept");
    let run = analyzed(&[group], &ENI, &[OUT]);
    assert_eq!(run.finding_ids("ineffective_rule"), ["sg-1:ingress:tcp:22-22:sg-1:1:deny"]);
    let group = basic("sg-1", &["ingress Drop 1 TCP 22/22 sg-1"]);
    assert_eq!(analyzed(&[group], &ENI, &[OUT]).finding_ids("ineffective_rule"), Vec::<String>::new());
}

#[test]
fn what_a_drop_closes_is_not_open_and_what_it_leaves_is() {
    let open = "ingress Accept 2 TCP 22/22 0.0.0.0/0";
    let key = "sg-1:ingress:tcp:22-22:0.0.0.0/0:2:allow";
    let cases: [(&[&str], Option<&str>); 8] = [
        (&[], Some("high")),
        (&["ingress Drop 1 TCP 22/22 0.0.0.0/0"], None),
        (&["ingress Drop 1 ALL -1/-1 0.0.0.0/0"], None),
        (&["ingress Drop 2 TCP 1/1000 0.0.0.0/0"], None),
        (&["ingress Drop 3 TCP 22/22 0.0.0.0/0"], Some("high")),
        (&["ingress Drop 1 TCP 23/23 0.0.0.0/0"], Some("high")),
        // Half of the internet is left: not the world any more, but wide.
        (&["ingress Drop 1 TCP 22/22 0.0.0.0/1"], Some("medium")),
        // A Drop of a few is no difference.
        (&["ingress Drop 1 TCP 22/22 203.0.113.0/24"], Some("high")),
    ];
    for (drops, severity) in cases {
        let run = of(&[drops, &[open]].concat());
        let found = run.findings("over_broad").into_iter().find(|finding| finding["rule_key"] == key);
        assert_eq!(found.map(|finding| finding["severity"].as_str().unwrap()), severity, "{drops:?}");
    }
    // What closes some of it is named.
    let run = of(&["ingress Drop 1 TCP 22/22 0.0.0.0/1", open]);
    let finding = run.finding(&format!("over_broad/{key}"));
    assert_eq!(finding["evidence"]["partly_closed_by"], json!(["sg-1:ingress:tcp:22-22:0.0.0.0/1:1:deny"]));
}

#[test]
fn of_many_ports_those_that_a_drop_closes_are_left_out() {
    let run = of(&["ingress Accept 2 TCP 20/3400 0.0.0.0/0", "ingress Drop 1 TCP 22/22 0.0.0.0/0"]);
    let finding = run.finding("over_broad/sg-1:ingress:tcp:20-3400:0.0.0.0/0:2:allow");
    let services = finding["evidence"]["services"].as_array().unwrap();
    let ports: Vec<u64> = services.iter().map(|service| service["port"].as_u64().unwrap()).collect();
    assert!(ports.contains(&3389) && !ports.contains(&22), "{ports:?}");
}

#[test]
fn the_world_in_every_spelling() {
    for rule in [
        "ingress Accept 1 ALL -1/-1 0.0.0.0/0",
        "ingress Accept 1 TCP 1/65535 0.0.0.0/0",
        "ingress Accept 1 TCP -1/-1 0.0.0.0/0",
        "ingress Accept 1 all -1/-1 ::/0",
    ] {
        let run = of(&[rule]);
        assert_eq!(run.findings("over_broad")[0]["severity"], "critical", "{rule}");
    }
}

#[test]
fn of_everything_what_is_left_is_named() {
    let all = "ingress Accept 2 ALL -1/-1 0.0.0.0/0";
    let tcp = "ingress Accept 2 TCP 1/65535 0.0.0.0/0";
    let cases: [(&[&str], &[&str]); 8] = [
        (&[all], &["all protocols and ports"]),
        // One port less is still everything.
        (&[all, "ingress Drop 1 TCP 22/22 0.0.0.0/0"], &["all protocols and ports"]),
        (
            &[all, "ingress Drop 1 TCP 1/65535 0.0.0.0/0"],
            &["all UDP ports", "protocols other than TCP and UDP"],
        ),
        (
            &[all, "ingress Drop 1 TCP 1/65535 0.0.0.0/0", "ingress Drop 1 UDP 1/65535 0.0.0.0/0"],
            &["protocols other than TCP and UDP"],
        ),
        (&[all, "ingress Drop 1 ALL -1/-1 0.0.0.0/0"], &[]),
        (&[tcp, "ingress Drop 1 TCP 1/65535 0.0.0.0/0"], &[]),
        (&[tcp, "ingress Drop 1 TCP 1/65000 0.0.0.0/0"], &[]),
        // A hundred ports left are judged port by port.
        (&[tcp, "ingress Drop 1 TCP 101/65535 0.0.0.0/0"], &["SSH (tcp/22)"]),
    ];
    for (rules, expected) in cases {
        let run = of(rules);
        let titles: Vec<&str> =
            run.findings("over_broad").iter().map(|it| it["title"].as_str().unwrap()).collect();
        assert_eq!(titles.len(), expected.len(), "{rules:?}: {titles:?}");
        for expected in expected {
            assert!(titles.iter().any(|title| title.contains(expected)), "{rules:?}: {titles:?}");
        }
    }
    let run = of(&[all, "ingress Drop 1 TCP 22/22 0.0.0.0/0"]);
    let closed = json!(["sg-1:ingress:tcp:22-22:0.0.0.0/0:1:deny"]);
    assert_eq!(run.findings("over_broad")[0]["evidence"]["partly_closed_by"], closed);
}

#[test]
fn what_nobody_knows_or_what_matches_nothing_is_not_decided_by_others() {
    let web = "ingress Accept 1 TCP 443/443 0.0.0.0/0";
    let never = |run: &Run| run.finding_ids("ineffective_rule");
    let list = basic("sg-1", &[web, "ingress Drop 5 TCP 22/22 10.0.0.0/8"])
        .with("PortRange", "")
        .with("PortRangeListId", "prl-x");
    assert_eq!(never(&analyzed(&[list], &ENI, &[OUT])), Vec::<String>::new());
    let nobody = basic("sg-1", &[web, "ingress Accept 5 TCP 443/443 none"]);
    assert_eq!(never(&analyzed(&[nobody], &ENI, &[OUT])), Vec::<String>::new());
    // A group of another account may have members of either family.
    let drop = "ingress Drop 1 TCP 22/22 0.0.0.0/0";
    let other = basic("sg-1", &[drop, "ingress Accept 5 TCP 22/22 sg-9"]);
    assert_eq!(never(&analyzed(&[other], &ENI, &[OUT])), Vec::<String>::new());
    // So may one of this account, where interfaces have IPv6; else the IPv4 world is everybody.
    let groups = [basic("sg-1", &[drop, "ingress Accept 5 TCP 22/22 sg-2"]), basic("sg-2", &[])];
    let enis = ["eni-1 10.0.0.5 sg-1", "eni-2 2001:db8::1 sg-2"];
    assert_eq!(never(&analyzed(&groups, &enis, &[OUT])), Vec::<String>::new());
    let enis = ["eni-1 10.0.0.5 sg-1", "eni-2 10.0.0.6 sg-2"];
    assert_eq!(never(&analyzed(&groups, &enis, &[OUT])), ["sg-1:ingress:tcp:22-22:sg-2:5:allow"]);
}

#[test]
fn what_a_wider_five_tuple_drops_is_closed() {
    let open = "ingress Accept 2 TCP 22/22 0.0.0.0/0";
    let drop = "ingress Drop 1 TCP 22/22 0.0.0.0/0";
    let with = |text: &str, source: &str, near: &str| {
        basic("sg-1", &[text]).with("SourcePortRange", source).with("DestCidrIp", near)
    };
    for (accept, drops, closed) in [
        (("1024/65535", "10.0.0.0/24"), ("1000/65535", "10.0.0.0/16"), true),
        (("1024/65535", ""), ("1025/65535", ""), false),
        // The only address of the interface is all there is.
        (("", ""), ("", "10.0.0.5/32"), true),
        (("", ""), ("", "10.0.0.6/32"), false),
        (("", ""), ("1/1023", ""), false),
    ] {
        let groups = [with(open, accept.0, accept.1), with(drop, drops.0, drops.1).renamed("sg-2")];
        let run = analyzed(&groups, &["eni-1 10.0.0.5 sg-1 sg-2"], &[OUT]);
        let found = (run.findings("over_broad").is_empty(), run.findings("ineffective_rule").len() == 1);
        assert_eq!(found, (closed, closed), "{accept:?} {drops:?}");
    }
    // No port 0 is left where all others are dropped.
    let run = of(&["ingress Accept 2 TCP -1/-1 0.0.0.0/0", "ingress Drop 1 TCP 1/65535 0.0.0.0/0"]);
    assert_eq!(run.findings("ineffective_rule").len(), 1);
}

#[test]
fn halves_of_the_internet_together_are_the_world_unless_they_are_dropped() {
    let halves = ["ingress Accept 2 TCP 22/22 0.0.0.0/1", "ingress Accept 2 TCP 22/22 128.0.0.0/1"];
    assert!(of(&halves).finding_ids("over_broad").iter().any(|id| id.contains("union")));
    let dropped = [halves[0], halves[1], "ingress Drop 1 TCP 22/22 0.0.0.0/0"];
    assert_eq!(of(&dropped).finding_ids("over_broad"), Vec::<String>::new());
}

#[test]
fn what_lies_together_open_is_told_apart_by_what_each_interface_drops() {
    // Of two interfaces that take in everything in halves, one drops it.
    let halves = ["ingress Accept 2 TCP 22/22 0.0.0.0/1", "ingress Accept 2 TCP 22/22 128.0.0.0/1"];
    let groups = [basic("sg-1", &halves), basic("sg-2", &["ingress Drop 1 TCP 22/22 0.0.0.0/0"])];
    let unions = |enis: &[&str]| {
        let run = analyzed(&groups, enis, &[OUT]);
        run.finding_ids("over_broad").iter().filter(|id| id.contains("union")).count()
    };
    assert_eq!(unions(&["eni-1 10.0.0.5 sg-1 sg-2"]), 0);
    assert_eq!(unions(&["eni-1 10.0.0.5 sg-1 sg-2", "eni-2 10.0.0.6 sg-1"]), 1);
    // What a Drop leaves of one that another fills up is the world as well.
    let rules = [
        "ingress Accept 3 TCP 22/22 0.0.0.0/0",
        "ingress Drop 2 TCP 22/22 0.0.0.0/1",
        "ingress Accept 1 TCP 22/22 0.0.0.0/1",
    ];
    let ids = of(&rules).finding_ids("over_broad");
    assert!(ids.iter().any(|id| id.contains("union")), "{ids:?}");
}

#[test]
fn groups_are_the_same_only_if_cloud_type_and_order_are() {
    let rules = ["ingress Accept 1 TCP 22/22 10.0.0.0/8", "ingress Drop 1 TCP 23/23 10.0.0.0/8"];
    let later = ["ingress Accept 1 TCP 22/22 10.0.0.0/8", "ingress Drop 2 TCP 23/23 10.0.0.0/8"];
    let cases = [
        (basic("sg-2", &rules), 1),
        (basic("sg-2", &later), 0),
        (advanced("sg-2", &rules), 0),
        (basic("sg-2", &rules).inner("Accept"), 0),
    ];
    for (other, expected) in cases {
        let run = analyzed(&[basic("sg-1", &rules), other.clone()], &["eni-1 10.0.0.5 sg-1"], &[OUT]);
        let ids = run.finding_ids("redundant_rule");
        assert_eq!(ids.iter().filter(|id| id.contains("identical")).count(), expected, "{other:?}");
    }
}

#[test]
fn what_leaves_for_the_world_is_judged_behind_drops() {
    let all = "egress Accept 2 ALL -1/-1 0.0.0.0/0";
    for (drops, severity) in [
        (&[][..], Some("info")),
        (&["egress Drop 1 ALL -1/-1 0.0.0.0/0"], None),
        (&["egress Drop 1 TCP 25/25 0.0.0.0/0"], Some("info")),
    ] {
        let run = analyzed(&[advanced("sg-1", &[drops, &[all]].concat())], &ENI, &[OUT]);
        let found = run.findings("over_broad");
        assert_eq!(found.first().map(|it| it["severity"].as_str().unwrap()), severity, "{drops:?}");
    }
}

#[test]
fn groups_of_services_are_left_to_the_service() {
    let group = basic("sg-1", &["ingress Accept 100 ALL -1/-1 0.0.0.0/0"]).managed();
    let run = analyzed(&[group], &ENI, &[OUT]);
    let finding = run.finding("over_broad/sg-1:ingress:-1:-1--1:0.0.0.0/0:100:allow");
    let advice = finding["recommendation"].as_str().unwrap();
    assert!(advice.contains("load balancer") && advice.contains("add a Drop"), "{advice}");
    let verdict = run.verdict("sg-1:ingress:-1:-1--1:0.0.0.0/0:100:allow");
    assert!(verdict.contains("required_by_service"), "{verdict}");
    // With the Drop in front of it that is advised, nobody is told to revoke it.
    let rules = ["ingress Accept 100 ALL -1/-1 0.0.0.0/0", "egress Accept 100 ALL -1/-1 0.0.0.0/0"];
    let groups = [
        basic("sg-1", &rules).managed(),
        basic("sg-2", &["ingress Drop 1 ALL -1/-1 0.0.0.0/0"]),
        basic("sg-3", &[]).managed(),
    ];
    let run = analyzed(&groups, &["eni-1 10.0.0.5 sg-1 sg-2"], &[OUT]);
    assert_eq!(run.finding_ids("ineffective_rule"), Vec::<String>::new());
    let advice = |id: &str| run.finding(id)["recommendation"].as_str().unwrap().to_owned();
    assert!(advice("over_broad/sg-1:egress:-1:-1--1:0.0.0.0/0:100:allow").contains("load balancer"));
    assert!(advice("unattached_group/sg-3").contains("leave it to the service"));
}

#[test]
fn the_text_report_says_priority_and_drop() {
    let fixture = crate::kit::fixture(&[basic("sg-1", &["ingress Drop 7 TCP 445/445 0.0.0.0/0"])], &ENI);
    fixture.write("log", [crate::kit::line(OUT), crate::kit::line(REFUSED)].join("\n"));
    let run = fixture.run(&["analyze", "log", "--snapshot", "snap"]);
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(text.contains("drop in tcp/445 from 0.0.0.0/0, priority 7"), "{text}");
    assert!(text.contains("no rule allows it, or a Drop rule decides"), "{text}");
}

#[test]
fn mail_that_the_cloud_blocks_is_told() {
    let fixture = crate::kit::fixture(&[basic("sg-1", &["egress Accept 1 TCP 25/25 0.0.0.0/0"])], &ENI);
    let refused = "eni-1 out 10.0.0.5 203.0.113.9 50123 25 6 REJECT 2";
    fixture.write("log", [crate::kit::line(OUT), crate::kit::line(refused)].join("\n"));
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!(run.blocked(), ["eni-1 egress tcp 25 not_security_group 1"]);
    let finding = run.finding("unused_rule/sg-1:egress:tcp:25-25:0.0.0.0/0:1:allow");
    assert!(finding["recommendation"].as_str().unwrap().contains("blocks TCP 25"));
    let text = fixture.run(&["analyze", "log", "--snapshot", "snap"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("TCP 25"));
}
