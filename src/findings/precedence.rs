//! What rules that are asked earlier leave to a ranked rule, interface by interface over all its groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::space::Addresses;
use crate::flow::{Direction, ICMP, ICMPV6};
use crate::rules::ranked::RuleAction;
use crate::rules::state::{Group, State};
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol};

/// The ranked rules of the newest state, as the interfaces have them.
#[derive(Debug)]
pub struct Precedence<'a> {
    state: &'a State,
    /// By group: the sets of groups that interfaces carry it in.
    sets: BTreeMap<&'a str, BTreeSet<Vec<&'a str>>>,
    /// By set of groups, those that no interface carries alone.
    orders: BTreeMap<Vec<&'a str>, Order<'a>>,
    /// Whether some interface has an IPv6 address.
    has_v6: bool,
}

/// A rule that others may stand behind.
#[derive(Debug, Clone)]
pub struct Ahead<'a> {
    /// Its place in the catalogue.
    pub index: RuleIndex,
    /// Its content.
    pub rule: &'a Rule,
    /// The addresses that it is surely about; None where who they are changes by the day (a group), or is not known.
    pub addresses: Option<Arc<Addresses>>,
    rank: u16,
}

/// The rules of some groups in the order in which they are asked, and the interfaces that carry those groups.
#[derive(Debug, Default)]
struct Order<'a> {
    ingress: Vec<Ahead<'a>>,
    egress: Vec<Ahead<'a>>,
    near: Vec<IpNet>,
}

impl<'a> Precedence<'a> {
    /// Looks through the groups and interfaces of a state.
    pub fn of(timeline: &'a Timeline, state: &'a State) -> Self {
        let mut sets: BTreeMap<&str, BTreeSet<Vec<&str>>> = BTreeMap::new();
        let mut orders: BTreeMap<Vec<&str>, Order<'_>> = BTreeMap::new();
        let is_ranked = |id: &str| state.groups.get(id).is_some_and(|group| is_ranked(group));
        for interface in state.interfaces.values() {
            let groups: BTreeSet<&str> = interface.group_ids.iter().map(String::as_str).collect();
            if !groups.iter().any(|id| is_ranked(id)) {
                continue;
            }
            let set: Vec<&str> = groups.iter().copied().collect();
            let order = orders.entry(set.clone()).or_default();
            order.near.extend(interface.nets());
            for group in groups {
                sets.entry(group).or_default().insert(set.clone());
            }
        }
        for (id, _) in
            state.groups.iter().filter(|(id, group)| !sets.contains_key(id.as_str()) && group.ecs.is_some())
        {
            orders.insert(vec![id], Order::default());
        }
        let mut of_group: BTreeMap<&str, Vec<Ahead<'_>>> = BTreeMap::new();
        for (id, group) in state.groups.iter().filter(|(_, group)| group.ecs.is_some()) {
            let rules =
                group.all_rules().filter_map(|index| Some((index, timeline.rules.get(index.index())?)));
            let taken = rules.filter(|(_, rule)| group.takes(rule));
            of_group.insert(id, taken.map(|(index, rule)| Ahead::of(index, rule, state)).collect());
        }
        for (set, order) in &mut orders {
            for rule in set.iter().filter_map(|id| of_group.get(id)).flatten() {
                match rule.rule.direction {
                    Direction::Ingress => order.ingress.push(rule.clone()),
                    Direction::Egress => order.egress.push(rule.clone()),
                }
            }
            order.ingress.sort_by_key(|rule| (rule.rank, rule.index));
            order.egress.sort_by_key(|rule| (rule.rank, rule.index));
        }
        let has_v6 = orders.values().flat_map(|order| &order.near).any(|net| net.addr().is_ipv6());
        Self { state, sets, orders, has_v6 }
    }

