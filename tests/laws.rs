//! Laws of the attribution: the fast path says what the definition says, and no split or order of the input changes it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

#[path = "common/account.rs"]
mod account;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use account::{WHOSE, Whose, estate};
use flowaudit::attribution::index::Index;
use flowaudit::attribution::naive::{Answer, attribute};
use flowaudit::attribution::{BASES, DRIFTS};
use flowaudit::flow::{Action, Direction, Entry, OwnedFlow, Traffic};
use flowaudit::ingest::Sink;
use flowaudit::rules::RuleIndex;
use flowaudit::rules::aws::Objects;
use flowaudit::rules::timeline::{Snapshot, Timeline};
use flowaudit::tally::Tally;
use flowaudit::tally::counter::{Brief, Counter, Progress, Services};
use flowaudit::tally::selection::Selection;
use flowaudit::tally::tracks::days::Resolution;
use flowaudit::tally::tracks::of_rule::RuleTracks;
use flowaudit::tally::watch::PortWatch;
use flowaudit::time::Window;
use proptest::prelude::*;

/// Tallies flows in so many workers' hands; `deal` says which worker gets which flow.
fn tally(timeline: &Timeline, flows: &[OwnedFlow], workers: usize, deal: impl Fn(usize) -> usize) -> Tally {
    let watch = PortWatch::new(vec![(6, 22), (6, 443), (17, 53)]).unwrap();
    let index = Index::build(timeline);
    let (selection, progress) = (Selection::none(false), Progress::default());
    let brief = Brief {
        timeline,
        index: &index,
        watch: &watch,
        window: Window::ALL,
        selection: &selection,
        services: Services::WhereNeeded,
        progress: &progress,
        proposed: None,
        asking: None,
    };
    let mut counters: Vec<Counter<'_>> = (0..workers).map(|_| Counter::new(&brief)).collect();
    for (at, flow) in flows.iter().enumerate() {
        counters[deal(at) % workers].flow(&flow.borrow());
    }
    let mut sum = Tally::default();
    for counter in counters {
        sum.merge(counter.finish());
    }
    sum.settle();
    sum
}

/// Every figure of a tally as text, in an order of its own: two tallies are the same if these are.
fn figures(timeline: &Timeline, tally: &Tally) -> BTreeMap<String, String> {
    let watch = PortWatch::new(vec![(6, 22), (6, 443), (17, 53)]).unwrap();
    let mut figures = BTreeMap::new();
    let counts = &tally.records;
    figures.insert(
        "records".to_owned(),
        format!("{:?}", (counts.accepted, counts.rejected, counts.no_data, counts.skip_data)),
    );
    let outcomes = &tally.outcomes;
    for (name, count) in [
        ("unknown_interface", outcomes.unknown_interface),
        ("no_group", outcomes.no_group),
        ("unknown_group", outcomes.unknown_group),
        ("unknown_direction", outcomes.unknown_direction),
        ("before_first_snapshot", outcomes.before_first_snapshot),
        ("interface_from_neighbour", outcomes.interface_from_neighbour),
        ("undated", outcomes.undated),
        ("unexplained", outcomes.unexplained),
        ("explained_by_neighbour", outcomes.explained_by_neighbour),
    ] {
        figures.insert(format!("outcome {name}"), count.to_string());
    }
    for basis in BASES {
        figures.insert(format!("basis {basis:?}"), outcomes.basis[basis as usize].to_string());
    }
    for drift in DRIFTS {
        figures.insert(format!("drift {drift:?}"), outcomes.drift(drift).to_string());
    }
    for (rule, uses) in timeline.rules.iter().zip(tally.rule_uses(&timeline.rules, &watch)) {
        let interfaces: std::collections::BTreeSet<String> =
            uses.interfaces.iter().map(|slot| tally.slots.name(*slot)).collect();
        let counts = (uses.records, uses.reply_records, uses.possible_records);
        let alone = (uses.sole_records, uses.possible_sole_records, uses.near_records);
        let answered = (uses.with_flags > 0, uses.answered_records);
        let span = (uses.span.first(), uses.span.last());
        figures.insert(
            rule.key(),
            format!(
                "{counts:?} {alone:?} {answered:?} {} {} {span:?} {interfaces:?}",
                uses.packets, uses.bytes
            ),
        );
    }
    let tracks = RuleTracks::of(tally, &timeline.rules);
    assert_eq!(tally.tracks.calendar.resolution(), Resolution::DAYS);
    for (rule, at) in timeline.rules.iter().zip(0..) {
        let start = |day| Resolution::DAYS.start(day) / 86_400;
        let days = tracks.days(RuleIndex(at));
        let days: BTreeMap<i64, (u64, u64, u64)> = days
            .iter()
            .map(|(day, uses)| (start(*day), (uses.records, uses.reply_records, uses.possible_records)))
            .collect();
        let mut seen: BTreeMap<(u8, u16, String), bool> = BTreeMap::new();
        for (answer, range) in tracks.seen(RuleIndex(at)) {
            assert_eq!(
                (range.ports.0, range.peers.max_prefix_len()),
                (range.ports.1, range.peers.prefix_len())
            );
            let pair = (range.protocol, range.ports.0, range.peers.addr().to_string());
            *seen.entry(pair).or_default() |= answer.is_used();
        }
        figures.insert(format!("track {}", rule.key()), format!("{days:?} {seen:?}"));
    }
    for (key, from, _, row) in tally.blocked.rows() {
        let name = tally.slots.name(key.interface);
        let mut peers: Vec<String> = row
            .internal
            .iter()
            .chain(row.external.iter())
            .map(|(net, uses)| {
                if net.prefix_len() == net.max_prefix_len() {
                    format!("{}={}", net.addr(), uses.records)
                } else {
                    format!("{net}={}", uses.records)
                }
            })
            .collect();
        peers.sort();
        let credit = &row.credit;
        figures.insert(
            format!("blocked {name} {:?} {} {from} {:?}", key.direction, key.protocol, key.cause),
            format!(
                "{} {} {} {:?} {peers:?}",
                credit.records,
                credit.packets,
                credit.bytes,
                (credit.span.first(), credit.span.last())
            ),
        );
    }
    figures
}

