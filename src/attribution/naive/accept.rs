//! Section 4: who opened the connection of an ACCEPT, and which rules that credits. Section 7: neighbours.

use std::collections::{BTreeMap, BTreeSet};

use super::place::{self, Case, Rules, SYN};
use crate::attribution::{Basis, Drift};
use crate::flow::{Direction, has_ports};
use crate::rules::ranked::{LONGEST_SESSION, RuleAction};
use crate::rules::state::Cloud;
use crate::rules::{Peer, RuleIndex};

/// Who opened the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The sender of the record.
    Forward,
    /// Its receiver.
    Reply,
}

/// What becomes of an ACCEPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// F and R empty, and a group of the interface is unknown.
    UnknownGroup,
    /// F and R empty, in the neighbours too.
    Unexplained,
    /// F and R are those of a neighbour: undecided, without a basis.
    ExplainedByNeighbour,
    /// Decided, or undecided (None).
    Told(Option<Role>, Basis),
    /// Lines 5 to 7 need the whole input.
    Waits,
}

/// An ACCEPT with its F and R, whether in play or not.
pub(super) struct Accept<'a> {
    pub(super) case: Case<'a>,
    pub(super) forward: Rules,
    pub(super) reply: Rules,
    pub(super) fate: Fate,
    /// The neighbouring state that explains it.
    pub(super) explained_at: Option<usize>,
}

impl<'a> Accept<'a> {
    pub(super) fn of(case: Case<'a>) -> Self {
        let forward = case.forward(case.state(), case.interface);
        let reply = case.reply(case.state(), case.interface);
        let mut accept = Self { case, forward, reply, fate: Fate::Unexplained, explained_at: None };
        accept.fate = accept.lines_1_to_4();
        // Line 8.
        if accept.fate == Fate::Unexplained {
            if accept.case.has_unknown_group() {
                accept.fate = Fate::UnknownGroup;
            } else if let Some((at, forward, reply)) = accept.ask_neighbours() {
                accept.explained_at = Some(at);
                accept.forward = forward;
                accept.reply = reply;
                accept.fate = Fate::ExplainedByNeighbour;
            }
        }
        accept
    }

    fn lines_1_to_4(&self) -> Fate {
        let traffic = self.case.traffic;
        let (f, r) = (!self.forward.is_empty(), !self.reply.is_empty());
        let (forward, reply) = (Some(Role::Forward), Some(Role::Reply));
        // 8: both empty.
        if !f && !r {
            return Fate::Unexplained;
        }
        match (self.case.forward_in_play(), self.case.reply_in_play()) {
            // 1: one reading in play, its set non-empty.
            (true, false) if f => return Fate::Told(forward, Basis::TcpFlags),
            (false, true) if r => return Fate::Told(reply, Basis::TcpFlags),
            // 1b: one reading in play, its set empty, the other's not.
            (true, false) | (false, true) => return Fate::Told(None, Basis::Contradicted),
            (true, true) | (false, false) => {}
        }
        // 2: exactly one of F, R is non-empty.
        if f != r {
            return Fate::Told(if f { forward } else { reply }, Basis::Rules);
        }
        // Protocols without ports skip lines 3 to 6. 7: undecided.
        if !has_ports(traffic.protocol) {
            return Fate::Told(None, Basis::Ambiguous);
        }
        // 3: exactly one holds a specific rule.
        let specific_f = self.case.any_specific(&self.forward);
        let specific_r = self.case.any_specific(&self.reply);
        if specific_f != specific_r {
            return Fate::Told(if specific_f { forward } else { reply }, Basis::RulePorts);
        }
        // 4: exactly one of the two ports is below 512.
        let (low_destination, low_source) = (traffic.dstport < 512, traffic.srcport < 512);
        if low_destination != low_source {
            return Fate::Told(if low_destination { forward } else { reply }, Basis::LowPort);
        }
        Fate::Waits
    }

