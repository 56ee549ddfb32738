//! What the report says of a rule's use, verdict by verdict and reason by reason.
//!
//! Most cases start from [`Day`]: a whole day in which one rule is used and one, tcp 22, is not, and nothing speaks
//! against calling that one unused.

use serde_json::json;

use crate::fixture::{
    ACCOUNT, Fixture, HOUR, Object, Run, T0, flow_log, group, interface, row, row_at, silence_at,
};

pub(crate) const UNUSED: &str = "sg-a:ingress:tcp:22-22:10.0.0.0/8";
const USED: &str = "sg-a:ingress:tcp:443-443:10.0.0.0/8";

/// A day on which nothing is wrong, to which each case adds what is.
pub(crate) struct Day {
    pub(crate) objects: Vec<Object>,
    pub(crate) rows: Vec<String>,
    pub(crate) snapshot: &'static str,
    pub(crate) review: &'static str,
}

impl Day {
    pub(crate) fn new() -> Self {
        let objects = vec![
            group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").ingress("tcp", 443, 443, "10.0.0.0/8"),
            interface("eni-a", "10.0.0.5", &["sg-a"]),
        ];
        let rows = hourly("eni-a", 0..25, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT");
        Self { objects, rows, snapshot: "snap", review: "1d" }
    }

    pub(crate) fn and(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }

    pub(crate) fn rows(mut self, rows: impl IntoIterator<Item = String>) -> Self {
        self.rows.extend(rows);
        self
    }

    /// Changes the group or the interface.
    pub(crate) fn changed(mut self, at: usize, change: impl FnOnce(Object) -> Object) -> Self {
        self.objects[at] = change(self.objects[at].clone());
        self
    }

    /// Without the records of these hours.
    pub(crate) fn silent(mut self, hours: std::ops::Range<usize>) -> Self {
        self.rows.drain(hours);
        self
    }

    #[track_caller]
    pub(crate) fn run(&self) -> Run {
        let fixture = Fixture::new();
        fixture.snapshot("snap", &self.objects);
        fixture.log("log", &self.rows);
        fixture.analyze(&["log", "--snapshot", self.snapshot, "--review-period", self.review]).exit(0)
    }

    #[track_caller]
    pub(crate) fn verdict(&self) -> String {
        self.run().verdict(UNUSED)
    }
}

/// One record an hour.
pub(crate) fn hourly(interface: &str, hours: std::ops::Range<i64>, flow: &str) -> Vec<String> {
    hours.map(|hour| row_at(T0 + hour * HOUR, &format!("{interface} {flow}"))).collect()
}

pub(crate) fn nodata(interface: &str, hours: std::ops::Range<i64>) -> Vec<String> {
    hours.map(|hour| silence_at(T0 + hour * HOUR, interface, "NODATA")).collect()
}

#[test]
fn a_rule_is_used_from_its_first_record_or_reply_on() {
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8").ingress("tcp", 443, 443, "10.0.0.0/8").egress(
            "tcp",
            5432,
            5432,
            "10.0.0.0/8",
        ),
        interface("eni-a", "10.0.0.5", &["sg-a"]),
    ];
    let rows = [
        row("eni-a 10.0.0.9 10.0.0.5 40000 22 6 ACCEPT"),
        row("eni-a 10.0.0.9 10.0.0.5 5432 40000 6 ACCEPT"),
    ];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    let (forward, reply) = (UNUSED, "sg-a:egress:tcp:5432-5432:10.0.0.0/8");
    assert_eq!((run.verdict(forward), run.usage(forward, "records")), ("used".to_owned(), 1));
    assert_eq!((run.verdict(reply), run.usage(reply, "reply_records")), ("used".to_owned(), 1));
    assert_eq!(run.rule(reply)["usage"]["interfaces"], json!(["eni-a"]));
    assert_eq!((run.basis("rules"), run.outcome("unexplained")), (2, 0));
}

