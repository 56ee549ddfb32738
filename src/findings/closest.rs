//! The rule that comes closest to letting a refused connection through, and what it lacks.

use std::cmp::Reverse;

use ipnet::IpNet;

use crate::flow::Direction;
use crate::rules::ranked::RuleAction;
use crate::rules::state::State;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleProtocol};

/// A refused connection.
pub(super) struct Attempt {
    pub(super) direction: Direction,
    pub(super) protocol: u8,
    /// First and last port.
    pub(super) ports: (u16, u16),
    pub(super) peer: IpNet,
}

/// A rule and what it lacks.
pub(super) struct Closest<'a> {
    pub(super) rule: &'a Rule,
    pub(super) lacks: Vec<&'static str>,
}

/// The rule of the interface's groups that lacks least; among those, the one that is most about this connection.
pub(super) fn closest_rule<'a>(
    timeline: &'a Timeline,
    newest: &State,
    interface_id: &str,
    attempt: &Attempt,
) -> Option<Closest<'a>> {
    let interface = newest.interfaces.get(interface_id)?;
    let groups = interface.group_ids.iter().filter_map(|group| newest.groups.get(group));
    let rules = groups.flat_map(|group| &group.rules).map(|rule| &timeline.rules[rule.index()]);
    let own = rules.filter(|rule| rule.direction == attempt.direction && rule.action() == RuleAction::Allow);
    let candidates = own.map(|rule| Closest { rule, lacks: lacks(newest, rule, attempt) });
    let closest = candidates.min_by_key(|closest| {
        let rule = closest.rule;
        let (from, to) = rule.ports();
        let exact = rule.protocol == RuleProtocol::Number(attempt.protocol);
        (
            closest.lacks.len(),
            Reverse(exact),
            to.saturating_sub(from),
            Reverse(shared(&rule.peer, &attempt.peer)),
            rule,
        )
    });
    // A rule that has nothing in common with the connection is not close to it.
    closest.filter(|closest| closest.lacks.len() < 3)
}

fn lacks(newest: &State, rule: &Rule, attempt: &Attempt) -> Vec<&'static str> {
    let mut lacks = Vec::new();
    let protocol = rule.protocol == RuleProtocol::All || rule.protocol_numbers().contains(&attempt.protocol);
    if !protocol {
        lacks.push("protocol");
    }
    let (from, to) = rule.ports();
    if rule.protocol.tests_ports() && !(from <= attempt.ports.0 && attempt.ports.1 <= to) {
        lacks.push("port");
    }
    if !holds(newest, &rule.peer, &attempt.peer) {
        lacks.push("peer");
    }
    // It fits, and something in front of it refused.
    if rule.ranked.is_some() && lacks.is_empty() {
        lacks.push("priority");
    }
    lacks
}

/// Leading bits that a range has in common with the peer.
fn shared(peer: &Peer, net: &IpNet) -> u32 {
    match (peer, net) {
        (Peer::Cidr(IpNet::V4(a)), IpNet::V4(b)) => {
            (u32::from(a.network()) ^ u32::from(b.network())).leading_zeros().min(u32::from(a.prefix_len()))
        }
        (Peer::Cidr(IpNet::V6(a)), IpNet::V6(b)) => {
            (u128::from(a.network()) ^ u128::from(b.network())).leading_zeros().min(u32::from(a.prefix_len()))
        }
        _ => 0,
    }
}

/// Whether the peer of a rule holds all of a range, in this state.
fn holds(state: &State, peer: &Peer, net: &IpNet) -> bool {
    match peer {
        Peer::Cidr(range) => range.contains(net),
        Peer::BadCidr(_) => false,
        Peer::PrefixList(list) => {
            state.prefix_lists.get(list).is_some_and(|nets| nets.iter().any(|range| range.contains(net)))
        }
        Peer::Group(group) => {
            let members = state.interfaces.values().filter(|interface| interface.group_ids.contains(group));
            net.prefix_len() == net.max_prefix_len()
                && members.into_iter().any(|member| member.owns(net.addr()))
        }
    }
}