    /// Section 7: the earlier states, newest first, then the next one; the first that explains it in a reading in play.
    fn ask_neighbours(&self) -> Option<(usize, Rules, Rules)> {
        let case = &self.case;
        // Snapshots that show the same are one state: after any but the last of them, the next one shows nothing new.
        let shown_again = case.state().confirmed;
        let next = match (shown_again, case.flow.start) {
            (None, _) => Some(case.state + 1),
            (Some(again), Some(start)) if start >= again => Some(case.state + 1),
            _ => None,
        };
        // On Alibaba Cloud no session outlives a change of rules for long.
        let outlived = |earlier: &usize| {
            let ended = case.timeline.states.get(earlier + 1).and_then(|state| state.from);
            case.interface.cloud == Cloud::Aws
                || matches!((case.flow.start, ended), (Some(start), Some(ended)) if start < ended + LONGEST_SESSION)
        };
        for neighbour in (0..case.state).rev().filter(outlived).chain(next) {
            let Some(state) = case.timeline.states.get(neighbour) else { continue };
            let Some(interface) = state.interfaces.get(&case.interface_id) else { continue };
            let forward = if case.forward_in_play() { case.forward(state, interface) } else { Rules::new() };
            let reply = if case.reply_in_play() { case.reply(state, interface) } else { Rules::new() };
            if !forward.is_empty() || !reply.is_empty() {
                return Some((neighbour, forward, reply));
            }
        }
        None
    }

    /// The rules that a role credits; undecided (None), those of both.
    pub(super) fn credited(&self, role: Option<Role>) -> Rules {
        match role {
            Some(Role::Forward) => self.forward.clone(),
            Some(Role::Reply) => self.reply.clone(),
            None => self.forward.union(&self.reply).copied().collect(),
        }
    }

    /// Whether the rule is all there is in the set of the role; undecided (None), in F or in R.
    pub(super) fn is_alone(&self, index: RuleIndex, role: Option<Role>) -> bool {
        let forward = self.forward.len() == 1 && self.forward.contains(&index);
        let reply = self.reply.len() == 1 && self.reply.contains(&index);
        match role {
            Some(Role::Forward) => forward,
            Some(Role::Reply) => reply,
            None => forward || reply,
        }
    }

    /// Section 6, `peer_unproven`: rules that the record matches in all but the peer, where that proves nothing.
    pub(super) fn near_rules(&self) -> Rules {
        let case = &self.case;
        // F and R of the state in force, before any asking of neighbours.
        let no_forward = case.forward(case.state(), case.interface).is_empty();
        let reply = case.reply(case.state(), case.interface);
        if !case.forward_in_play() || !no_forward || case.any_specific(&reply) {
            return Rules::new();
        }
        let mut near = case.forward_but_peer(case.state(), case.interface);
        // Who was let through has not been denied, and what nobody wrote needs no proof.
        near.retain(|index| {
            case.rule(*index).action() == RuleAction::Allow && !case.rule(*index).is_default()
        });
        near.retain(|index| match &case.rule(*index).peer {
            Peer::Cidr(_) | Peer::BadCidr(_) => false,
            Peer::PrefixList(_) => true,
            Peer::Group(group) => self.peer_is_on_no_interface() || self.keeps_client_address(group),
        });
        near
    }

    /// What may lie behind an ACCEPT that no rule explains.
    pub(super) fn drift(&self) -> Drift {
        let (case, state) = (&self.case, self.case.state());
        if !state.interfaces.contains_key(&case.interface_id) {
            return Drift::StaleInterface;
        }
        let forward = case.forward_in_play().then(|| case.forward_but_peer(state, case.interface));
        let reply = case.reply_in_play().then(|| case.reply_but_peer(state, case.interface));
        let mut fitting = forward.into_iter().chain(reply).flatten();
        if fitting.any(|index| place::is_unresolvable(&case.rule(index).peer, state)) {
            return Drift::UnresolvedReference;
        }
        match place::known_flags(case.traffic) {
            None => Drift::Untold,
            Some(flags) if flags & SYN == SYN => Drift::NewConnection,
            Some(_) => Drift::TrackedConnection,
        }
    }

