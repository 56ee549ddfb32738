//! One state of a timeline → its index: interfaces with their profiles, peers as address classes, ports as port classes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::IpNet;

use super::super::address::{AddressClasses, LookUp, PeerIndex};
use super::super::port_classes::PortClasses;
use super::{
    CompiledRule, Doubt, Kin, Origin, PeerProof, Placed, Profile, Protocols, Seat, StateIndex, holds, v4,
};
use crate::flow::{Direction, TCP, UDP};
use crate::rules::state::State;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, RuleProtocol};
use crate::tally::scope;

/// Compiles the state at this place of the timeline.
pub(super) fn compile(
    timeline: &Timeline,
    at: usize,
    ids: &BTreeSet<&String>,
    keepers: &BTreeSet<&str>,
    own: &[IpNet],
    look_up: LookUp,
) -> StateIndex {
    let state = &timeline.states[at];
    let mut peers = Peers::of(state);
    let mut profiles: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    let mut compiled = Vec::new();
    let mut interfaces = Vec::with_capacity(ids.len());
    for id in ids {
        let Some((found, interface)) = timeline.interface(at, id) else { continue };
        let mut groups: Vec<&str> = interface.group_ids.iter().map(String::as_str).collect();
        groups.sort_unstable();
        groups.dedup();
        let profile = *profiles.entry(groups.clone()).or_insert_with(|| {
            compiled.push(compile_profile(timeline, state, &groups, &mut peers, keepers));
            compiled.len() - 1
        });
        interfaces.push(Placed {
            interface: Arc::clone(interface),
            v4: interface.addresses.iter().filter_map(v4).collect(),
            origin: if found == at { Origin::State } else { Origin::Neighbour },
            profile,
            acl: state.acls.get(&interface.subnet_id).cloned(),
            subnet: state.subnets.get(&interface.subnet_id).cloned(),
        });
    }
    // Besides the peers of rules, two things are asked of every address.
    peers.ranges.push(scope::internal_ranges());
    peers.ranges.push(own.to_vec());
    let seats = interfaces.iter().map(Seat::of).collect();
    let classes = AddressClasses::build(&peers.ranges, look_up);
    StateIndex { classes, profiles: compiled, interfaces, seats, kin: Vec::new() }
}

impl StateIndex {
    /// Gives classes that a profile cannot tell apart one number.
    pub(super) fn fold_classes(&mut self, left: &mut usize) {
        let count = self.classes.count();
        let (internal, own) = self.classes.last_two_peers();
        for profile in &mut self.profiles {
            if count > *left {
                return;
            }
            *left -= count;
            let rules = profile.ingress.iter().chain(&profile.egress);
            let peers: BTreeSet<PeerIndex> = rules.map(|rule| rule.peer).chain([internal, own]).collect();
            let mut known: HashMap<Vec<bool>, u16> = HashMap::new();
            profile.kin = Kin::Folded(self.kin.len());
            self.kin.extend((0..count).map(|class| {
                let members = self.classes.members_of(class);
                let held: Vec<bool> = peers.iter().map(|peer| holds(members, *peer)).collect();
                let next = u16::try_from(known.len()).unwrap_or(u16::MAX);
                *known.entry(held).or_insert(next)
            }));
        }
    }
}

/// The port classes of all profiles, each once.
#[derive(Default)]
pub(super) struct PortClassTable {
    known: HashMap<PortClasses, u32>,
    pub(super) all: Vec<PortClasses>,
}

impl PortClassTable {
    pub(super) fn of_profile(&mut self, profile: &Profile) -> Option<[[u32; 2]; 2]> {
        let mut numbers = [[0; 2]; 2];
        for direction in [Direction::Ingress, Direction::Egress] {
            for (transport, protocol) in [TCP, UDP].into_iter().enumerate() {
                let rules = profile.rules(direction).iter().filter(|rule| rule.protocols.holds(protocol));
                let ranges: Vec<(u16, u16)> = rules.map(|rule| (rule.from, rule.to)).collect();
                numbers[direction as usize][transport] = self.number(PortClasses::build(&ranges)?);
            }
        }
        Some(numbers)
    }

