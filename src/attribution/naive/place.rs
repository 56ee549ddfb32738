//! Sections 1 to 3: what is looked at, when a rule matches, and the two readings.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::flow::{Direction, OwnedFlow, TCP, Traffic};
use crate::rules::ranked::{NicType, RuleAction};
use crate::rules::state::{Cloud, Interface, State};
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex};
use crate::tally::scope::{self, PeerScope};

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
        // The flags of all packets are put together on Alibaba Cloud: a client's own record may show 18.
        self.interface.cloud == Cloud::Alibaba
            || known_flags(self.traffic).is_none_or(|flags| flags & SYN_ACK != SYN_ACK)
    }

    /// Section 3: whether the receiver may have opened the connection.
    pub(super) fn reply_in_play(&self) -> bool {
        known_flags(self.traffic).is_none_or(|flags| flags & SYN_ACK != SYN)
    }

    /// Rules of the interface's groups that let the forward reading through in this state.
    pub(super) fn forward(&self, state: &State, interface: &Interface) -> Rules {
        self.letting_through(&self.forward_matching(state, interface))
    }

    /// The same for the reply reading.
    pub(super) fn reply(&self, state: &State, interface: &Interface) -> Rules {
        let mut found = self.reply_but_peer(state, interface);
        found.retain(|index| peer_fits(&self.timeline.rules[index.index()].peer, self.peer, state));
        self.letting_through(&found)
    }

    /// Section 8: the rule that denies the forward reading, where it decides.
    pub(super) fn denied_by(&self) -> Option<RuleIndex> {
        let matching = self.forward_matching(self.state(), self.interface);
        self.deciding(&matching).filter(|index| self.rule(*index).action() == RuleAction::Deny)
    }

    /// Rules of the forward reading, whatever they do.
    fn forward_matching(&self, state: &State, interface: &Interface) -> Rules {
        let mut found = self.forward_but_peer(state, interface);
        found.retain(|index| peer_fits(&self.timeline.rules[index.index()].peer, self.peer, state));
        found
    }

    /// Section 8: the first by priority, and of equal ones one that denies.
    fn deciding(&self, matching: &Rules) -> Option<RuleIndex> {
        matching.iter().copied().min_by_key(|index| self.rule(*index).rank())
    }

    /// Section 2 and section 8: all that match where rules have no rank; else the one that decides and those of the same
    /// priority, if it allows.
    fn letting_through(&self, matching: &Rules) -> Rules {
        let Some(deciding) = self.deciding(matching).map(|index| self.rule(index)) else {
            return Rules::new();
        };
        if deciding.action() == RuleAction::Deny {
            return Rules::new();
        }
        matching.iter().copied().filter(|index| self.rule(*index).rank() == deciding.rank()).collect()
    }

    /// Rules that the forward reading matches, whatever their peer.
    pub(super) fn forward_but_peer(&self, state: &State, interface: &Interface) -> Rules {
        let ports = (self.traffic.srcport, self.traffic.dstport);
        self.but_peer(state, interface, self.direction, ports)
    }

    /// Rules that the reply reading matches, whatever their peer.
    pub(super) fn reply_but_peer(&self, state: &State, interface: &Interface) -> Rules {
        let ports = (self.traffic.dstport, self.traffic.srcport);
        self.but_peer(state, interface, self.direction.opposite(), ports)
    }

    fn but_peer(
        &self,
        state: &State,
        interface: &Interface,
        direction: Direction,
        ports: (u16, u16),
    ) -> Rules {
        let mut found = Rules::new();
        for group in interface.group_ids.iter().filter_map(|id| state.groups.get(id)) {
            for index in group.all_rules() {
                let rule = &self.timeline.rules[index.index()];
                if group.takes(rule)
                    && rule.direction == direction
                    && rule.allows_port(self.traffic.protocol, ports.1)
                    && self.asks_no_more(rule, ports.0)
                {
                    found.insert(index);
                }
            }
        }
        found
    }

    /// Section 2: the source port, the near address and the kind of network, where a rule asks for them.
    fn asks_no_more(&self, rule: &Rule, source_port: u16) -> bool {
        let Some(ranked) = &rule.ranked else { return true };
        let local = match self.direction {
            Direction::Ingress => self.traffic.dstaddr,
            Direction::Egress => self.traffic.srcaddr,
        };
        let internet = scope::of(self.peer) == PeerScope::Internet;
        ranked.source_ports.is_none_or(|(from, to)| (from..=to).contains(&source_port))
            && ranked.local.is_none_or(|net| net.contains(&local))
            && match ranked.nic {
                None => true,
                Some(NicType::Internet) => internet,
                Some(NicType::Intranet) => !internet,
            }
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
