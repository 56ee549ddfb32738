//! What rules that are asked earlier leave to a ranked rule, interface by interface over all its groups.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::space::Addresses;
use crate::rules::ranked::RuleAction;
use crate::rules::state::{Group, State};
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol};

/// The ranked rules of the newest state, as the interfaces have them.
#[derive(Debug)]
pub struct Precedence<'a> {
    timeline: &'a Timeline,
    state: &'a State,
    /// By group: the sets of groups that interfaces carry it in.
    sets: BTreeMap<&'a str, BTreeSet<Vec<&'a str>>>,
    /// By set of groups: the addresses of the interfaces that carry it.
    near: BTreeMap<Vec<&'a str>, Vec<IpNet>>,
    /// Whether some interface has an IPv6 address.
    has_v6: bool,
}

impl<'a> Precedence<'a> {
    /// Looks through the interfaces of a state.
    pub fn of(timeline: &'a Timeline, state: &'a State) -> Self {
        let mut sets: BTreeMap<&str, BTreeSet<Vec<&str>>> = BTreeMap::new();
        let mut near: BTreeMap<Vec<&str>, Vec<IpNet>> = BTreeMap::new();
        for interface in state.interfaces.values() {
            let groups: BTreeSet<&str> = interface.group_ids.iter().map(String::as_str).collect();
            let set: Vec<&str> = groups.iter().copied().collect();
            let addresses = interface.addresses.iter().copied().map(IpNet::from);
            near.entry(set.clone()).or_default().extend(addresses.chain(interface.prefixes.iter().copied()));
            for group in groups {
                sets.entry(group).or_default().insert(set.clone());
            }
        }
        let has_v6 = near.values().flatten().any(|net| net.addr().is_ipv6());
        Self { timeline, state, sets, near, has_v6 }
    }

    /// The sets of groups that a group stands in; where no interface carries it, itself alone.
    pub fn sets_with(&self, group: &'a str) -> Vec<Vec<&'a str>> {
        match self.sets.get(group) {
            Some(sets) => sets.iter().cloned().collect(),
            None => vec![vec![group]],
        }
    }

    /// The rules of these groups that are asked before a rule, those that nobody wrote among them.
    pub fn above(&self, set: &[&str], rule: &Rule) -> Vec<(RuleIndex, &'a Rule)> {
        let groups = set.iter().filter_map(|id| self.state.groups.get(*id));
        let rules = groups.flat_map(|group| group.all_rules().map(move |index| (group, index)));
        let rules = rules.filter_map(|(group, index)| {
            let rule = self.timeline.rules.get(index.index())?;
            group.takes(rule).then_some((index, rule))
        });
        rules.filter(|(_, other)| other.direction == rule.direction && other.rank() < rule.rank()).collect()
    }

    /// The addresses that a rule is surely about; None where who they are changes by the day (a group), or is not known.
    pub fn addresses(&self, rule: &Rule) -> Option<Addresses> {
        match &rule.peer {
            Peer::Cidr(net) => Some(Addresses::of(std::slice::from_ref(net))),
            Peer::PrefixList(id) => Some(Addresses::of(self.state.prefix_lists.get(id)?)),
            Peer::Group(_) => None,
            Peer::BadCidr(_) => Some(Addresses::default()),
        }
    }

    /// Drop rules in front of a rule that close some of what it opens, on every interface that carries these groups.
    pub fn closing(&self, set: &[&str], rule: &Rule) -> Vec<(RuleIndex, &'a Rule)> {
        let mut above = self.above(set, rule);
        let near = self.near(set);
        above.retain(|(_, other)| other.action() == RuleAction::Deny && asks_no_more_than(other, rule, near));
        above
    }

    /// What is left of addresses when these rules have taken theirs.
    pub fn left<'r>(&self, addresses: &Addresses, taken: impl Iterator<Item = &'r Rule>) -> Addresses {
        let mut left = addresses.clone();
        for taken in taken.filter_map(|rule| self.addresses(rule)) {
            left = left.minus(&taken);
        }
        left
    }

    /// The rules that decide whatever this one matches, on every interface that carries its group; none are named where
    /// some of it is left. `None`: it can decide.
    pub fn covering(&self, group_id: &'a str, rule: &Rule) -> Option<BTreeSet<RuleIndex>> {
        let mut covering = BTreeSet::new();
        for set in self.sets_with(group_id) {
            let mut above = self.above(&set, rule);
            let near = self.near(&set);
            above.retain(|(_, other)| asks_no_more_than(other, rule, near) && shares_protocol(other, rule));
            if !self.is_covered(rule, &above) {
                return None;
            }
            covering.extend(self.needed(rule, above));
        }
        Some(covering)
    }

