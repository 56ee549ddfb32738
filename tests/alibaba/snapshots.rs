//! Answers of ECS in all their forms.

use serde_json::{Value, json};

use crate::fixture::{Fixture, Run};
use crate::kit::{advanced, analyzed, answers, basic, fixture, line};

const ENI: [&str; 1] = ["eni-1 10.0.0.5 sg-1"];
const SSH: &str = "eni-1 in 203.0.113.9 10.0.0.5 50123 22 6 ACCEPT 2";
const KEY: &str = "sg-1:ingress:tcp:22-22:0.0.0.0/0:1:allow";

fn of_documents(documents: &[(&str, String)]) -> Run {
    let fixture = Fixture::new();
    for (name, text) in documents {
        fixture.write(&format!("snap/{name}"), text);
    }
    fixture.write("log", line(SSH));
    fixture.analyze(&["log", "--snapshot", "snap"]).exit(0)
}

#[test]
fn answers_may_be_apart_in_one_list_or_one_after_the_other() {
    let groups = [basic("sg-1", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"]), advanced("sg-2", &[])];
    let all: Vec<Value> = answers(&groups, &ENI).into_iter().map(|(_, answer)| answer).collect();
    let apart: Vec<(String, String)> =
        all.iter().enumerate().map(|(at, answer)| (format!("{at}.json"), answer.to_string())).collect();
    let apart: Vec<(&str, String)> = apart.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let list = json!(all).to_string();
    let stream = all.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let bodies =
        json!(all.iter().map(|answer| json!({ "statusCode": 200, "body": answer })).collect::<Vec<_>>());
    let reports = [
        of_documents(&apart),
        of_documents(&[("a.json", list)]),
        of_documents(&[("a.json", stream)]),
        of_documents(&[("a.json", bodies.to_string())]),
    ];
    for run in &reports {
        assert_eq!(run.usage(KEY, "records"), 1);
        assert_eq!(
            run.findings("coverage_gap")
                .iter()
                .filter(|it| it["id"] == "coverage_gap/group_types_unknown")
                .count(),
            0
        );
    }
}

#[test]
fn pages_of_one_group_add_up() {
    let first = basic("sg-1", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"]);
    let second = basic("sg-1", &["ingress Accept 1 TCP 80/80 0.0.0.0/0"]);
    let enis = answers(&[], &ENI).pop().unwrap().1;
    let run = of_documents(&[
        ("page1.json", first.attribute().to_string()),
        ("page2.json", second.attribute().to_string()),
        ("enis.json", enis.to_string()),
    ]);
    assert_eq!(run.keys(), [KEY, "sg-1:ingress:tcp:80-80:0.0.0.0/0:1:allow"]);
}

#[test]
fn a_group_without_its_last_page_is_told() {
    let first = basic("sg-1", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"]);
    let second = basic("sg-1", &["ingress Accept 1 TCP 80/80 0.0.0.0/0"]);
    let page = |group: &crate::kit::Group, token: &str| {
        let mut page = group.attribute();
        page["NextToken"] = json!(token);
        page
    };
    let told = |pages: &[Value]| {
        let fixture = fixture(&[basic("sg-2", &[])], &ENI);
        for (at, page) in pages.iter().enumerate() {
            fixture.write(&format!("snap/page{at}.json"), page.to_string());
        }
        fixture.write("log", line(SSH));
        let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
        let check = fixture.run(&["snapshot", "check", "snap"]);
        let in_check = String::from_utf8_lossy(&check.stdout).contains("groups without their last page");
        // What `show` writes says so as well.
        let shown = &fixture.run(&["snapshot", "show", "snap"]).stdout;
        fixture.write("again.json", shown);
        let again = fixture.analyze(&["log", "--snapshot", "again.json"]).exit(0);
        let ids = |run: &Run| run.finding_ids("coverage_gap");
        let found = [&run, &again].map(|run| ids(run).iter().any(|id| id.contains("group_pages_missing")));
        assert_eq!(found, [in_check; 2]);
        in_check
    };
    assert!(told(&[page(&first, "AAAA")]));
    assert!(told(&[page(&first, "AAAA"), page(&second, "BBBB")]));
    assert!(!told(&[page(&first, "AAAA"), page(&second, "")]));
    assert!(!told(&[page(&second, ""), page(&first, "AAAA")]));
    assert!(!told(&[json!([page(&first, "AAAA"), page(&second, "")])]));
}

#[test]
fn words_numbers_and_ranges_in_every_spelling() {
    let cases = [
        ("ingress Accept 1 TCP 22/22 0.0.0.0/0", "tcp:22-22:0.0.0.0/0:1:allow"),
        ("ingress accept 1 tcp 22/22 0.0.0.0/0", "tcp:22-22:0.0.0.0/0:1:allow"),
        ("ingress DROP 100 6 22/22 0.0.0.0/0", "tcp:22-22:0.0.0.0/0:100:deny"),
        ("ingress Accept 1 TCP 1/65535 0.0.0.0/0", "tcp:1-65535:0.0.0.0/0:1:allow"),
        ("ingress Accept 1 TCP -1/-1 0.0.0.0/0", "tcp:-1--1:0.0.0.0/0:1:allow"),
        ("ingress Accept 1 ALL -1/-1 0.0.0.0/0", "-1:-1--1:0.0.0.0/0:1:allow"),
        ("ingress Accept 1 all -1/-1 0.0.0.0/0", "-1:-1--1:0.0.0.0/0:1:allow"),
        ("ingress Accept 1 ICMP -1/-1 0.0.0.0/0", "icmp:-1--1:0.0.0.0/0:1:allow"),
        ("ingress Accept 1 ICMP -1/-1 ::/0", "icmp:-1--1:::/0:1:allow"),
        ("ingress Accept 1 ICMPv6 -1/-1 ::/0", "icmpv6:-1--1:::/0:1:allow"),
        ("ingress Accept 1 GRE -1/-1 10.0.0.0/8", "47:-1--1:10.0.0.0/8:1:allow"),
        ("ingress Accept 1 UDP 53/53 10.1.2.3", "udp:53-53:10.1.2.3/32:1:allow"),
        ("ingress Accept 1 TCP 22/22 2001:db8::/32", "tcp:22-22:2001:db8::/32:1:allow"),
        ("ingress Accept 1 TCP 22/22 sg-9", "tcp:22-22:sg-9:1:allow"),
        ("ingress Accept 1 TCP 22/22 pl-9", "tcp:22-22:pl-9:1:allow"),
    ];
    for (text, key) in cases {
        let run = analyzed(&[basic("sg-1", &[text])], &ENI, &[SSH]);
        assert_eq!(run.keys(), [format!("sg-1:ingress:{key}")], "{text}");
    }
    let rule = "ingress Accept 1 TCP 22/22 0.0.0.0/0";
    let run = analyzed(&[basic("sg-1", &[rule]).with("Priority", "")], &ENI, &[SSH]);
    assert_eq!(
        (run.keys(), run.rule(KEY)["priority"].clone(), run.rule(KEY)["action"].clone()),
        (vec![KEY], json!(1), json!("allow"))
    );
    // An address range comes before a group.
    let run = analyzed(&[basic("sg-1", &[rule]).with("SourceGroupId", "sg-9")], &ENI, &[SSH]);
    assert_eq!(run.keys(), [KEY]);
}

#[test]
fn what_cannot_be_is_an_error_that_says_where() {
    let rule = "ingress Accept 1 TCP 22/22 0.0.0.0/0";
    for (key, value, expected) in [
        ("Priority", "0", "sg-1: Priority: expected 1 to 100, found \"0\""),
        ("Priority", "101", "Priority: expected 1 to 100"),
        ("Policy", "maybe", "Policy: expected Accept or Drop, found \"maybe\""),
        ("Direction", "up", "Direction: expected ingress or egress"),
        ("PortRange", "22-23", "PortRange: expected ports such as 22/22"),
        ("DestCidrIp", "here", "DestCidrIp: expected an address range"),
    ] {
        let fixture = fixture(&[basic("sg-1", &[rule]).with(key, value)], &ENI);
        fixture.write("log", line(SSH));
        let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(2);
        assert!(run.stderr.contains(expected), "{key}={value}: {}", run.stderr);
    }
}

#[test]
fn prefix_lists_and_port_lists_are_looked_up() {
    let group = basic("sg-1", &["ingress Accept 1 TCP 22/22 pl-bp1abc"]);
    let ports = basic("sg-2", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"])
        .with("PortRange", "")
        .with("PortRangeListId", "prl-1");
    let lists = [
        (
            "list.json",
            json!({ "PrefixListId": "pl-bp1abc", "AddressFamily": "IPv4", "Entries": { "Entry": [
            { "Cidr": "203.0.113.0/24", "Description": "" }] } }),
        ),
        (
            "prl-1.json",
            json!({ "Entries": { "Entry": [{ "PortRange": "22/22" }, { "PortRange": "8000/8100" }] } }),
        ),
    ];
    for (group, key, explained) in [
        (&group, "sg-1:ingress:tcp:22-22:pl-bp1abc:1:allow", true),
        (&ports, "sg-2:ingress:tcp:-1--1:0.0.0.0/0:1:allow:ports=prl-1=22-22,8000-8100", true),
    ] {
        let eni = key.split(':').next().unwrap();
        let fixture = fixture(std::slice::from_ref(group), &[&format!("eni-1 10.0.0.5 {eni}")]);
        for (name, list) in &lists {
            fixture.write(&format!("snap/{name}"), list.to_string());
        }
        fixture.write("log", line(SSH));
        let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
        assert_eq!(run.usage(key, "records") == 1, explained, "{key}");
        let state = fixture.run(&["snapshot", "check", "snap"]);
        assert_eq!(state.status, Some(0), "{}", state.stderr);
    }
    // What a list is about is ICMP of its family.
    let ping = basic("sg-1", &["ingress Accept 1 ICMP -1/-1 pl-v6"]);
    let fixture = fixture(&[ping], &["eni-1 2001:db8::5 sg-1"]);
    let entries = json!({ "Entry": [{ "Cidr": "2001:db8:9::/48" }] });
    fixture.write("snap/list.json", json!({ "PrefixListId": "pl-v6", "Entries": entries }).to_string());
    fixture.write("log", line("eni-1 in 2001:db8:9::1 2001:db8::5 0 0 58 REJECT"));
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!(run.usage("sg-1:ingress:icmp:-1--1:pl-v6:1:allow", "possible_records"), 0);
    fixture.write("log", line("eni-1 in 2001:db8:9::1 2001:db8::5 0 0 58 ACCEPT"));
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!(run.usage("sg-1:ingress:icmp:-1--1:pl-v6:1:allow", "possible_records"), 1);
    // A list that nobody gives matches nothing, and what it is about cannot be decided.
    let run = analyzed(
        &[ports],
        &["eni-1 10.0.0.5 sg-2"],
        &["eni-1 out 10.0.0.5 198.51.100.7 40000 443 6 ACCEPT 2"],
    );
    let verdict = run.verdict("sg-2:ingress:tcp:-1--1:0.0.0.0/0:1:allow:ports=prl-1");
    assert!(verdict.starts_with("cannot_decide [unresolved_peer"), "{verdict}");
}

#[test]
fn a_state_keeps_all_of_it() {
    let groups = [
        basic("sg-1", &["ingress Drop 1 TCP 22/22 0.0.0.0/0", "ingress Accept 2 TCP 1/65535 0.0.0.0/0"])
            .inner("Accept"),
        advanced("sg-2", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"]).with("SourcePortRange", "1024/65535"),
    ];
    let enis = ["eni-1 10.0.0.5 sg-1", "eni-2 10.0.0.6 sg-2"];
    let fixture = fixture(&groups, &enis);
    let flows = [
        "eni-1 in 203.0.113.9 10.0.0.5 50123 22 6 REJECT 2",
        "eni-2 in 203.0.113.9 10.0.0.6 50123 22 6 ACCEPT 2",
    ];
    fixture.write("a", line(flows[0]));
    fixture.write("b", line(flows[1]));
    let whole = fixture.run(&["analyze", "a", "b", "--snapshot", "snap", "--format", "json"]);
    for (log, state) in [("a", "a.state"), ("b", "b.state")] {
        fixture.analyze(&[log, "--snapshot", "snap", "--save-state", state]).exit(0);
    }
    let merged = fixture.run(&["report", "b.state", "a.state", "--format", "json"]);
    assert_eq!((merged.status, &merged.stderr), (Some(0), &String::new()));
    assert_eq!(String::from_utf8_lossy(&merged.stdout), String::from_utf8_lossy(&whole.stdout));
}

#[test]
fn what_show_writes_is_read_back_as_it_was() {
    let groups = [
        basic(
            "sg-1",
            &[
                "ingress Drop 1 TCP 22/22 0.0.0.0/0",
                "egress Accept 2 ALL -1/-1 ::/0",
                "ingress Accept 7 UDP 1/9 sg-2",
            ],
        )
        .inner("Accept"),
        advanced("sg-2", &["ingress Accept 1 TCP 22/22 pl-9"])
            .with("SourcePortRange", "1024/65535")
            .with("DestCidrIp", "10.0.0.6"),
        basic("sg-3", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"])
            .with("PortRange", "")
            .with("PortRangeListId", "prl-1"),
        basic("sg-4", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"])
            .classic()
            .with("NicType", "intranet")
            .managed(),
        basic("sg-5", &["ingress Accept 1 GRE -1/-1 10.0.0.0/8"]).untold(),
    ];
    let enis = ["eni-1 10.0.0.5 sg-1 sg-3", "eni-2 10.0.0.6 sg-2", "eni-3 2001:db8::5 sg-5"];
    let fixture = fixture(&groups, &enis);
    let ports = json!({ "Entries": { "Entry": [{ "PortRange": "22/22" }, { "PortRange": "8000/8100" }] } });
    fixture.write("snap/prl-1.json", ports.to_string());
    let shown = fixture.run(&["snapshot", "show", "snap"]);
    assert_eq!((shown.status, shown.stderr.as_str()), (Some(0), ""));
    fixture.write("again/shown.json", &shown.stdout);
    let diff = fixture.run(&["snapshot", "diff", "snap", "again"]);
    assert_eq!(String::from_utf8_lossy(&diff.stdout), "No difference.\n");
    let again = fixture.run(&["snapshot", "show", "again"]);
    assert_eq!(again.stdout, shown.stdout);
    let flow = "eni-1 in 203.0.113.9 10.0.0.5 50123 22 6 REJECT 2";
    fixture.write("log", line(flow));
    let [one, other] = ["snap", "again"].map(|snap| {
        let mut report = fixture.analyze(&["log", "--snapshot", snap]).exit(0).json.clone();
        report["coverage"].as_object_mut().unwrap().remove("snapshots");
        report
    });
    assert_eq!(one, other);
}

#[test]
fn check_says_what_is_missing_and_how_to_get_it() {
    let fixture = fixture(&[basic("sg-1", &[]).untold()], &["eni-1 10.0.0.5 sg-1 sg-2"]);
    let check = fixture.run(&["snapshot", "check", "snap"]);
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    for expected in
        ["sg-2", "aliyun ecs DescribeSecurityGroupAttribute", "groups of a type that is not told", "sg-1"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("aws ec2"), "{text}");
}

#[test]
fn types_and_lists_that_another_snapshot_tells_hold_on() {
    let fixture = Fixture::new();
    let group = advanced("sg-1", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"])
        .with("PortRange", "")
        .with("PortRangeListId", "prl-1");
    let all = answers(&[group], &ENI);
    for (name, answer) in &all {
        // Only the first says of which type the group is, and what the list holds.
        fixture.write(&format!("days/2026-01-01T00:00:00Z/{name}"), answer.to_string());
        if name != "groups.json" {
            fixture.write(&format!("days/2026-01-01T01:00:00Z/{name}"), answer.to_string());
        }
    }
    let ports = json!({ "Entries": { "Entry": [{ "PortRange": "22/22" }] } });
    fixture.write("days/2026-01-01T00:00:00Z/prl-1.json", ports.to_string());
    let flows = [SSH, "eni-1 out 10.0.0.5 198.51.100.7 40000 443 6 ACCEPT 2"];
    fixture.write("log", flows.map(|flow| crate::kit::line_at(crate::fixture::T0 + 7200, flow)).join("\n"));
    let run = fixture.analyze(&["log", "--snapshot", "days"]).exit(0);
    let key = "sg-1:ingress:tcp:-1--1:0.0.0.0/0:1:allow:ports=prl-1=22-22";
    assert_eq!((run.keys(), run.usage(key, "records")), (vec![key], 1));
    let untyped = run.finding_ids("coverage_gap").contains(&"group_types_unknown".to_owned());
    assert_eq!((run.outcome("unexplained"), untyped), (1, false));
    // A list that changes makes another rule.
    let ports = json!({ "Entries": { "Entry": [{ "PortRange": "23/23" }] } });
    fixture.write("days/2026-01-01T01:30:00Z/prl-1.json", ports.to_string());
    let run = fixture.analyze(&["log", "--snapshot", "days"]).exit(0);
    let later = "sg-1:ingress:tcp:-1--1:0.0.0.0/0:1:allow:ports=prl-1=23-23";
    assert_eq!(run.keys(), [key, later]);
    assert_eq!(run.rule(key)["in_force"]["to"], "2026-01-01T01:30:00Z");
}

#[test]
fn snapshots_of_two_accounts_leave_each_other_in_force() {
    let fixture = Fixture::new();
    for (at, account, id, eni) in [
        ("2026-01-01T00:00:00Z", "111", "sg-1", "eni-1 10.0.0.5 sg-1"),
        ("2026-01-01T00:30:00Z", "222", "sg-2", "eni-2 10.0.0.6 sg-2"),
    ] {
        for (name, mut answer) in
            answers(&[basic("sg-1", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"]).renamed(id)], &[eni])
        {
            if let Some(enis) = answer.pointer_mut("/NetworkInterfaceSets/NetworkInterfaceSet") {
                for eni in enis.as_array_mut().unwrap() {
                    eni["OwnerId"] = json!(account);
                    eni["VpcId"] = json!(format!("vpc-{account}"));
                }
            }
            fixture.write(&format!("days/{at}/{name}"), answer.to_string());
        }
    }
    let flows = [SSH, "eni-2 in 203.0.113.9 10.0.0.6 50123 22 6 ACCEPT 2"];
    fixture.write("log", flows.map(|flow| crate::kit::line_at(crate::fixture::T0 + 7200, flow)).join("\n"));
    let run = fixture.analyze(&["log", "--snapshot", "days"]).exit(0);
    assert_eq!((run.outcome("unknown_group"), run.outcome("interface_from_neighbour")), (0, 0));
    assert_eq!(run.usage(KEY, "records"), 1);
    assert_eq!(run.usage("sg-2:ingress:tcp:22-22:0.0.0.0/0:1:allow", "records"), 1);
}

#[test]
fn a_group_that_nobody_carries_is_of_the_account_of_its_snapshot() {
    let world = "ingress Accept 1 TCP 22/22 0.0.0.0/0";
    let accounts = [("111", "sg-1", "eni-1", "10.0.0.5"), ("222", "sg-2", "eni-2", "10.0.0.6")];
    let idle = basic("sg-9", &[world]);
    // Snapshots: which accounts stand in them; the idle group, of a VPC without interfaces, is of the last.
    for snapshots in [&[&accounts[..1], &accounts[1..]][..], &[&accounts[..], &accounts[1..]]] {
        let fixture = Fixture::new();
        for (hour, snapshot) in snapshots.iter().enumerate() {
            for (account, id, eni, address) in *snapshot {
                let mut groups = vec![basic("sg-1", &[world]).renamed(id)];
                if *account == "222" {
                    groups.push(idle.clone().classic());
                }
                for (name, mut answer) in answers(&groups, &[&format!("{eni} {address} {id}")]) {
                    if let Some(eni) = answer.pointer_mut("/NetworkInterfaceSets/NetworkInterfaceSet/0") {
                        eni["OwnerId"] = json!(account);
                        eni["VpcId"] = json!(format!("vpc-{account}"));
                    }
                    let folder = format!("days/2026-01-01T0{hour}:00:00Z/{account}");
                    fixture.write(
                        &format!("{folder}/{name}"),
                        answer.to_string().replace("vpc-1\"", &format!("vpc-{account}\"")),
                    );
                }
            }
        }
        let flows = [SSH, "eni-2 in 203.0.113.9 10.0.0.6 50123 22 6 ACCEPT 2"];
        fixture
            .write("log", flows.map(|flow| crate::kit::line_at(crate::fixture::T0 + 7200, flow)).join("\n"));
        let run = fixture.analyze(&["log", "--snapshot", "days"]).exit(0);
        assert_eq!((run.outcome("unknown_group"), run.outcome("interface_from_neighbour")), (0, 0));
        assert_eq!(run.usage(KEY, "records"), 1);
        assert_eq!(run.usage("sg-2:ingress:tcp:22-22:0.0.0.0/0:1:allow", "records"), 1);
    }
}

#[test]
fn diff_tells_what_a_group_does_by_itself() {
    let group = || basic("sg-1", &["ingress Accept 1 TCP 22/22 0.0.0.0/0"]);
    let fixture = Fixture::new();
    for (name, groups) in [
        ("a", vec![group()]),
        ("isolated", vec![group().inner("Drop")]),
        ("more", vec![group(), basic("sg-2", &[])]),
    ] {
        for (file, answer) in answers(&groups, &["eni-1 10.0.0.5 sg-1"]) {
            fixture.write(&format!("{name}/{file}"), answer.to_string());
        }
    }
    let rules = |other: &str| {
        let run = fixture.run(&["snapshot", "diff", "a", other, "--format", "json"]);
        let json: Value = serde_json::from_slice(&run.stdout).unwrap();
        json["rules"].clone()
    };
    let isolated = rules("isolated");
    assert_eq!(isolated["removed"][0]["rule_key"], "sg-1:ingress:-1:-1--1:sg-1:110:allow:default");
    assert_eq!((&isolated["added"], &rules("more")["added"]), (&json!([]), &json!([])));
}

#[test]
fn several_answers_in_one_object_and_lists_named_by_their_file() {
    let group = basic("sg-1", &["ingress Accept 1 TCP 22/22 pl-bp1"]);
    let mut all = serde_json::Map::new();
    for (_, answer) in answers(&[group], &ENI) {
        all.extend(answer.as_object().unwrap().clone());
    }
    let entries = json!({ "Entries": { "Entry": [{ "Cidr": "203.0.113.0/24" }] } });
    let run =
        of_documents(&[("all.json", Value::Object(all).to_string()), ("pl-bp1.json", entries.to_string())]);
    assert_eq!(run.usage("sg-1:ingress:tcp:22-22:pl-bp1:1:allow", "records"), 1);
}