#[test]
fn a_record_that_nothing_decides_and_a_ping_of_one_type_are_possible_use() {
    let objects = [
        group("sg-a")
            .ingress("tcp", 1024, 65535, "10.0.0.0/8")
            .egress("tcp", 1024, 65535, "10.0.0.0/8")
            .ingress("icmpv6", 128, -1, "::/0"),
        interface("eni-a", "10.0.0.5", &["sg-a"])
            .push("Ipv6Addresses", json!({ "Ipv6Address": "2600:1f18::5" })),
    ];
    let rows = [
        row("eni-a 10.0.0.9 10.0.0.5 40000 50000 6 ACCEPT"),
        row("eni-a 2600:1f18::9 2600:1f18::5 0 0 58 ACCEPT"),
    ];
    let run = Fixture::analyzed(&objects, &rows, &[]);
    assert_eq!(run.with_verdict("possibly_used").len(), 3);
    for key in run.keys() {
        assert_eq!(run.verdict(key), "possibly_used");
        assert_eq!((run.usage(key, "possible_records"), run.usage(key, "records")), (1, 0), "{key}");
        assert_eq!(run.usage(key, "possible_sole_records"), 1, "{key}");
    }
    assert_eq!((run.basis("ambiguous"), run.basis("rules")), (1, 1));
}

#[test]
fn a_group_on_no_interface_is_unattached_and_strays_of_its_vpc_are_named() {
    let loose = "sg-loose:ingress:tcp:22-22:10.0.0.0/8";
    let day = || Day::new().and(group("sg-loose").ingress("tcp", 22, 22, "10.0.0.0/8"));
    let run = day().run();
    assert_eq!(run.verdict(loose), "unattached");
    assert_eq!(run.finding_ids("unattached_group"), ["sg-loose"]);
    let stray = "eni-x 10.0.0.9 10.0.0.77 40000 22 6 ACCEPT";
    let cases = [
        (row(stray), "unattached [unknown_interfaces]"),
        (row(stray).replace("ACCEPT", "REJECT"), "unattached"),
        (row(stray).replace(ACCOUNT, "222222222222"), "unattached"),
    ];
    for (row, expected) in cases {
        let run = day().rows([row.clone()]).run();
        assert_eq!(run.verdict(loose), expected, "{row}");
        assert_eq!(run.finding_ids("unattached_group"), ["sg-loose"], "{row}");
    }
}

