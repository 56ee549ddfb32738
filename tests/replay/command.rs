//! The command, as its users run it.

use serde_json::{Value, json};

use crate::fixture::{Fixture, HOUR, Object, Run, T0, documents, group, interface, row_at};

const WEB: &str = "sg-a:ingress:tcp:443-443:0.0.0.0/0";
const SSH: &str = "sg-a:ingress:tcp:22-22:10.0.0.0/8";

fn here() -> Vec<Object> {
    vec![
        group("sg-a").ingress("tcp", 443, 443, "0.0.0.0/0").ingress("tcp", 22, 22, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ]
}

/// Two connections on 443 with their replies, one on 22, and what was refused on 8080.
fn rows() -> Vec<String> {
    let flows = [
        "eni-a 192.0.2.1 10.0.0.5 40000 443 6 ACCEPT",
        "eni-a 10.0.0.5 192.0.2.1 443 40000 6 ACCEPT",
        "eni-a 192.0.2.2 10.0.0.5 40001 443 6 ACCEPT",
        "eni-a 10.9.9.9 10.0.0.5 40002 22 6 ACCEPT",
        "eni-a 192.0.2.9 10.0.0.5 40003 8080 6 REJECT",
        "eni-a 192.0.2.9 10.0.0.5 40004 8080 6 REJECT",
    ];
    (0..).zip(flows).map(|(hour, flow)| row_at(T0 + hour * HOUR, flow)).collect()
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.log("log", &rows());
    fixture.snapshot("snap", &here());
    fixture
}

fn replay(fixture: &Fixture, proposed: &str, more: &[&str]) -> Run {
    let arguments = ["replay", "log", "--snapshot", "snap", "--proposed", proposed, "--format", "json"];
    fixture.run(&[&arguments, more].concat())
}

/// `INTERFACE DIRECTION PROTOCOL/PORT PEER RECORDS RULES…` of each row.
fn lines(run: &Run, part: &str, rules: &str) -> Vec<String> {
    let rows = run.at(&format!("/{part}/rows")).as_array().unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |row: &Value| {
        let flow =
            ["interface_id", "direction", "protocol", "port", "peer", "records"].map(|key| text(&row[key]));
        let rules = row[rules].as_array().unwrap().iter().map(text).collect::<Vec<_>>();
        format!("{} {}", flow.join(" "), rules.join(" "))
    };
    rows.iter().map(line).collect()
}

fn blocked(run: &Run) -> Vec<String> {
    lines(run, "newly_blocked", "lost_rules")
}

#[test]
fn a_list_of_rules_to_remove_blocks_their_flows_in_both_directions() {
    let fixture = fixture();
    fixture.write("gone.txt", format!("# a review\n\n{WEB}  # the world\n"));
    let run = replay(&fixture, "gone.txt", &[]).exit(0);
    assert_eq!(
        blocked(&run),
        [
            format!("eni-a ingress tcp 443 192.0.2.1 1 {WEB}"),
            format!("eni-a ingress tcp 443 192.0.2.2 1 {WEB}"),
            format!("eni-a egress tcp 443 192.0.2.1 1 {WEB}"),
        ]
    );
    assert_eq!(
        (run.at("/newly_blocked/records"), run.at("/newly_blocked/possible_records")),
        (&json!(3), &json!(0))
    );
    assert_eq!(*run.at("/newly_opened"), json!({ "records": 0, "rows": [] }));
    assert_eq!(*run.at("/unexplained"), json!({ "now": 0, "proposed": 3 }));
    assert_eq!(*run.at("/coverage/records/total"), 6);
    assert_eq!(
        *run.at("/newly_blocked/rows/0"),
        json!({
            "interface_id": "eni-a", "direction": "ingress", "protocol": "tcp", "port": 443, "peer": "192.0.2.1",
            "lost_rules": [WEB], "certainty": "sure", "gone_before": false, "records": 1, "closed_records": null,
            "first_seen": "2026-01-01T00:00:00Z", "last_seen": "2026-01-01T00:01:00Z",
        })
    );
}

#[test]
fn a_list_may_put_rules_in() {
    let fixture = fixture();
    let add = |lines: &str| fixture.write("list.txt", lines);
    // A narrower one in place of the world, and one that lets in what was refused.
    add(&format!(
        "+ sg-a:ingress:tcp:443-443:192.0.2.1/32\n{WEB}\n+ sg-a:ingress:tcp:8000-8999:192.0.2.0/24 # new\n"
    ));
    let run = replay(&fixture, "list.txt", &["--remediation", "fix"]).exit(0);
    assert_eq!(blocked(&run), [format!("eni-a ingress tcp 443 192.0.2.2 1 {WEB}")]);
    assert_eq!(
        lines(&run, "newly_opened", "opening_rules"),
        ["eni-a ingress tcp 8080 192.0.2.9 2 sg-a:ingress:tcp:8000-8999:192.0.2.0/24"]
    );
    let read = |name: &str| std::fs::read_to_string(fixture.path(name)).unwrap();
    let commands = |script: &str| -> Vec<String> {
        let commands = script.lines().filter(|line| line.starts_with("aws "));
        commands.map(|line| line.split_whitespace().nth(2).unwrap().to_owned()).collect()
    };
    let (authorize, revoke) = ("authorize-security-group-ingress", "revoke-security-group-ingress");
    assert_eq!(commands(&read("fix/apply.sh")), [authorize, authorize, revoke]);
    assert_eq!(commands(&read("fix/undo.sh")), [authorize, revoke, revoke]);
    assert!(read("fix/removal.txt").contains("+ sg-a:ingress:tcp:443-443:192.0.2.1/32\n"));
    add("+ sg-a:ingress:tcp:1-1:sg-none\n");
    let nobody = replay(&fixture, "list.txt", &[]).exit(0);
    assert_eq!(
        *nobody.at("/warnings"),
        json!([
            "+ sg-a:ingress:tcp:1-1:sg-none: sg-none is not in the snapshot, so that it lets nothing through"
        ])
    );
    // What the list says again is what was proposed.
    let again = replay(&fixture, "fix/removal.txt", &[]).exit(0);
    assert_eq!(again.at("/newly_blocked"), run.at("/newly_blocked"));
    for wrong in [
        "+ sg-b:ingress:tcp:1-1:10.0.0.0/8",
        "+ sg-a:inwards:tcp:1-1:10.0.0.0/8",
        "+ sg-a:ingress:tpc:1-1:10.0.0.0/8",
        "+ sg-a:ingress:tcp:1:10.0.0.0/8",
        "+ sg-a:ingress:tcp:1-99999:10.0.0.0/8",
        "+ sg-a:ingress:tcp:1-1:ten",
        "+ sg-a:ingress:tcp:1-1",
        "+ sg-a:ingress:tcp:30-20:10.0.0.0/8",
        "+ sg-a:ingress:tcp:22--1:10.0.0.0/8",
    ] {
        add(&format!("\n{wrong}\n"));
        let run = replay(&fixture, "list.txt", &[]).exit(2);
        assert!(run.stderr.contains("list.txt:2: + "), "{}", run.stderr);
        assert!(run.stderr.contains("expected the key of a rule to add"), "{}", run.stderr);
    }
}

#[test]
fn fail_on_tells_by_the_exit_status() {
    let fixture = fixture();
    fixture.write("gone.txt", WEB);
    fixture.write("none.txt", "# nothing\n");
    let wider = [here()[0].clone().ingress("tcp", 8080, 8080, "0.0.0.0/0"), here()[1].clone()];
    fixture.snapshot("wider", &wider);
    for (proposed, fail_on, status) in [
        ("gone.txt", "blocked", 1),
        ("gone.txt", "changed", 1),
        ("none.txt", "changed", 0),
        ("wider", "blocked", 0),
        ("wider", "changed", 1),
    ] {
        replay(&fixture, proposed, &["--fail-on", fail_on]).exit(status);
    }
}

#[test]
fn a_snapshot_proposes_all_rules_of_its_account() {
    let fixture = fixture();
    let proposed =
        [group("sg-a").ingress("tcp", 443, 443, "192.0.2.1/32").ingress("tcp", 8080, 8080, "192.0.2.0/24")];
    fixture.write("new.json", documents(&proposed)["SecurityGroups"].to_string());
    let run = replay(&fixture, "new.json", &[]).exit(0);
    assert_eq!(
        blocked(&run),
        [
            format!("eni-a ingress tcp 22 10.9.9.9 1 {SSH}"),
            format!("eni-a ingress tcp 443 192.0.2.2 1 {WEB}"),
        ]
    );
    assert_eq!(
        lines(&run, "newly_opened", "opening_rules"),
        ["eni-a ingress tcp 8080 192.0.2.9 2 sg-a:ingress:tcp:8080-8080:192.0.2.0/24"]
    );
}

#[test]
fn a_proposal_may_bring_its_own_memberships() {
    let fixture = fixture();
    let proposed = [here()[0].clone(), group("sg-b"), interface("eni-a", "10.0.0.5", &["sg-b"])];
    fixture.snapshot("new", &proposed);
    let run = replay(&fixture, "new", &[]).exit(0);
    assert_eq!(*run.at("/newly_blocked/records"), 4);
}

#[test]
fn the_removal_set_of_a_report_blocks_nothing() {
    let fixture = fixture();
    let wide = here()[0].clone().ingress("tcp", 22, 22, "10.9.0.0/16").ingress("tcp", 99, 99, "10.0.0.0/8");
    fixture.snapshot("snap", &[wide, here()[1].clone()]);
    let report = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!(report.at("/removal_set/rules").as_array().unwrap().len(), 2);
    fixture.write("report.json", &report.stdout);
    let run = replay(&fixture, "report.json", &["--fail-on", "blocked"]).exit(0);
    assert_eq!(blocked(&run), [""; 0]);
}

#[test]
fn connections_that_are_over_are_told() {
    let fixture = Fixture::new();
    let header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action \
                  log-status tcp-flags";
    let flagged = |flow: &str, flags: u8| format!("{} {flags}", row_at(T0, flow));
    let flow = "eni-a 192.0.2.1 10.0.0.5 40000 443 6 ACCEPT";
    let rows = [flagged(flow, 2), flagged(flow, 3), flagged(flow, 19)];
    fixture.write("log", format!("{header}\n{}\n", rows.join("\n")));
    fixture.snapshot("snap", &here());
    fixture.write("gone.txt", WEB);
    let run = replay(&fixture, "gone.txt", &[]).exit(0);
    let closed: Vec<&Value> =
        run.at("/newly_blocked/rows").as_array().unwrap().iter().map(|row| &row["closed_records"]).collect();
    assert_eq!(closed, [&json!(1), &json!(1)], "the last one is a reply, read the other way round");
}

#[test]
fn what_cannot_be_replayed_says_why() {
    let fixture = fixture();
    fixture.write("unknown.txt", format!("{SSH}\nsg-a:ingress:tcp:1-1:10.0.0.0/8\n"));
    fixture.write("logs.json", r#"{"FlowLogs": []}"#);
    fixture.write("odd.json", r#"{"hello": 1}"#);
    for (proposed, words) in [
        ("nowhere", "nowhere: no such file or folder; --proposed takes a snapshot, a Terraform plan"),
        ("unknown.txt", "unknown.txt:2: no rule sg-a:ingress:tcp:1-1:10.0.0.0/8 in the newest state"),
        ("odd.json", "odd.json: nothing that tells of security groups"),
        ("log", "log:1: no rule version account-id"),
    ] {
        let run = replay(&fixture, proposed, &[]);
        assert_eq!(run.status, Some(2), "{proposed}");
        assert!(run.stderr.contains(words), "{proposed}: {}", run.stderr);
    }
}

#[test]
fn the_text_says_what_would_break_and_by_which_rule() {
    let fixture = fixture();
    fixture.write("gone.txt", WEB);
    let run = fixture.run(&["replay", "log", "--snapshot", "snap", "--proposed", "gone.txt"]);
    let text = String::from_utf8(run.stdout.clone()).unwrap();
    let expected = "flowaudit 0.1.0 replay: 2026-01-01 00:00 to 2026-01-01 05:01 UTC\n\n  \
                    Read: 6 records in 1 file: 4 accepted, 2 rejected\n  \
                    Would be blocked: 3 records surely, 0 possibly, by 1 rule that would be lost\n  \
                    Would be opened: nothing that these logs show refused\n  \
                    Unexplained: 0 ACCEPTs by the rules in force, 3 by those proposed\n\n\
                    Rules that would be missed\n  \
                    RECORDS  POSSIBLE  PEERS  LAST SEEN         RULE\n        \
                    3         0      2  2026-01-01 02:01  sg-a:ingress:tcp:443-443:0.0.0.0/0\n";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_proposal_of_nothing_is_a_mistake_and_a_part_of_an_account_is_told() {
    let fixture = fixture();
    for (name, bytes, words) in [
        ("empty", "", "empty: an empty file"),
        ("blank.json", " \n", "blank.json: an empty file"),
        ("acls.json", r#"{"NetworkAcls": []}"#, "nothing that tells of security groups"),
    ] {
        fixture.write(name, bytes);
        let run = replay(&fixture, name, &[]);
        assert_eq!(run.status, Some(2), "{name}");
        assert!(run.stderr.contains(words), "{name}: {}", run.stderr);
    }
    let more = [here(), vec![group("sg-b").ingress("tcp", 1, 1, "10.0.0.0/8")]].concat();
    fixture.snapshot("snap", &more);
    fixture.write("one.json", documents(&here()[..1])["SecurityGroups"].to_string());
    let run = replay(&fixture, "one.json", &[]);
    assert!(
        run.stderr
            .contains("the proposal lacks 1 of 2 security groups, so all their rules count as gone: sg-b")
    );
    assert_eq!(run.at("/warnings").as_array().unwrap().len(), 1);
}

#[test]
fn what_was_gone_before_is_not_blamed_on_the_proposal() {
    let fixture = Fixture::new();
    fixture.log("log", &rows());
    fixture.snapshot("snaps/2025-12-31", &here());
    let without = [group("sg-a").ingress("tcp", 443, 443, "0.0.0.0/0"), here()[1].clone()];
    fixture.snapshot("snaps/2026-01-02", &without);
    fixture.write("none.txt", "# nothing");
    let arguments = ["replay", "log", "--snapshot", "snaps", "--proposed", "none.txt", "--format", "json"];
    let run = fixture.run(&[&arguments[..], &["--fail-on", "blocked"]].concat()).exit(0);
    assert_eq!(blocked(&run), [format!("eni-a ingress tcp 22 10.9.9.9 1 {SSH}")]);
    assert_eq!(*run.at("/newly_blocked/gone_before_records"), 1);
    assert_eq!(*run.at("/newly_blocked/rows/0/gone_before"), true);
}

/// A plan that adds a rule whose range is not known yet, and one of whose group no inline rule is known.
#[test]
fn what_a_plan_does_not_know_yet_is_told_and_takes_nothing_away() {
    let fixture = fixture();
    let group = json!({
        "address": "aws_security_group.a", "mode": "managed", "type": "aws_security_group", "name": "a",
        "values": { "id": "sg-a", "name": "sg-a", "vpc_id": "vpc-1", "owner_id": "111111111111" },
    });
    let plan = json!({
        "format_version": "1.2", "terraform_version": "1.9.0",
        "prior_state": { "format_version": "1.0", "values": { "root_module": { "resources": [group] } } },
        "planned_values": { "root_module": { "resources": [group] } },
        "resource_changes": [{
            "address": "aws_security_group.a", "mode": "managed", "type": "aws_security_group", "name": "a",
            "change": {
                "actions": ["update"], "before": group["values"], "after": group["values"],
                "after_unknown": { "ingress": true },
            },
        }],
    });
    fixture.write("plan.json", plan.to_string());
    let run = replay(&fixture, "plan.json", &["--fail-on", "blocked"]).exit(0);
    assert!(
        run.stderr.contains("aws_security_group.a: ingress is not known before the plan is applied"),
        "{}",
        run.stderr
    );
    assert_eq!(*run.at("/newly_blocked/records"), 0);
}

#[test]
fn a_list_may_be_as_windows_writes_it() {
    let fixture = fixture();
    let list = format!("\u{feff}# a review\r\n{WEB}\t# the world\r\n");
    fixture.write("crlf.txt", &list);
    fixture.write("utf16.txt", list.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    for name in ["crlf.txt", "utf16.txt"] {
        assert_eq!(*replay(&fixture, name, &[]).exit(0).at("/newly_blocked/records"), 3, "{name}");
    }
}
