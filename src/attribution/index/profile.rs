//! The rules of a list of groups, ready to be tested.

use std::hash::Hash;
use std::sync::Arc;

use super::super::address::PeerIndex;
use crate::flow::Direction;
use crate::rules::RuleIndex;
use crate::rules::ranked::RuleAction;
use crate::rules::state::Cloud;
use crate::rules::timeline::Timeline;

/// The rules of a list of groups.
#[derive(Debug, Default)]
pub(in crate::attribution) struct Profile {
    /// Its number among the profiles of all states.
    pub(in crate::attribution) number: usize,
    /// Those that took each other's place.
    pub(super) family: usize,
    /// Sorted.
    pub(super) groups: Arc<[String]>,
    pub(in crate::attribution) ingress: Vec<CompiledRule>,
    pub(in crate::attribution) egress: Vec<CompiledRule>,
    /// Some group is absent from the state, so some rules are not known.
    pub(in crate::attribution) lacks_group: bool,
    /// Whose rules they are.
    pub(in crate::attribution) cloud: Cloud,
}

impl Profile {
    /// Everything but its numbers.
    pub(super) fn content(&self) -> impl Hash + Eq {
        (&self.groups, &self.ingress, &self.egress, self.lacks_group, self.cloud)
    }

    /// Whether some rule asks for more than ports and the peer tell.
    pub(super) fn asks_more(&self) -> bool {
        self.ingress.iter().chain(&self.egress).any(|rule| rule.asks_more)
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = PeerIndex> {
        self.ingress.iter().chain(&self.egress).map(|rule| rule.peer)
    }

    /// Whether some record of the protocol may find rules in both readings that line 3 does not tell apart.
    pub(super) fn may_tie(&self, protocol: u8, timeline: &Timeline) -> bool {
        let has = |direction, specific| {
            let rules = self.rules(direction).iter().filter(|rule| rule.protocols.holds(protocol));
            rules.into_iter().any(|rule| timeline.rules[rule.rule.index()].is_specific() == specific)
        };
        let both = |specific| has(Direction::Ingress, specific) && has(Direction::Egress, specific);
        both(true) || both(false)
    }

    pub(in crate::attribution) fn rules(&self, direction: Direction) -> &[CompiledRule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

/// One rule, ready to be tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::attribution) struct CompiledRule {
    pub(super) protocols: Protocols,
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) peer: PeerIndex,
    pub(in crate::attribution) rule: RuleIndex,
    pub(in crate::attribution) proof: PeerProof,
    /// The order in which it is asked; all rules of AWS have one.
    pub(in crate::attribution) rank: u16,
    /// Whether it asks for the source port, the near address or the kind of network.
    pub(in crate::attribution) asks_more: bool,
    pub(super) action: RuleAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Protocols {
    All,
    One(u8),
    None,
}

/// What a packet that fits the rule in all but the peer says about the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::attribution) struct PeerProof {
    /// The peer is a group or list that the state does not resolve.
    pub(in crate::attribution) unresolved: bool,
    /// Which peers cast doubt on the rule not being used.
    pub(in crate::attribution) doubt: Doubt,
}

/// Which peers could have used a rule although its peer does not hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::attribution) enum Doubt {
    /// Address ranges hold who they hold.
    Nobody,
    /// A group may have had members that no snapshot shows.
    Strangers,
    /// A prefix list may have had other entries; some load balancers keep the client's address.
    Anybody,
}

impl Protocols {
    pub(super) fn holds(self, protocol: u8) -> bool {
        match self {
            Self::All => true,
            Self::One(own) => own == protocol,
            Self::None => false,
        }
    }
}

impl CompiledRule {
    /// Whether it lets through what it decides.
    pub(in crate::attribution) fn allows(&self) -> bool {
        self.action == RuleAction::Allow
    }

    /// Whether protocol and port fit.
    pub(in crate::attribution) fn allows_port(&self, protocol: u8, port: u16) -> bool {
        self.protocols.holds(protocol) && self.from <= port && port <= self.to
    }

    /// Whether the peer is among the members of an address class.
    pub(in crate::attribution) fn allows_peer(&self, members: &[u64]) -> bool {
        holds(members, self.peer)
    }
}

fn holds(members: &[u64], peer: PeerIndex) -> bool {
    members[peer as usize / 64] >> (peer % 64) & 1 == 1
}