/// The same of the definition's answer.
fn expected(timeline: &Timeline, answer: &Answer) -> BTreeMap<String, String> {
    let mut figures = BTreeMap::new();
    let counts = &answer.records;
    figures.insert(
        "records".to_owned(),
        format!("{:?}", (counts.accepted, counts.rejected, counts.no_data, counts.skip_data)),
    );
    for (drift, count) in &answer.drift {
        figures.insert(format!("drift {drift:?}"), count.to_string());
    }
    for (name, count) in &answer.outcomes {
        figures.insert(format!("outcome {name}"), count.to_string());
    }
    for basis in BASES {
        figures
            .insert(format!("basis {basis:?}"), answer.basis.get(&basis).copied().unwrap_or(0).to_string());
    }
    for (rule, uses) in timeline.rules.iter().zip(&answer.rules) {
        let counts = (uses.records, uses.reply_records, uses.possible_records);
        let alone = (uses.sole_records, uses.possible_sole_records, uses.near_records);
        let answered = (uses.flags_seen, uses.answered_records);
        let span = (uses.first_seen, uses.last_seen);
        figures.insert(
            rule.key(),
            format!(
                "{counts:?} {alone:?} {answered:?} {} {} {span:?} {:?}",
                uses.packets, uses.bytes, uses.interfaces
            ),
        );
    }
    for (rule, track) in timeline.rules.iter().zip(&answer.tracks) {
        let days = &track.days;
        let seen: BTreeMap<(u8, u16, String), bool> = track
            .seen
            .iter()
            .map(|seen| ((seen.0, seen.1, seen.2.to_string()), track.used.contains(seen)))
            .collect();
        figures.insert(format!("track {}", rule.key()), format!("{days:?} {seen:?}"));
    }
    for ((name, direction, protocol, port, cause), uses) in &answer.blocked {
        let mut peers: Vec<String> =
            uses.peers.iter().map(|(peer, records)| format!("{peer}={records}")).collect();
        peers.sort();
        figures.insert(
            format!("blocked {name} {direction:?} {protocol} {port} {cause:?}"),
            format!(
                "{} {} {} {:?} {peers:?}",
                uses.records,
                uses.packets,
                uses.bytes,
                (uses.first_seen, uses.last_seen)
            ),
        );
    }
    figures
}

#[track_caller]
fn assert_same(got: &BTreeMap<String, String>, want: &BTreeMap<String, String>) {
    let keys: std::collections::BTreeSet<&String> = got.keys().chain(want.keys()).collect();
    let differing: Vec<String> = keys
        .into_iter()
        .filter(|key| got.get(*key) != want.get(*key))
        .map(|key| format!("{key}\n   got {:?}\n  want {:?}", got.get(key), want.get(key)))
        .collect();
    assert!(differing.is_empty(), "{} figures differ:\n{}", differing.len(), differing.join("\n"));
}

/// A refused record on a port that widening sets apart from all others.
fn refused(port: u16, peer: u32) -> OwnedFlow {
    OwnedFlow {
        interface_id: b"eni-1".to_vec(),
        account_id: Vec::new(),
        vpc_id: Vec::new(),
        start: Some(1_767_225_600),
        end: Some(1_767_225_660),
        entry: Entry::Traffic(Traffic {
            action: Action::Reject,
            direction: Some(Direction::Ingress),
            protocol: 6,
            srcaddr: Ipv4Addr::from(peer).into(),
            dstaddr: Ipv4Addr::new(10, 0, 0, 1).into(),
            pkt_srcaddr: None,
            pkt_dstaddr: None,
            srcport: 40_000,
            dstport: port,
            packets: 1,
            bytes: 40,
            tcp_flags: None,
            ports: flowaudit::flow::PortFields::Logged,
            reject_reason: None,
        }),
    }
}

