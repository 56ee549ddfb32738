//! Which rules let the same through (or stop the same) as another one does, on every interface that carries its group.
//!
//! Exact for the newest state: port by port, the addresses that a rule decides are taken away by what stands beside it.
//! References and prefix lists count by the members and entries that they have in that state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use crate::findings::precedence::asks_no_more_than;
use crate::findings::space::Addresses;
use crate::flow::{ICMP, ICMPV6, TCP, UDP};
use crate::rules::state::{Group, State};
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol};

/// The rules of the newest state, as the interfaces have them.
#[derive(Debug)]
pub struct Covers<'a> {
    /// By group: its rules.
    rules: BTreeMap<&'a str, Vec<Placed<'a>>>,
    /// By group: the sets of groups that interfaces carry it in.
    sets: BTreeMap<&'a str, BTreeSet<Vec<&'a str>>>,
    /// By set of groups: the addresses of the interfaces.
    near: BTreeMap<Vec<&'a str>, Vec<IpNet>>,
}

/// A rule with the addresses that it is about in that state.
#[derive(Debug, Clone)]
struct Placed<'a> {
    index: RuleIndex,
    rule: &'a Rule,
    addresses: Arc<Addresses>,
}

/// What covers a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// Where.
    pub extent: Extent,
    /// The rules that do, none of which could be left out.
    pub rules: BTreeSet<RuleIndex>,
    /// Whether it holds only for the members and entries of today.
    pub todays_members: bool,
    /// References by which addresses are covered: they are not known to work on every path.
    pub references: BTreeSet<RuleIndex>,
}

/// How far a cover reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Other rules of the same group do.
    Group,
    /// On every interface rules of some of its groups do.
    Interfaces,
}

impl Extent {
    /// As evidence writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Interfaces => "interfaces",
        }
    }
}

impl<'a> Covers<'a> {
    /// Looks through the groups and interfaces of a state.
    pub fn of(timeline: &'a Timeline, state: &'a State) -> Self {
        let members = members(state);
        let mut rules: BTreeMap<&str, Vec<Placed<'_>>> = BTreeMap::new();
        for (id, group) in &state.groups {
            rules.insert(id, placed(timeline, state, group, &members));
        }
        let mut sets: BTreeMap<&str, BTreeSet<Vec<&str>>> = BTreeMap::new();
        let mut near: BTreeMap<Vec<&str>, Vec<IpNet>> = BTreeMap::new();
        for interface in state.interfaces.values() {
            let groups: BTreeSet<&str> = interface.group_ids.iter().map(String::as_str).collect();
            let set: Vec<&str> = groups.iter().copied().collect();
            for group in groups {
                sets.entry(group).or_default().insert(set.clone());
            }
            near.entry(set).or_default().extend(interface.nets());
        }
        Self { rules, sets, near }
    }

    /// What covers this rule of a group of the state. None: nothing does, or what it is about is not known.
    pub fn of_rule(&self, index: RuleIndex, rule: &Rule) -> Option<Cover> {
        let group = self.rules.get(rule.group_id.as_str())?;
        let own = group.iter().find(|placed| placed.index == index)?;
        let alone = BTreeSet::from([vec![rule.group_id.as_str()]]);
        let within = self.on(own, &alone).map(|covering| own.cover(Extent::Group, &covering));
        within.or_else(|| {
            let sets = self.sets.get(rule.group_id.as_str())?;
            self.on(own, sets).map(|covering| own.cover(Extent::Interfaces, &covering))
        })
    }

    /// What covers a rule wherever its group stands in one of these sets.
    fn on(
        &self,
        own: &Placed<'a>,
        sets: &BTreeSet<Vec<&'a str>>,
    ) -> Option<BTreeMap<RuleIndex, &Placed<'a>>>
where {
        let mut covering = BTreeMap::new();
        for set in sets {
            let near = self.near.get(set).map_or(&[][..], Vec::as_slice);
            let beside = set.iter().filter_map(|id| self.rules.get(id)).flatten();
            let mut beside: Vec<&Placed<'_>> = beside
                .filter(|other| other.index != own.index && other.rule.direction == own.rule.direction)
                .filter(|other| other.meets(own))
                .collect();
            beside.sort_by_key(|other| (other.rule.rank(), other.index));
            if !own.is_covered(&beside, near) {
                return None;
            }
            covering.extend(own.needed(beside, near).into_iter().map(|other| (other.index, other)));
        }
        Some(covering)
    }
}

/// Members of every group, by their private addresses and prefixes.
fn members(state: &State) -> BTreeMap<&str, Vec<IpNet>> {
    let mut members: BTreeMap<&str, Vec<IpNet>> = BTreeMap::new();
    for interface in state.interfaces.values() {
        for group in &interface.group_ids {
            members.entry(group).or_default().extend(interface.nets());
        }
    }
    members
}

