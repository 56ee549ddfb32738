//! Rules that are wider than used: what is proposed in their place covers all that was used, and little else.

use std::collections::BTreeSet;
use std::net::IpAddr;

use flowaudit::attribution::naive::attribute;
use flowaudit::findings::verdict::Confidence;
use flowaudit::findings::wider::{Bounds, wider};
use flowaudit::flow::TCP;
use flowaudit::rules::{Peer, Rule, RuleProtocol};
use flowaudit::tally::tracks::of_rule::RuleTracks;
use serde_json::{Value, json};

use crate::account::{WHOSE, estate};
use crate::fixture::{Fixture, HOUR, Object, Run, T0, group, interface, prefix_list, row_at, subnet};
use crate::run::{tally, with_case};

/// Whether a rule lets a packet of this protocol, port and peer through that another one lets through.
fn holds(own: &Rule, (protocol, port, peer): (u8, u16, IpAddr)) -> bool {
    let peers = match &own.peer {
        Peer::Cidr(net) => net.contains(&peer),
        _ => true,
    };
    own.allows_port(protocol, port) && peers
}

/// Whether all that a rule opens another one opens too.
fn is_within(own: &Rule, whole: &Rule) -> bool {
    let peers = match (&own.peer, &whole.peer) {
        (Peer::Cidr(own), Peer::Cidr(whole)) => whole.contains(own),
        (own, whole) => own == whole,
    };
    let protocol = whole.protocol == RuleProtocol::All || own.protocol == whole.protocol;
    let (ports, all) = (own.ports(), whole.ports());
    let ports = !whole.protocol.tests_ports() || (all.0 <= ports.0 && ports.1 <= all.1);
    let same = own.group_id == whole.group_id && own.direction == whole.direction;
    peers && protocol && ports && same && own.ranked == whole.ranked
}

#[test]
fn a_replacement_covers_every_flow_and_stays_within_the_rule() {
    let mut proposed = 0;
    for (seed, whose) in (0..100).flat_map(|seed| WHOSE.map(|whose| (seed, whose))) {
        let (timeline, flows) = estate(seed, whose);
        let tally = tally(&timeline, &flows);
        let tracks = RuleTracks::of(&tally, &timeline.rules);
        let most = 1 + usize::try_from(seed % 6).unwrap();
        let bounds = Bounds { most, confidence: Confidence::Low };
        let answer = attribute(&timeline, &flows);
        with_case(&timeline, &tally, |case| {
            let (findings, narrower) = wider(case, &tracks, &[], bounds);
            assert_eq!(findings.len(), narrower.len());
            for narrower in narrower {
                let whole = &timeline.rules[narrower.rule.index()];
                assert!(!narrower.by.is_empty() && narrower.by.len() <= most);
                assert!(narrower.by.iter().all(|own| is_within(own, whole)), "{whole:?} {:?}", narrower.by);
                let track = &answer.tracks[narrower.rule.index()];
                let used: BTreeSet<(u8, u16)> = track.used.iter().map(|used| (used.0, used.1)).collect();
                // Ports that were hit and never answered are not used; whoever hit one that was answered used it.
                for seen in track.seen.iter().filter(|it| it.0 != TCP || used.contains(&(it.0, it.1))) {
                    assert!(
                        narrower.by.iter().any(|own| holds(own, *seen)),
                        "seed {seed}: {} {seen:?} {:?}",
                        whole.key(),
                        narrower.by
                    );
                }
                proposed += 1;
            }
        });
    }
    assert!(proposed > 100, "{proposed} rules were wider than used");
}

/// `FLOW`, and what answers it, once an hour.
fn conversation(interface: &str, own: &str, peer: &str, port: u16) -> Vec<String> {
    let client = 40_000 + port % 1_000;
    vec![
        format!("{interface} {peer} {own} {client} {port} 6 ACCEPT"),
        format!("{interface} {own} {peer} {port} {client} 6 ACCEPT"),
    ]
}

fn hourly(flows: &[String]) -> Vec<String> {
    let hours = 0..25;
    hours.flat_map(|hour| flows.iter().map(move |flow| row_at(T0 + hour * HOUR, flow))).collect()
}

fn run(objects: &[Object], flows: &[String], options: &[&str]) -> Run {
    Fixture::analyzed(objects, &hourly(flows), &[&["--review-period", "1d"], options].concat())
}

