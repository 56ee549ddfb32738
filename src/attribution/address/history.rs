//! The ranges that peers mean, from state to state → atoms, and their classes in each state.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::IpNet;

use super::table::V4Table;
use super::{AddressClasses, Atom, Atoms, Class, Intervals, Members, PeerIndex};

/// The ranges that a peer means; each as often as somebody has it.
#[derive(Debug, Default)]
pub(in crate::attribution) struct Ranges(BTreeMap<IpNet, usize>);

impl Ranges {
    pub(in crate::attribution) fn add(&mut self, net: IpNet) {
        *self.0.entry(net).or_default() += 1;
    }

    pub(in crate::attribution) fn remove(&mut self, net: IpNet) {
        if let Some(count) = self.0.get_mut(&net) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&net);
            }
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.contains_key(&IpNet::from(address)) || self.0.keys().any(|net| net.contains(&address))
    }
}

impl FromIterator<IpNet> for Ranges {
    fn from_iter<I: IntoIterator<Item = IpNet>>(nets: I) -> Self {
        let mut ranges = Self::default();
        nets.into_iter().for_each(|net| ranges.add(net));
        ranges
    }
}

/// The classes of addresses in the last state looked at, and how they came to be.
#[derive(Debug)]
pub(in crate::attribution) struct AddressHistory {
    v4: Vec<u32>,
    v6: Vec<u128>,
    /// By interval, those of IPv4 first: the class at first.
    first: Vec<Class>,
    /// By interval: the class now.
    classes: Vec<Class>,
    /// By interval: one number for all that have been of the same classes so far.
    courses: Vec<u32>,
    /// Where a course turns to a class, at a change.
    turns: HashMap<(u32, usize, Class), u32>,
    next_course: u32,
    /// Intervals and what their class becomes.
    changes: Vec<Vec<(usize, Class)>>,
    members: Members,
}

impl AddressHistory {
    /// The classes of a first state, in which peers mean these ranges. All ranges that they ever mean are among the
    /// `bounds`.
    pub(in crate::attribution) fn of(peers: &[Ranges], bounds: impl Iterator<Item = IpNet>) -> Self {
        let nets = || peers.iter().flat_map(|ranges| ranges.0.keys().copied());
        let (mut v4, mut v6) = (vec![0], vec![0]);
        for net in nets().chain(bounds) {
            match net {
                IpNet::V4(net) => {
                    v4.push(net.network().into());
                    v4.extend(u32::from(net.broadcast()).checked_add(1));
                }
                IpNet::V6(net) => {
                    v6.push(net.network().into());
                    v6.extend(u128::from(net.broadcast()).checked_add(1));
                }
            }
        }
        v4.sort_unstable();
        v4.dedup();
        v6.sort_unstable();
        v6.dedup();
        let mut history = Self {
            v4,
            v6,
            first: Vec::new(),
            classes: Vec::new(),
            courses: Vec::new(),
            turns: HashMap::new(),
            next_course: 0,
            changes: Vec::new(),
            members: Members::of(peers.len()),
        };
        history.classes = history.sweep(peers);
        history.first.clone_from(&history.classes);
        history.courses = history.classes.iter().map(|class| class.0).collect();
        history.next_course = u32::try_from(history.members.count()).unwrap_or(u32::MAX);
        history
    }

    /// The class of each interval.
    fn sweep(&mut self, peers: &[Ranges]) -> Vec<Class> {
        let mut bounds: Vec<(usize, Bound, usize)> = Vec::new();
        for (peer, ranges) in peers.iter().enumerate() {
            for net in ranges.0.keys() {
                let Range { start, end } = self.intervals(net);
                bounds.push((start, Bound::Enter, peer));
                bounds.push((end, Bound::Leave, peer));
            }
        }
        bounds.sort_unstable();
        let mut bounds = bounds.into_iter().peekable();
        // Ranges of one peer may overlap: it is left only when all of them are.
        let mut depth = vec![0_u32; self.members.words * 64];
        let mut bits = vec![0_u64; self.members.words];
        let mut classes = Vec::with_capacity(self.v4.len() + self.v6.len());
        for interval in 0..self.v4.len() + self.v6.len() {
            let mut same = interval > 0;
            while let Some((_, bound, peer)) = bounds.next_if(|(at, ..)| *at <= interval) {
                same = false;
                match bound {
                    Bound::Enter => depth[peer] += 1,
                    Bound::Leave => depth[peer] -= 1,
                }
                set(&mut bits, peer, depth[peer] > 0);
            }
            let class = match classes.last() {
                Some(class) if same => *class,
                _ => self.members.class(&bits),
            };
            classes.push(class);
        }
        classes
    }