    /// The sets of groups that a group stands in; where no interface carries it, itself alone.
    pub fn sets_with(&self, group: &'a str) -> Vec<Vec<&'a str>> {
        match self.sets.get(group) {
            Some(sets) => sets.iter().cloned().collect(),
            None => vec![vec![group]],
        }
    }

    /// The rules of these groups that are asked before a rule, those that nobody wrote among them.
    fn above(&self, set: &[&'a str], rule: &Rule) -> &[Ahead<'a>] {
        let Some(order) = self.orders.get(set) else { return &[] };
        let rules = match rule.direction {
            Direction::Ingress => &order.ingress,
            Direction::Egress => &order.egress,
        };
        let rank = rule.rank();
        &rules[..rules.partition_point(|other| other.rank < rank)]
    }

    /// Drop rules in front of a rule that close some of what it opens, on every interface that carries these groups.
    pub fn closing(&self, set: &[&'a str], rule: &Rule) -> Vec<Ahead<'a>> {
        let near = self.near(set);
        let closes = |other: &&Ahead<'a>| {
            other.rule.action() == RuleAction::Deny
                && other.addresses.is_some()
                && shares_protocol_with(other.rule, rule)
                && asks_no_more_than(other.rule, rule, near)
        };
        self.above(set, rule).iter().filter(closes).cloned().collect()
    }

    /// The rules that decide whatever this one matches, on every interface that carries its group. `None`: it can decide.
    pub fn covering(
        &self,
        group_id: &'a str,
        index: RuleIndex,
        rule: &'a Rule,
    ) -> Option<BTreeSet<RuleIndex>> {
        let own = Ahead::of(index, rule, self.state);
        let addresses = own.addresses.as_deref().cloned().unwrap_or_else(|| self.everybody(rule));
        let mut covering = BTreeSet::new();
        for set in self.sets_with(group_id) {
            let near = self.near(&set);
            let covers = |other: &&Ahead<'a>| {
                shares_protocol(other.rule, rule) && asks_no_more_than(other.rule, rule, near)
            };
            let above: Vec<&Ahead<'a>> = self.above(&set, rule).iter().filter(covers).collect();
            if !is_covered(rule, &addresses, &above) {
                return None;
            }
            covering.extend(needed(rule, &addresses, above));
        }
        Some(covering)
    }

    /// Every address that a member of the group may have that a rule names: who is in a group changes.
    fn everybody(&self, rule: &Rule) -> Addresses {
        let known = matches!(&rule.peer, Peer::Group(id) if self.state.groups.contains_key(id));
        let v6 = (self.has_v6 || !known).then(|| IpNet::V6(Ipv6Net::default()));
        let world: Vec<IpNet> = std::iter::once(IpNet::V4(Ipv4Net::default())).chain(v6).collect();
        Addresses::of(&world)
    }

    fn near(&self, set: &[&'a str]) -> &[IpNet] {
        self.orders.get(set).map_or(&[], |order| &order.near)
    }
}

impl<'a> Ahead<'a> {
    fn of(index: RuleIndex, rule: &'a Rule, state: &State) -> Self {
        let addresses = match &rule.peer {
            Peer::Cidr(net) => Some(Addresses::of(std::slice::from_ref(net))),
            Peer::PrefixList(id) => state.prefix_lists.get(id).map(|nets| Addresses::of(nets)),
            Peer::Group(_) => None,
            Peer::BadCidr(_) => Some(Addresses::default()),
        };
        Self { index, rule, addresses: addresses.map(Arc::new), rank: rule.rank() }
    }
}

/// What is left of addresses when these rules have taken theirs.
pub fn left<'r, 'a: 'r>(addresses: &Addresses, taken: impl Iterator<Item = &'r Ahead<'a>>) -> Addresses {
    let mut left = addresses.clone();
    for taken in taken.filter_map(|rule| rule.addresses.as_deref()) {
        if left.is_empty() {
            break;
        }
        left = left.minus(taken);
    }
    left
}

/// One that does alone, else those that cannot be left out.
fn needed(rule: &Rule, addresses: &Addresses, mut above: Vec<&Ahead<'_>>) -> Vec<RuleIndex> {
    if let Some(alone) = above.iter().find(|one| is_covered(rule, addresses, &[**one])) {
        return vec![alone.index];
    }
    let mut at = above.len();
    while at > 0 && above.len() <= MOST_PRUNED {
        at -= 1;
        let one = above.remove(at);
        if !is_covered(rule, addresses, &above) {
            above.insert(at, one);
        }
    }
    above.into_iter().map(|one| one.index).collect()
}

/// Whether these rules take all that a rule matches: at every port the addresses that it is about. What matches nothing, or
/// nobody knows what, they do not.
fn is_covered(rule: &Rule, addresses: &Addresses, above: &[&Ahead<'_>]) -> bool {
    let covered = |port: u16| {
        let fitting = || above.iter().copied().filter(|other| holds_port(other.rule, rule, port));
        fitting().any(|other| other.rule.peer == rule.peer) || left(addresses, fitting()).is_empty()
    };
    // Most rules are not covered, which is seen at the first port.
    let Some(first) = first_port(rule) else { return false };
    !addresses.is_empty() && covered(first) && steps(rule, above).into_iter().all(covered)
}

/// Beyond so many rules those that could be left out are not looked for.
const MOST_PRUNED: usize = 64;

/// Whether a rule matches whatever another one does, as far as source ports, near addresses (those of the interfaces) and
/// networks go.
pub(super) fn asks_no_more_than(rule: &Rule, other: &Rule, near: &[IpNet]) -> bool {
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

/// Whether a rule is about every protocol that another one is about.
fn shares_protocol(rule: &Rule, other: &Rule) -> bool {
    match (&rule.protocol, &other.protocol) {
        // ICMP is about either family.
        (RuleProtocol::All, _) | (RuleProtocol::Number(ICMP), RuleProtocol::Number(ICMPV6)) => true,
        (own, others) => own == others,
    }
}

/// Whether some protocol is that of both.
fn shares_protocol_with(rule: &Rule, other: &Rule) -> bool {
    shares_protocol(rule, other) || shares_protocol(other, rule)
}

/// Whether a rule matches a port of another one; every port is the same to protocols without.
fn holds_port(rule: &Rule, of: &Rule, port: u16) -> bool {
    match of.protocol {
        RuleProtocol::Number(protocol) => rule.allows_port(protocol, port),
        RuleProtocol::All => rule.protocol == RuleProtocol::All,
        RuleProtocol::Unknown(_) => rule.protocol == of.protocol,
    }
}

/// The ranges of a rule's ports. Nothing listens on port 0, so a range from there on begins with 1.
fn own_ports(rule: &Rule) -> Vec<(u16, u16)> {
    let from_one = |(from, to): (u16, u16)| if to > 0 { (from.max(1), to) } else { (from, to) };
    rule.port_ranges().into_iter().map(from_one).filter(|(from, to)| from <= to).collect()
}

/// None: it has none.
fn first_port(rule: &Rule) -> Option<u16> {
    if rule.protocol.tests_ports() { own_ports(rule).first().map(|(from, _)| *from) } else { Some(0) }
}

/// Ports of a rule at which what stands above it may change: those between are as the one before them.
fn steps(rule: &Rule, above: &[&Ahead<'_>]) -> BTreeSet<u16> {
    if !rule.protocol.tests_ports() {
        return BTreeSet::from([0]);
    }
    let own = own_ports(rule);
    let mut steps: BTreeSet<u16> = own.iter().map(|(from, _)| *from).collect();
    for other in above.iter().filter(|other| other.rule.protocol.tests_ports()) {
        for (from, to) in other.rule.port_ranges() {
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