/// Keys of the rules proposed in place of one, without its group and direction.
fn replaced(run: &Run, key: &str) -> Vec<String> {
    let found = run.findings("wider_than_used").into_iter().find(|finding| finding["rule_key"] == key);
    let Some(finding) = found else { return Vec::new() };
    let rules = finding["evidence"]["replacement"].as_array().unwrap().iter();
    let start = key.match_indices(':').nth(1).unwrap().0 + 1;
    rules.map(|rule| rule["rule_key"].as_str().unwrap()[start..].to_owned()).collect()
}

fn evidence<'a>(run: &'a Run, key: &str) -> &'a Value {
    &run.finding(&format!("wider_than_used/{key}"))["evidence"]
}

const WIDE: &str = "sg-a:ingress:tcp:0-65535:10.0.0.0/8";

/// One server behind a rule for all ports of TCP, two clients in subnets of their own.
fn estate_of(peer: &str) -> Vec<Object> {
    vec![
        group("sg-a").ingress("tcp", 0, 65_535, peer),
        group("sg-web"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        interface("eni-1", "10.0.1.7", &["sg-web"]).with("SubnetId", "subnet-2"),
        interface("eni-2", "10.0.2.7", &["sg-web"]).with("SubnetId", "subnet-3"),
        subnet("subnet-1", "10.0.0.0/24"),
        subnet("subnet-2", "10.0.1.0/24"),
        subnet("subnet-3", "10.0.2.0/24"),
        subnet("subnet-4", "10.0.3.0/24"),
    ]
}

#[test]
fn a_rule_shrinks_to_ports_and_to_all_subnets_of_the_peers_group() {
    let flows = [
        conversation("eni-a", "10.0.0.5", "10.0.1.7", 443),
        conversation("eni-a", "10.0.0.5", "10.0.3.9", 22),
    ]
    .concat();
    let run = run(&estate_of("10.0.0.0/8"), &flows, &[]);
    // sg-web is in two subnets, of which one was seen; 10.0.3.9 is nobody's, in a subnet that is known.
    assert_eq!(
        replaced(&run, WIDE),
        ["tcp:22-22:10.0.3.0/24", "tcp:443-443:10.0.1.0/24", "tcp:443-443:10.0.2.0/24"]
    );
    let evidence = evidence(&run, WIDE);
    assert_eq!(evidence["ports"], json!(["tcp/22", "tcp/443"]));
    assert_eq!(evidence["peers"], json!(["10.0.1.7", "10.0.3.9"]));
    assert_eq!(evidence["peer_groups"], json!(["sg-web"]));
    assert_eq!(
        evidence["over_exposure"],
        json!({ "before": (1_u64 << 24) * 65_536 - 2, "after": 3 * 256 - 2 })
    );
    assert_eq!(evidence["quota"], json!({ "limit": 60, "before": 1, "after": 3 }));
    assert_eq!(evidence["confidence"], "high");
}

#[test]
fn no_more_rules_than_allowed_take_the_place_of_one() {
    let peers = ["10.0.1.7", "10.0.3.9"];
    let flows: Vec<String> = [22, 443, 8_080]
        .iter()
        .flat_map(|port| peers.iter().flat_map(|peer| conversation("eni-a", "10.0.0.5", peer, *port)))
        .collect();
    for (most, expected) in [
        ("1", vec!["tcp:22-8080:10.0.0.0/22"]),
        ("3", vec!["tcp:22-22:10.0.0.0/22", "tcp:443-443:10.0.0.0/22", "tcp:8080-8080:10.0.0.0/22"]),
    ] {
        let run = run(&estate_of("10.0.0.0/8"), &flows, &["--max-rules-per-rule", most]);
        assert_eq!(replaced(&run, WIDE), expected, "{most}");
    }
}

#[test]
fn ports_that_nobody_answers_at_are_not_used() {
    let mut flows = conversation("eni-a", "10.0.0.5", "10.0.1.7", 443);
    flows.extend((8_000..8_020).map(|port| format!("eni-a 10.0.3.9 10.0.0.5 50000 {port} 6 ACCEPT")));
    // A client that got no answer at a port that others were answered at.
    flows.push("eni-a 10.0.3.9 10.0.0.5 50000 443 6 ACCEPT".to_owned());
    let run = run(&estate_of("10.0.0.0/8"), &flows, &[]);
    assert_eq!(replaced(&run, WIDE), ["tcp:443-443:10.0.1.0/24", "tcp:443-443:10.0.2.0/23"]);
    assert_eq!(evidence(&run, WIDE)["ports_unanswered"], json!(["tcp/8000-8019"]));
}

#[test]
fn where_no_answer_is_on_record_all_ports_that_were_hit_count() {
    let flows = [22, 443].map(|port| format!("eni-a 10.0.3.9 10.0.0.5 50000 {port} 6 ACCEPT"));
    let run = run(&estate_of("10.0.0.0/8"), &flows, &[]);
    assert_eq!(replaced(&run, WIDE), ["tcp:22-22:10.0.3.0/24", "tcp:443-443:10.0.3.0/24"]);
    assert_eq!(evidence(&run, WIDE)["ports_unanswered"], json!(["tcp/22", "tcp/443"]));
}

#[test]
fn datagrams_need_no_answer() {
    let objects =
        [&estate_of("10.0.0.0/8")[1..], &[group("sg-a").ingress("udp", 0, 65_535, "10.0.0.0/8")]].concat();
    let run = run(&objects, &["eni-a 10.0.3.9 10.0.0.5 50000 514 17 ACCEPT".to_owned()], &[]);
    assert_eq!(replaced(&run, "sg-a:ingress:udp:0-65535:10.0.0.0/8"), ["udp:514-514:10.0.3.0/24"]);
}

#[test]
fn ports_that_clients_are_given_stay_together() {
    let flows: Vec<String> = [40_001, 47_000, 51_234]
        .iter()
        .flat_map(|port| conversation("eni-a", "10.0.0.5", "10.0.3.9", *port))
        .collect();
    let run = run(&estate_of("10.0.0.0/8"), &flows, &[]);
    assert_eq!(replaced(&run, WIDE), ["tcp:32768-65535:10.0.3.0/24"]);
}

#[test]
fn few_sources_of_the_internet_are_named_and_many_are_not() {
    const WORLD: &str = "sg-a:ingress:tcp:0-65535:0.0.0.0/0";
    let flows = |count: u8| -> Vec<String> {
        (1..=count)
            .flat_map(|at| conversation("eni-a", "10.0.0.5", &format!("203.0.113.{at}"), 443))
            .collect()
    };
    let few = run(&estate_of("0.0.0.0/0"), &flows(2), &[]);
    assert_eq!(replaced(&few, WORLD), ["tcp:443-443:203.0.113.1/32", "tcp:443-443:203.0.113.2/32"]);
    let many = run(&estate_of("0.0.0.0/0"), &flows(40), &[]);
    assert_eq!(replaced(&many, WORLD), ["tcp:443-443:0.0.0.0/0"]);
    assert_eq!(evidence(&many, WORLD)["peers_kept"], json!(["many_sources"]));
    assert_eq!(many.finding(&format!("wider_than_used/{WORLD}"))["severity"], "medium");
    // What is open to the world on a load balancer is meant to be.
    let mut objects = estate_of("0.0.0.0/0");
    objects[2] = objects[2].clone().with("InterfaceType", "network_load_balancer");
    let balanced = run(&objects, &flows(2), &[]);
    assert_eq!(replaced(&balanced, WORLD), ["tcp:443-443:0.0.0.0/0"]);
    assert_eq!(evidence(&balanced, WORLD)["peers_kept"], json!(["load_balancer"]));
}

#[test]
fn what_is_not_known_is_not_narrowed() {
    let flows = conversation("eni-a", "10.0.0.5", "10.0.1.7", 443);
    // Without subnets, ports alone.
    let without: Vec<Object> =
        estate_of("10.0.0.0/8").into_iter().filter(|it| it.kind != "Subnets").collect();
    let ports = run(&without, &flows, &[]);
    assert_eq!(replaced(&ports, WIDE), ["tcp:443-443:10.0.0.0/8"]);
    assert_eq!(evidence(&ports, WIDE)["peers_kept"], json!(["subnets_unknown"]));
    // Two doubts: a window of a day for ninety, and a name.
    let objects = [
        &estate_of("10.0.0.0/8")[1..],
        &[group("sg-a").ingress("tcp", 0, 65_535, "10.0.0.0/8").with("Description", "break-glass")],
    ]
    .concat();
    let doubtful = Fixture::analyzed(&objects, &hourly(&flows), &[]);
    assert_eq!(doubtful.findings("wider_than_used"), Vec::<&Value>::new());
    // One doubt is less than none, and enough.
    let short = Fixture::analyzed(&estate_of("10.0.0.0/8"), &hourly(&flows), &[]);
    assert_eq!(evidence(&short, WIDE)["confidence"], "medium");
    // Ping both ways: nobody knows which of the rules let it through.
    let both = [
        group("sg-a").ingress("-1", -1, -1, "10.0.0.0/8").egress("-1", -1, -1, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        subnet("subnet-1", "10.0.0.0/24"),
    ];
    let possible = run(&both, &["eni-a 10.0.0.9 10.0.0.5 0 0 1 ACCEPT".to_owned()], &[]);
    assert_eq!(possible.verdict("sg-a:ingress:-1:-1--1:10.0.0.0/8"), "possibly_used");
    assert_eq!(possible.findings("wider_than_used"), Vec::<&Value>::new());
}

#[test]
fn a_rule_for_all_protocols_becomes_one_for_each_that_was_used() {
    let objects =
        [&estate_of("10.0.0.0/8")[1..], &[group("sg-a").ingress("-1", -1, -1, "10.0.0.0/8")]].concat();
    let mut flows = conversation("eni-a", "10.0.0.5", "10.0.3.9", 443);
    flows.push("eni-a 10.0.3.9 10.0.0.5 0 0 1 ACCEPT".to_owned());
    flows.push("eni-a 10.0.3.9 10.0.0.5 5000 53 17 ACCEPT".to_owned());
    flows.push("eni-a 10.0.3.9 10.0.0.5 0 0 50 ACCEPT".to_owned());
    let run = run(&objects, &flows, &[]);
    assert_eq!(
        replaced(&run, "sg-a:ingress:-1:-1--1:10.0.0.0/8"),
        [
            "icmp:-1--1:10.0.3.0/24",
            "tcp:443-443:10.0.3.0/24",
            "udp:53-53:10.0.3.0/24",
            "50:-1--1:10.0.3.0/24"
        ]
    );
}

#[test]
fn a_reference_keeps_its_members_and_says_which_were_never_seen() {
    const KEY: &str = "sg-a:ingress:tcp:0-65535:sg-web";
    let objects =
        [&estate_of("sg-web")[..], &[prefix_list("pl-1", &["192.168.0.0/24", "192.168.1.0/24"])]].concat();
    let own = conversation("eni-a", "10.0.0.5", "10.0.1.7", 443);
    let group_run = run(&objects, &own, &[]);
    assert_eq!(replaced(&group_run, KEY), ["tcp:443-443:sg-web"]);
    let told = evidence(&group_run, KEY);
    assert_eq!(told["members"], json!({ "count": 2, "never_seen": { "count": 1, "first": ["eni-2"] } }));
    assert_eq!(told["over_exposure"], json!({ "before": 2 * 65_536 - 1, "after": 1 }));
    let objects = [&objects[1..], &[group("sg-a").ingress("tcp", 0, 65_535, "pl-1")]].concat();
    let list = run(&objects, &conversation("eni-a", "10.0.0.5", "192.168.1.8", 443), &[]);
    let told = evidence(&list, "sg-a:ingress:tcp:0-65535:pl-1");
    assert_eq!(
        told["entries"],
        json!({ "count": 2, "never_seen": { "count": 1, "first": ["192.168.0.0/24"] } })
    );
    // A list counts as its entries.
    assert_eq!(told["quota"], json!({ "limit": 60, "before": 2, "after": 2 }));
}

#[test]
fn a_group_never_gets_more_rules_than_it_may_have() {
    let mut crowded =
        group("sg-a").ingress("tcp", 0, 65_535, "10.0.0.0/8").ingress("tcp", 0, 60_000, "10.0.0.0/8");
    for port in 0..56 {
        crowded = crowded.ingress("udp", port, port, "10.0.0.0/8");
    }
    let objects = [&estate_of("10.0.0.0/8")[1..], &[crowded]].concat();
    let flows: Vec<String> = [22, 443, 3_306, 5_432, 8_080]
        .iter()
        .flat_map(|port| conversation("eni-a", "10.0.0.5", "10.0.3.9", *port))
        .collect();
    // 58 of 60: the new stand beside the old until those are gone.
    let run = run(&objects, &flows, &[]);
    let other = "sg-a:ingress:tcp:0-60000:10.0.0.0/8";
    assert_eq!((replaced(&run, WIDE).len(), replaced(&run, other).len()), (2, 1));
    assert_eq!(evidence(&run, WIDE)["quota"], json!({ "limit": 60, "before": 58, "after": 59 }));
    assert_eq!(evidence(&run, other)["quota"], json!({ "limit": 60, "before": 59, "after": 59 }));
}

#[test]
fn every_report_says_what_would_do() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &estate_of("10.0.0.0/8"));
    fixture.log("log", &hourly(&conversation("eni-a", "10.0.0.5", "10.0.3.9", 443)));
    let formats =
        ["text=r.txt", "markdown=r.md", "csv=t", "html=r.html"].map(|format| format!("--format={format}"));
    let formats: Vec<&str> = formats.iter().map(String::as_str).collect();
    let arguments = ["analyze", "log", "--snapshot", "snap", "--review-period", "1d", "--remediation", "fix"];
    assert_eq!(fixture.run(&[&arguments[..], &formats].concat()).status, Some(0));
    let read = |name: &str| std::fs::read_to_string(fixture.path(name)).unwrap();
    assert!(
        read("r.txt").contains("in tcp/0-65535 from 10.0.0.0/8  tcp/443 from 10.0.3.0/24  99.9 %"),
        "{}",
        read("r.txt")
    );
    assert!(
        read("r.md").contains("| sg-a:ingress:tcp:0-65535:10.0.0.0/8 | tcp/443 from 10.0.3.0/24 | 99.9 % |"),
        "{}",
        read("r.md")
    );
    let table = read("t/narrower.csv");
    let before = (1_u64 << 24) * 65_536 - 1;
    assert!(
        table.contains(&format!("{WIDE},sg-a:ingress:tcp:443-443:10.0.3.0/24,{before},255\n")),
        "{table}"
    );
    assert!(
        read("r.html").contains("<td>in tcp/0-65535 from 10.0.0.0/8</td><td>tcp/443 from 10.0.3.0/24</td>")
    );
    assert!(read("r.html").contains("<b>would do</b>: tcp/443 from 10.0.3.0/24"));
    assert_eq!(
        read("fix/narrow.txt")
            .lines()
            .filter(|it| !it.starts_with('#') && !it.is_empty())
            .collect::<Vec<_>>(),
        ["+ sg-a:ingress:tcp:443-443:10.0.3.0/24", WIDE,]
    );
    // Who accepts the finding keeps the rule.
    fixture
        .write("s.toml", "[[suppress]]\nkind = \"wider_than_used\"\nreason = \"r\"\nexpires = 2999-01-01\n");
    let accepted = fixture.run(&[&arguments[..], &["--suppress", "s.toml", "--show-suppressed"]].concat());
    assert!(!String::from_utf8_lossy(&accepted.stdout).contains("Wider than used"));
    assert!(!read("fix/narrow.txt").contains(WIDE));
}