    /// The intervals that a range consists of.
    fn intervals(&self, net: &IpNet) -> Range<usize> {
        fn between<A: Ord>(starts: &[A], first: &A, last: &A) -> Range<usize> {
            starts.partition_point(|start| start < first)..starts.partition_point(|start| start <= last)
        }
        match net {
            IpNet::V4(net) => between(&self.v4, &net.network().into(), &net.broadcast().into()),
            IpNet::V6(net) => {
                let Range { start, end } = between(&self.v6, &net.network().into(), &net.broadcast().into());
                self.v4.len() + start..self.v4.len() + end
            }
        }
    }

    /// The first address of an interval.
    fn address(&self, interval: usize) -> IpAddr {
        match self.v4.get(interval) {
            Some(start) => IpAddr::V4((*start).into()),
            None => IpAddr::V6(self.v6[interval - self.v4.len()].into()),
        }
    }

    /// Peers mean other ranges now; `touched` are those that they meant, or mean, and not both.
    pub(in crate::attribution) fn change(&mut self, touched: &[(PeerIndex, IpNet)], peers: &[Ranges]) {
        let mut before: BTreeMap<usize, Class> = BTreeMap::new();
        for (peer, net) in touched {
            let peer = *peer as usize;
            for interval in self.intervals(net) {
                let class = self.classes[interval];
                let mut bits = self.members.members(class).to_vec();
                set(&mut bits, peer, peers[peer].contains(self.address(interval)));
                self.classes[interval] = self.members.class(&bits);
                before.entry(interval).or_insert(class);
            }
        }
        before.retain(|interval, before| self.classes[*interval] != *before);
        if before.is_empty() {
            return;
        }
        let mut changes = Vec::with_capacity(before.len());
        for interval in before.into_keys() {
            let class = self.classes[interval];
            let turn = (self.courses[interval], self.changes.len(), class);
            self.courses[interval] = *self.turns.entry(turn).or_insert_with(|| {
                self.next_course += 1;
                self.next_course - 1
            });
            changes.push((interval, class));
        }
        self.changes.push(changes);
    }

    /// How often the classes have changed.
    pub(in crate::attribution) fn changes(&self) -> usize {
        self.changes.len()
    }

    /// The atoms, and their classes: at first, and after each change.
    pub(in crate::attribution) fn finish(mut self) -> (Atoms, Vec<AddressClasses>, Members) {
        let mut classes = vec![AddressClasses::Alike];
        if !self.changes.is_empty() {
            // Courses that some have taken, and nobody to the end, are no atoms.
            let mut atoms: HashMap<u32, u32> = HashMap::new();
            let mut of_atom: Vec<Class> = Vec::new();
            for (course, first) in self.courses.iter_mut().zip(&self.first) {
                let next = u32::try_from(of_atom.len()).unwrap_or(u32::MAX);
                *course = *atoms.entry(*course).or_insert_with(|| {
                    of_atom.push(*first);
                    next
                });
            }
            classes = vec![AddressClasses::OfState(of_atom.as_slice().into())];
            for changes in &self.changes {
                for (interval, class) in changes {
                    of_atom[self.courses[*interval] as usize] = *class;
                }
                classes.push(AddressClasses::OfState(Arc::from(of_atom.as_slice())));
            }
        }
        let (of_v4, of_v6) = self.courses.split_at(self.v4.len());
        let (v4, v6) = (Intervals::of(&self.v4, of_v4), Intervals::of(&self.v6, of_v6));
        (Atoms { table: V4Table::build(&v4), v4, v6 }, classes, self.members)
    }
}

