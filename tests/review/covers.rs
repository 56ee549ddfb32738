//! Redundant by configuration equals asking the rules at every point where anything changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flowaudit::findings::redundant::cover::{Covers, Extent};
use flowaudit::flow::{Direction, ICMP, ICMPV6, TCP, UDP};
use flowaudit::rules::ranked::RuleAction;
use flowaudit::rules::state::{Cloud, State};
use flowaudit::rules::timeline::Timeline;
use flowaudit::rules::{Peer, Rule, RuleIndex};
use ipnet::IpNet;

use crate::account::{Whose, estate};

/// A packet as rules see it.
#[derive(Debug, Clone, Copy)]
struct Point {
    direction: Direction,
    protocol: u8,
    /// Of ICMP: type and code.
    port: (u16, u16),
    peer: IpAddr,
}

fn members<'a>(state: &'a State, group: &str) -> Vec<IpNet> {
    let carriers = state.interfaces.values().filter(|it| it.group_ids.iter().any(|id| id == group));
    let nets = |it: &'a std::sync::Arc<flowaudit::rules::state::Interface>| {
        it.addresses.iter().copied().map(IpNet::from).chain(it.prefixes.iter().copied())
    };
    carriers.flat_map(nets).collect()
}

fn peers(state: &State, rule: &Rule) -> Vec<IpNet> {
    match &rule.peer {
        Peer::Cidr(net) => vec![*net],
        Peer::BadCidr(_) => Vec::new(),
        Peer::Group(group) => members(state, group),
        Peer::PrefixList(list) => state.prefix_lists.get(list).map(|nets| nets.to_vec()).unwrap_or_default(),
    }
}

fn matches(state: &State, rule: &Rule, point: &Point) -> bool {
    let icmp = matches!(point.protocol, ICMP | ICMPV6);
    let types = !icmp
        || !rule.is_one_icmp_type()
        || rule.from_port == Some(point.port.0) && rule.to_port.is_none_or(|code| code == point.port.1);
    rule.direction == point.direction
        && rule.allows_port(point.protocol, point.port.0)
        && types
        && peers(state, rule).iter().any(|net| net.contains(&point.peer))
}

/// What decides, in plain words: the first by rank that matches.
fn decides(
    timeline: &Timeline,
    state: &State,
    groups: &[String],
    point: &Point,
    without: Option<RuleIndex>,
) -> Option<RuleAction> {
    let groups = groups.iter().filter_map(|id| state.groups.get(id));
    let rules = groups.flat_map(|group| {
        group.all_rules().filter(|index| group.takes(&timeline.rules[index.index()])).collect::<Vec<_>>()
    });
    let rules = rules.filter(|index| Some(*index) != without).map(|index| &timeline.rules[index.index()]);
    rules.filter(|rule| matches(state, rule, point)).min_by_key(|rule| rule.rank()).map(Rule::action)
}

/// Every address next to where some range begins or ends.
fn addresses(timeline: &Timeline, state: &State) -> BTreeSet<IpAddr> {
    let v4 = |number: u32| {
        [number.wrapping_sub(1), number, number.wrapping_add(1)].map(|it| IpAddr::V4(Ipv4Addr::from(it)))
    };
    let v6 = |number: u128| {
        [number.wrapping_sub(1), number, number.wrapping_add(1)].map(|it| IpAddr::V6(Ipv6Addr::from(it)))
    };
    let nets = timeline.rules.iter().flat_map(|rule| peers(state, rule));
    let ends = |net: IpNet| -> Vec<IpAddr> {
        match net {
            IpNet::V4(net) => [v4(net.network().into()), v4(net.broadcast().into())].concat(),
            IpNet::V6(net) => [v6(net.network().into()), v6(net.broadcast().into())].concat(),
        }
    };
    nets.flat_map(ends).collect()
}

fn ports(timeline: &Timeline) -> BTreeSet<u16> {
    let ranges = timeline.rules.iter().flat_map(Rule::port_ranges);
    ranges.flat_map(|(from, to)| [from.saturating_sub(1), from, to, to.saturating_add(1)]).collect()
}