#[test]
fn a_rule_that_is_there_already_is_not_put_in_twice() {
    // Both wide rules shrink to the narrow one, which is there.
    let crowded = group("sg-a")
        .ingress("tcp", 0, 65_535, "10.0.0.0/8")
        .ingress("tcp", 0, 60_000, "10.0.0.0/8")
        .ingress("tcp", 443, 443, "10.0.3.0/24");
    let objects = [&estate_of("10.0.0.0/8")[1..], &[crowded]].concat();
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects);
    fixture.log("log", &hourly(&conversation("eni-a", "10.0.0.5", "10.0.3.9", 443)));
    let run = fixture
        .analyze(&["log", "--snapshot", "snap", "--review-period", "1d", "--remediation", "fix"])
        .exit(0);
    let read = |name: &str| std::fs::read_to_string(fixture.path(name)).unwrap();
    let removed = run.at("/removal_set/rules").as_array().unwrap().len();
    // Two of the three can go; what stays is not made narrower by what goes.
    assert_eq!(removed, 2, "{}", run.at("/removal_set"));
    let both = read("fix/removal.txt") + &read("fix/narrow.txt");
    fixture.write("both.txt", &both);
    let arguments = ["replay", "log", "--snapshot", "snap", "--proposed", "both.txt", "--format", "json"];
    assert_eq!(*fixture.run(&arguments).at("/newly_blocked/records"), 0, "{both}");
}