    fn number(&mut self, classes: PortClasses) -> u32 {
        if let Some(number) = self.known.get(&classes) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(classes.clone());
        self.known.insert(classes, number);
        number
    }
}

fn compile_profile(
    timeline: &Timeline,
    state: &State,
    groups: &[&str],
    peers: &mut Peers<'_>,
    keepers: &BTreeSet<&str>,
) -> Profile {
    let mut profile = Profile::default();
    for id in groups {
        let Some(group) = state.groups.get(*id) else {
            profile.lacks_group = true;
            continue;
        };
        for &index in &group.rules {
            let rule = &timeline.rules[index.index()];
            let (peer, unresolved) = peers.index(&rule.peer);
            let doubt = match &rule.peer {
                Peer::Cidr(_) | Peer::BadCidr(_) => Doubt::Nobody,
                Peer::PrefixList(_) => Doubt::Anybody,
                Peer::Group(group) if keepers.contains(group.as_str()) => Doubt::Anybody,
                Peer::Group(_) => Doubt::Strangers,
            };
            let (from, to) = if rule.protocol.tests_ports() { rule.ports() } else { (0, u16::MAX) };
            let compiled = CompiledRule {
                protocols: match rule.protocol {
                    RuleProtocol::All => Protocols::All,
                    RuleProtocol::Number(number) => Protocols::One(number),
                    RuleProtocol::Unknown(_) => Protocols::None,
                },
                from,
                to,
                peer,
                rule: index,
                proof: PeerProof { unresolved, doubt },
            };
            match rule.direction {
                Direction::Ingress => profile.ingress.push(compiled),
                Direction::Egress => profile.egress.push(compiled),
            }
        }
    }
    // Matched rules come out ascending, which is how sets of rules are compared.
    profile.ingress.sort_unstable_by_key(|rule| rule.rule);
    profile.egress.sort_unstable_by_key(|rule| rule.rule);
    profile
}

/// The distinct peers of a state and the ranges each one means there.
struct Peers<'a> {
    state: &'a State,
    members: BTreeMap<&'a str, Vec<IpNet>>,
    known: HashMap<Peer, (PeerIndex, bool)>,
    ranges: Vec<Vec<IpNet>>,
}

impl<'a> Peers<'a> {
    fn of(state: &'a State) -> Self {
        let mut members: BTreeMap<&str, Vec<IpNet>> = BTreeMap::new();
        for interface in state.interfaces.values() {
            for group in &interface.group_ids {
                let ranges = members.entry(group).or_default();
                ranges.extend(interface.addresses.iter().copied().map(IpNet::from));
                ranges.extend(&interface.prefixes);
            }
        }
        Self { state, members, known: HashMap::new(), ranges: Vec::new() }
    }

    /// The index of a peer, and whether it cannot be resolved in this state.
    fn index(&mut self, peer: &Peer) -> (PeerIndex, bool) {
        if let Some(known) = self.known.get(peer) {
            return *known;
        }
        let (ranges, unresolved) = match peer {
            Peer::Cidr(net) => (vec![*net], false),
            Peer::BadCidr(_) => (Vec::new(), false),
            Peer::Group(id) => match self.members.get(id.as_str()) {
                Some(ranges) => (ranges.clone(), false),
                None => (Vec::new(), !self.state.groups.contains_key(id)),
            },
            Peer::PrefixList(id) => match self.state.prefix_lists.get(id) {
                Some(nets) => (nets.to_vec(), false),
                None => (Vec::new(), true),
            },
        };
        let index = PeerIndex::try_from(self.ranges.len()).unwrap_or(PeerIndex::MAX);
        self.ranges.push(ranges);
        self.known.insert(peer.clone(), (index, unresolved));
        (index, unresolved)
    }
}