fn placed<'a>(
    timeline: &'a Timeline,
    state: &State,
    group: &Group,
    members: &BTreeMap<&str, Vec<IpNet>>,
) -> Vec<Placed<'a>> {
    let rules = group.all_rules().filter_map(|index| Some((index, timeline.rules.get(index.index())?)));
    let addresses = |rule: &Rule| match &rule.peer {
        Peer::Cidr(net) => Addresses::of(std::slice::from_ref(net)),
        Peer::PrefixList(id) => {
            state.prefix_lists.get(id).map(|nets| Addresses::of(nets)).unwrap_or_default()
        }
        Peer::Group(id) => members.get(id.as_str()).map(|nets| Addresses::of(nets)).unwrap_or_default(),
        Peer::BadCidr(_) => Addresses::default(),
    };
    rules
        .filter(|(_, rule)| group.takes(rule))
        .map(|(index, rule)| Placed { index, rule, addresses: Arc::new(addresses(rule)) })
        .collect()
}

impl Placed<'_> {
    /// Whether another rule may decide what this one is asked: what has nothing in common with it need not be looked at.
    fn meets(&self, other: &Self) -> bool {
        let (own, others) = (&self.rule.protocol, &other.rule.protocol);
        let numbers = || other.rule.protocol_numbers().iter();
        let shared = *own == RuleProtocol::All
            || *others == RuleProtocol::All
            || numbers().any(|number| self.rule.protocol_numbers().contains(number));
        shared
            && self.shares_ports(other)
            && (self.rule.peer == other.rule.peer || self.addresses.meets(&other.addresses))
    }

    /// Whether some port is that of both; every port is the same to protocols without.
    fn shares_ports(&self, other: &Self) -> bool {
        if !self.rule.protocol.tests_ports() || !other.rule.protocol.tests_ports() {
            return true;
        }
        let others = other.rule.port_ranges();
        let meets = |(from, to): &(u16, u16)| others.iter().any(|(first, last)| from <= last && first <= to);
        self.rule.port_ranges().iter().any(meets)
    }

    /// The rules of `beside` that take something of what this rule decides, in the order in which they are asked.
    fn taking<'b>(&self, beside: &[&'b Self], near: &[IpNet]) -> Vec<&'b Self> {
        let mut taking: BTreeSet<RuleIndex> = BTreeSet::new();
        for point in self.points(beside) {
            let mut left = Addresses::clone(&self.addresses);
            for other in beside.iter().filter(|other| point.is_of(other.rule)) {
                let takes = other.rule.peer == self.rule.peer || left.meets(&other.addresses);
                if left.is_empty() || !takes || !asks_no_more_than(other.rule, self.rule, near) {
                    continue;
                }
                taking.insert(other.index);
                left = if other.rule.peer == self.rule.peer {
                    Addresses::default()
                } else {
                    left.minus(&other.addresses)
                };
            }
        }
        beside.iter().copied().filter(|other| taking.contains(&other.index)).collect()
    }

    /// Whether nothing is different without this rule, where these stand beside it, in the order in which they are asked.
    fn is_covered(&self, beside: &[&Self], near: &[IpNet]) -> bool {
        if self.addresses.is_empty() {
            return false;
        }
        let points = self.points(beside);
        !points.is_empty() && points.iter().all(|point| self.is_covered_at(*point, beside, near))
    }

    fn is_covered_at(&self, point: Point, beside: &[&Self], near: &[IpNet]) -> bool {
        let mut left = Addresses::clone(&self.addresses);
        for other in beside.iter().filter(|other| point.is_of(other.rule)) {
            if left.is_empty() {
                break;
            }
            let earlier = other.rule.rank() < self.rule.rank();
            if !earlier && other.rule.action() != self.rule.action() {
                // It would decide what this rule decides now, and otherwise.
                if other.rule.peer == self.rule.peer || left.meets(&other.addresses) {
                    return false;
                }
            } else if asks_no_more_than(other.rule, self.rule, near) {
                left = if other.rule.peer == self.rule.peer {
                    Addresses::default()
                } else {
                    left.minus(&other.addresses)
                };
            }
        }
        left.is_empty()
    }

    /// One that does alone, else those that cannot be left out. References only where there is no other way.
    fn needed<'b>(&self, beside: Vec<&'b Self>, near: &[IpNet]) -> Vec<&'b Self> {
        let (own, others): (Vec<_>, Vec<_>) =
            beside.into_iter().partition(|other| other.rule.action() == self.rule.action());
        let holds = |chosen: &[&Self]| {
            let mut all: Vec<&Self> = chosen.iter().chain(&others).copied().collect();
            all.sort_by_key(|other| (other.rule.rank(), other.index));
            self.is_covered(&all, near)
        };
        let is_reference = |other: &&Self| matches!(other.rule.peer, Peer::Group(_));
        let mut own = own;
        // The widest first, references last.
        own.sort_by_key(|other| (is_reference(other), other.index));
        if let Some(alone) = own.iter().find(|one| holds(&[**one])) {
            return vec![alone];
        }
        let mut own = self.taking(&own, near);
        let mut at = own.len();
        while at > 0 && own.len() <= MOST_PRUNED {
            at -= 1;
            let one = own.remove(at);
            if !holds(&own) {
                own.insert(at, one);
            }
        }
        own
    }

    fn cover(&self, extent: Extent, covering: &BTreeMap<RuleIndex, &Self>) -> Cover {
        let otherwise = || covering.values().filter(|other| other.rule.peer != self.rule.peer);
        let changes = |rule: &Rule| matches!(rule.peer, Peer::Group(_) | Peer::PrefixList(_));
        let by_reference = otherwise().filter(|other| matches!(other.rule.peer, Peer::Group(_)));
        Cover {
            extent,
            rules: covering.keys().copied().collect(),
            todays_members: otherwise().any(|other| changes(other.rule))
                || changes(self.rule) && otherwise().next().is_some(),
            references: match self.rule.peer {
                Peer::Group(_) => BTreeSet::new(),
                _ => by_reference.map(|other| other.index).collect(),
            },
        }
    }

    /// Where what stands beside it may change: everything between two points is as the first of them.
    fn points(&self, beside: &[&Self]) -> Vec<Point> {
        let rules = || std::iter::once(&self).chain(beside).map(|placed| placed.rule);
        let mut points = Vec::new();
        for protocol in self.protocols(beside) {
            match protocol {
                TCP | UDP => {
                    let ports = self.port_steps(rules().filter(|rule| rule.protocol.tests_ports()));
                    points.extend(ports.into_iter().map(|port| Point { protocol, port, code: None }));
                }
                ICMP | ICMPV6 => {
                    // One type, and code, that no rule names stands for all of those.
                    let named = rules().filter(|rule| rule.is_one_icmp_type());
                    let named = named.flat_map(|rule| {
                        let of = rule.from_port.unwrap_or_default();
                        [(of, rule.to_port), (of, None)]
                    });
                    let types: BTreeSet<(u16, Option<u16>)> = named.chain([(u16::MAX, None)]).collect();
                    points.extend(types.into_iter().map(|(port, code)| Point { protocol, port, code }));
                }
                _ => points.push(Point { protocol, port: 0, code: None }),
            }
        }
        points.retain(|point| point.is_of(self.rule));
        points
    }

    /// Its protocols; of a rule about all, those that other rules name, and one that stands for the rest.
    fn protocols(&self, beside: &[&Self]) -> BTreeSet<u8> {
        if self.rule.protocol != RuleProtocol::All {
            return self.rule.protocol_numbers().iter().copied().collect();
        }
        let named = beside.iter().flat_map(|other| other.rule.protocol_numbers()).copied();
        let mut all: BTreeSet<u8> = named.collect();
        let rest = (0..=u8::MAX).rev().find(|number| !all.contains(number));
        all.extend(rest);
        all
    }

    /// The ports at which ranges begin, and those behind their ends.
    fn port_steps<'r>(&self, rules: impl Iterator<Item = &'r Rule>) -> BTreeSet<u16> {
        // Every port is written 1/65535 on Alibaba Cloud.
        let first = u16::from(self.rule.ranked.is_some());
        let ranges = rules.flat_map(Rule::port_ranges);
        let steps = ranges.flat_map(|(from, to)| [Some(from.max(first)), to.checked_add(1)]);
        steps.flatten().chain([first]).collect()
    }
}

/// A packet, but for its addresses.
#[derive(Debug, Clone, Copy)]
struct Point {
    protocol: u8,
    /// Or the type of ICMP.
    port: u16,
    /// The code of ICMP; None: one that no rule names.
    code: Option<u16>,
}

impl Point {
    /// Whether a rule is about it.
    fn is_of(self, rule: &Rule) -> bool {
        let typed = || {
            !rule.is_one_icmp_type()
                || rule.from_port == Some(self.port) && (rule.to_port.is_none() || rule.to_port == self.code)
        };
        rule.allows_port(self.protocol, self.port) && (!matches!(self.protocol, ICMP | ICMPV6) || typed())
    }
}

/// Beyond so many rules that each take something, those that could be left out all the same are not looked for.
const MOST_PRUNED: usize = 64;