#[test]
fn an_undo_keeps_what_was_put_in_unless_the_old_rule_is_back() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &estate_of("10.0.0.0/8"));
    fixture.log("log", &hourly(&conversation("eni-a", "10.0.0.5", "10.0.3.9", 443)));
    fixture.analyze(&["log", "--snapshot", "snap", "--review-period", "1d", "--remediation", "fix"]).exit(0);
    for (status, calls) in [(0, vec!["authorize", "revoke"]), (1, vec!["authorize"])] {
        fixture.write("bin/aws", format!("#!/bin/sh\necho $2 >> calls\nexit {status}\n"));
        let _ = std::fs::remove_file(fixture.path("calls"));
        let script = "chmod +x bin/aws; PATH=$PWD/bin:$PATH sh fix/narrow-undo.sh";
        let run = std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(fixture.path(""))
            .output()
            .unwrap();
        let made = std::fs::read_to_string(fixture.path("calls")).unwrap();
        let made: Vec<&str> = made.lines().map(|line| line.split('-').next().unwrap()).collect();
        assert_eq!(made, calls);
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(said.contains("what was put in stays"), status == 1, "{said}");
    }
}

#[test]
fn a_full_group_is_not_changed_without_asking() {
    let mut crowded = group("sg-a").ingress("tcp", 0, 65_535, "10.0.0.0/8");
    for port in 0..59 {
        crowded = crowded.ingress("udp", port, port, "10.0.0.0/8");
    }
    let objects = [&estate_of("10.0.0.0/8")[1..], &[crowded]].concat();
    let fixture = Fixture::new();
    fixture.snapshot("snap", &objects);
    fixture.log("log", &hourly(&conversation("eni-a", "10.0.0.5", "10.0.3.9", 443)));
    let run = fixture
        .analyze(&["log", "--snapshot", "snap", "--review-period", "1d", "--remediation", "fix"])
        .exit(0);
    assert_eq!(replaced(&run, WIDE), ["tcp:443-443:10.0.3.0/24"]);
    let script = std::fs::read_to_string(fixture.path("fix/narrow.sh")).unwrap();
    assert!(
        script.contains("\n# no room for the new beside the old") && !script.contains("\naws "),
        "{script}"
    );
}

