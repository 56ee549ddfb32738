//! The states of a timeline → their index: interfaces with their profiles, peers as address classes, ports as port classes.
//!
//! A state differs in little from the one before: what is the same is shared with that, and compiled once. A profile
//! keeps its number as long as its rules stay the same: which addresses its peers mean is in the classes of the addresses,
//! and a class has the same members in every state. So what was judged under one state holds under the next.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use ipnet::IpNet;

use super::super::address::Members;
use super::peers::Peers;
use super::{CompiledRule, Doubt, Origin, PeerProof, Placed, Profile, Protocols, Run, StateIndex, v4};
use crate::flow::Direction;
use crate::rules::state::State;
use crate::rules::timeline::{Lives, Timeline, changed};
use crate::rules::{Peer, RuleProtocol};

/// Compiles states, each with what it shares with the one before.
pub(super) struct Compiler<'a> {
    timeline: &'a Timeline,
    lives: &'a Lives<'a>,
    keepers: &'a BTreeSet<&'a str>,
    peers: Peers<'a>,
    /// The profiles of the last state, by their groups.
    by_groups: HashMap<Vec<String>, Arc<Profile>>,
    /// All profiles there ever were.
    by_content: HashTable<Arc<Profile>>,
    hasher: DefaultHashBuilder,
    /// By number.
    profiles: Vec<Arc<Profile>>,
    /// By number.
    runs: Vec<Run>,
    last: Option<Last>,
}

/// What is left when all states are compiled.
pub(super) struct Compiled {
    /// By number.
    pub(super) profiles: Vec<Arc<Profile>>,
    /// By number.
    pub(super) runs: Vec<Run>,
    pub(super) members: Members,
}

/// The state before the next one.
struct Last {
    index: StateIndex,
    /// By peer: whether the state does not tell what it means.
    unresolved: Vec<bool>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(
        timeline: &'a Timeline,
        lives: &'a Lives<'a>,
        keepers: &'a BTreeSet<&'a str>,
        own: Vec<IpNet>,
    ) -> Self {
        Self {
            timeline,
            lives,
            keepers,
            peers: Peers::of(timeline, own),
            by_groups: HashMap::new(),
            by_content: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            profiles: Vec::new(),
            runs: Vec::new(),
            last: None,
        }
    }

    pub(super) fn finish(self) -> Compiled {
        Compiled { profiles: self.profiles, runs: self.runs, members: self.peers.members }
    }

    /// Compiles the state at this place of the timeline, the one after the last.
    pub(super) fn compile(&mut self, at: usize) -> StateIndex {
        let state = &self.timeline.states[at];
        let before = at.checked_sub(1).map(|before| &self.timeline.states[before]);
        let same_members = before.is_some_and(|before| {
            before.interfaces.ptr_eq(&state.interfaces) && before.prefix_lists.ptr_eq(&state.prefix_lists)
        });
        if !same_members {
            self.peers.resolve(state);
        }
        let unresolved = self.peers.unresolved(state);
        let last = self.last.take();
        let (classes, classes_since) = match &last {
            Some(Last { index, .. }) if same_members || !self.peers.moved => {
                (Arc::clone(&index.classes), index.classes_since)
            }
            _ => (self.peers.classes(), at),
        };
        let runs = match (before, &last) {
            (Some(before), Some(last)) => {
                let again = self.affected(before, state, last, &unresolved);
                let mut runs = Arc::clone(&last.index.runs);
                for number in again {
                    let run = runs[number];
                    let placed = self.place(at, number, &unresolved);
                    let (Some(placed), same) = (placed, &self.runs[run as usize].placed) else {
                        continue;
                    };
                    if !placed.is_same(same) {
                        Arc::make_mut(&mut runs)[number] = self.begin(at, number, placed);
                    }
                }
                runs
            }
            _ => Arc::new(self.first(at, &unresolved)),
        };
        let index = StateIndex { classes, classes_since, runs };
        self.last = Some(Last { index: index.clone(), unresolved });
        index
    }