#[test]
fn ninety_covered_days_give_high_confidence() {
    let last = 90 * 24;
    let mut rows = nodata("eni-a", 0..last);
    rows.push(row("eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"));
    rows.push(row_at(T0 + last * HOUR, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"));
    let fixture = Fixture::new();
    fixture.snapshot("snap", &Day::new().objects);
    fixture.log("log", &rows);
    let run = fixture.analyze(&["log", "--snapshot", "snap"]).exit(0);
    assert_eq!((run.verdict(UNUSED), run.verdict(USED)), ("not_seen high".to_owned(), "used".to_owned()));
    assert_eq!(run.rule(UNUSED)["usage"]["covered_share"], 1.0);
    let finding = run.finding(&format!("unused_rule/{UNUSED}"));
    assert_eq!((&finding["severity"], &finding["rule_key"]), (&json!("low"), &json!(UNUSED)));
    // In force since the window began is old enough; a second later is not.
    let run = fixture.analyze(&["log", "--snapshot", "2026-01-01T00:00:00Z=snap"]).exit(0);
    assert_eq!(run.verdict(UNUSED), "not_seen high");
    let run = fixture.analyze(&["log", "--snapshot", "2026-01-01T00:00:01Z=snap"]).exit(0);
    assert_eq!(run.verdict(UNUSED), "not_seen medium [history_unknown]");
    // One record is no window of ninety days.
    let run = fixture.analyze(&["log", "--snapshot", "snap", "--until", "2026-03-31"]).exit(0);
    assert_eq!(run.verdict(UNUSED), "not_seen medium [window_short]");
}

#[test]
fn one_doubt_gives_medium_confidence_and_names_itself() {
    let half = || hourly("eni-a", 0..25, "10.0.0.9 10.0.0.5 40000 443 6 ACCEPT");
    let cases = [
        ("nothing", Day::new(), "not_seen high"),
        ("window", Day { review: "25h", ..Day::new() }, "not_seen medium [window_short]"),
        ("skipdata", Day::new().rows([silence_at(T0, "eni-a", "SKIPDATA")]), "not_seen medium [skipdata]"),
        ("gap", Day::new().silent(3..4), "not_seen medium [gap]"),
        ("history", Day { snapshot: "2026-01-02=snap", ..Day::new() }, "not_seen medium [history_unknown]"),
        (
            "stray in the account",
            Day::new().rows([row("eni-x 10.0.0.9 10.0.0.77 40000 22 6 ACCEPT")]),
            "not_seen medium [unknown_interfaces]",
        ),
        (
            "refused stray",
            Day::new().rows([row("eni-x 10.0.0.9 10.0.0.77 40000 22 6 REJECT")]),
            "not_seen high",
        ),
        (
            "malformed",
            Day::new().rows([row("eni-a 10.0.0.9 10.0.0.999 40000 22 6 ACCEPT")]),
            "not_seen medium [malformed_rows]",
        ),
        (
            "partly outside what flow logs hold",
            Day::new().changed(0, |group| group.ingress("udp", 67, 69, "10.0.0.0/8")),
            "not_seen high",
        ),
        (
            "second interface, covered",
            Day::new()
                .and(interface("eni-b", "10.0.0.6", &["sg-a"]))
                .rows(half().into_iter().map(|row| row.replace("eni-a", "eni-b").replace("0.5 ", "0.6 "))),
            "not_seen high",
        ),
    ];
    for (name, day, expected) in cases {
        assert_eq!(day.verdict(), expected, "{name}");
    }
    let partly = Day::new().changed(0, |group| group.ingress("udp", 67, 69, "10.0.0.0/8"));
    let verdict = partly.run().verdict("sg-a:ingress:udp:67-69:10.0.0.0/8");
    assert_eq!(verdict, "not_seen medium [not_loggable]");
}

#[test]
fn two_doubts_much_silence_or_a_rare_name_give_low_confidence() {
    let cases = [
        (
            "two",
            Day { review: "25h", ..Day::new() }.rows([silence_at(T0, "eni-a", "SKIPDATA")]),
            "not_seen low [skipdata, window_short]",
        ),
        ("88 in 100", Day::new().silent(3..6), "not_seen low [gap]"),
        ("92 in 100", Day::new().silent(3..5), "not_seen medium [gap]"),
        ("half", Day::new().silent(1..13), "not_seen low [gap]"),
        (
            "named in the group",
            Day::new().changed(0, |group| group.with("Description", "Failover to Dublin")),
            "not_seen low [rare_by_name]",
        ),
        (
            "named in a tag",
            Day::new().changed(0, |group| group.push("Tags", json!({ "Key": "purpose", "Value": "DR" }))),
            "not_seen low [rare_by_name]",
        ),
        (
            "a word that only begins like one",
            Day::new().changed(0, |group| group.with("Description", "drive backups-service")),
            "not_seen high",
        ),
        (
            "an interface without a record",
            Day::new().and(interface("eni-b", "10.0.0.6", &["sg-a"])),
            "not_seen low [interface_partly_silent, gap]",
        ),
    ];
    for (name, day, expected) in cases {
        assert_eq!(day.verdict(), expected, "{name}");
    }
}

#[test]
fn a_description_of_the_rule_itself_may_mark_it_rare() {
    for (text, expected) in
        [("break-glass access", "not_seen low [rare_by_name]"), ("office", "not_seen high")]
    {
        let mut day = Day::new();
        day.objects[0].value["IpPermissions"][0]["IpRanges"][0]["Description"] = json!(text);
        assert_eq!(day.verdict(), expected, "{text}");
    }
}

#[test]
fn less_than_half_of_the_time_decides_nothing() {
    assert_eq!(Day::new().silent(1..13).run().with_verdict("not_seen"), [UNUSED]);
    let run = Day::new().silent(1..14).run();
    assert_eq!(run.verdict(UNUSED), "cannot_decide [covered_too_little, gap]");
    assert_eq!(run.rule(UNUSED)["usage"]["covered_share"], 0.48);
    assert_eq!(run.finding_ids("unused_rule"), [] as [&str; 0]);
}

#[test]
fn an_interface_of_which_refusals_alone_are_recorded_covers_nothing() {
    let unused = "sg-b:ingress:tcp:22-22:10.0.0.0/8";
    let day = |traffic_type: &str| {
        Day::new()
            .and(group("sg-b").ingress("tcp", 22, 22, "10.0.0.0/8").ingress("tcp", 80, 80, "0.0.0.0/0"))
            .and(interface("eni-b", "10.0.0.6", &["sg-b"]))
            .and(interface("eni-c", "10.0.0.7", &["sg-b"]))
            .and(flow_log("eni-b", "ALL"))
            .and(flow_log("eni-c", traffic_type))
            .rows(hourly("eni-b", 0..25, "192.0.2.9 10.0.0.6 40000 80 6 ACCEPT"))
    };
    for (traffic_type, expected) in
        [("ALL", "not_seen high"), ("REJECT", "not_seen low [interface_partly_silent, gap]")]
    {
        assert_eq!(
            day(traffic_type).rows(nodata("eni-c", 0..25)).run().verdict(unused),
            expected,
            "{traffic_type}"
        );
        let refused = hourly("eni-c", 0..25, "192.0.2.9 10.0.0.7 40000 23 6 REJECT");
        assert_eq!(day(traffic_type).rows(refused).run().verdict(unused), expected, "{traffic_type}");
    }
    // Whatever is said of the flow log, an ACCEPT shows that somebody records them.
    let accepted = hourly("eni-c", 0..25, "192.0.2.9 10.0.0.7 40000 80 6 ACCEPT");
    assert_eq!(day("REJECT").rows(accepted).run().verdict(unused), "not_seen high");
}

#[test]
fn a_silent_interface_decides_nothing_unless_a_flow_log_is_known_to_record_it() {
    let silent = "sg-b:ingress:tcp:22-22:10.0.0.0/8";
    let day = || {
        Day::new()
            .and(group("sg-b").ingress("tcp", 22, 22, "10.0.0.0/8"))
            .and(interface("eni-b", "10.0.0.6", &["sg-b"]))
            .rows(nodata("eni-b", 0..25))
    };
    assert_eq!(day().run().verdict(silent), "cannot_decide [interface_silent]");
    // Refusals show that somebody logs refusals.
    let refused = hourly("eni-b", 0..25, "192.0.2.9 10.0.0.6 40000 22 6 REJECT");
    assert_eq!(day().rows(refused).run().verdict(silent), "cannot_decide [interface_silent]");
    let cases = [
        ("eni-b", "ALL", "not_seen high"),
        ("eni-b", "ACCEPT", "not_seen high"),
        ("subnet-1", "ALL", "not_seen high"),
        ("vpc-1", "ALL", "not_seen high"),
        (
            "eni-b",
            "REJECT",
            "cannot_decide [interface_silent, covered_too_little, interface_partly_silent, gap]",
        ),
        ("vpc-2", "ALL", "cannot_decide [interface_silent]"),
        ("eni-a", "ALL", "cannot_decide [interface_silent]"),
    ];
    for (resource, traffic_type, expected) in cases {
        let run = day().and(flow_log(resource, traffic_type)).run();
        assert_eq!(run.verdict(silent), expected, "{traffic_type} of {resource}");
    }
}
