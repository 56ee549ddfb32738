//! The states of a timeline → their index: interfaces with their profiles, peers as address classes, ports as port classes.
//!
//! A state differs in little from the one before: what is the same is shared with that, and compiled once. A profile
//! keeps its number as long as its rules stay the same: which addresses its peers mean is in the classes of the addresses,
//! and a class has the same members in every state. So what was judged under one state holds under the next.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use ipnet::IpNet;

use super::super::address::{AddressHistory, PeerIndex};
use super::families::Families;
use super::group_sets::{GroupSet, GroupSetNumber, GroupSets};
use super::peers::Peers;
use super::{
    CompiledRule, Doubt, Lineage, LineageNumber, Origin, PeerProof, Placed, Profile, Protocols, Run, Span, v4,
};
use crate::flow::Direction;
use crate::rules::state::State;
use crate::rules::timeline::{Lives, Timeline, changed};
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol};

/// How far back it is looked whether an interface was the same before.
const MOST_LOOKED_BACK: usize = 8;

/// Compiles states, each with what it shares with the one before.
pub(super) struct Compiler<'a> {
    timeline: &'a Timeline,
    lives: &'a Lives<'a>,
    peers: Peers<'a>,
    /// By number of the rule: as it is where its peer is resolved.
    rules: Vec<CompiledRule>,
    group_sets: GroupSets,
    /// All profiles there ever were.
    by_content: HashTable<Arc<Profile>>,
    hasher: DefaultHashBuilder,
    /// By number.
    profiles: Vec<Arc<Profile>>,
    families: Families,
    /// By number.
    runs: Vec<Run>,
    /// By number.
    lineages: Vec<Lineage>,
    /// By interface number: its runs by the state that they begin with.
    spans: Vec<Vec<Span>>,
    last: Option<Last>,
}

/// What is left when all states are compiled.
pub(super) struct Compiled {
    /// By number.
    pub(super) profiles: Vec<Arc<Profile>>,
    /// By number.
    pub(super) runs: Vec<Run>,
    /// By number.
    pub(super) lineages: Vec<Lineage>,
    /// By interface number.
    pub(super) spans: Vec<Vec<Span>>,
    pub(super) addresses: AddressHistory,
}

/// A state whose classes of addresses are not known yet.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// How often the classes have changed until then.
    pub(super) changes: usize,
    pub(super) classes_since: usize,
    pub(super) runs: Arc<Vec<u32>>,
}