fn set(bits: &mut [u64], peer: usize, holds: bool) {
    let bit = 1_u64 << (peer % 64);
    if holds {
        bits[peer / 64] |= bit;
    } else {
        bits[peer / 64] &= !bit;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Enter,
    Leave,
}

impl<A: Copy> Intervals<A> {
    /// Neighbours of one atom are one interval.
    fn of(starts: &[A], courses: &[u32]) -> Self {
        let mut intervals = Self { starts: Vec::new(), atoms: Vec::new() };
        for (start, course) in starts.iter().zip(courses) {
            if intervals.atoms.last() != Some(&Atom(*course)) {
                intervals.starts.push(*start);
                intervals.atoms.push(Atom(*course));
            }
        }
        intervals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::parse_net;

    const ADDRESSES: [&str; 14] = [
        "0.0.0.0",
        "9.255.255.255",
        "10.0.0.0",
        "10.1.2.3",
        "10.1.3.0",
        "10.255.255.255",
        "11.0.0.0",
        "255.255.255.255",
        "255.255.255.254",
        "::",
        "2001:db8::1",
        "2001:db8:1::",
        "2001:db9::",
        "ffff::",
    ];

    fn peers(nets: &[&[&str]]) -> Vec<Ranges> {
        nets.iter().map(|nets| nets.iter().map(|net| parse_net(net).unwrap()).collect()).collect()
    }

    fn held(atoms: &Atoms, classes: &AddressClasses, members: &Members, address: &str) -> Vec<usize> {
        let bits = members.members(atoms.class(address.parse().unwrap(), classes));
        (0..members.peers).filter(|peer| bits[peer / 64] >> (peer % 64) & 1 == 1).collect()
    }

    fn expected(peers: &[Ranges], address: &str) -> Vec<usize> {
        let address: IpAddr = address.parse().unwrap();
        (0..peers.len()).filter(|peer| peers[*peer].0.keys().any(|net| net.contains(&address))).collect()
    }

    #[test]
    fn classes_hold_exactly_the_peers_whose_ranges_contain_the_address() {
        let peers = peers(&[
            &["10.0.0.0/8"],
            &["10.1.0.0/16", "10.1.2.0/24"],
            &["0.0.0.0/0"],
            &["255.255.255.255/32"],
            &["::/0"],
            &["2001:db8::/32", "2001:db8:1::/48"],
            &[],
        ]);
        let (mut atoms, classes, members) = AddressHistory::of(&peers, std::iter::empty()).finish();
        for _ in ["by table", "by search"] {
            for address in ADDRESSES {
                assert_eq!(
                    held(&atoms, &classes[0], &members, address),
                    expected(&peers, address),
                    "{address}"
                );
            }
            atoms.table = None;
        }
    }

    #[test]
    fn classes_follow_every_change_of_what_peers_mean() {
        let mut now =
            peers(&[&["10.0.0.0/8"], &["10.1.2.3/32"], &["10.1.2.3/32", "2001:db8::/32"], &["0.0.0.0/0"]]);
        let net = |text| parse_net(text).unwrap();
        // (which peer, what it does not mean any more, what it means besides)
        let courses: [(usize, &[&str], &[&str]); 6] = [
            (1, &["10.1.2.3/32"], &[]),
            (1, &[], &["10.1.0.0/16"]),
            (1, &[], &["10.1.2.0/24"]),
            (1, &["10.1.0.0/16"], &["10.1.2.3/32"]),
            (2, &["2001:db8::/32"], &["2001:db8:1::/48"]),
            (1, &["10.1.2.0/24"], &[]),
        ];
        let bounds = courses.iter().flat_map(|(_, gone, new)| gone.iter().chain(*new)).map(|text| net(text));
        let mut history = AddressHistory::of(&now, bounds);
        // After how many changes, and what all addresses belong to then.
        let mut meant: Vec<(usize, Vec<Vec<usize>>)> = Vec::new();
        let all = |peers: &[Ranges]| ADDRESSES.map(|address| expected(peers, address)).to_vec();
        meant.push((0, all(&now)));
        for (peer, gone, new) in courses {
            for text in gone {
                now[peer].remove(net(text));
            }
            for text in new {
                now[peer].add(net(text));
            }
            let touched: Vec<_> =
                gone.iter().chain(new).map(|text| (u32::try_from(peer).unwrap(), net(text))).collect();
            history.change(&touched, &now);
            meant.push((history.changes(), all(&now)));
        }
        let (mut atoms, classes, members) = history.finish();
        // One of the ranges that came lay within another one.
        assert_eq!(classes.len(), meant.len() - 1);
        for _ in ["by table", "by search"] {
            for (changes, meant) in &meant {
                let held = ADDRESSES.map(|address| held(&atoms, &classes[*changes], &members, address));
                assert_eq!(held.as_slice(), meant.as_slice());
            }
            atoms.table = None;
        }
    }

    #[test]
    fn a_range_that_two_have_stays_when_one_of_them_goes() {
        let net = parse_net("192.0.2.1/32").unwrap();
        let mut now: Vec<Ranges> = vec![[net, net].into_iter().collect()];
        let mut history = AddressHistory::of(&now, std::iter::empty());
        now[0].remove(net);
        history.change(&[(0, net)], &now);
        assert_eq!(history.changes(), 0);
        now[0].remove(net);
        history.change(&[(0, net)], &now);
        assert_eq!(history.changes(), 1);
    }
}
