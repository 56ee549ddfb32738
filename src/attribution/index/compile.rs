//! One state of a timeline → its index: interfaces with their profiles, peers as address classes, ports as port classes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::IpNet;
use rayon::prelude::*;

use super::super::address::{AddressClasses, LookUp, PeerIndex};
use super::super::port_classes::{PortClasses, PortSets};
use super::super::seat::{Kin, Seat};
use super::{
    CompiledRule, Doubt, MOST_FOLDED, Origin, PeerProof, Placed, Profile, Protocols, StateIndex, v4,
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
    let classes = AddressClasses::build(&peers.ranges, look_up);
    StateIndex { classes, profiles: compiled, interfaces }
}

/// The seats of all interfaces in all states, and the lists that they point into.
pub(super) struct Seating {
    pub(super) seats: Vec<Seat>,
    pub(super) kin: Vec<u16>,
    pub(super) port_classes: PortClasses,
}

impl Seating {
    pub(super) fn of(states: &[StateIndex]) -> Self {
        let mut port_sets = PortSets::default();
        let mut kin = Vec::new();
        let mut ports = Vec::new();
        let mut kins = Vec::new();
        for state in states {
            ports.extend(state.profiles.iter().map(|profile| number_ports(profile, &mut port_sets)));
            let folding = Folding::of(&state.classes);
            let room = (MOST_FOLDED - kin.len()) / state.classes.count();
            let (folded, left) = state.profiles.split_at(room.min(state.profiles.len()));
            let folded: Vec<Vec<u16>> = folded.par_iter().map(|profile| folding.fold(profile)).collect();
            for classes in folded {
                kins.push(Kin::folded(kin.len()));
                kin.extend(classes);
            }
            kins.extend(left.iter().map(|_| Kin::CLASS));
        }
        let (port_classes, places) = port_sets.build();
        let interfaces = states.iter().flat_map(|state| state.interfaces.iter().map(move |it| (state, it)));
        let seats = interfaces.map(|(state, placed)| {
            let number = state.profiles[placed.profile].number;
            let ports = ports[number].map(|of| of.map(|of| of.map(|set: usize| places[set])));
            Seat::of(placed, number, kins[number], ports)
        });
        Self { seats: seats.collect(), kin, port_classes }
    }
}

/// By transport and direction. None: its records are judged one by one.
fn number_ports(profile: &Profile, sets: &mut PortSets) -> Option<[[usize; 2]; 2]> {
    let mut numbers = [[0; 2]; 2];
    for (protocol, of_transport) in [TCP, UDP].into_iter().zip(&mut numbers) {
        for direction in [Direction::Ingress, Direction::Egress] {
            let rules = profile.rules(direction).iter().filter(|rule| rule.protocols.holds(protocol));
            let ranges: Vec<(u16, u16)> = rules.map(|rule| (rule.from, rule.to)).collect();
            of_transport[direction as usize] = sets.number(&ranges)?;
        }
    }
    Some(numbers)
}

/// Finds the classes of addresses that a profile cannot tell apart.
struct Folding {
    /// By peer: the classes that belong to it.
    classes_of: Vec<Vec<usize>>,
    classes: usize,
    /// Two things that are asked of every address, whatever the rules.
    always: (PeerIndex, PeerIndex),
}

impl Folding {
    fn of(classes: &AddressClasses) -> Self {
        let always = classes.last_two_peers();
        let mut classes_of = vec![Vec::new(); always.1 as usize + 1];
        for class in 0..classes.count() {
            for (word, bits) in classes.members_of(class).iter().enumerate() {
                let mut bits = *bits;
                while bits != 0 {
                    classes_of[word * 64 + bits.trailing_zeros() as usize].push(class);
                    bits &= bits - 1;
                }
            }
        }
        Self { classes_of, classes: classes.count(), always }
    }

    /// By class: one number for all that the same peers of the profile hold.
    fn fold(&self, profile: &Profile) -> Vec<u16> {
        let rules = profile.ingress.iter().chain(&profile.egress);
        let peers: BTreeSet<PeerIndex> =
            rules.map(|rule| rule.peer).chain([self.always.0, self.always.1]).collect();
        let peers: Vec<PeerIndex> = peers.into_iter().collect();
        let mut folded = vec![0; self.classes];
        // What the first peers do not tell apart the next ones may.
        for peers in peers.chunks(64) {
            let mut held = vec![0_u64; self.classes];
            for (bit, peer) in peers.iter().enumerate() {
                for class in &self.classes_of[*peer as usize] {
                    held[*class] |= 1 << bit;
                }
            }
            let mut known: HashMap<(u16, u64), u16> = HashMap::new();
            for (number, held) in folded.iter_mut().zip(held) {
                let next = u16::try_from(known.len()).unwrap_or(u16::MAX);
                *number = *known.entry((*number, held)).or_insert(next);
            }
        }
        folded
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
