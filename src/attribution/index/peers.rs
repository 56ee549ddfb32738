//! The distinct peers of all states, and which addresses each one means.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use ipnet::IpNet;

use super::super::address::{AddressClasses, LookUp, Members, PeerIndex};
use super::MOST_TABLES;
use crate::rules::Peer;
use crate::rules::state::State;
use crate::rules::timeline::Timeline;
use crate::tally::scope;

/// The distinct peers of all states, and the ranges each one means in the last state looked at.
pub(super) struct Peers<'a> {
    known: HashMap<&'a Peer, PeerIndex>,
    /// Peers that mean something else in other states, by their numbers.
    moving: Vec<(&'a Peer, usize)>,
    /// By number; behind those of the rules, what is internal, and what is our own.
    ranges: Vec<Vec<IpNet>>,
    /// Groups that some interface carries.
    carried: BTreeSet<String>,
    /// Whether the last look changed any range.
    pub(super) moved: bool,
    /// Look-up tables of addresses made so far.
    tables: usize,
    /// Of the classes so far.
    pub(super) members: Members,
}

impl<'a> Peers<'a> {
    pub(super) fn of(timeline: &'a Timeline, own: Vec<IpNet>) -> Self {
        let mut known = HashMap::new();
        let mut moving = Vec::new();
        let mut ranges = Vec::new();
        for rule in &timeline.rules {
            let Entry::Vacant(entry) = known.entry(&rule.peer) else { continue };
            entry.insert(PeerIndex::try_from(ranges.len()).unwrap_or(PeerIndex::MAX));
            if let Peer::Group(_) | Peer::PrefixList(_) = rule.peer {
                moving.push((&rule.peer, ranges.len()));
            }
            ranges.push(match &rule.peer {
                Peer::Cidr(range) => vec![*range],
                Peer::BadCidr(_) | Peer::Group(_) | Peer::PrefixList(_) => Vec::new(),
            });
        }
        // Besides the peers of rules, two things are asked of every address.
        ranges.push(scope::internal_ranges());
        ranges.push(own);
        let members = Members::of(ranges.len());
        Self { known, moving, ranges, carried: BTreeSet::new(), moved: false, tables: 0, members }
    }

    pub(super) fn index(&self, peer: &Peer) -> PeerIndex {
        // The catalogue has every rule, so every peer is known.
        self.known.get(peer).copied().unwrap_or(PeerIndex::MAX)
    }

    /// Looks up what the peers mean in a state.
    pub(super) fn resolve(&mut self, state: &State) {
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
    pub(super) fn unresolved(&self, state: &State) -> Vec<bool> {
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

    pub(super) fn classes(&mut self) -> Arc<AddressClasses> {
        let look_up = if self.tables < MOST_TABLES { LookUp::Table } else { LookUp::Search };
        self.tables += 1;
        Arc::new(AddressClasses::build(&self.ranges, look_up, &mut self.members))
    }
}