#[test]
fn what_no_answer_is_on_record_for_counts_where_answers_may_take_another_way() {
    let peer = "10.0.3.9";
    // Of another protocol, one that needs no answer says nothing.
    let all = [&estate_of("10.0.0.0/8")[1..], &[group("sg-a").ingress("-1", -1, -1, "10.0.0.0/8")]].concat();
    let flows = ["eni-a 10.0.3.9 10.0.0.5 50000 443 6 ACCEPT", "eni-a 10.0.3.9 10.0.0.5 50000 514 17 ACCEPT"];
    let mixed = run(&all, &flows.map(str::to_owned), &[]);
    let key = "sg-a:ingress:-1:-1--1:10.0.0.0/8";
    assert_eq!(replaced(&mixed, key), ["tcp:443-443:10.0.3.0/24", "udp:514-514:10.0.3.0/24"]);
    // An interface that shows no answer at all proves nothing.
    let two = [&estate_of("10.0.0.0/8")[..], &[interface("eni-b", "10.0.0.6", &["sg-a"])]].concat();
    let mut flows = conversation("eni-a", "10.0.0.5", peer, 22);
    flows.push("eni-b 10.0.3.9 10.0.0.6 50000 5432 6 ACCEPT".to_owned());
    assert_eq!(
        replaced(&run(&two, &flows, &[]), WIDE),
        ["tcp:22-22:10.0.3.0/24", "tcp:5432-5432:10.0.3.0/24"]
    );
    // Nor does one that answers by UDP alone.
    let named = group("sg-dns").ingress("udp", 53, 53, "10.0.0.0/8");
    let two = [&estate_of("10.0.0.0/8")[..], &[named, interface("eni-b", "10.0.0.6", &["sg-a", "sg-dns"])]]
        .concat();
    flows.push("eni-b 10.0.3.9 10.0.0.6 50000 53 17 ACCEPT".to_owned());
    flows.push("eni-b 10.0.0.6 10.0.3.9 53 50000 17 ACCEPT".to_owned());
    assert_eq!(
        replaced(&run(&two, &flows, &[]), WIDE),
        ["tcp:22-22:10.0.3.0/24", "tcp:5432-5432:10.0.3.0/24"]
    );
    // A rule that is to go leaves what was hit of it to the wide one.
    let covered =
        group("sg-a").ingress("tcp", 0, 65_535, "10.0.0.0/8").ingress("tcp", 8_080, 8_080, "10.0.3.0/24");
    let objects = [&estate_of("10.0.0.0/8")[1..], &[covered]].concat();
    let mut flows = conversation("eni-a", "10.0.0.5", peer, 443);
    flows.push("eni-a 10.0.3.9 10.0.0.5 50000 8080 6 ACCEPT".to_owned());
    let heir = run(&objects, &flows, &[]);
    assert_eq!(*heir.at("/removal_set/rules"), json!(["sg-a:ingress:tcp:8080-8080:10.0.3.0/24"]));
    assert_eq!(replaced(&heir, WIDE), ["tcp:443-443:10.0.3.0/24", "tcp:8080-8080:10.0.3.0/24"]);
}