#[test]
fn a_scan_of_every_port_ends_in_the_same_rows_whoever_counted_it() {
    for ports in [1_000_u32, 1_024, 1_025, 1_026, 4_096] {
        let flows: Vec<OwnedFlow> = (0..ports)
            .map(|at| refused(u16::try_from(at * 16 % 65_536).unwrap(), 0x0100_0000 + at * 977))
            .chain((0..2_000).map(|at| refused(7, 0x2000_0000 + at)))
            .collect();
        let timeline = Timeline::default();
        let whole = figures(&timeline, &tally(&timeline, &flows, 1, |_| 0));
        for workers in 2..5 {
            assert_same(&figures(&timeline, &tally(&timeline, &flows, workers, |at| at)), &whole);
            assert_same(&figures(&timeline, &tally(&timeline, &flows, workers, |at| at / 700)), &whole);
        }
    }
}

/// So many states, each with rules of its own, that credits are summed up in between.
#[test]
fn credits_of_thousands_of_states_are_those_of_the_definition() {
    const STATES: u16 = 5_000;
    const START: i64 = 1_767_225_600;
    let open = |port: u16| {
        serde_json::json!({
            "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{ "CidrIp": "0.0.0.0/0" }],
        })
    };
    let since = |state: u16| START + 60 * i64::from(state);
    let snapshot = |state: u16| {
        let permissions = [open(443), open(10_000 + state)];
        let groups = serde_json::json!([{ "GroupId": "sg-1", "IpPermissions": permissions, "IpPermissionsEgress": [] }]);
        let interfaces = serde_json::json!([{
            "NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.0.1", "Groups": [{ "GroupId": "sg-1" }],
        }]);
        let mut objects = Objects::default();
        objects.add(&serde_json::json!({ "NetworkInterfaces": interfaces }), None).unwrap();
        objects.add(&serde_json::json!({ "SecurityGroups": groups }), None).unwrap();
        Snapshot { at: Some(since(state)), objects: Arc::new(objects) }
    };
    let timeline = Timeline::build((0..STATES).map(snapshot).collect());
    let accepted = |state: u16, port: u16| {
        let mut flow = refused(port, 0x0100_0000 + u32::from(state % 7));
        (flow.start, flow.end) = (Some(since(state)), Some(since(state) + 59));
        if let Entry::Traffic(traffic) = &mut flow.entry {
            traffic.action = Action::Accept;
        }
        flow
    };
    let of_state = |state: u16| [443, 10_000 + state].map(|port| accepted(state, port));
    // Once in order of time, and once more from the end.
    let flows: Vec<OwnedFlow> = (0..STATES).chain((0..STATES).rev()).flat_map(of_state).collect();
    let fast = figures(&timeline, &tally(&timeline, &flows, 1, |_| 0));
    assert_same(&fast, &expected(&timeline, &attribute(&timeline, &flows)));
}

/// A seed, and where its estate lies.
fn estates() -> impl Strategy<Value = (u64, Whose)> {
    (any::<u64>(), prop::sample::select(WHOSE.to_vec()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fast_says_what_the_definition_says((seed, whose) in estates()) {
        let (timeline, flows) = estate(seed, whose);
        let fast = figures(&timeline, &tally(&timeline, &flows, 1, |_| 0));
        assert_same(&fast, &expected(&timeline, &attribute(&timeline, &flows)));
    }

    #[test]
    fn no_split_and_no_order_changes_a_figure(
        (seed, whose) in estates(), workers in 1_usize..6, stride in 1_usize..1000,
    ) {
        let (timeline, mut flows) = estate(seed, whose);
        let whole = figures(&timeline, &tally(&timeline, &flows, 1, |_| 0));
        let split = tally(&timeline, &flows, workers, |at| at.wrapping_mul(stride) >> 2);
        assert_same(&figures(&timeline, &split), &whole);
        flows.reverse();
        let turned = tally(&timeline, &flows, workers, |at| at / (1 + stride % 7));
        assert_same(&figures(&timeline, &turned), &whole);
    }

    #[test]
    fn nothing_is_the_neutral_tally((seed, whose) in estates()) {
        let (timeline, flows) = estate(seed, whose);
        let mut sum = tally(&timeline, &flows, 1, |_| 0);
        let before = figures(&timeline, &sum);
        sum.merge(Tally::default());
        assert_same(&figures(&timeline, &sum), &before);
        let mut neutral = Tally::default();
        neutral.merge(sum);
        assert_same(&figures(&timeline, &neutral), &before);
    }
}