    /// The runs of the first state.
    fn first(&mut self, at: usize, unresolved: &[bool]) -> Vec<u32> {
        let mut runs = Vec::with_capacity(self.lives.len());
        for number in 0..self.lives.len() {
            if let Some(placed) = self.place(at, number, unresolved) {
                runs.push(self.begin(at, number, placed));
            }
        }
        runs
    }

    fn begin(&mut self, since: usize, number: usize, placed: Placed) -> u32 {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.runs.push(Run { number, since, placed });
        u32::try_from(self.runs.len() - 1).unwrap_or(u32::MAX)
    }

    /// Interfaces of which a state may know something else than the one before. Forgets the profiles that are not those
    /// of the state any more.
    fn affected(
        &mut self,
        before: &State,
        state: &State,
        last: &Last,
        unresolved: &[bool],
    ) -> BTreeSet<usize> {
        let groups: BTreeSet<&str> =
            changed(&before.groups, &state.groups).map(|(id, _)| id.as_str()).collect();
        let told_otherwise = last.unresolved != unresolved;
        let is_old = |profile: &Profile| {
            profile.groups.iter().any(|id| groups.contains(id.as_str()))
                || (told_otherwise
                    && profile
                        .peers()
                        .any(|peer| unresolved[peer as usize] != last.unresolved[peer as usize]))
        };
        self.by_groups.retain(|_, profile| !is_old(profile));
        let everything = !before.acls.ptr_eq(&state.acls) || !before.subnets.ptr_eq(&state.subnets);
        if everything {
            return (0..self.lives.len()).collect();
        }
        let moved = changed(&before.interfaces, &state.interfaces);
        let mut again: BTreeSet<usize> = moved.filter_map(|(id, _)| self.lives.number(id)).collect();
        if !groups.is_empty() || told_otherwise {
            let runs = last.index.runs.iter().enumerate();
            let old = runs.filter(|(_, run)| is_old(&self.runs[**run as usize].placed.profile));
            again.extend(old.map(|(number, _)| number));
        }
        again
    }

    /// What a state knows of an interface.
    fn place(&mut self, at: usize, number: usize, unresolved: &[bool]) -> Option<Placed> {
        let state = &self.timeline.states[at];
        let (found, interface) = self.lives.at(number, at)?;
        let mut groups = interface.group_ids.clone();
        groups.sort_unstable();
        groups.dedup();
        let known = self.by_groups.get(&groups).map(Arc::clone);
        let profile = known.unwrap_or_else(|| {
            let profile = self.compile_profile(state, &groups, unresolved);
            let profile = self.numbered(profile);
            self.by_groups.insert(groups, Arc::clone(&profile));
            profile
        });
        Some(Placed {
            interface: Arc::clone(interface),
            v4: interface.addresses.iter().filter_map(v4).collect(),
            origin: if found { Origin::State } else { Origin::Neighbour },
            profile,
            acl: state.acls.get(&interface.subnet_id).cloned(),
            subnet: state.subnets.get(&interface.subnet_id).cloned(),
        })
    }

    /// The same profile as before where it has been there: a change may be taken back.
    fn numbered(&mut self, mut profile: Profile) -> Arc<Profile> {
        let hash = |profile: &Profile| self.hasher.hash_one(profile.content());
        let is_same = |known: &Arc<Profile>| known.content() == profile.content();
        if let Some(known) = self.by_content.find(hash(&profile), is_same) {
            return Arc::clone(known);
        }
        profile.number = self.profiles.len();
        let profile = Arc::new(profile);
        self.profiles.push(Arc::clone(&profile));
        self.by_content.insert_unique(hash(&profile), Arc::clone(&profile), |known| hash(known));
        profile
    }

    fn compile_profile(&self, state: &State, groups: &[String], unresolved: &[bool]) -> Profile {
        let mut profile = Profile { groups: groups.to_vec(), ..Profile::default() };
        for id in groups {
            let Some(group) = state.groups.get(id) else {
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