#[test]
fn what_is_ours_is_a_subnet_whatever_its_address_looks_like() {
    let two = |address: &str, other: &str, ranges: [&str; 3], peer: &str| {
        let mut objects = vec![
            group("sg-a").ingress("tcp", 0, 65_535, peer),
            group("sg-web"),
            interface("eni-1", address, &["sg-web"]).with("SubnetId", "subnet-2"),
            interface("eni-2", other, &["sg-web"]).with("SubnetId", "subnet-3"),
        ];
        let ranges = [("subnet-1", ranges[0]), ("subnet-2", ranges[1]), ("subnet-3", ranges[2])];
        objects.extend(ranges.map(|(id, range)| subnet(id, range)));
        objects
    };
    let mut objects =
        two("11.0.1.7", "11.0.2.7", ["11.0.0.0/24", "11.0.1.0/24", "11.0.2.0/24"], "11.0.0.0/16");
    objects.push(interface("eni-a", "11.0.0.5", &["sg-a"]));
    let run = run(&objects, &conversation("eni-a", "11.0.0.5", "11.0.1.7", 443), &[]);
    assert_eq!(
        replaced(&run, "sg-a:ingress:tcp:0-65535:11.0.0.0/16"),
        ["tcp:443-443:11.0.1.0/24", "tcp:443-443:11.0.2.0/24"]
    );
}