    /// In any snapshot given.
    fn peer_is_on_no_interface(&self) -> bool {
        let mut interfaces = self.case.timeline.states.iter().flat_map(|state| state.interfaces.values());
        !interfaces.any(|interface| interface.owns(self.case.peer))
    }

    /// The group is on an interface that keeps the client's address, in any snapshot given.
    fn keeps_client_address(&self, group: &String) -> bool {
        let mut interfaces = self.case.timeline.states.iter().flat_map(|state| state.interfaces.values());
        interfaces.any(|interface| interface.keeps_client_address() && interface.group_ids.contains(group))
    }

    /// (local, remote).
    fn ports(&self) -> (u16, u16) {
        let traffic = self.case.traffic;
        match self.case.direction {
            Direction::Ingress => (traffic.dstport, traffic.srcport),
            Direction::Egress => (traffic.srcport, traffic.dstport),
        }
    }

    /// The role if this end is the service: the service's port is `dstport` of the forward reading.
    fn role_if_service(&self, end: End) -> Role {
        match (end, self.case.direction) {
            (End::Local, Direction::Ingress) | (End::Remote, Direction::Egress) => Role::Forward,
            (End::Local, Direction::Egress) | (End::Remote, Direction::Ingress) => Role::Reply,
        }
    }
}

/// Which end of a connection a port belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The interface.
    Local,
    /// The peer.
    Remote,
}

/// Interface id, protocol, port, end.
type PortKey = (String, u8, u16, End);

/// What all ACCEPTs together show about ports.
pub(super) struct Evidence {
    /// Line 5: records that lines 1 and 2 decided, by the port that was the service.
    services: BTreeMap<PortKey, u64>,
    /// Line 6: different ports of the other end, among records that got as far as line 5.
    partners: BTreeMap<PortKey, BTreeSet<u16>>,
}

impl Evidence {
    pub(super) fn of(accepts: &[Accept<'_>]) -> Self {
        let (mut services, mut partners) = (BTreeMap::new(), BTreeMap::new());
        for accept in accepts {
            let key = |port, end| (accept.case.interface_id.clone(), accept.case.traffic.protocol, port, end);
            let (local, remote) = accept.ports();
            match accept.fate {
                Fate::Told(Some(role), Basis::TcpFlags | Basis::Rules) => {
                    let (port, end) = if role == accept.role_if_service(End::Local) {
                        (local, End::Local)
                    } else {
                        (remote, End::Remote)
                    };
                    super::add(services.entry(key(port, end)).or_default(), 1);
                }
                Fate::Waits => {
                    partners.entry(key(local, End::Local)).or_insert_with(BTreeSet::new).insert(remote);
                    partners.entry(key(remote, End::Remote)).or_insert_with(BTreeSet::new).insert(local);
                }
                _ => {}
            }
        }
        Self { services, partners }
    }

    /// Lines 5 to 7, for a record that waits.
    pub(super) fn tell(&self, accept: &Accept<'_>) -> (Option<Role>, Basis) {
        let key = |port, end| (accept.case.interface_id.clone(), accept.case.traffic.protocol, port, end);
        let (local, remote) = accept.ports();
        let (local, remote) = (key(local, End::Local), key(remote, End::Remote));
        let larger = |at_local, at_remote| if at_local > at_remote { End::Local } else { End::Remote };
        // 5: the end shown more often as a service.
        let shown = |key| self.services.get(key).copied().unwrap_or(0);
        let (at_local, at_remote) = (shown(&local), shown(&remote));
        if at_local != at_remote {
            return (Some(accept.role_if_service(larger(at_local, at_remote))), Basis::KnownService);
        }
        // 6: the end that more different ports talk to, each counted up to 64, the larger at least 8.
        let talks_to = |key| self.partners.get(key).map_or(0, |ports| ports.len().min(64) as u64);
        let (at_local, at_remote) = (talks_to(&local), talks_to(&remote));
        if at_local != at_remote && at_local.max(at_remote) >= 8 {
            return (Some(accept.role_if_service(larger(at_local, at_remote))), Basis::FanIn);
        }
        // 7: undecided.
        (None, Basis::Ambiguous)
    }
}