    /// One that does alone, else those that cannot be left out.
    fn needed(&self, rule: &Rule, mut above: Vec<(RuleIndex, &'a Rule)>) -> Vec<RuleIndex> {
        if let Some((alone, _)) = above.iter().find(|one| self.is_covered(rule, &[**one])) {
            return vec![*alone];
        }
        let mut at = above.len();
        while at > 0 && above.len() <= MOST_PRUNED {
            at -= 1;
            let one = above.remove(at);
            if !self.is_covered(rule, &above) {
                above.insert(at, one);
            }
        }
        above.into_iter().map(|(index, _)| index).collect()
    }

    /// Whether these rules take all that a rule matches: at every port the addresses that it is about. What matches nothing,
    /// or nobody knows what, they do not.
    fn is_covered(&self, rule: &Rule, above: &[(RuleIndex, &'a Rule)]) -> bool {
        let addresses = self.addresses(rule).unwrap_or_else(|| self.everybody(rule));
        let steps = steps(rule, above);
        let covered = |port: u16| {
            let fits = |other: &Rule| holds_port(other, rule, port);
            let fitting = above.iter().map(|(_, other)| *other).filter(|other| fits(other));
            above.iter().any(|(_, other)| other.peer == rule.peer && fits(other))
                || self.left(&addresses, fitting).is_empty()
        };
        !addresses.is_empty() && !steps.is_empty() && steps.into_iter().all(covered)
    }

    /// Every address that a member of the group may have that a rule names: who is in a group changes.
    fn everybody(&self, rule: &Rule) -> Addresses {
        let known = matches!(&rule.peer, Peer::Group(id) if self.state.groups.contains_key(id));
        let v6 = (self.has_v6 || !known).then(|| IpNet::V6(Ipv6Net::default()));
        let world: Vec<IpNet> = std::iter::once(IpNet::V4(Ipv4Net::default())).chain(v6).collect();
        Addresses::of(&world)
    }

    fn near(&self, set: &[&'a str]) -> &[IpNet] {
        self.near.get(set).map_or(&[], Vec::as_slice)
    }
}

/// Beyond so many rules those that could be left out are not looked for.
const MOST_PRUNED: usize = 64;

/// Whether a rule matches whatever another one does, as far as source ports, near addresses (those of the interfaces) and
/// networks go.
fn asks_no_more_than(rule: &Rule, other: &Rule, near: &[IpNet]) -> bool {
    let (Some(asks), Some(others)) = (&rule.ranked, &other.ranked) else { return true };
    let source = asks.source_ports.is_none_or(|(from, to)| {
        others.source_ports.is_some_and(|(first, last)| from <= first && last <= to)
    });
    let local = asks.local.is_none_or(|range| {
        others.local.is_some_and(|local| range.contains(&local))
            || !near.is_empty() && near.iter().all(|net| range.contains(net))
    });
    source && local && (asks.nic.is_none() || asks.nic == others.nic)
}

fn shares_protocol(rule: &Rule, other: &Rule) -> bool {
    rule.protocol == RuleProtocol::All
        || rule.protocol == other.protocol && rule.protocol_number() == other.protocol_number()
}

/// Whether a rule matches a port of another one; every port is the same to protocols without.
fn holds_port(rule: &Rule, of: &Rule, port: u16) -> bool {
    match of.protocol_number() {
        Some(protocol) => rule.allows_port(protocol, port),
        None => rule.protocol == RuleProtocol::All || rule.protocol == of.protocol,
    }
}

/// Ports of a rule at which what stands above it may change: those between are as the one before them.
fn steps(rule: &Rule, above: &[(RuleIndex, &Rule)]) -> BTreeSet<u16> {
    if !rule.protocol.tests_ports() {
        return BTreeSet::from([0]);
    }
    // Nothing listens on port 0, so a range from there on begins with 1.
    let from_one = |(from, to): (u16, u16)| if to > 0 { (from.max(1), to) } else { (from, to) };
    let own: Vec<(u16, u16)> =
        rule.port_ranges().into_iter().map(from_one).filter(|(from, to)| from <= to).collect();
    let mut steps: BTreeSet<u16> = own.iter().map(|(from, _)| *from).collect();
    for (_, other) in above.iter().filter(|(_, other)| other.protocol.tests_ports()) {
        for (from, to) in other.port_ranges() {
            steps.insert(from);
            steps.extend(to.checked_add(1));
        }
    }
    steps.retain(|port| own.iter().any(|(from, to)| (*from..=*to).contains(port)));
    steps
}

/// Whether the rules of a group are ranked.
pub fn is_ranked(group: &Group) -> bool {
    group.ecs.is_some()
}
