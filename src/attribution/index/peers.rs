//! The distinct peers of all states, and which addresses each one means.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use imbl::OrdMap;
use ipnet::IpNet;

use super::super::address::{AddressHistory, PeerIndex, Ranges};
use crate::rules::Peer;
use crate::rules::state::{Interface, State};
use crate::rules::timeline::{Timeline, changed};
use crate::tally::scope;

/// The distinct peers of all states, and the ranges each one means in the last state looked at.
pub(super) struct Peers<'a> {
    known: HashMap<&'a Peer, PeerIndex>,
    /// Groups that are peers: their numbers.
    groups: HashMap<&'a str, PeerIndex>,
    /// Prefix lists that are peers: their numbers.
    lists: HashMap<&'a str, PeerIndex>,
    /// By number; behind those of the rules, what is internal, and what is our own.
    ranges: Vec<Ranges>,
    /// By number: how many interfaces carry the group.
    carried: Vec<usize>,
    /// None before the first state.
    addresses: Option<AddressHistory>,
}

impl<'a> Peers<'a> {
    pub(super) fn of(timeline: &'a Timeline, own: Vec<IpNet>) -> Self {
        let mut known = HashMap::new();
        let (mut groups, mut lists) = (HashMap::new(), HashMap::new());
        let mut ranges = Vec::new();
        for rule in &timeline.rules {
            let Entry::Vacant(entry) = known.entry(&rule.peer) else { continue };
            let number = *entry.insert(PeerIndex::try_from(ranges.len()).unwrap_or(PeerIndex::MAX));
            ranges.push(Ranges::default());
            match &rule.peer {
                Peer::Cidr(range) => ranges[number as usize].add(*range),
                Peer::BadCidr(_) => {}
                Peer::Group(id) => _ = groups.insert(id.as_str(), number),
                Peer::PrefixList(id) => _ = lists.insert(id.as_str(), number),
            }
        }
        // Besides the peers of rules, two things are asked of every address.
        ranges.push(scope::internal_ranges().into_iter().collect());
        ranges.push(own.into_iter().collect());
        Self { known, groups, lists, carried: vec![0; ranges.len()], ranges, addresses: None }
    }

    pub(super) fn index(&self, peer: &Peer) -> PeerIndex {
        // The catalogue has every rule, so every peer is known.
        self.known.get(peer).copied().unwrap_or(PeerIndex::MAX)
    }

    /// Looks up what the peers mean in the next state. Returns how often the classes of addresses have changed.
    pub(super) fn resolve(&mut self, before: Option<&State>, state: &State, timeline: &Timeline) -> usize {
        let nothing = State::default();
        let mut touched = Vec::new();
        self.turn(before.unwrap_or(&nothing), state, &mut touched);
        let addresses = self.addresses.get_or_insert_with(|| {
            touched.clear();
            // What a group means, some interface has, so that it is our own.
            AddressHistory::of(&self.ranges, entries(&self.lists, timeline).into_iter())
        });
        if !touched.is_empty() {
            addresses.change(&touched, &self.ranges);
        }
        addresses.changes()
    }

    /// The classes of addresses in all states looked at.
    pub(super) fn finish(self) -> AddressHistory {
        self.addresses.unwrap_or_else(|| AddressHistory::of(&self.ranges, std::iter::empty()))
    }

    /// Takes the ranges from one state to the next; notes those that are touched.
    fn turn(&mut self, before: &State, state: &State, touched: &mut Vec<(PeerIndex, IpNet)>) {
        for (id, now) in changed(&before.interfaces, &state.interfaces) {
            if let Some(old) = before.interfaces.get(id) {
                for peer in carried(&self.groups, old) {
                    self.carried[peer as usize] -= 1;
                    old.nets().for_each(|net| self.ranges[peer as usize].remove(net));
                    touched.extend(old.nets().map(|net| (peer, net)));
                }
            }
            if let Some(now) = now {
                for peer in carried(&self.groups, now) {
                    self.carried[peer as usize] += 1;
                    now.nets().for_each(|net| self.ranges[peer as usize].add(net));
                    touched.extend(now.nets().map(|net| (peer, net)));
                }
            }
        }
        for (id, now) in changed(&before.prefix_lists, &state.prefix_lists) {
            let Some(peer) = self.lists.get(id.as_str()).copied() else { continue };
            let ranges = &mut self.ranges[peer as usize];
            let old = before.prefix_lists.get(id).into_iter().flat_map(|nets| nets.iter().copied());
            let now = now.into_iter().flat_map(|nets| nets.iter().copied());
            old.clone().for_each(|net| ranges.remove(net));
            now.clone().for_each(|net| ranges.add(net));
            touched.extend(old.chain(now).map(|net| (peer, net)));
        }
    }

    /// By number: whether the state does not tell what a peer means.
    pub(super) fn unresolved(&self, state: &State) -> Vec<bool> {
        let mut unresolved = vec![false; self.ranges.len()];
        for (id, peer) in &self.groups {
            let peer = *peer as usize;
            unresolved[peer] = self.carried[peer] == 0 && !state.groups.contains_key(*id);
        }
        for (id, peer) in &self.lists {
            unresolved[*peer as usize] = !state.prefix_lists.contains_key(*id);
        }
        unresolved
    }
}

/// The groups of an interface that are peers.
fn carried(groups: &HashMap<&str, PeerIndex>, interface: &Interface) -> impl Iterator<Item = PeerIndex> {
    interface.group_ids.iter().filter_map(|id| groups.get(id.as_str()).copied())
}

/// Every entry of these prefix lists in any state.
fn entries(lists: &HashMap<&str, PeerIndex>, timeline: &Timeline) -> Vec<IpNet> {
    let nothing = OrdMap::new();
    let mut entries = Vec::new();
    let mut last = &nothing;
    for state in &timeline.states {
        let told = changed(last, &state.prefix_lists).filter(|(id, _)| lists.contains_key(id.as_str()));
        entries.extend(told.filter_map(|(_, nets)| nets).flat_map(|nets| nets.iter().copied()));
        last = &state.prefix_lists;
    }
    entries
}