/// The points that a rule matches. On Alibaba Cloud nothing listens on port 0.
fn points(
    timeline: &Timeline,
    state: &State,
    rule: &Rule,
    ports: &BTreeSet<u16>,
    addresses: &BTreeSet<IpAddr>,
) -> Vec<Point> {
    let mut points = Vec::new();
    let named = timeline.rules.iter().flat_map(Rule::protocol_numbers).copied();
    for protocol in named.chain([TCP, UDP, ICMP, ICMPV6, 99]).collect::<BTreeSet<u8>>() {
        let own: Vec<(u16, u16)> = match protocol {
            TCP | UDP => ports
                .iter()
                .filter(|port| **port > 0 || rule.ranked.is_none())
                .map(|port| (*port, 0))
                .collect(),
            ICMP | ICMPV6 => {
                let named = timeline.rules.iter().filter(|rule| rule.is_one_icmp_type());
                let types = named.map(|rule| (rule.from_port.unwrap(), rule.to_port.unwrap_or(77)));
                types
                    .chain([(200, 200)])
                    .flat_map(|(of, code)| [(of, code), (of, 78)])
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect()
            }
            _ => vec![(0, 0)],
        };
        for port in own {
            for peer in addresses {
                let point = Point { direction: rule.direction, protocol, port, peer: *peer };
                if matches(state, rule, &point) {
                    points.push(point);
                }
            }
        }
    }
    points
}

fn is_superfluous(
    timeline: &Timeline,
    state: &State,
    index: RuleIndex,
    sets: &BTreeSet<Vec<String>>,
    points: &[Point],
) -> bool {
    let same = |groups: &Vec<String>, point: &Point| {
        let with = decides(timeline, state, groups, point, None);
        let without = decides(timeline, state, groups, point, Some(index));
        without.is_some() && with == without
    };
    !points.is_empty()
        && !sets.is_empty()
        && sets.iter().all(|groups| points.iter().all(|point| same(groups, point)))
}

/// How often each answer came, so that a test that sees none of one kind fails.
fn compare(whose: Whose, seeds: std::ops::Range<u64>) -> BTreeMap<&'static str, usize> {
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    for seed in seeds {
        let (timeline, _) = estate(seed, whose);
        let state = timeline.newest().unwrap();
        let covers = Covers::of(&timeline, state);
        let (ports, addresses) = (ports(&timeline), addresses(&timeline, state));
        let mut sets: BTreeMap<&str, BTreeSet<Vec<String>>> = BTreeMap::new();
        for interface in state.interfaces.values() {
            for group in &interface.group_ids {
                sets.entry(group).or_default().insert(interface.group_ids.clone());
            }
        }
        let asks_more = |index: &RuleIndex| {
            timeline.rules[index.index()].ranked.as_ref().is_some_and(|ranked| ranked.asks_more())
        };
        let asked = state.groups.values().flat_map(|group| &group.rules).any(asks_more);
        for (id, group) in &state.groups {
            for index in group.rules.iter().filter(|index| group.takes(&timeline.rules[index.index()])) {
                let rule = &timeline.rules[index.index()];
                if rule.ranked.as_ref().is_some_and(|ranked| ranked.asks_more()) || asked {
                    *seen.entry("asks more than addresses and ports").or_default() += 1;
                    continue;
                }
                let points = points(&timeline, state, rule, &ports, &addresses);
                let alone = BTreeSet::from([vec![id.clone()]]);
                let within = is_superfluous(&timeline, state, *index, &alone, &points);
                let nothing = BTreeSet::new();
                let everywhere = is_superfluous(
                    &timeline,
                    state,
                    *index,
                    sets.get(id.as_str()).unwrap_or(&nothing),
                    &points,
                );
                let expected = match (within, everywhere) {
                    (true, _) => Some(Extent::Group),
                    (false, true) => Some(Extent::Interfaces),
                    (false, false) => None,
                };
                let found = covers.of_rule(*index, rule);
                assert_eq!(found.as_ref().map(|cover| cover.extent), expected, "seed {seed}: {}", rule.key());
                let kind = match expected {
                    None => "not covered",
                    Some(Extent::Group) => "within its group",
                    Some(Extent::Interfaces) => "on every interface",
                };
                *seen.entry(kind).or_default() += 1;
                if found.is_some_and(|cover| cover.rules.len() > 1) {
                    *seen.entry("by several together").or_default() += 1;
                }
            }
        }
        assert!(
            state.interfaces.values().all(|it| (it.cloud == Cloud::Alibaba) == (whose == Whose::Alibaba))
        );
    }
    seen
}

#[test]
fn covered_rules_of_aws_are_those_that_no_packet_needs() {
    let seen = compare(Whose::Aws, 0..300);
    for kind in ["not covered", "within its group", "on every interface", "by several together"] {
        assert!(seen.get(kind).is_some_and(|seen| *seen >= 3), "{kind}: {seen:?}");
    }
}

#[test]
fn covered_rules_of_alibaba_cloud_are_those_that_no_packet_needs() {
    let seen = compare(Whose::Alibaba, 0..300);
    for kind in ["not covered", "within its group", "on every interface", "by several together"] {
        assert!(seen.get(kind).is_some_and(|seen| *seen >= 3), "{kind}: {seen:?}");
    }
}