/// The state before the next one.
struct Last {
    draft: Draft,
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
        let peers = Peers::of(timeline, own);
        let rules = timeline.rules.iter().zip(0..);
        Self {
            timeline,
            lives,
            rules: rules.map(|(rule, at)| compile_rule(RuleIndex(at), rule, &peers, keepers)).collect(),
            peers,
            group_sets: GroupSets::of(lives.len()),
            by_content: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            profiles: Vec::new(),
            families: Families::of(lives.len()),
            // Where rules change, a few interfaces have other ones each time.
            runs: Vec::with_capacity(lives.len() + 16 * timeline.states.len()),
            lineages: Vec::new(),
            spans: vec![Vec::new(); lives.len()],
            last: None,
        }
    }

    pub(super) fn finish(self) -> Compiled {
        let addresses = self.peers.finish();
        let Self { profiles, runs, lineages, spans, .. } = self;
        Compiled { profiles, runs, lineages, spans, addresses }
    }

    /// Compiles the state at this place of the timeline, the one after the last.
    pub(super) fn compile(&mut self, at: usize) -> Draft {
        let state = &self.timeline.states[at];
        let before = at.checked_sub(1).map(|before| &self.timeline.states[before]);
        let changes = self.peers.resolve(before, state, self.timeline);
        let unresolved = self.peers.unresolved(state);
        let last = self.last.take();
        let classes_since = match &last {
            Some(Last { draft, .. }) if draft.changes == changes => draft.classes_since,
            _ => at,
        };
        let runs = match (before, &last) {
            (Some(before), Some(last)) => {
                let again = self.affected(before, state, last, &unresolved);
                let mut runs = Arc::clone(&last.draft.runs);
                for number in again {
                    let Some(placed) = self.place(at, number, &unresolved) else { continue };
                    let run = self.begin(at, number, placed);
                    if runs[number] != run {
                        Arc::make_mut(&mut runs)[number] = run;
                    }
                }
                runs
            }
            _ => Arc::new(self.first(at, &unresolved)),
        };
        let draft = Draft { changes, classes_since, runs };
        self.last = Some(Last { draft: draft.clone(), unresolved });
        draft
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

    /// The number of the run that an interface is in from a state on: an earlier one where a change is taken back.
    fn begin(&mut self, since: usize, number: usize, placed: Placed) -> u32 {
        let is_same = |run: &u32| self.runs[*run as usize].placed.is_same(&placed);
        let known = self.last_runs(number).find(is_same);
        let run = known.unwrap_or_else(|| {
            let lineage = self.lineage(number, &placed);
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            self.runs.push(Run { number, placed, lineage });
            u32::try_from(self.runs.len() - 1).unwrap_or(u32::MAX)
        });
        let spans = &mut self.spans[number];
        if spans.last().is_none_or(|last| last.run != run) {
            spans.push(Span { since, run });
        }
        run
    }

    /// The last runs of an interface, newest first.
    fn last_runs(&self, number: usize) -> impl Iterator<Item = u32> {
        self.spans[number].iter().rev().take(MOST_LOOKED_BACK).map(|span| span.run)
    }

    /// The lineage of a new run of an interface.
    fn lineage(&mut self, number: usize, placed: &Placed) -> LineageNumber {
        let lineage = Lineage {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            origin: placed.origin,
            family: placed.profile.family,
        };
        let is_same = |known: &LineageNumber| self.lineages[known.index()] == lineage;
        let known = self.last_runs(number).map(|run| self.runs[run as usize].lineage).find(is_same);
        if let Some(known) = known {
            return known;
        }
        self.lineages.push(lineage);
        LineageNumber(u32::try_from(self.lineages.len() - 1).unwrap_or(u32::MAX))
    }

    /// Interfaces of which a state may know something else than the one before. Forgets the profiles that are not those
    /// of the state any more.
    fn affected(&mut self, before: &State, state: &State, last: &Last, unresolved: &[bool]) -> Vec<usize> {
        let mut again = Vec::new();
        for (id, _) in changed(&before.groups, &state.groups) {
            self.group_sets.forget(id, &mut again);
        }
        if last.unresolved != unresolved {
            let is_other = |peer: PeerIndex| unresolved[peer as usize] != last.unresolved[peer as usize];
            self.group_sets.forget_if(|profile| profile.peers().any(is_other), &mut again);
        }
        if !before.acls.ptr_eq(&state.acls) || !before.subnets.ptr_eq(&state.subnets) {
            return (0..self.lives.len()).collect();
        }
        let moved = changed(&before.interfaces, &state.interfaces);
        again.extend(moved.filter_map(|(id, _)| self.lives.number(id)));
        again.sort_unstable();
        again.dedup();
        again
    }

    /// What a state knows of an interface.
    fn place(&mut self, at: usize, number: usize, unresolved: &[bool]) -> Option<Placed> {
        let state = &self.timeline.states[at];
        let (found, interface) = self.lives.at(number, at)?;
        // What it was last is mostly what it still is, but for its rules.
        let last = self.last_runs(number).next().map(|run| &self.runs[run as usize].placed);
        let last = last.filter(|last| Arc::ptr_eq(&last.interface, interface));
        let (set, v4) = if let (Some(set), Some(last)) = (self.group_sets.last_of(number), last) {
            (set, Arc::clone(&last.v4))
        } else {
            let v4 = interface.addresses.iter().filter_map(v4).collect();
            (self.group_sets.turn(number, interface), v4)
        };
        let profile = self.profile(state, set, unresolved);
        Some(Placed {
            interface: Arc::clone(interface),
            v4,
            origin: if found { Origin::State } else { Origin::Neighbour },
            profile,
            acl: state.acls.get(&interface.subnet_id).cloned(),
            subnet: state.subnets.get(&interface.subnet_id).cloned(),
        })
    }

    /// The profile of a set of groups in a state.
    fn profile(&mut self, state: &State, set: GroupSetNumber, unresolved: &[bool]) -> Arc<Profile> {
        let GroupSet { groups, cloud, profile, family, .. } = self.group_sets.get(set);
        if let Some(known) = profile {
            return Arc::clone(known);
        }
        let (cloud, family) = (*cloud, *family);
        let profile = self.compile_profile(state, Arc::clone(groups), unresolved);
        let profile = self.numbered(Profile { cloud, ..profile }, family);
        self.group_sets.put(set, &profile);
        profile
    }

    /// The same profile as before where it has been there: a change may be taken back. `before`: the family of the one
    /// whose place it takes.
    fn numbered(&mut self, mut profile: Profile, before: Option<usize>) -> Arc<Profile> {
        let hash = |profile: &Profile| self.hasher.hash_one(profile.content());
        let is_same = |known: &Arc<Profile>| known.content() == profile.content();
        if let Some(known) = self.by_content.find(hash(&profile), is_same) {
            return Arc::clone(known);
        }
        profile.number = self.profiles.len();
        profile.family = self.families.join(before);
        let profile = Arc::new(profile);
        self.profiles.push(Arc::clone(&profile));
        self.by_content.insert_unique(hash(&profile), Arc::clone(&profile), |known| hash(known));
        profile
    }

    fn compile_profile(&self, state: &State, groups: Arc<[String]>, unresolved: &[bool]) -> Profile {
        let mut profile = Profile::default();
        for id in groups.iter() {
            let Some(group) = state.groups.get(id) else {
                profile.lacks_group = true;
                continue;
            };
            for index in group.all_rules() {
                let rule = &self.timeline.rules[index.index()];
                if !group.takes(rule) {
                    continue;
                }
                let mut compiled = self.rules[index.index()];
                compiled.proof.unresolved = unresolved[compiled.peer as usize];
                let side = match rule.direction {
                    Direction::Ingress => &mut profile.ingress,
                    Direction::Egress => &mut profile.egress,
                };
                if rule.ranked.is_some() {
                    side.extend(variants(rule, compiled));
                } else {
                    side.push(compiled);
                }
            }
        }
        // Matched rules come out ascending, which is how sets of rules are compared.
        profile.ingress.sort_unstable_by_key(|rule| rule.rule);
        profile.egress.sort_unstable_by_key(|rule| rule.rule);
        Profile { groups, ..profile }
    }
}

