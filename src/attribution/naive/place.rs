//! Sections 1 to 3: what is looked at, when a rule matches, and the two readings.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::flow::{Direction, OwnedFlow, TCP, Traffic};
use crate::rules::state::{Interface, State};
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex};

/// `tcp-flags` of the packet that opens a connection.
pub(super) const SYN: u8 = 0b0_0010;
/// `tcp-flags` of the packet that answers it: 18.
pub(super) const SYN_ACK: u8 = 0b1_0010;

/// The first row of section 1 that applies.
pub(super) enum Place<'a> {
    /// In no snapshot; with its `flow-direction`, if any.
    UnknownInterface(Option<Direction>),
    /// The interface has no groups; with its direction, if it can be told.
    NoGroup(Option<Direction>),
    /// The direction cannot be told.
    UnknownDirection,
    /// Rules can be matched.
    Known(Case<'a>),
}

impl Place<'_> {
    pub(super) fn direction(&self) -> Option<Direction> {
        match self {
            Self::UnknownInterface(direction) | Self::NoGroup(direction) => *direction,
            Self::UnknownDirection => None,
            Self::Known(case) => Some(case.direction),
        }
    }
}

/// A record whose interface, groups and direction are known.
pub(super) struct Case<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) flow: &'a OwnedFlow,
    pub(super) traffic: &'a Traffic,
    pub(super) interface_id: String,
    /// Which state is in force.
    pub(super) state: usize,
    /// The interface there, or in a neighbour.
    pub(super) interface: &'a Interface,
    pub(super) direction: Direction,
    pub(super) peer: IpAddr,
}

/// A set of rules.
pub(super) type Rules = BTreeSet<RuleIndex>;

pub(super) fn interface_id(flow: &OwnedFlow) -> String {
    String::from_utf8_lossy(&flow.interface_id).into_owned()
}

pub(super) fn of<'a>(timeline: &'a Timeline, flow: &'a OwnedFlow, traffic: &'a Traffic) -> Place<'a> {
    let interface_id = interface_id(flow);
    let Some((state, _)) = timeline.at(flow.start) else {
        return Place::UnknownInterface(traffic.direction);
    };
    let Some((_, interface)) = timeline.interface(state, &interface_id) else {
        return Place::UnknownInterface(traffic.direction);
    };
    let direction = direction(traffic, interface);
    if interface.group_ids.is_empty() {
        return Place::NoGroup(direction);
    }
    let Some(direction) = direction else { return Place::UnknownDirection };
    let peer = peer(traffic, Some(direction));
    Place::Known(Case { timeline, flow, traffic, interface_id, state, interface, direction, peer })
}

/// Absent from the state in force, present in another.
pub(super) fn interface_from_neighbour(timeline: &Timeline, flow: &OwnedFlow) -> bool {
    let Some((state, _)) = timeline.at(flow.start) else { return false };
    timeline.interface(state, &interface_id(flow)).is_some_and(|(found, _)| found != state)
}

/// `flow-direction`, else by `srcaddr` and `dstaddr`.
fn direction(traffic: &Traffic, interface: &Interface) -> Option<Direction> {
    if traffic.direction.is_some() {
        return traffic.direction;
    }
    match (interface.owns(traffic.dstaddr), interface.owns(traffic.srcaddr)) {
        (true, false) => Some(Direction::Ingress),
        (false, true) => Some(Direction::Egress),
        (true, true) | (false, false) => None,
    }
}

/// The far side; the source where the direction is unknown.
pub(super) fn peer(traffic: &Traffic, direction: Option<Direction>) -> IpAddr {
    match direction {
        Some(Direction::Egress) => traffic.pkt_dstaddr.unwrap_or(traffic.dstaddr),
        Some(Direction::Ingress) | None => traffic.pkt_srcaddr.unwrap_or(traffic.srcaddr),
    }
}