#[test]
fn a_subnet_whose_range_of_the_family_is_not_known_is_not_known() {
    let v6 = |id: &str, address: &str| {
        interface(id, "10.0.9.9", &["sg-web"]).push("Ipv6Addresses", json!({ "Ipv6Address": address }))
    };
    let objects = |second: Object| {
        vec![
            group("sg-a").ingress("tcp", 0, 65_535, "2600:1f00:1::/56"),
            group("sg-web"),
            interface("eni-a", "10.0.0.5", &["sg-a"])
                .push("Ipv6Addresses", json!({ "Ipv6Address": "2600:1f00:1::5" })),
            v6("eni-1", "2600:1f00:1:1::7").with("SubnetId", "subnet-2"),
            v6("eni-2", "2600:1f00:1:2::7").with("SubnetId", "subnet-3"),
            subnet("subnet-2", "10.0.1.0/24")
                .push("Ipv6CidrBlockAssociationSet", json!({ "Ipv6CidrBlock": "2600:1f00:1:1::/64" })),
            second,
        ]
    };
    let key = "sg-a:ingress:tcp:0-65535:2600:1f00:1::/56";
    let flows = conversation("eni-a", "2600:1f00:1::5", "2600:1f00:1:1::7", 443);
    let half = run(&objects(subnet("subnet-3", "10.0.2.0/24")), &flows, &[]);
    assert_eq!(replaced(&half, key), ["tcp:443-443:2600:1f00:1::/56"]);
    let known = subnet("subnet-3", "10.0.2.0/24")
        .push("Ipv6CidrBlockAssociationSet", json!({ "Ipv6CidrBlock": "2600:1f00:1:2::/64" }));
    let both = run(&objects(known), &flows, &[]);
    assert_eq!(replaced(&both, key), ["tcp:443-443:2600:1f00:1:1::/64", "tcp:443-443:2600:1f00:1:2::/64"]);
}

