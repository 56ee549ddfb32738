//! The states of a timeline → their index: interfaces with their profiles, peers as address classes, ports as port classes.
//!
//! A state differs in little from the one before: what is the same is shared with that, and compiled once. A profile
//! keeps its number as long as its rules and everything that its peers mean stay the same, so that what was judged under
//! one state holds under the next.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::IpNet;
use rayon::prelude::*;

use super::super::address::{AddressClasses, LookUp, PeerIndex};
use super::super::port_classes::{PortClasses, PortSets};
use super::super::seat::{Kin, Seat};
use super::{
    CompiledRule, Doubt, MOST_FOLDED, MOST_TABLES, Origin, PeerProof, Placed, Profile, Protocols, Run,
    StateIndex, v4,
};
use crate::flow::{Direction, TCP, UDP};
use crate::rules::state::State;
use crate::rules::timeline::{Lives, Timeline};
use crate::rules::{Peer, RuleProtocol};
use crate::tally::scope;

/// Compiles states, each with what it shares with the one before.
pub(super) struct Compiler<'a> {
    timeline: &'a Timeline,
    lives: &'a Lives<'a>,
    keepers: &'a BTreeSet<&'a str>,
    peers: Peers<'a>,
    /// Profiles so far: their numbers.
    profiles: usize,
    last: Option<StateIndex>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(
        timeline: &'a Timeline,
        lives: &'a Lives<'a>,
        keepers: &'a BTreeSet<&'a str>,
        own: Vec<IpNet>,
    ) -> Self {
        Self { timeline, lives, keepers, peers: Peers::of(timeline, own), profiles: 0, last: None }
    }

    /// How many profiles there are so far.
    pub(super) fn profiles(&self) -> usize {
        self.profiles
    }

    /// Compiles the state at this place of the timeline, the one after the last.
    pub(super) fn compile(&mut self, at: usize) -> StateIndex {
        let state = &self.timeline.states[at];
        let before = at.checked_sub(1).map(|before| &self.timeline.states[before]);
        let last = self.last.take();
        let shared = before.zip(last.as_ref());
        let same_members = before.is_some_and(|before| {
            before.interfaces.ptr_eq(&state.interfaces) && before.prefix_lists.ptr_eq(&state.prefix_lists)
        });
        if !same_members {
            self.peers.resolve(state);
        }
        let unresolved = self.peers.unresolved(state);
        let classes = match &last {
            Some(last) if same_members || !self.peers.moved => Arc::clone(&last.classes),
            _ => self.peers.classes(),
        };
        let interfaces = match shared {
            Some((before, last))
                if before.interfaces.ptr_eq(&state.interfaces)
                    && before.acls.ptr_eq(&state.acls)
                    && before.subnets.ptr_eq(&state.subnets) =>
            {
                Arc::clone(&last.interfaces)
            }
            _ => Arc::new(self.place(at)),
        };
        let alike = |number: usize, groups: &[&str]| -> Option<Arc<Profile>> {
            let (before, last) = shared?;
            let profile =
                last.profiles.get(number).filter(|profile| profile.is_of(groups)).or_else(|| {
                    // Other interfaces came or went, and with them the place of the profile.
                    last.profiles.iter().find(|profile| profile.is_of(groups))
                })?;
            let same_group = |id: &&str| match (before.groups.get(*id), state.groups.get(*id)) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                _ => false,
            };
            let same = Arc::ptr_eq(&last.classes, &classes)
                && groups.iter().all(same_group)
                && profile.peers().all(|peer| unresolved[peer as usize] == last.unresolved[peer as usize]);
            same.then(|| Arc::clone(profile))
        };
        let lists = group_lists(&interfaces);
        let mut profiles = Vec::with_capacity(lists.len());
        for (number, groups) in lists.iter().enumerate() {
            profiles.push(alike(number, groups).unwrap_or_else(|| {
                let mut profile = self.compile_profile(state, groups, &unresolved);
                profile.number = self.profiles;
                self.profiles += 1;
                Arc::new(profile)
            }));
        }
        let compiled = StateIndex {
            classes,
            unresolved: Arc::new(unresolved),
            profiles,
            interfaces,
            seats: Arc::default(),
        };
        self.last = Some(compiled.clone());
        compiled
    }

    /// Every interface that any state has, with what this one knows of it.
    fn place(&self, at: usize) -> Vec<Placed> {
        let state = &self.timeline.states[at];
        let mut lists: HashMap<Vec<&str>, usize> = HashMap::new();
        let placed = self.lives.at(at).map(|(found, interface)| {
            let groups = sorted_groups(&interface.group_ids);
            let next = lists.len();
            Placed {
                interface: Arc::clone(interface),
                v4: interface.addresses.iter().filter_map(v4).collect(),
                origin: if found { Origin::State } else { Origin::Neighbour },
                profile: *lists.entry(groups).or_insert(next),
                acl: state.acls.get(&interface.subnet_id).cloned(),
                subnet: state.subnets.get(&interface.subnet_id).cloned(),
            }
        });
        placed.collect()
    }

    fn compile_profile(&self, state: &State, groups: &[&str], unresolved: &[bool]) -> Profile {
        let mut profile =
            Profile { groups: groups.iter().map(|id| (*id).to_owned()).collect(), ..Profile::default() };
        for id in groups {
            let Some(group) = state.groups.get(*id) else {
                profile.lacks_group = true;
                continue;
            };
            for &index in &group.rules {
                let rule = &self.timeline.rules[index.index()];
                let peer = self.peers.index(&rule.peer);
                let doubt = match &rule.peer {
                    Peer::Cidr(_) | Peer::BadCidr(_) => Doubt::Nobody,
                    Peer::PrefixList(_) => Doubt::Anybody,
                    Peer::Group(group) if self.keepers.contains(group.as_str()) => Doubt::Anybody,
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
                    proof: PeerProof { unresolved: unresolved[peer as usize], doubt },
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
}

fn sorted_groups(ids: &[String]) -> Vec<&str> {
    let mut groups: Vec<&str> = ids.iter().map(String::as_str).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// The groups of each profile, in the order of their numbers in the state.
fn group_lists(interfaces: &[Placed]) -> Vec<Vec<&str>> {
    let mut lists: Vec<Vec<&str>> = Vec::new();
    for placed in interfaces {
        if placed.profile == lists.len() {
            lists.push(sorted_groups(&placed.interface.group_ids));
        }
    }
    lists
}

/// What all seats point into.
#[derive(Default)]
pub(super) struct Seating {
    pub(super) kin: Vec<u16>,
    pub(super) port_classes: PortClasses,
    pub(super) runs: Vec<Run>,
}

impl Seating {
    /// Gives every interface of every state a seat.
    pub(super) fn of(states: &mut [StateIndex], profiles: usize) -> Self {
        let mut port_sets = PortSets::default();
        let mut kin = Vec::new();
        let mut ports = vec![None; profiles];
        let mut kins = vec![Kin::CLASS; profiles];
        let mut seen = vec![false; profiles];
        let mut folding: Option<(Arc<AddressClasses>, Folding)> = None;
        for state in &*states {
            let fresh =
                state.profiles.iter().filter(|profile| !std::mem::replace(&mut seen[profile.number], true));
            let fresh: Vec<&Arc<Profile>> = fresh.collect();
            if fresh.is_empty() {
                continue;
            }
            let known = folding.take().filter(|(classes, _)| Arc::ptr_eq(classes, &state.classes));
            let (classes, own) =
                known.unwrap_or_else(|| (Arc::clone(&state.classes), Folding::of(&state.classes)));
            let room = (MOST_FOLDED - kin.len()) / classes.count();
            let (fold, _) = fresh.split_at(room.min(fresh.len()));
            let folded: Vec<Vec<u16>> = fold.par_iter().map(|profile| own.fold(profile)).collect();
            for (profile, classes) in fold.iter().zip(folded) {
                kins[profile.number] = Kin::folded(kin.len());
                kin.extend(classes);
            }
            for profile in fresh {
                ports[profile.number] = number_ports(profile, &mut port_sets);
            }
            folding = Some((classes, own));
        }
        let (port_classes, places) = port_sets.build();
        let of_profile = |profile: &Profile| {
            let ports =
                ports[profile.number].map(|of: [[usize; 2]; 2]| of.map(|of| of.map(|set| places[set])));
            (kins[profile.number], ports)
        };
        let mut runs = Vec::new();
        let mut last: Option<StateIndex> = None;
        for (at, state) in states.iter_mut().enumerate() {
            let same = |last: &&StateIndex| {
                Arc::ptr_eq(&last.interfaces, &state.interfaces)
                    && last.profiles.iter().zip(&state.profiles).all(|(a, b)| Arc::ptr_eq(a, b))
            };
            state.seats = match last.as_ref().filter(same) {
                Some(last) => Arc::clone(&last.seats),
                None => Arc::new(seats(at, state, last.as_ref(), &of_profile, &mut runs)),
            };
            last = Some(state.clone());
        }
        Self { kin, port_classes, runs }
    }
}

/// The seats of a state. An interface whose profile is that of the state before goes on with its run.
fn seats(
    at: usize,
    state: &StateIndex,
    last: Option<&StateIndex>,
    of_profile: &impl Fn(&Profile) -> (Kin, Option<[[super::super::port_classes::PortSet; 2]; 2]>),
    runs: &mut Vec<Run>,
) -> Vec<Seat> {
    let since = u32::try_from(at).unwrap_or(u32::MAX);
    let seat = |(number, placed): (u32, &Placed)| {
        let profile = &state.profiles[placed.profile];
        let before = last.map(|last| (&last.interfaces[number as usize], &last.seats[number as usize]));
        let same =
            |(before, seat): &(&Placed, &Seat)| seat.is_of(profile.number) && before.origin == placed.origin;
        let run = match before.filter(same) {
            Some((_, seat)) => seat.run,
            None => {
                runs.push(Run { number, since, before: before.map(|(_, seat)| seat.run) });
                u32::try_from(runs.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let (kin, ports) = of_profile(profile);
        Seat::of(placed, profile.number, kin, ports, run)
    };
    (0..).zip(state.interfaces.iter()).map(seat).collect()
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

/// The distinct peers of all states, and the ranges each one means in the last state looked at.
struct Peers<'a> {
    known: HashMap<&'a Peer, PeerIndex>,
    /// Peers that mean something else in other states, by their numbers.
    moving: Vec<(&'a Peer, usize)>,
    /// By number; behind those of the rules, what is internal, and what is our own.
    ranges: Vec<Vec<IpNet>>,
    /// Groups that some interface carries.
    carried: BTreeSet<String>,
    /// Whether the last look changed any range.
    moved: bool,
    /// Look-up tables of addresses made so far.
    tables: usize,
}

impl<'a> Peers<'a> {
    fn of(timeline: &'a Timeline, own: Vec<IpNet>) -> Self {
        let mut peers = Self {
            known: HashMap::new(),
            moving: Vec::new(),
            ranges: Vec::new(),
            carried: BTreeSet::new(),
            moved: false,
            tables: 0,
        };
        for rule in &timeline.rules {
            let next = peers.ranges.len();
            let index = PeerIndex::try_from(next).unwrap_or(PeerIndex::MAX);
            if peers.known.insert(&rule.peer, index).is_some_and(|known| {
                peers.known.insert(&rule.peer, known);
                true
            }) {
                continue;
            }
            peers.ranges.push(match &rule.peer {
                Peer::Cidr(net) => vec![*net],
                Peer::BadCidr(_) => Vec::new(),
                Peer::Group(_) | Peer::PrefixList(_) => {
                    peers.moving.push((&rule.peer, next));
                    Vec::new()
                }
            });
        }
        // Besides the peers of rules, two things are asked of every address.
        peers.ranges.push(scope::internal_ranges());
        peers.ranges.push(own);
        peers
    }

    fn index(&self, peer: &Peer) -> PeerIndex {
        // The catalogue has every rule, so every peer is known.
        self.known.get(peer).copied().unwrap_or(PeerIndex::MAX)
    }

    /// Looks up what the peers mean in a state.
    fn resolve(&mut self, state: &State) {
        let mut members: HashMap<&str, Vec<IpNet>> = HashMap::new();
        for interface in state.interfaces.values() {
            for group in &interface.group_ids {
                let ranges = members.entry(group).or_default();
                ranges.extend(interface.addresses.iter().copied().map(IpNet::from));
                ranges.extend(&interface.prefixes);
            }
        }
        self.moved = false;
        for (peer, number) in &self.moving {
            let ranges = match peer {
                Peer::Group(id) => members.get(id.as_str()).map(Vec::as_slice),
                Peer::PrefixList(id) => state.prefix_lists.get(id).map(|nets| nets.as_slice()),
                Peer::Cidr(_) | Peer::BadCidr(_) => None,
            };
            let (ranges, own) = (ranges.unwrap_or_default(), &mut self.ranges[*number]);
            if own != ranges {
                ranges.clone_into(own);
                self.moved = true;
            }
        }
        self.carried = members.into_keys().map(str::to_owned).collect();
    }

    /// By number: whether the state does not tell what a peer means.
    fn unresolved(&self, state: &State) -> Vec<bool> {
        let mut unresolved = vec![false; self.ranges.len()];
        for (peer, number) in &self.moving {
            unresolved[*number] = match peer {
                Peer::Group(id) => !self.carried.contains(id) && !state.groups.contains_key(id),
                Peer::PrefixList(id) => !state.prefix_lists.contains_key(id),
                Peer::Cidr(_) | Peer::BadCidr(_) => false,
            };
        }
        unresolved
    }

    fn classes(&mut self) -> Arc<AddressClasses> {
        let look_up = if self.tables < MOST_TABLES { LookUp::Table } else { LookUp::Search };
        self.tables += 1;
        Arc::new(AddressClasses::build(&self.ranges, look_up))
    }
}
