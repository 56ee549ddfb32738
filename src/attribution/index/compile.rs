//! The states of a timeline → their index: interfaces with their profiles, peers as address classes, ports as port classes.
//!
//! A state differs in little from the one before: what is the same is shared with that, and compiled once. A profile
//! keeps its number as long as its rules and everything that its peers mean stay the same, so that what was judged under
//! one state holds under the next.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::IpNet;

use super::peers::Peers;
use super::{CompiledRule, Doubt, Origin, PeerProof, Placed, Profile, Protocols, StateIndex, v4};
use crate::flow::Direction;
use crate::rules::state::State;
use crate::rules::timeline::{Lives, Timeline};
use crate::rules::{Peer, RuleProtocol};

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
