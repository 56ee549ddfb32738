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
    /// Every address that a member of a group may have.
    everybody: Addresses,
}

impl<'a> Precedence<'a> {
    /// Looks through the interfaces of a state.
    pub fn of(timeline: &'a Timeline, state: &'a State) -> Self {
        let mut sets: BTreeMap<&str, BTreeSet<Vec<&str>>> = BTreeMap::new();
        for interface in state.interfaces.values() {
            let groups: BTreeSet<&str> = interface.group_ids.iter().map(String::as_str).collect();
            let set: Vec<&str> = groups.iter().copied().collect();
            for group in groups {
                sets.entry(group).or_default().insert(set.clone());
            }
        }
        let mut interfaces = state.interfaces.values();
        let has_v6 = interfaces.any(|it| it.addresses.iter().any(std::net::IpAddr::is_ipv6));
        let everybody: Vec<IpNet> = [IpNet::V4(Ipv4Net::default())]
            .into_iter()
            .chain(has_v6.then(|| IpNet::V6(Ipv6Net::default())))
            .collect();
        Self { timeline, state, sets, everybody: Addresses::of(&everybody) }
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
        let rules = groups.flat_map(|group| group.all_rules().collect::<Vec<_>>());
        let rules = rules.filter_map(|index| Some((index, self.timeline.rules.get(index.index())?)));
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
        above.retain(|(_, other)| other.action() == RuleAction::Deny && asks_no_more_than(other, rule));
        above
    }

    /// What is left of the addresses of a rule at a port, when rules in front of it have taken theirs.
    pub fn left_at(
        &self,
        addresses: &Addresses,
        closing: &[(RuleIndex, &'a Rule)],
        (protocol, port): (u8, u16),
    ) -> Addresses {
        let taken = closing.iter().filter(|(_, rule)| rule.allows_port(protocol, port));
        self.left(addresses, taken.map(|(_, rule)| *rule))
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
            above.retain(|(_, other)| asks_no_more_than(other, rule) && shares_protocol(other, rule));
            if !self.is_covered(rule, &above) {
                return None;
            }
            covering.extend(self.needed(rule, above));
        }
        // What matches nothing is not decided by others.
        Some(covering).filter(|covering| !covering.is_empty())
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

    /// Whether these rules take all that a rule matches: at every port the addresses that it is about.
    fn is_covered(&self, rule: &Rule, above: &[(RuleIndex, &'a Rule)]) -> bool {
        // Who is in a group changes; but the same group is the same, and the world holds everybody.
        let addresses = self.addresses(rule).unwrap_or_else(|| self.everybody.clone());
        steps(rule, above).into_iter().all(|port| {
            let fits = |other: &Rule| holds_port(other, rule, port);
            above.iter().any(|(_, other)| other.peer == rule.peer && fits(other))
                || self
                    .left(&addresses, above.iter().map(|(_, other)| *other).filter(|other| fits(other)))
                    .is_empty()
        })
    }
}

/// Beyond so many rules those that could be left out are not looked for.
const MOST_PRUNED: usize = 64;

/// Whether a rule matches whatever another one does, as far as source ports, near addresses and networks go.
fn asks_no_more_than(rule: &Rule, other: &Rule) -> bool {
    let (Some(asks), Some(others)) = (&rule.ranked, &other.ranked) else { return true };
    (asks.source_ports.is_none() || asks.source_ports == others.source_ports)
        && (asks.local.is_none() || asks.local == others.local)
        && (asks.nic.is_none() || asks.nic == others.nic)
}

fn shares_protocol(rule: &Rule, other: &Rule) -> bool {
    rule.protocol == RuleProtocol::All || rule.protocol == other.protocol
}

/// Whether a rule matches a port of another one; every port is the same to protocols without.
fn holds_port(rule: &Rule, of: &Rule, port: u16) -> bool {
    match of.protocol {
        RuleProtocol::Number(protocol) => rule.allows_port(protocol, port),
        RuleProtocol::All => rule.protocol == RuleProtocol::All,
        RuleProtocol::Unknown(_) => rule.protocol == of.protocol,
    }
}

/// Ports of a rule at which what stands above it may change: those between are as the one before them.
fn steps(rule: &Rule, above: &[(RuleIndex, &Rule)]) -> BTreeSet<u16> {
    if !rule.protocol.tests_ports() {
        return BTreeSet::from([0]);
    }
    let own = rule.port_ranges();
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