fn compile_rule(index: RuleIndex, rule: &Rule, peers: &Peers<'_>, keepers: &BTreeSet<&str>) -> CompiledRule {
    let doubt = match &rule.peer {
        // What nobody wrote needs no proof.
        _ if rule.is_default() => Doubt::Nobody,
        Peer::Cidr(_) | Peer::BadCidr(_) => Doubt::Nobody,
        Peer::PrefixList(_) => Doubt::Anybody,
        Peer::Group(group) if keepers.contains(group.as_str()) => Doubt::Anybody,
        Peer::Group(_) => Doubt::Strangers,
    };
    let (from, to) = match rule.ranked {
        None if rule.protocol.tests_ports() => rule.ports(),
        _ => (0, u16::MAX),
    };
    let protocols = match rule.protocol {
        RuleProtocol::All => Protocols::All,
        RuleProtocol::Number(number) if rule.ranked.is_none() => Protocols::One(number),
        _ => Protocols::None,
    };
    CompiledRule {
        protocols,
        from,
        to,
        peer: peers.index(&rule.peer),
        rule: index,
        proof: PeerProof { unresolved: false, doubt },
        rank: rule.rank(),
        asks_more: rule.ranked.as_ref().is_some_and(|ranked| ranked.asks_more()),
        action: rule.action(),
    }
}

/// A ranked rule by protocol and range of ports: protocols differ and the ranges of a list lie apart, so that at most one of
/// them fits.
fn variants(rule: &Rule, compiled: CompiledRule) -> impl Iterator<Item = CompiledRule> {
    let protocols = match rule.protocol_numbers() {
        [] => vec![compiled.protocols],
        numbers => numbers.iter().map(|number| Protocols::One(*number)).collect(),
    };
    let ranges = if rule.protocol.tests_ports() { rule.port_ranges() } else { vec![(0, u16::MAX)] };
    protocols.into_iter().flat_map(move |protocols| {
        let ranges = ranges.clone().into_iter();
        ranges.map(move |(from, to)| CompiledRule { protocols, from, to, ..compiled })
    })
}