/// Flags are known only for protocol 6.
pub(super) fn known_flags(traffic: &Traffic) -> Option<u8> {
    if traffic.protocol == TCP { traffic.tcp_flags } else { None }
}

impl<'a> Case<'a> {
    pub(super) fn state(&self) -> &'a State {
        &self.timeline.states[self.state]
    }

    /// Section 3: whether the sender may have opened the connection.
    pub(super) fn forward_in_play(&self) -> bool {
        known_flags(self.traffic).is_none_or(|flags| flags & SYN_ACK != SYN_ACK)
    }

    /// Section 3: whether the receiver may have opened the connection.
    pub(super) fn reply_in_play(&self) -> bool {
        known_flags(self.traffic).is_none_or(|flags| flags & SYN_ACK != SYN)
    }

    /// Rules of the interface's groups that match the forward reading in this state.
    pub(super) fn forward(&self, state: &State, interface: &Interface) -> Rules {
        let mut found = self.forward_but_peer(state, interface);
        found.retain(|index| peer_fits(&self.timeline.rules[index.index()].peer, self.peer, state));
        found
    }

    /// The same for the reply reading.
    pub(super) fn reply(&self, state: &State, interface: &Interface) -> Rules {
        let mut found = self.reply_but_peer(state, interface);
        found.retain(|index| peer_fits(&self.timeline.rules[index.index()].peer, self.peer, state));
        found
    }

    /// Rules that the forward reading matches, whatever their peer.
    pub(super) fn forward_but_peer(&self, state: &State, interface: &Interface) -> Rules {
        self.but_peer(state, interface, self.direction, self.traffic.dstport)
    }

    /// Rules that the reply reading matches, whatever their peer.
    pub(super) fn reply_but_peer(&self, state: &State, interface: &Interface) -> Rules {
        self.but_peer(state, interface, self.direction.opposite(), self.traffic.srcport)
    }

    fn but_peer(&self, state: &State, interface: &Interface, direction: Direction, port: u16) -> Rules {
        let mut found = Rules::new();
        for group in interface.group_ids.iter().filter_map(|id| state.groups.get(id)) {
            for index in &group.rules {
                let rule = &self.timeline.rules[index.index()];
                if rule.direction == direction && rule.allows_port(self.traffic.protocol, port) {
                    found.insert(*index);
                }
            }
        }
        found
    }

    /// Whether a group of the interface is absent from the state in force.
    pub(super) fn has_unknown_group(&self) -> bool {
        self.interface.group_ids.iter().any(|id| !self.state().groups.contains_key(id))
    }

    /// Whether one of these is a tcp or udp rule of fewer than 1,024 ports.
    pub(super) fn any_specific(&self, rules: &Rules) -> bool {
        rules.iter().any(|index| self.timeline.rules[index.index()].is_specific())
    }

    pub(super) fn rule(&self, index: RuleIndex) -> &'a Rule {
        &self.timeline.rules[index.index()]
    }
}

/// Section 2, the peer.
fn peer_fits(peer: &Peer, address: IpAddr, state: &State) -> bool {
    match peer {
        Peer::Cidr(net) => net.contains(&address),
        Peer::BadCidr(_) => false,
        Peer::Group(group) => {
            state.interfaces.values().any(|member| member.group_ids.contains(group) && member.owns(address))
        }
        Peer::PrefixList(list) => {
            state.prefix_lists.get(list).is_some_and(|nets| nets.iter().any(|net| net.contains(&address)))
        }
    }
}

/// Section 2: a group that is neither in the snapshot nor on any of its interfaces; an unknown prefix list.
pub(super) fn is_unresolvable(peer: &Peer, state: &State) -> bool {
    match peer {
        Peer::Cidr(_) | Peer::BadCidr(_) => false,
        Peer::Group(group) => {
            !state.groups.contains_key(group)
                && !state.interfaces.values().any(|member| member.group_ids.contains(group))
        }
        Peer::PrefixList(list) => !state.prefix_lists.contains_key(list),
    }
}