#[test]
fn what_is_open_to_the_world_waits_for_its_owner() {
    let fixture = Fixture::new();
    fixture.snapshot("snap", &estate_of("0.0.0.0/0"));
    fixture.log("log", &hourly(&conversation("eni-a", "10.0.0.5", "203.0.113.9", 443)));
    fixture.analyze(&["log", "--snapshot", "snap", "--review-period", "1d", "--remediation", "fix"]).exit(0);
    let read = |name: &str| std::fs::read_to_string(fixture.path(name)).unwrap();
    assert!(
        read("fix/narrow.sh").contains("\n# open to the world so far: ask its owner"),
        "{}",
        read("fix/narrow.sh")
    );
    for name in ["fix/narrow.sh", "fix/narrow-undo.sh"] {
        assert!(!read(name).contains("\naws "), "{}", read(name));
    }
    assert!(read("fix/narrow.txt").lines().all(|line| line.is_empty() || line.starts_with('#')));
}

#[test]
fn health_checks_stand_for_their_ranges() {
    let flows: Vec<String> =
        (1..=20).flat_map(|at| conversation("eni-a", "10.0.0.5", &format!("54.228.16.{at}"), 443)).collect();
    let run = run(&estate_of("0.0.0.0/0"), &flows, &[]);
    assert_eq!(replaced(&run, "sg-a:ingress:tcp:0-65535:0.0.0.0/0"), ["tcp:443-443:54.228.16.0/26"]);
}

#[test]
fn destinations_in_the_internet_are_not_named() {
    let out = [
        group("sg-a").egress("-1", -1, -1, "0.0.0.0/0"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
        subnet("subnet-1", "10.0.0.0/24"),
    ];
    let flows: Vec<String> = ["52.216.1.1", "52.94.1.1"]
        .iter()
        .flat_map(|peer| {
            [
                format!("eni-a 10.0.0.5 {peer} 40000 443 6 ACCEPT"),
                format!("eni-a {peer} 10.0.0.5 443 40000 6 ACCEPT"),
            ]
        })
        .collect();
    let run = run(&out, &flows, &[]);
    let key = "sg-a:egress:-1:-1--1:0.0.0.0/0";
    assert_eq!(replaced(&run, key), ["tcp:443-443:0.0.0.0/0"]);
    assert_eq!(evidence(&run, key)["peers_kept"], json!(["destinations"]));
}

#[test]
fn a_group_of_which_not_all_subnets_are_known_is_not_narrowed() {
    let mut objects = estate_of("10.0.0.0/8");
    objects.retain(|object| object.value["SubnetId"] != "subnet-3" || object.kind != "Subnets");
    let run = run(&objects, &conversation("eni-a", "10.0.0.5", "10.0.1.7", 443), &[]);
    assert_eq!(replaced(&run, WIDE), ["tcp:443-443:10.0.0.0/8"]);
    assert_eq!(evidence(&run, WIDE)["peers_kept"], json!(["subnets_unknown"]));
}

#[test]
fn a_bound_that_is_none_is_refused() {
    let fixture = Fixture::new();
    for wrong in ["0", "61", "many"] {
        let run = fixture.analyze(&["log", "--snapshot", "snap", "--max-rules-per-rule", wrong]).exit(2);
        assert!(run.stderr.contains("--max-rules-per-rule"), "{}", run.stderr);
    }
    fixture.write("flowaudit.toml", "max_rules_per_rule = 0");
    let run = fixture.analyze(&["log", "--snapshot", "snap", "--config", "flowaudit.toml"]).exit(2);
    assert!(
        run.stderr.contains("max_rules_per_rule: expected a number from 1 to 60, found 0"),
        "{}",
        run.stderr
    );
}
